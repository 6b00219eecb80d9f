//! The rules that look at one subject, in the order in which they are considered.

use std::time::Duration;

use super::budget::{self, Budget};
use super::consent::Consent;
use super::needs::Needs;
use super::ruling::{Ruling, Word, applies, passes, until};
use super::view::View;
use crate::model::action::AttemptResult;
use crate::model::cell::{Code, Reason};
use crate::model::condition::Condition;
use crate::model::decision::{Policy, Verdict};
use crate::model::state::{Attempt, Memory, Pause, SubjectState};
use crate::model::step::Step;
use crate::model::time::{Timestamp, human};
use crate::plan::Plan;

/// One subject with all that is known of it, and what could be told without looking at others.
#[derive(Debug)]
pub(super) struct Case<'a> {
    /// The subject.
    pub(super) view: View<'a>,
    /// Its plan.
    pub(super) plan: Option<&'a Plan>,
    /// What it is to its plan.
    pub(super) condition: Condition,
    /// What the state has of it while it is not healthy.
    pub(super) known: Option<&'a SubjectState>,
    /// What the state has of it at all times.
    pub(super) memory: &'a Memory,
    /// Who took it, or its whole cell, out of revival.
    pub(super) pause: Option<&'a Pause>,
    /// The open incident's id, or the one that it would get.
    pub(super) incident: String,
    /// The number of the next attempt in that incident.
    pub(super) next: u32,
    /// Since when it has been down.
    pub(super) down_since: Timestamp,
    /// Where the missions are.
    pub(super) root: &'a str,
    /// The moment of the decision.
    pub(super) now: Timestamp,
}

