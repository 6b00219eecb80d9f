//! Writes what a process prints, line by line, each with its time and where it comes from.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Logs, Opened};
use crate::model::action::Place;
use crate::model::text::visible;
use crate::model::time::Timestamp;

/// A line longer than this is split.
const LONGEST_LINE: usize = 64 << 10;

/// Where a line was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
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
    /// True where the file may end in the middle of a line, after a write that failed.
    torn: bool,
    /// The second that `stamp` is the text of.
    second: i64,
    stamp: String,
    partial: [Vec<u8>; 2],
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
            torn: false,
            second: i64::MIN,
            stamp: String::new(),
            partial: [Vec::new(), Vec::new()],
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

    /// Takes what was printed. Whole lines are written at once, the rest waits for its end.
    pub fn write(&mut self, stream: Stream, mut bytes: &[u8], now: Timestamp) {
        self.roll(now);
        let mut out = Vec::new();
        while !bytes.is_empty() {
            if self.dropped > 0 {
                // Nothing more of this day is kept, so that a flood costs next to nothing.
                self.dropped += bytes.len() as u64;
                break;
            }
            let partial = &mut self.partial[stream as usize];
            let room = LONGEST_LINE - partial.len();
            let within = &bytes[..bytes.len().min(room + 1)];
            let (taken, skipped) = match within.iter().position(|b| *b == b'\n') {
                Some(end) => (end, 1),
                None if within.len() > room => (room, 0),
                None => {
                    partial.extend_from_slice(within);
                    break;
                }
            };
            partial.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken + skipped..];
            self.line(stream, now, &mut out);
        }
        self.append(&out);
    }

    /// What was printed is over for now: a line without an end gets one, and what was dropped is
    /// told.
    pub fn finish(&mut self, now: Timestamp) {
        self.roll(now);
        let mut out = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.partial[stream as usize].is_empty() {
                self.line(stream, now, &mut out);
            }
        }
        self.tell_dropped(now, &mut out);
        self.append(&out);
    }

    /// Moves the line that is gathered to `out`, if there is room for it.
    fn line(&mut self, stream: Stream, now: Timestamp, out: &mut Vec<u8>) {
        let mut text = std::mem::take(&mut self.partial[stream as usize]);
        let before = out.len();
        self.head(stream, now, out);
        out.extend_from_slice(&text);
        out.push(b'\n');
        if self.dropped > 0 || self.size + out.len() as u64 > self.logs.max_bytes {
            out.truncate(before);
            if self.dropped == 0 {
                // Told at once as well: a process that is killed tells nothing afterwards.
                self.head(Stream::Stderr, now, out);
                let most = self.logs.max_bytes;
                let _ = writeln!(
                    out,
                    "lazarus-pit: the log has its {most} bytes of a day (logs.max_bytes): the rest is dropped"
                );
            }
            self.dropped += text.len() as u64 + 1;
        }
        text.clear();
        // Its memory is used again.
        self.partial[stream as usize] = text;
    }

    fn tell_dropped(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        let mut dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            // Their rest is among what was dropped: they must not be glued to what comes next.
            for partial in &mut self.partial {
                dropped += partial.len() as u64;
                partial.clear();
            }
            self.head(Stream::Stderr, now, out);
            let _ = writeln!(out, "lazarus-pit: {dropped} bytes were dropped");
        }
    }

    /// `2026-11-21T10:30:45+01:00 [claude:stdout] `
    fn head(&mut self, stream: Stream, now: Timestamp, out: &mut Vec<u8>) {
        let second = now.as_micros().div_euclid(1_000_000);
        if second != self.second {
            let local = self.logs.local(now);
            self.stamp = local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
            self.second = second;
        }
        let stream = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let _ = write!(out, "{} [{}:{stream}] ", self.stamp, self.label);
    }

    /// Goes on in the new day's file, where there is a new day.
    fn roll(&mut self, now: Timestamp) {
        let second = now.as_micros().div_euclid(1_000_000);
        if second == self.second {
            return;
        }
        let day = self.logs.day(now);
        // Eight digits each: the later day is the greater text.
        if day <= self.day {
            return;
        }
        let mut out = Vec::new();
        self.tell_dropped(now, &mut out);
        self.append(&out);
        match self.logs.open_day(&self.place, &self.r#ref, &day) {
            Ok(Opened {
                file,
                size,
                path,
                trouble,
            }) => {
                (self.file, self.size, self.path) = (file, size, path);
                self.torn = false;
                self.note(trouble);
            }
            // Better in yesterday's file than lost; the next day is another chance.
            Err(trouble) => self.note(Some(trouble)),
        }
        self.day = day;
    }

    fn append(&mut self, out: &[u8]) {
        if out.is_empty() {
            return;
        }
        let ends_line: &[u8] = if self.torn { b"\n" } else { b"" };
        let done = self
            .file
            .write_all(ends_line)
            .and_then(|()| self.file.write_all(out));
        self.torn = done.is_err();
        match done {
            Ok(()) => self.size += (ends_line.len() + out.len()) as u64,
            Err(e) => {
                let trouble = format!("writing the log {}: {e}", self.path.display());
                self.note(Some(trouble));
                self.size = self.file.metadata().map_or(self.size, |meta| meta.len());
            }
        }
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
        let mut out = Vec::new();
        let at = match self.second {
            i64::MIN => return,
            second => Timestamp::from_secs(second),
        };
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.partial[stream as usize].is_empty() {
                self.line(stream, at, &mut out);
            }
        }
        self.append(&out);
    }
}
