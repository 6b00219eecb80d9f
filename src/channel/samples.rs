//! Messages and questions for tests.

use std::time::{Duration, Instant};

use super::Means;
use crate::model::channel::{Message, Occasion, Question, SecretRef, Sensitive};
use crate::net::Authorities;
use crate::sys::host;

/// Longer than anything here takes.
pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

pub(super) fn question(code: &str) -> Question {
    Question {
        subject: "portal/agent-1".into(),
        code: code.into(),
        asked_at: host::now(),
        expires_at: host::now().plus(Duration::from_secs(3600)),
        receipt: None,
    }
}

pub(super) fn message(occasion: Occasion, question: Option<Question>) -> Message {
    Message {
        id: "m1".into(),
        occasion,
        at: host::now(),
        host: "h".into(),
        subject: Some("portal/agent-1".into()),
        incident: Some("i1".into()),
        attempt: Some(1),
        plan: Some("p".into()),
        title: "portal/agent-1: down, *and* _asked_ <b>".into(),
        text: "Since 10:00\nhost h".into(),
        question,
        issue: None,
        earlier: None,
        last: false,
    }
}

/// The means of the channel `hook`, with these secrets.
pub(super) fn means(secrets: &mut dyn FnMut(&SecretRef) -> Result<Sensitive, String>) -> Means<'_> {
    Means {
        name: "hook",
        secrets,
        authorities: Authorities::Public,
    }
}
