//! The part of a run that acts: carries out what was decided.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::kept::Kept as Table;
use super::{Judged, Request, look};
use crate::act::environment::Own;
use crate::act::logs::{self, Logs};
use crate::act::perform::{AFTERMATH, AT_ONCE, Performed, Surroundings, perform};
use crate::act::signal::Kept;
use crate::act::spawn::Keeping;
use crate::model::action::{Action, AttemptResult, Done};
use crate::model::cell::{Code, Reason, Warning};
use crate::model::decision::{Decision, Verdict};
use crate::model::event::Event;
use crate::model::exit::Exit;
use crate::model::state::State;
use crate::model::step::Step;
use crate::model::time::Timestamp;
use crate::report::Run;
use crate::store::StoreError;
use crate::store::state::Store;
use crate::sys::host;

/// How long a run looks for logs that are too old.
const PRUNE_FOR: Duration = Duration::from_secs(2);

/// What was decided to be done, those longest down first: where there is not time for all, it is the
/// others who wait.
pub(super) fn due(judged: &Judged) -> Vec<Action> {
    let mut due: Vec<&Decision> = judged.decisions.list.iter().collect();
    due.sort_by_key(|decision| decision.down_since);
    let actions = due.into_iter().filter_map(|d| d.action.as_deref().cloned());
    actions.collect()
}

/// Gives each attempt an id that no other installation gives to one of its own. Deciding knows no
/// random number, two runs may decide in the same instant about subjects of the same name, and by
/// its id an attempt's processes are found on the host.
pub(super) fn name_apart(judged: &mut Judged) {
    let decided = judged.decisions.list.iter_mut();
    let decided = decided.filter_map(|d| d.action.as_deref_mut());
    for action in decided.chain(&mut judged.ordered).filter(|a| !a.resumed) {
        if let (Some((time, _)), Ok(random)) = (action.r#ref.split_once('-'), host::uuid())
            && let Some((random, _)) = random.split_once('-')
        {
            action.r#ref = format!("{time}-{random}");
        }
    }
}

/// What a dry run has to say of it.
pub(super) fn would_do(judged: &mut Judged) {
    let mut would: Vec<Done> = due(judged).iter().map(Done::dry).collect();
    would.sort_by(|a, b| a.subject.cmp(&b.subject));
    judged.actions = would;
}

/// Carries out what was decided, and takes what came of it into the report.
pub(super) fn carry_out(
    request: &Request,
    store: &mut Store<'_>,
    about: &Run,
    judged: &mut Judged,
    deadline: Instant,
    table: Table,
) -> Result<(), StoreError> {
    let mut actions = due(judged);
    actions.append(&mut judged.ordered);
    let config = &request.config;
    // Not before there is a use for it: it reads the time zone.
    let logs = || Logs::new(config.logs_dir(), config.logs.max_bytes);
    if !actions.is_empty() && !request.no_act {
        let mut steps = actions.iter().flat_map(|action| &action.steps);
        let keeping = match steps.any(|step| matches!(step, Step::Spawn(_) | Step::Signal(_))) {
            true => Some(table.keeping(request)?),
            false => None,
        };
        let around = Surroundings {
            run: about.id.clone(),
            deadline: deadline
                .checked_sub(margin(request.deadline))
                .unwrap_or(deadline),
            aftermath: AFTERMATH,
            at_once: AT_ONCE,
            logs: logs(),
            own: Own {
                secrets: config.secret_variables(),
                ..Own::read()
            },
            look: Arc::new(look(config, &request.plans, None, &request.trust, deadline)),
            questions: Arc::clone(&judged.questions),
            kept: kept(keeping.as_ref()),
            now: host::now,
            actor: request.actor(),
            keeping,
        };
        let mut record = |mut events: Vec<Event>, durable: bool| {
            store.record(&mut events)?;
            if durable { store.sync() } else { Ok(()) }
        };
        let performed = perform(actions, &around, &mut record)?;
        take_in(judged, performed);
    }
    if is_another_day(&store.state, about.started_at) {
        let until = Instant::now() + PRUNE_FOR;
        if let Err(why) = logs::prune(&logs(), config.logs.keep, about.started_at, until) {
            judged.warnings.push(Warning::new("logs", why));
        }
    }
    Ok(())
}

/// Finds the process that is kept for a subject.
fn kept(keeping: Option<&Arc<Keeping>>) -> Kept {
    let Some(keeping) = keeping.map(Arc::clone) else {
        return Kept::nobody();
    };
    Kept::new(move |subject| {
        let living = keeping.living(subject, host::now());
        let first = living.first().map(|living| &living.entry);
        Ok(first.and_then(|entry| entry.pid.zip(entry.start_time)))
    })
}

/// What is kept of the deadline for ending what still runs, and for writing it all down.
fn margin(deadline: Duration) -> Duration {
    (AFTERMATH + Duration::from_secs(1)).min(deadline / 4)
}

/// True in the first run of a day, which looks after old logs.
pub(super) fn is_another_day(state: &State, now: Timestamp) -> bool {
    let day = |t: Timestamp| t.as_micros().div_euclid(86_400_000_000);
    state
        .last_run
        .as_ref()
        .is_some_and(|last| day(last.at) != day(now))
}

fn take_in(judged: &mut Judged, performed: Performed) {
    let Performed {
        mut done,
        deferred,
        warnings,
    } = performed;
    for decision in &mut judged.decisions.list {
        if done.iter().any(|d| d.subject == decision.subject) {
            decision.attempts = decision.attempts.saturating_add(1);
        }
        if deferred.iter().any(|a| a.subject == decision.subject) {
            decision.verdict = Verdict::Deferred;
            decision.action = None;
            let message = "the run's deadline came before its turn";
            decision
                .because
                .push(Reason::new(Code::RestartsPerRun, message));
        }
    }
    if done.iter().any(|d| d.result != AttemptResult::Ok) {
        judged.exit = judged.exit.max(Exit::Critical);
    }
    done.sort_by(|a, b| a.subject.cmp(&b.subject));
    judged.actions = done;
    judged.warnings.extend(warnings);
}
