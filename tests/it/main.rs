//! Every test here drives the real program, from the outside, by what the contract says of it.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod attack;
mod classify;
mod classify_agents;
mod classify_time;
mod clock;
mod cmd;
mod config_trust;
mod crash;
mod disk;
mod docs;
mod dry_run;
mod exit_codes;
mod explain;
mod formats;
mod gateways;
mod generated;
mod held;
mod history;
mod hostile;
mod hostile_host;
mod hostile_manifest;
mod hostile_names;
mod hostile_races;
mod hung;
mod init;
mod later;
mod lock;
mod output;
mod ping;
mod plan_lint;
mod plan_test;
mod readers;
mod recovery;
mod report;
mod revive;
mod revive_crash;
mod scale;
mod simulate;
mod soak;
mod status;
mod store;
mod tidy;
mod words;
mod world;
