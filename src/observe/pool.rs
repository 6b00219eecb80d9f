//! Reading all cells, on as many threads as it pays, and never waiting for one that hangs.
//!
//! The thread that orders the run reads nothing itself: a read can hang beyond all signals (a FUSE
//! mount, a dead disk), and then somebody must be left to go on. A thread that does not come back
//! from a cell is given up together with that cell, and another takes its place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::Look;
use super::cell::{self, Scratch};
use super::root::{self, Root};
use crate::core::classify::classify;
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::model::snapshot::{Cells, RootMark};
use crate::model::time::{Timestamp, human};
use crate::sys::process;

/// Below this many cells one thread is faster than two, as long as the cache is warm.
const WORTH_A_SECOND_THREAD: usize = 2000;

/// More threads than this do not help a disk.
const MOST_READERS: usize = 16;

/// Threads that spend more than this on a cell wait for a disk: then more of them are wanted.
/// (A cell in the cache takes some ten microseconds.)
const SLOW_CELL: Duration = Duration::from_micros(60);

/// How long one cell may take before its thread is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread that has been at one cell for this long is not counted on for the others.
const BLOCKED: Duration = Duration::from_millis(250);

/// How many threads there may be, those included that hang. When all of them do, the rest of the
/// cells are given up.
const MOST_THREADS: usize = MOST_READERS + 64;

/// How much of the deadline is left to the rest of the run when reading has to end.
const RESERVE: Duration = Duration::from_secs(2);

/// A look that takes longer than this shows how far it is.
const NOTICEABLE: Duration = Duration::from_millis(500);

/// What reading all cells came to.
pub(super) struct Seen {
    pub(super) mark: RootMark,
    pub(super) cells: Cells,
    pub(super) warnings: Vec<Warning>,
}

/// What the readers share.
struct Job {
    look: Look,
    now: Timestamp,
    root: Root,
    cells: Cells,
    began: Instant,
    next: AtomicUsize,
    done: AtomicUsize,
    readers: Vec<Reader>,
    /// Who waits for the last cell.
    waiter: Thread,
}

/// What one reader is at: the cell's place plus one, and since when, in microseconds. Zero: none.
#[derive(Default)]
struct Reader {
    place: AtomicUsize,
    since: AtomicU64,
}

/// Reads every cell in scope.
pub(super) fn read_all(look: Look, now: Timestamp) -> Result<Seen, Failure> {
    let deadline = look.deadline;
    let began = Instant::now();
    // Half of a short deadline, for one that leaves no room for the reserve.
    let whole = deadline.saturating_duration_since(began);
    let until = began + whole.saturating_sub(RESERVE).max(whole / 2);
    let (path, waiter) = (look.root.clone(), std::thread::current());
    let (send, receive) = mpsc::channel();
    spawn(move || {
        let opened = root::open(&look.root, look.scope.as_ref()).map(|root| {
            Arc::new(Job {
                cells: Cells::with_places(root.names.len()),
                look,
                now,
                root,
                began,
                next: AtomicUsize::new(0),
                done: AtomicUsize::new(0),
                readers: std::iter::repeat_with(Reader::default)
                    .take(MOST_THREADS)
                    .collect(),
                waiter,
            })
        });
        let job = opened.as_ref().ok().cloned();
        // A receiver that is gone has given up; nobody reads on then.
        if send.send(opened).is_ok()
            && let Some(job) = job
        {
            job.read(0);
        }
    })?;
    let wait = PATIENCE.min(until.saturating_duration_since(Instant::now()));
    let job = receive.recv_timeout(wait).map_err(|_| {
        let message = format!(
            "the missions root {} did not answer within {}",
            path.display(),
            human(wait)
        );
        Failure::new(Exit::NoRoot, message)
    })??;
    let warnings = job.supervise(until);
    Ok(Seen {
        mark: job.root.mark.clone(),
        cells: job.cells.clone(),
        warnings,
    })
}

/// Starts a thread with a small stack: a reader has nothing deep to do.
fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let started = std::thread::Builder::new()
        .name("reader".into())
        .stack_size(256 << 10)
        .spawn(work);
    started.map(drop).map_err(|e| {
        Failure::new(
            Exit::Defect,
            format!("starting a thread to read the cells: {e}; is the process limit reached?"),
        )
    })
}

