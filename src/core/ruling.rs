//! What the rules about one subject come to, rule by rule.

use super::consent::Consent;
use crate::model::cell::{Code, Reason};
use crate::model::decision::{Check, Verdict};
use crate::model::step::Step;
use crate::model::time::Timestamp;

/// What the rules about one subject come to.
#[derive(Debug)]
pub(super) struct Ruling {
    /// The verdict; `None` where nothing about the subject itself speaks against an attempt.
    pub(super) verdict: Option<Verdict>,
    /// What led to it.
    pub(super) because: Vec<Reason>,
    /// Every rule that was considered.
    pub(super) checks: Vec<Check>,
    /// When the next attempt can be made, where that can be told.
    pub(super) next_attempt_at: Option<Timestamp>,
    /// The steps, filled in.
    pub(super) steps: Vec<Step>,
    /// What a human said, where one must.
    pub(super) consent: Consent,
}

/// What one rule says.
pub(super) enum Word {
    /// It does not apply; why not, with the numbers.
    Passes(String),
    /// It applies.
    Applies(Vec<Reason>),
    /// It applies, and it is known until when.
    Until(Vec<Reason>, Timestamp),
}

pub(super) fn applies(code: Code, message: impl Into<String>) -> Word {
    Word::Applies(vec![Reason::new(code, message)])
}

pub(super) fn until(code: Code, message: impl Into<String>, at: Timestamp) -> Word {
    Word::Until(vec![Reason::new(code, message)], at)
}

pub(super) fn passes(message: impl Into<String>) -> Word {
    Word::Passes(message.into())
}

impl Ruling {
    /// The same, of a rule that is no [`Word`]: why it passes, or why it applies.
    pub(super) fn take(&mut self, rule: Verdict, word: Result<String, Vec<Reason>>) -> bool {
        let word = match word {
            Ok(message) => Word::Passes(message),
            Err(reasons) => Word::Applies(reasons),
        };
        self.hear(rule, word)
    }

    /// The steps, for the one who carries them out.
    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        self.steps.drain(..).collect()
    }

    /// Takes down what a rule says; true where it applies.
    pub(super) fn hear(&mut self, rule: Verdict, word: Word) -> bool {
        let (reasons, at) = match word {
            Word::Passes(message) => {
                self.checks.push(Check {
                    rule,
                    applies: false,
                    message,
                });
                return false;
            }
            Word::Applies(reasons) => (reasons, None),
            Word::Until(reasons, at) => (reasons, Some(at)),
        };
        self.verdict = Some(rule);
        self.next_attempt_at = at;
        let said = if reasons.is_empty() {
            &self.because
        } else {
            &reasons
        };
        let messages: Vec<&str> = said.iter().map(|r| r.message.as_str()).collect();
        self.checks.push(Check {
            rule,
            applies: true,
            message: messages.join("; "),
        });
        self.because.extend(reasons);
        true
    }
}
