//! An agent that is kept: what it prints is written down, and its end is waited for.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::beats::Beats;
use crate::act::logs::{LogWriter, Stream};
use crate::act::spawn::spec::Spec;
use crate::model::process::Entry;
use crate::sys::daemon::{Heard, Signals};
use crate::sys::job::{self, Job, Outputs};
use crate::sys::{host, memory, offspring};
use crate::table::{Slot, Table};

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// How long after there was something to do memory is given back: one wake-up, and none after it.
const QUIET: Duration = Duration::from_secs(10);

/// How long after an entry could not be written this is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// Why an agent came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// By itself.
    ByItself,
    /// It had run as long as it may.
    MaxRuntime,
    /// The keeper was told to end it, by this signal.
    Told(&'static str),
}

/// An agent with all that its keeper holds for it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) spec: Spec,
    pub(super) table: Table,
    pub(super) slot: Slot,
    pub(super) entry: Entry,
    /// None once it is reaped.
    pub(super) job: Option<Job>,
    pub(super) signals: Signals,
    pub(super) prints: Prints,
    pub(super) began: Instant,
    /// When the entry is to be written again, where that has failed.
    retry: Option<Instant>,
    beats: Option<Beats>,
}

impl Kept {
    pub(super) fn new(
        spec: Spec,
        table: Table,
        slot: Slot,
        entry: Entry,
        started: (Job, Outputs),
        log: Option<LogWriter>,
        signals: Signals,
    ) -> Self {
        let (job, outputs) = started;
        let beats = Beats::of(&spec, job.pid());
        Self {
            beats,
            spec,
            table,
            slot,
            entry,
            job: Some(job),
            signals,
            prints: Prints::new(outputs, log),
            began: Instant::now(),
            retry: None,
        }
    }

    /// The same, of an agent that was started then, and whose entry may not be written yet.
    pub(super) fn since(self, began: Instant, unwritten: bool) -> Self {
        let retry = unwritten.then(|| began + AGAIN);
        Self {
            began,
            retry,
            ..self
        }
    }

    /// How long the agent has between TERM and KILL.
    pub(super) fn grace(&self) -> Duration {
        Duration::from_millis(self.entry.grace_ms)
    }

    /// Waits for the end of the agent's first process, and brings it about where it is due.
    pub(super) fn until_the_end(&mut self) -> Why {
        let Some(job) = self.job.take() else {
            return Why::ByItself;
        };
        let most = self.spec.limits.max_runtime_ms.map(Duration::from_millis);
        // What is beyond all reckoning is no limit.
        let runs_out = most.and_then(|most| self.began.checked_add(most));
        let mut why = Why::ByItself;
        let mut kill_at = None;
        // Its end may have come before the first look.
        let mut heard = Heard {
            child: true,
            stop: None,
        };
        loop {
            if heard.child {
                offspring::reap_others(job.pid());
            }
            if heard.child && job.has_ended() {
                break;
            }
            let now = Instant::now();
            if why == Why::ByItself {
                let is_over = runs_out.is_some_and(|at| now >= at);
                why = match heard.stop {
                    Some(signal) => Why::Told(signal),
                    None if is_over => Why::MaxRuntime,
                    None => why,
                };
                if why != Why::ByItself {
                    job.terminate();
                    kill_at = now.checked_add(self.grace());
                }
            } else if kill_at.is_some_and(|at| now >= at) {
                job.kill();
                // Again and again: one that was just being forked may have missed it.
                kill_at = Some(now + job::LOOK);
            }
            self.write_again(now);
            self.beat(now);
            let until = [
                kill_at,
                runs_out.filter(|_| why == Why::ByItself),
                self.retry,
                self.beats.as_ref().and_then(Beats::due_at),
            ];
            heard = self.next(until.into_iter().flatten().min());
        }
        self.job = Some(job);
        why
    }

    /// Waits until something happens, or until that moment, and takes what was printed.
    pub(super) fn next(&mut self, until: Option<Instant>) -> Heard {
        self.prints.next(&self.signals, until)
    }

    /// Beats for the agent, where that is wanted and due.
    fn beat(&mut self, now: Instant) {
        let Some(beats) = &mut self.beats else {
            return;
        };
        if std::mem::take(&mut self.prints.printed) {
            beats.printed();
        }
        if beats.due_at().is_some_and(|at| now >= at) {
            if let Some(trouble) = beats.beat(now) {
                self.prints.tell(&trouble);
            }
            self.prints.busy.get_or_insert(now);
        }
    }

