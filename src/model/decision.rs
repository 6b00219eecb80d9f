//! What was decided about each subject, and why.

use serde::{Deserialize, Serialize};

use super::cell::Reason;
use super::exit::Exit;
use super::time::Timestamp;

/// What a run decides for one subject.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to do; an open incident is closed.
    Healthy,
    /// Down, but its cell is frozen.
    Frozen,
    /// It could not be looked at: a failed look is not a death.
    Unobserved,
    /// Down, and no plan governs it.
    Unplanned,
}

impl Verdict {
    /// The verdict's name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Frozen => "frozen",
            Verdict::Unobserved => "unobserved",
            Verdict::Unplanned => "unplanned",
        }
    }

    /// The exit status that a run with such a verdict has at least.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Verdict::Healthy => Exit::Healthy,
            Verdict::Frozen => Exit::InHand,
            Verdict::Unobserved | Verdict::Unplanned => Exit::Critical,
        }
    }
}

/// What was decided for one subject, with its reasons. A verdict without a reason does not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What it is about.
    pub subject: String,
    /// The governing plan's name.
    pub plan: Option<String>,
    /// The governing plan's policy.
    pub policy: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The open incident's id, or that of the one closed in this run.
    pub incident: Option<String>,
    /// The number of the attempt that is due or under way.
    pub attempt: Option<u32>,
    /// Since when it has been down.
    pub down_since: Option<Timestamp>,
    /// When the next attempt can be made.
    pub next_attempt_at: Option<Timestamp>,
    /// Why, with the numbers compared.
    pub because: Vec<Reason>,
}
