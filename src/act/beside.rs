//! What may hang, done beside an attempt: when its time is up, or all is to be ended, the attempt
//! goes on without it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::run::Scene;
use crate::model::action::StepResult;
use crate::model::time::exact;
use crate::sys::process;

/// How soon it is noticed that all is to be ended.
const NOTICE: Duration = Duration::from_millis(50);

/// How a step comes to its end without being done: its result, and the sentence for people.
pub(super) type Failed = (StepResult, String);

/// A step that failed, for this reason.
pub(super) fn failed(why: impl Into<String>) -> Failed {
    (StepResult::Failed, why.into())
}

/// Until when a step may take, and what has passed by then.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) at: Instant,
    /// The step's own limit, where it is that which comes first.
    own: Option<Duration>,
}

impl Bound {
    /// A step's own limit, or the run's deadline where that comes first.
    pub(super) fn of(limit: Duration, scene: &Scene<'_>) -> Self {
        let deadline = scene.around.deadline;
        let own = Instant::now().checked_add(limit);
        match own.filter(|own| *own < deadline) {
            Some(at) => Self {
                at,
                own: Some(limit),
            },
            None => Self {
                at: deadline,
                own: None,
            },
        }
    }

    /// As this, with so much time from now on at the least.
    pub(super) fn at_least(self, time: Duration) -> Self {
        let at = self.at.max(Instant::now() + time);
        Self { at, ..self }
    }

    /// As this, so much later.
    pub(super) fn later(self, by: Duration) -> Self {
        let at = self.at + by;
        Self { at, ..self }
    }

    /// How long there is still.
    pub(super) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How a step ends whose time is up. `what` was not so, or was not done, by then.
    pub(super) fn passed(&self, what: &str) -> Failed {
        match self.own {
            Some(limit) => (
                StepResult::TimedOut,
                format!("{what} within {}", exact(limit)),
            ),
            None => cut_off(what),
        }
    }
}

/// How a step ends that the run does not wait for any longer.
pub(super) fn cut_off(what: &str) -> Failed {
    let why = format!("{what}: the run's deadline came first");
    (StepResult::CutOff, why)
}

/// Does `work` on a thread of its own and waits for it, at most until the bound. `what` says for
/// messages what was not done.
///
/// # Errors
/// It was not done in time, all is to be ended, it met a defect of ours, or there was no thread.
pub(super) fn beside<T: Send + 'static>(
    scene: &Scene<'_>,
    bound: Bound,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    let (send, answer) = sync_channel(1);
    let started = std::thread::Builder::new()
        .name("step".to_owned())
        .spawn(move || {
            let came = catch_unwind(AssertUnwindSafe(work));
            // Nobody listens any more where it came too late.
            let _ = send.send(came.map_err(|_| process::defect()));
        });
    if let Err(e) = started {
        return Err(failed(format!(
            "{what}: starting a thread: {e}; is the process limit reached?"
        )));
    }
    loop {
        match answer.recv_timeout(bound.left().min(NOTICE)) {
            Ok(Ok(came)) => return Ok(came),
            Ok(Err(place)) => return Err(failed(super::attempt::of_defect(&place))),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(failed(format!("{what}: its thread has ended")));
            }
            Err(RecvTimeoutError::Timeout) if scene.is_stopped() => return Err(cut_off(what)),
            Err(RecvTimeoutError::Timeout) if bound.left().is_zero() => {
                return Err(bound.passed(what));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
