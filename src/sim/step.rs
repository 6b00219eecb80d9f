//! One simulated run: the real decision and the real ledger around attempts that are made up.

use std::time::Duration;

use crate::core::decide::{Decisions, decide};
use crate::core::rules::Rules;
use crate::core::sweep::Sweep;
use crate::core::{holds, ledger};
use crate::model::action::{Action, AttemptResult};
use crate::model::decision::Verdict;
use crate::model::event::{Event, Kind};
use crate::model::snapshot::{Snapshot, Summary};
use crate::model::state::State;
use crate::model::time::{Timestamp, millis};

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// When its intent was written down.
    pub began: Timestamp,
    /// When its last step was over, and what came of it; absent where its run was killed before.
    pub over: Option<(Timestamp, AttemptResult)>,
}

/// One run.
pub struct Run<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it sees; its moment is that of the run.
    pub snapshot: &'a Snapshot,
    /// What it decides by.
    pub rules: &'a Rules<'a>,
    /// The globs of `--cell`; empty for a run over everything.
    pub scope: &'a [String],
    /// Whether a cell is in the run's scope.
    pub in_scope: &'a dyn Fn(&str) -> bool,
    /// Behind how many events it is killed; absent where it comes to its end.
    pub killed_after: Option<usize>,
    /// What its end is stamped with, beside its own moment and those of its attempts.
    pub ends_at: Option<Timestamp>,
}

impl<'a> Run<'a> {
    /// A run over everything that comes to its end.
    #[must_use]
    pub fn new(id: &'a str, snapshot: &'a Snapshot, rules: &'a Rules<'a>) -> Self {
        Self {
            id,
            snapshot,
            rules,
            scope: &[],
            in_scope: &|_| true,
            killed_after: None,
            ends_at: None,
        }
    }

    /// Goes through the run. `attempt` says what an attempt does, `code` makes the code of a
    /// question, `heard` gets each event once the state has it.
    ///
    /// Returns what was decided, and whether the run came to its end.
    pub fn go(
        &self,
        state: &mut State,
        attempt: &mut dyn FnMut(&Action) -> Made,
        code: &mut dyn FnMut() -> String,
        heard: &mut dyn FnMut(Event),
    ) -> (Decisions, bool) {
        let mut pen = Pen {
            state,
            heard,
            left: self.killed_after.unwrap_or(usize::MAX),
        };
        let now = self.snapshot.taken_at;
        let settled = self.settle(&mut pen);
        let decisions = decide(self.snapshot, self.rules, pen.state, now);
        let done = settled
            && self.sweep(&decisions, code, &mut pen)
            && self.act(&decisions, attempt, &mut pen);
        (decisions, done)
    }

    fn event(&self, kind: Kind, ts: Timestamp) -> Event {
        Event {
            scope: match kind {
                Kind::RunStarted | Kind::RunFinished => self.scope.to_vec(),
                _ => Vec::new(),
            },
            ..Event::new(kind, ts, self.id)
        }
    }

    /// The beginning: attempts of a run that was killed are never continued, and count.
    fn settle(&self, pen: &mut Pen<'_>) -> bool {
        let now = self.snapshot.taken_at;
        let open: Vec<Event> = pen
            .state
            .memory
            .iter()
            .flat_map(|(subject, memory)| memory.attempts.iter().map(move |a| (subject, a)))
            .filter(|(_, attempt)| attempt.result.is_none())
            .map(|(subject, attempt)| Event {
                subject: Some(subject.clone()),
                incident: Some(attempt.incident.clone()),
                attempt: Some(attempt.number),
                r#ref: Some(attempt.r#ref.clone()),
                plan: Some(attempt.plan.clone()),
                result: Some(AttemptResult::Interrupted.as_str().to_owned()),
                ..self.event(Kind::AttemptFinished, now)
            })
            .collect();
        pen.write([self.event(Kind::RunStarted, now)]) && pen.write(open)
    }

    fn sweep(
        &self,
        decisions: &Decisions,
        code: &mut dyn FnMut() -> String,
        pen: &mut Pen<'_>,
    ) -> bool {
        let mut sweep = Sweep::new(self.snapshot, decisions, self.id, code);
        let least = self.rules.protection.min_subjects;
        let warnings = holds::holds(self.snapshot, pen.state, least);
        let believes = holds::believes_absence(&warnings);
        while let Some(batch) = sweep.next(pen.state, self.in_scope, believes) {
            if !pen.write(batch) {
                return false;
            }
        }
        true
    }

