//! Subjects that were down and are not there any more.

use std::collections::{HashMap, HashSet};

use super::decide::{self, subjects};
use super::view::GATEWAY;
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
    // Only where the state has something of its subjects is a cell looked at.
    let known = state.subjects.keys();
    let mut cells: HashMap<&str, Option<&Cell>> =
        known.map(|s| (decide::cell_of(s), None)).collect();
    for cell in snapshot.cells.iter() {
        if let Some(found) = cells.get_mut(&*cell.id) {
            *found = Some(cell);
        }
    }
    let gateways: HashSet<&str> = snapshot.gateways.iter().map(|g| &*g.name).collect();
    let is_gone = |subject: &str| {
        let cell = decide::cell_of(subject);
        // Gateways belong to runs over everything.
        let gateway = subject.strip_prefix(GATEWAY);
        let in_scope = gateway.map_or_else(|| in_scope(cell), |_| snapshot.full);
        let found = cells.get(cell).copied().flatten();
        let is_there = |cell: &Cell| {
            !agents_known(cell) || subjects(cell).any(|known| known.is_called(subject))
        };
        in_scope
            && !gateway.is_some_and(|name| gateways.contains(name))
            && !found.is_some_and(is_there)
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
