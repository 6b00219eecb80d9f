//! `process`: whether a process lives, and whether it does anything.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use regex::RegexBuilder;

use super::pids::{self, Unread, older};
use super::places::{self, Unseen};
use super::{Common, Reply};
use crate::model::action::Place;
use crate::model::probe::ProcessWhich;
use crate::model::text::{shortened, visible};
use crate::observe::again;
use crate::sys::target::{Miss, Target};
use crate::sys::{beneath, host, process, procs};

/// How large a pattern may become when it is compiled, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// All processes of this host, looked at once.
pub(super) struct Processes(Result<(Vec<procs::Line>, bool), String>);

impl Processes {
    fn look() -> Self {
        Self(procs::lines().map_err(|e| format!("reading /proc: {e}")))
    }
}

/// Looks for a process.
pub(super) fn ask(which: &ProcessWhich, busy: bool, place: &Place, common: &Common) -> Reply {
    match which {
        ProcessWhich::Pattern(pattern) => matching(pattern, busy, common),
        ProcessWhich::Pidfile(path) => of_pidfile(path, busy, common),
        ProcessWhich::HeartbeatPid => of_heartbeat(busy, place, common),
    }
}

fn matching(pattern: &str, busy: bool, common: &Common) -> Reply {
    let built = RegexBuilder::new(pattern)
        .size_limit(LARGEST_PATTERN)
        .build();
    let Ok(regex) = built else {
        return Reply::not_asked("this is no regular expression, or too large a one");
    };
    let (lines, hidden) = match &common.processes.get_or_init(Processes::look).0 {
        Ok((lines, hidden)) => (lines, *hidden),
        Err(why) => return Reply::not_asked(why.clone()),
    };
    let found: Vec<&procs::Line> = lines
        .iter()
        .filter(|l| regex.is_match(&l.command))
        .collect();
    let Some(first) = found.first() else {
        return match hidden {
            true => Reply::not_asked(
                "none of our own processes matches, and /proc hides those of others (hidepid)",
            ),
            false => Reply::bad("no process matches"),
        };
    };
    let command = shortened(&first.command, 60);
    let command = visible(command.split(' ').next().unwrap_or_default()).into_owned();
    let message = match found.len() {
        1 => format!("process {} matches ({command})", first.pid),
        n => format!(
            "{n} processes match, the first is {} ({command})",
            first.pid
        ),
    };
    let reply = Reply::good(message);
    if !busy {
        return reply;
    }
    let mut hasher = DefaultHasher::new();
    for line in &found {
        (line.pid, line.start_time).hash(&mut hasher);
    }
    let spent = found.iter().map(|line| line.spent);
    with_time(reply, hasher.finish(), spent.fold(0, u64::saturating_add))
}

/// The reply of one whose processor time must move.
fn with_time(mut reply: Reply, id: u64, ticks: u64) -> Reply {
    let spent = crate::model::time::exact(procs::ticks(ticks));
    reply
        .message
        .push_str(&format!(", has taken {spent} of processor time"));
    reply.measuring(id, ticks)
}

fn of_pidfile(path: &str, busy: bool, common: &Common) -> Reply {
    let unseen = |unseen: Unseen| match unseen.is_answer() {
        true => Reply::bad(unseen.why()),
        false => Reply::not_asked(unseen.why()),
    };
    let found = match places::find(path, &common.asker) {
        Ok(found) => found,
        Err(e) => return unseen(e),
    };
    let file = match pids::read(&found.dir, &found.name, found.mounts) {
        Ok(file) => file,
        Err(Unread::Errno(errno)) => return unseen(errno.into()),
        Err(Unread::Not(why)) => return Reply::bad(why),
    };
    let target = match hold(file.pid) {
        Ok(target) => target,
        Err(reply) => return reply,
    };
    let owner = file.stat.st_uid;
    // What somebody else has written is believed of their own processes alone.
    if owner != 0 && owner != host::uid() && target.uids != [owner; 4] {
        return Reply::bad(format!(
            "process {} is not one of {}, whose word the file is",
            file.pid,
            host::user_name(owner)
        ));
    }
    match older(&target, file.written, "the file", common.asker.now) {
        Some(why) => Reply::bad(format!("process {} {why}", file.pid)),
        None => alive(&target, busy),
    }
}

fn of_heartbeat(busy: bool, place: &Place, common: &Common) -> Reply {
    let sworn = match again::heartbeat(&common.asker.look, place) {
        Ok(sworn) => sworn,
        Err(e) if e.unread => return Reply::not_asked(e.why),
        Err(e) => return Reply::bad(e.why),
    };
    let Some(pid) = sworn.pid else {
        return Reply::not_asked(format!("{} names no pid", sworn.path));
    };
    let target = match hold(pid.get()) {
        Ok(target) => target,
        Err(reply) => return reply,
    };
    if target.uids != [sworn.owner; 4] {
        return Reply::bad(format!(
            "process {pid} is not one of {}, whose word the heartbeat is",
            host::user_name(sworn.owner)
        ));
    }
    let earliest = sworn.claimed.min(sworn.written);
    // The heartbeat was read again just now.
    match older(&target, earliest, "its heartbeat", host::now()) {
        Some(why) => Reply::bad(format!("process {pid} {why}")),
        None => alive(&target, busy),
    }
}

fn hold(pid: i32) -> Result<Target, Reply> {
    let held = Target::hold(pid).map_err(|miss| match miss {
        Miss::Gone => Reply::bad(format!("there is no process {pid}")),
        Miss::Failed(doing, errno) => {
            let cause = beneath::reason(errno);
            Reply::not_asked(format!("{doing} process {pid}: {cause}"))
        }
        Miss::Unknown => Reply::not_asked(format!("process {pid}: /proc does not say whose it is")),
    })?;
    match process::runs_our_program(pid) || held.is_of_our_line() {
        true => Err(Reply::bad(format!("process {pid} is lazarus-pit's own"))),
        false => Ok(held),
    }
}

fn alive(target: &Target, busy: bool) -> Reply {
    let pid = target.pid;
    let reply = Reply::good(format!("process {pid} lives"));
    match procs::began_and_spent(pid) {
        _ if !busy => reply,
        Some((began, spent)) if began == target.start_time => {
            let mut hasher = DefaultHasher::new();
            (pid, began).hash(&mut hasher);
            with_time(reply, hasher.finish(), spent)
        }
        _ => Reply::bad(format!("there is no process {pid} any more")),
    }
}
