//! The state directory itself.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::StoreError;
use crate::sys::host;
use crate::sys::trust::Trust;

/// The state directory, open. Everything in it is reached through this descriptor.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    fd: OwnedFd,
}

impl StateDir {
    /// Opens the directory for a run that writes: makes it (0700) where it is missing.
    ///
    /// # Errors
    /// It cannot be made or opened; or, as root, others can write to it: whoever can put a state
    /// or a journal there decides what root does.
    pub fn create(path: &Path, trust: &Trust) -> Result<Self, StoreError> {
        if let Err(e) = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
        {
            return Err(StoreError::new(
                "making the state directory",
                path,
                hint(&e),
            ));
        }
        let dir = Self::open_existing(path)?;
        let meta = std::fs::metadata(path)
            .map_err(|e| StoreError::new("looking at the state directory", path, e))?;
        if host::is_root() && !trust.holds(meta.uid(), meta.mode()) {
            let cause = format!(
                "it belongs to {} and has mode {:04o}: whoever can write there decides what root does (mend \
                 it with `chown root {p} && chmod 700 {p}`, or accept its owner with --trust-owner)",
                host::user_name(meta.uid()),
                meta.mode() & 0o7777,
                p = path.display(),
            );
            return Err(StoreError::new("trusting the state directory", path, cause));
        }
        Ok(dir)
    }

    /// Opens the directory for reading; `None` where there is none yet.
    ///
    /// # Errors
    /// It is there and cannot be opened.
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        match Self::try_open(path) {
            Ok(dir) => Ok(Some(dir)),
            // Only that: one that we may not see is not one that is not there.
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(cannot_open(path, e)),
        }
    }

    fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::try_open(path).map_err(|e| cannot_open(path, e))
    }

    fn try_open(path: &Path) -> Result<Self, Errno> {
        Ok(Self {
            path: path.to_owned(),
            fd: crate::sys::beneath::open_root(path)?,
        })
    }

    /// Its path, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file in it by name, not through a link and never to be inherited. New files are 0600.
    ///
    /// # Errors
    /// The errno of openat(2).
    pub fn open_file(&self, name: &str, flags: OFlags) -> std::io::Result<File> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(0o600))?;
        Ok(File::from(fd))
    }
}

impl AsFd for StateDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn cannot_open(path: &Path, errno: Errno) -> StoreError {
    let cause = std::io::Error::from(errno);
    StoreError::new("opening the state directory", path, cause)
}

/// The cause, and what an ordinary user is likely to want.
fn hint(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            format!("{error}; name another one with --state-dir or $LAZARUS_PIT_STATE_DIR")
        }
        _ => error.to_string(),
    }
}
