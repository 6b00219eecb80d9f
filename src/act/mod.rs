//! Changes the world outside the state directory: carries out attempts, makes cells, writes
//! heartbeats.
//!
//! [`perform()`] carries out what the rules have decided, each attempt on the strength of an intent
//! that is durable; [`logs`] keeps what is printed by what was started, and [`leftovers()`] finds
//! what a run that was killed has left behind.
//!
//! Cells belong to agents, and what stands in them is hostile: everything here goes from a
//! directory's descriptor beneath the missions root, follows no link, and replaces nothing but a
//! heartbeat and, in canonical cells, the state that is kept there for agents to read. [`tell`]
//! writes that and their streams of events, as what [`news`] makes of a run's own events.
//! [`heartbeats`] changes nothing; it reads what scheduled jobs left of themselves.

pub mod beat;
pub mod destroy;
pub mod environment;
pub mod heartbeats;
pub mod init;
pub mod install;
pub mod leftovers;
pub mod logs;
pub mod news;
pub mod perform;
pub mod signal;
pub mod spawn;
pub mod tell;

mod attempt;
mod beside;
mod command;
mod fill;
mod http;
mod making;
mod manifest;
mod place;
mod rights;
mod run;
mod seeds;
mod wait;
mod would;

pub use command::Named;
pub use leftovers::{end_leftovers, leftovers};
pub use perform::{Performed, Surroundings, perform};
pub use would::{Would, would};

#[cfg(test)]
mod attempt_tests;
#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod signal_tests;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod wait_tests;
