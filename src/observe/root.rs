//! The missions root: which file system it is, and which cells it holds.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use globset::GlobSet;
use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

use crate::model::exit::{Exit, Failure};
use crate::model::snapshot::RootMark;
use crate::model::text::{from_bytes, visible};
use crate::sys::beneath;

/// The missions root, open.
#[derive(Debug)]
pub(super) struct Root {
    /// Its descriptor: every cell is opened beneath it.
    pub(super) fd: OwnedFd,
    /// Which file system it is.
    pub(super) mark: RootMark,
    /// The names of its cells, in byte order.
    pub(super) names: Names,
}

/// Opens the missions root and lists its cells: directories whose names do not begin with a dot.
///
/// # Errors
/// It is missing, no directory, or cannot be read.
pub(super) fn open(path: &Path, scope: Option<&GlobSet>) -> Result<Root, Failure> {
    let failed = |what: &str, errno: Errno| {
        let shown = path.to_string_lossy();
        Failure::new(
            Exit::NoRoot,
            format!(
                "{what} the missions root {}: {}; is its disk mounted? (another one is named with --root or missions_root)",
                visible(&shown),
                beneath::reason(errno)
            ),
        )
    };
    let fd = beneath::open_root(path).map_err(|e| failed("opening", e))?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| failed("looking at", e))?;
    let fsid = rustix::fs::fstatvfs(&fd).map_or(0, |v| v.f_fsid);
    let mut names = Names::default();
    let mut buffer = vec![MaybeUninit::uninit(); 256 << 10];
    let mut entries = RawDir::new(&fd, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|e| failed("reading", e))?;
        let name = entry.file_name();
        if name.to_bytes().starts_with(b".") || !in_scope(scope, name) {
            continue;
        }
        match entry.file_type() {
            FileType::Directory => names.push(name),
            // Not every file system says what an entry is.
            FileType::Unknown if beneath::kind(&fd, name) == Ok(FileType::Directory) => {
                names.push(name)
            }
            _ => {}
        }
    }
    names.sort();
    Ok(Root {
        mark: RootMark {
            dev: stat.st_dev,
            fsid,
            path: real_path(path),
        },
        fd,
        names,
    })
}

fn real_path(path: &Path) -> String {
    let real = std::fs::canonicalize(path).unwrap_or_default();
    from_bytes(real.as_os_str().as_encoded_bytes()).into_owned()
}

fn in_scope(scope: Option<&GlobSet>, name: &CStr) -> bool {
    scope.is_none_or(|globs| globs.is_match(&*from_bytes(name.to_bytes())))
}

/// Names in one piece of memory, each with the NUL that the kernel wants behind it.
#[derive(Debug, Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Names {
    fn push(&mut self, name: &CStr) {
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(name.to_bytes_with_nul());
    }

    /// Puts them in byte order.
    ///
    /// Names of a fleet mostly begin alike, so that comparing them whole is mostly comparing what
    /// is the same. The eight bytes behind what all have in common nearly always decide.
    fn sort(&mut self) {
        let names = || self.starts.iter().map(|start| self.at(*start).to_bytes());
        let Some(first) = names().next() else { return };
        let alike = |name: &[u8]| name.iter().zip(first).take_while(|(a, b)| a == b).count();
        let common = names().map(alike).min().unwrap_or(0);
        let key = |name: &[u8]| {
            let mut key = [0; 8];
            // No name holds a NUL, so that the shorter of two comes first, as it must.
            key.iter_mut()
                .zip(&name[common..])
                .for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(key)
        };
        let mut keyed: Vec<(u64, usize)> =
            names().map(key).zip(self.starts.iter().copied()).collect();
        keyed.sort_unstable_by(|(a, x), (b, y)| {
            a.cmp(b)
                .then_with(|| self.at(*x).to_bytes().cmp(self.at(*y).to_bytes()))
        });
        self.starts = keyed.into_iter().map(|(_, start)| start).collect();
    }

    fn at(&self, start: usize) -> &CStr {
        // Every start was pushed together with its NUL.
        CStr::from_bytes_until_nul(&self.bytes[start..]).unwrap_or(c"")
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The name at a place.
    pub(super) fn get(&self, place: usize) -> &CStr {
        self.at(self.starts[place])
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_are_in_byte_order(
            prefix in "[a-c]{0,3}",
            rest in proptest::collection::vec(proptest::collection::vec(1u8..=255, 0..12), 0..30),
        ) {
            let mut all: Vec<CString> = rest
                .into_iter()
                .filter_map(|rest| CString::new([prefix.as_bytes(), &rest].concat()).ok())
                .collect();
            let mut names = Names::default();
            all.iter().for_each(|name| names.push(name));
            names.sort();
            all.sort();
            let sorted: Vec<CString> = (0..names.len()).map(|n| names.get(n).to_owned()).collect();
            prop_assert_eq!(sorted, all);
        }
    }
}
