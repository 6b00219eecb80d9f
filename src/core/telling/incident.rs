//! What one channel is told of one incident.

use std::time::Duration;

use super::text::{self, Facts};
use super::{Cells, Draft, Item, Telling, told};
use crate::core::post::{self, MOST_INCIDENTS};
use crate::model::action::AttemptResult;
use crate::model::channel::{Message, Occasion, Question};
use crate::model::decision::Verdict;
use crate::model::post::{Asked, Closed, Marked, Marks, Told};
use crate::model::state::{AnswerKind, Approval, Attempt, Incident, State};
use crate::model::time::Timestamp;
use crate::plan::types::Occasion as Wanted;

/// A subject that stays down is told of again after this …
const FIRST_REPEAT: Duration = Duration::from_secs(3600);

/// … and then after each of these.
const REPEAT: Duration = Duration::from_secs(86_400);

/// One incident and one channel.
pub(super) struct About<'a> {
    pub(super) telling: &'a Telling<'a>,
    pub(super) state: &'a State,
    pub(super) cells: &'a Cells<'a>,
    pub(super) item: &'a Item<'a>,
    pub(super) channel: &'a str,
}

impl<'a> About<'a> {
    /// What is to be told, oldest first, each with all that was told by then.
    pub(super) fn drafts(&self) -> Vec<Draft> {
        let item = self.item;
        let before = told(self.state, item.subject, item.incident, self.channel);
        let plan = item.plan;
        let notified = plan.is_some_and(|p| p.notify.channels.iter().any(|c| c == self.channel));
        let asked = plan.is_some_and(|p| p.approval.channels.iter().any(|c| c == self.channel));
        if before.is_none() && !notified && !asked {
            return Vec::new();
        }
        let mut marks = before.cloned().unwrap_or_default();
        let mut drafts = Vec::new();
        let mut put = |marks: &Marks, message: Option<Message>| {
            drafts.push(Draft {
                channel: self.channel.to_owned(),
                marked: Marked {
                    subject: item.subject.to_owned(),
                    incident: item.incident.to_owned(),
                    marks: marks.clone(),
                },
                message,
            });
        };
        if let Some(settled) = self.settle(&mut marks) {
            put(&marks, settled);
        }
        match self.closed() {
            Some(closed) => {
                if let Some(over) = self.over(closed, &mut marks) {
                    put(&marks, over);
                }
            }
            None => {
                if let Some(news) = self.open(&mut marks, notified, asked) {
                    put(&marks, news);
                }
            }
        }
        drafts
    }

