//! How a run ends: the status it exits with, and what it says on which stream.

use std::fs::{self, File};
use std::path::PathBuf;

use nix::fcntl::{Flock, FlockArg};
use serde_json::json;

use crate::output::DOCUMENTED;
use crate::world::{NOBODY, World, can_mount, canonical_manifest, mode, needs_root, put};

/// One cell of each kind that makes a fleet of three.
fn three() -> World {
    let w = World::new();
    w.cell("a")
        .cell("b")
        .beat("b", 900)
        .cell("c")
        .remove("c/state/heartbeat.json");
    w
}

/// Holds the lock as another run would.
fn hold(w: &World) -> Flock<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(w.state().join("state.lock"))
        .unwrap();
    mode(&w.state().join("state.lock"), 0o600);
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, e)| e)
        .unwrap()
}

#[test]
fn healthy_is_0_in_hand_is_1_and_nobody_s_business_is_2() {
    let w = World::new();
    w.cell("a");
    let run = w.run(&["--json"]);
    run.code(0);
    assert_eq!(
        run.json()["exit"],
        json!({"code": 0, "meaning": "every subject in scope is healthy"})
    );

    w.canonical("f", &["claude"]).beat("f/claude", 900);
    let mut m = canonical_manifest("f", &["claude"]);
    m["status"] = json!("frozen");
    w.manifest("f", &m);
    let run = w.run(&["--json"]);
    run.code(1);
    assert_eq!(
        run.json()["exit"],
        json!({"code": 1, "meaning": "something is down and it is in hand"})
    );

    w.beat("a", 900);
    let run = w.run(&["--json"]);
    run.code(2);
    let meaning = "something is down and nobody will bring it back";
    assert_eq!(run.json()["exit"], json!({"code": 2, "meaning": meaning}));
}

#[test]
fn the_last_line_for_people_is_the_summary() {
    let w = three();
    let run = w.run(&[]);
    run.code(2);
    let want = "Lazarus Pit — cells=3 healthy=1 stale=1 incomplete=0 uninitialized=1";
    assert_eq!(run.last_line(), want);
    assert!(run.stdout().ends_with(&format!("{want}\n")), "{run}");
    assert!(
        !run.stdout().contains('\u{1b}'),
        "colours where there is no terminal: {run}"
    );
    // Those that are not healthy come with their reasons, by name.
    assert!(
        run.stdout().contains("b/main") || run.stdout().contains("b "),
        "{run}"
    );
    let run = World::new().run(&["check"]);
    let want = "Lazarus Pit — cells=0 healthy=0 stale=0 incomplete=0 uninitialized=0";
    assert_eq!(run.code(0).last_line(), want);
}

#[test]
fn colour_is_the_operator_s_choice() {
    let w = three();
    let plain = w.run(&["--color", "never"]);
    assert!(!plain.stdout().contains('\u{1b}'));
    let run = w.cmd(&["--color", "auto"]).env("NO_COLOR", "1").run();
    assert!(!run.stdout().contains('\u{1b}'));
    w.run(&["--color", "always"]).code(2);
    w.run(&["--color", "sometimes"]).code(64);
    let json = w.run(&["--color", "always", "--json"]);
    assert_eq!(json.clean().summary("total_cells"), 3);
}

#[test]
fn quiet_is_silent_only_when_all_is_well() {
    let w = World::new();
    w.cell("a");
    w.run(&["-q"]).code(0).stdout_empty().stderr_empty();
    w.run(&["check", "-q"])
        .code(0)
        .stdout_empty()
        .stderr_empty();
    // A program asked: it gets its answer.
    assert_eq!(
        w.run(&["-q", "--json"])
            .code(0)
            .stderr_empty()
            .summary("healthy"),
        1
    );
    assert!(!w.run(&["-q", "--format", "nagios"]).stdout().is_empty());
    w.beat("a", 900);
    let run = w.run(&["-q"]);
    run.code(2);
    assert!(
        run.stdout()
            .contains("Lazarus Pit — cells=1 healthy=0 stale=1"),
        "{run}"
    );
}

#[test]
fn wrong_use_is_64_and_json_s_word_is_kept() {
    let w = three();
    for args in [
        &["--no-such-option"][..],
        &["no-such-command"],
        &["--stale-after"],
        &["--stale-after", "soon"],
        &["--format", "yaml"],
        &["--layout", "round", "--init-cell", "x"],
        &["--deadline", "never"],
        &["init"],
        &["--json=maybe"],
        &["check", "extra"],
    ] {
        let run = w.run(args);
        run.code(64).stdout_empty().clean();
        assert!(!run.stderr().is_empty(), "{run}");
    }
    for args in [
        &["--json", "--no-such-option"][..],
        &["--no-such-option", "--json"],
        &["--format", "json", "--stale-after", "soon"],
        &["--format=json", "no-such-command"],
        &["--stale-after", "--json"],
        &["--json", "--init-cell", "../x"],
        &["check", "--json", "--deadline", "never"],
    ] {
        let run = w.run(args);
        assert_eq!(run.code(64).clean().error_document()["error"]["code"], 64);
    }
    // What is missing is named, and not only that something is.
    let run = w.run(&["pause", "a", "--json"]);
    run.code(64);
    let message = run.json()["error"]["message"].as_str().unwrap();
    assert!(message.contains("--reason <R>"), "{run}");
    assert!(!message.contains("Usage"), "{run}");
    // A value that happens to be called so asks for nothing.
    w.run(&["--no-such-option", "--", "--json"])
        .code(64)
        .stdout_empty();
    assert!(w.meta().is_none(), "a run that never was left a heartbeat");
}

