//! A started process as the process table has it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action::Ended;
use super::time::Timestamp;

/// One entry of the process table: `procs/<ref>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id, which is that of the attempt: sortable by time and unique.
    pub r#ref: String,
    /// What its keeper's lock is on: one slot has one process.
    pub slot: String,
    /// The subject that it was started for.
    pub subject: String,
    /// The ref of the process that it belongs to; an agent belongs to none.
    #[serde(default)]
    pub parent: Option<String>,
    /// Who had it started: an event's `actor`.
    pub actor: String,
    /// The incident in which it was started; empty where the subject was well.
    #[serde(default)]
    pub incident: String,
    /// The number of the attempt within that incident, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// The plan.
    #[serde(default)]
    pub plan: String,
    /// Program and arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// Where it was started.
    #[serde(default)]
    pub cwd: String,
    /// The agent's process; none before it is started, or where it could not be.
    #[serde(default)]
    pub pid: Option<i32>,
    /// When that process started, in clock ticks since the boot (field 22 of its stat).
    #[serde(default)]
    pub start_time: Option<u64>,
    /// The boot in which it was started.
    #[serde(default)]
    pub boot_id: String,
    /// The keeper's process.
    #[serde(default)]
    pub keeper_pid: Option<i32>,
    /// When the keeper started, in clock ticks since the boot.
    #[serde(default)]
    pub keeper_start_time: Option<u64>,
    /// How far it is.
    pub status: ProcessStatus,
    /// What it ended with, where it ended by itself.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The number of the signal that ended it.
    #[serde(default)]
    pub signal: Option<i32>,
    /// When it was started; before that, when it was to be.
    pub started_at: Timestamp,
    /// When it ended, or was first found to have.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// How long it ran, in milliseconds.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// How long it has between TERM and KILL, in milliseconds.
    #[serde(default)]
    pub grace_ms: u64,
    /// The log that it began with.
    #[serde(default)]
    pub log: Option<String>,
    /// The unit of systemd that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Why it could not be started, or what is not known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a newer version wrote, kept as it is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How far a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessStatus {
    /// Its keeper is about to start it.
    Created,
    /// It runs, and its keeper is beside it.
    Running,
    /// It is stopped by a signal, and can go on.
    Paused,
    /// It ended by itself.
    Exited,
    /// It could not be started.
    Failed,
    /// A signal ended it.
    Killed,
    /// The host was booted since.
    Lost,
    /// It runs, and its keeper is gone.
    Unkept,
    /// It is gone, and nobody saw how it ended.
    Unknown,
}

impl ProcessStatus {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ProcessStatus::Created => "created",
            ProcessStatus::Running => "running",
            ProcessStatus::Paused => "paused",
            ProcessStatus::Exited => "exited",
            ProcessStatus::Failed => "failed",
            ProcessStatus::Killed => "killed",
            ProcessStatus::Lost => "lost",
            ProcessStatus::Unkept => "unkept",
            ProcessStatus::Unknown => "unknown",
        }
    }

    /// True where nothing of it can be alive.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Created | Self::Running | Self::Paused | Self::Unkept => false,
            Self::Exited | Self::Failed | Self::Killed | Self::Lost | Self::Unknown => true,
        }
    }
}

impl Entry {
    /// How it ended, for decisions; `None` while it lives, and where it never did.
    #[must_use]
    pub fn end(&self) -> Option<Ended> {
        let at = self.ended_at.filter(|_| self.status.is_over())?;
        self.pid?;
        Some(Ended {
            exit_code: self.exit_code,
            signal: self.signal,
            at,
        })
    }
}
