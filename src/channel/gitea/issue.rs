//! Where a message goes: the mission's own issue, the incident's that was opened before, or a new
//! one; never a second one for the same.

use std::time::{Duration, Instant};

use super::Gitea;
use super::api::{Comment, Found, Issue, when};
use super::text::{self, Receipt};
use crate::channel::Trouble;
use crate::model::channel::Message;

/// How much the clocks of host and server may differ where comments are looked up by their time.
const CLOCKS: Duration = Duration::from_secs(3600);

/// Where a message has come to.
pub(super) struct Sent {
    pub(super) receipt: Receipt,
    /// The incident's own issue, as it was found or made; none for a mission's.
    pub(super) own: Option<Issue>,
}

impl Gitea {
    /// Brings a message to where it belongs, unless it is there already.
    pub(super) fn deliver(&mut self, message: &Message, until: Instant) -> Result<Sent, Trouble> {
        let earlier = message.earlier.as_deref();
        let earlier = earlier.and_then(|text| Receipt::parse(text, &self.repo));
        // What began in one issue goes on there, whatever the manifest says meanwhile.
        let fits = |number: &u64| earlier.is_none_or(|earlier| earlier.number == *number);
        let mission = message.issue.filter(|_| self.use_mission_issue);
        if let Some(number) = mission.filter(fits) {
            match self.comment(number, message, until)? {
                Found::Is(receipt) => {
                    return Ok(Sent { receipt, own: None });
                }
                // What a manifest names need not exist: the incident gets an issue as any other.
                Found::Gone | Found::TooLong => {
                    log::warn!("there is no issue {number}, which a mission's manifest names");
                }
            }
        }
        if let Some(issue) = self.find(message, until)? {
            // Its first message may stand in the issue itself.
            let marker = text::message_marker(&message.id);
            let receipt = match text::has_marker(&issue.body, &marker) {
                true => Found::Is(Receipt {
                    number: issue.number,
                    comment: None,
                }),
                false => self.comment(issue.number, message, until)?,
            };
            if let Found::Is(receipt) = receipt {
                let own = Some(issue);
                return Ok(Sent { receipt, own });
            }
        }
        let began = earlier.filter(|began| began.comment.is_some() && self.use_mission_issue);
        if let Some(began) = began
            && let Found::Is(receipt) = self.comment(began.number, message, until)?
        {
            return Ok(Sent { receipt, own: None });
        }
        let issue = self.open(message, until)?;
        let receipt = Receipt {
            number: issue.number,
            comment: None,
        };
        let own = Some(issue);
        Ok(Sent { receipt, own })
    }

    /// The incident's issue: by its number, or by its marker. After a loss of all memory, what is
    /// still open about the same subject is about this.
    fn find(&mut self, message: &Message, until: Instant) -> Result<Option<Issue>, Trouble> {
        let by_message = text::message_marker(&message.id);
        let marker = text::incident_marker(message).unwrap_or(by_message);
        let subject = text::subject_marker(message).filter(|_| message.incident.is_some());
        let similar = |issue: &Issue| {
            let part = subject.as_deref();
            part.is_some_and(|part| text::has_marker(&issue.body, part))
        };
        let same = |issue: &Issue| text::has_marker(&issue.body, &marker);
        let earlier = message.earlier.as_deref();
        if let Some(earlier) = earlier.and_then(|text| Receipt::parse(text, &self.repo))
            && let Found::Is(issue) = self.api.issue(earlier.number, until)?
            && (same(&issue) || similar(&issue) || message.incident.is_none())
        {
            return Ok(Some(issue));
        }
        let me = self.me(until);
        // Anybody may open an issue with such a marker in it.
        let ours = |issue: &Issue| {
            me.as_ref()
                .is_none_or(|me| me.eq_ignore_ascii_case(&issue.author))
        };
        let mut about_it = None;
        let found = self.api.find_issue("state=open", until, |issue| {
            if about_it.is_none() && ours(issue) && similar(issue) {
                about_it = Some(issue.clone());
            }
            ours(issue) && same(issue)
        })?;
        if found.is_some() {
            return Ok(found);
        }
        // Somebody may have closed it since the message waited; what is closed longer is over.
        let since = when(message.at.minus(CLOCKS));
        let closed = format!("state=closed&since={since}");
        let found = self
            .api
            .find_issue(&closed, until, |issue| ours(issue) && same(issue))?;
        Ok(found.or(about_it))
    }

