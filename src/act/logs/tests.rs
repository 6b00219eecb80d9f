use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, Instant};

use super::*;

const MEBIBYTE: u64 = 1 << 20;

fn logs(dir: &Path, max_bytes: u64) -> Logs {
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    Logs::in_zone(dir.join("deep/logs"), max_bytes, zone)
}

fn place() -> Place {
    Place {
        cell: Some(("portal-1".into(), "/missions/portal-1".into())),
        name: "claude".into(),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[test]
fn lines_have_time_and_source_and_keep_their_bytes() {
    let tmp = tempfile::tempdir().unwrap();
    let now = at("2026-11-21T10:30:45+01:00");
    let mut log = logs(tmp.path(), MEBIBYTE)
        .open(&place(), "r1", now)
        .unwrap();
    log.write(Stream::Stdout, b"one\ntw", now);
    log.write(Stream::Stderr, b"wr\xffong\n", now);
    log.write(Stream::Stdout, b"o\n\nrest", now);
    log.finish(now);
    let head = "2026-11-21T10:30:45+01:00 [claude:";
    let mut want = format!("{head}stdout] one\n{head}stderr] wr").into_bytes();
    want.push(0xff);
    want.extend(
        format!("ong\n{head}stdout] two\n{head}stdout] \n{head}stdout] rest\n").into_bytes(),
    );
    let top = tmp.path().join("deep/logs/portal-1");
    let file = top.join("20261121/r1_claude.log");
    assert_eq!(log.path(), file);
    for path in [
        &file,
        &top.join("20261121/claude.log"),
        &top.join("claude.log"),
    ] {
        assert_eq!(std::fs::read(path).unwrap(), want, "{}", path.display());
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&file), 0o600);
    for dir in [&top.join("20261121"), &top, top.parent().unwrap()] {
        assert_eq!(mode(dir), 0o700, "{}", dir.display());
    }
    assert_eq!(log.take_trouble(), None);
    // The next attempt has a file of its own, and the links go with it.
    let mut next = logs(tmp.path(), MEBIBYTE)
        .open(&place(), "r2", now)
        .unwrap();
    next.write(Stream::Stdout, b"x\n", now);
    let newest = std::fs::read_to_string(top.join("claude.log")).unwrap();
    assert_eq!(newest, format!("{head}stdout] x\n"));
}

#[test]
fn a_line_without_end_is_split() {
    let tmp = tempfile::tempdir().unwrap();
    let now = at("2026-11-21T10:30:45Z");
    let mut log = logs(tmp.path(), MEBIBYTE).open(&place(), "r", now).unwrap();
    let long = vec![b'x'; (64 << 10) * 2 + 7];
    for chunk in long.chunks(10_000) {
        log.write(Stream::Stdout, chunk, now);
    }
    // A line that is just as long as a line may be stays one.
    let most = vec![b'y'; 64 << 10];
    log.write(Stream::Stdout, b"\n", now);
    log.write(Stream::Stdout, &most, now);
    log.write(Stream::Stdout, b"\nz\n", now);
    let text = std::fs::read_to_string(log.path()).unwrap();
    let lengths: Vec<usize> = text
        .lines()
        .map(|line| line.split_once("] ").unwrap().1.len())
        .collect();
    assert_eq!(lengths, [64 << 10, 64 << 10, 7, 64 << 10, 1]);
}

#[test]
fn beyond_the_bound_of_a_day_it_says_how_much_was_dropped() {
    let tmp = tempfile::tempdir().unwrap();
    let mut now = at("2026-11-21T22:59:58Z");
    let mut log = logs(tmp.path(), 1000).open(&place(), "r", now).unwrap();
    for _ in 0..200 {
        log.write(Stream::Stdout, b"0123456789\n", now);
    }
    let today = log.path().to_owned();
    let kept = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let n = text.lines().filter(|l| l.ends_with("] 0123456789")).count();
        (n, text)
    };
    let (n, text) = kept(&today);
    assert!(
        n > 10 && text.len() < 1200 && text.contains("logs.max_bytes"),
        "{text}"
    );
    // Midnight, by the host's zone: the new day has room again.
    now = now.plus(Duration::from_secs(3));
    log.write(Stream::Stdout, b"new\n", now);
    let (_, text) = kept(&today);
    let dropped = (200 - n) * 11;
    assert!(
        text.ends_with(&format!(" {dropped} bytes were dropped\n")),
        "{text}"
    );
    let file = tmp.path().join("deep/logs/portal-1/20261122/r_claude.log");
    assert_eq!(log.path(), file);
    let want = "2026-11-22T00:00:01+01:00 [claude:stdout] new\n";
    assert_eq!(std::fs::read_to_string(&file).unwrap(), want);
    let newest = std::fs::read_link(tmp.path().join("deep/logs/portal-1/claude.log")).unwrap();
    assert_eq!(newest, Path::new("20261122/r_claude.log"));
    // A clock that goes back does not.
    log.write(Stream::Stdout, b"back\n", at("2026-11-21T12:00:00Z"));
    assert_eq!(log.path(), file);
    // Opened again, what is there counts.
    drop(log);
    let mut again = logs(tmp.path(), 100).open(&place(), "r", now).unwrap();
    again.write(Stream::Stdout, b"0123456789\n", now);
    again.finish(now);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.ends_with(" 11 bytes were dropped\n") && !text.contains("56789"),
        "{text}"
    );
}

