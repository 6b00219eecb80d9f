//! Probes as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::units::{Size, Span};
use crate::yaml::{Pairs, Spanned};

/// One piece of evidence beside the heartbeat: exactly one of `tcp`, `http`, `process`, `exec` and
/// `file`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Probe")]
pub struct RawProbe {
    /// Whether something listens: `HOST:PORT`, or the path of a Unix socket.
    pub tcp: Option<Spanned<String>>,
    /// What a URL answers.
    pub http: Option<Spanned<RawHttpProbe>>,
    /// Whether a process lives.
    pub process: Option<Spanned<RawProcess>>,
    /// Whether a command exits with 0.
    pub exec: Option<Spanned<RawExec>>,
    /// What a file is like.
    pub file: Option<Spanned<RawFile>>,
    /// How long it may take, at most 30s. Default 5s.
    pub timeout: Option<Spanned<Span>>,
    /// After how many bad answers in a row it counts as bad. Default 1.
    #[schemars(range(min = 1))]
    pub failures: Option<Spanned<u32>>,
    /// After how many good answers in a row it counts as good again. Default 1.
    #[schemars(range(min = 1))]
    pub successes: Option<Spanned<u32>>,
}

/// What a URL answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HttpProbe")]
pub struct RawHttpProbe {
    /// The URL.
    pub url: Spanned<String>,
    /// The status that is expected. Default: any of 200 to 299.
    #[serde(default)]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<Spanned<u16>>,
    /// Headers to send.
    #[serde(default)]
    pub headers: Option<Pairs<Spanned<String>>>,
    /// What the body must contain.
    #[serde(default)]
    pub contains: Option<Spanned<String>>,
    /// What the body's JSON must have at least. A key at the top that begins with `/` is a JSON
    /// pointer.
    #[serde(default)]
    pub json: Option<serde_json::Value>,
    /// A file with the certificate of a private authority.
    #[serde(default)]
    pub ca: Option<Spanned<String>>,
}

/// Whether a process lives: exactly one of `pattern`, `pidfile` and `heartbeat_pid`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ProcessProbe")]
pub struct RawProcess {
    /// A regular expression over the command line.
    pub pattern: Option<Spanned<String>>,
    /// A file that holds the process's number.
    pub pidfile: Option<Spanned<String>>,
    /// The process that the heartbeat names.
    pub heartbeat_pid: Option<Spanned<bool>>,
    /// Whether its processor time must have moved since the last run. Default false.
    pub busy: Option<bool>,
}

/// Whether a command exits with 0.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExecProbe")]
pub struct RawExec {
    /// Program and arguments; there is no shell.
    pub command: Spanned<Vec<Spanned<String>>>,
}

/// What a file is like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FileProbe")]
pub struct RawFile {
    /// Its path.
    pub path: Spanned<String>,
    /// How old it may be.
    #[serde(default)]
    pub newer_than: Option<Spanned<Span>>,
    /// Whether it must have grown since the last run. Default false.
    #[serde(default)]
    pub grows: Option<bool>,
    /// How large it must be at least.
    #[serde(default)]
    pub min_size: Option<Size>,
}
