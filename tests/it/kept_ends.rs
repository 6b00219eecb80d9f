//! How agents end, and what comes of it: a run that is woken, a verdict, a budget that is used up.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use lazarus_pit::model::process::ProcessStatus;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::kept::{AT_ONCE, BIRTH, Stage, give, lives, processes};
use crate::later::{codes, eventually};
use crate::store::journal;
use crate::world::{NOBODY, make_dir, needs_root, now, put};

/// Ends as soon as there is a file `go`, with the code that stands in it.
const WAITS: &str = "while [ ! -s go ]; do sleep 0.01; done; exit $(cat go)";

/// The process of an agent with its keeper, when all of it is gone.
fn over(stage: &Stage, attempts: usize) {
    eventually(|| {
        let all = stage.entries();
        let gone = all
            .iter()
            .all(|e| e.status.is_over() && !lives(e.keeper_pid.unwrap()));
        (all.len() == attempts && gone).then_some(())
    });
}

fn runs(stage: &Stage) -> Vec<Value> {
    let all = journal(&stage.world).into_iter();
    all.filter(|e| e["event"] == "run_started").collect()
}

#[test]
fn a_crash_is_mended_without_a_run_of_anybodys() {
    let stage = Stage::new();
    stage.cell("b").down("b");
    let script = format!("{BIRTH} [ $(wc -l <pids) -gt 1 ] || exit 3; exec sleep 1000");
    stage.plan(
        &script,
        "grace: 60ms",
        "limits: {backoff: {initial: 0s, max: 0s}}\n",
    );
    stage.world.run(&["--json", "--cell", "a"]).code(1);
    let pids = stage.born(2);
    stage.never_two();
    assert!(lives(pids[1]));
    eventually(|| {
        let all = journal(&stage.world);
        let over = all.iter().filter(|e| e["event"] == "run_finished").count();
        (over == 2).then_some(())
    });
    let woken = &runs(&stage)[1];
    assert!(woken["scope"] == "a" || woken["scope"][0] == "a", "{woken}");
    // The other one was not its business.
    assert!(stage.entries().iter().all(|e| e.subject == "a/main"));
    let first = &stage.entries()[0];
    assert_eq!(
        (first.status, first.exit_code),
        (ProcessStatus::Exited, Some(3))
    );
    let exits = journal(&stage.world);
    let exit = exits
        .iter()
        .find(|e| e["event"] == "process_exited")
        .unwrap();
    assert_eq!(
        (&exit["exit_code"], &exit["actor"]),
        (&3.into(), &"keeper".into())
    );
}

#[test]
fn who_is_not_to_wake_wakes_nobody() {
    let stage = Stage::new();
    stage.plan(&format!("{BIRTH} exit 3"), "wake: false", AT_ONCE);
    stage.check().code(1);
    over(&stage, 1);
    assert_eq!(runs(&stage).len(), 1);
    assert_eq!(stage.pids().len(), 1);
}

/// However fast it crashes and is woken, its budget is what it is.
#[test]
fn a_crash_loop_uses_up_its_budget_and_no_more() {
    let stage = Stage::new();
    let limits = "limits: {attempts: 3, backoff: {initial: 0s, max: 0s}}\n";
    stage.plan(&format!("{BIRTH} exit 1"), "grace: 60ms", limits);
    stage.world.run(&["--json"]).code(1);
    over(&stage, 3);
    let run = stage.world.run(&["--json"]);
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("exhausted"), "{run}");
    over(&stage, 3);
    assert_eq!(stage.pids().len(), 3);
    stage.never_two();
}

#[test]
fn a_crash_within_the_time_of_proof_is_a_failed_attempt_and_waits_its_time() {
    let stage = Stage::new();
    let limits = "limits: {backoff: {initial: 1h, max: 1h}}\n";
    stage.plan(&format!("{BIRTH} exit 1"), "grace: 60ms", limits);
    stage.world.run(&["--json"]).code(1);
    over(&stage, 1);
    let run = stage.world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("backoff"), "{run}");
    run.code(1);
    assert_eq!(runs(&stage).len(), 3);
    assert_eq!(stage.pids().len(), 1);
}

