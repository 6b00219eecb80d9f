use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;

use super::*;

fn plain() -> Beat {
    Beat {
        status: None,
        pid: None,
        cycle: None,
        model: None,
        quiet_for: None,
        now: Timestamp::from_micros(1_795_240_000_500_000),
        mounts: Mounts::Refuse,
    }
}

fn try_beat(root: &Path, cell: &str, agent: Option<&str>) -> Result<Beaten, Failure> {
    beat(root, cell, agent, &plain(), "state/heartbeat.json")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A missions root with a cell `c` that has a manifest (unless it is empty) and these directories.
fn cell(dirs: &[&str], manifest: (&str, &str)) -> tempfile::TempDir {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::create_dir(tmp.path().join("c")).unwrap();
    for dir in dirs {
        std::fs::create_dir_all(tmp.path().join("c").join(dir)).unwrap();
    }
    if !manifest.0.is_empty() {
        std::fs::write(tmp.path().join("c").join(manifest.0), manifest.1).unwrap();
    }
    tmp
}

#[test]
fn main_beats_where_the_configuration_says_with_all_it_has_to_say() {
    let tmp = cell(&["state", "meta"], ("meta/mission.json", "broken"));
    let full = Beat {
        status: Some("thinking".into()),
        pid: Some(42),
        cycle: Some(7),
        model: Some("m".into()),
        quiet_for: Some(Duration::from_millis(90_001)),
        ..plain()
    };
    let beaten = beat(tmp.path(), "c", None, &full, "state/hb.json").unwrap();
    assert_eq!(beaten.path, tmp.path().join("c/state/hb.json"));
    let want = serde_json::json!({
        "mission_id": "c", "agent": "main", "timestamp": 1_795_240_000.5, "status": "thinking",
        "pid": 42, "cycle": 7, "model": "m", "quiet_for": 91,
    });
    assert_eq!(read(&beaten.path), want);
    // Replaced whole, and nothing left beside it.
    try_beat(tmp.path(), "c", Some("main")).unwrap();
    let path = tmp.path().join("c/state/heartbeat.json");
    assert_eq!(read(&path)["status"], "alive");
    try_beat(tmp.path(), "c", None).unwrap();
    assert_eq!(
        std::fs::read_dir(tmp.path().join("c/state"))
            .unwrap()
            .count(),
        2
    );
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o133, 0);
    let json = serde_json::to_string(&beaten).unwrap();
    assert!(
        json.starts_with(r#"{"schema":"lazarus-pit/beat/1","#),
        "{json}"
    );
}

#[test]
fn named_agents_beat_each_in_a_file_of_its_own() {
    let tmp = cell(
        &["meta", "state"],
        ("meta/mission.json", r#"{"agents": ["a", {"name": "b"}]}"#),
    );
    let beaten = try_beat(tmp.path(), "c", Some("b")).unwrap();
    assert_eq!(beaten.path, tmp.path().join("c/state/heartbeats/b.json"));
    let failure = try_beat(tmp.path(), "c", None).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(
        failure.message.contains("say which one beats: a, b"),
        "{failure}"
    );
    for unknown in ["main", "../x", "c", ""] {
        let failure = try_beat(tmp.path(), "c", Some(unknown)).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{unknown}");
    }
    let text = r#"{"uuid": "u-1", "status": "active", "agents": [{"name": "only"}]}"#;
    let tmp = cell(&[".lazarus"], ("cell.json", text));
    let beaten = try_beat(tmp.path(), "c", None).unwrap();
    assert_eq!(
        beaten.path,
        tmp.path().join("c/.lazarus/heartbeats/only.json")
    );
    let said = read(&beaten.path);
    assert_eq!(
        (&said["cell_uuid"], &said["agent"]),
        (&"u-1".into(), &"only".into())
    );
    assert_eq!(said.get("mission_id"), None);
}

#[test]
fn a_cell_that_cannot_be_beaten_in_is_told_apart() {
    let tmp = cell(&["state/heartbeat.json"], ("", ""));
    std::os::unix::fs::symlink("c", tmp.path().join("link")).unwrap();
    std::fs::write(tmp.path().join("file"), "").unwrap();
    let exit = |cell: &str| try_beat(tmp.path(), cell, None).unwrap_err().exit;
    for none in ["none", "link", "file"] {
        assert_eq!(exit(none), Exit::InHand, "{none}");
    }
    for bad in ["", "..", ".", ".x", "a/b", "/etc", "a\0b"] {
        assert_eq!(exit(bad), Exit::Usage, "{bad:?}");
    }
    let failure = try_beat(tmp.path(), "c", None).unwrap_err();
    assert_eq!(failure.exit, Exit::CannotWrite);
    assert!(
        failure.message.contains("a directory is there"),
        "{failure}"
    );
    let root = tmp.path().join("nowhere");
    assert_eq!(try_beat(&root, "c", None).unwrap_err().exit, Exit::NoRoot);
    let out = beat(tmp.path(), "c", None, &plain(), "../x").unwrap_err();
    assert_eq!(out.exit, Exit::Config);
    for (manifest, exit) in [
        (
            r#"{"uuid": "u", "status": "active", "agents": []}"#,
            Exit::Usage,
        ),
        ("{}", Exit::CannotWrite),
    ] {
        let tmp = cell(&[".lazarus"], ("cell.json", manifest));
        assert_eq!(
            try_beat(tmp.path(), "c", None).unwrap_err().exit,
            exit,
            "{manifest}"
        );
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let tmp = cell(&[], ("", ""));
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), tmp.path().join("c/state")).unwrap();
    let failure = try_beat(tmp.path(), "c", None).unwrap_err();
    assert_eq!(failure.exit, Exit::CannotWrite);
    assert!(failure.message.contains("symbolic link"), "{failure}");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    // A link in the heartbeat's own place is replaced, and what it led to is not touched.
    let tmp = cell(&["state"], ("", ""));
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let path = tmp.path().join("c/state/heartbeat.json");
    std::os::unix::fs::symlink(&secret, &path).unwrap();
    try_beat(tmp.path(), "c", None).unwrap();
    assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
    assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
    let tmp = cell(&[], ("", ""));
    let failure = try_beat(tmp.path(), "c", None).unwrap_err();
    assert!(
        failure.message.contains("the cell is incomplete"),
        "{failure}"
    );
}

#[test]
fn as_root_a_heartbeat_belongs_to_whom_its_directory_belongs_to() {
    if !host::is_root() {
        return;
    }
    let text = r#"{"uuid": "u", "status": "active", "agents": ["a"]}"#;
    let tmp = cell(&[".lazarus"], ("cell.json", text));
    std::os::unix::fs::chown(tmp.path().join("c/.lazarus"), Some(4242), Some(4343)).unwrap();
    let beaten = try_beat(tmp.path(), "c", None).unwrap();
    for path in [beaten.path.as_path(), beaten.path.parent().unwrap()] {
        let meta = std::fs::metadata(path).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (4242, 4343), "{path:?}");
    }
}

