//! How agents end, by themselves or not, and what their keepers see to then.

use std::fs;
use std::time::Duration;

use lazarus_pit::act::spawn::spec::{Answer, BeatSpec};
use lazarus_pit::model::process::{Entry, ProcessStatus};
use lazarus_pit::model::step::BeatFor;
use lazarus_pit::sys::host;
use lazarus_pit::table::Host;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit};

use crate::keeper::{Keeper, lives, spec};
use crate::later::eventually;
use crate::world::{World, now};

/// Ends never, unless it is told to.
const FOREVER: &str = "while :; do sleep 1; done";

fn how(entry: &Entry) -> (ProcessStatus, Option<i32>, Option<i32>) {
    (entry.status, entry.exit_code, entry.signal)
}

/// The number that a script has written to a file where it works.
fn number(w: &World, file: &str) -> i32 {
    eventually(|| {
        let text = fs::read_to_string(w.path("a/worktree").join(file)).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    })
}

#[test]
fn the_signal_that_ended_it_is_written_down() {
    let w = World::new();
    // The last has no name of its own.
    for (r#ref, signal) in [("r1", "SEGV"), ("r2", "KILL"), ("r3", "40")] {
        let spec = spec(&w, r#ref, &format!("kill -{signal} $$; sleep 1000"));
        let mut keeper = Keeper::start(&w, &spec);
        keeper.started();
        let entry = keeper.end();
        let want = match signal {
            "SEGV" => 11,
            "KILL" => 9,
            _ => 40,
        };
        assert_eq!(how(&entry), (ProcessStatus::Killed, None, Some(want)));
        assert_eq!(entry.error, None);
    }
}

#[test]
fn an_agent_is_ended_at_its_max_runtime() {
    let w = World::new();
    let mut spec = spec(&w, "r1", "trap 'exit 0' TERM; while :; do sleep 0.02; done");
    // Long enough for a shell to have set its trap.
    spec.limits.max_runtime_ms = Some(2000);
    let mut keeper = Keeper::start(&w, &spec);
    keeper.started();
    let entry = keeper.end();
    // It took its leave politely, and yet did not end by itself.
    assert_eq!(how(&entry), (ProcessStatus::Killed, Some(0), None));
    assert_eq!(
        entry.error.unwrap(),
        "it was ended at its max_runtime of 2s"
    );
    assert!(entry.duration_ms.unwrap() >= 2000);
}

#[test]
fn a_keeper_that_is_told_to_end_ends_its_agent() {
    let w = World::new();
    for (n, signal) in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT]
        .into_iter()
        .enumerate()
    {
        let spec = spec(&w, &format!("r{n}"), FOREVER);
        let mut keeper = Keeper::start(&w, &spec);
        let pid = keeper.started();
        // Neither the terminal's end nor a careless `kill -USR1` is an order.
        keeper.signal(Signal::SIGHUP);
        keeper.signal(Signal::SIGUSR1);
        keeper.signal(signal);
        let entry = keeper.end();
        assert_eq!(how(&entry), (ProcessStatus::Killed, None, Some(15)));
        let want = format!("its keeper was told to end it, by {signal}");
        assert_eq!(entry.error.unwrap(), want);
        assert!(!lives(pid));
    }
}

/// Its whole group and session are meant, stopped ones too; what takes no TERM is killed.
#[test]
fn an_agent_that_does_not_go_is_killed_after_the_grace() {
    let w = World::new();
    let script = "trap '' TERM; sh -c 'echo $$ >child; kill -STOP $$' & echo $$ >ready; while :; do sleep 1; done";
    let mut spec = spec(&w, "r1", script);
    spec.entry.grace_ms = 300;
    let mut keeper = Keeper::start(&w, &spec);
    keeper.started();
    let (child, _) = (number(&w, "child"), number(&w, "ready"));
    keeper.signal(Signal::SIGTERM);
    let entry = keeper.end();
    assert_eq!(how(&entry), (ProcessStatus::Killed, None, Some(9)));
    assert!(entry.duration_ms.unwrap() >= 300 && !lives(child));
}

/// Nothing of an agent works on in the worktree beside its successor.
#[test]
fn what_an_agent_leaves_behind_is_gone_before_its_end_is_written() {
    let w = World::new();
    let script =
        "setsid sh -c 'trap \"\" TERM; (echo $$ >deaf; exec sleep 1000) & exec sleep 1000' &
        (setsid sh -c 'echo $$ >orphan; kill -STOP $$; exec sleep 1000' &)
        while [ ! -s deaf ] || [ ! -s orphan ]; do sleep 0.02; done; exit 5";
    let mut spec = spec(&w, "r1", script);
    spec.entry.grace_ms = 200;
    let mut keeper = Keeper::start(&w, &spec);
    keeper.started();
    let left = [number(&w, "deaf"), number(&w, "orphan")];
    let entry = eventually(|| keeper.entry().filter(|entry| entry.status.is_over()));
    assert!(!left.into_iter().any(lives));
    assert_eq!(how(&entry), (ProcessStatus::Exited, Some(5), None));
    assert_eq!(keeper.end().error, None);
}

