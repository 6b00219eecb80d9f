//! A cell that is a mount of its own.
//!
//! A volume of its own for a cell is the operator's work and is looked into. A FUSE mount may be
//! the work of an agent (it needs no more than to own the directory), and one that does not answer
//! makes whoever asks it anything hang beyond all signals. So it is told apart without asking it.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::sys::beneath::{self, Mounts};

/// Why a cell's directory could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// What the open answered.
    Errno(Errno),
    /// A mount lies over it that is not looked into, as a sentence.
    Mount(String),
}

/// Opens a cell's directory, by its name in the missions root: through no link, and through a mount
/// only where it is the operator's.
///
/// # Errors
/// What the open answered, or which mount is in the way.
pub fn open_cell(root: &OwnedFd, name: &std::ffi::CStr, mounts: Mounts) -> Result<OwnedFd, Closed> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let opened = match beneath::open(root, name, flags, mounts) {
        Err(Errno::XDEV) => {
            let kind = file_system(root, name);
            if kind.as_deref().is_none_or(is_a_users) {
                let kind = kind.as_deref().unwrap_or("unknown");
                return Err(Closed::Mount(format!(
                    "a mount of type {kind} lies over the cell, and none that a user can provide is looked into (see allow_mounts)"
                )));
            }
            beneath::open(root, name, flags, Mounts::Cross)
        }
        opened => opened,
    };
    opened.map_err(Closed::Errno)
}

/// The type of the file system mounted on a cell.
///
/// The kernel's mount table is read; the mount itself is asked nothing. `None` where it cannot be
/// told, as without `/proc`.
fn file_system(root: &OwnedFd, name: &std::ffi::CStr) -> Option<String> {
    // O_PATH: a reference to the place, no request to what is mounted there.
    let fd = beneath::open(root, name, OFlags::PATH | OFlags::DIRECTORY, Mounts::Cross).ok()?;
    // A reader has a table of descriptors of its own: `/proc/self` would be the main thread's.
    let info = format!("/proc/thread-self/fdinfo/{}", fd.as_raw_fd());
    let info = std::fs::read_to_string(info).ok()?;
    let id = info
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?
        .trim();
    let table = std::fs::read_to_string("/proc/thread-self/mountinfo").ok()?;
    type_of(&table, id).map(str::to_owned)
}

/// Whether a user can provide a file system of this type.
fn is_a_users(kind: &str) -> bool {
    kind.starts_with("fuse")
}

/// The file system's type of a mount, by proc_pid_mountinfo(5): optional fields end with ` - `.
fn type_of<'a>(table: &'a str, id: &str) -> Option<&'a str> {
    let line = table
        .lines()
        .find(|line| line.split(' ').next() == Some(id))?;
    line.split_once(" - ")?.1.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_stands_behind_the_dash() {
        let table = "36 35 98:0 / /m/a rw master:1 - ext4 /dev/sda rw\n\
                     37 35 0:42 / /m/b rw - fuse.sshfs x rw,user_id=1000\n";
        assert_eq!(type_of(table, "36"), Some("ext4"));
        assert_eq!(type_of(table, "37"), Some("fuse.sshfs"));
        assert_eq!(type_of(table, "3"), None);
    }
}
