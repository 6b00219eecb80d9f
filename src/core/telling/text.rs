//! The words of messages: what is down, since when, on which host, why that is believed, what will
//! be done or is asked, how to answer, how to look closer. Plain text; names that agents chose are
//! escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Telling;
use crate::core::view::GATEWAY;
use crate::model::action::StepResult;
use crate::model::cell::Cell;
use crate::model::channel::{CLOSING, Occasion};
use crate::model::decision::{Decision, Verdict};
use crate::model::post::Closed;
use crate::model::state::{Answer, AnswerKind, Approval, Attempt};
use crate::model::text::{is_unsafe, shortened, visible};
use crate::model::time::{Timestamp, human};
use crate::plan::{Context, Plan, template};

/// A message's text has so many characters at most: what is longer is read by nobody at night.
const LONGEST: usize = 3000;

/// One reason, or one error, has so many.
const LONGEST_REASON: usize = 400;

/// All that a text is made of.
pub(super) struct Facts<'a> {
    pub(super) telling: &'a Telling<'a>,
    pub(super) occasion: Occasion,
    pub(super) subject: &'a str,
    pub(super) incident: &'a str,
    pub(super) what: &'a str,
    pub(super) decision: Option<&'a Decision>,
    pub(super) plan: Option<&'a Plan>,
    pub(super) cell: Option<&'a Cell>,
    pub(super) down_since: Option<Timestamp>,
    /// The attempt that is told of.
    pub(super) attempt: Option<&'a Attempt>,
    pub(super) question: Option<&'a Approval>,
    pub(super) closed: Option<&'a Closed>,
    pub(super) number: Option<u32>,
}

/// `SUBJECT: what happened`, in one line.
pub(super) fn title(subject: &str, what: &str) -> String {
    format!("{}: {what}", shortened(&visible(subject), 200))
}

/// What was answered, and by whom.
pub(super) fn answered(answer: &Answer) -> String {
    let by = visible(&answer.by);
    match answer.kind {
        AnswerKind::Approved => format!("agreed to by {by}"),
        AnswerKind::Denied => format!("refused by {by}"),
        AnswerKind::Expired => "nobody answered in time".to_owned(),
    }
}

/// How an incident ended.
pub(super) fn ended(closed: &Closed) -> &'static str {
    match closed.reason.as_str() {
        "finished" => "it has finished its work",
        "gone" => "it is not there any more",
        _ => "it is healthy again",
    }
}

/// The headline of an incident's end.
pub(super) fn over(closed: &Closed) -> String {
    let down_for = human(closed.at.since(closed.down_since));
    match closed.reason.as_str() {
        "finished" => format!("finished, after {down_for} down"),
        "gone" => format!("gone, after {down_for} down"),
        _ => format!("recovered after {down_for}"),
    }
}