#[test]
fn orphans_that_end_while_the_agent_lives_are_reaped() {
    let w = World::new();
    let script = format!("(sh -c 'echo $$ >one' &); (sh -c 'kill -40 $$' &); {FOREVER}");
    let mut keeper = Keeper::start(&w, &spec(&w, "r1", &script));
    let agent = keeper.started();
    let one = number(&w, "one");
    let stat = |pid: i32| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    eventually(|| stat(one).is_none().then_some(()));
    let of_keeper = |stat: String| {
        let rest = stat.rsplit_once(')').unwrap().1.to_owned();
        rest.split_whitespace().nth(1) == Some(&keeper.pid().to_string())
    };
    eventually(|| {
        let all = fs::read_dir("/proc").unwrap();
        let pids = all.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok());
        let children: Vec<i32> = pids
            .filter(|pid| stat(*pid).is_some_and(of_keeper))
            .collect();
        (children == [agent]).then_some(())
    });
}

/// However much it prints, and whatever it does with its outputs, it is the agent's business.
#[test]
fn a_flood_is_taken_and_outputs_may_be_closed() {
    let w = World::new();
    let mut spec_of = spec(
        &w,
        "r1",
        "head -c 30000000 /dev/zero | tr '\\0' 'x'; exit 3",
    );
    spec_of.max_bytes = 2 << 20;
    let mut keeper = Keeper::start(&w, &spec_of);
    keeper.started();
    let entry = keeper.end();
    assert_eq!(entry.exit_code, Some(3));
    assert!(fs::metadata(entry.log.unwrap()).unwrap().len() <= (2 << 20) + 512);
    let script = "exec >&- 2>&-; while [ ! -e stop ]; do sleep 0.02; done; exit 4";
    let mut keeper = Keeper::start(&w, &spec(&w, "r2", script));
    keeper.started();
    w.put("a/worktree/stop", "");
    assert_eq!(keeper.end().exit_code, Some(4));
}

#[test]
fn an_agent_that_floods_can_be_ended() {
    let w = World::new();
    let mut keeper = Keeper::start(&w, &spec(&w, "r1", "yes & yes >&2 & wait"));
    keeper.started();
    let log = keeper.entry().unwrap().log.unwrap();
    eventually(|| (fs::metadata(&log).unwrap().len() > 100_000).then_some(()));
    keeper.signal(Signal::SIGTERM);
    assert_eq!(keeper.end().status, ProcessStatus::Killed);
}

