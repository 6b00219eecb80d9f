//! What a canonical cell is told: its stream of events, and how its agents are.
//!
//! Both files lie among what agents write, and anything may stand in their places. They are opened
//! from the cell's descriptor, through no link and without waiting, and with the rights of whoever
//! owns the cell: what a file in such a place leads to is at most the owner's own.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt::Display;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;
use serde_json::{Map, Value};

use super::manifest::{self, Manifest};
use super::{place, rights, seeds};
use crate::model::cell::Layout;
use crate::model::condition::Condition;
use crate::model::event::{Event, Kind};
use crate::model::time::Timestamp;
use crate::observe::heartbeat::LARGEST;
use crate::observe::mounts::{self, Closed};
use crate::sys::beneath::{self, Mounts, Small};
use crate::sys::create::{self, Access, Durable};
use crate::sys::owner::{Owner, with_rights};

/// A stream of events that would be longer is not written any more: nobody reads it, or it would
/// have been rotated.
const LONGEST_STREAM: u64 = 64 << 20;

/// How often a stream is looked for again that somebody else makes or removes meanwhile.
const TRIES: u32 = 4;

/// The directory of the stream, and its name in it.
const STREAM: (&str, &str) = ("logs", "events.jsonl");

/// The directory of the state, and its name in it.
const STATE: (&str, &str) = (".lazarus", "state.json");

/// How an agent is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// True where the report has its state as `healthy`.
    pub healthy: bool,
    /// When it last beat: Unix seconds.
    pub last_seen: Option<f64>,
    /// How often it was revived in its open incident.
    pub revive_count: u32,
}

/// What one cell is told.
#[derive(Clone, Debug)]
pub struct News {
    /// The cell's name in the missions root.
    pub cell: String,
    /// What happened to it, as [`line()`] puts it; may be empty.
    pub lines: Vec<u8>,
    /// How its agents are, by name; `None` leaves the cell's state as it is.
    pub health: Option<BTreeMap<String, Health>>,
    /// True where it is known to lack directories, and where that is not told again.
    pub incomplete: bool,
}

/// What all cells are told alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    pub(super) pid: u32,
    pub(super) at: Timestamp,
    pub(super) mounts: Mounts,
}

/// A line of a cell's stream. Neither a question's code stands there nor what a command is: agents
/// read it.
#[derive(Serialize)]
struct Line<'a> {
    ts: Timestamp,
    event: Kind,
    agent: Option<&'a str>,
    by: &'static str,
    run: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Condition>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    reasons: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down_for: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// An event of the journal as a line of its cell's stream; `agent` is absent where it happened to
/// the cell as a whole.
#[must_use]
pub fn line(event: &Event, agent: Option<&str>) -> Vec<u8> {
    seeds::line(&Line {
        ts: event.ts,
        event: event.event,
        agent,
        by: "lazarus-pit",
        run: &event.run,
        actor: Some(event.actor.as_str()).filter(|actor| *actor != "run"),
        incident: event.incident.as_deref(),
        plan: event.plan.as_deref(),
        attempt: event.attempt,
        r#ref: event.r#ref.as_deref(),
        index: event.index,
        kind: event.kind.as_deref(),
        result: event.result.as_deref(),
        exit_code: event.exit_code,
        duration_ms: event.duration_ms,
        from: event.from,
        to: event.to,
        reasons: &event.reasons,
        reason: event.reason.as_deref(),
        down_since: event.down_since,
        down_for: event.down_for,
        expires_at: event.expires_at,
        until: event.until,
    })
}

/// A cell that can be written in.
pub(super) struct Ready {
    cell: OwnedFd,
    uuid: Option<String>,
    /// With whose rights [`write()`] is to be called.
    pub(super) owner: Owner,
}

