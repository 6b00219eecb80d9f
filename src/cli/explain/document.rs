//! What `explain` has to say, gathered in one place: both forms are written from it.

use serde::Serialize;

use crate::core::budget;
use crate::core::decide::{cell_of, subjects};
use crate::core::view::View;
use crate::model::cell::{Code, Reason, Warning};
use crate::model::condition::Condition;
use crate::model::decision::{Check, Decision, Policy, Verdict};
use crate::model::probe::Piece;
use crate::model::state::{Attempt, Memory, Pause};
use crate::model::time::{Timestamp, human};
use crate::pipeline::Considered;
use crate::plan::set::mismatch;
use crate::plan::{Plan, PlanSet};

use super::next;
use crate::cli::remembered::{ApprovalDocument, AttemptDocument, lasts};

/// The schema that the document names.
pub(super) const SCHEMA: &str = "lazarus-pit/explain/1";

/// The document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) schema: &'static str,
    pub(super) missions_root: String,
    pub(super) looked_at: Timestamp,
    /// Why nobody at all is revived now.
    pub(super) hold: Option<&'a Reason>,
    /// Whether many subjects are down together.
    pub(super) mass_failure: bool,
    pub(super) subjects: Vec<Explained<'a>>,
    pub(super) warnings: &'a [Warning],
}

/// One subject.
#[derive(Serialize)]
pub(super) struct Explained<'a> {
    pub(super) subject: String,
    pub(super) status: Condition,
    pub(super) observed: bool,
    /// What was seen of it.
    pub(super) evidence: Vec<Reason>,
    /// Each piece of evidence, where more than the heartbeat was asked.
    pub(super) asked: &'a [Piece],
    pub(super) last_beat: Option<LastBeat<'a>>,
    pub(super) incident: Option<IncidentDocument>,
    pub(super) plans: Vec<PlanWord<'a>>,
    pub(super) plan: Option<&'a str>,
    pub(super) policy: Option<Policy>,
    /// Each rule in order, up to the one that applies.
    pub(super) rules: Vec<Check>,
    pub(super) verdict: Verdict,
    pub(super) exit: u8,
    pub(super) because: Vec<Reason>,
    pub(super) attempt: Option<u32>,
    pub(super) next_attempt_at: Option<Timestamp>,
    /// What happens next, in words.
    pub(super) next: String,
    /// What the next run would carry out.
    pub(super) steps: Vec<StepWord>,
    pub(super) limits: Option<LimitsDocument>,
    pub(super) attempts: Vec<AttemptDocument<'a>>,
    pub(super) approval: Option<ApprovalDocument<'a>>,
    pub(super) pause: Option<&'a Pause>,
    #[serde(skip)]
    pub(super) memory: Option<&'a Memory>,
}

/// The last beat.
#[derive(Serialize)]
pub(super) struct LastBeat<'a> {
    pub(super) at: Timestamp,
    pub(super) age_seconds: u64,
    pub(super) stale_at: Timestamp,
    pub(super) status: Option<&'a str>,
}

/// The incident that is open, or that the next run would open.
#[derive(Serialize)]
pub(super) struct IncidentDocument {
    pub(super) id: String,
    pub(super) open: bool,
    pub(super) down_since: Timestamp,
    pub(super) opened_at: Option<Timestamp>,
    pub(super) attempts: u32,
}

/// One plan, and what became of it for this subject.
#[derive(Serialize)]
pub(super) struct PlanWord<'a> {
    pub(super) name: &'a str,
    pub(super) file: &'a str,
    pub(super) line: u32,
    pub(super) outcome: Outcome,
    /// The first key of its `match` that does not hold.
    pub(super) key: Option<String>,
    pub(super) wanted: Option<String>,
    pub(super) found: Option<String>,
}

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It is not for this subject.
    PassedOver,
    /// It is the first that is.
    Governs,
    /// Another one before it is.
    NotReached,
}

/// A step that would be carried out.
#[derive(Serialize)]
pub(super) struct StepWord {
    pub(super) kind: &'static str,
    pub(super) command: Option<Vec<String>>,
}

/// How many attempts there may be, and were.
#[derive(Serialize)]
pub(super) struct LimitsDocument {
    pub(super) used: u32,
    pub(super) attempts: u32,
    pub(super) within_seconds: u64,
}

/// All that there is to say of these subjects, which the snapshot has.
pub(super) fn explain<'a>(
    seen: &'a Considered,
    plans: &'a PlanSet,
    names: &[String],
) -> Vec<Explained<'a>> {
    let mut cells: Vec<&str> = names.iter().map(|name| cell_of(name)).collect();
    cells.dedup();
    let snapshot = &seen.snapshot;
    let of_cells = snapshot.cells.iter().filter(|c| cells.contains(&&*c.id));
    let views = of_cells.flat_map(subjects).map(|s| View::of(&s, snapshot));
    let gateways = snapshot.gateways.iter();
    let gateways = gateways.map(|gateway| View::of_gateway(gateway, snapshot));
    views
        .chain(gateways)
        .filter(|view| names.contains(&view.name))
        .map(|view| one(seen, plans, &view))
        .collect()
}

