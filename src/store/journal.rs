//! The journal: one JSON object a line, only ever appended to.
//!
//! A line that a killed run or a full disk cut off is dropped by the next one; a bad line in the
//! middle is skipped and reported.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;

use super::StoreError;
use super::dir::StateDir;
use crate::model::event::Event;
use crate::model::time::Timestamp;

/// The journal's name in the state directory. Older parts are `journal-<time>.jsonl`.
pub const JOURNAL_FILE: &str = "journal.jsonl";

/// Above this size the journal is set aside and a new one begun.
const ROTATE_AT: u64 = 64 << 20;

/// How long parts that were set aside are kept.
const KEEP: Duration = Duration::from_secs(90 * 86400);

/// No journal gets so far: a higher number is a damaged one, and counting on from it would end in
/// an overflow.
pub const HIGHEST: u64 = 1 << 53;

/// What reading the journal brought to light.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Lines that are no event, and where: the file's name and the line's number there.
    pub bad: Vec<(String, u64)>,
    /// The number of the last event.
    pub last_seq: u64,
    /// How many events there were.
    pub events: u64,
    /// The end of the last whole line in the current journal: what lies behind it was cut off.
    pub whole: u64,
}

/// Reads the events with numbers above `after`, oldest first, handing each to `each`.
///
/// `hint` is where in the current journal the event `after` ended when it was written; if that
/// holds, only what follows is read. Otherwise (the journal was rotated, replaced or removed) all
/// of it is, older parts first.
///
/// # Errors
/// The journal is there and cannot be read.
pub fn read(
    dir: &StateDir,
    after: u64,
    hint: Option<u64>,
    mut each: impl FnMut(Event),
) -> Result<Findings, StoreError> {
    let mut findings = Findings {
        last_seq: after,
        ..Findings::default()
    };
    let current = open(dir, JOURNAL_FILE)?;
    let from_hint = match (&current, hint) {
        (Some(file), Some(hint)) => follows(file, hint, after).then_some(hint),
        _ => None,
    };
    if from_hint.is_none() {
        for part in parts(dir) {
            if let Some(file) = open(dir, &part)? {
                read_part(dir, &part, file, 0, after, &mut findings, &mut each)?;
            }
        }
    }
    if let Some(file) = current {
        let from = from_hint.unwrap_or(0);
        findings.whole = read_part(
            dir,
            JOURNAL_FILE,
            file,
            from,
            after,
            &mut findings,
            &mut each,
        )?;
    }
    Ok(findings)
}

fn open(dir: &StateDir, name: &str) -> Result<Option<File>, StoreError> {
    match dir.open_file(name, OFlags::RDONLY) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::new("opening", &dir.file(name), e)),
    }
}

/// True if a line ends at `hint` and the next one, if there is one, is the event after `after`.
fn follows(file: &File, hint: u64, after: u64) -> bool {
    let Ok(length) = file.metadata().map(|m| m.len()) else {
        return false;
    };
    if hint == 0 || hint > length {
        return false;
    }
    let mut before = [0];
    if file.read_exact_at(&mut before, hint - 1).is_err() || before != *b"\n" {
        return false;
    }
    // The line that ends there must be the event `after`; its end carries no number, so the
    // numbers of the lines behind it decide, and where there is none, nothing can be missed.
    let mut line = Vec::new();
    let mut reader = BufReader::new(file);
    if reader.seek(SeekFrom::Start(hint)).is_err() || reader.read_until(b'\n', &mut line).is_err() {
        return false;
    }
    match serde_json::from_slice::<Event>(&line) {
        Ok(event) => event.seq == after.saturating_add(1),
        Err(_) => !line.ends_with(b"\n"),
    }
}

/// Reads one part from an offset; returns the end of its last whole line.
fn read_part(
    dir: &StateDir,
    name: &str,
    file: File,
    from: u64,
    after: u64,
    findings: &mut Findings,
    each: &mut impl FnMut(Event),
) -> Result<u64, StoreError> {
    let failed = |e| StoreError::new("reading", &dir.file(name), e);
    // One event is held back: a number above those of the lines behind it is a damaged one, and
    // would hide them all.
    let mut held: Option<(u64, Event)> = None;
    let mut reader = BufReader::with_capacity(256 << 10, file);
    reader.seek(SeekFrom::Start(from)).map_err(failed)?;
    let (mut whole, mut number, mut line) = (from, 0, Vec::new());
    loop {
        line.clear();
        let n = reader.read_until(b'\n', &mut line).map_err(failed)?;
        if n == 0 || line.last() != Some(&b'\n') {
            if let Some((_, event)) = held {
                findings.take(event, after, each);
            }
            return Ok(whole);
        }
        whole += n as u64;
        number += 1;
        match serde_json::from_slice::<Event>(&line) {
            Ok(event) if event.seq <= HIGHEST => {
                let next = (findings.last_seq, event.seq);
                match held.replace((number, event)) {
                    Some((at, before)) if before.seq >= next.1 && next.1 > next.0 => {
                        findings.bad.push((name.to_owned(), at));
                    }
                    Some((_, before)) => findings.take(before, after, each),
                    None => {}
                }
            }
            _ => findings.bad.push((name.to_owned(), number)),
        }
    }
}

