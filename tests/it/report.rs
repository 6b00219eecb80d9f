//! The JSON report, field by field.

use serde_json::{Value, json};

use crate::world::{World, canonical_manifest};

/// What a field's value may be.
#[derive(Clone, Copy, Debug)]
enum Is {
    Text,
    Number,
    Whole,
    Flag,
    List,
    Map,
}

impl Is {
    fn fits(self, v: &Value) -> bool {
        match self {
            Is::Text => v.is_string(),
            Is::Number => v.is_number(),
            Is::Whole => v.is_u64(),
            Is::Flag => v.is_boolean(),
            Is::List => v.is_array(),
            Is::Map => v.is_object(),
        }
    }
}

/// Asserts that the fields are there with these types; those after `/` may also be null.
#[track_caller]
fn shape(v: &Value, always: &[(&str, Is)], or_null: &[(&str, Is)]) {
    for (key, is) in always {
        let found = v.get(key);
        assert!(
            found.is_some_and(|f| is.fits(f)),
            "{key} is {found:?}, not {is:?}: {v}"
        );
    }
    for (key, is) in or_null {
        let found = v.get(key);
        let ok = found.is_some_and(|f| f.is_null() || is.fits(f));
        assert!(ok, "{key} is {found:?}, not {is:?} or null: {v}");
    }
}

/// A fleet with a bit of everything.
fn fleet() -> World {
    let w = World::new();
    w.cell("b-stale").beat("b-stale", 900);
    w.cell("a-healthy")
        .cell("c-none")
        .remove("c-none/state/heartbeat.json");
    w.cell("d-incomplete").remove("d-incomplete/meta");
    w.canonical("e-canonical", &["zed", "abe"])
        .beat("e-canonical/zed", 900);
    w.canonical("f-frozen", &["claude"])
        .beat("f-frozen/claude", 900);
    let mut m = canonical_manifest("f-frozen", &["claude"]);
    m["status"] = json!("frozen");
    w.manifest("f-frozen", &m);
    w.canonical("g-nobody", &[]);
    w.cell("h-gone").manifest(
        "h-gone",
        &json!({"mission_id": "h-gone", "status": "archived"}),
    );
    w
}

#[test]
fn the_whole_document() {
    let w = fleet();
    let run = w.run(&["--json"]);
    run.code(2).stderr_empty().clean();
    let doc = run.json();
    assert_eq!(doc["schema"], "lazarus-pit/report/1");
    assert_eq!(doc["missions_root"], json!(w.root()));
    assert_eq!(doc["heartbeat_job"], "lazarus_pit");
    assert_eq!(doc["heartbeat_interval_seconds"], 60);
    shape(
        doc,
        &[
            ("summary", Is::Map),
            ("cells", Is::List),
            ("gateways", Is::List),
            ("decisions", Is::List),
            ("actions", Is::List),
            ("warnings", Is::List),
            ("run", Is::Map),
            ("exit", Is::Map),
        ],
        &[],
    );
    assert_eq!(
        doc["summary"],
        json!({"total_cells": 7, "healthy": 1, "stale": 3, "incomplete": 1, "uninitialized": 2,
               "ignored": 1})
    );
    assert_eq!(doc["gateways"], json!([]));
    assert_eq!(doc["actions"], json!([]));
    assert_eq!(doc["exit"]["code"], 2);
    assert!(doc.get("error").is_none_or(Value::is_null), "{run}");
    shape(
        &doc["run"],
        &[
            ("id", Is::Text),
            ("version", Is::Text),
            ("host", Is::Text),
            ("dry_run", Is::Flag),
            ("started_at", Is::Text),
            ("duration_ms", Is::Number),
        ],
        &[],
    );
    assert_eq!(doc["run"]["version"], env!("CARGO_PKG_VERSION"));
    let started: Result<jiff::Timestamp, _> = doc["run"]["started_at"].as_str().unwrap().parse();
    assert!(started.is_ok(), "{run}");
    let second = w.run(&["--json"]);
    assert_ne!(
        doc["run"]["id"],
        second.json()["run"]["id"],
        "a run's id is its own"
    );
}

#[test]
fn every_cell_and_agent() {
    let w = fleet();
    let run = w.run(&["--json"]);
    assert!(run.names("cells", "mission_id").is_sorted(), "{run}");
    for cell in run.cells() {
        shape(
            cell,
            &[
                ("mission_id", Is::Text),
                ("root", Is::Text),
                ("status", Is::Text),
                ("missing_paths", Is::List),
                ("layout", Is::Text),
                ("reasons", Is::List),
                ("agents", Is::List),
            ],
            &[
                ("age_seconds", Is::Whole),
                ("last_timestamp", Is::Number),
                ("lifecycle", Is::Text),
            ],
        );
        let id = cell["mission_id"].as_str().unwrap();
        assert_eq!(cell["root"], json!(w.path(id)));
        let status = cell["status"].as_str().unwrap();
        assert!(
            ["healthy", "stale", "incomplete", "uninitialized"].contains(&status),
            "{cell}"
        );
        // Every status but `healthy` comes with a reason, and no reason comes without words.
        assert_eq!(status == "healthy", run.reasons(id).is_empty(), "{cell}");
        for reason in cell["reasons"].as_array().unwrap() {
            shape(reason, &[("code", Is::Text), ("message", Is::Text)], &[]);
            assert!(!reason["message"].as_str().unwrap().is_empty(), "{cell}");
        }
        for agent in cell["agents"].as_array().unwrap() {
            shape(
                agent,
                &[
                    ("name", Is::Text),
                    ("status", Is::Text),
                    ("revive_count", Is::Whole),
                    ("evidence", Is::List),
                ],
                &[
                    ("age_seconds", Is::Whole),
                    ("last_timestamp", Is::Number),
                    ("last_status", Is::Text),
                    ("cycle", Is::Whole),
                    ("model", Is::Text),
                    ("state", Is::Text),
                ],
            );
        }
    }
    assert_eq!(run.cell("c-none")["age_seconds"], Value::Null);
    assert_eq!(run.cell("c-none")["last_timestamp"], Value::Null);
    assert_eq!(run.agent("c-none", "main")["age_seconds"], Value::Null);
    assert_eq!(run.agents("g-nobody"), Vec::<&str>::new());
    let stale = run.cell("b-stale");
    assert_eq!(stale["reasons"][0]["code"], "stale");
    let age = stale["age_seconds"].as_u64().unwrap();
    assert!((900..960).contains(&age), "{stale}");
    assert!(stale["last_timestamp"].is_f64(), "{stale}");
}

