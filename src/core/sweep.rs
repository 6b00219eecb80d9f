//! What a look at the world and the decisions about it add to the journal.

use super::decide::{self, Decisions, subjects};
use super::evidence::Streaks;
use super::gone;
use super::ledger::{MASS_FAILURE, OVER};
use super::view::View;
use crate::model::cell::{Cell, Reason};
use crate::model::condition::Condition;
use crate::model::decision::{Decision, Verdict};
use crate::model::event::{Event, Kind};
use crate::model::snapshot::Snapshot;
use crate::model::state::{Incident, State, Traits};
use crate::model::time::millis;

/// What is to be written down of one look at the world, a batch at a time: each subject whose
/// condition is another than the state has, incidents that open and close, questions, subjects
/// that are gone, and what holds everyone.
///
/// Batches, because a first look at a large fleet, or a bad day, has more to say than should be
/// held in memory at once.
pub struct Sweep<'a> {
    snapshot: &'a Snapshot,
    decisions: &'a Decisions,
    run: &'a str,
    /// Codes for questions. They are the one thing in here that cannot follow from the rest.
    code: &'a mut dyn FnMut() -> String,
    /// The next place among the cells.
    next: usize,
    /// What comes behind the last of the cells.
    rest: Rest,
}

/// What comes behind the cells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Probes,
    Gateways,
    Gone,
    Fleet,
    Nothing,
}

/// A batch ends with the cell that brings it to this many events.
const BATCH: usize = 512;

