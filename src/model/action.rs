//! An attempt that is due, and what came of it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::step::Step;
use super::time::Timestamp;

/// One attempt that is due: everything is decided, and whoever carries it out has no choice left.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// `CELL/AGENT`, `CELL` or `gateway:NAME`.
    pub subject: String,
    /// The incident.
    pub incident: String,
    /// The number of the attempt within its incident, from 1.
    pub attempt: u32,
    /// The attempt's own id: sortable by time and unique.
    pub r#ref: String,
    /// The plan's name.
    pub plan: String,
    /// The plan's version.
    pub plan_hash: String,
    /// True for one that is let through a mass-failure hold.
    pub canary: bool,
    /// Who agreed, where someone had to: an event's `actor`.
    pub approved_by: Option<String>,
    /// The steps, in order, their templates rendered.
    pub steps: Vec<Step>,
    /// How long the subject has to become healthy afterwards.
    pub verify_within: Duration,
    /// The window in which the attempt counts.
    pub window: Duration,
    /// After how long without a beat the subject is stale, where its plan says so.
    pub stale_after: Option<Duration>,
    /// Where it happens.
    pub place: Place,
    /// True for one whose intent is in the journal already: its run was killed before it carried
    /// out anything of it.
    pub resumed: bool,
}

/// What an attempt is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The cell's name and directory; `None` for a gateway.
    pub cell: Option<(String, PathBuf)>,
    /// The agent's name, or the gateway's; a cell's own where its agents cannot be known.
    pub name: String,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// It is done.
    Ok,
    /// It failed.
    Failed,
    /// It took longer than its timeout.
    TimedOut,
    /// The run's deadline came first.
    CutOff,
    /// One before it failed.
    Skipped,
    /// It would be carried out.
    DryRun,
}

impl StepResult {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StepResult::Ok => "ok",
            StepResult::Failed => "failed",
            StepResult::TimedOut => "timed_out",
            StepResult::CutOff => "cut_off",
            StepResult::Skipped => "skipped",
            StepResult::DryRun => "dry_run",
        }
    }
}

/// What came of an attempt.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// All steps are done.
    Ok,
    /// A step failed.
    Failed,
    /// The run that made it came to no end.
    Interrupted,
    /// It would be made.
    DryRun,
}

impl AttemptResult {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AttemptResult::Ok => "ok",
            AttemptResult::Failed => "failed",
            AttemptResult::Interrupted => "interrupted",
            AttemptResult::DryRun => "dry_run",
        }
    }
}

/// What was done for a subject, for the report.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Done {
    /// The subject.
    pub subject: String,
    /// The attempt's number within its incident.
    pub attempt: u32,
    /// The attempt's id.
    pub r#ref: String,
    /// What came of it.
    pub result: AttemptResult,
    /// Its steps, in order.
    pub steps: Vec<StepDone>,
}

/// What came of one step, for the report.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct StepDone {
    /// `run`, `spawn`, `signal`, `http` or `wait`.
    pub kind: &'static str,
    /// The command, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// What came of it.
    pub result: StepResult,
    /// The process, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// What it ended with, where it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Where its output is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Why it failed: the operation, the object, the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// True where it has started a process that outlives it.
    #[serde(skip)]
    pub started: bool,
}

impl StepDone {
    /// A step of which there is nothing to say but that.
    #[must_use]
    pub fn new(step: &Step, result: StepResult) -> Self {
        Self {
            kind: step.kind(),
            command: step.command().map(<[String]>::to_vec),
            result,
            pid: None,
            exit_code: None,
            duration_ms: None,
            log: None,
            error: None,
            started: false,
        }
    }
}

impl Done {
    /// What a dry run has to say of an action.
    #[must_use]
    pub fn dry(action: &Action) -> Self {
        let step = |step| StepDone::new(step, StepResult::DryRun);
        Self {
            subject: action.subject.clone(),
            attempt: action.attempt,
            r#ref: action.r#ref.clone(),
            result: AttemptResult::DryRun,
            steps: action.steps.iter().map(step).collect(),
        }
    }
}

/// How a kept process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its exit code, where it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// When.
    pub at: Timestamp,
}
