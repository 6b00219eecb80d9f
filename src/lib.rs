//! Lazarus Pit: a one-shot checker for AI agents that work in *mission cells*.
//!
//! ```text
//!  command line, config ──▶ CONFIG    (text → checked values, all problems at once)
//!                              │
//!  missions root ──▶ OBSERVE ──▶ Snapshot ─┐
//!  state dir     ──▶ STORE   ──▶ State ────┼──▶ DECIDE (pure) ──▶ Verdicts ──▶ ACT
//!  clock         ──▶ now ──────────────────┘  classify→decide→ledger   │        │
//!                                                                      ▼        ▼
//!                                              STORE.record ──▶ REPORT (text, JSON, heartbeat, exit)
//! ```
//!
//! One run goes through `cli` → [`pipeline`] → `observe` → [`core`] → `store` → [`report`], in that
//! order; [`pipeline`] is the one place that orders effects. The folders are the stages:
//!
//! | module | what lives there | may use |
//! |---|---|---|
//! | [`model`] | the vocabulary: data and no rules | std, serde |
//! | [`yaml`] | YAML with positions, problems with carets | `model` |
//! | [`plan`] | text → checked plans; which plan governs whom | `model`, `yaml` |
//! | [`core`] | pure rules: classify, decide, ledger | `model`, `plan` |
//! | [`sim`] | made-up and recorded worlds, put through the one decision | `model`, `yaml`, `plan`, `core` |
//! | [`sys`] | system calls, wrapped | `model` |
//! | [`net`] | one request to a server, within bounds | `model`, `sys` |
//! | [`config`] | files and flags → checked values | `yaml`, `model`, `plan`, `sys` |
//! | [`import`] | files of earlier tools → configuration and plans, text to text | `model`, `yaml`, `plan`, `config` |
//! | [`observe`] | reads the world, trusts nothing in it | `model`, `core`, `sys`, `net` |
//! | [`store`] | lock, journal, state: what survives a crash | `model`, `core`, `sys` |
//! | [`table`] | the process table: what was started, what lives, whose place is taken | `model`, `store`, `sys` |
//! | [`act`] | changes the world outside the state directory | `model`, `core`, `observe`, `table`, `sys`, `net` |
//! | [`keeper`] | the small process beside each agent that was started | `model`, `table`, `act`, `sys` |
//! | [`report`] | values → text; the run's own heartbeat and ping | `model`, `core`, `store`, `sys`, `net` |
//! | [`channel`] | people: telling, asking and hearing them over services, a file a kind | `model`, `sys`, `net` |
//! | [`pipeline`] | the order of effects in a run | all of the above |
//! | [`cli`] | commands, options, exit codes | all of the above |
//!
//! Never up, never sideways; `tests/it/tidy.rs` holds the source to it.

pub mod act;
pub mod channel;
pub mod cli;
pub mod config;
pub mod core;
pub mod import;
pub mod keeper;
pub mod model;
pub mod net;
pub mod observe;
pub mod pipeline;
pub mod plan;
pub mod report;
pub mod sim;
pub mod store;
pub mod sys;
pub mod table;
pub mod yaml;
