//! The report as a monitoring plugin's one line and exit status.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Report;
use crate::model::decision::Verdict;
use crate::model::exit::Exit;
use crate::model::text::{shortened, visible};

/// At most this many names a verdict: the line is read on a pager.
const MOST_NAMES: usize = 3;

/// At most this many characters of a name or of a sentence; NRPE carries 1 KiB in all.
const LONGEST_NAME: usize = 64;
const LONGEST_TEXT: usize = 300;

/// The line, without its line end, and the plugin's status: 0 OK, 1 WARNING, 2 CRITICAL,
/// 3 UNKNOWN.
#[must_use]
pub fn line(report: &Report) -> (String, u8) {
    let (word, code) = match report.exit {
        Exit::Healthy => ("OK", 0),
        Exit::InHand => ("WARNING", 1),
        Exit::Critical => ("CRITICAL", 2),
        _ => ("UNKNOWN", 3),
    };
    let sum = report.summary;
    let dry = if report.run.dry_run { " (dry run)" } else { "" };
    let line = format!(
        "LAZARUS {word} - {}{dry} | healthy={};;;0 stale={};;;0 incomplete={};;;0 uninitialized={};;;0 ignored={};;;0 time={:.3}s;;;0",
        text(report),
        sum.healthy,
        sum.stale,
        sum.incomplete,
        sum.uninitialized,
        sum.ignored,
        report.run.duration.as_secs_f64(),
    );
    (line, code)
}

/// The line and the status of a run that failed: UNKNOWN.
#[must_use]
pub fn failure(message: &str) -> (String, u8) {
    (
        format!("LAZARUS UNKNOWN - {}", safe(message, LONGEST_TEXT)),
        3,
    )
}

fn text(report: &Report) -> String {
    // The worst first; within one verdict the subjects are in byte order already.
    let mut groups = BTreeMap::<(Reverse<Exit>, Verdict, &str), Vec<&str>>::new();
    for decision in &report.decisions {
        let key = (
            Reverse(decision.verdict.exit()),
            decision.verdict,
            decision.word(),
        );
        groups.entry(key).or_default().push(&decision.subject);
    }
    let mut parts: Vec<String> = report
        .holds()
        .map(|w| format!("{}: {}", w.code, safe(&w.message, LONGEST_TEXT)))
        .collect();
    parts.extend(groups.iter().map(|((_, _, word), names)| {
        let mut shown: Vec<String> = names
            .iter()
            .take(MOST_NAMES)
            .map(|name| safe(name, LONGEST_NAME))
            .collect();
        if names.len() > MOST_NAMES {
            shown.push("…".into());
        }
        format!("{} {word} ({})", names.len(), shown.join(", "))
    }));
    let nothing_down = groups.keys().all(|(_, v, _)| *v == Verdict::Healthy);
    if nothing_down && report.exit == Exit::Healthy {
        let all = match report.summary.total_cells {
            0 => "no cells".into(),
            1 => "the one cell is healthy".into(),
            n => format!("all {n} cells healthy"),
        };
        parts.insert(0, all);
    }
    if parts.is_empty() {
        return report.exit.meaning().into();
    }
    parts.join(", ")
}

/// A text that cannot end the line nor begin the performance data.
fn safe(text: &str, limit: usize) -> String {
    shortened(&visible(text).replace('|', "\\x7c"), limit).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::model::cell::{Status, Warning};

    fn well(cells: usize) -> Report {
        let one = |n| {
            sample::cell(
                &format!("c{n}"),
                vec![sample::agent("main", Status::Healthy)],
            )
        };
        sample::report((0..cells).map(one).collect(), Vec::new())
    }

    #[test]
    fn ok_in_one_line() {
        let (line, code) = super::line(&well(97));
        assert_eq!(code, 0);
        assert_eq!(
            line,
            "LAZARUS OK - all 97 cells healthy | healthy=97;;;0 stale=0;;;0 incomplete=0;;;0 \
             uninitialized=0;;;0 ignored=0;;;0 time=0.009s;;;0"
        );
        assert!(
            super::line(&well(0))
                .0
                .starts_with("LAZARUS OK - no cells | ")
        );
    }

    #[test]
    fn what_is_down_by_verdict_the_worst_first() {
        let (line, code) = super::line(&sample::mixed());
        assert_eq!(code, 2);
        let text = "LAZARUS CRITICAL - 1 unobserved (f-unseen/main), 3 unplanned (b-stale/main, c-empty, d-lacking/main), \
                    1 frozen (e-frozen/main), 1 recovered (a-well/main) | healthy=1;;;0 stale=2;;;0 ";
        assert!(line.starts_with(text), "{line}");
        let many =
            (0..9).map(|n| sample::decision(&format!("c{n}/main"), Verdict::Frozen, "frozen"));
        let (line, code) = super::line(&sample::report(Vec::new(), many.collect()));
        assert_eq!(code, 1);
        let text = "LAZARUS WARNING - 9 frozen (c0/main, c1/main, c2/main, …) | ";
        assert!(line.starts_with(text), "{line}");
    }

    #[test]
    fn a_root_that_is_gone_says_so() {
        let mut report = well(0);
        report.exit = Exit::Critical;
        report.warnings = vec![Warning::new("root_changed", "/m is empty")];
        let (line, code) = super::line(&report);
        assert_eq!(code, 2);
        assert!(
            line.starts_with("LAZARUS CRITICAL - root_changed: /m is empty | "),
            "{line}"
        );
    }

    #[test]
    fn one_line_and_one_bar_whatever_the_names_are() {
        let (line, _) = super::line(&sample::attacked());
        assert_eq!(line.matches('|').count(), 1, "{line}");
        assert!(!line.chars().any(crate::model::text::is_unsafe), "{line}");
        assert!(line.chars().count() < 900, "{line}");
        let (line, code) = failure(&format!("opening the root: {}", sample::hostile()));
        assert_eq!(code, 3);
        assert!(line.starts_with("LAZARUS UNKNOWN - opening the root: "));
        assert!(!line.contains('|') && !line.chars().any(crate::model::text::is_unsafe));
    }
}
