//! What a subject is, as plans see it.

use serde::{Deserialize, Serialize};

use super::cell::Status;

/// What a subject is to its plan: the class that follows from its files, or, with probes and for
/// gateways, what all the evidence adds up to. The words are those of `when.status`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It beats; with probes, all its evidence is good.
    Healthy,
    /// Its last beat is older than its limit.
    Stale,
    /// It never beat, or its heartbeat cannot be used.
    Uninitialized,
    /// Its cell lacks what a cell must have, or could not be read.
    Incomplete,
    /// The process that was kept for it has ended, and it has not beaten since.
    Exited,
    /// With probes: some of its evidence is good.
    Degraded,
    /// With probes: none of its evidence is good.
    Dead,
    /// There is no evidence.
    Unknown,
}

impl Condition {
    /// All of them.
    pub const ALL: [Condition; 8] = [
        Condition::Healthy,
        Condition::Stale,
        Condition::Uninitialized,
        Condition::Incomplete,
        Condition::Exited,
        Condition::Degraded,
        Condition::Dead,
        Condition::Unknown,
    ];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Condition::Healthy => "healthy",
            Condition::Stale => "stale",
            Condition::Uninitialized => "uninitialized",
            Condition::Incomplete => "incomplete",
            Condition::Exited => "exited",
            Condition::Degraded => "degraded",
            Condition::Dead => "dead",
            Condition::Unknown => "unknown",
        }
    }
}

impl From<Status> for Condition {
    fn from(status: Status) -> Self {
        match status {
            Status::Healthy => Condition::Healthy,
            Status::Stale => Condition::Stale,
            Status::Uninitialized => Condition::Uninitialized,
            Status::Incomplete => Condition::Incomplete,
        }
    }
}
