//! The logs of what is started: where they lie, and the links to the newest of them.
//!
//! ```text
//! LOGS/CELL/20261121/REF_AGENT.log     one process (or attempt) and day
//! LOGS/CELL/20261121/AGENT.log      →  REF_AGENT.log
//! LOGS/CELL/AGENT.log               →  20261121/REF_AGENT.log
//! LOGS/_gateways/NAME/…                the same for a gateway
//! ```
//!
//! The names come from cells, so they are made safe first, and everything is opened beneath the
//! directory of the logs without following a link.

mod follow;
mod names;
mod prune;
mod read;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::model::action::Place;
use crate::model::time::Timestamp;
use crate::sys::beneath::{self, Mounts};
use crate::sys::create::{self, Access, Trouble};

pub use follow::{Batch, Follow, Woken};
pub use prune::prune;
pub use read::{Line, Reader, Rest, Seen, Whose};
pub use writer::{LogWriter, Stream};

/// Directories are nobody else's business.
const PRIVATE: Access = Access {
    owner: None,
    mode: Some(0o700),
};

/// The directory of the logs is the operator's, and so is what is mounted in it.
const MOUNTS: Mounts = Mounts::Cross;

/// The directory beneath that of the logs in which those of a cell stand, and nothing else.
#[must_use]
pub fn folder_of(cell: &str) -> String {
    names::folders(&Place {
        cell: Some((cell.to_owned(), PathBuf::new())),
        name: String::new(),
    })
    .remove(0)
}

/// Where logs are written, and how much.
#[derive(Clone, Debug)]
pub struct Logs {
    dir: PathBuf,
    max_bytes: u64,
    zone: TimeZone,
}

/// A log's file, just opened.
struct Opened {
    file: File,
    size: u64,
    /// True where it ends in the middle of a line: whoever wrote it was killed.
    torn: bool,
    path: PathBuf,
    /// What went wrong with the links, if something did: the log is written all the same.
    trouble: Option<String>,
}

impl Logs {
    /// Logs beneath a directory, with at most so many bytes a process and day. Days and times are
    /// those of the host's time zone.
    #[must_use]
    pub fn new(dir: PathBuf, max_bytes: u64) -> Self {
        Self::in_zone(dir, max_bytes, TimeZone::system())
    }

    /// The same in another time zone.
    #[must_use]
    pub fn in_zone(dir: PathBuf, max_bytes: u64, zone: TimeZone) -> Self {
        Self {
            dir,
            max_bytes,
            zone,
        }
    }

    /// Opens the log of one attempt (or of the process that has this ref).
    ///
    /// # Errors
    /// A sentence: the operation, the place, the cause.
    pub fn open(&self, place: &Place, r#ref: &str, now: Timestamp) -> Result<LogWriter, String> {
        LogWriter::open(self.clone(), place, r#ref, now)
    }

    /// The day that an instant belongs to, as directories are named.
    fn day(&self, at: Timestamp) -> String {
        Self::name_of_day(&self.local(at))
    }

    fn name_of_day(local: &jiff::Zoned) -> String {
        local.strftime("%Y%m%d").to_string()
    }

    fn local(&self, at: Timestamp) -> jiff::Zoned {
        let micros = at.as_micros();
        let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        at.to_zoned(self.zone.clone())
    }

    /// Opens one day's file for appending, makes what is missing on the way, and has the links
    /// lead to it.
    fn open_day(&self, place: &Place, r#ref: &str, day: &str) -> Result<Opened, String> {
        let folders = names::folders(place);
        let file = names::file(r#ref, &place.name);
        let mut path = self.dir.clone();
        path.extend(&folders);
        path.push(day);
        path.push(&file);
        let failed = |trouble: Trouble| {
            let (doing, why) = (trouble.doing, beneath::reason(trouble.errno));
            format!("{doing} the log {}: {why}", path.display())
        };
        // A second time, as the removal of old days takes empty directories away as well.
        let dirs = || self.directories(&folders, day);
        let (above, within) = dirs().or_else(|_| dirs()).map_err(failed)?;
        let (file, size) = (file.as_str(), open_file(&within, &file).map_err(failed)?);
        let link = names::link(&place.name);
        let linked = create::link(&within, &link, file)
            .and_then(|()| create::link(&above, &link, &format!("{day}/{file}")));
        let trouble = linked.err().map(|trouble| {
            let (doing, why) = (trouble.doing, beneath::reason(trouble.errno));
            format!(
                "{doing} the link {link} to the log {}: {why}",
                path.display()
            )
        });
        let (file, size) = size;
        let torn = ends_torn(&file, size);
        Ok(Opened {
            file,
            size,
            torn,
            path,
            trouble,
        })
    }

    /// The directory of the subject's logs and, in it, the one of a day.
    fn directories(&self, folders: &[String], day: &str) -> Result<(OwnedFd, OwnedFd), Trouble> {
        let mut above = make_root(&self.dir)?;
        for folder in folders {
            above = create::dir(&above, folder, PRIVATE, MOUNTS)?.0;
        }
        let within = create::dir(&above, day, PRIVATE, MOUNTS)?.0;
        Ok((above, within))
    }
}

fn make_root(dir: &Path) -> Result<OwnedFd, Trouble> {
    let trouble = |doing: &'static str| move |errno| Trouble { doing, errno };
    let errno = |e: std::io::Error| Errno::from_io_error(&e).unwrap_or(Errno::IO);
    match beneath::open_root(dir) {
        Err(Errno::NOENT) => {}
        other => return other.map_err(trouble("opening the directory of")),
    }
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(dir);
    made.map_err(errno)
        .map_err(trouble("creating the directory of"))?;
    beneath::open_root(dir).map_err(trouble("opening the directory of"))
}

fn open_file(dir: &OwnedFd, name: &str) -> Result<(File, u64), Trouble> {
    let trouble = |errno| Trouble {
        doing: "opening",
        errno,
    };
    // Read as well: only for its last byte.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND;
    let mode = Mode::from_raw_mode(0o600);
    let fd = beneath::open_mode(dir, name, flags, mode, MOUNTS).map_err(trouble)?;
    let stat = rustix::fs::fstat(&fd).map_err(trouble)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(trouble(Errno::INVAL));
    }
    Ok((File::from(fd), u64::try_from(stat.st_size).unwrap_or(0)))
}

fn ends_torn(file: &File, size: u64) -> bool {
    let mut last = [b'\n'];
    let _ = size
        .checked_sub(1)
        .map(|at| rustix::io::pread(file, &mut last, at));
    last != [b'\n']
}
