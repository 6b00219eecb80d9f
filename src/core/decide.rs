//! The decision: one verdict for each subject, with its reasons.

use std::collections::{BTreeMap, HashSet};

use super::fleet::{self, Fleet};
use super::judge::Case;
use super::mass::{self, Mass};
use super::needs::Needs;
use super::rules::Rules;
use super::ruling::Ruling;
use super::view::{GATEWAY, View};
use crate::model::cell::{Agent, Cell, Reason, Status};
use crate::model::condition::Condition;
use crate::model::decision::{Decision, Verdict};
use crate::model::probe::Evidence;
use crate::model::snapshot::Snapshot;
use crate::model::state::{Memory, Span, State, SubjectState};
use crate::model::time::Timestamp;
use crate::plan::Plan;

/// What a run looks at as one thing: an agent, or a cell whose agents cannot be known.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its cell.
    pub cell: &'a Cell,
    /// The agent, where it is known.
    pub agent: Option<&'a Agent>,
}

impl<'a> Subject<'a> {
    /// `CELL/AGENT`, or `CELL` alone.
    #[must_use]
    pub fn name(&self) -> String {
        match self.agent {
            Some(agent) => self.cell.subject(agent),
            None => self.cell.id.to_string(),
        }
    }

    /// True where that is its [name](Self::name).
    pub(super) fn is_called(&self, name: &str) -> bool {
        match (self.agent, name.strip_prefix(&*self.cell.id)) {
            (Some(agent), Some(rest)) => rest.strip_prefix('/') == Some(&*agent.name),
            (None, rest) => rest == Some(""),
            _ => false,
        }
    }

    /// Its status: every agent of an incomplete cell counts as incomplete.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.agent {
            Some(agent) if self.cell.reasons.is_empty() => agent.status,
            _ => self.cell.status,
        }
    }

    /// False where it could not be looked at.
    #[must_use]
    pub fn observed(&self) -> bool {
        self.cell.observed && self.agent.is_none_or(|a| a.observed)
    }

    /// Why it is what it is: the reasons of its cell and its own.
    pub fn reasons(&self) -> impl Iterator<Item = &'a Reason> + use<'a> {
        let own = self.agent.map_or(&[][..], |agent| &agent.reasons);
        self.cell.reasons.iter().chain(own)
    }
}

/// The subjects of a cell, in byte order; none of an ignored one.
pub fn subjects(cell: &Cell) -> impl Iterator<Item = Subject<'_>> {
    let agents: &[Agent] = if cell.is_ignored() { &[] } else { &cell.agents };
    let alone = cell.agents.is_empty() && !cell.is_ignored();
    let alone = alone.then_some(Subject { cell, agent: None });
    alone
        .into_iter()
        .chain(agents.iter().map(move |agent| Subject {
            cell,
            agent: Some(agent),
        }))
}

/// All that was decided in one run.
#[derive(Debug, Default)]
pub struct Decisions {
    /// One for each subject that is not healthy, and for each whose incident ends, in byte order.
    pub list: Vec<Decision>,
    /// How many subjects were in scope.
    pub in_scope: u64,
    /// The mass failure that goes on.
    pub mass: Option<Mass>,
    /// Why a mass failure holds nobody: a canary lives, or an operator said so.
    pub released: Option<&'static str>,
    /// Why nobody at all is revived in this run.
    pub hold: Option<Reason>,
}

impl Decisions {
    /// The decision about a subject.
    #[must_use]
    pub fn of(&self, subject: &str) -> Option<&Decision> {
        let at = self
            .list
            .binary_search_by(|d| d.subject.as_str().cmp(subject));
        at.ok().and_then(|at| self.list.get(at))
    }
}

