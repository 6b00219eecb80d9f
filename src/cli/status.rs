//! `status`: what the last run left in the state. It only looks, and takes no lock.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use globset::{GlobBuilder, GlobSetBuilder};
use serde::Serialize;

use super::args::Common;
use super::list::{wants_json, warn_all};
use super::remembered::{self, ApprovalDocument, AttemptDocument, lasts, not_before};
use super::setup::Setup;
use super::subject::{covers, trimmed};
use super::{Ending, out};
use crate::core::decide::cell_of;
use crate::model::cell::{Cell, Status};
use crate::model::condition::Condition;
use crate::model::exit::{Exit, Failure};
use crate::model::state::{Hold, Incident, LastRun, Memory, Pause, State, SubjectState};
use crate::model::text::{from_bytes, shortened, visible};
use crate::model::time::{Timestamp, human};
use crate::observe::{self, Look};
use crate::report::human::moment;
use crate::report::table::{self, Field};
use crate::store::dir::StateDir;
use crate::store::state::peek;
use crate::sys::host;

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/status/1";

/// Says what the state holds, of all subjects or of one.
pub(super) fn status(
    common: &Common,
    setup: &Setup,
    subject: Option<&str>,
) -> Result<Ending, Failure> {
    let json = wants_json(common, "status")?;
    let failed = |e: crate::store::StoreError| Failure::new(Exit::CannotWrite, e.to_string());
    let state_dir = setup.state_dir();
    let dir = StateDir::open(&state_dir).map_err(failed)?;
    let loaded = peek(dir.as_ref()).map_err(failed)?;
    let now = host::now();
    let selected = select(&loaded.state, subject);
    let remembered = remembered_of(&loaded.state, &selected, subject);
    // Of a subject that the state does not know only its cell can say whether it exists.
    let look = match subject {
        Some(subject) if selected.is_empty() && remembered.is_empty() => {
            Some(look_at(&setup.look(None), subject, now)?)
        }
        _ => None,
    };
    let state_dir = from_bytes(state_dir.as_os_str().as_encoded_bytes());
    let shown = Shown {
        state_dir: &state_dir,
        last_run: loaded.state.last_run.as_ref(),
        hold: loaded.state.hold.as_ref(),
        memory: &loaded.state.memory,
        subjects: &selected,
        remembered: &remembered,
        now,
    };
    if json {
        out::json(&shown.document())?;
    } else if !common.quiet {
        out::with(|out| shown.write(look.as_deref(), out))?;
    }
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
        warn_all(loaded.warnings);
    }
    Ok(Exit::Healthy.into())
}

/// Writes the document of the whole state, for those who are not at this command line.
pub(super) fn write_all(
    state: &State,
    state_dir: &Path,
    now: Timestamp,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let subjects = select(state, None);
    let state_dir = from_bytes(state_dir.as_os_str().as_encoded_bytes());
    let shown = Shown {
        state_dir: &state_dir,
        last_run: state.last_run.as_ref(),
        hold: state.hold.as_ref(),
        memory: &state.memory,
        remembered: &remembered_of(state, &subjects, None),
        subjects: &subjects,
        now,
    };
    crate::report::json::to_writer(&shown.document(), out)
        .map_err(|e| Failure::new(Exit::Defect, e.to_string()))
}

/// What the state holds of a subject: itself; all agents of a bare cell; or the cell where that
/// is down as a whole, which its agents then are with it.
fn select<'a>(state: &'a State, subject: Option<&str>) -> BTreeMap<&'a str, &'a SubjectState> {
    let all = state.subjects.iter().map(|(name, s)| (name.as_str(), s));
    let Some(wanted) = subject else {
        return all.collect();
    };
    let wanted = trimmed(wanted);
    let exact: BTreeMap<_, _> = all
        .clone()
        .filter(|(name, _)| covers(wanted, name))
        .collect();
    match wanted.split_once('/') {
        Some((cell, _)) if exact.is_empty() => all.filter(|(name, _)| *name == cell).collect(),
        _ => exact,
    }
}

/// What the state remembers of those that are healthy: attempts, a question, a pause.
fn remembered_of<'a>(
    state: &'a State,
    selected: &BTreeMap<&str, &SubjectState>,
    subject: Option<&str>,
) -> BTreeMap<&'a str, &'a Memory> {
    let wanted = subject.map(trimmed);
    // A whole cell may be paused while its agents could not be known.
    let meant = |name: &str| wanted.is_none_or(|w| covers(w, name) || cell_of(w) == name);
    let all = state.memory.iter().map(|(name, m)| (name.as_str(), m));
    all.filter(|(name, _)| meant(name) && !selected.contains_key(name))
        .collect()
}