    /// Comments on an issue, unless the comment is there: the answer to an earlier try may be lost.
    pub(super) fn comment(
        &mut self,
        number: u64,
        message: &Message,
        until: Instant,
    ) -> Result<Found<Receipt>, Trouble> {
        let marker = text::message_marker(&message.id);
        let body = text::body(message, std::slice::from_ref(&marker));
        self.comment_once(number, message, &marker, &body, until)
    }

    /// Writes a comment with this marker, unless there is one.
    pub(super) fn comment_once(
        &mut self,
        number: u64,
        message: &Message,
        marker: &str,
        body: &str,
        until: Instant,
    ) -> Result<Found<Receipt>, Trouble> {
        let receipt = |comment| Receipt { number, comment };
        let me = self.me(until);
        let ours = |c: &&Comment| {
            let by_us = me
                .as_ref()
                .is_none_or(|me| me.eq_ignore_ascii_case(&c.author));
            by_us && text::has_marker(&c.body, marker)
        };
        match self.api.comments(number, message.at.minus(CLOCKS), until)? {
            Found::Gone => return Ok(Found::Gone),
            Found::Is(all) => {
                if let Some(known) = all.iter().find(ours) {
                    return Ok(Found::Is(receipt(Some(known.id))));
                }
            }
            // To say it twice is better than not at all.
            Found::TooLong => {
                log::warn!(
                    "the newest comments of issue {number} are too long to be looked through"
                );
            }
        }
        Ok(match self.api.add_comment(number, body, until)? {
            Found::Is(id) => Found::Is(receipt(id)),
            Found::Gone | Found::TooLong => Found::Gone,
        })
    }

    fn open(&mut self, message: &Message, until: Instant) -> Result<Issue, Trouble> {
        let labels = self.label_ids(until);
        let markers = text::incident_marker(message).into_iter();
        let markers: Vec<_> = markers.chain([text::message_marker(&message.id)]).collect();
        let (title, body) = (text::title(message), text::body(message, &markers));
        let issue = self.api.open_issue(&title, &body, &labels, until)?;
        if issue.labels.len() < labels.len() {
            // The server drops them without a word.
            log::warn!(
                "issue {} of {} has not got its labels: the token's user may not set any there",
                issue.number,
                self.repo
            );
        }
        Ok(issue)
    }

    /// The ids of the labels that there are to be, made where they do not exist. An alarm without
    /// labels is better than none.
    fn label_ids(&mut self, until: Instant) -> Vec<u64> {
        if self.labels.is_empty() {
            return Vec::new();
        }
        let found = match self.api.labels(&self.labels, until) {
            Ok(found) => found,
            Err(trouble) => {
                log::warn!("an issue goes without its labels: {}", trouble.why);
                return Vec::new();
            }
        };
        let mut ids = Vec::new();
        for name in &self.labels {
            match found.iter().find(|(known, _)| known == name) {
                Some((_, id)) => ids.push(*id),
                None => match self.api.make_label(name, until) {
                    Ok(id) => ids.push(id),
                    Err(trouble) => {
                        log::warn!("an issue goes without a label: {}", trouble.why);
                    }
                },
            }
        }
        ids
    }

    /// Closes an incident's issue with its last message. What keeps it open is said in it.
    pub(super) fn close(
        &mut self,
        issue: &Issue,
        message: &Message,
        until: Instant,
    ) -> Result<(), Trouble> {
        // It may be closed already: by a human, or by a try whose answer was lost.
        if !issue.open || self.api.close_issue(issue.number, until)? {
            return Ok(());
        }
        let marker = text::message_marker(&format!("{} open", message.id));
        let body = format!(
            "{marker}\n\nThis is over, but the issue cannot be closed: it depends on others that are \
             open.\n"
        );
        self.comment_once(issue.number, message, &marker, &body, until)?;
        Ok(())
    }
}
