//! How telling people becomes state: the outbox, what was heard, who has been told what. The part of
//! the [ledger](super::ledger) that is about channels.

use std::time::Duration;

use crate::model::channel::{Message, Occasion};
use crate::model::event::Event;
use crate::model::post::{Closed, Failing, Marks, Post, ToldIncident};
use crate::model::state::{AnswerKind, Approval, State};
use crate::model::time::Timestamp;

/// For so long after the last question a channel is listened to: late answers are refused and
/// recorded, and a service that forgets what nobody fetched has nothing to forget.
pub const LISTENED: Duration = Duration::from_secs(86_400);

/// More incidents than [`MOST_INCIDENTS`] in this time are flapping.
pub const FLAPPING_WITHIN: Duration = Duration::from_secs(3600);

/// See [`FLAPPING_WITHIN`].
pub const MOST_INCIDENTS: usize = 4;

/// The reason of a message that is given up since it became pointless: it is no loss.
pub const WITHDRAWN: &str = "withdrawn";

/// A channel that does not work is tried again after this at the latest, whatever it asks for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How many names of things heard are remembered of each channel.
const MOST_HEARD: usize = 64;

/// The question of a subject with this code, be it open or used.
#[must_use]
pub fn question<'s>(state: &'s State, subject: &str, code: &str) -> Option<&'s Approval> {
    let memory = state.memory.get(subject)?;
    let used = memory.attempts.iter().rev();
    let used = used.filter_map(|attempt| attempt.approval.as_ref());
    let mut all = memory.approval.iter().chain(used);
    all.find(|approval| approval.code == code && !code.is_empty())
}

pub(super) fn queued(state: &mut State, event: &Event) {
    let Some(channel) = &event.channel else {
        return;
    };
    for marked in &event.told {
        let open = state.subjects.get(&marked.subject);
        let open = open.and_then(|s| s.incident.as_ref());
        let began = open.filter(|open| open.id == marked.incident);
        let began = began.map_or(event.ts, |open| open.opened_at);
        let told = state.told.entry(marked.subject.clone()).or_default();
        let place = told.incidents.iter().position(|i| i.id == marked.incident);
        if place.is_none() {
            if told.opened.is_empty() {
                told.opened.push(began);
            }
            told.incidents.push(ToldIncident {
                id: marked.incident.clone(),
                ..ToldIncident::default()
            });
        }
        let place = place.unwrap_or(told.incidents.len().saturating_sub(1));
        if let Some(incident) = told.incidents.get_mut(place) {
            let marks = marked.marks.clone();
            incident.channels.insert(channel.clone(), marks);
        }
    }
    let Some(message) = &event.queued else {
        return;
    };
    let post = state.post.entry(channel.clone()).or_default();
    post.dropped = 0;
    if message.occasion == Occasion::Asked {
        post.asked_at = Some(event.ts);
    }
    post.outbox.push((**message).clone());
    let Some(question) = message.question.as_ref() else {
        return;
    };
    let memory = state.memory.get_mut(&question.subject);
    let asked = memory.and_then(|memory| memory.approval.as_mut());
    let asked = asked.filter(|asked| asked.code == question.code);
    if let Some(asked) = asked.filter(|asked| !asked.channels.contains(channel)) {
        asked.channels.push(channel.clone());
    }
}

/// Takes a message out of a channel's outbox.
fn take(post: &mut Post, id: Option<&String>) -> Option<Message> {
    let place = post.outbox.iter().position(|m| Some(&m.id) == id)?;
    Some(post.outbox.remove(place))
}

/// What a channel was told of a message's incident.
fn marks<'s>(state: &'s mut State, channel: &str, message: &Message) -> Option<&'s mut Marks> {
    let subject = message.subject.as_ref()?;
    let told = state.told.get_mut(subject)?;
    let mut incidents = told.incidents.iter_mut();
    let incident = incidents.find(|i| Some(&i.id) == message.incident.as_ref())?;
    incident.channels.get_mut(channel)
}

pub(super) fn notified(state: &mut State, event: &Event) {
    let Some(channel) = &event.channel else {
        return;
    };
    let Some(post) = state.post.get_mut(channel) else {
        return;
    };
    post.delivered_at = Some(event.ts);
    post.trouble = None;
    let Some(message) = take(post, event.id.as_ref()) else {
        return;
    };
    let receipt = event.receipt.clone().filter(|receipt| !receipt.is_empty());
    if let (Some(receipt), Some(_)) = (&receipt, &message.incident) {
        let same = post.outbox.iter_mut();
        let same = same.filter(|m| m.incident == message.incident && m.subject == message.subject);
        for later in same.filter(|m| m.earlier.is_none()) {
            later.earlier = Some(receipt.clone());
        }
    }
    let Some(marks) = marks(state, channel, &message) else {
        return;
    };
    if marks.first.is_none() {
        marks.first.clone_from(&receipt);
    }
    let code = message.question.as_ref().map(|question| &question.code);
    let asked = marks.asked.as_mut().filter(|a| Some(&a.code) == code);
    if let (Some(asked), Occasion::Asked) = (asked, message.occasion) {
        asked.delivered = true;
        asked.receipt = receipt;
    }
}

