//! The report as text exposition, for node_exporter's textfile collector.
//!
//! One bad line and the collector throws the whole file away, every host's alert on it included:
//! so there is one `# HELP` and one `# TYPE` a metric, no sample has a timestamp, and no two
//! samples have the same labels, not even where an agent chose two names that look the same.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::time::Duration;

use super::past::Past;
use super::{Report, VERSION};
use crate::core::view::{GATEWAY, View};
use crate::model::action::AttemptResult;
use crate::model::condition::Condition;
use crate::model::exit::Exit;
use crate::model::probe::Word;
use crate::model::snapshot::Summary;
use crate::model::state::State;
use crate::model::text::visible;
use crate::model::time::Timestamp;

/// Writes the report. With `each_subject` there is also one sample for each subject that is down:
/// not by default, since a series for each name that ever was down is much for a server to keep.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, each_subject: bool, out: &mut dyn Write) -> io::Result<()> {
    let took = report.run.duration;
    let figures = Figures {
        cells: Some(report.summary),
        took: Some(took),
        // A run that did its work, whatever it found. Others do not come to have a report.
        success: (report.exit <= Exit::Critical).then(|| report.run.started_at.plus(took)),
        exit: Some(report.exit.code()),
        held: report.is_held(),
        totals: &report.totals,
    };
    figures.write(out)?;
    asked(report, out)?;
    if each_subject {
        down(report, out)?;
    }
    Ok(())
}

/// Writes what is still known of the last run: the same samples, but for those that it did not
/// leave. Of what holds everyone only a mass failure is.
///
/// # Errors
/// Those of the writer.
pub fn write_past(
    state: &State,
    last: Option<&Past>,
    each_subject: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let good = last.filter(|last| last.is_success()).cloned();
    let figures = Figures {
        cells: last.and_then(|last| last.summary),
        took: last.map(|last| last.took),
        success: good.or_else(|| Past::of_state(state)).map(|run| run.ended),
        exit: last.map(|last| last.exit),
        held: state.hold.as_ref().is_some_and(|h| h.released.is_none()),
        totals: &state.totals,
    };
    figures.write(out)?;
    if each_subject {
        down_in_state(state, out)?;
    }
    Ok(())
}

/// What one run comes to in numbers; each may be unknown.
struct Figures<'a> {
    cells: Option<Summary>,
    took: Option<Duration>,
    success: Option<Timestamp>,
    exit: Option<u8>,
    held: bool,
    totals: &'a BTreeMap<AttemptResult, u64>,
}

impl Figures<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(cells) = self.cells {
            write_cells(cells, out)?;
        }
        if let Some(took) = self.took {
            gauge(out, "run_duration_seconds", "How long the last run took.")?;
            writeln!(
                out,
                "lazarus_pit_run_duration_seconds {}",
                took.as_secs_f64()
            )?;
        }
        if let Some(ended) = self.success {
            let help = "When the last run ended that looked at the cells, in Unix seconds.";
            gauge(out, "last_success_timestamp_seconds", help)?;
            writeln!(
                out,
                "lazarus_pit_last_success_timestamp_seconds {}",
                ended.as_f64()
            )?;
        }
        if let Some(exit) = self.exit {
            let help = "Exit code of the last run: 0 all healthy, 1 in hand, 2 critical.";
            gauge(out, "exit_code", help)?;
            writeln!(out, "lazarus_pit_exit_code {exit}")?;
        }
        let help = "1 if nobody is revived, or almost nobody: mass-failure protection, the missions root, the clock.";
        gauge(out, "held", help)?;
        writeln!(out, "lazarus_pit_held {}", u8::from(self.held))?;
        attempts(self.totals, out)?;
        gauge(out, "info", "The program that wrote this.")?;
        writeln!(out, "lazarus_pit_info{{version=\"{VERSION}\"}} 1")
    }
}

fn write_cells(sum: Summary, out: &mut dyn Write) -> io::Result<()> {
    gauge(out, "cells", "Mission cells by status.")?;
    for (status, count) in [
        ("healthy", sum.healthy),
        ("stale", sum.stale),
        ("incomplete", sum.incomplete),
        ("uninitialized", sum.uninitialized),
        ("ignored", sum.ignored),
    ] {
        writeln!(out, "lazarus_pit_cells{{status=\"{status}\"}} {count}")?;
    }
    Ok(())
}

