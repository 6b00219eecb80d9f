//! Delivering: to the relays that the operator names and to those of each recipient's own list, all
//! side by side. A relay that hangs costs a thread, and holds up nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use nostr::event::{Event, EventBuilder, FinalizeEvent as _};
use nostr::key::{Keys, PublicKey};
use nostr::nips::nip17::InboxRelayList;

use super::lists;
use super::relay::{Fault, Place, Relay};
use crate::channel::Trouble;
use crate::net::socket::Lost;

/// How long lists are waited for, at the most; never longer than a third of the time that there is.
const LOOKUP: Duration = Duration::from_secs(3);

/// How long the other relays are waited for, once one has told its lists, and once everybody has been
/// reached.
const GRACE: Duration = Duration::from_secs(1);

/// As many relays of lists are written to with one message.
const MOST_LISTED: usize = 12;

/// What is to be delivered.
pub(super) struct Post {
    pub(super) keys: Arc<Keys>,
    /// The relays that the operator names.
    pub(super) places: Vec<Place>,
    /// One wrap for each who is to get it.
    pub(super) wraps: Vec<(PublicKey, Event)>,
    pub(super) insecure: bool,
}

/// What a thread has to tell.
enum News {
    /// The lists that a relay has, which may be none.
    Lists(Vec<Event>),
    /// A relay has taken the wrap of this one.
    Took(PublicKey),
    /// A relay did not do something.
    Failed(String),
    /// A relay is done with.
    Done,
}

/// Says at the end of a thread, however it ends, that it has.
struct Done(Sender<News>);

impl Drop for Done {
    fn drop(&mut self) {
        // Who does not listen any more has no more use for it.
        let _ = self.0.send(News::Done);
    }
}

/// How far it has come.
struct Progress {
    sender: Sender<News>,
    running: usize,
    /// How many have yet to say which lists they have.
    looking: usize,
    lists: Vec<Event>,
    missing: BTreeSet<PublicKey>,
    failures: Vec<String>,
}

/// Delivers it. It has arrived once at least one relay has taken it for each who is to get it.
pub(super) fn deliver(post: Post, until: Instant) -> Result<(), Trouble> {
    let post = Arc::new(post);
    let (sender, news) = channel();
    let mut progress = Progress {
        sender,
        running: 0,
        looking: post.places.len(),
        lists: Vec::new(),
        missing: post.wraps.iter().map(|(to, _)| *to).collect(),
        failures: Vec::new(),
    };
    let left = until.saturating_duration_since(Instant::now());
    let look_until = Instant::now() + LOOKUP.min(left / 3);
    for place in &post.places {
        let (post, place) = (Arc::clone(&post), place.clone());
        progress.begin(move |tell| named(&post, &place, look_until, until, tell));
    }
    // Lists first, as far as they come in time; then what they name.
    let all = progress.looking;
    progress.follow(&news, look_until, |p| p.looking < all);
    progress.follow(&news, look_until.min(Instant::now() + GRACE), |p| {
        p.looking == 0
    });
    for (place, to) in listed(&post, &progress.lists) {
        let post = Arc::clone(&post);
        progress.begin(move |tell| {
            let wraps = post.wraps.iter().filter(|(one, _)| to.contains(one));
            if let Err(fault) = open_and_publish(&post, &place, wraps, until, tell) {
                let _ = tell.send(failed(&place, &fault));
            }
        });
    }
    progress.follow(&news, until, |p| p.missing.is_empty());
    if progress.missing.is_empty() {
        progress.follow(&news, until.min(Instant::now() + GRACE), |_| false);
        return Ok(());
    }
    Err(progress.trouble(post.wraps.len()))
}

impl Progress {
    fn begin(&mut self, work: impl FnOnce(&Sender<News>) + Send + 'static) {
        let sender = self.sender.clone();
        let thread = std::thread::Builder::new().name("nostr".to_owned());
        let started = thread.spawn(move || {
            let done = Done(sender);
            work(&done.0);
        });
        match started {
            Ok(_) => self.running += 1,
            Err(e) => self.failures.push(format!("starting a thread: {e}")),
        }
    }

    /// Takes what comes until it is enough, everything is done, or the time is up.
    fn follow(&mut self, news: &Receiver<News>, until: Instant, enough: impl Fn(&Self) -> bool) {
        while self.running > 0 && !enough(self) {
            let left = until.saturating_duration_since(Instant::now());
            match news.recv_timeout(left) {
                Ok(News::Lists(lists)) => {
                    self.looking = self.looking.saturating_sub(1);
                    self.lists.extend(lists);
                }
                Ok(News::Took(one)) => {
                    self.missing.remove(&one);
                }
                Ok(News::Failed(why)) => self.failures.push(why),
                Ok(News::Done) => self.running -= 1,
                Err(_) => return,
            }
        }
    }

