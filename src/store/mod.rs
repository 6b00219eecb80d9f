//! What survives a crash: the lock, the journal and the state.
//!
//! The journal is written first; the state file is what the journal adds up to, kept so that a run
//! need not read the journal from its start. A state that is older than the journal's end is
//! brought up to it, a broken or missing one is rebuilt from it.

pub mod atomic;
pub mod dir;
pub mod journal;
pub mod lock;
pub mod state;

use std::fmt;
use std::path::{Path, PathBuf};

/// Something in the state directory that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {cause}", .path.display())]
pub struct StoreError {
    /// What was tried, such as `writing`.
    pub what: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub cause: String,
}

impl StoreError {
    /// An error of one operation on one file.
    pub(crate) fn new(what: &'static str, path: &Path, cause: impl fmt::Display) -> Self {
        Self {
            what,
            path: path.to_owned(),
            cause: cause.to_string(),
        }
    }
}
