//! What is carried from run to run. It grows with what is down, not with the fleet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cell::Status;
use super::snapshot::RootMark;
use super::time::Timestamp;

/// The state: always equal to what its journal, read from the start, adds up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The number of the last journal line that is part of this state.
    #[serde(default)]
    pub applied: u64,
    /// The subjects that are not healthy.
    #[serde(default)]
    pub subjects: BTreeMap<String, SubjectState>,
    /// The last run that looked at every cell.
    #[serde(default)]
    pub last_run: Option<LastRun>,
}

/// What is remembered of a subject that is not healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectState {
    /// Its status when it was last looked at.
    pub status: Status,
    /// When a run first saw that status.
    pub since: Timestamp,
    /// The codes of its reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The open incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
}

/// From the moment a subject goes down until it is healthy again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id, sortable by time.
    pub id: String,
    /// When a run first saw the subject down.
    pub opened_at: Timestamp,
    /// Since when it has been down.
    pub down_since: Timestamp,
}

/// What is remembered of the last run that looked at every cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its id.
    pub id: String,
    /// Its `now`.
    pub at: Timestamp,
    /// How it ended.
    pub exit: u8,
    /// How long it took.
    pub duration_ms: u64,
    /// The boot it ran in.
    pub boot_id: String,
    /// The missions root that it saw.
    pub root: RootMark,
    /// How many cells there were, ignored ones included, the last time that there were any.
    pub cells: u64,
}
