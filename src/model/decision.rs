//! What was decided about each subject, and why.

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::cell::{Code, Reason};
use super::condition::Condition;
use super::exit::Exit;
use super::time::Timestamp;

/// What a run decides for one subject. The first of these that applies, in this order, is it.
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
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to do; an open incident is closed.
    Healthy,
    /// It could not be looked at: a failed look is not a death.
    Unobserved,
    /// An attempt was made, and the time for it to show is not over.
    Reviving,
    /// Down, but its cell is frozen.
    Frozen,
    /// Down, but an operator took it out of revival.
    Paused,
    /// Down, and no plan governs it.
    Unplanned,
    /// It is done, by its own word or exit code; counts as healthy.
    Finished,
    /// Hopeless by its exit code, or its plan cannot be filled in for it.
    Permanent,
    /// Its condition is not one that its plan acts on, or its last words excuse its silence.
    Tolerated,
    /// Its plan only tells.
    Never,
    /// Down for less than its plan's `for`.
    Waiting,
    /// Down, inside a maintenance window.
    Maintenance,
    /// What it needs is not healthy.
    Blocked,
    /// Its attempts are used up for now.
    Exhausted,
    /// Its next attempt is not due.
    Backoff,
    /// A human said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// Mass-failure protection, or the host itself, speaks against acting.
    Held,
    /// A human is asked, or is to be asked.
    AwaitingApproval,
    /// Due, but this run has done enough.
    Deferred,
    /// An attempt is due now.
    Revive,
}

impl Verdict {
    /// All of them, in the order in which they are considered.
    pub const ALL: [Verdict; 21] = [
        Verdict::Healthy,
        Verdict::Unobserved,
        Verdict::Reviving,
        Verdict::Frozen,
        Verdict::Paused,
        Verdict::Unplanned,
        Verdict::Finished,
        Verdict::Permanent,
        Verdict::Tolerated,
        Verdict::Never,
        Verdict::Waiting,
        Verdict::Maintenance,
        Verdict::Blocked,
        Verdict::Exhausted,
        Verdict::Backoff,
        Verdict::Denied,
        Verdict::Expired,
        Verdict::Held,
        Verdict::AwaitingApproval,
        Verdict::Deferred,
        Verdict::Revive,
    ];

    /// The verdict's name in plans and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Unobserved => "unobserved",
            Verdict::Reviving => "reviving",
            Verdict::Frozen => "frozen",
            Verdict::Paused => "paused",
            Verdict::Unplanned => "unplanned",
            Verdict::Finished => "finished",
            Verdict::Permanent => "permanent",
            Verdict::Tolerated => "tolerated",
            Verdict::Never => "never",
            Verdict::Waiting => "waiting",
            Verdict::Maintenance => "maintenance",
            Verdict::Blocked => "blocked",
            Verdict::Exhausted => "exhausted",
            Verdict::Backoff => "backoff",
            Verdict::Denied => "denied",
            Verdict::Expired => "expired",
            Verdict::Held => "held",
            Verdict::AwaitingApproval => "awaiting_approval",
            Verdict::Deferred => "deferred",
            Verdict::Revive => "revive",
        }
    }

    /// The exit status that a run with such a verdict has at least. (A `revive` whose steps fail
    /// makes it critical.)
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Verdict::Healthy | Verdict::Finished => Exit::Healthy,
            Verdict::Frozen
            | Verdict::Paused
            | Verdict::Maintenance
            | Verdict::Waiting
            | Verdict::Tolerated
            | Verdict::Reviving
            | Verdict::Backoff
            | Verdict::Blocked
            | Verdict::AwaitingApproval
            | Verdict::Deferred
            | Verdict::Revive => Exit::InHand,
            Verdict::Denied
            | Verdict::Expired
            | Verdict::Exhausted
            | Verdict::Held
            | Verdict::Permanent
            | Verdict::Unobserved
            | Verdict::Never
            | Verdict::Unplanned => Exit::Critical,
        }
    }

    /// True for a subject that is well, or as good as.
    #[must_use]
    pub fn is_well(self) -> bool {
        matches!(self, Verdict::Healthy | Verdict::Finished)
    }
}

/// Who has to agree before a plan's steps are carried out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Nobody.
    Auto,
    /// A human, each time.
    #[default]
    Ask,
    /// It is only told.
    Never,
}

impl Policy {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Auto => "auto",
            Policy::Ask => "ask",
            Policy::Never => "never",
        }
    }
}

/// One rule that was held against a subject, in the order in which they are considered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Check {
    /// The verdict that the rule leads to where it applies.
    pub rule: Verdict,
    /// True where it applies; then it is the last one.
    pub applies: bool,
    /// The numbers that were compared.
    pub message: String,
}

/// What was decided for one subject, with its reasons. A verdict without a reason does not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What it is about.
    pub subject: String,
    /// What it is to its plan.
    pub condition: Condition,
    /// The governing plan's name.
    pub plan: Option<String>,
    /// The governing plan's policy.
    pub policy: Option<Policy>,
    /// The verdict.
    pub verdict: Verdict,
    /// The open incident's id, or that of the one closed in this run.
    pub incident: Option<String>,
    /// The number of the attempt that is due or under way.
    pub attempt: Option<u32>,
    /// How many attempts were made in the open incident.
    pub attempts: u32,
    /// Since when it has been down.
    pub down_since: Option<Timestamp>,
    /// When the next attempt can be made.
    pub next_attempt_at: Option<Timestamp>,
    /// Why, with the numbers compared.
    pub because: Vec<Reason>,
    /// Every rule that was considered, up to the one that applies.
    pub checks: Vec<Check>,
    /// What is to be done now: only with [`Verdict::Revive`].
    pub action: Option<Box<Action>>,
    /// What is to be asked now: only with [`Verdict::AwaitingApproval`], where it was not asked yet.
    pub question: Option<Question>,
}

impl Decision {
    /// What it is called in a list of decisions: the verdict, but for an incident that ends.
    #[must_use]
    pub fn word(&self) -> &'static str {
        let gone = || self.because.last().is_some_and(|r| r.code == Code::Gone);
        match self.verdict {
            Verdict::Healthy if gone() => "gone",
            Verdict::Healthy => "recovered",
            other => other.as_str(),
        }
    }
}

/// What a human is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The version of the plan that is agreed to.
    pub plan_hash: String,
    /// Until when an answer counts.
    pub expires_at: Timestamp,
    /// How long after a refusal it is asked again.
    pub ask_again: std::time::Duration,
}