impl<'a> Case<'a> {
    /// The last attempt in its open incident.
    fn last_attempt(&self) -> Option<&'a Attempt> {
        self.memory.attempts.last()
    }

    /// The last attempt, while what it did has still time to show.
    ///
    /// An `ended` that lies in the future (the clock has gone back since) binds nobody.
    fn under_verification(&self) -> Option<&'a Attempt> {
        self.last_attempt().filter(|last| match last.result {
            None => true,
            Some(AttemptResult::Ok | AttemptResult::Interrupted) => {
                last.verify_until.is_some_and(|until| self.now < until)
                    && last.ended.is_none_or(|ended| ended <= self.now)
            }
            Some(_) => false,
        })
    }

    /// True where its evidence is from after the attempt: what is older says nothing about what
    /// the attempt started.
    fn is_news(&self, attempt: &Attempt) -> bool {
        let Some(ended) = attempt.ended else {
            return false;
        };
        match self.view.beat {
            Some(beat) => beat.last > ended,
            // What is asked now is news.
            None => self.view.cell.is_none(),
        }
    }

    /// True where it is healthy, and not only by evidence from before an attempt of the incident
    /// that is open. Where none is, the attempt has shown already: a beat that is older again (its
    /// clock, or ours, was set back) must not open an incident about a subject that is well.
    pub(super) fn is_healthy(&self) -> bool {
        let open = self.known.and_then(|k| k.incident.as_ref());
        let waits = |a: &Attempt| open.is_some_and(|open| open.id == a.incident);
        self.view.observed
            && self.condition == Condition::Healthy
            && self
                .under_verification()
                .is_none_or(|a| !waits(a) || self.is_news(a))
    }

    /// Why it counts as done, if it does.
    pub(super) fn finished(&self) -> Option<Reason> {
        let plan = self.plan?;
        let code = (self.condition == Condition::Exited)
            .then(|| self.view.ended.and_then(|end| end.exit_code))
            .flatten();
        if let Some(code) = code.filter(|code| plan.on_exit.finished.contains(code)) {
            let message = format!("its process ended with {code}, which on_exit.finished lists");
            return Some(Reason::new(Code::FinishedExit, message));
        }
        let silent = matches!(
            self.condition,
            Condition::Stale | Condition::Dead | Condition::Exited
        );
        let report = self.view.report().filter(|_| silent)?;
        let listed = plan.on_report.finished.iter().any(|word| word == report);
        listed.then(|| {
            let message =
                format!("its last heartbeat says `{report}`, which on_report.finished lists");
            Reason::new(Code::FinishedReport, message)
        })
    }

    /// True where it is well, as needs and mass failures mean it.
    pub(super) fn is_well(&self) -> bool {
        self.is_healthy()
            || (self.view.observed && self.plan.is_some() && self.finished().is_some())
    }

    /// Goes through the rules until one applies.
    pub(super) fn judge(&self, needs: &Needs<'_>) -> Ruling {
        let mut ruling = Ruling {
            verdict: None,
            because: self.view.reasons.iter().map(|r| (*r).clone()).collect(),
            checks: Vec::new(),
            next_attempt_at: None,
            steps: Vec::new(),
            consent: Consent::NotNeeded,
        };
        if let (Condition::Exited, Some(end)) = (self.condition, self.view.ended) {
            ruling.because.push(exited(end));
        }
        let Some(plan) = self.before_plans(&mut ruling) else {
            return ruling;
        };
        self.by_plan(plan, needs, &mut ruling);
        ruling
    }

    /// The rules that need no plan; the plan where none of them applies.
    fn before_plans(&self, ruling: &mut Ruling) -> Option<&'a Plan> {
        let done = ruling.hear(Verdict::Healthy, self.healthy())
            || ruling.hear(Verdict::Unobserved, self.unobserved())
            || ruling.hear(Verdict::Reviving, self.reviving())
            || ruling.hear(Verdict::Frozen, self.frozen())
            || ruling.hear(Verdict::Paused, self.paused());
        if done {
            return None;
        }
        if self.plan.is_none() {
            ruling.hear(
                Verdict::Unplanned,
                applies(Code::NoPlan, "no plan governs it"),
            );
        }
        self.plan
    }

    fn by_plan(&self, plan: &Plan, needs: &Needs<'_>, ruling: &mut Ruling) {
        let governed = format!(
            "plan {} governs it ({}:{})",
            plan.name, plan.source.file, plan.source.line
        );
        ruling.hear(Verdict::Unplanned, passes(governed));
        let finished = match self.finished() {
            Some(reason) => Word::Applies(vec![reason]),
            None => passes("neither its exit code nor its last word means that it is done"),
        };
        if ruling.hear(Verdict::Finished, finished) {
            return;
        }
        let steps = self.steps(plan);
        if ruling.hear(Verdict::Permanent, self.permanent(plan, &steps)) {
            return;
        }
        ruling.steps = steps.unwrap_or_default();
        let budget = budget::budget(
            &self.view.name,
            &self.memory.attempts,
            &plan.limits,
            self.now,
        );
        if plan.policy == Policy::Ask {
            ruling.consent = self.consent(plan);
        }
        let _ = ruling.hear(Verdict::Tolerated, self.tolerated(plan))
            || ruling.hear(Verdict::Never, never(plan))
            || ruling.hear(Verdict::Waiting, self.waiting(plan))
            || ruling.hear(Verdict::Maintenance, self.maintenance(plan))
            || ruling.hear(Verdict::Blocked, self.blocked(plan, needs))
            || ruling.hear(Verdict::Exhausted, exhausted(plan, &budget))
            || ruling.hear(Verdict::Backoff, self.backoff(plan, &budget))
            || self.refused(ruling);
    }

    fn healthy(&self) -> Word {
        if !self.is_healthy() {
            return passes(format!("it is {}", self.condition.as_str()));
        }
        let Some(open) = self.known.and_then(|k| k.incident.as_ref()) else {
            return applies(Code::Recovered, "it is healthy");
        };
        let down = human(self.now.since(open.down_since));
        applies(Code::Recovered, format!("it is healthy again after {down}"))
    }

    fn unobserved(&self) -> Word {
        if self.view.observed {
            return passes("it could be looked at");
        }
        // The reasons of the look itself say why.
        Word::Applies(Vec::new())
    }

    fn reviving(&self) -> Word {
        let Some(attempt) = self.under_verification() else {
            return passes(match self.last_attempt() {
                None => "no attempt is under way".to_owned(),
                Some(last)
                    if last.incident == self.incident && last.result == Some(AttemptResult::Ok) =>
                {
                    format!(
                        "attempt {} of {} was carried out, and did not bring it back by {}",
                        last.number,
                        last.at,
                        last.verify_until.unwrap_or(last.at)
                    )
                }
                Some(last) => format!(
                    "attempt {} of {} is over ({})",
                    last.number,
                    last.at,
                    last.result.map_or("under way", |r| r.as_str())
                ),
            });
        };
        let Some(until_when) = attempt.verify_until else {
            let message = format!(
                "attempt {} is under way since {}",
                attempt.number, attempt.at
            );
            return applies(Code::UnderWay, message);
        };
        let died = self
            .view
            .ended
            .filter(|end| self.condition == Condition::Exited && end.at >= attempt.at);
        if died.is_some() {
            return passes(format!(
                "what attempt {} started has ended already",
                attempt.number
            ));
        }
        let message = format!(
            "attempt {} was made {} ago and has until {until_when} to show",
            attempt.number,
            human(self.now.since(attempt.ended.unwrap_or(attempt.at))),
        );
        until(Code::Reviving, message, until_when)
    }

    fn frozen(&self) -> Word {
        if self.view.frozen() {
            return applies(Code::Frozen, "the cell's manifest says status: frozen");
        }
        passes("its cell is not frozen")
    }

    fn paused(&self) -> Word {
        let Some(pause) = self
            .pause
            .filter(|p| p.until.is_none_or(|until| self.now < until))
        else {
            return passes("nobody paused it");
        };
        let mut message = format!(
            "{} paused it at {}: {}",
            pause.by, pause.since, pause.reason
        );
        match pause.until {
            Some(at) => {
                message.push_str(&format!(" (until {at})"));
                until(Code::Paused, message, at)
            }
            None => applies(Code::Paused, message),
        }
    }

    fn permanent(&self, plan: &Plan, steps: &Result<Vec<Step>, String>) -> Word {
        if let Err(why) = steps {
            let message = format!("its plan's steps cannot be filled in for it: {why}");
            return applies(Code::Template, message);
        }
        let Some(end) = self
            .view
            .ended
            .filter(|_| self.condition == Condition::Exited)
        else {
            return passes("no process of it ended hopelessly");
        };
        let Some(code) = end
            .exit_code
            .filter(|code| plan.on_exit.permanent.contains(code))
        else {
            return passes("on_exit.permanent does not list how its process ended");
        };
        if self.memory.forgiven_at.is_some_and(|at| end.at <= at) {
            return passes(format!("{code} is hopeless, but an operator resumed it"));
        }
        let before = self.memory.attempts.iter().rev().find(|a| a.at <= end.at);
        if before.is_some_and(|attempt| attempt.plan_hash != plan.hash) {
            return passes(format!(
                "{code} is hopeless, but the plan has changed since"
            ));
        }
        let message = format!(
            "its process ended with {code}, which on_exit.permanent lists: a changed plan or `resume` clears it"
        );
        applies(Code::PermanentExit, message)
    }

    fn tolerated(&self, plan: &Plan) -> Word {
        let listed: Vec<&str> = plan.when.status.iter().map(|c| c.as_str()).collect();
        let listed = listed.join(", ");
        let is = self.condition.as_str();
        if !plan.when.status.contains(&self.condition) {
            return applies(
                Code::Status,
                format!("it is {is}, and the plan acts on {listed} only"),
            );
        }
        let report = self.view.report();
        if let Some(word) =
            report.filter(|report| plan.on_report.tolerated.iter().any(|w| w == report))
        {
            let message =
                format!("its last heartbeat says `{word}`, which on_report.tolerated lists");
            return applies(Code::ToleratedReport, message);
        }
        passes(format!("it is {is}, and the plan acts on {listed}"))
    }

    /// For how long it has been down.
    fn down_for(&self) -> Duration {
        self.now.since(self.down_since)
    }

    fn waiting(&self, plan: &Plan) -> Word {
        let (down, least) = (self.down_for(), plan.when.r#for);
        if down >= least {
            return passes(format!(
                "down for {}, at least {}",
                human(down),
                human(least)
            ));
        }
        let message = format!("down for {}, less than {}", human(down), human(least));
        until(Code::DownFor, message, self.down_since.plus(least))
    }

    fn maintenance(&self, plan: &Plan) -> Word {
        match plan.maintenance.iter().find_map(|w| w.ends(self.now)) {
            Some(end) => until(
                Code::Maintenance,
                format!("a maintenance window lasts until {end}"),
                end,
            ),
            None if plan.maintenance.is_empty() => passes("the plan has no maintenance windows"),
            None => passes("no maintenance window is open"),
        }
    }

    fn blocked(&self, plan: &Plan, needs: &Needs<'_>) -> Word {
        let unmet: Vec<Reason> = plan
            .needs
            .iter()
            .filter_map(|need| needs.unmet(need, &self.view.name))
            .map(|message| Reason::new(Code::Need, message))
            .collect();
        if !unmet.is_empty() {
            return Word::Applies(unmet);
        }
        passes(match plan.needs.len() {
            0 => "it needs nothing".to_owned(),
            n => format!("all that it needs is healthy ({n})"),
        })
    }

    fn backoff(&self, plan: &Plan, budget: &Budget) -> Word {
        let last = self.memory.attempts.last();
        match (budget.due_at, last) {
            (Some(due), Some(last)) => {
                let message = format!(
                    "the last attempt began {} ago, and the next is due in {}, at {due}",
                    human(self.now.since(last.at)),
                    human(due.since(self.now)),
                );
                until(Code::Backoff, message, due)
            }
            (_, None) => passes("no attempt was made"),
            (None, Some(last)) => passes(format!(
                "the last attempt began {} ago (backoff from {} to {})",
                human(self.now.since(last.at)),
                human(plan.limits.backoff.initial),
                human(plan.limits.backoff.max),
            )),
        }
    }

    fn refused(&self, ruling: &mut Ruling) -> bool {
        let word = match &ruling.consent {
            Consent::Refused { by, until: at } => until(
                Code::Denied,
                format!("{by} said no; it is asked again at {at}"),
                *at,
            ),
            _ => passes("nobody said no"),
        };
        if ruling.hear(Verdict::Denied, word) {
            return true;
        }
        let word = match &ruling.consent {
            Consent::Unanswered { since, until: at } => until(
                Code::Expired,
                format!("nobody answered by {since}; it is asked again at {at}"),
                *at,
            ),
            _ => passes("no question went unanswered"),
        };
        ruling.hear(Verdict::Expired, word)
    }
}

fn exited(end: &crate::model::action::Ended) -> Reason {
    let how = match (end.exit_code, end.signal) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "in a way that nobody saw".to_owned(),
    };
    let message = format!(
        "its process ended {how} at {}, and it has not beaten since",
        end.at
    );
    Reason::new(Code::Exited, message)
}

fn never(plan: &Plan) -> Word {
    match plan.policy {
        Policy::Never => applies(Code::Policy, "its plan's policy is never: it is only told"),
        other => passes(format!("its plan's policy is {}", other.as_str())),
    }
}

fn exhausted(plan: &Plan, budget: &Budget) -> Word {
    let (most, within) = (plan.limits.attempts, human(plan.limits.within));
    match budget.free_at {
        None => passes(format!(
            "{} of {most} attempts within {within} were made",
            budget.used
        )),
        Some(free) => {
            let at = budget.due_at.map_or(free, |due| due.max(free));
            let message = format!(
                "{} of {most} attempts within {within} were made; the next can be made at {at}",
                budget.used
            );
            until(Code::Attempts, message, at)
        }
    }
}
