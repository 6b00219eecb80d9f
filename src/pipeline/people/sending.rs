//! Sending what waits: every channel on a thread of its own, in order, within one share of time.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::{GRACE, Ready, Settings, event, is_ours};
use crate::channel::{Channel, Trouble, open};
use crate::core::post::LONGEST_PAUSE;
use crate::model::channel::Message;
use crate::model::event::{Event, Kind};
use crate::model::state::State;
use crate::model::text::{shortened, visible};
use crate::model::time::{Timestamp, human};
use crate::pipeline::Request;
use crate::store::StoreError;
use crate::store::state::Store;
use crate::sys::host;

/// What could not be delivered for this long is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(86_400);

/// A channel that does not work is tried again by the next run, then after this …
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// … doubled with each further failure, up to this.
const LAST_PAUSE: Duration = Duration::from_secs(900);

/// What a service refuses for what it is, is given up after this: it may be the setup that is wrong,
/// and be mended; and else it would hold up all that comes after it.
const REFUSED_FOR: Duration = Duration::from_secs(3600);

/// So many characters of a failure are remembered.
const LONGEST_WHY: usize = 400;

/// What has come of a message.
struct Sent {
    channel: String,
    id: String,
    came: Result<String, Trouble>,
}

/// What a sender tells.
enum Word {
    /// It begins with this message.
    Begins(String, String),
    Sent(Sent),
    /// The channel is done, be it that nothing is left or that it is no use now.
    Done(String),
}

/// Messages that wait for too long, and those for channels that are not there any more.
pub(super) fn too_old(state: &State, names: &[String], now: Timestamp, run: &str) -> Vec<Event> {
    let mut events = Vec::new();
    for (channel, post) in &state.post {
        let gone = !names.contains(channel);
        for message in &post.outbox {
            let (reason, why) = if gone {
                let why = "the configuration has no such channel any more".to_owned();
                ("no_channel", why)
            } else if now.since(message.at) >= GIVEN_UP_AFTER {
                let last = post.trouble.as_ref().map_or("", |trouble| &trouble.why);
                let why = format!(
                    "it could not be delivered for {}: {last}",
                    human(GIVEN_UP_AFTER)
                );
                ("given_up", why)
            } else {
                continue;
            };
            events.push(Event {
                id: Some(message.id.clone()),
                subject: message.subject.clone(),
                incident: message.incident.clone(),
                reason: Some(reason.to_owned()),
                message: Some(why),
                ..event(Kind::NotifyFailed, channel, now, run)
            });
        }
    }
    events
}

/// Sends what waits, as far as it goes until then.
pub(super) fn flush(
    request: &Request,
    store: &mut Store<'_>,
    run: &str,
    until: Instant,
    mut ready: Ready,
) -> Result<(), StoreError> {
    let now = host::now();
    let (send, words) = channel();
    let mut busy: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for settings in &request.config.channels {
        let Some(post) = store.state.post.get(&settings.name) else {
            continue;
        };
        let rests = post.trouble.as_ref().is_some_and(|t| t.until > now);
        if post.outbox.is_empty() || rests || !is_ours(request, settings) {
            continue;
        }
        jobs.push(Job {
            settings: settings.clone(),
            ready: ready.remove(&settings.name),
            messages: post.outbox.clone(),
            until,
            send: send.clone(),
        });
        busy.insert(settings.name.clone(), None);
    }
    drop(send);
    if jobs.is_empty() {
        return Ok(());
    }
    // Durable before it is sent: whoever comes after a kill knows what may have been.
    store.sync()?;
    for job in jobs {
        let name = job.settings.name.clone();
        if let Err(e) = job.start(request) {
            busy.remove(&name);
            let why = format!("starting a thread: {e}; is the process limit reached?");
            not_sent(store, &name, None, why, run)?;
        }
    }
    while !busy.is_empty() {
        let left = (until + GRACE).saturating_duration_since(Instant::now());
        match words.recv_timeout(left) {
            Ok(Word::Begins(channel, id)) => {
                busy.insert(channel, Some(id));
            }
            Ok(Word::Sent(sent)) => record(store, sent, run)?,
            Ok(Word::Done(channel)) => {
                busy.remove(&channel);
            }
            Err(_) => break,
        }
    }
    // Whoever hangs is given up with its thread, and tried again like any that failed.
    for (channel, id) in busy {
        let why = format!(
            "it did not come to an end within {}",
            human(request.config.limits.notify_within)
        );
        not_sent(store, &channel, id, why, run)?;
    }
    Ok(())
}

