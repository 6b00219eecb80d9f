//! A look and a decision without a run, for those who ask why.

use super::{Request, acting, judge, of_store};
use crate::core::decide::Decisions;
use crate::model::cell::Warning;
use crate::model::exit::Failure;
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::plan::{Plan, PlanSet};
use crate::report::bounded;
use crate::store::dir::StateDir;
use crate::store::lock;
use crate::store::state::{Loaded, peek};
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
    let loaded = peek_settled(request, host::now())?;
    let deadline = request.began + request.deadline;
    let judged = judge(request, &loaded.state, loaded.lost, host::now(), deadline)?;
    let warnings = [request.warnings.clone(), loaded.warnings, judged.warnings];
    Ok(Considered {
        snapshot: judged.snapshot,
        decisions: judged.decisions,
        state: loaded.state,
        warnings: bounded(warnings.concat()),
    })
}

/// The state as a real run would find it once it had settled what a run that was killed left open.
/// What a run that goes on right now has begun is under way.
pub(super) fn peek_settled(request: &Request, now: Timestamp) -> Result<Loaded, Failure> {
    let dir = StateDir::open(&request.state_dir).map_err(of_store)?;
    let mut loaded = peek(dir.as_ref()).map_err(of_store)?;
    if dir.as_ref().is_none_or(|dir| !lock::is_held(dir)) {
        let settled = acting::settle_in(&mut loaded.state, now);
        loaded.warnings.extend(settled);
    }
    Ok(loaded)
}

/// The plans that ask for evidence that no run asks for yet.
pub(super) fn unasked(plans: &PlanSet) -> Vec<Warning> {
    let asking = plans.plans().iter().filter(|plan| !plan.probes.is_empty());
    let warning = |plan: &Plan| {
        let message = format!(
            "the probes of plan {} are not asked by this version: it decides on the other evidence",
            plan.name
        );
        Warning::about("probes_not_asked", plan.name.as_str(), message)
    };
    asking.map(warning).collect()
}
