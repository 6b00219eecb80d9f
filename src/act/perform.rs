//! Carries out the attempts that are due: subjects side by side, each one's steps in their order.
//!
//! ```text
//! thread started ──▶ intent recorded and durable ──▶ go ──▶ step ──▶ recorded ──▶ step … ──▶ done
//! ```
//!
//! Nothing is done on the strength of what is not recorded. A thread waits until the intent of its
//! attempt is durable, and after each step until that step's event is written. Only the calling
//! thread records. If that fails, or if it panics, the end of a pipe that it holds is closed,
//! and every thread ends what it runs.

use std::collections::VecDeque;
use std::io::PipeReader;
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Scope;
use std::time::Instant;

use super::attempt;
use super::environment::Own;
use super::logs::Logs;
use super::run::Scene;
use crate::model::action::{Action, Done};
use crate::model::cell::Warning;
use crate::model::event::Event;
use crate::model::time::Timestamp;
use crate::sys::process;

/// How many attempts are carried out at once, unless something else is said.
pub const AT_ONCE: usize = 32;

/// What the attempts of a run have in common.
pub struct Surroundings<'a> {
    /// The run's id.
    pub run: &'a str,
    /// Until when steps may take: nothing begins after it, and what runs then is cut off.
    pub deadline: Instant,
    /// How many attempts are carried out at once.
    pub at_once: usize,
    /// Where output goes.
    pub logs: Logs,
    /// What is taken over from our own environment.
    pub own: Own,
    /// The wall clock.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
}

/// What came of the attempts.
#[derive(Debug, Default)]
pub struct Performed {
    /// Those that were made, in the order in which they were due.
    pub done: Vec<Done>,
    /// Those for which there was no time: nothing was recorded of them.
    pub deferred: Vec<Action>,
    /// What went wrong without harm to an attempt: a log that could not be written.
    pub warnings: Vec<Warning>,
}

/// What a thread has to say to the one that records.
enum Message {
    /// Something to be recorded, and whom to tell when it is.
    Record(Box<Event>, SyncSender<()>),
    /// An attempt is over.
    Over(Box<Over>),
    /// A thread has ended without a word about its attempt, by a defect of ours: the intent stays
    /// without an outcome, and the next run settles it.
    Lost,
}

struct Over {
    place: usize,
    events: Vec<Event>,
    done: Done,
    warnings: Vec<Warning>,
}

/// Carries out the attempts. `record` writes events to the journal and, where told so, makes all
/// that was written durable; it is called on the calling thread alone.
///
/// # Errors
/// The first error of `record`. Then nothing more was started, and what ran has been ended.
pub fn perform<E>(
    actions: Vec<Action>,
    around: &Surroundings<'_>,
    record: &mut dyn FnMut(Vec<Event>, bool) -> Result<(), E>,
) -> Result<Performed, E> {
    let mut performed = Performed::default();
    if actions.is_empty() {
        return Ok(performed);
    }
    let (stop, hold) = match std::io::pipe() {
        Ok(ends) => ends,
        Err(e) => {
            let message = format!("no attempt was made: making a pipe: {e}");
            performed.warnings.push(Warning::new("deferred", message));
            performed.deferred = actions;
            return Ok(performed);
        }
    };
    let mut waiting: VecDeque<(usize, Action)> = actions.into_iter().enumerate().collect();
    let mut over: Vec<(usize, Done)> = Vec::new();
    std::thread::scope(|scope| {
        // Closed however this ends: nobody goes on without somebody who records.
        let _hold = hold;
        let (send, messages) = channel();
        let crew = Crew {
            around,
            stop: &stop,
            send,
        };
        let mut running = 0;
        loop {
            let room = around.at_once.max(1).saturating_sub(running);
            match crew.begin(scope, &mut waiting, room, record) {
                Ok(begun) => running += begun,
                Err(NotBegun::Recorded(e)) => return Err(e),
                // With others still running there may be room for it when they are done.
                Err(NotBegun::Thread(_)) if running > 0 => {}
                Err(NotBegun::Thread(e)) => {
                    let message = format!(
                        "no attempt was begun: starting a thread: {e}; is the process limit reached?"
                    );
                    performed.warnings.push(Warning::new("deferred", message));
                    return Ok(());
                }
            }
            if running == 0 {
                return Ok(());
            }
            for ended in listen(&messages, record)? {
                running -= 1;
                if let Some(ended) = ended {
                    performed.warnings.extend(ended.warnings);
                    over.push((ended.place, ended.done));
                }
            }
        }
    })?;
    over.sort_by_key(|(place, _)| *place);
    performed.done = over.into_iter().map(|(_, done)| done).collect();
    performed.deferred = waiting.into_iter().map(|(_, action)| action).collect();
    Ok(performed)
}

