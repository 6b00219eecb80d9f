//! Making cells.

use serde_json::Value;

use crate::world::{SUBDIRS, World};

fn json_at(w: &World, below: &str) -> Value {
    let bytes = std::fs::read(w.path(below)).unwrap_or_else(|e| panic!("{below}: {e}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{below}: {e}"))
}

#[test]
fn a_foundation_cell_is_made_whole() {
    let w = World::new();
    w.run(&["init", "portal-1"]).code(0).stderr_empty();
    for sub in SUBDIRS {
        assert!(w.path("portal-1").join(sub).is_dir(), "{sub}");
    }
    let manifest = json_at(&w, "portal-1/meta/mission.json");
    assert_eq!(manifest["mission_id"], "portal-1");
    assert_eq!(manifest["status"], "bootstrapped");
    assert!(!manifest["created_at"].is_null());
    let cell = json_at(&w, "portal-1/config/cell.json");
    assert_eq!(cell["mission_id"], "portal-1");
    for key in ["worktree", "artifacts", "heartbeat_file"] {
        assert!(cell[key].is_string(), "{key}: {cell}");
    }
    let beat = json_at(&w, "portal-1/state/heartbeat.json");
    assert_eq!(beat["mission_id"], "portal-1");
    assert_eq!(beat["status"], "bootstrapped");
    assert!(beat["timestamp"].is_number());
    assert_eq!(
        std::fs::read(w.path("portal-1/logs/daemon.log")).unwrap(),
        b""
    );
    let run = w.run(&["--json"]);
    run.code(0).stderr_empty().expect("portal-1", "healthy", "");
    assert_eq!(run.cell("portal-1")["lifecycle"], "bootstrapped");
    assert_eq!(run.agent("portal-1", "main")["last_status"], "bootstrapped");
}

#[test]
fn a_canonical_cell_is_made_whole() {
    let w = World::new();
    w.run(&[
        "init",
        "c",
        "--layout",
        "canonical",
        "--agent",
        "claude",
        "--agent",
        "gemini",
    ])
    .code(0);
    for sub in ["workspace", "logs", ".lazarus"] {
        assert!(w.path("c").join(sub).is_dir(), "{sub}");
    }
    let manifest = json_at(&w, "c/cell.json");
    assert!(
        manifest["uuid"].is_string() && manifest["status"].is_string(),
        "{manifest}"
    );
    let names: Vec<_> = manifest["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["claude", "gemini"]);
    json_at(&w, "c/.lazarus/state.json");
    let events = std::fs::read_to_string(w.path("c/logs/events.jsonl")).unwrap();
    let event: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(event["event"], "cell_created");
    // Nobody works there yet.
    let run = w.run(&["--json"]);
    run.code(2).expect("c", "uninitialized", "no_heartbeat");
    w.run(&["init", "none", "--layout", "canonical"]).code(0);
    w.run(&["--json"])
        .expect("none", "uninitialized", "no_agents");
}

#[test]
fn an_existing_cell_gets_what_it_lacks_and_keeps_what_it_has() {
    let w = World::new();
    w.cell("a")
        .beat("a", 900)
        .remove("a/logs")
        .remove("a/config");
    let kept = [("meta/mission.json"), ("state/heartbeat.json")];
    let before = kept.map(|f| std::fs::read(w.path("a").join(f)).unwrap());
    let run = w.run(&["init", "a"]);
    run.code(0);
    assert!(
        run.stdout().contains("logs"),
        "what was added is not said: {run}"
    );
    assert_eq!(
        before,
        kept.map(|f| std::fs::read(w.path("a").join(f)).unwrap())
    );
    assert!(w.path("a/logs/daemon.log").is_file() && w.path("a/config/cell.json").is_file());
    let tree = w.tree();
    w.run(&["init", "a"]).code(0);
    assert_eq!(tree, w.tree(), "the second time there was nothing to do");
}

#[test]
fn an_id_that_is_no_single_safe_component_is_refused() {
    let w = World::new();
    let long = "x".repeat(256);
    for id in [
        "", ".", "..", ".x", "a/b", "../a", "/abs", "a b", "a\nb", "é", "a*", "a\\b", &long,
    ] {
        let before = w.tree();
        w.run(&["init", id]).code(64).clean();
        w.run(&["--json", "--init-cell", id])
            .code(64)
            .error_document();
        assert_eq!(before, w.tree(), "{id:?}");
    }
    let run = w.run(&["init", &"x".repeat(255)]);
    run.code(0);
    w.run(&["init", "A.b_c-9"]).code(0);
}

#[test]
fn a_check_can_make_its_cell_first() {
    let w = World::new();
    let run = w.run(&["--json", "--init-cell", "x"]);
    run.code(0).expect("x", "healthy", "");
    let run = w.run(&["--json", "--init-cell", "y", "--layout", "canonical"]);
    run.code(2).expect("y", "uninitialized", "no_agents");
}

/// Where a cell's place is taken by something that is no cell, nothing is written through it.
#[test]
fn a_cell_is_never_made_through_a_link() {
    let w = World::new();
    let outside = w.base().join("outside");
    crate::world::make_dir(&outside, 0o755);
    std::os::unix::fs::symlink(&outside, w.path("link")).unwrap();
    let run = w.run(&["init", "link"]);
    assert_ne!(run.survived().exit(), 0, "{run}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{run}");
    w.cell("a").remove("a/logs");
    std::os::unix::fs::symlink(&outside, w.path("a/logs")).unwrap();
    w.run(&["init", "a"]).survived();
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}
