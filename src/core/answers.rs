//! What of that which people say on channels counts.

use std::time::Duration;

use super::post;
use crate::model::channel::Heard;
use crate::model::event::{Event, Kind};
use crate::model::state::{AnswerKind, Approval, State};
use crate::model::text::{shortened, visible};
use crate::model::time::Timestamp;
use crate::plan::PlanSet;

/// Services tell times in whole seconds: what is said in the second of the question is not older.
const GRAIN: Duration = Duration::from_secs(1);

/// What one person's words come to: an answer, or why they are none. Words that were heard before
/// come to nothing at all: `None`.
///
/// The events bear the channel and the person as their actor, so that the journal tells who decided,
/// and who tried to.
#[must_use]
pub fn event(
    state: &State,
    plans: &PlanSet,
    channel: &str,
    heard: &Heard,
    now: Timestamp,
    run: &str,
) -> Option<Event> {
    let post = state.post.get(channel);
    if post.is_some_and(|post| post.heard.contains(&heard.id)) {
        return None;
    }
    // A service's clock that goes ahead of ours makes nobody late.
    let heard = &Heard {
        at: heard.at.min(now),
        ..heard.clone()
    };
    let ruled = judge(state, plans, channel, heard, now);
    let subject = match &ruled {
        Ok((subject, _)) => Some((*subject).to_owned()),
        Err(refused) => refused.subject.clone(),
    };
    let who = shortened(&visible(&heard.who), 100).into_owned();
    let mut event = Event {
        actor: format!("channel:{channel}:{who}"),
        channel: Some(channel.to_owned()),
        heard: Some(heard.id.clone()),
        subject,
        ..Event::new(Kind::Heard, now, run)
    };
    match ruled {
        Ok((_, asked)) => {
            let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
            event.incident = Some(asked.incident.clone());
            event.attempt = Some(asked.attempt);
            event.plan = some(&asked.plan);
            event.plan_hash = some(&asked.plan_hash);
            event.code = Some(asked.code.clone());
            event.event = Kind::Approved;
            if !heard.yes {
                let again = Duration::from_millis(asked.ask_again_ms);
                event.event = Kind::Denied;
                event.until = Some(now.plus(again));
            }
        }
        Err(refused) => {
            event.reason = Some(refused.reason.to_owned());
            event.message = Some(refused.why);
        }
    }
    Some(event)
}

/// Why words are no answer.
struct Refused {
    reason: &'static str,
    why: String,
    subject: Option<String>,
}

fn refuse<T>(reason: &'static str, subject: Option<&str>, why: String) -> Result<T, Refused> {
    Err(Refused {
        reason,
        why,
        subject: subject.map(str::to_owned),
    })
}

/// The question that is answered, if it is.
fn judge<'s>(
    state: &'s State,
    plans: &PlanSet,
    channel: &str,
    heard: &Heard,
    now: Timestamp,
) -> Result<(&'s str, &'s Approval), Refused> {
    if let Some(why) = &heard.refused {
        let why = shortened(&visible(why), 300).into_owned();
        return refuse("refused", None, why);
    }
    let (subject, asked) = find(state, channel, heard)?;
    let who = Some(subject);
    let open = state.memory.get(subject).and_then(|m| m.approval.as_ref());
    match &asked.answer {
        Some(answer) if answer.kind == AnswerKind::Expired => {
            let why = format!("the question expired at {}", asked.expires_at);
            return refuse("expired", who, why);
        }
        Some(answer) => {
            let what = match answer.kind {
                AnswerKind::Denied => "refused",
                _ => "agreed to",
            };
            let by = visible(&answer.by);
            let why = format!("it was {what} by {by} before: the first answer counts");
            return refuse("answered", who, why);
        }
        None => {}
    }
    if open.is_none_or(|open| open.code != asked.code) {
        let why = "another question took this one's place, or its incident is over".to_owned();
        return refuse("stale", who, why);
    }
    // What is told in whole seconds may be up to one later; what is read in time is in time.
    if now >= asked.expires_at && heard.at.plus(GRAIN) > asked.expires_at {
        let why = format!(
            "it came at {}, and the question expired at {}",
            heard.at, asked.expires_at
        );
        return refuse("expired", who, why);
    }
    // Nothing was asked later than now, even if the clock was set back meanwhile.
    if heard.at.plus(GRAIN) < asked.asked_at.min(now) {
        let why = format!(
            "it is from {}, and the question from {}",
            heard.at, asked.asked_at
        );
        return refuse("older", who, why);
    }
    let plan = plans.plans().iter().find(|plan| plan.name == asked.plan);
    if plan.is_none_or(|plan| plan.hash != asked.plan_hash) {
        let why = format!(
            "plan {} has been changed since the question: it is asked anew",
            visible(&asked.plan)
        );
        return refuse("plan_changed", who, why);
    }
    Ok((subject, asked))
}

/// The question that is meant: by its code, or by its subject's name where the words have none.
/// Only questions that were put on this channel are found.
fn find<'s>(
    state: &'s State,
    channel: &str,
    heard: &Heard,
) -> Result<(&'s str, &'s Approval), Refused> {
    let (mut last, mut of_cell) = (None, Vec::new());
    for (subject, told) in &state.told {
        for incident in &told.incidents {
            let marks = incident.channels.get(channel);
            let Some(asked) = marks.and_then(|marks| marks.asked.as_ref()) else {
                continue;
            };
            let named = match (&heard.code, &heard.subject) {
                (Some(code), _) => *code == asked.code,
                (None, Some(name)) => *name == *subject || *name == *visible(subject),
                (None, None) => false,
            };
            let Some(question) = post::question(state, subject, &asked.code) else {
                continue;
            };
            if named {
                last = Some((subject.as_str(), question));
            }
            let agent = subject.split_once('/').filter(|_| heard.code.is_none());
            if agent.is_some_and(|(cell, _)| heard.subject.as_deref() == Some(&*visible(cell)))
                && question.answer.is_none()
            {
                of_cell.push((subject.as_str(), question));
            }
        }
    }
    if let Some(found) = last {
        return Ok(found);
    }
    // A bare cell stands for its agents: it is clear who is meant where one of them is asked about.
    match (of_cell.pop(), of_cell.is_empty()) {
        (Some(found), true) => return Ok(found),
        (Some(_), false) => {
            let why = "several agents of that cell are asked about: name the one".to_owned();
            return refuse("unknown", None, why);
        }
        (None, _) => {}
    }
    match (&heard.code, &heard.subject) {
        (Some(_), _) => refuse(
            "unknown",
            None,
            "it names a question that is not, or no longer, one of this channel".to_owned(),
        ),
        (None, Some(name)) => {
            let name = shortened(&visible(name), 200).into_owned();
            let why = format!("nothing is asked here about {name}");
            refuse("unknown", None, why)
        }
        (None, None) => refuse(
            "unbound",
            None,
            "it answers no question: it replies to none, and names none".to_owned(),
        ),
    }
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
