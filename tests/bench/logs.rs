//! What writing logs costs: `tests/bench/logs.sh`, which builds this and runs it beside other
//! programs of its kind. By itself it does what a keeper does, and no more:
//!
//!     YES | logs keep DIR     # reads its standard input into a log under DIR
//!     logs print BYTES LINE   # prints so many bytes as lines of that length
#![allow(clippy::print_stdout)]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use lazarus_pit::act::logs::{Logs, Stream};
use lazarus_pit::model::action::Place;
use lazarus_pit::model::time::Timestamp;

/// As much as a keeper reads at a time.
const CHUNK: usize = 64 << 10;

fn keep(dir: PathBuf) -> std::io::Result<()> {
    let place = Place {
        cell: Some(("bench".into(), "/".into())),
        name: "claude".into(),
    };
    let now = || Timestamp::from_system(SystemTime::now());
    let logs = Logs::new(dir, u64::MAX / 2);
    let mut log = logs
        .open(&place, "bench", now())
        .map_err(std::io::Error::other)?;
    let mut buffer = vec![0; CHUNK];
    let mut from = std::io::stdin().lock();
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            n => log.write(Stream::Stdout, &buffer[..n], now()),
        }
    }
    log.finish(now());
    match log.take_trouble() {
        Some(trouble) => Err(std::io::Error::other(trouble)),
        None => Ok(()),
    }
}

fn print(bytes: usize, line: usize) -> std::io::Result<()> {
    let mut text: Vec<u8> = (0..line.saturating_sub(1))
        .map(|n| b'a' + u8::try_from(n % 26).unwrap_or(0))
        .collect();
    text.push(b'\n');
    // Written as a program writes that buffers its output: not at the ends of lines.
    let mut chunk: Vec<u8> = text.repeat((1 << 20) / line + 1);
    let whole = chunk.len() / line * line;
    chunk.truncate(whole);
    let mut left = bytes / line * line;
    let mut to = std::io::stdout().lock();
    while left > 0 {
        let n = left.min(chunk.len());
        to.write_all(&chunk[..n])?;
        left -= n;
    }
    to.flush()
}

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().map_err(std::io::Error::other);
    match words[..] {
        ["keep", dir] => keep(dir.into()),
        ["print", bytes, line] => print(number(bytes)?, number(line)?.max(1)),
        _ => {
            println!("usage: logs keep DIR | logs print BYTES LINE");
            std::process::exit(64)
        }
    }
}
