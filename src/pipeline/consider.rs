//! A look and a decision without a run, for those who ask why.

use std::collections::BTreeMap;

use super::kept::Kept;
use super::{Request, judge, of_store, settling};
use crate::core::decide::Decisions;
use crate::model::action::Ended;
use crate::model::cell::Warning;
use crate::model::exit::Failure;
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::model::time::Timestamp;
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
/// [`dry_run`](super::dry_run).
///
/// # Errors
/// The missions root or the state cannot be read.
pub fn consider(request: &Request) -> Result<Considered, Failure> {
    let now = host::now();
    let (loaded, ended) = peek_settled(request, now)?;
    let deadline = request.began + request.deadline;
    let judged = judge(request, &loaded.state, loaded.lost, now, deadline, ended)?;
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
pub(super) fn peek_settled(
    request: &Request,
    now: Timestamp,
) -> Result<(Loaded, BTreeMap<String, Ended>), Failure> {
    let dir = StateDir::open(&request.state_dir).map_err(of_store)?;
    let mut loaded = peek(dir.as_ref()).map_err(of_store)?;
    let mut kept = Kept::read(request, now).map_err(of_store)?;
    kept.look(now);
    if dir.as_ref().is_none_or(|dir| !lock::is_held(dir)) {
        let settled = settling::settle_in(&mut loaded.state, &kept, now);
        loaded.warnings.extend(settled);
    }
    loaded.warnings.append(&mut kept.warnings);
    let ended = kept.ended();
    Ok((loaded, ended))
}
