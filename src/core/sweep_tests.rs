//! Looks at a made-up world, with runs that are killed between any two events.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::core::decide::decide;
use crate::core::ledger::apply;
use crate::core::rules::Rules;
use crate::model::cell::{Agent, Code, Layout, Lifecycle, Reason, Status};
use crate::model::protection::Protection;
use crate::model::snapshot::Cells;
use crate::model::time::Timestamp;
use crate::plan::PlanSet;

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
        issue: None,
        status,
        observed,
        missing: Vec::new(),
        reasons,
        agents: if observed { vec![agent] } else { Vec::new() },
        warnings: Vec::new(),
    })
}

fn snapshot(minute: usize, looks: &[Look]) -> Snapshot {
    let cells: Cells = looks
        .iter()
        .enumerate()
        .filter_map(|(id, look)| cell(id, *look))
        .collect();
    Snapshot::new(Timestamp::from_secs(60 * minute as i64), "/m", cells)
}

/// One run: sweeps until there is nothing left to say, or until it is killed behind that many
/// events.
fn run(state: &mut State, journal: &mut Vec<Event>, snapshot: &Snapshot, killed_after: usize) {
    let rules = Rules {
        plans: &PlanSet::default(),
        protection: &Protection::default(),
        restarts_per_run: 10,
        gap: std::time::Duration::from_secs(600),
        force: false,
        state_lost: false,
    };
    let decisions = decide(snapshot, &rules, state, snapshot.taken_at);
    let mut code = String::new;
    let mut sweep = Sweep::new(snapshot, &decisions, "r", &mut code);
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
