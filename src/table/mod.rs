//! The process table: one file a process, under `procs/` in the state directory.
//!
//! A process is known by its pid only together with its start time and the boot. Its keeper writes
//! the entry: once before it starts anything, which is the claim by which no attempt is carried out
//! twice; once when the agent runs; and once when it has ended. Runs write entries only of processes
//! that have no keeper any more.

mod living;
mod slot;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::model::filename::safe;
use crate::model::process::Entry;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::atomic::{self, Writers};
use crate::sys::beneath::{self, Mounts, Small};

pub use living::{Host, Living};
pub use slot::Slot;

/// The table's directory within the state directory.
pub const DIR: &str = "procs";

/// No entry is larger: what is, is none of ours.
const LARGEST: usize = 256 << 10;

/// How long entries of processes that have ended are kept.
pub const KEPT_FOR: Duration = Duration::from_secs(14 * 86_400);

/// The process table.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    fd: OwnedFd,
}

/// Why an attempt could not be claimed.
#[derive(Debug)]
pub enum Unclaimed {
    /// Somebody has claimed it already: it is not to be carried out again.
    Taken,
    /// It could not be written.
    Failed(StoreError),
}

/// What was found in the table.
#[derive(Debug, Default)]
pub struct Found {
    /// The entries, in the order of their refs, which is that of time.
    pub entries: Vec<Entry>,
    /// Sentences about what could not be read.
    pub problems: Vec<String>,
}

