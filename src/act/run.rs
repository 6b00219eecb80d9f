//! The step `run`: a command that is run to its end, watched all the while.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::command::{Command, Named};
use super::logs::{LogWriter, Stream};
use super::perform::Surroundings;
use crate::model::action::{Action, StepDone, StepResult};
use crate::model::step::{Run, Step};
use crate::model::text::from_bytes;
use crate::model::time::exact;
use crate::sys::job::{self, Job, Outputs};

/// How long what the deadline cuts off has between TERM and KILL, at most.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// How long is waited for the end of what got KILL.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long what a command has printed is read after its end, while somebody goes on printing.
const DRAIN: Duration = Duration::from_millis(200);

/// What is read at a time: as much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// Why a step was not begun.
pub(super) const TOO_LATE: &str = "the run's deadline came before it began";

/// What a step needs to know of its attempt.
pub(super) struct Scene<'a> {
    pub(super) action: &'a Action,
    pub(super) around: &'a Surroundings,
    /// Readable (its other end is closed) once everything is to be ended.
    pub(super) stop: BorrowedFd<'a>,
    /// The attempt's log, opened by the first step that has something to write.
    pub(super) log: Option<LogWriter>,
    /// What went wrong without harm to the attempt.
    pub(super) trouble: Vec<String>,
}

impl Scene<'_> {
    /// True once everything is to be ended.
    pub(super) fn is_stopped(&self) -> bool {
        let [stopped] = job::wait(&[Some(self.stop)], Duration::ZERO);
        stopped
    }

    /// Opens the log. A restart without a log is better than none.
    fn open_log(&mut self) {
        if self.log.is_some() {
            return;
        }
        let (action, around) = (self.action, self.around);
        match around
            .logs
            .open(&action.place, &action.r#ref, (around.now)())
        {
            Ok(log) => self.log = Some(log),
            Err(trouble) => self.trouble.push(trouble),
        }
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log.write(stream, bytes, (self.around.now)());
        }
    }

    /// Ends the lines and takes over what went wrong with them.
    fn close_log(&mut self) -> Option<String> {
        let log = self.log.as_mut()?;
        log.finish((self.around.now)());
        self.trouble.extend(log.take_trouble());
        Some(from_bytes(log.path().as_os_str().as_encoded_bytes()).into_owned())
    }
}

/// Why a command is being ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Timeout,
    CutOff,
}

/// How far a command is.
#[derive(Clone, Copy)]
enum Phase {
    Running,
    /// It got TERM.
    Ending {
        why: Why,
        kill_at: Instant,
    },
    /// It got KILL.
    Killed {
        why: Why,
        until: Instant,
    },
}

/// How it came to its end.
enum Ending {
    ByItself,
    Ended { why: Why, killed: bool, gone: bool },
}

/// Carries out the step.
pub(super) fn run(step: &Step, run: &Run, scene: &mut Scene<'_>) -> StepDone {
    let mut done = StepDone::new(step, StepResult::Failed);
    let (exec, named) = match Command::of(run, scene.action, &scene.around.own) {
        Ok(command) => command.split(),
        Err(error) => {
            done.error = Some(error);
            return done;
        }
    };
    scene.open_log();
    let left = scene
        .around
        .deadline
        .saturating_duration_since(Instant::now());
    // What was decided before a pause beyond the deadline (a stopped process, a host that slept, a
    // log on a slow disk) is not begun after it.
    if left.is_zero() {
        done.result = StepResult::CutOff;
        done.error = Some(TOO_LATE.to_owned());
        done.log = scene.close_log();
        return done;
    }
    let (job, outputs) = match Job::start(exec, run.timeout.min(left)) {
        Ok(started) => started,
        Err(why) => {
            done.error = Some(match why {
                Some(e) => named.not_started(e),
                None => named.took_too_long(),
            });
            done.result = match why {
                Some(_) => StepResult::Failed,
                None if run.timeout < left => StepResult::TimedOut,
                None => StepResult::CutOff,
            };
            done.log = scene.close_log();
            return done;
        }
    };
    done.pid = Some(job.pid());
    let mut watch = Watch {
        job: &job,
        outputs,
        buffer: vec![0; CHUNK],
        scene,
    };
    let ending = watch.until_the_end(run);
    watch.drain();
    done.log = watch.scene.close_log();
    match ending {
        Ending::ByItself => of_status(job.reap(), &named, &mut done),
        Ending::Ended { why, killed, gone } => {
            done.result = match why {
                Why::Timeout => StepResult::TimedOut,
                Why::CutOff => StepResult::CutOff,
            };
            done.error = Some(ended(run, &named, why, killed, gone));
            // What is still there is given another second of KILL when the job is dropped.
            if gone {
                let _ = job.reap();
            }
        }
    }
    done
}

fn of_status(status: Option<ExitStatus>, named: &Named, done: &mut StepDone) {
    let program = &named.program;
    done.exit_code = status.and_then(|status| status.code());
    let signal = status.and_then(|status| status.signal());
    done.error = match (done.exit_code, signal) {
        (Some(0), _) => {
            done.result = StepResult::Ok;
            None
        }
        (Some(code), _) => Some(format!("{program}: exit code {code}")),
        (None, Some(signal)) => Some(format!("{program}: killed by {}", job::signal_name(signal))),
        // An end that nobody saw is not taken for a good one.
        (None, None) => Some(format!("{program}: how it ended is not known")),
    };
}

