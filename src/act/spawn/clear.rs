//! What of a subject still lives, and its end: a hung agent and its successor must never work in
//! one worktree together.
//!
//! The table says what was started and the processes themselves what lives. A process belongs to a
//! subject where the table has it, where it is in the session of one that the table has, or where
//! its environment says so. Tables can be lost and environments be changed, so all are asked.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Keeping;
use super::spec::Spec;
use crate::act::environment::{AGENT, CELL_ROOT, REF};
use crate::act::run::Scene;
use crate::model::process::{Entry, ProcessStatus};
use crate::model::step::{Replace, Spawn};
use crate::model::time::Timestamp;
use crate::sys::{host, job, process, procs};
use crate::table::Living;

/// How often is looked again for those that were being started meanwhile.
const ROUNDS: u32 = 5;

/// How long a keeper has, beyond the grace, to write down how its agent ended.
const TO_WRITE: Duration = Duration::from_secs(3);

/// A living process that some attempt started, by its own environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The pid.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
    /// Its session.
    pub session: i32,
    /// The ref of the attempt.
    pub r#ref: String,
    uid: u32,
    agent: Option<String>,
    cell_root: Option<String>,
}

/// All of them on this host.
#[must_use]
pub fn strays() -> Vec<Stray> {
    let told = procs::with_variables([REF, AGENT, CELL_ROOT]).into_iter();
    told.map(|told| {
        let [r#ref, agent, cell_root] = told.values;
        Stray {
            pid: told.pid,
            start_time: told.start_time,
            session: told.session,
            r#ref: r#ref.unwrap_or_default(),
            uid: told.uid,
            agent,
            cell_root,
        }
    })
    .collect()
}

/// What is to be ended of a subject, and how it is known.
#[derive(Clone, Debug)]
pub struct Remains<'a> {
    /// The agent's name, or the gateway's.
    pub name: &'a str,
    /// True where all that names the cell is meant, whichever agent it says that it is; then `name`
    /// is for messages.
    pub whole_cell: bool,
    /// The cell's directory; none for a gateway.
    pub cell_root: Option<&'a Path>,
    /// Whom its agent is to run as, where that is known.
    pub user: Option<u32>,
    /// The processes that the table has of it.
    pub living: Vec<Living>,
    /// How long they have between TERM and KILL.
    pub grace: Duration,
    /// When they must be gone.
    pub until: Instant,
    /// The ref of an attempt whose agent is none of what remains: a keeper of a run that was killed
    /// may be starting it at this very moment.
    pub but: Option<&'a str>,
}

