//! The report as JSON lines: a line a cell, a gateway, a decision, an action, a warning, then one
//! that sums up.

use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::gateways::GatewayDocument;
use super::json::{self, CellDocument, DecisionDocument, ExitDocument, RunDocument, SCHEMA};
use crate::model::snapshot::Summary;

/// A line: what kind it is, and what the JSON report has for such a thing.
#[derive(Serialize)]
struct Line<T> {
    kind: &'static str,
    #[serde(flatten)]
    body: T,
}

/// The last line. Who does not find it did not get all.
#[derive(Serialize)]
struct Last<'a> {
    schema: &'static str,
    summary: Summary,
    run: RunDocument<'a>,
    exit: ExitDocument,
}

/// Writes the report line by line: nothing of it is built up in memory.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let root = report.root_text();
    for cell in report.snapshot.cells.iter().filter(|c| !c.is_ignored()) {
        line(out, "cell", &CellDocument::of(cell, &root, Some(report)))?;
    }
    for gateway in GatewayDocument::all(report) {
        line(out, "gateway", &gateway)?;
    }
    for decision in &report.decisions {
        line(out, "decision", &DecisionDocument::from(decision))?;
    }
    for action in &report.actions {
        line(out, "action", action)?;
    }
    for warning in &report.warnings {
        line(out, "warning", warning)?;
    }
    let last = Last {
        schema: SCHEMA,
        summary: report.summary,
        run: (&report.run).into(),
        exit: report.exit.into(),
    };
    line(out, "summary", &last)
}

fn line(mut out: &mut dyn Write, kind: &'static str, body: &impl Serialize) -> io::Result<()> {
    json::to_writer(&Line { kind, body }, &mut out)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::Value;

    fn lines(report: &Report) -> Vec<Value> {
        let text = sample::text(|out| write(report, out));
        let parse = |line: &str| serde_json::from_str(line).unwrap();
        text.lines().map(parse).collect()
    }

    #[test]
    fn every_line_says_what_it_is_and_the_last_sums_up() {
        let report = sample::mixed();
        let lines = lines(&report);
        let kinds: Vec<_> = lines.iter().map(|l| l["kind"].as_str().unwrap()).collect();
        let mut expected = vec!["cell"; 6];
        expected.extend(["decision"; 6]);
        expected.extend(["warning", "summary"]);
        assert_eq!(kinds, expected);
        assert_eq!(lines[1]["root"], "/var/missions/b-stale");
        assert_eq!(lines[13]["summary"]["ignored"], 1);
        assert_eq!(lines[13]["schema"], SCHEMA);
        assert_eq!(lines[13]["exit"]["code"], 2);
        assert_eq!(lines[13]["run"]["id"], "0612-1a");
    }

    /// What stands in a line is what stands in the document.
    #[test]
    fn the_lines_are_the_document_taken_apart() {
        for report in [sample::mixed(), sample::attacked()] {
            let mut whole = Vec::new();
            json::write(&report, &mut whole).unwrap();
            let whole: Value = serde_json::from_slice(&whole).unwrap();
            for (kind, key) in [
                ("cell", "cells"),
                ("decision", "decisions"),
                ("warning", "warnings"),
            ] {
                let mut lines = lines(&report);
                lines.retain(|line| line["kind"] == kind);
                for line in &mut lines {
                    line.as_object_mut().unwrap().remove("kind");
                }
                assert_eq!(Value::Array(lines), whole[key], "{key}");
            }
        }
    }

    #[test]
    fn a_hostile_name_stays_in_its_line() {
        let text = sample::text(|out| write(&sample::attacked(), out));
        assert_eq!(text.lines().count(), 4);
        assert!(
            !text
                .chars()
                .any(|c| c != '\n' && crate::model::text::is_unsafe(c))
        );
    }
}