impl Findings {
    fn take(&mut self, event: Event, after: u64, each: &mut impl FnMut(Event)) {
        self.events += 1;
        self.last_seq = self.last_seq.max(event.seq);
        if event.seq > after {
            each(event);
        }
    }
}

/// The parts that were set aside, oldest first: by the number of their first event, for the times
/// in their names are out of order where the clock went back.
fn parts(dir: &StateDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.path())
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("journal-") && name.ends_with(".jsonl"))
        .collect();
    names.sort();
    names.sort_by_cached_key(|name| first_seq(dir, name));
    names
}

/// The number of a part's first event; 0 where its first line is none.
fn first_seq(dir: &StateDir, name: &str) -> u64 {
    let mut line = Vec::new();
    let read = dir
        .open_file(name, OFlags::RDONLY)
        .and_then(|file| BufReader::new(file.take(64 << 10)).read_until(b'\n', &mut line));
    match read {
        Ok(_) => serde_json::from_slice::<Event>(&line).map_or(0, |event| event.seq),
        Err(_) => 0,
    }
}

/// The journal, open for appending. Only who holds the state lock has one.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    next_seq: u64,
    end: u64,
}

impl Journal {
    /// Opens the journal behind its last whole line, which is at `whole` and has the number
    /// `last_seq`; what was cut off behind it is dropped, and a journal that has grown large is
    /// set aside first.
    ///
    /// # Errors
    /// It cannot be opened, cut or set aside.
    pub fn open(
        dir: &StateDir,
        last_seq: u64,
        whole: u64,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let path = dir.file(JOURNAL_FILE);
        let mut end = whole;
        if whole > ROTATE_AT {
            rotate(dir, now)?;
            end = 0;
        }
        let failed = |e| StoreError::new("opening", &path, e);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND;
        let file = dir.open_file(JOURNAL_FILE, flags).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > end {
            file.set_len(end)
                .map_err(|e| StoreError::new("dropping a cut-off line of", &path, e))?;
        }
        Ok(Self {
            file,
            path,
            next_seq: last_seq + 1,
            end,
        })
    }

    /// Appends the events, giving each its number, in one write.
    ///
    /// # Errors
    /// They could not be written; what was written of them is taken back as far as the disk lets.
    pub fn append(&mut self, events: &mut [Event]) -> Result<(), StoreError> {
        let mut lines = Vec::with_capacity(events.len() * 256);
        for (seq, event) in (self.next_seq..).zip(events.iter_mut()) {
            event.seq = seq;
            serde_json::to_writer(&mut lines, event)
                .map_err(|e| StoreError::new("writing an event to", &self.path, e))?;
            lines.push(b'\n');
        }
        if let Err(e) = self.file.write_all(&lines) {
            let _ = self.file.set_len(self.end);
            return Err(StoreError::new("appending to", &self.path, e));
        }
        self.next_seq += events.len() as u64;
        self.end += lines.len() as u64;
        Ok(())
    }

    /// Makes all that was appended durable.
    ///
    /// # Errors
    /// It failed; then nothing more may be done on the strength of these events.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file
            .sync_data()
            .map_err(|e| StoreError::new("making durable", &self.path, e))
    }

    /// Where the last line ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }
}

/// Sets the journal aside under the time's name and removes parts that are too old.
fn rotate(dir: &StateDir, now: Timestamp) -> Result<(), StoreError> {
    let stamp: String = now
        .to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let name = format!("journal-{stamp}.jsonl");
    let path = dir.file(JOURNAL_FILE);
    rustix::fs::renameat(dir, JOURNAL_FILE, dir, name.as_str())
        .and_then(|()| rustix::fs::fsync(dir))
        .map_err(|e| StoreError::new("setting aside", &path, std::io::Error::from(e)))?;
    for part in parts(dir) {
        if is_old(&dir.file(&part)) {
            let _ = rustix::fs::unlinkat(dir, part.as_str(), rustix::fs::AtFlags::empty());
        }
    }
    Ok(())
}

fn is_old(path: &Path) -> bool {
    let written = std::fs::symlink_metadata(path).and_then(|m| m.modified());
    written.is_ok_and(|t| {
        SystemTime::now()
            .duration_since(t)
            .is_ok_and(|age| age > KEEP)
    })
}