/// Writes down that a message has not arrived: the one with this id, or the oldest that waits.
fn not_sent(
    store: &mut Store<'_>,
    channel: &str,
    id: Option<String>,
    why: String,
    run: &str,
) -> Result<(), StoreError> {
    let post = store.state.post.get(channel);
    let oldest = post.and_then(|post| post.outbox.first());
    let Some(id) = id.or_else(|| oldest.map(|message| message.id.clone())) else {
        return Ok(());
    };
    let sent = Sent {
        channel: channel.to_owned(),
        id,
        came: Err(Trouble::passing(why)),
    };
    record(store, sent, run)
}

fn record(store: &mut Store<'_>, sent: Sent, run: &str) -> Result<(), StoreError> {
    let now = host::now();
    let post = store.state.post.get(&sent.channel);
    let message = post.and_then(|post| post.outbox.iter().find(|m| m.id == sent.id));
    let about = Event {
        id: Some(sent.id.clone()),
        subject: message.and_then(|m| m.subject.clone()),
        incident: message.and_then(|m| m.incident.clone()),
        attempt: message.and_then(|m| m.attempt),
        reason: message.map(|m| m.occasion.as_str().to_owned()),
        ..event(Kind::Notified, &sent.channel, now, run)
    };
    let event = match sent.came {
        Ok(receipt) => Event {
            receipt: Some(receipt).filter(|receipt| !receipt.is_empty()),
            ..about
        },
        Err(trouble) => {
            let before = post.and_then(|post| post.trouble.as_ref());
            let times = before.map_or(0, |before| before.times);
            let until = now.plus(pause(times, trouble.retry_after));
            let old = message.is_some_and(|m| now.since(m.at) >= REFUSED_FOR);
            let hopeless = trouble.hopeless && old;
            Event {
                event: Kind::NotifyFailed,
                error: Some(shortened(&visible(&trouble.why), LONGEST_WHY).into_owned()),
                until: (!hopeless).then_some(until),
                reason: match hopeless {
                    true => Some("hopeless".to_owned()),
                    false => about.reason,
                },
                ..about
            }
        }
    };
    store.record(&mut [event])
}

/// How long a channel is left alone that failed so often in a row before this: as long as it asks
/// for, where it does.
fn pause(times: u32, retry_after: Option<u64>) -> Duration {
    let own = match times.checked_sub(1) {
        None => Duration::ZERO,
        Some(again) => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(again.min(10))),
    };
    let pause = retry_after.map_or(own.min(LAST_PAUSE), Duration::from_secs);
    pause.min(LONGEST_PAUSE)
}

/// One channel with all that waits for it.
struct Job {
    settings: Settings,
    ready: Option<Box<dyn Channel>>,
    messages: Vec<Message>,
    until: Instant,
    send: Sender<Word>,
}

impl Job {
    fn start(self, request: &Request) -> std::io::Result<()> {
        let trust = request.trust.clone();
        let thread = std::thread::Builder::new().name("tell".into());
        thread.spawn(move || {
            let name = self.settings.name.clone();
            let send = self.send.clone();
            let ready = match self.ready {
                Some(ready) => Ok(ready),
                None => open(&self.settings, &trust),
            };
            send_all(&name, ready, self.messages, self.until, &send);
            let _ = send.send(Word::Done(name));
        })?;
        Ok(())
    }
}

fn send_all(
    name: &str,
    ready: Result<Box<dyn Channel>, Trouble>,
    messages: Vec<Message>,
    until: Instant,
    send: &Sender<Word>,
) {
    let mut receipts: HashMap<(String, String), String> = HashMap::new();
    let mut ready = ready;
    for mut message in messages {
        if Instant::now() >= until {
            return;
        }
        let id = message.id.clone();
        let _ = send.send(Word::Begins(name.to_owned(), id.clone()));
        let key = message.subject.clone().zip(message.incident.clone());
        if let (None, Some(key)) = (&message.earlier, &key) {
            message.earlier = receipts.get(key).cloned();
        }
        let came = match &mut ready {
            Ok(ready) => ready.send(&message, until),
            // It cannot be made ready: the operator's to mend, and until then it waits.
            Err(trouble) => Err(Trouble {
                hopeless: false,
                ..trouble.clone()
            }),
        };
        let goes_on = came.is_ok();
        if let (Ok(receipt), Some(key)) = (&came, key)
            && !receipt.is_empty()
        {
            receipts.entry(key).or_insert_with(|| receipt.clone());
        }
        let channel = name.to_owned();
        let _ = send.send(Word::Sent(Sent { channel, id, came }));
        if !goes_on {
            return;
        }
    }
}
