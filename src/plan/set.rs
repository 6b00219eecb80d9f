//! All plans in their order, and which of them governs whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::glob::Glob;
use super::index::Index;
use super::types::Plan;

/// All plans, in the order in which they are tried. Cheap to clone: what it holds is shared.
#[derive(Clone, Debug, Default)]
pub struct PlanSet(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    plans: Vec<Plan>,
    index: Index,
    least_stale_after: Option<Duration>,
}

/// Whom a plan is sought for.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// An agent of a cell, or a cell whose agents cannot be known.
    Agent {
        /// The mission id.
        cell: &'a str,
        /// The agent's name.
        agent: Option<&'a str>,
        /// The labels of the cell's manifest.
        labels: Option<&'a BTreeMap<String, String>>,
    },
    /// A gateway.
    Gateway(&'a str),
}

/// Why a plan is not for someone: the first key of its `match` that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// `cells`, `agents`, `labels.NAME` or `gateways`.
    pub key: String,
    /// What the plan asks for.
    pub wanted: String,
    /// What there is.
    pub found: String,
}

impl PlanSet {
    /// These plans, in this order.
    #[must_use]
    pub fn new(plans: Vec<Plan>) -> Self {
        Self(Arc::new(Inner {
            index: Index::new(&plans),
            least_stale_after: plans.iter().filter_map(|plan| plan.stale_after).min(),
            plans,
        }))
    }

    /// All plans in their order.
    #[must_use]
    pub fn plans(&self) -> &[Plan] {
        &self.0.plans
    }

    /// True where there is no plan.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.plans.is_empty()
    }

    /// The plan that governs: the first whose `match` holds.
    #[must_use]
    pub fn governing(&self, who: &Who<'_>) -> Option<&Plan> {
        self.plans().get(self.governing_number(who)?)
    }

    /// The number of the plan that governs.
    pub(super) fn governing_number(&self, who: &Who<'_>) -> Option<usize> {
        let Inner { plans, index, .. } = &*self.0;
        let mut first: Option<u32> = None;
        let look = |numbers: &[u32]| {
            for number in numbers {
                // The numbers rise: nothing that comes later is the first.
                if first.is_some_and(|first| first <= *number) {
                    break;
                }
                if plans
                    .get(*number as usize)
                    .is_some_and(|plan| holds(plan, who))
                {
                    first = Some(*number);
                    break;
                }
            }
        };
        match who {
            Who::Gateway(name) => index.gateway(name, look),
            Who::Agent {
                cell,
                agent,
                labels,
            } => index.agent(Some(*cell), *agent, *labels, look),
        }
        first.map(|first| first as usize)
    }

    /// The lowest of all plans' own `stale_after`: an agent whose beat is no older than that and
    /// the configured age is healthy under any of them.
    #[must_use]
    pub fn least_stale_after(&self) -> Option<Duration> {
        self.0.least_stale_after
    }

    pub(super) fn index(&self) -> &Index {
        &self.0.index
    }
}

/// True where a plan is for someone: what [`mismatch`] says, without the words.
fn holds(plan: &Plan, who: &Who<'_>) -> bool {
    let m = &plan.matches;
    let hits = |globs: &[Glob], name: &str| globs.iter().any(|g| g.is_match(name));
    match who {
        Who::Gateway(name) => hits(&m.gateways, name),
        Who::Agent {
            cell,
            agent,
            labels,
        } => {
            m.gateways.is_empty()
                && (m.cells.is_empty() || hits(&m.cells, cell))
                && (m.agents.is_empty() || agent.is_some_and(|a| hits(&m.agents, a)))
                && m.labels
                    .iter()
                    .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        }
    }
}

/// Why a plan is not for someone; `None` where it is.
#[must_use]
pub fn mismatch(plan: &Plan, who: &Who<'_>) -> Option<Mismatch> {
    let no = |key: &str, wanted: String, found: &str| {
        Some(Mismatch {
            key: key.to_owned(),
            wanted,
            found: found.to_owned(),
        })
    };
    let hits = |globs: &[Glob], name: &str| globs.iter().any(|g| g.is_match(name));
    let texts = |globs: &[Glob]| -> String {
        let texts: Vec<&str> = globs.iter().map(|g| g.text.as_str()).collect();
        texts.join(", ")
    };
    let m = &plan.matches;
    match who {
        Who::Gateway(name) => match m.gateways.is_empty() {
            true => no("gateways", "none: it is for cells".into(), name),
            false if hits(&m.gateways, name) => None,
            false => no("gateways", texts(&m.gateways), name),
        },
        Who::Agent {
            cell,
            agent,
            labels,
        } => {
            if !m.gateways.is_empty() {
                return no("gateways", texts(&m.gateways), "an agent of a cell");
            }
            if !m.cells.is_empty() && !hits(&m.cells, cell) {
                return no("cells", texts(&m.cells), cell);
            }
            if !m.agents.is_empty() && !agent.is_some_and(|a| hits(&m.agents, a)) {
                return no("agents", texts(&m.agents), agent.unwrap_or("not known"));
            }
            m.labels.iter().find_map(|(key, value)| {
                let found = labels.and_then(|l| l.get(key));
                if found == Some(value) {
                    return None;
                }
                let found = found.map_or("not there", String::as_str);
                no(&format!("labels.{key}"), value.clone(), found)
            })
        }
    }
}
