//! From what is to be told on one channel in one run to events: many things become one message, and
//! what waits is bounded.

use std::collections::VecDeque;

use super::text::{held_names, moment};
use super::{Draft, Telling, incident};
use crate::core::post::WITHDRAWN;
use crate::model::channel::{Message, Occasion};
use crate::model::event::{Event, Kind};
use crate::model::post::Marked;
use crate::model::state::State;
use crate::model::text::{shortened, visible};

/// More things than this to tell one channel in one run become one message.
pub const MOST_AT_ONCE: usize = 5;

/// So many messages wait for one channel at most; the oldest are dropped.
pub const MOST_WAITING: usize = 100;

/// And so many bytes of them.
pub const MOST_BYTES: usize = 256 << 10;

/// A digest has so many lines at most.
const MOST_LINES: usize = 40;

/// About what a message takes in the state, in bytes.
#[must_use]
pub fn size(message: &Message) -> usize {
    let texts = message.title.len() + message.text.len();
    let subject = message.subject.as_ref().map_or(0, String::len);
    texts + 3 * subject + 512
}

/// The events for one channel.
pub(super) fn events(
    telling: &Telling<'_>,
    state: &State,
    channel: &str,
    drafts: Vec<Draft>,
    events: &mut Vec<Event>,
) {
    let post = state.post.get(channel);
    let waiting = post.map_or(&[][..], |post| &post.outbox);
    let mut queue: VecDeque<(String, usize)> = VecDeque::new();
    for message in waiting {
        let asks = message.occasion == Occasion::Asked;
        if asks && !incident::is_open(state, message, telling.now) {
            let why = "the question was settled before it could be put";
            events.push(given_up(telling, channel, &message.id, WITHDRAWN, why));
        } else {
            queue.push_back((message.id.clone(), size(message)));
        }
    }
    let dropped = post.map_or(0, |post| post.dropped);
    let mut first = true;
    for (number, mut draft) in gathered(telling, channel, drafts).into_iter().enumerate() {
        if let Some(message) = &mut draft.message {
            message.id = id(telling, channel, number);
            if first && dropped > 0 {
                message.text += &format!(
                    "\n({dropped} earlier messages were lost on the way here: `lazarus-pit channel list`)"
                );
            }
            first = false;
            queue.push_back((message.id.clone(), size(message)));
        }
        events.push(queued(telling, channel, draft));
    }
    let mut bytes: usize = queue.iter().map(|(_, size)| size).sum();
    while queue.len() > MOST_WAITING || (bytes > MOST_BYTES && queue.len() > 1) {
        let Some((id, size)) = queue.pop_front() else {
            break;
        };
        bytes = bytes.saturating_sub(size);
        let why = format!(
            "more than {MOST_WAITING} messages or {MOST_BYTES} bytes wait for the channel: the oldest was dropped"
        );
        events.push(given_up(telling, channel, &id, "full", &why));
    }
}

/// A draft as it is queued, or several in one.
struct Gathered {
    told: Vec<Marked>,
    message: Option<Message>,
}

/// Many things become one, but for questions: each needs a message of its own to be answered.
fn gathered(telling: &Telling<'_>, channel: &str, drafts: Vec<Draft>) -> Vec<Gathered> {
    debug_assert!(drafts.iter().all(|draft| draft.channel == channel));
    let alone = |draft: Draft| Gathered {
        told: vec![draft.marked],
        message: draft.message,
    };
    let many = drafts.iter().filter(|d| d.message.is_some()).count() > MOST_AT_ONCE;
    if !many {
        return drafts.into_iter().map(alone).collect();
    }
    let single = |draft: &Draft| match &draft.message {
        None => true,
        Some(message) => matches!(message.occasion, Occasion::Asked | Occasion::Settled),
    };
    let (singles, rest): (Vec<Draft>, Vec<Draft>) = drafts.into_iter().partition(single);
    // That a question is settled comes before what else is told of its incident, marks and all.
    let mut all: Vec<Gathered> = singles.into_iter().map(alone).collect();
    if rest.len() > 1 {
        let messages: Vec<&Message> = rest.iter().filter_map(|d| d.message.as_ref()).collect();
        let message = digest(telling, &messages);
        let told = rest.into_iter().map(|draft| draft.marked).collect();
        all.push(Gathered {
            told,
            message: Some(message),
        });
    } else {
        all.extend(rest.into_iter().map(alone));
    }
    all
}

fn digest(telling: &Telling<'_>, messages: &[&Message]) -> Message {
    let mut lines: Vec<String> = messages
        .iter()
        .take(MOST_LINES)
        .map(|message| format!("- {}", shortened(&message.title, 160)))
        .collect();
    if messages.len() > MOST_LINES {
        let subjects = messages.iter().skip(MOST_LINES);
        let names: Vec<&str> = subjects.filter_map(|m| m.subject.as_deref()).collect();
        lines.push(format!("- and of {}", held_names(&names)));
    }
    lines.push(format!("Since: {}", moment(telling.now)));
    lines.push(format!("Host: {}", visible(telling.host)));
    lines.push("Look closer: lazarus-pit status, lazarus-pit explain NAME".to_owned());
    Message {
        id: String::new(),
        occasion: Occasion::Digest,
        at: telling.now,
        host: telling.host.to_owned(),
        subject: None,
        incident: None,
        attempt: None,
        plan: None,
        title: format!("{} things to tell", messages.len()),
        text: lines.join("\n"),
        question: None,
        issue: None,
        earlier: None,
        last: false,
    }
}

/// A message's id: like no other of this installation.
fn id(telling: &Telling<'_>, channel: &str, number: usize) -> String {
    let of = format!("{}\n{channel}\n{number}", telling.run);
    format!(
        "{:012x}-{number:x}-{:08x}",
        telling.now.as_micros(),
        crc32fast::hash(of.as_bytes())
    )
}

fn queued(telling: &Telling<'_>, channel: &str, gathered: Gathered) -> Event {
    let message = gathered.message;
    let one = gathered.told.first().filter(|_| gathered.told.len() == 1);
    let subject = one.map(|one| one.subject.clone()).filter(|s| !s.is_empty());
    Event {
        channel: Some(channel.to_owned()),
        incident: subject.as_ref().and(one.map(|one| one.incident.clone())),
        subject,
        reason: Some(match &message {
            Some(message) => message.occasion.as_str().to_owned(),
            None => "not_wanted".to_owned(),
        }),
        plan: message.as_ref().and_then(|m| m.plan.clone()),
        attempt: message.as_ref().and_then(|m| m.attempt),
        id: message.as_ref().map(|m| m.id.clone()),
        queued: message.map(Box::new),
        told: gathered.told,
        ..Event::new(Kind::Queued, telling.now, telling.run)
    }
}

fn given_up(telling: &Telling<'_>, channel: &str, id: &str, reason: &str, why: &str) -> Event {
    Event {
        channel: Some(channel.to_owned()),
        id: Some(id.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(why.to_owned()),
        ..Event::new(Kind::NotifyFailed, telling.now, telling.run)
    }
}
