//! Which processes there are: those of a session, those with a word in their environment.
//!
//! All that `/proc` says may be another's by the time it is read; so whoever is found is held by a
//! descriptor and looked at again before it gets a signal.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

use nix::unistd::SysconfVar;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{process, target};

/// How much of an environment is looked at. Ours is put first, and a shell that exports more
/// seldom has as much.
const MOST_ENVIRONMENT: u64 = 1 << 20;

/// A process that was found: its pid means this one only together with its start time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The pid.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
    /// The value that it was found by.
    pub value: String,
}

/// The numbers in `/proc`.
fn pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whom a process belongs to.
#[derive(Clone, Copy)]
struct Kin {
    parent: i32,
    group: i32,
    session: i32,
}

/// Fields 4 to 6 of the stat of a process that is not a zombie.
fn kin(pid: i32) -> Option<Kin> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = &stat[stat.iter().rposition(|b| *b == b')')? + 1..];
    let mut fields = std::str::from_utf8(after).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let mut next = || fields.next()?.parse().ok();
    let kin = Kin {
        parent: next()?,
        group: next()?,
        session: next()?,
    };
    (!matches!(state, "Z" | "X")).then_some(kin)
}

/// The living processes of a session, its leader among them.
#[must_use]
pub fn of_session(session: i32) -> Vec<i32> {
    let is_of = |pid: &i32| kin(*pid).is_some_and(|kin| kin.session == session);
    pids().filter(is_of).collect()
}

/// The living processes of any of these sessions, each with its session.
#[must_use]
pub fn of_sessions(sessions: &HashSet<i32>) -> Vec<(i32, i32)> {
    let session = |pid| kin(pid).map(|kin| (pid, kin.session));
    let all = pids().filter_map(session);
    all.filter(|(_, session)| sessions.contains(session))
        .collect()
}

/// Sends a signal to those processes of a session that have left its leader's group, as the jobs of
/// a shell do. Whoever calls this holds the leader, so that its number is nobody else's.
pub fn signal_other_groups(session: i32, signal: Signal) {
    let is_meant = |pid: i32| kin(pid).is_some_and(|k| k.session == session && k.group != session);
    for pid in pids().filter(|pid| is_meant(*pid)) {
        let Some(pid_t) = Pid::from_raw(pid) else {
            continue;
        };
        let held = rustix::process::pidfd_open(pid_t, PidfdFlags::empty());
        // Looked at again: from here on the pid is this process's.
        if let Ok(fd) = held
            && is_meant(pid)
        {
            let _ = rustix::process::pidfd_send_signal(fd, signal);
        }
    }
}

/// What the processes of one session take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all of them, and of their children that were waited for.
    pub cpu: Duration,
    /// Resident memory in bytes; what several share is counted for each.
    pub memory_bytes: u64,
}

/// What each session of this host takes, by one look at all processes.
#[must_use]
pub fn usage() -> HashMap<i32, Usage> {
    let page = unit(SysconfVar::PAGE_SIZE);
    let mut all: HashMap<i32, Usage> = HashMap::new();
    for pid in pids() {
        let Some((session, spent, pages)) = taken(pid) else {
            continue;
        };
        let usage = all.entry(session).or_default();
        usage.cpu += ticks(spent);
        usage.memory_bytes = usage
            .memory_bytes
            .saturating_add(pages.saturating_mul(page));
    }
    all
}

/// Session, processor time in ticks, and resident pages of a process: fields 6, 14 to 17 and 24.
fn taken(pid: i32) -> Option<(i32, u64, u64)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = &stat[stat.iter().rposition(|b| *b == b')')? + 1..];
    let fields: Vec<&str> = std::str::from_utf8(after)
        .ok()?
        .split_ascii_whitespace()
        .collect();
    // The state is field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    let positive = |field| u64::try_from(number(field)?).ok();
    let mut spent = 0;
    for field in 14..=17 {
        spent += positive(field)?;
    }
    Some((i32::try_from(number(6)?).ok()?, spent, positive(24)?))
}

/// A number of the kernel's clock ticks as a time.
#[must_use]
pub fn ticks(number: u64) -> Duration {
    let nanos = u128::from(number) * 1_000_000_000 / u128::from(unit(SysconfVar::CLK_TCK));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// One of the kernel's units, never 0.
fn unit(which: SysconfVar) -> u64 {
    let known = nix::unistd::sysconf(which).ok().flatten();
    known
        .and_then(|n| u64::try_from(n).ok())
        .unwrap_or(1)
        .max(1)
}

/// A living process and its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The pid.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
    /// The processor time that it has taken, with the children that it waited for, in clock ticks.
    pub spent: u64,
    /// Program and arguments, with a space between them.
    pub command: String,
}

/// How long a command line may be; what is longer is cut off, in bytes.
const LONGEST_COMMAND: u64 = 64 << 10;

