//! The place of a subject: who holds it may start an agent, and nobody else.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use super::Table;
use crate::model::filename::safe;
use crate::store::StoreError;
use crate::sys::beneath::{self, Mounts};

/// How often a lock is looked for again whose file was taken away meanwhile.
const TRIES: u32 = 16;

/// A subject's place, taken. Both locks are free again when it is dropped, but for the second one
/// where an agent has inherited it.
#[derive(Debug)]
pub struct Slot {
    _lock: OwnedFd,
    alive: OwnedFd,
}

impl Slot {
    /// What the agent inherits: a description of its own, opened for reading only, so that letting
    /// go of it does not free the keeper's lock.
    #[must_use]
    pub fn alive(&self) -> BorrowedFd<'_> {
        self.alive.as_fd()
    }
}

impl Table {
    /// Takes a subject's place; `None` where a keeper holds it, or an agent whose keeper is gone.
    ///
    /// # Errors
    /// The files of the locks cannot be opened or locked.
    pub fn take(&self, slot: &str) -> Result<Option<Slot>, StoreError> {
        let Some(lock) = self.lock(&lock_name(slot), OFlags::RDWR)? else {
            return Ok(None);
        };
        let alive = self.lock(&alive_name(slot), OFlags::RDONLY)?;
        Ok(alive.map(|alive| Slot { _lock: lock, alive }))
    }

    /// True where a process has open what the agents of one of these places inherit, be the file's
    /// name taken away by now. Others may have files at such a path in a mount namespace of their
    /// own, but none of ours.
    #[must_use]
    pub fn is_held_by(&self, pid: i32, slots: &[&str]) -> bool {
        let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
            return false;
        };
        let Ok(table) = rustix::fs::fstat(&self.fd) else {
            return false;
        };
        let names: Vec<String> = slots.iter().map(|slot| alive_name(slot)).collect();
        let is_place = |to: &Path| {
            let name = to.file_name().unwrap_or_default().to_string_lossy();
            let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
            to.parent() == Some(&self.path) && names.iter().any(|place| place == name)
        };
        let is_ours = |at: &Path| {
            // It is not asked of whoever serves the file system: that could be anybody.
            let flags = AtFlags::STATX_DONT_SYNC;
            let asked = StatxFlags::TYPE | StatxFlags::UID;
            let stat = rustix::fs::statx(rustix::fs::CWD, at, flags, asked);
            stat.is_ok_and(|stat| {
                let dev = rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor);
                (dev, stat.stx_uid) == (table.st_dev, table.st_uid)
            })
        };
        let mut open = open.filter_map(|entry| Some(entry.ok()?.path()));
        open.any(|at| std::fs::read_link(&at).is_ok_and(|to| is_place(&to)) && is_ours(&at))
    }

    fn lock(&self, name: &str, flags: OFlags) -> Result<Option<OwnedFd>, StoreError> {
        let failed =
            |what, e: Errno| StoreError::new(what, &self.path.join(name), beneath::reason(e));
        let mode = Mode::from_raw_mode(0o600);
        for _ in 0..TRIES {
            let fd =
                beneath::open_mode(&self.fd, name, flags | OFlags::CREATE, mode, Mounts::Cross)
                    .map_err(|e| failed("opening", e))?;
            match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(e) => return Err(failed("locking", e)),
            }
            // A lock on a file that has no name any more keeps nobody out.
            let same = |there: rustix::fs::Stat| {
                rustix::fs::fstat(&fd)
                    .is_ok_and(|ours| (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino))
            };
            let there = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
            if there.is_ok_and(same) {
                return Ok(Some(fd));
            }
        }
        Err(failed("locking", Errno::NOENT))
    }
}

/// The file that a keeper has locked for its life.
pub(super) fn lock_name(slot: &str) -> String {
    format!("{}.lock", safe(slot))
}

/// The file that an agent has locked as long as any process of it keeps the descriptor.
pub(super) fn alive_name(slot: &str) -> String {
    format!("{}.alive", safe(slot))
}
