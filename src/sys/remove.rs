//! Removing a directory tree that others may write to while it is removed.
//!
//! Everything goes by the descriptor of the directory that it is in: no link is followed, no mount
//! is crossed, and a directory that is swapped for something else between two calls is at worst
//! removed as what it is by then, where it is: beneath the tree. Nothing is looked up by a path,
//! `..` is never opened, and no more than a few descriptors are open: what lies too deep is moved
//! up to the top of the tree and removed from there.

use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, FileType, Mode, RenameFlags};
use rustix::io::Errno;

use super::beneath::{self, Mounts};
use super::create::TEMPORARY;
use super::host;
use crate::model::text::from_bytes;

/// From this depth on directories are moved up to the top.
const DEEP: usize = 32;

/// So deep is gone down where they cannot be moved, as on some overlay file systems.
const DEEPEST: usize = 256;

/// How often a directory is emptied again into which somebody writes meanwhile.
const ROUNDS: u32 = 8;

/// What came of it.
#[derive(Debug, Default)]
pub struct Removal {
    /// How many files, links and directories were removed.
    pub removed: u64,
    /// How many could not be, those aside in which such a one lies.
    pub failed: u64,
    /// The first of them.
    pub first: Option<Stays>,
}

/// Something that could not be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// Where it is, beneath the directory that the tree is in.
    pub path: String,
    /// The operation: `removing`, `opening`, `reading`.
    pub doing: &'static str,
    /// Why it failed.
    pub errno: Errno,
}

/// A directory that is being emptied.
struct Level {
    name: CString,
    dir: Dir,
    rounds: u32,
    /// True where something in it stays.
    stays: bool,
}

struct Sweep<'a> {
    parent: BorrowedFd<'a>,
    stack: Vec<Level>,
    /// Directories that were moved up to the top.
    moved: Vec<CString>,
    next: u64,
    came: Removal,
    /// True at a mount: nothing more is removed.
    stopped: bool,
}

/// Removes the directory `name` (one component) in `parent`, with all that is in it, as far as that
/// can be removed. At a mount it stops.
pub fn tree(parent: impl AsFd, name: &CStr) -> Removal {
    let mut sweep = Sweep {
        parent: parent.as_fd(),
        stack: Vec::new(),
        moved: Vec::new(),
        next: 0,
        came: Removal::default(),
        stopped: false,
    };
    sweep.enter(name.to_owned(), 0);
    while !sweep.stopped && !sweep.stack.is_empty() {
        sweep.step();
    }
    sweep.came
}

