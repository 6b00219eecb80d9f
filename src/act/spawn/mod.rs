//! The step `spawn`: starts an agent that outlives the run, with a keeper beside it.

pub mod spec;
