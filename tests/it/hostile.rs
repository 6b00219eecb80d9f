//! Heartbeats and subdirectories that an agent who means harm might leave. Each is put beside a
//! crowd of ordinary cells: the sick one is reported, all others are served as ever.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::Value;

use crate::output::Run;
use crate::world::{SECRET, World, make_dir, needs_root, now, put, remove};

/// A fleet with a cell of every kind.
pub(crate) fn crowd() -> World {
    let w = World::new();
    w.cell("c-healthy").beat("c-healthy", 30);
    w.cell("c-stale").beat("c-stale", 4000);
    w.cell("c-incomplete").remove("c-incomplete/logs");
    w.cell("c-uninitialized")
        .remove("c-uninitialized/state/heartbeat.json");
    w.canonical("c-canonical", &["claude", "gemini"])
        .beat("c-canonical/gemini", 4000);
    w
}

/// The crowd's cells as reported, without what passing time changes.
#[track_caller]
fn others(run: &Run) -> Vec<Value> {
    fn still(v: &mut Value) {
        match v {
            Value::Object(map) => {
                map.remove("age_seconds");
                if let Some(Value::String(text)) = map.get_mut("message") {
                    *text = text.replace(|c: char| c.is_ascii_digit(), "#");
                }
                map.values_mut().for_each(still);
            }
            Value::Array(all) => all.iter_mut().for_each(still),
            _ => {}
        }
    }
    let ours = |c: &&Value| {
        c["mission_id"]
            .as_str()
            .is_some_and(|id| id.starts_with("c-"))
    };
    let mut all: Vec<Value> = run.cells().iter().filter(ours).cloned().collect();
    all.iter_mut().for_each(still);
    all
}

/// Runs a crowd, spoils it, and runs it again, in every format.
#[track_caller]
pub(crate) fn beside_others(w: &World, spoil: impl FnOnce(&World)) -> Run {
    let before = w.run(&["--json"]);
    before.code(2).clean();
    w.forget();
    spoil(w);
    let after = w.run(&["--json"]);
    after.survived().clean();
    assert_eq!(
        others(&before),
        others(&after),
        "the others changed: {after}"
    );
    assert_eq!(others(&after).len(), 5, "{after}");
    w.run(&[]).survived().code(after.exit()).clean();
    for format in ["jsonl", "junit", "prometheus", "nagios"] {
        w.run(&["--dry-run", "--format", format])
            .survived()
            .code(after.exit())
            .clean();
    }
    for entry in walkdir::WalkDir::new(w.state()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
            assert!(
                !text.contains(SECRET),
                "leaked into {}",
                entry.path().display()
            );
        }
    }
    after
}

