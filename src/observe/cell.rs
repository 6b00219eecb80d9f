//! One cell: from a directory that agents write to, to facts.
//!
//! On the common path a cell costs one directory read, its manifest and its heartbeats. Whatever
//! an agent puts beside these is not looked at, however much it is: a top directory with more
//! entries than a cell has any use for is asked only for the names that matter.

use std::borrow::Cow;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{FileType, OFlags, RawDir};
use rustix::io::Errno;

use super::json::Words;
use super::mounts::{self, Closed};
use super::{Look, heartbeat, manifest};
use crate::core::classify::{MAIN, heartbeat_path};
use crate::model::cell::{AgentFacts, CellFacts, Layout, MANIFEST_UNREADABLE, Manifest, Warning};
use crate::model::text::from_bytes;
use crate::sys::beneath::{self, Small};

/// The canonical layout's required subdirectories.
pub const CANONICAL_SUBDIRS: [&str; 3] = ["workspace", "logs", ".lazarus"];

/// The canonical layout's manifest, whose being there tells the layout.
pub const CANONICAL_MANIFEST: &str = "cell.json";

/// The foundation layout's manifest.
pub const FOUNDATION_MANIFEST: &str = "meta/mission.json";

/// A top directory is listed as far as this many entries; then the names that matter are asked
/// for one by one.
const MOST_ENTRIES: usize = 1024;

/// What a thread that reads cells needs again and again.
pub(super) struct Scratch {
    /// As large as the largest file that is read, and one byte.
    pub(super) file: Vec<u8>,
    pub(super) words: Words,
    entries: Vec<MaybeUninit<u8>>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            file: vec![0; heartbeat::LARGEST + 1],
            words: Words::default(),
            entries: vec![MaybeUninit::uninit(); 8 << 10],
        }
    }
}

/// Reads one cell; `None` where it is gone by now, or is no directory any more.
pub(super) fn read(
    root: &OwnedFd,
    name: &CStr,
    look: &Look,
    scratch: &mut Scratch,
) -> Option<CellFacts> {
    read_through(root, name, look, scratch).map(|(facts, _)| facts)
}

/// As [`read`], with the owner of the directory that was read; `None` where it could not be opened.
pub(super) fn read_owned(
    root: &OwnedFd,
    name: &CStr,
    look: &Look,
    scratch: &mut Scratch,
) -> Option<(CellFacts, Option<u32>)> {
    let (facts, fd) = read_through(root, name, look, scratch)?;
    let stat = fd.and_then(|fd| rustix::fs::fstat(&fd).ok());
    Some((facts, stat.map(|stat| stat.st_uid)))
}

/// What is read of a cell, and the directory through which it was; none where that could not be
/// opened.
fn read_through(
    root: &OwnedFd,
    name: &CStr,
    look: &Look,
    scratch: &mut Scratch,
) -> Option<(CellFacts, Option<OwnedFd>)> {
    let mut facts = unread(name);
    match open(root, name, look) {
        Ok(fd) => {
            read_open(&mut facts, &fd, look, scratch);
            Some((facts, Some(fd)))
        }
        Err(Refusal::Gone) => None,
        Err(Refusal::Unreadable(why)) => {
            facts.unreadable = Some(why);
            Some((facts, None))
        }
    }
}

fn read_open(facts: &mut CellFacts, fd: &OwnedFd, look: &Look, scratch: &mut Scratch) {
    match Top::read(fd, look, scratch) {
        Ok(top) => fill(facts, fd, top, look, scratch),
        Err(e) => {
            let why = format!(
                "the cell's directory could not be read: {}",
                beneath::reason(e)
            );
            facts.unreadable = Some(why);
        }
    }
}

