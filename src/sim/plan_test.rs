//! A plan's own tests: a situation is made, and the one decision is asked about it.

use std::time::Duration;

use serde::Serialize;

use super::world::{Being, World};
use crate::core::decide::decide;
use crate::core::rules::Rules;
use crate::core::view::{GATEWAY, as_a_whole};
use crate::model::action::{AttemptResult, Ended};
use crate::model::condition::Condition;
use crate::model::decision::{Decision, Verdict};
use crate::model::state::{
    Answer, AnswerKind, Approval, Attempt, Incident, LastRun, Pause, State, SubjectState, Traits,
};
use crate::model::time::{Timestamp, exact, millis};
use crate::plan::types::{Expect, Given, Limits, NeedKind, Test};
use crate::plan::{Plan, Who};

/// What one test came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The plan that it stands with.
    pub plan: String,
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub file: String,
    /// The line.
    pub line: u32,
    /// True where all was as expected.
    pub passed: bool,
    /// What was not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What led to the verdict.
    pub because: Vec<String>,
}

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What.
    pub what: &'static str,
    /// As the test has it.
    pub expected: String,
    /// As it is.
    pub found: String,
}

/// Puts all plans' tests to the decision, in the order in which they are written. All plans are
/// there, so that it counts which of them governs.
#[must_use]
pub fn run(rules: &Rules<'_>) -> Vec<Outcome> {
    let plans = rules.plans.plans().iter();
    let tests = plans.flat_map(|plan| plan.tests.iter().map(move |test| (plan, test)));
    tests
        .map(|(plan, test)| outcome(plan, test, rules))
        .collect()
}

fn outcome(plan: &Plan, test: &Test, rules: &Rules<'_>) -> Outcome {
    let situation = Situation::new(&test.given, rules);
    let Situation {
        mut world,
        state,
        now,
    } = situation;
    let snapshot = world.snapshot(now);
    let mut decisions = decide(&snapshot, rules, &state, now);
    let at = decisions
        .list
        .iter()
        .position(|d| d.subject == test.given.subject);
    let decision = at.map(|at| decisions.list.swap_remove(at));
    let differences = compare(&test.expect, decision.as_ref(), now, &test.given, rules);
    Outcome {
        plan: plan.name.clone(),
        name: test.name.clone(),
        file: test.source.file.clone(),
        line: test.source.line,
        passed: differences.is_empty(),
        differences,
        because: because(decision.as_ref()),
    }
}

fn because(decision: Option<&Decision>) -> Vec<String> {
    match decision {
        Some(decision) => decision.because.iter().map(|r| r.message.clone()).collect(),
        None => vec!["it is healthy".to_owned()],
    }
}

fn compare(
    expect: &Expect,
    decision: Option<&Decision>,
    now: Timestamp,
    given: &Given,
    rules: &Rules<'_>,
) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut hold = |what, expected: Option<String>, found: String| {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            all.push(Difference {
                what,
                expected,
                found,
            });
        }
    };
    let none = || "none".to_owned();
    let verdict = decision.map_or(Verdict::Healthy, |d| d.verdict);
    let wanted = expect.verdict.map(|v| v.as_str().to_owned());
    hold("verdict", wanted, verdict.as_str().to_owned());
    let steps = decision.and_then(|d| d.action.as_ref()).map(|a| &a.steps);
    let count = steps.map_or(0, Vec::len);
    hold(
        "steps",
        expect.steps.map(|n| n.to_string()),
        count.to_string(),
    );
    let first = steps.and_then(|steps| steps.first()?.command());
    let found = first.map_or_else(none, words);
    hold("command", expect.command.as_deref().map(words), found);
    // Of a healthy subject nothing is decided; its plan is there all the same.
    let governing = governing(given, rules).map(|plan| plan.name.clone());
    hold("plan", expect.plan.clone(), governing.unwrap_or_else(none));
    let next = decision.and_then(|d| d.next_attempt_at);
    let next = next.map_or_else(none, |at| exact(at.since(now)));
    hold("next_in", expect.next_in.map(exact), next);
    let codes: Vec<&str> = decision
        .map(|d| d.because.iter().map(|r| r.code.as_str()).collect())
        .unwrap_or_default();
    if let Some(code) = expect
        .because
        .as_deref()
        .filter(|code| !codes.contains(code))
    {
        let found = if codes.is_empty() {
            none()
        } else {
            codes.join(", ")
        };
        hold("because", Some(code.to_owned()), found);
    }
    all
}

