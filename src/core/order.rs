//! An operator's word: a plan's steps are carried out now, whatever its conditions say.

use super::decide::{case, subjects};
use super::fleet;
use super::rules::Rules;
use super::view::View;
use crate::model::action::Action;
use crate::model::snapshot::Snapshot;
use crate::model::state::{Memory, State};
use crate::model::time::Timestamp;

/// The attempt that carries out the steps of a subject's plan, as a run would make it were it due.
///
/// # Errors
/// A sentence: there is no such subject, no plan governs it, its plan has no steps, or they cannot
/// be filled in for it.
pub fn order(
    snapshot: &Snapshot,
    rules: &Rules<'_>,
    state: &State,
    subject: &str,
    now: Timestamp,
) -> Result<Action, String> {
    let cells = snapshot.cells.iter();
    let agents = cells.flat_map(subjects);
    let mut views = agents.filter(|s| s.name() == subject);
    let view = views.next().map(|s| View::of(&s, snapshot));
    let view = view.or_else(|| {
        let gateways = snapshot.gateways.iter();
        let mut views = gateways.map(|gateway| View::of_gateway(gateway, snapshot));
        views.find(|view| view.name == subject)
    });
    let Some(view) = view else {
        return Err(format!("{subject} is not there"));
    };
    let nothing = Memory::default();
    let root = snapshot.told_root();
    let case = case(view, rules, state, &nothing, &root, now);
    let Some(plan) = case.plan else {
        return Err(format!(
            "no plan governs {subject}: nothing says how it is started"
        ));
    };
    let steps = case.steps(plan).map_err(|why| {
        format!(
            "the steps of plan {} cannot be filled in for {subject}: {why}",
            plan.name
        )
    })?;
    match steps.is_empty() {
        true => Err(format!("plan {} has no steps for {subject}", plan.name)),
        false => Ok(fleet::action(&case, plan, steps, &root)),
    }
}
