//! What a mission cell is, as it was found and as it was judged.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::{NonZeroI32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

pub use super::reason::{Code, Reason};

/// Which of the two layouts a cell has. A `cell.json` at its top makes it canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `meta config state logs artifacts worktree`, one heartbeat at `state/heartbeat.json`.
    Foundation,
    /// `workspace logs .lazarus`, one heartbeat an agent under `.lazarus/heartbeats/`.
    Canonical,
}

/// What a cell of the foundation layout must have, unless the configuration says otherwise.
pub const FOUNDATION_SUBDIRS: [&str; 6] =
    ["meta", "config", "state", "logs", "artifacts", "worktree"];

impl Layout {
    /// The layout's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Layout::Foundation => "foundation",
            Layout::Canonical => "canonical",
        }
    }
}

/// What a cell or an agent is, from the best to the worst. The order is that of the
/// classification read backwards: the worst that applies wins.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It beats.
    Healthy,
    /// Its last beat is older than its limit.
    Stale,
    /// It never beat, or its heartbeat cannot be used.
    Uninitialized,
    /// The cell lacks what a cell must have, or could not be read.
    Incomplete,
}

impl Status {
    /// The status's name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Healthy => "healthy",
            Status::Stale => "stale",
            Status::Uninitialized => "uninitialized",
            Status::Incomplete => "incomplete",
        }
    }
}

/// The code of the warning that a foundation cell's manifest could not be read.
pub const MANIFEST_UNREADABLE: &str = "manifest_unreadable";

/// Something worth an operator's eye that changes no status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Warning {
    /// A stable code, such as `manifest_untrusted`.
    pub code: &'static str,
    /// What it is about: a cell or a file; absent where it is about the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The sentence for people.
    pub message: String,
}

impl Warning {
    /// A warning about one thing.
    #[must_use]
    pub fn about(
        code: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            subject: Some(subject.into()),
            message: message.into(),
        }
    }

    /// A warning about the run as a whole.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            subject: None,
            message: message.into(),
        }
    }
}

/// The lifecycle that a manifest gives its cell. Only three words change anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// As `init` leaves it.
    Bootstrapped,
    /// At work.
    Active,
    /// Classified, never revived.
    Frozen,
    /// Counted as ignored.
    Archived,
    /// Counted as ignored.
    Destroyed,
    /// Any other word.
    Other(Box<str>),
}

impl Lifecycle {
    /// From the manifest's `status`.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text {
            "bootstrapped" => Self::Bootstrapped,
            "active" => Self::Active,
            "frozen" => Self::Frozen,
            "archived" => Self::Archived,
            "destroyed" => Self::Destroyed,
            other => Self::Other(super::text::shortened(other, 64).into()),
        }
    }

    /// The word itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bootstrapped => "bootstrapped",
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Archived => "archived",
            Self::Destroyed => "destroyed",
            Self::Other(word) => word,
        }
    }

    /// True where nothing is decided for the cell.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        matches!(self, Self::Archived | Self::Destroyed)
    }
}

/// What a manifest says, as far as it is believed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The cell's lifecycle.
    pub lifecycle: Option<Lifecycle>,
    /// The cell's labels; boxed, since few cells have any.
    pub labels: Option<Box<BTreeMap<String, String>>>,
    /// The agents it names, in its order; `None` where it has no such list.
    pub agents: Option<Vec<Box<str>>>,
    /// The number of the mission's own issue, `gitea_issue`.
    pub issue: Option<NonZeroU64>,
}

/// A heartbeat as it was read. Nothing here is judged yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// The `timestamp` that the agent wrote.
    pub claimed: Timestamp,
    /// When the file was last written by the file system's word: the earlier of its modification
    /// and change times, since a modification time can be set at will, into the future too.
    pub written: Timestamp,
    /// `quiet_for`: how long the agent says it may be silent. Whole seconds, zero if not given.
    pub quiet_for: Duration,
    /// `status`, the agent's own word.
    pub status: Option<Arc<str>>,
    /// `cycle`.
    pub cycle: Option<i64>,
    /// `model`.
    pub model: Option<Arc<str>>,
    /// `pid`, if it is one that a process can have.
    pub pid: Option<NonZeroI32>,
}

