//! The part of a run that acts: settles what an earlier run left open, and carries out what was
//! decided.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Judged, Request, look};
use crate::act::environment::Own;
use crate::act::leftovers::{Found, end_leftovers};
use crate::act::logs::{self, Logs};
use crate::act::perform::{AFTERMATH, AT_ONCE, Performed, Surroundings, perform};
use crate::act::signal::Kept;
use crate::model::action::{Action, AttemptResult, Done};
use crate::model::cell::{Code, Reason, Warning};
use crate::model::decision::{Decision, Verdict};
use crate::model::event::{Event, Kind};
use crate::model::exit::Exit;
use crate::model::state::{Attempt, State};
use crate::model::time::Timestamp;
use crate::report::Run;
use crate::store::StoreError;
use crate::store::state::Store;
use crate::sys::host;

/// How long what an interrupted attempt left running has between TERM and KILL.
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);

/// How long a run looks for logs that are too old.
const PRUNE_FOR: Duration = Duration::from_secs(2);

/// The attempts that were begun and of which no end is recorded: their run was killed.
fn interrupted(state: &State) -> Vec<(String, Attempt)> {
    let of = |(subject, memory): (&String, &crate::model::state::Memory)| {
        let open = memory.attempts.iter().filter(|a| a.result.is_none());
        open.map(|a| (subject.clone(), a.clone()))
            .collect::<Vec<_>>()
    };
    state.memory.iter().flat_map(of).collect()
}

