//! Cells with several agents, and whose word about a cell counts.

use serde_json::{Value, json};

use crate::world::{NOBODY, World, canonical_manifest, mode, needs_root};

fn foundation(agents: &Value) -> Value {
    json!({"mission_id": "f", "created_at": 1, "status": "active", "agents": agents})
}

#[test]
fn many_agents_in_a_canonical_cell() {
    let w = World::new();
    w.canonical("b", &["claude", "gemini", "allegro"]);
    w.beat("b/gemini", 400).beat("b/claude", 700);
    let run = w.run(&["--json"]);
    run.code(2).expect("b", "stale", "stale");
    let mut names = run.agents("b");
    names.sort_unstable();
    assert_eq!(names, ["allegro", "claude", "gemini"]);
    for (name, status) in [
        ("allegro", "healthy"),
        ("claude", "stale"),
        ("gemini", "stale"),
    ] {
        assert_eq!(run.agent("b", name)["status"], status);
    }
    // The age is that of the one worst off.
    assert_eq!(
        run.cell("b")["age_seconds"],
        run.agent("b", "claude")["age_seconds"]
    );
    assert_eq!(
        run.cell("b")["last_timestamp"],
        run.agent("b", "claude")["last_timestamp"]
    );
    assert!((700..760).contains(&run.age("b")), "{run}");
    assert_eq!(run.subjects(), ["b/claude", "b/gemini"]);
    assert_eq!(run.summary("stale"), 1);
    assert!(run.sentences("b").contains("claude") && run.sentences("b").contains("gemini"));
}

#[test]
fn a_canonical_cell_names_its_agents_as_texts_too() {
    let w = World::new();
    w.canonical("b", &["claude", "gemini"]);
    let mut m = canonical_manifest("b", &[]);
    m["agents"] = json!([{"name": "claude"}, {"name": "gemini", "role": "x", "odd": [1]}]);
    w.manifest("b", &m);
    let run = w.run(&["--json"]);
    run.code(0).expect("b", "healthy", "");
    assert_eq!(run.agents("b").len(), 2);
}

#[test]
fn a_foundation_cell_with_agents_beats_in_their_own_files() {
    for agents in [
        json!(["alice", "bob"]),
        json!([{"name": "alice"}, {"name": "bob", "role": "critic", "home": "x"}]),
        json!(["alice", {"name": "bob"}]),
    ] {
        let w = World::new();
        w.cell("f").manifest("f", &foundation(&agents));
        // `main` is not expected, alive or dead.
        w.beat("f", 9000).beat("f/alice", 2).beat("f/bob", 3);
        let run = w.run(&["--json"]);
        run.code(0).expect("f", "healthy", "");
        assert_eq!(run.cell("f")["layout"], "foundation");
        let mut names = run.agents("f");
        names.sort_unstable();
        assert_eq!(names, ["alice", "bob"], "{agents}");

        w.remove("f/state/heartbeat.json").beat("f/bob", 800);
        w.remove("f/state/heartbeats/alice.json");
        let run = w.run(&["--json"]);
        run.code(2)
            .expect("f", "uninitialized", "no_heartbeat")
            .expect("f", "uninitialized", "stale");
        assert!(
            run.sentences("f").contains("state/heartbeats/alice.json"),
            "{run}"
        );
        assert_eq!(run.subjects(), ["f/alice", "f/bob"]);
    }
}

#[test]
fn a_cell_that_names_no_agents_is_uninitialized() {
    let w = World::new();
    w.cell("f").manifest("f", &foundation(&json!([])));
    w.canonical("c", &[]);
    let run = w.run(&["--json"]);
    run.code(2);
    for id in ["c", "f"] {
        run.expect(id, "uninitialized", "no_agents");
        assert!(run.agents(id).is_empty());
        assert!(run.cell(id)["age_seconds"].is_null());
        assert!(run.cell(id)["last_timestamp"].is_null());
        assert_eq!(run.verdict(id), Some("unplanned"));
    }
    assert_eq!(run.subjects(), ["c", "f"]);
}

