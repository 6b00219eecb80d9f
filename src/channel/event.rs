//! A message as JSON, field by field: what a webhook of the template `generic` and a command get.

use serde::Serialize;

use crate::model::channel::{Message, Occasion};
use crate::model::time::Timestamp;

/// The name and the version of this form. Fields may be added to it; none changes its meaning.
pub(super) const SCHEMA: &str = "lazarus-pit/message/1";

/// A message. Left out is what only the channel itself has a use for, the code of a question above
/// all: whoever knows it can answer.
#[derive(Debug, Serialize)]
struct Event<'a> {
    schema: &'static str,
    id: &'a str,
    channel: &'a str,
    occasion: Occasion,
    at: Timestamp,
    host: &'a str,
    subject: Option<&'a str>,
    incident: Option<&'a str>,
    attempt: Option<u32>,
    plan: Option<&'a str>,
    title: &'a str,
    text: &'a str,
    question: Option<Asked<'a>>,
    issue: Option<u64>,
    last: bool,
}

/// What is asked.
#[derive(Debug, Serialize)]
struct Asked<'a> {
    subject: &'a str,
    asked_at: Timestamp,
    expires_at: Timestamp,
}

/// The JSON of a message to this channel, in one line. `Err` is a sentence, and does not happen with
/// such data.
pub(super) fn of(channel: &str, message: &Message) -> Result<String, String> {
    let event = Event {
        schema: SCHEMA,
        id: &message.id,
        channel,
        occasion: message.occasion,
        at: message.at,
        host: &message.host,
        subject: message.subject.as_deref(),
        incident: message.incident.as_deref(),
        attempt: message.attempt,
        plan: message.plan.as_deref(),
        title: &message.title,
        text: &message.text,
        question: message.question.as_ref().map(|question| Asked {
            subject: &question.subject,
            asked_at: question.asked_at,
            expires_at: question.expires_at,
        }),
        issue: message.issue,
        last: message.last,
    };
    serde_json::to_string(&event).map_err(|e| format!("writing the message as JSON: {e}"))
}
