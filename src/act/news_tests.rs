use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

fn poll() -> Poll {
    Poll {
        pid: 4711,
        at: Timestamp::from_micros(1_795_240_000_500_000),
        mounts: Mounts::Refuse,
    }
}

fn news(lines: &[u8]) -> News {
    let health = Health {
        healthy: false,
        last_seen: Some(1.5),
        revive_count: 2,
    };
    News {
        cell: "c".into(),
        lines: lines.to_vec(),
        health: Some(BTreeMap::from([("a".into(), health)])),
        incomplete: false,
    }
}

/// A missions root with a canonical cell `c` of that status.
fn root(status: &str) -> tempfile::TempDir {
    let tmp = tempfile::tempdir().unwrap();
    for dir in ["logs", ".lazarus"] {
        fs::create_dir_all(tmp.path().join("c").join(dir)).unwrap();
    }
    let manifest = format!(r#"{{"uuid": "u-1", "status": "{status}", "agents": ["a"]}}"#);
    fs::write(tmp.path().join("c/cell.json"), manifest).unwrap();
    tmp
}

fn tell(root: &Path, news: &News) -> Vec<String> {
    let ready = open(&beneath::open_root(root).unwrap(), news, poll()).unwrap();
    ready.map_or_else(Vec::new, |ready| write(&ready, news, poll()))
}

fn stream(root: &Path) -> String {
    fs::read_to_string(root.join("c/logs/events.jsonl")).unwrap()
}

#[test]
fn both_files_are_made_and_kept() {
    let tmp = root("active");
    let none: [&str; 0] = [];
    assert_eq!(tell(tmp.path(), &news(b"1\n")), none);
    assert_eq!(tell(tmp.path(), &news(b"")), none);
    fs::write(tmp.path().join("c/logs/events.jsonl"), "half").unwrap();
    assert_eq!(tell(tmp.path(), &news(b"2\n3\n")), none);
    assert_eq!(stream(tmp.path()), "half\n2\n3\n");
    let path = tmp.path().join("c/.lazarus/state.json");
    let read = || -> Value { serde_json::from_slice(&fs::read(&path).unwrap()).unwrap() };
    let want = serde_json::json!({
        "cell_uuid": "u-1", "daemon_pid": 4711, "last_poll": 1_795_240_000.5,
        "agent_health": {"a": {"healthy": false, "last_seen": 1.5, "revive_count": 2}},
    });
    assert_eq!(read(), want);
    fs::write(
        &path,
        r#"{"mine": [1], "daemon_pid": "x", "agent_health": 7}"#,
    )
    .unwrap();
    assert_eq!(tell(tmp.path(), &news(b"")), none);
    let mut more = want.clone();
    more["mine"] = serde_json::json!([1]);
    assert_eq!(read(), more);
    for odd in [
        "",
        "[1]",
        "{",
        &"[".repeat(60_000),
        &" ".repeat(LARGEST + 1),
    ] {
        fs::write(&path, odd).unwrap();
        assert_eq!(tell(tmp.path(), &news(b"")), none);
        assert_eq!(read(), want);
    }
    // Nothing is left beside them.
    assert_eq!(
        fs::read_dir(tmp.path().join("c/.lazarus")).unwrap().count(),
        1
    );
}

#[test]
fn a_second_name_is_neither_written_nor_copied() {
    let tmp = root("active");
    let theirs = tmp.path().join("theirs");
    fs::write(&theirs, r#"{"secret": 1}"#).unwrap();
    fs::hard_link(&theirs, tmp.path().join("c/logs/events.jsonl")).unwrap();
    fs::hard_link(&theirs, tmp.path().join("c/.lazarus/state.json")).unwrap();
    let said = tell(tmp.path(), &news(b"1\n"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("2 names (hard links)"), "{said:?}");
    assert_eq!(fs::read_to_string(&theirs).unwrap(), r#"{"secret": 1}"#);
    let state = fs::read_to_string(tmp.path().join("c/.lazarus/state.json")).unwrap();
    assert!(
        !state.contains("secret") && state.contains("u-1"),
        "{state}"
    );
}

#[test]
fn a_stream_that_nobody_reads_does_not_grow_for_ever() {
    let tmp = root("active");
    let file = fs::File::create(tmp.path().join("c/logs/events.jsonl")).unwrap();
    file.set_len(LONGEST_STREAM - 1).unwrap();
    let said = tell(tmp.path(), &news(b"1\n"));
    assert!(
        said[0].contains("none are added beyond 67108864"),
        "{said:?}"
    );
    assert_eq!(file.metadata().unwrap().len(), LONGEST_STREAM - 1);
}

#[test]
fn whom_nothing_is_told() {
    let tmp = root("archived");
    let none: [&str; 0] = [];
    assert_eq!(tell(tmp.path(), &news(b"1\n")), none);
    fs::remove_file(tmp.path().join("c/cell.json")).unwrap();
    assert_eq!(tell(tmp.path(), &news(b"1\n")), none);
    for dir in ["c/logs", "c/.lazarus"] {
        assert_eq!(
            fs::read_dir(tmp.path().join(dir)).unwrap().count(),
            0,
            "{dir}"
        );
    }
    let gone = News {
        cell: "gone".into(),
        ..news(b"1\n")
    };
    assert_eq!(tell(tmp.path(), &gone), none);
    symlink("c", tmp.path().join("link")).unwrap();
    let link = News {
        cell: "link".into(),
        ..news(b"1\n")
    };
    assert_eq!(tell(tmp.path(), &link), none);
}

#[test]
fn a_line_says_what_happened_and_no_more_than_agents_may_know() {
    let event = Event {
        subject: Some("c/a".into()),
        attempt: Some(2),
        code: Some("sesame".into()),
        message: Some("of other cells".into()),
        log: Some("/var/lib/x".into()),
        ..Event::new(Kind::ApprovalRequested, poll().at, "r-1")
    };
    let text = String::from_utf8(line(&event, Some("a"))).unwrap();
    let want = "{\"ts\":\"2026-11-21T10:26:40.500000Z\",\"event\":\"approval_requested\",\"agent\":\"a\",\
                \"by\":\"lazarus-pit\",\"run\":\"r-1\",\"attempt\":2}\n";
    let ts = poll().at.to_string();
    assert_eq!(text, want.replace("2026-11-21T10:26:40.500000Z", &ts));
}
