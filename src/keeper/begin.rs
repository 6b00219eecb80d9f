//! From what the keeper was told to an agent that runs.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::watch::Kept;
use crate::act::Named;
use crate::act::logs::{LogWriter, Logs};
use crate::act::spawn::spec::{Answer, CellSpec, Spec};
use crate::model::action::Place;
use crate::model::process::{Entry, ProcessStatus};
use crate::sys::beneath::{self, Mounts};
use crate::sys::daemon::Signals;
use crate::sys::job::{Job, LOOK, Outputs};
use crate::sys::spawn::{Exec, Identity, Limits};
use crate::sys::{host, process};
use crate::table::{Slot, Table, Unclaimed};

/// How long a predecessor's keeper may take to let go of the place when its agent is gone: as long as
/// it gives those whom that has left behind, and a little more.
const LETTING_GO: Duration = Duration::from_secs(3);

/// No agent was started.
#[derive(Debug)]
pub(super) struct Refused {
    /// What to answer.
    pub(super) answer: Answer,
    /// The subject's place, where a process of it may be there all the same, on its way to the
    /// program.
    pub(super) unfinished: Option<Slot>,
}

impl From<Answer> for Refused {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            unfinished: None,
        }
    }
}

/// Starts the agent, and says what to answer. Where it is not started, the answer is all there is,
/// and an attempt that was claimed has its end in the table.
pub(super) fn begin(mut spec: Spec) -> Result<(Kept, Answer), Refused> {
    let failed = |error: String| Refused::from(Answer::Failed { error });
    let signals = Signals::take().map_err(failed)?;
    // Before the claim, so that what comes too late can be tried again.
    in_time(&spec).map_err(failed)?;
    let table = Table::create(&spec.state_dir).map_err(|e| failed(e.to_string()))?;
    let mut entry = spec.entry.clone();
    let own = std::process::id().cast_signed();
    entry.keeper_pid = Some(own);
    entry.keeper_start_time = process::start_time(own);
    entry.boot_id = host::boot_id();
    entry.status = ProcessStatus::Created;
    match table.claim(&entry) {
        Ok(()) => {}
        Err(Unclaimed::Taken) => return Err(Answer::Taken.into()),
        Err(Unclaimed::Failed(e)) => return Err(failed(e.to_string())),
    }
    let slot = match take(&table, &spec) {
        Ok(Some(slot)) => slot,
        Ok(None) => {
            let error = format!(
                "the place of {} is taken: a process of it lives, or its keeper does",
                entry.subject
            );
            give_up(&table, entry, error);
            return Err(Answer::Occupied.into());
        }
        Err(e) => return Err(failed(give_up(&table, entry, e))),
    };
    let (log, mut troubles) = open_log(&spec);
    let started = start(&mut spec, &slot);
    let (job, outputs) = match started {
        Ok(started) => started,
        Err((error, came_to_an_end)) => {
            let refused = failed(give_up(&table, entry, error));
            return Err(Refused {
                unfinished: (!came_to_an_end).then_some(slot),
                ..refused
            });
        }
    };
    let began = Instant::now();
    entry.pid = Some(job.pid());
    entry.start_time = process::start_time_of_child(job.pid());
    entry.started_at = host::now();
    entry.status = ProcessStatus::Running;
    entry.log = log.as_ref().map(|log| log.path().display().to_string());
    let written = table.replace(&entry).map_err(|e| e.to_string());
    let unwritten = written.is_err();
    troubles.extend(written.err());
    let answer = Answer::Started {
        pid: job.pid(),
        start_time: entry.start_time.unwrap_or(0),
        log: entry.log.clone(),
        trouble: Some(troubles.join("; ")).filter(|all| !all.is_empty()),
    };
    let kept = Kept::new(spec, table, slot, entry, (job, outputs), log, signals);
    Ok((kept.since(began, unwritten), answer))
}

/// Takes the subject's place. Whoever was just ended may have a keeper that the checker knew nothing
/// of, and that writes the end down before it lets go.
fn take(table: &Table, spec: &Spec) -> Result<Option<Slot>, String> {
    let until = Instant::now() + LETTING_GO;
    loop {
        let slot = table.take(&spec.entry.slot).map_err(|e| e.to_string())?;
        if slot.is_some() || Instant::now() >= until || in_time(spec).is_err() {
            return Ok(slot);
        }
        std::thread::sleep(LOOK);
    }
}

/// Writes down why there is no agent. Returns the sentence, with what could not be written.
fn give_up(table: &Table, mut entry: Entry, error: String) -> String {
    entry.status = ProcessStatus::Failed;
    entry.ended_at = Some(host::now());
    entry.error = Some(error.clone());
    match table.replace(&entry) {
        Ok(()) => error,
        Err(e) => format!("{error}; and writing that down: {e}"),
    }
}

