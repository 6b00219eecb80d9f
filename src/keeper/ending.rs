//! The end: nothing of the agent is left, and it is written down.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::watch::{AGAIN, Kept, Why};
use crate::act::logs::LogWriter;
use crate::model::process::ProcessStatus;
use crate::model::time::{Timestamp, exact, millis};
use crate::sys::daemon::Signals;
use crate::sys::job::LOOK;
use crate::sys::{host, offspring};
use crate::table::Slot;

/// How long those whom an agent leaves behind have between TERM and KILL, at most: it is over, and
/// its successor waits.
const LEFTOVERS: Duration = Duration::from_secs(2);

/// How long KILL is given: longer takes only a process that hangs in the kernel, or that has
/// rights which the keeper has not.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long what was printed at last is read.
const DRAIN: Duration = Duration::from_secs(1);

/// How long the end is tried to be written, where that fails.
const PERSISTENCE: Duration = Duration::from_secs(600);

/// Holds a subject's place until nothing is left of an agent whose start came to no end: it may
/// hang in the kernel, and go on to its program whenever that lets it.
pub(super) fn until_nothing_is_left(slot: Slot) {
    while !offspring::reap_all() {
        let _ = offspring::signal_offspring(Signal::KILL);
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(slot);
}

impl Kept {
    /// Ends what the agent has left behind, writes the end down and lets go of its place. Returns
    /// the run that is to be started then, if one is, with the log that it writes to.
    pub(super) fn end(mut self, mut why: Why) -> Option<(Vec<String>, Option<LogWriter>, Signals)> {
        let (ended_at, duration) = (host::now(), self.began.elapsed());
        let status = self.job.take().and_then(|job| {
            // As long as it is not reaped, its group's number is nobody else's.
            job.terminate_group();
            job.reap()
        });
        let mut told = None;
        let left = self.end_leftovers(&mut told);
        self.prints.drain(DRAIN);
        self.describe(status, why, ended_at, duration, &left);
        self.write_end(&mut told);
        // It may have come last of all.
        told = told.or_else(|| self.signals.heard().stop);
        if let (Why::ByItself | Why::MaxRuntime, Some(signal)) = (why, told) {
            why = Why::Told(signal);
        }
        drop(self.slot);
        let is_wanted = left.is_empty() && !matches!(why, Why::Told(_));
        let args = self.spec.wake.filter(|_| is_wanted)?;
        Some((args, self.prints.log, self.signals))
    }

    /// Ends all that comes from the agent: what is left behind comes to the keeper, so that nothing
    /// escapes it. Returns who is there even so.
    fn end_leftovers(&mut self, told: &mut Option<&'static str>) -> Vec<i32> {
        if offspring::reap_all() {
            return Vec::new();
        }
        let began = Instant::now();
        let kill_at = began + self.grace().min(LEFTOVERS);
        let until = kill_at + PATIENCE;
        let mut left = offspring::signal_offspring(Signal::TERM);
        loop {
            if offspring::reap_all() {
                return Vec::new();
            }
            let now = Instant::now();
            if now >= until {
                return left;
            }
            let mut look = kill_at;
            if now >= kill_at {
                // Again and again: one that was just being forked may have missed it.
                left = offspring::signal_offspring(Signal::KILL);
                look = now + LOOK;
            }
            *told = told.or(self.next(Some(look)).stop);
        }
    }

    /// Puts into the entry how the agent ended.
    fn describe(
        &mut self,
        status: Option<ExitStatus>,
        why: Why,
        ended_at: Timestamp,
        duration: Duration,
        left: &[i32],
    ) {
        let entry = &mut self.entry;
        entry.exit_code = status.and_then(|status| status.code());
        entry.signal = status.and_then(|status| status.signal());
        entry.ended_at = Some(ended_at.max(entry.started_at));
        entry.duration_ms = Some(millis(duration));
        let mut errors: Vec<String> = entry.error.take().into_iter().collect();
        entry.status = match (entry.exit_code, entry.signal, why) {
            // An end that nobody saw is not taken for a good one.
            (None, None, _) => {
                errors.push("how it ended could not be seen".to_owned());
                ProcessStatus::Unknown
            }
            (Some(_), _, Why::ByItself) => ProcessStatus::Exited,
            _ => ProcessStatus::Killed,
        };
        match why {
            Why::ByItself => {}
            Why::MaxRuntime => {
                let most = self.spec.limits.max_runtime_ms.unwrap_or(0);
                let most = exact(Duration::from_millis(most));
                errors.push(format!("it was ended at its max_runtime of {most}"));
            }
            Why::Told(signal) => {
                errors.push(format!("its keeper was told to end it, by {signal}"));
            }
        }
        if !left.is_empty() {
            let left: Vec<String> = left.iter().map(i32::to_string).collect();
            let left = left.join(", ");
            errors.push(format!("not even SIGKILL has ended what it left: {left}"));
        }
        entry.error = Some(errors.join("; ")).filter(|all| !all.is_empty());
    }

    /// Writes the entry. On a disk that is full there may be room a little later, and an end that
    /// was seen must not be lost; but nobody waits for ever.
    fn write_end(&mut self, told: &mut Option<&'static str>) {
        let until = Instant::now() + PERSISTENCE;
        while !self.write_entry() && Instant::now() < until {
            let again = Instant::now() + AGAIN;
            while Instant::now() < again {
                *told = told.or(self.next(Some(again)).stop);
                if told.is_some() {
                    // Whoever wants the keeper gone has a reason; once more, and no longer.
                    let _ = self.write_entry();
                    return;
                }
            }
        }
    }
}
