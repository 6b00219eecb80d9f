//! Made-up and recorded worlds, put through the one decision.
//!
//! Nothing here decides anything: [`world`] shows [`decide`](crate::core::decide::decide) a
//! snapshot as a real run would, [`step`] makes the events that a real run would make, and
//! [`ledger`](crate::core::ledger) adds them up. What is made up is what an attempt does.

pub mod step;
pub mod world;

#[cfg(test)]
mod chaos;
