//! The step `signal`: a signal to a process that is provably the one meant.
//!
//! A pid is a number that anybody can write down and that is used again. So the process is held
//! first and looked at then; and whoever named it must have been in a position to: it was there
//! before its number was written, and it is one of those whose word names it.

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags, Stat};

use super::beside::{Bound, Failed, beside, failed};
use super::run::Scene;
use crate::model::action::{StepDone, StepResult};
use crate::model::step::{SignalStep, SignalTo, Step};
use crate::model::text::visible;
use crate::model::time::Timestamp;
use crate::observe::again::{self, Sworn};
use crate::observe::probes::pids::{self, Unread, older};
use crate::sys::beneath::{self, Mounts};
use crate::sys::target::{self, Miss, Target};
use crate::sys::{host, process};

/// How long a heartbeat or a pidfile may take to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who knows which process is kept for a subject.
#[derive(Clone)]
pub struct Kept(Arc<Find>);

type Find = dyn Fn(&str) -> Result<Option<(i32, u64)>, String> + Send + Sync;

impl Kept {
    /// `find` is asked for a subject at the moment when the signal is to be sent, and answers with
    /// pid and start time (in clock ticks since the boot), or with `None` where no process of this
    /// boot is kept; an error is a sentence.
    #[must_use]
    pub fn new(
        find: impl Fn(&str) -> Result<Option<(i32, u64)>, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(find))
    }

    /// No process is kept for anybody.
    #[must_use]
    pub fn nobody() -> Self {
        Self::new(|_| Ok(None))
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(..)")
    }
}

/// Carries out the step.
pub(super) fn signal(step: &Step, signal: &SignalStep, scene: &Scene<'_>) -> StepDone {
    let mut done = StepDone::new(step, StepResult::Failed);
    match send(signal, scene) {
        Ok(pid) => {
            done.result = StepResult::Ok;
            done.pid = Some(pid);
        }
        Err((result, why)) => {
            done.result = result;
            done.error = Some(format!("SIG{} was not sent: {why}", signal.signal));
        }
    }
    done
}

fn send(signal: &SignalStep, scene: &Scene<'_>) -> Result<i32, Failed> {
    let number = target::signal(&signal.signal)
        .ok_or_else(|| failed("there is no signal of this name here"))?;
    let (target, called) = match &signal.to {
        SignalTo::Process => kept(scene)?,
        SignalTo::HeartbeatPid => of_heartbeat(scene)?,
        SignalTo::Pidfile(path) => of_pidfile(path, scene)?,
    };
    if target.is_of_our_line() {
        let pid = target.pid;
        return Err(failed(format!(
            "{called} is this run itself or one that it comes from (pid {pid})"
        )));
    }
    // What was decided before a pause beyond the deadline is not done after it.
    if scene.is_stopped() || std::time::Instant::now() >= scene.around.deadline {
        return Err(super::beside::cut_off(&called));
    }
    match target.send(number) {
        Ok(()) => Ok(target.pid),
        Err(miss) => Err(failed(missed(miss, &called))),
    }
}

fn hold(pid: i32, called: &str) -> Result<Target, Failed> {
    Target::hold(pid).map_err(|miss| failed(missed(miss, called)))
}

fn missed(miss: Miss, called: &str) -> String {
    match miss {
        Miss::Gone => format!("{called} is not there any more"),
        Miss::Failed(doing, errno) => format!("{doing} {called}: {}", beneath::reason(errno)),
        Miss::Unknown => format!("{called}: whose it is cannot be told; is /proc mounted?"),
    }
}

/// The subject's kept process.
fn kept(scene: &Scene<'_>) -> Result<(Target, String), Failed> {
    let subject = visible(&scene.action.subject);
    let nobody = || failed(format!("no kept process of {subject} is alive"));
    let found = (scene.around.kept.0)(&scene.action.subject).map_err(failed)?;
    let (pid, started) = found.ok_or_else(nobody)?;
    let called = format!("process {pid}, which is kept for {subject}");
    match Target::hold(pid) {
        Ok(target) if target.start_time == started => Ok((target, called)),
        Ok(_) | Err(Miss::Gone) => Err(nobody()),
        Err(miss) => Err(failed(missed(miss, &called))),
    }
}