impl Remains<'_> {
    /// True for a process whose environment says that it is this subject's.
    fn claims(&self, stray: &Stray, keeping: &Keeping) -> bool {
        let is_another = !self.whole_cell && stray.agent.as_deref() != Some(self.name);
        if is_another || self.but == Some(stray.r#ref.as_str()) {
            return false;
        }
        let is_named = match (self.cell_root, &stray.cell_root) {
            (Some(ours), Some(theirs)) => is_same(ours, Path::new(theirs)),
            // The names of gateways are not the host's: another installation may have the same.
            (None, None) => return self.is_proven(stray, keeping),
            _ => false,
        };
        is_named && (self.may_be(stray.uid) || self.is_proven(stray, keeping))
    }

    /// True for a user who runs this subject's agents, or could: anybody can write anything into the
    /// environment of his own, and would keep others' agents from being started by it.
    fn may_be(&self, uid: u32) -> bool {
        let owner = self.cell_root.and_then(|root| root.symlink_metadata().ok());
        // Root's own agents are root's, and nobody but root starts what is.
        uid == 0
            || uid == host::uid()
            || self.user == Some(uid)
            || owner.is_some_and(|owner| owner.uid() == uid)
    }

    /// True for a process that knows what none but this subject's agents do, or has what they alone
    /// were given.
    fn is_proven(&self, stray: &Stray, keeping: &Keeping) -> bool {
        let is_its = |e: &Entry| e.r#ref == stray.r#ref && self.is_of(&e.subject);
        keeping.entries.iter().any(is_its) || self.holds_place(stray.pid, keeping)
    }

    /// True for a process that holds the lock on the subject's place in this very table.
    fn holds_place(&self, pid: i32, keeping: &Keeping) -> bool {
        let of_entries = keeping.entries.iter().map(|entry| &entry.subject);
        let mut slots: Vec<&str> = of_entries
            .filter(|subject| self.is_of(subject))
            .map(String::as_str)
            .collect();
        let subject = self.subject();
        slots.push(&subject);
        keeping.table.is_held_by(pid, &slots)
    }

    /// The subject; a whole cell's is the cell.
    fn subject(&self) -> String {
        let Some(root) = self.cell_root else {
            return format!("gateway:{}", self.name);
        };
        let cell = root.file_name().unwrap_or_default().to_string_lossy();
        match self.whole_cell || self.name.is_empty() {
            true => cell.into_owned(),
            false => format!("{cell}/{}", self.name),
        }
    }

    /// The processes that live of it, keepers aside.
    fn processes(&self, keeping: &Keeping, strays: &[Stray]) -> BTreeMap<i32, u64> {
        let mut all = BTreeMap::new();
        let mut sessions = Vec::new();
        for Living { entry, .. } in &self.living {
            // Its number is its own as long as it lives; afterwards the session may be another's.
            if let Some((pid, started)) = entry.pid.zip(entry.start_time)
                && process::start_time(pid) == Some(started)
            {
                sessions.push(pid);
            }
        }
        for stray in strays.iter().filter(|stray| self.claims(stray, keeping)) {
            all.insert(stray.pid, stray.start_time);
            // A leader of its own session that is ours: so is all that is in it.
            if stray.session == stray.pid {
                sessions.push(stray.pid);
            }
        }
        all.extend(self.orphans(keeping));
        let own = std::process::id().cast_signed();
        for session in sessions {
            let of_it = procs::of_session(session).into_iter();
            all.extend(of_it.filter_map(|pid| Some((pid, process::start_time(pid)?))));
        }
        all.remove(&own);
        all
    }

    /// What is left of sessions whose leader is gone, and that no keeper has seen the end of. The
    /// number alone could be a later session's, whose leader is gone as well: so they must be found at
    /// work in the cell, or with the lock on its place.
    fn orphans(&self, keeping: &Keeping) -> Vec<(i32, u64)> {
        let unseen = |entry: &&Entry| {
            use ProcessStatus::{Exited, Failed, Killed, Lost};
            entry.boot_id == keeping.host.boot_id
                && !matches!(entry.status, Exited | Failed | Killed | Lost)
                && self.is_of(&entry.subject)
        };
        let of_it = keeping.entries.iter().filter(unseen);
        let pids = of_it.filter_map(|entry| entry.pid.zip(entry.start_time));
        let sessions: BTreeMap<i32, u64> = pids
            .filter(|(pid, _)| process::start_time(*pid).is_none())
            .collect();
        if sessions.is_empty() {
            return Vec::new();
        }
        let root = self.cell_root.and_then(|root| root.canonicalize().ok());
        let works_there = |pid: i32| {
            let at = std::fs::read_link(format!("/proc/{pid}/cwd"));
            root.as_ref()
                .is_some_and(|root| at.is_ok_and(|at| at.starts_with(root)))
        };
        let found = procs::of_sessions(&sessions.keys().copied().collect());
        let found = found.into_iter().filter_map(|(pid, session)| {
            let started = process::start_time(pid)?;
            let is_younger = started >= *sessions.get(&session)?;
            (is_younger && (works_there(pid) || self.holds_place(pid, keeping)))
                .then_some((pid, started))
        });
        found.collect()
    }

    /// True for a subject that is meant.
    fn is_of(&self, subject: &str) -> bool {
        let Some(root) = self.cell_root else {
            return subject.strip_prefix("gateway:") == Some(self.name);
        };
        let (cell, name) = subject.split_once('/').unwrap_or((subject, ""));
        root.file_name() == Some(std::ffi::OsStr::new(cell))
            && (self.whole_cell || name == self.name)
    }
}

/// True where both are one directory: as we call it, or as it is called where no link is on the way.
/// Their path is text and no more: whoever chose it may have put a file system there that hangs.
fn is_same(ours: &Path, theirs: &Path) -> bool {
    ours == theirs || ours.canonicalize().is_ok_and(|ours| ours == theirs)
}

/// What clearing a subject's place came to.
pub(super) enum Cleared {
    /// Nothing of it lives.
    Free,
    /// This process lives and was left alone.
    Lives(i32),
}

