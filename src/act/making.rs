//! Adds to a cell what it lacks, keeps account of it, and can take back what it added.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::place::{self, cannot, trouble};
use crate::model::exit::{Exit, Failure};
use crate::sys::beneath::{self, Mounts};
use crate::sys::create::{self, Access, Durable};

/// The directory whose contents are the operator's word, not the agents'.
const OPERATORS: &str = "meta";

/// Whose a new file is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// The agents', who work with it.
    Agents,
    /// The operator's: what it says is believed because no agent can write it.
    Operator,
}

/// One cell in the making.
pub(super) struct Making<'a> {
    cell: &'a OwnedFd,
    /// Where the cell is, or is going to be: for messages.
    path: PathBuf,
    /// Whose the agents' things are to be; the running user's where `None`.
    owner: Option<(u32, u32)>,
    mounts: Mounts,
    /// What was added, in order, as paths beneath the cell.
    pub(super) created: Vec<String>,
    /// What was there.
    pub(super) existing: Vec<String>,
}

impl<'a> Making<'a> {
    pub(super) fn new(
        cell: &'a OwnedFd,
        path: PathBuf,
        owner: Option<(u32, u32)>,
        mounts: Mounts,
    ) -> Self {
        Self {
            cell,
            path,
            owner,
            mounts,
            created: Vec::new(),
            existing: Vec::new(),
        }
    }

    /// A directory, given by its components, with those that it lies in.
    pub(super) fn dir(&mut self, components: &[&str]) -> Result<Option<OwnedFd>, Failure> {
        let mut at: Option<OwnedFd> = None;
        let mut path = String::new();
        for name in components {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(name);
            let access = self.access(
                if path == OPERATORS {
                    For::Operator
                } else {
                    For::Agents
                },
                0o755,
            );
            let parent = at.as_ref().map_or(self.cell.as_fd(), |fd| fd.as_fd());
            match create::dir(parent, name, access, self.mounts) {
                Ok((fd, made)) => {
                    self.note(&path, made);
                    at = Some(fd);
                }
                Err(e) if matches!(e.errno, Errno::LOOP | Errno::NOTDIR) => {
                    return Err(self.in_the_way(parent, name, &path, "a directory", e.errno));
                }
                Err(e) => return Err(trouble(&self.path.join(&path), e)),
            }
        }
        Ok(at)
    }

    /// A file, given by its components, with the directories that it lies in. True where it was
    /// not there before.
    pub(super) fn file(
        &mut self,
        components: &[&str],
        contents: &[u8],
        whose: For,
    ) -> Result<bool, Failure> {
        let Some((name, dirs)) = components.split_last() else {
            return Ok(false);
        };
        let dir = self.dir(dirs)?;
        let dir = dir.as_ref().map_or(self.cell.as_fd(), |fd| fd.as_fd());
        let path = components.join("/");
        // Asked first, so that a second run writes no temporary file for what is there.
        let made = match beneath::kind(dir, *name) {
            Err(Errno::NOENT) => {
                create::file(dir, name, contents, self.access(whose, 0o644), Durable::Yes)
                    .map_err(|e| trouble(&self.path.join(&path), e))?
            }
            Err(errno) => return Err(cannot("looking at", &self.path.join(&path), errno)),
            Ok(_) => false,
        };
        if !made && !matches!(beneath::kind(dir, *name), Ok(FileType::RegularFile)) {
            return Err(self.in_the_way(dir, name, &path, "a regular file", Errno::EXIST));
        }
        self.note(&path, made);
        Ok(made)
    }

    fn access(&self, whose: For, readable: u32) -> Access {
        match (whose, self.owner) {
            (_, None) => Access::default(),
            (For::Agents, owner) => Access { owner, mode: None },
            // Whoever runs the agents is another user, who reads it whatever our umask is.
            (For::Operator, Some(_)) => Access {
                owner: None,
                mode: Some(readable),
            },
        }
    }

    fn note(&mut self, path: &str, made: bool) {
        let known = |list: &[String]| list.iter().any(|p| p == path);
        if !known(&self.created) && !known(&self.existing) {
            let list = if made {
                &mut self.created
            } else {
                &mut self.existing
            };
            list.push(path.to_owned());
        }
    }

    fn in_the_way(
        &self,
        dir: BorrowedFd<'_>,
        name: &str,
        path: &str,
        wanted: &str,
        errno: Errno,
    ) -> Failure {
        let path = self.path.join(path);
        match beneath::kind(dir, name) {
            Ok(kind) => Failure::new(
                Exit::CannotWrite,
                format!(
                    "creating {}: {} is there, not {wanted}, and nothing that is there is \
                     replaced; move it away and try again",
                    place::shown(&path),
                    beneath::describe(kind),
                ),
            ),
            Err(_) => cannot("creating", &path, errno),
        }
    }

    /// Removes what was added, the last first. Best effort: it is called when something failed
    /// already, and that is what is told.
    pub(super) fn take_back(&self) {
        for path in self.created.iter().rev() {
            let (parent, name) = match path.rsplit_once('/') {
                Some((dirs, name)) => (beneath::open_dir(self.cell, dirs, self.mounts), name),
                None => (
                    beneath::open_dir(self.cell, ".", self.mounts),
                    path.as_str(),
                ),
            };
            if let Ok(dir) = parent {
                let flags = match beneath::kind(&dir, name) {
                    Ok(FileType::Directory) => AtFlags::REMOVEDIR,
                    _ => AtFlags::empty(),
                };
                let _ = rustix::fs::unlinkat(&dir, name, flags);
            }
        }
    }
}
