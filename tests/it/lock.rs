//! One run at a time.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use crate::doomed::{many, show};
use crate::store::journal;
use crate::world::{World, tool};

fn hold(world: &World) -> Flock<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(world.state().join("state.lock"))
        .unwrap();
    Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap()
}

#[test]
fn a_lock_that_is_held_ends_the_run_at_once_and_names_the_holder() {
    let world = World::new();
    world.cell("a").run(&[]).code(0);
    let beat = world.meta();
    let before = world.tree();
    let held = hold(&world);
    let run = world.run(&["--json"]);
    run.code(75)
        .stderr_has(format!("pid {}", std::process::id()));
    assert_eq!(run.json()["error"]["code"], 75);
    // Nothing was done: not even the meta-heartbeat, so that a run that hangs is seen.
    assert_eq!(world.meta(), beat);
    assert_eq!(world.tree(), before);
    drop(held);
    world.run(&[]).code(0);
}

#[test]
fn a_lock_is_waited_for_as_long_as_asked() {
    let world = World::new();
    world.cell("a");
    let held = hold(&world);
    world.run(&["--wait-lock", "30ms"]).code(75);
    std::thread::scope(|s| {
        let run = s.spawn(|| world.run(&["--wait-lock", "20s"]).code(0).survived().exit());
        // It cannot end before the lock is free, whenever that is.
        std::thread::sleep(Duration::from_millis(50));
        assert!(!run.is_finished());
        drop(held);
        assert_eq!(run.join().unwrap(), 0);
    });
}

#[test]
fn the_lock_file_is_never_replaced() {
    let world = World::new();
    world.cell("a").run(&[]).code(0);
    let inode = fs::metadata(world.state().join("state.lock"))
        .unwrap()
        .ino();
    world.run(&[]).code(0);
    let meta = fs::metadata(world.state().join("state.lock")).unwrap();
    assert_eq!(meta.ino(), inode);
    assert_eq!(meta.mode() & 0o777, 0o600);
    let text = fs::read_to_string(world.state().join("state.lock")).unwrap();
    let holder: serde_json::Value = serde_json::from_str(&text).unwrap();
    for key in ["pid", "start_time", "run"] {
        assert!(!holder[key].is_null(), "{key}: {text}");
    }
}

#[test]
fn a_dry_run_takes_no_lock() {
    let world = World::new();
    world.cell("a");
    let _held = hold(&world);
    world.run(&["--dry-run"]).code(0);
}

#[test]
fn of_many_runs_at_once_each_one_works_or_is_told_that_another_does() {
    let (rounds, runs) = (many(1, 200), many(24, 50));
    for _ in 0..rounds {
        at_once(runs);
    }
    show(format!("at once: {rounds} rounds of {runs} runs"));
}

fn at_once(runs: usize) {
    let world = World::new();
    world.cell("a").cell("b").beat("b", 900);
    let codes: Vec<i32> = std::thread::scope(|s| {
        let runs: Vec<_> = (0..runs)
            .map(|_| s.spawn(|| world.run(&["--json"]).code_in(&[2, 75]).exit()))
            .collect();
        runs.into_iter().map(|r| r.join().unwrap()).collect()
    });
    let worked = codes.iter().filter(|c| **c == 2).count();
    assert!(worked >= 1, "{codes:?}");
    let events = journal(&world);
    let count = |kind: &str| events.iter().filter(|e| e["event"] == kind).count();
    assert_eq!(
        (count("run_started"), count("run_finished")),
        (worked, worked)
    );
    assert_eq!(count("incident_opened"), 1);
}

