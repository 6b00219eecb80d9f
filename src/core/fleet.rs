//! The rules that look at all subjects at once: who may be revived in this run.

use std::collections::{BTreeMap, HashSet};

use super::consent::Consent;
use super::judge::Case;
use super::mass::Mass;
use super::rules::Rules;
use super::ruling::Ruling;
use super::view::View;
use crate::model::action::{Action, Place};
use crate::model::cell::{Code, Reason};
use crate::model::condition::Condition;
use crate::model::decision::{Decision, Question, Verdict};
use crate::model::state::{Memory, State};
use crate::model::step::Step;
use crate::model::time::human;
use crate::plan::Plan;

/// Why a mass failure holds nobody, if so.
pub(super) fn released(
    rules: &Rules<'_>,
    state: &State,
    unwell: &BTreeMap<String, Condition>,
    full: bool,
    mass: bool,
) -> Option<&'static str> {
    if rules.force && (mass || state.hold.is_some()) {
        return Some("force");
    }
    let hold = state.hold.as_ref()?;
    if hold.released.is_some() {
        return Some("released");
    }
    // A canary that is healthy by news of itself: it is not among those that are unwell.
    let lives = |(name, memory): (&String, &Memory)| {
        let last = memory.attempts.last();
        last.is_some_and(|a| a.canary && a.at >= hold.since) && !unwell.contains_key(name)
    };
    (full && state.memory.iter().any(lives)).then_some("canary")
}

/// The sentence for those that a mass failure holds.
pub(super) fn mass_holds(
    state: &State,
    full: bool,
    mass: Option<Mass>,
    released: Option<&'static str>,
    rules: &Rules<'_>,
) -> Option<String> {
    if released.is_some() {
        return None;
    }
    match (mass, full, &state.hold) {
        (Some(mass), ..) => Some(mass.message(rules.protection)),
        // A run over some of the cells cannot tell; it goes by what the last full one found.
        (None, false, Some(hold)) => Some(format!("a mass failure holds since {}", hold.since)),
        _ => None,
    }
}

/// An attempt's id: sortable by time, and like no other of this installation. One that is made gets
/// a number that is no other installation's either.
fn attempt_ref(case: &Case<'_>) -> String {
    let text = format!("{}\n{}\n{}", case.view.name, case.incident, case.next);
    format!(
        "{:012x}-{:08x}",
        case.now.as_micros() / 1000,
        crc32fast::hash(text.as_bytes())
    )
}

/// The rules that look at all subjects at once.
pub(super) struct Fleet<'a> {
    rules: &'a Rules<'a>,
    /// Why nobody at all is revived in this run.
    pub(super) hold: Option<Reason>,
    mass_holds: Option<String>,
    canaries: HashSet<String>,
    chosen: HashSet<String>,
}

