//! Hearing: what was written to us since, from all relays of the operator's side by side.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use nostr::event::{Event, EventId, Kind};
use nostr::filter::Filter;
use nostr::key::{Keys, PublicKey};
use nostr::nips::nip19::ToBech32 as _;
use nostr::types::Timestamp as Moment;

use super::cursor::Cursor;
use super::letter::{self, Letter};
use super::relay::{Fault, Place, Relay};
use crate::channel::{Said, Trouble, words};
use crate::model::channel::{Heard, Question};

/// As many wraps are asked for at once.
const PAGE: usize = 500;

/// As many pages are read of one relay.
const MOST_PAGES: usize = 4;

/// As many wraps are opened in one run: it takes a fraction of a millisecond each.
const MOST_WRAPS: usize = 2000;

/// As many strangers are told of in one run: anybody can write to us.
const MOST_STRANGERS: usize = 16;

/// How long the other relays are waited for, once one has told all that it has.
const GRACE: Duration = Duration::from_secs(2);

/// Reads all relays from a moment on. What at least one of them has is there.
pub(super) fn read(
    keys: &Arc<Keys>,
    places: &[Place],
    since: u64,
    until: Instant,
) -> Result<Vec<Event>, Trouble> {
    let (sender, news) = channel();
    let mut running = 0;
    let mut failures = Vec::new();
    for place in places {
        let (keys, place, sender) = (Arc::clone(keys), place.clone(), sender.clone());
        let thread = std::thread::Builder::new().name("nostr".to_owned());
        let started = thread.spawn(move || one(&keys, &place, since, until, &sender));
        match started {
            Ok(_) => running += 1,
            Err(e) => failures.push(format!("starting a thread: {e}")),
        }
    }
    drop(sender);
    let mut found: BTreeMap<EventId, Event> = BTreeMap::new();
    let (mut whole, mut wait) = (0, until);
    while running > 0 {
        let left = wait.saturating_duration_since(Instant::now());
        let Ok((name, outcome)) = news.recv_timeout(left) else {
            failures.push(format!("{running} did not answer in time"));
            break;
        };
        running -= 1;
        match outcome {
            Ok(events) => {
                whole += 1;
                wait = wait.min(Instant::now() + GRACE);
                let room = MOST_WRAPS.saturating_sub(found.len());
                found.extend(events.into_iter().take(room).map(|e| (e.id, e)));
            }
            Err(fault) => failures.push(format!("{name}: {}", fault.why())),
        }
    }
    match whole {
        0 => {
            failures.truncate(6);
            let why = format!("reading answers from the relays: {}", failures.join("; "));
            Err(Trouble::passing(why))
        }
        _ => {
            for why in failures {
                log::info!("reading answers from the relays: {why}");
            }
            Ok(found.into_values().collect())
        }
    }
}

type Outcome = (String, Result<Vec<Event>, Fault>);

fn one(keys: &Arc<Keys>, place: &Place, since: u64, until: Instant, tell: &Sender<Outcome>) {
    // Who does not listen any more has no more use for it.
    let _ = tell.send((place.named(), pages(keys, place, since, until)));
}

fn pages(keys: &Arc<Keys>, place: &Place, since: u64, until: Instant) -> Result<Vec<Event>, Fault> {
    let mut relay = Relay::open(place, keys, until)?;
    let filter = Filter::new()
        .kind(Kind::GiftWrap)
        .pubkey(keys.public_key())
        .since(Moment::from_secs(since));
    let mut found = Vec::new();
    let mut last: Option<u64> = None;
    for n in 0..MOST_PAGES {
        let filter = filter.clone().limit(PAGE);
        let filter = match last {
            Some(last) => filter.until(Moment::from_secs(last)),
            None => filter,
        };
        let mut page = relay.fetch(&filter, PAGE)?;
        // Some show nothing of this kind to those whom they do not know, and say no word about it.
        if n == 0 && relay.asks() && relay.introduce().is_ok() {
            page = relay.fetch(&filter, PAGE)?;
        }
        let oldest = page.iter().map(|e| e.created_at.as_secs()).min();
        let full = page.len() >= PAGE;
        found.extend(page);
        // The same second may go on: it is read again, but not for ever.
        match oldest {
            Some(oldest) if full && last != Some(oldest) => last = Some(oldest),
            _ => break,
        }
    }
    relay.close();
    Ok(found)
}

/// What the wraps say, as far as it was not told before: oldest first.
pub(super) fn said(
    wraps: &[Event],
    keys: &Keys,
    recipients: &[PublicKey],
    open: &[Question],
    mut cursor: Cursor,
    now: u64,
    until: Instant,
) -> Said {
    let mut seen = HashSet::new();
    let (mut all, mut strangers) = (Vec::new(), 0);
    for wrap in wraps {
        if Instant::now() >= until {
            // What was not opened is read again the next time.
            break;
        }
        let Some(letter) = letter::opened(wrap, keys) else {
            continue;
        };
        if cursor.knows(&letter.id) || !seen.insert(letter.id) {
            continue;
        }
        let known = recipients.contains(&letter.from);
        if !known && strangers >= MOST_STRANGERS {
            continue;
        }
        if let Some(heard) = heard(&letter, known, open) {
            strangers += usize::from(!known);
            cursor.tell(&letter.id, wrap.created_at.as_secs());
            all.push(heard);
        }
    }
    all.sort_by(|a: &Heard, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    cursor.end(now);
    Said {
        all,
        cursor: Some(cursor.text()),
    }
}

/// What a message says to a question; `None` where it is no answer.
fn heard(letter: &Letter, known: bool, open: &[Question]) -> Option<Heard> {
    let words = words::read(&letter.text)?;
    let question = |q: &&Question| {
        let receipt = q.receipt.as_deref().and_then(letter::id);
        receipt.is_some_and(|receipt| letter.replies.contains(&receipt))
    };
    let mut replied = open.iter().filter(question);
    let (first, more) = (replied.next(), replied.next());
    let coded = words.name.as_deref().and_then(|name| {
        let mut all = open.iter();
        all.find(|q| q.code == name)
    });
    let who = letter
        .from
        .to_bech32()
        .unwrap_or_else(|_| letter.from.to_hex());
    let mut code = coded.map(|q| q.code.clone());
    let (subject, why) = match (&words.name, coded, first) {
        (Some(_), Some(q), _) => (Some(q.subject.clone()), None),
        (Some(name), None, Some(q)) if !words::is_named(&q.subject, name) => (
            Some(name.clone()),
            Some("it names one subject and replies to the question about another"),
        ),
        (Some(name), None, _) => (Some(name.clone()), None),
        (None, _, Some(_)) if more.is_some() => (None, Some("it replies to several questions")),
        (None, _, Some(q)) => {
            code = Some(q.code.clone());
            (Some(q.subject.clone()), None)
        }
        (None, _, None) if letter.replies.is_empty() => (None, None),
        (None, _, None) => (None, Some("it replies to no question that is open")),
    };
    let refused = match known {
        true => why,
        false => Some("the sender is none of the recipients"),
    };
    Some(Heard {
        id: letter.id.to_hex(),
        who,
        at: letter.at,
        yes: words.yes,
        code,
        subject,
        refused: refused.map(str::to_owned),
    })
}

#[cfg(test)]
#[path = "hear_tests.rs"]
mod tests;
