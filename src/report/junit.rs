//! The report as JUnit XML, which every CI system reads: a test case a subject.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::Report;
use super::human::moment;
use crate::core::view::View;
use crate::model::cell::Reason;
use crate::model::condition::Condition;
use crate::model::decision::{Decision, Verdict};
use crate::model::text::visible;

/// What a test case came to.
#[derive(Clone, Copy)]
enum Outcome<'a> {
    /// It is healthy, or done.
    Passed,
    /// Down, but frozen, paused or under maintenance: nobody expects it to be up.
    Skipped(&'a Decision),
    /// It is down.
    Failed(Option<&'a Decision>),
    /// It could not be looked at, which JUnit tells from a failure.
    Errored(Option<&'a Decision>),
}

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let decided: HashMap<&str, &Decision> = report
        .decisions
        .iter()
        .map(|d| (d.subject.as_str(), d))
        .collect();
    // The counts come before what is counted: subjects are gone through twice, not kept.
    let (mut tests, mut failures, mut errors, mut skipped) = (0u64, 0u64, 0u64, 0u64);
    for case in cases(report) {
        tests += 1;
        match outcome(&case, &decided) {
            Outcome::Passed => {}
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Failed(_) => failures += 1,
            Outcome::Errored(_) => errors += 1,
        }
    }
    let counts = format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{:.3}\"",
        report.run.duration.as_secs_f64()
    );
    let started = moment(report.run.started_at);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"lazarus-pit\" {counts}>")?;
    writeln!(
        out,
        "  <testsuite id=\"0\" package=\"lazarus-pit\" name=\"{}\" hostname=\"{}\" timestamp=\"{}\" {counts}>",
        escaped(&report.root_text()),
        escaped(&report.run.host),
        // The usual schema of JUnit files wants no time zone here.
        started.trim_end_matches('Z'),
    )?;
    for case in cases(report) {
        write_case(&case, outcome(&case, &decided), out)?;
    }
    if !report.warnings.is_empty() {
        writeln!(out, "    <system-err>")?;
        for warning in &report.warnings {
            let about = warning.subject.as_deref().map(|s| format!("{s}: "));
            let about = about.unwrap_or_default();
            let line = format!("{}: {about}{}", warning.code, warning.message);
            writeln!(out, "{}", escaped(&line))?;
        }
        writeln!(out, "    </system-err>")?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// One subject as a test case.
struct Case<'a> {
    view: View<'a>,
    class: &'a str,
    name: &'a str,
}

/// All subjects: cell by cell, then the gateways.
fn cases(report: &Report) -> impl Iterator<Item = Case<'_>> {
    let snapshot = &report.snapshot;
    let subjects = report.subjects().map(move |subject| Case {
        view: View::of(&subject, snapshot),
        class: &subject.cell.id,
        name: subject
            .agent
            .map_or(&*subject.cell.id, |agent| &*agent.name),
    });
    let gateways = snapshot.gateways.iter().map(move |gateway| Case {
        view: View::of_gateway(gateway, snapshot),
        class: "gateway",
        name: &gateway.name,
    });
    subjects.chain(gateways)
}

/// What its files say, but for an agent that has left its last beat behind.
fn condition(view: &View<'_>) -> Condition {
    match view.has_exited() {
        true => Condition::Exited,
        // What all evidence adds up to, where more than the heartbeat was asked.
        false => view.evidence.unwrap_or(view.base),
    }
}

fn outcome<'a>(case: &Case<'_>, decided: &HashMap<&str, &'a Decision>) -> Outcome<'a> {
    if case.view.observed && condition(&case.view) == Condition::Healthy {
        return Outcome::Passed;
    }
    let decision = decided.get(case.view.name.as_str()).copied();
    match decision.map(|d| (d, d.verdict)) {
        Some((_, Verdict::Finished)) => Outcome::Passed,
        Some((decision, Verdict::Frozen | Verdict::Paused | Verdict::Maintenance)) => {
            Outcome::Skipped(decision)
        }
        _ if !case.view.observed => Outcome::Errored(decision),
        _ => Outcome::Failed(decision),
    }
}