/// Wherever its files were named, and by whatever path.
#[test]
fn a_woken_run_is_as_the_run_was() {
    for by_variable in [false, true] {
        let stage = Stage::new();
        let script = format!("{BIRTH} [ $(wc -l <pids) -gt 1 ] || exit 3; exec sleep 1000");
        let limits = "limits: {backoff: {initial: 0s, max: 0s}}\n";
        stage.plan(&script, "grace: 60ms", limits);
        let conf = stage.world.base().join("conf");
        fs::rename(conf.join("plans"), conf.join("others")).unwrap();
        put(&conf.join("config.yaml"), b"logs: {dir: /nowhere}\n");
        let logs = stage.world.base().join("printed").display().to_string();
        put(
            &conf.join("c.yaml"),
            format!("logs: {{dir: {logs}}}\n").as_bytes(),
        );
        let mut args = vec![
            "--root",
            "../root",
            "--state-dir",
            "../state",
            "--plans",
            "../conf/others",
            "--json",
        ];
        if !by_variable {
            args.extend(["--config", "../conf/c.yaml"]);
        }
        let mut cmd = stage.world.bare(&args);
        if by_variable {
            cmd = cmd.env("LAZARUS_PIT_CONFIG", "../conf/c.yaml");
        }
        cmd.run().code(1);
        stage.born(2);
        stage.never_two();
        // The second one's is written when it runs, and it may have been born before that.
        let log = eventually(|| stage.entries().get(1)?.log.clone());
        assert!(log.starts_with(&logs), "{log}");
    }
}

#[test]
fn a_woken_run_waits_for_the_lock() {
    let stage = Stage::new();
    let limits = "limits: {backoff: {initial: 0s, max: 0s}}\n";
    stage.plan(&format!("{BIRTH} {WAITS}"), "grace: 60ms", limits);
    stage.check().code(1);
    stage.born(1);
    let lock = fs::File::open(stage.world.state().join("state.lock")).unwrap();
    let held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    stage.world.put("a/worktree/go", "1\n");
    let state = stage.world.state().display().to_string();
    let woken = eventually(|| {
        let all = processes(|_| true);
        all.into_iter().find(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains("--wait-lock") && line.contains(&state)
        })
    });
    std::thread::sleep(Duration::from_millis(100));
    assert!(lives(woken) && stage.pids().len() == 1);
    stage.world.remove("a/worktree/go");
    drop(held);
    assert!(lives(stage.born(2)[1]));
}

/// There is no need to wait until its last beat is old; but a beat that is newer counts more.
#[test]
fn an_end_is_seen_at_once() {
    let stage = Stage::new();
    let limits = "limits: {backoff: {initial: 0s, max: 0s}}\n";
    stage.plan(
        &format!("{BIRTH} {WAITS}"),
        "wake: false, grace: 60ms",
        limits,
    );
    stage.check().code(1);
    stage.born(1);
    stage.world.beat("a", 0);
    let run = stage.world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("healthy"), "{run}");
    stage.world.put("a/worktree/go", "4\n");
    over(&stage, 1);
    stage.world.remove("a/worktree/go");
    // From somewhere else: it is well.
    stage
        .world
        .heartbeat("a", format!("{{\"timestamp\": {}}}", now() + 1.0));
    let run = stage.world.run(&["--json"]);
    run.code(0);
    stage.world.beat("a", 100);
    let run = stage.world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    assert!(codes(&run, "a/main").contains(&"exited"), "{run}");
    // The class follows from the files.
    assert_eq!(run.status("a"), "healthy");
    assert!(lives(stage.born(2)[1]));
}

#[test]
fn exit_codes_say_who_is_done_and_who_is_hopeless() {
    for (code, verdict, exit) in [("0", "finished", 0), ("78", "permanent", 2)] {
        let stage = Stage::new();
        let more = format!("{AT_ONCE}on_exit: {{finished: [0], permanent: [78]}}\n");
        stage.plan(&format!("{BIRTH} {WAITS}"), "", &more);
        stage.check().code(1);
        stage.world.put("a/worktree/go", code);
        over(&stage, 1);
        for _ in 0..2 {
            let run = stage.world.run(&["--json"]);
            run.code(exit);
            assert_eq!(run.verdict("a/main"), Some(verdict), "{run}");
        }
        assert_eq!(stage.pids().len(), 1);
        if verdict == "permanent" {
            stage.world.run(&["resume", "a"]).code(0);
            stage.world.remove("a/worktree/go");
            let run = stage.world.run(&["--json"]);
            assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
            assert!(lives(stage.born(2)[1]));
        }
    }
}

/// What was beaten before it was started says nothing of it.
#[test]
fn only_beats_after_the_attempt_count() {
    let stage = Stage::new();
    stage.plan(&format!("{BIRTH} exec sleep 1000"), "wake: false", "");
    stage.check().code(1);
    stage.born(1);
    for _ in 0..2 {
        let run = stage.world.run(&["--json"]);
        assert_eq!(run.verdict("a/main"), Some("reviving"), "{run}");
        stage.world.beat("a", 30);
    }
    stage.world.beat("a", 0);
    let run = stage.world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("healthy"), "{run}");
    assert_eq!(stage.pids().len(), 1);
}