/// Opens a cell to be written in; `None` for one that is gone, is of the other layout, or is only
/// counted.
///
/// # Errors
/// Why it could not be opened, as a sentence.
pub(super) fn open(missions: &OwnedFd, news: &News, poll: Poll) -> Result<Option<Ready>, String> {
    let Ok(name) = CString::new(news.cell.as_str()) else {
        return Ok(None);
    };
    let cell = match mounts::open_cell(missions, &name, poll.mounts) {
        Ok(cell) => cell,
        Err(Closed::Errno(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => return Ok(None),
        Err(Closed::Errno(errno)) => return Err(unwritten("the cell", place::why(errno))),
        Err(Closed::Mount(why)) => return Err(unwritten("the cell", why)),
    };
    if !matches!(place::layout(&cell), Ok(Layout::Canonical)) {
        return Ok(None);
    }
    let uuid = match manifest::read(&cell, Layout::Canonical, poll.mounts) {
        Ok(Manifest::Known(known)) => match known.lifecycle {
            Some(lifecycle) if lifecycle.is_ignored() => return Ok(None),
            _ => known.uuid,
        },
        _ => None,
    };
    let owner = Owner::of(&cell).map_err(|errno| unwritten("the cell", place::why(errno)))?;
    Ok(Some(Ready { cell, uuid, owner }))
}

/// Writes in a cell, with the rights of its owner. Returns what could not be written, as sentences.
pub(super) fn write(ready: &Ready, news: &News, poll: Poll) -> Vec<String> {
    let Ready { cell, uuid, owner } = ready;
    let stream = || match news.lines.is_empty() {
        true => Ok(()),
        false => within(cell, STREAM, news, poll, |dir| {
            append(dir, &news.lines, poll)
        }),
    };
    let state = || match &news.health {
        None => Ok(()),
        Some(health) => within(cell, STATE, news, poll, |dir| {
            replace(dir, health, uuid.as_deref(), poll)
        }),
    };
    // The state first: a stream can be made to hang by whoever owns it.
    let done = match owner.is_root() {
        false => [state(), stream()],
        // In a cell of root's the two directories may be different users'.
        true => [
            rightly(cell, STATE.0, poll, state),
            match news.lines.is_empty() {
                true => Ok(()),
                false => rightly(cell, STREAM.0, poll, stream),
            },
        ],
    };
    done.into_iter().filter_map(Result::err).collect()
}

/// Does something in a directory of a cell with the rights that are due there.
fn rightly(
    cell: &OwnedFd,
    dir: &str,
    poll: Poll,
    work: impl FnOnce() -> Result<(), String> + Send,
) -> Result<(), String> {
    let owner = rights::of(cell, &[dir], poll.mounts).map_err(place::why);
    let done = owner.and_then(|owner| with_rights(owner, work));
    done.unwrap_or_else(|why| Err(unwritten(dir, why)))
}

fn unwritten(what: impl Display, why: impl Display) -> String {
    format!("writing in {what}: {why}")
}

/// Does something in a directory of a cell.
fn within(
    cell: &OwnedFd,
    (dir, name): (&str, &str),
    news: &News,
    poll: Poll,
    work: impl FnOnce(&OwnedFd) -> Result<(), String>,
) -> Result<(), String> {
    let path = format!("{dir}/{name}");
    match beneath::open_dir(cell, dir, poll.mounts) {
        Ok(dir) => work(&dir).map_err(|why| format!("writing {path}: {why}")),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if news.incomplete => Ok(()),
        Err(errno) => Err(format!("writing {path}: {dir}: {}", place::why(errno))),
    }
}

/// Appends to the stream in one write, so that lines of others are not cut in two.
fn append(dir: &OwnedFd, lines: &[u8], poll: Poll) -> Result<(), String> {
    let why = place::why;
    let (fd, made) = open_stream(dir, poll.mounts).map_err(why)?;
    let stat = rustix::fs::fstat(&fd).map_err(why)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        return Err(format!(
            "it is {}, not a regular file",
            beneath::describe(kind)
        ));
    }
    if stat.st_nlink != 1 {
        let n = stat.st_nlink;
        return Err(format!(
            "it has {n} names (hard links), and may be another file as well"
        ));
    }
    if made {
        // Whatever our umask is: the operator and the agents' tools read it.
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(0o644)).map_err(why)?;
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size.saturating_add(lines.len() as u64) > LONGEST_STREAM {
        return Err(format!(
            "it has {size} bytes, and none are added beyond {LONGEST_STREAM}; move it away, and a new one is begun"
        ));
    }
    let mut last = [b'\n'];
    if size > 0 {
        rustix::io::pread(&fd, &mut last, size - 1).map_err(why)?;
    }
    // Somebody's half line is theirs, and what is appended here is whole all the same.
    let lines = match last {
        [b'\n'] => lines.to_vec(),
        _ => [b"\n", lines].concat(),
    };
    match rustix::io::retry_on_intr(|| rustix::io::write(&fd, &lines)) {
        Ok(n) if n == lines.len() => Ok(()),
        Ok(n) => Err(format!("only {n} of {} bytes were taken", lines.len())),
        Err(errno) => Err(why(errno)),
    }
}

/// The stream, made where there is none. True where it was made.
fn open_stream(dir: &OwnedFd, mounts: Mounts) -> Result<(OwnedFd, bool), Errno> {
    let flags = OFlags::RDWR | OFlags::APPEND;
    for _ in 0..TRIES {
        match beneath::open(dir, STREAM.1, flags, mounts) {
            Err(Errno::NOENT) => {}
            opened => return opened.map(|fd| (fd, false)),
        }
        let (new, mode) = (
            flags | OFlags::CREATE | OFlags::EXCL,
            Mode::from_raw_mode(0o644),
        );
        match beneath::open_mode(dir, STREAM.1, new, mode, mounts) {
            Err(Errno::EXIST) => {}
            made => return made.map(|fd| (fd, true)),
        }
    }
    Err(Errno::EXIST)
}

/// Replaces the cell's state. What others keep in it beside our own keys stays.
fn replace(
    dir: &OwnedFd,
    health: &BTreeMap<String, Health>,
    uuid: Option<&str>,
    poll: Poll,
) -> Result<(), String> {
    let mut state = kept(dir, poll.mounts);
    if let Some(uuid) = uuid {
        state.insert("cell_uuid".into(), uuid.into());
    }
    state.entry("cell_uuid").or_insert(Value::Null);
    state.insert("daemon_pid".into(), poll.pid.into());
    state.insert("last_poll".into(), poll.at.as_f64().into());
    let health = serde_json::to_value(health).map_err(|e| e.to_string())?;
    state.insert("agent_health".into(), health);
    let access = Access {
        owner: None,
        mode: Some(0o644),
    };
    create::replace(dir, STATE.1, &seeds::page(&state), access, Durable::No)
        .map_err(|e| format!("{}: {}", e.doing, place::why(e.errno)))
}

/// The state as it was found; empty where it is nothing of use.
fn kept(dir: &OwnedFd, mounts: Mounts) -> Map<String, Value> {
    let mut buffer = vec![0; LARGEST + 1];
    match beneath::read_small(dir, STATE.1, &mut buffer, mounts) {
        // A second name could be that of somebody else's file, to be copied into the cell by us.
        Ok(Small::Read(stat, length)) if stat.st_nlink == 1 => {
            serde_json::from_slice(&buffer[..length]).unwrap_or_default()
        }
        _ => Map::new(),
    }
}

#[cfg(test)]
#[path = "news_tests.rs"]
mod tests;
