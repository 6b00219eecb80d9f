//! The report for people: what is wrong first, what follows from it, and one line that sums up.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Report;
use super::table::{self, Field};
use crate::core::view::{GATEWAY, View};
use crate::model::action::{Done, StepDone, StepResult};
use crate::model::cell::{Cell, Reason, Status};
use crate::model::condition::Condition;
use crate::model::decision::{Decision, Verdict};
use crate::model::exit::Exit;
use crate::model::text::shortened;
use crate::model::time::{Timestamp, human};

/// How it may look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colours.
    pub color: bool,
}

/// At most this many lines a list: who has a thousand cells down needs to know just that.
const MOST: usize = 50;

/// At most this many characters of a sentence; its end is in the JSON.
const LONGEST: usize = 400;

/// From the worst to the least: the order in which cells are listed.
const TROUBLE: [Status; 3] = [Status::Incomplete, Status::Uninitialized, Status::Stale];

/// Writes the report. On a healthy fleet it is its last line alone.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write, style: Style) -> io::Result<()> {
    if report.run.dry_run {
        writeln!(
            out,
            "Dry run: this is what a run would decide; nothing was written, sent or started."
        )?;
    }
    let sum = report.summary;
    let (down, decided) = (
        sum.incomplete + sum.uninitialized + sum.stale,
        report.decisions.len() as u64,
    );
    if down > 0 {
        cells(report, out, style)?;
        more(out, down, "cells that are not healthy")?;
        writeln!(out)?;
    }
    let told = witnessed(report).count() as u64;
    if told > 0 {
        witnesses(report, out, style)?;
        more(out, told, "subjects that probes speak against")?;
        writeln!(out)?;
    }
    if decided > 0 {
        decisions(report, out, style)?;
        more(out, decided, "decisions")?;
        writeln!(out)?;
    }
    writeln!(
        out,
        "Lazarus Pit — cells={} healthy={} stale={} incomplete={} uninitialized={}",
        sum.total_cells, sum.healthy, sum.stale, sum.incomplete, sum.uninitialized
    )
}

fn cells(report: &Report, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let of = |status: Status| {
        let cells = report.snapshot.cells.iter();
        cells.filter(move |cell| cell.status == status && !cell.is_ignored())
    };
    let line = |cell: &Cell| {
        let (name, why) = about(cell);
        let word = Field::plain(cell.status.as_str()).coloured(colour_of(cell.status, style));
        [word, Field::plain(&name), Field::plain(&why)]
    };
    table::write(out, || {
        TROUBLE.into_iter().flat_map(of).take(MOST).map(line)
    })
}

/// Whom a cell's line is about, and why: the cell for what is wrong with the cell, else the first
/// of its agents that is as badly off as the cell is said to be.
fn about(cell: &Cell) -> (String, String) {
    let worst = cell.agents.iter().find(|a| a.status == cell.status);
    let (name, why) = match worst {
        Some(agent) if cell.reasons.is_empty() => (cell.subject(agent), sentence(&agent.reasons)),
        _ => return (cell.id.to_string(), sentence(&cell.reasons)),
    };
    let down = cell.agents.iter().filter(|a| a.status != Status::Healthy);
    match down.count() {
        0 | 1 => (name, why),
        2 => (name, format!("{why} (and one more of its agents)")),
        n => (name, format!("{why} (and {} more of its agents)", n - 1)),
    }
}

/// Gateways, and agents with probes, that are not healthy by all evidence.
fn witnessed(report: &Report) -> impl Iterator<Item = (&'static str, String, String)> {
    let snapshot = &report.snapshot;
    let told = |name: &str, condition: Condition, reasons: &[&Reason]| {
        let why: Vec<&str> = reasons.iter().map(|r| r.message.as_str()).collect();
        let why = shortened(&why.join("; "), LONGEST).into_owned();
        (condition.as_str(), name.to_owned(), why)
    };
    let gateways = snapshot.gateways.iter().filter_map(move |gateway| {
        let view = View::of_gateway(gateway, snapshot);
        let well = gateway.condition == Condition::Healthy;
        (!well).then(|| told(&view.name, gateway.condition, &view.reasons))
    });
    let agents = snapshot.asked.iter().filter_map(move |(name, asked)| {
        let well = asked.sum == Some(Condition::Healthy) || name.starts_with(GATEWAY);
        let reasons: Vec<&Reason> = asked.reasons.iter().collect();
        let condition = asked.sum.unwrap_or(Condition::Unknown);
        (!well && !reasons.is_empty()).then(|| told(name, condition, &reasons))
    });
    gateways.chain(agents)
}

