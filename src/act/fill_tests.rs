use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::act::init::tests::{canonical, options, sorted, tree, with};
use crate::act::init::{InitOptions, init};
use crate::model::exit::Exit;
use crate::model::time::Timestamp;

fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_foundation_cell_is_made_whole_and_then_left_alone() {
    let tmp = tempfile::tempdir().unwrap();
    let made = init(tmp.path(), "c", &options()).unwrap();
    let cell = tmp.path().join("c");
    assert_eq!(
        (made.layout, &made.root, made.existing.len()),
        (Layout::Foundation, &cell, 0)
    );
    let want = [
        "artifacts",
        "config",
        "config/cell.json",
        "logs",
        "logs/daemon.log",
        "meta",
        "meta/mission.json",
        "state",
        "state/heartbeat.json",
        "worktree",
    ];
    assert_eq!(sorted(tree(&cell)), want);
    assert_eq!(sorted(made.created.clone()), want);
    assert_eq!(
        read(cell.join("meta/mission.json")),
        serde_json::json!({"mission_id": "c", "created_at": "2026-11-21T05:46:40.000000Z", "status": "bootstrapped"})
    );
    assert_eq!(
        read(cell.join("state/heartbeat.json")),
        serde_json::json!({"mission_id": "c", "timestamp": 1_795_240_000.0, "status": "bootstrapped"})
    );
    assert_eq!(
        read(cell.join("config/cell.json")),
        serde_json::json!({"mission_id": "c", "worktree": "worktree", "artifacts": "artifacts", "heartbeat_file": "state/heartbeat.json"})
    );
    assert_eq!(std::fs::metadata(&cell).unwrap().mode() & 0o722, 0o700);
    std::fs::write(cell.join("state/heartbeat.json"), "mine").unwrap();
    let again = init(
        tmp.path(),
        "c",
        &InitOptions {
            now: Timestamp::from_secs(1),
            ..options()
        },
    )
    .unwrap();
    assert_eq!(
        (again.created.len(), sorted(again.existing.clone())),
        (0, want.map(String::from).to_vec())
    );
    assert_eq!(
        std::fs::read(cell.join("state/heartbeat.json")).unwrap(),
        b"mine"
    );
    assert!(
        made.human().starts_with("made foundation cell c: "),
        "{}",
        made.human()
    );
    assert!(
        again.human().contains(" is whole already: "),
        "{}",
        again.human()
    );
    let json = serde_json::to_string(&made).unwrap();
    assert!(
        json.starts_with(r#"{"schema":"lazarus-pit/init/1","cell":"c","layout":"foundation","#),
        "{json}"
    );
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 1);
}

#[test]
fn named_agents_of_a_foundation_cell_have_a_heartbeat_each_and_main_has_none() {
    let tmp = tempfile::tempdir().unwrap();
    let made = init(tmp.path(), "c", &with(&["a", "b", "a"])).unwrap();
    let cell = tmp.path().join("c");
    assert_eq!(
        read(cell.join("meta/mission.json"))["agents"],
        serde_json::json!(["a", "b"])
    );
    assert_eq!(read(cell.join("state/heartbeats/a.json"))["agent"], "a");
    assert!(!cell.join("state/heartbeat.json").exists());
    // Whom the manifest names counts, also where nobody is named on the command line.
    std::fs::remove_file(cell.join("state/heartbeats/b.json")).unwrap();
    let again = init(tmp.path(), "c", &options()).unwrap();
    assert_eq!(again.created, ["state/heartbeats/b.json"]);
    assert!(again.human().starts_with("completed "), "{}", again.human());
    assert_eq!(
        sorted([again.created, again.existing].concat()),
        sorted(made.created)
    );
    let failure = init(tmp.path(), "c", &with(&["c"])).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.message.contains("does not name"), "{failure}");
}

#[test]
fn a_canonical_cell_is_made_whole_and_keeps_its_uuid() {
    let tmp = tempfile::tempdir().unwrap();
    let made = init(tmp.path(), "c", &canonical(&["a"])).unwrap();
    let cell = tmp.path().join("c");
    let want = [
        ".lazarus",
        ".lazarus/heartbeats",
        ".lazarus/state.json",
        "bus",
        "bus/inbox",
        "bus/inbox/a",
        "bus/outbox",
        "cell.json",
        "checkpoints",
        "logs",
        "logs/events.jsonl",
        "workspace",
    ];
    assert_eq!(sorted(tree(&cell)), want);
    assert_eq!(sorted(made.created), want);
    let at = "2026-11-21T05:46:40.000000Z";
    assert_eq!(
        read(cell.join("cell.json")),
        serde_json::json!({
            "uuid": "u-1", "name": "c", "mission": "c", "created_at": at, "created_by": "operator",
            "status": "active",
            "agents": [{"name": "a", "role": "agent", "joined_at": at, "home": "workspace"}],
        })
    );
    assert_eq!(
        read(cell.join("logs/events.jsonl")),
        serde_json::json!({"ts": at, "event": "cell_created", "agent": null, "by": "lazarus-pit", "cell_uuid": "u-1"})
    );
    assert_eq!(
        read(cell.join(".lazarus/state.json")),
        serde_json::json!({"cell_uuid": "u-1", "daemon_pid": null, "last_poll": null, "agent_health": {}})
    );
    for gone in [".lazarus/state.json", "logs/events.jsonl"] {
        std::fs::remove_file(cell.join(gone)).unwrap();
    }
    let again = init(
        tmp.path(),
        "c",
        &InitOptions {
            uuid: "u-2".into(),
            ..options()
        },
    )
    .unwrap();
    assert_eq!(again.created, ["logs/events.jsonl", ".lazarus/state.json"]);
    assert_eq!(read(cell.join(".lazarus/state.json"))["cell_uuid"], "u-1");
    assert_eq!(
        read(cell.join("logs/events.jsonl"))["event"],
        "cell_completed"
    );
}

#[test]
fn the_configuration_says_what_else_a_cell_must_have() {
    let tmp = tempfile::tempdir().unwrap();
    let subdirs = ["in/box".to_owned(), "logs".to_owned()];
    let own = InitOptions {
        required_subdirs: &subdirs,
        heartbeat_file: "run/hb.json",
        ..options()
    };
    init(tmp.path(), "c", &own).unwrap();
    assert!(tmp.path().join("c/in/box").is_dir());
    assert!(tmp.path().join("c/run/hb.json").is_file());
    assert_eq!(
        read(tmp.path().join("c/config/cell.json"))["heartbeat_file"],
        "run/hb.json"
    );
    for bad in ["", "/etc/x", "../x", "a/../../x", "a//b", "a/"] {
        let failure = init(
            tmp.path(),
            "d",
            &InitOptions {
                heartbeat_file: bad,
                ..options()
            },
        )
        .unwrap_err();
        assert_eq!(failure.exit, Exit::Config, "{bad:?}");
    }
    assert!(!tmp.path().join("d").exists());
}
