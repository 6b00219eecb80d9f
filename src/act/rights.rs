//! With whose rights something is written in a cell.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::sys::beneath::{self, Mounts};
use crate::sys::host;
use crate::sys::owner::Owner;

/// The owner with whose rights is written in a directory of a cell, given by its components: the
/// cell's. In a cell of root's, it is the first on the way to that directory who is not root: whoever
/// owns a directory decides what lies in it.
///
/// # Errors
/// What the calls answered; a directory that is not there ends the way.
pub(super) fn of(cell: &OwnedFd, dirs: &[&str], mounts: Mounts) -> Result<Owner, Errno> {
    let mut owner = Owner::of(cell)?;
    // Nobody but root takes anybody's rights.
    for end in 1..=dirs.len() {
        if !owner.is_root() || !host::is_root() {
            break;
        }
        match beneath::open_dir(cell, dirs[..end].join("/"), mounts) {
            Ok(dir) => owner = Owner::of(dir)?,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(owner)
}