/// Gateways by state and probes by answer, where there are any.
fn asked(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = &report.snapshot;
    let count = |condition: Condition| {
        let gateways = snapshot.gateways.iter();
        gateways.filter(|g| g.condition == condition).count()
    };
    if !snapshot.gateways.is_empty() {
        gauge(
            out,
            "gateways",
            "Gateways by what their evidence adds up to.",
        )?;
        for condition in [
            Condition::Healthy,
            Condition::Degraded,
            Condition::Dead,
            Condition::Unknown,
        ] {
            let (state, count) = (condition.as_str(), count(condition));
            writeln!(out, "lazarus_pit_gateways{{state=\"{state}\"}} {count}")?;
        }
    }
    if snapshot.asked.is_empty() {
        return Ok(());
    }
    let pieces = || snapshot.asked.values().flat_map(|asked| &asked.pieces);
    gauge(out, "probes", "Probes of the last run by answer.")?;
    for (answer, word) in [
        ("good", Word::Good),
        ("bad", Word::Bad),
        ("not_asked", Word::NotAsked),
        ("too_soon", Word::TooSoon),
    ] {
        let probes = pieces().filter(|piece| piece.kind != "heartbeat");
        let count = probes.filter(|piece| piece.answer == word).count();
        writeln!(out, "lazarus_pit_probes{{answer=\"{answer}\"}} {count}")?;
    }
    Ok(())
}

/// How many attempts ended how. From the state: a counter that survives its program.
fn attempts(totals: &BTreeMap<AttemptResult, u64>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "# HELP lazarus_pit_attempts_total Attempts to revive a subject, by what came of their steps."
    )?;
    writeln!(out, "# TYPE lazarus_pit_attempts_total counter")?;
    for result in [
        AttemptResult::Ok,
        AttemptResult::Failed,
        AttemptResult::Interrupted,
    ] {
        let count = totals.get(&result).copied().unwrap_or(0);
        let result = result.as_str();
        writeln!(
            out,
            "lazarus_pit_attempts_total{{result=\"{result}\"}} {count}"
        )?;
    }
    Ok(())
}

fn gauge(out: &mut dyn Write, name: &str, help: &str) -> io::Result<()> {
    writeln!(out, "# HELP lazarus_pit_{name} {help}")?;
    writeln!(out, "# TYPE lazarus_pit_{name} gauge")
}

/// The subjects that are down. One that could not be looked at is not known to be.
fn down(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = &report.snapshot;
    let agents = report.subjects().map(|subject| {
        let agent = subject.agent.map_or("", |agent| &agent.name);
        (&*subject.cell.id, agent, View::of(&subject, snapshot))
    });
    let gateways = snapshot.gateways.iter();
    let gateways = gateways.map(|g| ("gateway", &*g.name, View::of_gateway(g, snapshot)));
    let down = agents.chain(gateways).filter_map(|(cell, agent, view)| {
        // What all evidence adds up to, where more than the heartbeat was asked.
        let status = view.evidence.unwrap_or(view.base);
        let known = view.observed && status != Condition::Unknown;
        (known && status != Condition::Healthy).then(|| (cell, agent, status.as_str()))
    });
    write_down(down, out)
}

/// The same, as the state has it.
fn down_in_state(state: &State, out: &mut dyn Write) -> io::Result<()> {
    let down = state.subjects.iter().filter_map(|(name, known)| {
        let unknown = known.unseen || known.status == Condition::Unknown;
        if known.status == Condition::Healthy || unknown {
            return None;
        }
        let (cell, agent) = match name.strip_prefix(GATEWAY) {
            Some(gateway) => ("gateway", gateway),
            None => name.split_once('/').unwrap_or((name, "")),
        };
        Some((cell, agent, known.status.as_str()))
    });
    write_down(down, out)
}

fn write_down<'a>(
    down: impl Iterator<Item = (&'a str, &'a str, &'static str)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    gauge(out, "subject_down", "Subjects that are down.")?;
    let mut written = HashSet::new();
    for (cell, agent, status) in down {
        let labels = format!(
            "cell=\"{}\",agent=\"{}\",status=\"{status}\"",
            label(cell),
            label(agent)
        );
        // `a\n` and a line end after `a` are two directories and one text.
        if written.contains(&labels) {
            continue;
        }
        writeln!(out, "lazarus_pit_subject_down{{{labels}}} 1")?;
        written.insert(labels);
    }
    Ok(())
}