fn words(command: &[String]) -> String {
    serde_json::to_string(command).unwrap_or_default()
}

fn who<'g>(given: &'g Given) -> Who<'g> {
    match given.subject.strip_prefix(GATEWAY) {
        Some(gateway) => Who::Gateway(gateway),
        None => {
            let (cell, agent) = match given.subject.split_once('/') {
                Some((cell, agent)) => (cell, Some(agent)),
                None => (given.subject.as_str(), None),
            };
            Who::Agent {
                cell,
                agent,
                labels: Some(&given.labels),
            }
        }
    }
}

fn governing<'r>(given: &Given, rules: &Rules<'r>) -> Option<&'r Plan> {
    rules.plans.governing(&who(given))
}

/// A quiet world in which a run is made every minute, but for what the test gives.
struct Situation {
    world: World,
    state: State,
    now: Timestamp,
}

const STALE_AFTER: Duration = Duration::from_secs(180);
const MINUTE: Duration = Duration::from_secs(60);
const BY: &str = "operator:test";
const INCIDENT: &str = "test";

impl Situation {
    fn new(given: &Given, rules: &Rules<'_>) -> Self {
        // 2026-01-05T12:00:00Z, a Monday.
        let now = given.now.unwrap_or(Timestamp::from_secs(1_767_614_400));
        let plan = governing(given, rules);
        let mut situation = Self {
            world: World::new(STALE_AFTER),
            state: State::default(),
            now,
        };
        situation.others(given, plan);
        situation.subject(given);
        situation.remember(given, plan);
        situation.state.last_run = Some(LastRun {
            id: "test".to_owned(),
            at: now.minus(MINUTE),
            exit: 0,
            duration_ms: 0,
            boot_id: String::new(),
            root: situation.world.root.clone(),
            cells: 1,
            reboot: None,
        });
        situation
    }

    /// What it needs is there and healthy; whom the test has down is not.
    fn others(&mut self, given: &Given, plan: Option<&Plan>) {
        for need in plan.iter().flat_map(|plan| &plan.needs) {
            let name = match &need.kind {
                NeedKind::Gateway(name) => format!("{GATEWAY}{name}"),
                NeedKind::Named(name) if name.contains('/') => name.clone(),
                NeedKind::Named(cell) => format!("{cell}/main"),
                NeedKind::Glob(_) => continue,
            };
            self.world
                .set(name, Being::new(Condition::Healthy, self.now));
        }
        let since = self.now.minus(given.down_for);
        for name in &given.down {
            let (name, condition) = match (name.starts_with(GATEWAY), name.contains('/')) {
                (true, _) => (name.clone(), Condition::Dead),
                (false, true) => (name.clone(), Condition::Stale),
                (false, false) => (format!("{name}/main"), Condition::Stale),
            };
            self.world.set(name, Being::new(condition, since));
        }
    }

    fn subject(&mut self, given: &Given) {
        let since = self.now.minus(given.down_for);
        let being = Being {
            // A healthy one has just beaten.
            beat: (given.status == Condition::Healthy).then_some(self.now),
            labels: given.labels.clone(),
            frozen: given.frozen,
            report: given.report.clone(),
            ended: self.end(given),
            ..Being::new(given.status, since)
        };
        self.world.set(given.subject.clone(), being);
    }

    fn end(&self, given: &Given) -> Option<Ended> {
        (given.status == Condition::Exited).then_some(Ended {
            exit_code: given.exit_code,
            signal: None,
            at: self.now.minus(given.down_for),
        })
    }