impl<'a> Sweep<'a> {
    /// A sweep over all of the snapshot. The decisions are those made of it.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        decisions: &'a Decisions,
        run: &'a str,
        code: &'a mut dyn FnMut() -> String,
    ) -> Self {
        Self {
            snapshot,
            decisions,
            run,
            code,
            next: 0,
            rest: Rest::Probes,
        }
    }

    /// The next batch; `None` behind the last. The state must have had the batches before.
    ///
    /// `in_scope` tells whether a cell was to be looked at in this run (`--cell`), `vanished`
    /// whether a subject that was not found is to be believed gone.
    pub fn next(
        &mut self,
        state: &State,
        in_scope: &dyn Fn(&str) -> bool,
        vanished: bool,
    ) -> Option<Vec<Event>> {
        let mut events = Vec::new();
        self.cells(state, &mut events);
        while events.is_empty() && self.rest != Rest::Nothing {
            self.rest = match self.rest {
                Rest::Probes => match self.probes(state, in_scope, vanished, &mut events) {
                    true => Rest::Probes,
                    false => Rest::Gateways,
                },
                Rest::Gateways => {
                    for gateway in &self.snapshot.gateways {
                        let view = View::of_gateway(gateway, self.snapshot);
                        self.subject(&view, state, &mut events);
                    }
                    Rest::Gone
                }
                Rest::Gone => {
                    if vanished {
                        self.gone(state, in_scope, &mut events);
                    }
                    Rest::Fleet
                }
                Rest::Fleet | Rest::Nothing => {
                    self.fleet(state, &mut events);
                    Rest::Nothing
                }
            };
        }
        (!events.is_empty()).then_some(events)
    }

    /// The next cells, until there is enough for a batch.
    fn cells(&mut self, state: &State, events: &mut Vec<Event>) {
        let places = self.snapshot.cells.places();
        if self.next >= places {
            return;
        }
        let noted = decide::noted(state);
        while self.next < places && events.len() < BATCH {
            let cell = self.snapshot.cells.get(self.next);
            self.next += 1;
            let loud = |cell: &&Cell| !decide::is_quiet(cell, &noted, self.snapshot);
            if let Some(cell) = cell.filter(loud) {
                for subject in subjects(cell) {
                    let view = View::of(&subject, self.snapshot);
                    self.subject(&view, state, events);
                }
            }
        }
    }

    fn event(&self, kind: Kind, subject: &str) -> Event {
        Event {
            subject: Some(subject.to_owned()),
            ..Event::new(kind, self.snapshot.taken_at, self.run)
        }
    }

    fn subject(&mut self, view: &View<'_>, state: &State, events: &mut Vec<Event>) {
        let name = &view.name;
        let decision = self.decisions.of(name);
        let known = state.subjects.get(name);
        let open = known.and_then(|k| k.incident.as_ref());
        let well = decision.is_none_or(|d| d.verdict.is_well());
        if let Some(incident) = open.filter(|_| well) {
            let finished = decision.is_some_and(|d| d.verdict == Verdict::Finished);
            let reason = if finished { "finished" } else { "recovered" };
            events.push(self.closed(name, incident, reason));
        }
        let condition = decision.map_or(Condition::Healthy, |d| d.condition);
        self.condition(view, condition, state, events);
        let Some(decision) = decision else { return };
        // What could not be looked at opens nothing and closes nothing.
        if open.is_none() && !well && decision.verdict != Verdict::Unobserved {
            events.push(Event {
                incident: decision.incident.clone(),
                plan: decision.plan.clone(),
                down_since: decision.down_since,
                to: Some(condition),
                reasons: codes(&view.reasons),
                traits: view.traits(),
                ..self.event(Kind::IncidentOpened, name)
            });
        }
        self.verdict(decision, state, events);
    }

    /// The condition, if it is another than before, or what plans ask of it beside.
    fn condition(
        &self,
        view: &View<'_>,
        condition: Condition,
        state: &State,
        events: &mut Vec<Event>,
    ) {
        let name = &view.name;
        let known = state.subjects.get(name);
        let before = known.map(|k| k.status);
        let traits = match condition {
            Condition::Healthy => Traits::default(),
            _ => view.traits(),
        };
        // Seen again as what it was taken for unseen is news: only what is seen counts as time down.
        let unseen = known.is_some_and(|k| k.unseen);
        let same_look = condition == Condition::Healthy || unseen != view.observed;
        let same = before.unwrap_or(Condition::Healthy) == condition
            && same_look
            && known.is_none_or(|k| k.traits == traits);
        if same {
            return;
        }
        let now = self.snapshot.taken_at;
        let since = decide::became(view, condition, state, now);
        events.push(Event {
            from: before.or(state.last_run.is_some().then_some(Condition::Healthy)),
            to: Some(condition),
            since: (since != now && !(before == Some(condition) && same_look)).then_some(since),
            traits,
            reasons: codes(&view.reasons),
            ..self.event(Kind::StatusChanged, name)
        });
    }

    /// What a verdict leaves for the runs to come: a question, a question that went unanswered, a
    /// budget that is used up.
    fn verdict(&mut self, decision: &Decision, state: &State, events: &mut Vec<Event>) {
        let name = &decision.subject;
        let about = |kind| Event {
            incident: decision.incident.clone(),
            plan: decision.plan.clone(),
            attempt: decision.attempt,
            ..self.event(kind, name)
        };
        let message = || decision.checks.last().map(|check| check.message.clone());
        if let Some(question) = &decision.question {
            let asked = about(Kind::ApprovalRequested);
            events.push(Event {
                plan_hash: Some(question.plan_hash.clone()),
                code: Some((self.code)()),
                expires_at: Some(question.expires_at),
                ask_again_ms: Some(millis(question.ask_again)),
                ..asked
            });
            return;
        }
        match decision.verdict {
            Verdict::Expired => {
                let asked = state.memory.get(name).and_then(|m| m.approval.as_ref());
                if asked.is_some_and(|a| a.answer.is_none()) {
                    events.push(Event {
                        message: message(),
                        ..about(Kind::ApprovalExpired)
                    });
                }
            }
            Verdict::Exhausted => {
                let open = state.subjects.get(name).and_then(|s| s.incident.as_ref());
                if open.is_none_or(|incident| !incident.exhausted) {
                    events.push(Event {
                        message: message(),
                        ..about(Kind::Exhausted)
                    });
                }
            }
            _ => {}
        }
    }

    fn closed(&self, subject: &str, incident: &Incident, reason: &str) -> Event {
        let now = self.snapshot.taken_at;
        Event {
            incident: Some(incident.id.clone()),
            down_for: Some(now.since(incident.down_since).as_secs_f64()),
            reason: Some(reason.into()),
            ..self.event(Kind::IncidentClosed, subject)
        }
    }

    /// How far probes are, where that is other than the state has it; and that there is nothing to
    /// remember of subjects about which nothing is asked any more. True where there is more.
    fn probes(
        &self,
        state: &State,
        in_scope: &dyn Fn(&str) -> bool,
        vanished: bool,
        events: &mut Vec<Event>,
    ) -> bool {
        let none = Streaks::new();
        let asked = self.snapshot.asked.iter();
        let changed = asked.filter(|(subject, evidence)| {
            *state.probes.get(*subject).unwrap_or(&none) != evidence.streaks
        });
        let changed = changed.map(|(subject, evidence)| (subject, &evidence.streaks));
        let left = gone::unasked(self.snapshot, state, in_scope, vanished);
        let left = left.into_iter().map(|subject| (subject, &none));
        let mut all = changed.chain(left);
        events.extend(all.by_ref().take(BATCH).map(|(subject, streaks)| Event {
            probes: streaks.clone(),
            ..self.event(Kind::Probed, subject)
        }));
        all.next().is_some()
    }

    /// Subjects that the state has and the snapshot has not. The incident is closed first: a run
    /// killed in between leaves a subject that is still to be swept up.
    fn gone(&self, state: &State, in_scope: &dyn Fn(&str) -> bool, events: &mut Vec<Event>) {
        for (subject, known) in gone::gone(self.snapshot, state, in_scope) {
            let open = known.incident.as_ref();
            events.extend(open.map(|open| self.closed(subject, open, "gone")));
            events.push(Event {
                from: Some(known.status),
                reason: Some("gone".into()),
                ..self.event(Kind::StatusChanged, subject)
            });
        }
    }

    /// What holds everyone, and what no longer does.
    fn fleet(&self, state: &State, events: &mut Vec<Event>) {
        let event = |kind, reason: &str| Event {
            reason: Some(reason.to_owned()),
            ..Event::new(kind, self.snapshot.taken_at, self.run)
        };
        let Decisions {
            mass,
            released,
            hold,
            list,
            ..
        } = self.decisions;
        let before = state.hold.as_ref();
        if let (Some(mass), None) = (mass, before) {
            events.push(Event {
                message: Some(format!(
                    "{} of {} subjects went down between {} and {}",
                    mass.down, mass.of, mass.first, mass.last
                )),
                ..event(Kind::Held, MASS_FAILURE)
            });
        }
        let still = before.is_none_or(|hold| hold.released.is_none());
        if let (true, Some(why)) = (still && mass.is_some(), released) {
            events.push(event(Kind::Released, why));
        }
        if mass.is_none() && self.snapshot.full && before.is_some() {
            events.push(event(Kind::Released, OVER));
        }
        let holds = list.iter().any(|d| d.verdict == Verdict::Held);
        if let Some(reason) = hold.as_ref().filter(|_| holds) {
            events.push(Event {
                message: Some(reason.message.clone()),
                ..event(Kind::Held, reason.code.as_str())
            });
        }
    }
}

fn codes(reasons: &[&Reason]) -> Vec<String> {
    reasons.iter().map(|r| r.code.as_str().to_owned()).collect()
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
