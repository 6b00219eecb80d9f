//! A program that was started, with all that it starts in turn.
//!
//! The first process is not reaped before the job is over: as long as it is there, be it as a
//! zombie, its number is nobody else's, and a signal to its group or session reaches no stranger.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};

use super::procs;
use super::spawn::{Exec, NotStarted};

/// How long KILL is given: longer takes only a process that hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a process cannot be waited for by a descriptor, and for the end of a whole session, for
/// which there is no event: how often it is looked at.
pub const LOOK: Duration = Duration::from_millis(20);

/// A program that runs. One that is dropped before it was reaped is ended, and all of its session.
#[derive(Debug)]
pub struct Job {
    child: Child,
    pid: i32,
    pidfd: Option<OwnedFd>,
    reaped: bool,
}

/// Our ends of the pipes that a program's outputs lead to; reading never waits.
#[derive(Debug)]
pub struct Outputs {
    /// What leads to its standard input, where it was to have one.
    pub stdin: Option<OwnedFd>,
    /// Standard output.
    pub stdout: Option<OwnedFd>,
    /// Standard error.
    pub stderr: Option<OwnedFd>,
}

impl Job {
    /// Starts a program, and waits for that at most this long: its directory or its file may lie
    /// on a mount that does not answer.
    ///
    /// # Errors
    /// What could not be done; then there is no process. `None` where it took too long: then the
    /// program is ended as soon as it can be, which is before it does anything, as a rule; and where
    /// that time was over before its exec, there never was one.
    pub fn start(exec: Exec, most: Duration) -> Result<(Self, Outputs), Option<NotStarted>> {
        let (send, started) = std::sync::mpsc::sync_channel(1);
        let until = Instant::now().checked_add(most);
        let is_late = move || until.is_some_and(|until| Instant::now() >= until);
        let exec = exec.not_after(until);
        // A thread of its own, which can be left behind: a fork that waits for its exec cannot.
        let thread = std::thread::Builder::new()
            .name("start".into())
            .stack_size(256 << 10)
            .spawn(move || {
                // Whoever was stopped meanwhile does not begin what is not wanted any more.
                let started = match is_late() {
                    true => Err(None),
                    false => Self::start_now(exec).map_err(|e| Some(e).filter(|_| !is_late())),
                };
                // What nobody waits for any more comes back here, and is ended by that.
                let _ = send.send(started);
            });
        if let Err(e) = thread {
            return Err(Some(NotStarted::of_thread(&e)));
        }
        match started.recv_timeout(most) {
            Ok(started) => started,
            Err(_) => Err(None),
        }
    }

    fn start_now(exec: Exec) -> Result<(Self, Outputs), NotStarted> {
        let mut child = exec.start()?;
        let pid = child.id().cast_signed();
        let outputs = Outputs {
            stdin: child.stdin.take().map(OwnedFd::from),
            stdout: child.stdout.take().map(OwnedFd::from),
            stderr: child.stderr.take().map(OwnedFd::from),
        };
        for fd in [&outputs.stdout, &outputs.stderr].into_iter().flatten() {
            // A pipe's end of our own, which always takes this.
            let _ = rustix::fs::fcntl_setfl(fd, OFlags::NONBLOCK);
        }
        // None with a kernel before 5.3 or no descriptor left; then it is looked at now and then.
        let pidfd = Pid::from_raw(pid)
            .and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
        let job = Self {
            child,
            pid,
            pidfd,
            reaped: false,
        };
        Ok((job, outputs))
    }

    /// The first process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// What becomes readable when the first process has ended.
    #[must_use]
    pub fn end(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(OwnedFd::as_fd)
    }

    /// True once the first process has ended. It is not reaped by that.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return true;
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(pid), options) {
            Ok(status) => status.is_some(),
            Err(errno) => errno != rustix::io::Errno::INTR,
        }
    }

    /// True once nothing of the session lives any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.has_ended() && procs::of_session(self.pid).is_empty()
    }

    /// Sends TERM to all of it. What is stopped is let go on, or it would never hear of it.
    pub fn terminate(&self) {
        self.send(Signal::TERM);
        self.send(Signal::CONT);
    }

    /// Sends TERM to its process group alone, which takes no look at others.
    pub fn terminate_group(&self) {
        if let Some(group) = Pid::from_raw(self.pid) {
            let _ = rustix::process::kill_process_group(group, Signal::TERM);
            let _ = rustix::process::kill_process_group(group, Signal::CONT);
        }
    }

    /// Sends KILL to its process group alone.
    pub fn kill_group(&self) {
        if let Some(group) = Pid::from_raw(self.pid) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }

    /// Sends KILL to all of it.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    /// The whole group at one stroke, so that nobody escapes by a fork; then those who have made
    /// groups of their own, as a shell with job control does.
    fn send(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.pid) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
        procs::signal_other_groups(self.pid, signal);
    }

    /// Lets it live: it is not ended when this is dropped, and its end is the host's business.
    pub fn detach(mut self) {
        self.reaped = true;
    }

    /// Takes the exit status once the first process has ended. What else lives is left alone.
    /// `None` where the status is not to be had.
    #[must_use]
    pub fn reap(mut self) -> Option<ExitStatus> {
        self.reaped = true;
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        let until = Instant::now() + PATIENCE;
        self.kill();
        while !self.is_gone() && Instant::now() < until {
            // Again and again: one that was just being forked may have missed it.
            self.kill();
            let _ = wait(&[self.end().filter(|_| !self.has_ended())], LOOK);
        }
        let _ = self.child.try_wait();
    }
}

/// Waits until one of these is readable (or has nobody left at its other end), at most this long.
/// Says which; where nothing can be waited for, all of them are.
#[must_use]
pub fn wait<const N: usize>(on: &[Option<BorrowedFd<'_>>; N], most: Duration) -> [bool; N] {
    let timeout = rustix::time::Timespec {
        tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(most.subsec_nanos()),
    };
    let mut fds: Vec<PollFd<'_>> = on
        .iter()
        .flatten()
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    let answer = rustix::event::poll(&mut fds, Some(&timeout));
    let mut answers = fds.iter().map(|fd| !fd.revents().is_empty());
    on.each_ref().map(|fd| match (fd, answer) {
        (None, _) => false,
        (Some(_), Err(rustix::io::Errno::INTR)) => false,
        (Some(_), Err(_)) => true,
        (Some(_), Ok(_)) => answers.next().unwrap_or(false),
    })
}

/// Waits until this can be written to, or has nobody left who reads, at most this long.
pub fn wait_writable(fd: BorrowedFd<'_>, most: Duration) {
    let timeout = rustix::time::Timespec {
        tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(most.subsec_nanos()),
    };
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    // Whoever asks tries again in any case.
    let _ = rustix::event::poll(&mut fds, Some(&timeout));
}

/// A signal's name: `SIGSEGV`, or its number where it has none.
#[must_use]
pub fn signal_name(signal: i32) -> String {
    match nix::sys::signal::Signal::try_from(signal) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {signal}"),
    }
}
