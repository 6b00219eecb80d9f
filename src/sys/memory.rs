//! Gives memory back that a process which only waits does not need.

#![allow(unsafe_code)]

use std::ops::Range;

use nix::libc;

/// Has threads share what memory there is, rather than each have a reserve of its own: for a
/// program that seldom has more than one.
pub fn stay_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a setting of the allocator's, before there is a second thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives back what the allocator has in reserve, and those pages of the program and its libraries
/// that are as they are on disk: the kernel reads them again when they are next used.
///
/// Only for a program that loads no libraries meanwhile: its mappings are to stay as they are.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the allocator's own; it gives back what nobody uses.
    unsafe {
        libc::malloc_trim(0);
    }
    let Ok(smaps) = std::fs::read("/proc/self/smaps") else {
        return;
    };
    for range in untouched(&smaps) {
        let start = std::ptr::without_provenance_mut::<libc::c_void>(range.start);
        // SAFETY: a mapping of a file that cannot be written to by us and has no page of its own:
        // whatever is read from it afterwards is read from the file, and is the same.
        unsafe {
            libc::madvise(start, range.len(), libc::MADV_DONTNEED);
        }
    }
}

/// The mappings of files that are read-only and have no page of their own. What was relocated and
/// then made read-only has such pages, and would lose them for good. (A page that is called dirty may
/// be the file's, just written and not on disk yet: that is no matter.)
fn untouched(smaps: &[u8]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut at: Option<Range<usize>> = None;
    // Each of these must be said, and be nothing.
    const OWN: [&str; 2] = ["Anonymous:", "Swap:"];
    let mut none = 0;
    for line in smaps.split(|b| *b == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else {
            at = None;
            continue;
        };
        let mut words = line.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if !first.ends_with(':') {
            at = file_mapping(line).filter(|range| !range.is_empty());
            none = 0;
        } else if OWN.contains(&first) && second == "0" {
            none += 1;
        }
        if none == OWN.len() {
            all.extend(at.take());
        }
    }
    all
}

/// The addresses in the first line of a mapping, if it is a file's, private and not written to.
fn file_mapping(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_ascii_whitespace();
    let (range, mode) = (words.next()?, words.next()?);
    let path = words.nth(3)?;
    if !matches!(mode, "r--p" | "r-xp") || !path.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let number = |hex| usize::from_str_radix(hex, 16).ok();
    Some(number(start)?..number(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_on_disk_is_given_back() {
        let mapping = |head: &str, own: u8, swap: u8| {
            format!(
                "{head}\nSize: 8 kB\nPrivate_Dirty: 8 kB\nAnonymous: {own} kB\nSwap: {swap} kB\nVmFlags: rd ex\n"
            )
        };
        let text = [
            mapping("1000-2000 r-xp 0 08:01 7 /bin/x", 0, 0),
            mapping("2000-3000 r--p 0 08:01 7 /bin/x", 0, 0),
            mapping("3000-4000 r--p 0 08:01 7 /bin/x", 4, 0),
            mapping("4000-5000 r--p 0 08:01 7 /bin/x", 0, 4),
            mapping("6000-7000 rw-p 0 08:01 7 /bin/x", 0, 0),
            mapping("7000-8000 r-xp 0 00:00 0 [vdso]", 0, 0),
            mapping("8000-9000 r--s 0 08:01 7 /bin/x", 0, 0),
            mapping("9000-a000 r--p 0 00:00 0", 0, 0),
        ]
        .concat();
        assert_eq!(untouched(text.as_bytes()), [0x1000..0x2000, 0x2000..0x3000]);
        let cut = "1000-2000 r-xp 0 08:01 7 /bin/x\nAnonymous: 0 kB\n2000-3000 rw-p 0 0 0 /x\nAnonymous: 0 kB\nSwap: 0 kB\n";
        assert!(untouched(cut.as_bytes()).is_empty());
        give_back();
    }
}