fn write_case(case: &Case<'_>, outcome: Outcome<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (class, name) = (escaped(case.class), escaped(case.name));
    write!(
        out,
        "    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\""
    )?;
    let (tag, decision) = match outcome {
        Outcome::Passed => return writeln!(out, "/>"),
        Outcome::Skipped(decision) => {
            let message = joined(&decision.because);
            return writeln!(
                out,
                "><skipped message=\"{}\"/></testcase>",
                escaped(&message)
            );
        }
        Outcome::Failed(decision) => ("failure", decision),
        Outcome::Errored(decision) => ("error", decision),
    };
    let evidence: Vec<Reason>;
    let (kind, because) = match decision {
        Some(decision) => (decision.verdict.as_str(), &decision.because),
        // Whatever is down has a decision; without one its status still says what is known.
        None => {
            evidence = case.view.reasons.iter().map(|r| (*r).clone()).collect();
            (condition(&case.view).as_str(), &evidence)
        }
    };
    writeln!(
        out,
        ">\n      <{tag} type=\"{kind}\" message=\"{}\">",
        escaped(&joined(because))
    )?;
    for reason in because {
        writeln!(
            out,
            "{}: {}",
            reason.code.as_str(),
            escaped(&reason.message)
        )?;
    }
    writeln!(out, "      </{tag}>\n    </testcase>")
}

fn joined(reasons: &[Reason]) -> String {
    let all: Vec<&str> = reasons.iter().map(|r| r.message.as_str()).collect();
    all.join("; ")
}

/// The text for XML, in attributes as between tags. Characters that XML 1.0 does not know even as
/// references, and those that confuse a reader's eye, are written out.
fn escaped(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\u{fffe}' | '\u{ffff}');
    let shown = visible(text);
    if !shown.contains(special) {
        return shown;
    }
    let mut out = String::with_capacity(shown.len() + 16);
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_test_case_a_subject_and_the_counts_are_right() {
        let text = sample::text(|out| write(&sample::mixed(), out));
        let count = |what: &str| text.matches(what).count();
        assert_eq!(
            [
                count("<testcase "),
                count("<failure "),
                count("<error "),
                count("<skipped ")
            ],
            [7, 3, 1, 1],
            "{text}"
        );
        let counts = "tests=\"7\" failures=\"3\" errors=\"1\" skipped=\"1\" time=\"0.009\"";
        assert_eq!(count(counts), 2, "{text}");
        assert!(text.contains("timestamp=\"2026-11-21T10:26:52\""), "{text}");
        assert!(text.contains("    <testcase classname=\"a-well\" name=\"main\" time=\"0\"/>\n"));
        assert!(text.contains("classname=\"c-empty\" name=\"c-empty\""));
        assert!(text.contains("<failure type=\"unplanned\" message=\"no plan governs it\">"));
        assert!(text.contains("<error type=\"unobserved\" message=\"permission denied\">"));
        assert!(!text.contains("g-archived"));
    }

    /// A reader of XML as strict as it needs to be: tags are balanced, every `&` begins one of the
    /// five entities, and every character is one that XML 1.0 allows.
    fn check(text: &str) {
        let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(text.chars().all(allowed));
        let body = text.split_once("?>").unwrap().1;
        let mut open = Vec::new();
        for piece in body.split('<').skip(1) {
            let (tag, between) = piece.split_once('>').unwrap();
            assert!(!between.contains('>'), "{between}");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap());
            }
            assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
            for entity in piece.split('&').skip(1) {
                let name = entity.split(';').next().unwrap();
                assert!(
                    ["amp", "lt", "gt", "quot", "apos"].contains(&name),
                    "{entity}"
                );
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn it_is_xml_whatever_the_names_are() {
        for report in [sample::mixed(), sample::attacked()] {
            check(&sample::text(|out| write(&report, out)));
        }
        let text = sample::text(|out| write(&sample::attacked(), out));
        assert!(text.contains("\\x1b") && text.contains("\\u{fffe}") && text.contains("\\u{202e}"));
    }
}
