//! What a cell of either layout consists of.

use super::init::Job;
use super::making::{For, Making};
use super::manifest::Manifest;
use super::place::{self, MAIN};
use super::seeds;
use crate::core::classify::heartbeat_path;
use crate::model::cell::{FOUNDATION_SUBDIRS, Layout};
use crate::model::exit::Failure;

/// The canonical layout's directories, each after the one that it lies in.
pub(super) const CANONICAL_DIRS: [&str; 7] = [
    "workspace",
    "logs",
    ".lazarus",
    ".lazarus/heartbeats",
    "checkpoints",
    "bus/inbox",
    "bus/outbox",
];

impl Job<'_> {
    /// Adds all that is missing; false where a manifest appeared meanwhile that is not ours.
    pub(super) fn fill(
        &self,
        making: &mut Making<'_>,
        layout: Layout,
        found: &Manifest,
    ) -> Result<bool, Failure> {
        match layout {
            Layout::Foundation => self.fill_foundation(making, found),
            Layout::Canonical => self.fill_canonical(making, found),
        }
    }

    fn fill_foundation(&self, making: &mut Making<'_>, found: &Manifest) -> Result<bool, Failure> {
        let (id, now) = (self.id, self.options.now);
        // The manifest first: it says who is to beat, also to the run that completes this one.
        let mission = seeds::Mission {
            mission_id: id,
            created_at: now,
            status: "bootstrapped",
            agents: &self.agents,
        };
        if !put(
            making,
            place::FOUNDATION_MANIFEST,
            &seeds::page(&mission),
            For::Operator,
        )? && *found == Manifest::Absent
        {
            return Ok(false);
        }
        for name in FOUNDATION_SUBDIRS {
            making.dir(&[name])?;
        }
        for path in &self.required {
            making.dir(path)?;
        }
        let config = seeds::CellConfig {
            mission_id: id,
            worktree: "worktree",
            artifacts: "artifacts",
            heartbeat_file: self.options.heartbeat_file,
        };
        put(
            making,
            "config/cell.json",
            &seeds::page(&config),
            For::Agents,
        )?;
        put(making, "logs/daemon.log", b"", For::Agents)?;
        let named = match found {
            Manifest::Known(known) => known.agents.as_deref(),
            Manifest::Absent if !self.agents.is_empty() => Some(self.agents.as_slice()),
            Manifest::Absent | Manifest::Unusable(_) => None,
        };
        let Some(named) = named else {
            let first = self.first_beat(MAIN);
            making.file(&self.heartbeat_file, &first, For::Agents)?;
            return Ok(true);
        };
        for agent in named {
            let path = heartbeat_path(Layout::Foundation, agent);
            put(making, &path, &self.first_beat(agent), For::Agents)?;
        }
        Ok(true)
    }

    /// What stands for an agent's heartbeat until it beats itself, so that a new cell is healthy
    /// for as long as an agent has to start.
    fn first_beat(&self, agent: &str) -> Vec<u8> {
        seeds::line(&seeds::Heartbeat {
            mission_id: Some(self.id),
            cell_uuid: None,
            agent: (agent != MAIN).then_some(agent),
            timestamp: self.options.now.as_f64(),
            status: "bootstrapped",
            pid: None,
            cycle: None,
            model: None,
            quiet_for: None,
        })
    }

    fn fill_canonical(&self, making: &mut Making<'_>, found: &Manifest) -> Result<bool, Failure> {
        let now = self.options.now;
        let member = |name| seeds::Member {
            name,
            role: "agent",
            joined_at: now,
            home: "workspace",
        };
        let cell = seeds::Cell {
            uuid: &self.options.uuid,
            name: self.id,
            mission: self.id,
            created_at: now,
            created_by: &self.options.created_by,
            status: "active",
            agents: self.agents.iter().map(|name| member(name)).collect(),
        };
        // The manifest first: it tells the layout, also to the run that completes this one.
        let fresh = put(
            making,
            place::CANONICAL_MANIFEST,
            &seeds::page(&cell),
            For::Operator,
        )?;
        let known = match found {
            Manifest::Known(known) => Some(known),
            _ if !fresh => return Ok(false),
            _ => None,
        };
        for path in CANONICAL_DIRS {
            making.dir(&path.split('/').collect::<Vec<_>>())?;
        }
        let named = known
            .and_then(|k| k.agents.as_ref())
            .unwrap_or(&self.agents);
        for agent in named {
            making.dir(&["bus", "inbox", agent])?;
        }
        let uuid = known
            .and_then(|k| k.uuid.as_deref())
            .unwrap_or(&self.options.uuid);
        let created = seeds::Created {
            ts: now,
            // It was not made now, and an event stream must not say so.
            event: if fresh {
                "cell_created"
            } else {
                "cell_completed"
            },
            agent: None,
            by: "lazarus-pit",
            cell_uuid: uuid,
        };
        put(
            making,
            "logs/events.jsonl",
            &seeds::line(&created),
            For::Agents,
        )?;
        let state = seeds::DaemonState {
            cell_uuid: uuid,
            daemon_pid: None,
            last_poll: None,
            agent_health: std::collections::BTreeMap::new(),
        };
        put(
            making,
            ".lazarus/state.json",
            &seeds::page(&state),
            For::Agents,
        )?;
        Ok(true)
    }
}

fn put(making: &mut Making<'_>, path: &str, contents: &[u8], whose: For) -> Result<bool, Failure> {
    making.file(&path.split('/').collect::<Vec<_>>(), contents, whose)
}

#[cfg(test)]
#[path = "fill_tests.rs"]
mod tests;