    fn act(
        &self,
        decisions: &Decisions,
        attempt: &mut dyn FnMut(&Action) -> Made,
        pen: &mut Pen<'_>,
    ) -> bool {
        let now = self.snapshot.taken_at;
        let mut end = self.ends_at.unwrap_or(now);
        let actions = decisions
            .list
            .iter()
            .filter(|d| d.verdict == Verdict::Revive)
            .filter_map(|d| d.action.as_deref());
        let mut made: Vec<(&Action, Made)> = Vec::new();
        // All that is about to be done is written down before any of it is.
        for action in actions {
            let what = attempt(action);
            let intent = Event {
                plan_hash: Some(action.plan_hash.clone()),
                verify_ms: Some(millis(action.verify_within)),
                window_ms: Some(millis(action.window)),
                canary: action.canary,
                ..self.about(action, Kind::Intent, what.began)
            };
            if !pen.write([intent]) {
                return false;
            }
            made.push((action, what));
        }
        let mut cut = false;
        for (action, what) in made {
            let Some((ended, result)) = what.over else {
                // The run is killed in the midst of it. The others were made side by side.
                cut = true;
                continue;
            };
            end = end.max(ended);
            let finished = Event {
                result: Some(result.as_str().to_owned()),
                ..self.about(action, Kind::AttemptFinished, ended)
            };
            if !pen.write([finished]) {
                return false;
            }
        }
        if cut {
            return false;
        }
        let last = Event {
            exit: Some(0),
            duration_ms: Some(millis(end.since(now))),
            observed_at: Some(now),
            boot_id: Some(self.snapshot.boot_id.clone()),
            root: Some(self.snapshot.root.clone()),
            summary: Some(Summary::of(self.snapshot.cells.iter())),
            subjects: self.scope.is_empty().then_some(decisions.in_scope),
            ..self.event(Kind::RunFinished, end)
        };
        pen.write([last])
    }

    fn about(&self, action: &Action, kind: Kind, ts: Timestamp) -> Event {
        Event {
            subject: Some(action.subject.clone()),
            incident: Some(action.incident.clone()),
            attempt: Some(action.attempt),
            r#ref: Some(action.r#ref.clone()),
            plan: Some(action.plan.clone()),
            ..self.event(kind, ts)
        }
    }
}

/// Where events go: into the state, and to whoever listens.
struct Pen<'a> {
    state: &'a mut State,
    heard: &'a mut dyn FnMut(Event),
    left: usize,
}

impl Pen<'_> {
    /// False where the run is killed before all of them are written.
    fn write(&mut self, events: impl IntoIterator<Item = Event>) -> bool {
        for event in events {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            add(self.state, event, self.heard);
        }
        self.left > 0
    }
}

/// Gives an event its number and adds it to the state.
pub fn add(state: &mut State, mut event: Event, heard: &mut dyn FnMut(Event)) {
    event.seq = state.applied + 1;
    ledger::apply(state, &event);
    heard(event);
}

/// An attempt that begins at once, takes so long, and ends like this.
#[must_use]
pub fn at_once(now: Timestamp, took: Duration, result: AttemptResult) -> Made {
    Made {
        began: now,
        over: Some((now.plus(took), result)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::condition::Condition;
    use crate::model::protection::Protection;
    use crate::plan::{File, Known, PlanSet, load};
    use crate::sim::world::{Being, World};

    const HOUR: i64 = 3600;

    fn plans() -> PlanSet {
        let text = b"policy: auto\nsteps: [{run: [\"true\"]}]\nlimits: {attempts: 2, within: 1h, backoff: {initial: 1s}}\nverify: {within: 10s}\n";
        let file = File {
            name: "p.yaml".into(),
            text: text.to_vec(),
        };
        load(&[file], &Known::default()).0
    }

    /// A day forward and a day back, with runs between: the budget is what it was.
    #[test]
    fn a_clock_that_is_set_to_and_fro_fills_no_budget() {
        let (plans, protection) = (plans(), Protection::default());
        let rules = Rules {
            plans: &plans,
            protection: &protection,
            restarts_per_run: 10,
            gap: Duration::from_secs(600),
            force: false,
            state_lost: false,
        };
        let mut world = World::new(Duration::from_secs(180));
        let start = 1_800_000_000;
        world.set(
            "a/x",
            Being::new(Condition::Stale, Timestamp::from_secs(start)),
        );
        let mut state = State::default();
        let mut attempts = 0;
        let minutes = (1..20).map(|n| n * 60);
        // One run by the wrong clock: after such a gap it revives nobody.
        let off = (20..21).map(|n| n * 60 + 25 * HOUR);
        let back = (21..50).map(|n| n * 60);
        for secs in minutes.chain(off).chain(back) {
            let now = Timestamp::from_secs(start + secs);
            let snapshot = world.snapshot(now);
            let mut attempt = |_: &Action| {
                attempts += 1;
                at_once(now, Duration::ZERO, AttemptResult::Ok)
            };
            Run::new("r", &snapshot, &rules).go(
                &mut state,
                &mut attempt,
                &mut String::new,
                &mut drop,
            );
        }
        assert_eq!(attempts, 2, "the window of both is not over");
    }
}
