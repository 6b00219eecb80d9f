//! Where things lie in a cell, and what to say when they cannot be got at.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::model::cell::Layout;
use crate::model::exit::{Exit, Failure};
use crate::model::text::visible;
use crate::sys::beneath::{self, Mounts};
use crate::sys::create::Trouble;

pub(super) use crate::core::classify::MAIN;
pub(super) use crate::observe::cell::{CANONICAL_MANIFEST, FOUNDATION_MANIFEST};
pub(super) use crate::observe::manifest::LONGEST_AGENT;

/// A layout's manifest.
pub(super) fn manifest(layout: Layout) -> &'static str {
    match layout {
        Layout::Foundation => FOUNDATION_MANIFEST,
        Layout::Canonical => CANONICAL_MANIFEST,
    }
}

/// Opens the missions root. Which directory it is, is the operator's choice: links are followed.
pub(super) fn open_missions(root: &Path) -> Result<OwnedFd, Failure> {
    beneath::open_root(root).map_err(|errno| {
        let hint = match errno {
            Errno::NOENT => {
                "; is its disk mounted? Make it with `mkdir -p`, or name another with --root"
            }
            Errno::NOTDIR => "; name a directory with --root",
            _ => "",
        };
        Failure::new(
            Exit::NoRoot,
            format!(
                "opening the missions root {}: {}{hint}",
                shown(root),
                why(errno)
            ),
        )
    })
}

/// Which layout an open cell has.
pub(super) fn layout(cell: &OwnedFd) -> Result<Layout, Errno> {
    match beneath::kind(cell, CANONICAL_MANIFEST) {
        Ok(_) => Ok(Layout::Canonical),
        Err(Errno::NOENT) => Ok(Layout::Foundation),
        Err(errno) => Err(errno),
    }
}

/// The path's components, where it is one that leads from a cell to something beneath it.
pub(super) fn components(path: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = path.split('/').collect();
    let good = |part: &&str| !matches!(*part, "" | "." | "..") && !part.contains('\0');
    parts.iter().all(good).then_some(parts)
}

/// As [`components`], for a path that the configuration gave.
pub(super) fn configured<'a>(path: &'a str, key: &str) -> Result<Vec<&'a str>, Failure> {
    components(path).ok_or_else(|| {
        Failure::new(
            Exit::Config,
            format!("{key}: {path:?} is no plain path beneath a cell (no `..`, not absolute)"),
        )
    })
}

/// What on the way to a directory is none, as the end of a message.
pub(super) fn in_the_way(cell: &OwnedFd, dirs: &[&str], mounts: Mounts) -> Option<String> {
    (1..=dirs.len()).find_map(|n| {
        let above = if n == 1 {
            ".".to_owned()
        } else {
            dirs[..n - 1].join("/")
        };
        let parent = beneath::open_dir(cell, above, mounts).ok()?;
        let kind = beneath::kind(&parent, dirs[n - 1]).ok()?;
        (kind != FileType::Directory)
            .then(|| format!("; {} is {}", dirs[..n].join("/"), beneath::describe(kind)))
    })
}

/// A path fit to be shown.
pub(super) fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}

/// The errno in words.
pub(super) fn why(errno: Errno) -> String {
    beneath::reason(errno)
}

/// A failure to write: the operation, the path, the cause.
pub(super) fn cannot(doing: &str, path: &Path, errno: Errno) -> Failure {
    Failure::new(
        Exit::CannotWrite,
        format!("{doing} {}: {}", shown(path), why(errno)),
    )
}

/// The same, of something that was to be made.
pub(super) fn trouble(path: &Path, trouble: Trouble) -> Failure {
    cannot(trouble.doing, path, trouble.errno)
}
