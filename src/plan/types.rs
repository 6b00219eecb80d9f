//! A revive plan as it was checked: every value is one that can be acted on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::glob::Glob;
use super::template::Template;
use super::window::Window;
use crate::model::condition::Condition;
use crate::model::decision::{Policy, Verdict};
use crate::model::step::Step;
use crate::model::time::Timestamp;

/// One plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name; unique over all files.
    pub name: String,
    /// What it is for, in the operator's words.
    pub description: Option<String>,
    /// Where it is written.
    pub source: Source,
    /// Its version: a hash of everything in it that can change a decision or an effect.
    pub hash: String,
    /// Whom it is for.
    pub matches: Match,
    /// When they count as down.
    pub when: When,
    /// How old a beat may be, instead of the configured age.
    pub stale_after: Option<Duration>,
    /// How far a heartbeat's own `quiet_for` is believed, instead of the configured limit.
    pub max_quiet: Option<Duration>,
    /// Evidence beside the heartbeat.
    pub probes: Vec<Probe>,
    /// Who must agree.
    pub policy: Policy,
    /// What to do, in order.
    pub steps: Vec<Step<Template>>,
    /// How often at most.
    pub limits: Limits,
    /// What exit codes of a kept process mean.
    pub on_exit: OnExit,
    /// What the last word of a heartbeat means.
    pub on_report: OnReport,
    /// How long after its last step an attempt has to show.
    pub verify_within: Duration,
    /// How a human is asked.
    pub approval: Approval,
    /// Who is told of what.
    pub notify: Notify,
    /// What must be healthy first.
    pub needs: Vec<Need>,
    /// When nothing is revived.
    pub maintenance: Vec<Window>,
    /// Its own tests.
    pub tests: Vec<Test>,
}

/// Where a plan begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The file, as the operator named it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// Whom a plan is for. Every key given must match; an empty list is a key that was not given.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// Globs over mission ids.
    pub cells: Vec<Glob>,
    /// Globs over agent names.
    pub agents: Vec<Glob>,
    /// Labels that the cell's manifest must have.
    pub labels: BTreeMap<String, String>,
    /// Globs over gateways' names: a plan for gateways, and for nothing else.
    pub gateways: Vec<Glob>,
}

/// When subjects count as down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// Conditions that are acted on, in order and without repeats.
    pub status: Vec<Condition>,
    /// For how long it must have been so.
    pub r#for: Duration,
}

/// How often a subject is revived at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// So many attempts, from 1.
    pub attempts: u32,
    /// In this window.
    pub within: Duration,
    /// How long between them.
    pub backoff: Backoff,
}

/// The delay after the n-th attempt in the window: `initial * factor^(n-1)`, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// After the first.
    pub initial: Duration,
    /// By how much it grows; at least 1.
    pub factor: f64,
    /// At most.
    pub max: Duration,
    /// Which share of it is added or taken away, from 0 to 1.
    pub jitter: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempts: 3,
            within: Duration::from_secs(3600),
            backoff: Backoff {
                initial: Duration::from_secs(30),
                factor: 2.0,
                max: Duration::from_secs(900),
                jitter: 0.1,
            },
        }
    }
}

/// What exit codes of a kept process mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnExit {
    /// It is done, and not to be revived.
    pub finished: Vec<i32>,
    /// It is hopeless, and not to be revived.
    pub permanent: Vec<i32>,
}

/// What the last word of a heartbeat (its `status`) means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnReport {
    /// It is done.
    pub finished: Vec<String>,
    /// Its silence is no death.
    pub tolerated: Vec<String>,
}

/// How a human is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// How long an answer counts.
    pub expires: Duration,
    /// How long after a refusal, or after nobody answered, it is asked again.
    pub ask_again: Duration,
    /// The channels that it is asked through, beside the shell.
    pub channels: Vec<String>,
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            expires: Duration::from_secs(300),
            ask_again: Duration::from_secs(3600),
            channels: Vec::new(),
        }
    }
}

/// Who is told of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// The channels.
    pub channels: Vec<String>,
    /// What is told.
    pub on: Vec<Occasion>,
    /// A sentence of the operator's own.
    pub message: Option<Template>,
}

/// What can be told.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A subject went down.
    Down,
    /// A restart was carried out.
    Revived,
    /// A subject is healthy again.
    Recovered,
    /// Its attempts are used up.
    Exhausted,
    /// A human said no.
    Denied,
    /// Mass-failure protection holds.
    Held,
    /// An attempt failed.
    Failed,
    /// Nobody answered in time.
    Expired,
}

