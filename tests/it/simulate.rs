//! `simulate`: plans tried on scenarios and on journals of real runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::later::{Later, plans};
use crate::output::Run;
use crate::store::journal;
use crate::world::{World, put};

const ASK: &str = "name: ask\npolicy: ask\nwhen: {for: 2m}\nsteps: [{run: [\"true\"]}]\n";
const AUTO: &str = "name: auto\npolicy: auto\nwhen: {for: 2m}\nsteps: [{run: [\"true\"]}]\n---\n\
    name: gateways\nmatch: {gateways: [\"*\"]}\npolicy: auto\nsteps: [{run: [\"true\"]}]\n";

fn scenarios() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut all: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    all.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    all.sort();
    assert!(all.len() >= 3);
    all
}

/// A world whose configuration has one plan in force and another to be tried.
fn two_policies() -> (World, String) {
    let w = World::new();
    plans(&w, ASK);
    let new = w.base().join("conf/new.yaml");
    put(&new, AUTO.as_bytes());
    let new = new.to_str().unwrap().to_owned();
    (w, new)
}

/// What each scenario comes to, timeline and all, is what it came to before.
#[test]
fn scenarios_come_to_what_they_came_to() {
    let (w, new) = two_policies();
    for path in scenarios() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# "),
            "{} says nothing of itself",
            path.display()
        );
        let scenario = path.to_str().unwrap();
        let run = w.run(&[
            "simulate",
            "--plans",
            &new,
            "--scenario",
            scenario,
            "--timeline",
        ]);
        run.code(0).stderr_empty();
        let shown = run
            .stdout()
            .replace(scenario, path.file_name().unwrap().to_str().unwrap());
        let golden = path.with_extension("txt");
        if std::env::var_os("LAZARUS_BLESS").is_some_and(|v| v == "1") {
            fs::write(&golden, &shown).unwrap();
        }
        let kept = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(
            shown, kept,
            "{scenario}; LAZARUS_BLESS=1 cargo test writes it anew"
        );
    }
}

