//! System calls, wrapped: files beneath a directory, processes, users, clocks.
//!
//! What needs `unsafe` stands in [`spawn`] and [`memory`] and nowhere else.

pub mod account;
pub mod beneath;
pub mod client;
pub mod create;
pub mod daemon;
pub mod environment;
pub mod filesystems;
pub mod host;
pub mod job;
pub mod memory;
pub mod offspring;
pub mod owner;
pub mod process;
pub mod procs;
pub mod program;
pub mod remove;
pub mod spawn;
pub mod systemd;
pub mod target;
pub mod trust;
