//! What a cell is: its layout, its status, and the reasons for it.

use serde_json::json;

use crate::world::{NOBODY, SUBDIRS, World, canonical_manifest, make_dir, mode, needs_root};

#[test]
fn a_healthy_fleet_of_both_layouts() {
    let w = World::new();
    w.cell("a").canonical("b", &["claude"]);
    let run = w.run(&["--json"]);
    run.code(0).stderr_empty().clean();
    for (id, layout, agent) in [("a", "foundation", "main"), ("b", "canonical", "claude")] {
        assert_eq!(run.status(id), "healthy");
        assert_eq!(run.cell(id)["layout"], layout);
        assert_eq!(run.agents(id), [agent]);
        assert_eq!(run.agent(id, agent)["status"], "healthy");
        assert!(run.reasons(id).is_empty(), "{run}");
        assert!(run.missing(id).is_empty(), "{run}");
    }
    assert!(run.subjects().is_empty(), "{run}");
    assert_eq!(run.cell("a")["lifecycle"], "bootstrapped");
    assert_eq!(run.cell("b")["lifecycle"], "active");
}

#[test]
fn a_bare_root_is_an_empty_healthy_fleet() {
    let run = World::new().run(&["--json"]);
    run.code(0).stderr_empty();
    assert_eq!(run.summary("total_cells"), 0);
    assert!(run.cells().is_empty());
}