fn ended(run: &Run, named: &Named, why: Why, killed: bool, gone: bool) -> String {
    let program = &named.program;
    let why = match why {
        Why::Timeout => format!("it took longer than its timeout of {}", exact(run.timeout)),
        Why::CutOff => "the run's deadline came first".to_owned(),
    };
    let how = match (killed, gone) {
        (false, _) => "ended by SIGTERM",
        (true, true) => "ended by SIGKILL, as SIGTERM was not enough",
        (true, false) => "not even SIGKILL has ended it yet",
    };
    format!("{program}: {why}; {how}")
}

/// A command that is watched.
struct Watch<'a, 'b> {
    job: &'a Job,
    outputs: Outputs,
    buffer: Vec<u8>,
    scene: &'a mut Scene<'b>,
}

impl Watch<'_, '_> {
    /// Reads what it prints until it has ended, by itself or by us.
    fn until_the_end(&mut self, run: &Run) -> Ending {
        let times_out = Instant::now().checked_add(run.timeout);
        let mut phase = Phase::Running;
        let mut stopped = false;
        loop {
            let over = self.job.has_ended();
            match phase {
                Phase::Running if over => return Ending::ByItself,
                Phase::Ending { why, .. } if over && self.job.is_gone() => {
                    return Ending::Ended {
                        why,
                        killed: false,
                        gone: true,
                    };
                }
                Phase::Killed { why, until } => {
                    let gone = over && self.job.is_gone();
                    if gone || Instant::now() >= until {
                        return Ending::Ended {
                            why,
                            killed: true,
                            gone,
                        };
                    }
                    // Again and again: one that was just being forked may have missed it.
                    self.job.kill();
                }
                _ => {}
            }
            phase = self.next(phase, run, times_out, stopped);
            let pause = self.pause(phase, over, times_out);
            let stop = Some(self.scene.stop).filter(|_| !stopped);
            let on = [
                self.job.end().filter(|_| !over),
                stop,
                self.outputs.stdout.as_ref().map(|fd| fd.as_fd()),
                self.outputs.stderr.as_ref().map(|fd| fd.as_fd()),
            ];
            let [_, stop, stdout, stderr] = job::wait(&on, pause);
            stopped |= stop;
            if stdout {
                self.read(Stream::Stdout);
            }
            if stderr {
                self.read(Stream::Stderr);
            }
        }
    }

    /// Sends the signal that is due, if one is.
    fn next(&self, phase: Phase, run: &Run, times_out: Option<Instant>, stopped: bool) -> Phase {
        let now = Instant::now();
        let last = stopped || now >= self.scene.around.deadline;
        match phase {
            Phase::Running => {
                let (why, grace) = if last {
                    (Why::CutOff, run.grace.min(LAST_GRACE))
                } else if times_out.is_some_and(|at| now >= at) {
                    (Why::Timeout, run.grace)
                } else {
                    return phase;
                };
                self.job.terminate();
                // A grace beyond all reckoning is for ever, which is until the deadline.
                let kill_at = now.checked_add(grace);
                let kill_at = kill_at.unwrap_or(self.scene.around.deadline + LAST_GRACE);
                Phase::Ending { why, kill_at }
            }
            // The deadline does not wait for a grace.
            Phase::Ending { why, kill_at } if last && kill_at > now + LAST_GRACE => {
                let kill_at = now + LAST_GRACE;
                Phase::Ending { why, kill_at }
            }
            Phase::Ending { why, kill_at } if now >= kill_at => {
                self.job.kill();
                let until = now + PATIENCE;
                Phase::Killed { why, until }
            }
            other => other,
        }
    }

    /// How long nothing but an event can change anything.
    fn pause(&self, phase: Phase, over: bool, times_out: Option<Instant>) -> Duration {
        let deadline = self.scene.around.deadline;
        let next = match phase {
            Phase::Running => times_out.map_or(deadline, |at| at.min(deadline)),
            Phase::Ending { kill_at, .. } if Instant::now() < deadline => kill_at.min(deadline),
            Phase::Ending { kill_at, .. } => kill_at,
            Phase::Killed { until, .. } => until,
        };
        let pause = next.saturating_duration_since(Instant::now());
        // There is no event for the end of those whom the first process has left behind.
        match self.job.end() {
            Some(_) if !over => pause,
            _ => pause.min(job::LOOK),
        }
    }

    /// Takes what is there, once. False where there is nothing, or never will be again.
    fn read(&mut self, stream: Stream) -> bool {
        let output = match stream {
            Stream::Stdout => &mut self.outputs.stdout,
            Stream::Stderr => &mut self.outputs.stderr,
        };
        match output.as_ref().map(|fd| read_some(fd, &mut self.buffer)) {
            None | Some(Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR)) => false,
            Some(Ok(n)) if n > 0 => {
                self.scene.write(stream, &self.buffer[..n]);
                true
            }
            Some(_) => {
                *output = None;
                false
            }
        }
    }

    /// Takes what is there after the end. Whoever was left behind may hold the pipe for ever, so
    /// nobody is waited for.
    fn drain(&mut self) {
        let until = Instant::now() + DRAIN;
        for stream in [Stream::Stdout, Stream::Stderr] {
            while self.read(stream) && Instant::now() < until {}
        }
    }
}

fn read_some(fd: &OwnedFd, buffer: &mut [u8]) -> Result<usize, rustix::io::Errno> {
    rustix::io::read(fd, buffer)
}