/// The living processes with their command lines, by one look at all of them: without kernel
/// threads, this process and those that it comes from, and processes of our own program. True
/// beside them where `/proc` hides those of other users from us.
///
/// # Errors
/// `/proc` cannot be read.
pub fn lines() -> std::io::Result<(Vec<Line>, bool)> {
    let spared = ancestors();
    let ours = process::own_program();
    let mut all = Vec::new();
    let mut command = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        command.clear();
        let read = File::open(format!("/proc/{pid}/cmdline"))
            .and_then(|file| file.take(LONGEST_COMMAND).read_to_end(&mut command));
        // A kernel thread has none, and neither has a zombie.
        if read.is_err() || command.is_empty() || spared.contains(&pid) {
            continue;
        }
        if ours.as_ref().is_some_and(|ours| ours.is_of(pid, &command)) {
            continue;
        }
        if let Some((start_time, spent)) = began_and_spent(pid) {
            let arguments = command.strip_suffix(b"\0").unwrap_or(&command);
            let arguments: Vec<u8> = arguments
                .iter()
                .map(|b| if *b == 0 { b' ' } else { *b })
                .collect();
            all.push(Line {
                pid,
                start_time,
                spent,
                command: String::from_utf8_lossy(&arguments).into_owned(),
            });
        }
    }
    all.sort_unstable_by_key(|line| line.pid);
    Ok((all, std::fs::metadata("/proc/1").is_err()))
}

/// Start time and processor time in ticks of a process that is no zombie: fields 14 to 17 and 22.
#[must_use]
pub fn began_and_spent(pid: i32) -> Option<(u64, u64)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = &stat[stat.iter().rposition(|b| *b == b')')? + 1..];
    let text = std::str::from_utf8(after).ok()?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    let mut spent = 0_u64;
    for field in 14..=17 {
        spent = spent.saturating_add(number(field)?);
    }
    Some((number(22)?, spent))
}

/// A living process, with what some variables of its environment say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<const N: usize> {
    /// The pid.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
    /// Its session.
    pub session: i32,
    /// The user who runs it: the real one, which whoever starts a set-user-ID program stays.
    pub uid: u32,
    /// The variables' values, in the order in which they were asked for.
    pub values: [Option<String>; N],
}

/// The living processes in whose environment the first of these variables is, without this process
/// and those that it comes from. What may not be looked at is not found.
#[must_use]
pub fn with_variables<const N: usize>(names: [&str; N]) -> Vec<Told<N>> {
    let spared = ancestors();
    let mut found = Vec::new();
    let mut environment = Vec::new();
    for pid in pids().filter(|pid| !spared.contains(pid)) {
        let Some(start_time) = process::start_time(pid) else {
            continue;
        };
        environment.clear();
        let read = File::open(format!("/proc/{pid}/environ"))
            .and_then(|file| file.take(MOST_ENVIRONMENT).read_to_end(&mut environment));
        if read.is_err() {
            continue;
        }
        let values = names.map(|name| {
            environment.split(|b| *b == 0).find_map(|entry| {
                let entry = std::str::from_utf8(entry).ok()?;
                Some(entry.strip_prefix(name)?.strip_prefix('=')?.to_owned())
            })
        });
        let Some((Kin { session, .. }, uids)) = kin(pid).zip(target::uids(pid)) else {
            continue;
        };
        // The start time again: it was one process all the while.
        if values.first().is_some_and(Option::is_some)
            && process::start_time(pid) == Some(start_time)
        {
            found.push(Told {
                pid,
                start_time,
                session,
                uid: uids[0],
                values,
            });
        }
    }
    found.sort_unstable_by_key(|told| told.pid);
    found
}

/// The living processes in whose environment the variable has one of these values, without this
/// process and those that it comes from. What may not be looked at is not found.
#[must_use]
pub fn with_variable(name: &str, values: &HashSet<&str>) -> Vec<Found> {
    if values.is_empty() {
        return Vec::new();
    }
    let wanted = |told: Told<1>| {
        let [value] = told.values;
        Some(Found {
            pid: told.pid,
            start_time: told.start_time,
            value: value.filter(|value| values.contains(value.as_str()))?,
        })
    };
    let mut found: Vec<Found> = with_variables([name])
        .into_iter()
        .filter_map(wanted)
        .collect();
    found.sort_unstable();
    found
}

/// True where one process is the other, or comes from it.
#[must_use]
pub fn comes_from(pid: i32, ancestor: i32) -> bool {
    let mut seen = HashSet::new();
    let mut at = pid;
    while at != ancestor {
        match kin(at) {
            // Two that change while they are read could name each other.
            Some(Kin { parent, .. }) if parent > 0 && seen.insert(parent) => at = parent,
            _ => return false,
        }
    }
    true
}

/// The session of a living process.
#[must_use]
pub fn session(pid: i32) -> Option<i32> {
    kin(pid).map(|kin| kin.session)
}

/// This process and those that it comes from.
#[must_use]
pub fn ancestors() -> HashSet<i32> {
    let mut at = std::process::id().cast_signed();
    let mut all = HashSet::from([at]);
    while let Some(Kin { parent, .. }) = kin(at) {
        // Two that change while they are read could name each other.
        if parent <= 0 || !all.insert(parent) {
            break;
        }
        at = parent;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_session_takes_memory_and_time() {
        let own = kin(std::process::id().cast_signed()).unwrap().session;
        let usage = usage()[&own];
        assert!(usage.memory_bytes > 100_000, "{usage:?}");
        assert!(usage.memory_bytes < 1 << 40, "{usage:?}");
    }

    #[test]
    fn we_have_a_parent_and_a_session_and_never_find_ourselves() {
        let own = std::process::id().cast_signed();
        let Kin {
            parent, session, ..
        } = kin(own).unwrap();
        assert!(ancestors().contains(&parent));
        assert!(of_session(session).contains(&own));
        let Ok(path) = std::env::var("PATH") else {
            return;
        };
        let found = with_variable("PATH", &HashSet::from([path.as_str()]));
        assert!(found.iter().all(|f| f.pid != own && f.pid != parent));
    }
}
