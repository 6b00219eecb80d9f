//! One run, in the one order in which effects may happen.
//!
//! [`run`] is a real run, [`dry_run`] is the same without anything that could write: not a flag
//! that is looked at, but a function that is never given the lock, and without the lock there is
//! no [`Store`] and so no means to write. Both observe and decide by the same `judge`.

mod acting;
mod cells;
pub mod closing;
mod consider;
mod ending;
mod kept;
mod ordering;
mod people;
mod probing;
mod reporting;
mod service;
mod settling;
pub mod word;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use globset::GlobSet;

use crate::config::{Config, Gateway};
use crate::core::classify::Limits;
use crate::core::decide::{self, Decisions};
use crate::core::rules::Rules;
use crate::core::sweep::Sweep;
use crate::core::{gone, holds};
use crate::model::action::{Action, AttemptResult, Done, Ended};
use crate::model::cell::Warning;
use crate::model::event::{Event, Kind};
use crate::model::exit::{Exit, Failure};
use crate::model::snapshot::{Snapshot, Summary};
use crate::model::state::State;
use crate::model::time::{Timestamp, millis};
use crate::observe::{self, Look, Watched};
use crate::plan::{Plan, PlanSet};
use crate::report::ping::Ping;
use crate::report::{Report, Run, bounded};
use crate::store::StoreError;
use crate::store::atomic::Writers;
use crate::store::dir::StateDir;
use crate::store::lock::{self, Holder, Refused};
use crate::store::state::Store;
use crate::sys::host;
use crate::sys::trust::Trust;

pub use cells::tell_of_word;
pub use consider::{Considered, consider};
use kept::Kept;
pub use ordering::{CLOSED, Order};
use probing::Questions;
use reporting::{describe, give_up, report};

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The settings.
    pub config: Config,
    /// Where lock, state and journal lie.
    pub state_dir: PathBuf,
    /// Where the meta-heartbeat is written; absent where it is not.
    pub heartbeat_dir: Option<PathBuf>,
    /// `--cell`: the globs as written and as they match; absent for a run over all cells.
    pub scope: Option<(Vec<String>, GlobSet)>,
    /// The bound on the whole run.
    pub deadline: Duration,
    /// How long to wait for another run's lock.
    pub wait_lock: Duration,
    /// The plans.
    pub plans: PlanSet,
    /// `--no-act`: carry out no step.
    pub no_act: bool,
    /// `--force`: act even where mass-failure protection would hold.
    pub force: bool,
    /// A keeper has started it: secrets that are in the environment of other runs are not in its.
    pub woken: bool,
    /// Whose files are believed.
    pub trust: Trust,
    /// What came up before the run began.
    pub warnings: Vec<Warning>,
    /// When it began.
    pub began: Instant,
    /// Options by which another run is as this one, for the runs that keepers start: absolute
    /// paths, and none of the options that are for one run only.
    pub same: Vec<String>,
    /// What an operator has ordered, where this is no run by the rules.
    pub order: Option<Order>,
    /// Hears how far the look at the cells is.
    pub progress: Option<fn(usize, usize)>,
}

impl Request {
    /// True for a cell that is to be looked at.
    fn is_in_scope(&self, cell: &str) -> bool {
        let scope = self.scope.as_ref();
        scope.is_none_or(|(_, set)| set.is_match(cell))
    }
}

/// What was seen and what follows from it. Pure but for the looking.
struct Judged {
    snapshot: Snapshot,
    summary: Summary,
    decisions: Decisions,
    /// What was asked about whom.
    questions: Questions,
    /// What an operator has ordered to be done.
    ordered: Vec<Action>,
    /// What was, or would be, done.
    actions: Vec<Done>,
    totals: BTreeMap<AttemptResult, u64>,
    warnings: Vec<Warning>,
    exit: Exit,
}

impl Judged {
    /// The decisions anew, of the same look and another state.
    fn decide_again(&mut self, request: &Request, state: &State, state_lost: bool, now: Timestamp) {
        let (decisions, _, exit) = decide(request, &self.snapshot, state, state_lost, now);
        self.decisions = decisions;
        self.exit = exit;
    }
}

