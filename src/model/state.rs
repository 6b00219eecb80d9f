//! What is carried from run to run. It grows with trouble, not with the fleet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::{AttemptResult, Ended};
use super::condition::Condition;
use super::post::{Post, Told};
use super::probe::Streak;
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
    /// What outlasts an incident: attempts, approvals, pauses.
    #[serde(default)]
    pub memory: BTreeMap<String, Memory>,
    /// How far probes are that are not good and have been: by subject, and by what each is known by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub probes: BTreeMap<String, BTreeMap<String, Streak>>,
    /// The mass failure that is going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// How many attempts ended how, ever.
    #[serde(default)]
    pub totals: BTreeMap<AttemptResult, u64>,
    /// The last run that looked at every cell.
    #[serde(default)]
    pub last_run: Option<LastRun>,
    /// What waits for each channel, and how far it was read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub post: BTreeMap<String, Post>,
    /// What was told of whom; of the whole fleet under an empty name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, Told>,
}

/// What is remembered of a subject that is not healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectState {
    /// Its condition when it was last looked at.
    pub status: Condition,
    /// Since when: for a stale one since it became stale, else since a run first saw it.
    pub since: Timestamp,
    /// True where that was a look that failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
    /// What it was before that, since it was last healthy: oldest first, the last few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Span>,
    /// The codes of its reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What plans ask of it beside its condition.
    #[serde(default, skip_serializing_if = "Traits::is_empty")]
    pub traits: Traits,
    /// The open incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
}

/// A condition, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The condition.
    pub status: Condition,
    /// Since when.
    pub since: Timestamp,
    /// True where that was a look that failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
}

/// What plans ask of a subject beside its condition: with it, a journal is enough to decide again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    /// Its cell's labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether its cell is frozen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// The last word of its heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// How its process ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

impl Traits {
    /// True where there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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
    /// How many attempts were made in it.
    #[serde(default)]
    pub attempts: u32,
    /// True once its exhaustion was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exhausted: bool,
}

/// What is remembered of a subject whether it is down or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Attempts that may still count, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The question that was put to a human.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Who took it out of revival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The last of its kept processes whose end is in the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exited: Option<Exited>,
    /// Ends of processes up to this moment are no longer taken for hopeless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgiven_at: Option<Timestamp>,
}

impl Memory {
    /// True where there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A kept process whose end is in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// Its ref: those of later ones are greater.
    pub r#ref: String,
    /// When that was recorded.
    pub at: Timestamp,
}

/// One attempt that was made, or may have been made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number within its incident, from 1.
    pub number: u32,
    /// The incident.
    pub incident: String,
    /// Its own id.
    pub r#ref: String,
    /// The plan.
    pub plan: String,
    /// The plan's version.
    pub plan_hash: String,
    /// When it began.
    pub at: Timestamp,
    /// How many of its steps have come to their end, as far as that was recorded.
    #[serde(default)]
    pub steps_over: u32,
    /// When its last step was over; absent while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What came of its steps; absent while it is under way, or where its run was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AttemptResult>,
    /// Until when the subject has to be healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_until: Option<Timestamp>,
    /// How long the subject has to become healthy, in milliseconds.
    #[serde(default)]
    pub verify_ms: u64,
    /// The window in which it counts, in milliseconds.
    #[serde(default)]
    pub window_ms: u64,
    /// True for one that was let through a hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
    /// Which of its steps, from 0, starts a process that outlives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn_at: Option<u32>,
    /// How many steps it has.
    #[serde(default)]
    pub steps: u32,
    /// What a human had agreed to, where someone had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// A question to a human, and the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The incident that it is about.
    pub incident: String,
    /// The attempt that it is about.
    pub attempt: u32,
    /// The plan.
    pub plan: String,
    /// The version of the plan that is agreed to.
    pub plan_hash: String,
    /// What an answer has to name.
    pub code: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Until when an answer counts.
    pub expires_at: Timestamp,
    /// How long after a refusal it is asked again, in milliseconds.
    pub ask_again_ms: u64,
    /// The answer; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// The channels on which it was put, beside the shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What it is.
    pub kind: AnswerKind,
    /// Who gave it: an event's `actor`.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// For a refusal: until when it is not asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// Yes.
    Approved,
    /// No.
    Denied,
    /// Nobody answered in time.
    Expired,
}

/// Who took a subject out of revival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Why.
    pub reason: String,
    /// Who: an event's `actor`.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; absent is until it is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A mass failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// When it was first seen.
    pub since: Timestamp,
    /// When it was released, although it goes on: a canary lives, or an operator's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Timestamp>,
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
    /// The last boot between two runs: the last run before it, and the first after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot: Option<(Timestamp, Timestamp)>,
}
