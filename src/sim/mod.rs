//! Made-up and recorded worlds, put through the one decision.
//!
//! Nothing here decides anything: [`world`] shows [`decide`](crate::core::decide::decide) a
//! snapshot as a real run would, [`step`] makes the events that a real run would make, and
//! [`ledger`](crate::core::ledger) adds them up. What is made up is what an attempt does.
//!
//! ```text
//! scenario ──▶ play ────┐
//!                       ├──▶ world ──▶ step (decide, ledger) ──▶ events, decisions ──▶ tally
//! journal  ──▶ replay ──┘
//! ```

pub mod plan_test;
pub mod play;
pub mod replay;
pub mod scenario;
pub mod step;
pub mod tally;
pub mod world;

use serde::Serialize;

use crate::model::condition::Condition;
use crate::model::decision::{Decision, Verdict};
use crate::model::event::Event;
use crate::model::time::Timestamp;

/// What there is to be heard of a simulated run.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// An event, as a journal would have it.
    Event(&'a Event),
    /// A decision.
    Decision(&'a Line),
}

/// A decision of a simulated run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The run's moment.
    pub at: Timestamp,
    /// The subject.
    pub subject: String,
    /// What it is.
    pub condition: Condition,
    /// The verdict.
    pub verdict: Verdict,
    /// The number of the attempt that is due or under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Since when it has been down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_since: Option<Timestamp>,
    /// The governing plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl Line {
    /// A decision that was made then.
    #[must_use]
    pub fn of(at: Timestamp, decision: &Decision) -> Self {
        Self {
            at,
            subject: decision.subject.clone(),
            condition: decision.condition,
            verdict: decision.verdict,
            attempt: decision.attempt,
            incident: decision.incident.clone(),
            down_since: decision.down_since,
            plan: decision.plan.clone(),
        }
    }
}

#[cfg(test)]
mod chaos;
