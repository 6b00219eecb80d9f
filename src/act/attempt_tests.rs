//! Attempts: their order, their events, and what happens when nothing can be recorded.

use std::cell::RefCell;
use std::time::Duration;

use super::leftovers;
use super::stage::{Stage, action, command, eventually, results, sh};
use crate::model::action::{Action, AttemptResult};
use crate::model::event::{Event, Kind};

use crate::model::time::Timestamp;
use crate::sys::host;

fn kinds(events: &[Event]) -> Vec<Kind> {
    events.iter().map(|e| e.event).collect()
}

#[test]
fn the_first_step_that_fails_ends_the_attempt() {
    let stage = Stage::new();
    let marker = stage.text("marker");
    let steps = [sh("exit 0"), sh("exit 7"), command(&["touch", &marker])];
    let mut due = action("c/a", steps);
    (due.canary, due.approved_by) = (true, Some("operator:ann".into()));
    let (performed, events) = stage.perform(vec![due.clone()]);
    let done = &performed.done[0];
    assert_eq!(done.result, AttemptResult::Failed);
    assert_eq!(results(done), ["ok", "failed", "skipped"]);
    assert!(!stage.path("marker").exists());
    let want = [
        Kind::Intent,
        Kind::Step,
        Kind::Step,
        Kind::Step,
        Kind::AttemptFinished,
    ];
    assert_eq!(kinds(&events), want);

    let intent = &events[0];
    assert_eq!(
        (intent.actor.as_str(), intent.run.as_str()),
        ("run", "run-1")
    );
    assert_eq!(intent.plan_hash.as_deref(), Some("abcd"));
    assert_eq!(
        (intent.verify_ms, intent.window_ms),
        (Some(120_000), Some(3_600_000))
    );
    assert!(intent.canary && intent.steps.len() == 3);
    assert_eq!(intent.steps[2].command, ["touch", &marker]);
    assert_eq!(intent.reason.as_deref(), Some("approved by operator:ann"));
    for event in &events {
        assert_eq!(event.subject.as_deref(), Some("c/a"));
        assert_eq!(event.incident.as_deref(), Some("i-1"));
        assert_eq!(event.plan.as_deref(), Some("restart"));
        assert_eq!(event.r#ref.as_ref(), Some(&due.r#ref));
        assert_eq!(event.attempt, Some(2));
    }
    let step = &events[2];
    assert_eq!((step.index, step.kind.as_deref()), (Some(1), Some("run")));
    assert_eq!(
        (step.result.as_deref(), step.exit_code),
        (Some("failed"), Some(7))
    );
    assert!(step.pid.is_some() && step.log.is_some() && step.duration_ms.is_some());
    assert_eq!(step.error.as_deref(), Some("/bin/sh: exit code 7"));
    assert_eq!(
        (events[3].index, events[3].result.as_deref()),
        (Some(2), Some("skipped"))
    );
    let last = &events[4];
    assert_eq!(last.result.as_deref(), Some("failed"));
    assert_eq!(
        last.error.as_deref(),
        Some("step 2 (run): /bin/sh: exit code 7")
    );
    // The steps of one attempt have one log.
    assert_eq!(events[1].log, events[2].log);
}

#[test]
fn the_intent_is_durable_before_anything_is_done() {
    let stage = Stage::new();
    let marker = stage.text("marker");
    let mut first = true;
    let due = vec![action("c/a", [command(&["touch", &marker])])];
    stage
        .perform_recording(due, &mut |events, durable| {
            if std::mem::take(&mut first) {
                assert_eq!((kinds(&events), durable), (vec![Kind::Intent], true));
                // Whoever went ahead would have all the time that it takes.
                std::thread::sleep(Duration::from_millis(100));
                assert!(!stage.path("marker").exists());
            }
            Ok::<(), ()>(())
        })
        .unwrap();
    assert!(stage.path("marker").exists());
}

#[test]
fn many_at_once_and_never_more_than_are_let() {
    let mut stage = Stage::new();
    stage.at_once = 8;
    // Each is there while it runs; none waits for another.
    let script = |n: usize| {
        let (mine, all) = (stage.text(&format!("running/{n}")), stage.text("running"));
        sh(&format!(
            "touch {mine}; ls {all} | wc -l; sleep 0.01; rm {mine}"
        ))
    };
    std::fs::create_dir(stage.path("running")).unwrap();
    let due: Vec<Action> = (0..100)
        .map(|n| action(&format!("c{}/a{n}", n % 7), [script(n), sh("true")]))
        .collect();
    let subjects: Vec<String> = due.iter().map(|a| a.subject.clone()).collect();
    let batches = RefCell::new(Vec::new());
    let (mut begun, mut finished) = (0, 0);
    let performed = stage
        .perform_recording(due, &mut |events, durable| {
            let count = |kind| events.iter().filter(|e| e.event == kind).count();
            if durable {
                batches.borrow_mut().push(count(Kind::Intent));
            }
            begun += count(Kind::Intent);
            finished += count(Kind::AttemptFinished);
            assert!(begun - finished <= 8);
            Ok::<(), ()>(())
        })
        .unwrap();
    assert_eq!((begun, finished), (100, 100));
    // Those that begin together are made durable together.
    assert_eq!(batches.borrow()[0], 8);
    let done: Vec<&String> = performed.done.iter().map(|d| &d.subject).collect();
    assert_eq!(done, subjects.iter().collect::<Vec<_>>());
    assert!(performed.done.iter().all(|d| d.result == AttemptResult::Ok));
    for done in &performed.done {
        let at_once: u32 = stage.printed(&done.steps[0]).trim().parse().unwrap();
        assert!((1..=8).contains(&at_once), "{at_once}");
    }
}

#[test]
fn for_what_there_is_no_time_nothing_is_recorded() {
    let mut stage = Stage::new();
    (stage.deadline, stage.at_once) = (Duration::from_secs(1), 1);
    let due = vec![
        action("c/a", [sh("sleep 100")]),
        action("c/b", [sh("true")]),
    ];
    let (performed, events) = stage.perform(due.clone());
    assert_eq!(results(&performed.done[0]), ["cut_off"]);
    assert_eq!(performed.done[0].result, AttemptResult::Failed);
    assert_eq!(performed.deferred, due[1..]);
    assert!(events.iter().all(|e| e.subject.as_deref() == Some("c/a")));
    stage.deadline = Duration::ZERO;
    let (performed, events) = stage.perform(due.clone());
    assert_eq!((performed.deferred, events), (due, Vec::new()));
}

/// The recording fails at its nth call: nothing is started afterwards, and nothing runs on.
#[test]
fn where_nothing_can_be_recorded_nothing_more_is_done() {
    for fail_at in 1..=5 {
        let mut stage = Stage::new();
        stage.at_once = 2;
        let marker = |name: &str| command(&["touch", &stage.text(name)]);
        let long = || {
            let mut long = sh("trap '' TERM; while :; do sleep 1; done");
            long.grace = Duration::from_millis(50);
            long
        };
        let due = vec![
            action("c/a", [marker("1"), marker("2"), marker("3")]),
            action("c/b", [long()]),
            action("c/c", [marker("never")]),
        ];
        let refs: Vec<String> = due.iter().map(|a| a.r#ref.clone()).collect();
        let mut calls = 0;
        let came = stage.perform_recording(due, &mut |_, _| {
            calls += 1;
            if calls >= fail_at { Err(calls) } else { Ok(()) }
        });
        // The intents, the three steps of the attempt that gets on, and its end.
        let Err(e) = came else {
            panic!("call {fail_at} was never made");
        };
        assert_eq!((e, calls), (fail_at, fail_at));
        let is = |name: &str| stage.path(name).exists();
        assert!(!is("never"));
        assert_eq!(
            (is("1"), is("2"), is("3")),
            (fail_at > 1, fail_at > 2, fail_at > 3)
        );
        eventually("a process is left", || leftovers(&refs).is_empty());
    }
}

#[test]
fn a_log_that_cannot_be_written_is_a_warning() {
    let stage = Stage::new();
    std::fs::write(stage.path("logs"), "").unwrap();
    let (performed, _) = stage.perform(vec![action("c/a", [sh("echo x"), sh("true")])]);
    assert_eq!(performed.done[0].result, AttemptResult::Ok);
    assert_eq!(performed.done[0].steps[0].log, None);
    let warning = &performed.warnings[0];
    assert_eq!(
        (warning.code, warning.subject.as_deref()),
        ("log", Some("c/a"))
    );
    assert!(
        warning.message.contains("Not a directory"),
        "{}",
        warning.message
    );
}

#[test]
fn a_defect_of_ours_harms_one_attempt_and_no_other() {
    thread_local! {
        static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
    }
    /// A clock that breaks once where a step has started its log.
    fn broken_once() -> Timestamp {
        let calls = CALLS.replace(CALLS.get() + 1);
        let here = std::thread::current().name() == Some("attempt");
        assert!(!here || calls != 1, "broken");
        host::now()
    }
    /// One that stays broken, where the end of an attempt is told.
    fn broken() -> Timestamp {
        let here = std::thread::current().name() == Some("attempt");
        assert!(!here, "broken");
        host::now()
    }
    let mut stage = Stage::new();
    stage.now = broken_once;
    let due = vec![
        action("c/a", [sh("echo x; sleep 100"), sh("true")]),
        action("c/b", []),
    ];
    let refs = [due[0].r#ref.clone()];
    let (performed, _) = stage.perform(due.clone());
    assert_eq!(results(&performed.done[0]), ["failed", "skipped"]);
    let error = performed.done[0].steps[0].error.as_ref().unwrap();
    assert!(error.contains("defect in lazarus-pit"), "{error}");
    assert_eq!(performed.done[1].result, AttemptResult::Ok);
    eventually("a process is left", || leftovers(&refs).is_empty());
    stage.now = broken;
    let (performed, events) = stage.perform(due);
    let done = performed.done.iter().map(|d| d.result);
    assert!(done.eq([AttemptResult::Interrupted; 2]));
    assert_eq!(results(&performed.done[0]), ["cut_off", "skipped"]);
    assert_eq!(kinds(&events), [Kind::Intent, Kind::Intent]);
}

#[test]
fn an_attempt_that_hangs_is_given_up_and_left_without_an_outcome() {
    /// A clock that never answers, as a disk or a user database may do.
    fn hangs() -> Timestamp {
        while std::thread::current().name() == Some("attempt") {
            std::thread::park();
        }
        host::now()
    }
    let mut stage = Stage::new();
    stage.now = hangs;
    (stage.deadline, stage.aftermath) = (Duration::from_secs(1), Duration::from_millis(100));
    let (performed, events) = stage.perform(vec![action("c/a", [sh("true"), sh("true")])]);
    let done = &performed.done[0];
    assert_eq!(done.result, AttemptResult::Interrupted);
    assert_eq!(results(done), ["cut_off", "skipped"]);
    assert!(
        done.steps[0]
            .error
            .as_ref()
            .unwrap()
            .contains("does not answer")
    );
    assert_eq!(kinds(&events), [Kind::Intent]);
}