/// A run that stops while it holds the lock, for good.
pub(crate) fn stopped_run(world: &World, deadline: &str) -> std::process::Child {
    let child = Command::new("strace")
        .args([
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "inject=renameat:signal=SIGSTOP:when=1",
        ])
        .arg(env!("CARGO_BIN_EXE_lazarus-pit"))
        .args(["--deadline", deadline, "--root"])
        .arg(world.root())
        .arg("--state-dir")
        .arg(world.state())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It holds the lock from when the file names it until it is ended.
    let lock = world.state().join("state.lock");
    let until = Instant::now() + Duration::from_secs(20);
    let holder = loop {
        let text = fs::read_to_string(&lock).unwrap_or_default();
        if let Ok(holder) = serde_json::from_str::<serde_json::Value>(&text) {
            break i32::try_from(holder["pid"].as_i64().unwrap()).unwrap();
        }
        assert!(Instant::now() < until, "the run never took the lock");
        std::thread::yield_now();
    };
    while !fs::read_to_string(format!("/proc/{holder}/stat"))
        .unwrap()
        .contains(") t ")
        && !fs::read_to_string(format!("/proc/{holder}/stat"))
            .unwrap()
            .contains(") T ")
    {
        assert!(Instant::now() < until, "the run never stopped");
        std::thread::yield_now();
    }
    child
}

#[test]
fn a_holder_that_hangs_is_ended_after_three_deadlines() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    world.cell("a").cell("b").beat("b", 900);
    let mut hung = stopped_run(&world, "100ms");
    let run = world.run(&["--wait-lock", "20s"]);
    run.code(2).stderr_has("hung");
    hung.wait().unwrap();
    let events = journal(&world);
    assert!(
        events.iter().any(|e| e["event"] == "run_killed"),
        "{events:?}"
    );
    assert_eq!(
        events
            .iter()
            .filter(|e| e["event"] == "incident_opened")
            .count(),
        1
    );
}

#[test]
fn a_holder_within_its_time_is_left_alone() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    world.cell("a");
    let mut slow = stopped_run(&world, "1h");
    let run = world.run(&["--wait-lock", "100ms"]);
    run.code(75).stderr_has("another run holds the lock");
    assert!(slow.try_wait().unwrap().is_none(), "it was ended");
    let text = fs::read_to_string(world.state().join("state.lock")).unwrap();
    let holder: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(holder["pid"].as_i64().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    slow.wait().unwrap();
}

#[test]
fn a_stranger_that_holds_the_lock_is_never_ended() {
    let world = World::new();
    world.cell("a");
    // The file says that this very test process has held it for ever.
    let pid = std::process::id();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let start: u64 = stat[stat.rfind(')').unwrap() + 2..]
        .split(' ')
        .nth(19)
        .unwrap()
        .parse()
        .unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let claim = serde_json::json!({"pid": pid, "start_time": start, "boot_id": boot.trim(), "run": "x",
        "since": "2020-01-01T00:00:00Z", "monotonic_ms": 0, "deadline_ms": 1});
    let _held = hold(&world);
    fs::write(world.state().join("state.lock"), claim.to_string()).unwrap();
    world.run(&["--wait-lock", "50ms"]).code(75);
}

#[test]
fn waiting_for_the_lock_takes_nothing_off_the_deadline() {
    let world = World::new();
    world.cell("a");
    let held = hold(&world);
    std::thread::scope(|s| {
        let run = s.spawn(|| {
            world
                .run(&["--wait-lock", "20s", "--deadline", "2s"])
                .exit()
        });
        // Longer than the deadline, which is not to have begun. It is that long so that a busy host
        // still looks at one cell within what is left of it.
        std::thread::sleep(Duration::from_millis(2200));
        drop(held);
        assert_eq!(run.join().unwrap(), 0);
    });
}

/// What stands in the lock file may be anything, and is never reason enough to fail otherwise.
#[test]
fn a_lock_file_that_no_run_wrote_is_read_all_the_same() {
    let world = World::new();
    world.cell("a").run(&[]).code(0);
    let path = world.state().join("state.lock");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let held = hold(&world);
    for pid in [i64::from(i32::MIN), -1, 0, 1, i64::from(i32::MAX), i64::MAX] {
        let holder = serde_json::json!({
            "pid": pid, "start_time": 0, "boot_id": boot.trim(), "run": "x\u{1b}[2J",
            "since": "2020-01-01T00:00:00Z", "monotonic_ms": 0, "deadline_ms": 0,
        });
        fs::write(&path, holder.to_string()).unwrap();
        world.run(&["--json"]).code(75).clean();
    }
    drop(held);
    world.run(&[]).code(0);
}
