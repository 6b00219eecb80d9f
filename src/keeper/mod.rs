//! The keeper: a small process beside each agent that was started.
//!
//! ```text
//! told what to do ──▶ attempt claimed ──▶ place taken ──▶ agent started ──▶ entry written ──▶ answered
//!    ──▶ its output to its log … its end ──▶ descendants ended ──▶ entry written ──▶ a run is woken
//! ```
//!
//! A run of the checker is over long before its agents are. The keeper is their parent: it writes
//! down what they print, and what they ended with. It holds nothing of the checker's, waits without
//! waking up, and gives back the memory that waiting does not need. Whatever fails beside the agent (a
//! full disk, a checker that is gone), the agent goes on.

mod beats;
mod begin;
mod ending;
mod wake;
mod watch;

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use crate::act::spawn::spec::{Answer, Spec};
use crate::sys::{daemon, memory};

/// The status of a keeper that was not told what to do, and has done nothing.
const NOT_TOLD: u8 = 70;

/// No specification is larger.
const LARGEST: u64 = 4 << 20;

/// Runs as a keeper: with the arguments that follow the command, the specification from standard
/// input, and the answer to standard output.
#[must_use]
pub fn main(args: &[OsString]) -> ExitCode {
    daemon::close_inherited();
    // Before an upgrade puts another in its place.
    let program = std::env::current_exe().ok();
    memory::stay_small();
    let _ = std::env::set_current_dir("/");
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    daemon::set_name(c"lazarus-pit");
    daemon::adopt(true);
    let Some(spec) = told(args) else {
        return NOT_TOLD.into();
    };
    let (mut kept, answer) = match begin::begin(spec) {
        Ok(begun) => begun,
        Err(refused) => {
            say(&refused.answer);
            daemon::leave_streams();
            if let Some(slot) = refused.unfinished {
                ending::until_nothing_is_left(slot);
            }
            return ExitCode::SUCCESS;
        }
    };
    say(&answer);
    daemon::leave_streams();
    kept.prints.rest();
    let why = kept.until_the_end();
    if let Some((args, log, signals)) = kept.end(why) {
        wake::wake(program.as_deref(), args, log, &signals);
    }
    ExitCode::SUCCESS
}

/// What this keeper is to do; `None` where it was not told wholly, or is meant to be another's.
fn told(args: &[OsString]) -> Option<Spec> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes);
    let length = u64::try_from(read.ok()?).ok()?;
    let spec: Spec = serde_json::from_slice(&bytes)
        .ok()
        .filter(|_| length <= LARGEST)?;
    let [r#ref, subject] = args else {
        return None;
    };
    (*r#ref == *spec.entry.r#ref && *subject == *spec.entry.subject).then_some(spec)
}

/// Tells the checker. It may be gone by now: the attempt is claimed, so this goes on all the same.
fn say(answer: &Answer) {
    let Ok(mut line) = serde_json::to_vec(answer) else {
        return;
    };
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(&line).and_then(|()| out.flush());
}
