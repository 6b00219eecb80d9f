//! Whatever is printed, in whatever pieces, comes out as the simplest writer there could be would
//! write it: a byte at a time, a file a day, and no memory of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::*;

const DAY: i64 = 86_400;
/// 2026-11-21 at noon.
const NOON: i64 = 1_795_262_400;

/// What befalls a log.
#[derive(Clone, Debug)]
enum Op {
    /// So many bytes of a pattern are printed.
    Print(Stream, Vec<u8>, usize),
    /// Time passes, in milliseconds; back too.
    Pass(i64),
    Finish,
    /// The writer is dropped, and another opens the log.
    Reopen,
    /// The same, but by SIGKILL: nothing is said any more, and the last of the file may be missing.
    Kill(usize),
    Rest,
}

fn op() -> impl Strategy<Value = Op> {
    let stream = || prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    let byte = || prop_oneof![4 => Just(b'a'), 3 => Just(b'\n'), 1 => any::<u8>()];
    let pattern = || prop::collection::vec(byte(), 1..24);
    let long = prop_oneof![(64usize << 10) - 3..(64 << 10) + 3, 1usize..150_000];
    prop_oneof![
        24 => (stream(), pattern(), 1usize..200).prop_map(|(s, p, n)| Op::Print(s, p, n)),
        1 => (stream(), pattern(), long).prop_map(|(s, mut p, n)| {
            p.retain(|b| *b != b'\n');
            p.push(b'x');
            Op::Print(s, p, n)
        }),
        4 => (-2_000i64..4_000).prop_map(Op::Pass),
        2 => Just(Op::Pass(DAY * 1000)),
        1 => Just(Op::Pass(-DAY * 1000)),
        2 => Just(Op::Finish),
        1 => Just(Op::Reopen),
        1 => (0usize..30).prop_map(Op::Kill),
        1 => Just(Op::Rest),
    ]
}

/// The simplest writer, and what it counts.
#[derive(Default)]
struct Model {
    files: BTreeMap<String, Vec<u8>>,
    day: String,
    /// The time of the last call.
    now: i64,
    called: bool,
    partial: [Vec<u8>; 2],
    dropped: u64,
    torn: bool,
    max: u64,
    /// Bytes printed; bytes that a kill took; ends of lines that nobody printed.
    printed: u64,
    lost: u64,
    made: u64,
    cut: bool,
}

fn local(millis: i64) -> jiff::Zoned {
    let at = jiff::Timestamp::from_millisecond(millis).unwrap();
    at.to_zoned(zone())
}

fn zone() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(1))
}

impl Model {
    fn file(&mut self) -> &mut Vec<u8> {
        self.files.entry(self.day.clone()).or_default()
    }

    fn open(&mut self, now: i64) {
        self.day = local(now).strftime("%Y%m%d").to_string();
        self.torn = self.file().last().is_some_and(|b| *b != b'\n');
        (self.dropped, self.called) = (0, false);
    }

    fn tick(&mut self, now: i64) {
        let day = local(now).strftime("%Y%m%d").to_string();
        (self.now, self.called) = (now, true);
        if day > self.day {
            self.tell();
            self.day = day;
            self.torn = self.file().last().is_some_and(|b| *b != b'\n');
        }
    }

    fn put(&mut self, stream: Stream, text: &[u8]) {
        let stamp = local(self.now.div_euclid(1000) * 1000);
        let stamp = stamp.strftime("%Y-%m-%dT%H:%M:%S%:z");
        let mut line = format!("{stamp} [claude:{}] ", stream.as_str()).into_bytes();
        if std::mem::take(&mut self.torn) {
            line.insert(0, b'\n');
        }
        line.extend_from_slice(text);
        line.push(b'\n');
        self.file().extend(line);
    }

    fn line(&mut self, stream: Stream, ended: bool) {
        let text = std::mem::take(&mut self.partial[stream as usize]);
        let (torn, before) = (self.torn, self.file().len());
        self.put(stream, &text);
        let has = self.file().len() as u64;
        self.made += u64::from(!ended);
        if has > self.max {
            self.file().truncate(before);
            self.torn = torn;
            self.made -= u64::from(!ended);
            let most = self.max;
            let told = format!(
                "lazarus-pit: the log has its {most} bytes of a day (logs.max_bytes): the rest is dropped"
            );
            self.put(Stream::Stderr, told.as_bytes());
            self.dropped = text.len() as u64 + u64::from(ended);
        }
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) {
        self.printed += bytes.len() as u64;
        for byte in bytes {
            if self.dropped > 0 {
                self.dropped += 1;
            } else if *byte == b'\n' {
                self.line(stream, true);
            } else {
                if self.partial[stream as usize].len() == LONGEST_LINE {
                    self.line(stream, false);
                }
                match self.dropped {
                    0 => self.partial[stream as usize].push(*byte),
                    _ => self.dropped += 1,
                }
            }
        }
    }

