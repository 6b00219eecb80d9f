use super::*;
use crate::model::process::ProcessStatus;

pub(super) fn entry(r#ref: &str) -> Entry {
    let text = format!(
        r#"{{"ref":"{ref}","slot":"c/a","subject":"c/a","actor":"run","status":"created",
            "started_at":"2026-11-21T10:00:00Z","from_a_newer_version":{{"x":1}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_attempt_is_claimed_once() {
    let tmp = tempfile::tempdir().unwrap();
    assert!(Table::open(tmp.path()).unwrap().is_none());
    let table = Table::create(tmp.path()).unwrap();
    let first = entry("0001-a");
    table.try_out(&first).unwrap();
    assert_eq!(std::fs::read_dir(table.path()).unwrap().count(), 0);
    table.claim(&first).unwrap();
    let second = Entry {
        subject: "other/a".to_owned(),
        ..entry("0001-a")
    };
    assert!(matches!(table.claim(&second), Err(Unclaimed::Taken)));
    assert_eq!(table.entry("0001-a").unwrap(), Some(first));
    assert_eq!(table.entry("0002-a").unwrap(), None);
    let names = std::fs::read_dir(table.path()).unwrap();
    assert_eq!(names.count(), 1);
}

#[test]
fn what_a_newer_version_wrote_is_kept() {
    let tmp = tempfile::tempdir().unwrap();
    let table = Table::create(tmp.path()).unwrap();
    table.claim(&entry("0002-b")).unwrap();
    table.claim(&entry("0001-a")).unwrap();
    std::fs::write(table.path().join("rubbish.json"), "{").unwrap();
    std::fs::write(table.path().join("c%2fa.lock"), "").unwrap();
    let found = table.entries().unwrap();
    let refs: Vec<&str> = found.entries.iter().map(|e| e.r#ref.as_str()).collect();
    assert_eq!(refs, ["0001-a", "0002-b"]);
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    let mut first = found.entries[0].clone();
    first.status = ProcessStatus::Exited;
    // As a keeper does that holds its entry in an older version than the run that wrote to it.
    let mut older = first.clone();
    older.other.clear();
    for entry in [&first, &older] {
        table.replace(entry).unwrap();
    }
    let text = std::fs::read_to_string(table.path().join("0001-a.json")).unwrap();
    assert!(text.contains(r#""from_a_newer_version":{"x":1}"#), "{text}");
    assert!(text.contains(r#""status":"exited""#), "{text}");
}

#[test]
fn old_ends_are_forgotten() {
    let tmp = tempfile::tempdir().unwrap();
    let table = Table::create(tmp.path()).unwrap();
    let now = Timestamp::from_secs(1_900_000_000);
    let ended = |r#ref: &str, days: u64| Entry {
        status: ProcessStatus::Exited,
        ended_at: Some(now.minus(Duration::from_secs(days * 86_400))),
        ..entry(r#ref)
    };
    for entry in [ended("0001-a", 15), ended("0002-b", 13), entry("0003-c")] {
        table.claim(&entry).unwrap();
    }
    let entries = table.entries().unwrap().entries;
    table.prune(&entries, now).unwrap();
    let left = table.entries().unwrap().entries;
    let refs: Vec<&str> = left.iter().map(|e| e.r#ref.as_str()).collect();
    assert_eq!(refs, ["0002-b", "0003-c"]);
}

#[test]
fn a_place_is_taken_once_and_free_again() {
    let tmp = tempfile::tempdir().unwrap();
    let table = Table::create(tmp.path()).unwrap();
    let held = table.take("c/a").unwrap().unwrap();
    assert!(table.take("c/a").unwrap().is_none());
    assert!(table.take("c/b").unwrap().is_some());
    // An agent that has inherited the second lock takes the place as well.
    let inherited = rustix::io::dup(held.alive()).unwrap();
    drop(held);
    assert!(table.take("c/a").unwrap().is_none());
    drop(inherited);
    let held = table.take("c/a").unwrap().unwrap();
    // A file that was taken away is made again, and the place with it.
    std::fs::remove_file(table.path().join("c%2fa.lock")).unwrap();
    std::fs::remove_file(table.path().join("c%2fa.alive")).unwrap();
    assert!(table.take("c/a").unwrap().is_some());
    drop(held);
}

#[test]
fn a_process_is_alive_only_where_pid_start_time_and_boot_agree() {
    let own = std::process::id().cast_signed();
    let started = crate::sys::process::start_time(own);
    let now = Timestamp::from_secs(1_900_000_000);
    let host = Host {
        boot_id: "this".to_owned(),
        booted_at: Some(now.minus(Duration::from_secs(60))),
    };
    let of = |pid, start_time, boot: &str, keeper| Entry {
        pid,
        start_time,
        boot_id: boot.to_owned(),
        keeper_pid: keeper,
        keeper_start_time: started,
        status: ProcessStatus::Running,
        ..entry("0001-a")
    };
    let status = |entry: &Entry| host.look(entry, now).status;
    let running = of(Some(own), started, "this", Some(own));
    assert_eq!(status(&running), ProcessStatus::Running);
    let unkept = of(Some(own), started, "this", None);
    assert_eq!(status(&unkept), ProcessStatus::Unkept);
    let other = of(Some(own), started.map(|s| s + 1), "this", None);
    assert_eq!(status(&other), ProcessStatus::Unknown);
    assert_eq!(host.look(&other, now).ended_at, Some(now));
    let before = of(Some(own), started, "earlier", Some(own));
    assert_eq!(status(&before), ProcessStatus::Lost);
    assert_eq!(host.look(&before, now).exit_code, None);
    let living = host.living(&[other, before, running], now);
    assert_eq!(living["c/a"].len(), 1);
}

/// A run that was killed leaves its files and sockets; nobody comes back to them.
#[test]
fn what_a_killed_run_left_is_removed_after_an_hour() {
    let tmp = tempfile::tempdir().unwrap();
    let table = Table::create(tmp.path()).unwrap();
    let at = |name: &str| table.path().join(name);
    drop(std::os::unix::net::UnixListener::bind(at(".0001.sock")).unwrap());
    std::fs::write(at(".0001.json.7.claim"), "{").unwrap();
    std::fs::create_dir(at(".kept")).unwrap();
    let written = std::fs::symlink_metadata(at(".0001.sock")).unwrap();
    let written = written.modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    let written = Timestamp::from_secs(i64::try_from(written.as_secs()).unwrap());
    let left = || std::fs::read_dir(table.path()).unwrap().count();
    let later = |minutes: u64| written.plus(Duration::from_secs(minutes * 60));
    table.prune(&[], later(59)).unwrap();
    assert_eq!(left(), 3);
    table.prune(&[], later(61)).unwrap();
    assert_eq!(left(), 1);
}

/// What a keeper writes between a run's reading of the table and its look at the processes.
#[test]
fn an_end_that_was_written_meanwhile_is_no_unknown_one() {
    let tmp = tempfile::tempdir().unwrap();
    let table = Table::create(tmp.path()).unwrap();
    let now = Timestamp::from_secs(1_900_000_000);
    let host = Host {
        boot_id: "this".to_owned(),
        booted_at: None,
    };
    let read = Entry {
        pid: Some(i32::MAX),
        start_time: Some(1),
        boot_id: "this".to_owned(),
        status: ProcessStatus::Running,
        ..entry("0001-a")
    };
    table.claim(&read).unwrap();
    assert_eq!(table.look(&read, &host, now).status, ProcessStatus::Unknown);
    let ended = Entry {
        status: ProcessStatus::Exited,
        exit_code: Some(3),
        ended_at: Some(now),
        ..read.clone()
    };
    table.replace(&ended).unwrap();
    assert_eq!(table.look(&read, &host, now), ended);
}
