//! Files that probes name. What lies in a cell is opened as everything there is: beneath it, by
//! descriptors, following no link. Any other path is the operator's own, links and all.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Asker;
use crate::observe::mounts::{self, Closed};
use crate::sys::beneath::{self, Mounts, reason};

/// Why a file was not seen.
pub(super) enum Unseen {
    /// What the kernel answered.
    Errno(Errno),
    /// A sentence.
    Why(String),
}

impl Unseen {
    /// True where that says that it is not there, or is nothing that could be looked at, and not
    /// only that we cannot look.
    pub(super) fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Errno(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::NODEV)
        )
    }

    /// The sentence.
    pub(super) fn why(self) -> String {
        match self {
            Self::Errno(Errno::LOOP) => "it is a symbolic link, or lies behind one".to_owned(),
            Self::Errno(errno) => reason(errno),
            Self::Why(why) => why,
        }
    }
}

impl From<Errno> for Unseen {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// A directory, what is sought beneath it, and whether links and mounts on the way count.
pub(super) struct Found {
    pub(super) dir: OwnedFd,
    pub(super) name: OsString,
    pub(super) mounts: Mounts,
    /// True in a cell.
    pub(super) strict: bool,
}

/// Finds the directory that a path leads to, and the name in it.
pub(super) fn find(path: &str, asker: &Asker) -> Result<Found, Unseen> {
    let path = Path::new(path);
    let Some(name) = path.file_name().filter(|_| path.is_absolute()) else {
        return Err(Unseen::Why("this is no absolute path of a file".to_owned()));
    };
    let roots = [asker.look.root.as_path(), asker.told_root.as_path()];
    let mut beneath_root = roots.iter().filter_map(|root| path.strip_prefix(root).ok());
    if let Some(rest) = beneath_root.next() {
        return in_cell(rest, asker);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = path.parent().unwrap_or(Path::new("/"));
    Ok(Found {
        dir: rustix::fs::openat(CWD, parent, flags, Mode::empty())?,
        name: name.to_owned(),
        mounts: Mounts::Cross,
        strict: false,
    })
}

fn in_cell(rest: &Path, asker: &Asker) -> Result<Found, Unseen> {
    let plain = |c: &Component<'_>| matches!(c, Component::Normal(_));
    let mut components = rest.components();
    let (Some(Component::Normal(cell)), true) =
        (components.next(), rest.components().all(|c| plain(&c)))
    else {
        let why = "beneath the missions root a path names a cell and what is in it, without `..`";
        return Err(Unseen::Why(why.to_owned()));
    };
    let look = &asker.look;
    let root = beneath::open_root(&look.root)?;
    let cell = CString::new(cell.as_bytes()).map_err(|_| Errno::NOENT)?;
    let dir = match mounts::open_cell(&root, &cell, look.mounts) {
        Ok(dir) => dir,
        Err(Closed::Errno(Errno::ACCESS)) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            beneath::open(&root, &*cell, flags, look.mounts)?
        }
        Err(Closed::Errno(errno)) => return Err(errno.into()),
        Err(Closed::Mount(why)) => return Err(Unseen::Why(why)),
    };
    let within = components.as_path();
    Ok(Found {
        dir,
        name: match within.as_os_str().is_empty() {
            true => OsStr::new(".").to_owned(),
            false => within.as_os_str().to_owned(),
        },
        mounts: look.mounts,
        strict: true,
    })
}

/// What a file is like. It is not opened for reading, so that nothing waits and nobody notices.
pub(super) fn stat(path: &str, asker: &Asker) -> Result<Stat, Unseen> {
    let found = find(path, asker)?;
    let fd = match found.strict {
        true => beneath::open(&found.dir, &*found.name, OFlags::PATH, found.mounts)?,
        false => {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            rustix::fs::openat(&found.dir, &*found.name, flags, Mode::empty())?
        }
    };
    let stat = rustix::fs::fstat(&fd)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => Err(Errno::LOOP.into()),
        _ => Ok(stat),
    }
}

/// Reads a file, whole.
///
/// # Errors
/// A sentence: it is none, is too long, or could not be read.
pub(super) fn read(path: &str, most: usize, asker: &Asker) -> Result<Vec<u8>, String> {
    let found = find(path, asker).map_err(Unseen::why)?;
    let fd = match found.strict {
        true => beneath::open(&found.dir, &*found.name, OFlags::RDONLY, found.mounts),
        false => {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
            rustix::fs::openat(&found.dir, &*found.name, flags, Mode::empty())
        }
    };
    let fd = fd.map_err(reason)?;
    let stat = rustix::fs::fstat(&fd).map_err(reason)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        let kind = beneath::describe(kind);
        return Err(format!("it is {kind}, not a regular file"));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut file = std::io::Read::take(std::fs::File::from(fd), limit);
    std::io::Read::read_to_end(&mut file, &mut bytes).map_err(|e| e.to_string())?;
    match bytes.len() > most {
        true => Err(format!("it has more than {most} bytes")),
        false => Ok(bytes),
    }
}
