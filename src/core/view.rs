//! What a decision is about, whatever it is: an agent, a cell whose agents cannot be known, a
//! gateway.

use std::collections::BTreeMap;

use crate::core::decide::Subject;
use crate::model::action::Ended;
use crate::model::cell::{Beat, Cell, Reason, Status};
use crate::model::condition::Condition;
use crate::model::probe::Evidence;
use crate::model::snapshot::{Gateway, Snapshot};
use crate::model::state::Traits;
use crate::model::time::Timestamp;
use crate::plan::{Plan, Who};

/// How a gateway is named as a subject.
pub const GATEWAY: &str = "gateway:";

/// The cell that a subject is, or is in; `None` for a gateway.
#[must_use]
pub fn cell_of(subject: &str) -> Option<&str> {
    match subject.split_once('/') {
        Some((cell, _)) => Some(cell),
        None => Some(subject).filter(|name| !name.starts_with(GATEWAY)),
    }
}

/// One subject, with all that the rules ask of it.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// `CELL/AGENT`, `CELL` or `gateway:NAME`.
    pub name: String,
    /// As plans are sought for it.
    pub who: Who<'a>,
    /// Its cell, where it has one.
    pub cell: Option<&'a Cell>,
    /// What follows from its files, or from its evidence.
    pub base: Condition,
    /// False where it could not be looked at.
    pub observed: bool,
    /// Its last beat.
    pub beat: Option<&'a Beat>,
    /// What all its evidence adds up to, where more than its heartbeat was asked.
    pub evidence: Option<Condition>,
    /// How its kept process ended, if it did.
    pub ended: Option<&'a Ended>,
    /// Why it is what it is.
    pub reasons: Vec<&'a Reason>,
}

/// What a condition of the files is to a plan: one with probes looks at the evidence as a whole.
#[must_use]
pub fn as_a_whole(base: Condition, plan: Option<&Plan>) -> Condition {
    match base {
        Condition::Stale | Condition::Uninitialized
            if plan.is_some_and(|plan| !plan.probes.is_empty()) =>
        {
            Condition::Dead
        }
        other => other,
    }
}

/// True where more was asked about a subject, and too little of it could be to tell what it is.
fn is_open(asked: Option<&Evidence>) -> bool {
    asked.is_some_and(|asked| asked.sum.is_none())
}

/// Why a subject is what it is, beside what its heartbeat says.
fn beside(asked: Option<&Evidence>) -> &[Reason] {
    asked.map_or(&[], |asked| &asked.reasons)
}

impl<'a> View<'a> {
    /// An agent, or a cell whose agents cannot be known.
    #[must_use]
    pub fn of(subject: &Subject<'a>, snapshot: &'a Snapshot) -> Self {
        let name = subject.name();
        let agent = subject.agent;
        let asked = snapshot.asked.get(&name);
        Self {
            who: Who::Agent {
                cell: &subject.cell.id,
                agent: agent.map(|a| &*a.name),
                labels: subject.cell.labels.as_deref(),
            },
            cell: Some(subject.cell),
            base: subject.status().into(),
            observed: subject.observed() && !is_open(asked),
            beat: agent.and_then(|a| a.beat.as_ref()),
            evidence: snapshot.evidence.get(&name).copied(),
            ended: snapshot.ended.get(&name),
            reasons: subject.reasons().chain(beside(asked)).collect(),
            name,
        }
    }

    /// A gateway.
    #[must_use]
    pub fn of_gateway(gateway: &'a Gateway, snapshot: &'a Snapshot) -> Self {
        let name = format!("{GATEWAY}{}", gateway.name);
        let asked = snapshot.asked.get(&name);
        Self {
            who: Who::Gateway(&gateway.name),
            cell: None,
            base: gateway.condition,
            observed: gateway.observed,
            beat: gateway.beat.as_ref(),
            evidence: asked.and_then(|asked| asked.sum),
            ended: snapshot.ended.get(&name),
            reasons: gateway.reasons.iter().chain(beside(asked)).collect(),
            name,
        }
    }

    /// What it is to its plan. A plan with probes looks at the evidence as a whole, of which the
    /// heartbeat is one piece.
    #[must_use]
    pub fn condition(&self, plan: Option<&Plan>) -> Condition {
        if self.has_exited() {
            return Condition::Exited;
        }
        let probed = plan.is_some_and(|plan| !plan.probes.is_empty());
        self.evidence
            .filter(|_| probed)
            .unwrap_or_else(|| as_a_whole(self.base, plan))
    }

    /// True where its kept process has ended and it has not beaten since: no need to wait until the
    /// corpse's last beat is old.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        let newer = |end: &Ended| self.beat.is_some_and(|beat| beat.last > end.at);
        self.observed && self.ended.is_some_and(|end| !newer(end))
    }

    /// True where its cell is never revived.
    #[must_use]
    pub fn frozen(&self) -> bool {
        self.cell.is_some_and(Cell::is_frozen)
    }

    /// The last word of its heartbeat.
    #[must_use]
    pub fn report(&self) -> Option<&'a str> {
        self.beat.and_then(|beat| beat.status.as_deref())
    }

    /// What a journal has to have of it so that it can be decided again.
    #[must_use]
    pub fn traits(&self) -> Traits {
        let labels = self.cell.and_then(|cell| cell.labels.as_deref());
        Traits {
            labels: labels.cloned().unwrap_or_else(BTreeMap::new),
            frozen: self.frozen(),
            report: self.report().map(str::to_owned),
            ended: self.ended.copied(),
        }
    }

    /// When it became what it is, as far as its own evidence tells: a beat that is too old since it
    /// is, a process that ended since then.
    #[must_use]
    pub fn moment(&self, condition: Condition) -> Option<Timestamp> {
        match condition {
            Condition::Exited => self.ended.map(|end| end.at),
            // With probes it was dead no earlier than the last of them said so, which is now.
            Condition::Stale | Condition::Dead if self.is_stale() && self.evidence.is_none() => {
                self.beat.map(|beat| beat.stale_at)
            }
            _ => None,
        }
    }

    fn is_stale(&self) -> bool {
        match self.cell {
            Some(_) => self.base == Status::Stale.into(),
            None => true,
        }
    }
}
