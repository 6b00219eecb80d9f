//! Waiting for a subject: what counts as healthy, and until when.

use std::time::{Duration, Instant};

use serde_json::json;

use super::stage::{LONG, Stage, action};
use crate::model::action::{StepDone, StepResult};
use crate::model::step::{Step, Wait};
use crate::observe::Watched;
use crate::sys::host;

fn within(within: Duration) -> Step {
    Step::Wait(Wait { within })
}

fn beat(stage: &Stage, age: f64) {
    let timestamp = host::now().as_f64() - age;
    // As agents do it: never half of one.
    let path = stage.path("beat");
    std::fs::write(&path, json!({"timestamp": timestamp}).to_string()).unwrap();
    std::fs::rename(path, stage.path("missions/c/heartbeat.json")).unwrap();
}

#[track_caller]
fn ended(done: &StepDone, result: StepResult, why: &str) {
    assert_eq!(done.result, result, "{done:?}");
    let error = done.error.as_deref().unwrap();
    assert!(error.contains(why), "{error}");
}

#[test]
fn a_beat_from_after_the_step_began_is_waited_for() {
    let stage = Stage::new();
    stage.beat(&json!({"timestamp": 0}));
    let done = std::thread::scope(|s| {
        let waiting = s.spawn(|| stage.step(within(LONG)));
        // Again and again, as an agent that is alive.
        while !waiting.is_finished() {
            beat(&stage, 0.0);
            std::thread::sleep(Duration::from_millis(10));
        }
        waiting.join().unwrap()
    });
    assert_eq!((done.error, done.result), (None, StepResult::Ok));
}

#[test]
fn a_beat_from_before_does_not_count_and_its_time_runs_out() {
    let stage = Stage::new();
    stage.beat(&json!({"timestamp": 0}));
    let short = Duration::from_millis(200);
    beat(&stage, 1.0);
    let done = stage.step(within(short));
    ended(&done, StepResult::TimedOut, "is from before this step");
    ended(&done, StepResult::TimedOut, "within 200ms");
    beat(&stage, 900.0);
    ended(
        &stage.step(within(short)),
        StepResult::TimedOut,
        "900 s ago",
    );
    std::fs::remove_file(stage.path("missions/c/heartbeat.json")).unwrap();
    ended(
        &stage.step(within(short)),
        StepResult::TimedOut,
        "never beat",
    );
    std::fs::remove_dir(stage.path("missions/c")).unwrap();
    let done = stage.step(within(short));
    ended(&done, StepResult::TimedOut, "there is no cell c any more");
}

#[test]
fn the_deadline_comes_first() {
    let mut stage = Stage::new();
    stage.deadline = Duration::from_millis(500);
    stage.beat(&json!({"timestamp": 0}));
    let began = Instant::now();
    let done = stage.step(within(Duration::MAX));
    ended(&done, StepResult::CutOff, "the run's deadline came first");
    ended(&done, StepResult::CutOff, "c/main was not healthy");
    assert!(began.elapsed() < LONG / 4);
}

/// What is waited for ends at once where nothing can be recorded any more.
#[test]
fn it_stops_when_it_is_told_to() {
    let stage = Stage::new();
    stage.beat(&json!({"timestamp": 0}));
    let due = |step| crate::model::action::Action {
        steps: vec![step],
        ..action("c/main", [])
    };
    let quick = within(Duration::from_millis(50));
    let began = Instant::now();
    let came = stage.perform_recording(vec![due(within(LONG)), due(quick)], &mut |_, durable| {
        if durable { Ok(()) } else { Err("full") }
    });
    assert_eq!(came.err(), Some("full"));
    assert!(began.elapsed() < LONG / 4, "{:?}", began.elapsed());
}

#[test]
fn a_gateway_is_waited_for_too() {
    let mut stage = Stage::new();
    let path = stage.path("gateway.json");
    stage.gateways = vec![Watched {
        name: "timmy".into(),
        heartbeat: Some(path.clone()),
        stale_after: None,
    }];
    let wait = |limit| {
        let mut due = action("gateway:timmy/timmy", []);
        (due.subject, due.place.cell) = ("gateway:timmy".into(), None);
        due.steps = vec![within(limit)];
        let (mut performed, _) = stage.perform(vec![due]);
        performed.done.remove(0).steps.remove(0)
    };
    let done = wait(Duration::from_millis(100));
    ended(&done, StepResult::TimedOut, "never beat");
    let done = std::thread::scope(|s| {
        let waiting = s.spawn(|| wait(LONG));
        while !waiting.is_finished() {
            let now = host::now().as_f64();
            let new = stage.path("new");
            std::fs::write(&new, json!({"timestamp": now}).to_string()).unwrap();
            std::fs::rename(&new, &path).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        waiting.join().unwrap()
    });
    assert_eq!((done.error, done.result), (None, StepResult::Ok));
}