/// The event and the warning by which an interrupted attempt is settled.
fn settlement(
    subject: &str,
    attempt: &Attempt,
    found: &[Found],
    left: &[Found],
    event: Event,
) -> (Event, Warning) {
    let of_it = |all: &[Found]| {
        let pids = all.iter().filter(|f| f.value == attempt.r#ref);
        let pids: Vec<String> = pids.map(|f| f.pid.to_string()).collect();
        pids.join(", ")
    };
    let mut message = format!(
        "attempt {} of plan {} began at {} and its run came to no end; {}: it counts as made, and is not made again",
        attempt.number,
        attempt.plan,
        attempt.at,
        match attempt.steps_over {
            0 => "whether its first step was carried out cannot be told".to_owned(),
            n => format!("{n} of its steps had come to their end"),
        }
    );
    if !of_it(found).is_empty() {
        message.push_str(&format!(
            "; what it had started was still running and was ended (pid {})",
            of_it(found)
        ));
    }
    if !of_it(left).is_empty() {
        message.push_str(&format!(
            "; what it had started is still running and could not be ended (pid {})",
            of_it(left)
        ));
    }
    let event = Event {
        event: Kind::AttemptFinished,
        subject: Some(subject.to_owned()),
        incident: Some(attempt.incident.clone()),
        plan: Some(attempt.plan.clone()),
        r#ref: Some(attempt.r#ref.clone()),
        attempt: Some(attempt.number),
        result: Some(AttemptResult::Interrupted.as_str().to_owned()),
        error: Some(message.clone()),
        ..event
    };
    (event, Warning::about("interrupted", subject, message))
}

/// Settles the attempts of runs that were killed, before anything is decided: what they left
/// running is ended, and they count as made.
pub(super) fn settle(store: &mut Store<'_>, run: &str) -> Result<Vec<Warning>, StoreError> {
    let open = interrupted(&store.state);
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let refs: Vec<String> = open.iter().map(|(_, a)| a.r#ref.clone()).collect();
    let found = end_leftovers(&refs, LEFTOVER_GRACE);
    let new = || Event::new(Kind::AttemptFinished, host::now(), run);
    let (mut events, warnings): (Vec<Event>, Vec<Warning>) = open
        .iter()
        .map(|(subject, a)| settlement(subject, a, &found.ended, &found.left, new()))
        .unzip();
    store.record(&mut events)?;
    store.sync()?;
    Ok(warnings)
}

/// The same in a state that nobody writes: what a real run would settle first. Nothing is ended.
pub(super) fn settle_in(state: &mut State, now: Timestamp) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (subject, attempt) in interrupted(state) {
        let new = Event::new(Kind::AttemptFinished, now, "");
        let (event, warning) = settlement(&subject, &attempt, &[], &[], new);
        let seq = state.applied + 1;
        crate::core::ledger::apply(state, &Event { seq, ..event });
        warnings.push(warning);
    }
    warnings
}

/// What was decided to be done, those longest down first: where there is not time for all, it is the
/// others who wait.
pub(super) fn due(judged: &Judged) -> Vec<Action> {
    let mut due: Vec<&Decision> = judged.decisions.list.iter().collect();
    due.sort_by_key(|decision| decision.down_since);
    let actions = due.into_iter().filter_map(|d| d.action.as_deref().cloned());
    actions.collect()
}

/// What a dry run has to say of it.
pub(super) fn would_do(judged: &mut Judged) {
    let mut would: Vec<Done> = due(judged).iter().map(Done::dry).collect();
    would.sort_by(|a, b| a.subject.cmp(&b.subject));
    judged.actions = would;
}

/// Carries out what was decided, and takes what came of it into the report.
pub(super) fn carry_out(
    request: &Request,
    store: &mut Store<'_>,
    about: &Run,
    judged: &mut Judged,
    deadline: Instant,
) -> Result<(), StoreError> {
    let actions = due(judged);
    let config = &request.config;
    // Not before there is a use for it: it reads the time zone.
    let logs = || Logs::new(config.logs_dir(), config.logs.max_bytes);
    if !actions.is_empty() && !request.no_act {
        let around = Surroundings {
            run: about.id.clone(),
            deadline: deadline
                .checked_sub(margin(request.deadline))
                .unwrap_or(deadline),
            aftermath: AFTERMATH,
            at_once: AT_ONCE,
            logs: logs(),
            own: Own::read(),
            look: Arc::new(look(config, &request.plans, None, &request.trust, deadline)),
            kept: Kept::nobody(),
            now: host::now,
        };
        let mut record = |mut events: Vec<Event>, durable: bool| {
            store.record(&mut events)?;
            if durable { store.sync() } else { Ok(()) }
        };
        let performed = perform(actions, &around, &mut record)?;
        take_in(judged, performed);
    }
    if is_another_day(&store.state, about.started_at) {
        let until = Instant::now() + PRUNE_FOR;
        if let Err(why) = logs::prune(&logs(), config.logs.keep, about.started_at, until) {
            judged.warnings.push(Warning::new("logs", why));
        }
    }
    Ok(())
}

/// What is kept of the deadline for ending what still runs, and for writing it all down.
fn margin(deadline: Duration) -> Duration {
    (AFTERMATH + Duration::from_secs(1)).min(deadline / 4)
}

/// True in the first run of a day, which looks after old logs.
fn is_another_day(state: &State, now: Timestamp) -> bool {
    let day = |t: Timestamp| t.as_micros().div_euclid(86_400_000_000);
    state
        .last_run
        .as_ref()
        .is_some_and(|last| day(last.at) != day(now))
}

fn take_in(judged: &mut Judged, performed: Performed) {
    let Performed {
        mut done,
        deferred,
        warnings,
    } = performed;
    for decision in &mut judged.decisions.list {
        if done.iter().any(|d| d.subject == decision.subject) {
            decision.attempts = decision.attempts.saturating_add(1);
        }
        if deferred.iter().any(|a| a.subject == decision.subject) {
            decision.verdict = Verdict::Deferred;
            decision.action = None;
            let message = "the run's deadline came before its turn";
            decision
                .because
                .push(Reason::new(Code::RestartsPerRun, message));
        }
    }
    if done.iter().any(|d| d.result != AttemptResult::Ok) {
        judged.exit = judged.exit.max(Exit::Critical);
    }
    done.sort_by(|a, b| a.subject.cmp(&b.subject));
    judged.actions = done;
    judged.warnings.extend(warnings);
}