#[test]
fn files_links_and_dot_names_in_the_root_are_no_cells() {
    let w = World::new();
    w.cell("a").put("file", "x").cell(".hidden");
    make_dir(&w.path(".empty"), 0o755);
    std::os::unix::fs::symlink("a", w.path("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", w.path("dangling")).unwrap();
    let run = w.run(&["--json"]);
    run.code(0);
    assert_eq!(run.names("cells", "mission_id"), ["a"]);
    assert_eq!(run.summary("total_cells"), 1);
    assert_eq!(run.summary("ignored"), 0);
}

#[test]
fn every_missing_subdirectory_is_named_in_configured_order() {
    let w = World::new();
    w.cell("all").cell("some").cell("one");
    for sub in SUBDIRS {
        w.remove(format!("all/{sub}"));
    }
    w.remove("some/worktree")
        .remove("some/config")
        .remove("some/logs");
    w.remove("one/artifacts");
    let run = w.run(&["--json"]);
    run.code(2);
    for (id, missing) in [
        ("all", &SUBDIRS[..]),
        ("some", &["config", "logs", "worktree"]),
        ("one", &["artifacts"]),
    ] {
        run.expect(id, "incomplete", "missing_subdir");
        assert_eq!(run.missing(id), missing, "{run}");
    }
    assert_eq!(run.summary("incomplete"), 3);
}

#[test]
fn a_canonical_cell_has_three_subdirectories_of_its_own() {
    let w = World::new();
    for (id, sub) in [("w", "workspace"), ("l", "logs"), ("z", ".lazarus")] {
        w.canonical(id, &["claude"]).remove(format!("{id}/{sub}"));
    }
    w.canonical("none", &["claude"]);
    for sub in ["workspace", "logs", ".lazarus"] {
        w.remove(format!("none/{sub}"));
    }
    let run = w.run(&["--json"]);
    for (id, missing) in [
        ("w", &["workspace"][..]),
        ("l", &["logs"]),
        ("z", &[".lazarus"]),
        ("none", &["workspace", "logs", ".lazarus"]),
    ] {
        run.expect(id, "incomplete", "missing_subdir");
        assert_eq!(run.missing(id), missing, "{run}");
        assert_eq!(run.cell(id)["layout"], "canonical");
    }
    run.code(2);
}

#[test]
fn incomplete_comes_before_uninitialized_and_uninitialized_before_stale() {
    let w = World::new();
    w.cell("i")
        .remove("i/logs")
        .remove("i/state/heartbeat.json");
    w.canonical("u", &["claude", "gemini"])
        .beat("u/claude", 9000);
    w.remove("u/.lazarus/heartbeats/gemini.json");
    w.canonical("s", &["claude", "gemini"])
        .beat("s/claude", 9000);
    let run = w.run(&["--json"]);
    run.code(2)
        .expect("i", "incomplete", "missing_subdir")
        .expect("u", "uninitialized", "no_heartbeat")
        .expect("s", "stale", "stale");
    assert_eq!(run.agent("u", "claude")["status"], "stale");
    assert_eq!(run.agent("u", "gemini")["status"], "uninitialized");
    assert_eq!(run.agent("s", "gemini")["status"], "healthy");
}

#[test]
fn a_cell_with_subdirectories_and_no_manifest_is_classified_by_its_heartbeat() {
    let w = World::new();
    w.cell("a")
        .remove("a/meta/mission.json")
        .remove("a/config/cell.json");
    w.cell("b").remove("b/meta/mission.json").beat("b", 500);
    w.cell("c").put("c/meta/mission.json", "{ not json");
    let run = w.run(&["--json"]);
    run.code(2)
        .expect("a", "healthy", "")
        .expect("b", "stale", "stale");
    assert_eq!(run.status("c"), "healthy", "{run}");
    assert!(run.cell("a")["lifecycle"].is_null());
    assert_eq!(run.verdict("b/main"), Some("unplanned"));
}

#[test]
fn a_canonical_cell_without_a_usable_manifest_is_incomplete() {
    let w = World::new();
    let whole = canonical_manifest("x", &["claude"]);
    let without = |key: &str| {
        let mut m = whole.clone();
        m.as_object_mut().unwrap().remove(key);
        m.to_string()
    };
    let cases = [
        ("empty", String::new()),
        ("words", "hello".into()),
        ("cut", "{\"uuid\": \"x\"".into()),
        ("list", "[]".into()),
        ("no-uuid", without("uuid")),
        ("no-status", without("status")),
        ("no-agents", without("agents")),
        (
            "agents-text",
            whole.to_string().replace("[{", "\"").replace("}]", "\""),
        ),
    ];
    for (id, manifest) in &cases {
        w.canonical(id, &["claude"])
            .put(format!("{id}/cell.json"), manifest);
    }
    let mut least = json!({"uuid": "u", "status": "active", "agents": [{"name": "claude"}]});
    w.canonical("least", &["claude"]).manifest("least", &least);
    least["labels"] = json!({"team": "nexus"});
    least["gitea_issue"] = json!(12);
    w.canonical("more", &["claude"]).manifest("more", &least);
    let run = w.run(&["--json"]);
    for (id, _) in &cases {
        run.expect(id, "incomplete", "manifest_unreadable");
        // Who works there is not known: the cell alone is the subject.
        assert_eq!(run.verdict(id), Some("unplanned"), "{id}: {run}");
    }
    run.expect("least", "healthy", "")
        .expect("more", "healthy", "")
        .code(2);
}

#[test]
fn reasons_name_the_path_the_age_and_the_limit() {
    let w = World::new();
    w.cell("s").beat("s", 4000);
    w.cell("u").remove("u/state/heartbeat.json");
    w.cell("i").remove("i/worktree");
    let run = w.run(&["--json", "--stale-after", "200"]);
    let stale = run.sentences("s");
    let age = run.age("s").to_string();
    assert!(stale.contains(&age) && stale.contains("200"), "{stale}");
    assert!(run.sentences("u").contains("state/heartbeat.json"), "{run}");
    assert!(run.sentences("i").contains("worktree"), "{run}");
}

#[test]
fn archived_and_destroyed_cells_are_counted_and_nothing_else() {
    let w = World::new();
    w.cell("a");
    for (id, status) in [("b", "archived"), ("c", "destroyed")] {
        w.cell(id).remove(format!("{id}/logs"));
        w.manifest(
            id,
            &json!({"mission_id": id, "created_at": 1, "status": status}),
        );
        let id = format!("{id}2");
        w.canonical(&id, &["claude"])
            .beat(&format!("{id}/claude"), 9000);
        let mut m = canonical_manifest(&id, &["claude"]);
        m["status"] = json!(status);
        w.manifest(&id, &m);
    }
    let run = w.run(&["--json"]);
    run.code(0).stderr_empty();
    assert_eq!(run.summary("ignored"), 4);
    assert_eq!(run.summary("total_cells"), 1);
    assert_eq!(run.names("cells", "mission_id"), ["a"]);
    assert!(run.subjects().is_empty());
}

#[test]
fn a_frozen_cell_is_classified_and_left_alone() {
    let w = World::new();
    for (id, age) in [("down", 9000), ("up", 1)] {
        w.canonical(id, &["claude"])
            .beat(&format!("{id}/claude"), age);
        let mut m = canonical_manifest(id, &["claude"]);
        m["status"] = json!("frozen");
        w.manifest(id, &m);
    }
    let run = w.run(&["--json"]);
    run.code(1)
        .expect("down", "stale", "stale")
        .expect("up", "healthy", "");
    assert_eq!(run.verdict("down/claude"), Some("frozen"));
    assert_eq!(run.decision("up/claude"), None);
    assert_eq!(run.json()["exit"]["code"], 1);
}

#[test]
fn a_manifest_with_another_id_is_a_warning_and_the_directory_s_name_counts() {
    let w = World::new();
    w.cell("a").manifest(
        "a",
        &json!({"mission_id": "z", "created_at": 1, "status": "active"}),
    );
    let run = w.run(&["--json"]);
    run.code(0);
    assert_eq!(run.names("cells", "mission_id"), ["a"]);
    let warning = &run.list("warnings")[0];
    let about = warning["subject"].as_str().unwrap_or_default();
    assert!(
        about == "a" || warning["message"].to_string().contains('a'),
        "{run}"
    );
}

#[test]
fn created_at_is_a_number_or_rfc_3339() {
    let w = World::new();
    for (id, at) in [
        ("int", json!(1_795_000_000)),
        ("float", json!(1_795_000_000.25)),
        ("text", json!("2026-11-21T10:20:00Z")),
        ("zone", json!("2026-11-21T10:20:00+02:00")),
    ] {
        w.cell(id).manifest(
            id,
            &json!({"mission_id": id, "created_at": at, "status": "active"}),
        );
        let id = format!("{id}-c");
        let mut m = canonical_manifest(&id, &["claude"]);
        m["created_at"] = at;
        w.canonical(&id, &["claude"]).manifest(&id, &m);
    }
    let run = w.run(&["--json"]);
    run.code(0);
    assert_eq!(run.summary("healthy"), 8);
    assert!(run.warnings().is_empty(), "{run}");
}

#[test]
fn only_the_cells_asked_for_are_looked_at() {
    let w = World::new();
    w.cell("portal-1")
        .cell("portal-2")
        .beat("portal-2", 900)
        .cell("other")
        .beat("other", 900);
    let run = w.run(&["--json", "--cell", "portal-*"]);
    run.code(2);
    assert_eq!(run.names("cells", "mission_id"), ["portal-1", "portal-2"]);
    let run = w.run(&["--json", "--cell", "portal-1"]);
    run.code(0);
    let run = w.run(&["--json", "--cell", "portal-1", "--cell", "other"]);
    assert_eq!(run.names("cells", "mission_id"), ["other", "portal-1"]);
}

#[test]
fn an_empty_list_of_subdirectories_means_the_default_six() {
    let w = World::new();
    w.config("required_subdirs: []\n")
        .cell("a")
        .remove("a/meta");
    let run = w.run(&["--json"]);
    assert_eq!(
        run.expect("a", "incomplete", "missing_subdir").missing("a"),
        ["meta"]
    );
}

#[test]
fn subdirectories_and_heartbeat_file_are_the_operator_s_choice() {
    let w = World::new();
    w.config("required_subdirs: [zeta, alpha, run]\nheartbeat_file: run/beat.json\n");
    for id in ["ok", "bad"] {
        for sub in ["zeta", "alpha", "run"] {
            make_dir(&w.path(format!("{id}/{sub}")), 0o755);
        }
        w.put(format!("{id}/run/beat.json"), crate::world::beat_bytes(3.0));
    }
    w.remove("bad/zeta").remove("bad/alpha");
    w.canonical("canon", &["claude"]);
    let run = w.run(&["--json"]);
    run.code(2)
        .expect("ok", "healthy", "")
        .expect("canon", "healthy", "");
    assert_eq!(run.missing("bad"), ["zeta", "alpha"]);
    assert!(run.age("ok") >= 3);
}

#[test]
fn a_cell_that_cannot_be_read_is_incomplete_and_the_rest_is_served() {
    if !needs_root() {
        return;
    }
    let w = World::new();
    w.cell("a")
        .cell("shut")
        .cell("state-shut")
        .cell("beat-shut")
        .beat("a", 900);
    mode(&w.path("shut"), 0o700);
    mode(&w.path("state-shut/state"), 0o700);
    mode(&w.path("beat-shut/state/heartbeat.json"), 0o600);
    let run = w.cmd(&["--json"]).user(NOBODY).run();
    run.code(2).clean();
    for id in ["shut", "state-shut", "beat-shut"] {
        run.expect(id, "incomplete", "unreadable");
        let decided = run
            .subjects()
            .iter()
            .any(|s| s.split('/').next() == Some(id));
        assert!(decided, "{id}: {run}");
        // A failed look is not a death.
        let verdict = run.verdict(id).or(run.verdict(&format!("{id}/main")));
        assert_eq!(verdict, Some("unobserved"), "{id}: {run}");
    }
    run.expect("a", "stale", "stale");
}
