//! What no run may ever do, told from what can be seen from outside: what the world was, what was
//! written down, what was decided before.

use std::collections::BTreeMap;
use std::time::Duration;

use super::host::Host;
use super::plans::Laws;
use crate::core::decide::{Decisions, cell_of, decide, subjects};
use crate::core::rules::Rules;
use crate::core::sweep::Sweep;
use crate::core::view::View;
use crate::core::{ledger, mass};
use crate::model::cell::Cell;
use crate::model::decision::Verdict;
use crate::model::event::{Event, Kind};
use crate::model::snapshot::Snapshot;
use crate::model::state::{Attempt, State};
use crate::model::time::Timestamp;

/// What a play must have had, or it has shown nothing.
pub(super) const COUNTED: [&str; 25] = [
    "approved",
    "attempt",
    "awaiting_approval",
    "backoff",
    "blocked",
    "canary",
    "clock set back",
    "deferred",
    "denied",
    "exhausted",
    "expired",
    "finished",
    "frozen",
    "gap",
    "held",
    "interrupted",
    "killed",
    "never",
    "paused",
    "permanent",
    "recovered by news",
    "reset",
    "reviving",
    "tolerated",
    "waiting",
];

/// One run, with all that there is to see of it.
pub(super) struct Seen<'a> {
    pub(super) host: &'a Host,
    pub(super) laws: &'a Laws,
    pub(super) snapshot: &'a Snapshot,
    pub(super) rules: &'a Rules<'a>,
    pub(super) before: &'a State,
    pub(super) after: &'a State,
    pub(super) decisions: &'a Decisions,
    pub(super) events: &'a [Event],
    pub(super) finished: bool,
}

/// A moment by the clock, and by the minutes that really went by.
pub(super) type Moment = (Timestamp, u64);

pub(super) struct Oracle {
    pub(super) seed: u64,
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// When attempts were begun, by subject.
    pub(super) attempts: BTreeMap<String, Vec<Moment>>,
    /// What was agreed to and not used: incident, attempt, version of the plan.
    pub(super) agreed: BTreeMap<String, (String, u32, String)>,
    /// When each subject was last seen in a condition that its plan does not act on, and the plan.
    pub(super) otherwise: BTreeMap<String, (Moment, Option<String>)>,
    /// When the next attempt was said to be due, by subject, attempt and attempts in the window.
    pub(super) due: BTreeMap<(String, String, usize), Timestamp>,
    /// The number of the event behind which the journal begins.
    base: u64,
}