/// How the cells are looked at under this configuration.
#[must_use]
pub fn look(
    config: &Config,
    plans: &PlanSet,
    scope: Option<GlobSet>,
    trust: &Trust,
    deadline: Instant,
) -> Look {
    // Gateways belong to looks at everything.
    let gateways: &[Gateway] = match scope {
        None => &config.gateways,
        Some(_) => &[],
    };
    let own = |plan: &Plan| plan.stale_after.is_some() || plan.max_quiet.is_some();
    Look {
        root: config.missions_root.clone(),
        scope,
        required_subdirs: config.required_subdirs.clone(),
        limits: Limits {
            stale_after: config.stale_after,
            plans: plans.plans().iter().any(own).then(|| plans.clone()),
            stale_after_is_final: config.stale_after_is_final,
            clock_skew: config.clock_skew,
            max_quiet: config.max_quiet,
            root: crate::report::root_text(&config.missions_root).into_owned(),
        },
        heartbeat_file: config.heartbeat_file.as_str().into(),
        mounts: config.mounts(),
        trust: host::is_root().then(|| trust.clone()),
        deadline,
        gateways: gateways.iter().map(watched).collect(),
        progress: None,
    }
}

fn watched(gateway: &Gateway) -> Watched {
    Watched {
        name: gateway.name.clone(),
        heartbeat: gateway.heartbeat.clone(),
        stale_after: gateway.stale_after,
    }
}

/// What a decision is made by under this configuration.
#[must_use]
pub fn rules<'a>(config: &'a Config, plans: &'a PlanSet) -> Rules<'a> {
    Rules {
        plans,
        protection: &config.protection,
        restarts_per_run: config.limits.restarts_per_run,
        gap: config.gap(),
        force: false,
        state_lost: false,
    }
}

fn judge(
    request: &Request,
    state: &State,
    state_lost: bool,
    now: Timestamp,
    deadline: Instant,
    ended: BTreeMap<String, Ended>,
) -> Result<Judged, Failure> {
    let config = &request.config;
    let scope = request.scope.as_ref().map(|(_, set)| set.clone());
    let mut look = look(config, &request.plans, scope, &request.trust, deadline);
    look.progress = request.progress;
    if let Some(order) = &request.order {
        let ordered = config.gateways.iter();
        let ordered = ordered.filter(|gateway| order.names_gateway(&gateway.name));
        look.gateways = ordered.map(watched).collect();
    }
    let mut snapshot = observe::snapshot(look, now)?;
    snapshot.ended = ended;
    log::debug!(
        "looked at {} cells by {:?}",
        snapshot.cells.places(),
        request.began.elapsed()
    );
    let questions = probing::probe(request, &mut snapshot, state, now, deadline);
    let summary = Summary::of(snapshot.cells.iter());
    let (decisions, held, exit) = decide(request, &snapshot, state, state_lost, now);
    let mut warnings = held;
    if !snapshot.full && snapshot.cells.places() == 0 {
        let message = "no cell matches --cell: nothing was looked at";
        warnings.push(Warning::new("no_match", message));
    }
    warnings.extend(service::warning(request));
    warnings.append(&mut snapshot.warnings);
    warnings.extend(
        snapshot
            .cells
            .iter()
            .flat_map(|cell| cell.warnings.iter().cloned()),
    );
    Ok(Judged {
        snapshot,
        summary,
        questions,
        ordered: Vec::new(),
        actions: Vec::new(),
        totals: BTreeMap::new(),
        decisions,
        warnings,
        exit,
    })
}

/// What follows from what was seen: the decisions, what holds everyone, and the exit. Pure.
fn decide(
    request: &Request,
    snapshot: &Snapshot,
    state: &State,
    state_lost: bool,
    now: Timestamp,
) -> (Decisions, Vec<Warning>, Exit) {
    let config = &request.config;
    let rules = Rules {
        force: request.force,
        state_lost,
        ..rules(config, &request.plans)
    };
    let mut decisions = decide::decide(snapshot, &rules, state, now);
    let held = holds::holds(snapshot, state, config.protection.min_subjects);
    if holds::believes_absence(&held) {
        let in_scope = |cell: &str| request.is_in_scope(cell);
        let gone = gone::decisions(snapshot, state, &in_scope);
        decisions.list.extend(gone);
        decisions.list.sort_by(|a, b| a.subject.cmp(&b.subject));
    }
    let root_changed = if holds::root_changed(&held) {
        Exit::Critical
    } else {
        Exit::Healthy
    };
    let worst = decisions
        .list
        .iter()
        .map(|d| d.verdict.exit())
        .max()
        .unwrap_or(Exit::Healthy);
    (decisions, held, worst.max(root_changed))
}

