//! `history`: incidents of the past, from the journal. It only looks, takes no lock, and keeps no
//! more in memory than it shows and what is open.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use serde::Serialize;

use super::args::Common;
use super::list::{wants_json, warn_all};
use super::setup::Setup;
use super::subject::{covers, look_at, missing, names, trimmed};
use super::{Ending, out};
use crate::model::event::{Event, Kind};
use crate::model::exit::{Exit, Failure};
use crate::model::state::State;
use crate::model::text::visible;
use crate::model::time::{Timestamp, human};
use crate::report::human::moment;
use crate::store::dir::StateDir;
use crate::store::journal;
use crate::store::state::peek;
use crate::sys::host;

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/history/1";

/// At most so many attempts, and so many words, of one incident are kept: the last ones.
const MOST: usize = 50;

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    state_dir: &'a str,
    incidents: &'a [Past],
}

/// One incident, as far as the journal goes back.
#[derive(Clone, Debug, Default, Serialize)]
struct Past {
    subject: String,
    incident: String,
    /// What it was down as.
    status: Option<String>,
    plan: Option<String>,
    down_since: Option<Timestamp>,
    opened_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    /// How long it was down.
    down_for_seconds: Option<f64>,
    /// `recovered`, `finished` or `gone`; null while it is open.
    ended: Option<String>,
    exhausted: bool,
    /// How many attempts were made.
    attempt_count: u32,
    attempts: VecDeque<Tried>,
    words: VecDeque<Word>,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
struct Tried {
    number: u32,
    r#ref: String,
    at: Timestamp,
    result: Option<String>,
    error: Option<String>,
}

/// What was asked and answered.
#[derive(Clone, Debug, Serialize)]
struct Word {
    event: Kind,
    by: String,
    at: Timestamp,
    attempt: Option<u32>,
    /// Why it was paused.
    reason: Option<String>,
    until: Option<Timestamp>,
}

/// What has been read so far.
struct Reader<'a> {
    wanted: Option<&'a str>,
    most: usize,
    /// The number of the last line: a part that is set aside while it is read comes twice.
    last: u64,
    /// When the journal begins.
    begins: Option<Timestamp>,
    open: HashMap<String, Past>,
    closed: VecDeque<Past>,
    /// True once any event is about the subject.
    known: bool,
}

/// Shows the past.
///
/// # Errors
/// The journal cannot be read; there is no such subject.
pub(super) fn history(
    common: &Common,
    setup: &Setup,
    subject: Option<&str>,
    last: u32,
) -> Result<Ending, Failure> {
    let json = wants_json(common, "history")?;
    let wanted = subject.map(trimmed);
    let state_dir = setup.state_dir();
    let failed = |e: crate::store::StoreError| Failure::new(Exit::CannotWrite, e.to_string());
    let most = usize::try_from(last).unwrap_or(usize::MAX);
    let mut reader = Reader::new(wanted, most);
    let mut warnings = Vec::new();
    if let Some(dir) = StateDir::open(&state_dir).map_err(failed)? {
        // The state first: what opens or ends after it is in the journal all the same.
        let loaded = peek(Some(&dir)).map_err(failed)?;
        journal::read(&dir, 0, None, |event| reader.take(&event)).map_err(failed)?;
        reader.older(&loaded.state);
        warnings = loaded.warnings;
    }
    let known = reader.known;
    let incidents = reader.finish();
    if let Some(wanted) = wanted.filter(|_| !known) {
        let snapshot = look_at(&setup.look(None), wanted, host::now())?;
        names(&snapshot, wanted).map_err(missing)?;
    }
    if json {
        let state_dir = crate::model::text::from_bytes(state_dir.as_os_str().as_encoded_bytes());
        out::json(&Document {
            schema: SCHEMA,
            state_dir: &state_dir,
            incidents: &incidents,
        })?;
    } else if !common.quiet {
        out::print(text(&incidents, wanted, host::now()).as_bytes())?;
    }
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
        warn_all(warnings);
    }
    Ok(Exit::Healthy.into())
}

/// Keeps the last few.
fn keep<T>(list: &mut VecDeque<T>, item: T, most: usize) {
    list.push_back(item);
    while list.len() > most {
        list.pop_front();
    }
}

