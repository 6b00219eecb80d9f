//! The subjects of a report: each agent, or the cell alone where its agents cannot be known.

use super::Report;
use crate::model::cell::{Agent, Cell, Reason, Status};

/// One subject as it was seen.
pub(super) struct Subject<'a> {
    /// Its cell.
    pub(super) cell: &'a Cell,
    /// The agent, where it is known.
    pub(super) agent: Option<&'a Agent>,
}

impl<'a> Subject<'a> {
    /// `CELL/AGENT`, or `CELL` alone: what a decision names it by.
    pub(super) fn name(&self) -> String {
        match self.agent {
            Some(agent) => self.cell.subject(agent),
            None => self.cell.id.to_string(),
        }
    }

    /// Its status: every agent of an incomplete cell counts as incomplete.
    pub(super) fn status(&self) -> Status {
        match self.agent {
            Some(agent) if self.cell.reasons.is_empty() => agent.status,
            _ => self.cell.status,
        }
    }

    /// False where it could not be looked at.
    pub(super) fn observed(&self) -> bool {
        self.cell.observed && self.agent.is_none_or(|agent| agent.observed)
    }

    /// Why it is not healthy.
    pub(super) fn reasons(&self) -> impl Iterator<Item = &'a Reason> + use<'a> {
        let own = self.agent.map_or(&[][..], |agent| &agent.reasons);
        self.cell.reasons.iter().chain(own)
    }
}

/// All subjects, cell by cell; none of a cell that is ignored.
pub(super) fn subjects(report: &Report) -> impl Iterator<Item = Subject<'_>> {
    let cells = report.snapshot.cells.iter().filter(|c| !c.is_ignored());
    cells.flat_map(|cell| {
        let alone = cell
            .agents
            .is_empty()
            .then_some(Subject { cell, agent: None });
        let agents = cell.agents.iter().map(move |agent| Subject {
            cell,
            agent: Some(agent),
        });
        alone.into_iter().chain(agents)
    })
}
