//! From what was found of a cell to what it is.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::cell::{
    Agent, AgentFacts, Beat, Cell, CellFacts, Code, Heartbeat, HeartbeatFact, Layout, Reason,
    Status,
};
use crate::model::condition::Condition;
use crate::model::snapshot::Gateway;
use crate::model::text::visible;
use crate::model::time::{Timestamp, human};
use crate::plan::{PlanSet, Who};

/// What heartbeats are held against.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How old a beat may be.
    pub stale_after: Duration,
    /// The plans, which may have limits of their own; `None` where none has.
    pub plans: Option<PlanSet>,
    /// True where `--stale-after` was given, against which no plan has a say.
    pub stale_after_is_final: bool,
    /// How far ahead of now a timestamp is still believed.
    pub clock_skew: Duration,
    /// How far a heartbeat's own `quiet_for` is believed.
    pub max_quiet: Duration,
    /// The missions root; for messages, which name the exact path that was read.
    pub root: String,
}

/// Judges one cell. The first rule that applies gives its status: `incomplete` (it lacks
/// something or could not be read), `uninitialized` (an agent without a usable heartbeat),
/// `stale` (an agent whose last beat is older than its limit), `healthy`.
#[must_use]
pub fn classify(facts: CellFacts, limits: &Limits, now: Timestamp) -> Cell {
    let mut reasons = Vec::new();
    let observed = facts.unreadable.is_none();
    if let Some(problem) = facts.unreadable {
        let message = format!("{}: {problem}", place(limits, &facts.id, ""));
        reasons.push(Reason::new(Code::Unreadable, message));
    }
    if !facts.missing.is_empty() {
        let names: Vec<_> = facts.missing.iter().map(|path| visible(path)).collect();
        let message = format!(
            "{} lacks required subdirectories, or they are no directories: {}",
            place(limits, &facts.id, ""),
            names.join(", ")
        );
        reasons.push(Reason::new(Code::MissingSubdir, message));
    }
    if let Some(problem) = facts.manifest_problem {
        let message = format!("{}: {problem}", place(limits, &facts.id, "cell.json"));
        reasons.push(Reason::new(Code::ManifestUnreadable, message));
    }
    let incomplete = !reasons.is_empty();

    let mut agents: Vec<Agent> = facts
        .agents
        .into_iter()
        .map(|agent| {
            let path = |beneath: &str| place(limits, &facts.id, beneath);
            let labels = facts.manifest.labels.as_deref();
            judge(agent, &facts.id, labels, &path, limits, now)
        })
        .collect();
    agents.sort_by(|a, b| a.name.cmp(&b.name));
    if observed && !incomplete && agents.is_empty() {
        let manifest = match facts.layout {
            Some(Layout::Canonical) => "cell.json",
            _ => "meta/mission.json",
        };
        reasons.push(Reason::new(
            Code::NoAgents,
            format!("{} names no agents", place(limits, &facts.id, manifest)),
        ));
    }

    let of_agents = agents
        .iter()
        .map(|a| a.status)
        .max()
        .unwrap_or(Status::Uninitialized);
    Cell {
        status: if incomplete {
            Status::Incomplete
        } else {
            of_agents
        },
        id: facts.id,
        layout: facts.layout,
        lifecycle: facts.manifest.lifecycle,
        labels: facts.manifest.labels,
        issue: facts.manifest.issue,
        observed,
        missing: facts.missing,
        reasons,
        agents,
        warnings: facts.warnings,
    }
}

/// Where a named agent beats, beneath its cell. (`main` of a foundation cell whose manifest names
/// none beats where the configuration says.)
#[must_use]
pub fn heartbeat_path(layout: Layout, agent: &str) -> String {
    match layout {
        Layout::Canonical => format!(".lazarus/heartbeats/{agent}.json"),
        Layout::Foundation => format!("state/heartbeats/{agent}.json"),
    }
}

/// The one agent of a foundation cell whose manifest names none.
pub const MAIN: &str = "main";

/// The path of something in a cell, for messages.
fn place(limits: &Limits, cell: &str, beneath: &str) -> String {
    let slash = if beneath.is_empty() { "" } else { "/" };
    format!(
        "{}/{}{slash}{}",
        visible(&limits.root),
        visible(cell),
        visible(beneath)
    )
}

impl Limits {
    /// How old someone's beat may be, and how far its own `quiet_for` is believed: the flag's word,
    /// the plan's, then the configured one.
    fn of(&self, who: &Who<'_>) -> (Duration, Duration) {
        let plan = self.plans.as_ref().and_then(|plans| plans.governing(who));
        let stale_after = plan
            .and_then(|plan| plan.stale_after)
            .filter(|_| !self.stale_after_is_final)
            .unwrap_or(self.stale_after);
        let max_quiet = plan.and_then(|plan| plan.max_quiet);
        (stale_after, max_quiet.unwrap_or(self.max_quiet))
    }

    /// True for a beat that is fresh whatever plan governs: nearly all of them, so that it pays not
    /// to look for one.
    fn surely_fresh(&self, age: Duration) -> bool {
        let least = self
            .plans
            .as_ref()
            .and_then(|plans| plans.least_stale_after());
        age <= least.map_or(self.stale_after, |least| least.min(self.stale_after))
    }
}

