//! Changes the world outside the state directory: carries out attempts, makes cells, writes
//! heartbeats.
//!
//! [`perform()`] carries out what the rules have decided, each attempt on the strength of an intent
//! that is durable; [`logs`] keeps what is printed by what was started, and [`leftovers()`] finds
//! what a run that was killed has left behind.
//!
//! Cells belong to agents, and what stands in them is hostile: everything here goes from a
//! directory's descriptor beneath the missions root, follows no link, and replaces nothing but a
//! heartbeat. [`heartbeats`] changes nothing; it reads what scheduled jobs left of themselves.

pub mod beat;
pub mod destroy;
pub mod environment;
pub mod heartbeats;
pub mod init;
pub mod leftovers;
pub mod logs;
pub mod perform;
pub mod spawn;

mod attempt;
mod command;
mod fill;
mod making;
mod manifest;
mod place;
mod run;
mod seeds;

pub use leftovers::{end_leftovers, leftovers};
pub use perform::{Performed, Surroundings, perform};

#[cfg(test)]
mod attempt_tests;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod stage;
