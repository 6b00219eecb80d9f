//! Two policies beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::simulate::Simulated;
use crate::model::time::{Timestamp, human};
use crate::report::table::{self, Field};
use crate::sim::Line;
use crate::sim::tally::{Figures, Tally};

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/simulate/1";

/// How many of those that differ are shown to people.
const MOST_SHOWN: usize = 10;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: &'static str,
    source: &'a str,
    from: Timestamp,
    until: Timestamp,
    in_force: Side,
    new: Side,
    /// Those that went down under either, those first that differ most.
    subjects: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<&'a [Line]>,
}

#[derive(Serialize)]
struct Side {
    runs: u64,
    held_runs: u64,
    #[serde(flatten)]
    all: Numbers,
}

#[derive(Serialize)]
struct Numbers {
    incidents: u64,
    attempts: u64,
    failed_attempts: u64,
    approvals_asked: u64,
    exhausted: u64,
    down_seconds: u64,
    first_attempt_median_seconds: Option<u64>,
    first_attempt_worst_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Pair<'a> {
    subject: &'a str,
    in_force: Numbers,
    new: Numbers,
}

fn numbers(figures: &Figures) -> Numbers {
    Numbers {
        incidents: figures.incidents,
        attempts: figures.attempts,
        failed_attempts: figures.failed,
        approvals_asked: figures.asked,
        exhausted: figures.exhausted,
        down_seconds: figures.down.as_secs(),
        first_attempt_median_seconds: figures.median().map(|d| d.as_secs()),
        first_attempt_worst_seconds: figures.worst().map(|d| d.as_secs()),
    }
}

fn side(tally: &Tally) -> Side {
    Side {
        runs: tally.runs,
        held_runs: tally.held_runs,
        all: numbers(&tally.all),
    }
}

/// As a document.
pub(super) fn document(done: &Simulated, timeline: bool) -> Document<'_> {
    let nothing = Figures::default();
    let subjects = by_difference(done);
    Document {
        schema: SCHEMA,
        source: &done.source,
        from: done.from,
        until: done.until,
        in_force: side(&done.in_force),
        new: side(&done.new),
        subjects: subjects
            .into_iter()
            .map(|subject| Pair {
                subject,
                in_force: numbers(done.in_force.subjects.get(subject).unwrap_or(&nothing)),
                new: numbers(done.new.subjects.get(subject).unwrap_or(&nothing)),
            })
            .collect(),
        timeline: timeline.then_some(&done.timeline),
    }
}

/// By how much two differ: acts, questions and giving up first, then time.
fn difference(a: &Figures, b: &Figures) -> (u64, Duration) {
    let acts = a.attempts.abs_diff(b.attempts)
        + a.asked.abs_diff(b.asked)
        + a.exhausted.abs_diff(b.exhausted);
    (acts, a.down.abs_diff(b.down))
}

fn by_difference(done: &Simulated) -> Vec<&str> {
    let (before, after) = (&done.in_force.subjects, &done.new.subjects);
    let names: BTreeSet<&str> = before
        .keys()
        .chain(after.keys())
        .map(String::as_str)
        .collect();
    let nothing = Figures::default();
    let of = |name: &str| {
        let a = before.get(name).unwrap_or(&nothing);
        difference(a, after.get(name).unwrap_or(&nothing))
    };
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(of(name)));
    names
}

/// For people.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(done: &Simulated, timeline: bool, out: &mut dyn Write) -> io::Result<()> {
    let lasts = human(done.until.since(done.from));
    writeln!(
        out,
        "{}: {lasts} from {}, {} runs",
        done.source, done.from, done.new.runs
    )?;
    writeln!(out)?;
    if timeline {
        lines(&done.timeline, out)?;
    }
    let rows = rows(&done.in_force, &done.new);
    table::write(out, || {
        rows.iter()
            .map(|row| row.each_ref().map(|text| Field::plain(text)))
    })?;
    differing(done, out)
}

fn rows(before: &Tally, after: &Tally) -> Vec<[String; 3]> {
    let time = |d: Option<Duration>| d.map_or_else(|| "-".to_owned(), human);
    let minutes = |d: Duration| (d.as_secs() / 60).to_string();
    let row = |what: &str, of: &dyn Fn(&Tally) -> String| [what.to_owned(), of(before), of(after)];
    vec![
        ["".to_owned(), "in force".to_owned(), "new".to_owned()],
        row("incidents", &|t| t.all.incidents.to_string()),
        row("attempts", &|t| t.all.attempts.to_string()),
        row("  of which failed", &|t| t.all.failed.to_string()),
        row("approvals asked", &|t| t.all.asked.to_string()),
        row("minutes down", &|t| minutes(t.all.down)),
        row("first attempt after, median", &|t| time(t.all.median())),
        row("first attempt after, worst", &|t| time(t.all.worst())),
        row("exhausted incidents", &|t| t.all.exhausted.to_string()),
        row("runs that held", &|t| t.held_runs.to_string()),
    ]
}

fn differing(done: &Simulated, out: &mut dyn Write) -> io::Result<()> {
    let nothing = Figures::default();
    let get = |tally: &'_ Tally, name: &str| tally.subjects.get(name).cloned().unwrap_or_default();
    let differ: Vec<&str> = by_difference(done)
        .into_iter()
        .filter(|name| get(&done.in_force, name) != get(&done.new, name))
        .collect();
    if differ.is_empty() {
        return writeln!(out, "\nno subject fares otherwise");
    }
    let mut rows =
        vec![["subject", "attempts", "asked", "minutes down", "exhausted"].map(str::to_owned)];
    for name in differ.iter().take(MOST_SHOWN) {
        let a = done.in_force.subjects.get(*name).unwrap_or(&nothing);
        let b = done.new.subjects.get(*name).unwrap_or(&nothing);
        let pair = |of: &dyn Fn(&Figures) -> u64| match (of(a), of(b)) {
            (a, b) if a == b => a.to_string(),
            (a, b) => format!("{a} → {b}"),
        };
        rows.push([
            (*name).to_owned(),
            pair(&|f| f.attempts),
            pair(&|f| f.asked),
            pair(&|f| f.down.as_secs() / 60),
            pair(&|f| f.exhausted),
        ]);
    }
    writeln!(out)?;
    table::write(out, || {
        rows.iter()
            .map(|row| row.each_ref().map(|text| Field::plain(text)))
    })?;
    match differ.len().saturating_sub(MOST_SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "and {more} more"),
    }
}

/// The decisions, as far as they are others than in the run before.
fn lines(timeline: &[Line], out: &mut dyn Write) -> io::Result<()> {
    let mut last: BTreeMap<&str, (crate::model::decision::Verdict, Option<u32>)> = BTreeMap::new();
    let mut rows = Vec::new();
    for line in timeline {
        let now = (line.verdict, line.attempt);
        if last.insert(&line.subject, now) != Some(now) {
            let attempt = line
                .attempt
                .map(|n| format!("attempt {n}"))
                .unwrap_or_default();
            rows.push([
                line.at.to_string(),
                line.subject.clone(),
                line.condition.as_str().to_owned(),
                line.verdict.as_str().to_owned(),
                attempt,
            ]);
        }
    }
    table::write(out, || {
        rows.iter()
            .map(|row| row.each_ref().map(|text| Field::plain(text)))
    })?;
    writeln!(out)
}
