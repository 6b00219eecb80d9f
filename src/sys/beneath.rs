//! Opening what lies in a directory that others write to.
//!
//! Every open is made from a directory's descriptor with `openat2(2)`: nothing above that
//! directory can be reached, no symbolic link is followed, no mount is crossed, and the open never
//! waits for a writer (FIFO) or for a lease to be given up. A path is never looked up twice.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use rustix::path::Arg;

/// Whether a look below a cell may go on into another mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounts {
    /// `EXDEV` at a mount.
    Refuse,
    /// Mounts are walked into (`allow_mounts: true`).
    Cross,
}

impl Mounts {
    fn resolve(self) -> ResolveFlags {
        let always =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match self {
            Mounts::Refuse => always | ResolveFlags::NO_XDEV,
            Mounts::Cross => always,
        }
    }
}

/// How often an open is tried again that answered `EAGAIN`: a lease being broken, or a rename
/// that raced with the look-up (openat2(2)).
const TRIES: u32 = 3;

/// Opens `path` beneath `dir` with the given flags, by the rules of this module.
///
/// # Errors
/// The errno of the call: `ELOOP` at a symbolic link, `EXDEV` at a mount or a `..` that leads out,
/// `EAGAIN` where a lease stands in the way, and those of open(2).
pub fn open(
    dir: impl AsFd,
    path: impl Arg,
    flags: OFlags,
    mounts: Mounts,
) -> Result<OwnedFd, Errno> {
    open_mode(dir, path, flags, Mode::empty(), mounts)
}

/// [`open`], with the mode of a file to be created.
///
/// # Errors
/// As [`open`].
pub fn open_mode(
    dir: impl AsFd,
    path: impl Arg,
    flags: OFlags,
    mode: Mode,
    mounts: Mounts,
) -> Result<OwnedFd, Errno> {
    let mut flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // A mere reference to a place takes no more than that: openat2 answers EINVAL to the rest.
    if !flags.contains(OFlags::PATH) {
        flags |= OFlags::NOCTTY | OFlags::NONBLOCK;
    }
    path.into_with_c_str(|path| {
        let mut tries = 0;
        loop {
            tries += 1;
            match open_once(dir.as_fd(), path, flags, mode, mounts) {
                Err(Errno::AGAIN) if tries < TRIES => {}
                Err(Errno::INTR) => {}
                other => return other,
            }
        }
    })
}

/// Opens a directory beneath `dir` for reading its entries.
///
/// # Errors
/// As [`open`]; `ENOTDIR` where it is none.
pub fn open_dir(dir: impl AsFd, path: impl Arg, mounts: Mounts) -> Result<OwnedFd, Errno> {
    open(dir, path, OFlags::RDONLY | OFlags::DIRECTORY, mounts)
}

/// Set once the kernel has answered that it has no `openat2` (before 5.6, or a seccomp filter of
/// old): from then on the walk is made by hand.
static WITHOUT_OPENAT2: AtomicBool = AtomicBool::new(false);

fn open_once(
    dir: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
    mode: Mode,
    mounts: Mounts,
) -> Result<OwnedFd, Errno> {
    if !WITHOUT_OPENAT2.load(Ordering::Relaxed) {
        match rustix::fs::openat2(dir, path, flags, mode, mounts.resolve()) {
            Err(Errno::NOSYS) => WITHOUT_OPENAT2.store(true, Ordering::Relaxed),
            other => return other,
        }
    }
    open_by_hand(dir, path, flags, mode, mounts)
}

/// The same rules without `openat2`: one component at a time, none of them a link.
fn open_by_hand(
    dir: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
    mode: Mode,
    mounts: Mounts,
) -> Result<OwnedFd, Errno> {
    let bytes = path.to_bytes();
    if bytes.starts_with(b"/") {
        return Err(Errno::XDEV);
    }
    let mut components = bytes
        .split(|b| *b == b'/')
        .filter(|c| !c.is_empty() && *c != b".");
    let Some(mut component) = components.next() else {
        return rustix::fs::openat(dir, c".", flags, mode);
    };
    let dev = rustix::fs::fstat(dir)?.st_dev;
    let same_mount = |fd: OwnedFd| match mounts {
        Mounts::Cross => Ok(fd),
        // A bind mount of the same file system is not seen this way; openat2 sees it.
        Mounts::Refuse if rustix::fs::fstat(&fd)?.st_dev == dev => Ok(fd),
        Mounts::Refuse => Err(Errno::XDEV),
    };
    let mut at: Option<OwnedFd> = None;
    for next in components {
        if component == b".." || next == b".." {
            return Err(Errno::XDEV);
        }
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let from = at.as_ref().map_or(dir, |fd| fd.as_fd());
        let fd = rustix::fs::openat(from, component, step, Mode::empty()).map_err(|e| {
            if e == Errno::NOTDIR {
                link_or_file(from, component)
            } else {
                e
            }
        })?;
        at = Some(same_mount(fd)?);
        component = next;
    }
    if component == b".." {
        return Err(Errno::XDEV);
    }
    same_mount(rustix::fs::openat(
        at.as_ref().map_or(dir, |fd| fd.as_fd()),
        component,
        flags,
        mode,
    )?)
}

/// `O_DIRECTORY|O_NOFOLLOW` answers `ENOTDIR` at a link too; openat2 answers `ELOOP` there.
fn link_or_file(dir: BorrowedFd<'_>, name: &[u8]) -> Errno {
    match kind(dir, name) {
        Ok(FileType::Symlink) => Errno::LOOP,
        _ => Errno::NOTDIR,
    }
}

