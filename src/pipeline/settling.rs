//! Settles what a run that was killed left open, before anything is decided: an attempt that was
//! begun and of which no end is recorded was made, and is not made again.
//!
//! Whether its agent was started, the process table and the living processes say. One that was is
//! adopted. Where nothing of the attempt was carried out, it is made now if it is still due, under
//! the id that it has, and claimed here if it is not, so that a keeper which is late finds it taken.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::kept::Kept;
use crate::act::leftovers::{Ended, Found, end_leftovers_but};
use crate::act::spawn::strays;
use crate::core::ledger;
use crate::model::action::{Action, AttemptResult};
use crate::model::cell::{Code, Reason, Warning};
use crate::model::decision::{Decision, Verdict};
use crate::model::event::{Event, Kind};
use crate::model::process::{Entry, ProcessStatus};
use crate::model::state::{Attempt, State};
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::state::Store;
use crate::sys::{host, process, procs};
use crate::table::{Table, Unclaimed};

/// How long what an interrupted attempt left running has between TERM and KILL.
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);

/// How long a keeper that has claimed its attempt may take to start its agent.
const TO_START: Duration = Duration::from_secs(5);

/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(5);

/// An attempt that was begun and of which no end is recorded: its run was killed.
struct Open {
    subject: String,
    attempt: Attempt,
    /// The process that it started, alive or not.
    started: Option<Entry>,
    /// Why it started none, where that is known.
    why_not: Option<String>,
}

fn open(state: &State) -> Vec<Open> {
    let of = |(subject, memory): (&String, &crate::model::state::Memory)| {
        let open = memory.attempts.iter().filter(|a| a.result.is_none());
        let open = open.map(|attempt| Open {
            subject: subject.clone(),
            attempt: attempt.clone(),
            started: None,
            why_not: None,
        });
        open.collect::<Vec<_>>()
    };
    state.memory.iter().flat_map(of).collect()
}

impl Open {
    /// The events and the warning by which it is settled.
    fn settle(&self, found: &Ended, now: Timestamp, run: &str) -> (Vec<Event>, Warning) {
        let Self {
            subject, attempt, ..
        } = self;
        let event = |kind| Event {
            subject: Some(subject.clone()),
            incident: Some(attempt.incident.clone()),
            plan: Some(attempt.plan.clone()),
            r#ref: Some(attempt.r#ref.clone()),
            attempt: Some(attempt.number),
            pid: self.started.as_ref().and_then(|entry| entry.pid),
            ..Event::new(kind, now, run)
        };
        let mut events = Vec::new();
        let mut over = attempt.steps_over;
        if let Some(entry) = &self.started
            && attempt.spawn_at == Some(over)
        {
            over = over.saturating_add(1);
            events.push(Event {
                log: entry.log.clone(),
                ..event(Kind::ProcessStarted)
            });
            events.push(Event {
                index: attempt.spawn_at,
                kind: Some("spawn".to_owned()),
                result: Some("ok".to_owned()),
                log: entry.log.clone(),
                ..event(Kind::Step)
            });
        }
        let whole = self.started.is_some() && over >= attempt.steps;
        let message = self.message(whole, over, found);
        let result = match whole {
            true => AttemptResult::Ok,
            false => AttemptResult::Interrupted,
        };
        events.push(Event {
            result: Some(result.as_str().to_owned()),
            reason: self.started.as_ref().map(|_| "adopted".to_owned()),
            error: (!whole).then(|| message.clone()),
            ..event(Kind::AttemptFinished)
        });
        let code = if whole { "adopted" } else { "interrupted" };
        (events, Warning::about(code, subject, message))
    }

