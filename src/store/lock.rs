//! One run at a time: an advisory lock on a file of its own.
//!
//! The file is never renamed and never removed, because a lock belongs to the inode: two runs that
//! lock two files of one name both think they are alone. The descriptor is close-on-exec, so that
//! nothing that a run starts keeps the lock; and the lock is given back by word before a run ends,
//! so that a thread that hangs in a read cannot keep it either.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt};
use std::time::{Duration, Instant};

use fs2::{FileExt, TryLockError};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::dir::StateDir;
use crate::model::time::{Timestamp, human, millis};
use crate::sys::{host, process};

/// The lock file's name in the state directory.
pub const LOCK_FILE: &str = "state.lock";

/// A run is taken to hang once it is older than this many of its own deadlines.
const HUNG_AFTER_DEADLINES: u32 = 3;

/// How long a hung holder has between TERM and KILL, and again until it is gone.
const END_GRACE: Duration = Duration::from_secs(2);

/// How often a lock that is waited for is tried.
const POLL: Duration = Duration::from_millis(10);

/// What the holder of the lock writes into the file, for the next one's message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// Its pid.
    pub pid: i32,
    /// Its start time in clock ticks since the boot.
    pub start_time: u64,
    /// The boot that pid and start time belong to.
    pub boot_id: String,
    /// The run's id.
    pub run: String,
    /// When it took the lock.
    pub since: Timestamp,
    /// The same on the clock that no one sets: milliseconds of the monotonic clock.
    pub monotonic_ms: u64,
    /// The deadline it gave itself, in milliseconds.
    pub deadline_ms: u64,
}

impl Holder {
    /// This process, about to begin a run.
    #[must_use]
    pub fn me(run: &str, deadline: Duration) -> Self {
        let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
        Self {
            pid,
            start_time: process::start_time(pid).unwrap_or(0),
            boot_id: host::boot_id(),
            run: run.to_owned(),
            since: host::now(),
            monotonic_ms: millis(host::monotonic()),
            deadline_ms: millis(deadline),
        }
    }

    /// How long it has held the lock, by the monotonic clock.
    fn held_for(&self) -> Duration {
        Duration::from_millis(millis(host::monotonic()).saturating_sub(self.monotonic_ms))
    }

    /// The process itself, if it is still the one that wrote this.
    fn process(&self) -> Option<process::Handle> {
        (self.boot_id == host::boot_id()).then(|| process::Handle::of(self.pid, self.start_time))?
    }

    /// True where it should have ended long ago.
    fn is_hung(&self) -> bool {
        let limit = Duration::from_millis(self.deadline_ms).saturating_mul(HUNG_AFTER_DEADLINES);
        self.held_for() > limit
    }
}

/// The lock, held. Given back when dropped.
#[derive(Debug)]
pub struct StateLock {
    file: File,
    /// A run that hung and was ended, so that this one could begin.
    pub ended: Option<Holder>,
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Closing would do, were it not for threads that may hang and keep the file open.
        let _ = FileExt::unlock(&self.file);
    }
}

/// Why the lock could not be had.
#[derive(Debug)]
pub enum Refused {
    /// Another run holds it; the sentence names it.
    Busy(String),
    /// The lock file could not be opened or locked.
    Failed(StoreError),
}

/// Takes the lock, trying for at most `wait`, and writes the holder's name into it. A holder that
/// is provably a lazarus-pit and hangs is ended first.
///
/// # Errors
/// [`Refused`].
pub fn acquire(dir: &StateDir, me: &Holder, wait: Duration) -> Result<StateLock, Refused> {
    let path = dir.file(LOCK_FILE);
    let failed = |what, e: std::io::Error| Refused::Failed(StoreError::new(what, &path, e));
    let file = dir
        .open_file(LOCK_FILE, OFlags::RDWR | OFlags::CREATE)
        .map_err(|e| failed("opening the lock file", e))?;
    let until = Instant::now() + wait;
    let mut ended = None;
    loop {
        match FileExt::try_lock(&file) {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => return Err(failed("locking", e)),
        }
        let holder = read_holder(&file);
        if ended.is_none()
            && let Some(hung) = holder.as_ref().filter(|h| end_if_hung(h))
        {
            log::warn!(
                "run {} (pid {}) hung for {} and was ended",
                hung.run,
                hung.pid,
                human(hung.held_for())
            );
            ended = Some(hung.clone());
            continue;
        }
        if Instant::now() >= until {
            return Err(Refused::Busy(busy_message(dir, &file, holder.as_ref())));
        }
        std::thread::sleep(POLL);
    }
    // Held from now on, however long it was waited for.
    let me = Holder {
        since: host::now(),
        monotonic_ms: millis(host::monotonic()),
        ..me.clone()
    };
    let mut line = serde_json::to_vec(&me).map_err(|e| failed("writing", e.into()))?;
    line.push(b'\n');
    file.set_len(0)
        .and_then(|()| file.write_all_at(&line, 0))
        .map_err(|e| failed("writing", e))?;
    Ok(StateLock { file, ended })
}

/// True where somebody holds the lock right now; for those who only look. It is not taken.
#[must_use]
pub fn is_held(dir: &StateDir) -> bool {
    let file = dir.open_file(LOCK_FILE, OFlags::RDONLY);
    file.is_ok_and(|file| locked_by(&file).is_some())
}

/// Who holds the lock, as those who only look are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// A sentence that names the holder and for how long it has held the lock.
    pub message: String,
    /// True where it should have ended long ago.
    pub is_hung: bool,
    /// True where the holder is provably a run that wrote its name, false for anything else.
    pub is_run: bool,
}

/// Looks who holds the lock right now. It is not taken.
#[must_use]
pub fn look(dir: &StateDir) -> Option<Held> {
    let file = dir.open_file(LOCK_FILE, OFlags::RDONLY).ok()?;
    locked_by(&file)?;
    let holder = read_holder(&file).filter(|holder| holder.process().is_some());
    Some(Held {
        message: busy_message(dir, &file, holder.as_ref()),
        is_hung: holder.as_ref().is_some_and(Holder::is_hung),
        is_run: holder.is_some(),
    })
}

/// Ends the holder if it hangs and is provably the process that took the lock.
fn end_if_hung(holder: &Holder) -> bool {
    if !holder.is_hung() || !process::runs_our_program(holder.pid) {
        return false;
    }
    holder
        .process()
        .is_some_and(|process| process.end(END_GRACE))
}

fn read_holder(file: &File) -> Option<Holder> {
    let mut buffer = [0; 4096];
    let n = file.read_at(&mut buffer, 0).ok()?;
    serde_json::from_slice(&buffer[..n]).ok()
}

fn busy_message(dir: &StateDir, file: &File, holder: Option<&Holder>) -> String {
    let path = dir.file(LOCK_FILE);
    match holder.filter(|h| h.process().is_some()) {
        Some(h) => format!(
            "another run holds the lock {}: pid {}, run {}, for {} (since {})",
            path.display(),
            h.pid,
            h.run,
            human(h.held_for()),
            h.since,
        ),
        // The file names somebody who is gone: the kernel knows who it is.
        None => match locked_by(file) {
            Some(pid) => format!(
                "another process holds the lock {}: pid {pid}",
                path.display()
            ),
            None => format!("another process holds the lock {}", path.display()),
        },
    }
}

/// The pid that holds a flock on this file, as `/proc/locks` has it.
fn locked_by(file: &File) -> Option<i32> {
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (kind, pid, id) = (fields.nth(1)?, fields.nth(2)?, fields.next()?);
        (kind == "FLOCK" && id.ends_with(&inode)).then(|| pid.parse().ok())?
    })
}