/// What kind of file a single name in `dir` is; a link is a link.
///
/// # Errors
/// The errno of fstatat(2).
pub fn kind(dir: impl AsFd, name: impl Arg) -> Result<FileType, Errno> {
    let stat = rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// What reading a small regular file came to.
#[derive(Debug)]
pub enum Small {
    /// Its `stat` and its length in the buffer.
    Read(Stat, usize),
    /// It is no regular file, but this.
    NotRegular(FileType),
    /// It is longer than the buffer, by its `stat` or by what was read.
    TooLarge(u64),
}

/// Reads a regular file beneath `dir` into `buffer`, whole, or not at all where it has more than
/// `buffer.len() - 1` bytes.
///
/// # Errors
/// The errno of the open or the read.
pub fn read_small(
    dir: impl AsFd,
    path: impl Arg,
    buffer: &mut [u8],
    mounts: Mounts,
) -> Result<Small, Errno> {
    let fd = match open(dir, path, OFlags::RDONLY, mounts) {
        Ok(fd) => fd,
        // A socket cannot be opened at all.
        Err(Errno::NXIO) => return Ok(Small::NotRegular(FileType::Socket)),
        Err(e) => return Err(e),
    };
    let stat = rustix::fs::fstat(&fd)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        return Ok(Small::NotRegular(kind));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size >= buffer.len() as u64 {
        return Ok(Small::TooLarge(size));
    }
    let mut have = 0;
    loop {
        match rustix::io::read(&fd, &mut buffer[have..]) {
            Ok(0) => return Ok(Small::Read(stat, have)),
            Ok(n) => have += n,
            Err(Errno::INTR) => continue,
            Err(e) => return Err(e),
        }
        // The size held when it was read: one read is the rule, and a second only for files that
        // grew meanwhile, or of file systems that answer short.
        if have as u64 == size {
            return Ok(Small::Read(stat, have));
        }
        if have == buffer.len() {
            return Ok(Small::TooLarge(have as u64));
        }
    }
}

/// Opens the directory that everything else is opened beneath. Links in its path are followed:
/// which directory it is, is the operator's choice.
///
/// # Errors
/// The errno of open(2).
pub fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::empty())
}

/// The name of a file type for messages, with its article.
#[must_use]
pub fn describe(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        FileType::Unknown => "something unknown",
    }
}

/// What an errno means, for messages: without its number, and in our words where the system's own
/// do not say what stood in the way.
#[must_use]
pub fn reason(errno: Errno) -> String {
    match errno {
        Errno::LOOP => "there is a symbolic link in its path, and none is followed here".into(),
        Errno::XDEV => {
            "a mount lies in its path, and none is crossed below a cell (see allow_mounts)".into()
        }
        Errno::AGAIN => "it is held by a lease (EAGAIN)".into(),
        other => nix::errno::Errno::from_raw(other.raw_os_error())
            .desc()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of opening answer alike.
    #[test]
    fn by_hand_and_by_the_kernel_the_rules_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let p = dir.path();
        std::fs::create_dir_all(p.join("a/b")).unwrap();
        std::fs::write(p.join("a/b/f"), "x").unwrap();
        std::os::unix::fs::symlink("b", p.join("a/l")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", p.join("a/b/out")).unwrap();
        std::os::unix::fs::symlink("self", p.join("a/self")).unwrap();
        let root = open_root(p).unwrap();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        for (path, want) in [
            (c"a/b/f", None),
            (c"a/b", None),
            (c"a/l/f", Some(Errno::LOOP)),
            (c"a/b/out", Some(Errno::LOOP)),
            (c"a/self", Some(Errno::LOOP)),
            (c"a/b/f/g", Some(Errno::NOTDIR)),
            (c"a/none", Some(Errno::NOENT)),
            (c"../x", Some(Errno::XDEV)),
            (c"a/../../x", Some(Errno::XDEV)),
            (c"/etc/passwd", Some(Errno::XDEV)),
        ] {
            let kernel = open_once(root.as_fd(), path, flags, Mode::empty(), Mounts::Refuse).err();
            let hand = open_by_hand(root.as_fd(), path, flags, Mode::empty(), Mounts::Refuse).err();
            assert_eq!(kernel, want, "{path:?} by the kernel");
            assert_eq!(hand, want, "{path:?} by hand");
        }
    }

    #[test]
    fn a_reference_to_a_place_can_be_had() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        let root = open_root(dir.path()).unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        for mounts in [Mounts::Refuse, Mounts::Cross] {
            assert!(open(&root, "a", flags, mounts).is_ok());
            assert_eq!(open(&root, "b", flags, mounts).err(), Some(Errno::NOENT));
        }
    }

    #[test]
    fn what_is_not_small_or_not_regular_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let p = dir.path();
        std::fs::write(p.join("fits"), [b'x'; 9]).unwrap();
        std::fs::write(p.join("over"), [b'x'; 10]).unwrap();
        nix::unistd::mkfifo(&p.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(p.join("socket")).unwrap();
        let root = open_root(p).unwrap();
        let mut buffer = [0; 10];
        let mut read = |name: &str| read_small(&root, name, &mut buffer, Mounts::Refuse);
        assert!(matches!(read("fits"), Ok(Small::Read(_, 9))));
        assert!(matches!(read("over"), Ok(Small::TooLarge(10))));
        assert!(matches!(
            read("fifo"),
            Ok(Small::NotRegular(FileType::Fifo))
        ));
        assert!(matches!(
            read("socket"),
            Ok(Small::NotRegular(FileType::Socket))
        ));
        assert!(matches!(
            read("."),
            Ok(Small::NotRegular(FileType::Directory))
        ));
        assert!(matches!(read("none"), Err(Errno::NOENT)));
    }
}
