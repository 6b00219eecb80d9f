//! The keeper's last act: a run of the checker, so that what has ended is not missed for a minute.

use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::watch::Prints;
use crate::act::logs::{LogWriter, Stream};
use crate::sys::daemon::{self, Signals};
use crate::sys::host;
use crate::sys::job::Job;
use crate::sys::spawn::Exec;

/// How long the start of the run may take.
const START: Duration = Duration::from_secs(10);

/// How long what the run prints is waited for: it has a deadline of its own, far before this.
const MOST: Duration = Duration::from_secs(300);

/// How long what was printed at last is read.
const DRAIN: Duration = Duration::from_millis(100);

/// Starts the run and writes what it prints to the agent's log. It is a run like any other: whoever
/// it starts has a keeper, and is none of ours.
pub(super) fn wake(
    program: Option<&Path>,
    args: Vec<String>,
    mut log: Option<LogWriter>,
    signals: &Signals,
) {
    // What the run leaves behind is the host's, or we would wait for its agents.
    daemon::adopt(false);
    let program = program.filter(|path| path.exists());
    let program = program.map_or_else(|| PathBuf::from("/proc/self/exe"), Path::to_owned);
    let name = program.as_os_str().as_encoded_bytes().to_vec();
    let args = std::iter::once(name).chain(args.into_iter().map(String::into_bytes));
    let env = std::env::vars_os().map(|(name, value)| {
        let mut entry = name.into_vec();
        entry.push(b'=');
        entry.extend(value.into_vec());
        entry
    });
    let started = Exec::new(&program, args, env, Path::new("/"), None).and_then(|exec| {
        Job::start(exec, START)
            .map_err(|why| why.map_or("it took too long", |e| e.cause()).to_owned())
    });
    let (job, outputs) = match started {
        Ok(started) => started,
        Err(e) => {
            if let Some(log) = &mut log {
                let text = format!("lazarus-pit: starting {}: {e}\n", program.display());
                log.write(Stream::Stderr, text.as_bytes(), host::now());
            }
            return;
        }
    };
    let mut prints = Prints::new(outputs, log);
    let until = Instant::now() + MOST;
    let mut ended = job.has_ended();
    while !ended && Instant::now() < until {
        let heard = prints.next(signals, Some(until));
        if heard.stop.is_some() {
            job.terminate();
        }
        ended = heard.child && job.has_ended();
    }
    prints.drain(DRAIN);
    match ended {
        true => drop(job.reap()),
        // It has all that it needs, but for somebody who reads what it prints.
        false => job.detach(),
    }
}