/// Observes and decides as a real run would, and changes nothing: takes no lock, writes no byte,
/// sends nothing.
///
/// # Errors
/// The missions root or the state cannot be read.
pub fn dry_run(request: Request) -> Result<Report, Failure> {
    let now = host::now();
    let (loaded, ended) = consider::peek_settled(&request, now)?;
    let deadline = request.began + request.deadline;
    let mut judged = judge(&request, &loaded.state, loaded.lost, now, deadline, ended)?;
    if !request.no_act {
        acting::would_do(&mut judged);
    }
    let run = describe(&request, run_id(now), now, true);
    Ok(report(judged, request.warnings, loaded.warnings, run))
}

/// A real run.
///
/// # Errors
/// The lock is another's, the missions root cannot be read, or something could not be written.
pub fn run(request: Request) -> Result<Report, Failure> {
    let dir = StateDir::create(&request.state_dir, &request.trust).map_err(of_store)?;
    let id = run_id(host::now());
    let lock = lock::acquire(&dir, &Holder::me(&id, request.deadline), request.wait_lock).map_err(
        |refused| match refused {
            Refused::Busy(message) => Failure::new(Exit::Busy, message),
            Refused::Failed(e) => of_store(e),
        },
    )?;
    // Read once, and after the lock was had: waiting for it must not make anyone older, nor leave
    // less time for the look at the cells.
    let now = host::now();
    let deadline = Instant::now() + request.deadline;
    let ping = request
        .config
        .heartbeat_ping_url
        .as_deref()
        .map(Ping::start);
    let about = describe(&request, id, now, false);

    let done = Store::open(&dir, &lock, &about.id, now)
        .map_err(of_store)
        .and_then(|store| {
            locked(
                &request,
                store,
                about.clone(),
                deadline,
                lock.ended.as_ref(),
            )
        });
    let (mut exit, summary, message) = match &done {
        Ok(report) => (report.exit, Some(report.summary), None),
        Err(failure) => (failure.exit, None, Some(failure.message.as_str())),
    };
    let beaten = ending::beat(&request, exit, summary, message, Writers::One).map_err(of_store);
    if let (Ok(_), Err(failure)) = (&done, &beaten) {
        exit = failure.exit;
    }
    let unwritten = done
        .as_ref()
        .ok()
        .and_then(|report| ending::textfile(&request, report));
    // Nothing is written from here on, and a ping may take seconds.
    drop(lock);
    let warning = ping.and_then(|p| p.finish(exit.code(), ending::ping_body(exit, summary)));

    let mut report = done?;
    beaten?;
    report.warnings.extend(unwritten.into_iter().chain(warning));
    Ok(report)
}

