//! What subjects are at a moment, and the snapshot that a run would take of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::view::GATEWAY;
use crate::model::action::Ended;
use crate::model::cell::{Agent, Beat, Cell, Code, Layout, Lifecycle, Reason, Status};
use crate::model::condition::Condition;
use crate::model::snapshot::{Cells, Gateway, RootMark, Snapshot};
use crate::model::time::Timestamp;

/// How one subject is.
#[derive(Clone, Debug, PartialEq)]
pub struct Being {
    /// Its condition.
    pub condition: Condition,
    /// Since when. A heartbeat that is too old became so then, by its own timestamp: a backdated
    /// one lies far back.
    pub since: Timestamp,
    /// False where it cannot be looked at.
    pub observed: bool,
    /// When it last beat; absent: at `since` where it is healthy, long enough before it where it
    /// is stale.
    pub beat: Option<Timestamp>,
    /// The labels of its cell.
    pub labels: BTreeMap<String, String>,
    /// Whether its cell is frozen.
    pub frozen: bool,
    /// The last word of its heartbeat.
    pub report: Option<String>,
    /// How its process ended; for `exited`, absent is in a way that nobody saw.
    pub ended: Option<Ended>,
}

impl Being {
    /// In this condition since then, and nothing else to say of it.
    #[must_use]
    pub fn new(condition: Condition, since: Timestamp) -> Self {
        Self {
            condition,
            since,
            observed: true,
            beat: None,
            labels: BTreeMap::new(),
            frozen: false,
            report: None,
            ended: None,
        }
    }

    fn reasons(&self) -> Vec<Reason> {
        if !self.observed {
            return vec![Reason::new(Code::Unreadable, "it could not be looked at")];
        }
        let (code, message) = match self.condition {
            // How a process ended is told by the decision.
            Condition::Healthy | Condition::Exited => return Vec::new(),
            Condition::Stale => (
                Code::Stale,
                format!("its last beat is too old since {}", self.since),
            ),
            Condition::Uninitialized => (Code::NoHeartbeat, "it never beat".to_owned()),
            Condition::Incomplete => (
                Code::MissingSubdir,
                "its cell lacks what a cell must have".to_owned(),
            ),
            Condition::Degraded => (Code::Status, "some of its evidence is bad".to_owned()),
            Condition::Dead => (Code::Status, "all of its evidence is bad".to_owned()),
            Condition::Unknown => (Code::Status, "there is no evidence of it".to_owned()),
        };
        vec![Reason::new(code, message)]
    }

    fn last_beat(&self, stale_after: Duration) -> Option<Beat> {
        let last = match self.condition {
            Condition::Healthy | Condition::Degraded => Some(self.beat.unwrap_or(self.since)),
            Condition::Stale | Condition::Dead => {
                Some(self.beat.unwrap_or(self.since.minus(stale_after)))
            }
            Condition::Exited => Some(self.beat.unwrap_or(self.end().at)),
            Condition::Uninitialized | Condition::Incomplete | Condition::Unknown => self.beat,
        };
        // A last word is the word of a beat.
        let last = last.or(self.report.as_ref().map(|_| self.since.minus(stale_after)));
        last.map(|last| Beat {
            last,
            age_seconds: 0,
            stale_at: match self.condition {
                Condition::Healthy => last.plus(stale_after),
                _ => self.since,
            },
            status: self.report.as_deref().map(Into::into),
            cycle: None,
            model: None,
            pid: None,
        })
    }

    fn end(&self) -> Ended {
        self.ended.unwrap_or(Ended {
            exit_code: None,
            signal: None,
            at: self.since,
        })
    }

    /// The class that its heartbeat alone would have. `dead` is what a plan with probes makes of a
    /// stale one.
    fn class(&self) -> Status {
        match self.condition {
            Condition::Healthy | Condition::Degraded => Status::Healthy,
            Condition::Stale | Condition::Dead | Condition::Exited => Status::Stale,
            Condition::Uninitialized | Condition::Unknown => Status::Uninitialized,
            Condition::Incomplete => Status::Incomplete,
        }
    }
}

/// What a snapshot has of the subjects.
#[derive(Clone, Debug)]
struct Seen {
    cells: Cells,
    gateways: Vec<Gateway>,
    ended: BTreeMap<String, Ended>,
    evidence: BTreeMap<String, Condition>,
}

/// All subjects there are.
#[derive(Clone, Debug)]
pub struct World {
    beings: BTreeMap<String, Being>,
    others: usize,
    stale_after: Duration,
    /// What the last snapshot had, as long as nothing has changed since.
    seen: Option<Seen>,
    /// This boot's id.
    pub boot_id: String,
    /// How long ago this host was booted, where that is known.
    pub uptime: Option<Duration>,
    /// The missions root.
    pub root: RootMark,
}

