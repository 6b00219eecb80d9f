//! Looking at the world. Nothing here changes anything, and nothing that is found is trusted.
//!
//! A look never fails as a whole but for the missions root itself: a cell that cannot be read is a
//! cell of which just that is known.

pub mod again;
pub mod cell;
mod gateways;
pub mod heartbeat;
mod json;
pub mod manifest;
pub mod mounts;
mod pool;
pub mod probes;
mod root;

pub use gateways::Watched;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use globset::GlobSet;

use crate::core::classify::Limits;
use crate::model::exit::Failure;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::sys::beneath::Mounts;
use crate::sys::trust::Trust;

/// What to look at, and by which rules.
#[derive(Clone, Debug)]
pub struct Look {
    /// The missions root.
    pub root: PathBuf,
    /// Only cells whose names match; all of them where absent.
    pub scope: Option<GlobSet>,
    /// Foundation layout: the subdirectories that must be there.
    pub required_subdirs: Vec<String>,
    /// Foundation layout: where `main` beats, beneath the cell.
    pub heartbeat_file: Arc<str>,
    /// What heartbeats are held against.
    pub limits: Limits,
    /// Whether mounts below a cell are walked into.
    pub mounts: Mounts,
    /// Whose manifests are believed; everyone's where absent (we are not root).
    pub trust: Option<Trust>,
    /// When the run must be over.
    pub deadline: Instant,
    /// The gateways that are looked at, in byte order of their names.
    pub gateways: Vec<Watched>,
    /// Hears, once a look takes long enough to be noticed, how many cells of how many are done.
    pub progress: Option<fn(usize, usize)>,
}

/// Looks at every cell in scope. Cells that do not answer in time are cells that could not be
/// looked at.
///
/// # Errors
/// The missions root is missing, no directory, or cannot be read.
pub fn snapshot(look: Look, now: Timestamp) -> Result<Snapshot, Failure> {
    let (missions_root, full) = (look.root.clone(), look.scope.is_none());
    let gateways = gateways::read_all(&look, now);
    let seen = pool::read_all(look, now)?;
    Ok(Snapshot {
        taken_at: now,
        boot_id: crate::sys::host::boot_id(),
        missions_root,
        root: seen.mark,
        full,
        cells: seen.cells,
        gateways,
        ended: std::collections::BTreeMap::new(),
        evidence: std::collections::BTreeMap::new(),
        asked: std::collections::BTreeMap::new(),
        uptime: crate::sys::host::uptime(),
        warnings: seen.warnings,
    })
}
