//! Follows logs: what is added to them, over midnight and over restarts.
//!
//! A link to the newest log that has changed says that there is a new file. What it leads to is
//! not opened through it; the days are listed, so that no file is missed of several that came at
//! once. A file that is no longer the newest is read on, as its process may still be ending.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use memchr::memchr;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::prune::entries;
use super::read::{CHUNK, Key, Lines, merge};
use super::{Line, Reader, Seen};

/// So many files of an agent are read on at once: the newest.
const MOST_FILES: usize = 4;

/// At most so much of each file is read at a time, so that a flood takes no memory.
const MOST_BYTES: usize = 1 << 20;

/// How long nothing is looked at where nothing is heard of: links that could not be made tell
/// nothing, and neither do directories that are not there yet.
const LOOK: Duration = Duration::from_secs(1);

/// The same where the kernel tells nothing at all.
const POLL: Duration = Duration::from_millis(200);

/// A file that is followed.
#[derive(Debug)]
struct Open {
    file: File,
    lines: Lines,
    /// How far it has been read.
    at: u64,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    watch: Option<i32>,
}

/// What has come.
#[derive(Debug, Default)]
pub struct Batch {
    /// Lines, in the order of their times, those of one file in theirs.
    pub lines: Vec<Line>,
    /// True where there is more at once.
    pub more: bool,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something may have come.
    Look,
    /// Nobody reads what is written any more.
    Gone,
}

/// Reads what is added to the logs of a [`Reader`]: no line twice, and none left out.
#[derive(Debug)]
pub struct Follow {
    reader: Reader,
    open: BTreeMap<Key, Open>,
    /// Files that were looked at, of days from `from` on.
    known: BTreeSet<Key>,
    /// The first day in which new files are looked for: the one before the newest.
    from: String,
    /// The links as they were when the days were last listed.
    links: Option<BTreeMap<String, Vec<u8>>>,
    /// What wakes us; without it we look now and then.
    events: Option<OwnedFd>,
}