#[test]
fn an_agent_is_ended_at_its_max_runtime_and_followed() {
    let stage = Stage::new();
    // It goes at once, when it is told to; whether it has noted its birth by then is its own affair.
    let keys = "grace: 30s, limits: {max_runtime: 300ms}";
    let limits = "limits: {attempts: 2, backoff: {initial: 0s, max: 0s}}\n";
    stage.plan(&format!("{BIRTH} exec sleep 1000"), keys, limits);
    stage.check().code(1);
    over(&stage, 2);
    for entry in stage.entries() {
        assert_eq!(
            (entry.status, entry.signal),
            (ProcessStatus::Killed, Some(15))
        );
        assert!(entry.error.unwrap().contains("max_runtime"));
    }
    stage.never_two();
}

#[test]
fn limits_are_an_agents_own() {
    let stage = Stage::new();
    let keys = "wake: false, limits: {memory: 1GiB, open_files: 64, processes: 4000}";
    stage.plan(&format!("{BIRTH} exec sleep 1000"), keys, "");
    stage.check().code(1);
    stage.born(1);
    let entry = stage.latest();
    let limits = |pid: i32| fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let of = |all: &str, name: &str| {
        let line = all.lines().find(|line| line.starts_with(name)).unwrap();
        let rest = line[name.len()..].split_whitespace();
        rest.take(2).collect::<Vec<_>>().join(" ")
    };
    let all = limits(entry.pid.unwrap());
    assert_eq!(of(&all, "Max address space"), "1073741824 1073741824");
    assert_eq!(of(&all, "Max open files"), "64 64");
    assert_eq!(of(&all, "Max processes"), "4000 4000");
    let keeper = limits(entry.keeper_pid.unwrap());
    assert_ne!(of(&keeper, "Max open files"), "64 64");
}

/// In either layout, and with the rights of the one whose cell it is.
#[test]
fn a_keeper_beats_for_its_agent_as_its_cells_owner() {
    let stage = Stage::new();
    stage.world.canonical("b", &["claude"]);
    give(&stage.world.path("b"), NOBODY);
    stage.down("b/claude");
    let keys = "wake: false, grace: 60ms, beat: while_alive";
    stage.plan("exec sleep 1000", keys, "stale_after: 4s\n");
    stage.check().code(1);
    for subject in ["a", "b/claude"] {
        let path = stage.world.heartbeat_path(subject);
        let beat = || -> Option<Value> { serde_json::from_slice(&fs::read(&path).ok()?).ok() };
        let kept = || beat().filter(|beat| beat["status"] == "kept");
        let first = eventually(kept)["timestamp"].as_f64().unwrap();
        eventually(|| kept().filter(|beat| beat["timestamp"].as_f64() > Some(first)));
        if nix::unistd::geteuid().is_root() {
            assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY);
        }
    }
    let run = stage.world.run(&["--json"]);
    run.code(0);
    assert_eq!(run.agent("b", "claude")["last_status"], "kept", "{run}");
    // No beats without an agent, and its end counts more than the last of them.
    for entry in stage.entries() {
        kill(Pid::from_raw(entry.pid.unwrap()), Signal::SIGKILL).unwrap();
    }
    over(&stage, 2);
    let run = stage.world.run(&["--json"]);
    assert!(codes(&run, "a/main").contains(&"exited"), "{run}");
    assert!(codes(&run, "b/claude").contains(&"exited"), "{run}");
}

/// Its agent has nowhere to lead it: a link in the heartbeat's place is not followed.
#[test]
fn a_keeper_beats_through_no_link() {
    let stage = Stage::new();
    let target = stage.world.base().join("target");
    put(&target, b"untouched");
    let beat = stage.world.heartbeat_path("a");
    let script = "rm state/heartbeat.json; ln -s ../../../target state/heartbeat.json; \
         mv state st; ln -s ../../vault state; echo moved; exec sleep 1000";
    let vault = stage.world.base().join("vault");
    make_dir(&vault, 0o777);
    let keys = "wake: false, grace: 60ms, beat: while_alive, cwd: .";
    stage.plan(script, keys, "stale_after: 4s\n");
    stage.check().code(1);
    stage.said("a/main.log", "moved");
    // It says so, and goes on.
    stage.said("a/main.log", "heartbeat");
    assert_eq!(fs::read(&target).unwrap(), b"untouched");
    assert_eq!(fs::read_dir(&vault).unwrap().count(), 0);
    assert!(lives(stage.latest().pid.unwrap()), "{}", beat.display());
}

/// As an ordinary user too.
#[test]
fn a_crash_under_an_ordinary_users_checker_is_mended_as_well() {
    if !needs_root() {
        return;
    }
    let stage = Stage::new();
    let script = format!("{BIRTH} [ $(wc -l <pids) -gt 1 ] || exit 3; exec sleep 1000");
    let limits = "limits: {backoff: {initial: 0s, max: 0s}}\n";
    stage.plan(&script, "grace: 60ms", limits);
    stage.world.cmd(&["--json"]).user(NOBODY).run().code(1);
    assert!(lives(stage.born(2)[1]));
    stage.never_two();
}
