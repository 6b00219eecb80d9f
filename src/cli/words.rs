//! The operator's word: `approve`, `deny`, `pause`, `resume`, `reset`. Each is an event in the
//! journal, written whole or not at all, under the run's lock. Canonical cells are told in their
//! streams.

mod consent;
mod pauses;

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::args::Common;
use super::list::{wants_json, warn_all};
use super::setup::Setup;
use super::subject::missing;
use super::{Ending, out};
use crate::model::event::{Event, Kind};
use crate::model::exit::{Exit, Failure};
use crate::model::state::State;
use crate::model::text::visible;
use crate::model::time::Timestamp;
use crate::pipeline::{self, word};
use crate::store::StoreError;
use crate::store::dir::StateDir;

pub(super) use consent::{approve, deny};
pub(super) use pauses::{pause, remembered, reset, resume};

/// How long a word may take: a holder of the lock that is much older is taken to hang.
const DEADLINE: Duration = Duration::from_secs(50);

/// What was recorded, and what comes of it.
#[derive(Serialize)]
struct Document<'a> {
    schema: String,
    recorded: Vec<Recorded<'a>>,
    then: &'a str,
}

/// One event, as far as it is of interest.
#[derive(Serialize)]
pub(super) struct Recorded<'a> {
    event: Kind,
    ts: Timestamp,
    subject: Option<&'a str>,
    actor: &'a str,
    incident: Option<&'a str>,
    attempt: Option<u32>,
    plan: Option<&'a str>,
    reason: Option<&'a str>,
    until: Option<Timestamp>,
}

impl<'a> Recorded<'a> {
    pub(super) fn of(event: &'a Event) -> Self {
        Self {
            event: event.event,
            ts: event.ts,
            subject: event.subject.as_deref(),
            actor: &event.actor,
            incident: event.incident.as_deref(),
            attempt: event.attempt,
            plan: event.plan.as_deref(),
            reason: event.reason.as_deref(),
            until: event.until,
        }
    }
}

/// One order: what it is called, and what it records of a state.
struct Order<'a> {
    common: &'a Common,
    setup: &'a Setup,
    name: &'static str,
}

impl<'a> Order<'a> {
    fn new(common: &'a Common, setup: &'a Setup, name: &'static str) -> Self {
        Self {
            common,
            setup,
            name,
        }
    }

    /// Takes the lock, records what `choose` makes of the state, and says so.
    fn carry_out(
        &self,
        choose: impl FnOnce(&State, Timestamp) -> Result<Vec<Event>, Failure>,
        told: impl Fn(&Event) -> String,
        then: &str,
    ) -> Result<Ending, Failure> {
        let json = wants_json(self.common, self.name)?;
        let events = self.record(choose)?;
        if json {
            out::json(&Document {
                schema: format!("lazarus-pit/{}/1", self.name),
                recorded: events.iter().map(Recorded::of).collect(),
                then,
            })?;
        } else if !self.common.quiet {
            let mut text = String::new();
            for event in &events {
                let _ = writeln!(text, "{}", visible(&told(event)));
            }
            let _ = writeln!(text, "{then}");
            out::print(text.as_bytes())?;
        }
        if !self.common.quiet {
            self.setup.warnings.iter().for_each(out::warn_of);
        }
        Ok(Exit::Healthy.into())
    }

    fn record(
        &self,
        choose: impl FnOnce(&State, Timestamp) -> Result<Vec<Event>, Failure>,
    ) -> Result<Vec<Event>, Failure> {
        let failed = |e: StoreError| Failure::new(Exit::CannotWrite, e.to_string());
        let path = self.setup.state_dir();
        // A pause can come before the first run; everything else is about what a run left.
        if self.name != "pause" && StateDir::open(&path).map_err(failed)?.is_none() {
            return Err(missing(format!(
                "there is no state in {}: nothing was asked, paused or attempted by it (--state-dir names another, sudo takes root's)",
                path.display()
            )));
        }
        let trust = &self.setup.trust;
        let (events, warnings) = word::under_lock(&path, trust, DEADLINE, |held| {
            let mut events = choose(&held.store.state, held.now)?;
            held.record(&mut events)?;
            let told = pipeline::tell_of_word(&self.setup.config, &events);
            held.store.warnings.extend(told);
            Ok(events)
        })?;
        if !self.common.quiet {
            warn_all(warnings);
        }
        Ok(events)
    }
}

/// An event about a subject. Who, when and in which run is filled in where it is recorded.
pub(super) fn event(kind: Kind, subject: &str) -> Event {
    Event {
        subject: Some(subject.to_owned()),
        ..Event::new(kind, Timestamp::default(), "")
    }
}

fn some_time(within: Option<Duration>) -> Result<(), Failure> {
    match within.is_some_and(|within| within.is_zero()) {
        true => Err(Failure::new(Exit::Usage, "--for must be more than nothing")),
        false => Ok(()),
    }
}
