//! File systems: what is mounted where, and how much room there is.
//!
//! The kernel's table is read; a mount itself is asked nothing before [`room`] asks it, for one that
//! does not answer makes whoever asks it hang.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// One line of the table of mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: PathBuf,
    /// The file system's type: `ext4`, `nfs4`, `fuse.sshfs`.
    pub kind: String,
    /// The mount's own options and those of the file system.
    pub options: Vec<String>,
}

impl Mount {
    /// True where nothing can be written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }

    /// True where its contents are gone after a reboot.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        matches!(self.kind.as_str(), "tmpfs" | "ramfs" | "devtmpfs")
    }

    /// True where another host, or a program, has to answer each time that something is asked.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        const REMOTE: [&str; 13] = [
            "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "lustre", "nfs", "nfs4",
            "ocfs2", "smb3", "smbfs",
        ];
        REMOTE.contains(&self.kind.as_str()) || self.kind.starts_with("fuse")
    }
}

/// The table of mounts, as this process sees it; empty where it cannot be read.
#[must_use]
pub fn table() -> Vec<Mount> {
    // A thread may have a view of its own.
    let text = std::fs::read("/proc/thread-self/mountinfo").unwrap_or_default();
    parse(&text)
}

/// Reads a table by proc_pid_mountinfo(5): optional fields end with a dash.
#[must_use]
pub fn parse(table: &[u8]) -> Vec<Mount> {
    let lines = table.split(|b| *b == b'\n');
    lines.filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let dash = fields.iter().position(|field| *field == b"-")?;
    let text = |at: usize| Some(String::from_utf8_lossy(fields.get(at)?).into_owned());
    let options = [text(5)?, text(dash + 3).unwrap_or_default()];
    let each = options.iter().flat_map(|options| options.split(','));
    Some(Mount {
        point: unescaped(fields.get(4)?),
        kind: text(dash + 1)?,
        options: each.map(str::to_owned).collect(),
    })
}

/// A path as such tables have it: spaces and the like are written in octal.
#[must_use]
pub fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let number = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match number {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// The mount that a path lies on. The path must be a real one, links followed.
#[must_use]
pub fn mount_of<'t>(table: &'t [Mount], path: &Path) -> Option<&'t Mount> {
    let above = table.iter().filter(|mount| path.starts_with(&mount.point));
    // Of two on one place the later one lies on top.
    above.max_by_key(|mount| mount.point.components().count())
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that an ordinary user may still write.
    pub bytes: u64,
    /// Files that an ordinary user may still make; `None` where the file system has no such bound.
    pub files: Option<u64>,
}

/// How much room there is on a path's file system.
///
/// # Errors
/// What statvfs(3) answered.
pub fn room(path: &Path) -> Result<Room, Errno> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(Room {
        bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        files: (stat.f_files > 0).then_some(stat.f_favail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        36 22 0:42 / /mnt/with\\040space rw,nosuid - fuse.sshfs x rw,user_id=1000\n\
        37 22 0:43 / /mnt rw - tmpfs tmpfs rw\n\
        38 22 0:44 / /mnt ro - nfs4 host:/x ro,vers=4.2\n\
        no line\n";

    #[test]
    fn a_path_lies_on_the_mount_that_is_nearest_and_last() {
        let table = parse(TABLE);
        assert_eq!(table.len(), 4);
        let kind = |path: &str| mount_of(&table, Path::new(path)).map(|m| m.kind.as_str());
        assert_eq!(kind("/"), Some("ext4"));
        assert_eq!(kind("/mntx/y"), Some("ext4"));
        assert_eq!(kind("/mnt/x"), Some("nfs4"));
        assert_eq!(kind("/mnt/with space/y"), Some("fuse.sshfs"));
        assert!(table[3].is_read_only() && !table[0].is_read_only());
        let remote: Vec<bool> = table.iter().map(Mount::is_remote).collect();
        assert_eq!(remote, [false, true, false, true]);
        assert!(table[2].is_in_memory());
    }

    #[test]
    fn what_is_no_octal_number_stands_for_itself() {
        for (field, path) in [
            ("a\\040b", "a b"),
            ("a\\0", "a\\0"),
            ("\\999", "\\999"),
            ("\\134", "\\"),
        ] {
            assert_eq!(unescaped(field.as_bytes()), Path::new(path), "{field}");
        }
    }

    #[test]
    fn this_host_has_a_root_and_room_is_told() {
        let table = table();
        assert!(mount_of(&table, Path::new("/")).is_some(), "{table:?}");
        assert!(room(Path::new("/")).is_ok());
        assert_eq!(room(Path::new("/nonexistent")), Err(Errno::NOENT));
    }
}
