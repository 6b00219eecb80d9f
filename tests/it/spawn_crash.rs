//! A run that starts an agent, killed at each of its calls in turn, at random instants and with a
//! predecessor that hangs, told to end, or stopped for longer than it has: two runs later there is one
//! agent, one counted attempt and one incident.
//!
//! The method: the calls of a run are counted in all of its threads; then the run is made again for
//! each of them, with SIGKILL in the place of that call. The checker alone is killed; what it has
//! started goes on. What must hold afterwards is in [`Scene::settles`].

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::doomed::{AGAIN, ONCE, Scene, chosen, count, many, one, random, ready, show};
use crate::store::journal;
use crate::tracer::{At, What, Whose, trace};
use crate::world::tool;

/// An agent that works until it is ended.
const WORKS: &str = "exec sleep 1000";

/// One that does not hear of TERM.
const HANGS: &str = "trap \"\" TERM; while :; do sleep 1000 & wait; done";

const KILL: What = What::Send(Signal::SIGKILL);

/// The calls of a run: so many before it forks what becomes its keeper, so many afterwards.
struct Calls {
    before: usize,
    after: usize,
}

fn calls(scene: &Scene) -> Calls {
    let whole = scene.doom(Whose::Checkers, At::Start(0), What::Count);
    whole.run.code(1);
    let before = whole.forked.expect("it starts a keeper");
    let after = whole.calls - before;
    assert!(
        before > 250 && after > 50,
        "a run does more: {before} and {after}"
    );
    Calls { before, after }
}

impl Calls {
    /// About so many of them, most of them after the fork.
    fn few(&self, before: usize, after: usize) -> Vec<At> {
        let first = chosen(self.before, before).map(At::Start);
        first
            .chain(chosen(self.after, after).map(At::Fork))
            .collect()
    }

    /// One of them; every second time after the fork.
    fn any(&self, random: &mut dyn FnMut() -> usize) -> At {
        match random().is_multiple_of(2) {
            true => At::Start(1 + random() % self.before),
            false => At::Fork(1 + random() % self.after),
        }
    }
}

#[test]
fn killed_at_any_call_a_run_leaves_one_agent_one_attempt_one_incident() {
    if !ready() {
        return;
    }
    let mut scene = Scene::new(ONCE, WORKS);
    let calls = calls(&scene);
    let few = || calls.few(many(10, 10_000), many(24, 10_000));
    let points = one().map_or_else(few, |at| vec![at]);
    let (mut seen, mut failed) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for at in &points {
        scene.again();
        let doomed = scene.doom(Whose::Checkers, *at, KILL);
        let what = format!("killed at {at}, {:?}", doomed.reached);
        // The number of calls differs a little from run to run: the last are not always reached.
        let reached = doomed.reached.is_some();
        assert_eq!(doomed.run.signal().is_some(), reached, "{what}");
        // All are gone through, so that it can be said at how many a build fails.
        let settled = catch_unwind(AssertUnwindSafe(|| scene.settles(&what)));
        let came = match settled {
            Ok("made") if !reached => "not reached",
            Ok(came) => came,
            Err(_) if scene.has_twins() => "twins",
            Err(_) => "wrong otherwise",
        };
        if settled.is_err() {
            failed.push(what);
        }
        *seen.entry(came).or_default() += 1;
    }
    show(format!("{} points: {seen:?}", points.len()));
    assert!(failed.is_empty(), "{seen:?}: {failed:#?}");
    for came in ["made", "made later", "adopted"] {
        let is_one = points.len() == 1;
        assert!(
            is_one || seen.get(came).is_some_and(|n| *n > 0),
            "{came}: {seen:?}"
        );
    }
}

