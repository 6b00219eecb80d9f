//! Changes the world outside the state directory: makes cells, writes heartbeats.
//!
//! Cells belong to agents, and what stands in them is hostile: everything here goes from a
//! directory's descriptor beneath the missions root, follows no link, and replaces nothing but a
//! heartbeat. [`heartbeats`] changes nothing; it reads what scheduled jobs left of themselves.

pub mod beat;
pub mod heartbeats;
pub mod init;
pub mod logs;

mod fill;
mod making;
mod manifest;
mod place;
mod seeds;
