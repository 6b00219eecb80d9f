//! How events become state, and how a look at the world becomes events.
//!
//! The journal is written first and the state is what the journal adds up to: [`apply`] is the one
//! place where state changes, used by the run that writes an event and by the next one that finds
//! it in the journal. Each event makes sense by itself, so that a run killed between any two of
//! them leaves a state from which [`transitions`] says exactly what is still missing.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{self, subjects};
use crate::model::cell::{Cell, Code, Status};
use crate::model::decision::{Decision, Verdict};
use crate::model::event::{Event, Kind};
use crate::model::snapshot::Snapshot;
use crate::model::state::{Incident, LastRun, State, SubjectState};

/// Adds one event to the state. Events that the state already has change nothing.
pub fn apply(state: &mut State, event: &Event) {
    if event.seq <= state.applied {
        return;
    }
    state.applied = event.seq;
    match event.event {
        Kind::StatusChanged => status_changed(state, event),
        Kind::IncidentOpened => incident_opened(state, event),
        Kind::IncidentClosed => incident_closed(state, event),
        Kind::RunFinished => run_finished(state, event),
        Kind::RunStarted | Kind::RunKilled | Kind::StateRecovered | Kind::Unknown => {}
    }
}

fn status_changed(state: &mut State, event: &Event) {
    let Some(subject) = &event.subject else {
        return;
    };
    let incident = state.subjects.remove(subject).and_then(|s| s.incident);
    let Some(status) = event.to else { return };
    if status != Status::Healthy || incident.is_some() {
        let entry = SubjectState {
            status,
            since: event.ts,
            reasons: event.reasons.clone(),
            incident,
        };
        state.subjects.insert(subject.clone(), entry);
    }
}

fn incident_opened(state: &mut State, event: &Event) {
    let (Some(subject), Some(id)) = (&event.subject, &event.incident) else {
        return;
    };
    // The line before this one made the entry; where it was lost, this one says enough.
    let entry = state
        .subjects
        .entry(subject.clone())
        .or_insert_with(|| SubjectState {
            status: event.to.unwrap_or(Status::Incomplete),
            since: event.ts,
            reasons: event.reasons.clone(),
            incident: None,
        });
    entry.incident = Some(Incident {
        id: id.clone(),
        opened_at: event.ts,
        down_since: event.down_since.unwrap_or(event.ts),
    });
}

fn incident_closed(state: &mut State, event: &Event) {
    let Some(subject) = &event.subject else {
        return;
    };
    let Some(entry) = state.subjects.get_mut(subject) else {
        return;
    };
    entry.incident = None;
    if entry.status == Status::Healthy {
        state.subjects.remove(subject);
    }
}

fn run_finished(state: &mut State, event: &Event) {
    // A run over some of the cells says nothing about the others.
    if !event.scope.is_empty() {
        return;
    }
    let (Some(at), Some(root), Some(sum)) = (event.observed_at, &event.root, event.summary) else {
        return;
    };
    let seen = sum.total_cells + sum.ignored;
    let before = state.last_run.as_ref().map_or(0, |run| run.cells);
    state.last_run = Some(LastRun {
        id: event.run.clone(),
        at,
        exit: event.exit.unwrap_or(0),
        duration_ms: event.duration_ms.unwrap_or(0),
        boot_id: event.boot_id.clone().unwrap_or_default(),
        root: root.clone(),
        cells: if seen == 0 { before } else { seen },
    });
}

/// What is to be written down of one look at the world: each subject whose status is another than
/// the state has, incidents that open and close, subjects that are gone.
///
/// `in_scope` tells whether a cell was to be looked at in this run (`--cell`), `vanished` whether a
/// subject that was not found is to be believed gone.
#[must_use]
pub fn transitions(
    snapshot: &Snapshot,
    decisions: &[Decision],
    state: &State,
    run: &str,
    in_scope: &dyn Fn(&str) -> bool,
    vanished: bool,
) -> Vec<Event> {
    let now = snapshot.taken_at;
    let event = |kind, subject: &str| Event {
        subject: Some(subject.to_owned()),
        ..Event::new(kind, now, run)
    };
    let decided: BTreeMap<&str, &Decision> =
        decisions.iter().map(|d| (d.subject.as_str(), d)).collect();
    // Only what is not healthy, now or by the state, is looked at twice.
    let mut events = Vec::new();
    let mut unknown_agents: BTreeSet<&str> = BTreeSet::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let noted = decide::noted(state);
    for cell in snapshot
        .cells
        .iter()
        .filter(|cell| !decide::is_quiet(cell, &noted))
    {
        if !agents_known(cell) {
            unknown_agents.insert(&cell.id);
        }
        for subject in subjects(cell) {
            let known = state.subjects.get(&subject.name);
            let (before, status) = (known.map(|k| k.status), subject.status());
            if known.is_some() {
                seen.insert(subject.name.clone());
            }
            let open = known.and_then(|k| k.incident.as_ref());
            let decision = decided.get(subject.name.as_str());
            let close = open.filter(|_| subject.observed() && status == Status::Healthy);
            if let Some(incident) = close {
                events.push(Event {
                    incident: Some(incident.id.clone()),
                    down_for: Some(now.since(incident.down_since).as_secs_f64()),
                    reason: Some("recovered".into()),
                    ..event(Kind::IncidentClosed, &subject.name)
                });
            }
            let codes: Vec<String> = subject
                .reasons()
                .map(|r| r.code.as_str().to_owned())
                .collect();
            if before.unwrap_or(Status::Healthy) != status {
                events.push(Event {
                    from: before.or(state.last_run.is_some().then_some(Status::Healthy)),
                    to: Some(status),
                    reasons: codes.clone(),
                    ..event(Kind::StatusChanged, &subject.name)
                });
            }
            // What could not be looked at opens nothing and closes nothing.
            let opens = decision.filter(|d| {
                open.is_none() && !matches!(d.verdict, Verdict::Healthy | Verdict::Unobserved)
            });
            if let Some(decision) = opens {
                events.push(Event {
                    incident: decision.incident.clone(),
                    down_since: decision.down_since,
                    to: Some(status),
                    reasons: codes,
                    ..event(Kind::IncidentOpened, &subject.name)
                });
            }
        }
    }
    if vanished {
        for (subject, known) in &state.subjects {
            let cell = subject
                .split_once('/')
                .map_or(subject.as_str(), |(cell, _)| cell);
            let kept = seen.contains(subject) || !in_scope(cell) || unknown_agents.contains(cell);
            if !kept {
                gone(&mut events, subject, known, &event, snapshot);
            }
        }
    }
    events
}

/// False where it could not be told which agents a cell has: then what is remembered of them stays.
fn agents_known(cell: &Cell) -> bool {
    !cell.agents.is_empty()
        || cell.is_ignored()
        || cell.reasons.iter().all(|r| r.code == Code::NoAgents)
}

fn gone(
    events: &mut Vec<Event>,
    subject: &str,
    known: &SubjectState,
    event: &dyn Fn(Kind, &str) -> Event,
    snapshot: &Snapshot,
) {
    if let Some(incident) = &known.incident {
        events.push(Event {
            incident: Some(incident.id.clone()),
            down_for: Some(snapshot.taken_at.since(incident.down_since).as_secs_f64()),
            reason: Some("gone".into()),
            ..event(Kind::IncidentClosed, subject)
        });
    }
    events.push(Event {
        from: Some(known.status),
        reason: Some("gone".into()),
        ..event(Kind::StatusChanged, subject)
    });
}
