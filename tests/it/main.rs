//! Every test here drives the real program, from the outside, by what the contract says of it.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod cmd;
mod crash;
mod disk;
mod dry_run;
mod lock;
mod output;
mod recovery;
mod store;
mod world;