/// How long the agent can still be begun.
fn in_time(spec: &Spec) -> Result<Duration, String> {
    let until = Duration::from_millis(spec.not_after_ms);
    let now = host::uptime().unwrap_or(Duration::MAX);
    let left = until.saturating_sub(now);
    match left.is_zero() {
        false => Ok(left),
        true => Err(format!(
            "starting {}: the time for it was over before it could be begun",
            spec.program.display()
        )),
    }
}

/// The log, and what went wrong with it: an agent without one is better than none.
fn open_log(spec: &Spec) -> (Option<LogWriter>, Vec<String>) {
    let logs = Logs::new(spec.logs_dir.clone(), spec.max_bytes);
    let of_cell = |cell: &CellSpec| (cell.id.clone(), cell.root.join(&cell.id));
    let place = Place {
        cell: spec.cell.as_ref().map(of_cell),
        name: spec.name.clone(),
    };
    match logs.open(&place, &spec.entry.r#ref, host::now()) {
        Ok(mut log) => {
            let trouble = log.take_trouble();
            (Some(log), trouble.into_iter().collect())
        }
        Err(e) => (None, vec![e]),
    }
}

/// Starts the agent. Its arguments and environment are not kept. Where it could not be, says why,
/// and whether that is the end of it.
fn start(spec: &mut Spec, slot: &Slot) -> Result<(Job, Outputs), (String, bool)> {
    let (exec, named, left) = prepare(spec, slot).map_err(|error| (error, true))?;
    Job::start(exec, left).map_err(|why| match why {
        Some(e) => (named().not_started(e), true),
        None => (named().took_too_long(), false),
    })
}

/// Makes the agent ready: it, how messages call it, and how long its start may take.
fn prepare(
    spec: &mut Spec,
    slot: &Slot,
) -> Result<(Exec, impl Fn() -> Named + use<>, Duration), String> {
    let cwd = PathBuf::from(&spec.entry.cwd);
    let identity = spec.identity.take().map(|to| Identity {
        uid: to.uid,
        gid: to.gid,
        groups: to.groups,
    });
    let uid = identity.as_ref().map_or_else(host::uid, |to| to.uid);
    let args = std::mem::take(&mut spec.args).into_iter();
    let args = args.map(String::into_bytes);
    let env = std::mem::take(&mut spec.env);
    let mut exec = Exec::new(&spec.program, args, env, &cwd, identity)?;
    if let Some(cell) = &spec.cell {
        exec = exec.in_directory(directory(cell)?);
    }
    if spec.no_new_privs {
        exec = exec.without_new_privs();
    }
    let limits = Limits {
        memory: spec.limits.memory,
        open_files: spec.limits.open_files,
        processes: spec.limits.processes,
    };
    let alive = slot.alive().try_clone_to_owned().map_err(|e| {
        let subject = &spec.entry.subject;
        format!("making a descriptor of the lock on {subject} for its agent: {e}")
    })?;
    let exec = exec.with_limits(limits).inheriting(alive);
    // Again: a lock, a log on a slow disk, a host that slept.
    let left = in_time(spec)?;
    let program = spec.program.clone();
    // Only where it fails: looking up a name may load half a name service.
    let named = move || {
        let (shown, user) = (program.display().to_string(), host::user_name(uid));
        Named::new(&shown, &program, &cwd, &user)
    };
    Ok((exec, named, left))
}

/// Opens the directory that an agent works in: the one that the checker has looked at, and no other
/// that was put in its place.
fn directory(cell: &CellSpec) -> Result<OwnedFd, String> {
    let shown = |path: &Path| crate::model::text::visible(&path.to_string_lossy()).into_owned();
    let within = cell.root.join(&cell.id).join(&cell.cwd);
    let failed = |path: &Path, e| {
        let why = beneath::reason(e);
        format!("opening the directory {}: {why}", shown(path))
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let root = beneath::open_root(&cell.root).map_err(|e| failed(&cell.root, e))?;
    // A cell may be a mount of its own; what lies in it, only where that is allowed.
    let mut dir = beneath::open(&root, cell.id.as_str(), flags, Mounts::Cross)
        .map_err(|e| failed(&cell.root.join(&cell.id), e))?;
    if !cell.cwd.is_empty() {
        let mounts = match cell.allow_mounts {
            true => Mounts::Cross,
            false => Mounts::Refuse,
        };
        dir = beneath::open(&dir, cell.cwd.as_str(), flags, mounts)
            .map_err(|e| failed(&within, e))?;
    }
    let stat = rustix::fs::fstat(&dir).map_err(|e| failed(&within, e))?;
    if (stat.st_dev, stat.st_ino) != cell.cwd_is {
        return Err(format!(
            "the directory {} has become another while its agent was about to be started; the \
             next run looks again",
            shown(&within)
        ));
    }
    Ok(dir)
}
