//! What is to be told to whom: the difference between what the state holds to be so and what it says
//! was told. A run that was killed leaves its successor exactly what it has not told.

mod batch;
mod fleet;
mod incident;
mod text;

use std::collections::{BTreeMap, HashMap};

use super::decide::{self, Decisions};
use super::view::GATEWAY;
use crate::model::action::Done;
use crate::model::cell::Cell;
use crate::model::channel::Message;
use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::post::{Marked, Marks};
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::plan::{Plan, PlanSet};

pub use batch::{MOST_AT_ONCE, MOST_BYTES, MOST_WAITING, size};

/// What telling goes by.
#[derive(Debug)]
pub struct Telling<'a> {
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// What was decided.
    pub decisions: &'a Decisions,
    /// The plans, which say who is told of what.
    pub plans: &'a PlanSet,
    /// The names of the channels that there are.
    pub channels: &'a [String],
    /// What was carried out in this run.
    pub done: &'a [Done],
    /// This host's name.
    pub host: &'a str,
    /// This run's id.
    pub run: &'a str,
    /// The moment of telling.
    pub now: Timestamp,
}

/// One thing for one channel.
struct Draft {
    channel: String,
    marked: Marked,
    /// `None` where it need not be told, which is remembered as if it had been.
    message: Option<Message>,
}

/// Everything that is to be recorded so that it is told: new messages, and those that are pointless
/// by now.
#[must_use]
pub fn tell(telling: &Telling<'_>, state: &State) -> Vec<Event> {
    if telling.channels.is_empty() {
        return Vec::new();
    }
    let mut drafts: BTreeMap<&str, Vec<Draft>> = BTreeMap::new();
    let cells = Cells::new(telling.snapshot);
    for item in items(telling, state) {
        for channel in telling.channels {
            let about = incident::About {
                telling,
                state,
                cells: &cells,
                item: &item,
                channel,
            };
            let of_it = about.drafts();
            if !of_it.is_empty() {
                drafts.entry(channel).or_default().extend(of_it);
            }
        }
    }
    for channel in telling.channels {
        let held = fleet::drafts(telling, state, channel);
        drafts.entry(channel).or_default().extend(held);
    }
    let mut events = Vec::new();
    for (channel, drafts) in drafts {
        batch::events(telling, state, channel, drafts, &mut events);
    }
    events
}

/// An incident of which something may be to be told.
struct Item<'a> {
    subject: &'a str,
    incident: &'a str,
    /// What was decided about it, where it is open.
    decision: Option<&'a Decision>,
    plan: Option<&'a Plan>,
}

/// Open incidents in order of their subjects, and those of which something was told.
fn items<'a>(telling: &Telling<'a>, state: &'a State) -> Vec<Item<'a>> {
    let plans: HashMap<&str, &Plan> = telling
        .plans
        .plans()
        .iter()
        .map(|p| (&*p.name, p))
        .collect();
    let mut items: BTreeMap<(&str, &str), Item<'a>> = BTreeMap::new();
    for decision in &telling.decisions.list {
        let plan = decision.plan.as_deref().and_then(|name| plans.get(name));
        let told = plan.is_some_and(|plan| {
            !(plan.notify.channels.is_empty() && plan.approval.channels.is_empty())
        });
        let Some(incident) = decision.incident.as_deref().filter(|_| told) else {
            continue;
        };
        let key = (decision.subject.as_str(), incident);
        let item = Item {
            subject: &decision.subject,
            incident,
            decision: Some(decision),
            plan: plan.copied(),
        };
        items.insert(key, item);
    }
    let told = state.told.iter().filter(|(name, _)| !name.is_empty());
    for (subject, told) in told {
        for incident in &told.incidents {
            items
                .entry((subject, &incident.id))
                .or_insert_with(|| Item {
                    subject,
                    incident: &incident.id,
                    decision: telling
                        .decisions
                        .of(subject)
                        .filter(|d| d.incident.as_ref() == Some(&incident.id)),
                    plan: None,
                });
        }
    }
    items.into_values().collect()
}

/// The cells by name.
struct Cells<'a>(HashMap<&'a str, &'a Cell>);

impl<'a> Cells<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self(
            snapshot
                .cells
                .iter()
                .map(|cell| (&*cell.id, cell))
                .collect(),
        )
    }

    /// The cell of a subject; none of a gateway.
    fn of(&self, subject: &str) -> Option<&'a Cell> {
        let cell = (!subject.starts_with(GATEWAY)).then(|| decide::cell_of(subject));
        cell.and_then(|cell| self.0.get(cell).copied())
    }
}

/// What a channel was told of an incident so far; `None` where it was told nothing.
fn told<'s>(state: &'s State, subject: &str, incident: &str, channel: &str) -> Option<&'s Marks> {
    let told = state.told.get(subject)?;
    let incident = told.incidents.iter().find(|i| i.id == incident)?;
    incident.channels.get(channel)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
