//! Starting a keeper: what it is told goes to its standard input, its answer comes from its
//! standard output.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Keeping;
use super::prepare::Ready;
use super::spec::{Answer, COMMAND, Spec};
use crate::act::environment::is_of_supervisor;
use crate::act::leftovers::end_leftovers;
use crate::act::run::Scene;
use crate::model::action::StepResult;
use crate::sys::job::{self, Job, Outputs};
use crate::sys::spawn::Exec;

/// This program, whatever has become of its file.
const OURSELVES: &str = "/proc/self/exe";

/// Answers are short; what a keeper says before it dies may be a little more.
const LONGEST: usize = 64 << 10;

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
        job: &job,
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
fn of_other(
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

fn refused(answer: Answer, ready: &Ready) -> String {
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
/// the end is as this one.
fn keeper(scene: &Scene<'_>) -> Result<Exec, String> {
    let action = scene.action;
    let texts = ["lazarus-pit", COMMAND, &action.r#ref, &action.subject];
    // A subject may have any bytes in its name but not that one.
    let args = texts.map(|text| text.replace('\0', "").into_bytes());
    let env = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        // What an agent was told that had this run started is not what the keeper is.
        let of_agent = name.starts_with("LAZARUS_") && !name.starts_with("LAZARUS_PIT_");
        !is_of_supervisor(&name) && !of_agent
    });
    let env = env.map(|(name, value)| {
        let mut entry: OsString = name;
        entry.push("=");
        entry.push(value);
        entry.into_encoded_bytes()
    });
    let exec = Exec::new(Path::new(OURSELVES), args, env, Path::new("/"), None)?;
    Ok(exec.with_input())
}

/// A conversation with a keeper.
struct Talk<'a, 'b> {
    job: &'a Job,
    scene: &'a Scene<'b>,
    until: Instant,
}

impl Talk<'_, '_> {
    fn with(&self, outputs: Outputs, spec: &[u8]) -> Result<Answer, (StepResult, String)> {
        let Outputs {
            stdin,
            stdout,
            stderr,
        } = outputs;
        if let Some(stdin) = stdin {
            self.tell(stdin, spec)?;
        }
        let mut said = Vec::new();
        if let Some(stdout) = &stdout {
            self.hear(stdout, &mut said)?;
        }
        if let Ok(answer) = serde_json::from_slice(&said) {
            return Ok(answer);
        }
        let mut last_words = vec![0; 1024];
        let heard = stderr
            .as_ref()
            .and_then(|fd| rustix::io::read(fd, &mut last_words).ok());
        last_words.truncate(heard.unwrap_or(0));
        let words = String::from_utf8_lossy(&last_words).trim().to_owned();
        let mut error = "its keeper ended without an answer".to_owned();
        if !words.is_empty() {
            error = format!("{error}: {words}");
        }
        Err((StepResult::Failed, error))
    }

    /// Writes the specification. Where the keeper is gone it has no reader, which its missing
    /// answer will tell.
    fn tell(&self, stdin: OwnedFd, mut spec: &[u8]) -> Result<(), (StepResult, String)> {
        let _ = rustix::fs::fcntl_setfl(&stdin, OFlags::NONBLOCK);
        while !spec.is_empty() {
            match rustix::io::write(&stdin, spec) {
                Ok(n) => spec = &spec[n..],
                Err(Errno::AGAIN) => self.wait_to_write(&stdin)?,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn wait_to_write(&self, stdin: &OwnedFd) -> Result<(), (StepResult, String)> {
        self.in_time()?;
        job::wait_writable(stdin.as_fd(), job::LOOK);
        Ok(())
    }

    /// Reads until the end of a line, or until there is nobody left who could write one.
    fn hear(&self, stdout: &OwnedFd, said: &mut Vec<u8>) -> Result<(), (StepResult, String)> {
        let mut buffer = vec![0; 4096];
        while !said.ends_with(b"\n") && said.len() < LONGEST {
            match rustix::io::read(stdout, &mut buffer) {
                Ok(0) => break,
                Ok(n) => said.extend_from_slice(&buffer[..n]),
                Err(Errno::AGAIN | Errno::INTR) => {
                    self.in_time()?;
                    let left = self.until.saturating_duration_since(Instant::now());
                    let on = [Some(stdout.as_fd()), Some(self.scene.stop)];
                    let _ = job::wait(&on, left);
                }
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn in_time(&self) -> Result<(), (StepResult, String)> {
        if Instant::now() < self.until && !self.scene.is_stopped() {
            return Ok(());
        }
        let pid = self.job.pid();
        let error = format!("the run's deadline came before its keeper (pid {pid}) had answered");
        Err((StepResult::CutOff, error))
    }
}
