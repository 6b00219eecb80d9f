//! Whether what a subject needs is healthy.

use std::collections::{BTreeMap, HashMap};

use super::decide::subjects;
use super::view::GATEWAY;
use crate::model::cell::Cell;
use crate::model::condition::Condition;
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::plan::PlanSet;
use crate::plan::types::{Need, NeedKind};

/// What there is to be needed, and how it is.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    /// Subjects that are not well.
    unwell: &'a BTreeMap<String, Condition>,
    /// The cells by name; empty where no plan needs anything.
    cells: HashMap<&'a str, &'a Cell>,
    snapshot: &'a Snapshot,
    state: &'a State,
}

impl<'a> Needs<'a> {
    /// Over one look at the world.
    pub(super) fn new(
        plans: &PlanSet,
        snapshot: &'a Snapshot,
        state: &'a State,
        unwell: &'a BTreeMap<String, Condition>,
    ) -> Self {
        let asked = plans.plans().iter().any(|plan| !plan.needs.is_empty());
        let cells = snapshot
            .cells
            .iter()
            .filter(|cell| asked && !cell.is_ignored());
        Self {
            unwell,
            cells: cells.map(|cell| (&*cell.id, cell)).collect(),
            snapshot,
            state,
        }
    }

    /// Why a need of `who` is not met; `None` where it is.
    pub(super) fn unmet(&self, need: &Need, who: &str) -> Option<String> {
        let what = match &need.kind {
            NeedKind::Gateway(name) => self.named(&format!("{GATEWAY}{name}")),
            NeedKind::Named(name) => self.named(name),
            NeedKind::Glob(glob) => self
                .unwell
                .iter()
                // Nobody waits for themselves.
                .find(|(name, _)| name.as_str() != who && glob.is_match(name))
                .map(|(name, condition)| format!("{name} is {}", condition.as_str())),
        }?;
        Some(format!("it needs {}, and {what}", need.text))
    }

    /// What is wrong with a subject, or with all agents of a cell.
    fn named(&self, name: &str) -> Option<String> {
        let of =
            |(name, condition): (&String, &Condition)| format!("{name} is {}", condition.as_str());
        let prefix = format!("{name}/");
        let down = self.unwell.get_key_value(name).or_else(|| {
            let next = self.unwell.range(prefix.clone()..).next();
            next.filter(|(found, _)| found.starts_with(&prefix))
        });
        if let Some(down) = down {
            return Some(of(down));
        }
        // A cell that is down as a whole has agents that cannot be known.
        let cell = name.split_once('/').map_or(name, |(cell, _)| cell);
        if let Some(down) = self.unwell.get_key_value(cell) {
            return Some(of(down));
        }
        if self.exists(name, cell) {
            return None;
        }
        if self.snapshot.full {
            return Some("there is no such subject".to_owned());
        }
        // A run over some of the cells goes by what the last look at the others said.
        let mut remembered = self.state.subjects.iter().filter(|(known, s)| {
            let same = known.as_str() == name || known.starts_with(&prefix);
            same && s.status != Condition::Healthy
        });
        remembered
            .next()
            .map(|(name, s)| format!("{name} was {} at the last look", s.status.as_str()))
    }

    fn exists(&self, name: &str, cell: &str) -> bool {
        if let Some(gateway) = name.strip_prefix(GATEWAY) {
            return self.snapshot.gateways.iter().any(|g| g.name == gateway);
        }
        self.cells
            .get(cell)
            .is_some_and(|cell| subjects(cell).any(|s| name == &*cell.id || s.name() == name))
    }
}