impl Oracle {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            counts: BTreeMap::new(),
            attempts: BTreeMap::new(),
            agreed: BTreeMap::new(),
            otherwise: BTreeMap::new(),
            due: BTreeMap::new(),
            base: 0,
        }
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(super) fn approved(&mut self, state: &State, name: &str) {
        let asked = state.memory[name].approval.as_ref().unwrap();
        let what = (
            asked.incident.clone(),
            asked.attempt,
            asked.plan_hash.clone(),
        );
        self.agreed.insert(name.to_owned(), what);
        self.count("approved");
    }

    pub(super) fn reset(&mut self, name: &str) {
        self.attempts.remove(name);
        self.count("reset");
    }

    pub(super) fn state_lost(&mut self, applied: u64) {
        self.attempts.clear();
        self.agreed.clear();
        self.otherwise.clear();
        self.due.clear();
        self.base = applied;
    }

    pub(super) fn was_lost(&self) -> bool {
        self.base > 0
    }

    /// Holds one run against all the rules.
    pub(super) fn run(&mut self, seen: &Seen<'_>) {
        for decision in &seen.decisions.list {
            self.count(decision.verdict.as_str());
            let told = !decision.because.is_empty() || !decision.checks.is_empty();
            self.rule(seen, told, "a verdict without a reason", &decision.subject);
            let acts = decision.action.is_some() == (decision.verdict == Verdict::Revive);
            self.rule(
                seen,
                acts,
                "an action without its verdict",
                &decision.subject,
            );
        }
        if !seen.finished {
            self.count("killed");
        }
        self.fleet(seen);
        let intents = seen.events.iter().filter(|e| e.event == Kind::Intent);
        for intent in intents {
            self.attempt(seen, intent);
        }
        self.recoveries(seen);
        self.backoff_is_told_once(seen);
        if seen.finished {
            self.look(seen);
            if seen.host.minutes.is_multiple_of(8) {
                self.again(seen);
            }
        }
        let over = seen
            .events
            .iter()
            .filter(|e| e.event == Kind::AttemptFinished);
        if over
            .clone()
            .any(|e| e.result.as_deref() == Some("interrupted"))
        {
            self.count("interrupted");
        }
    }

    #[track_caller]
    pub(super) fn rule(&self, seen: &Seen<'_>, holds: bool, broken: &str, subject: &str) {
        assert!(
            holds,
            "seed {}, minute {}, {subject}: {broken}\n{:#?}\n{:#?}\nbefore: {:#?}",
            self.seed,
            seen.host.minutes,
            seen.decisions.of(subject),
            seen.events,
            seen.before.memory.get(subject),
        );
    }

    /// What concerns all at once.
    fn fleet(&mut self, seen: &Seen<'_>) {
        let acted = seen.decisions.list.iter().filter(|d| d.action.is_some());
        let acted = acted.count();
        let most = seen.laws.restarts_per_run as usize;
        self.rule(seen, acted <= most, "more than one run may do", "");
        let now = seen.snapshot.taken_at;
        if let Some(last) = &seen.before.last_run {
            if now < last.at {
                self.count("clock set back");
                self.rule(seen, acted == 0, "acted although the clock went back", "");
            }
            if now.since(last.at) > seen.laws.gap {
                self.count("gap");
                self.rule(seen, acted == 0, "acted after a gap", "");
            }
        }
        let settling = seen
            .snapshot
            .uptime
            .is_some_and(|up| up < seen.laws.protection.settle);
        let quiet = acted == 0 || !(settling || seen.rules.state_lost);
        self.rule(seen, quiet, "acted on a host that had not settled", "");
        let reboot = mass::reboot(seen.snapshot, seen.before).is_some();
        let released = seen
            .after
            .hold
            .as_ref()
            .is_some_and(|h| h.released.is_some());
        // A run that was killed before it had written down what it saw shows nothing.
        let told = seen.events.iter().any(|e| e.event == Kind::Intent);
        if acted > 0 && told && !reboot && !released && self.is_mass(seen) {
            let canaries = seen.laws.protection.canary as usize;
            self.count("canary");
            self.rule(seen, acted <= canaries, "a mass failure was not held", "");
            let reviving = seen
                .decisions
                .list
                .iter()
                .any(|d| d.verdict == Verdict::Reviving);
            self.rule(seen, !reviving, "a second canary", "");
        }
    }

    /// Whether many went down together: counted anew, pair by pair.
    fn is_mass(&self, seen: &Seen<'_>) -> bool {
        let protection = &seen.laws.protection;
        let all: Vec<String> = names(seen.snapshot);
        let down: Vec<Timestamp> = all
            .iter()
            .filter(|name| look(seen.snapshot, name).is_some_and(|v| v.observed))
            .filter_map(|name| Some(seen.after.subjects.get(name)?.incident.as_ref()?.down_since))
            .collect();
        let together = |from: &Timestamp| {
            let near = |at: &&Timestamp| *at >= from && at.since(*from) <= protection.window;
            down.iter().filter(near).count()
        };
        let most = down.iter().map(together).max().unwrap_or(0);
        all.len() >= protection.min_subjects as usize
            && most >= 1
            && most as f64 >= all.len() as f64 * protection.fraction
    }

    /// What a whole run over everything saw.
    fn look(&mut self, seen: &Seen<'_>) {
        let moment = (seen.snapshot.taken_at, seen.host.minutes);
        for name in seen.host.names() {
            let Some(view) = look(seen.snapshot, &name) else {
                // Absence is not always believed: another agent of the cell may hide this one.
                if !seen.after.subjects.contains_key(&name) {
                    self.otherwise.insert(name, (moment, None));
                }
                continue;
            };
            let plan = seen.laws.plans.governing(&view.who);
            let acted_on = plan.is_some_and(|p| p.when.status.contains(&view.condition(Some(p))));
            if view.observed && !acted_on {
                let plan = plan.map(|p| p.name.clone());
                self.otherwise.insert(name, (moment, plan));
            }
        }
        // As far in the future no attempt is believed.
        let end = seen.events.last().map_or(moment.0, |e| e.ts);
        let farthest = end.plus(Duration::from_secs(25 * 3600));
        for (at, _) in self.attempts.values_mut().flatten() {
            if *at > farthest {
                *at = end;
            }
        }
        self.due
            .retain(|_, next| next.plus(Duration::from_secs(3 * 86_400)) > end);
    }

    /// Deciding again right after acting asks for nothing, and the order of cells is nothing.
    fn again(&mut self, seen: &Seen<'_>) {
        let now = seen.snapshot.taken_at;
        let same = decide(seen.snapshot, seen.rules, seen.after, now);
        let twice = decide(&turned(seen.snapshot), seen.rules, seen.after, now);
        assert_eq!(same.list, twice.list, "seed {}: order counts", self.seed);
        // The next run has a state again.
        let rules = seen.laws.rules(false);
        let regained = seen.rules.state_lost;
        let regained = regained.then(|| decide(seen.snapshot, &rules, seen.after, now));
        let second = regained.as_ref().unwrap_or(&same);
        let waits = |name: &str| {
            let first = seen.decisions.of(name).map(|d| d.verdict);
            matches!(first, Some(Verdict::Deferred | Verdict::Held))
        };
        for decision in &second.list {
            let asks = decision.action.is_some() || decision.question.is_some();
            let name = &decision.subject;
            self.rule(
                seen,
                !asks || waits(name),
                "what was done is asked for again",
                name,
            );
        }
        let mut code = String::new;
        let mut sweep = Sweep::new(seen.snapshot, second, "again", &mut code);
        while let Some(batch) = sweep.next(seen.after, &|_| true, true) {
            for event in batch {
                let name = event.subject.clone().unwrap_or_default();
                let news = matches!(
                    event.event,
                    Kind::StatusChanged | Kind::IncidentOpened | Kind::IncidentClosed
                );
                self.rule(
                    seen,
                    !news,
                    &format!("something is told twice: {event:?}"),
                    &name,
                );
            }
        }
    }

    /// The state is what the journal adds up to.
    pub(super) fn at_the_end(&self, state: &State, journal: &[Event]) {
        let mut replayed = State {
            applied: self.base,
            ..State::default()
        };
        journal
            .iter()
            .for_each(|event| ledger::apply(&mut replayed, event));
        assert_eq!(
            &replayed, state,
            "seed {}: the journal adds up to another state",
            self.seed
        );
    }
}

