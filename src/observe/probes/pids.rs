//! Files that name a process, and whether a process can be the one that was meant.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::fs::Stat;
use rustix::io::Errno;

use crate::model::time::Timestamp;
use crate::sys::beneath::{self, Mounts, Small};
use crate::sys::target::Target;

/// By how much what is written may seem older than the process that wrote it: many write whole
/// seconds.
const ROUNDING: Duration = Duration::from_secs(1);

/// The most that a pidfile may hold, in bytes.
const LARGEST: usize = 4096;

/// What a pidfile says.
#[derive(Debug)]
pub struct Pidfile {
    /// The pid in its first line.
    pub pid: i32,
    /// When it was last written, by the file system's word.
    pub written: Timestamp,
    /// The file.
    pub stat: Stat,
}

/// Why a pidfile says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// What the kernel answered.
    Errno(Errno),
    /// It is none: a sentence.
    Not(String),
}

impl From<Errno> for Unread {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Reads a pidfile in a directory; it is no link.
///
/// # Errors
/// It is not there, cannot be read, or is no pidfile.
pub fn read(dir: impl AsFd, name: &OsStr, mounts: Mounts) -> Result<Pidfile, Unread> {
    let mut buffer = vec![0; LARGEST + 1];
    let (stat, length) = match beneath::read_small(dir, name, &mut buffer, mounts)? {
        Small::Read(stat, length) => (stat, length),
        Small::NotRegular(kind) => {
            let kind = beneath::describe(kind);
            return Err(Unread::Not(format!("it is {kind}, not a regular file")));
        }
        Small::TooLarge(size) => {
            let why = format!("it has {size} bytes, more than {LARGEST}");
            return Err(Unread::Not(why));
        }
    };
    let pid = first_number(&buffer[..length]);
    let pid = pid.ok_or_else(|| Unread::Not("its first line is no pid".to_owned()))?;
    let written = written(&stat);
    Ok(Pidfile { pid, written, stat })
}

/// Why what was written at a time cannot mean this process.
#[must_use]
pub fn older(target: &Target, written: Timestamp, what: &str, now: Timestamp) -> Option<String> {
    if written > now.plus(ROUNDING) {
        return Some(format!(
            "may be another by now: {what} is from {written}, which is still to come; was the clock set back?"
        ));
    }
    (target.started > written.plus(ROUNDING)).then(|| {
        let started = target.started;
        format!("is another by now: it was started at {started}, and {what} is from {written}")
    })
}

/// When a file was last written. Its modification time can be set at will, its change time not.
#[must_use]
pub fn written(stat: &Stat) -> Timestamp {
    let time = |secs: i64, nanos: u64| Timestamp::from_secs(secs).plus(Duration::from_nanos(nanos));
    time(stat.st_mtime, stat.st_mtime_nsec).min(time(stat.st_ctime, stat.st_ctime_nsec))
}

fn first_number(text: &[u8]) -> Option<i32> {
    let line = text.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    let digits = !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| line.parse().ok().filter(|pid| *pid > 0))?
}
