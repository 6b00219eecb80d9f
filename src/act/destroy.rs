//! Removes a cell: first its name, so that from one moment to the next no run and no agent finds it
//! any more, then what was in it.
//!
//! The name that it is given meanwhile is hidden and says whose it was. What a removal that was
//! killed has left is found by it, and the next one of that cell finishes it.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, Dir, FileType, RenameFlags};
use rustix::io::Errno;

use super::place::{cannot, open_missions, shown, why};
use crate::model::exit::{Exit, Failure};
use crate::model::filename::safe;
use crate::model::text::from_bytes;
use crate::sys::beneath::{self, Mounts};
use crate::sys::create::TEMPORARY;
use crate::sys::remove::{self, Removal};

/// So many leftovers of one cell are told apart.
const MOST_LEFTOVERS: u32 = 64;

/// A cell that is to be removed, or what is left of it.
#[derive(Debug)]
pub struct Doomed {
    missions: OwnedFd,
    /// Its directory, for messages.
    pub path: PathBuf,
    id: String,
    /// Its directory's name and descriptor; none where only leftovers are there.
    cell: Option<(CString, OwnedFd)>,
    /// Hidden names under which something of it lies.
    hidden: Vec<CString>,
}

impl Doomed {
    /// Finds a cell by its name, and sees whether it can be removed at all. Changes nothing.
    ///
    /// # Errors
    /// There is no such cell, or it is no directory (1); it is a mount, has one in it, or the
    /// missions root cannot be written (74); there is no missions root (66).
    pub fn find(root: &Path, id: &str) -> Result<Self, Failure> {
        let missions = open_missions(root)?;
        let path = root.join(id);
        let mut doomed = Self {
            path,
            id: id.to_owned(),
            cell: None,
            hidden: Vec::new(),
            missions,
        };
        let read = |errno| cannot("reading the missions root", root, errno);
        let mut name = None;
        for entry in Dir::read_from(&doomed.missions).map_err(read)? {
            let entry = entry.map_err(read)?;
            let entry = entry.file_name();
            if doomed.is_leftover(entry) {
                doomed.hidden.push(entry.to_owned());
            } else if !entry.to_bytes().starts_with(b".") && from_bytes(entry.to_bytes()) == id {
                name = Some(entry.to_owned());
            }
        }
        if let Some(name) = name {
            let fd = doomed.open(&name)?;
            doomed.cell = Some((name, fd));
        } else if doomed.hidden.is_empty() {
            let root = shown(root);
            let message = format!(
                "there is no cell `{id}` under {root} (`lazarus-pit list` shows the cells)"
            );
            return Err(Failure::new(Exit::InHand, message));
        }
        doomed.may_write(root)?;
        Ok(doomed)
    }