    fn told_of(&self) -> Option<&'a Told> {
        self.state.told.get(self.item.subject)
    }

    fn closed(&self) -> Option<&'a Closed> {
        let mut incidents = self.told_of()?.incidents.iter();
        let incident = incidents.find(|i| i.id == self.item.incident)?;
        incident.closed.as_ref()
    }

    /// The incident, where the state has it open.
    fn incident(&self) -> Option<&'a Incident> {
        let known = self.state.subjects.get(self.item.subject)?;
        let open = known.incident.as_ref()?;
        (open.id == self.item.incident).then_some(open)
    }

    /// The question that is open about it.
    fn question(&self) -> Option<&'a Approval> {
        let approval = self.state.memory.get(self.item.subject)?;
        let approval = approval.approval.as_ref()?;
        (approval.incident == self.item.incident).then_some(approval)
    }

    /// A question that was put here and is none any more. The inner `None` is for one that has
    /// never arrived: there is nobody to tell.
    fn settle(&self, marks: &mut Marks) -> Option<Option<Message>> {
        let now = self.telling.now;
        let asked = marks.asked.as_mut().filter(|asked| !asked.settled)?;
        let approval = post::question(self.state, self.item.subject, &asked.code);
        let answer = approval.and_then(|a| a.answer.as_ref());
        let still = self.question().is_some_and(|a| a.code == asked.code);
        let how = match (answer, approval) {
            (Some(answer), _) => text::answered(answer),
            (None, Some(open)) if still && now < open.expires_at => return None,
            (None, Some(open)) if still => format!("nobody answered by {}", open.expires_at),
            _ => match self.closed() {
                Some(closed) => format!("it is not needed any more: {}", text::ended(closed)),
                None => "it is not asked any more".to_owned(),
            },
        };
        asked.settled = true;
        if !asked.delivered {
            return Some(None);
        }
        let asked = asked.clone();
        marks.refused = Some(asked.code.clone());
        let mut message = self.message(Occasion::Settled, &how, None);
        message.earlier = asked.receipt.clone();
        message.question = Some(Question {
            subject: self.item.subject.to_owned(),
            code: asked.code,
            asked_at: approval.map_or(now, |a| a.asked_at),
            expires_at: approval.map_or(now, |a| a.expires_at),
            receipt: asked.receipt,
        });
        message.attempt = approval.map(|a| a.attempt).or(message.attempt);
        Some(Some(message))
    }

    /// The end of an incident, once.
    fn over(&self, closed: &Closed, marks: &mut Marks) -> Option<Option<Message>> {
        if marks.over {
            return None;
        }
        marks.over = true;
        let what = text::over(closed);
        let mut message = self.message(Occasion::Recovered, &what, None);
        message.at = closed.at;
        message.attempt = Some(closed.attempts).filter(|n| *n > 0);
        message.last = true;
        Some(Some(message))
    }

    /// What is new about an open incident.
    fn open(&self, marks: &mut Marks, notified: bool, asked: bool) -> Option<Option<Message>> {
        let decision = self.item.decision?;
        let open = self.incident()?;
        let question = self.question();
        let put = question.filter(|q| {
            let there = q.answer.is_none() && self.telling.now < q.expires_at;
            let new = marks.asked.as_ref().is_none_or(|a| a.code != q.code);
            asked && there && new && decision.verdict == Verdict::AwaitingApproval
        });
        let flaps = self.flaps();
        let news = News {
            asked: put.is_some(),
            flapping: notified && flaps && !self.was_told_to_flap(marks),
            exhausted: notified
                && open.exhausted
                && decision.verdict == Verdict::Exhausted
                && !(marks.exhausted && marks.exhausted_after == open.attempts),
            refused: notified.then(|| self.refused(question, marks)).flatten(),
            attempt: notified
                .then(|| self.attempt(marks, decision.verdict))
                .flatten(),
            down: notified && self.down(marks, decision.verdict),
        };
        let quiet = flaps && !news.flapping;
        let occasion = self.choose(&news, quiet);
        let Some(occasion) = occasion else {
            // Not wanted: remembered all the same, so that its end is told.
            let unwanted = news.down && marks.down == 0;
            self.mark(marks, &news, open, question, unwanted);
            return unwanted.then_some(None);
        };
        self.mark(marks, &news, open, question, true);
        let message = match put {
            Some(put) => {
                marks.asked = Some(Asked {
                    code: put.code.clone(),
                    delivered: false,
                    receipt: None,
                    settled: false,
                });
                self.ask(put, news.flapping)
            }
            None => self.message(
                occasion,
                &self.headline(occasion, &news, marks),
                news.attempt,
            ),
        };
        Some(Some(message))
    }

    fn wants(&self, what: Wanted) -> bool {
        let on = self.item.plan.map_or(&[][..], |plan| &plan.notify.on);
        on.is_empty() || on.contains(&what)
    }

    /// The one occasion of which all that is new is told.
    fn choose(&self, news: &News<'_>, quiet: bool) -> Option<Occasion> {
        let attempt = news.attempt.map(|(_, failed)| match failed {
            true => (Occasion::Failed, Wanted::Failed),
            false => (Occasion::Revived, Wanted::Revived),
        });
        let refused = news.refused.map(|(_, kind)| match kind {
            AnswerKind::Denied => (Occasion::Denied, Wanted::Denied),
            _ => (Occasion::Expired, Wanted::Expired),
        });
        let wanted =
            |(occasion, what): (Occasion, Wanted)| (self.wants(what) && !quiet).then_some(occasion);
        if news.asked {
            return Some(Occasion::Asked);
        }
        if news.exhausted {
            return Some(Occasion::Exhausted);
        }
        if news.flapping && self.wants(Wanted::Down) {
            return Some(Occasion::Flapping);
        }
        let down = news.down.then_some((Occasion::Down, Wanted::Down));
        [refused, attempt, down]
            .into_iter()
            .flatten()
            .find_map(wanted)
    }

    /// What a message tells beside its occasion is told with it.
    fn mark(
        &self,
        marks: &mut Marks,
        news: &News<'_>,
        open: &Incident,
        question: Option<&Approval>,
        told: bool,
    ) {
        if !told {
            return;
        }
        if news.down || marks.down == 0 {
            marks.down = marks.down.saturating_add(1);
            marks.down_at = Some(self.telling.now);
        }
        if let Some((attempt, failed)) = news.attempt {
            marks.attempt = attempt.number;
            if failed {
                marks.failed = attempt.number;
            }
        }
        if news.exhausted {
            marks.exhausted = true;
            marks.exhausted_after = open.attempts;
        }
        marks.flapping |= news.flapping;
        if news.refused.is_some() {
            marks.refused = question.map(|q| q.code.clone());
        }
    }

    fn flaps(&self) -> bool {
        let opened = self.told_of().map_or(&[][..], |t| &t.opened);
        post::recent(opened, self.telling.now) > MOST_INCIDENTS
    }

    /// Whether it was told already, in this incident or in an earlier one, that the subject flaps.
    fn was_told_to_flap(&self, marks: &Marks) -> bool {
        let incidents = self.told_of().map_or(&[][..], |t| &t.incidents);
        let channels = incidents.iter().map(|i| &i.channels);
        let mut here = channels.filter_map(|channels| channels.get(self.channel));
        // They are forgotten once it is calm.
        marks.flapping || here.any(|m| m.flapping)
    }

    /// A refusal, or that nobody answered, where that was not told.
    fn refused(
        &self,
        question: Option<&'a Approval>,
        marks: &Marks,
    ) -> Option<(&'a Approval, AnswerKind)> {
        let question = question?;
        let kind = question.answer.as_ref()?.kind;
        let new = marks.refused.as_ref() != Some(&question.code);
        (kind != AnswerKind::Approved && new).then_some((question, kind))
    }

    /// The last attempt, where its outcome was not told; and whether it failed.
    fn attempt(&self, marks: &Marks, verdict: Verdict) -> Option<(&'a Attempt, bool)> {
        let memory = self.state.memory.get(self.item.subject)?;
        let last = memory.attempts.last()?;
        if last.incident != self.item.incident {
            return None;
        }
        let stepped = match last.result? {
            AttemptResult::Ok => true,
            AttemptResult::Interrupted => last.verify_until.is_some(),
            AttemptResult::Failed | AttemptResult::DryRun => false,
        };
        let late = last
            .verify_until
            .is_some_and(|until| until <= self.telling.now);
        let failed = !stepped || (late && verdict != Verdict::Reviving);
        let new = match failed {
            true => last.number > marks.failed,
            false => last.number > marks.attempt,
        };
        new.then_some((last, failed))
    }

    /// Whether it is time to tell that it is down.
    fn down(&self, marks: &Marks, verdict: Verdict) -> bool {
        if !is_serious(verdict) || self.is_excused(verdict) {
            return false;
        }
        let Some(at) = marks.down_at.filter(|_| marks.down > 0) else {
            // Of those that are held together one notification tells.
            return verdict != Verdict::Held;
        };
        let pause = if marks.down == 1 {
            FIRST_REPEAT
        } else {
            REPEAT
        };
        self.telling.now.since(at) >= pause
    }

    /// True where only the order of the rules keeps a plan that tells, and does nothing, from waiting
    /// out its `for` and its maintenance windows.
    fn is_excused(&self, verdict: Verdict) -> bool {
        let Some(plan) = self.item.plan.filter(|_| verdict == Verdict::Never) else {
            return false;
        };
        let now = self.telling.now;
        let since = self.incident().map_or(now, |open| open.down_since);
        let young = now.since(since) < plan.when.r#for;
        young || plan.maintenance.iter().any(|w| w.ends(now).is_some())
    }

    fn headline(&self, occasion: Occasion, news: &News<'_>, marks: &Marks) -> String {
        let number = news.attempt.map_or(0, |(attempt, _)| attempt.number);
        match occasion {
            Occasion::Revived => format!("down, restarted (attempt {number})"),
            Occasion::Failed => format!("down, attempt {number} failed"),
            Occasion::Exhausted => {
                let flaps = if news.flapping { "flapping" } else { "down" };
                format!("{flaps}, attempts used up: nobody brings it back")
            }
            Occasion::Denied => "down, a human said no".to_owned(),
            Occasion::Expired => "down, nobody answered in time".to_owned(),
            Occasion::Flapping => "flapping: it goes down again and again".to_owned(),
            _ if marks.down > 1 => "still down".to_owned(),
            _ => "down".to_owned(),
        }
    }

    fn ask(&self, asked: &Approval, flapping: bool) -> Message {
        let flaps = if flapping { "flapping" } else { "down" };
        let what = format!("{flaps}, may it be revived (attempt {})?", asked.attempt);
        let mut message = self.message(Occasion::Asked, &what, None);
        message.attempt = Some(asked.attempt);
        message.question = Some(Question {
            subject: self.item.subject.to_owned(),
            code: asked.code.clone(),
            asked_at: asked.asked_at,
            expires_at: asked.expires_at,
            receipt: None,
        });
        message
    }

    fn message(
        &self,
        occasion: Occasion,
        what: &str,
        attempt: Option<(&Attempt, bool)>,
    ) -> Message {
        let Item {
            subject,
            incident,
            decision,
            plan,
        } = *self.item;
        let cell = self.cells.of(subject);
        let open = self.incident();
        let number = attempt
            .map(|(attempt, _)| attempt.number)
            .or_else(|| decision.and_then(|d| d.attempt));
        let facts = Facts {
            telling: self.telling,
            occasion,
            subject,
            incident,
            what,
            decision,
            plan,
            cell,
            down_since: open.map(|open| open.down_since),
            attempt: attempt.map(|(attempt, _)| attempt),
            question: self.question().filter(|_| occasion == Occasion::Asked),
            closed: self.closed(),
            number,
        };
        let before = told(self.state, subject, incident, self.channel);
        Message {
            id: String::new(),
            occasion,
            at: self.telling.now,
            host: self.telling.host.to_owned(),
            subject: Some(subject.to_owned()),
            incident: Some(incident.to_owned()),
            attempt: number,
            plan: decision.and_then(|d| d.plan.clone()),
            title: text::title(subject, what),
            text: facts.text(),
            question: None,
            issue: cell.and_then(|cell| cell.issue).map(u64::from),
            earlier: before.and_then(|marks| marks.first.clone()),
            last: false,
        }
    }
}

