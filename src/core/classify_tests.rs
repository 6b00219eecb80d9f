//! Cells and heartbeats of every kind, classified.

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
