//! What follows from the facts: findings. Pure: nothing is looked at here.

mod agents;
mod channels;
mod clock;
mod crontabs;
mod directories;
mod settings;
mod state;
mod units;

use std::collections::BTreeSet;

use super::facts::Facts;
use super::facts::units::Starters;
use super::finding::{Area, Finding};
use crate::model::decision::Policy;
use crate::model::step::{Spawn, Step};
use crate::plan::{Plan, PlanSet, Template};

/// All findings, area by area.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    Area::ALL
        .into_iter()
        .flat_map(|area| {
            let found = of(area, facts).unwrap_or_else(|| vec![no_answer(area)]);
            found.into_iter().map(move |finding| finding.of(area))
        })
        .collect()
}

/// What there is to say of an area; `None` where what it rests on could not be looked at.
fn of(area: Area, facts: &Facts) -> Option<Vec<Finding>> {
    match area {
        Area::Config => Some(settings::config(facts.settings.as_deref()?)),
        Area::Plans => Some(settings::plans(
            facts.settings.as_deref()?,
            facts.fleet.as_ref(),
        )),
        Area::Directories => Some(directories::judge(
            facts.directories.as_deref()?,
            facts.fleet.as_ref(),
            facts.state.as_ref(),
            facts.settings.as_deref()?,
            facts.host.as_ref()?,
        )),
        Area::State => Some(state::judge(
            facts.state.as_ref()?,
            facts.settings.as_deref()?,
            facts.host.as_ref()?,
        )),
        Area::Clock => Some(clock::judge(
            facts.host.as_ref()?,
            facts.state.as_ref(),
            facts.fleet.as_ref(),
        )),
        Area::Units => Some(units::judge(
            facts.starters.as_ref()?,
            facts.settings.as_deref(),
            facts.state.as_ref(),
            facts.host.as_ref()?,
        )),
        Area::Channels => Some(channels::judge(
            facts.channels.as_deref()?,
            facts.settings.as_deref()?,
            facts.state.as_ref(),
            facts.starters.as_ref(),
            facts.host.as_ref()?,
        )),
        Area::Agents => Some(agents::judge(
            facts.settings.as_deref()?,
            facts.fleet.as_ref()?,
            facts.starters.as_ref(),
            facts.host.as_ref()?,
        )),
    }
}

fn no_answer(area: Area) -> Finding {
    let what = area.as_str();
    Finding::error(
        "no_answer",
        format!("what `{what}` rests on could not be looked at in time"),
    )
    .next("see which file system does not answer: `df -h` and `ls` on each path hang there, and so will a run")
}

/// Plans that may act.
fn acting(plans: &PlanSet) -> impl Iterator<Item = &Plan> {
    let plans = plans.plans().iter();
    plans.filter(|plan| plan.policy != Policy::Never)
}

/// The agents that a plan starts.
fn spawns(plan: &Plan) -> impl Iterator<Item = &Spawn<Template>> {
    plan.steps.iter().filter_map(|step| match step {
        Step::Spawn(spawn) => Some(spawn),
        _ => None,
    })
}

/// The variables that whoever starts the runs gives to them; `None` where nobody was found that
/// does.
fn given(starters: Option<&Starters>) -> Option<BTreeSet<&str>> {
    let starters = starters?;
    if starters.services.is_empty() && starters.crontabs.is_empty() {
        return None;
    }
    let of_units = starters.services.iter().flat_map(|s| &s.variables);
    let of_crontabs = starters.crontabs.iter().flat_map(|c| &c.variables);
    Some(of_units.chain(of_crontabs).map(String::as_str).collect())
}

#[cfg(test)]
mod tests;
