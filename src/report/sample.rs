//! Hand-made reports for the tests of the formats.

use std::time::Duration;

use super::{Report, Run};
use crate::model::cell::{Agent, Beat, Cell, Code, Layout, Lifecycle, Reason, Status, Warning};
use crate::model::condition::Condition;
use crate::model::decision::{Decision, Verdict};
use crate::model::exit::Exit;
use crate::model::snapshot::{Cells, Snapshot, Summary};
use crate::model::time::Timestamp;

/// The moment at which the sample runs begin: 2026-11-21T10:26:52Z.
pub(super) const NOW: i64 = 1_795_256_812;

/// Every character that must never reach a terminal, and those that formats mean something by.
pub(super) fn hostile() -> String {
    let unsafe_ones = (0..0x1_0000u32)
        .filter_map(char::from_u32)
        .filter(|c| crate::model::text::is_unsafe(*c));
    let mut name: String = unsafe_ones.collect();
    name.push_str("<&>\"'|\\`$(x)]]>\u{fffe}\u{ffff}é");
    name
}

pub(super) fn agent(name: &str, status: Status) -> Agent {
    let last = Timestamp::from_secs(NOW - 412);
    let beats = matches!(status, Status::Healthy | Status::Stale);
    let reason = match status {
        Status::Healthy => None,
        Status::Stale => Some((Code::Stale, "last beat 412 s ago, more than 180 s")),
        Status::Uninitialized => Some((Code::NoHeartbeat, "there is no state/heartbeat.json")),
        Status::Incomplete => Some((Code::Unreadable, "could not be looked at")),
    };
    Agent {
        name: name.to_owned().into(),
        status,
        observed: status != Status::Incomplete,
        beat: beats.then(|| Beat {
            last,
            age_seconds: 412,
            stale_at: last,
            status: Some("thinking".into()),
            cycle: Some(42),
            model: None,
            pid: None,
        }),
        reasons: reason
            .map(|(code, text)| Reason::new(code, format!("{name}: {text}")))
            .into_iter()
            .collect(),
    }
}

pub(super) fn cell(id: &str, agents: Vec<Agent>) -> Cell {
    let worst = agents.iter().map(|a| a.status).max();
    Cell {
        id: id.into(),
        layout: Some(Layout::Foundation),
        lifecycle: Some(Lifecycle::Bootstrapped),
        labels: None,
        issue: None,
        status: worst.unwrap_or(Status::Incomplete),
        observed: true,
        missing: Vec::new(),
        reasons: Vec::new(),
        agents,
        warnings: Vec::new(),
    }
}

pub(super) fn decision(subject: &str, verdict: Verdict, why: &str) -> Decision {
    Decision {
        subject: subject.into(),
        condition: Condition::Stale,
        plan: None,
        policy: None,
        verdict,
        incident: Some("0199-1".into()),
        attempt: None,
        attempts: 0,
        down_since: Some(Timestamp::from_secs(NOW - 412)),
        next_attempt_at: None,
        because: vec![Reason::new(Code::NoPlan, why)],
        checks: Vec::new(),
        action: None,
        question: None,
    }
}

pub(super) fn report(cells: Vec<Cell>, decisions: Vec<Decision>) -> Report {
    let cells: Cells = cells.into_iter().collect();
    let worst = decisions.iter().map(|d| d.verdict.exit()).max();
    Report {
        summary: Summary::of(cells.iter()),
        snapshot: Snapshot::new(Timestamp::from_secs(NOW), "/var/missions", cells),
        exit: worst.unwrap_or(Exit::Healthy),
        decisions,
        actions: Vec::new(),
        totals: Default::default(),
        warnings: Vec::new(),
        run: Run {
            id: "0612-1a".into(),
            host: "host".into(),
            dry_run: false,
            started_at: Timestamp::from_secs(NOW),
            duration: Duration::from_millis(9),
            heartbeat_job: "lazarus_pit".into(),
            heartbeat_interval: Duration::from_secs(60),
        },
    }
}

/// One cell of each kind: healthy, stale, uninitialized without agents, incomplete, frozen,
/// unobserved, archived.
pub(super) fn mixed() -> Report {
    let mut empty = cell("c-empty", Vec::new());
    empty.status = Status::Uninitialized;
    empty.reasons = vec![Reason::new(Code::NoAgents, "cell.json names no agents")];
    let mut lacking = cell("d-lacking", vec![agent("main", Status::Healthy)]);
    lacking.status = Status::Incomplete;
    lacking.missing = vec!["logs".into()];
    lacking.reasons = vec![Reason::new(Code::MissingSubdir, "logs is missing")];
    let mut frozen = cell("e-frozen", vec![agent("main", Status::Stale)]);
    frozen.lifecycle = Some(Lifecycle::Frozen);
    let unseen = cell("f-unseen", vec![agent("main", Status::Incomplete)]);
    let mut archived = cell("g-archived", vec![agent("main", Status::Stale)]);
    archived.lifecycle = Some(Lifecycle::Archived);
    let two = vec![
        agent("main", Status::Stale),
        agent("scout", Status::Healthy),
    ];
    let mut mixed = report(
        vec![
            cell("a-well", vec![agent("main", Status::Healthy)]),
            cell("b-stale", two),
            empty,
            lacking,
            frozen,
            unseen,
            archived,
        ],
        vec![
            decision(
                "a-well/main",
                Verdict::Healthy,
                "it is healthy again after 5m",
            ),
            decision("b-stale/main", Verdict::Unplanned, "no plan governs it"),
            decision("c-empty", Verdict::Unplanned, "no plan governs it"),
            decision("d-lacking/main", Verdict::Unplanned, "no plan governs it"),
            decision("e-frozen/main", Verdict::Frozen, "the cell is frozen"),
            decision("f-unseen/main", Verdict::Unobserved, "permission denied"),
        ],
    );
    mixed.warnings = vec![Warning::about(
        "manifest_untrusted",
        "b-stale",
        "its manifest is ignored",
    )];
    mixed
}

/// A report in which every name and sentence is hostile.
pub(super) fn attacked() -> Report {
    let name = hostile();
    let mut bad = cell(&name, vec![agent(&name, Status::Stale)]);
    bad.lifecycle = Some(Lifecycle::Other(name.as_str().into()));
    let subject = format!("{name}/{name}");
    let mut attacked = report(
        vec![bad],
        vec![decision(&subject, Verdict::Unplanned, &name)],
    );
    attacked.warnings = vec![Warning::about("root_changed", name.clone(), name)];
    attacked
}

/// Runs a format into a text.
pub(super) fn text(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}
