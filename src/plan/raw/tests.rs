//! A plan's own tests as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::condition::Condition;
use crate::model::decision::Verdict;
use crate::yaml::units::Span;
use crate::yaml::{Many, Pairs, Spanned};

/// A situation, and what is to be decided in it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Test")]
pub struct RawTest {
    /// What it shows.
    pub name: Spanned<String>,
    /// The situation.
    pub given: RawGiven,
    /// What is to be decided.
    pub expect: Spanned<RawExpect>,
}

/// A situation. What is not given is as in a quiet world in which runs are made every minute.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Given")]
pub struct RawGiven {
    /// `CELL/AGENT` or `gateway:NAME`.
    pub subject: Spanned<String>,
    /// Its condition.
    pub status: Condition,
    /// For how long it has been so. Default 0s.
    #[serde(default)]
    pub down_for: Option<Span>,
    /// How many attempts were made in this incident. Default 0.
    #[serde(default)]
    pub attempts: Option<u32>,
    /// How long ago the last of them began. Default: long enough that backoff is over.
    #[serde(default)]
    pub last_attempt: Option<Span>,
    /// The cell's labels.
    #[serde(default)]
    pub labels: Option<Pairs<Spanned<String>>>,
    /// Whether the cell is frozen. Default false.
    #[serde(default)]
    pub frozen: Option<bool>,
    /// The last word of its heartbeat.
    #[serde(default)]
    pub report: Option<String>,
    /// The exit code of its process.
    #[serde(default)]
    #[schemars(range(min = 0, max = 255))]
    pub exit_code: Option<Spanned<i32>>,
    /// Whether an operator took it out of revival. Default false.
    #[serde(default)]
    pub paused: Option<bool>,
    /// A human's answer to this attempt's question.
    #[serde(default)]
    pub answer: Option<Answer>,
    /// Other subjects that are not healthy.
    #[serde(default)]
    pub down: Option<Many<Spanned<String>>>,
    /// What the clock says, in RFC 3339. Default 2026-01-05T12:00:00Z, a Monday.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub now: Option<Spanned<String>>,
}

/// A human's answer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Answer {
    /// Yes.
    Approved,
    /// No.
    Denied,
    /// Nobody answered in time.
    Expired,
}

/// What is to be decided. What is not written may be anything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Expect")]
pub struct RawExpect {
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// How many steps are to be carried out.
    pub steps: Option<u32>,
    /// The command of the first step.
    pub command: Option<Vec<Spanned<String>>>,
    /// The plan that governs.
    pub plan: Option<String>,
    /// When the next attempt can be made, from now.
    pub next_in: Option<Span>,
    /// A code among the reasons.
    pub because: Option<String>,
}