fn judge(
    facts: AgentFacts,
    cell: &str,
    labels: Option<&BTreeMap<String, String>>,
    path: &dyn Fn(&str) -> String,
    limits: &Limits,
    now: Timestamp,
) -> Agent {
    let name = facts.name.clone();
    let who = Who::Agent {
        cell,
        agent: Some(&name),
        labels,
    };
    let path = || path(&facts.path);
    let Judged {
        status,
        observed,
        beat,
        reasons,
    } = judge_one(&who, &name, facts.heartbeat, &path, limits, now);
    Agent {
        name: facts.name,
        status,
        observed,
        beat,
        reasons,
    }
}

/// Judges a gateway by its heartbeat alone; `None` where it has none, and so no evidence at all.
#[must_use]
pub fn gateway(
    name: &str,
    heartbeat: Option<(&str, HeartbeatFact)>,
    limits: &Limits,
    now: Timestamp,
) -> Gateway {
    let Some((path, fact)) = heartbeat else {
        return Gateway {
            name: name.to_owned(),
            condition: Condition::Unknown,
            observed: true,
            beat: None,
            reasons: vec![Reason::new(
                Code::NoHeartbeat,
                format!("{name} has no heartbeat configured, so that nothing tells how it is"),
            )],
        };
    };
    let shown = || visible(path).into_owned();
    let judged = judge_one(&Who::Gateway(name), name, fact, &shown, limits, now);
    Gateway {
        name: name.to_owned(),
        condition: match judged.status {
            Status::Healthy => Condition::Healthy,
            _ if !judged.observed => Condition::Unknown,
            _ => Condition::Dead,
        },
        observed: judged.observed,
        beat: judged.beat,
        reasons: judged.reasons,
    }
}

/// What follows from one heartbeat.
struct Judged {
    status: Status,
    observed: bool,
    beat: Option<Beat>,
    reasons: Vec<Reason>,
}

fn judge_one(
    who: &Who<'_>,
    name: &str,
    heartbeat: HeartbeatFact,
    path: &dyn Fn() -> String,
    limits: &Limits,
    now: Timestamp,
) -> Judged {
    let mut judged = Judged {
        status: Status::Uninitialized,
        observed: true,
        beat: None,
        reasons: Vec::new(),
    };
    match heartbeat {
        HeartbeatFact::Seen(heartbeat) => {
            judge_beat(&mut judged, (who, name), heartbeat, path, limits, now);
        }
        HeartbeatFact::Absent => {
            let message = format!("{} never beat: there is no {}", visible(name), path());
            judged.reasons.push(Reason::new(Code::NoHeartbeat, message));
        }
        HeartbeatFact::Unusable(code, problem) => {
            let message = format!("{}: {problem}", path());
            judged.reasons.push(Reason::new(code, message));
        }
        HeartbeatFact::Unreadable(problem) => {
            judged.observed = false;
            judged.status = Status::Incomplete;
            let message = format!("{}: it could not be read: {problem}", path());
            judged.reasons.push(Reason::new(Code::Unreadable, message));
        }
    }
    judged
}

fn judge_beat(
    judged: &mut Judged,
    (who, name): (&Who<'_>, &str),
    heartbeat: Heartbeat,
    path: &dyn Fn() -> String,
    limits: &Limits,
    now: Timestamp,
) {
    let mut last = heartbeat.claimed;
    if last > now.plus(limits.clock_skew) {
        // An agent with a broken clock must not look alive for ever.
        last = heartbeat.written;
        judged.reasons.push(Reason::new(
            Code::ClockSkew,
            skew_message(&heartbeat, path, limits, now),
        ));
    }
    let age = now.since(last).as_secs();
    let (stale_after, max_quiet) = if limits.surely_fresh(Duration::from_secs(age)) {
        (limits.stale_after, limits.max_quiet)
    } else {
        limits.of(who)
    };
    let quiet = heartbeat.quiet_for.min(max_quiet);
    let limit = stale_after.max(quiet);
    judged.status = Status::Healthy;
    if Duration::from_secs(age) > limit {
        judged.status = Status::Stale;
        let allowed = if quiet > stale_after {
            format!("{} s that its quiet_for allows", limit.as_secs())
        } else {
            format!("{} s", seconds(limit))
        };
        let message = format!(
            "{} last beat {age} s ago, more than {allowed} ({}: timestamp {last}, {} ago)",
            visible(name),
            path(),
            human(Duration::from_secs(age)),
        );
        judged.reasons.push(Reason::new(Code::Stale, message));
    }
    judged.beat = Some(Beat {
        last,
        age_seconds: age,
        stale_at: last.plus(limit),
        status: heartbeat.status,
        cycle: heartbeat.cycle,
        model: heartbeat.model,
        pid: heartbeat.pid,
    });
}

fn skew_message(
    heartbeat: &Heartbeat,
    path: &dyn Fn() -> String,
    limits: &Limits,
    now: Timestamp,
) -> String {
    let ahead = heartbeat.claimed.since(now);
    // A thousand times too large is the commonest of these mistakes, and easily told.
    let guess = heartbeat.claimed.as_micros() / 1000;
    let millis =
        guess.abs_diff(now.as_micros()) < Duration::from_secs(400 * 86400).as_micros() as u64;
    format!(
        "{}: timestamp lies {} ahead of now, more than clock_skew {}{}; the file was written {}, which counts instead",
        path(),
        human(ahead),
        human(limits.clock_skew),
        if millis {
            " (it looks like milliseconds)"
        } else {
            ""
        },
        heartbeat.written,
    )
}

/// Seconds with their fraction, if there is one.
fn seconds(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        duration.as_secs().to_string()
    } else {
        duration.as_secs_f64().to_string()
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