    fn trouble(&self, of: usize) -> Trouble {
        let reached = of - self.missing.len();
        let mut why = format!(
            "no relay has taken the message for {} of {of}",
            of - reached
        );
        let late = match self.running {
            0 => Vec::new(),
            n => vec![format!("{n} did not answer in time")],
        };
        let all: Vec<&String> = self.failures.iter().chain(&late).collect();
        for one in all.iter().take(6) {
            why.push_str(&format!("; {one}"));
        }
        if all.len() > 6 {
            why.push_str(&format!("; and {} more", all.len() - 6));
        }
        Trouble::passing(why)
    }
}

/// One relay of the operator's: looks up lists, delivers to all, and says where we are to be found.
fn named(post: &Post, place: &Place, look_until: Instant, until: Instant, tell: &Sender<News>) {
    let mut asked: Vec<PublicKey> = post.wraps.iter().map(|(to, _)| *to).collect();
    asked.push(post.keys.public_key());
    let mut relay = match Relay::open(place, &post.keys, until) {
        Ok(relay) => relay,
        Err(fault) => {
            let _ = tell.send(News::Lists(Vec::new()));
            let _ = tell.send(failed(place, &fault));
            return;
        }
    };
    relay.set_until(look_until.max(Instant::now() + LOOKUP / 3).min(until));
    let lists = relay.fetch(&lists::filter(&asked), lists::MOST_EVENTS);
    // A relay that has no lists, or does not tell them, may still take what it is given.
    let _ = tell.send(News::Lists(lists.clone().unwrap_or_default()));
    relay.set_until(until);
    if let Err(fault @ Fault::Lost(Lost::Broken(_))) = &lists {
        let _ = tell.send(failed(place, fault));
        return;
    }
    for (to, wrap) in &post.wraps {
        report(tell, place, *to, relay.publish(wrap));
    }
    if let Ok(lists) = lists
        && !says_where(post, &lists)
        && let Some(own) = own_list(post)
    {
        // Without it many programs write us no answer; but what was to be told has been told.
        if let Err(fault) = relay.publish(&own) {
            log::info!("{}: our own list of relays: {}", place.named(), fault.why());
        }
    }
    relay.close();
}

fn open_and_publish<'a>(
    post: &Post,
    place: &Place,
    wraps: impl Iterator<Item = &'a (PublicKey, Event)>,
    until: Instant,
    tell: &Sender<News>,
) -> Result<(), Fault> {
    let mut relay = Relay::open(place, &post.keys, until)?;
    for (to, wrap) in wraps {
        report(tell, place, *to, relay.publish(wrap));
    }
    relay.close();
    Ok(())
}

fn report(tell: &Sender<News>, place: &Place, to: PublicKey, outcome: Result<(), Fault>) {
    let _ = tell.send(match outcome {
        Ok(()) => News::Took(to),
        Err(fault) => failed(place, &fault),
    });
}

fn failed(place: &Place, fault: &Fault) -> News {
    News::Failed(format!("{}: {}", place.named(), fault.why()))
}

/// The relays of lists beside the operator's, each with those who want to be written to there.
fn listed(post: &Post, lists: &[Event]) -> Vec<(Place, BTreeSet<PublicKey>)> {
    let mut found: BTreeMap<String, (Place, BTreeSet<PublicKey>)> = BTreeMap::new();
    for (to, _) in &post.wraps {
        let Some(list) = lists::newest(lists, to) else {
            continue;
        };
        for place in lists::usable(list, &post.places, post.insecure) {
            let key = place.url.as_str_without_trailing_slash().to_owned();
            if found.len() < MOST_LISTED || found.contains_key(&key) {
                let entry = found.entry(key).or_insert((place, BTreeSet::new()));
                entry.1.insert(*to);
            }
        }
    }
    found.into_values().collect()
}

/// True where our own list says where answers reach us: at one of the operator's relays at least.
fn says_where(post: &Post, lists: &[Event]) -> bool {
    let list = lists::newest(lists, &post.keys.public_key());
    list.is_some_and(|list| {
        lists::named(list).any(|url| post.places.iter().any(|p| lists::same(&p.url, &url)))
    })
}

fn own_list(post: &Post) -> Option<Event> {
    let relays = post.places.iter().map(|place| place.url.clone());
    let list: EventBuilder =
        nostr::event::IntoEventBuilder::into_event_builder(InboxRelayList::new(relays));
    list.finalize(&*post.keys).ok()
}
