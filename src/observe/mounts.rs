//! A cell that is a mount of its own.
//!
//! A volume of its own for a cell is the operator's work and is looked into. A FUSE mount may be
//! the work of an agent (it needs no more than to own the directory), and one that does not answer
//! makes whoever asks it anything hang beyond all signals. So it is told apart without asking it.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::OFlags;

use crate::sys::beneath::{self, Mounts};

/// The type of the file system mounted on a cell.
///
/// The kernel's mount table is read; the mount itself is asked nothing. `None` where it cannot be
/// told, as without `/proc`.
pub(super) fn file_system(root: &OwnedFd, name: &std::ffi::CStr) -> Option<String> {
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
pub(super) fn is_a_users(kind: &str) -> bool {
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