pub(super) fn notify_failed(state: &mut State, event: &Event) {
    let Some(channel) = &event.channel else {
        return;
    };
    let Some(post) = state.post.get_mut(channel) else {
        return;
    };
    let why = event.error.clone().unwrap_or_default();
    let withdrawn = event.reason.as_deref() == Some(WITHDRAWN);
    if event.until.is_none() {
        let gone = take(post, event.id.as_ref()).is_some();
        if gone && !withdrawn {
            post.dropped = post.dropped.saturating_add(1);
        }
    }
    if withdrawn || why.is_empty() {
        return;
    }
    let before = post.trouble.take();
    post.trouble = Some(Failing {
        why,
        since: before.as_ref().map_or(event.ts, |before| before.since),
        times: before.map_or(0, |before| before.times).saturating_add(1),
        until: event.until.unwrap_or(event.ts),
    });
}

/// What was said on a channel, whatever came of it.
pub(super) fn heard(state: &mut State, event: &Event) {
    let (Some(channel), Some(id)) = (&event.channel, &event.heard) else {
        return;
    };
    let post = state.post.entry(channel.clone()).or_default();
    post.heard.push(id.clone());
    let surplus = post.heard.len().saturating_sub(MOST_HEARD);
    post.heard.drain(..surplus);
}

pub(super) fn cursor(state: &mut State, event: &Event) {
    if let Some(channel) = &event.channel {
        let post = state.post.entry(channel.clone()).or_default();
        post.cursor.clone_from(&event.cursor);
    }
}

/// A subject of which something was told goes down again.
pub(super) fn opened(state: &mut State, event: &Event) {
    let told = event.subject.as_ref().and_then(|s| state.told.get_mut(s));
    if let Some(told) = told {
        told.opened.push(event.ts);
        let surplus = told.opened.len().saturating_sub(MOST_INCIDENTS + 1);
        told.opened.drain(..surplus);
    }
}

/// An incident of which something was told is over. Before the ledger forgets it.
pub(super) fn closed(state: &mut State, event: &Event) {
    let (Some(subject), Some(id)) = (&event.subject, &event.incident) else {
        return;
    };
    let Some(told) = state.told.get_mut(subject) else {
        return;
    };
    let Some(incident) = told.incidents.iter_mut().find(|i| i.id == *id) else {
        return;
    };
    let known = state.subjects.get(subject);
    let open = known
        .and_then(|known| known.incident.as_ref())
        .filter(|open| open.id == *id);
    let down_since = open.map_or_else(
        || {
            let seconds = event.down_for.unwrap_or(0.0).max(0.0);
            let down_for = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            event.ts.minus(down_for)
        },
        |open| open.down_since,
    );
    let memory = state.memory.get(subject);
    let attempts = memory.map_or(&[][..], |memory| &memory.attempts);
    let of_it = attempts.iter().rev().filter(|a| a.incident == *id);
    let mut agreed = of_it.filter_map(|attempt| {
        let answer = attempt.approval.as_ref()?.answer.as_ref()?;
        (answer.kind == AnswerKind::Approved).then(|| answer.by.clone())
    });
    incident.closed = Some(Closed {
        at: event.ts,
        down_since,
        attempts: open.map_or(0, |open| open.attempts),
        reason: event.reason.clone().unwrap_or_default(),
        approved_by: agreed.next(),
    });
}

/// How many of a subject's incidents began within the time that counts for flapping.
#[must_use]
pub fn recent(opened: &[Timestamp], now: Timestamp) -> usize {
    let counts = |at: &&Timestamp| now.since(**at) < FLAPPING_WITHIN;
    opened.iter().filter(counts).count()
}

/// At the end of a run: forgets what can no longer matter. `told` is whether this run has told all
/// that there was to be told, so that ends of incidents need not wait for another.
pub(super) fn tidy(state: &mut State, now: Timestamp, told: bool) {
    state.post.retain(|_, post| {
        post.asked_at = post.asked_at.map(|at| at.min(now));
        post.asked_at = post.asked_at.filter(|at| at.plus(LISTENED) > now);
        if post.asked_at.is_none() {
            post.heard.clear();
        }
        if let Some(trouble) = &mut post.trouble {
            trouble.until = trouble.until.min(now.plus(LONGEST_PAUSE));
        }
        *post != Post::default()
    });
    state.told.retain(|_, told_of| {
        told_of
            .opened
            .iter_mut()
            .for_each(|at| *at = (*at).min(now));
        let counts = |at: &Timestamp| now.since(*at) < FLAPPING_WITHIN;
        told_of.opened.retain(counts);
        let flaps = told_of.opened.len() > MOST_INCIDENTS;
        told_of.incidents.retain(|incident| {
            let flaps = flaps && incident.channels.values().any(|m| m.flapping);
            let told_of =
                !incident.channels.is_empty() && incident.channels.values().all(|m| m.over);
            !told || !(incident.closed.is_some() || told_of) || flaps
        });
        for incident in &mut told_of.incidents {
            for marks in incident.channels.values_mut() {
                marks.down_at = marks.down_at.map(|at| at.min(now));
            }
        }
        !(told_of.opened.is_empty() && told_of.incidents.is_empty())
    });
}
