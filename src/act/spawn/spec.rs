//! What a keeper is told, and what it answers.
//!
//! The checker starts the keeper as `lazarus-pit __keeper REF SUBJECT`, writes one [`Spec`] as JSON to its
//! standard input, closes it, and reads one [`Answer`] as a line from its standard output. A keeper
//! that gets no whole specification does nothing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::process::Entry;
use crate::model::step::BeatFor;

/// The hidden command by which the program becomes a keeper.
pub const COMMAND: &str = "__keeper";

/// Everything that a keeper needs to know: nothing is left to be looked up by it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The entry of the process table as it is to be claimed; the keeper fills in its own pid.
    pub entry: Entry,
    /// The state directory; absolute.
    pub state_dir: PathBuf,
    /// Where logs are written, and how many bytes a process and day.
    pub logs_dir: PathBuf,
    /// The most bytes of log a process and day.
    pub max_bytes: u64,
    /// The cell's name and directory; none for a gateway.
    pub cell: Option<CellSpec>,
    /// The agent's name, or the gateway's.
    pub name: String,
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments, the first of them its name.
    pub args: Vec<String>,
    /// Its environment: `NAME=value`, as bytes.
    pub env: Vec<Vec<u8>>,
    /// Whom it runs as, where that is another than the keeper.
    pub identity: Option<IdentitySpec>,
    /// Whether neither it nor what it starts may ever gain a right.
    pub no_new_privs: bool,
    /// What it may use.
    pub limits: LimitsSpec,
    /// Nothing is started after this moment of the host's clock that counts from the boot
    /// (`CLOCK_BOOTTIME`), in milliseconds: what was decided before a pause is not begun after it.
    pub not_after_ms: u64,
    /// The command line of the run that its end starts, without the program; none where none is.
    pub wake: Option<Vec<String>>,
    /// Whether the keeper beats for it.
    pub beat: Option<BeatSpec>,
}

/// The cell that an agent works in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellSpec {
    /// The missions root.
    pub root: PathBuf,
    /// The cell's name, one component beneath the root.
    pub id: String,
    /// Where it works, relative to the cell's directory; empty for that directory itself.
    pub cwd: String,
    /// `st_dev` and `st_ino` of the directory that it works in, as the checker found it: it must
    /// still be that one.
    pub cwd_is: (u64, u64),
    /// Whether a mount may lie between the cell's directory and that one.
    pub allow_mounts: bool,
}

/// Whom a process runs as.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentitySpec {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// What a process may use; absent is no limit.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct LimitsSpec {
    /// How long it may run, in milliseconds.
    pub max_runtime_ms: Option<u64>,
    /// Bytes of address space (`RLIMIT_AS`).
    pub memory: Option<u64>,
    /// Open descriptors (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
    /// Processes of its user (`RLIMIT_NPROC`).
    pub processes: Option<u64>,
}

/// How a keeper beats for its agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BeatSpec {
    /// When.
    pub when: BeatFor,
    /// How often at most, in milliseconds.
    pub every_ms: u64,
    /// Where the heartbeat of a foundation cell's one agent lies (config key `heartbeat_file`).
    pub heartbeat_file: String,
    /// Whether mounts below the cell are walked into.
    pub allow_mounts: bool,
}

/// What the keeper answers, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The agent runs: its exec has succeeded.
    Started {
        /// Its process.
        pid: i32,
        /// When that started, in clock ticks since the boot.
        start_time: u64,
        /// Its log, where it has one.
        log: Option<String>,
        /// What went wrong without harm to the agent.
        trouble: Option<String>,
    },
    /// Somebody has claimed the attempt already.
    Taken,
    /// The subject's place is taken: a process of it lives.
    Occupied,
    /// It could not be started: a sentence with the operation, the object and the cause.
    Failed {
        /// The sentence.
        error: String,
    },
}