fn witnesses(report: &Report, out: &mut dyn Write, style: Style) -> io::Result<()> {
    table::write(out, || {
        witnessed(report).take(MOST).map(|(word, name, why)| {
            let exit = match word {
                "dead" => Exit::Critical,
                _ => Exit::InHand,
            };
            let word = Field::plain(word).coloured(colour(exit, style));
            [word, Field::plain(&name), Field::plain(&why)]
        })
    })
}

fn sentence(reasons: &[Reason]) -> String {
    let all: Vec<&str> = reasons.iter().map(|r| r.message.as_str()).collect();
    shortened(&all.join("; "), LONGEST).into_owned()
}

fn decisions(report: &Report, out: &mut dyn Write, style: Style) -> io::Result<()> {
    // The worst first. An exit of 3 or more is no verdict's.
    let order = [Exit::Critical, Exit::InHand, Exit::Healthy];
    let of = |exit: Exit| {
        let all = report.decisions.iter();
        all.filter(move |d| d.verdict.exit() == exit)
    };
    let line = |decision: &Decision| {
        [
            Field::plain(decision.word()).coloured(colour(decision.verdict.exit(), style)),
            Field::plain(&decision.subject),
            Field::plain(&why(decision, report)),
        ]
    };
    table::write(out, || order.into_iter().flat_map(of).take(MOST).map(line))
}

/// Why it was decided so: the reason that decided, which is the last (those before it are the
/// evidence, which stands with the cell), and what an operator asks next.
fn why(decision: &Decision, report: &Report) -> String {
    let now = report.snapshot.taken_at;
    let last = decision.because.last().map_or("", |r| r.message.as_str());
    let mut text = match report.action(&decision.subject) {
        Some(done) => carried_out(done),
        None => shortened(last, LONGEST).into_owned(),
    };
    let mut more = Vec::new();
    if let Some(plan) = &decision.plan {
        more.push(format!("plan {plan}"));
    }
    if let Some(attempt) = decision.attempt {
        more.push(format!("attempt {attempt}"));
    }
    match decision.down_since {
        Some(since) if decision.verdict != Verdict::Healthy => {
            more.push(format!(
                "down for {}, since {}",
                human(now.since(since)),
                moment(since)
            ));
        }
        _ => {}
    }
    if let Some(next) = decision.next_attempt_at {
        more.push(format!("next attempt at {}", moment(next)));
    }
    if let Some(incident) = &decision.incident {
        more.push(format!("incident {incident}"));
    }
    if !more.is_empty() {
        let _ = write!(text, " ({})", more.join("; "));
    }
    text
}

/// What was done for a subject: each step that was begun, and what came of it.
fn carried_out(done: &Done) -> String {
    let step = |step: &StepDone| {
        let mut text = step.kind.to_owned();
        if let Some(command) = &step.command {
            let _ = write!(text, " `{}`", shortened(&command.join(" "), 80));
        }
        let word = match step.result {
            StepResult::Ok => "ok",
            StepResult::Failed => "failed",
            StepResult::TimedOut => "timed out",
            StepResult::CutOff => "cut off by the run's deadline",
            StepResult::Skipped => "skipped",
            StepResult::DryRun => "would be carried out",
        };
        let _ = write!(text, " {word}");
        if let Some(error) = &step.error {
            let _ = write!(text, ": {error}");
        }
        text
    };
    let steps: Vec<String> = done.steps.iter().map(step).collect();
    shortened(&steps.join(", then "), LONGEST).into_owned()
}

/// A point in time for people: whole seconds, UTC.
#[must_use]
pub fn moment(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// Says what was left out of a list of so many.
fn more(out: &mut dyn Write, all: u64, what: &str) -> io::Result<()> {
    match all.saturating_sub(MOST as u64) {
        0 => Ok(()),
        rest => writeln!(out, "… and {} more {what}", grouped(rest)),
    }
}

/// A count with a comma after every three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn colour_of(status: Status, style: Style) -> Option<&'static str> {
    let exit = match status {
        Status::Healthy => Exit::Healthy,
        Status::Stale => Exit::InHand,
        Status::Uninitialized | Status::Incomplete => Exit::Critical,
    };
    colour(exit, style)
}

