//! The rules. Pure: no clock, no file, no environment, no randomness; every input is an argument,
//! every output a value. `tests/it/tidy.rs` checks that nothing here imports what could do more.
#![forbid(unsafe_code)]

pub mod answers;
pub mod asking;
pub mod budget;
pub mod classify;
mod consent;
pub mod decide;
pub mod evidence;
pub mod filling;
mod fleet;
mod forget;
pub mod gone;
pub mod holds;
mod judge;
pub mod ledger;
pub mod mass;
mod needs;
pub mod order;
pub mod post;
pub mod rules;
mod ruling;
pub mod sweep;
pub mod telling;
pub mod view;