/// Decides, for each subject that is not healthy or was not at the last look, what to do.
///
/// Total and deterministic: no clock, no file, no environment. The decisions are in byte order of
/// their subjects; healthy subjects without an open incident have none, since on a sound fleet
/// they are all there is.
#[must_use]
pub fn decide(snapshot: &Snapshot, rules: &Rules<'_>, state: &State, now: Timestamp) -> Decisions {
    let noted = noted(state);
    let nothing = Memory::default();
    let root = snapshot.told_root();
    let mut in_scope = snapshot.gateways.len();
    let mut cases: Vec<Case<'_>> = Vec::new();
    for cell in snapshot.cells.iter().filter(|cell| !cell.is_ignored()) {
        in_scope += cell.agents.len().max(1);
        if is_quiet(cell, &noted, snapshot) {
            continue;
        }
        let views = subjects(cell).map(|subject| View::of(&subject, snapshot));
        cases.extend(views.map(|view| case(view, rules, state, &nothing, &root, now)));
    }
    let gateways = snapshot.gateways.iter();
    cases.extend(gateways.map(|gateway| {
        let view = View::of_gateway(gateway, snapshot);
        case(view, rules, state, &nothing, &root, now)
    }));
    // Cells are in order, and so are a cell's agents; `a/x` and `a-b/x` still come the other way
    // round as subjects, because `-` stands before `/`.
    cases.sort_by(|a, b| a.view.name.cmp(&b.view.name));

    let mut unwell: BTreeMap<String, Condition> = BTreeMap::new();
    let mut down: Vec<Timestamp> = Vec::new();
    for case in cases.iter().filter(|case| !case.is_well()) {
        unwell.insert(case.view.name.clone(), case.condition);
        if case.view.observed {
            down.push(case.went_down());
        }
    }
    let needs = Needs::new(rules.plans, snapshot, state, &unwell);
    let ruled: Vec<(Case<'_>, Ruling)> = cases
        .into_iter()
        .map(|case| {
            let ruling = case.judge(&needs);
            (case, ruling)
        })
        .collect();

    let mass = match snapshot.full {
        true => mass::mass(
            down,
            in_scope,
            rules.protection,
            mass::reboot(snapshot, state),
        ),
        false => None,
    };
    let released = fleet::released(rules, state, &unwell, snapshot.full, mass.is_some());
    let fleet = Fleet::new(
        rules,
        snapshot.full,
        mass::host_hold(snapshot, state, rules),
        fleet::mass_holds(state, snapshot.full, mass, released, rules),
        &ruled,
    );
    let list = ruled
        .into_iter()
        .map(|(case, ruling)| fleet.conclude(case, ruling, &root))
        .filter(|d| d.verdict != Verdict::Healthy || d.incident.is_some())
        .collect();
    Decisions {
        list,
        in_scope: u64::try_from(in_scope).unwrap_or(u64::MAX),
        mass,
        released,
        hold: fleet.hold,
    }
}

/// The cells of which the state remembers anything.
pub(super) fn noted(state: &State) -> HashSet<&str> {
    let subjects = state.subjects.keys().chain(state.memory.keys());
    subjects.map(|subject| cell_of(subject)).collect()
}

/// The cell that a subject belongs to.
#[must_use]
pub fn cell_of(subject: &str) -> &str {
    subject.split_once('/').map_or(subject, |(cell, _)| cell)
}

/// True for a cell that is healthy and was: on a sound fleet nearly all of them, so that it pays
/// to look at them no closer.
pub(super) fn is_quiet(cell: &Cell, noted: &HashSet<&str>, snapshot: &Snapshot) -> bool {
    let quiet = cell.status == Status::Healthy && cell.observed && !noted.contains(&*cell.id);
    quiet && !is_spoken_of(cell, snapshot)
}

/// True where there is more about one of the cell's agents than its beat, however fresh that is.
fn is_spoken_of(cell: &Cell, snapshot: &Snapshot) -> bool {
    let Snapshot {
        ended,
        evidence,
        asked,
        ..
    } = snapshot;
    let is_well = |asked: &Evidence| asked.sum == Some(Condition::Healthy);
    let about = |name: &String| {
        ended.contains_key(name)
            || evidence.contains_key(name)
            || asked.get(name).is_some_and(|asked| !is_well(asked))
    };
    let nothing = ended.is_empty() && evidence.is_empty() && asked.is_empty();
    !nothing && subjects(cell).any(|s| about(&s.name()))
}

pub(super) fn case<'a>(
    view: View<'a>,
    rules: &Rules<'a>,
    state: &'a State,
    nothing: &'a Memory,
    root: &'a str,
    now: Timestamp,
) -> Case<'a> {
    let plan = rules.plans.governing(&view.who);
    let condition = view.condition(plan);
    let known = state.subjects.get(&view.name);
    let memory = state.memory.get(&view.name).unwrap_or(nothing);
    // A cell may have been paused while its agents could not be known.
    let of_cell = state.memory.get(cell_of(&view.name));
    let pause = memory.pause.as_ref();
    let open = known.and_then(|k| k.incident.as_ref());
    Case {
        incident: open.map_or_else(|| incident_id(&view.name, now), |i| i.id.clone()),
        next: open.map_or(1, |i| i.attempts.saturating_add(1)),
        down_since: down_since(&view, condition, plan, known, state, now),
        plan,
        condition,
        known,
        pause: pause.or_else(|| of_cell.and_then(|m| m.pause.as_ref())),
        memory,
        root,
        now,
        view,
    }
}