/// A text as a label's value.
fn label(text: &str) -> String {
    // Line ends are no more after `visible`.
    visible(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::model::cell::{Status, Warning};
    use std::collections::BTreeMap;

    /// Reads a text exposition as strictly as node_exporter does, and returns sample → value.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        assert!(text.ends_with('\n'));
        let (mut samples, mut seen, mut current) = (BTreeMap::new(), HashSet::new(), String::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                current = help.split_once(' ').unwrap().0.to_owned();
                assert!(seen.insert(current.clone()), "{current} twice");
                let kind = if current.ends_with("_total") {
                    "counter"
                } else {
                    "gauge"
                };
                assert_eq!(lines.next(), Some(&*format!("# TYPE {current} {kind}")));
                continue;
            }
            let name: String = line
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            assert_eq!(name, current, "{line}");
            let mut rest = &line[name.len()..];
            if let Some(mut labels) = rest.strip_prefix('{') {
                loop {
                    let (key, value) = labels.split_once("=\"").unwrap();
                    assert!(key.chars().all(|c| c.is_ascii_lowercase()), "{key}");
                    let mut escaped = false;
                    let end = value.find(|c| {
                        let ends = c == '"' && !escaped;
                        assert!(!escaped || matches!(c, '\\' | '"' | 'n'), "{line}");
                        escaped = c == '\\' && !escaped;
                        ends
                    });
                    let after = &value[end.unwrap() + 1..];
                    if let Some(after) = after.strip_prefix('}') {
                        rest = after;
                        break;
                    }
                    labels = after.strip_prefix(',').unwrap();
                }
            }
            let value = rest.strip_prefix(' ').unwrap();
            // A value and no timestamp behind it.
            let value: f64 = value.parse().unwrap();
            let sample = line[..line.len() - rest.len()].to_owned();
            assert_eq!(samples.insert(sample, value), None, "{line} twice");
        }
        samples
    }

    #[test]
    fn the_samples_are_those_of_the_run() {
        let mut report = sample::mixed();
        let samples = parse(&sample::text(|out| write(&report, false, out)));
        for (name, value) in [
            ("lazarus_pit_cells{status=\"healthy\"}", 1.0),
            ("lazarus_pit_cells{status=\"stale\"}", 2.0),
            ("lazarus_pit_cells{status=\"incomplete\"}", 2.0),
            ("lazarus_pit_cells{status=\"uninitialized\"}", 1.0),
            ("lazarus_pit_cells{status=\"ignored\"}", 1.0),
            ("lazarus_pit_run_duration_seconds", 0.009),
            (
                "lazarus_pit_last_success_timestamp_seconds",
                1_795_256_812.009,
            ),
            ("lazarus_pit_exit_code", 2.0),
            ("lazarus_pit_held", 0.0),
        ] {
            assert_eq!(samples.get(name), Some(&value), "{name}");
        }
        assert_eq!(samples.len(), 13);
        report.warnings = vec![Warning::new("clock", "the clock has gone backwards")];
        let samples = parse(&sample::text(|out| write(&report, false, out)));
        assert_eq!(samples["lazarus_pit_held"], 1.0);
    }

    #[test]
    fn subjects_that_are_down_are_named_only_on_request() {
        let samples = parse(&sample::text(|out| write(&sample::mixed(), true, out)));
        let down: Vec<_> = samples
            .keys()
            .filter_map(|k| k.strip_prefix("lazarus_pit_subject_down"))
            .collect();
        assert_eq!(
            down,
            [
                "{cell=\"b-stale\",agent=\"main\",status=\"stale\"}",
                "{cell=\"c-empty\",agent=\"\",status=\"uninitialized\"}",
                "{cell=\"d-lacking\",agent=\"main\",status=\"incomplete\"}",
                "{cell=\"e-frozen\",agent=\"main\",status=\"stale\"}",
            ]
        );
    }

    #[test]
    fn what_is_known_afterwards_is_as_strict() {
        let mut state = State::default();
        let samples = parse(&sample::text(|out| write_past(&state, None, true, out)));
        assert_eq!(samples.len(), 5, "{samples:?}");
        state.totals.insert(AttemptResult::Failed, 3);
        let down = crate::model::state::SubjectState {
            status: Condition::Exited,
            since: Timestamp::from_secs(sample::NOW),
            unseen: false,
            before: Vec::new(),
            reasons: Vec::new(),
            traits: Default::default(),
            incident: None,
        };
        for name in ["a/b", "a", "gateway:g", &sample::hostile()] {
            state.subjects.insert(name.to_owned(), down.clone());
        }
        let last = Past {
            ended: Timestamp::from_secs(sample::NOW),
            exit: 66,
            took: Duration::from_millis(9),
            summary: None,
        };
        let text = |last| sample::text(|out| write_past(&state, Some(last), true, out));
        let failed = parse(&text(&last));
        assert_eq!(failed["lazarus_pit_exit_code"], 66.0);
        assert_eq!(failed["lazarus_pit_attempts_total{result=\"failed\"}"], 3.0);
        // A run that failed is no success, and there is none before it.
        let success = "lazarus_pit_last_success_timestamp_seconds";
        assert!(!failed.contains_key(success));
        let down = failed.keys().filter(|k| k.contains("subject_down"));
        assert_eq!(down.count(), 4);
        let well = parse(&text(&Past { exit: 2, ..last }));
        assert_eq!(well[success], sample::NOW as f64);
    }

    #[test]
    fn no_name_breaks_the_file() {
        let samples = parse(&sample::text(|out| write(&sample::attacked(), true, out)));
        assert_eq!(samples["lazarus_pit_held"], 1.0);
        let twins =
            ["a\n", "a\\n"].map(|id| sample::cell(id, vec![sample::agent("m", Status::Stale)]));
        let report = sample::report(twins.into(), Vec::new());
        let samples = parse(&sample::text(|out| write(&report, true, out)));
        assert_eq!(samples.len(), 14);
    }
}
