//! All that one run saw.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::action::Ended;
use super::cell::{Beat, Cell, Reason, Status, Warning};
use super::condition::Condition;
use super::probe::Evidence;
use super::time::Timestamp;

/// The missions root, as far as it tells one from another.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RootMark {
    /// `st_dev` of the root.
    pub dev: u64,
    /// The file system's own id (`f_fsid`), which survives a reboot where it has one.
    pub fsid: u64,
    /// Its real path, links followed; empty where that could not be told.
    #[serde(default)]
    pub path: String,
}

/// What a run saw, judged cell by cell.
#[derive(Debug)]
pub struct Snapshot {
    /// The one `now` of the run: ages are held against it.
    pub taken_at: Timestamp,
    /// This boot's id.
    pub boot_id: String,
    /// The missions root, as configured.
    pub missions_root: PathBuf,
    /// What file system it is.
    pub root: RootMark,
    /// True where the run looked at all cells, false under `--cell`.
    pub full: bool,
    /// The cells in byte order of their names; each filled in exactly once.
    pub cells: Cells,
    /// The gateways, in byte order of their names.
    pub gateways: Vec<Gateway>,
    /// The processes that were kept for a subject and have ended, the last one of each.
    pub ended: BTreeMap<String, Ended>,
    /// What all evidence about a cell's agent adds up to, where more than its heartbeat was asked.
    pub evidence: BTreeMap<String, Condition>,
    /// The same piece by piece, for all subjects about which more than the heartbeat was asked.
    pub asked: BTreeMap<String, Evidence>,
    /// How long ago this host was booted; `None` where the kernel does not say.
    pub uptime: Option<Duration>,
    /// What else was noticed.
    pub warnings: Vec<Warning>,
}

impl Snapshot {
    /// The missions root as those who work elsewhere are told it: absolute.
    #[must_use]
    pub fn told_root(&self) -> std::borrow::Cow<'_, str> {
        match self.missions_root.is_absolute() || self.root.path.is_empty() {
            true => self.missions_root.to_string_lossy(),
            false => self.root.path.as_str().into(),
        }
    }

    /// A whole look at these cells, on a host of which nothing else is known.
    #[must_use]
    pub fn new(taken_at: Timestamp, missions_root: impl Into<PathBuf>, cells: Cells) -> Self {
        Self {
            taken_at,
            boot_id: String::new(),
            missions_root: missions_root.into(),
            root: RootMark {
                dev: 1,
                fsid: 1,
                path: String::new(),
            },
            full: true,
            cells,
            gateways: Vec::new(),
            ended: BTreeMap::new(),
            evidence: BTreeMap::new(),
            asked: BTreeMap::new(),
            uptime: None,
            warnings: Vec::new(),
        }
    }
}

/// An agent outside any cell, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// What its evidence adds up to.
    pub condition: Condition,
    /// False where it could not be looked at.
    pub observed: bool,
    /// Its last beat, where it has a usable one.
    pub beat: Option<Beat>,
    /// Why it is not healthy.
    pub reasons: Vec<Reason>,
}

/// The cells of a snapshot. They are shared with the threads that read them, because a thread
/// that hangs in a read cannot be taken back.
#[derive(Clone, Debug, Default)]
pub struct Cells(Arc<Vec<std::sync::OnceLock<Option<Cell>>>>);

impl Cells {
    /// Places for `n` cells, none of them known yet.
    #[must_use]
    pub fn with_places(n: usize) -> Self {
        Self(Arc::new(
            std::iter::repeat_with(std::sync::OnceLock::new)
                .take(n)
                .collect(),
        ))
    }

    /// How many places there are, cells that vanished while they were read included.
    #[must_use]
    pub fn places(&self) -> usize {
        self.0.len()
    }

    /// Fills a place: with the cell, or with `None` where it vanished. The first word counts, and
    /// false says that this was not the first: a late answer of a thread that was given up.
    pub fn fill(&self, place: usize, cell: Option<Cell>) -> bool {
        self.0.get(place).is_some_and(|slot| slot.set(cell).is_ok())
    }

    /// True where the place has been filled.
    #[must_use]
    pub fn is_filled(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(|slot| slot.get().is_some())
    }

    /// The cell at a place; `None` where it vanished.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Cell> {
        self.0.get(place)?.get()?.as_ref()
    }

    /// The cells, in byte order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Cell> {
        self.0
            .iter()
            .filter_map(|slot| slot.get().and_then(Option::as_ref))
    }
}

impl FromIterator<Cell> for Cells {
    fn from_iter<I: IntoIterator<Item = Cell>>(cells: I) -> Self {
        Self(Arc::new(
            cells
                .into_iter()
                .map(|c| std::sync::OnceLock::from(Some(c)))
                .collect(),
        ))
    }
}

/// How many cells have which status.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct Summary {
    /// All cells that are not ignored.
    pub total_cells: u64,
    /// Cells whose agents all beat.
    pub healthy: u64,
    /// Cells with an agent whose last beat is too old.
    pub stale: u64,
    /// Cells that lack what a cell must have, or could not be read.
    pub incomplete: u64,
    /// Cells with an agent that has no usable heartbeat.
    pub uninitialized: u64,
    /// Archived and destroyed cells.
    pub ignored: u64,
}

impl Summary {
    /// Counts the cells.
    pub fn of<'a>(cells: impl Iterator<Item = &'a Cell>) -> Self {
        let mut sum = Self::default();
        for cell in cells {
            if cell.is_ignored() {
                sum.ignored += 1;
                continue;
            }
            sum.total_cells += 1;
            match cell.status {
                Status::Healthy => sum.healthy += 1,
                Status::Stale => sum.stale += 1,
                Status::Incomplete => sum.incomplete += 1,
                Status::Uninitialized => sum.uninitialized += 1,
            }
        }
        sum
    }
}
