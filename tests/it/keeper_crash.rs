//! A keeper, killed at each of its calls in turn, with an agent that is over at once, one that works
//! on, and one whose work is done by a grandchild in a session of its own.
//!
//! What must hold: no two are ever at work at once, whatever they come from; nothing is carried out
//! twice under one attempt; no exit code is made up; and within a few runs one agent lives again.

use std::collections::BTreeMap;
use std::fs;

use lazarus_pit::model::process::{Entry, ProcessStatus};
use lazarus_pit::table::Table;
use nix::sys::signal::Signal;

use crate::doomed::{AGAIN, Scene, chosen, many, ready, show};
use crate::later::eventually;
use crate::tracer::{At, What, Whose};

/// What an agent ends with that ends by itself.
const CODE: i32 = 7;

/// After the runs that followed.
#[track_caller]
fn holds(scene: &Scene, sessions: usize, what: &str) {
    if sessions == 0 {
        scene.keepers_are_gone();
    } else {
        scene.has_agents(sessions, what);
        scene.has_one_incident(what);
    }
    scene.is_sound(what);
    let table = Table::open(&scene.world.state()).unwrap().unwrap();
    let found = table.entries().unwrap();
    assert!(found.problems.is_empty(), "{what}: {:?}", found.problems);
    for entry in &found.entries {
        assert!(is_true(entry), "{what}: made up: {entry:#?}");
    }
}

/// An end that somebody saw, or none.
fn is_true(entry: &Entry) -> bool {
    match entry.status {
        ProcessStatus::Exited => entry.exit_code == Some(CODE),
        // Only a run ends an agent here.
        ProcessStatus::Killed => matches!(entry.signal, Some(9 | 15)) && entry.exit_code.is_none(),
        _ => entry.exit_code.is_none() && entry.signal.is_none(),
    }
}

/// When all has been ended, somebody else can have the place.
#[track_caller]
fn is_free(scene: &Scene, what: &str) {
    scene.agents.end();
    let table = Table::open(&scene.world.state()).unwrap().unwrap();
    let slot = eventually(|| table.take("a/main").unwrap());
    drop(slot);
    assert!(scene.agents.living("a").is_empty(), "{what}");
}

/// An agent that does this, of which there are so many sessions in the end.
fn killed_at_any_call(kind: &str, body: &str, sessions: usize) {
    if !ready() {
        return;
    }
    let mut scene = Scene::new(AGAIN, body);
    let whole = scene.doom(Whose::Keepers, At::Start(0), What::Count);
    whole.run.code(1);
    assert!(whole.calls > 100, "a keeper does more: {}", whole.calls);
    let mut seen = BTreeMap::<String, usize>::new();
    let mut points = 0;
    for at in chosen(whole.calls, many(10, 10_000)) {
        scene.again();
        let kill = What::Send(Signal::SIGKILL);
        let doomed = scene.doom(Whose::Keepers, At::Start(at), kill);
        let what = format!("{kind}: keeper killed at call {at}, {:?}", doomed.reached);
        // Without an answer the step has failed, unless the table has the agent.
        doomed.run.code_in(&[1, 2]);
        scene.no_twins(&what);
        let first = statuses(&scene);
        for _ in 0..3 {
            scene.run().code_in(&[1]);
            scene.no_twins(&what);
        }
        holds(&scene, sessions, &what);
        is_free(&scene, &what);
        let came = format!("exit {}, {first}", doomed.run.exit());
        *seen.entry(came).or_default() += 1;
        points += 1;
    }
    let calls = whole.calls;
    show(format!("{kind}: {calls} calls, {points} points: {seen:?}"));
}

#[test]
fn a_keeper_is_killed_whose_agent_is_over_at_once() {
    killed_at_any_call("short", "exit 7", 0);
}

#[test]
fn a_keeper_is_killed_whose_agent_works_on() {
    killed_at_any_call("long", "exec sleep 1000", 1);
}

#[test]
fn a_keeper_is_killed_whose_agent_has_a_grandchild_in_another_session() {
    let body = "setsid sh -c \"sleep 1000 & exec sleep 1000\" & exec sleep 1000";
    killed_at_any_call("double-forking", body, 2);
}

/// The statuses in the table, as they were written.
fn statuses(scene: &Scene) -> String {
    let entries = fs::read_dir(scene.world.state().join("procs"));
    let paths = entries.into_iter().flatten().map(|e| e.unwrap().path());
    let texts = paths.filter(|path| path.extension().is_some_and(|ext| ext == "json"));
    let texts = texts.filter_map(|path| fs::read_to_string(path).ok());
    let entries = texts.filter_map(|text| serde_json::from_str::<Entry>(&text).ok());
    let all: Vec<&str> = entries.map(|entry| entry.status.as_str()).collect();
    match all.is_empty() {
        true => "nothing written".to_owned(),
        false => format!("written {}", all.join(", ")),
    }
}
