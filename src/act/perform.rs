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
//!
//! No thread is joined: one may hang beyond all signals, with a user database or a disk that does
//! not answer. It is given up together with its attempt, whose intent then has no outcome.

use std::collections::{BTreeMap, VecDeque};
use std::io::{PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use super::attempt;
use super::environment::Own;
use super::logs::Logs;
use super::run::Scene;
use super::signal::Kept;
use super::spawn::Keeping;
use crate::core::asking::Asking;
use crate::model::action::{Action, Done, StepDone};
use crate::model::cell::Warning;
use crate::model::event::Event;
use crate::model::time::Timestamp;
use crate::observe::Look;
use crate::sys::process;

/// How many attempts are carried out at once, unless something else is said.
pub const AT_ONCE: usize = 32;

/// How long after the deadline [`perform`] returns at the latest, unless something else is said:
/// what runs then gets TERM, KILL after a second, and a second or two to be gone; what does not
/// answer even so is given up.
pub const AFTERMATH: Duration = Duration::from_secs(5);

/// What the attempts of a run have in common.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The run's id.
    pub run: String,
    /// Until when steps may take: nothing begins after it, and what runs then is cut off.
    pub deadline: Instant,
    /// How long after the deadline what does not answer is given up.
    pub aftermath: Duration,
    /// How many attempts are carried out at once.
    pub at_once: usize,
    /// Where output goes.
    pub logs: Logs,
    /// What is taken over from our own environment.
    pub own: Own,
    /// How a subject is looked at again.
    pub look: Arc<Look>,
    /// What is asked about each subject beside its heartbeat.
    pub questions: Arc<BTreeMap<String, Asking>>,
    /// Which process is kept for a subject.
    pub kept: Kept,
    /// The wall clock.
    pub now: fn() -> Timestamp,
    /// Who has the attempts made: an event's `actor`.
    pub actor: String,
    /// What it takes to keep processes; none where nothing is kept.
    pub keeping: Option<Arc<Keeping>>,
}

/// What came of the attempts.
#[derive(Debug, Default)]
pub struct Performed {
    /// Those that were made, in the order in which they were due. One that is `interrupted` hangs,
    /// or met a defect of ours: no outcome of it is recorded, and the next run settles it.
    pub done: Vec<Done>,
    /// Those for which there was no time: nothing was recorded of them.
    pub deferred: Vec<Action>,
    /// What went wrong without harm to an attempt: a log that could not be written.
    pub warnings: Vec<Warning>,
}

/// What a thread has to say to the one that records.
enum Message {
    /// A step is over: what is to be recorded, and whom to tell when it is.
    Step {
        place: usize,
        events: Vec<Event>,
        done: Box<StepDone>,
        tell: SyncSender<()>,
    },
    /// An attempt is over.
    Over {
        place: usize,
        events: Vec<Event>,
        done: Done,
        warnings: Vec<Warning>,
    },
    /// A thread has ended without a word about its attempt, by a defect of ours.
    Lost { place: usize, defect: String },
}

/// An attempt that was begun.
struct Running {
    action: Arc<Action>,
    steps: Vec<StepDone>,
}

/// Writes events to the journal and, where told so, makes all that was written durable.
type Record<'r, E> = &'r mut dyn FnMut(Vec<Event>, bool) -> Result<(), E>;

/// Carries out the attempts. `record` writes events to the journal and, where told so, makes all
/// that was written durable; it is called on the calling thread alone.
///
/// # Errors
/// The first error of `record`. Then nothing more was started, and what ran has been ended.
pub fn perform<E>(
    actions: Vec<Action>,
    around: &Surroundings,
    record: Record<'_, E>,
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
    let (send, messages) = channel();
    let mut crew = Crew {
        around: Arc::new(around.clone()),
        stop: Arc::new(stop),
        hold: Some(hold),
        send,
        messages,
        running: BTreeMap::new(),
        over: BTreeMap::new(),
        warnings: Vec::new(),
    };
    loop {
        // Where there is no thread to be had, there may be when others are done.
        let trouble = crew.begin(&mut waiting, record)?;
        if crew.running.is_empty() {
            if let Some(e) = trouble {
                let message = format!(
                    "attempts were not begun: starting a thread: {e}; is the process limit reached?"
                );
                performed.warnings.push(Warning::new("deferred", message));
            }
            break;
        }
        crew.listen(record)?;
    }
    performed.warnings.append(&mut crew.warnings);
    performed.done = std::mem::take(&mut crew.over).into_values().collect();
    performed.deferred = waiting.into_iter().map(|(_, action)| action).collect();
    Ok(performed)
}

/// The threads, and what is known of their attempts. Dropped in the middle, all is ended.
struct Crew {
    around: Arc<Surroundings>,
    stop: Arc<PipeReader>,
    /// While it is open, the threads go on.
    hold: Option<PipeWriter>,
    send: Sender<Message>,
    messages: Receiver<Message>,
    running: BTreeMap<usize, Running>,
    over: BTreeMap<usize, Done>,
    warnings: Vec<Warning>,
}