/// The process that the subject's heartbeat names at this moment.
fn of_heartbeat(scene: &Scene<'_>) -> Result<(Target, String), Failed> {
    let (look, place) = (Arc::clone(&scene.around.look), scene.action.place.clone());
    let bound = Bound::of(PATIENCE, scene);
    let what = "its heartbeat was not read";
    let sworn = beside(scene, bound, what, move || again::heartbeat(&look, &place))?;
    let sworn = sworn.map_err(|e| failed(e.why))?;
    let path = &sworn.path;
    let pid = sworn
        .pid
        .ok_or_else(|| failed(format!("{path} names no pid")))?;
    let called = format!("process {pid}, which {path} names,");
    let target = hold(pid.get(), &called)?;
    match refusal(&target, &sworn, host::now()) {
        None => Ok((target, called)),
        Some(why) => Err(failed(format!("{called} {why}"))),
    }
}

/// Why a heartbeat cannot mean this process.
fn refusal(target: &Target, sworn: &Sworn, now: Timestamp) -> Option<String> {
    // Root's is refused even to root's own cell: everyone who may write there would be root.
    if target.uids.contains(&0) || sworn.owner == 0 {
        return Some("is root's, or its cell is: no heartbeat has such a process signalled".into());
    }
    if target.uids != [sworn.owner; 4] {
        let other = target.uids.iter().find(|uid| **uid != sworn.owner);
        let (theirs, owner) = (other.copied().unwrap_or(0), sworn.owner);
        return Some(format!(
            "runs as {}, and the heartbeat is the word of {}",
            host::user_name(theirs),
            host::user_name(owner)
        ));
    }
    let earliest = sworn.claimed.min(sworn.written);
    older(target, earliest, "its heartbeat", now)
}

/// The process that a file of the operator's names.
fn of_pidfile(path: &str, scene: &Scene<'_>) -> Result<(Target, String), Failed> {
    let shown = visible(path).into_owned();
    let what = format!("{shown} was not read");
    let file = path.to_owned();
    let bound = Bound::of(PATIENCE, scene);
    let read = beside(scene, bound, &what, move || read_pidfile(Path::new(&file)))?;
    let (pid, written) = read.map_err(|why| failed(format!("{shown}: {why}")))?;
    let called = format!("process {pid}, which {shown} names,");
    let target = hold(pid, &called)?;
    match older(&target, written, "the file", host::now()) {
        None => Ok((target, called)),
        Some(why) => Err(failed(format!("{called} {why}"))),
    }
}

/// The pid that a file holds, and when that was written. The directory is opened by its path, links
/// and all, as the operator wrote it; the file itself is no link.
fn read_pidfile(path: &Path) -> Result<(i32, Timestamp), String> {
    let top = process::alone().map_err(beneath::reason)?;
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err("this is no path of a file".to_owned());
    };
    let dir = dir.strip_prefix("/").map_err(|_| "it is not absolute")?;
    let dir = match dir.as_os_str().is_empty() {
        true => Path::new("."),
        false => dir,
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir: OwnedFd =
        rustix::fs::openat(&top, dir, flags, Mode::empty()).map_err(beneath::reason)?;
    let file = pids::read(&dir, name, Mounts::Cross).map_err(|e| match e {
        Unread::Errno(errno) => beneath::reason(errno),
        Unread::Not(why) => why,
    })?;
    let of_dir = rustix::fs::fstat(&dir).map_err(beneath::reason)?;
    believable(&of_dir)
        .map_err(|why| format!("its directory {why}: anybody could have anything signalled"))?;
    believable(&file.stat)
        .map_err(|why| format!("it {why}: anybody could have anything signalled"))?;
    Ok((file.pid, file.written))
}

/// Whether what stands there is the word of root or the running user alone. A directory may be
/// everyone's if it keeps them from each other's files.
fn believable(stat: &Stat) -> Result<(), String> {
    let (owner, us) = (stat.st_uid, host::uid());
    if owner != 0 && owner != us {
        return Err(format!("belongs to {}", host::user_name(owner)));
    }
    let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if is_dir && stat.st_mode & 0o1000 != 0 {
        return Ok(());
    }
    // Where everyone has a group of their own, theirs may write to what they make.
    let others = if us == 0 { 0o022 } else { 0o002 };
    match stat.st_mode & others {
        0 => Ok(()),
        _ => {
            let mode = stat.st_mode & 0o7777;
            Err(format!("can be written by others (mode {mode:04o})"))
        }
    }
}
