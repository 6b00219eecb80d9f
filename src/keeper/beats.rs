//! Heartbeats in the place of an agent that writes none.

use std::time::{Duration, Instant};

use crate::act::beat;
use crate::act::spawn::spec::{BeatSpec, CellSpec, Spec};
use crate::model::step::BeatFor;
use crate::sys::beneath::Mounts;
use crate::sys::host;

/// The pause after the first one, and the shortest of all, be the plan's times what they may. Each
/// is twice as long as the one before until a quarter of `stale_after` is reached: only what is
/// beaten after an attempt's last step counts for it, and the first beat is mostly older.
const LEAST: Duration = Duration::from_secs(1);

/// When the next one is due, and what is to be written where.
#[derive(Debug)]
pub(super) struct Beats {
    cell: CellSpec,
    agent: String,
    pid: i32,
    how: BeatSpec,
    /// None is written before this.
    next: Instant,
    /// How long none is written after the next one.
    pause: Duration,
    /// True where the agent has printed since the last one.
    printed: bool,
    /// True where the last one could not be written: that is told once.
    failing: bool,
}

impl Beats {
    /// Those of an agent that runs from now on; none where it is to beat by itself.
    pub(super) fn of(spec: &Spec, pid: i32) -> Option<Self> {
        let how = spec.beat.clone().filter(|how| how.when != BeatFor::Never)?;
        Some(Self {
            cell: spec.cell.clone()?,
            agent: spec.name.clone(),
            pid,
            how,
            next: Instant::now(),
            pause: LEAST,
            printed: false,
            failing: false,
        })
    }

    /// When there is something to do without anything happening.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let is_wanted = self.printed || self.how.when == BeatFor::WhileAlive;
        is_wanted.then_some(self.next)
    }

    /// The agent has printed something.
    pub(super) fn printed(&mut self) {
        self.printed = true;
    }

    /// Writes one where it is due. Returns what the agent's log is to be told.
    pub(super) fn beat(&mut self, now: Instant) -> Option<String> {
        if self.due_at().is_none_or(|at| now < at) {
            return None;
        }
        self.next = now.checked_add(self.pause).unwrap_or(now);
        let every = Duration::from_millis(self.how.every_ms).max(LEAST);
        self.pause = (self.pause * 2).min(every);
        self.printed = false;
        let mounts = match self.how.allow_mounts {
            true => Mounts::Cross,
            false => Mounts::Refuse,
        };
        let (cell, file) = (&self.cell, &self.how.heartbeat_file);
        let written = beat::for_agent(
            &cell.root,
            &cell.id,
            &self.agent,
            self.pid,
            file,
            mounts,
            host::now(),
        );
        let was_failing = std::mem::replace(&mut self.failing, written.is_err());
        written.err().filter(|_| !was_failing)
    }
}