/// The only test that calls it: there is never more than one such heartbeat in a process.
#[test]
fn who_is_kept_beats_with_the_owners_rights() {
    let text = r#"{"uuid": "u-1", "status": "active", "agents": ["a"]}"#;
    let tmp = cell(&[".lazarus"], ("cell.json", text));
    let chown = |below: &str, uid| {
        if host::is_root() {
            std::os::unix::fs::chown(tmp.path().join(below), Some(uid), Some(uid)).unwrap();
        }
    };
    chown("c", 4242);
    chown("c/.lazarus", 4242);
    let keep = |agent: &str| {
        for_agent(
            tmp.path(),
            "c",
            agent,
            4711,
            "state/hb.json",
            Mounts::Refuse,
            plain().now,
        )
    };
    let path = tmp.path().join("c/.lazarus/heartbeats/a.json");
    for _ in 0..2 {
        assert_eq!(keep("a"), Ok(()));
        let want = serde_json::json!({
            "cell_uuid": "u-1", "agent": "a", "timestamp": 1_795_240_000.5, "status": "kept",
            "pid": 4711,
        });
        assert_eq!(read(&path), want);
    }
    let why = keep("b").unwrap_err();
    assert!(
        why.starts_with("writing the heartbeat of c/b: ") && why.contains("no agent"),
        "{why}"
    );
    if !host::is_root() {
        return;
    }
    for path in [path.as_path(), path.parent().unwrap()] {
        assert_eq!(std::fs::metadata(path).unwrap().uid(), 4242);
    }
    // What the owner could not write, root does not write in the owner's name.
    chown("c/.lazarus/heartbeats", 0);
    let why = keep("a").unwrap_err();
    assert!(why.contains("Permission denied"), "{why}");
    let failure = try_beat(tmp.path(), "c", None).unwrap_err();
    assert_eq!(failure.exit, Exit::CannotWrite, "{failure}");
}