/// The part of a run that holds the lock and has the state.
fn locked(
    request: &Request,
    mut store: Store<'_>,
    about: Run,
    deadline: Instant,
    ended: Option<&Holder>,
) -> Result<Report, Failure> {
    let now = about.started_at;
    let scope = request
        .scope
        .as_ref()
        .map(|(globs, _)| globs.clone())
        .unwrap_or_default();
    let event = |kind| Event {
        scope: scope.clone(),
        ..Event::new(kind, host::now(), &about.id)
    };
    let mut first = vec![event(Kind::RunStarted)];
    first.extend(ended.map(|hung| Event {
        pid: Some(hung.pid),
        reason: Some(format!("run {} hung", hung.run)),
        ..event(Kind::RunKilled)
    }));
    store.record(&mut first).map_err(of_store)?;
    let mut kept = Kept::read(request, now).map_err(of_store)?;
    let unbegun = settling::settle(&mut store, &mut kept, &about.id).map_err(of_store)?;
    let prune = acting::is_another_day(&store.state, now);
    kept.sweep(&mut store, &about.id, host::now(), prune)
        .map_err(of_store)?;
    store.warnings.append(&mut kept.warnings);
    if request.order.is_none() && request.scope.is_none() {
        store.warnings.extend(kept.unkept());
    }

    let mut hearing = people::Hearing::begin(request, &store.state, now, deadline);
    let ended = kept.ended();
    let lost = store.lost;
    let undone = unbegun.undone(&store.state);
    let judged = judge(request, &undone, lost, now, deadline, ended);
    drop(undone);
    let mut judged = match judged {
        Ok(judged) => judged,
        Err(failure) => return Err(give_up(request, &mut store, &about, &scope, failure)),
    };
    store.told = Some(cells::told(&judged.snapshot));
    let decided = &judged.decisions.list;
    let answered = hearing.take(request, &mut store, decided, &about.id);
    if answered.map_err(of_store)? {
        // Once more, by the one function and of the same look, with the answers in the state.
        judged.decide_again(request, &unbegun.undone(&store.state), lost, now);
    }
    let list = &mut judged.decisions.list;
    unbegun
        .take_up(list, &mut store, &mut kept, &request.state_dir, &about.id)
        .map_err(of_store)?;
    sweep(request, &mut store, &judged, &about.id)?;

    if let Some(order) = &request.order {
        let overruled = order.overrule(request, &mut store, &mut judged, &kept, &about.id);
        if let Err(failure) = overruled {
            return Err(give_up(request, &mut store, &about, &scope, failure));
        }
    }
    acting::name_apart(&mut judged);
    acting::carry_out(request, &mut store, &about, &mut judged, deadline, kept)
        .map_err(of_store)?;
    judged.totals.clone_from(&store.state.totals);
    people::tell(
        request,
        &mut store,
        &mut judged,
        &about.id,
        deadline,
        hearing,
    )
    .map_err(of_store)?;
    let last = Event {
        exit: Some(judged.exit.code()),
        summary: Some(judged.summary),
        subjects: Some(judged.decisions.in_scope),
        duration_ms: Some(millis(request.began.elapsed())),
        observed_at: Some(now),
        boot_id: Some(judged.snapshot.boot_id.clone()),
        root: Some(judged.snapshot.root.clone()),
        ..event(Kind::RunFinished)
    };
    store
        .record(&mut [last])
        .and_then(|()| store.save())
        .map_err(of_store)?;
    log::debug!("recorded what was seen by {:?}", request.began.elapsed());
    let warnings = std::mem::take(&mut store.warnings);
    let mut report = report(judged, request.warnings.clone(), warnings, about);
    let untold = cells::tell_all(request, &store.news, &report, deadline);
    report.warnings.extend(bounded(untold));
    log::debug!("told the cells by {:?}", request.began.elapsed());
    report.run.duration = request.began.elapsed();
    Ok(report)
}

/// Records what is another than the state has it.
fn sweep(
    request: &Request,
    store: &mut Store<'_>,
    judged: &Judged,
    run: &str,
) -> Result<(), Failure> {
    let in_scope = |cell: &str| request.is_in_scope(cell);
    let vanished = holds::believes_absence(&judged.warnings);
    let mut code = host::code;
    let mut sweep = Sweep::new(&judged.snapshot, &judged.decisions, run, &mut code);
    while let Some(mut batch) = sweep.next(&store.state, &in_scope, vanished) {
        store.record(&mut batch).map_err(of_store)?;
    }
    Ok(())
}

/// Writes the meta-heartbeat of a run that could not begin because its configuration was refused,
/// as far as it can be written. It is made without the lock: a run that goes on is no reason for
/// this one not to be seen.
pub fn beat_refused(request: &Request, why: &str) {
    let within = |dir: &PathBuf| dir.starts_with(&request.state_dir);
    if request.heartbeat_dir.as_ref().is_some_and(within)
        // As a run makes it: not open to everyone as the heartbeats are, and not where others
        // decide what becomes of it.
        && StateDir::create(&request.state_dir, &request.trust).is_err()
    {
        return;
    }
    let _ = ending::beat(request, Exit::Config, None, Some(why), Writers::Many);
}

/// A run's id: sortable by time, and another for each process.
#[must_use]
pub fn run_id(now: Timestamp) -> String {
    format!("{:014x}-{:x}", now.as_micros(), std::process::id())
}

/// State, journal or heartbeat could not be written, or not even read.
fn of_store(e: StoreError) -> Failure {
    Failure::new(Exit::CannotWrite, e.to_string())
}