/// Sees to it that a subject's place is free, as the step says.
///
/// # Errors
/// A sentence: what still lives could not be ended.
pub(super) fn clear(
    scene: &Scene<'_>,
    keeping: &Keeping,
    spawn: &Spawn,
    spec: &Spec,
) -> Result<Cleared, String> {
    let place = &scene.action.place;
    let remains = Remains {
        name: &place.name,
        whole_cell: false,
        cell_root: place.cell.as_ref().map(|(_, root)| root.as_path()),
        user: spec.identity.as_ref().map(|to| to.uid),
        living: keeping.living(&scene.action.subject, (scene.around.now)()),
        grace: spawn.grace,
        until: scene.around.deadline,
        but: Some(scene.action.r#ref.as_str()).filter(|_| scene.action.resumed),
    };
    let first = remains.processes(keeping, keeping.strays.get_or_init(strays));
    if first.is_empty() && remains.living.is_empty() {
        return Ok(Cleared::Free);
    }
    if spawn.replace != Replace::Terminate {
        let known = remains.living.iter().find_map(|l| l.entry.pid);
        let pid = known.or_else(|| first.keys().next().copied());
        return Ok(Cleared::Lives(pid.unwrap_or_default()));
    }
    // On a full disk no successor could be started: one that hangs is better than none.
    let tried = keeping.table.try_out(&spec.entry);
    tried.map_err(|e| format!("what lives of it is left alone: {e}"))?;
    end_subject(&remains, keeping, &|| scene.is_stopped(), scene.around.now)?;
    Ok(Cleared::Free)
}

/// Ends all that lives of a subject: its keeper is told to, which writes down how its agent ended,
/// and what has none gets TERM, and KILL after the grace. Returns how many processes were ended.
///
/// # Errors
/// A sentence: something is still there.
pub fn end_subject(
    remains: &Remains<'_>,
    keeping: &Keeping,
    is_stopped: &dyn Fn() -> bool,
    now: fn() -> Timestamp,
) -> Result<usize, String> {
    let mut ended = 0;
    for living in &remains.living {
        if living.kept {
            end_kept(&living.entry, remains, is_stopped);
        }
        ended += 1;
    }
    let mut left = BTreeMap::new();
    for _ in 0..ROUNDS {
        left = remains.processes(keeping, &strays());
        if left.is_empty() {
            break;
        }
        if remains.living.is_empty() {
            ended = ended.max(left.len());
        }
        let time = remains.until.saturating_duration_since(Instant::now());
        let grace = remains.grace.min(time);
        let _ = process::end_all(left.iter().map(|(pid, started)| (*pid, *started)), grace);
        if is_stopped() || time.is_zero() {
            break;
        }
    }
    left.retain(|pid, started| process::start_time(*pid) == Some(*started));
    if !left.is_empty() {
        let pids: Vec<String> = left.keys().map(i32::to_string).collect();
        return Err(format!(
            "ending what still lives of {}: not even SIGKILL has ended pid {} yet",
            remains.name,
            pids.join(", ")
        ));
    }
    for living in &remains.living {
        note_end(living, keeping, now());
    }
    Ok(ended)
}

/// Has a keeper end its agent, and waits until it has; one that does not answer is ended as well.
fn end_kept(entry: &Entry, remains: &Remains<'_>, is_stopped: &dyn Fn() -> bool) {
    let Some((pid, started)) = entry.keeper_pid.zip(entry.keeper_start_time) else {
        return;
    };
    let Some(keeper) = process::Handle::of(pid, started) else {
        return;
    };
    keeper.send(rustix::process::Signal::TERM);
    // A stopped one goes on to hear of it.
    keeper.send(rustix::process::Signal::CONT);
    let grace = remains.grace.min(Duration::from_millis(entry.grace_ms));
    let now = Instant::now();
    let kill_at = now.checked_add(grace).unwrap_or(remains.until);
    let kill_at = kill_at.min(remains.until);
    if wait_for(&keeper, kill_at + Duration::from_millis(100), is_stopped) {
        return;
    }
    // Its own grace may be longer than ours, and it may hang: its agent is ended by our hand, and it
    // may still write that down.
    if let Some((pid, started)) = entry.pid.zip(entry.start_time)
        && process::start_time(pid) == Some(started)
    {
        let of_it = procs::of_session(pid).into_iter();
        let of_it = of_it.filter_map(|pid| Some((pid, process::start_time(pid)?)));
        let _ = process::end_all(of_it, Duration::ZERO);
    }
    if !wait_for(&keeper, Instant::now() + TO_WRITE, is_stopped) {
        let _ = process::end_all([(pid, started)], Duration::ZERO);
    }
}

fn wait_for(keeper: &process::Handle, until: Instant, is_stopped: &dyn Fn() -> bool) -> bool {
    while Instant::now() < until {
        let left = until.saturating_duration_since(Instant::now());
        if keeper.is_gone(left.min(job::LOOK * 5)) {
            return true;
        }
        if is_stopped() {
            return false;
        }
    }
    keeper.is_gone(Duration::ZERO)
}

/// Where no keeper wrote it, the end is written here: nobody saw how it was.
fn note_end(living: &Living, keeping: &Keeping, now: Timestamp) {
    let Ok(Some(entry)) = keeping.table.entry(&living.entry.r#ref) else {
        return;
    };
    if entry.status.is_over() {
        return;
    }
    let ended = Entry {
        status: ProcessStatus::Unknown,
        ended_at: Some(now),
        error: Some("it was ended by a run, and had no keeper who saw how".to_owned()),
        ..entry
    };
    // The next run finds the same where this could not be written.
    if let Err(e) = keeping.table.replace(&ended) {
        log::warn!("{e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_directory_may_be_written_in_two_ways() {
        let tmp = tempfile::tempdir().unwrap();
        let (a, b) = (tmp.path().join("a"), tmp.path().join("b"));
        std::fs::create_dir(&a).unwrap();
        std::os::unix::fs::symlink(&a, &b).unwrap();
        assert!(is_same(&b, &a.canonicalize().unwrap()));
        assert!(!is_same(&a, &b), "their path is not gone to");
        assert!(is_same(Path::new("/gone/x"), Path::new("/gone/x")));
        assert!(!is_same(&a, tmp.path()));
        assert!(!is_same(&a, Path::new("a")));
    }
}
