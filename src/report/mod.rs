//! What a run says of itself: values to text. Only the meta-heartbeat and the ping have effects.

pub mod gateways;
pub mod heartbeat;
pub mod human;
pub mod json;
pub mod jsonl;
pub mod junit;
pub mod nagios;
pub mod past;
pub mod ping;
pub mod processes;
pub mod prometheus;
#[cfg(test)]
mod sample;
pub mod table;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::core::decide::{Subject, subjects};
use crate::core::holds::HOLDS;
use crate::core::view::View;
use crate::model::action::{AttemptResult, Done};
use crate::model::cell::{Agent, Cell, Warning};
use crate::model::decision::{Decision, Verdict};
use crate::model::exit::Exit;
use crate::model::probe::Evidence;
use crate::model::snapshot::{Snapshot, Summary};
use crate::model::text;
use crate::model::time::Timestamp;

/// All that one run has to say.
#[derive(Debug)]
pub struct Report {
    /// What it saw.
    pub snapshot: Snapshot,
    /// The same, counted.
    pub summary: Summary,
    /// What it decided, in byte order of the subjects.
    pub decisions: Vec<Decision>,
    /// What was done, in byte order of the subjects.
    pub actions: Vec<Done>,
    /// How many attempts ended how, ever.
    pub totals: BTreeMap<AttemptResult, u64>,
    /// What else an operator should know.
    pub warnings: Vec<Warning>,
    /// The run itself.
    pub run: Run,
    /// How it ends.
    pub exit: Exit,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id, sortable by time.
    pub id: String,
    /// The host's name.
    pub host: String,
    /// True where nothing was written.
    pub dry_run: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The meta-heartbeat's job name.
    pub heartbeat_job: String,
    /// How often a run is expected.
    pub heartbeat_interval: Duration,
}

impl Report {
    /// The warnings that speak against acting in this run.
    fn holds(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.iter().filter(|w| HOLDS.contains(&w.code))
    }

    /// True where someone is not revived because of what holds in this run.
    fn is_held(&self) -> bool {
        self.holds().next().is_some() || self.decisions.iter().any(|d| d.verdict == Verdict::Held)
    }

    /// The decision about a subject.
    fn decision(&self, subject: &str) -> Option<&Decision> {
        let at = self
            .decisions
            .binary_search_by(|d| d.subject.as_str().cmp(subject));
        at.ok().and_then(|at| self.decisions.get(at))
    }

    /// The decision about a cell's agent.
    #[must_use]
    pub fn decision_about(&self, cell: &Cell, agent: &Agent) -> Option<&Decision> {
        // In a fleet that is well nothing was decided. Of an agent whose files are well something
        // may have been: its process may have ended, its attempt may have to show yet.
        match self.decisions.is_empty() {
            true => None,
            false => self.decision(&cell.subject(agent)),
        }
    }

    /// What was asked about a cell's agent beside its heartbeat, and what came of it.
    #[must_use]
    pub fn evidence_about(&self, cell: &Cell, agent: &Agent) -> Option<&Evidence> {
        match self.snapshot.asked.is_empty() {
            true => None,
            false => self.snapshot.asked.get(&cell.subject(agent)),
        }
    }

    /// What the report has as an agent's `state`.
    #[must_use]
    pub fn state_of(&self, cell: &Cell, agent: &Agent) -> &'static str {
        let subject = Subject {
            cell,
            agent: Some(agent),
        };
        let ended = &self.snapshot.ended;
        let exited = !ended.is_empty() && View::of(&subject, &self.snapshot).has_exited();
        let evidence = self.evidence_about(cell, agent);
        json::agent_state(agent, exited, evidence, self.decision_about(cell, agent))
    }

    /// What was done for a subject.
    fn action(&self, subject: &str) -> Option<&Done> {
        self.actions.iter().find(|done| done.subject == subject)
    }

    /// All subjects, cell by cell; none of a cell that is ignored.
    fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        self.snapshot.cells.iter().flat_map(subjects)
    }

    /// The missions root as text, without slashes at its end.
    fn root_text(&self) -> Cow<'_, str> {
        root_text(&self.snapshot.missions_root)
    }
}

/// A missions root as text: bytes that are not UTF-8 written out, no slashes at its end (but for
/// the root of all).
#[must_use]
pub fn root_text(root: &Path) -> Cow<'_, str> {
    let bytes = root.as_os_str().as_bytes();
    match bytes.iter().rposition(|byte| *byte != b'/') {
        Some(last) => text::from_bytes(&bytes[..=last]),
        None => "/".into(),
    }
}

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Warnings of one code beyond this many are summed up in one, so that a fleet-wide mistake does
/// not bury everything else.
const MOST_OF_A_KIND: usize = 20;

/// Sums up what there is too much of.
#[must_use]
pub fn bounded(warnings: Vec<Warning>) -> Vec<Warning> {
    let mut counts = std::collections::BTreeMap::<&'static str, usize>::new();
    let mut kept = Vec::new();
    for warning in warnings {
        let count = counts.entry(warning.code).or_default();
        *count += 1;
        if *count <= MOST_OF_A_KIND {
            kept.push(warning);
        }
    }
    for (code, count) in counts.into_iter().filter(|(_, n)| *n > MOST_OF_A_KIND) {
        let more = count - MOST_OF_A_KIND;
        kept.push(Warning::new(code, format!("and {more} more of this kind")));
    }
    kept
}
