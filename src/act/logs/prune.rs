//! Removes the days whose time is over.
//!
//! Only what this module's siblings make is removed: files and links in directories of eight
//! digits, and links that lead nowhere any more. Everything goes by descriptor and no link is
//! followed.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;

use super::{Logs, MOUNTS, names};
use crate::model::time::Timestamp;
use crate::sys::beneath;
use crate::sys::create::{self, Access, Durable};

/// Says on which day old ones were last removed. Hidden, so that it is no cell's.
const MARK: &str = ".pruned";

/// Removes the days that ended longer ago than `keep`, and links that lead nowhere. The first call
/// of a day does so, and stops at `until`; what is left then is the next day's.
///
/// # Errors
/// A sentence: the directory of the logs can be neither read nor written.
pub fn prune(logs: &Logs, keep: Duration, now: Timestamp, until: Instant) -> Result<(), String> {
    let failed = |doing: &str, errno| {
        let (dir, why) = (logs.dir.display(), beneath::reason(errno));
        format!("{doing} the logs in {dir}: {why}")
    };
    let root = match beneath::open_root(&logs.dir) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed("opening", errno)),
    };
    let today = logs.day(now);
    let mut mark = [0; 16];
    match beneath::read_small(&root, MARK, &mut mark, MOUNTS) {
        Ok(beneath::Small::Read(_, n)) if &mark[..n] == today.as_bytes() => return Ok(()),
        _ => {}
    }
    let kept = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
    let first = logs.day(Timestamp::from_micros(now.as_micros().saturating_sub(kept)));
    let sweep = Sweep { first, until };
    for (name, kind) in entries(&root).map_err(|errno| failed("reading", errno))? {
        if kind != FileType::Directory || !sweep.has_time() {
            continue;
        }
        if names::has_more_levels(&name) {
            let Ok(dir) = beneath::open_dir(&root, name.as_str(), MOUNTS) else {
                continue;
            };
            for (name, kind) in entries(&dir).unwrap_or_default() {
                if kind == FileType::Directory && sweep.has_time() {
                    sweep.subject(&dir, &name);
                }
            }
        } else {
            sweep.subject(&root, &name);
        }
    }
    let access = Access {
        owner: None,
        mode: Some(0o600),
    };
    create::replace(&root, MARK, today.as_bytes(), access, Durable::No)
        .map_err(|trouble| failed("removing old days of", trouble.errno))
}

struct Sweep {
    /// The first day that is kept.
    first: String,
    until: Instant,
}

impl Sweep {
    fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    /// One subject's (or cell's) directory. What cannot be removed stays for another day.
    fn subject(&self, parent: &OwnedFd, name: &str) {
        let Ok(dir) = beneath::open_dir(parent, name, MOUNTS) else {
            return;
        };
        let mut links = Vec::new();
        for (name, kind) in entries(&dir).unwrap_or_default() {
            let is_day = name.len() == 8 && name.bytes().all(|b| b.is_ascii_digit());
            match kind {
                FileType::Directory if is_day && name < self.first && self.has_time() => {
                    self.day(&dir, &name);
                }
                FileType::Symlink => links.push(name),
                _ => {}
            }
        }
        for link in links {
            // Asked without opening it: whether there is something behind it is all that counts.
            let there = rustix::fs::statat(&dir, &link, AtFlags::empty()).err();
            if there == Some(Errno::NOENT) {
                let _ = rustix::fs::unlinkat(&dir, &link, AtFlags::empty());
            }
        }
        // Goes only if nothing is in it, as with a cell that is no more.
        let _ = rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
    }

    fn day(&self, parent: &OwnedFd, name: &str) {
        let Ok(dir) = beneath::open_dir(parent, name, MOUNTS) else {
            return;
        };
        for (name, kind) in entries(&dir).unwrap_or_default() {
            if kind != FileType::Directory && self.has_time() {
                let _ = rustix::fs::unlinkat(&dir, &name, AtFlags::empty());
            }
        }
        let _ = rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
    }
}

/// Names and kinds. Names that are not UTF-8 are none of ours.
pub(super) fn entries(dir: impl AsFd) -> Result<Vec<(String, FileType)>, Errno> {
    let mut all = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        if matches!(name, "." | "..") {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say.
            FileType::Unknown => beneath::kind(&dir, name)?,
            kind => kind,
        };
        all.push((name.to_owned(), kind));
    }
    Ok(all)
}
