//! Replacing a file whole: whoever reads it, at whatever moment, finds the old one or the new one.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::StoreError;

/// Who may be writing the same file at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// Only who holds the state lock.
    One,
    /// Others too: each has a temporary name of its own, or one would move the half of another's
    /// file into place.
    Many,
}

impl Writers {
    fn temporary(self, name: &str) -> String {
        // A name may be as long as names can be, and what goes around it must have room too.
        let mut cut = name.len().min(230);
        while !name.is_char_boundary(cut) {
            cut -= 1;
        }
        let name = &name[..cut];
        match self {
            Self::One => format!(".{name}.tmp"),
            Self::Many => format!(".{name}.{}.tmp", std::process::id()),
        }
    }
}

/// Writes `contents` to `name` in the directory `dir` (whose path is for messages): a temporary
/// file of its own, fsync, rename, fsync of the directory.
///
/// The temporary name begins with a dot and ends in `.tmp`; one that a killed run left behind is
/// in nobody's way and is replaced, because the state lock admits one writer at a time. Who writes
/// without that lock says so with [`Writers::Many`].
///
/// # Errors
/// Whatever failed; then the file is as it was and the temporary one is gone. An fsync that failed
/// is never tried again: what it would have written may be lost although a second one succeeds.
pub fn replace(
    dir: impl AsFd,
    dir_path: &Path,
    name: &str,
    contents: &[u8],
    mode: u32,
    writers: Writers,
) -> Result<(), StoreError> {
    let temporary = writers.temporary(name);
    let done = write_new(dir.as_fd(), &temporary, contents, mode).and_then(|()| {
        Ok(rustix::fs::renameat(
            dir.as_fd(),
            &temporary,
            dir.as_fd(),
            name,
        )?)
    });
    if let Err(e) = done {
        let _ = rustix::fs::unlinkat(dir.as_fd(), &temporary, AtFlags::empty());
        return Err(StoreError::new("writing", &dir_path.join(name), e));
    }
    rustix::fs::fsync(dir.as_fd()).map_err(|e| {
        StoreError::new(
            "making the new file durable in",
            dir_path,
            std::io::Error::from(e),
        )
    })
}

fn write_new(
    dir: std::os::fd::BorrowedFd<'_>,
    name: &str,
    contents: &[u8],
    mode: u32,
) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let open = || rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(mode));
    let fd = match open() {
        Err(rustix::io::Errno::EXIST) => {
            rustix::fs::unlinkat(dir, name, AtFlags::empty())?;
            open()?
        }
        other => other?,
    };
    // The mode that was asked for, whatever the umask.
    rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))?;
    let mut file = File::from(fd);
    file.write_all(contents)?;
    file.sync_all()
}
