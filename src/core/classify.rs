//! From what was found of a cell to what it is.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::cell::{
    Agent, AgentFacts, Beat, Cell, CellFacts, Code, Heartbeat, HeartbeatFact, Layout, Reason,
    Status,
};
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
            let of = Of {
                cell: &facts.id,
                labels: facts.manifest.labels.as_deref(),
            };
            judge(agent, of, limits, now)
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

/// Whose agent it is.
#[derive(Clone, Copy)]
struct Of<'a> {
    cell: &'a str,
    labels: Option<&'a BTreeMap<String, String>>,
}

impl Limits {
    /// How old the beat of one agent may be, and how far its own `quiet_for` is believed: the flag's
    /// word, the plan's, then the configured one.
    fn of(&self, agent: &str, of: Of<'_>) -> (Duration, Duration) {
        let who = Who::Agent {
            cell: of.cell,
            agent: Some(agent),
            labels: of.labels,
        };
        let plan = self.plans.as_ref().and_then(|plans| plans.governing(&who));
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

fn judge(facts: AgentFacts, of: Of<'_>, limits: &Limits, now: Timestamp) -> Agent {
    let path = || place(limits, of.cell, &facts.path);
    let mut agent = Agent {
        name: facts.name,
        status: Status::Uninitialized,
        observed: true,
        beat: None,
        reasons: Vec::new(),
    };
    match facts.heartbeat {
        HeartbeatFact::Seen(heartbeat) => judge_beat(&mut agent, heartbeat, &path, of, limits, now),
        HeartbeatFact::Absent => {
            let message = format!(
                "{} never beat: there is no {}",
                visible(&agent.name),
                path()
            );
            agent.reasons.push(Reason::new(Code::NoHeartbeat, message));
        }
        HeartbeatFact::Unusable(code, problem) => {
            agent
                .reasons
                .push(Reason::new(code, format!("{}: {problem}", path())));
        }
        HeartbeatFact::Unreadable(problem) => {
            agent.observed = false;
            agent.status = Status::Incomplete;
            let message = format!("{}: it could not be read: {problem}", path());
            agent.reasons.push(Reason::new(Code::Unreadable, message));
        }
    }
    agent
}

fn judge_beat(
    agent: &mut Agent,
    heartbeat: Heartbeat,
    path: &dyn Fn() -> String,
    of: Of<'_>,
    limits: &Limits,
    now: Timestamp,
) {
    let mut last = heartbeat.claimed;
    if last > now.plus(limits.clock_skew) {
        // An agent with a broken clock must not look alive for ever.
        last = heartbeat.written;
        agent.reasons.push(Reason::new(
            Code::ClockSkew,
            skew_message(&heartbeat, path, limits, now),
        ));
    }
    let age = now.since(last).as_secs();
    let (stale_after, max_quiet) = if limits.surely_fresh(Duration::from_secs(age)) {
        (limits.stale_after, limits.max_quiet)
    } else {
        limits.of(&agent.name, of)
    };
    let quiet = heartbeat.quiet_for.min(max_quiet);
    let limit = stale_after.max(quiet);
    agent.status = Status::Healthy;
    if Duration::from_secs(age) > limit {
        agent.status = Status::Stale;
        let allowed = if quiet > stale_after {
            format!("{} s that its quiet_for allows", limit.as_secs())
        } else {
            format!("{} s", seconds(limit))
        };
        let message = format!(
            "{} last beat {age} s ago, more than {allowed} ({}: timestamp {last}, {} ago)",
            visible(&agent.name),
            path(),
            human(Duration::from_secs(age)),
        );
        agent.reasons.push(Reason::new(Code::Stale, message));
    }
    agent.beat = Some(Beat {
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::cell::Manifest;

    fn limits() -> Limits {
        Limits {
            stale_after: Duration::from_secs(180),
            plans: None,
            stale_after_is_final: false,
            clock_skew: Duration::from_secs(300),
            max_quiet: Duration::from_secs(1800),
            root: "/missions".into(),
        }
    }

    fn beat(claimed: f64, written: f64, quiet: u64) -> HeartbeatFact {
        HeartbeatFact::Seen(Heartbeat {
            claimed: Timestamp::from_f64(claimed).unwrap(),
            written: Timestamp::from_f64(written).unwrap(),
            quiet_for: Duration::from_secs(quiet),
            status: None,
            cycle: None,
            model: None,
            pid: None,
        })
    }

    fn cell(beats: Vec<HeartbeatFact>) -> CellFacts {
        CellFacts {
            id: "c".into(),
            layout: Some(Layout::Foundation),
            unreadable: None,
            missing: Vec::new(),
            manifest_problem: None,
            manifest: Manifest::default(),
            agents: beats
                .into_iter()
                .enumerate()
                .map(|(i, heartbeat)| AgentFacts {
                    name: format!("a{i}").into(),
                    path: format!("state/heartbeats/a{i}.json").into(),
                    heartbeat,
                })
                .collect(),
            warnings: Vec::new(),
        }
    }

    fn one(heartbeat: HeartbeatFact) -> Agent {
        classify(
            cell(vec![heartbeat]),
            &limits(),
            Timestamp::from_secs(10_000),
        )
        .agents
        .remove(0)
    }

    #[test]
    fn an_age_is_truncated_and_compared_as_whole_seconds() {
        for (age, status) in [
            (0.0, Status::Healthy),
            (180.0, Status::Healthy),
            (180.9, Status::Healthy),
            (181.0, Status::Stale),
        ] {
            let agent = one(beat(10_000.0 - age, 0.0, 0));
            assert_eq!(
                (
                    agent.status,
                    agent.beat.as_ref().map_or(0, |b| b.age_seconds)
                ),
                (status, age as u64),
                "{age}"
            );
        }
    }

    #[test]
    fn quiet_for_extends_the_limit_up_to_max_quiet() {
        assert_eq!(one(beat(9000.0, 0.0, 1000)).status, Status::Healthy);
        assert_eq!(one(beat(9000.0, 0.0, 999)).status, Status::Stale);
        assert_eq!(one(beat(8200.0, 0.0, u64::MAX)).status, Status::Healthy);
        assert_eq!(one(beat(8199.0, 0.0, u64::MAX)).status, Status::Stale);
    }

    #[test]
    fn a_clock_far_ahead_is_not_believed() {
        let near = one(beat(10_300.0, 0.0, 0));
        assert_eq!(
            (near.status, near.beat.unwrap().age_seconds),
            (Status::Healthy, 0)
        );
        let far = one(beat(10_301.0, 9900.0, 0));
        assert_eq!(
            (far.status, far.beat.as_ref().unwrap().age_seconds),
            (Status::Healthy, 100)
        );
        assert_eq!(far.reasons[0].code, Code::ClockSkew);
        let dead = one(beat(1e300, 9000.0, 0));
        assert_eq!(dead.status, Status::Stale);
        assert_eq!(
            dead.reasons.iter().map(|r| r.code).collect::<Vec<_>>(),
            [Code::ClockSkew, Code::Stale]
        );
    }

    #[test]
    fn the_worst_agent_gives_the_status_and_a_missing_directory_outweighs_all() {
        let now = Timestamp::from_secs(10_000);
        let mixed = || {
            cell(vec![
                beat(9999.0, 0.0, 0),
                beat(1.0, 0.0, 0),
                HeartbeatFact::Absent,
            ])
        };
        assert_eq!(
            classify(mixed(), &limits(), now).status,
            Status::Uninitialized
        );
        let mut torn = mixed();
        torn.missing.push("logs".into());
        let judged = classify(torn, &limits(), now);
        assert_eq!(judged.status, Status::Incomplete);
        // Each agent keeps its own.
        assert_eq!(
            judged.agents.iter().map(|a| a.status).collect::<Vec<_>>(),
            [Status::Healthy, Status::Stale, Status::Uninitialized]
        );
        let none = classify(cell(Vec::new()), &limits(), now);
        assert_eq!(
            (none.status, none.reasons[0].code),
            (Status::Uninitialized, Code::NoAgents)
        );
    }

    #[test]
    fn what_could_not_be_looked_at_is_said_so() {
        let agent = one(HeartbeatFact::Unreadable(
            "state/heartbeat.json: EIO".into(),
        ));
        assert_eq!((agent.status, agent.observed), (Status::Incomplete, false));
    }

    fn any_beat() -> impl Strategy<Value = HeartbeatFact> {
        prop_oneof![
            (-1e12..1e12f64, -1e12..1e12f64, any::<u64>()).prop_map(|(c, w, q)| beat(c, w, q)),
            (0.0..20_000f64, 0.0..20_000f64, 0..4000u64).prop_map(|(c, w, q)| beat(c, w, q)),
            Just(HeartbeatFact::Absent),
            Just(HeartbeatFact::Unusable(Code::TimestampMissing, "x".into())),
            Just(HeartbeatFact::Unreadable("x".into())),
        ]
    }

    proptest! {
        #[test]
        fn every_status_but_healthy_has_a_reason(
            beats in proptest::collection::vec(any_beat(), 0..5), now in 0i64..20_000, missing in any::<bool>(),
        ) {
            let mut facts = cell(beats);
            if missing { facts.missing.push("meta".into()); }
            let judged = classify(facts, &limits(), Timestamp::from_secs(now));
            prop_assert!(judged.status == Status::Healthy || judged.all_reasons().next().is_some());
            for agent in &judged.agents {
                prop_assert!(agent.status == Status::Healthy || !agent.reasons.is_empty());
                prop_assert!(agent.status == Status::Uninitialized || !agent.observed || agent.beat.is_some());
            }
        }

        #[test]
        fn a_later_beat_never_makes_it_worse(age in 0f64..5000.0, younger in 0f64..1.0, quiet in 0u64..3000) {
            let old = one(beat(10_000.0 - age, 0.0, quiet));
            let new = one(beat(10_000.0 - age * younger, 0.0, quiet));
            prop_assert!(new.status <= old.status);
        }
    }
}
