//! One attempt: its steps one after the other, and the events that say how far it is.

use std::time::Instant;

use super::perform::Surroundings;
use super::run::{self, Scene};
use super::{http, signal, spawn, wait};
use crate::model::action::{Action, AttemptResult, Done, StepDone, StepResult};
use crate::model::event::{Event, Kind, PlannedStep};
use crate::model::step::Step;
use crate::model::time::millis;

/// What must be durable before the first step.
pub(super) fn intent(action: &Action, around: &Surroundings) -> Event {
    let planned = |step: &Step| PlannedStep {
        kind: step.kind().to_owned(),
        command: step.command().map(<[String]>::to_vec).unwrap_or_default(),
    };
    Event {
        reason: action
            .approved_by
            .as_ref()
            .map(|who| format!("approved by {who}")),
        plan_hash: Some(action.plan_hash.clone()),
        steps: action.steps.iter().map(planned).collect(),
        verify_ms: Some(millis(action.verify_within)),
        window_ms: Some(millis(action.window)),
        canary: action.canary,
        ..event(Kind::Intent, action, around)
    }
}

fn event(kind: Kind, action: &Action, around: &Surroundings) -> Event {
    Event {
        actor: around.actor.clone(),
        subject: Some(action.subject.clone()),
        incident: Some(action.incident.clone()),
        plan: Some(action.plan.clone()),
        r#ref: Some(action.r#ref.clone()),
        attempt: Some(action.attempt),
        ..Event::new(kind, (around.now)(), &around.run)
    }
}

fn step_event(index: usize, done: &StepDone, action: &Action, around: &Surroundings) -> Event {
    Event {
        index: u32::try_from(index).ok(),
        kind: Some(done.kind.to_owned()),
        result: Some(done.result.as_str().to_owned()),
        duration_ms: done.duration_ms,
        exit_code: done.exit_code,
        pid: done.pid,
        log: done.log.clone(),
        error: done.error.clone(),
        ..event(Kind::Step, action, around)
    }
}

fn started(done: &StepDone, action: &Action, around: &Surroundings) -> Event {
    Event {
        pid: done.pid,
        log: done.log.clone(),
        ..event(Kind::ProcessStarted, action, around)
    }
}

/// Carries out the steps until one fails or `tell` says that no more is to be done, and gathers
/// in `done` what came of each.
pub(super) fn carry_out(
    scene: &mut Scene<'_>,
    done: &mut Vec<StepDone>,
    tell: &mut dyn FnMut(Vec<Event>, &StepDone) -> bool,
) {
    let (action, around) = (scene.action, scene.around);
    for (index, step) in action.steps.iter().enumerate() {
        let began = Instant::now();
        let mut came = carry_out_step(step, scene);
        came.duration_ms = Some(millis(began.elapsed()));
        let mut events = Vec::new();
        if came.started {
            events.push(started(&came, action, around));
        }
        events.push(step_event(index, &came, action, around));
        let failed = came.result != StepResult::Ok;
        let told = tell(events, &came);
        done.push(came);
        if !told || failed {
            return;
        }
    }
}

/// The one place that knows how each kind of step is carried out.
fn carry_out_step(step: &Step, scene: &mut Scene<'_>) -> StepDone {
    if scene.is_stopped() || Instant::now() >= scene.around.deadline {
        return StepDone {
            error: Some(run::TOO_LATE.to_owned()),
            ..StepDone::new(step, StepResult::CutOff)
        };
    }
    match step {
        Step::Run(run) => run::run(step, run, scene),
        Step::Spawn(spawn) => spawn::spawn(step, spawn, scene),
        Step::Signal(signal) => signal::signal(step, signal, scene),
        Step::Http(http) => http::http(step, http, scene),
        Step::Wait(wait) => wait::wait(step, wait, scene),
    }
}

/// Closes an attempt: what was not reached is skipped. `defect` is where we ourselves failed in
/// the middle of a step, if we did.
pub(super) fn close(
    action: &Action,
    around: &Surroundings,
    mut steps: Vec<StepDone>,
    defect: Option<String>,
) -> (Vec<Event>, Done) {
    let mut events = Vec::new();
    let told = steps.len();
    if let Some(place) = defect {
        stop_at(action, &mut steps, StepResult::Failed, of_defect(&place));
    }
    skip_rest(action, &mut steps);
    for (index, done) in steps.iter().enumerate().skip(told) {
        events.push(step_event(index, done, action, around));
    }
    let failed = |done: &&StepDone| done.result != StepResult::Ok;
    let error = steps.iter().enumerate().find(|(_, done)| failed(done));
    let error = error.map(|(index, done)| {
        let why = done.error.as_deref().unwrap_or(done.result.as_str());
        format!("step {} ({}): {why}", index + 1, done.kind)
    });
    let result = match error {
        None => AttemptResult::Ok,
        Some(_) => AttemptResult::Failed,
    };
    events.push(Event {
        result: Some(result.as_str().to_owned()),
        error,
        ..event(Kind::AttemptFinished, action, around)
    });
    let done = Done {
        subject: action.subject.clone(),
        attempt: action.attempt,
        r#ref: action.r#ref.clone(),
        result,
        steps,
    };
    (events, done)
}

/// What is known of an attempt that came to no end.
pub(super) fn interrupted(action: &Action, mut steps: Vec<StepDone>, why: String) -> Done {
    stop_at(action, &mut steps, StepResult::CutOff, why);
    skip_rest(action, &mut steps);
    Done {
        subject: action.subject.clone(),
        attempt: action.attempt,
        r#ref: action.r#ref.clone(),
        result: AttemptResult::Interrupted,
        steps,
    }
}

/// How a defect of ours is told.
pub(super) fn of_defect(place: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("it met a defect in lazarus-pit {version} {place}")
}

/// The step that was being carried out ends like this.
fn stop_at(action: &Action, steps: &mut Vec<StepDone>, result: StepResult, why: String) {
    if let Some(step) = action.steps.get(steps.len()) {
        steps.push(StepDone {
            error: Some(why),
            ..StepDone::new(step, result)
        });
    }
}

fn skip_rest(action: &Action, steps: &mut Vec<StepDone>) {
    let reached = steps.len();
    let skipped = |step| StepDone::new(step, StepResult::Skipped);
    steps.extend(action.steps.iter().skip(reached).map(skipped));
}