/// The build that is deliberately naive, so that these tests can be seen to fail, can still be made:
/// `tests/kill/naive.sh` makes it and runs them.
#[test]
fn the_naive_build_can_be_made() {
    if !tool("patch") {
        return;
    }
    let patch = Command::new("patch")
        .args([
            "--dry-run",
            "--force",
            "-p1",
            "-i",
            "tests/kill/naive.patch",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&patch.stdout);
    assert!(patch.status.success(), "tests/kill/naive.patch: {said}");
}

/// The run that finds what was left is killed too.
#[test]
fn killed_and_killed_again_in_the_recovery() {
    if !ready() {
        return;
    }
    let mut scene = Scene::new(ONCE, WORKS);
    let calls = calls(&scene);
    let mut random = random();
    let mut seen = BTreeMap::<&str, usize>::new();
    for _ in 0..many(10, 2_000) {
        scene.again();
        let (first, second) = (calls.any(&mut random), calls.any(&mut random));
        scene.doom(Whose::Checkers, first, KILL);
        scene.doom(Whose::Checkers, second, KILL);
        let came = scene.settles(&format!("killed at {first}, then at {second}"));
        *seen.entry(came).or_default() += 1;
    }
    show(format!("pairs: {seen:?}"));
}

/// A run that is told to end ends by that signal, and it is as if it had been killed.
#[test]
fn told_to_end_at_any_call_a_run_leaves_one_agent() {
    if !ready() {
        return;
    }
    let mut scene = Scene::new(ONCE, WORKS);
    let calls = calls(&scene);
    let mut seen = BTreeMap::<String, usize>::new();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        for at in calls.few(many(1, 50), many(3, 50)) {
            scene.again();
            let told = scene.doom(Whose::Checkers, at, What::Send(signal));
            let what = format!("{signal} at {at}, {:?}", told.reached);
            match told.run.signal() {
                Some(by) => assert_eq!(by, signal as i32, "{what}: {}", told.run),
                // It was done by then.
                None => drop(told.run.code(1)),
            }
            let came = scene.settles(&what);
            *seen.entry(format!("{signal} {came}")).or_default() += 1;
        }
    }
    show(format!("told: {seen:?}"));
}

/// A run that is stopped for longer than its deadline begins nothing when it goes on.
#[test]
fn stopped_at_any_call_beyond_its_deadline_a_run_begins_nothing() {
    if !ready() {
        return;
    }
    let mut scene = Scene::new(AGAIN, WORKS);
    let calls = calls(&scene);
    let mut seen = BTreeMap::<&str, usize>::new();
    for at in calls.few(many(2, 60), many(2, 60)) {
        scene.again();
        let pause = What::Pause(Duration::from_millis(1300));
        let cmd = scene.world.cmd(&["--json", "--deadline", "1s"]);
        let stopped = trace(cmd, Whose::Checkers, at, pause);
        let what = format!("stopped at {at}, {:?}", stopped.reached);
        // 66 where the look at the missions root was what took too long.
        stopped.run.code_in(&[0, 1, 2, 66]);
        scene.no_twins(&what);
        let begun = fs::metadata(&scene.marks).and_then(|meta| meta.modified());
        let came = match (begun, stopped.resumed) {
            // Its time begins when it has the lock, and with that its look at the cells.
            _ if !had_begun(&scene, stopped.stopped) => "stopped before its time began",
            (Ok(begun), Some(resumed)) => {
                assert!(begun < resumed, "{what}: begun afterwards: {}", stopped.run);
                "begun before"
            }
            (Err(_), Some(_)) => "not begun",
            (_, None) => "not stopped",
        };
        *seen.entry(came).or_default() += 1;
        for _ in 0..2 {
            scene.run().code(1);
        }
        scene.has_agents(1, &what);
        scene.is_sound(&what);
        scene.has_one_incident(&what);
    }
    show(format!("stopped: {seen:?}"));
}

/// True where the second run had told the journal of its beginning by then.
fn had_begun(scene: &Scene, stopped: Option<SystemTime>) -> bool {
    let events = journal(&scene.world);
    let started = events.iter().filter(|e| e["event"] == "run_started").nth(1);
    let at = |event: &Value| event["ts"].as_str().unwrap().parse::<jiff::Timestamp>();
    let at = started.map(|event| SystemTime::from(at(event).unwrap()));
    stopped.is_none_or(|stopped| at.is_some_and(|at| at <= stopped))
}

/// At random instants, with a predecessor that ignores TERM and must be ended first.
#[test]
fn killed_at_random_instants_with_a_predecessor_that_hangs() {
    if !ready() {
        return;
    }
    let mut scene = Scene::new(AGAIN, HANGS);
    let mut random = random();
    for round in 0..many(12, 500) {
        if round % 50 == 49 {
            // All that was recorded is read each time.
            scene.again();
        }
        scene.world.beat("b", 0);
        let (mut command, _) = scene.world.cmd(&["--json", "--force"]).command();
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random() as u64 % 250_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let what = format!("round {round}");
        for _ in 0..2 {
            let run = scene.run();
            run.code_in(&[1]);
            scene.has_agents(1, &format!("{what}: {run}"));
        }
        scene.is_sound(&what);
        scene.has_one_incident(&what);
        let started = count(&journal(&scene.world), "process_started");
        // One that is ended at once leaves no mark.
        assert!(scene.started().len() <= started, "{what}");
    }
    show(format!("random: {} rounds", many(12, 500)));
    scene.agents.end();
}
