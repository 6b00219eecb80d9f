//! Reads logs back: their last lines.
//!
//! Of what lies in the directory only regular files are read that have the names and the place of
//! a log of ours; links are not followed, as whatever they lead to is found by its own name.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memmem};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::prune::entries;
use super::{Logs, MOUNTS, Stream, names};
use crate::model::action::Place;
use crate::model::time::Timestamp;
use crate::sys::beneath;

/// What is read at a time.
pub(super) const CHUNK: usize = 64 << 10;

/// The time that a line has which has none and follows on none.
pub(super) const NO_TIME: Timestamp = Timestamp::from_micros(i64::MIN);

/// Whose logs are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The place's own: those of its agent, or of its gateway.
    One,
    /// Those of all agents of the place's cell.
    All,
}

/// What to do with the end of a file that is no whole line: one that is just being written, or
/// whose writer was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is a line.
    Take,
    /// It is none yet.
    Leave,
}

/// A day and a file in it.
pub(super) type Key = (String, String);

/// The files that were looked at, and how far: what a [`Follow`](super::Follow) goes on from.
#[derive(Clone, Debug, Default)]
pub struct Seen(pub(super) Vec<(Key, u64)>);

impl Seen {
    /// True where there is no log at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where a line stands.
#[derive(Debug)]
pub(super) struct Origin {
    agent: String,
    path: PathBuf,
}

/// One line of a log, in bytes as they were printed.
#[derive(Clone, Debug)]
pub struct Line {
    bytes: Vec<u8>,
    /// When it was written: never before the line before it, whatever the clock did.
    pub(super) at: Timestamp,
    origin: Arc<Origin>,
}

/// What a line consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// RFC 3339, as it stands there.
    pub ts: Option<&'a str>,
    /// Where it was printed.
    pub stream: Option<Stream>,
    /// What was printed; all of the line where it has no time and stream.
    pub text: &'a [u8],
}

impl Line {
    /// All of it, time and stream included, without its end.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The agent (or gateway) whose log it is in, as files name it.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.origin.agent
    }

    /// The file that it stands in.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.origin.path
    }

    /// Takes it apart.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        parts(&self.bytes).map_or(
            Parts {
                ts: None,
                stream: None,
                text: &self.bytes,
            },
            |(parts, _)| parts,
        )
    }
}

/// `2026-11-21T10:30:45+01:00 [claude:stdout] text`, and its time.
fn parts(line: &[u8]) -> Option<(Parts<'_>, Timestamp)> {
    let space = memchr(b' ', &line[..line.len().min(40)])?;
    let ts = std::str::from_utf8(&line[..space]).ok()?;
    let at = Timestamp::parse(ts)?;
    let rest = line[space + 1..].strip_prefix(b"[")?;
    let of = |stream: Stream| {
        let mark = format!(":{}] ", stream.as_str());
        Some((memmem::find(rest, mark.as_bytes())? + mark.len(), stream))
    };
    let (text, stream) = Stream::ALL.into_iter().filter_map(of).min_by_key(|m| m.0)?;
    let parts = Parts {
        ts: Some(ts),
        stream: Some(stream),
        text: &rest[text..],
    };
    Some((parts, at))
}

/// Makes lines of one file's bytes.
#[derive(Debug)]
pub(super) struct Lines {
    origin: Arc<Origin>,
    at: Timestamp,
}

impl Lines {
    pub(super) fn line(&mut self, bytes: &[u8]) -> Line {
        if let Some((_, at)) = parts(bytes) {
            self.at = self.at.max(at);
        }
        Line {
            bytes: bytes.to_vec(),
            at: self.at,
            origin: Arc::clone(&self.origin),
        }
    }

    pub(super) fn agent(&self) -> &str {
        &self.origin.agent
    }
}

/// Puts lines of several files in the order of their times. Those of one file stay in theirs.
pub(super) fn merge(lines: &mut [Line]) {
    lines.sort_by_key(|line| line.at);
}

/// Reads the logs of an agent, of a gateway, or of all agents of a cell.
#[derive(Clone, Debug)]
pub struct Reader {
    dir: PathBuf,
    folders: Vec<String>,
    /// The end of the names that are meant, after the ref; all where there is none.
    ending: Option<String>,
}

impl Reader {
    /// The logs of that place.
    #[must_use]
    pub fn new(logs: &Logs, place: &Place, whose: Whose) -> Self {
        Self {
            dir: logs.dir.clone(),
            folders: names::folders(place),
            ending: (whose == Whose::One).then(|| names::link(&place.name)),
        }
    }

    /// The last lines, at most so many, the newest last, and which files were looked at for them.
    /// Lines of several files are ordered by their times.
    ///
    /// # Errors
    /// A sentence: the operation, the place, the cause.
    pub fn last(&self, most: usize, rest: Rest) -> Result<(Vec<Line>, Seen), String> {
        let (mut lines, mut seen) = (Vec::new(), Seen::default());
        let Some(folder) = self.folder()? else {
            return Ok((lines, seen));
        };
        for day in self.days(&folder)?.iter().rev() {
            let mut of_day: Vec<Line> = Vec::new();
            let files = self.files(&folder, day)?;
            let any = !files.is_empty();
            for name in files {
                let key = (day.clone(), name);
                // Removed since, by a run that takes away old days.
                let Some((file, mut maker)) = self.open(&folder, &key)? else {
                    continue;
                };
                let failed = |e| self.failed("reading", Some(&key), e);
                let end = last_of(&file, most, rest, &mut maker, &mut of_day).map_err(failed)?;
                seen.0.push((key, end));
                merge(&mut of_day);
                of_day.drain(..of_day.len().saturating_sub(most));
            }
            of_day.drain(..(of_day.len() + lines.len()).saturating_sub(most));
            of_day.append(&mut lines);
            lines = of_day;
            if any && lines.len() >= most {
                break;
            }
        }
        Ok((lines, seen))
    }