/// Where the missions of a made-up world lie.
const MISSIONS: &str = "/var/missions";

impl World {
    /// A world without subjects, in which a beat may be so old.
    #[must_use]
    pub fn new(stale_after: Duration) -> Self {
        Self {
            beings: BTreeMap::new(),
            others: 0,
            stale_after,
            seen: None,
            boot_id: String::new(),
            uptime: None,
            root: RootMark {
                dev: 1,
                fsid: 1,
                path: String::new(),
            },
        }
    }

    /// How a subject is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Being> {
        self.beings.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Being)> {
        self.beings
            .iter()
            .map(|(name, being)| (name.as_str(), being))
    }

    /// Says how a subject is: `CELL/AGENT`, `gateway:NAME`, or `CELL` for a cell whose agents
    /// cannot be known.
    pub fn set(&mut self, name: impl Into<String>, being: Being) {
        let name = name.into();
        if self.beings.get(&name) != Some(&being) {
            self.beings.insert(name, being);
            self.seen = None;
        }
    }

    /// Changes how a subject is, if there is such a one.
    pub fn change(&mut self, name: &str, change: impl FnOnce(&mut Being)) {
        if let Some(being) = self.beings.get_mut(name) {
            change(being);
            self.seen = None;
        }
    }

    /// Labels and lifecycle are a cell's: all its agents have those of this one.
    pub fn cell_is(&mut self, cell: &str, like: &Being) {
        let of_it = |name: &str| {
            name.strip_prefix(cell)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let others = self.beings.range_mut(cell.to_owned()..);
        for (_, being) in others
            .take_while(|(name, _)| name.starts_with(cell))
            .filter(|(name, _)| of_it(name))
        {
            being.labels.clone_from(&like.labels);
            being.frozen = like.frozen;
        }
        self.seen = None;
    }

    /// The subject is gone.
    pub fn remove(&mut self, name: &str) {
        if self.beings.remove(name).is_some() {
            self.seen = None;
        }
    }

    /// Says how many subjects there are in all: those of which nothing is known are healthy.
    pub fn set_total(&mut self, subjects: usize) {
        let others = subjects.saturating_sub(self.beings.len());
        if others != self.others {
            self.others = others;
            self.seen = None;
        }
    }

    /// A look at all of them at this moment.
    #[must_use]
    pub fn snapshot(&mut self, now: Timestamp) -> Snapshot {
        let seen = match self.seen.take() {
            Some(seen) => seen,
            None => Seen {
                cells: self.cells(&|_| true),
                gateways: self.gateways(),
                ended: self.ended(),
                evidence: self.evidence(),
            },
        };
        // The cells are shared, not copied.
        self.seen = Some(seen.clone());
        Snapshot {
            gateways: seen.gateways,
            ended: seen.ended,
            evidence: seen.evidence,
            ..self.host(now, seen.cells)
        }
    }

    /// A look at some of the cells, and at no gateway, as `--cell` has it.
    #[must_use]
    pub fn part(&self, now: Timestamp, in_scope: &dyn Fn(&str) -> bool) -> Snapshot {
        Snapshot {
            full: false,
            ended: self.ended(),
            evidence: self.evidence(),
            ..self.host(now, self.cells(in_scope))
        }
    }

    fn host(&self, now: Timestamp, cells: Cells) -> Snapshot {
        Snapshot {
            boot_id: self.boot_id.clone(),
            uptime: self.uptime,
            root: self.root.clone(),
            ..Snapshot::new(now, MISSIONS, cells)
        }
    }

    fn cells(&self, in_scope: &dyn Fn(&str) -> bool) -> Cells {
        let mut cells: BTreeMap<&str, Cell> = BTreeMap::new();
        for (name, being) in &self.beings {
            if name.starts_with(GATEWAY) {
                continue;
            }
            let (id, agent) = match name.split_once('/') {
                Some((id, agent)) => (id, Some(agent)),
                None => (name.as_str(), None),
            };
            if in_scope(id) {
                let cell = cells.entry(id).or_insert_with(|| blank(id));
                self.add(cell, agent, being);
            }
        }
        let others = (self.others > 0).then(|| self.nameless());
        let mut cells: Vec<Cell> = cells.into_values().collect();
        for cell in &mut cells {
            cell.agents.sort_by(|a, b| a.name.cmp(&b.name));
        }
        cells.extend(others);
        cells.into_iter().collect()
    }

    fn add(&self, cell: &mut Cell, agent: Option<&str>, being: &Being) {
        if being.frozen {
            cell.lifecycle = Some(Lifecycle::Frozen);
        }
        if !being.labels.is_empty() {
            cell.labels = Some(Box::new(being.labels.clone()));
        }
        let Some(agent) = agent else {
            cell.status = match being.condition {
                Condition::Healthy => Status::Healthy,
                _ => Status::Incomplete,
            };
            cell.observed = being.observed;
            cell.reasons = being.reasons();
            return;
        };
        let status = match being.observed {
            true => being.class(),
            false => Status::Incomplete,
        };
        cell.status = cell.status.max(status);
        cell.agents.push(Agent {
            name: agent.to_owned().into(),
            status,
            observed: being.observed,
            beat: being.last_beat(self.stale_after),
            reasons: being.reasons(),
        });
    }

    /// Those that are only counted, as the agents of one cell that comes behind all others.
    fn nameless(&self) -> Cell {
        let mut cell = blank("\u{10ffff}");
        cell.agents = (0..self.others)
            .map(|n| Agent {
                name: n.to_string().into(),
                status: Status::Healthy,
                observed: true,
                beat: None,
                reasons: Vec::new(),
            })
            .collect();
        cell
    }

    fn gateways(&self) -> Vec<Gateway> {
        let gateways = self
            .beings
            .range(GATEWAY.to_owned()..)
            .take_while(|(name, _)| name.starts_with(GATEWAY));
        gateways
            .map(|(name, being)| Gateway {
                name: name[GATEWAY.len()..].to_owned(),
                condition: being.condition,
                observed: being.observed,
                beat: being.last_beat(self.stale_after),
                reasons: being.reasons(),
            })
            .collect()
    }

    fn ended(&self) -> BTreeMap<String, Ended> {
        let exited = |being: &Being| being.condition == Condition::Exited && being.observed;
        let ended = self.beings.iter().filter(|(_, being)| exited(being));
        ended
            .map(|(name, being)| (name.clone(), being.end()))
            .collect()
    }

    /// What only probes can tell of an agent.
    fn evidence(&self) -> BTreeMap<String, Condition> {
        let told = |(name, being): (&String, &Being)| {
            let by_probes = matches!(being.condition, Condition::Degraded | Condition::Unknown);
            (by_probes && being.observed && !name.starts_with(GATEWAY))
                .then(|| (name.clone(), being.condition))
        };
        self.beings.iter().filter_map(told).collect()
    }
}