/// What must be healthy before a subject is revived.
#[derive(Clone, Debug)]
pub struct Need {
    /// As written: `gateway:NAME`, `CELL/AGENT`, or `CELL` for all its agents.
    pub text: String,
    /// What it means.
    pub kind: NeedKind,
}

/// What a need means.
#[derive(Clone, Debug)]
pub enum NeedKind {
    /// A gateway.
    Gateway(String),
    /// One subject by its name, or all agents of the cell of that name.
    Named(String),
    /// Every subject that the glob matches.
    Glob(Glob),
}

/// One piece of evidence beside the heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// What is asked.
    #[serde(flatten)]
    pub kind: ProbeKind,
    /// How long it may take; at most 30 s.
    #[serde(skip)]
    pub timeout: Duration,
    /// After how many bad answers in a row it counts as bad.
    pub failures: u32,
    /// After how many good answers in a row it counts as good again.
    pub successes: u32,
}

impl Probe {
    /// `tcp`, `http`, `process`, `exec` or `file`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.kind {
            ProbeKind::Tcp(_) => "tcp",
            ProbeKind::Http(_) => "http",
            ProbeKind::Process(_) => "process",
            ProbeKind::Exec(_) => "exec",
            ProbeKind::File(_) => "file",
        }
    }

    /// What it is known by from run to run: another one as soon as it asks for something else.
    #[must_use]
    pub fn key(&self) -> String {
        let asks = serde_json::to_vec(&self.kind).unwrap_or_default();
        format!("{}-{:08x}", self.word(), crc32fast::hash(&asks))
    }
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Whether something listens: `HOST:PORT` or the path of a Unix socket.
    Tcp(Template),
    /// What a URL answers.
    Http(HttpProbe),
    /// Whether a process lives.
    Process(ProcessProbe),
    /// Whether a command exits with 0.
    Exec(Vec<Template>),
    /// What a file is like.
    File(FileProbe),
}

/// What a URL answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpProbe {
    /// The URL.
    pub url: Template,
    /// The status that is expected; any of 200 to 299 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers to send.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// What the body must contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<Template>,
    /// What the body's JSON must have: a subset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// A file with the certificate of a private authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<Template>,
}

/// Whether a process lives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessProbe {
    /// Which.
    #[serde(flatten)]
    pub which: ProcessBy,
    /// Whether its processor time must have moved since the last run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub busy: bool,
}

/// Which process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessBy {
    /// A regular expression over the command line; checked, and compiled where it is asked.
    Pattern(Template),
    /// The one that a file names.
    Pidfile(Template),
    /// The one that the heartbeat names.
    HeartbeatPid,
}

/// What a file is like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileProbe {
    /// Its path.
    pub path: Template,
    /// How old it may be.
    #[serde(skip)]
    pub newer_than: Option<Duration>,
    /// Whether it must have grown since the last run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub grows: bool,
    /// How many bytes it must have at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u64>,
}

/// One of a plan's own tests: a situation, and what is to be decided in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// Where it is written.
    pub source: Source,
    /// The situation.
    pub given: Given,
    /// What is to be decided.
    pub expect: Expect,
}

/// A situation. What is not given is as in a quiet world in which runs are made every minute.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// `CELL/AGENT` or `gateway:NAME`.
    pub subject: String,
    /// Its condition.
    pub status: Condition,
    /// For how long it has been so.
    pub down_for: Duration,
    /// How many attempts were made in this incident.
    pub attempts: u32,
    /// How long ago the last of them began; default: long enough that backoff is over.
    pub last_attempt: Option<Duration>,
    /// The cell's labels.
    pub labels: BTreeMap<String, String>,
    /// Whether the cell is frozen.
    pub frozen: bool,
    /// The last word of its heartbeat.
    pub report: Option<String>,
    /// The exit code of its process, for `exited`.
    pub exit_code: Option<i32>,
    /// Whether an operator took it out of revival.
    pub paused: bool,
    /// A human's answer to this attempt's question.
    pub answer: Option<crate::model::state::AnswerKind>,
    /// Other subjects that are not healthy.
    pub down: Vec<String>,
    /// What the clock says; default 2026-01-05T12:00:00Z, a Monday.
    pub now: Option<Timestamp>,
}

/// What is to be decided. What is not given may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// How many steps are to be carried out.
    pub steps: Option<usize>,
    /// The command of the first step.
    pub command: Option<Vec<String>>,
    /// The plan that governs.
    pub plan: Option<String>,
    /// When the next attempt can be made, from now.
    pub next_in: Option<Duration>,
    /// A code among the reasons.
    pub because: Option<String>,
}
