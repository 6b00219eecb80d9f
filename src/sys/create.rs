//! Making files and directories in a directory that others write to.
//!
//! Everything is made under a temporary name of its own and moved into place when it is whole, so
//! that a kill at any instant leaves nothing half made under a name that somebody reads. What a
//! kill can leave behind is the temporary: hidden, named [`TEMPORARY`]`…`, and in nobody's way.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;

use super::{beneath, host};
use crate::sys::beneath::Mounts;

/// What every temporary name begins with. A leading dot: no such name is ever a cell's.
pub const TEMPORARY: &str = ".lazarus-pit-";

/// How often a race with somebody else who makes or removes the same name is taken up again.
const TRIES: u32 = 16;

/// Who gets what is made, and how it may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// User and group; the running user's where there is none.
    pub owner: Option<(u32, u32)>,
    /// The exact mode, whatever the umask; 0755 or 0644 under the umask where there is none.
    pub mode: Option<u32>,
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The operation, as a message names it: `creating the directory`.
    pub doing: &'static str,
    /// Why it failed.
    pub errno: Errno,
}

impl Trouble {
    fn when(doing: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self { doing, errno }
    }
}

/// Whether a file's contents reach the disk before its name does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// fsync before the rename: after a loss of power it is whole or not there.
    Yes,
    /// Not: the file is written again soon in any case.
    No,
}

/// The directory `name` (one component) in `parent`, made if it is not there. True where it was
/// made by this call.
///
/// # Errors
/// `ENOTDIR` where something else has that name, be it a link to a directory; what the calls answered.
pub fn dir(
    parent: impl AsFd,
    name: &str,
    access: Access,
    mounts: Mounts,
) -> Result<(OwnedFd, bool), Trouble> {
    let parent = parent.as_fd();
    for _ in 0..TRIES {
        match beneath::open_dir(parent, name, mounts) {
            Ok(fd) => return Ok((fd, false)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(Trouble::when("opening the directory")(errno)),
        }
        match new_dir(parent, name, access) {
            // Somebody else was faster: theirs is looked at.
            Err(trouble) if trouble.errno == Errno::EXIST => {}
            made => return made.map(|fd| (fd, true)),
        }
    }
    Err(Trouble::when("creating the directory")(Errno::EXIST))
}

fn new_dir(parent: BorrowedFd<'_>, name: &str, access: Access) -> Result<OwnedFd, Trouble> {
    if access == Access::default() {
        // Made in one step: there is nothing to be half done.
        rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))
            .map_err(Trouble::when("creating the directory"))?;
        let opened = beneath::open_dir(parent, name, Mounts::Refuse);
        if opened.is_err() {
            // Nobody hears that it was made, so that nobody else would take it back.
            let _ = rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
        }
        return opened.map_err(Trouble::when("opening the directory"));
    }
    let (temporary, fd) = staged_dir(parent)?;
    let placed = give(&fd, access).and_then(|()| place(parent, &temporary, name));
    if let Err(trouble) = placed {
        // Best effort: the failure that is told is the one that came first.
        let _ = rustix::fs::unlinkat(parent, &temporary, AtFlags::REMOVEDIR);
        return Err(trouble);
    }
    Ok(fd)
}

/// A new and empty directory under a temporary name in `parent`: its name and its descriptor.
///
/// # Errors
/// What the calls answered.
pub fn staged_dir(parent: impl AsFd) -> Result<(String, OwnedFd), Trouble> {
    let parent = parent.as_fd();
    let name = temporary(|name| rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)))
        .map_err(Trouble::when("creating the directory"))?
        .0;
    let opened = beneath::open_dir(parent, &name, Mounts::Refuse)
        .map_err(Trouble::when("opening the directory"))
        .and_then(|fd| {
            // Whoever may write to `parent` could have put another directory under this name
            // between the two calls, one that must not be given away.
            match is_fresh(&fd).map_err(Trouble::when("reading the directory"))? {
                true => Ok(fd),
                false => Err(Trouble::when("creating the directory")(Errno::STALE)),
            }
        });
    if opened.is_err() {
        let _ = rustix::fs::unlinkat(parent, &name, AtFlags::REMOVEDIR);
    }
    opened.map(|fd| (name, fd))
}

/// True for a directory that is ours and has nothing in it.
fn is_fresh(fd: &OwnedFd) -> Result<bool, Errno> {
    let ours = rustix::fs::fstat(fd)?.st_uid == host::uid();
    for entry in Dir::read_from(fd)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(ours)
}

/// Gives what was just made the mode and the owner that it is to have.
///
/// # Errors
/// What fchmod(2) or fchown(2) answered.
pub fn give(fd: impl AsFd, access: Access) -> Result<(), Trouble> {
    if let Some(mode) = access.mode {
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))
            .map_err(Trouble::when("setting the mode of"))?;
    }
    if let Some((uid, gid)) = access.owner {
        rustix::fs::fchown(&fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .map_err(Trouble::when("giving to its owner"))?;
    }
    Ok(())
}