#[test]
fn a_dry_run_makes_no_cell() {
    let w = World::new();
    for args in [
        &["--dry-run", "--init-cell", "x"][..],
        &["--init-cell", "x", "--dry-run", "--json"],
    ] {
        let before = w.tree();
        w.run(args).code(64);
        assert_eq!(before, w.tree());
    }
}

#[test]
fn a_dry_run_writes_not_a_byte() {
    let w = three();
    fs::remove_dir_all(w.state()).unwrap();
    for args in [
        &["--dry-run"][..],
        &["--dry-run", "--json"],
        &["--dry-run", "--format", "prometheus"],
    ] {
        let before = w.tree();
        w.run(args).code(2);
        assert_eq!(before, w.tree(), "{args:?}");
    }
    let run = w.run(&["--dry-run", "--json"]);
    assert_eq!(run.json()["run"]["dry_run"], true);
    assert_eq!(w.run(&["--json"]).json()["run"]["dry_run"], false);
    // And it needs no lock: it may look while another run works.
    let _lock = hold(&w);
    w.run(&["--dry-run"]).code(2);
}

#[test]
fn help_and_version_are_answers() {
    let w = World::new();
    for args in [
        &["--help"][..],
        &["-h"],
        &["check", "--help"],
        &["init", "--help"],
    ] {
        let run = w.bare(args).run();
        run.code(0).stderr_empty();
        assert!(run.stdout().contains("Usage"), "{run}");
    }
    for args in [&["--version"][..], &["-V"]] {
        let run = w.bare(args).run();
        run.code(0).stderr_empty();
        assert!(run.stdout().contains(env!("CARGO_PKG_VERSION")), "{run}");
    }
}

#[test]
fn a_missing_missions_root_is_66_and_the_heartbeat_says_so() {
    let w = World::new();
    fs::remove_dir(w.root()).unwrap();
    let root = w.root().display().to_string();
    w.run(&[]).code(66).stdout_empty().stderr_has(&root);
    let meta = w.meta().expect("a run that failed with 66 beats too");
    assert_eq!(meta["status"], "error");
    assert_eq!(meta["job"], "lazarus_pit");
    assert!(
        meta["message"].as_str().is_some_and(|m| m.contains(&root)),
        "{meta}"
    );
    w.run(&["--json"]).code(66).error_document();
    // A file, a dangling link.
    fs::write(w.root(), "x").unwrap();
    w.run(&["--json"]).code(66).error_document();
    fs::remove_file(w.root()).unwrap();
    std::os::unix::fs::symlink("nowhere", w.root()).unwrap();
    w.run(&["--json"]).code(66).error_document();
    w.run(&["--dry-run"]).code(66);
}

#[test]
fn a_held_lock_is_75_at_once_and_leaves_no_heartbeat() {
    let w = three();
    let lock = hold(&w);
    let run = w.run(&[]);
    run.code(75).stdout_empty();
    assert!(!run.stderr().is_empty(), "nobody was named: {run}");
    w.run(&["--json"]).code(75).error_document();
    w.run(&["--json", "--wait-lock", "1s"])
        .code(75)
        .error_document();
    assert!(
        w.meta().is_none(),
        "a run that did nothing must not look like one that did"
    );
    assert!(
        !w.state().join("journal.jsonl").exists(),
        "a run without the lock wrote"
    );
    drop(lock);
    w.run(&["--json"]).code(2);
    assert!(w.meta().is_some());
    assert!(
        w.state().join("state.lock").exists(),
        "the lock file is never removed"
    );
}

#[test]
fn a_run_may_wait_for_the_lock() {
    let w = three();
    let lock = hold(&w);
    std::thread::scope(|s| {
        let run = s.spawn(|| w.run(&["--json", "--wait-lock", "25s"]));
        // Whether it waits by now or has not even started: it gets the lock in the end.
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(lock);
        assert_eq!(run.join().unwrap().code(2).summary("total_cells"), 3);
    });
}

#[test]
fn many_runs_at_once_each_work_or_say_that_they_did_not() {
    let w = three();
    std::thread::scope(|s| {
        let runs: Vec<_> = (0..16).map(|_| s.spawn(|| w.run(&["--json"]))).collect();
        let ends: Vec<i32> = runs
            .into_iter()
            .map(|r| r.join().unwrap().code_in(&[2, 75]).exit())
            .collect();
        assert!(ends.contains(&2), "nobody did the work: {ends:?}");
    });
}