#[test]
fn a_simulation_writes_nothing_and_has_a_document() {
    let (w, new) = two_policies();
    let scenario = scenarios().remove(1);
    let scenario = scenario.to_str().unwrap();
    let before = w.tree();
    let run = w.run(&[
        "simulate",
        "--plans",
        &new,
        "--scenario",
        scenario,
        "--json",
        "--timeline",
    ]);
    run.code(0);
    assert_eq!(before, w.tree());
    let json = run.json();
    assert_eq!(json["schema"], "lazarus-pit/simulate/1");
    // The agent that flaps is asked about each time under one policy, and never under the other.
    assert!(
        json["in_force"]["approvals_asked"].as_u64().unwrap() > 10,
        "{run}"
    );
    assert_eq!(json["new"]["approvals_asked"], 0);
    let line = &json["timeline"][0];
    for key in ["at", "subject", "condition", "verdict"] {
        assert!(line[key].is_string(), "{line}");
    }
    let run = w.run(&[
        "simulate",
        "--plans",
        &new,
        "--scenario",
        scenario,
        "--json",
    ]);
    assert!(run.json()["timeline"].is_null());
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_with_its_place() {
    let (w, new) = two_policies();
    let path = w.base().join("conf/s.yaml");
    put(&path, b"evry: 1m\nsubjects:\n  - name: a\n    down: [{at: 1h, status: ded}]\n    attempt: wroks\n");
    let path = path.to_str().unwrap();
    let run = w.run(&["simulate", "--plans", &new, "--scenario", path, "--json"]);
    run.code(78);
    for text in [
        "s.yaml:1:1: error: unknown key `evry`",
        "did you mean `every`?",
        "s.yaml:4:29: error: ",
        "did you mean `dead`?",
        "s.yaml:5:14: error: ",
        "did you mean `works`?",
    ] {
        run.stderr_has(text);
    }
    assert_eq!(run.json()["error"]["code"], 78);
    w.run(&["simulate", "--scenario", path])
        .code(64)
        .stderr_has("--plans");
    w.run(&["simulate", "--plans", &new]).code(64);
    w.run(&["simulate", "--plans", &new, "--scenario", "/nonexistent"])
        .code(78);
    w.run(&["simulate", "--plans", &new, "--journal", "/nonexistent"])
        .code(78);
}

/// Numbers that follow from a seed: a test has to be the same each time.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Many real runs in which agents die, come back and resist; then their journal is played again
/// under the plans that were in force, and comes to the same acts, one by one. There is a run a
/// minute, on a clock that is moved, so that a busy host has all kinds of decisions too.
#[test]
fn a_journal_of_real_runs_comes_to_the_same_again() {
    const RUNS: usize = 120;
    let w = World::new();
    w.config("stale_after: 2d\n");
    let mut later = Later::new(&w);
    let names: Vec<String> = (0..12)
        .map(|n| format!("{}-{n}", ["good", "bad", "shy"][n % 3]))
        .collect();
    for name in &names {
        w.cell(name);
    }
    let both = "limits: {attempts: 3, within: 18m, backoff: {initial: 1m, factor: 2, max: 6m}}\nverify: {within: 2m}\n";
    let plan = format!(
        "name: good\nmatch: {{cells: [\"good-*\"]}}\npolicy: auto\n{both}steps: [{{run: [\"true\"]}}]\n---\n\
         name: bad\nmatch: {{cells: [\"bad-*\"]}}\npolicy: auto\n{both}steps: [{{run: [\"false\"]}}]\n---\n\
         name: shy\npolicy: ask\n{both}approval: {{expires: 20m, ask_again: 40m}}\nsteps: [{{run: [\"true\"]}}]\n"
    );
    plans(&w, &plan);
    let decision = |at: &str, d: &Value| {
        let fields = [
            "subject",
            "verdict",
            "plan",
            "incident",
            "attempt",
            "down_since",
        ];
        let fields = fields.map(|field| d.get(field).unwrap_or(&Value::Null).to_string());
        format!("{at} {}", fields.join(" "))
    };
    let mut decided: Vec<String> = Vec::new();
    let mut seed = 4711;
    for _ in 0..RUNS {
        for name in &names {
            match next(&mut seed) % 12 {
                0 => later.beat(name, 200_000),
                1 | 2 => later.beat(name, 0),
                _ => &later,
            };
        }
        if next(&mut seed).is_multiple_of(4) {
            let name = format!("shy-{}/main", 2 + 3 * (next(&mut seed) % 4));
            let word = ["approve", "deny"][usize::from(next(&mut seed).is_multiple_of(3))];
            later.run(&[word, &name]).code_in(&[0, 1]);
        }
        let run = later.next();
        run.code_in(&[0, 1, 2]);
        let at = run.json()["run"]["started_at"].to_string();
        decided.extend(run.list("decisions").iter().map(|d| decision(&at, d)));
    }
    let plans = w.base().join("conf/plans");
    let state = w.state();
    let run = later.run(&[
        "simulate",
        "--plans",
        plans.to_str().unwrap(),
        "--journal",
        state.to_str().unwrap(),
        "--json",
        "--timeline",
    ]);
    run.code(0).stderr_empty();
    let json = run.json();
    assert_eq!(json["new"], json["in_force"], "{:#}", json["subjects"]);
    for subject in run.list("subjects") {
        assert_eq!(subject["new"], subject["in_force"], "{subject:#}");
    }
    assert!(
        json["new"]["attempts"].as_u64().unwrap() > 10,
        "{:#}",
        json["new"]
    );
    // Every decision of every run, and not only those that were acted on.
    let lines = run.list("timeline").iter();
    let mut replayed: Vec<String> = lines.map(|d| decision(&d["at"].to_string(), d)).collect();
    decided.sort();
    replayed.sort();
    let verdicts: std::collections::BTreeSet<&str> = decided
        .iter()
        .map(|d| d.split(' ').nth(2).unwrap())
        .collect();
    assert!(verdicts.len() >= 8, "{verdicts:?}");
    for (real, again) in decided.iter().zip(&replayed) {
        assert_eq!(real, again);
    }
    assert_eq!(decided.len(), replayed.len());
    same_attempts(&w, &run);
}

/// Each attempt that the journal has stands in the timeline, at its run, and no other.
#[track_caller]
fn same_attempts(w: &World, run: &Run) {
    let looked: std::collections::BTreeMap<String, String> = journal(w)
        .into_iter()
        .filter(|e| e["event"] == "run_finished")
        .map(|e| (e["run"].to_string(), e["observed_at"].to_string()))
        .collect();
    let key =
        |at: &str, e: &Value| format!("{at} {} {} {}", e["subject"], e["attempt"], e["incident"]);
    let mut recorded: Vec<String> = journal(w)
        .iter()
        .filter(|e| e["event"] == "intent")
        .map(|e| key(&looked[&e["run"].to_string()], e))
        .collect();
    let mut again: Vec<String> = run
        .list("timeline")
        .iter()
        .filter(|line| line["verdict"] == "revive")
        .map(|line| key(&line["at"].to_string(), line))
        .collect();
    recorded.sort();
    again.sort();
    assert_eq!(recorded, again);
}

/// Who is down already when the time begins that is looked at is down in it, for as long as that
/// goes on.
#[test]
fn the_last_part_of_a_journal_knows_who_was_down_before() {
    let w = World::new();
    w.cell("a").beat("a", 900).cell("b").beat("b", 900);
    plans(&w, ASK);
    let mut later = Later::new(&w);
    for minute in 0..20 {
        if minute >= 15 {
            later.beat("b", 0);
        }
        later.next().code_in(&[1, 2]);
    }
    let (plans, state) = (w.base().join("conf/plans"), w.state());
    let run = later.run(&[
        "simulate",
        "--plans",
        plans.to_str().unwrap(),
        "--journal",
        state.to_str().unwrap(),
        "--since",
        "10m30s",
        "--json",
    ]);
    run.code(0);
    for policy in ["new", "in_force"] {
        let down = |subject: &str| {
            let all = run.list("subjects");
            let found = all.iter().find(|s| s["subject"] == subject);
            found.map_or(0, |s| s[policy]["down_seconds"].as_u64().unwrap())
        };
        assert!((590..=630).contains(&down("a/main")), "{policy}: {run}");
        assert!((350..=370).contains(&down("b/main")), "{policy}: {run}");
        assert_eq!(run.json()[policy]["incidents"], 0, "{policy}: {run}");
    }
}