impl Table {
    /// The table of a state directory, made (0700) where it is missing.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn create(state_dir: &Path) -> Result<Self, StoreError> {
        let path = state_dir.join(DIR);
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(StoreError::new("making the process table", &path, e)),
        }
        Self::try_open(&path).map_err(|e| cannot_open(&path, e))
    }

    /// The table of a state directory for reading; `None` where there is none yet.
    ///
    /// # Errors
    /// It is there and cannot be opened.
    pub fn open(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = state_dir.join(DIR);
        match Self::try_open(&path) {
            Ok(table) => Ok(Some(table)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(cannot_open(&path, e)),
        }
    }

    fn try_open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self {
            path: path.to_owned(),
            fd,
        })
    }

    /// The directory, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Claims an attempt: writes its entry, which must not be there yet, whole and durable.
    ///
    /// # Errors
    /// Somebody has claimed it, or it could not be written.
    pub fn claim(&self, entry: &Entry) -> Result<(), Unclaimed> {
        let name = name_of(&entry.r#ref);
        let path = self.path.join(&name);
        let failed = |what, e: std::io::Error| Unclaimed::Failed(StoreError::new(what, &path, e));
        let (temporary, written) = self.write_temporary(entry, &name);
        let written = written.map_err(|e| failed("writing", e));
        // A name that is taken stays as it is: this is what makes the claim one.
        let linked = written.and_then(|()| {
            rustix::fs::linkat(&self.fd, &temporary, &self.fd, &name, AtFlags::empty()).map_err(
                |e| match e {
                    Errno::EXIST => Unclaimed::Taken,
                    e => failed("claiming", e.into()),
                },
            )
        });
        let _ = rustix::fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
        linked?;
        rustix::fs::fsync(&self.fd).map_err(|e| failed("making durable", e.into()))
    }

    /// Tries whether an attempt could be claimed as far as the disk is concerned, and leaves nothing.
    ///
    /// # Errors
    /// The entry cannot be written: the disk is full or fails.
    pub fn try_out(&self, entry: &Entry) -> Result<(), StoreError> {
        let name = name_of(&entry.r#ref);
        let (temporary, written) = self.write_temporary(entry, &name);
        let _ = rustix::fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
        written.map_err(|e| StoreError::new("writing", &self.path.join(&name), e))
    }

    /// Writes an entry under another name, which is returned.
    fn write_temporary(&self, entry: &Entry, name: &str) -> (String, std::io::Result<()>) {
        let temporary = format!(".{name}.{}.claim", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::from_raw_mode(0o600);
        // One that a killed process of this number has left may be an entry by another name.
        let _ = rustix::fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
        let written = render(entry)
            .map_err(std::io::Error::from)
            .and_then(|bytes| {
                let fd = beneath::open_mode(&self.fd, &temporary, flags, mode, Mounts::Cross)?;
                let mut file = std::fs::File::from(fd);
                file.write_all(&bytes)?;
                file.sync_all()
            });
        (temporary, written)
    }

    /// Replaces an entry, whole and durable. What a newer version has added to it since it was read
    /// stays there: a keeper holds its entry for days, and may be older than the runs beside it.
    ///
    /// # Errors
    /// It could not be written; then it is as it was.
    pub fn replace(&self, entry: &Entry) -> Result<(), StoreError> {
        let name = name_of(&entry.r#ref);
        let mut entry = Cow::Borrowed(entry);
        // One that cannot be read has nothing to add, and is whole again after this.
        let there = self.entry(&entry.r#ref).ok().flatten();
        for (key, value) in there.map(|there| there.other).unwrap_or_default() {
            if !entry.other.contains_key(&key) {
                entry.to_mut().other.insert(key, value);
            }
        }
        let bytes = render(&entry);
        let bytes = bytes.map_err(|e| StoreError::new("writing", &self.path.join(&name), e))?;
        atomic::replace(&self.fd, &self.path, &name, &bytes, 0o600, Writers::Many)
    }

    /// One entry; `None` where there is none.
    ///
    /// # Errors
    /// A sentence: it is there and cannot be read.
    pub fn entry(&self, r#ref: &str) -> Result<Option<Entry>, String> {
        self.read(&name_of(r#ref), &mut vec![0; LARGEST + 1])
    }

    /// An entry that was read a moment ago, as it is now: as [`Host::look`], but an end that its
    /// keeper has written since is not taken for one that nobody saw.
    #[must_use]
    pub fn look(&self, entry: &Entry, host: &Host, now: Timestamp) -> Entry {
        let is = host.look(entry, now);
        if !is.status.is_over() || entry.status.is_over() {
            return is;
        }
        // Its keeper is gone by now, and writes no more.
        match self.entry(&entry.r#ref) {
            Ok(Some(newer)) if newer != *entry => host.look(&newer, now),
            _ => is,
        }
    }

    /// All entries.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn entries(&self) -> Result<Found, StoreError> {
        let failed = |e: Errno| StoreError::new("reading the process table", &self.path, e);
        let mut found = Found::default();
        let mut buffer = Vec::new();
        for name in Dir::read_from(&self.fd).map_err(failed)? {
            let name = name.map_err(failed)?;
            let Some(name) = name.file_name().to_str().ok().filter(|n| is_entry(n)) else {
                continue;
            };
            buffer.resize(LARGEST + 1, 0);
            match self.read(name, &mut buffer) {
                Ok(entry) => found.entries.extend(entry),
                Err(problem) => found.problems.push(problem),
            }
        }
        found.entries.sort_by(|a, b| a.r#ref.cmp(&b.r#ref));
        Ok(found)
    }

    fn read(&self, name: &str, buffer: &mut [u8]) -> Result<Option<Entry>, String> {
        let path = self.path.join(name);
        let path = path.display();
        let bytes = match beneath::read_small(&self.fd, name, buffer, Mounts::Cross) {
            Ok(Small::Read(_, length)) => &buffer[..length],
            Ok(Small::NotRegular(kind)) => {
                let kind = beneath::describe(kind);
                return Err(format!("reading {path}: it is {kind}, not a regular file"));
            }
            Ok(Small::TooLarge(size)) => {
                return Err(format!("reading {path}: {size} bytes are no entry of ours"));
            }
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(format!("reading {path}: {}", beneath::reason(e))),
        };
        let entry: Entry = serde_json::from_slice(bytes)
            .map_err(|e| format!("reading {path}: it is no entry of the process table: {e}"))?;
        match name_of(&entry.r#ref) == name {
            true => Ok(Some(entry)),
            false => Err(format!("reading {path}: it has another ref in it")),
        }
    }

    /// Forgets what ended longer ago than [`KEPT_FOR`], and what a kill left half written for an
    /// hour.
    ///
    /// # Errors
    /// A sentence: the directory cannot be read, or a file not removed.
    pub fn prune(&self, entries: &[Entry], now: Timestamp) -> Result<(), String> {
        let failed = |what: &str, e: Errno| {
            let (path, why) = (self.path.display(), beneath::reason(e));
            format!("removing {what} from the process table {path}: {why}")
        };
        let old = |entry: &&Entry| {
            let end = entry.ended_at.filter(|_| entry.status.is_over());
            end.is_some_and(|end| end.plus(KEPT_FOR) < now)
        };
        for entry in entries.iter().filter(old) {
            let name = name_of(&entry.r#ref);
            match rustix::fs::unlinkat(&self.fd, &name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(e) => return Err(failed(&name, e)),
            }
        }
        for name in Dir::read_from(&self.fd).map_err(|e| failed("what is old", e))? {
            let name = name.map_err(|e| failed("what is old", e))?;
            let name = name.file_name();
            if name.to_bytes().starts_with(b".") && self.is_left_over(name, now) {
                let _ = rustix::fs::unlinkat(&self.fd, name, AtFlags::empty());
            }
        }
        Ok(())
    }

    /// True for a temporary file, or a socket, that nobody can be using any more.
    fn is_left_over(&self, name: &std::ffi::CStr, now: Timestamp) -> bool {
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_file = |mode| {
            let kind = FileType::from_raw_mode(mode);
            matches!(kind, FileType::RegularFile | FileType::Socket)
        };
        stat.is_ok_and(|stat| {
            let written = Timestamp::from_secs(stat.st_mtime);
            is_file(stat.st_mode) && written.plus(Duration::from_secs(3600)) < now
        })
    }
}

impl AsFd for Table {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn cannot_open(path: &Path, errno: Errno) -> StoreError {
    StoreError::new("opening the process table", path, beneath::reason(errno))
}

fn name_of(r#ref: &str) -> String {
    format!("{}.json", safe(r#ref))
}

fn is_entry(name: &str) -> bool {
    !name.starts_with('.') && name.ends_with(".json")
}

fn render(entry: &Entry) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(entry)?;
    bytes.push(b'\n');
    Ok(bytes)
}
