//! A look and a decision without a run, for those who ask why.

use std::collections::BTreeSet;

use super::{Request, acting, judge, of_store};
use crate::core::decide::{self, Decisions};
use crate::core::view::View;
use crate::model::cell::Warning;
use crate::model::exit::Failure;
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::plan::PlanSet;
use crate::report::bounded;
use crate::store::dir::StateDir;
use crate::store::lock;
use crate::store::state::peek;
use crate::sys::host;

/// What a run would find and decide now.
#[derive(Debug)]
pub struct Considered {
    /// What was seen.
    pub snapshot: Snapshot,
    /// What follows from it.
    pub decisions: Decisions,
    /// What is remembered.
    pub state: State,
    /// What else an operator should know.
    pub warnings: Vec<Warning>,
}

/// Observes and decides as a real run would, for those who ask why; changes as little as
/// [`dry_run`].
///
/// # Errors
/// The missions root or the state cannot be read.
pub fn consider(request: &Request) -> Result<Considered, Failure> {
    let dir = StateDir::open(&request.state_dir).map_err(of_store)?;
    let mut loaded = peek(dir.as_ref()).map_err(of_store)?;
    let now = host::now();
    // As a dry run has it: the next run settles first what one that was killed left open.
    if dir.as_ref().is_none_or(|dir| !lock::is_held(dir)) {
        let settled = acting::settle_in(&mut loaded.state, now);
        loaded.warnings.extend(settled);
    }
    let deadline = request.began + request.deadline;
    let judged = judge(request, &loaded.state, loaded.lost, now, deadline)?;
    let warnings = [request.warnings.clone(), loaded.warnings, judged.warnings];
    Ok(Considered {
        snapshot: judged.snapshot,
        decisions: judged.decisions,
        state: loaded.state,
        warnings: bounded(warnings.concat()),
    })
}

/// The plans that govern someone and ask for evidence that no run asks for yet.
pub(super) fn unasked(plans: &PlanSet, snapshot: &Snapshot) -> Vec<Warning> {
    if plans.plans().iter().all(|plan| plan.probes.is_empty()) {
        return Vec::new();
    }
    let cells = snapshot.cells.iter().flat_map(decide::subjects);
    let cells = cells.map(|subject| View::of(&subject, snapshot));
    let gateways = snapshot.gateways.iter();
    let views = cells.chain(gateways.map(|g| View::of_gateway(g, snapshot)));
    let governing = views.filter_map(|view| plans.governing(&view.who));
    let names = governing.filter(|plan| !plan.probes.is_empty());
    let names: BTreeSet<&str> = names.map(|plan| plan.name.as_str()).collect();
    let warning = |name: &str| {
        let message = format!(
            "the probes of plan {name} are not asked by this version: it decides on the other evidence"
        );
        Warning::about("probes_not_asked", name, message)
    };
    names.into_iter().map(warning).collect()
}
