//! System calls, wrapped: files beneath a directory, identity of processes and users, clocks.
//!
//! Whatever needs `unsafe` would stand here and nowhere else; today nothing does.

pub mod beneath;
pub mod create;
pub mod host;
pub mod process;
pub mod trust;
