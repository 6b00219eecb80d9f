//! `pause`, `resume` and `reset`.

use std::time::Duration;

use super::{Order, event, some_time};
use crate::cli::Ending;
use crate::cli::args::Common;
use crate::cli::setup::Setup;
use crate::cli::subject::{covers, look_at, missing, names, trimmed};
use crate::core::decide::cell_of;
use crate::model::condition::Condition;
use crate::model::event::{Event, Kind};
use crate::model::exit::{Exit, Failure};
use crate::model::state::State;
use crate::model::text::visible;
use crate::model::time::{Timestamp, human};
use crate::report::human::moment;
use crate::sys::host;

/// A reason is a sentence, and stands in the state for as long as the pause.
const LONGEST_REASON: usize = 500;

/// Takes a subject out of revival.
pub(in crate::cli) fn pause(
    common: &Common,
    setup: &Setup,
    subject: &str,
    reason: &str,
    within: Option<Duration>,
) -> Result<Ending, Failure> {
    let wanted = trimmed(subject);
    some_time(within)?;
    if reason.trim().is_empty() || reason.chars().count() > LONGEST_REASON {
        let message = format!("--reason must say why, in at most {LONGEST_REASON} characters");
        return Err(Failure::new(Exit::Usage, message));
    }
    let order = Order::new(common, setup, "pause");
    // Looked at before the lock is taken: a disk that hangs must not keep the runs waiting.
    let there = look_at(&setup.look(None), wanted, host::now())
        .and_then(|snapshot| names(&snapshot, wanted).map_err(missing));
    let told = |e: &Event| {
        let until = e.until.map_or_else(
            || "until it is resumed".to_owned(),
            |until| format!("until {}", moment(until)),
        );
        let subject = e.subject.as_deref().unwrap_or_default();
        let reason = e.reason.as_deref().unwrap_or_default();
        format!("{subject}: {} paused it {until}: {reason}", e.actor)
    };
    let choose = |state: &State, now: Timestamp| {
        let meant = match there {
            Ok(names) => names,
            Err(failure) => remembered(state, wanted).ok_or(failure)?,
        };
        let paused = |name: String| Event {
            reason: Some(reason.to_owned()),
            until: within.map(|within| now.plus(within)),
            ..event(Kind::Paused, &name)
        };
        Ok(meant.into_iter().map(paused).collect())
    };
    let then = format!(
        "No run brings it back before; `lazarus-pit resume {}` ends that.",
        visible(wanted)
    );
    order.carry_out(choose, told, &then)
}

/// The subjects of that name that the state knows, though there may be none in the world.
pub(in crate::cli) fn remembered(state: &State, wanted: &str) -> Option<Vec<String>> {
    let known = state.subjects.keys().chain(state.memory.keys());
    let mut names: Vec<String> = known.filter(|n| covers(wanted, n)).cloned().collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then_some(names)
}

/// Gives a subject back to revival.
pub(in crate::cli) fn resume(
    common: &Common,
    setup: &Setup,
    subject: &str,
) -> Result<Ending, Failure> {
    let wanted = trimmed(subject);
    let order = Order::new(common, setup, "resume");
    let told = |e: &Event| {
        let subject = e.subject.as_deref().unwrap_or_default();
        format!("{subject}: {} resumed it.", e.actor)
    };
    let choose = |state: &State, now: Timestamp| {
        let meant = remembered(state, wanted).unwrap_or_default();
        let held = |name: &String| is_paused(state, name, now) || has_ended(state, name);
        let events: Vec<Event> = meant
            .iter()
            .filter(|name| held(name))
            .map(|name| event(Kind::Resumed, name))
            .collect();
        if events.is_empty() {
            return Err(missing(nothing_to_resume(state, wanted, now)));
        }
        Ok(events)
    };
    order.carry_out(
        choose,
        told,
        "The next run decides about it by its plan again.",
    )
}

fn is_paused(state: &State, name: &str, now: Timestamp) -> bool {
    let pause = state.memory.get(name).and_then(|m| m.pause.as_ref());
    pause.is_some_and(|pause| pause.until.is_none_or(|until| now < until))
}

/// True where its process has ended, which its plan may call hopeless.
fn has_ended(state: &State, name: &str) -> bool {
    let known = state.subjects.get(name);
    known.is_some_and(|known| known.status == Condition::Exited)
}

fn nothing_to_resume(state: &State, wanted: &str, now: Timestamp) -> String {
    let cell = cell_of(wanted);
    if cell != wanted && is_paused(state, cell, now) {
        return format!(
            "{wanted} itself is not paused, its whole cell is: lazarus-pit resume {cell}"
        );
    }
    let pause = state.memory.get(wanted).and_then(|m| m.pause.as_ref());
    if let Some(until) = pause.and_then(|pause| pause.until) {
        return format!("the pause of {wanted} ended by itself at {}", moment(until));
    }
    format!("{wanted} is not paused, and no process of it has ended: there is nothing to resume")
}

/// Forgets a subject's attempts, refusals and hopelessness.
pub(in crate::cli) fn reset(
    common: &Common,
    setup: &Setup,
    subject: &str,
) -> Result<Ending, Failure> {
    let wanted = trimmed(subject);
    let order = Order::new(common, setup, "reset");
    let told = |e: &Event| {
        format!(
            "{}: {} had it forgotten: {}.",
            e.subject.as_deref().unwrap_or_default(),
            e.actor,
            e.message.as_deref().unwrap_or_default(),
        )
    };
    let choose = |state: &State, now: Timestamp| {
        let meant = remembered(state, wanted).unwrap_or_default();
        // What a killed run began may still run, and it is by the attempt that the next one finds
        // it: forgotten, it would be started a second time beside it.
        if let Some(name) = meant.iter().find(|name| is_unsettled(state, name)) {
            return Err(missing(format!(
                "the run that made the last attempt for {name} came to no end, and what it started may still run: the next run settles that, then it can be forgotten"
            )));
        }
        let forgotten = |name: &String| {
            let message = to_forget(state, name, now)?;
            Some(Event {
                message: Some(message),
                ..event(Kind::Reset, name)
            })
        };
        let events: Vec<Event> = meant.iter().filter_map(forgotten).collect();
        if events.is_empty() {
            let message = format!(
                "nothing is remembered of {wanted} that could be forgotten: no attempt, no question, no ended process"
            );
            return Err(missing(message));
        }
        Ok(events)
    };
    order.carry_out(
        choose,
        told,
        "The next run decides as if none of that had been.",
    )
}

/// True where an attempt was begun and no end of it is recorded.
fn is_unsettled(state: &State, name: &str) -> bool {
    let memory = state.memory.get(name);
    memory.is_some_and(|memory| memory.attempts.iter().any(|a| a.result.is_none()))
}

/// What there is to forget of a subject, in words; a pause is not among it.
fn to_forget(state: &State, name: &str, now: Timestamp) -> Option<String> {
    let mut words = Vec::new();
    if let Some(memory) = state.memory.get(name) {
        match memory.attempts.as_slice() {
            [] => {}
            [only] => words.push(format!("1 attempt, {} ago", human(now.since(only.at)))),
            [.., last] => words.push(format!(
                "{} attempts, the last {} ago",
                memory.attempts.len(),
                human(now.since(last.at))
            )),
        }
        if let Some(asked) = &memory.approval {
            words.push(format!("the question about attempt {}", asked.attempt));
        }
    }
    if has_ended(state, name) {
        words.push("how its process ended".to_owned());
    }
    (!words.is_empty()).then(|| words.join(", "))
}
