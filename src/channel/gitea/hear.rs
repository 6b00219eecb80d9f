//! Hearing: comments `/revive` and `/skip` on the issues where questions were put.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Gitea;
use super::api::{Comment, Found, when};
use super::markdown::own_lines;
use super::text::{self, Receipt};
use crate::channel::{Said, Trouble, words};
use crate::model::channel::{Heard, Question};
use crate::model::text::{shortened, visible};
use crate::model::time::Timestamp;

/// How long before the newest comment is read again: comments may become visible a little later than
/// they are dated.
const BACK: Duration = Duration::from_secs(120);

/// How much the clocks of host and server may differ for an answer to be read at all.
const CLOCKS: Duration = Duration::from_secs(3600);

/// A comment that was changed later than this after it was written is another than was written.
const EDITED: Duration = Duration::from_secs(2);

/// As many ids of comments are remembered.
const MOST_TOLD: usize = 256;

/// How far was read: until when, and which comments that may come again were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cursor {
    until: Option<Timestamp>,
    told: Vec<(Timestamp, u64)>,
}

impl Cursor {
    /// From text. What is none is as if nothing had been read.
    fn parse(text: Option<&str>) -> Self {
        let mut parts = text.unwrap_or_default().split(' ');
        let until = parts.next().and_then(Timestamp::parse);
        if until.is_none() {
            return Self::default();
        }
        let told = parts.filter_map(|part| {
            let (at, id) = part.split_once('=')?;
            Some((Timestamp::parse(at)?, id.parse().ok()?))
        });
        let told = told.take(MOST_TOLD).collect();
        Self { until, told }
    }

    fn text(&self) -> Option<String> {
        let until = self.until?;
        let told = self
            .told
            .iter()
            .map(|(at, id)| format!(" {}={id}", when(*at)));
        Some(format!("{}{}", when(until), told.collect::<String>()))
    }

    /// Everything before this was read.
    fn since(&self, question: Timestamp) -> Timestamp {
        // A server whose clock is behind dates an answer before its question; who asked judges that.
        let asked = question.minus(CLOCKS);
        self.until
            .map_or(asked, |until| until.minus(BACK).max(asked))
    }

    fn end(&mut self, until: Option<Timestamp>) {
        self.until = self.until.max(until);
        if let Some(until) = self.until {
            self.told.retain(|(at, _)| *at >= until.minus(BACK));
        }
        let over = self.told.len().saturating_sub(MOST_TOLD);
        self.told.drain(..over);
    }
}

/// A question, and where it was put.
struct Put<'a> {
    question: &'a Question,
    at: Receipt,
}