    /// The directory in which the days stand; none where there are no logs yet.
    pub(super) fn folder(&self) -> Result<Option<OwnedFd>, String> {
        let mut at = match beneath::open_root(&self.dir) {
            Err(Errno::NOENT) => return Ok(None),
            root => root.map_err(|errno| self.failed("opening", None, errno.into()))?,
        };
        for folder in &self.folders {
            at = match beneath::open_dir(&at, folder.as_str(), MOUNTS) {
                Err(Errno::NOENT) => return Ok(None),
                dir => dir.map_err(|errno| self.failed("opening", None, errno.into()))?,
            };
        }
        Ok(Some(at))
    }

    /// The days, the oldest first.
    pub(super) fn days(&self, folder: &OwnedFd) -> Result<Vec<String>, String> {
        let all = entries(folder).map_err(|errno| self.failed("reading", None, errno.into()))?;
        let is_day = |name: &str| name.len() == 8 && name.bytes().all(|b| b.is_ascii_digit());
        let days = all
            .into_iter()
            .filter(|(name, kind)| *kind == FileType::Directory && is_day(name));
        let mut days: Vec<String> = days.map(|(name, _)| name).collect();
        days.sort_unstable();
        Ok(days)
    }

    /// The files of a day that are meant, in the order of their refs, which is that of time.
    pub(super) fn files(&self, folder: &OwnedFd, day: &str) -> Result<Vec<String>, String> {
        let listed = beneath::open_dir(folder, day, MOUNTS).and_then(entries);
        let all = match listed {
            Err(Errno::NOENT) => Vec::new(),
            all => all.map_err(|errno| self.failed("reading", None, errno.into()))?,
        };
        let meant = all
            .into_iter()
            .filter(|(name, kind)| *kind == FileType::RegularFile && self.means(name));
        let mut files: Vec<String> = meant.map(|(name, _)| name).collect();
        files.sort_unstable();
        Ok(files)
    }

    fn means(&self, name: &str) -> bool {
        match (name.split_once('_'), &self.ending) {
            // No ref has an underscore, so that what follows the first one is the agent's name.
            (Some((_, agent)), Some(ending)) => agent == ending,
            (Some((_, agent)), None) => agent.ends_with(".log"),
            (None, _) => false,
        }
    }

    /// Opens a file; none where it is gone.
    pub(super) fn open(
        &self,
        folder: &OwnedFd,
        key: &Key,
    ) -> Result<Option<(File, Lines)>, String> {
        let (day, name) = key;
        let failed = |errno: Errno| self.failed("opening", Some(key), errno.into());
        let fd = match beneath::open(folder, format!("{day}/{name}"), OFlags::RDONLY, MOUNTS) {
            Err(Errno::NOENT) => return Ok(None),
            fd => fd.map_err(failed)?,
        };
        let stat = rustix::fs::fstat(&fd).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let agent = name.split_once('_').map_or("", |(_, agent)| agent);
        let origin = Origin {
            agent: agent.strip_suffix(".log").unwrap_or(agent).to_owned(),
            path: self.path(Some(key)),
        };
        let lines = Lines {
            origin: Arc::new(origin),
            at: NO_TIME,
        };
        Ok(Some((File::from(fd), lines)))
    }

    fn path(&self, key: Option<&Key>) -> PathBuf {
        let mut path = self.dir.clone();
        path.extend(&self.folders);
        path.extend(key.into_iter().flat_map(|(day, name)| [day, name]));
        path
    }

    pub(super) fn failed(&self, doing: &str, key: Option<&Key>, error: std::io::Error) -> String {
        let what = if key.is_some() { "log" } else { "logs in" };
        let why = Errno::from_io_error(&error).map_or(error.to_string(), beneath::reason);
        format!("{doing} the {what} {}: {why}", self.path(key).display())
    }
}

/// Adds a file's last lines; returns where the last whole line ends.
fn last_of(
    file: &File,
    most: usize,
    rest: Rest,
    maker: &mut Lines,
    lines: &mut Vec<Line>,
) -> std::io::Result<u64> {
    let size = file.metadata()?.len();
    // From the end backwards: the blocks, the last first.
    let (mut blocks, mut from, mut ends) = (Vec::new(), size, 0);
    // One end more than lines: what is before the first of them is no whole line.
    while from > 0 && ends <= most {
        let len = from.min(CHUNK as u64);
        from -= len;
        let mut block = vec![0; usize::try_from(len).unwrap_or(CHUNK)];
        file.read_exact_at(&mut block, from)?;
        ends += memchr_iter(b'\n', &block).count();
        blocks.push(block);
    }
    blocks.reverse();
    let bytes = blocks.concat();
    let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
    let end = from + whole as u64;
    let taken = match rest {
        Rest::Take => &bytes[..],
        Rest::Leave => &bytes[..whole],
    };
    let mut all: Vec<&[u8]> = taken.split(|b| *b == b'\n').collect();
    // What is behind the last end; nothing where the file ends with a line.
    if all.last().is_some_and(|last| last.is_empty()) {
        all.pop();
    }
    let before = lines.len();
    let first = all.len().saturating_sub(most);
    lines.extend(all[first..].iter().map(|line| maker.line(line)));
    // Lines without a time that follow on none go with the first that has one.
    let known = lines[before..].iter().find(|line| line.at > NO_TIME);
    if let Some(at) = known.map(|line| line.at) {
        for line in &mut lines[before..] {
            line.at = line.at.max(at);
        }
    }
    Ok(end)
}
