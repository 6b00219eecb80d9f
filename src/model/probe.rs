//! What is asked about a subject beside its heartbeat, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cell::Reason;
use super::condition::Condition;
use super::time::Timestamp;

/// One thing to be asked: a probe with its templates filled in for a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What it is known by from run to run, unique among the subject's.
    pub key: String,
    /// `tcp`, `http`, `process`, `exec` or `file`.
    pub kind: &'static str,
    /// What is asked; a sentence where it cannot be filled in for this subject.
    pub asks: Result<Asks, String>,
    /// How long it may take.
    pub timeout: Duration,
    /// After how many bad answers in a row it counts as bad, from 1.
    pub failures: u32,
    /// After how many good answers in a row it counts as good again, from 1.
    pub successes: u32,
    /// What was measured before, where it is one that is held against that.
    pub before: Option<Mark>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// Whether something listens: `HOST:PORT`, or the path of a Unix socket.
    Tcp(String),
    /// What a URL answers.
    Http(HttpAsks),
    /// Whether a process lives.
    Process {
        /// Which.
        which: ProcessWhich,
        /// Whether its processor time must have moved.
        busy: bool,
    },
    /// Whether a command exits with 0.
    Exec(Vec<String>),
    /// What a file is like.
    File(FileAsks),
}

/// What a URL answers.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpAsks {
    /// The URL.
    pub url: String,
    /// The status that is expected; any of 200 to 299 where absent.
    pub status: Option<u16>,
    /// Headers to send.
    pub headers: BTreeMap<String, String>,
    /// What the body must contain.
    pub contains: Option<String>,
    /// What the body's JSON must have.
    pub json: Option<serde_json::Value>,
    /// A file with the certificate of a private authority.
    pub ca: Option<String>,
}

/// Which process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessWhich {
    /// One whose command line this regular expression matches.
    Pattern(String),
    /// The one that a file names.
    Pidfile(String),
    /// The one that the heartbeat names.
    HeartbeatPid,
}

/// What a file is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAsks {
    /// Its path.
    pub path: String,
    /// How old it may be.
    pub newer_than: Option<Duration>,
    /// Whether it must have grown.
    pub grows: bool,
    /// How many bytes it must have at least.
    pub min_size: Option<u64>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It is as it should be.
    Good,
    /// It is not.
    Bad,
    /// It could not be asked, or nobody can say: that is no word about the subject.
    NotAsked,
    /// It was asked too soon after the last time to tell whether anything moves.
    TooSoon,
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What came back.
    pub word: Word,
    /// How long that took.
    pub took: Duration,
    /// What was asked, for people.
    pub asked: String,
    /// What came back, for people.
    pub message: String,
    /// What was measured, where it is to be held against the last time.
    pub measured: Option<Measured>,
}

/// Something that must move from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Of what: another one has nothing to be held against.
    pub id: u64,
    /// How much.
    pub value: u64,
}

/// What was measured when it last moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Of what.
    pub id: u64,
    /// How much.
    pub value: u64,
    /// When that was first seen.
    pub at: Timestamp,
}

/// How far a probe is on its way from one standing to the other. One that is good and has been has
/// none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// True where it counts as bad.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bad: bool,
    /// How many answers in a row spoke against that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub row: u32,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What a piece of evidence counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Good.
    Good,
    /// Bad.
    Bad,
    /// Neither: it could not be asked.
    Unknown,
}

/// One piece of evidence about a subject, as a report has it.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Piece {
    /// `heartbeat`, `tcp`, `http`, `process`, `exec` or `file`.
    pub kind: &'static str,
    /// What was asked.
    pub asked: String,
    /// What came back in this run.
    pub answer: Word,
    /// What it counts as, by this answer and those before it.
    pub counts_as: Standing,
    /// How many answers in a row spoke against what it counts as, this one included.
    pub in_a_row: u32,
    /// How many of them it takes until it counts as the other.
    pub of: u32,
    /// How long the answer took.
    pub duration_ms: u64,
    /// The sentence for people: what was asked, and what came back.
    pub message: String,
}

/// All evidence about one subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// What it adds up to; `None` where too much of it could not be asked to tell.
    pub sum: Option<Condition>,
    /// Each piece of it: the heartbeat, then the probes in the order in which they are written.
    pub pieces: Vec<Piece>,
    /// Why it is no better, beside what the heartbeat says.
    pub reasons: Vec<Reason>,
    /// How far each probe is, for the next run: those of which there is something to remember.
    pub streaks: BTreeMap<String, Streak>,
}