#[test]
fn what_an_agent_says_of_itself_is_passed_on() {
    let w = World::new();
    w.cell("a").beat_with(
        "a",
        5,
        json!({"status": "thinking", "cycle": 42, "model": "m-9"}),
    );
    w.cell("b").beat_with(
        "b",
        5,
        json!({"status": 7, "cycle": "x", "model": [], "pid": -1}),
    );
    let run = w.run(&["--json"]);
    run.code(0);
    let main = run.agent("a", "main");
    assert_eq!(main["last_status"], "thinking");
    assert_eq!(main["cycle"], 42);
    assert_eq!(main["model"], "m-9");
    assert_eq!(run.status("b"), "healthy");
}

#[test]
fn paused_and_done_are_the_agent_s_word_and_stale_is_stale() {
    let w = World::new();
    for (id, status) in [
        ("p", "paused"),
        ("d", "done"),
        ("a", "archived"),
        ("f", "frozen"),
    ] {
        w.cell(id).beat_with(id, 900, json!({"status": status}));
    }
    let run = w.run(&["--json"]);
    run.code(2);
    assert_eq!(run.summary("stale"), 4);
    assert_eq!(run.summary("ignored"), 0);
}

#[test]
fn as_root_an_agent_s_manifest_hides_nothing() {
    if !needs_root() {
        return;
    }
    let lifecycles = ["archived", "destroyed", "frozen"];
    let make = |how: fn(&std::path::Path)| {
        let w = World::new();
        for status in lifecycles {
            w.cell(status).beat(status, 900);
            w.manifest(
                status,
                &json!({"mission_id": status, "created_at": 1, "status": status}),
            );
            how(&w.path(status).join("meta/mission.json"));
            let id = format!("{status}-c");
            let mut m = canonical_manifest(&id, &["claude"]);
            m["status"] = json!(status);
            m["labels"] = json!({"team": "nexus"});
            w.canonical(&id, &["claude"])
                .beat(&format!("{id}/claude"), 900)
                .manifest(&id, &m);
            how(&w.path(&id).join("cell.json"));
        }
        w
    };
    let untrusted: [fn(&std::path::Path); 3] = [
        |p| std::os::unix::fs::chown(p, Some(NOBODY), Some(NOBODY)).unwrap(),
        |p| mode(p, 0o646),
        |p| mode(p, 0o664),
    ];
    for how in untrusted {
        let w = make(how);
        let run = w.run(&["--json"]);
        run.code(2);
        assert_eq!(run.summary("ignored"), 0, "{run}");
        assert_eq!(run.summary("stale"), 6, "{run}");
        let said = run
            .warnings()
            .iter()
            .filter(|w| **w == "manifest_untrusted")
            .count();
        assert_eq!(said, 6, "{run}");
        for status in lifecycles {
            assert_eq!(run.verdict(&format!("{status}/main")), Some("unplanned"));
            assert_eq!(
                run.verdict(&format!("{status}-c/claude")),
                Some("unplanned")
            );
        }
        // An ordinary user's run has no more rights than the agent: there the manifest counts.
        let run = w.cmd(&["--json"]).user(NOBODY).run();
        run.code(1);
        assert_eq!(run.summary("ignored"), 4, "{run}");
        assert_eq!(run.verdict("frozen/main"), Some("frozen"));
        assert!(!run.warnings().contains(&"manifest_untrusted"), "{run}");
    }
    let w = make(|_| {});
    let run = w.run(&["--json"]);
    run.code(1);
    assert_eq!(run.summary("ignored"), 4, "{run}");
    assert!(run.warnings().is_empty(), "{run}");

    // A trusted owner's manifest counts, and who works in the cell is known either way.
    let w = make(|p| std::os::unix::fs::chown(p, Some(NOBODY), Some(NOBODY)).unwrap());
    let run = w.run(&["--json", "--trust-owner", "nobody"]);
    run.code(1);
    assert_eq!(run.summary("ignored"), 4, "{run}");
}

#[test]
fn an_untrusted_manifest_still_says_who_works_there() {
    if !needs_root() {
        return;
    }
    let w = World::new();
    w.cell("f")
        .manifest("f", &foundation(&json!(["alice"])))
        .beat("f/alice", 5);
    mode(&w.path("f/meta/mission.json"), 0o666);
    let run = w.run(&["--json"]);
    run.code(0).expect("f", "healthy", "");
    assert_eq!(run.agents("f"), ["alice"]);
    assert_eq!(run.warnings(), ["manifest_untrusted"]);
    assert_eq!(run.list("warnings")[0]["subject"], "f");
}