#[test]
fn a_state_directory_that_cannot_be_written_is_74() {
    if !needs_root() {
        return;
    }
    let w = three();
    let shut = w.base().join("shut");
    crate::world::make_dir(&shut, 0o755);
    for dir in [shut.clone(), shut.join("below")] {
        let run = w
            .bare(&["--json", "--root"])
            .arg(w.root())
            .arg("--state-dir")
            .arg(&dir)
            .poor_user(NOBODY)
            .run();
        run.code(74).clean().json();
        run.stderr_has(dir.to_str().unwrap());
    }
    // A file where the directory should be.
    let file = w.base().join("file");
    put(&file, b"x");
    let run = w
        .bare(&["--root"])
        .arg(w.root())
        .arg("--state-dir")
        .arg(&file)
        .run();
    run.code(74);
}

#[test]
fn a_full_or_read_only_disk_is_74_and_what_was_there_is_intact() {
    if !can_mount() {
        return;
    }
    let w = three();
    w.run(&[]).code(2);
    let before = w.tree();
    let full = "mount -t tmpfs -o size=32k,mode=700 none \"$STATE\"; \
                cat /dev/zero > \"$STATE/fill\" 2>/dev/null || true";
    let no_inodes = "mount -t tmpfs -o nr_inodes=1,mode=700 none \"$STATE\"";
    let read_only = "mount -t tmpfs -o ro,mode=700 none \"$STATE\"";
    let read_only_again = "mount --bind \"$STATE\" \"$STATE\"; mount -o remount,ro,bind \"$STATE\"";
    for script in [full, no_inodes, read_only, read_only_again] {
        let run = w.cmd(&["--json"]).mounted(script).run();
        run.code(74).clean();
        let doc = run.json();
        assert!(
            doc["error"]["code"] == 74 || doc["exit"]["code"] == 74,
            "{script}: {run}"
        );
        assert!(!run.stderr().is_empty(), "{script}: {run}");
    }
    assert_eq!(before, w.tree());
    w.run(&[]).code(2);
}

#[test]
fn a_reader_that_has_gone_is_no_defect() {
    let w = three();
    for args in [
        &[][..],
        &["--json"],
        &["--format", "jsonl"],
        &["list"],
        &["--help"],
        &["-q"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = w.cmd(args).stdout(writer).run();
        run.code_in(&DOCUMENTED);
        assert_ne!(run.exit(), 70, "{run}");
        assert!(!run.stderr().contains("panicked"), "{run}");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let run = w.cmd(args).stdout(full).run();
        run.code_in(&DOCUMENTED);
        assert!(!run.stderr().contains("panicked"), "{run}");
    }
}

#[test]
fn the_meta_heartbeat_says_how_the_run_went() {
    let w = World::new();
    w.cell("a");
    w.run(&[]).code(0);
    let meta = w.meta().unwrap();
    assert_eq!(meta["status"], "ok");
    assert_eq!(meta["job"], "lazarus_pit");
    assert_eq!(meta["interval_seconds"], 60);
    assert_eq!(meta["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        meta["timestamp"].is_number() && meta["pid"].is_u64(),
        "{meta}"
    );
    assert!(
        meta["duration_ms"].is_number() && meta["summary"].is_object(),
        "{meta}"
    );
    assert!(
        (meta["timestamp"].as_f64().unwrap() - crate::world::now()).abs() < 60.0,
        "{meta}"
    );

    w.beat("a", 900).run(&[]).code(2);
    assert_eq!(w.meta().unwrap()["status"], "error");
    w.manifest(
        "a",
        &json!({"mission_id": "a", "status": "frozen", "created_at": 1}),
    );
    w.run(&[]).code(1);
    assert_eq!(w.meta().unwrap()["status"], "warn");

    w.forget().run(&["--no-heartbeat"]).code(1);
    assert!(w.meta().is_none());
    w.config("heartbeat_job: other\nheartbeat_interval_seconds: 300\n")
        .run(&[]);
    let other = fs::read(w.state().join("heartbeats/other.last")).unwrap();
    let other: serde_json::Value = serde_json::from_slice(&other).unwrap();
    assert_eq!(other["interval_seconds"], 300);

    let dir = w.base().join("beats");
    w.cmd(&["--write-heartbeat", "--heartbeat-dir"])
        .arg(&dir)
        .run()
        .code(1);
    assert!(dir.join("other.last").is_file());
}

#[test]
fn what_lies_in_the_state_directory_is_for_its_owner_s_eyes() {
    use std::os::unix::fs::PermissionsExt;
    let w = three();
    fs::remove_dir(w.state()).unwrap();
    w.run(&[]).code(2);
    let bits = |p: PathBuf| fs::metadata(&p).unwrap().permissions().mode() & 0o777;
    assert_eq!(bits(w.state()), 0o700);
    for file in ["state.lock", "state.json", "journal.jsonl"] {
        assert_eq!(bits(w.state().join(file)), 0o600, "{file}");
    }
    assert_eq!(bits(w.state().join("heartbeats")), 0o755);
    assert_eq!(bits(w.state().join("heartbeats/lazarus_pit.last")), 0o644);
}