fn colour(exit: Exit, style: Style) -> Option<&'static str> {
    let sgr = match exit {
        Exit::Healthy => "32",
        Exit::InHand => "33",
        _ => "31",
    };
    style.color.then_some(sgr)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::model::text::is_unsafe;

    fn plain(report: &Report) -> String {
        sample::text(|out| write(report, out, Style::default()))
    }

    #[test]
    fn a_healthy_fleet_is_one_line() {
        let cells =
            ["a", "b"].map(|id| sample::cell(id, vec![sample::agent("main", Status::Healthy)]));
        let mut report = sample::report(cells.into(), Vec::new());
        let sum = "Lazarus Pit — cells=2 healthy=2 stale=0 incomplete=0 uninitialized=0\n";
        assert_eq!(plain(&report), sum);
        report.run.dry_run = true;
        let text = plain(&report);
        assert!(
            text.starts_with("Dry run: ") && text.ends_with(&format!("\n{sum}")),
            "{text}"
        );
    }

    #[test]
    fn what_is_wrong_comes_first_and_the_sum_last() {
        let text = plain(&sample::mixed());
        let expected = "\
incomplete     d-lacking      logs is missing
incomplete     f-unseen/main  main: could not be looked at
uninitialized  c-empty        cell.json names no agents
stale          b-stale/main   main: last beat 412 s ago, more than 180 s
stale          e-frozen/main  main: last beat 412 s ago, more than 180 s

unplanned   b-stale/main    no plan governs it (down for 6m 52s, since 2026-11-21T10:20:00Z; incident 0199-1)
unplanned   c-empty         no plan governs it (down for 6m 52s, since 2026-11-21T10:20:00Z; incident 0199-1)
unplanned   d-lacking/main  no plan governs it (down for 6m 52s, since 2026-11-21T10:20:00Z; incident 0199-1)
unobserved  f-unseen/main   permission denied (down for 6m 52s, since 2026-11-21T10:20:00Z; incident 0199-1)
frozen      e-frozen/main   the cell is frozen (down for 6m 52s, since 2026-11-21T10:20:00Z; incident 0199-1)
recovered   a-well/main     it is healthy again after 5m (incident 0199-1)

Lazarus Pit — cells=6 healthy=1 stale=2 incomplete=2 uninitialized=1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn several_agents_of_a_cell_are_one_line() {
        let agents = ["a", "b", "c"].map(|name| sample::agent(name, Status::Stale));
        let report = sample::report(vec![sample::cell("x", agents.into())], Vec::new());
        let text = plain(&report);
        assert!(
            text.starts_with(
                "stale  x/a  a: last beat 412 s ago, more than 180 s (and 2 more of its agents)\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_long_fleet_is_summed_up() {
        let id = |n: usize| format!("cell-{n:04}");
        let cells =
            (0..2000).map(|n| sample::cell(&id(n), vec![sample::agent("main", Status::Stale)]));
        let decisions = (0..2000)
            .map(|n| sample::decision(&format!("{}/main", id(n)), Verdict::Unplanned, "no plan"));
        let text = plain(&sample::report(cells.collect(), decisions.collect()));
        assert_eq!(
            text.lines().filter(|l| l.starts_with("stale")).count(),
            MOST
        );
        assert!(
            text.contains("\n… and 1,950 more cells that are not healthy\n"),
            "{text}"
        );
        assert!(text.contains("\n… and 1,950 more decisions\n"), "{text}");
    }

    #[test]
    fn nothing_hostile_reaches_the_terminal_and_colours_only_when_asked_for() {
        let report = sample::attacked();
        let text = plain(&report);
        assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
        let coloured = sample::text(|out| write(&report, out, Style { color: true }));
        let stripped = ["31", "32", "33", "0"]
            .iter()
            .fold(coloured.clone(), |t, sgr| {
                t.replace(&format!("\x1b[{sgr}m"), "")
            });
        assert_ne!(coloured, text);
        assert_eq!(stripped, text);
    }

    #[test]
    fn counts_are_grouped() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1950, "1,950"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }
}
