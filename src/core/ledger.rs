//! How events become state, and how a look at the world becomes events.
//!
//! The journal is written first and the state is what the journal adds up to: [`apply`] is the one
//! place where state changes, used by the run that writes an event and by the next one that finds
//! it in the journal. Each event makes sense by itself, so that a run killed between any two of
//! them leaves a state from which a [`Sweep`] says exactly what is still missing.

use std::collections::HashSet;

use super::decide::{self, Subject, subjects};
use crate::model::cell::{Cell, MANIFEST_UNREADABLE, Status};
use crate::model::condition::Condition;
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
        _ => {}
    }
}

fn status_changed(state: &mut State, event: &Event) {
    let Some(subject) = &event.subject else {
        return;
    };
    let incident = state.subjects.remove(subject).and_then(|s| s.incident);
    let Some(status) = event.to else { return };
    if status != Condition::Healthy || incident.is_some() {
        let entry = SubjectState {
            status,
            since: event.ts,
            before: Vec::new(),
            reasons: event.reasons.clone(),
            traits: event.traits.clone(),
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
            status: event.to.unwrap_or(Condition::Incomplete),
            since: event.ts,
            before: Vec::new(),
            traits: event.traits.clone(),
            reasons: event.reasons.clone(),
            incident: None,
        });
    entry.incident = Some(Incident {
        id: id.clone(),
        opened_at: event.ts,
        down_since: event.down_since.unwrap_or(event.ts),
        exhausted: false,
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
    if entry.status == Condition::Healthy {
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
    let seen = sum.total_cells.saturating_add(sum.ignored);
    let before = state.last_run.as_ref();
    let cells = before.map_or(0, |run| run.cells);
    // An empty directory on another file system is what an unmounted disk leaves: it is no measure
    // for the next run, or the second look at it would find all well.
    let root = before
        .filter(|run| seen == 0 && run.root.fsid != root.fsid)
        .map_or(root, |run| &run.root)
        .clone();
    state.last_run = Some(LastRun {
        id: event.run.clone(),
        at,
        exit: event.exit.unwrap_or(0),
        duration_ms: event.duration_ms.unwrap_or(0),
        boot_id: event.boot_id.clone().unwrap_or_default(),
        root,
        cells: if seen == 0 { cells } else { seen },
        reboot: None,
    });
}

/// What is to be written down of one look at the world, a batch at a time: each subject whose
/// status is another than the state has, incidents that open and close, subjects that are gone.
///
/// Batches, because a first look at a large fleet, or a bad day, has more to say than should be
/// held in memory at once.
#[derive(Debug)]
pub struct Sweep<'a> {
    snapshot: &'a Snapshot,
    decisions: &'a [Decision],
    run: &'a str,
    /// The next place among the cells; behind the last of them, what is gone is swept up.
    next: usize,
    done: bool,
}

/// A batch ends with the cell that brings it to this many events.
const BATCH: usize = 512;

impl<'a> Sweep<'a> {
    /// A sweep over all cells of the snapshot. The decisions are those made of it, in order.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, decisions: &'a [Decision], run: &'a str) -> Self {
        Self {
            snapshot,
            decisions,
            run,
            next: 0,
            done: false,
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
        let noted = decide::noted(state);
        while self.next < self.snapshot.cells.places() && events.len() < BATCH {
            let cell = self.snapshot.cells.get(self.next);
            self.next += 1;
            if let Some(cell) = cell.filter(|cell| !decide::is_quiet(cell, &noted)) {
                for subject in subjects(cell) {
                    self.subject(&subject, state, &mut events);
                }
            }
        }
        if events.is_empty() && !self.done {
            self.done = true;
            if vanished {
                self.gone(state, in_scope, &mut events);
            }
        }
        (!events.is_empty()).then_some(events)
    }

    fn event(&self, kind: Kind, subject: &str) -> Event {
        Event {
            subject: Some(subject.to_owned()),
            ..Event::new(kind, self.snapshot.taken_at, self.run)
        }
    }

    fn subject(&self, subject: &Subject<'_>, state: &State, events: &mut Vec<Event>) {
        let name = subject.name();
        let known = state.subjects.get(&name);
        let (before, status) = (known.map(|k| k.status), Condition::from(subject.status()));
        let open = known.and_then(|k| k.incident.as_ref());
        if let Some(incident) = open.filter(|_| subject.observed() && status == Condition::Healthy)
        {
            events.push(self.closed(&name, incident, "recovered"));
        }
        let codes = || -> Vec<String> {
            subject
                .reasons()
                .map(|r| r.code.as_str().to_owned())
                .collect()
        };
        if before.unwrap_or(Condition::Healthy) != status {
            events.push(Event {
                from: before.or(state.last_run.is_some().then_some(Condition::Healthy)),
                to: Some(status),
                reasons: codes(),
                ..self.event(Kind::StatusChanged, &name)
            });
        }
        if open.is_some() {
            return;
        }
        let at = self
            .decisions
            .binary_search_by(|d| d.subject.as_str().cmp(&name));
        let Some(decision) = at.ok().and_then(|at| self.decisions.get(at)) else {
            return;
        };
        // What could not be looked at opens nothing and closes nothing.
        if !matches!(decision.verdict, Verdict::Healthy | Verdict::Unobserved) {
            events.push(Event {
                incident: decision.incident.clone(),
                down_since: decision.down_since,
                to: Some(status),
                reasons: codes(),
                ..self.event(Kind::IncidentOpened, &name)
            });
        }
    }

    fn closed(&self, subject: &str, incident: &Incident, reason: &str) -> Event {
        Event {
            incident: Some(incident.id.clone()),
            down_for: Some(
                self.snapshot
                    .taken_at
                    .since(incident.down_since)
                    .as_secs_f64(),
            ),
            reason: Some(reason.into()),
            ..self.event(Kind::IncidentClosed, subject)
        }
    }

    /// Subjects that the state has and the snapshot has not. The incident is closed first: a run
    /// killed in between leaves a subject that is still to be swept up.
    fn gone(&self, state: &State, in_scope: &dyn Fn(&str) -> bool, events: &mut Vec<Event>) {
        let noted = decide::noted(state);
        let mut seen: HashSet<String> = HashSet::new();
        let mut unknown_agents: HashSet<&str> = HashSet::new();
        for cell in self
            .snapshot
            .cells
            .iter()
            .filter(|cell| noted.contains(&*cell.id))
        {
            if !agents_known(cell) {
                unknown_agents.insert(&cell.id);
            }
            seen.extend(subjects(cell).map(|subject| subject.name()));
        }
        for (subject, known) in &state.subjects {
            let cell = decide::cell_of(subject);
            if seen.contains(subject) || !in_scope(cell) || unknown_agents.contains(cell) {
                continue;
            }
            events.extend(
                known
                    .incident
                    .as_ref()
                    .map(|open| self.closed(subject, open, "gone")),
            );
            events.push(Event {
                from: Some(known.status),
                reason: Some("gone".into()),
                ..self.event(Kind::StatusChanged, subject)
            });
        }
    }
}

/// False where it could not be told which agents a cell has: then what is remembered of them stays.
fn agents_known(cell: &Cell) -> bool {
    // A foundation cell with a broken manifest is classified by `main` alone, and so is a canonical
    // one whose manifest is away for a moment: neither means that the agents they named are gone.
    let unread = || cell.warnings.iter().any(|w| w.code == MANIFEST_UNREADABLE);
    cell.is_ignored() || (cell.observed && cell.status != Status::Incomplete && !unread())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::core::decide::decide;
    use crate::model::cell::{Agent, Code, Layout, Lifecycle, Reason};
    use crate::model::snapshot::{Cells, RootMark};
    use crate::model::time::Timestamp;

    /// What one cell with one agent is at one look.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Look {
        Absent,
        Healthy,
        Down(Status),
        /// It could not be looked at: nothing is concluded.
        Unreadable,
        Archived,
    }

    fn any_look() -> impl Strategy<Value = Look> {
        prop_oneof![
            1 => Just(Look::Absent),
            4 => Just(Look::Healthy),
            2 => Just(Look::Down(Status::Stale)),
            1 => Just(Look::Down(Status::Uninitialized)),
            1 => Just(Look::Unreadable),
            1 => Just(Look::Archived),
        ]
    }

    fn cell(id: usize, look: Look) -> Option<Cell> {
        let (status, observed) = match look {
            Look::Absent => return None,
            Look::Healthy | Look::Archived => (Status::Healthy, true),
            Look::Down(status) => (status, true),
            Look::Unreadable => (Status::Incomplete, false),
        };
        let reasons = if observed {
            Vec::new()
        } else {
            vec![Reason::new(Code::Unreadable, "x")]
        };
        let agent = Agent {
            name: "main".into(),
            status,
            observed,
            beat: None,
            reasons: vec![Reason::new(Code::Stale, "x")],
        };
        Some(Cell {
            id: format!("c{id}").into(),
            layout: Some(Layout::Foundation),
            lifecycle: (look == Look::Archived).then_some(Lifecycle::Archived),
            labels: None,
            status,
            observed,
            missing: Vec::new(),
            reasons,
            agents: if observed { vec![agent] } else { Vec::new() },
            warnings: Vec::new(),
        })
    }

    fn snapshot(minute: usize, looks: &[Look]) -> Snapshot {
        Snapshot {
            taken_at: Timestamp::from_secs(60 * minute as i64),
            boot_id: "b".into(),
            missions_root: "/m".into(),
            root: RootMark {
                dev: 1,
                fsid: 1,
                path: "/m".into(),
            },
            full: true,
            cells: looks
                .iter()
                .enumerate()
                .filter_map(|(id, look)| cell(id, *look))
                .collect::<Cells>(),
            warnings: Vec::new(),
        }
    }

    /// One run: sweeps until there is nothing left to say, or until it is killed behind that many
    /// events.
    fn run(state: &mut State, journal: &mut Vec<Event>, snapshot: &Snapshot, killed_after: usize) {
        let decisions = decide(snapshot, state, snapshot.taken_at);
        let mut sweep = Sweep::new(snapshot, &decisions, "r");
        let mut left = killed_after;
        while let Some(batch) = sweep.next(state, &|_| true, true) {
            for mut event in batch {
                if left == 0 {
                    return;
                }
                left -= 1;
                event.seq = journal.len() as u64 + 1;
                apply(state, &event);
                journal.push(event);
            }
        }
    }

    proptest! {
        /// Whatever happens to the subjects, and wherever runs are killed between two events: each
        /// incident is opened once and closed once, and the state is what the journal adds up to.
        #[test]
        fn killed_between_any_two_events_nothing_is_lost_or_doubled(
            looks in proptest::collection::vec(proptest::collection::vec(any_look(), 5), 1..12),
            kills in proptest::collection::vec(0usize..12, 12),
        ) {
            let (mut state, mut journal) = (State::default(), Vec::new());
            let mut open = [false; 5];
            let mut expected: BTreeMap<(Kind2, usize), u32> = BTreeMap::new();
            for (minute, looks) in looks.iter().enumerate() {
                let seen = snapshot(minute, looks);
                run(&mut state, &mut journal, &seen, kills[minute]);
                run(&mut state, &mut journal, &seen, usize::MAX);
                for (id, look) in looks.iter().enumerate() {
                    let now = match look {
                        Look::Unreadable => continue,
                        Look::Down(_) => true,
                        Look::Absent | Look::Healthy | Look::Archived => false,
                    };
                    if now != open[id] {
                        let kind = if now { Kind2::Opened } else { Kind2::Closed };
                        *expected.entry((kind, id)).or_default() += 1;
                        open[id] = now;
                    }
                }
                // What is settled stays so.
                let length = journal.len();
                run(&mut state, &mut journal, &seen, usize::MAX);
                prop_assert_eq!(journal.len(), length);
            }
            let mut counted = BTreeMap::new();
            for event in &journal {
                let kind = match event.event {
                    Kind::IncidentOpened => Kind2::Opened,
                    Kind::IncidentClosed => Kind2::Closed,
                    _ => continue,
                };
                let id = event.subject.as_deref().unwrap_or_default()[1..2].parse::<usize>().unwrap();
                *counted.entry((kind, id)).or_default() += 1;
            }
            prop_assert_eq!(counted, expected);
            let mut replayed = State::default();
            journal.iter().for_each(|event| apply(&mut replayed, event));
            prop_assert_eq!(replayed, state);
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Kind2 {
        Opened,
        Closed,
    }
}
