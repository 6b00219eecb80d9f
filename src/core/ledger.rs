//! How events become state.
//!
//! The journal is written first and the state is what the journal adds up to: [`apply`] is the one
//! place where state changes, used by the run that writes an event, by the next one that finds it
//! in the journal, and by simulations. Each event makes sense by itself, so that a run killed
//! between any two of them leaves a state from which the next one says exactly what is missing.

use std::time::Duration;

use super::{forget, post};
use crate::model::action::AttemptResult;
use crate::model::condition::Condition;
use crate::model::event::{Event, Kind};
use crate::model::state::{
    Answer, AnswerKind, Approval, Attempt, Exited, Hold, Incident, LastRun, Memory, Pause, Span,
    State, SubjectState,
};

/// The `reason` of a [`Kind::Held`] that lasts: a mass failure. Others are for one run.
pub const MASS_FAILURE: &str = "mass_failure";

/// The `reason` of a [`Kind::Released`] for a mass failure that is over.
pub const OVER: &str = "over";

/// How many conditions are remembered of a subject while it is down.
const MOST_SPANS: usize = 16;

/// Adds one event to the state. Events that the state already has change nothing.
pub fn apply(state: &mut State, event: &Event) {
    if event.seq <= state.applied {
        return;
    }
    state.applied = event.seq;
    match event.event {
        Kind::StatusChanged => status_changed(state, event),
        Kind::Probed => probed(state, event),
        Kind::IncidentOpened => incident_opened(state, event),
        Kind::IncidentClosed => incident_closed(state, event),
        Kind::RunFinished => run_finished(state, event),
        Kind::ApprovalRequested => approval_requested(state, event),
        Kind::Approved => answered(state, event, AnswerKind::Approved),
        Kind::Denied => answered(state, event, AnswerKind::Denied),
        Kind::ApprovalExpired => answered(state, event, AnswerKind::Expired),
        Kind::Intent => intent(state, event),
        Kind::Step => step(state, event),
        Kind::AttemptFinished => attempt_finished(state, event),
        Kind::Held => held(state, event),
        Kind::Released => released(state, event),
        Kind::Exhausted => exhausted(state, event),
        Kind::Paused => paused(state, event),
        Kind::Resumed => resumed(state, event),
        Kind::Reset => reset(state, event),
        Kind::ProcessExited => process_exited(state, event),
        Kind::Queued => post::queued(state, event),
        Kind::Notified => post::notified(state, event),
        Kind::NotifyFailed => post::notify_failed(state, event),
        Kind::Heard => post::heard(state, event),
        Kind::Cursor => post::cursor(state, event),
        Kind::RunStarted
        | Kind::RunKilled
        | Kind::ProcessStarted
        | Kind::Destroyed
        | Kind::StateRecovered
        | Kind::Unknown => {}
    }
}

fn status_changed(state: &mut State, event: &Event) {
    let Some(subject) = &event.subject else {
        return;
    };
    let before = state.subjects.remove(subject);
    let Some(status) = event.to else { return };
    let incident = before.as_ref().and_then(|b| b.incident.clone());
    if status == Condition::Healthy && incident.is_none() {
        return;
    }
    let unseen = event.reasons.iter().any(|code| code == "unreadable");
    let mut spans = Vec::new();
    let mut since = event.since.unwrap_or(event.ts);
    if let Some(before) = before {
        spans = before.before;
        if before.status == status && before.unseen == unseen {
            // The same, with other traits.
            since = before.since;
        } else {
            spans.push(Span {
                status: before.status,
                since: before.since,
                unseen: before.unseen,
            });
        }
    }
    let surplus = spans.len().saturating_sub(MOST_SPANS);
    spans.drain(..surplus);
    let entry = SubjectState {
        status,
        since,
        unseen,
        before: spans,
        reasons: event.reasons.clone(),
        traits: event.traits.clone(),
        incident,
    };
    state.subjects.insert(subject.clone(), entry);
}

fn probed(state: &mut State, event: &Event) {
    let subject = event.subject.clone().unwrap_or_default();
    match event.probes.is_empty() {
        true => state.probes.remove(&subject),
        false => state.probes.insert(subject, event.probes.clone()),
    };
}

fn incident_opened(state: &mut State, event: &Event) {
    let (Some(subject), Some(id)) = (&event.subject, &event.incident) else {
        return;
    };
    // The line before this one made the entry; where it was lost, this one says enough.
    state
        .subjects
        .entry(subject.clone())
        .or_insert_with(|| SubjectState {
            status: event.to.unwrap_or(Condition::Incomplete),
            since: event.since.or(event.down_since).unwrap_or(event.ts),
            unseen: false,
            before: Vec::new(),
            reasons: event.reasons.clone(),
            traits: event.traits.clone(),
            incident: None,
        });
    post::opened(state, event);
    let Some(entry) = state.subjects.get_mut(subject) else {
        return;
    };
    entry.incident = Some(Incident {
        id: id.clone(),
        opened_at: event.ts,
        down_since: event.down_since.unwrap_or(event.ts),
        attempts: 0,
        exhausted: false,
    });
}