/// A killed keeper does not make its agent's place a free one.
#[test]
fn a_killed_keeper_leaves_an_agent_whose_place_is_taken() {
    let w = World::new();
    let mut keeper = Keeper::start(&w, &spec(&w, "r1", FOREVER));
    let pid = keeper.started();
    keeper.child.kill().unwrap();
    keeper.child.wait().unwrap();
    assert!(lives(pid));
    let at = host::now();
    let found = Host::this(at).look(&keeper.entry().unwrap(), at);
    assert_eq!(found.status, ProcessStatus::Unkept);
    let other = Keeper::start(&w, &spec(&w, "r2", "exit 0")).answer();
    assert_eq!(other, Some(Answer::Occupied));
    // Its sleep has the descriptor too.
    nix::sys::signal::killpg(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    eventually(|| {
        let r#ref = format!("r3-{}", host::now().as_micros());
        let mut third = Keeper::start(&w, &spec(&w, &r#ref, "exit 0"));
        (third.answer() != Some(Answer::Occupied)).then(|| third.end())
    });
    let found = Host::this(at).look(&keeper.entry().unwrap(), at);
    assert_eq!(how(&found), (ProcessStatus::Unknown, None, None));
}

/// An end that was seen is written as soon as there is room for it.
#[test]
fn an_end_is_not_lost_on_a_full_disk() {
    let w = World::new();
    let mut keeper = Keeper::start(&w, &spec(&w, "r1", FOREVER));
    let pid = keeper.started();
    let own = rustix::process::Pid::from_raw(keeper.pid());
    let file_size = |most| {
        let limit = Rlimit {
            current: most,
            maximum: None,
        };
        rustix::process::prlimit(own, Resource::Fsize, limit).unwrap();
    };
    file_size(Some(0));
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    eventually(|| (!lives(pid)).then_some(()));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(keeper.entry().unwrap().status, ProcessStatus::Running);
    assert_eq!(keeper.child.try_wait().unwrap(), None);
    file_size(None);
    assert_eq!(how(&keeper.end()), (ProcessStatus::Killed, None, Some(9)));
}

/// The run's arguments, which a keeper is told.
fn run(w: &World, args: &[&str]) -> Option<Vec<String>> {
    let root = w.root().display().to_string();
    let state = w.state().display().to_string();
    let all = ["--root", &root, "--state-dir", &state].into_iter();
    Some(all.chain(args.iter().copied()).map(str::to_owned).collect())
}

#[test]
fn the_end_of_an_agent_wakes_a_run() {
    let w = World::new();
    w.cell("a");
    let mut spec = spec(&w, "r1", "echo bye; exit 1");
    spec.wake = run(&w, &["check", "--json"]);
    let mut keeper = Keeper::start(&w, &spec);
    keeper.started();
    assert_eq!(keeper.end().exit_code, Some(1));
    let log = keeper.log();
    let report = log.strip_prefix("bye\n").unwrap();
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    assert_eq!(report["cells"][0]["mission_id"], "a", "{report}");
    assert!(w.meta().is_some());
}

/// It must not undo what somebody has just ordered.
#[test]
fn a_keeper_that_was_told_to_end_wakes_nobody() {
    let w = World::new();
    let mut spec = spec(&w, "r1", FOREVER);
    spec.wake = run(&w, &["--version"]);
    let mut keeper = Keeper::start(&w, &spec);
    keeper.started();
    keeper.signal(Signal::SIGTERM);
    keeper.end();
    assert_eq!(keeper.log(), "");
}

/// As long as nothing happens, nothing is done.
#[test]
fn a_keeper_of_an_idle_agent_sleeps() {
    let w = World::new();
    let mut keeper = Keeper::start(&w, &spec(&w, "r1", "exec sleep 1000"));
    keeper.started();
    let status = || fs::read_to_string(format!("/proc/{}/status", keeper.pid())).unwrap();
    let of = |status: &str, name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let switches = |status: &str| of(status, "voluntary_ctxt") + of(status, "nonvoluntary_ctxt");
    eventually(|| {
        let before = status();
        std::thread::sleep(Duration::from_millis(300));
        (switches(&before) == switches(&status())).then_some(())
    });
    let most = if cfg!(debug_assertions) { 8192 } else { 3072 };
    assert!(of(&status(), "VmRSS") < most, "{}", status());
}

/// The beats of a keeper are those of its agent, told from them by their status.
#[test]
fn a_keeper_beats_for_an_agent_that_does_not() {
    for (when, script) in [
        (BeatFor::WhileAlive, "exec sleep 1000".to_owned()),
        (BeatFor::OnOutput, format!("echo at work; {FOREVER}")),
    ] {
        let w = World::new();
        w.cell("a").beat("a", 900);
        let mut spec = spec(&w, "r1", &script);
        spec.beat = Some(beats(when));
        let mut keeper = Keeper::start(&w, &spec);
        let pid = keeper.started();
        let beat = kept_beat(&w, &keeper);
        assert_eq!(beat["pid"], pid);
        assert!(beat["timestamp"].as_f64().unwrap() > now() - 60.0);
        keeper.signal(Signal::SIGTERM);
        keeper.end();
    }
}

/// Silence is what tells a hung agent from one that works.
#[test]
fn a_keeper_that_beats_on_output_is_silent_with_its_agent() {
    let w = World::new();
    w.cell("a").beat("a", 900);
    let script = format!("while [ ! -e say ]; do sleep 0.02; done; echo done; {FOREVER}");
    let mut spec = spec(&w, "r1", &script);
    spec.beat = Some(beats(BeatFor::OnOutput));
    let mut keeper = Keeper::start(&w, &spec);
    keeper.started();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(heartbeat(&w).unwrap()["status"], "thinking");
    w.put("a/worktree/say", "");
    kept_beat(&w, &keeper);
}

fn beats(when: BeatFor) -> BeatSpec {
    BeatSpec {
        when,
        every_ms: 60_000,
        heartbeat_file: "state/heartbeat.json".into(),
        allow_mounts: false,
    }
}

/// The keeper's heartbeat, as soon as there is one.
fn kept_beat(w: &World, keeper: &Keeper) -> serde_json::Value {
    eventually(|| {
        let log = keeper.log();
        assert!(!log.contains("lazarus-pit:"), "{log}");
        heartbeat(w).filter(|beat| beat["status"] == "kept")
    })
}

fn heartbeat(w: &World) -> Option<serde_json::Value> {
    serde_json::from_slice(&fs::read(w.heartbeat_path("a")).ok()?).ok()
}
