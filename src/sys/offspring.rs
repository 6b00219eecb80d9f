//! What comes from a process: its children, theirs, and what they have left behind.

use std::collections::HashSet;

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

/// A process, be it a zombie.
#[derive(Clone, Copy)]
struct One {
    pid: i32,
    parent: i32,
    /// When it started, in clock ticks since the boot.
    started: u64,
}

/// All processes.
fn all() -> impl Iterator<Item = One> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| one(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

/// Fields 4 and 22 of a process's stat, which count from the last parenthesis.
fn one(pid: i32) -> Option<One> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = &stat[stat.iter().rposition(|b| *b == b')')? + 1..];
    let mut fields = std::str::from_utf8(after).ok()?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(One {
        pid,
        parent,
        started,
    })
}

fn own() -> i32 {
    std::process::id().cast_signed()
}

/// Sends a signal to all that comes from this process; TERM is followed by CONT, as what is stopped
/// would never hear of it. Returns their pids. Zombies are among them: they take no harm, and behind
/// one that led a process there may be threads that live.
pub fn signal_offspring(signal: Signal) -> Vec<i32> {
    let all: Vec<One> = all().collect();
    let mut family = HashSet::from([own()]);
    let mut found: Vec<One> = Vec::new();
    loop {
        let is_new = |one: &&One| family.contains(&one.parent) && !family.contains(&one.pid);
        let next: Vec<One> = all.iter().filter(is_new).copied().collect();
        if next.is_empty() {
            break;
        }
        family.extend(next.iter().map(|one| one.pid));
        found.extend(next);
    }
    let after = (signal == Signal::TERM).then_some(Signal::CONT);
    for meant in &found {
        let Some(pid) = Pid::from_raw(meant.pid) else {
            continue;
        };
        let held = rustix::process::pidfd_open(pid, PidfdFlags::empty());
        // Looked at again: from here on the pid is this process's.
        let Some(now) = one(meant.pid).filter(|now| now.started == meant.started) else {
            continue;
        };
        for signal in std::iter::once(signal).chain(after) {
            let _ = match &held {
                Ok(fd) => rustix::process::pidfd_send_signal(fd, signal),
                // Without such descriptors: a child of ours stays what it is until we reap it, and
                // whoever has lost its parent becomes one.
                Err(_) if now.parent == own() => rustix::process::kill_process(pid, signal),
                Err(errno) => Err(*errno),
            };
        }
    }
    found.into_iter().map(|one| one.pid).collect()
}

/// Takes what has ended of our children, but never the one that is to be held.
pub fn reap_others(held: i32) {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::All, look).map(|status| status.pid()) {
            Ok(Some(pid)) if pid.as_raw() != held => reap(pid.as_raw()),
            // One that a real-time signal has ended, for which there is no name here.
            Err(nix::errno::Errno::EINVAL) => {
                let ours = all().filter(|one| one.parent == own() && one.pid != held);
                ours.for_each(|one| reap(one.pid));
                return;
            }
            _ => return,
        }
    }
}

fn reap(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// Takes all that has ended of our children. True once there are none; for a process to which what
/// is left behind comes, nothing is left of all that came from it.
#[must_use]
pub fn reap_all() -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}
