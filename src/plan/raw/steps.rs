//! Steps as they are written.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::model::step::{Backend, BeatFor, Replace};
use crate::yaml::units::{Size, Span};
use crate::yaml::{Many, Pairs, Spanned};

/// One step: exactly one of `run`, `spawn`, `signal`, `http` and `wait`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Step")]
pub struct RawStep {
    /// Runs a command to its end.
    pub run: Option<Spanned<RawRun>>,
    /// Starts an agent that outlives the run.
    pub spawn: Option<Spanned<RawSpawn>>,
    /// Sends a signal to a process that is provably the one meant.
    pub signal: Option<Spanned<RawSignal>>,
    /// Makes one HTTP request.
    pub http: Option<Spanned<RawHttp>>,
    /// Waits until the subject is healthy.
    pub wait: Option<Spanned<RawWait>>,
    /// How long `run` or `http` may take. Default 30s.
    pub timeout: Option<Spanned<Span>>,
}

/// A command with its arguments, or a mapping with more about it.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "Run")]
pub enum RawRun {
    /// Program and arguments; there is no shell.
    Command(Vec<Spanned<String>>),
    /// With more about it.
    Full(RawFullRun),
}

/// A command that is run to its end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FullRun")]
pub struct RawFullRun {
    /// Program and arguments; there is no shell.
    pub command: Spanned<Vec<Spanned<String>>>,
    /// Where, an absolute path. Default `/`.
    #[serde(default)]
    pub cwd: Option<Spanned<String>>,
    /// What is added to its environment.
    #[serde(default)]
    pub env: Option<Pairs<Spanned<String>>>,
    /// As whom. Default: the checker's own user.
    #[serde(default)]
    pub user: Option<Spanned<String>>,
    /// How long it may take before its process group gets TERM. Default 30s.
    #[serde(default)]
    pub timeout: Option<Spanned<Span>>,
    /// How long after TERM the group gets KILL. Default 15s.
    #[serde(default)]
    pub grace: Option<Span>,
}

impl<'de> Deserialize<'de> for RawRun {
    // By hand: an untagged enum would lose the places and the messages.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawRun;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of the program and its arguments, or a mapping with `command`")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawRun, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = seq.next_element()? {
                    words.push(word);
                }
                Ok(RawRun::Command(words))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawRun, A::Error> {
                RawFullRun::deserialize(MapAccessDeserializer::new(map)).map(RawRun::Full)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A long-running agent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Spawn")]
pub struct RawSpawn {
    /// Program and arguments; there is no shell.
    pub command: Spanned<Vec<Spanned<String>>>,
    /// Where, beneath the cell. Default `worktree` (foundation) or `workspace` (canonical). For a
    /// gateway an absolute path.
    #[serde(default)]
    pub cwd: Option<Spanned<String>>,
    /// What is added to its environment.
    #[serde(default)]
    pub env: Option<Pairs<Spanned<String>>>,
    /// What is taken over from the checker's own environment.
    #[serde(default)]
    pub env_pass: Option<Many<Spanned<String>>>,
    /// As whom. Default, when run as root: the owner of the cell.
    #[serde(default)]
    pub user: Option<Spanned<String>>,
    /// `HERMES_HOME`, and `agent.home` in templates. Default: the cell's directory.
    #[serde(default)]
    pub home: Option<Spanned<String>>,
    /// How long after TERM it gets KILL. Default 15s.
    #[serde(default)]
    pub grace: Option<Span>,
    /// What it may use.
    #[serde(default)]
    pub limits: Option<RawProcessLimits>,
    /// What becomes of a predecessor that still lives. Default `terminate`.
    #[serde(default)]
    pub replace: Option<Replace>,
    /// Whether its end starts a run. Default true.
    #[serde(default)]
    pub wake: Option<bool>,
    /// Whether its keeper beats for it. Default `never`.
    #[serde(default)]
    pub beat: Option<Spanned<BeatFor>>,
    /// What starts it. Default `process`.
    #[serde(default)]
    pub backend: Option<Backend>,
}

/// What a spawned agent may use; absent is no limit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ProcessLimits")]
pub struct RawProcessLimits {
    /// How long it may run.
    pub max_runtime: Option<Spanned<Span>>,
    /// How much memory it may have.
    pub memory: Option<Spanned<Size>>,
    /// How many descriptors it may have open.
    #[schemars(range(min = 1))]
    pub open_files: Option<Spanned<u64>>,
    /// How many processes its user may have.
    #[schemars(range(min = 1))]
    pub processes: Option<Spanned<u64>>,
}

/// A signal to be sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Signal")]
pub struct RawSignal {
    /// To whom: `process` (the subject's kept process), `heartbeat_pid`, or `{pidfile: PATH}`.
    pub to: Spanned<RawSignalTo>,
    /// The signal's name. Default TERM.
    #[serde(default)]
    pub signal: Option<Spanned<String>>,
}

/// Whom a signal is meant for.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "SignalTo")]
pub enum RawSignalTo {
    /// `process`, `heartbeat_pid` or `pidfile PATH`.
    Word(String),
    /// The process that a file names.
    Pidfile(RawPidfile),
}

/// The process that a file names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Pidfile")]
pub struct RawPidfile {
    /// The file.
    pub pidfile: Spanned<String>,
}

impl<'de> Deserialize<'de> for RawSignalTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawSignalTo;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`process`, `heartbeat_pid` or `{pidfile: PATH}`")
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<RawSignalTo, E> {
                Ok(RawSignalTo::Word(word.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawSignalTo, A::Error> {
                RawPidfile::deserialize(MapAccessDeserializer::new(map)).map(RawSignalTo::Pidfile)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// One HTTP request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Http")]
pub struct RawHttp {
    /// The method. Default GET, with a `body` POST.
    #[serde(default)]
    pub method: Option<Spanned<String>>,
    /// Where to.
    pub url: Spanned<String>,
    /// Headers to send.
    #[serde(default)]
    pub headers: Option<Pairs<Spanned<String>>>,
    /// What is sent.
    #[serde(default)]
    pub body: Option<Spanned<String>>,
    /// The status that is expected. Default: any of 200 to 299.
    #[serde(default)]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<Spanned<u16>>,
    /// How long it may take. Default 30s.
    #[serde(default)]
    pub timeout: Option<Spanned<Span>>,
}

/// Waiting until the subject is healthy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wait")]
pub struct RawWait {
    /// What for.
    #[serde(default)]
    pub r#for: Option<WaitFor>,
    /// How long.
    pub within: Spanned<Span>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum WaitFor {
    /// The subject is healthy.
    Healthy,
}
