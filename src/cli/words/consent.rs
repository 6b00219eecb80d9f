//! `approve` and `deny`: the shell is always a channel.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Order, event, some_time};
use crate::cli::Ending;
use crate::cli::args::Common;
use crate::cli::setup::Setup;
use crate::cli::subject::{covers, missing, trimmed};
use crate::model::event::{Event, Kind};
use crate::model::exit::Failure;
use crate::model::state::{AnswerKind, Approval, State};
use crate::model::text::{shortened, visible};
use crate::model::time::Timestamp;
use crate::report::human::moment;

/// Agrees to what is asked about a subject.
pub(in crate::cli) fn approve(
    common: &Common,
    setup: &Setup,
    subject: &str,
) -> Result<Ending, Failure> {
    let wanted = trimmed(subject);
    let order = Order::new(common, setup, "approve");
    let told = |e: &Event| {
        format!(
            "{}: {} agreed to attempt {} of incident {} under plan {}.",
            e.subject.as_deref().unwrap_or_default(),
            e.actor,
            e.attempt.unwrap_or(1),
            e.incident.as_deref().unwrap_or_default(),
            e.plan.as_deref().unwrap_or_default(),
        )
    };
    let choose = |state: &State, now| {
        let asked = pending(state, wanted, now)?;
        Ok(asked
            .iter()
            .map(|(s, a)| answer(Kind::Approved, s, a))
            .collect())
    };
    let then = "The next run acts on it, unless the plan has been changed or something else speaks against it by then.";
    order.carry_out(choose, told, then)
}

/// Refuses what is asked about a subject.
pub(in crate::cli) fn deny(
    common: &Common,
    setup: &Setup,
    subject: &str,
    within: Option<Duration>,
) -> Result<Ending, Failure> {
    let wanted = trimmed(subject);
    some_time(within)?;
    let order = Order::new(common, setup, "deny");
    let told = |e: &Event| {
        let until = e.until.map_or_else(String::new, moment);
        format!(
            "{}: {} refused attempt {} of incident {}; it is not asked again before {until}.",
            e.subject.as_deref().unwrap_or_default(),
            e.actor,
            e.attempt.unwrap_or(1),
            e.incident.as_deref().unwrap_or_default(),
        )
    };
    let choose = |state: &State, now: Timestamp| {
        let asked = pending(state, wanted, now)?;
        let denied = |(subject, approval): &(&str, &Approval)| {
            let again = Duration::from_millis(approval.ask_again_ms);
            Event {
                until: Some(now.plus(within.unwrap_or(again))),
                ..answer(Kind::Denied, subject, approval)
            }
        };
        Ok(asked.iter().map(denied).collect())
    };
    order.carry_out(choose, told, "Until then it is not revived.")
}

/// An answer to a question: it names the question, so that it is none to another one.
fn answer(kind: Kind, subject: &str, asked: &Approval) -> Event {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Event {
        incident: Some(asked.incident.clone()),
        attempt: Some(asked.attempt),
        plan: some(&asked.plan),
        plan_hash: some(&asked.plan_hash),
        code: some(&asked.code),
        ..event(kind, subject)
    }
}

/// The questions about a subject that can still be answered.
fn pending<'a>(
    state: &'a State,
    wanted: &str,
    now: Timestamp,
) -> Result<Vec<(&'a str, &'a Approval)>, Failure> {
    let all = || {
        let memory = state.memory.iter();
        memory.filter_map(|(name, m)| Some((name.as_str(), m.approval.as_ref()?)))
    };
    let open = |asked: &Approval| asked.answer.is_none() && now < asked.expires_at;
    let of_it = || all().filter(|(name, _)| covers(wanted, name));
    let found: Vec<_> = of_it().filter(|(_, asked)| open(asked)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let mut text = format!("no question about {wanted} is pending");
    if let Some((name, asked)) = of_it().next() {
        let _ = write!(text, ": {}", settled(name, asked));
    }
    let others: Vec<&str> = all()
        .filter(|(_, a)| open(a))
        .map(|(name, _)| name)
        .collect();
    let _ = match others.is_empty() {
        true => write!(
            text,
            " (`lazarus-pit explain {wanted}` says what it waits for)"
        ),
        false => write!(
            text,
            "; pending are: {}",
            shortened(&visible(&others.join(", ")), 200)
        ),
    };
    Err(missing(text))
}

/// Why a question can no longer be answered.
fn settled(name: &str, asked: &Approval) -> String {
    let again = Duration::from_millis(asked.ask_again_ms);
    let expired = || {
        format!(
            "that about attempt {} of {name} expired at {}; it is asked again at {}",
            asked.attempt,
            moment(asked.expires_at),
            moment(asked.expires_at.plus(again)),
        )
    };
    match &asked.answer {
        Some(answer) if answer.kind == AnswerKind::Approved => format!(
            "{} agreed to attempt {} of {name} at {} (`lazarus-pit pause {name} --reason …` takes it back)",
            answer.by,
            asked.attempt,
            moment(answer.at),
        ),
        Some(answer) if answer.kind == AnswerKind::Denied => format!(
            "{} refused attempt {} of {name} at {}; it is asked again at {}",
            answer.by,
            asked.attempt,
            moment(answer.at),
            moment(answer.until.unwrap_or_else(|| answer.at.plus(again))),
        ),
        _ => expired(),
    }
}
