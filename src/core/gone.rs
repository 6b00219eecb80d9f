//! Subjects that were down and are not there any more.

use std::collections::{HashMap, HashSet};

use super::decide::{self, subjects};
use super::view::View;
use crate::model::cell::{Cell, Code, MANIFEST_UNREADABLE, Reason, Status};
use crate::model::decision::{Decision, Verdict};
use crate::model::snapshot::Snapshot;
use crate::model::state::{State, SubjectState};
use crate::model::time::human;

/// Subjects that the state has and the snapshot has not. `in_scope` tells whether a cell was to be
/// looked at in this run (`--cell`).
#[must_use]
pub fn gone<'s>(
    snapshot: &Snapshot,
    state: &'s State,
    in_scope: &dyn Fn(&str) -> bool,
) -> Vec<(&'s String, &'s SubjectState)> {
    if state.subjects.is_empty() {
        return Vec::new();
    }
    // Of the others none could be gone.
    let noted: HashSet<&str> = state.subjects.keys().map(|s| decide::cell_of(s)).collect();
    let mut seen: HashSet<String> = HashSet::new();
    let mut unknown_agents: HashSet<&str> = HashSet::new();
    let cells = snapshot.cells.iter();
    for cell in cells.filter(|cell| noted.contains(&*cell.id)) {
        if !agents_known(cell) {
            unknown_agents.insert(&cell.id);
        }
        seen.extend(subjects(cell).map(|subject| subject.name()));
    }
    let gateways = snapshot.gateways.iter();
    seen.extend(gateways.map(|g| View::of_gateway(g, snapshot).name));
    let is_gone = |subject: &str| {
        let cell = decide::cell_of(subject);
        let in_scope = match decide::is_gateway(subject) {
            // Gateways belong to runs over everything.
            true => snapshot.full,
            false => in_scope(cell),
        };
        in_scope && !seen.contains(subject) && !unknown_agents.contains(cell)
    };
    let subjects = state.subjects.iter();
    subjects.filter(|(subject, _)| is_gone(subject)).collect()
}

/// Subjects of whose probes the state has something, and about which nothing is asked any more:
/// their plans have no probes now, or (where absence is to be believed) they are not there.
#[must_use]
pub fn unasked<'s>(
    snapshot: &Snapshot,
    state: &'s State,
    in_scope: &dyn Fn(&str) -> bool,
    vanished: bool,
) -> Vec<&'s String> {
    let subjects = state.probes.keys();
    let mut left = subjects
        .filter(|subject| !snapshot.asked.contains_key(*subject))
        .peekable();
    if left.peek().is_none() {
        return Vec::new();
    }
    let cells: HashMap<&str, &Cell> = snapshot.cells.iter().map(|c| (&*c.id, c)).collect();
    let nothing_is_asked = |subject: &&String| {
        let cell = decide::cell_of(subject);
        match decide::is_gateway(subject) {
            true => snapshot.full,
            false if !in_scope(cell) => false,
            false => match cells.get(cell) {
                Some(cell) => agents_known(cell),
                None => vanished,
            },
        }
    };
    left.filter(nothing_is_asked).collect()
}

/// What there is to say of those whose incident ends with that.
#[must_use]
pub fn decisions(
    snapshot: &Snapshot,
    state: &State,
    in_scope: &dyn Fn(&str) -> bool,
) -> Vec<Decision> {
    let close = |(subject, known): (&String, &SubjectState)| {
        let open = known.incident.as_ref()?;
        let message = format!(
            "it is not there any more; it was {} for {}",
            known.status.as_str(),
            human(snapshot.taken_at.since(open.down_since))
        );
        Some(Decision {
            subject: subject.clone(),
            condition: known.status,
            plan: None,
            policy: None,
            verdict: Verdict::Healthy,
            incident: Some(open.id.clone()),
            attempt: None,
            attempts: open.attempts,
            down_since: Some(open.down_since),
            next_attempt_at: None,
            because: vec![Reason::new(Code::Gone, message)],
            checks: Vec::new(),
            action: None,
            question: None,
        })
    };
    gone(snapshot, state, in_scope)
        .into_iter()
        .filter_map(close)
        .collect()
}

/// False where it could not be told which agents a cell has: then what is remembered of them stays.
fn agents_known(cell: &Cell) -> bool {
    // A foundation cell with a broken manifest is classified by `main` alone, and so is a canonical
    // one whose manifest is away for a moment: neither means that the agents they named are gone.
    let unread = || cell.warnings.iter().any(|w| w.code == MANIFEST_UNREADABLE);
    cell.is_ignored() || (cell.observed && cell.status != Status::Incomplete && !unread())
}
