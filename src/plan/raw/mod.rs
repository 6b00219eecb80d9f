//! A plan as it is written. What is written here ends up in the JSON Schema that editors use.

pub mod probes;
pub mod steps;
pub mod tests;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::condition::Condition;
use crate::model::decision::Policy;
use crate::yaml::units::Span;
use crate::yaml::{Many, Pairs, Spanned};

use super::types::Occasion;
use probes::RawProbe;
use steps::RawStep;
use tests::RawTest;

/// One revive plan: whom it is for, when they count as down, who must agree, what to do, and how
/// often at most.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "lazarus-pit revive plan")]
pub struct RawPlan {
    /// Its name, unique over all files. Default: the file's name without `.yaml`.
    #[schemars(length(min = 1, max = 100))]
    pub name: Option<Spanned<String>>,
    /// What it is for, in your words.
    pub description: Option<String>,
    /// Whom it is for. Every key given must match; no key: the agents of every cell.
    pub r#match: Option<RawMatch>,
    /// When they count as down.
    pub when: Option<RawWhen>,
    /// How old a beat may be, instead of the configured age.
    pub stale_after: Option<Spanned<Span>>,
    /// How far a heartbeat's own `quiet_for` is believed, instead of the configured limit.
    pub max_quiet: Option<Spanned<Span>>,
    /// Evidence beside the heartbeat; all of it is asked at once.
    pub probes: Option<Vec<Spanned<RawProbe>>>,
    /// Who must agree: nobody (`auto`), a human each time (`ask`), or it is only told (`never`).
    /// Default `ask`.
    pub policy: Option<Spanned<Policy>>,
    /// What to do, in order; the first that fails ends the attempt.
    pub steps: Option<Spanned<Vec<Spanned<RawStep>>>>,
    /// How often at most.
    pub limits: Option<RawLimits>,
    /// What exit codes of a kept process mean.
    pub on_exit: Option<RawOnExit>,
    /// What the last word of a heartbeat (its `status`) means.
    pub on_report: Option<RawOnReport>,
    /// How an attempt shows that it has worked.
    pub verify: Option<RawVerify>,
    /// How a human is asked, with policy `ask`.
    pub approval: Option<RawApproval>,
    /// Who is told of what.
    pub notify: Option<RawNotify>,
    /// What must be healthy first: `gateway:NAME`, `CELL/AGENT`, or `CELL` for all its agents;
    /// with `*` and the like, all that match.
    pub needs: Option<Many<Spanned<String>>>,
    /// When nothing is revived.
    pub maintenance: Option<Vec<Spanned<RawWindow>>>,
    /// The plan's own tests, run by `plan test`.
    pub tests: Option<Vec<Spanned<RawTest>>>,
}

/// Whom a plan is for. Every key given must match.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Match")]
pub struct RawMatch {
    /// Globs over mission ids.
    pub cells: Option<Spanned<Many<Spanned<String>>>>,
    /// Globs over agent names.
    pub agents: Option<Spanned<Many<Spanned<String>>>>,
    /// Labels that the cell's manifest must have.
    pub labels: Option<Pairs<Spanned<String>>>,
    /// Globs over gateways' names, instead of the three others: a plan for gateways.
    pub gateways: Option<Spanned<Many<Spanned<String>>>>,
}

/// When subjects count as down.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "When")]
pub struct RawWhen {
    /// What is acted on. Default `[stale, exited]`; with probes, and for gateways, `[dead,
    /// exited]`.
    pub status: Option<Spanned<Many<Spanned<Condition>>>>,
    /// For how long it must have been so. Default 0s.
    pub r#for: Option<Span>,
}

/// How often a subject is revived at most.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct RawLimits {
    /// So many attempts. Default 3.
    #[schemars(range(min = 1))]
    pub attempts: Option<Spanned<u32>>,
    /// In this window. Default 1h.
    pub within: Option<Spanned<Span>>,
    /// How long between them.
    pub backoff: Option<RawBackoff>,
}

/// The delay after the n-th attempt in the window: `initial * factor^(n-1)`, at most `max`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Backoff")]
pub struct RawBackoff {
    /// After the first. Default 30s.
    pub initial: Option<Spanned<Span>>,
    /// By how much it grows. Default 2.
    #[schemars(range(min = 1))]
    pub factor: Option<Spanned<f64>>,
    /// At most. Default 15m.
    pub max: Option<Spanned<Span>>,
    /// Which share of it is added or taken away. Default 0.1.
    #[schemars(range(min = 0, max = 1))]
    pub jitter: Option<Spanned<f64>>,
}

/// What exit codes of a kept process mean.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "OnExit")]
pub struct RawOnExit {
    /// It is done, and not to be revived.
    pub finished: Option<Many<Spanned<i32>>>,
    /// It is hopeless, and not to be revived.
    pub permanent: Option<Many<Spanned<i32>>>,
}

/// What the last word of a heartbeat means.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "OnReport")]
pub struct RawOnReport {
    /// It is done, and not to be revived.
    pub finished: Option<Many<Spanned<String>>>,
    /// Its silence is no death.
    pub tolerated: Option<Many<Spanned<String>>>,
}

/// How an attempt shows that it has worked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Verify")]
pub struct RawVerify {
    /// The subject must be healthy by then, from the last step on. Default 2m.
    pub within: Option<Spanned<Span>>,
}

/// How a human is asked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Approval")]
pub struct RawApproval {
    /// How long a question waits for its answer. Default 5m.
    pub expires: Option<Spanned<Span>>,
    /// How long after a refusal, or after nobody answered, it is asked again. Default 1h.
    pub ask_again: Option<Spanned<Span>>,
    /// The channels that it is asked through, beside the shell.
    pub channels: Option<Many<Spanned<String>>>,
}

/// Who is told of what.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Notify")]
pub struct RawNotify {
    /// The channels.
    pub channels: Option<Many<Spanned<String>>>,
    /// What is told.
    pub on: Option<Many<Spanned<Occasion>>>,
    /// A sentence of your own; a template.
    pub message: Option<Spanned<String>>,
}

/// A time in which nothing is revived: `from` and `until`, or `cron` and `for`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Window")]
pub struct RawWindow {
    /// Its first moment, in RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub from: Option<Spanned<String>>,
    /// The first moment after it, in RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<Spanned<String>>,
    /// When it begins, again and again: minute, hour, day of month, month, day of week.
    pub cron: Option<Spanned<String>>,
    /// How long it lasts each time.
    pub r#for: Option<Spanned<Span>>,
    /// Whose clock `cron` goes by, such as `Europe/Vienna`. Default UTC.
    pub timezone: Option<Spanned<String>>,
}