/// What has come to its end as it should counts as healthy.
pub(super) fn is_done(seen: &Seen<'_>, view: &View<'_>) -> bool {
    let governed = seen.laws.plans.governing(&view.who).is_some();
    let code = view.ended.and_then(|end| end.exit_code);
    governed && (code == Some(0) || view.report() == Some("done"))
}

pub(super) fn last_attempt<'a>(state: &'a State, name: &str) -> Option<&'a Attempt> {
    state.memory.get(name).and_then(|m| m.attempts.last())
}

/// A subject as a snapshot has it.
pub(super) fn look<'a>(snapshot: &'a Snapshot, name: &str) -> Option<View<'a>> {
    let cells = snapshot.cells.iter();
    let mut cells = cells
        .filter(|cell| *cell.id == *cell_of(name))
        .flat_map(subjects)
        .map(|s| View::of(&s, snapshot));
    let gateways = || {
        snapshot
            .gateways
            .iter()
            .map(|g| View::of_gateway(g, snapshot))
    };
    cells
        .find(|v| v.name == name)
        .or_else(|| gateways().find(|v| v.name == name))
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    let cells = snapshot.cells.iter().flat_map(subjects).map(|s| s.name());
    let gateways = snapshot
        .gateways
        .iter()
        .map(|g| format!("gateway:{}", g.name));
    cells.chain(gateways).collect()
}

/// The same snapshot with its cells the other way round.
fn turned(snapshot: &Snapshot) -> Snapshot {
    let mut cells: Vec<Cell> = snapshot.cells.iter().cloned().collect();
    cells.reverse();
    Snapshot {
        boot_id: snapshot.boot_id.clone(),
        root: snapshot.root.clone(),
        gateways: snapshot.gateways.clone(),
        ended: snapshot.ended.clone(),
        uptime: snapshot.uptime,
        ..Snapshot::new(
            snapshot.taken_at,
            snapshot.missions_root.clone(),
            cells.into_iter().collect(),
        )
    }
}
