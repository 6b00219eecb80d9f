//! A run that starts an agent, killed at each of its calls in turn, at random instants and with a
//! predecessor that hangs, told to end, or stopped for longer than it has: two runs later there is one
//! agent, one counted attempt and one incident.
//!
//! The method: the calls of a run are counted in all of its threads; then the run is made again for
//! each of them, with SIGKILL in the place of that call. The checker alone is killed; what it has
//! started goes on. What must hold afterwards is in [`Scene::settles`].

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::doomed::{AGAIN, ONCE, Scene, chosen, count, many, random, show};
use crate::store::{journal, state_is_the_journal};
use crate::tracer::{What, Whose, allowed};

/// An agent that works until it is ended.
const WORKS: &str = "exec sleep 1000";

/// One that does not hear of TERM.
const HANGS: &str = "trap \"\" TERM; while :; do sleep 1000 & wait; done";

const KILL: What = What::Send(Signal::SIGKILL);

/// How many calls a run makes, and after how many it begins to start its keeper.
fn calls(scene: &Scene) -> (usize, usize) {
    let whole = scene.doom(Whose::Checkers, 0, What::Count);
    whole.run.code(1);
    assert!(whole.calls > 300, "a run does more: {}", whole.calls);
    assert!((1..whole.calls).contains(&whole.forked), "no keeper");
    (whole.calls, whole.forked)
}

#[test]
fn killed_at_any_call_a_run_leaves_one_agent_one_attempt_one_incident() {
    if !allowed() {
        return;
    }
    let mut scene = Scene::new(ONCE, WORKS);
    let (calls, forked) = calls(&scene);
    // Few on the way, most around the start of the agent.
    let near = forked.saturating_sub(60)..calls + 1;
    let mut points = chosen(1..calls + 1, 10);
    points.extend(chosen(near, 24));
    points.sort_unstable();
    points.dedup();
    let mut seen = BTreeMap::<&str, usize>::new();
    for at in &points {
        scene.again();
        let doomed = scene.doom(Whose::Checkers, *at, KILL);
        let what = format!("killed at call {at} of {calls}, {:?}", doomed.reached);
        // The number of calls differs a little from run to run: the last are not always reached.
        let reached = doomed.reached.is_some();
        assert_eq!(doomed.run.signal().is_some(), reached, "{what}");
        let came = match scene.settles(&what) {
            "made" if !reached => "not reached",
            came => came,
        };
        *seen.entry(came).or_default() += 1;
    }
    show(format!("{calls} calls, {} points: {seen:?}", points.len()));
    if points.len() > 1 {
        for came in ["made", "made later", "adopted"] {
            assert!(seen.get(came).is_some_and(|n| *n > 0), "{came}: {seen:?}");
        }
    }
}

/// The run that finds what was left is killed too.
#[test]
fn killed_and_killed_again_in_the_recovery() {
    if !allowed() {
        return;
    }
    let mut scene = Scene::new(ONCE, WORKS);
    let (calls, forked) = calls(&scene);
    let mut random = random();
    let mut seen = BTreeMap::<&str, usize>::new();
    for _ in 0..many(12, 500) {
        scene.again();
        let from = forked.saturating_sub(80);
        let first = from + random() % (calls - from);
        let second = 1 + random() % calls;
        scene.doom(Whose::Checkers, first, KILL);
        scene.doom(Whose::Checkers, second, KILL);
        let came = scene.settles(&format!("killed at call {first}, then at {second}"));
        *seen.entry(came).or_default() += 1;
    }
    show(format!("pairs: {seen:?}"));
}

/// A run that is told to end ends by that signal, and it is as if it had been killed.
#[test]
fn told_to_end_at_any_call_a_run_leaves_one_agent() {
    if !allowed() {
        return;
    }
    let mut scene = Scene::new(ONCE, WORKS);
    let (calls, forked) = calls(&scene);
    let mut seen = BTreeMap::<String, usize>::new();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let from = forked.saturating_sub(60);
        let every = (calls - from).div_ceil(many(3, 100));
        for at in (from + signal as usize % every..calls).step_by(every) {
            scene.again();
            let told = scene.doom(Whose::Checkers, at, What::Send(signal));
            let what = format!("{signal} at call {at} of {calls}, {:?}", told.reached);
            let ended = told.run.signal();
            if told.reached.is_some() && ended.is_some() {
                assert_eq!(ended, Some(signal as i32), "{what}: {}", told.run);
            } else {
                // It was done by then.
                told.run.code(1);
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
    if !allowed() {
        return;
    }
    let mut scene = Scene::new(AGAIN, WORKS);
    let (calls, forked) = calls(&scene);
    let from = forked.saturating_sub(100);
    let mut seen = BTreeMap::<&str, usize>::new();
    let every = (calls - from).div_ceil(many(4, 40));
    for at in (from..calls).step_by(every) {
        scene.again();
        let pause = What::Pause(Duration::from_millis(1300));
        let cmd = scene.world.cmd(&["--json", "--deadline", "1s"]);
        let stopped = crate::tracer::trace(cmd, Whose::Checkers, at, pause);
        let what = format!("stopped at call {at} of {calls}, {:?}", stopped.reached);
        stopped.run.code_in(&[0, 1, 2]);
        scene.no_twins(&what);
        let begun = fs::metadata(&scene.marks).and_then(|meta| meta.modified());
        let came = match (begun, stopped.resumed) {
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
        let agents = scene.agents.living("a");
        assert_eq!(agents.len(), 1, "{what}: {:#?}", journal(&scene.world));
        scene.no_twins(&what);
        let events = journal(&scene.world);
        let (begun, over) = (count(&events, "intent"), count(&events, "attempt_finished"));
        assert_eq!(begun, over, "{what}");
        assert_eq!(count(&events, "incident_opened"), 1, "{what}");
        state_is_the_journal(&scene.world);
    }
    show(format!("stopped: {seen:?}"));
}

/// At random instants, with a predecessor that ignores TERM and must be ended first.
#[test]
fn killed_at_random_instants_with_a_predecessor_that_hangs() {
    let scene = Scene::new(AGAIN, HANGS);
    let mut random = random();
    for round in 0..many(12, 500) {
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
            let agents = leaders(&scene.agents.living("a"));
            assert_eq!(agents.len(), 1, "{what}: agents {agents:?}\n{run}");
        }
        let events = journal(&scene.world);
        let opened = count(&events, "incident_opened");
        assert_eq!(opened, 1, "{what}: {events:#?}");
        let (begun, over) = (count(&events, "intent"), count(&events, "attempt_finished"));
        assert_eq!(begun, over, "{what}");
        let started = count(&events, "process_started");
        assert_eq!(scene.started().len(), started, "{what}");
        scene.no_twins(&what);
        state_is_the_journal(&scene.world);
    }
    show(format!("random: {} agents, one after the other", scene.started().len()));
    scene.agents.end();
}

/// Those that lead a session of their own: the agents, without what they have started.
pub(crate) fn leaders(pids: &[i32]) -> Vec<i32> {
    let leads = |pid: &&i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit(") ").next().unwrap_or_default();
        after.split(' ').nth(3) == Some(&pid.to_string())
    };
    pids.iter().filter(leads).copied().collect()
}
