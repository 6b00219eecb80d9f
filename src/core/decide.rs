//! The decision: one verdict for each subject, with its reasons.

use std::collections::HashSet;

use crate::model::cell::{Agent, Cell, Code, Reason, Status};
use crate::model::decision::{Decision, Verdict};
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::model::time::{Timestamp, human};

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

/// Decides, for each subject that is not healthy or was not at the last look, what to do.
///
/// Total and deterministic: no clock, no file, no environment. The decisions are in byte order of
/// their subjects; healthy subjects without an open incident have none, since on a sound fleet
/// they are all there is.
#[must_use]
pub fn decide(snapshot: &Snapshot, state: &State, now: Timestamp) -> Vec<Decision> {
    let noted = noted(state);
    let mut decisions: Vec<Decision> = snapshot
        .cells
        .iter()
        .filter(|cell| !is_quiet(cell, &noted))
        .flat_map(subjects)
        .filter_map(|subject| decide_one(&subject, state, now))
        .collect();
    // Cells are in order, and so are a cell's agents; `a/x` and `a-b/x` still come the other way
    // round as subjects, because `-` stands before `/`.
    decisions.sort_by(|a, b| a.subject.cmp(&b.subject));
    decisions
}

/// The cells of which the state remembers anything.
pub(super) fn noted(state: &State) -> HashSet<&str> {
    state
        .subjects
        .keys()
        .map(|subject| cell_of(subject))
        .collect()
}

/// The cell that a subject belongs to.
#[must_use]
pub fn cell_of(subject: &str) -> &str {
    subject.split_once('/').map_or(subject, |(cell, _)| cell)
}

/// True for a cell that is healthy and was: on a sound fleet nearly all of them, so that it pays
/// to look at them no closer.
pub(super) fn is_quiet(cell: &Cell, noted: &HashSet<&str>) -> bool {
    cell.status == Status::Healthy && cell.observed && !noted.contains(&*cell.id)
}

fn decide_one(subject: &Subject<'_>, state: &State, now: Timestamp) -> Option<Decision> {
    let name = subject.name();
    let known = state.subjects.get(&name);
    let incident = known.and_then(|k| k.incident.as_ref());
    if subject.observed() && subject.status() == Status::Healthy && incident.is_none() {
        return None;
    }
    let (verdict, because) = judge(subject);
    let down_since = match (verdict, incident) {
        (_, Some(incident)) => Some(incident.down_since),
        (Verdict::Unobserved | Verdict::Healthy, None) => None,
        (_, None) => Some(down_since(subject, state, now)),
    };
    let incident = match (verdict, incident) {
        (_, Some(open)) => Some(open.id.clone()),
        (Verdict::Unobserved | Verdict::Healthy, None) => None,
        (_, None) => Some(incident_id(&name, now)),
    };
    let mut because = because;
    if let (Verdict::Healthy, Some(since)) = (verdict, down_since) {
        let message = format!("it is healthy again after {}", human(now.since(since)));
        because.push(Reason::new(Code::Recovered, message));
    }
    Some(Decision {
        subject: name,
        condition: subject.status().into(),
        plan: None,
        policy: None,
        verdict,
        incident,
        attempt: None,
        down_since,
        next_attempt_at: None,
        because,
        checks: Vec::new(),
        action: None,
        question: None,
    })
}

/// The first that applies is the verdict.
fn judge(subject: &Subject<'_>) -> (Verdict, Vec<Reason>) {
    let mut because: Vec<Reason> = subject.reasons().cloned().collect();
    if !subject.observed() {
        return (Verdict::Unobserved, because);
    }
    if subject.status() == Status::Healthy {
        return (Verdict::Healthy, because);
    }
    if subject.cell.is_frozen() {
        because.push(Reason::new(
            Code::Frozen,
            "the cell's manifest says status: frozen",
        ));
        return (Verdict::Frozen, because);
    }
    because.push(Reason::new(Code::NoPlan, "no plan governs it"));
    (Verdict::Unplanned, because)
}

/// Since when a subject that has no open incident is down: a stale one since it became stale, any
/// other since now; but never since before the last run, which saw it otherwise, so that a
/// backdated timestamp cannot make it look long dead.
fn down_since(subject: &Subject<'_>, state: &State, now: Timestamp) -> Timestamp {
    let stale = subject
        .agent
        .filter(|a| a.status == Status::Stale && subject.status() == Status::Stale);
    let Some(since) = stale
        .and_then(|a| a.beat.as_ref())
        .map(|beat| beat.stale_at)
    else {
        return now;
    };
    let seen_otherwise = state.last_run.as_ref().map_or(since, |run| run.at);
    since.max(seen_otherwise).min(now)
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
