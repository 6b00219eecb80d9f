//! What a state need not remember any longer. The part of the [ledger](super::ledger) that looks at
//! the clock of a run's end.

use std::time::Duration;

use crate::model::state::State;
use crate::model::time::Timestamp;

/// Attempts are remembered for their window, and for a day at least, so that a plan whose window
/// grows does not forget them.
const LEAST_WINDOW: Duration = Duration::from_secs(86_400);

/// And for this much longer: a clock that was set forward by a day drops nothing that counts again
/// once it is set back, by two days even, or setting it to and fro would refill a budget.
const SWING: Duration = Duration::from_secs(2 * 86_400 + 3600);

/// How far in the future (the clock has gone back since) an attempt still counts as what it is.
const FARTHEST: Duration = Duration::from_secs(86_400 + 3600);

/// How long an operator's word that an end is not hopeless is remembered: as long as ends are.
const FORGIVEN_FOR: Duration = Duration::from_secs(14 * 86_400);

/// How long the last end of a process is remembered: a day longer than the process table has it.
const EXITED_FOR: Duration = Duration::from_secs(15 * 86_400);

/// At the end of a run: forgets what can no longer matter, and brings back to the present what a
/// clock that has gone back since would leave in the future, where nothing would ever come of it.
///
/// The beginnings of attempts stay where they are, as long as that is not for ever: a clock that is
/// set to and fro must not refill anyone's budget.
pub(super) fn tidy(state: &mut State, now: Timestamp) {
    for entry in state.subjects.values_mut() {
        entry.since = entry.since.min(now);
        entry
            .before
            .iter_mut()
            .for_each(|span| span.since = span.since.min(now));
        if let Some(open) = &mut entry.incident {
            open.down_since = open.down_since.min(now);
        }
    }
    if let Some(hold) = &mut state.hold {
        hold.since = hold.since.min(now);
    }
    let farthest = now.plus(FARTHEST);
    state.memory.retain(|subject, memory| {
        let down = state.subjects.get(subject);
        let open = down.and_then(|s| s.incident.as_ref());
        let last = memory.attempts.last().map(|a| a.r#ref.clone());
        memory.attempts.retain(|a| {
            let window = Duration::from_millis(a.window_ms).max(LEAST_WINDOW);
            let counts = a.at.plus(window).plus(SWING) > now;
            // The last one of an open incident says how far that has come.
            counts || (open.is_some_and(|o| o.id == a.incident) && last.as_ref() == Some(&a.r#ref))
        });
        for attempt in &mut memory.attempts {
            if attempt.at > farthest {
                attempt.at = now;
            }
            if attempt.ended.is_some_and(|ended| ended > now) {
                let within = Duration::from_millis(attempt.verify_ms);
                attempt.ended = Some(now);
                attempt.verify_until = attempt.verify_until.map(|_| now.plus(within));
            }
        }
        if let Some(asked) = memory.approval.as_mut().filter(|a| a.asked_at > now) {
            let within = asked.expires_at.since(asked.asked_at);
            asked.asked_at = now;
            asked.expires_at = now.plus(within);
        }
        if memory
            .pause
            .as_ref()
            .is_some_and(|p| p.until.is_some_and(|until| until <= now))
        {
            memory.pause = None;
        }
        memory.forgiven_at = memory.forgiven_at.filter(|at| at.plus(FORGIVEN_FOR) > now);
        let exited = memory.exited.take();
        memory.exited = exited.filter(|exited| exited.at.plus(EXITED_FOR) > now);
        !memory.is_empty()
    });
}
