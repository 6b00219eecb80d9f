//! Servers that behave like the services that channels talk to: with state, with offsets, with the
//! errors and the limits of the real ones. On loopback, each of its own.

#![allow(dead_code, reason = "not every test needs all that a server can do")]

pub(crate) mod gitea;
pub(crate) mod http;
#[cfg(feature = "nostr")]
pub(crate) mod nostr;
pub(crate) mod ntfy;
pub(crate) mod telegram;
