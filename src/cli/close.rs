//! `close`: ends a subject's processes, and pauses it first, so that no run brings back what an
//! operator has stopped.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::args::{CheckArgs, Common};
use super::list::{wants_json, warn_all};
use super::setup::Setup;
use super::subject::{covers, look_at, missing, names, trimmed};
use super::words::{Recorded, event, remembered};
use super::{Ending, out};
use crate::core::decide::is_gateway;
use crate::model::event::{Event, Kind};
use crate::model::exit::{Exit, Failure};
use crate::model::text::visible;
use crate::pipeline::closing::{self, Closed};
use crate::pipeline::{self, CLOSED, word};
use crate::sys::host;

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/close/1";

/// How long the rest of an order may take, beside the ending of processes.
const MARGIN: Duration = Duration::from_secs(50);

/// What was recorded and ended.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    recorded: Vec<Recorded<'a>>,
    closed: Vec<ClosedDocument<'a>>,
    then: &'a str,
}

/// What came of one subject.
#[derive(Serialize)]
pub(super) struct ClosedDocument<'a> {
    subject: &'a str,
    ended: usize,
    error: Option<&'a str>,
}

impl<'a> ClosedDocument<'a> {
    pub(super) fn of(closed: &'a Closed) -> Self {
        Self {
            subject: &closed.subject,
            ended: closed.ended,
            error: closed.error.as_deref(),
        }
    }
}

/// Ends the processes.
///
/// # Errors
/// There is no such subject (1), a run holds the lock (75), something cannot be written (74).
pub(super) fn close(
    common: &Common,
    setup: Setup,
    subject: &str,
    restart: bool,
) -> Result<Ending, Failure> {
    let json = wants_json(common, "close")?;
    let wanted = trimmed(subject);
    // Looked at before the lock is taken: a disk that hangs must not keep the runs waiting.
    let there = look_at(&setup.look(None), wanted, host::now())
        .and_then(|snapshot| names(&snapshot, wanted).map_err(missing));
    let (trust, warnings) = (setup.trust.clone(), setup.warnings.clone());
    let request = setup.request(&CheckArgs::default(), Instant::now())?;
    let known = closing::in_table(&request)?;
    let of_it = known.iter().filter(|(name, _)| covers(wanted, name));
    let grace = of_it.clone().map(|(_, grace)| *grace).max();
    let kept: BTreeSet<String> = of_it.map(|(name, _)| name.clone()).collect();
    // A cell's name means all that works in it, agents too that it names no more.
    let whole = (!wanted.contains('/') && !is_gateway(wanted)).then_some(wanted);
    let deadline = closing::at_most(grace, kept.len()) + MARGIN;
    let ((events, closed), more) =
        word::under_lock(&request.state_dir, &trust, deadline, |held| {
            let meant = match there {
                Ok(names) => names,
                Err(failure) => match remembered(&held.store.state, wanted) {
                    Some(names) => names,
                    None if kept.is_empty() => return Err(failure),
                    None => kept.iter().cloned().collect(),
                },
            };
            let mut events: Vec<Event> = Vec::new();
            if !restart {
                events.extend(meant.iter().map(|name| Event {
                    reason: Some(CLOSED.to_owned()),
                    ..event(Kind::Paused, name)
                }));
                // Before anything is ended: whatever happens from here on, nobody brings it back.
                held.record(&mut events)?;
                let told = pipeline::tell_of_word(&request.config, &events);
                held.store.warnings.extend(told);
            }
            held.store.news.clear();
            let all: BTreeSet<String> = meant.into_iter().chain(kept).collect();
            let all: Vec<String> = all.into_iter().collect();
            let closed = closing::end(&request, held, &all, whole)?;
            // The ends that were found are in the journal now: no later run would tell them.
            let told = pipeline::tell_of_word(&request.config, &held.store.news);
            held.store.warnings.extend(told);
            Ok((events, closed))
        })?;
    let then = then(wanted, restart);
    let failed = closed.iter().any(|closed| closed.error.is_some());
    if json {
        out::json(&Document {
            schema: SCHEMA,
            recorded: events.iter().map(Recorded::of).collect(),
            closed: closed.iter().map(ClosedDocument::of).collect(),
            then: &then,
        })?;
    } else if !common.quiet || failed {
        out::print(format!("{}{then}\n", told(&closed)).as_bytes())?;
    }
    for error in closed.iter().filter_map(|closed| closed.error.as_ref()) {
        out::complain(error);
    }
    if !common.quiet {
        warnings.iter().for_each(out::warn_of);
        warn_all(more);
    }
    Ok(match failed {
        true => Exit::InHand.into(),
        false => Exit::Healthy.into(),
    })
}

fn then(wanted: &str, restart: bool) -> String {
    let wanted = visible(wanted);
    match restart {
        true => "The next run decides about it by its plan.".to_owned(),
        false => format!(
            "It is paused: no run brings it back before `lazarus-pit resume {wanted}` ends that."
        ),
    }
}

/// What was ended, a line a subject.
pub(super) fn told(closed: &[Closed]) -> String {
    let mut text = String::new();
    for one in closed {
        let what = match (&one.error, one.ended) {
            (Some(_), _) => "could not be ended".to_owned(),
            (None, 0) => "nothing of it was running".to_owned(),
            (None, 1) => "ended 1 process".to_owned(),
            (None, n) => format!("ended {n} processes"),
        };
        let _ = writeln!(text, "{}: {what}.", visible(&one.subject));
    }
    text
}
