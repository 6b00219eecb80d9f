//! What the files of a new cell say. The fields are public; see docs/cells.md.

use serde::Serialize;

use crate::model::time::Timestamp;

/// `meta/mission.json`.
#[derive(Serialize)]
pub(super) struct Mission<'a> {
    pub(super) mission_id: &'a str,
    pub(super) created_at: Timestamp,
    pub(super) status: &'static str,
    /// Left out where none is named: then the cell has one agent, `main`.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) agents: &'a [String],
}

/// `config/cell.json`. The paths are those beneath the cell, so that a cell can be moved.
#[derive(Serialize)]
pub(super) struct CellConfig<'a> {
    pub(super) mission_id: &'a str,
    pub(super) worktree: &'static str,
    pub(super) artifacts: &'static str,
    pub(super) heartbeat_file: &'a str,
}

/// A heartbeat. Only `timestamp` and `status` are always there.
#[derive(Serialize)]
pub(super) struct Heartbeat<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mission_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cell_uuid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agent: Option<&'a str>,
    /// Unix seconds.
    pub(super) timestamp: f64,
    pub(super) status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cycle: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<&'a str>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quiet_for: Option<u64>,
}

/// `cell.json`.
#[derive(Serialize)]
pub(super) struct Cell<'a> {
    pub(super) uuid: &'a str,
    pub(super) name: &'a str,
    pub(super) mission: &'a str,
    pub(super) created_at: Timestamp,
    pub(super) created_by: &'a str,
    pub(super) status: &'static str,
    pub(super) agents: Vec<Member<'a>>,
}

/// One of a canonical manifest's agents.
#[derive(Serialize)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) role: &'static str,
    pub(super) joined_at: Timestamp,
    /// Where it works, beneath the cell.
    pub(super) home: &'static str,
}

/// The first line of `logs/events.jsonl`.
#[derive(Serialize)]
pub(super) struct Created<'a> {
    pub(super) ts: Timestamp,
    pub(super) event: &'static str,
    /// Always null: it happened to the cell, not to one of its agents.
    pub(super) agent: Option<&'a str>,
    pub(super) by: &'static str,
    pub(super) cell_uuid: &'a str,
}

/// `.lazarus/state.json`, before any run has looked at the cell.
#[derive(Serialize)]
pub(super) struct DaemonState<'a> {
    pub(super) cell_uuid: &'a str,
    pub(super) daemon_pid: Option<i32>,
    pub(super) last_poll: Option<f64>,
    pub(super) agent_health: std::collections::BTreeMap<&'a str, ()>,
}

/// On one line, as a stream of events and a heartbeat are.
pub(super) fn line(value: &impl Serialize) -> Vec<u8> {
    ended(serde_json::to_vec(value))
}

/// Indented, as what people edit is.
pub(super) fn page(value: &impl Serialize) -> Vec<u8> {
    ended(serde_json::to_vec_pretty(value))
}

fn ended(text: serde_json::Result<Vec<u8>>) -> Vec<u8> {
    // Writing to memory cannot fail, and nothing above has a map with keys that are no text.
    let mut text = text.unwrap_or_default();
    text.push(b'\n');
    text
}