impl Facts<'_> {
    /// The whole text.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        lines.extend(self.own_words());
        match self.closed {
            Some(closed) => self.ended(closed, &mut lines),
            None => self.is_down(&mut lines),
        }
        match self.occasion {
            Occasion::Settled => lines.push(format!("The question is settled: {}.", self.what)),
            _ => lines.extend(self.then()),
        }
        lines.extend(self.how_to_answer());
        lines.push(format!("{CLOSING}{}", visible(self.incident)));
        lines.push(format!(
            "Look closer: lazarus-pit explain {}",
            argument(self.subject)
        ));
        // Whatever is too long, where to look further is not.
        let closing = lines.split_off(lines.len() - 2).join("\n");
        let text = shortened(&lines.join("\n"), LONGEST).into_owned();
        format!("{text}\n{closing}")
    }

    /// The operator's own sentence, filled in for this subject.
    fn own_words(&self) -> Option<String> {
        let own = self.plan?.notify.message.as_ref()?;
        let nothing = BTreeMap::new();
        let root = match self.cell {
            Some(cell) => {
                let root = self.telling.snapshot.told_root();
                format!("{}/{}", root.trim_end_matches('/'), cell.id)
            }
            None => String::new(),
        };
        let agent = self.subject.split_once('/').map(|(_, agent)| agent);
        let context = Context {
            cell: self.cell.map(|cell| template::CellContext {
                id: &cell.id,
                root: &root,
                labels: cell.labels.as_deref().unwrap_or(&nothing),
            }),
            agent: agent.map(|name| template::AgentContext { name, home: &root }),
            gateway: self
                .subject
                .strip_prefix(GATEWAY)
                .map(|name| template::GatewayContext { name }),
            attempt: self.number.unwrap_or(1),
            incident: self.incident,
        };
        // What cannot be filled in must not keep the rest from being told.
        let words = own.render(&context).unwrap_or_else(|why| {
            format!("(the plan's `notify.message` cannot be filled in: {why})")
        });
        Some(shortened(&visible(words.trim()), 1000).into_owned())
    }

    fn is_down(&self, lines: &mut Vec<String>) {
        let now = self.telling.now;
        let condition = self.decision.map_or("down", |d| d.condition.as_str());
        lines.push(format!(
            "What: {} is {condition}",
            shortened(&visible(self.subject), 200)
        ));
        if let Some(since) = self.down_since {
            let lasted = human(now.since(since));
            lines.push(format!("Since: {} ({lasted})", moment(since)));
        }
        lines.push(format!("Host: {}", visible(self.telling.host)));
        let evidence = self.decision.and_then(|d| d.because.first());
        if let Some(reason) = evidence {
            lines.push(format!("Why: {}", short(&reason.message)));
        }
    }

    fn ended(&self, closed: &Closed, lines: &mut Vec<String>) {
        let subject = shortened(&visible(self.subject), 200).into_owned();
        lines.push(format!("What: {subject}: {}", ended(closed)));
        lines.push(format!(
            "Since: {} (it had been down since {}, for {})",
            moment(closed.at),
            moment(closed.down_since),
            human(closed.at.since(closed.down_since)),
        ));
        lines.push(format!("Host: {}", visible(self.telling.host)));
        let mut done = match closed.attempts {
            0 => "Nothing was done about it.".to_owned(),
            1 => "One attempt was made.".to_owned(),
            n => format!("{n} attempts were made."),
        };
        if let Some(by) = &closed.approved_by {
            let _ = write!(done, " {} had agreed.", visible(by));
        }
        lines.push(done);
    }

    /// What was done, and what will be.
    fn then(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(attempt) = self.attempt {
            lines.push(self.done(attempt));
        }
        let Some(decision) = self.decision.filter(|_| self.closed.is_none()) else {
            return lines;
        };
        let plan = self.plan.map_or_else(String::new, |plan| {
            format!(
                " (plan {}, policy {})",
                visible(&plan.name),
                plan.policy.as_str()
            )
        });
        if self.question.is_some() {
            let steps = self.plan.map_or(&[][..], |plan| &plan.steps);
            let kinds: Vec<&str> = steps.iter().map(|step| step.kind()).collect();
            lines.push(format!(
                "Asked: may its steps be carried out: {}{plan}?",
                kinds.join(", ")
            ));
            return lines;
        }
        let what = match decision.verdict {
            Verdict::Reviving => "it has time to show that it is healthy",
            Verdict::Revive if self.attempt.is_some() => "it has time to show that it is healthy",
            Verdict::Revive | Verdict::Deferred => "it is revived by the next runs",
            Verdict::Backoff => "it is revived when the pause between attempts is over",
            Verdict::Blocked => "it is revived once what it needs is healthy",
            Verdict::Held => "nobody is revived while the hold lasts",
            Verdict::AwaitingApproval => "a human is asked first",
            Verdict::Denied => "it is not revived, since a human said no",
            Verdict::Expired => "it is not revived, since nobody answered",
            Verdict::Exhausted => {
                "nothing, until attempts become free again or an operator steps in"
            }
            Verdict::Permanent => "nothing: it ended in a way that its plan calls hopeless",
            Verdict::Never => "nothing: its plan only tells",
            _ => "see below",
        };
        lines.push(format!("Next: {what}{plan}"));
        // The evidence stands above; the rule that decided stands last.
        if let Some(reason) = decision
            .because
            .last()
            .filter(|_| decision.because.len() > 1)
        {
            lines.push(format!("Rule: {}", short(&reason.message)));
        }
        if let Some(at) = decision.next_attempt_at {
            lines.push(format!("Not before: {}", moment(at)));
        }
        lines
    }

    fn done(&self, attempt: &Attempt) -> String {
        let number = attempt.number;
        let mut done = self.telling.done.iter();
        let done = done.find(|d| d.subject == self.subject && d.attempt == number);
        let bad = |result| !matches!(result, StepResult::Ok | StepResult::Skipped);
        let step = done.and_then(|done| done.steps.iter().find(|step| bad(step.result)));
        match (self.occasion, step) {
            (Occasion::Revived, _) => {
                let mut text = format!("Done: attempt {number} was carried out");
                let agreed = attempt.approval.as_ref().and_then(|a| a.answer.as_ref());
                if let Some(agreed) = agreed {
                    let _ = write!(text, ", {}", answered(agreed));
                }
                text
            }
            (_, Some(step)) => format!(
                "Done: attempt {number}: its step {} {}{}",
                step.kind,
                step.result.as_str(),
                step.error
                    .as_ref()
                    .map_or_else(String::new, |error| format!(": {}", short(error))),
            ),
            (_, None) if attempt.verify_until.is_some() => format!(
                "Done: attempt {number} was carried out, and it was not healthy by {}",
                attempt.verify_until.map_or_else(String::new, moment)
            ),
            (_, None) => format!("Done: attempt {number} did not succeed"),
        }
    }

    fn how_to_answer(&self) -> Option<String> {
        let asked = self.question?;
        let subject = argument(self.subject);
        Some(format!(
            "In the shell: lazarus-pit approve {subject}, or lazarus-pit deny {subject}; an answer counts until {}",
            moment(asked.expires_at)
        ))
    }
}

/// The first of those that are held.
pub(super) fn held_names(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| shortened(&visible(name), 80).into_owned())
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        let _ = write!(text, " and {} more", names.len() - SHOWN);
    }
    text
}

/// A moment to the second.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

fn short(text: &str) -> String {
    shortened(&visible(text), LONGEST_REASON).into_owned()
}

/// A name as a shell takes it for one word, and a program for no option, whatever an agent has
/// called itself. What cannot be shown is written as bash, zsh and POSIX from 2024 on read it.
pub(super) fn argument(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':');
    let word = match name {
        _ if name.chars().any(is_unsafe) => quoted(name),
        _ if name.chars().all(plain) => name.to_owned(),
        _ => format!("'{}'", name.replace('\'', r"'\''")),
    };
    match name.starts_with('-') {
        true => format!("-- {word}"),
        false => word,
    }
}

/// A text as `$'…'`.
fn quoted(text: &str) -> String {
    let mut out = String::from("$'");
    for c in text.chars() {
        let _ = match c {
            '\\' | '\'' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            // By its bytes: what a character is depends on the shell's locale.
            c if is_unsafe(c) => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                bytes.for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
                Ok(())
            }
            c => write!(out, "{c}"),
        };
    }
    out.push('\'');
    out
}