/// Waits for a message and records it and all that have come with it. Returns the attempts that
/// are over; of one that was lost there is nothing to say.
fn listen<E>(
    messages: &Receiver<Message>,
    record: &mut dyn FnMut(Vec<Event>, bool) -> Result<(), E>,
) -> Result<Vec<Option<Over>>, E> {
    let (mut events, mut told, mut over) = (Vec::new(), Vec::new(), Vec::new());
    // One sender is the caller's own, so that this never fails.
    for message in messages.recv().into_iter().chain(messages.try_iter()) {
        match message {
            Message::Record(event, tell) => {
                events.push(*event);
                told.push(tell);
            }
            Message::Over(mut ended) => {
                events.append(&mut ended.events);
                over.push(Some(*ended));
            }
            Message::Lost => over.push(None),
        }
    }
    if !events.is_empty() {
        record(events, false)?;
    }
    for tell in told {
        // A thread that does not listen any more has no more to do.
        let _ = tell.send(());
    }
    Ok(over)
}

/// Why nothing was begun.
enum NotBegun<E> {
    Recorded(E),
    Thread(std::io::Error),
}

/// What every thread is given.
struct Crew<'a, 'b> {
    around: &'a Surroundings<'b>,
    stop: &'a PipeReader,
    send: Sender<Message>,
}

impl<'a> Crew<'a, '_> {
    /// Begins as many as there is room and time for, and says how many. The threads come first:
    /// an attempt whose intent is recorded counts, and one that cannot be made must not.
    fn begin<'scope, E>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        waiting: &mut VecDeque<(usize, Action)>,
        room: usize,
        record: &mut dyn FnMut(Vec<Event>, bool) -> Result<(), E>,
    ) -> Result<usize, NotBegun<E>>
    where
        'a: 'scope,
    {
        let mut batch = Vec::new();
        let mut trouble = None;
        while batch.len() < room.min(waiting.len()) && Instant::now() < self.around.deadline {
            let (go, ready) = sync_channel::<(usize, Action)>(1);
            let (around, stop, send) = (self.around, self.stop, self.send.clone());
            let started = std::thread::Builder::new()
                .name("attempt".into())
                .stack_size(512 << 10)
                .spawn_scoped(scope, move || {
                    // Without an answer the intent was not recorded, and nothing is done.
                    if let Ok((place, action)) = ready.recv() {
                        let work = || work(place, &action, around, stop, &send);
                        if catch_unwind(AssertUnwindSafe(work)).is_err() {
                            let _ = send.send(Message::Lost);
                        }
                    }
                });
            match started {
                Ok(_) => batch.push(go),
                Err(e) => {
                    trouble = Some(e);
                    break;
                }
            }
        }
        if let Some(e) = trouble.filter(|_| batch.is_empty()) {
            return Err(NotBegun::Thread(e));
        }
        if batch.is_empty() {
            return Ok(0);
        }
        let due: Vec<(usize, Action)> = waiting.drain(..batch.len()).collect();
        let intents = due
            .iter()
            .map(|(_, action)| attempt::intent(action, self.around));
        record(intents.collect(), true).map_err(NotBegun::Recorded)?;
        let begun = batch.len();
        for (go, action) in batch.into_iter().zip(due) {
            // It waits for nothing else, so that this never fails.
            let _ = go.send(action);
        }
        Ok(begun)
    }
}

/// A thread's work: one attempt.
fn work(
    place: usize,
    action: &Action,
    around: &Surroundings<'_>,
    stop: &PipeReader,
    send: &Sender<Message>,
) {
    let mut scene = Scene {
        action,
        around,
        stop: stop.as_fd(),
        log: None,
        trouble: Vec::new(),
    };
    let mut steps = Vec::new();
    let mut tell = |event: Event| {
        let (told, heard) = sync_channel(1);
        send.send(Message::Record(Box::new(event), told)).is_ok() && heard.recv().is_ok()
    };
    // A defect of ours that one subject brings out must not harm the others. What was started is
    // ended on the way out, when its job is dropped.
    let came = catch_unwind(AssertUnwindSafe(|| {
        attempt::carry_out(&mut scene, &mut steps, &mut tell);
    }));
    let defect = came.err().map(|_| process::defect());
    let (events, done) = attempt::close(action, around, steps, defect);
    let warnings = scene.trouble.into_iter();
    let warnings = warnings.map(|trouble| Warning::about("log", &action.subject, trouble));
    // Nobody listens any more only where recording has failed.
    let _ = send.send(Message::Over(Box::new(Over {
        place,
        events,
        done,
        warnings: warnings.collect(),
    })));
}