impl<'a> Reader<'a> {
    fn new(wanted: Option<&'a str>, most: usize) -> Self {
        Self {
            wanted,
            most,
            last: 0,
            begins: None,
            open: HashMap::new(),
            closed: VecDeque::new(),
            known: false,
        }
    }

    fn take(&mut self, event: &Event) {
        if event.seq <= self.last {
            return;
        }
        self.last = event.seq;
        self.begins.get_or_insert(event.ts);
        let Some(subject) = event.subject.as_deref() else {
            return;
        };
        if self.wanted.is_some_and(|wanted| !covers(wanted, subject)) {
            return;
        }
        self.known = true;
        match event.event {
            Kind::IncidentOpened => {
                let past = Past {
                    subject: subject.to_owned(),
                    incident: event.incident.clone().unwrap_or_default(),
                    status: event.to.map(|to| to.as_str().to_owned()),
                    plan: event.plan.clone(),
                    down_since: Some(event.down_since.unwrap_or(event.ts)),
                    opened_at: Some(event.ts),
                    ..Past::default()
                };
                self.open.insert(subject.to_owned(), past);
            }
            Kind::IncidentClosed => self.close(subject, event),
            Kind::Intent
            | Kind::AttemptFinished
            | Kind::ApprovalRequested
            | Kind::Approved
            | Kind::Denied
            | Kind::ApprovalExpired
            | Kind::Paused
            | Kind::Resumed
            | Kind::Reset
            | Kind::Exhausted => {
                if let Some(past) = self.open.get_mut(subject) {
                    past.add(event);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, subject: &str, event: &Event) {
        let found = self.open.remove(subject);
        // One that was opened before the journal begins: its end says enough.
        let mut past = found.unwrap_or_else(|| {
            let down = event
                .down_for
                .and_then(|s| std::time::Duration::try_from_secs_f64(s).ok());
            Past {
                subject: subject.to_owned(),
                incident: event.incident.clone().unwrap_or_default(),
                down_since: down.map(|down| event.ts.minus(down)),
                ..Past::default()
            }
        });
        past.closed_at = Some(event.ts);
        past.down_for_seconds = event.down_for;
        past.ended = Some(event.reason.clone().unwrap_or_else(|| "recovered".into()));
        keep(&mut self.closed, past, self.most);
    }

    /// Open incidents that began before the journal does.
    fn older(&mut self, state: &State) {
        for (subject, known) in &state.subjects {
            let mine = self.wanted.is_none_or(|wanted| covers(wanted, subject));
            let Some(open) = known.incident.as_ref().filter(|_| mine) else {
                continue;
            };
            self.known = true;
            let before = self.begins.is_none_or(|begins| open.opened_at < begins);
            let ended = self.closed.iter().any(|past| past.incident == open.id);
            if before && !ended && !self.open.contains_key(subject) {
                let past = Past {
                    subject: subject.clone(),
                    incident: open.id.clone(),
                    status: Some(known.status.as_str().to_owned()),
                    down_since: Some(open.down_since),
                    opened_at: Some(open.opened_at),
                    exhausted: open.exhausted,
                    attempt_count: open.attempts,
                    ..Past::default()
                };
                self.open.insert(subject.clone(), past);
            }
        }
    }

    /// The last ones: those that ended, in the order in which they did, then those that are open.
    fn finish(self) -> Vec<Past> {
        let mut open: Vec<Past> = self.open.into_values().collect();
        open.sort_by(|a, b| (a.opened_at, &a.subject).cmp(&(b.opened_at, &b.subject)));
        let mut all: Vec<Past> = self.closed.into_iter().chain(open).collect();
        let surplus = all.len().saturating_sub(self.most);
        all.drain(..surplus);
        all
    }
}

impl Past {
    fn add(&mut self, event: &Event) {
        let named = event
            .incident
            .as_deref()
            .is_none_or(|id| id == self.incident);
        if !named {
            return;
        }
        match event.event {
            Kind::Intent => {
                self.attempt_count += 1;
                let tried = Tried {
                    number: event.attempt.unwrap_or(1),
                    r#ref: event.r#ref.clone().unwrap_or_default(),
                    at: event.ts,
                    result: None,
                    error: None,
                };
                keep(&mut self.attempts, tried, MOST);
            }
            Kind::AttemptFinished => {
                let mut tried = self.attempts.iter_mut().rev();
                let this = tried.find(|a| Some(&a.r#ref) == event.r#ref.as_ref());
                if let Some(tried) = this {
                    tried.result.clone_from(&event.result);
                    tried.error.clone_from(&event.error);
                }
            }
            kind => {
                self.exhausted |= kind == Kind::Exhausted;
                let word = Word {
                    event: kind,
                    by: event.actor.clone(),
                    at: event.ts,
                    attempt: event.attempt,
                    reason: event.reason.clone(),
                    until: event.until,
                };
                keep(&mut self.words, word, MOST);
            }
        }
    }

    fn write(&self, now: Timestamp, text: &mut String) {
        let since = self
            .down_since
            .map_or_else(|| "an unknown time".into(), moment);
        let _ = write!(text, "{since}  {}  ", visible(&self.subject));
        let long = match (self.down_for_seconds, self.down_since) {
            (Some(secs), _) => std::time::Duration::try_from_secs_f64(secs).ok().map(human),
            (None, since) => since.map(|since| human(now.since(since))),
        };
        let long = long.unwrap_or_else(|| "an unknown time".into());
        let _ = match (&self.ended, self.closed_at) {
            (Some(how), Some(at)) => {
                write!(text, "down for {long}, {} at {}", visible(how), moment(at))
            }
            _ => write!(text, "open, down for {long} so far"),
        };
        if let Some(status) = &self.status {
            let _ = write!(text, "; {}", visible(status));
        }
        if let Some(plan) = &self.plan {
            let _ = write!(text, "; plan {}", visible(plan));
        }
        let _ = match self.attempt_count {
            0 => write!(text, "; no attempt"),
            1 => write!(text, "; 1 attempt"),
            n => write!(text, "; {n} attempts"),
        };
        let _ = writeln!(text, "; incident {}", visible(&self.incident));
        self.write_course(text);
    }

    /// What was tried and said, in the order in which it happened.
    fn write_course(&self, text: &mut String) {
        let mut course: Vec<(Timestamp, String)> = Vec::new();
        for (at, tried) in self.attempts.iter().enumerate() {
            let result = match tried.result.as_deref() {
                // Its steps were carried out, and still there had to be another.
                Some("ok") if at + 1 < self.attempts.len() => "ok, and it did not come back",
                Some(result) => result,
                None => "no result recorded",
            };
            let error = tried.error.as_deref();
            let error = error.map_or_else(String::new, |error| format!(" ({error})"));
            course.push((
                tried.at,
                format!("attempt {}: {result}{error}", tried.number),
            ));
        }
        for word in &self.words {
            course.push((word.at, word.sentence()));
        }
        course.sort_by_key(|(at, _)| *at);
        for (at, what) in course {
            let _ = writeln!(text, "    {}  {}", moment(at), visible(&what));
        }
    }
}

impl Word {
    fn sentence(&self) -> String {
        let attempt = self
            .attempt
            .map_or_else(String::new, |n| format!(" attempt {n}"));
        let until = self
            .until
            .map_or_else(String::new, |at| format!(" until {}", moment(at)));
        match self.event {
            Kind::ApprovalRequested => format!("a human was asked about{attempt}"),
            Kind::Approved => format!("{} agreed to{attempt}", self.by),
            Kind::Denied => format!("{} refused{attempt}{until}", self.by),
            Kind::ApprovalExpired => format!("nobody answered about{attempt}"),
            Kind::Paused => {
                let reason = self.reason.as_deref().unwrap_or_default();
                format!("{} paused it{until}: {reason}", self.by)
            }
            Kind::Resumed => format!("{} resumed it", self.by),
            Kind::Reset => format!("{} had its attempts forgotten", self.by),
            _ => "its attempts were used up".to_owned(),
        }
    }
}

fn text(incidents: &[Past], wanted: Option<&str>, now: Timestamp) -> String {
    let mut text = String::new();
    if incidents.is_empty() {
        let of = wanted.map_or_else(String::new, |wanted| format!(" of {}", visible(wanted)));
        let _ = writeln!(text, "No incident{of} is recorded.");
    }
    for past in incidents {
        past.write(now, &mut text);
    }
    text
}