    fn message(&self, whole: bool, over: u32, found: &Ended) -> String {
        let Self { attempt, .. } = self;
        let of_it = |all: &[Found]| {
            let pids = all.iter().filter(|f| f.value == attempt.r#ref);
            let pids: Vec<String> = pids.map(|f| f.pid.to_string()).collect();
            pids.join(", ")
        };
        let mut message = format!(
            "attempt {} of plan {} began at {} and its run came to no end; ",
            attempt.number, attempt.plan, attempt.at,
        );
        match (&self.started, over) {
            (Some(entry), _) => {
                let pid = entry.pid.unwrap_or_default();
                let state = match entry.status.is_over() {
                    true => "has ended since",
                    false => "lives, and is adopted",
                };
                message.push_str(&format!("the agent that it started (pid {pid}) {state}"));
            }
            (None, 0) => match &self.why_not {
                Some(why) => message.push_str(why),
                None => message.push_str("whether its first step was carried out cannot be told"),
            },
            (None, n) => message.push_str(&format!("{n} of its steps had come to their end")),
        }
        message.push_str(match whole {
            true => ": the attempt was made",
            false => ": it counts as made, and is not made again",
        });
        if !of_it(&found.ended).is_empty() {
            message.push_str(&format!(
                "; what it had started was still running and was ended (pid {})",
                of_it(&found.ended)
            ));
        }
        if !of_it(&found.left).is_empty() {
            message.push_str(&format!(
                "; what it had started is still running and could not be ended (pid {})",
                of_it(&found.left)
            ));
        }
        message
    }

    /// True for a process that lives on with the agent.
    fn spares(&self, found: &Found) -> bool {
        let Some(entry) = self.started.as_ref().filter(|e| !e.status.is_over()) else {
            return false;
        };
        let of_keeper = |keeper| procs::comes_from(found.pid, keeper);
        found.value == attempt_ref(self)
            && (entry.pid.is_some_and(|pid| procs::session(found.pid) == Some(pid))
                || entry.keeper_pid.is_some_and(of_keeper)
                // Nobody is left who could say what is the agent's and what is not.
                || entry.status == ProcessStatus::Unkept)
    }
}

fn attempt_ref(open: &Open) -> &str {
    &open.attempt.r#ref
}

/// Settles the attempts of runs that were killed: agents that were started are adopted, whatever
/// else is still running is ended, and the attempts count as made.
///
/// Those of which nothing was carried out are left open, and returned: whether they are to be made,
/// the rules say.
pub(super) fn settle(
    store: &mut Store<'_>,
    kept: &mut Kept,
    run: &str,
) -> Result<Unbegun, StoreError> {
    let mut unbegun = Unbegun::default();
    let mut all = Vec::new();
    for mut open in open(&store.state) {
        if open.attempt.spawn_at.is_some() && !find_agent(&mut open, kept)? {
            unbegun.0.push(open);
        } else {
            all.push(open);
        }
    }
    finish(&all, store, run)?;
    Ok(unbegun)
}

/// Attempts that were begun by a run that was killed before it carried out anything of them.
#[derive(Default)]
pub(super) struct Unbegun(Vec<Open>);

impl Unbegun {
    /// The state by which it is decided whether they are to be made.
    pub(super) fn undone<'s>(&self, state: &'s State) -> Cow<'s, State> {
        if self.0.is_empty() {
            return Cow::Borrowed(state);
        }
        let mut state = state.clone();
        for Open {
            subject, attempt, ..
        } in &self.0
        {
            ledger::unmake(&mut state, subject, &attempt.r#ref);
        }
        Cow::Owned(state)
    }

    /// Has those that are due made under the ids that they have, which keeps them from being made
    /// twice; the others are settled for good.
    pub(super) fn take_up(
        self,
        decisions: &mut [Decision],
        store: &mut Store<'_>,
        kept: &mut Kept,
        state_dir: &std::path::Path,
        run: &str,
    ) -> Result<(), StoreError> {
        let mut rest = Vec::new();
        for mut open in self.0 {
            let mut decisions = decisions.iter_mut();
            let decision = decisions.find(|d| d.subject == open.subject);
            let due = decision.filter(|decision| decision.action.is_some());
            if let Some(decision) = due {
                let is_it = |action: &&mut Box<Action>| {
                    action.attempt == open.attempt.number
                        && action.incident == open.attempt.incident
                        && action.plan_hash == open.attempt.plan_hash
                };
                if let Some(action) = decision.action.as_mut().filter(is_it) {
                    action.r#ref.clone_from(&open.attempt.r#ref);
                    action.resumed = true;
                    continue;
                }
                // It counts now, so that another is not due before the next run has said so.
                decision.action = None;
                decision.verdict = Verdict::Backoff;
                let message = format!("attempt {} was interrupted", open.attempt.number);
                decision.because.push(Reason::new(Code::Backoff, message));
            }
            if bury(&open, kept, state_dir)? {
                let why = "its agent was not started, and is not any more";
                open.why_not = Some(why.to_owned());
            } else {
                // Its keeper was faster.
                find_agent(&mut open, kept)?;
            }
            rest.push(open);
        }
        finish(&rest, store, run)
    }
}

/// Records how attempts ended, and ends what they left running.
fn finish(all: &[Open], store: &mut Store<'_>, run: &str) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    let refs: Vec<String> = all.iter().map(|o| o.attempt.r#ref.clone()).collect();
    let spared = |found: &Found| all.iter().any(|open| open.spares(found));
    let found = end_leftovers_but(&refs, LEFTOVER_GRACE, &spared);
    let now = host::now();
    let (mut events, mut warnings) = (Vec::new(), Vec::new());
    for open in all {
        let (of_it, warning) = open.settle(&found, now, run);
        events.extend(of_it);
        warnings.push(warning);
    }
    store.record(&mut events)?;
    store.sync()?;
    store.warnings.extend(warnings);
    Ok(())
}

