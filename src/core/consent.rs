//! What a human said to an attempt, where one must say something.

use std::time::Duration;

use super::judge::Case;
use crate::model::state::AnswerKind;
use crate::model::time::Timestamp;
use crate::plan::Plan;

/// What a human said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// Nobody has to say anything.
    NotNeeded,
    /// Nobody was asked yet.
    NotAsked,
    /// Asked, and an answer still counts.
    Asked {
        until: Timestamp,
    },
    Given {
        by: String,
    },
    Refused {
        by: String,
        until: Timestamp,
    },
    /// Nobody answered in time.
    Unanswered {
        since: Timestamp,
        until: Timestamp,
    },
}

impl Case<'_> {
    /// What a human said to the next attempt under this version of the plan.
    pub(super) fn consent(&self, plan: &Plan) -> Consent {
        let asked = self.memory.approval.as_ref().filter(|a| {
            a.incident == self.incident && a.attempt == self.next && a.plan_hash == plan.hash
        });
        let Some(asked) = asked else {
            return Consent::NotAsked;
        };
        let again = Duration::from_millis(asked.ask_again_ms);
        let unanswered = |until: Timestamp| Consent::Unanswered {
            since: asked.expires_at,
            until,
        };
        let consent = match &asked.answer {
            None if self.now < asked.expires_at => Consent::Asked {
                until: asked.expires_at,
            },
            None => unanswered(asked.expires_at.plus(again)),
            Some(answer) => match answer.kind {
                AnswerKind::Approved => Consent::Given {
                    by: answer.by.clone(),
                },
                AnswerKind::Denied => Consent::Refused {
                    by: answer.by.clone(),
                    until: answer.until.unwrap_or_else(|| answer.at.plus(again)),
                },
                AnswerKind::Expired => unanswered(asked.expires_at.plus(again)),
            },
        };
        match consent {
            Consent::Refused { until, .. } | Consent::Unanswered { until, .. }
                if until <= self.now =>
            {
                Consent::NotAsked
            }
            other => other,
        }
    }
}
