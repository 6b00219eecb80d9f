//! What a run tells the canonical cells: the events that concern them, and how their agents are.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use super::Request;
use crate::act::news::{self, Health, News};
use crate::act::tell::{Telling, tell};
use crate::config::Config;
use crate::core::view::cell_of;
use crate::model::cell::{Cell, Layout, Status, Warning};
use crate::model::event::Event;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::report::Report;
use crate::report::json::revive_count;
use crate::sys::host;

/// What is taken for telling the cells even where the deadline is near or over.
const AT_LEAST: Duration = Duration::from_millis(500);

/// How long an operator's word waits for the cells that it is about.
const WORD: Duration = Duration::from_secs(5);

/// True for a cell that is told anything: one that could not be looked at would only hang again.
/// (A name that is no text stands in a report in other words than on disk, and could be another's.)
fn is_told(cell: &Cell) -> bool {
    cell.layout == Some(Layout::Canonical)
        && cell.observed
        && !cell.is_ignored()
        && !cell.id.contains("\\x")
}

/// The cells that are told what concerns them.
pub(super) fn told(snapshot: &Snapshot) -> HashSet<Box<str>> {
    let cells = snapshot.cells.iter().filter(|cell| is_told(cell));
    cells.map(|cell| cell.id.clone()).collect()
}

/// Tells each of them. Takes at most half of what is left until the deadline.
pub(super) fn tell_all(
    request: &Request,
    events: &[Event],
    report: &Report,
    deadline: Instant,
) -> Vec<Warning> {
    let mut lines = by_cell(events);
    let news = |cell: &Cell| News {
        cell: cell.id.to_string(),
        lines: lines.remove(&*cell.id).unwrap_or_default(),
        health: Some(health(cell, report)),
        incomplete: cell.status == Status::Incomplete,
    };
    let cells = report.snapshot.cells.iter().filter(|cell| is_told(cell));
    let news = cells.map(news).collect();
    let left = deadline.saturating_duration_since(Instant::now()) / 2;
    let at = report.run.started_at;
    tell(news, telling(&request.config, at, left.max(AT_LEAST)))
}

/// Tells cells what an operator's word has recorded.
#[must_use]
pub fn tell_of_word(config: &Config, events: &[Event]) -> Vec<Warning> {
    let news = |(cell, lines): (&str, Vec<u8>)| News {
        cell: cell.to_owned(),
        lines,
        health: None,
        // Who gives a word waits for no report that would say so.
        incomplete: false,
    };
    let mut lines = by_cell(events);
    lines.retain(|cell, _| !cell.contains("\\x"));
    let news = lines.into_iter().map(news).collect();
    tell(news, telling(config, host::now(), WORD))
}

fn telling(config: &Config, at: Timestamp, within: Duration) -> Telling {
    Telling {
        root: config.missions_root.clone(),
        mounts: config.mounts(),
        at,
        until: Instant::now() + within,
    }
}

fn by_cell(events: &[Event]) -> BTreeMap<&str, Vec<u8>> {
    let mut all: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for event in events {
        let subject = event.subject.as_deref().unwrap_or_default();
        if let Some(cell) = cell_of(subject) {
            let agent = subject.split_once('/').map(|(_, agent)| agent);
            let lines = all.entry(cell).or_default();
            lines.extend(news::line(event, agent));
        }
    }
    all
}

fn health(cell: &Cell, report: &Report) -> BTreeMap<String, Health> {
    let agents = cell.agents.iter().map(|agent| {
        let decision = report.decision_about(cell, agent);
        let health = Health {
            healthy: report.state_of(cell, agent) == "healthy",
            last_seen: agent.beat.as_ref().map(|beat| beat.last.as_f64()),
            revive_count: revive_count(decision),
        };
        (agent.name.to_string(), health)
    });
    agents.collect()
}
