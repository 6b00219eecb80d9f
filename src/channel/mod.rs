//! Channels: telling people, asking them, and hearing what they said. One file a kind.
//!
//! A channel does one thing at a time and remembers nothing: what is to be sent, what was sent and
//! how far answers were read lies in the state, and comes in and goes out here as values.

mod event;
pub mod exec;
#[cfg(test)]
#[path = "../../tests/it/fake/mod.rs"]
mod fake;
mod fit;
pub mod gitea;
mod hidden;
mod http;
mod means;
#[cfg(feature = "nostr")]
pub mod nostr;
#[cfg(not(feature = "nostr"))]
#[path = "without_nostr.rs"]
pub mod nostr;
pub mod ntfy;
mod open;
#[cfg(test)]
mod samples;
pub mod telegram;
pub mod webhook;
mod words;

pub use means::Means;
pub use open::{has_variables, open, secret};

use std::time::Instant;

use crate::model::channel::{Heard, Message, Question};

/// A channel of some kind, ready to be used.
pub trait Channel: Send {
    /// Sends one message, by `until` at the latest. Returns what the service calls it, for edits,
    /// replies and what comes later in the same incident; empty where it calls it nothing.
    ///
    /// Sent again with the same id after a [`Trouble`], it must not appear twice where the service
    /// gives any means against that.
    ///
    /// # Errors
    /// It is not known to have arrived.
    fn send(&mut self, message: &Message, until: Instant) -> Result<String, Trouble>;

    /// What people have said since `cursor`, without waiting for them to say something. `open` are
    /// the questions that are not settled.
    ///
    /// The new cursor is stored once what was heard is durable, and only then given to the next call,
    /// which may let the service forget what came before it.
    ///
    /// # Errors
    /// It could not be read; nothing is lost by that.
    fn hear(
        &mut self,
        cursor: Option<&str>,
        open: &[Question],
        until: Instant,
    ) -> Result<Said, Trouble> {
        let (_, _) = (open, until);
        Ok(Said {
            all: Vec::new(),
            cursor: cursor.map(str::to_owned),
            more: false,
        })
    }

    /// Sends nothing, and says in a sentence what it can read back of itself: who the token belongs
    /// to, whether the chat, the repository or the topic is there.
    ///
    /// # Errors
    /// It cannot be used as it is set up.
    fn look(&mut self, until: Instant) -> Result<String, Trouble>;
}

/// What people have said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// All of it, oldest first.
    pub all: Vec<Heard>,
    /// How far it was read.
    pub cursor: Option<String>,
    /// There may be more, for one who asks again with that cursor.
    pub more: bool,
}

/// Why something did not work. The sentence holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What was tried, where, and why it failed; what to do next, where that is known.
    pub why: String,
    /// How long the service wants to be left alone, in seconds, where it says so.
    pub retry_after: Option<u64>,
    /// True where trying the same again cannot help: it is given up at once.
    pub hopeless: bool,
}

impl Trouble {
    /// Something that may work another time.
    #[must_use]
    pub fn passing(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            retry_after: None,
            hopeless: false,
        }
    }

    /// Something that will not work however often it is tried.
    #[must_use]
    pub fn hopeless(why: impl Into<String>) -> Self {
        Self {
            hopeless: true,
            ..Self::passing(why)
        }
    }
}
