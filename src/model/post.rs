//! What is remembered of telling people: what waits to be sent, how far their answers were read,
//! and who has been told what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::channel::Message;
use super::time::Timestamp;

/// What is remembered of one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Post {
    /// What is to be sent, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Message>,
    /// How far people's answers were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What was heard last, by the service's names for it, so that the same words count once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<String>,
    /// When a question was last put here: for a day from then on it is listened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// When something last arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// Why it does not work, while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Failing>,
    /// How many messages were dropped since the last one was queued, for want of room or of time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A channel that does not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Why: the last failure's sentence.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// How often in a row it has failed.
    pub times: u32,
    /// When it is tried again.
    pub until: Timestamp,
}

/// What was told of one subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When its last incidents began, oldest first: as many as tell whether it flaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<Timestamp>,
    /// Its incidents of which something was told, oldest first: the open one, and those that ended
    /// and of whose end it is not settled yet whether it was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<ToldIncident>,
}

/// What was told of one incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToldIncident {
    /// Its id.
    pub id: String,
    /// How it ended; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// What each channel was told, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, Marks>,
}

/// How an incident ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// Since when the subject had been down.
    pub down_since: Timestamp,
    /// How many attempts were made in it.
    pub attempts: u32,
    /// `recovered`, `finished` or `gone`.
    pub reason: String,
    /// Who agreed to the last attempt, where someone had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// What one channel was told of one incident. Whoever queues a message leaves in here all that it
/// tells, so that none of it is told again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Marks {
    /// How often that it is down was told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub down: u32,
    /// When that was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_at: Option<Timestamp>,
    /// The last attempt whose steps' outcome was told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempt: u32,
    /// The last attempt that was told to have failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    /// True once it was told that the attempts are used up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exhausted: bool,
    /// After how many attempts in the incident that was so: more may become free and be used up, too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exhausted_after: u32,
    /// True once it was told that the subject flaps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flapping: bool,
    /// The question that was put here last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// The code of the last question of which a refusal, or that nobody answered, was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// True once the end was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
    /// What the channel gave as receipt for the first message of the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// A question as it was put on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What an answer has to name.
    pub code: String,
    /// True once the message that puts it has arrived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delivered: bool,
    /// What the channel gave as receipt for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// True once it was told how it ended, or need not be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
}

/// New marks, as an event carries them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Marked {
    /// Whom it is about; empty for the whole fleet.
    pub subject: String,
    /// The incident.
    pub incident: String,
    /// All that the channel has been told of it then.
    pub marks: Marks,
}
