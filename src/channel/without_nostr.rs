//! What stands for private direct messages over Nostr in a build that was made without them.

use std::time::Instant;

use super::{Channel, Means, Trouble};
use crate::model::channel::{self, Message};

/// A channel that is not in this build.
pub struct Nostr(());

impl Nostr {
    /// Says so.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &channel::Nostr, _: &mut Means<'_>) -> Result<Self, Trouble> {
        Err(missing())
    }
}

fn missing() -> Trouble {
    Trouble::hopeless(
        "this lazarus-pit was built without Nostr; build it with the feature `nostr`, or take the \
         channel out of the configuration",
    )
}

impl Channel for Nostr {
    fn send(&mut self, _: &Message, _: Instant) -> Result<String, Trouble> {
        Err(missing())
    }

    fn look(&mut self, _: Instant) -> Result<String, Trouble> {
        Err(missing())
    }
}