    /// Writes the entry that could not be written before, where it is time for that.
    fn write_again(&mut self, now: Instant) {
        if self.retry.is_some_and(|at| now >= at) {
            let written = self.write_entry();
            self.retry = (!written).then(|| now + AGAIN);
        }
    }

    /// Writes the entry. Where somebody has taken the table away, into the one that is there now.
    pub(super) fn write_entry(&mut self) -> bool {
        if self.table.replace(&self.entry).is_ok() {
            return true;
        }
        let Ok(table) = Table::create(&self.spec.state_dir) else {
            return false;
        };
        let written = table.replace(&self.entry).is_ok();
        self.table = table;
        written
    }
}

/// What a program prints, and where that goes.
#[derive(Debug)]
pub(super) struct Prints {
    outputs: Outputs,
    pub(super) log: Option<LogWriter>,
    buffer: Vec<u8>,
    /// True once something was printed.
    printed: bool,
    /// When there was first something to do since memory was given back.
    busy: Option<Instant>,
}

impl Prints {
    pub(super) fn new(outputs: Outputs, log: Option<LogWriter>) -> Self {
        Self {
            outputs,
            log,
            buffer: Vec::new(),
            printed: false,
            busy: None,
        }
    }

    /// Waits until a signal comes or something is printed, or until that moment (for ever, without
    /// one), and takes both: of each output once, so that a flood keeps nobody waiting.
    pub(super) fn next(&mut self, signals: &Signals, until: Option<Instant>) -> Heard {
        let quiet_at = self.busy.map(|at| at + QUIET);
        let timeout = [until, quiet_at].into_iter().flatten().min();
        let timeout = timeout.map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            rustix::time::Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        let outputs = [&self.outputs.stdout, &self.outputs.stderr];
        // A closed one is not asked for anything; the signals stand in for it.
        let place = |fd: &Option<OwnedFd>| fd.is_some();
        let is_open = outputs.map(place);
        let fd = |n: usize| match outputs[n] {
            Some(fd) => PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN),
            None => PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::empty()),
        };
        let mut fds = [
            PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
            fd(0),
            fd(1),
        ];
        let ready = match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) => fds.map(|fd| !fd.revents().is_empty()),
            Err(Errno::INTR) => [false; 3],
            Err(_) => {
                // There is no memory for it. All may be ready, and nothing is lost by looking.
                std::thread::sleep(job::LOOK);
                [true; 3]
            }
        };
        let now = Instant::now();
        if quiet_at.is_some_and(|at| now >= at) {
            self.rest();
        }
        if ready.contains(&true) {
            self.busy.get_or_insert(now);
        }
        for (n, stream) in [Stream::Stdout, Stream::Stderr].into_iter().enumerate() {
            if is_open[n] && ready[n + 1] {
                self.take(stream);
            }
        }
        match ready[0] {
            true => signals.heard(),
            false => Heard::default(),
        }
    }

    /// Gives back the memory that waiting does not need.
    pub(super) fn rest(&mut self) {
        self.busy = None;
        self.buffer = Vec::new();
        if let Some(log) = &mut self.log {
            log.rest();
        }
        memory::give_back();
    }

    /// Writes a word of the keeper's own to the log.
    pub(super) fn tell(&mut self, text: &str) {
        if let Some(log) = &mut self.log {
            let text = format!("lazarus-pit: {text}\n");
            log.write(Stream::Stderr, text.as_bytes(), host::now());
        }
    }

    /// Takes what is there, once. False where there is nothing, or never will be again.
    fn take(&mut self, stream: Stream) -> bool {
        let output = match stream {
            Stream::Stdout => &mut self.outputs.stdout,
            Stream::Stderr => &mut self.outputs.stderr,
        };
        let Some(fd) = output else {
            return false;
        };
        self.buffer.resize(CHUNK, 0);
        match rustix::io::read(&*fd, &mut self.buffer) {
            Err(Errno::AGAIN | Errno::INTR) => false,
            Ok(n) if n > 0 => {
                self.printed = true;
                if let Some(log) = &mut self.log {
                    log.write(stream, &self.buffer[..n], host::now());
                    // There is nobody to tell; the disk's own state tells more.
                    let _ = log.take_trouble();
                }
                true
            }
            _ => {
                *output = None;
                false
            }
        }
    }

    /// Takes what is there when all who could print are gone, but for no longer than that: somebody
    /// else may have got hold of the pipe.
    pub(super) fn drain(&mut self, most: Duration) {
        let until = Instant::now() + most;
        for stream in [Stream::Stdout, Stream::Stderr] {
            while self.take(stream) && Instant::now() < until {}
        }
        if let Some(log) = &mut self.log {
            log.finish(host::now());
        }
    }
}