#[test]
fn no_link_is_followed_and_none_replaces_a_file() {
    let tmp = tempfile::tempdir().unwrap();
    let now = at("2026-11-21T12:00:00Z");
    let logs = logs(tmp.path(), MEBIBYTE);
    let secret = tmp.path().join("secret");
    std::fs::write(&secret, "s").unwrap();
    let day = tmp.path().join("deep/logs/portal-1/20261121");
    std::fs::create_dir_all(&day).unwrap();
    symlink(&secret, day.join("r_claude.log")).unwrap();
    let e = logs.open(&place(), "r", now).unwrap_err();
    assert!(
        e.starts_with("opening the log ") && e.contains("symbolic link"),
        "{e}"
    );
    // An agent whose link would have the name of another's log.
    logs.open(&place(), "q", now).unwrap();
    let other = Place {
        name: "q_claude".into(),
        ..place()
    };
    let mut log = logs.open(&other, "q", now).unwrap();
    assert!(log.take_trouble().unwrap().contains("q_claude.log"));
    let kind = std::fs::symlink_metadata(day.join("q_claude.log")).unwrap();
    assert!(kind.is_file());
    // A directory that is a link.
    symlink(tmp.path(), tmp.path().join("deep/logs/linked")).unwrap();
    let linked = Place {
        cell: Some(("linked".into(), "/".into())),
        name: "a".into(),
    };
    assert!(logs.open(&linked, "r", now).is_err());
    assert_eq!(std::fs::read(&secret).unwrap(), b"s");
}

#[test]
fn old_days_go_and_nothing_else() {
    let tmp = tempfile::tempdir().unwrap();
    let logs = logs(tmp.path(), MEBIBYTE);
    let gateway = Place {
        cell: None,
        name: "timmy".into(),
    };
    let gone = Place {
        cell: Some(("gone".into(), "/".into())),
        ..place()
    };
    let day = Duration::from_secs(86_400);
    let first = at("2026-11-01T12:00:00Z");
    for (place, days) in [(place(), 21), (gateway, 21), (gone, 3)] {
        for n in 0..days {
            logs.open(&place, "r", first.plus(day * n)).unwrap();
        }
    }
    let root = tmp.path().join("deep/logs");
    let outside = tmp.path().join("outside");
    std::fs::create_dir_all(outside.join("20200101")).unwrap();
    std::fs::write(outside.join("20200101/f"), "").unwrap();
    symlink(&outside, root.join("linked")).unwrap();
    symlink(outside.join("20200101"), root.join("portal-1/20200101")).unwrap();
    std::fs::create_dir(root.join("portal-1/2020-kept")).unwrap();
    symlink("nowhere", root.join("portal-1/dangling.log")).unwrap();

    let now = at("2026-11-21T12:00:00Z");
    prune(&logs, day * 14, now, later()).unwrap();
    let names = |path: &str| {
        let mut all: Vec<String> = std::fs::read_dir(root.join(path))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        all.sort();
        all
    };
    assert_eq!(names(""), [".pruned", "_gateways", "linked", "portal-1"]);
    let left = names("portal-1");
    assert_eq!(left[..3], ["2020-kept", "20200101", "20261107"]);
    assert_eq!(left[left.len() - 2..], ["20261121", "claude.log"]);
    assert_eq!(names("_gateways/timmy")[0], "20261107");
    assert!(outside.join("20200101/f").exists());

    // Not twice a day, and again on the next.
    symlink("nowhere", root.join("portal-1/dangling.log")).unwrap();
    prune(&logs, day * 14, now, later()).unwrap();
    assert!(names("portal-1").contains(&"dangling.log".to_owned()));
    prune(&logs, day * 14, now.plus(day), later()).unwrap();
    assert_eq!(names("portal-1")[2], "20261108");
    assert!(!names("portal-1").contains(&"dangling.log".to_owned()));
    assert!(prune(&Logs::new("/no/such".into(), 1), day, now, later()).is_ok());
}

#[test]
fn a_disk_that_takes_nothing_is_told_and_harms_nobody() {
    let tmp = tempfile::tempdir().unwrap();
    let logs = Logs::new(tmp.path().join("file/logs"), MEBIBYTE);
    std::fs::write(tmp.path().join("file"), "").unwrap();
    let e = logs
        .open(&place(), "r", at("2026-11-21T12:00:00Z"))
        .unwrap_err();
    assert!(
        e.contains("Not a directory") && e.contains("file/logs"),
        "{e}"
    );
}