/// A file with a secret in it, which would pass for a heartbeat and a manifest alike.
pub(crate) fn secret(w: &World) -> std::path::PathBuf {
    let path = w.base().join("secret.json");
    let text = format!(
        "{{\"timestamp\": {}, \"status\": \"{SECRET}\", \"model\": \"{SECRET}\", \
         \"uuid\": \"{SECRET}\", \"agents\": [\"{SECRET}\"], \"mission_id\": \"{SECRET}\"}}",
        now()
    );
    put(&path, text.as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// One of these pairs of a status and a reason's code.
type Any<'a> = &'a [(&'a str, &'a str)];

/// Puts something at a path.
type Put<'a> = &'a dyn Fn(&World, &Path);

/// Puts something in a heartbeat's place, in both layouts.
#[track_caller]
fn heartbeat(make: impl Fn(&World, &Path), any: Any<'_>) {
    heartbeats(&[&make], any);
}

/// Puts each of these in the heartbeats' places of two cells of its own, one of each layout.
#[track_caller]
fn heartbeats(makes: &[Put<'_>], any: Any<'_>) {
    let ids = |n| (format!("hostile-{n}-f"), format!("hostile-{n}-c"));
    let w = crowd();
    let run = beside_others(&w, |w| {
        for (n, make) in makes.iter().enumerate() {
            let (foundation, canonical) = ids(n);
            w.cell(&foundation).canonical(&canonical, &["claude"]);
            for subject in [foundation, format!("{canonical}/claude")] {
                let at = w.heartbeat_path(&subject);
                remove(&at);
                make(w, &at);
            }
        }
    });
    for n in 0..makes.len() {
        let (foundation, canonical) = ids(n);
        for (id, agent) in [(foundation, "main"), (canonical, "claude")] {
            run.expect_any(&id, any);
            if run.status(&id) != "healthy" {
                let down = run.decision(&format!("{id}/{agent}")).is_some();
                assert!(down, "nothing was decided of {id}: {run}");
            }
        }
    }
}

/// Puts bytes in a heartbeat's place.
#[track_caller]
fn bytes(bytes: impl AsRef<[u8]>, any: Any<'_>) {
    each([bytes], any);
}

/// Puts each of these bytes in a heartbeat's place, side by side.
#[track_caller]
fn each(all: impl IntoIterator<Item = impl AsRef<[u8]>>, any: Any<'_>) {
    let makes: Vec<_> = all
        .into_iter()
        .map(|bytes| move |_: &World, at: &Path| put(at, bytes.as_ref()))
        .collect();
    let makes: Vec<Put<'_>> = makes.iter().map(|make| make as _).collect();
    heartbeats(&makes, any);
}

const NOT_REGULAR: Any<'_> = &[("uninitialized", "heartbeat_not_regular")];
const UNREADABLE: Any<'_> = &[("uninitialized", "heartbeat_unreadable")];
const TOO_LARGE: Any<'_> = &[("uninitialized", "heartbeat_too_large")];
const MISSING: Any<'_> = &[("uninitialized", "timestamp_missing")];
const INVALID: Any<'_> = &[("uninitialized", "timestamp_invalid")];

#[test]
fn a_fifo() {
    heartbeat(
        |_, at| nix::unistd::mkfifo(at, Mode::from_bits_truncate(0o666)).unwrap(),
        NOT_REGULAR,
    );
}

#[test]
fn a_socket() {
    heartbeat(|_, at| drop(UnixListener::bind(at).unwrap()), NOT_REGULAR);
}

#[test]
fn a_device() {
    if !needs_root() {
        return;
    }
    // Where the file system was mounted with `nodev`, it cannot even be opened.
    let any: Any<'_> = &[
        ("uninitialized", "heartbeat_not_regular"),
        ("incomplete", "unreadable"),
    ];
    let node = |kind, major, minor| {
        move |_: &World, at: &Path| {
            let bits = Mode::from_bits_truncate(0o666);
            mknod(at, kind, bits, makedev(major, minor)).unwrap();
        }
    };
    heartbeat(node(SFlag::S_IFCHR, 1, 5), any);
    heartbeat(node(SFlag::S_IFCHR, 5, 0), any);
}

#[test]
fn a_directory() {
    heartbeat(|_, at| make_dir(at, 0o755), NOT_REGULAR);
}

#[test]
fn a_link_to_a_secret() {
    heartbeat(|w, at| symlink(secret(w), at).unwrap(), NOT_REGULAR);
    heartbeat(
        |w, at| {
            secret(w);
            let up = at.strip_prefix(w.base()).unwrap().components().count() - 1;
            symlink(format!("{}secret.json", "../".repeat(up)), at).unwrap();
            assert!(at.exists(), "the link leads nowhere");
        },
        NOT_REGULAR,
    );
    heartbeat(
        |_, at| symlink("/proc/self/environ", at).unwrap(),
        NOT_REGULAR,
    );
}

#[test]
fn a_link_to_itself() {
    heartbeat(
        |_, at| symlink(at.file_name().unwrap(), at).unwrap(),
        NOT_REGULAR,
    );
}

#[test]
fn a_dangling_link() {
    heartbeat(|_, at| symlink("nowhere", at).unwrap(), NOT_REGULAR);
}

#[test]
fn a_link_to_a_good_heartbeat_beside_it() {
    heartbeat(
        |_, at| {
            put(&at.with_file_name("good"), &crate::world::beat_bytes(1.0));
            symlink("good", at).unwrap();
        },
        NOT_REGULAR,
    );
}

#[test]
fn ten_sparse_gibibytes() {
    heartbeat(
        |_, at| File::create(at).unwrap().set_len(10 << 30).unwrap(),
        TOO_LARGE,
    );
}

#[test]
fn nothing_and_nothing_but_spaces() {
    bytes("", UNREADABLE);
    bytes(" \n\t ", UNREADABLE);
}

#[test]
fn bytes_that_are_no_text() {
    let all = [
        vec![0u8; 4096],
        (0..=255).cycle().take(5000).collect(),
        b"\x7fELF\x02\x01\x01\0".to_vec(),
    ];
    each(all, UNREADABLE);
}

#[test]
fn brackets_100_000_deep() {
    bytes("[".repeat(100_000), TOO_LARGE);
    let all = [
        "[".repeat(60_000),
        "{\"a\":".repeat(12_000),
        format!("{{\"timestamp\": {}", "[".repeat(60_000)),
    ];
    each(all, UNREADABLE);
}

/// Balanced, so that only the depth is wrong with it, in a field that nobody reads.
#[test]
fn a_deep_field_beside_a_good_timestamp() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    bytes(
        format!("{{\"timestamp\": {}, \"x\": {deep}}}", now()),
        &[("healthy", ""), ("uninitialized", "heartbeat_unreadable")],
    );
}

#[test]
fn json_that_is_no_object_or_is_cut_off() {
    each(["[]", "42", "\"text\"", "null", "true"], UNREADABLE);
    // A list in a field's order is no object, whatever a parser makes of it.
    let cut = [
        format!("[{}]", now()),
        format!("{{\"timestamp\": {}", now()),
        format!("{{\"timestamp\": {}}} x", now()),
        format!("{{timestamp: {}}}", now()),
    ];
    each(cut, UNREADABLE);
}

#[test]
fn no_timestamp() {
    let without = [
        "{}",
        "{\"status\": \"fine\"}",
        "{\"Timestamp\": 1795000000}",
    ];
    each(without, MISSING);
    bytes("{\"timestamp\": null}", &[MISSING[0], INVALID[0]]);
}

#[test]
fn numbers_that_are_not_finite() {
    let numbers = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"];
    let all = numbers.map(|number| {
        [
            format!("{{\"timestamp\": {number}}}"),
            format!("{{\"status\": \"x\", \"timestamp\": {number}, \"cycle\": 1}}"),
        ]
    });
    each(all.into_iter().flatten(), INVALID);
}

#[test]
fn timestamps_of_the_wrong_kind() {
    let kinds = [
        "\"yesterday\"",
        "\"\"",
        "true",
        "[1795000000]",
        "{}",
        "\"1795000000\"",
    ];
    each(kinds.map(stamped), INVALID);
    // A date without a time, and one that no calendar has.
    let dates = [
        "\"2026-11-21\"",
        "\"2026-13-41T25:61:00Z\"",
        "\"2026-11-21T10:20:00\"",
    ];
    each(dates.map(stamped), INVALID);
}

/// A heartbeat with this in its timestamp's place.
fn stamped(value: &str) -> String {
    format!("{{\"timestamp\": {value}}}")
}

#[test]
fn timestamps_of_long_ago() {
    let any: Any<'_> = &[("stale", "stale"), INVALID[0]];
    let numbers = [
        "0",
        "-1",
        "-0.0",
        "-1e15",
        "-9223372036854775808",
        "-1e308",
        "1e-300",
    ];
    each(numbers.map(stamped), any);
}

#[test]
fn timestamps_of_the_far_future() {
    let any: Any<'_> = &[("healthy", "clock_skew"), INVALID[0]];
    let numbers = [
        "4102444800",
        "253402300800",
        "9007199254740993",
        "9223372036854775807",
        "18446744073709551616",
        "1e18",
        "1e308",
    ];
    each(numbers.map(stamped), any);
    bytes("{\"timestamp\": \"9999-12-31T23:59:59Z\"}", any);
}

#[test]
fn a_heartbeat_full_of_escape_sequences() {
    let evil = "\\u001b[2J\\u001b]0;x\\u0007\\u009b31m\\u202e\\u2066\\u007f\\r\\n\\u0000";
    bytes(
        format!(
            "{{\"timestamp\": {}, \"status\": \"{evil}\", \"model\": \"{evil}\"}}",
            now()
        ),
        &[("healthy", "")],
    );
    bytes(
        format!(
            "{{\"timestamp\": {}, \"status\": \"{evil}\", \"model\": \"{evil}\"}}",
            now() - 9e3
        ),
        &[("stale", "stale")],
    );
    bytes(format!("{{\"timestamp\": \"{evil}\"}}"), INVALID);
}

/// No message quotes what a file contains: an error of a parser often does.
#[test]
fn a_secret_that_is_no_json_is_never_quoted() {
    let all = [format!("{SECRET}: hunter2"), format!("{{\"{SECRET}\" 1}}")];
    each(all, UNREADABLE);
    bytes(
        format!("{{\"timestamp\": \"{SECRET}\"}}").replace(SECRET, "root:x:0"),
        INVALID,
    );
}

/// What lies where a required subdirectory should be.
#[test]
fn a_subdirectory_that_is_something_else() {
    type Make = fn(&World, &Path);
    let makes: [(&str, Make); 6] = [
        ("a file", |_, at| put(at, b"x")),
        ("a link to a directory", |w, at| {
            let real = w.base().join("elsewhere");
            make_dir(&real, 0o755);
            put(
                &real.join("heartbeat.json"),
                &std::fs::read(secret(w)).unwrap(),
            );
            put(
                &real.join("mission.json"),
                &std::fs::read(secret(w)).unwrap(),
            );
            put(
                &real.join("heartbeats/claude.json"),
                &std::fs::read(secret(w)).unwrap(),
            );
            symlink(&real, at).unwrap();
        }),
        ("a link to the cell itself", |_, at| {
            symlink(".", at).unwrap()
        }),
        ("a dangling link", |_, at| symlink("nowhere", at).unwrap()),
        ("a FIFO", |_, at| {
            nix::unistd::mkfifo(at, Mode::from_bits_truncate(0o666)).unwrap();
        }),
        ("nothing", |_, _| {}),
    ];
    let subs = ["state", "meta", "worktree", ".lazarus", "workspace"];
    let mut cells: Vec<(String, &str, Make, &str)> = Vec::new();
    for (what, make) in makes {
        for sub in subs {
            cells.push((format!("hostile-{}", cells.len()), what, make, sub));
        }
    }
    let w = crowd();
    let run = beside_others(&w, |w| {
        for (id, _, make, sub) in &cells {
            if [".lazarus", "workspace"].contains(sub) {
                w.canonical(id, &["claude"]);
            } else {
                w.cell(id);
            }
            w.remove(Path::new(id).join(sub));
            make(w, &w.path(id).join(sub));
        }
    });
    for (id, what, _, sub) in &cells {
        run.expect(id, "incomplete", "missing_subdir");
        assert_eq!(run.missing(id), [*sub], "{what}: {run}");
    }
}

/// Between the cell and the heartbeat there are directories too.
#[test]
fn a_directory_of_heartbeats_that_is_a_link_is_not_followed() {
    for (canonical, below) in [(true, ".lazarus/heartbeats"), (false, "state/heartbeats")] {
        let w = crowd();
        let run = beside_others(&w, |w| {
            if canonical {
                w.canonical("hostile", &["claude"]);
            } else {
                w.cell("hostile")
                    .manifest("hostile", &serde_json::json!({"agents": ["claude"]}));
            }
            let real = w.base().join("elsewhere");
            put(
                &real.join("claude.json"),
                &std::fs::read(secret(w)).unwrap(),
            );
            w.remove(Path::new("hostile").join(below));
            symlink(&real, w.path("hostile").join(below)).unwrap();
        });
        run.code(2);
        assert_ne!(run.status("hostile"), "healthy", "{run}");
        assert!(!run.reasons("hostile").is_empty(), "{run}");
    }
}