impl Follow {
    /// Goes on where [`Reader::last`] came to.
    ///
    /// # Errors
    /// A sentence: the operation, the place, the cause.
    pub fn new(reader: Reader, seen: Seen) -> Result<Self, String> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        let newest = seen.0.iter().map(|((day, _), _)| day).max().cloned();
        let mut follow = Self {
            reader,
            open: BTreeMap::new(),
            known: BTreeSet::new(),
            from: newest.unwrap_or_default(),
            links: None,
            events,
        };
        if let Some(folder) = follow.reader.folder()? {
            for (key, at) in seen.0 {
                if key.0 < follow.from {
                    continue;
                }
                follow.known.insert(key.clone());
                follow.open(&folder, key, at)?;
                follow.close_surplus();
            }
        }
        Ok(follow)
    }

    /// What has come since the last call.
    ///
    /// # Errors
    /// A sentence: the operation, the place, the cause.
    pub fn read_on(&mut self) -> Result<Batch, String> {
        let mut batch = Batch::default();
        self.read(&mut batch)?;
        // What a file had before another took its place comes before what that one has.
        if !batch.more && self.find()? {
            self.read(&mut batch)?;
            self.close_surplus();
        }
        merge(&mut batch.lines);
        Ok(batch)
    }

    /// Waits until something may have come, or nobody reads from `out` any more.
    #[must_use]
    pub fn wait(&mut self, out: BorrowedFd<'_>) -> Woken {
        let most = if self.events.is_some() { LOOK } else { POLL };
        let timeout = rustix::time::Timespec {
            tv_sec: i64::try_from(most.as_secs()).unwrap_or(1),
            tv_nsec: i64::from(most.subsec_nanos()),
        };
        // Of a writer's end nothing is asked but whether the other one is gone.
        let mut fds = vec![PollFd::from_borrowed_fd(out, PollFlags::empty())];
        let events = self.events.iter();
        fds.extend(events.map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)));
        let answer = rustix::event::poll(&mut fds, Some(&timeout));
        let gone = fds[0].revents() & (PollFlags::ERR | PollFlags::HUP);
        if answer.is_ok() && !gone.is_empty() {
            return Woken::Gone;
        }
        if answer == Ok(0) {
            // Nothing was heard of: the days are listed all the same.
            self.links = None;
        }
        // What the events say is of no interest: everything is looked at.
        if let Some(fd) = &self.events {
            let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
            let mut told = inotify::Reader::new(fd, &mut buffer);
            while told.next().is_ok() {}
        }
        Woken::Look
    }

    /// Reads on in all files.
    fn read(&mut self, batch: &mut Batch) -> Result<(), String> {
        for (key, open) in &mut self.open {
            let more = open.read(&mut batch.lines);
            batch.more |= more.map_err(|e| self.reader.failed("reading", Some(key), e))?;
        }
        Ok(())
    }

    /// Opens the files that are new. True where there are any.
    fn find(&mut self) -> Result<bool, String> {
        let Some(folder) = self.reader.folder()? else {
            return Ok(false);
        };
        self.watch(folder.as_fd(), WatchFlags::MOVED_TO | WatchFlags::CREATE);
        let links = links(&folder);
        if links.is_some() && links == self.links {
            return Ok(false);
        }
        let mut new = Vec::new();
        for day in self.reader.days(&folder)? {
            if day >= self.from {
                let files = self.reader.files(&folder, &day)?.into_iter();
                let keys = files.map(|name| (day.clone(), name));
                new.extend(keys.filter(|key| !self.known.contains(key)));
            }
        }
        self.links = links;
        let newest = self
            .known
            .last()
            .map_or_else(String::new, |key| key.0.clone());
        let any = !new.is_empty();
        for key in new {
            self.known.insert(key.clone());
            self.open(&folder, key, 0)?;
        }
        if self.known.last().is_some_and(|key| key.0 > newest) {
            self.from = newest;
            self.known.retain(|(day, _)| *day >= self.from);
        }
        Ok(any)
    }

    fn open(&mut self, folder: &OwnedFd, key: Key, at: u64) -> Result<(), String> {
        let Some((file, lines)) = self.reader.open(folder, &key)? else {
            return Ok(());
        };
        let watch = self.watch(file.as_fd(), WatchFlags::MODIFY);
        let open = Open {
            file,
            lines,
            at,
            rest: Vec::new(),
            watch,
        };
        self.open.insert(key, open);
        Ok(())
    }

    /// Watches what a descriptor is of, whatever its name is by now.
    fn watch(&self, fd: BorrowedFd<'_>, flags: WatchFlags) -> Option<i32> {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        inotify::add_watch(self.events.as_ref()?, path, flags).ok()
    }

    /// Has done with all but the newest files of each agent, which have been read to their ends.
    fn close_surplus(&mut self) {
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        let mut surplus = Vec::new();
        for (key, open) in self.open.iter().rev() {
            let count = count.entry(open.lines.agent()).or_default();
            *count += 1;
            if *count > MOST_FILES {
                surplus.push(key.clone());
            }
        }
        for key in surplus {
            let watch = self.open.remove(&key).and_then(|open| open.watch);
            if let (Some(events), Some(watch)) = (&self.events, watch) {
                // Best effort: a watch on a file that is gone is gone as well.
                let _ = inotify::remove_watch(events, watch);
            }
        }
    }
}

impl Open {
    /// Adds the whole lines that have come. True where there is more.
    fn read(&mut self, lines: &mut Vec<Line>) -> std::io::Result<bool> {
        let mut buffer = vec![0; CHUNK];
        let mut taken = 0;
        while taken < MOST_BYTES {
            let n = match self.file.read_at(&mut buffer, self.at) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                n => n?,
            };
            if n == 0 {
                return Ok(false);
            }
            self.at += n as u64;
            taken += n;
            let mut bytes = &buffer[..n];
            while let Some(end) = memchr(b'\n', bytes) {
                self.rest.extend_from_slice(&bytes[..end]);
                lines.push(self.lines.line(&self.rest));
                self.rest.clear();
                bytes = &bytes[end + 1..];
            }
            // No line of ours is so long; one that is comes in pieces.
            if self.rest.len() + bytes.len() > MOST_BYTES {
                lines.push(self.lines.line(&self.rest));
                self.rest.clear();
            }
            self.rest.extend_from_slice(bytes);
        }
        Ok(true)
    }
}

/// The links to the newest logs, and their texts; none where they cannot be read.
fn links(folder: &OwnedFd) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for (name, kind) in entries(folder).ok()? {
        if kind != rustix::fs::FileType::Symlink {
            continue;
        }
        match rustix::fs::readlinkat(folder, &name, Vec::new()) {
            Ok(text) => all.insert(name, text.into_bytes()),
            // Replaced or removed just now: the next look will tell.
            Err(Errno::NOENT) => return None,
            Err(_) => None,
        };
    }
    Some(all)
}