fn blank(id: &str) -> Cell {
    Cell {
        id: id.into(),
        layout: Some(Layout::Foundation),
        lifecycle: None,
        labels: None,
        issue: None,
        status: Status::Healthy,
        observed: true,
        missing: Vec::new(),
        reasons: Vec::new(),
        agents: Vec::new(),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decide::subjects;
    use crate::core::view::View;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn every_condition_is_seen_as_what_it_is() {
        let mut world = World::new(Duration::from_secs(180));
        for condition in Condition::ALL {
            world.set(
                format!("c-{}/a", condition.as_str()),
                Being::new(condition, at(1000)),
            );
            world.set(
                format!("gateway:{}", condition.as_str()),
                Being::new(condition, at(1000)),
            );
        }
        let seen = world.snapshot(at(1500));
        for subject in seen.cells.iter().flat_map(subjects) {
            let view = View::of(&subject, &seen);
            let wanted = match subject.cell.id.trim_start_matches("c-") {
                // A plan without probes goes by the heartbeat alone.
                "dead" => "stale",
                "degraded" => "healthy",
                "unknown" => "uninitialized",
                other => other,
            };
            assert_eq!(view.condition(None).as_str(), wanted);
            if wanted == "stale" || wanted == "exited" {
                assert_eq!(view.moment(view.condition(None)), Some(at(1000)));
            }
        }
        for gateway in &seen.gateways {
            let view = View::of_gateway(gateway, &seen);
            assert_eq!(view.condition(None).as_str(), gateway.name);
        }
    }

    #[test]
    fn what_has_not_changed_is_not_made_again() {
        let mut world = World::new(Duration::from_secs(180));
        world.set("a/x", Being::new(Condition::Healthy, at(0)));
        world.set_total(10);
        let first = world.snapshot(at(60));
        let again = world.snapshot(at(120));
        let place = |s: &Snapshot| s.cells.get(0).map(std::ptr::from_ref);
        assert_eq!(place(&first), place(&again));
        assert_eq!(first.cells.iter().flat_map(subjects).count(), 10);
        world.set("a/x", Being::new(Condition::Stale, at(130)));
        assert_ne!(place(&first), place(&world.snapshot(at(180))));
    }
}