/// Claims an attempt that is not to be made any more. False where its keeper was faster.
fn bury(open: &Open, kept: &mut Kept, state_dir: &std::path::Path) -> Result<bool, StoreError> {
    if kept.table.is_none() {
        kept.table = Some(Table::create(state_dir)?);
    }
    let Some(table) = &kept.table else {
        return Ok(false);
    };
    match table.claim(&tombstone(open)) {
        Ok(()) => Ok(true),
        Err(Unclaimed::Taken) => Ok(false),
        Err(Unclaimed::Failed(e)) => Err(e),
    }
}

/// Finds out whether an attempt has started its agent. False where nothing of it was carried out.
fn find_agent(open: &mut Open, kept: &mut Kept) -> Result<bool, StoreError> {
    let unbegun = open.attempt.steps_over == 0 && open.attempt.spawn_at == Some(0);
    let Some(table) = &kept.table else {
        return Ok(!unbegun);
    };
    let unread = |why: String| StoreError::new("reading the process table", table.path(), why);
    let mut entry = table.entry(attempt_ref(open)).map_err(unread)?;
    if entry.is_none() && unbegun {
        return Ok(false);
    }
    let until = Instant::now() + TO_START;
    while let Some(now) = &entry
        && now.status == ProcessStatus::Created
        && kept.host.has_keeper(now)
        && Instant::now() < until
    {
        std::thread::sleep(LOOK);
        entry = table.entry(attempt_ref(open)).map_err(unread)?;
    }
    let Some(mut entry) = entry else {
        open.why_not = Some("its agent was not started".to_owned());
        return Ok(true);
    };
    let now = host::now();
    let mut is = table.look(&entry, &kept.host, now);
    if is.pid.is_none() && is.status == ProcessStatus::Unknown {
        // Its keeper was killed after it had started the agent and before it had written so.
        if let Some((pid, started)) = unwritten(attempt_ref(open)) {
            entry.pid = Some(pid);
            entry.start_time = Some(started);
            is = kept.host.look(&entry, now);
            table.replace(&is)?;
        }
    }
    match is.pid {
        Some(_) => open.started = Some(is.clone()),
        None => {
            open.why_not = Some(
                is.error
                    .clone()
                    .unwrap_or_else(|| "its keeper has not started its agent yet".to_owned()),
            )
        }
    }
    kept.entries.retain(|e| e.r#ref != is.r#ref);
    kept.entries.push(entry);
    kept.entries.sort_by(|a, b| a.r#ref.cmp(&b.r#ref));
    Ok(true)
}

/// The agent that an attempt started and that nobody wrote down: the leader of its session.
fn unwritten(r#ref: &str) -> Option<(i32, u64)> {
    let of_it = strays().into_iter().filter(|stray| stray.r#ref == r#ref);
    let leader = of_it.min_by_key(|stray| (stray.session != stray.pid, stray.start_time))?;
    let started = process::start_time(leader.pid)?;
    (started == leader.start_time).then_some((leader.pid, started))
}

/// What stands in the table for an attempt that was claimed so that nobody carries it out.
fn tombstone(open: &Open) -> Entry {
    let Open {
        subject, attempt, ..
    } = open;
    Entry {
        r#ref: attempt.r#ref.clone(),
        slot: subject.clone(),
        subject: subject.clone(),
        parent: None,
        actor: "run".to_owned(),
        incident: attempt.incident.clone(),
        attempt: attempt.number,
        plan: attempt.plan.clone(),
        command: Vec::new(),
        cwd: String::new(),
        pid: None,
        start_time: None,
        boot_id: host::boot_id(),
        keeper_pid: None,
        keeper_start_time: None,
        status: ProcessStatus::Failed,
        exit_code: None,
        signal: None,
        started_at: attempt.at,
        ended_at: Some(host::now()),
        duration_ms: None,
        grace_ms: 0,
        log: None,
        unit: None,
        error: Some("its run was killed before it was started".to_owned()),
        other: serde_json::Map::new(),
    }
}

/// The same in a state that nobody writes: what a real run would settle first. Nothing is ended.
pub(super) fn settle_in(state: &mut State, kept: &Kept, now: Timestamp) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for mut open in open(state) {
        let of_it = kept.entries.iter();
        let entry = of_it.rev().find(|e| e.r#ref == open.attempt.r#ref);
        let unbegun = open.attempt.steps_over == 0 && open.attempt.spawn_at == Some(0);
        if entry.is_none() && unbegun {
            ledger::unmake(state, &open.subject, &open.attempt.r#ref);
            continue;
        }
        open.started = entry.filter(|e| e.pid.is_some()).cloned();
        let (events, warning) = open.settle(&Ended::default(), now, "");
        for event in events {
            let seq = state.applied + 1;
            ledger::apply(state, &Event { seq, ..event });
        }
        warnings.push(warning);
    }
    warnings
}
