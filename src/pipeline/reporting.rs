//! What becomes of a run's findings: a report, or the record that it could not go on.

use super::{Judged, Request, of_store};
use crate::model::cell::Warning;
use crate::model::event::{Event, Kind};
use crate::model::exit::Failure;
use crate::model::time::{Timestamp, millis};
use crate::report::{Report, Run, bounded};
use crate::store::state::Store;
use crate::sys::host;

/// Records a run that found that it cannot go on.
pub(super) fn give_up(
    request: &Request,
    store: &mut Store<'_>,
    about: &Run,
    scope: &[String],
    failure: Failure,
) -> Failure {
    let failed = Event {
        scope: scope.to_vec(),
        exit: Some(failure.exit.code()),
        reason: Some(failure.message.clone()),
        duration_ms: Some(millis(request.began.elapsed())),
        ..Event::new(Kind::RunFinished, host::now(), &about.id)
    };
    let recorded = store.record(&mut [failed]).and_then(|()| store.save());
    recorded.map_err(of_store).err().unwrap_or(failure)
}

pub(super) fn report(
    judged: Judged,
    before: Vec<Warning>,
    of_store: Vec<Warning>,
    run: Run,
) -> Report {
    let warnings = [before, of_store, judged.warnings]
        .into_iter()
        .flatten()
        .collect();
    Report {
        snapshot: judged.snapshot,
        summary: judged.summary,
        decisions: judged.decisions.list,
        actions: judged.actions,
        totals: judged.totals,
        warnings: bounded(warnings),
        run,
        exit: judged.exit,
    }
}

pub(super) fn describe(request: &Request, id: String, now: Timestamp, dry_run: bool) -> Run {
    Run {
        id,
        host: host::hostname(),
        dry_run,
        started_at: now,
        duration: request.began.elapsed(),
        heartbeat_job: request.config.heartbeat_job.clone(),
        heartbeat_interval: request.config.heartbeat_interval,
    }
}