/// The facts of a cell of which nothing is known but its name.
pub(super) fn unread(name: &CStr) -> CellFacts {
    CellFacts {
        id: from_bytes(name.to_bytes()).into(),
        layout: None,
        unreadable: None,
        missing: Vec::new(),
        manifest_problem: None,
        manifest: Manifest::default(),
        agents: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Why a cell could not be opened.
enum Refusal {
    Gone,
    Unreadable(String),
}

fn open(root: &OwnedFd, name: &CStr, look: &Look) -> Result<OwnedFd, Refusal> {
    let errno = match mounts::open_cell(root, name, look.mounts) {
        Err(Closed::Errno(Errno::ACCESS)) => {
            // A directory that may be searched and not listed still tells what it is asked for.
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            match beneath::open(root, name, flags, look.mounts) {
                Ok(fd) => return Ok(fd),
                Err(errno) => errno,
            }
        }
        Err(Closed::Errno(errno)) => errno,
        Err(Closed::Mount(why)) => return Err(Refusal::Unreadable(why)),
        Ok(fd) => return Ok(fd),
    };
    Err(match errno {
        // It was a directory when the root was listed: it is gone, or something else by now.
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Refusal::Gone,
        e => Refusal::Unreadable(format!(
            "the cell's directory could not be opened: {}",
            beneath::reason(e)
        )),
    })
}

/// What stands at the top of a cell, as far as it matters.
struct Top {
    canonical: bool,
    missing: Vec<Box<str>>,
}

impl Top {
    fn read(cell: &OwnedFd, look: &Look, scratch: &mut Scratch) -> Result<Self, Errno> {
        if let Some(top) = Self::list(cell, look, scratch)? {
            return Ok(top);
        }
        let canonical = match beneath::kind(cell, CANONICAL_MANIFEST) {
            Ok(_) => true,
            Err(Errno::NOENT) => false,
            Err(e) => return Err(e),
        };
        let mut missing = Vec::new();
        for path in required(canonical, look) {
            if !is_dir(cell, path, look)? {
                missing.push(path.into());
            }
        }
        Ok(Self { canonical, missing })
    }

    /// By listing the directory; `None` where that does not tell.
    fn list(cell: &OwnedFd, look: &Look, scratch: &mut Scratch) -> Result<Option<Self>, Errno> {
        let foundation = look.required_subdirs.as_slice();
        if foundation.len() > 64 || foundation.iter().any(|path| path.contains('/')) {
            return Ok(None);
        }
        let (mut canonical, mut found, mut found_canonical) = (false, 0u64, 0u64);
        let mut entries = RawDir::new(cell, &mut scratch.entries);
        let mut seen = 0;
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // Opened only to be searched.
                Err(Errno::BADF) => return Ok(None),
                Err(e) => return Err(e),
            };
            seen += 1;
            let (name, kind) = (entry.file_name().to_bytes(), entry.file_type());
            if seen > MOST_ENTRIES || kind == FileType::Unknown {
                return Ok(None);
            }
            canonical |= name == CANONICAL_MANIFEST.as_bytes();
            if kind == FileType::Directory {
                found |= bit(name, foundation);
                found_canonical |= bit(name, &CANONICAL_SUBDIRS);
            }
        }
        let found = if canonical { found_canonical } else { found };
        let missing = required(canonical, look)
            .enumerate()
            .filter(|(n, _)| found & (1 << n) == 0)
            .map(|(_, path)| path.into())
            .collect();
        Ok(Some(Self { canonical, missing }))
    }
}

fn bit(name: &[u8], names: &[impl AsRef<str>]) -> u64 {
    names
        .iter()
        .position(|n| n.as_ref().as_bytes() == name)
        .map_or(0, |n| 1 << n)
}

fn required<'a>(canonical: bool, look: &'a Look) -> impl Iterator<Item = &'a str> {
    let (canon, found): (&'a [&'a str], &'a [String]) = if canonical {
        (&CANONICAL_SUBDIRS, &[])
    } else {
        (&[], &look.required_subdirs)
    };
    canon
        .iter()
        .copied()
        .chain(found.iter().map(String::as_str))
}

fn is_dir(cell: &OwnedFd, path: &str, look: &Look) -> Result<bool, Errno> {
    match beneath::open(cell, path, OFlags::PATH | OFlags::DIRECTORY, look.mounts) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
        // There is a directory, only it is a mount.
        Err(Errno::XDEV) => Ok(true),
        Err(e) => Err(e),
    }
}