/// Moves a directory from its temporary name to its own.
///
/// # Errors
/// `EEXIST` where that name is taken; what the calls answered.
pub fn place(parent: impl AsFd, temporary: &str, name: &str) -> Result<(), Trouble> {
    let parent = parent.as_fd();
    let moving = Trouble::when("moving into place");
    match rustix::fs::renameat_with(parent, temporary, parent, name, RenameFlags::NOREPLACE) {
        // File systems without RENAME_NOREPLACE (NFS among them). A plain rename of a directory
        // replaces nothing but an empty directory.
        Err(Errno::INVAL | Errno::NOSYS) => match beneath::kind(parent, name) {
            Ok(_) => Err(moving(Errno::EXIST)),
            Err(Errno::NOENT) => {
                rustix::fs::renameat(parent, temporary, parent, name).map_err(moving)
            }
            Err(errno) => Err(moving(errno)),
        },
        other => other.map_err(moving),
    }
}

/// A new file `name` (one component) in `dir`. False where that name is taken already; then
/// nothing was changed.
///
/// # Errors
/// What the calls answered; then there is no such file, and no temporary one.
pub fn file(
    dir: impl AsFd,
    name: &str,
    contents: &[u8],
    access: Access,
    durable: Durable,
) -> Result<bool, Trouble> {
    let dir = dir.as_fd();
    through_temporary(dir, contents, access, durable, |temporary| {
        match rustix::fs::renameat_with(dir, temporary, dir, name, RenameFlags::NOREPLACE) {
            // As for directories; a link is never made over a name that is taken.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(dir, temporary, dir, name, AtFlags::empty())?;
                rustix::fs::unlinkat(dir, temporary, AtFlags::empty())
            }
            other => other,
        }
    })
    .map(|()| true)
    .or_else(|trouble| match trouble.errno {
        Errno::EXIST => Ok(false),
        _ => Err(trouble),
    })
}

/// The file `name` (one component) in `dir`, replaced whole if it was there.
///
/// # Errors
/// What the calls answered; then the file is as it was, and no temporary one is left.
pub fn replace(
    dir: impl AsFd,
    name: &str,
    contents: &[u8],
    access: Access,
    durable: Durable,
) -> Result<(), Trouble> {
    let dir = dir.as_fd();
    through_temporary(dir, contents, access, durable, |temporary| {
        rustix::fs::renameat(dir, temporary, dir, name)
    })
}

/// The symbolic link `name` (one component) in `dir` to `target`, replaced whole if there was one.
///
/// # Errors
/// `EEXIST` where something else than a link has that name; what the calls answered.
pub fn link(dir: impl AsFd, name: &str, target: &str) -> Result<(), Trouble> {
    let dir = dir.as_fd();
    match beneath::kind(dir, name) {
        Ok(FileType::Symlink) | Err(Errno::NOENT) => {}
        Ok(_) => return Err(Trouble::when("replacing by a link")(Errno::EXIST)),
        Err(errno) => return Err(Trouble::when("reading the link")(errno)),
    }
    let (temporary, ()) = temporary(|name| rustix::fs::symlinkat(target, dir, name))
        .map_err(Trouble::when("creating the link"))?;
    rustix::fs::renameat(dir, &temporary, dir, name).map_err(|errno| {
        // Best effort: the failure that is told is the one that came first.
        let _ = rustix::fs::unlinkat(dir, &temporary, AtFlags::empty());
        Trouble::when("moving into place")(errno)
    })
}

fn through_temporary(
    dir: BorrowedFd<'_>,
    contents: &[u8],
    access: Access,
    durable: Durable,
    place: impl FnOnce(&str) -> Result<(), Errno>,
) -> Result<(), Trouble> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let mode = Mode::from_raw_mode(0o644);
    let (name, fd) = temporary(|name| beneath::open_mode(dir, name, flags, mode, Mounts::Refuse))
        .map_err(Trouble::when("creating a temporary file for"))?;
    let mut file = File::from(fd);
    let done = write(&mut file, contents, durable)
        .map_err(Trouble::when("writing"))
        .and_then(|()| give(&file, access))
        .and_then(|()| place(&name).map_err(Trouble::when("moving into place")));
    if done.is_err() {
        // Best effort: the failure that is told is the one that came first.
        let _ = rustix::fs::unlinkat(dir, &name, AtFlags::empty());
    }
    done
}