    /// What earlier runs have left.
    fn remember(&mut self, given: &Given, plan: Option<&Plan>) {
        let since = self.now.minus(given.down_for);
        let down = given.status != Condition::Healthy;
        let earlier = given.down_for >= MINUTE || given.attempts > 0 || given.answer.is_some();
        if down && earlier {
            let traits = Traits {
                labels: given.labels.clone(),
                frozen: given.frozen,
                report: given.report.clone(),
                ended: self.end(given),
            };
            let entry = SubjectState {
                // As an earlier run has seen it, or it would have changed just now.
                status: as_a_whole(given.status, plan),
                since,
                unseen: false,
                before: Vec::new(),
                reasons: Vec::new(),
                traits,
                incident: Some(Incident {
                    id: INCIDENT.to_owned(),
                    opened_at: since,
                    down_since: since,
                    attempts: given.attempts,
                    exhausted: false,
                }),
            };
            self.state.subjects.insert(given.subject.clone(), entry);
        }
        let memory = self.state.memory.entry(given.subject.clone()).or_default();
        memory.pause = given.paused.then(|| Pause {
            reason: "the test says so".to_owned(),
            by: BY.to_owned(),
            since,
            until: None,
        });
        if let Some(plan) = plan {
            memory.attempts = attempts(given, plan, self.now);
            memory.approval = given.answer.map(|kind| asked(given, plan, kind, self.now));
        }
        if memory.is_empty() {
            self.state.memory.remove(&given.subject);
        }
    }
}

/// The attempts of the incident. The last one as long ago as the test says, or else so long ago
/// that nothing of it stands in the way; all of them in the window, if that is long enough.
fn attempts(given: &Given, plan: &Plan, now: Timestamp) -> Vec<Attempt> {
    let n = given.attempts;
    let within = plan.limits.within;
    let second = Duration::from_secs(1);
    let quiet = longest(&plan.limits, n).max(plan.verify_within) + second;
    let last = match given.last_attempt {
        Some(last) => last,
        None if quiet < within || n < plan.limits.attempts => quiet,
        None => within / 2,
    };
    let step = within.saturating_sub(last) / (n + 1);
    let ago = |number: u32| last + step * (n - number);
    (1..=n)
        .map(|number| {
            let at = now.minus(ago(number));
            Attempt {
                number,
                incident: INCIDENT.to_owned(),
                r#ref: format!("test-{number}"),
                plan: plan.name.clone(),
                plan_hash: plan.hash.clone(),
                at,
                ended: Some(at),
                result: Some(AttemptResult::Ok),
                verify_until: Some(at.plus(plan.verify_within)),
                verify_ms: millis(plan.verify_within),
                window_ms: millis(within),
                canary: false,
                spawn_at: None,
                steps: 0,
                approval: None,
                steps_over: 0,
            }
        })
        .collect()
}

/// The longest that backoff can last after the n-th attempt.
fn longest(limits: &Limits, n: u32) -> Duration {
    let backoff = &limits.backoff;
    let power = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = backoff.initial.as_secs_f64() * backoff.factor.powi(power);
    let most = grown.min(backoff.max.as_secs_f64()) * (1.0 + backoff.jitter);
    Duration::try_from_secs_f64(most).unwrap_or(backoff.max)
}

fn asked(given: &Given, plan: &Plan, kind: AnswerKind, now: Timestamp) -> Approval {
    let expires = plan.approval.expires;
    let asked_at = match kind {
        AnswerKind::Expired => now.minus(expires + Duration::from_secs(1)),
        _ => now.minus(MINUTE.min(expires / 2)),
    };
    Approval {
        incident: INCIDENT.to_owned(),
        attempt: given.attempts + 1,
        plan: plan.name.clone(),
        plan_hash: plan.hash.clone(),
        code: "test".to_owned(),
        asked_at,
        expires_at: asked_at.plus(expires),
        ask_again_ms: millis(plan.approval.ask_again),
        answer: Some(Answer {
            kind,
            by: BY.to_owned(),
            at: now,
            until: None,
        }),
        channels: Vec::new(),
    }
}

/// One test for people: its name, and what is not as expected.
#[must_use]
pub fn describe(outcome: &Outcome) -> Vec<String> {
    let mut lines = vec![format!(
        "{}:{}: {}: {}",
        outcome.file, outcome.line, outcome.plan, outcome.name
    )];
    for difference in &outcome.differences {
        lines.push(format!(
            "    expected {} {}, got {}",
            difference.what, difference.expected, difference.found
        ));
    }
    lines.extend(
        outcome
            .because
            .iter()
            .map(|message| format!("      because {message}")),
    );
    lines
}