impl Gitea {
    pub(super) fn answers(
        &mut self,
        cursor: Option<&str>,
        open: &[Question],
        until: Instant,
    ) -> Result<Said, Trouble> {
        let mut cursor = Cursor::parse(cursor);
        let puts = open.iter().filter_map(|question| {
            let at = Receipt::parse(question.receipt.as_deref()?, &self.repo)?;
            Some(Put { question, at })
        });
        let puts: Vec<Put> = puts.collect();
        let numbers: BTreeSet<u64> = puts.iter().map(|put| put.at.number).collect();
        let (mut all, mut newest, mut failed) = (Vec::new(), None, None);
        for number in &numbers {
            let here: Vec<&Put> = puts.iter().filter(|put| put.at.number == *number).collect();
            let asked = here.iter().map(|put| put.question.asked_at).min();
            let since = cursor.since(asked.unwrap_or_default());
            let comments = match self.api.comments(*number, since, until) {
                Ok(Found::Is(comments)) => comments,
                // Nobody can answer there any more: the question expires.
                Ok(Found::Gone) => continue,
                Ok(Found::TooLong) => {
                    failed.get_or_insert(Trouble::passing(format!(
                        "reading the comments of issue {number}: they are too long; answer in a shell, \
                         with `lazarus-pit approve`"
                    )));
                    continue;
                }
                Err(trouble) => {
                    failed.get_or_insert(trouble);
                    continue;
                }
            };
            for comment in &comments {
                newest = newest.max(Some(comment.updated));
                let known =
                    |(at, id): &(Timestamp, u64)| *id == comment.id && *at == comment.updated;
                if cursor.told.iter().any(known) {
                    continue;
                }
                if let Some(heard) = self.heard(comment, &here) {
                    cursor.told.push((comment.updated, comment.id));
                    all.push(heard);
                }
            }
        }
        match failed {
            Some(trouble) if all.is_empty() => return Err(trouble),
            // What was told is remembered; from where to read on is not moved.
            Some(trouble) => {
                log::info!("{}", trouble.why);
                let asked = open.iter().map(|question| question.asked_at).min();
                cursor.until = cursor.until.or(asked);
            }
            None => cursor.end(newest),
        }
        all.sort_by(|a: &Heard, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let cursor = cursor.text();
        Ok(Said { all, cursor })
    }

    /// What a comment says; `None` where it is no answer.
    fn heard(&self, comment: &Comment, here: &[&Put]) -> Option<Heard> {
        // What we write ourselves holds words of agents.
        if text::is_marked(&comment.body) {
            return None;
        }
        let mut orders = orders(&comment.body);
        let (yes, name) = orders.next()?;
        let two = orders.any(|other| other != (yes, name.clone()));
        let allowed = |one: &String| one.eq_ignore_ascii_case(&comment.author);
        let later = |put: &&&Put| put.at.comment.is_none_or(|asked| comment.id > asked);
        let named = here.iter().find(|put| {
            let q = put.question;
            let first = name
                .as_deref()
                .and_then(|name| name.split_whitespace().next());
            let all = name.iter().map(String::as_str).chain(first);
            all.into_iter()
                .any(|name| name == q.code || name == q.subject)
        });
        let mut waiting = here.iter().filter(later);
        let (put, why) = match (&name, named, waiting.next(), waiting.next()) {
            _ if two => (None, Some("it says several things")),
            (Some(_), Some(put), ..) if later(&put) => (Some(put), None),
            (_, Some(put), ..) => (Some(put), Some("it is older than the question")),
            (Some(_), None, ..) => (None, None),
            (None, _, None, _) => (None, Some("it is older than the question")),
            (None, _, Some(put), None) => (Some(put), None),
            (None, _, Some(_), Some(_)) => (
                None,
                Some("several questions are open here, and it names none"),
            ),
        };
        let edited = comment.updated.since(comment.created) > EDITED;
        let refused = match () {
            () if !self.allowed_users.iter().any(allowed) => Some("not an allowed user"),
            // Whoever may write in the repository may change the comments of others.
            () if edited => Some("the comment was changed after it was written; write a new one"),
            () => why,
        };
        let by_name = |put: &&&Put| name.as_deref() != Some(put.question.subject.as_str());
        Some(Heard {
            id: comment.id.to_string(),
            who: visible(&shortened(&comment.author, 100)).into_owned(),
            at: comment.at,
            yes,
            code: put.filter(by_name).map(|put| put.question.code.clone()),
            subject: match put {
                Some(put) => Some(put.question.subject.clone()),
                None => name,
            },
            refused: refused.map(str::to_owned),
        })
    }
}

/// The answers in a comment: lines of its writer's own that begin with `/revive` or `/skip`.
fn orders(body: &str) -> impl Iterator<Item = (bool, Option<String>)> + '_ {
    let lines = own_lines(body).into_iter();
    let lines = lines.filter(|line| line.starts_with('/'));
    lines.filter_map(|line| {
        let words = words::read(line)?;
        words.to.is_none().then_some((words.yes, words.name))
    })
}

#[cfg(test)]
#[path = "hear_tests.rs"]
mod tests;