/// Looks at the cell of a subject that the state has nothing of: what to tell people of it.
fn look_at(look: &Look, subject: &str, now: Timestamp) -> Result<String, Failure> {
    let missing = |what: String| Failure::new(Exit::InHand, what);
    let subject = subject.trim_end_matches('/');
    let (cell, agent) = match subject.split_once('/') {
        Some((cell, agent)) => (cell, Some(agent)),
        None => (subject, None),
    };
    let nowhere = || {
        let root = crate::report::root_text(&look.root);
        missing(format!(
            "there is no cell `{cell}` under {root}, and nothing of it in the state (`lazarus-pit list` shows the cells)"
        ))
    };
    // A name is no glob: what would be one in it is escaped.
    let glob = GlobBuilder::new(&globset::escape(cell))
        .backslash_escape(false)
        .build()
        .and_then(|glob| GlobSetBuilder::new().add(glob).build())
        .map_err(|_| nowhere())?;
    let look = Look {
        scope: Some(glob),
        ..look.clone()
    };
    let snapshot = observe::snapshot(look, now)?;
    let found = snapshot.cells.iter().find(|c| &*c.id == cell);
    describe(found.ok_or_else(nowhere)?, agent).map_err(missing)
}

/// What a look at the cell says of it or of one of its agents.
fn describe(cell: &Cell, agent: Option<&str>) -> Result<String, String> {
    if cell.is_ignored() {
        let word = cell.lifecycle.as_ref().map_or("", |l| l.as_str());
        return Ok(format!("{} is {word}: nothing is decided for it.", cell.id));
    }
    let found = match agent {
        Some(name) if !cell.agents.is_empty() => {
            let found = cell.agents.iter().find(|a| a.name == name);
            Some(found.ok_or_else(|| {
                let names: Vec<&str> = cell.agents.iter().map(|a| a.name.as_ref()).collect();
                let names = names.join(", ");
                format!(
                    "the cell {} has no agent `{name}`; it has {}",
                    cell.id,
                    shortened(&names, 200)
                )
            })?)
        }
        _ => None,
    };
    let (name, status, reasons) = match found {
        Some(agent) if cell.reasons.is_empty() => (
            cell.subject(agent),
            agent.status,
            agent.reasons.iter().collect(),
        ),
        Some(agent) => (
            cell.subject(agent),
            cell.status,
            cell.reasons.iter().collect(),
        ),
        None => (
            cell.id.to_string(),
            cell.status,
            cell.all_reasons().collect::<Vec<_>>(),
        ),
    };
    let mut text = format!(
        "Nothing is recorded of {name}; looked at just now, it is {}",
        status.as_str()
    );
    if status != Status::Healthy {
        let why: Vec<&str> = reasons.iter().map(|r| r.message.as_str()).collect();
        let _ = write!(text, " ({})", shortened(&why.join("; "), 400));
    }
    text.push('.');
    Ok(text)
}

/// What is shown, in either form.
struct Shown<'a> {
    state_dir: &'a str,
    last_run: Option<&'a LastRun>,
    hold: Option<&'a Hold>,
    memory: &'a BTreeMap<String, Memory>,
    subjects: &'a BTreeMap<&'a str, &'a SubjectState>,
    remembered: &'a BTreeMap<&'a str, &'a Memory>,
    now: Timestamp,
}

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    state_dir: &'a str,
    last_run: Option<Run<'a>>,
    /// The mass failure that goes on, whether released or not.
    hold: Option<&'a Hold>,
    subjects: Vec<Subject<'a>>,
    /// Subjects that are healthy, of which there is something to remember all the same.
    remembered: Vec<Remembered<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    id: &'a str,
    at: Timestamp,
    exit: u8,
    duration_ms: u64,
}

#[derive(Serialize)]
struct Subject<'a> {
    subject: &'a str,
    status: Condition,
    since: Timestamp,
    reasons: &'a [String],
    incident: Option<&'a Incident>,
    #[serde(flatten)]
    of: Beside<'a>,
}

#[derive(Serialize)]
struct Remembered<'a> {
    subject: &'a str,
    #[serde(flatten)]
    of: Beside<'a>,
}

/// What the state has of a subject beside its condition.
#[derive(Serialize)]
struct Beside<'a> {
    attempts: Attempts<'a>,
    approval: Option<ApprovalDocument<'a>>,
    pause: Option<&'a Pause>,
    /// Before when there is no attempt, as far as the state alone tells.
    next_attempt_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Attempts<'a> {
    count: usize,
    last: Option<AttemptDocument<'a>>,
}

impl<'a> Beside<'a> {
    fn of(memory: Option<&'a Memory>, now: Timestamp) -> Self {
        let attempts = memory.map_or(&[][..], |m| &m.attempts);
        let asked = memory.and_then(|m| m.approval.as_ref());
        let pause = memory.and_then(|m| m.pause.as_ref());
        Self {
            attempts: Attempts {
                count: attempts.len(),
                last: attempts.last().map(AttemptDocument::of),
            },
            approval: asked.map(|asked| ApprovalDocument::of(asked, now)),
            pause: pause.filter(|pause| lasts(pause, now)),
            next_attempt_at: memory.and_then(|m| not_before(m, now)),
        }
    }
}

