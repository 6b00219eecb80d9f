//! How findings are shown: to people, and as one JSON document.

use std::fmt::Write as _;

use serde::Serialize;

use super::finding::{Area, Finding, Level};
use crate::cli::args::Color;
use crate::cli::out;
use crate::report::VERSION;
use crate::sys::host;

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/doctor/1";

/// How many findings there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    ok: usize,
    advice: usize,
    warning: usize,
    error: usize,
}

impl Summary {
    /// Counts them.
    pub(super) fn of(findings: &[Finding]) -> Self {
        let count = |level| findings.iter().filter(|f| f.level == level).count();
        Self {
            ok: count(Level::Ok),
            advice: count(Level::Advice),
            warning: count(Level::Warning),
            error: count(Level::Error),
        }
    }
}

/// The document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    host: String,
    user: String,
    checked_at: crate::model::time::Timestamp,
    /// The worst level that was found.
    level: Level,
    summary: Summary,
    findings: &'a [Finding],
}

impl<'a> Document<'a> {
    /// Of these findings, and the user who looked.
    pub(super) fn of(findings: &'a [Finding], user: String) -> Self {
        let worst = findings.iter().map(|finding| finding.level).max();
        Self {
            schema: SCHEMA,
            version: VERSION,
            host: host::hostname(),
            user,
            checked_at: host::now(),
            level: worst.unwrap_or(Level::Ok),
            summary: Summary::of(findings),
            findings,
        }
    }
}

/// For people: area by area, the worst of each first; the summary last.
pub(super) fn human(findings: &[Finding], color: Color, quiet: bool) -> String {
    let colored = out::wants_color(color);
    let mut text = String::new();
    for area in Area::ALL {
        let of_area = findings.iter().filter(|f| f.area == area);
        let mut of_area: Vec<&Finding> = of_area
            .filter(|f| !quiet || f.level >= Level::Warning)
            .collect();
        if of_area.is_empty() {
            continue;
        }
        of_area.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        let _ = writeln!(text, "{}", area.as_str());
        for finding in of_area {
            one(&mut text, finding, colored);
        }
        text.push('\n');
    }
    let Summary {
        ok,
        advice,
        warning,
        error,
    } = Summary::of(findings);
    let _ = writeln!(
        text,
        "Lazarus Pit doctor — ok={ok} advice={advice} warning={warning} error={error}"
    );
    text
}

fn one(text: &mut String, finding: &Finding, colored: bool) {
    let word = finding.level.as_str();
    let sgr = match finding.level {
        Level::Ok => "32",
        Level::Advice => "36",
        Level::Warning => "33",
        Level::Error => "31",
    };
    let _ = match colored {
        true => write!(text, "  \x1b[{sgr}m{word:<8}\x1b[0m"),
        false => write!(text, "  {word:<8}"),
    };
    let mut lines = finding.found.lines();
    let first = lines.next().unwrap_or_default();
    // What is wrong in a file begins with its place.
    let about = finding.about.as_deref();
    let about = about.filter(|about| !first.starts_with(about));
    let _ = match about {
        Some(about) => writeln!(text, "{about}: {first}"),
        None => writeln!(text, "{first}"),
    };
    for line in lines {
        let _ = writeln!(text, "          {line}");
    }
    if let Some(next) = &finding.next {
        let _ = writeln!(text, "          next: {next}");
    }
}
