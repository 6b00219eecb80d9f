//! The journal's events: one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::channel::Message;
use super::condition::Condition;
use super::post::Marked;
use super::probe::Streak;
use super::process::ProcessStatus;
use super::snapshot::{RootMark, Summary};
use super::state::Traits;
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
    /// A subject's probes are further, or back, on the way to another standing.
    Probed,
    /// A subject went down.
    IncidentOpened,
    /// A subject is healthy again, or gone.
    IncidentClosed,
    /// A human is asked whether an attempt may be made.
    ApprovalRequested,
    /// A human agreed.
    Approved,
    /// A human refused.
    Denied,
    /// Nobody answered in time.
    ApprovalExpired,
    /// An attempt is about to be made: durable before anything is done.
    Intent,
    /// A step of an attempt is over.
    Step,
    /// An attempt's steps are over.
    AttemptFinished,
    /// An agent was started that outlives the run.
    ProcessStarted,
    /// A kept process has ended.
    ProcessExited,
    /// Nobody is revived: mass-failure protection, or the host itself, speaks against it.
    Held,
    /// A mass failure is over, or was released.
    Released,
    /// A subject's attempts are used up.
    Exhausted,
    /// An operator took a subject out of revival.
    Paused,
    /// An operator gave a subject back to revival.
    Resumed,
    /// An operator had a subject's attempts and refusals forgotten.
    Reset,
    /// An operator had a cell removed.
    Destroyed,
    /// Something is to be told on a channel: durable before it is sent. Without a message it says
    /// that something need not be told.
    Queued,
    /// A message has arrived.
    Notified,
    /// A message has not arrived: it is tried again at `until`, or given up where that is absent.
    NotifyFailed,
    /// Someone said something on a channel that changes nothing.
    Heard,
    /// How far a channel was read.
    Cursor,
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
    /// The same as a sentence, with the numbers compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The governing plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// `intent`, `approval_requested`: the plan's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// The attempt's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#ref: Option<String>,
    /// The attempt's number within its incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// `intent`: what is about to be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<PlannedStep>,
    /// `intent`: how long the subject has to become healthy afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_ms: Option<u64>,
    /// `intent`: the window in which the attempt counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// `intent`: true for one that is let through a hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
    /// `step`: which of the attempt's steps, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// `step`: its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `step`, `attempt_finished`: what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// `step`, `process_exited`: what its command ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// `process_exited`: the number of the signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// `process_exited`: how it ended, as the process table has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ProcessStatus>,
    /// `process_exited`: when it ended, which is before this was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// `step`, `attempt_finished`: why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `step`: where its output is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// `approval_requested`: what an answer has to name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// `approval_requested`: until when an answer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// `approval_requested`: how long after a refusal it is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_again_ms: Option<u64>,
    /// `paused`, `denied`: until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// `status_changed`: the condition before; absent where there was no run before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Condition>,
    /// `status_changed`: the condition now; absent where the subject is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Condition>,
    /// `status_changed`: since when, where that was before it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// `status_changed`: what plans ask of the subject beside its condition.
    #[serde(default, skip_serializing_if = "Traits::is_empty")]
    pub traits: Traits,
    /// `status_changed`: the reasons' codes. Text, so that a newer version's code is no bad line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// `probed`: how far its probes are; those that are left out are good and have been.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub probes: BTreeMap<String, Streak>,
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
    /// `run_finished`, `step`: how long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// `run_finished`: how many cells had which status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// `run_finished`: how many subjects were in scope, so that a journal tells whether those that
    /// are down are many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<u64>,
    /// `run_finished`: when the run took its `now`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// `run_finished`: the boot it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// `run_finished`: the missions root it looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootMark>,
    /// `run_killed`: the process that was ended; `step`: its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// `queued`, `notified`, `notify_failed`, `heard`, `cursor`, and answers that came over one: the
    /// channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// `queued`: what is to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Box<Message>>,
    /// `queued`: what the channel has been told with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Marked>,
    /// `notified`, `notify_failed`: the message's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `notified`: what the service calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// `heard`, and answers: what the service calls what was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<String>,
    /// `cursor`: how far it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A step as its intent has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its kind.
    pub kind: String,
    /// Its command, where it has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
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
            message: None,
            plan: None,
            plan_hash: None,
            r#ref: None,
            attempt: None,
            steps: Vec::new(),
            verify_ms: None,
            window_ms: None,
            canary: false,
            index: None,
            kind: None,
            result: None,
            exit_code: None,
            signal: None,
            status: None,
            ended_at: None,
            error: None,
            log: None,
            code: None,
            expires_at: None,
            ask_again_ms: None,
            until: None,
            from: None,
            to: None,
            since: None,
            traits: Traits::default(),
            reasons: Vec::new(),
            probes: BTreeMap::new(),
            down_since: None,
            down_for: None,
            scope: Vec::new(),
            exit: None,
            duration_ms: None,
            summary: None,
            subjects: None,
            observed_at: None,
            boot_id: None,
            root: None,
            pid: None,
            channel: None,
            queued: None,
            told: Vec::new(),
            id: None,
            receipt: None,
            heard: None,
            cursor: None,
        }
    }
}
