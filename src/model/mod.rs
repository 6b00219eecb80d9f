//! The vocabulary that every stage shares. Data and conversions only: no rule, no input, no output.

pub mod action;
pub mod cell;
pub mod channel;
pub mod condition;
pub mod decision;
pub mod event;
pub mod exit;
pub mod filename;
pub mod post;
pub mod probe;
pub mod process;
pub mod protection;
pub mod reason;
pub mod snapshot;
pub mod state;
pub mod step;
pub mod text;
pub mod time;
