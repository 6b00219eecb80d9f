//! The explanation for people: the answer first, then what it rests on.

use std::io::{self, Write};

use super::document::{Document, Explained, Outcome, PlanWord};
use super::next;
use crate::cli::remembered;
use crate::model::condition::Condition;
use crate::model::decision::Verdict;
use crate::model::exit::Exit;
use crate::model::probe::{Piece, Standing};
use crate::model::text::{shortened, visible};
use crate::model::time::{Timestamp, human};
use crate::report::human::moment;
use crate::report::table::{self, Field};

/// At most so many plans that were passed over are shown; the JSON has them all.
const MOST_PLANS: usize = 20;

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(document: &Document<'_>, out: &mut dyn Write, color: bool) -> io::Result<()> {
    for (at, subject) in document.subjects.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        one(subject, document.looked_at, out, color)?;
    }
    Ok(())
}

fn one(it: &Explained<'_>, now: Timestamp, out: &mut dyn Write, color: bool) -> io::Result<()> {
    let exit = it.verdict.exit();
    let sgr = match exit {
        _ if !color => None,
        Exit::Healthy => Some("32"),
        Exit::InHand => Some("33"),
        _ => Some("31"),
    };
    let name = visible(&it.subject);
    match sgr {
        Some(sgr) => write!(out, "\x1b[{sgr}m{name}\x1b[0m")?,
        None => write!(out, "{name}")?,
    }
    writeln!(out, ": {}", next::answer(it.verdict))?;
    line(out, "", "what it is", &condition(it))?;
    for piece in it.asked {
        line(out, "", "  evidence", &evidence(piece))?;
    }
    if let Some(incident) = &it.incident {
        let down = format!(
            "for {}, since {}",
            human(now.since(incident.down_since)),
            moment(incident.down_since)
        );
        line(out, "", "down", &down)?;
        line(out, "", "incident", &about_incident(it))?;
    }
    line(out, "", "verdict", &verdict(it))?;
    line(out, "", "next", &it.next)?;
    for step in &it.steps {
        let command = step.command.as_ref().map(|c| c.join(" "));
        let text = format!("{} {}", step.kind, command.unwrap_or_default());
        line(out, "", "  step", text.trim_end())?;
    }
    attempts(it, now, out)?;
    plans(it, out)?;
    rules(it, out)
}

fn line(out: &mut dyn Write, indent: &str, word: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {indent}{word:<11} {}", visible(text))
}

/// One piece of evidence: what it counts as, and what came back.
fn evidence(piece: &Piece) -> String {
    let word = match piece.counts_as {
        Standing::Good => "good",
        Standing::Bad => "bad",
        Standing::Unknown => "not known",
    };
    let took = match piece.kind {
        "heartbeat" => String::new(),
        _ => format!(" [{} ms]", piece.duration_ms),
    };
    format!("{word}: {}{took}", shortened(&piece.message, 300))
}

/// What it is, and by what that is known.
fn condition(it: &Explained<'_>) -> String {
    let is = match it.observed {
        true => it.status.as_str(),
        false => "not known: it could not be looked at",
    };
    let mut why: Vec<&str> = it.evidence.iter().map(|r| r.message.as_str()).collect();
    let exited = it
        .because
        .iter()
        .find(|r| r.code == crate::model::cell::Code::Exited);
    why.extend(exited.map(|r| r.message.as_str()));
    if !why.is_empty() {
        return format!("{is}: {}", shortened(&why.join("; "), 600));
    }
    match &it.last_beat {
        Some(beat) if it.status == Condition::Healthy => format!(
            "{is}: last beat {} s ago; stale from {} on",
            beat.age_seconds,
            moment(beat.stale_at)
        ),
        _ => is.to_owned(),
    }
}

fn about_incident(it: &Explained<'_>) -> String {
    let Some(incident) = &it.incident else {
        return String::new();
    };
    let Some(opened) = incident.opened_at else {
        return "none yet: the next run opens one".into();
    };
    let attempts = match incident.attempts {
        0 => "no attempt so far".to_owned(),
        1 => "1 attempt so far".to_owned(),
        n => format!("{n} attempts so far"),
    };
    format!("{}, opened {}, {attempts}", incident.id, moment(opened))
}

/// The verdict, and the reasons that led to it.
fn verdict(it: &Explained<'_>) -> String {
    let said = it.rules.iter().rev().find(|rule| rule.applies);
    let said = said.map_or("", |rule| rule.message.as_str());
    format!(
        "{}: {} (exit {})",
        it.verdict.as_str(),
        shortened(said, 600),
        it.exit
    )
}

fn attempts(it: &Explained<'_>, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    if let Some(limits) = &it.limits {
        let text = format!(
            "{} of at most {} within {}",
            limits.used,
            limits.attempts,
            human(std::time::Duration::from_secs(limits.within_seconds))
        );
        line(out, "", "attempts", &text)?;
    }
    let Some(memory) = it.memory else {
        return Ok(());
    };
    // The last few; the JSON has them all.
    let from = memory.attempts.len().saturating_sub(5);
    for attempt in &memory.attempts[from..] {
        line(out, "", "", &remembered::attempt(attempt, now))?;
    }
    if let Some(asked) = &memory.approval {
        line(out, "", "approval", &remembered::approval(asked, now))?;
    }
    if let Some(pause) = it.pause.filter(|_| it.verdict != Verdict::Paused) {
        line(out, "", "pause", &remembered::pause(pause))?;
    }
    Ok(())
}

fn plans(it: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  plans, in order; the first that matches governs:")?;
    if it.plans.is_empty() {
        return writeln!(out, "    there are none");
    }
    let mut passed = 0;
    let shown: Vec<&PlanWord<'_>> = it
        .plans
        .iter()
        .filter(|plan| {
            let other = plan.outcome != Outcome::Governs;
            passed += usize::from(other);
            !other || passed <= MOST_PLANS
        })
        .collect();
    table::write(out, || shown.iter().map(|plan| plan_line(it, plan)))?;
    match passed.saturating_sub(MOST_PLANS) {
        0 => Ok(()),
        more => writeln!(out, "    … and {more} more that do not govern it"),
    }
}

fn plan_line(it: &Explained<'_>, plan: &PlanWord<'_>) -> [Field; 4] {
    let key = match (&plan.key, &plan.wanted, &plan.found) {
        (Some(key), Some(wanted), Some(found)) => {
            format!("match.{key} wants {wanted}, and there is {found}")
        }
        _ => String::new(),
    };
    let (mark, what) = match plan.outcome {
        Outcome::Governs => {
            let policy = it.policy.map_or("", |policy| policy.as_str());
            ("  →", format!("governs, policy {policy}"))
        }
        Outcome::PassedOver => ("   ", format!("passed over: {key}")),
        Outcome::NotReached if key.is_empty() => {
            ("   ", "not reached, although it matches".to_owned())
        }
        Outcome::NotReached => ("   ", format!("not reached; {key}")),
    };
    [
        Field::plain(mark),
        Field::plain(plan.name),
        Field::plain(&format!("{}:{}", plan.file, plan.line)),
        Field::plain(&shortened(&what, 200)),
    ]
}

fn rules(it: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "  rules, in order; the first that applies is the verdict:"
    )?;
    table::write(out, || {
        it.rules.iter().map(|rule| {
            let mark = if rule.applies { "  →" } else { "   " };
            let no = if rule.applies { "yes" } else { "no" };
            [
                Field::plain(mark),
                Field::plain(rule.rule.as_str()),
                Field::plain(no),
                Field::plain(&shortened(&rule.message, 600)),
            ]
        })
    })
}