fn one<'a>(seen: &'a Considered, plans: &'a PlanSet, view: &View<'a>) -> Explained<'a> {
    let now = seen.snapshot.taken_at;
    let plan = plans.governing(&view.who);
    let sound;
    let decision = match seen.decisions.of(&view.name) {
        Some(decision) => decision,
        None => {
            sound = healthy(view, plan);
            &sound
        }
    };
    let asked = seen.snapshot.asked.get(&view.name);
    let memory = seen.state.memory.get(&view.name);
    let of_cell = seen.state.memory.get(cell_of(&view.name));
    let pause = memory.and_then(|m| m.pause.as_ref());
    let pause = pause.or_else(|| of_cell.and_then(|m| m.pause.as_ref()));
    let attempts: &[Attempt] = memory.map_or(&[], |m| &m.attempts);
    let steps = decision.action.iter().flat_map(|action| &action.steps);
    Explained {
        status: decision.condition,
        observed: view.observed,
        evidence: view.reasons.iter().map(|r| (*r).clone()).collect(),
        asked: asked.map_or(&[], |asked| &asked.pieces),
        last_beat: view.beat.map(|beat| LastBeat {
            at: beat.last,
            age_seconds: beat.age_seconds,
            stale_at: beat.stale_at,
            status: beat.status.as_deref(),
        }),
        incident: incident(seen, decision),
        plans: words(plans, view),
        plan: plan.map(|plan| plan.name.as_str()),
        policy: plan.map(|plan| plan.policy),
        rules: decision.checks.clone(),
        verdict: decision.verdict,
        exit: decision.verdict.exit().code(),
        because: decision.because.clone(),
        attempt: decision.attempt,
        next_attempt_at: decision.next_attempt_at,
        next: next::sentence(decision, plan, memory, now),
        steps: steps
            .map(|step| StepWord {
                kind: step.kind(),
                command: step.command().map(<[String]>::to_vec),
            })
            .collect(),
        limits: plan.map(|plan| LimitsDocument {
            used: budget::budget(&view.name, attempts, &plan.limits, now).used,
            attempts: plan.limits.attempts,
            within_seconds: plan.limits.within.as_secs(),
        }),
        attempts: attempts.iter().map(AttemptDocument::of).collect(),
        approval: memory
            .and_then(|m| m.approval.as_ref())
            .map(|asked| ApprovalDocument::of(asked, now)),
        pause: pause.filter(|pause| lasts(pause, now)),
        memory,
        subject: view.name.clone(),
    }
}

/// What is decided of a subject that is healthy and was: nothing, so that no run says it.
fn healthy(view: &View<'_>, plan: Option<&Plan>) -> Decision {
    let message = match view.beat {
        Some(beat) => format!(
            "it is healthy: its last beat was {} ago, and it would be stale at {}",
            human(std::time::Duration::from_secs(beat.age_seconds)),
            crate::report::human::moment(
                plan.and_then(|plan| plan.stale_after)
                    .map_or(beat.stale_at, |limit| beat.last.plus(limit))
            ),
        ),
        None => "it is healthy".to_owned(),
    };
    Decision {
        subject: view.name.clone(),
        condition: view.condition(plan),
        plan: plan.map(|plan| plan.name.clone()),
        policy: plan.map(|plan| plan.policy),
        verdict: Verdict::Healthy,
        incident: None,
        attempt: None,
        down_since: None,
        next_attempt_at: None,
        attempts: 0,
        because: vec![Reason::new(Code::Recovered, message.clone())],
        checks: vec![Check {
            rule: Verdict::Healthy,
            applies: true,
            message,
        }],
        action: None,
        question: None,
    }
}

fn incident(seen: &Considered, decision: &Decision) -> Option<IncidentDocument> {
    let known = seen.state.subjects.get(&decision.subject);
    if let Some(open) = known.and_then(|known| known.incident.as_ref()) {
        return Some(IncidentDocument {
            id: open.id.clone(),
            open: true,
            down_since: open.down_since,
            opened_at: Some(open.opened_at),
            attempts: open.attempts,
        });
    }
    Some(IncidentDocument {
        id: decision.incident.clone()?,
        open: false,
        down_since: decision.down_since?,
        opened_at: None,
        attempts: 0,
    })
}

/// Every plan in order, and what became of it.
fn words<'a>(plans: &'a PlanSet, view: &View<'_>) -> Vec<PlanWord<'a>> {
    let mut governed = false;
    let word = |plan: &'a Plan| {
        let no = mismatch(plan, &view.who);
        let outcome = match (&no, governed) {
            (_, true) => Outcome::NotReached,
            (None, false) => Outcome::Governs,
            (Some(_), false) => Outcome::PassedOver,
        };
        governed |= outcome == Outcome::Governs;
        let (key, wanted, found) = match no {
            Some(no) => (Some(no.key), Some(no.wanted), Some(no.found)),
            None => (None, None, None),
        };
        PlanWord {
            name: &plan.name,
            file: &plan.source.file,
            line: plan.source.line,
            outcome,
            key,
            wanted,
            found,
        }
    };
    plans.plans().iter().map(word).collect()
}