fn write(file: &mut File, contents: &[u8], durable: Durable) -> Result<(), Errno> {
    let errno = |e: std::io::Error| Errno::from_io_error(&e).unwrap_or(Errno::IO);
    file.write_all(contents).map_err(errno)?;
    match durable {
        Durable::Yes => file.sync_all().map_err(errno),
        Durable::No => Ok(()),
    }
}

/// Makes something under a temporary name that nothing else has.
fn temporary<T>(make: impl Fn(&str) -> Result<T, Errno>) -> Result<(String, T), Errno> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut made = Err(Errno::EXIST);
    for _ in 0..TRIES {
        let (pid, at) = (std::process::id(), host::monotonic().as_nanos());
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{TEMPORARY}{pid}-{at:x}-{n}.tmp");
        made = make(&name).map(|t| (name, t));
        if !matches!(made, Err(Errno::EXIST)) {
            break;
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(path: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(path)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_name_that_is_taken_is_left_alone_and_nothing_stays_behind() {
        let tmp = tempfile::tempdir().unwrap();
        let fd = beneath::open_root(tmp.path()).unwrap();
        let make = |text: &[u8]| file(&fd, "f", text, Access::default(), Durable::Yes).unwrap();
        assert!(make(b"first"));
        assert!(!make(b"second"));
        assert_eq!(std::fs::read(tmp.path().join("f")).unwrap(), b"first");
        replace(&fd, "f", b"third", Access::default(), Durable::No).unwrap();
        assert_eq!(std::fs::read(tmp.path().join("f")).unwrap(), b"third");
        std::os::unix::fs::symlink("/nowhere", tmp.path().join("l")).unwrap();
        assert!(!file(&fd, "l", b"x", Access::default(), Durable::Yes).unwrap());
        std::fs::create_dir(tmp.path().join("d")).unwrap();
        let e = replace(&fd, "d", b"x", Access::default(), Durable::No).unwrap_err();
        assert_eq!((e.doing, e.errno), ("moving into place", Errno::ISDIR));
        assert_eq!(names(tmp.path()), ["d", "f", "l"]);
    }

    #[test]
    fn a_link_replaces_a_link_and_nothing_else() {
        let tmp = tempfile::tempdir().unwrap();
        let fd = beneath::open_root(tmp.path()).unwrap();
        for target in ["one", "two"] {
            link(&fd, "l", target).unwrap();
            let found = std::fs::read_link(tmp.path().join("l")).unwrap();
            assert_eq!(found.to_str(), Some(target));
        }
        std::fs::write(tmp.path().join("f"), "").unwrap();
        assert_eq!(link(&fd, "f", "x").unwrap_err().errno, Errno::EXIST);
        assert_eq!(names(tmp.path()), ["f", "l"]);
    }

    #[test]
    fn a_directory_is_made_once_with_the_mode_that_was_asked_for() {
        let tmp = tempfile::tempdir().unwrap();
        let fd = beneath::open_root(tmp.path()).unwrap();
        let access = Access {
            owner: None,
            mode: Some(0o711),
        };
        assert!(dir(&fd, "d", access, Mounts::Refuse).unwrap().1);
        assert!(!dir(&fd, "d", Access::default(), Mounts::Refuse).unwrap().1);
        let mode = std::fs::metadata(tmp.path().join("d"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o711);
        assert!(dir(&fd, "e", Access::default(), Mounts::Refuse).unwrap().1);
        std::os::unix::fs::symlink("d", tmp.path().join("l")).unwrap();
        std::fs::write(tmp.path().join("f"), "").unwrap();
        for name in ["l", "f"] {
            let e = dir(&fd, name, access, Mounts::Refuse).unwrap_err();
            assert_eq!(e.errno, Errno::NOTDIR, "{name}");
        }
        assert_eq!(names(tmp.path()), ["d", "e", "f", "l"]);
    }

    #[test]
    fn a_directory_with_something_in_it_is_not_the_one_just_made() {
        let tmp = tempfile::tempdir().unwrap();
        let fd = beneath::open_root(tmp.path()).unwrap();
        assert!(is_fresh(&fd).unwrap());
        std::fs::write(tmp.path().join("f"), "").unwrap();
        assert!(!is_fresh(&beneath::open_root(tmp.path()).unwrap()).unwrap());
    }

    #[test]
    fn a_staged_directory_does_not_take_a_name_that_is_taken() {
        let tmp = tempfile::tempdir().unwrap();
        let fd = beneath::open_root(tmp.path()).unwrap();
        std::fs::create_dir(tmp.path().join("cell")).unwrap();
        let (name, _staged) = staged_dir(&fd).unwrap();
        assert!(name.starts_with(TEMPORARY));
        assert_eq!(place(&fd, &name, "cell").unwrap_err().errno, Errno::EXIST);
        place(&fd, &name, "other").unwrap();
        assert_eq!(names(tmp.path()), ["cell", "other"]);
    }
}
