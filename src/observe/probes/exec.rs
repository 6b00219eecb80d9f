//! `exec`: whether a command exits with 0. It is the operator's own: it runs as the checker does,
//! in `/`, with a clean environment, and nothing of it is left when it is over.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Instant;

use super::{Common, Reply, limit};
use crate::model::action::Place;
use crate::model::time::human;
use crate::sys::account::Account;
use crate::sys::environment;
use crate::sys::job::{self, Job, Outputs};
use crate::sys::program::find;
use crate::sys::spawn::Exec;

/// As much of what a command prints is read, and thrown away, in bytes. One that prints more waits
/// for somebody to read on, until its time is up.
const MOST_OUTPUT: usize = 1 << 20;

/// Runs the command.
pub(super) fn ask(command: &[String], place: &Place, until: Instant, common: &Common) -> Reply {
    let began = Instant::now();
    let exec = match made_ready(command, place, common) {
        Ok(exec) => exec,
        Err(why) => return Reply::not_asked(why),
    };
    let time = until.saturating_duration_since(Instant::now());
    let (job, outputs) = match Job::start(exec, time) {
        Ok(started) => started,
        // What cannot be started is no word about the subject.
        Err(Some(e)) => return Reply::not_asked(format!("it could not be started: {}", e.cause())),
        Err(None) => return Reply::not_asked("starting it came to no end"),
    };
    if !wait(&job, outputs, until) {
        // Dropping it ends all of its session.
        drop(job);
        let within = limit(began, until);
        return Reply::bad(format!("it did not end within {within}, and was killed"));
    }
    // Its leader is not reaped yet, so that the group is nobody else's.
    job.kill_group();
    let took = human(began.elapsed());
    match job.reap().map(|status| (status.code(), status.signal())) {
        Some((Some(0), _)) => Reply::good(format!("exit code 0 ({took})")),
        Some((Some(code), _)) => Reply::bad(format!("exit code {code} ({took})")),
        Some((None, Some(signal))) => {
            Reply::bad(format!("killed by {} ({took})", job::signal_name(signal)))
        }
        // An end that nobody saw says nothing.
        _ => Reply::not_asked("how it ended is not known"),
    }
}

fn made_ready(command: &[String], place: &Place, common: &Common) -> Result<Exec, String> {
    let program = command.first().filter(|program| !program.is_empty());
    let program = program.ok_or("it has no command")?;
    let mut all = environment::base(&Account::own(), &common.asker.own);
    let path = find(program, &all[0].1)?;
    if let Some((_, root)) = &place.cell {
        all.push(("LAZARUS_CELL_ROOT", root.clone().into_os_string()));
    }
    all.push(("LAZARUS_AGENT", OsString::from(&place.name)));
    let entries = all.into_iter().map(|(name, value)| {
        let mut entry = OsString::from(name);
        entry.push("=");
        entry.push(value);
        entry.into_encoded_bytes()
    });
    let args = command.iter().map(|text| text.clone().into_bytes());
    Exec::new(&path, args, entries, Path::new("/"), None)
}

/// Waits for its end and reads what it prints meanwhile. False where its time was up before.
fn wait(job: &Job, outputs: Outputs, until: Instant) -> bool {
    let mut pipes = [outputs.stdout, outputs.stderr];
    let (mut buffer, mut have) = (vec![0; 16 << 10], 0);
    loop {
        if job.has_ended() {
            return true;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let open = |pipe: &Option<OwnedFd>| pipe.is_some() && have < MOST_OUTPUT;
        let [out, err] = &pipes;
        let on = [
            job.end(),
            out.as_ref().filter(|_| open(out)).map(|fd| fd.as_fd()),
            err.as_ref().filter(|_| open(err)).map(|fd| fd.as_fd()),
        ];
        // Where its end cannot be waited for, it is looked at now and then.
        let most = match job.end() {
            Some(_) => left,
            None => left.min(job::LOOK),
        };
        let [_, out, err] = job::wait(&on, most);
        for (readable, pipe) in [out, err].into_iter().zip(&mut pipes) {
            if let (true, Some(fd)) = (readable, &pipe) {
                match rustix::io::read(fd, &mut buffer) {
                    Ok(n) if n > 0 => have += n,
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    _ => *pipe = None,
                }
            }
        }
    }
}