#[test]
fn every_decision() {
    let w = fleet();
    let run = w.run(&["--json"]);
    let subjects = run.subjects();
    assert!(subjects.is_sorted(), "{run}");
    let incomplete: Vec<_> = subjects
        .iter()
        .filter(|s| s.starts_with("d-incomplete"))
        .collect();
    assert_eq!(incomplete.len(), 1, "{run}");
    let rest: Vec<_> = subjects
        .iter()
        .filter(|s| !s.starts_with("d-incomplete"))
        .collect();
    assert_eq!(
        rest,
        [
            &"b-stale/main",
            &"c-none/main",
            &"e-canonical/zed",
            &"f-frozen/claude",
            &"g-nobody"
        ]
    );
    for decision in run.list("decisions") {
        shape(
            decision,
            &[
                ("subject", Is::Text),
                ("verdict", Is::Text),
                ("because", Is::List),
            ],
            &[
                ("plan", Is::Text),
                ("policy", Is::Text),
                ("incident", Is::Text),
                ("attempt", Is::Whole),
                ("down_since", Is::Text),
                ("next_attempt_at", Is::Text),
            ],
        );
        let because = decision["because"].as_array().unwrap();
        assert!(
            !because.is_empty(),
            "a verdict without a reason: {decision}"
        );
        for reason in because {
            shape(reason, &[("code", Is::Text), ("message", Is::Text)], &[]);
        }
        let frozen = decision["subject"] == "f-frozen/claude";
        let verdict = if frozen { "frozen" } else { "unplanned" };
        assert_eq!(decision["verdict"], verdict, "{decision}");
        assert!(decision["plan"].is_null(), "{decision}");
        if let Some(since) = decision["down_since"].as_str() {
            assert!(since.parse::<jiff::Timestamp>().is_ok(), "{decision}");
        }
    }
}

/// From the moment it goes down until it is healthy again, an incident keeps its id; then it is
/// told once that it is over.
#[test]
fn an_incident_has_a_life_of_its_own() {
    let w = World::new();
    w.cell("a").cell("b").beat("a", 900);
    let first = w.run(&["--json"]);
    let incident = first.decision("a/main").unwrap()["incident"].clone();
    assert!(incident.is_string(), "{first}");
    let since = first.decision("a/main").unwrap()["down_since"].clone();
    let second = w.run(&["--json"]);
    assert_eq!(
        second.decision("a/main").unwrap()["incident"],
        incident,
        "{second}"
    );
    assert_eq!(
        second.decision("a/main").unwrap()["down_since"],
        since,
        "{second}"
    );
    w.beat("a", 1);
    let over = w.run(&["--json"]);
    over.code(0);
    let closed = over
        .decision("a/main")
        .unwrap_or_else(|| panic!("not told: {over}"));
    assert_eq!(closed["verdict"], "healthy");
    assert_eq!(closed["incident"], incident);
    assert!(
        w.run(&["--json"]).code(0).subjects().is_empty(),
        "told twice"
    );
    w.beat("a", 900);
    let again = w.run(&["--json"]);
    assert_ne!(
        again.decision("a/main").unwrap()["incident"],
        incident,
        "{again}"
    );
}

#[test]
fn names_are_in_byte_order_whatever_the_locale() {
    let w = World::new();
    let ids = ["B", "a", "Z", "_", "10", "9", "é", "a-b", "a.b", "ab"];
    for id in ids {
        w.cell(id).beat(id, 900);
    }
    let mut want = ids.to_vec();
    want.sort_unstable();
    let run = w.cmd(&["--json"]).env("LC_ALL", "de_DE.UTF-8").run();
    assert_eq!(run.code(2).names("cells", "mission_id"), want);
    let mut subjects: Vec<String> = want.iter().map(|id| format!("{id}/main")).collect();
    subjects.sort_unstable();
    assert_eq!(run.subjects(), subjects);
}

#[test]
fn warnings_are_objects_with_a_code_and_words() {
    let w = World::new();
    w.cell("a").manifest(
        "a",
        &json!({"mission_id": "z", "created_at": 1, "status": "active"}),
    );
    let run = w.run(&["--json"]);
    run.code(0);
    assert_eq!(run.list("warnings").len(), 1, "{run}");
    shape(
        &run.list("warnings")[0],
        &[("code", Is::Text), ("message", Is::Text)],
        &[],
    );
    // The older names of the same thing.
    let run = w.run(&[
        "--once",
        "--poll-interval",
        "30",
        "--write-heartbeat",
        "--no-act",
        "--json",
    ]);
    run.code(0).json();
}
