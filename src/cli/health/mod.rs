//! `health`: answers one HTTP request on standard input and output, in the manner of inetd: a
//! health endpoint without a daemon. It only looks: it takes no lock and writes nothing.

mod answer;
mod request;

use std::io;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::args::Common;
use super::list::warn_all;
use super::setup::Setup;
use super::{Ending, out};
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::report::past::{self, Past};
use crate::store::dir::StateDir;
use crate::store::state::peek;
use crate::sys::client::{self, Heard};
use crate::sys::host;
use answer::{Answer, Known, Page};
use request::{LONGEST, Parsed, Request};

/// How long a client has to say what it wants, whole.
const LISTEN: Duration = Duration::from_secs(5);
/// How long the state may take to be read: a disk that hangs is an answer, too.
const READ: Duration = Duration::from_secs(5);
/// How long a client has to take its answer.
const TELL: Duration = Duration::from_secs(5);
/// How long it has to go away afterwards.
const LINGER: Duration = Duration::from_secs(1);

/// Answers one request. A client that goes away, or says nothing, is no failure of ours.
pub(super) fn health(common: &Common) -> Result<Ending, Failure> {
    client::keep_errors_to_ourselves();
    let (head, answer) = match hear() {
        Ok(None) => return Ok(Exit::Healthy.into()),
        Ok(Some(Ok(request))) => (request.head, answer(common, &request)),
        Ok(Some(Err(bad))) => (bad.head, Answer::bad(bad.why)),
        Err(e) => {
            log::debug!("the client went away: {e}");
            return Ok(Exit::Healthy.into());
        }
    };
    let bytes = answer.bytes(head, host::now());
    match client::tell(&bytes, Instant::now() + TELL) {
        Ok(()) => client::hang_up(Instant::now() + LINGER),
        Err(e) => log::debug!("the client did not take its answer: {e}"),
    }
    Ok(Exit::Healthy.into())
}

/// What is no request.
struct Bad {
    why: &'static str,
    /// Whether it began as one for the headers only, whose client takes no body.
    head: bool,
}

/// What the client wants, or why that is nothing that is answered; `None` where it said nothing.
fn hear() -> io::Result<Option<Result<Request, Bad>>> {
    let until = Instant::now() + LISTEN;
    let mut buffer = [0; LONGEST];
    let mut have = 0;
    loop {
        let why = match client::listen(&mut buffer[have..], until)? {
            Heard::Bytes(n) => {
                have += n;
                match request::parse(&buffer[..have]) {
                    Parsed::Incomplete => continue,
                    Parsed::Bad(why) => why,
                    Parsed::Whole(request) => return Ok(Some(Ok(request))),
                }
            }
            Heard::End if have == 0 => return Ok(None),
            Heard::End => "the request ends before its end",
            Heard::Late => "the request did not come to its end in time",
        };
        let head = buffer[..have].starts_with(b"HEAD ");
        return Ok(Some(Err(Bad { why, head })));
    }
}

/// The answer. Who may ask over a network is told that something failed, and the operator, on
/// standard error, what.
fn answer(common: &Common, request: &Request) -> Answer {
    let Some(page) = Page::of(&request.path) else {
        return Answer::unknown();
    };
    // On a thread of its own: a state directory that hangs must not hang the client.
    let (done, waiting) = mpsc::channel();
    let theirs = common.clone();
    std::thread::spawn(move || {
        // Nobody hears it any more where it came too late.
        let _ = done.send(Box::new(know(&theirs)));
    });
    let found = waiting.recv_timeout(READ).unwrap_or_else(|_| {
        let message = "configuration and state could not be read in time";
        Box::new(Err(Failure::new(Exit::CannotWrite, message)))
    });
    let now = host::now();
    let answered = (*found).and_then(|(known, warnings)| {
        if !common.quiet {
            warn_all(warnings);
        }
        known.answer(page, now)
    });
    answered.unwrap_or_else(|failure| {
        out::complain(&failure.message);
        let why = match failure.exit {
            Exit::Config | Exit::Usage => "the configuration is refused",
            _ => "the state cannot be read",
        };
        Answer::unavailable(page, why, now)
    })
}

/// Reads what is known, and what was noticed on the way.
fn know(common: &Common) -> Result<(Known, Vec<Warning>), Failure> {
    let setup = Setup::load(common, None)?;
    let failed = |e: crate::store::StoreError| Failure::new(Exit::CannotWrite, e.to_string());
    let state_dir = setup.state_dir();
    let dir = StateDir::open(&state_dir).map_err(failed)?;
    let loaded = peek(dir.as_ref()).map_err(failed)?;
    let mut warnings = setup.warnings;
    warnings.extend(loaded.warnings);
    let config = setup.config;
    let beat = past::read_beat(&config.heartbeat_dir(), &config.heartbeat_job);
    // A heartbeat that cannot be read is none; the state still has the runs that did their work.
    let beat = beat.unwrap_or_else(|why| {
        warnings.push(Warning::new("heartbeat", why));
        None
    });
    let last = Past::last(Past::of_state(&loaded.state), beat);
    let state = loaded.state;
    Ok((
        Known {
            config,
            state,
            last,
        },
        warnings,
    ))
}
