//! System calls, wrapped: files beneath a directory, processes, users, clocks.
//!
//! What needs `unsafe` stands in [`spawn`] and nowhere else.

pub mod account;
pub mod beneath;
pub mod create;
pub mod host;
pub mod job;
pub mod process;
pub mod procs;
pub mod remove;
pub mod spawn;
pub mod trust;