impl Job {
    fn len(&self) -> usize {
        self.root.names.len()
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire) >= self.len()
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A reader's work: the next cell, until there is none.
    fn read(&self, me: usize) {
        // A table of descriptors of its own: threads that share one wait for each other at every
        // open and close. Where it is refused, it only takes longer.
        if process::own_descriptors().is_ok() {
            process::keep_only(&self.root.fd);
        }
        let (mut scratch, reader) = (Scratch::new(), &self.readers[me]);
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            if place >= self.len() {
                reader.place.store(0, Ordering::Release);
                return;
            }
            reader.since.store(self.micros(), Ordering::Relaxed);
            reader.place.store(place + 1, Ordering::Release);
            let name = self.root.names.get(place);
            let facts = catch_unwind(AssertUnwindSafe(|| {
                cell::read(&self.root.fd, name, &self.look, &mut scratch)
            }));
            match facts {
                Ok(facts) => self.fill(place, facts),
                // A defect of ours that one cell brings out must not harm the others.
                Err(_) => self.give_up(
                    place,
                    &format!(
                        "reading it met a defect in lazarus-pit {}",
                        process::defect()
                    ),
                ),
            }
        }
    }

    fn fill(&self, place: usize, facts: Option<crate::model::cell::CellFacts>) {
        let cell = facts.map(|facts| classify(facts, &self.look.limits, self.now));
        if self.cells.fill(place, cell)
            && self.done.fetch_add(1, Ordering::AcqRel) + 1 >= self.len()
        {
            self.waiter.unpark();
        }
    }

    fn give_up(&self, place: usize, why: &str) {
        let mut facts = cell::unread(self.root.names.get(place));
        facts.unreadable = Some(format!("the cell could not be looked at: {why}"));
        self.fill(place, Some(facts));
    }

    /// Waits for the last cell; starts more readers where they pay, and gives up on what hangs.
    fn supervise(self: &Arc<Self>, until: Instant) -> Vec<Warning> {
        let mut readers = 1;
        let mut warnings = Vec::new();
        if self.len() >= WORTH_A_SECOND_THREAD {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            self.start(&mut readers, cores.min(4), &mut warnings);
        }
        let mut tick = Duration::from_millis(2);
        while !self.is_done() {
            std::thread::park_timeout(tick);
            if Instant::now() >= until {
                self.give_up_the_rest("the run's deadline came first");
                break;
            }
            let (blocked, stuck) = self.give_up_what_hangs(readers);
            let busy = readers - blocked;
            let (done, spent) = (self.done.load(Ordering::Acquire), self.began.elapsed());
            let left = self.len().saturating_sub(self.next.load(Ordering::Relaxed));
            let slow = spent * u32::try_from(busy).unwrap_or(1)
                > SLOW_CELL * u32::try_from(done.max(1)).unwrap_or(u32::MAX);
            if busy == 0 && left > 0 {
                // Whoever hangs, hangs alone: others go on with the cells that are left.
                let more = readers.min(MOST_READERS).min(left);
                let before = readers;
                self.start(&mut readers, before + more, &mut warnings);
                if readers == before && stuck == readers {
                    self.give_up_the_rest("too many cells do not answer");
                }
            } else if slow && self.len() - done.min(self.len()) > 4 * busy && busy < MOST_READERS {
                let wanted = blocked + (2 * busy).min(MOST_READERS);
                self.start(&mut readers, wanted, &mut warnings);
            }
            if let Some(progress) = self.look.progress.filter(|_| spent >= NOTICEABLE) {
                progress(done, self.len());
            }
            tick = (tick * 2).min(Duration::from_millis(100));
        }
        warnings
    }

    fn start(self: &Arc<Self>, readers: &mut usize, wanted: usize, warnings: &mut Vec<Warning>) {
        while *readers < wanted.min(self.readers.len()) {
            let (job, me) = (Arc::clone(self), *readers);
            if let Err(e) = spawn(move || job.read(me)) {
                // Those that run go on; it only takes longer.
                if warnings.is_empty() {
                    warnings.push(Warning::new("few_threads", e.message));
                }
                return;
            }
            *readers += 1;
        }
    }

    /// Gives up each cell that a reader has been at for too long. Returns how many readers are
    /// held up by a cell, and by one that was given up. One that comes back is a reader again.
    fn give_up_what_hangs(&self, readers: usize) -> (usize, usize) {
        let now = self.micros();
        let (mut blocked, mut stuck) = (0, 0);
        for reader in &self.readers[..readers] {
            let place = reader.place.load(Ordering::Acquire);
            let spent = now.saturating_sub(reader.since.load(Ordering::Relaxed));
            let spent = Duration::from_micros(spent);
            if place == 0 || spent <= BLOCKED {
                continue;
            }
            blocked += 1;
            if spent <= PATIENCE {
                continue;
            }
            stuck += 1;
            if !self.cells.is_filled(place - 1) {
                let why = format!("it did not answer within {}", human(PATIENCE));
                self.give_up(place - 1, &why);
            }
        }
        (blocked, stuck)
    }

    fn give_up_the_rest(&self, why: &str) {
        self.next.store(self.len(), Ordering::Relaxed);
        for place in 0..self.len() {
            if !self.cells.is_filled(place) {
                self.give_up(place, why);
            }
        }
    }
}