    /// True where the cell itself is there, and not only what is left of it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cell.is_some()
    }

    /// True for a directory that an earlier removal of this cell has left.
    fn is_leftover(&self, name: &CStr) -> bool {
        let Ok(name) = name.to_str() else {
            return false;
        };
        let rest = name.strip_prefix(TEMPORARY);
        let rest = rest.and_then(|rest| rest.strip_prefix("destroyed-"));
        let parts = rest.and_then(|rest| rest.split_once('-'));
        parts.is_some_and(|(n, of)| n.parse::<u32>().is_ok() && of == safe(&self.id))
            && beneath::kind(&self.missions, name) == Ok(FileType::Directory)
    }

    fn open(&self, name: &CStr) -> Result<OwnedFd, Failure> {
        let refused = |what: String| {
            let path = shown(&self.path);
            Failure::new(Exit::CannotWrite, format!("removing {path}: {what}"))
        };
        let fd = match beneath::open_dir(&self.missions, name, Mounts::Refuse) {
            Ok(fd) => fd,
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let kind = beneath::kind(&self.missions, name).ok();
                let kind = kind.map_or("no directory", beneath::describe);
                let message = format!("{} is {kind}, and no cell", shown(&self.path));
                return Err(Failure::new(Exit::InHand, message));
            }
            Err(Errno::XDEV) => {
                return Err(refused(
                    "it is a mount, and none is crossed; unmount it first".to_owned(),
                ));
            }
            Err(errno) => return Err(cannot("opening", &self.path, errno)),
        };
        match remove::mounts_in(&fd).as_slice() {
            [] => Ok(fd),
            [first, ..] => Err(refused(format!(
                "{} is mounted in it, and no mount is crossed; unmount it first (nothing was removed)",
                shown(first)
            ))),
        }
    }

    /// Whoever cannot take the name away need not begin.
    fn may_write(&self, root: &Path) -> Result<(), Failure> {
        let how = Access::WRITE_OK | Access::EXEC_OK;
        match rustix::fs::accessat(&self.missions, c".", how, AtFlags::EACCESS) {
            Err(errno @ (Errno::ACCESS | Errno::ROFS)) => Err(cannot(
                "removing a cell from the missions root",
                root,
                errno,
            )),
            _ => Ok(()),
        }
    }

    /// Takes the cell's name away.
    ///
    /// # Errors
    /// It cannot be renamed, or something else was put in its place meanwhile (74).
    pub fn hide(&mut self) -> Result<(), Failure> {
        let Some((name, fd)) = self.cell.take() else {
            return Ok(());
        };
        let failed = |errno| cannot("renaming", &self.path, errno);
        for n in 0..MOST_LEFTOVERS {
            let to = format!("{TEMPORARY}destroyed-{n}-{}", safe(&self.id));
            let to = CString::new(to).map_err(|_| failed(Errno::INVAL))?;
            match rename(&self.missions, &name, &to) {
                Ok(()) => {
                    let same = self.is_same(&to, &fd).map_err(failed)?;
                    // Not the one that was looked at: it is neither removed nor kept from anybody.
                    if !same {
                        let _ = rename(&self.missions, &to, &name);
                        return Err(failed(Errno::STALE));
                    }
                    self.hidden.push(to);
                    return Ok(());
                }
                Err(Errno::EXIST | Errno::NOTEMPTY) => {}
                // A file system that cannot rename it (an overlay's lower layer) may still be able
                // to empty it.
                Err(Errno::XDEV) => {
                    self.hidden.push(name);
                    return Ok(());
                }
                Err(errno) => return Err(failed(errno)),
            }
        }
        Err(failed(Errno::EXIST))
    }

    fn is_same(&self, name: &CStr, fd: &OwnedFd) -> Result<bool, Errno> {
        let there = rustix::fs::statat(&self.missions, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let ours = rustix::fs::fstat(fd)?;
        Ok((there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino))
    }

    /// Removes what is hidden of it. Returns how many files, links and directories those were.
    ///
    /// # Errors
    /// Something could not be removed (74): what comes first of it, and why. All else is gone.
    pub fn remove(&self, root: &Path) -> Result<u64, Failure> {
        let mut removed = 0;
        for name in &self.hidden {
            let came = remove::tree(&self.missions, name);
            removed += came.removed;
            complete(&came, root, &self.id)?;
        }
        Ok(removed)
    }
}

/// Removes the logs of a cell; they may never have been written.
///
/// # Errors
/// As [`Doomed::remove`].
pub fn remove_logs(logs_dir: &Path, cell: &str) -> Result<u64, Failure> {
    let opened = match beneath::open_root(logs_dir) {
        Err(Errno::NOENT) => return Ok(0),
        opened => opened.map_err(|e| cannot("opening the logs in", logs_dir, e))?,
    };
    let folder = super::logs::folder_of(cell);
    let name = CString::new(folder).map_err(|_| cannot("removing", logs_dir, Errno::INVAL))?;
    let came = remove::tree(&opened, &name);
    complete(&came, logs_dir, cell).map(|()| came.removed)
}

fn complete(came: &Removal, dir: &Path, cell: &str) -> Result<(), Failure> {
    let Some(first) = &came.first else {
        return Ok(());
    };
    let path = shown(&dir.join(&first.path));
    let more = match came.failed {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let message = format!(
        "{} {path}: {}{more}; {} were removed, and `lazarus-pit destroy {cell} --yes` goes on with the rest",
        first.doing,
        match first.errno {
            Errno::XDEV => "a mount, and none is crossed; unmount it first".to_owned(),
            Errno::PERM => format!("{} (is it immutable? see lsattr)", why(Errno::PERM)),
            errno => why(errno),
        },
        came.removed,
    );
    Err(Failure::new(Exit::CannotWrite, message))
}

/// Renames without replacing anything.
fn rename(dir: &OwnedFd, from: &CStr, to: &CStr) -> Result<(), Errno> {
    match rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        // File systems without it: a plain rename of a directory replaces at most an empty one.
        Err(Errno::INVAL | Errno::NOSYS) => match beneath::kind(dir, to) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => rustix::fs::renameat(dir, from, dir, to),
            Err(errno) => Err(errno),
        },
        other => other,
    }
}