/// What is new about an incident.
struct News<'a> {
    asked: bool,
    flapping: bool,
    exhausted: bool,
    refused: Option<(&'a Approval, AnswerKind)>,
    attempt: Option<(&'a Attempt, bool)>,
    down: bool,
}

/// True for verdicts about subjects that are down beyond what their plans and operators put up
/// with: neither excused, nor kept out on purpose, nor only just gone.
fn is_serious(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Healthy
        | Verdict::Finished
        | Verdict::Unobserved
        | Verdict::Frozen
        | Verdict::Paused
        | Verdict::Maintenance
        | Verdict::Tolerated
        | Verdict::Waiting
        | Verdict::Unplanned => false,
        Verdict::Reviving
        | Verdict::Permanent
        | Verdict::Never
        | Verdict::Blocked
        | Verdict::Exhausted
        | Verdict::Backoff
        | Verdict::Denied
        | Verdict::Expired
        | Verdict::Held
        | Verdict::AwaitingApproval
        | Verdict::Deferred
        | Verdict::Revive => true,
    }
}

/// Whether a question that waits in an outbox may still be put.
pub(super) fn is_open(state: &State, message: &Message, now: Timestamp) -> bool {
    let Some(question) = &message.question else {
        return true;
    };
    let approval = state.memory.get(&question.subject);
    let approval = approval.and_then(|memory| memory.approval.as_ref());
    approval.is_some_and(|a| a.code == question.code && a.answer.is_none() && now < a.expires_at)
}