fn fill(facts: &mut CellFacts, cell: &OwnedFd, top: Top, look: &Look, scratch: &mut Scratch) {
    let layout = if top.canonical {
        Layout::Canonical
    } else {
        Layout::Foundation
    };
    facts.layout = Some(layout);
    facts.missing = top.missing;
    read_manifest(facts, cell, layout, look, scratch);
    let mut agent = |name: Cow<'static, str>, path: Arc<str>| {
        let heartbeat = heartbeat::read(cell, &path, scratch, look.mounts);
        AgentFacts {
            name,
            path,
            heartbeat,
        }
    };
    facts.agents = match (layout, facts.manifest.agents.take()) {
        (_, Some(named)) => named
            .into_iter()
            .map(|name| {
                let path = heartbeat_path(layout, &name).into();
                agent(Cow::Owned(name.into()), path)
            })
            .collect(),
        (Layout::Foundation, None) => {
            vec![agent(Cow::Borrowed(MAIN), Arc::clone(&look.heartbeat_file))]
        }
        (Layout::Canonical, None) => Vec::new(),
    };
}

fn read_manifest(
    facts: &mut CellFacts,
    cell: &OwnedFd,
    layout: Layout,
    look: &Look,
    scratch: &mut Scratch,
) {
    let path = match layout {
        Layout::Canonical => CANONICAL_MANIFEST,
        Layout::Foundation => FOUNDATION_MANIFEST,
    };
    let parsed = match beneath::read_small(cell, path, &mut scratch.file, look.mounts) {
        Ok(Small::Read(stat, length)) => {
            manifest::parse(&scratch.file[..length], layout).map(|parsed| (parsed, stat))
        }
        Ok(Small::NotRegular(kind)) => Err(format!(
            "it is {}, not a regular file",
            beneath::describe(kind)
        )),
        Ok(Small::TooLarge(size)) => Err(format!(
            "it has {size} bytes, more than {}",
            heartbeat::LARGEST
        )),
        Err(Errno::NOENT | Errno::NOTDIR) if layout == Layout::Foundation => return,
        // Ours to answer for and not the cell's: nothing is concluded from it.
        Err(e @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO)) => {
            let why = format!("{path} could not be read: {}", beneath::reason(e));
            facts.unreadable = Some(why);
            return;
        }
        Err(e) => Err(beneath::reason(e)),
    };
    let (parsed, stat) = match parsed {
        Ok(parsed) => parsed,
        Err(why) => {
            match layout {
                Layout::Canonical => facts.manifest_problem = Some(why),
                // Optional: the cell is classified without it.
                Layout::Foundation => {
                    let message = format!("{path} cannot be used: {why}");
                    facts
                        .warnings
                        .push(Warning::about(MANIFEST_UNREADABLE, &*facts.id, message));
                }
            }
            return;
        }
    };
    facts.manifest = parsed.manifest;
    if let Some(said) = parsed.mission_id.filter(|said| **said != *facts.id) {
        let message = manifest::other_name(path, &said, &facts.id);
        facts
            .warnings
            .push(Warning::about("mission_id_mismatch", &*facts.id, message));
    }
    // A second name for the file would be one that somebody else may own the directory of.
    let trusted = look
        .trust
        .as_ref()
        .is_none_or(|t| t.holds(stat.st_uid, stat.st_mode) && stat.st_nlink == 1);
    let said = &mut facts.manifest;
    let says = said.lifecycle.is_some() || said.labels.is_some() || said.issue.is_some();
    if !trusted && says {
        // Nobody chooses their own plan, hides their own cell, or sends elsewhere what is told of it.
        said.lifecycle = None;
        said.labels = None;
        said.issue = None;
        let (why, mend) = match stat.st_nlink {
            1 => (
                format!(
                    "it belongs to uid {}, mode {:04o}",
                    stat.st_uid,
                    stat.st_mode & 0o7777
                ),
                "`chown root` and `chmod go-w`, or accept its owner with --trust-owner",
            ),
            n => (
                format!("it has {n} names (hard links)"),
                "a copy in its place",
            ),
        };
        let message = format!(
            "what {path} says of lifecycle, labels and issue is ignored: {why}, and only root's word counts (mend it with {mend})"
        );
        facts
            .warnings
            .push(Warning::about("manifest_untrusted", &*facts.id, message));
    }
}