impl Crew {
    /// Begins as many as there is room and time for. The threads come first: an attempt whose
    /// intent is recorded counts, and one that cannot be made must not. Returns why there are not
    /// as many as there could be.
    fn begin<E>(
        &mut self,
        waiting: &mut VecDeque<(usize, Action)>,
        record: Record<'_, E>,
    ) -> Result<Option<std::io::Error>, E> {
        let room = self.around.at_once.max(1);
        let room = room.saturating_sub(self.running.len()).min(waiting.len());
        let (mut ready, mut trouble) = (Vec::new(), None);
        while ready.len() < room && Instant::now() < self.around.deadline && trouble.is_none() {
            match self.thread() {
                Ok(go) => ready.push(go),
                Err(e) => trouble = Some(e),
            }
        }
        if ready.is_empty() {
            return Ok(trouble);
        }
        let due = waiting.drain(..ready.len());
        let due: Vec<(usize, Arc<Action>)> = due.map(|(n, due)| (n, Arc::new(due))).collect();
        let begun = due.iter().filter(|(_, due)| !due.resumed);
        let intents = begun.map(|(_, due)| attempt::intent(due, &self.around));
        record(intents.collect(), true)?;
        for (go, (place, action)) in ready.into_iter().zip(due) {
            let running = Running {
                action: Arc::clone(&action),
                steps: Vec::new(),
            };
            self.running.insert(place, running);
            // It waits for nothing else, so that this never fails.
            let _ = go.send((place, action));
        }
        Ok(trouble)
    }

    /// Starts a thread that waits for its attempt.
    fn thread(&self) -> std::io::Result<SyncSender<(usize, Arc<Action>)>> {
        let (go, ready) = sync_channel::<(usize, Arc<Action>)>(1);
        let (around, stop) = (Arc::clone(&self.around), Arc::clone(&self.stop));
        let send = self.send.clone();
        let thread = std::thread::Builder::new().name("attempt".into());
        thread.stack_size(1 << 20).spawn(move || {
            // Without one its intent was not recorded, and nothing is done.
            let Ok((place, action)) = ready.recv() else {
                return;
            };
            let work = || work(place, &action, &around, &stop, &send);
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                let defect = process::defect();
                let _ = send.send(Message::Lost { place, defect });
            }
        })?;
        Ok(go)
    }

    /// Waits for a message and records it and all that have come with it. When the threads have
    /// had all the time there is, those that are left are given up.
    fn listen<E>(&mut self, record: Record<'_, E>) -> Result<(), E> {
        let last = self.around.deadline + self.around.aftermath;
        let wait = last.saturating_duration_since(Instant::now());
        let Ok(first) = self.messages.recv_timeout(wait) else {
            for (place, running) in std::mem::take(&mut self.running) {
                let why = "it came to no end: something that it needs does not answer";
                self.over
                    .insert(place, interrupted(running, why.to_owned()));
            }
            return Ok(());
        };
        let (mut events, mut told) = (Vec::new(), Vec::new());
        let more: Vec<Message> = self.messages.try_iter().collect();
        for message in std::iter::once(first).chain(more) {
            match message {
                Message::Step {
                    place,
                    events: of_step,
                    done,
                    tell,
                } => {
                    events.extend(of_step);
                    told.push(tell);
                    if let Some(running) = self.running.get_mut(&place) {
                        running.steps.push(*done);
                    }
                }
                Message::Over {
                    place,
                    events: last,
                    done,
                    warnings,
                } => {
                    events.extend(last);
                    self.warnings.extend(warnings);
                    self.running.remove(&place);
                    self.over.insert(place, done);
                }
                Message::Lost { place, defect } => {
                    if let Some(running) = self.running.remove(&place) {
                        let why = attempt::of_defect(&defect);
                        self.over.insert(place, interrupted(running, why));
                    }
                }
            }
        }
        if !events.is_empty() {
            record(events, false)?;
        }
        for tell in told {
            // A thread that does not listen any more has no more to do.
            let _ = tell.send(());
        }
        Ok(())
    }
}

impl Drop for Crew {
    /// Nobody goes on without somebody who records: the threads end what they run, and are waited
    /// for as long as that takes.
    fn drop(&mut self) {
        self.hold = None;
        let until = Instant::now() + self.around.aftermath;
        while !self.running.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                // Its thread is not told, and does no more.
                Ok(Message::Step { .. }) => {}
                Ok(Message::Over { place, .. } | Message::Lost { place, .. }) => {
                    self.running.remove(&place);
                }
                Err(_) => return,
            }
        }
    }
}

fn interrupted(running: Running, why: String) -> Done {
    attempt::interrupted(&running.action, running.steps, why)
}

/// A thread's work: one attempt.
fn work(
    place: usize,
    action: &Action,
    around: &Surroundings,
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
    let mut tell = |events: Vec<Event>, done: &StepDone| {
        let (told, heard) = sync_channel(1);
        let message = Message::Step {
            place,
            events,
            done: Box::new(done.clone()),
            tell: told,
        };
        send.send(message).is_ok() && heard.recv().is_ok()
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
    let _ = send.send(Message::Over {
        place,
        events,
        done,
        warnings: warnings.collect(),
    });
}
