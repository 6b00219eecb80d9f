//! Starting a keeper: what it is told goes to its standard input, its answer comes from its
//! standard output.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Keeping;
use super::prepare::Ready;
use super::spec::{Answer, COMMAND, Spec};
use super::talk::Talk;
use super::unit;
use crate::act::environment::is_of_supervisor;
use crate::act::leftovers::end_leftovers;
use crate::act::run::Scene;
use crate::model::action::StepResult;
use crate::sys::job::{self, Job};
use crate::sys::spawn::Exec;

/// This program, whatever has become of its file.
const OURSELVES: &str = "/proc/self/exe";

/// An agent that runs, with a keeper beside it.
pub(super) struct Started {
    pub(super) pid: i32,
    pub(super) log: Option<String>,
    pub(super) trouble: Option<String>,
}

/// Starts the keeper and waits for its answer. Where there is none, nothing of it is left running.
///
/// # Errors
/// What came of the step, and a sentence.
pub(super) fn start(
    ready: &Ready,
    scene: &Scene<'_>,
    keeping: &Keeping,
) -> Result<Started, (StepResult, String)> {
    let failed = |error: String| (StepResult::Failed, error);
    let until = scene.around.deadline;
    let left = until.saturating_duration_since(Instant::now());
    let spec = serde_json::to_vec(&ready.spec);
    let spec = spec.map_err(|e| failed(format!("writing down what the keeper is to do: {e}")))?;
    if let Some(unit) = &ready.unit {
        return unit::start(unit, ready, &spec, scene, keeping);
    }
    let exec = keeper(scene).map_err(failed)?;
    let started = Job::start(exec, left);
    let (job, outputs) = started.map_err(|why| match why {
        Some(e) => failed(format!("starting a keeper ({OURSELVES}): {}", e.cause())),
        None => (
            StepResult::CutOff,
            "starting a keeper came to no end".to_owned(),
        ),
    })?;
    let talk = Talk {
        keeper: format!("pid {}", job.pid()),
        scene,
        until,
    };
    match talk.with(outputs, &spec) {
        Ok(Answer::Started {
            pid, log, trouble, ..
        }) => {
            job.detach();
            Ok(Started { pid, log, trouble })
        }
        // A keeper of a run that was killed was faster.
        Ok(Answer::Taken) => {
            let _ = job.reap();
            of_other(ready, keeping, until)
        }
        Ok(answer) => {
            let _ = job.reap();
            Err(failed(refused(answer, ready)))
        }
        Err(why) => {
            // The keeper goes first, so that it starts nothing any more.
            drop(job);
            resolve(ready, keeping, why)
        }
    }
}

/// What has become of an attempt that another keeper has claimed.
pub(super) fn of_other(
    ready: &Ready,
    keeping: &Keeping,
    until: Instant,
) -> Result<Started, (StepResult, String)> {
    let r#ref = &ready.spec.entry.r#ref;
    loop {
        let entry = keeping.table.entry(r#ref);
        let entry = entry.map_err(|why| (StepResult::Failed, why))?;
        let Some(entry) = entry else {
            return Err((StepResult::Failed, refused(Answer::Taken, ready)));
        };
        if let Some(pid) = entry.pid {
            let (log, trouble) = (entry.log, None);
            return Ok(Started { pid, log, trouble });
        }
        if entry.status.is_over() {
            let why = entry.error.unwrap_or_else(|| refused(Answer::Taken, ready));
            return Err((StepResult::Failed, why));
        }
        if !keeping.host.has_keeper(&entry) {
            // It was killed, and may have started its agent before or after that was written.
            let why = "the keeper that had claimed the attempt is gone".to_owned();
            return resolve(ready, keeping, (StepResult::Failed, why));
        }
        if Instant::now() >= until {
            return Err((StepResult::CutOff, refused(Answer::Taken, ready)));
        }
        std::thread::sleep(job::LOOK);
    }
}

pub(super) fn refused(answer: Answer, ready: &Ready) -> String {
    let Spec { entry, .. } = &ready.spec;
    match answer {
        Answer::Failed { error } => error,
        Answer::Taken => format!("the attempt {} was carried out already", entry.r#ref),
        Answer::Occupied => format!(
            "the place of {} is taken: a process of it lives that could not be found",
            entry.slot
        ),
        Answer::Started { .. } => String::new(),
    }
}

/// A keeper that did not answer may have started its agent all the same: if so the table has it,
/// and the step is done; otherwise whatever it has started is ended.
fn resolve(
    ready: &Ready,
    keeping: &Keeping,
    (result, why): (StepResult, String),
) -> Result<Started, (StepResult, String)> {
    let r#ref = &ready.spec.entry.r#ref;
    if let Ok(Some(entry)) = keeping.table.entry(r#ref)
        && keeping.host.has_agent(&entry)
        && let Some(pid) = entry.pid
    {
        let trouble = Some(format!("its keeper is gone ({why}); the agent is unkept"));
        let log = entry.log;
        return Ok(Started { pid, log, trouble });
    }
    let _ = end_leftovers(std::slice::from_ref(r#ref), Duration::ZERO);
    Err((result, why))
}

/// The keeper as a program: our own, with our own environment, so that the run that it starts in
/// the end is as this one. Channels' secrets are not in it: a keeper lives as long as its agent.
fn keeper(scene: &Scene<'_>) -> Result<Exec, String> {
    let action = scene.action;
    let texts = ["lazarus-pit", COMMAND, &action.r#ref, &action.subject];
    // A subject may have any bytes in its name but not that one.
    let args = texts.map(|text| text.replace('\0', "").into_bytes());
    let env = own_environment(&scene.around.own.secrets);
    let exec = Exec::new(Path::new(OURSELVES), args, env, Path::new("/"), None)?;
    Ok(exec.with_input())
}

/// Our own environment, without what is meant for us alone: these secrets, and what a supervisor told
/// us.
pub(super) fn own_environment(secrets: &[String]) -> impl Iterator<Item = Vec<u8>> {
    let env = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        // What an agent was told that had this run started is not what the keeper is.
        let of_agent = name.starts_with("LAZARUS_") && !name.starts_with("LAZARUS_PIT_");
        let secret = secrets.iter().any(|secret| *secret == name);
        !is_of_supervisor(&name) && !of_agent && !secret
    });
    env.map(|(name, value)| {
        let mut entry: OsString = name;
        entry.push("=");
        entry.push(value);
        entry.into_encoded_bytes()
    })
}
