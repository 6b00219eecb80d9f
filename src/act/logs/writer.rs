//! Writes what a process prints, line by line, each with its time and where it comes from.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use memchr::memchr;

use super::{Logs, Opened};
use crate::model::action::Place;
use crate::model::text::visible;
use crate::model::time::Timestamp;

/// A line longer than this is split.
const LONGEST_LINE: usize = 64 << 10;

/// As soon as so much is ready it is written. What a chunk of lines of usual length comes to is
/// less than this, so that it takes one write; short lines, whose heads are longer than they are,
/// must not take memory without bound.
const FULL: usize = 384 << 10;

/// More memory than this is given back by [`LogWriter::rest`].
const SPARE: usize = 4 << 10;

/// Where a line was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// The word that lines have.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// The log of one process or attempt. It goes on in the new day's directory with the first line
/// after local midnight, and never goes back to an earlier day when the clock does.
///
/// Trouble with the disk is no trouble of the process that prints: it is kept for
/// [`LogWriter::take_trouble`], and what could not be written is lost.
#[derive(Debug)]
pub struct LogWriter {
    logs: Logs,
    place: Place,
    r#ref: String,
    /// The agent's name as lines have it.
    label: String,
    day: String,
    file: File,
    path: PathBuf,
    /// How much the day's file has.
    size: u64,
    /// What the day has dropped for want of room, in bytes as they were printed.
    dropped: u64,
    /// True where the file may end in the middle of a line, after a write that failed or a writer
    /// that was killed.
    torn: bool,
    /// The second that `heads` are of.
    second: i64,
    /// What lines of each stream begin with: `2026-11-21T10:30:45+01:00 [claude:stdout] `.
    heads: [Vec<u8>; 2],
    /// Lines whose ends have not come yet.
    partial: [Vec<u8>; 2],
    /// What is ready to be written, empty between calls. Its memory is used again.
    out: Vec<u8>,
    trouble: Option<String>,
}

impl LogWriter {
    pub(super) fn open(
        logs: Logs,
        place: &Place,
        r#ref: &str,
        now: Timestamp,
    ) -> Result<Self, String> {
        let day = logs.day(now);
        let opened = logs.open_day(place, r#ref, &day)?;
        Ok(Self {
            logs,
            place: place.clone(),
            r#ref: r#ref.to_owned(),
            label: visible(&place.name).into_owned(),
            day,
            file: opened.file,
            path: opened.path,
            size: opened.size,
            dropped: 0,
            torn: opened.torn,
            second: i64::MIN,
            heads: [Vec::new(), Vec::new()],
            partial: [Vec::new(), Vec::new()],
            out: Vec::new(),
            trouble: opened.trouble,
        })
    }

    /// The file that is written to now.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What went wrong since this was last asked: the first of it.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Takes what was printed, a chunk of any size. Whole lines are written at once, the rest waits
    /// for its end.
    pub fn write(&mut self, stream: Stream, mut bytes: &[u8], now: Timestamp) {
        self.tick(now);
        while !bytes.is_empty() {
            if self.dropped > 0 {
                // Nothing more of this day is kept, so that a flood costs next to nothing.
                self.dropped += bytes.len() as u64;
                break;
            }
            let room = LONGEST_LINE - self.partial[stream as usize].len();
            let within = &bytes[..bytes.len().min(room + 1)];
            match memchr(b'\n', within) {
                Some(end) => {
                    self.line(stream, &bytes[..end], true);
                    bytes = &bytes[end + 1..];
                }
                None if within.len() > room => {
                    self.line(stream, &bytes[..room], false);
                    bytes = &bytes[room..];
                }
                None => {
                    self.partial[stream as usize].extend_from_slice(within);
                    break;
                }
            }
            if self.out.len() >= FULL {
                self.flush();
            }
        }
        self.flush();
    }

    /// What was printed is over for now: a line without an end gets one, and what was dropped is
    /// told.
    pub fn finish(&mut self, now: Timestamp) {
        self.tick(now);
        self.end_lines();
    }

    /// Gives back memory that is not needed before the next line, for whoever expects to wait long.
    pub fn rest(&mut self) {
        self.out.shrink_to(SPARE);
        for partial in &mut self.partial {
            partial.shrink_to(SPARE);
        }
    }

    fn end_lines(&mut self) {
        for stream in Stream::ALL {
            if !self.partial[stream as usize].is_empty() {
                self.line(stream, &[], false);
            }
        }
        self.tell_dropped();
        self.flush();
    }

    /// Moves a line, what was gathered of it and the rest, to `out`, if there is room for it.
    /// `ended`: its end was printed, and is not of our making.
    fn line(&mut self, stream: Stream, rest: &[u8], ended: bool) {
        let text = self.partial[stream as usize].len() + rest.len();
        let before = self.out.len();
        self.head(stream);
        let has = self.size + (self.out.len() + text + 1) as u64;
        if self.dropped == 0 && has <= self.logs.max_bytes {
            self.out.extend_from_slice(&self.partial[stream as usize]);
            self.out.extend_from_slice(rest);
            self.out.push(b'\n');
        } else {
            self.out.truncate(before);
            if self.dropped == 0 {
                // Told at once as well: a process that is killed tells nothing afterwards.
                let most = self.logs.max_bytes;
                self.say(&format!(
                    "the log has its {most} bytes of a day (logs.max_bytes): the rest is dropped"
                ));
            }
            self.dropped += text as u64 + u64::from(ended);
        }
        self.partial[stream as usize].clear();
    }

    fn tell_dropped(&mut self) {
        let mut dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            // Their rest is among what was dropped: they must not be glued to what comes next.
            for partial in &mut self.partial {
                dropped += partial.len() as u64;
                partial.clear();
            }
            self.say(&format!("{dropped} bytes were dropped"));
        }
    }

