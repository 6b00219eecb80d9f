//! The journal's events: one JSON object a line.

use serde::{Deserialize, Serialize};

use super::cell::Status;
use super::snapshot::{RootMark, Summary};
use super::time::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A run began.
    RunStarted,
    /// A run came to its end.
    RunFinished,
    /// A run that hung was ended by the next one.
    RunKilled,
    /// A subject's status is another than before.
    StatusChanged,
    /// A subject went down.
    IncidentOpened,
    /// A subject is healthy again, or gone.
    IncidentClosed,
    /// A broken state file was set aside and rebuilt from this journal.
    StateRecovered,
    /// An event of another version: kept, without effect.
    #[serde(other)]
    Unknown,
}

/// One line of the journal. Which fields are there depends on `event`; what is absent is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The line's number: each journal line has one more than the line before it.
    #[serde(default)]
    pub seq: u64,
    /// When it happened.
    pub ts: Timestamp,
    /// The run's id.
    pub run: String,
    /// What happened.
    pub event: Kind,
    /// Who did it: `run`, `operator:NAME`, `channel:NAME:WHO` or `keeper`.
    pub actor: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The incident's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `status_changed`: the status before; absent where there was no run before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Status>,
    /// `status_changed`: the status now; absent where the subject is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Status>,
    /// `status_changed`: the reasons' codes. Text, so that a newer version's code is no bad line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// `incident_opened`: since when it has been down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_since: Option<Timestamp>,
    /// `incident_closed`: how long it was down, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_for: Option<f64>,
    /// `run_started`, `run_finished`: the globs of `--cell`, where the run was so limited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// `run_finished`: the exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// `run_finished`: how long the run took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// `run_finished`: how many cells had which status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// `run_finished`: when the run took its `now`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// `run_finished`: the boot it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// `run_finished`: the missions root it looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootMark>,
    /// `run_killed`: the process that was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
}

impl Event {
    /// An event of this run with nothing but what every event has.
    #[must_use]
    pub fn new(event: Kind, ts: Timestamp, run: &str) -> Self {
        Self {
            seq: 0,
            ts,
            run: run.to_owned(),
            event,
            actor: "run".to_owned(),
            subject: None,
            incident: None,
            reason: None,
            from: None,
            to: None,
            reasons: Vec::new(),
            down_since: None,
            down_for: None,
            scope: Vec::new(),
            exit: None,
            duration_ms: None,
            summary: None,
            observed_at: None,
            boot_id: None,
            root: None,
            pid: None,
        }
    }
}
