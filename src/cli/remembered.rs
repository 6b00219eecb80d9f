//! What the state has of a subject beside its condition, as documents and as sentences: attempts,
//! the question to a human, the pause. `status` and `explain` say it alike.

use serde::Serialize;

use crate::model::action::AttemptResult;
use crate::model::state::{AnswerKind, Approval, Attempt, Memory, Pause};
use crate::model::time::{Timestamp, human};
use crate::report::human::moment;

/// One attempt.
#[derive(Serialize)]
pub(super) struct AttemptDocument<'a> {
    number: u32,
    incident: &'a str,
    plan: &'a str,
    at: Timestamp,
    ended: Option<Timestamp>,
    result: Option<AttemptResult>,
    verify_until: Option<Timestamp>,
    canary: bool,
}

impl<'a> AttemptDocument<'a> {
    /// Of what is remembered.
    pub(super) fn of(attempt: &'a Attempt) -> Self {
        Self {
            number: attempt.number,
            incident: &attempt.incident,
            plan: &attempt.plan,
            at: attempt.at,
            ended: attempt.ended,
            result: attempt.result,
            verify_until: attempt.verify_until,
            canary: attempt.canary,
        }
    }
}

/// The question to a human. Its code is for the channels, and for nobody who only looks.
#[derive(Serialize)]
pub(super) struct ApprovalDocument<'a> {
    incident: &'a str,
    attempt: u32,
    plan: &'a str,
    asked_at: Timestamp,
    expires_at: Timestamp,
    pending: bool,
    /// Where it was put, beside the shell.
    channels: &'a [String],
    answer: Option<AnswerDocument<'a>>,
}

#[derive(Serialize)]
struct AnswerDocument<'a> {
    kind: AnswerKind,
    by: &'a str,
    at: Timestamp,
    until: Option<Timestamp>,
}

impl<'a> ApprovalDocument<'a> {
    /// Of what is remembered.
    pub(super) fn of(asked: &'a Approval, now: Timestamp) -> Self {
        Self {
            incident: &asked.incident,
            attempt: asked.attempt,
            plan: &asked.plan,
            asked_at: asked.asked_at,
            expires_at: asked.expires_at,
            pending: asked.answer.is_none() && now < asked.expires_at,
            channels: &asked.channels,
            answer: asked.answer.as_ref().map(|answer| AnswerDocument {
                kind: answer.kind,
                by: &answer.by,
                at: answer.at,
                until: answer.until,
            }),
        }
    }
}

/// An attempt, and what came of it.
pub(super) fn attempt(attempt: &Attempt, now: Timestamp) -> String {
    let came = match (attempt.result, attempt.verify_until) {
        (None, _) => "under way, or its run was killed".to_owned(),
        (Some(AttemptResult::Ok), Some(until)) if now < until => {
            format!("its steps are done; it has until {} to show", moment(until))
        }
        (Some(AttemptResult::Ok), _) => "its steps were done".to_owned(),
        (Some(AttemptResult::Failed), _) => "a step failed".to_owned(),
        (Some(AttemptResult::Interrupted), _) => "interrupted: its run came to no end".to_owned(),
        (Some(AttemptResult::DryRun), _) => "dry".to_owned(),
    };
    let canary = if attempt.canary { ", as a canary" } else { "" };
    format!(
        "attempt {} began {} ({} ago){canary}: {came}",
        attempt.number,
        moment(attempt.at),
        human(now.since(attempt.at)),
    )
}

/// The question to a human, and the answer.
pub(super) fn approval(asked: &Approval, now: Timestamp) -> String {
    let about = format!("attempt {}", asked.attempt);
    match &asked.answer {
        None if now < asked.expires_at => format!(
            "a human is asked about {about} until {} (in {}){}",
            moment(asked.expires_at),
            human(asked.expires_at.since(now)),
            match asked.channels.is_empty() {
                true => String::new(),
                false => format!(", on {} and in the shell", asked.channels.join(", ")),
            },
        ),
        Some(answer) if answer.kind == AnswerKind::Approved => {
            format!("{} agreed to {about} at {}", answer.by, moment(answer.at))
        }
        Some(answer) if answer.kind == AnswerKind::Denied => format!(
            "{} refused {about} at {}; asked again at {}",
            answer.by,
            moment(answer.at),
            moment(again(asked)),
        ),
        _ => format!(
            "nobody answered about {about} by {}; asked again at {}",
            moment(asked.expires_at),
            moment(again(asked)),
        ),
    }
}

/// When a question that was refused, or that nobody answered, is asked again.
fn again(asked: &Approval) -> Timestamp {
    let after = std::time::Duration::from_millis(asked.ask_again_ms);
    match &asked.answer {
        Some(answer) if answer.kind == AnswerKind::Denied => {
            answer.until.unwrap_or_else(|| answer.at.plus(after))
        }
        _ => asked.expires_at.plus(after),
    }
}

/// True while the pause lasts.
pub(super) fn lasts(pause: &Pause, now: Timestamp) -> bool {
    pause.until.is_none_or(|until| now < until)
}

/// The pause.
pub(super) fn pause(pause: &Pause) -> String {
    let until = match pause.until {
        Some(until) => format!("until {}", moment(until)),
        None => "until it is resumed".to_owned(),
    };
    let (by, since) = (&pause.by, moment(pause.since));
    format!("{by} paused it at {since}, {until}: {}", pause.reason)
}

/// Before when there is no attempt, as far as what is remembered tells without a plan.
pub(super) fn not_before(memory: &Memory, now: Timestamp) -> Option<Timestamp> {
    let pause = memory.pause.as_ref().filter(|pause| lasts(pause, now));
    if pause.is_some_and(|pause| pause.until.is_none()) {
        return None;
    }
    let last = memory.attempts.last().and_then(|a| a.verify_until);
    let refused = memory
        .approval
        .as_ref()
        .filter(|asked| match &asked.answer {
            Some(answer) => answer.kind != AnswerKind::Approved,
            None => asked.expires_at <= now,
        });
    let times = [pause.and_then(|p| p.until), last, refused.map(again)];
    times.into_iter().flatten().filter(|at| *at > now).max()
}