    /// A line of our own.
    fn say(&mut self, what: &str) {
        self.head(Stream::Stderr);
        let _ = writeln!(self.out, "lazarus-pit: {what}");
    }

    fn head(&mut self, stream: Stream) {
        if self.torn && self.out.is_empty() {
            self.out.push(b'\n');
        }
        self.out.extend_from_slice(&self.heads[stream as usize]);
    }

    /// Takes notice of the time: lines have it, and a new day has a file of its own. All of it is
    /// done once a second, as reckoning with time zones costs more than a line.
    fn tick(&mut self, now: Timestamp) {
        let second = now.as_micros().div_euclid(1_000_000);
        if second == self.second {
            return;
        }
        let local = self.logs.local(now);
        let stamp = local.strftime("%Y-%m-%dT%H:%M:%S%:z");
        for stream in Stream::ALL {
            let head = &mut self.heads[stream as usize];
            head.clear();
            let _ = write!(head, "{stamp} [{}:{}] ", self.label, stream.as_str());
        }
        self.second = second;
        let day = Logs::name_of_day(&local);
        // Eight digits each: the later day is the greater text.
        if day > self.day {
            self.roll(day);
        }
    }

    /// Goes on in the new day's file.
    fn roll(&mut self, day: String) {
        self.tell_dropped();
        self.flush();
        match self.logs.open_day(&self.place, &self.r#ref, &day) {
            Ok(opened) => {
                let Opened {
                    file,
                    size,
                    torn,
                    path,
                    trouble,
                } = opened;
                (self.file, self.size, self.torn, self.path) = (file, size, torn, path);
                self.note(trouble);
            }
            // Better in yesterday's file than lost; the next day is another chance.
            Err(trouble) => self.note(Some(trouble)),
        }
        self.day = day;
    }

    /// Writes what is ready, in one call where the disk takes it.
    fn flush(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let done = self.file.write_all(&self.out);
        self.torn = done.is_err();
        match done {
            Ok(()) => self.size += self.out.len() as u64,
            Err(e) => {
                let trouble = format!("writing the log {}: {e}", self.path.display());
                self.note(Some(trouble));
                self.size = self.file.metadata().map_or(self.size, |meta| meta.len());
            }
        }
        self.out.clear();
    }

    fn note(&mut self, trouble: Option<String>) {
        if self.trouble.is_none() {
            self.trouble = trouble;
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // What was gathered is not lost when its owner gives up; the last known time will do.
        if self.second > i64::MIN {
            self.end_lines();
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