impl Case<'_> {
    /// When its incident began, or begins: it went down then, whatever its plan acts on.
    fn went_down(&self) -> Timestamp {
        let open = self.known.and_then(|k| k.incident.as_ref());
        open.map_or(self.down_since, |incident| incident.down_since)
    }
}

/// Since when a subject is in a condition that its plan acts on; where it is in none, since when it
/// has been down at all.
///
/// What the evidence itself says of the moment (a beat that is too old since then) counts, but
/// never a moment before the last run, which saw it otherwise: a backdated timestamp cannot make a
/// subject look long dead.
fn down_since(
    view: &View<'_>,
    condition: Condition,
    plan: Option<&Plan>,
    known: Option<&SubjectState>,
    state: &State,
    now: Timestamp,
) -> Timestamp {
    let fresh = || became(view, condition, state, now);
    let acted_on = |c: Condition| match plan {
        Some(plan) => plan.when.status.contains(&c),
        None => c != Condition::Healthy,
    };
    let Some(known) = known else {
        return fresh();
    };
    if !acted_on(condition) {
        let open = known.incident.as_ref();
        return open.map_or_else(fresh, |incident| incident.down_since);
    }
    // Back through what it was, as long as that too is acted on. A look that failed is no look.
    let latest = Span {
        status: known.status,
        since: known.since,
        unseen: known.unseen,
    };
    let same = known.status == condition && !known.unseen;
    let mut since = same.then_some(known.since);
    let earlier = known.before.iter().rev();
    for span in [&latest].into_iter().chain(earlier) {
        if span.unseen {
            continue;
        }
        if !acted_on(span.status) {
            break;
        }
        since = Some(span.since);
    }
    since.unwrap_or_else(fresh).min(now)
}

/// When a subject that was not in this condition before came into it.
pub(super) fn became(
    view: &View<'_>,
    condition: Condition,
    state: &State,
    now: Timestamp,
) -> Timestamp {
    let moment = view.moment(condition).unwrap_or(now);
    let seen_otherwise = state.last_run.as_ref().map_or(moment, |run| run.at);
    moment.max(seen_otherwise).min(now)
}

/// An incident's id: sortable by time, the same for everyone who asks in the same run, and
/// another for another subject. It needs no randomness.
fn incident_id(subject: &str, opened: Timestamp) -> String {
    format!(
        "{:012x}-{:08x}",
        opened.as_micros() / 1000,
        crc32fast::hash(subject.as_bytes())
    )
}

/// True for the subject of a gateway.
#[must_use]
pub fn is_gateway(subject: &str) -> bool {
    subject.starts_with(GATEWAY)
}