fn incident_closed(state: &mut State, event: &Event) {
    let Some(subject) = &event.subject else {
        return;
    };
    post::closed(state, event);
    remember(state, subject, |memory| {
        let of_it = |a: &Approval| event.incident.as_ref() == Some(&a.incident);
        if memory.approval.as_ref().is_some_and(of_it) {
            memory.approval = None;
        }
    });
    let Some(entry) = state.subjects.get_mut(subject) else {
        return;
    };
    entry.incident = None;
    if entry.status == Condition::Healthy {
        state.subjects.remove(subject);
    }
}

/// Changes what is remembered of a subject, and forgets the entry where nothing is left in it.
fn remember(state: &mut State, subject: &str, change: impl FnOnce(&mut Memory)) {
    let mut memory = state.memory.remove(subject).unwrap_or_default();
    change(&mut memory);
    if !memory.is_empty() {
        state.memory.insert(subject.to_owned(), memory);
    }
}

fn approval_requested(state: &mut State, event: &Event) {
    let (Some(subject), Some(incident)) = (&event.subject, &event.incident) else {
        return;
    };
    let approval = Approval {
        incident: incident.clone(),
        attempt: event.attempt.unwrap_or(1),
        plan: event.plan.clone().unwrap_or_default(),
        plan_hash: event.plan_hash.clone().unwrap_or_default(),
        code: event.code.clone().unwrap_or_default(),
        asked_at: event.ts,
        expires_at: event.expires_at.unwrap_or(event.ts),
        ask_again_ms: event.ask_again_ms.unwrap_or(0),
        answer: None,
        channels: Vec::new(),
    };
    remember(state, subject, |memory| memory.approval = Some(approval));
}

fn answered(state: &mut State, event: &Event, kind: AnswerKind) {
    post::heard(state, event);
    let Some(subject) = &event.subject else {
        return;
    };
    remember(state, subject, |memory| {
        let open = memory.approval.as_mut().filter(|a| a.answer.is_none());
        // An answer to another question is none to this one.
        let named = |a: &&mut Approval| {
            event.code.is_none() || event.code.as_deref() == Some(a.code.as_str())
        };
        if let Some(approval) = open.filter(named) {
            approval.answer = Some(Answer {
                kind,
                by: event.actor.clone(),
                at: event.ts,
                until: event.until,
            });
        }
    });
}

fn intent(state: &mut State, event: &Event) {
    let (Some(subject), Some(attempt_ref)) = (&event.subject, &event.r#ref) else {
        return;
    };
    let spawns = event.steps.iter().position(|step| step.kind == "spawn");
    let attempt = Attempt {
        number: event.attempt.unwrap_or(1),
        incident: event.incident.clone().unwrap_or_default(),
        r#ref: attempt_ref.clone(),
        plan: event.plan.clone().unwrap_or_default(),
        plan_hash: event.plan_hash.clone().unwrap_or_default(),
        at: event.ts,
        steps_over: 0,
        ended: None,
        result: None,
        verify_until: None,
        verify_ms: event.verify_ms.unwrap_or(0),
        window_ms: event.window_ms.unwrap_or(0),
        canary: event.canary,
        spawn_at: spawns.and_then(|at| u32::try_from(at).ok()),
        steps: u32::try_from(event.steps.len()).unwrap_or(u32::MAX),
        approval: None,
    };
    let open = state
        .subjects
        .get_mut(subject)
        .and_then(|s| s.incident.as_mut());
    if let Some(open) = open.filter(|open| open.id == attempt.incident) {
        open.attempts = open.attempts.max(attempt.number);
    }
    remember(state, subject, |memory| {
        // One approval covers one attempt.
        let approval = memory.approval.take();
        memory.attempts.push(Attempt {
            approval,
            ..attempt
        });
    });
}

