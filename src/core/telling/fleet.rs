//! What a channel is told of the fleet as a whole: that nobody is revived, and that this is over.

use std::collections::BTreeSet;

use super::text::{held_names, moment};
use super::{Draft, Telling, told};
use crate::model::channel::{Message, Occasion};
use crate::model::decision::{Decision, Verdict};
use crate::model::post::{Marked, Marks};
use crate::model::state::State;
use crate::model::text::visible;

/// The incident under which it is remembered that a hold was told.
const HOLD: &str = "hold";

pub(super) fn drafts(telling: &Telling<'_>, state: &State, channel: &str) -> Vec<Draft> {
    let held: Vec<&Decision> = telling
        .decisions
        .list
        .iter()
        .filter(|decision| decision.verdict == Verdict::Held)
        .collect();
    let before = told(state, "", HOLD, channel).filter(|marks| !marks.over);
    let mut marks = before.cloned().unwrap_or_default();
    let message = match (before, held.is_empty()) {
        (None, false) if concerns(telling, &held, channel) => {
            marks = Marks {
                down: 1,
                down_at: Some(telling.now),
                ..Marks::default()
            };
            hold(telling, &held)
        }
        // A run over some of the cells cannot tell.
        (Some(_), true) if telling.snapshot.full => {
            marks.over = true;
            release(telling, state)
        }
        _ => return Vec::new(),
    };
    vec![Draft {
        channel: channel.to_owned(),
        marked: Marked {
            subject: String::new(),
            incident: HOLD.to_owned(),
            marks,
        },
        message: Some(message),
    }]
}

/// True where one of those that are held is told of on this channel.
fn concerns(telling: &Telling<'_>, held: &[&Decision], channel: &str) -> bool {
    let names: BTreeSet<&str> = held.iter().filter_map(|d| d.plan.as_deref()).collect();
    let plans = telling.plans.plans().iter();
    let mut plans = plans.filter(|plan| names.contains(plan.name.as_str()));
    plans.any(|plan| plan.notify.channels.iter().any(|c| c == channel))
}

fn hold(telling: &Telling<'_>, held: &[&Decision]) -> Message {
    let count = held.len();
    let first = held.iter().filter_map(|d| d.down_since).min();
    let names: Vec<&str> = held.iter().map(|d| d.subject.as_str()).collect();
    let why = held.first().and_then(|d| d.because.last());
    let mut lines = vec![format!(
        "What: {count} subjects are down: {}",
        held_names(&names)
    )];
    lines.extend(first.map(|at| format!("Since: {}", moment(at))));
    lines.push(format!("Host: {}", visible(telling.host)));
    lines.extend(why.map(|why| format!("Why: {}", visible(&why.message))));
    lines.push("Next: nobody is revived while this holds, but for one at a time to see whether it helps; `lazarus-pit check --force` releases it".to_owned());
    lines.extend(names.first().map(|name| {
        format!(
            "Look closer: lazarus-pit explain {}",
            super::text::argument(name)
        )
    }));
    message(
        telling,
        Occasion::Held,
        format!("{count} subjects are down and held"),
        lines,
    )
}

fn release(telling: &Telling<'_>, state: &State) -> Message {
    let down = state.subjects.values().filter(|s| s.incident.is_some());
    let lines = vec![
        "What: the hold is over".to_owned(),
        format!("Since: {}", moment(telling.now)),
        format!("Host: {}", visible(telling.host)),
        format!(
            "Next: those that are down ({}) are revived as their plans say",
            down.count()
        ),
        "Look closer: lazarus-pit status".to_owned(),
    ];
    message(
        telling,
        Occasion::Released,
        "the hold is over".to_owned(),
        lines,
    )
}

fn message(
    telling: &Telling<'_>,
    occasion: Occasion,
    title: String,
    lines: Vec<String>,
) -> Message {
    Message {
        id: String::new(),
        occasion,
        at: telling.now,
        host: telling.host.to_owned(),
        subject: None,
        incident: None,
        attempt: None,
        plan: None,
        title,
        text: lines.join("\n"),
        question: None,
        issue: None,
        earlier: None,
        last: false,
    }
}
