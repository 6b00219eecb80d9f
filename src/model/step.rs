//! The steps of a plan: what is to be done for a subject.
//!
//! A [`Step`] is written in a plan with templates in it and carried out with text in their place:
//! the same shape, over another kind of string.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One step, over templates or over text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<S = String> {
    /// Runs a command to its end.
    Run(Run<S>),
    /// Starts an agent that outlives the run.
    Spawn(Spawn<S>),
    /// Sends a signal to a process that is provably the one meant.
    Signal(SignalStep<S>),
    /// Makes one HTTP request.
    Http(Http<S>),
    /// Waits until the subject is healthy.
    Wait(Wait),
}

/// A command that is run to its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run<S = String> {
    /// Program and arguments; at least the program.
    pub command: Vec<S>,
    /// Where; default `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<S>,
    /// What is added to its environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, S>,
    /// As whom; default the checker's own user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<S>,
    /// How long it may take before its process group gets TERM.
    #[serde(with = "humantime_duration")]
    pub timeout: Duration,
    /// How long after TERM the group gets KILL.
    #[serde(with = "humantime_duration")]
    pub grace: Duration,
}

/// A long-running agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spawn<S = String> {
    /// Program and arguments; at least the program.
    pub command: Vec<S>,
    /// Where, beneath the cell; default the layout's workplace. Absolute for a gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<S>,
    /// What is added to its environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, S>,
    /// What is taken over from the checker's own environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_pass: Vec<String>,
    /// As whom; default the owner of the cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<S>,
    /// `HERMES_HOME`; default the cell's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<S>,
    /// How long after TERM it gets KILL.
    #[serde(with = "humantime_duration")]
    pub grace: Duration,
    /// What it may use.
    #[serde(skip_serializing_if = "ProcessLimits::is_empty")]
    pub limits: ProcessLimits,
    /// What becomes of a predecessor that still lives.
    pub replace: Replace,
    /// Whether its end starts a run.
    pub wake: bool,
    /// Whether its keeper beats for it.
    pub beat: BeatFor,
    /// What starts it.
    pub backend: Backend,
}

/// What a spawned agent may use; absent is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessLimits {
    /// How long it may run.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "humantime_duration_option"
    )]
    pub max_runtime: Option<Duration>,
    /// Bytes of address space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Open descriptors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Processes of its user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

impl ProcessLimits {
    /// True where nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a predecessor that still lives.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Replace {
    /// It is ended first.
    #[default]
    Terminate,
    /// It stays, and no second one is started.
    Keep,
    /// The step fails.
    Fail,
}

/// Whether a keeper beats for its agent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BeatFor {
    /// The agent beats by itself.
    #[default]
    Never,
    /// As long as the agent lives.
    WhileAlive,
    /// Each time the agent prints.
    OnOutput,
}

/// What starts a spawned agent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// A keeper of our own.
    #[default]
    Process,
    /// A transient unit of systemd.
    Systemd,
}

/// A signal to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalStep<S = String> {
    /// To whom.
    pub to: SignalTo<S>,
    /// The signal's name without `SIG`.
    pub signal: String,
}

/// Whom a signal is meant for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalTo<S = String> {
    /// The subject's kept process.
    Process,
    /// The process that its heartbeat names.
    HeartbeatPid,
    /// The process that a file names.
    Pidfile(S),
}

/// One HTTP request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Http<S = String> {
    /// The method.
    pub method: String,
    /// Where to.
    pub url: S,
    /// Headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, S>,
    /// What is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<S>,
    /// The status that is expected; any of 200 to 299 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it may take.
    #[serde(with = "humantime_duration")]
    pub timeout: Duration,
}

/// Waiting until the subject is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// How long.
    #[serde(with = "humantime_duration")]
    pub within: Duration,
}

impl<S> Step<S> {
    /// The step's kind in plans, reports and the journal.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Step::Run(_) => "run",
            Step::Spawn(_) => "spawn",
            Step::Signal(_) => "signal",
            Step::Http(_) => "http",
            Step::Wait(_) => "wait",
        }
    }

    /// The command, for steps that have one.
    #[must_use]
    pub fn command(&self) -> Option<&[S]> {
        match self {
            Step::Run(run) => Some(&run.command),
            Step::Spawn(spawn) => Some(&spawn.command),
            _ => None,
        }
    }

    /// The same step with each of its strings put through `f`.
    ///
    /// # Errors
    /// The first that `f` has.
    pub fn try_map<T, E>(&self, f: &mut impl FnMut(&S) -> Result<T, E>) -> Result<Step<T>, E> {
        Ok(match self {
            Step::Run(run) => Step::Run(Run {
                command: list(&run.command, f)?,
                cwd: run.cwd.as_ref().map(&mut *f).transpose()?,
                env: map(&run.env, f)?,
                user: run.user.as_ref().map(&mut *f).transpose()?,
                timeout: run.timeout,
                grace: run.grace,
            }),
            Step::Spawn(spawn) => Step::Spawn(Spawn {
                command: list(&spawn.command, f)?,
                cwd: spawn.cwd.as_ref().map(&mut *f).transpose()?,
                env: map(&spawn.env, f)?,
                env_pass: spawn.env_pass.clone(),
                user: spawn.user.as_ref().map(&mut *f).transpose()?,
                home: spawn.home.as_ref().map(&mut *f).transpose()?,
                grace: spawn.grace,
                limits: spawn.limits,
                replace: spawn.replace,
                wake: spawn.wake,
                beat: spawn.beat,
                backend: spawn.backend,
            }),
            Step::Signal(signal) => Step::Signal(SignalStep {
                to: match &signal.to {
                    SignalTo::Process => SignalTo::Process,
                    SignalTo::HeartbeatPid => SignalTo::HeartbeatPid,
                    SignalTo::Pidfile(path) => SignalTo::Pidfile(f(path)?),
                },
                signal: signal.signal.clone(),
            }),
            Step::Http(http) => Step::Http(Http {
                method: http.method.clone(),
                url: f(&http.url)?,
                headers: map(&http.headers, f)?,
                body: http.body.as_ref().map(&mut *f).transpose()?,
                status: http.status,
                timeout: http.timeout,
            }),
            Step::Wait(wait) => Step::Wait(*wait),
        })
    }
}

fn list<S, T, E>(from: &[S], f: &mut impl FnMut(&S) -> Result<T, E>) -> Result<Vec<T>, E> {
    from.iter().map(f).collect()
}

fn map<S, T, E>(
    from: &BTreeMap<String, S>,
    f: &mut impl FnMut(&S) -> Result<T, E>,
) -> Result<BTreeMap<String, T>, E> {
    from.iter()
        .map(|(key, value)| Ok((key.clone(), f(value)?)))
        .collect()
}

/// Durations as plans have them: `90s`, `1h 30m`.
mod humantime_duration {
    use std::time::Duration;

    pub(super) fn serialize<S: serde::Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&crate::model::time::exact(*d))
    }
}

/// The same, where there may be none.
mod humantime_duration_option {
    use std::time::Duration;

    pub(super) fn serialize<S: serde::Serializer>(
        d: &Option<Duration>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => super::humantime_duration::serialize(d, s),
            None => s.serialize_none(),
        }
    }
}