/// What is kept of a heartbeat once it was judged. There is one for every living agent of a fleet,
/// so nothing stands here that nobody asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Beat {
    /// When the agent last beat, as far as that is believed.
    pub last: Timestamp,
    /// `now - last`, truncated to whole seconds, never negative.
    pub age_seconds: u64,
    /// The moment from which it is stale, if no other beat comes. (By the configured limit, for one
    /// so fresh that no plan was asked.)
    pub stale_at: Timestamp,
    /// `status`, the agent's own word.
    pub status: Option<Arc<str>>,
    /// `cycle`.
    pub cycle: Option<i64>,
    /// `model`.
    pub model: Option<Arc<str>>,
    /// `pid`.
    pub pid: Option<NonZeroI32>,
}

/// What looking for one heartbeat came to.
#[derive(Clone, Debug, PartialEq)]
pub enum HeartbeatFact {
    /// It is there and can be used.
    Seen(Heartbeat),
    /// It is not there.
    Absent,
    /// Something is there that is no usable heartbeat: which code, and what exactly.
    Unusable(Code, String),
    /// It could not be looked at. This is not the same as not being there.
    Unreadable(String),
}

/// One expected agent, as found.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentFacts {
    /// The agent's name.
    pub name: Cow<'static, str>,
    /// Where it beats, beneath its cell.
    pub path: Arc<str>,
    /// Its heartbeat.
    pub heartbeat: HeartbeatFact,
}

/// One cell, as found.
#[derive(Clone, Debug, PartialEq)]
pub struct CellFacts {
    /// The directory's name, made text.
    pub id: Box<str>,
    /// Which layout it has; `None` where that could not be told.
    pub layout: Option<Layout>,
    /// The first look that failed, if one did: a path and a cause.
    pub unreadable: Option<String>,
    /// Required subdirectories that are not there or no directories, in configured order.
    pub missing: Vec<Box<str>>,
    /// Why the manifest cannot be used, where it cannot.
    pub manifest_problem: Option<String>,
    /// What the manifest says.
    pub manifest: Manifest,
    /// The expected agents, in the manifest's order.
    pub agents: Vec<AgentFacts>,
    /// What else was noticed.
    pub warnings: Vec<Warning>,
}

/// One agent, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// The agent's name.
    pub name: Cow<'static, str>,
    /// Its own status.
    pub status: Status,
    /// False where it could not be looked at: then nothing may be done about it.
    pub observed: bool,
    /// Its last beat, where there is a usable one.
    pub beat: Option<Beat>,
    /// Why it is not healthy (or that its clock is wrong although it is).
    pub reasons: Vec<Reason>,
}

/// One cell, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The directory's name, made text.
    pub id: Box<str>,
    /// Which layout it has.
    pub layout: Option<Layout>,
    /// The lifecycle that its manifest gives it.
    pub lifecycle: Option<Lifecycle>,
    /// Its labels.
    pub labels: Option<Box<BTreeMap<String, String>>>,
    /// The number of the mission's own issue.
    pub issue: Option<NonZeroU64>,
    /// The worst of its agents' statuses, or its own.
    pub status: Status,
    /// False where it could not be looked at as a whole.
    pub observed: bool,
    /// Required subdirectories that it lacks, in configured order.
    pub missing: Vec<Box<str>>,
    /// Reasons of the cell itself; those of its agents stand with them.
    pub reasons: Vec<Reason>,
    /// The expected agents, in byte order of their names.
    pub agents: Vec<Agent>,
    /// What else was noticed.
    pub warnings: Vec<Warning>,
}

impl Cell {
    /// True where the cell is only counted: archived or destroyed.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        self.lifecycle.as_ref().is_some_and(Lifecycle::is_ignored)
    }

    /// True where the cell is classified and never revived.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.lifecycle == Some(Lifecycle::Frozen)
    }

    /// The oldest of its agents' last beats.
    #[must_use]
    pub fn oldest(&self) -> Option<&Beat> {
        self.agents
            .iter()
            .filter_map(|a| a.beat.as_ref())
            .min_by_key(|beat| beat.last)
    }

    /// The subject of one of its agents: `CELL/AGENT`.
    #[must_use]
    pub fn subject(&self, agent: &Agent) -> String {
        format!("{}/{}", self.id, agent.name)
    }

    /// All reasons: the cell's own, then its agents'.
    pub fn all_reasons(&self) -> impl Iterator<Item = &Reason> {
        self.reasons
            .iter()
            .chain(self.agents.iter().flat_map(|a| &a.reasons))
    }
}