impl Sweep<'_> {
    /// One entry of the innermost directory, or its end.
    fn step(&mut self) {
        let Some(level) = self.stack.last_mut() else {
            return;
        };
        match level.dir.read() {
            Some(Ok(entry)) => {
                let name = entry.file_name();
                if matches!(name.to_bytes(), b"." | b"..") {
                    return;
                }
                let name = name.to_owned();
                match entry.file_type() {
                    FileType::Directory => self.directory(name),
                    // Not every file system says what an entry is.
                    FileType::Unknown => self.unknown(name),
                    _ => self.unlink(name),
                }
            }
            Some(Err(errno)) => {
                self.fails("reading", None, errno);
                self.leave();
            }
            // What was moved up is removed before the top itself.
            None if self.stack.len() == 1 && !self.moved.is_empty() => {
                if let Some(name) = self.moved.pop() {
                    self.enter(name, 0);
                }
            }
            None => self.leave(),
        }
    }

    /// The descriptor of the innermost directory.
    fn here(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.stack.last().map_or(Ok(self.parent), |l| l.dir.fd())
    }

    fn unknown(&mut self, name: CString) {
        match self.here().and_then(|here| beneath::kind(here, &name)) {
            Ok(FileType::Directory) => self.directory(name),
            _ => self.unlink(name),
        }
    }

    fn directory(&mut self, name: CString) {
        if self.stack.len() < DEEP {
            return self.enter(name, 0);
        }
        match self.move_up(&name) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(_) if self.stack.len() < DEEPEST => self.enter(name, 0),
            Err(errno) => self.fails("moving up", Some(&name), errno),
        }
    }

    /// Moves a directory to the top of the tree, where it is removed later. If it was swapped for
    /// something else, that is moved: a link is not followed by it.
    fn move_up(&mut self, name: &CStr) -> Result<(), Errno> {
        loop {
            let to = format!("{TEMPORARY}deep-{}", self.next);
            let to = CString::new(to).map_err(|_| Errno::INVAL)?;
            self.next += 1;
            let top = self.stack.first().ok_or(Errno::NOENT)?.dir.fd()?;
            match rustix::fs::renameat_with(self.here()?, name, top, &to, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    self.moved.push(to);
                    return Ok(());
                }
                // Whoever has filled the tree has put such names there.
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Goes down into a directory; what turns out to be none is removed.
    fn enter(&mut self, name: CString, rounds: u32) {
        let opened = self.here().and_then(|here| {
            let fd = beneath::open_dir(here, &name, Mounts::Refuse)?;
            soften(&fd);
            Dir::new(fd)
        });
        match opened {
            Ok(dir) => self.stack.push(Level {
                name,
                dir,
                rounds,
                stays: false,
            }),
            Err(Errno::NOENT) => {}
            // What the tree is in is nobody's but the caller's: nothing else is removed there.
            Err(Errno::LOOP | Errno::NOTDIR) if !self.stack.is_empty() => self.unlink(name),
            Err(Errno::XDEV) => {
                self.fails("removing", Some(&name), Errno::XDEV);
                self.stopped = true;
            }
            // An empty one goes even so.
            Err(errno) => match self.unlinkat(&name, AtFlags::REMOVEDIR) {
                Ok(()) => self.came.removed += 1,
                Err(Errno::NOENT) => {}
                Err(_) => self.fails("opening", Some(&name), errno),
            },
        }
    }

    fn unlink(&mut self, name: CString) {
        match self.unlinkat(&name, AtFlags::empty()) {
            Ok(()) => self.came.removed += 1,
            Err(Errno::NOENT) => {}
            // A directory by now. (POSIX has EPERM there, and Linux EISDIR.)
            Err(Errno::ISDIR) if self.stack.len() < DEEPEST => self.enter(name, 0),
            Err(errno) => self.fails("removing", Some(&name), errno),
        }
    }

    /// Goes up again, and removes the directory that is left.
    fn leave(&mut self) {
        let Some(level) = self.stack.pop() else {
            return;
        };
        match self.unlinkat(&level.name, AtFlags::REMOVEDIR) {
            Ok(()) => self.came.removed += 1,
            Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.stays => self.stays(),
            // Somebody writes into it, or has put another one in its place.
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.rounds < ROUNDS => {
                self.enter(level.name, level.rounds + 1);
            }
            Err(Errno::NOTDIR) if !self.stack.is_empty() => self.unlink(level.name),
            Err(errno) => self.fails("removing", Some(&level.name), errno),
        }
    }

    fn unlinkat(&self, name: &CStr, flags: AtFlags) -> Result<(), Errno> {
        rustix::fs::unlinkat(self.here()?, name, flags)
    }

    /// The innermost directory cannot be removed either.
    fn stays(&mut self) {
        if let Some(level) = self.stack.last_mut() {
            level.stays = true;
        }
    }

    fn fails(&mut self, doing: &'static str, name: Option<&CStr>, errno: Errno) {
        self.stays();
        self.came.failed += 1;
        if self.came.first.is_some() {
            return;
        }
        let names = self.stack.iter().map(|level| level.name.as_c_str());
        let path: Vec<&[u8]> = names.chain(name).map(CStr::to_bytes).collect();
        self.came.first = Some(Stays {
            path: from_bytes(&path.join(&b'/')).into_owned(),
            doing,
            errno,
        });
    }
}

/// Gives an ordinary user the rights back that they took from a directory of their own, as package
/// caches do: root needs none.
fn soften(fd: &OwnedFd) {
    let Ok(stat) = rustix::fs::fstat(fd) else {
        return;
    };
    let mode = Mode::from_raw_mode(stat.st_mode);
    if stat.st_uid == host::uid() && !mode.contains(Mode::RWXU) {
        // Where it fails, what cannot be removed says so.
        let _ = rustix::fs::fchmod(fd, mode | Mode::RWXU);
    }
}

/// The mounts beneath a directory, by the kernel's own table; none where that cannot be read.
#[must_use]
pub fn mounts_in(dir: impl AsFd) -> Vec<PathBuf> {
    let fd = dir.as_fd().as_raw_fd();
    let Ok(path) = std::fs::read_link(format!("/proc/self/fd/{fd}")) else {
        return Vec::new();
    };
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    beneath_in(&table, path.as_os_str().as_bytes())
}

/// The fifth field of each line of proc_pid_mountinfo(5) that lies beneath a path.
fn beneath_in(table: &[u8], path: &[u8]) -> Vec<PathBuf> {
    let lines = table.split(|b| *b == b'\n');
    let points = lines.filter_map(|line| line.split(|b| *b == b' ').nth(4));
    let beneath = |point: &Vec<u8>| {
        let rest = point.strip_prefix(path);
        rest.is_some_and(|rest| rest.starts_with(b"/"))
    };
    points
        .map(unescaped)
        .filter(beneath)
        .map(|point| PathBuf::from(OsString::from_vec(point)))
        .collect()
}

/// Blanks, line ends and backslashes stand there as `\040`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let code = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[3..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    fn remove(dir: &Path, name: &CStr) -> Removal {
        tree(beneath::open_root(dir).unwrap(), name)
    }

    #[test]
    fn all_that_is_in_it_goes_and_nothing_that_it_points_to() {
        let tmp = tempfile::tempdir().unwrap();
        let (t, out) = (tmp.path().join("t"), tmp.path().join("out"));
        std::fs::create_dir_all(t.join("a/b/c")).unwrap();
        std::fs::create_dir(&out).unwrap();
        std::fs::write(out.join("f"), "x").unwrap();
        symlink(&out, t.join("a/link")).unwrap();
        symlink("nowhere", t.join("a/b/gone")).unwrap();
        nix::unistd::mkfifo(&t.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(
            t.join("a/b/c").join(OsString::from_vec(b"\xff\n".to_vec())),
            "x",
        )
        .unwrap();
        std::fs::set_permissions(t.join("a/b"), PermissionsExt::from_mode(0o500)).unwrap();
        let came = remove(tmp.path(), c"t");
        assert_eq!((came.failed, came.removed), (0, 8), "{came:?}");
        assert!(!t.exists() && out.join("f").exists());
        assert_eq!(remove(tmp.path(), c"t").removed, 0);
        symlink("out", tmp.path().join("l")).unwrap();
        assert_eq!(remove(tmp.path(), c"l").failed, 1);
        assert!(out.join("f").exists());
    }

    #[test]
    fn ten_thousand_levels_are_no_depth() {
        let tmp = tempfile::tempdir().unwrap();
        let mut at = beneath::open_root(tmp.path()).unwrap();
        for _ in 0..10_000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = beneath::open_dir(&at, "d", Mounts::Refuse).unwrap();
            rustix::fs::symlinkat("/etc", &at, ".lazarus-pit-deep-1").unwrap();
        }
        let came = remove(tmp.path(), c"d");
        assert_eq!((came.failed, came.removed), (0, 20_000), "{:?}", came.first);
        assert!(!tmp.path().join("d").exists());
    }

    #[test]
    fn mounts_are_found_by_their_escaped_names() {
        let table = b"36 35 98:0 / /m/a\\040b/c rw - ext4 /dev/sda rw\n37 35 98:0 / /m/a\\040bc rw - x y z\n";
        assert_eq!(beneath_in(table, b"/m/a b"), [PathBuf::from("/m/a b/c")]);
        assert_eq!(unescaped(b"\\134040\\"), b"\\040\\");
    }
}