/// The state as it would be had an attempt not been begun: for one of which nothing was carried out,
/// so that the rules can say once more whether it is to be.
pub fn unmake(state: &mut State, subject: &str, attempt_ref: &str) {
    let mut incident = None;
    remember(state, subject, |memory| {
        let place = memory.attempts.iter().position(|a| a.r#ref == attempt_ref);
        if let Some(place) = place {
            let attempt = memory.attempts.remove(place);
            memory.approval = attempt.approval;
            incident = Some((attempt.incident, attempt.number));
        }
    });
    let open = state.subjects.get_mut(subject);
    let open = open.and_then(|s| s.incident.as_mut());
    if let (Some(open), Some((id, number))) = (open, incident)
        && open.id == id
    {
        open.attempts = open.attempts.min(number.saturating_sub(1));
    }
}

fn step(state: &mut State, event: &Event) {
    let (Some(subject), Some(attempt_ref)) = (&event.subject, &event.r#ref) else {
        return;
    };
    let memory = state.memory.get_mut(subject);
    let attempt = memory.and_then(|m| m.attempts.iter_mut().find(|a| a.r#ref == *attempt_ref));
    if let Some(attempt) = attempt {
        attempt.steps_over = attempt.steps_over.saturating_add(1);
    }
}

fn attempt_finished(state: &mut State, event: &Event) {
    let (Some(subject), Some(attempt_ref)) = (&event.subject, &event.r#ref) else {
        return;
    };
    let result = match event.result.as_deref() {
        Some("ok") => AttemptResult::Ok,
        Some("interrupted") => AttemptResult::Interrupted,
        _ => AttemptResult::Failed,
    };
    let mut counted = false;
    remember(state, subject, |memory| {
        let mut attempts = memory.attempts.iter_mut();
        let open = attempts.find(|a| a.r#ref == *attempt_ref && a.result.is_none());
        if let Some(attempt) = open {
            counted = true;
            attempt.result = Some(result);
            attempt.ended = Some(event.ts);
            let within = Duration::from_millis(attempt.verify_ms);
            // What an interrupted attempt has started, it has started.
            let shows = result == AttemptResult::Ok
                || (result == AttemptResult::Interrupted && event.pid.is_some());
            attempt.verify_until = shows.then(|| event.ts.plus(within));
        }
    });
    if counted {
        *state.totals.entry(result).or_default() += 1;
    }
}

fn process_exited(state: &mut State, event: &Event) {
    let (Some(subject), Some(process_ref)) = (&event.subject, &event.r#ref) else {
        return;
    };
    remember(state, subject, |memory| {
        let before = memory.exited.as_ref();
        if before.is_none_or(|exited| exited.r#ref < *process_ref) {
            memory.exited = Some(Exited {
                r#ref: process_ref.clone(),
                at: event.ts,
            });
        }
    });
}

fn held(state: &mut State, event: &Event) {
    if event.reason.as_deref() == Some(MASS_FAILURE) {
        state.hold = Some(Hold {
            since: event.ts,
            released: None,
        });
    }
}

fn released(state: &mut State, event: &Event) {
    match event.reason.as_deref() {
        Some(OVER) => state.hold = None,
        _ => {
            if let Some(hold) = &mut state.hold {
                hold.released = Some(event.ts);
            }
        }
    }
}

fn exhausted(state: &mut State, event: &Event) {
    let subject = event
        .subject
        .as_ref()
        .and_then(|s| state.subjects.get_mut(s));
    if let Some(open) = subject.and_then(|s| s.incident.as_mut()) {
        open.exhausted = true;
    }
}

fn paused(state: &mut State, event: &Event) {
    let Some(subject) = &event.subject else {
        return;
    };
    let pause = Pause {
        reason: event.reason.clone().unwrap_or_default(),
        by: event.actor.clone(),
        since: event.ts,
        until: event.until,
    };
    remember(state, subject, |memory| memory.pause = Some(pause));
}

fn resumed(state: &mut State, event: &Event) {
    let Some(subject) = &event.subject else {
        return;
    };
    remember(state, subject, |memory| {
        memory.pause = None;
        memory.forgiven_at = Some(event.ts);
    });
}

fn reset(state: &mut State, event: &Event) {
    let Some(subject) = &event.subject else {
        return;
    };
    remember(state, subject, |memory| {
        // One whose run was killed is still to be settled: it may have left something running.
        memory.attempts.retain(|attempt| attempt.result.is_none());
        memory.approval = None;
        memory.forgiven_at = Some(event.ts);
    });
    let entry = state.subjects.get_mut(subject);
    if let Some(open) = entry.and_then(|s| s.incident.as_mut()) {
        open.exhausted = false;
    }
}

fn run_finished(state: &mut State, event: &Event) {
    forget::tidy(state, event.ts);
    // A run that could not go on has told nobody anything.
    post::tidy(state, event.ts, event.observed_at.is_some());
    // A run over some of the cells says nothing about the others.
    if !event.scope.is_empty() {
        return;
    }
    let (Some(at), Some(root), Some(sum)) = (event.observed_at, &event.root, event.summary) else {
        return;
    };
    let seen = sum.total_cells.saturating_add(sum.ignored);
    let before = state.last_run.as_ref();
    let cells = before.map_or(0, |run| run.cells);
    // An empty directory on another file system is what an unmounted disk leaves: it is no measure
    // for the next run, or the second look at it would find all well.
    let root = before
        .filter(|run| seen == 0 && run.root.fsid != root.fsid)
        .map_or(root, |run| &run.root)
        .clone();
    let boot_id = event.boot_id.clone().unwrap_or_default();
    let other_boot = before.filter(|run| !run.boot_id.is_empty() && run.boot_id != boot_id);
    let reboot = match other_boot {
        Some(run) if !boot_id.is_empty() => Some((run.at, at)),
        _ => before.and_then(|run| run.reboot),
    };
    state.last_run = Some(LastRun {
        id: event.run.clone(),
        at,
        exit: event.exit.unwrap_or(0),
        duration_ms: event.duration_ms.unwrap_or(0),
        boot_id,
        root,
        cells: if seen == 0 { cells } else { seen },
        reboot,
    });
}