impl<'a> Shown<'a> {
    fn document(&self) -> Document<'a> {
        let subject = |(name, state): (&&'a str, &&'a SubjectState)| Subject {
            of: Beside::of(self.memory.get(*name), self.now),
            subject: name,
            status: state.status,
            since: state.since,
            reasons: &state.reasons,
            incident: state.incident.as_ref(),
        };
        let healthy = |(name, memory): (&&'a str, &&'a Memory)| Remembered {
            subject: name,
            of: Beside::of(Some(memory), self.now),
        };
        Document {
            schema: SCHEMA,
            state_dir: self.state_dir,
            last_run: self.last_run.map(|run| Run {
                id: &run.id,
                at: run.at,
                exit: run.exit,
                duration_ms: run.duration_ms,
            }),
            hold: self.hold,
            subjects: self.subjects.iter().map(subject).collect(),
            remembered: self.remembered.iter().map(healthy).collect(),
        }
    }

    /// For people. `look` is what there is to say of a subject that the state does not have.
    fn write(&self, look: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        match self.last_run {
            Some(run) => writeln!(
                out,
                "Last run: {} ({}), exit {}{}, took {} ms.",
                moment(run.at),
                ago(self.now, run.at),
                run.exit,
                meaning(run.exit),
                run.duration_ms
            )?,
            None => writeln!(
                out,
                "No run over all cells is recorded in {}.",
                visible(self.state_dir)
            )?,
        }
        if let Some(hold) = self.hold {
            let now = match hold.released {
                Some(at) => format!("released {}", moment(at)),
                None => "nobody is revived but canaries".to_owned(),
            };
            writeln!(
                out,
                "A mass failure goes on since {}: {now}.",
                moment(hold.since)
            )?;
        }
        table::write(out, || {
            let down = self.subjects.iter().flat_map(|(name, state)| {
                let memory = self.memory.get(*name);
                std::iter::once(self.line(name, state)).chain(self.beside(memory))
            });
            let well = self.remembered.iter().flat_map(|(name, memory)| {
                let line = ["-", name, "not down when it was last looked at"].map(Field::plain);
                std::iter::once(line).chain(self.beside(Some(memory)))
            });
            down.chain(well)
        })?;
        match look {
            Some(text) => writeln!(out, "{}", visible(text)),
            None if self.subjects.is_empty()
                && self.remembered.is_empty()
                && self.last_run.is_some() =>
            {
                writeln!(out, "Every subject was healthy when it was last looked at.")
            }
            None => Ok(()),
        }
    }

    /// One line for each thing that is remembered beside a condition, below the subject's own.
    fn beside(&self, memory: Option<&Memory>) -> Vec<[Field; 3]> {
        let mut texts = Vec::new();
        let Some(memory) = memory else {
            return Vec::new();
        };
        if let Some(last) = memory.attempts.last() {
            let last = remembered::attempt(last, self.now);
            texts.push(match memory.attempts.len() {
                1 => last,
                n => format!("{n} attempts are remembered; {last}"),
            });
        }
        let asked = memory.approval.as_ref();
        texts.extend(asked.map(|asked| remembered::approval(asked, self.now)));
        let pause = memory.pause.as_ref().filter(|p| lasts(p, self.now));
        texts.extend(pause.map(remembered::pause));
        if let Some(at) = not_before(memory, self.now) {
            texts.push(format!("no attempt before {}", moment(at)));
        }
        let line = |text: &String| ["", "", text.as_str()].map(Field::plain);
        texts.iter().map(line).collect()
    }

    fn line(&self, name: &str, state: &SubjectState) -> [Field; 3] {
        let mut text = format!(
            "for {}, since {}",
            human(self.now.since(state.since)),
            moment(state.since)
        );
        if !state.reasons.is_empty() {
            let _ = write!(text, ": {}", state.reasons.join(", "));
        }
        if let Some(incident) = &state.incident {
            let _ = write!(
                text,
                " (down for {}; incident {})",
                human(self.now.since(incident.down_since)),
                incident.id
            );
        }
        [
            Field::plain(state.status.as_str()),
            Field::plain(name),
            Field::plain(&text),
        ]
    }
}

/// How long ago, as far as the clock can be believed.
fn ago(now: Timestamp, then: Timestamp) -> String {
    if then > now {
        "in the future: the clock has gone backwards".into()
    } else {
        format!("{} ago", human(now.since(then)))
    }
}

/// An exit code's meaning, where it has one.
fn meaning(code: u8) -> String {
    let known = Exit::ALL.iter().find(|exit| exit.code() == code);
    known.map_or_else(String::new, |exit| format!(" ({})", exit.meaning()))
}

#[cfg(test)]
mod tests;
