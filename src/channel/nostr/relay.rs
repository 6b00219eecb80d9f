//! A conversation with one relay: what it has, what it takes, and who it wants us to be (NIP-01,
//! NIP-42).

use std::sync::Arc;
use std::time::{Duration, Instant};

use nostr::event::{Event, EventId, FinalizeEvent as _};
use nostr::filter::Filter;
use nostr::key::Keys;
use nostr::message::{ClientMessage, RelayMessage, SubscriptionId};
use nostr::nips::nip42::ClientAuthentication;
use nostr::types::RelayUrl;

use crate::model::text::{shortened, visible};
use crate::net::socket::{Dial, Lost, Peers, Socket};
use crate::net::{self, Authorities};

/// As long may one message of a relay be, in bytes: a wrapped message has a few thousand.
const MOST_MESSAGE: usize = 256 << 10;

/// As much is read from a relay in one conversation, in bytes.
const MOST_BYTES: u64 = 8 << 20;

/// How long a relay is waited for that wants to know who we are, and has not yet asked the question.
const CHALLENGE: Duration = Duration::from_secs(2);

/// A relay, and what may be done to reach it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) url: RelayUrl,
    pub(super) peers: Peers,
    pub(super) authorities: Authorities,
}

impl Place {
    /// How messages call it: URLs of relays hold tokens at times.
    pub(super) fn named(&self) -> String {
        net::host(self.url.as_str()).unwrap_or_else(|| "a relay".to_owned())
    }
}

/// Why a relay did not do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It said no, and why.
    Refused(String),
    /// Nothing came, or nothing usable.
    Lost(Lost),
}

impl From<Lost> for Fault {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl Fault {
    /// The sentence for people.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Refused(why) => why,
            Self::Lost(lost) => lost.why(),
        }
    }
}

/// An open conversation.
pub(super) struct Relay {
    socket: Socket,
    url: RelayUrl,
    keys: Arc<Keys>,
    challenge: Option<String>,
    known: bool,
    subscriptions: u32,
}

impl Relay {
    /// Opens one.
    pub(super) fn open(place: &Place, keys: &Arc<Keys>, until: Instant) -> Result<Self, Fault> {
        let dial = Dial {
            url: place.url.as_str().to_owned(),
            peers: place.peers,
            authorities: place.authorities.clone(),
            most_message: MOST_MESSAGE,
            most_bytes: MOST_BYTES,
        };
        Ok(Self {
            socket: Socket::dial(&dial, until)?,
            url: place.url.clone(),
            keys: Arc::clone(keys),
            challenge: None,
            known: false,
            subscriptions: 0,
        })
    }

    /// Until when what is called next may take.
    pub(super) fn set_until(&mut self, until: Instant) {
        self.socket.set_until(until);
    }

    /// The stored events that match, at most this many. Nothing of them is checked.
    pub(super) fn fetch(&mut self, filter: &Filter, most: usize) -> Result<Vec<Event>, Fault> {
        match self.fetch_once(filter, most) {
            Err(Fault::Refused(why)) if wants_to_know(&why) && !self.known => {
                self.introduce()?;
                self.fetch_once(filter, most)
            }
            other => other,
        }
    }

    fn fetch_once(&mut self, filter: &Filter, most: usize) -> Result<Vec<Event>, Fault> {
        self.subscriptions += 1;
        let id = SubscriptionId::new(format!("lazarus-{}", self.subscriptions));
        self.say(&ClientMessage::req(id.clone(), vec![filter.clone()]))?;
        let mut found = Vec::new();
        while found.len() < most {
            match self.listen()? {
                RelayMessage::Event {
                    subscription_id,
                    event,
                } if *subscription_id == id => found.push(event.into_owned()),
                RelayMessage::EndOfStoredEvents(of) if *of == id => break,
                RelayMessage::Closed {
                    subscription_id,
                    message,
                } if *subscription_id == id => return Err(Fault::Refused(said(&message))),
                _ => {}
            }
        }
        self.say(&ClientMessage::close(id))?;
        Ok(found)
    }

    /// Gives it an event to keep. It has taken it where this is fine.
    pub(super) fn publish(&mut self, event: &Event) -> Result<(), Fault> {
        match self.publish_once(event) {
            Err(Fault::Refused(why)) if wants_to_know(&why) && !self.known => {
                self.introduce()?;
                self.publish_once(event)
            }
            other => other,
        }
    }

    fn publish_once(&mut self, event: &Event) -> Result<(), Fault> {
        self.say(&ClientMessage::event(event.clone()))?;
        self.outcome(event.id)
    }

    /// True once it has asked who we are, and was not told.
    pub(super) fn asks(&self) -> bool {
        self.challenge.is_some() && !self.known
    }

    /// Tells it who we are (NIP-42).
    pub(super) fn introduce(&mut self) -> Result<(), Fault> {
        let until = Instant::now() + CHALLENGE;
        while self.challenge.is_none() && Instant::now() < until {
            self.listen()?;
        }
        let Some(challenge) = self.challenge.clone() else {
            let why = "it wants to know who asks, and gives no challenge to prove it with";
            return Err(Fault::Refused(why.to_owned()));
        };
        let proof = ClientAuthentication::new(challenge, self.url.clone());
        let proof = proof
            .finalize(&*self.keys)
            .map_err(|_| Fault::Refused("no proof of who asks could be made".to_owned()))?;
        let id = proof.id;
        self.say(&ClientMessage::auth(proof))?;
        self.outcome(id)?;
        self.known = true;
        Ok(())
    }

    /// What it says of an event that it was given.
    fn outcome(&mut self, id: EventId) -> Result<(), Fault> {
        loop {
            if let RelayMessage::Ok {
                event_id,
                status,
                message,
            } = self.listen()?
                && event_id == id
            {
                return match status || message.starts_with("duplicate:") {
                    true => Ok(()),
                    false => Err(Fault::Refused(said(&message))),
                };
            }
        }
    }

    fn say(&mut self, message: &ClientMessage<'_>) -> Result<(), Fault> {
        let text = message
            .try_as_json()
            .map_err(|_| Fault::Refused("what it is told could not be written".to_owned()))?;
        Ok(self.socket.send(text)?)
    }

    /// The next message that is one; a challenge is noted.
    fn listen(&mut self) -> Result<RelayMessage<'static>, Fault> {
        loop {
            // What cannot be read is passed over: relays may say what was not known when this was made.
            let Ok(message) = RelayMessage::from_json(self.socket.receive()?) else {
                continue;
            };
            if let RelayMessage::Auth { challenge } = &message {
                self.challenge = Some(challenge.clone().into_owned());
                self.known = false;
            }
            return Ok(message);
        }
    }

    /// Ends it.
    pub(super) fn close(self) {
        self.socket.close();
    }
}

/// True for a refusal that ends once the relay knows who we are.
fn wants_to_know(why: &str) -> bool {
    why.starts_with("auth-required:")
}

/// What a relay says, fit to be told.
fn said(message: &str) -> String {
    match message.trim() {
        "" => "it gave no reason".to_owned(),
        text => visible(&shortened(text, 200)).into_owned(),
    }
}