    fn tell(&mut self) {
        if self.dropped > 0 {
            let rest: usize = self.partial.iter().map(Vec::len).sum();
            let all = self.dropped + rest as u64;
            (self.partial, self.dropped) = (Default::default(), 0);
            let told = format!("lazarus-pit: {all} bytes were dropped");
            self.put(Stream::Stderr, told.as_bytes());
        }
    }

    fn finish(&mut self) {
        for stream in Stream::ALL {
            match (self.partial[stream as usize].len(), self.dropped) {
                (0, _) => {}
                (_, 0) => self.line(stream, false),
                (n, _) => {
                    self.dropped += n as u64;
                    self.partial[stream as usize].clear();
                }
            }
        }
        self.tell();
    }

    /// What a kill leaves.
    fn kill(&mut self, cut: usize) -> usize {
        let file = self.file();
        let cut = cut.min(file.len());
        let left = file.len() - cut;
        file.truncate(left);
        self.cut |= cut > 0;
        self.lost += self.dropped;
        self.lost += self.partial.iter().map(|p| p.len() as u64).sum::<u64>();
        self.partial = Default::default();
        left
    }
}

fn path_of(dir: &Path, day: &str) -> PathBuf {
    dir.join("portal-1").join(day).join("r_claude.log")
}

/// One log's life.
fn live(dir: &Path, max: u64, ops: &[Op]) -> Result<(), TestCaseError> {
    let logs = Logs::in_zone(dir.to_owned(), max, zone());
    let place = Place {
        cell: Some(("portal-1".into(), "/".into())),
        name: "claude".into(),
    };
    let mut now = NOON * 1000;
    let at = |now: i64| Timestamp::from_micros(now * 1000);
    let open = |now| logs.open(&place, "r", at(now)).unwrap();
    let mut model = Model {
        max,
        ..Model::default()
    };
    model.open(now);
    let mut log = open(now);
    for op in ops {
        match op {
            Op::Print(stream, pattern, n) => {
                let bytes: Vec<u8> = pattern.iter().copied().cycle().take(*n).collect();
                model.tick(now);
                model.print(*stream, &bytes);
                log.write(*stream, &bytes, at(now));
            }
            Op::Pass(millis) => now += millis,
            Op::Finish => {
                model.tick(now);
                model.finish();
                log.finish(at(now));
            }
            Op::Reopen => {
                if model.called {
                    model.finish();
                }
                drop(log);
                model.open(now);
                log = open(now);
            }
            Op::Kill(cut) => {
                let left = model.kill(*cut);
                log.partial = Default::default();
                log.dropped = 0;
                log.file.set_len(left as u64).unwrap();
                drop(log);
                model.open(now);
                log = open(now);
            }
            Op::Rest => log.rest(),
        }
        prop_assert_eq!(log.take_trouble(), None);
        prop_assert!(log.out.capacity() <= 2 * FULL && log.out.is_empty());
    }
    model.tick(now);
    model.finish();
    log.finish(at(now));
    let mut out = 0;
    for (day, want) in &model.files {
        let got = std::fs::read(path_of(dir, day)).unwrap();
        prop_assert!(
            got == *want,
            "{}: {:?}, not {:?}",
            day,
            String::from_utf8_lossy(&got),
            String::from_utf8_lossy(want)
        );
        if !model.cut {
            out += counted(&got);
        }
    }
    if !model.cut {
        // Told or not, no byte is missing.
        prop_assert_eq!(out - model.made, model.printed - model.lost);
    }
    Ok(())
}

/// What a file has of what was printed, by itself and by what it says was dropped.
fn counted(file: &[u8]) -> u64 {
    let mut sum = 0;
    for line in file.split_inclusive(|b| *b == b'\n') {
        let head = line.windows(2).position(|w| w == b"] ").unwrap() + 2;
        let text = &line[head..];
        let Some(ours) = text.strip_prefix(b"lazarus-pit: ") else {
            sum += text.len() as u64;
            continue;
        };
        let ours = std::str::from_utf8(ours).unwrap();
        if let Some(n) = ours.strip_suffix(" bytes were dropped\n") {
            sum += n.parse::<u64>().unwrap();
        }
    }
    sum
}

/// `LAZARUS_CASES` makes it more thorough.
#[test]
fn what_comes_out_is_what_was_printed_but_for_what_is_counted_as_dropped() {
    let cases = std::env::var("LAZARUS_CASES").ok();
    let cases = cases.and_then(|n| n.parse().ok()).unwrap_or(500);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let shm = Path::new("/dev/shm");
    let tmp = tempfile::tempdir_in(shm).or_else(|_| tempfile::tempdir());
    let tmp = tmp.unwrap();
    let max = prop_oneof![
        Just(0u64),
        100u64..2_000,
        Just(100_000u64),
        Just(u64::MAX / 2)
    ];
    let life = (max, prop::collection::vec(op(), 1..20));
    let number = std::cell::Cell::new(0);
    TestRunner::new(config)
        .run(&life, |(max, ops)| {
            number.set(number.get() + 1);
            let dir = tmp.path().join(number.get().to_string());
            let done = live(&dir, max, &ops);
            let _ = std::fs::remove_dir_all(dir);
            done
        })
        .unwrap();
}