impl<'a> Fleet<'a> {
    /// These subjects, all there are where `full`, under these rules. `hold` is why nobody at all is revived, `mass_holds` what
    /// is said to those that a mass failure holds.
    pub(super) fn new(
        rules: &'a Rules<'a>,
        full: bool,
        hold: Option<Reason>,
        mass_holds: Option<String>,
        ruled: &[(Case<'_>, Ruling)],
    ) -> Self {
        let mut fleet = Self {
            rules,
            hold,
            mass_holds,
            canaries: HashSet::new(),
            chosen: HashSet::new(),
        };
        fleet.choose(full, ruled);
        fleet
    }

    /// Chooses who may be revived in this run: those longest down first, ties by name. `full` is
    /// whether all subjects were looked at.
    fn choose(&mut self, full: bool, ruled: &[(Case<'_>, Ruling)]) {
        let agreed =
            |ruling: &Ruling| matches!(ruling.consent, Consent::NotNeeded | Consent::Given { .. });
        let mut due: Vec<&Case<'_>> = ruled
            .iter()
            .filter(|(_, ruling)| ruling.verdict.is_none() && agreed(ruling))
            .map(|(case, _)| case)
            .collect();
        due.sort_by(|a, b| (a.down_since, &a.view.name).cmp(&(b.down_since, &b.view.name)));
        if self.hold.is_some() {
            due.clear();
        }
        let at_most = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        if self.mass_holds.is_some() {
            let reviving = ruled
                .iter()
                .any(|(_, ruling)| ruling.verdict == Some(Verdict::Reviving));
            // A run over some of the cells cannot tell whether one is on its way already.
            let canaries = if reviving || !full {
                0
            } else {
                at_most(self.rules.protection.canary)
            };
            due.truncate(canaries);
            self.canaries = due.iter().map(|case| case.view.name.clone()).collect();
        }
        due.truncate(at_most(self.rules.restarts_per_run));
        self.chosen = due.iter().map(|case| case.view.name.clone()).collect();
    }

    pub(super) fn conclude(&self, case: Case<'_>, mut ruling: Ruling, root: &str) -> Decision {
        if ruling.verdict.is_none() {
            self.among_all(&case, &mut ruling);
        }
        let verdict = ruling.verdict.unwrap_or(Verdict::Revive);
        let open = case.known.and_then(|k| k.incident.as_ref());
        let concerns = open.is_some() || !(verdict.is_well() || verdict == Verdict::Unobserved);
        let plan = case.plan;
        let asks = verdict == Verdict::AwaitingApproval && ruling.consent == Consent::NotAsked;
        let question = plan.filter(|_| asks).map(|plan| Question {
            plan_hash: plan.hash.clone(),
            expires_at: case.now.plus(plan.approval.expires),
            ask_again: plan.approval.ask_again,
        });
        let action = plan
            .filter(|_| verdict == Verdict::Revive)
            .map(|plan| Box::new(self.action(&case, plan, &mut ruling, root)));
        let since = match verdict {
            Verdict::Healthy | Verdict::Finished => open.map(|incident| incident.down_since),
            _ => concerns.then_some(case.down_since),
        };
        Decision {
            condition: case.condition,
            plan: plan.map(|plan| plan.name.clone()),
            policy: plan.map(|plan| plan.policy),
            verdict,
            attempt: number(verdict, &case),
            attempts: open.map_or(0, |incident| incident.attempts),
            down_since: since,
            next_attempt_at: ruling.next_attempt_at,
            because: ruling.because,
            checks: ruling.checks,
            action,
            question,
            incident: concerns.then_some(case.incident),
            subject: case.view.name,
        }
    }

    /// The rules that follow from what others are and do.
    fn among_all(&self, case: &Case<'_>, ruling: &mut Ruling) {
        let name = &case.view.name;
        let canary = self.canaries.contains(name);
        let held = match (&self.hold, &self.mass_holds) {
            (Some(reason), _) => Err(vec![reason.clone()]),
            (None, Some(message)) if !canary => {
                Err(vec![Reason::new(Code::MassFailure, message.clone())])
            }
            (None, Some(_)) => Ok("a mass failure holds, and it is let through to see".to_owned()),
            (None, None) => Ok("nothing speaks against acting in this run".to_owned()),
        };
        if ruling.take(Verdict::Held, held) {
            return;
        }
        let asked = match &ruling.consent {
            Consent::Asked { until } => Err(format!(
                "a human was asked, and can answer until {until}: lazarus-pit approve {name}"
            )),
            Consent::NotAsked => Err(format!(
                "a human is asked now: lazarus-pit approve {name}, or deny"
            )),
            Consent::Given { by } => Ok(format!("{by} agreed")),
            _ => Ok("nobody has to agree".to_owned()),
        };
        let asked = asked.map_err(|m| vec![Reason::new(Code::AwaitingApproval, m)]);
        if ruling.take(Verdict::AwaitingApproval, asked) {
            return;
        }
        let most = self.rules.restarts_per_run;
        let deferred = if self.chosen.contains(name) {
            Ok(format!("it is among the {most} longest down"))
        } else {
            let message = format!(
                "{most} others have been down for longer, and one run revives {most} at most (limits.restarts_per_run)"
            );
            Err(vec![Reason::new(Code::RestartsPerRun, message)])
        };
        if ruling.take(Verdict::Deferred, deferred) {
            return;
        }
        let least = case.plan.map(|plan| plan.when.r#for).unwrap_or_default();
        let mut reasons = vec![Reason::new(
            Code::DownFor,
            format!(
                "down for {}, at least {}",
                human(case.now.since(case.down_since)),
                human(least)
            ),
        )];
        if let Consent::Given { by } = &ruling.consent {
            reasons.push(Reason::new(Code::Approved, format!("{by} agreed")));
        }
        if canary {
            let message = "a mass failure holds, and it is let through to see whether that helps";
            reasons.push(Reason::new(Code::Canary, message));
        }
        reasons.push(Reason::new(
            Code::Due,
            format!("attempt {} is due", case.next),
        ));
        ruling.take(Verdict::Revive, Err(reasons));
    }

    fn action(&self, case: &Case<'_>, plan: &Plan, ruling: &mut Ruling, root: &str) -> Action {
        let mut action = action(case, plan, ruling.take_steps(), root);
        action.canary = self.canaries.contains(&case.view.name);
        if let Consent::Given { by } = &ruling.consent {
            action.approved_by = Some(by.clone());
        }
        action
    }
}

/// The attempt that is made when a plan's steps are carried out for a subject.
pub(super) fn action(case: &Case<'_>, plan: &Plan, steps: Vec<Step>, root: &str) -> Action {
    Action {
        subject: case.view.name.clone(),
        incident: case.incident.clone(),
        attempt: case.next,
        r#ref: attempt_ref(case),
        plan: plan.name.clone(),
        plan_hash: plan.hash.clone(),
        canary: false,
        approved_by: None,
        steps,
        verify_within: plan.verify_within,
        window: plan.limits.within,
        stale_after: plan.stale_after,
        place: place(&case.view, root),
        resumed: false,
    }
}

/// Where a subject is.
pub(super) fn place(view: &View<'_>, root: &str) -> Place {
    let cell = view.cell.map(|cell| {
        let dir = format!("{}/{}", root.trim_end_matches('/'), cell.id);
        (cell.id.to_string(), dir.into())
    });
    let name = match view.who {
        crate::plan::Who::Gateway(name) => name,
        crate::plan::Who::Agent { cell, agent, .. } => agent.unwrap_or(cell),
    };
    Place {
        cell,
        name: name.to_owned(),
    }
}

/// The number of the attempt that a verdict speaks of.
fn number(verdict: Verdict, case: &Case<'_>) -> Option<u32> {
    match verdict {
        Verdict::Reviving | Verdict::Exhausted => {
            let last = case.memory.attempts.last();
            last.filter(|a| a.incident == case.incident)
                .map(|a| a.number)
        }
        Verdict::Backoff
        | Verdict::Denied
        | Verdict::Expired
        | Verdict::Held
        | Verdict::AwaitingApproval
        | Verdict::Deferred
        | Verdict::Revive => Some(case.next),
        _ => None,
    }
}
