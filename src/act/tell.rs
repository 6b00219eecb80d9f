//! Tells cells what concerns them, and never waits for one that hangs.
//!
//! As when they are read, the thread that orders the run touches no cell itself. One that does not
//! come back from a cell is given up together with that cell, and another takes its place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::news::{self, News, Poll};
use super::place;
use crate::model::cell::Warning;
use crate::model::time::{Timestamp, human};
use crate::sys::beneath::{self, Mounts};
use crate::sys::owner::with_rights;
use crate::sys::process;

/// The code of the warning that a cell was not told.
pub const NOT_WRITTEN: &str = "cell_not_written";

/// How long nothing may be heard of any cell before another thread is started.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many threads there may be, those included that hang.
const MOST_THREADS: usize = 8;

/// How many cells a thread opens before it writes in them.
const AT_ONCE: usize = 16;

/// From how many cells on a second thread pays.
const WORTH_A_SECOND_THREAD: usize = 128;

/// Where the cells are, and until when they can be told.
#[derive(Clone, Debug)]
pub struct Telling {
    /// The missions root.
    pub root: PathBuf,
    /// Whether mounts below a cell are walked into.
    pub mounts: Mounts,
    /// The moment at which the cells were looked at.
    pub at: Timestamp,
    /// What is not written by then is given up.
    pub until: Instant,
}

/// What the threads share.
struct Job {
    telling: Telling,
    news: Vec<News>,
    next: AtomicUsize,
    /// Which cells are being written in, or were.
    begun: Vec<AtomicBool>,
    send: Sender<(usize, Vec<String>)>,
}

/// Writes in the cells, each for itself, and returns what could not be written. Nothing of it is
/// made durable: a stream that lost its last lines with the power is no harm.
#[must_use]
pub fn tell(news: Vec<News>, telling: Telling) -> Vec<Warning> {
    if news.is_empty() {
        return Vec::new();
    }
    let (send, receive) = channel();
    let job = Arc::new(Job {
        telling,
        begun: news.iter().map(|_| AtomicBool::new(false)).collect(),
        news,
        next: AtomicUsize::new(0),
        send,
    });
    let mut answers: Vec<Option<Vec<String>>> = vec![None; job.news.len()];
    let trouble = job.supervise(&receive, &mut answers);
    // Threads that come back from a cell late go on to no other.
    job.begun
        .iter()
        .for_each(|b| b.store(true, Ordering::Relaxed));
    job.summed_up(answers, trouble)
}

impl Job {
    /// Starts threads and listens until every cell has answered, or the time is up. Returns why
    /// there are not as many as there should be.
    fn supervise(
        self: &Arc<Self>,
        receive: &Receiver<(usize, Vec<String>)>,
        answers: &mut [Option<Vec<String>>],
    ) -> Option<String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let several = answers.len() >= WORTH_A_SECOND_THREAD;
        let mut wanted = if several { cores.min(4) } else { 1 };
        let (mut threads, mut open, mut trouble) = (0, answers.len(), None);
        while open > 0 {
            while threads < wanted && trouble.is_none() {
                trouble = self.start().err();
                threads += usize::from(trouble.is_none());
            }
            let left = self.telling.until.saturating_duration_since(Instant::now());
            if threads == 0 || left.is_zero() {
                break;
            }
            match receive.recv_timeout(PATIENCE.min(left)) {
                Ok((place, answer)) => {
                    answers[place] = Some(answer);
                    open -= 1;
                }
                Err(_) if self.begun.iter().all(|b| b.load(Ordering::Relaxed)) => break,
                Err(_) if threads >= MOST_THREADS => break,
                Err(_) => wanted = threads + 1,
            }
        }
        trouble
    }

    fn start(self: &Arc<Self>) -> Result<(), String> {
        let job = Arc::clone(self);
        let thread = std::thread::Builder::new().name("teller".into());
        let started = thread.stack_size(256 << 10).spawn(move || job.work());
        started
            .map(drop)
            .map_err(|e| format!("starting a thread: {e}; is the process limit reached?"))
    }

    /// A thread's work: the next cells, until there are none.
    fn work(&self) {
        let root = beneath::open_root(&self.telling.root).map_err(place::why);
        loop {
            let from = self.next.fetch_add(AT_ONCE, Ordering::Relaxed);
            if from >= self.news.len() {
                break;
            }
            self.serve(&root, from..self.news.len().min(from + AT_ONCE));
        }
        // What a thread that hangs had taken upon itself and not begun.
        for place in 0..self.news.len() {
            self.serve(&root, place..place + 1);
        }
    }

    /// Writes in these cells, those of one owner in a row on one thread of that owner's: such a
    /// thread costs more than a cell does.
    fn serve(&self, root: &Result<OwnedFd, String>, places: Range<usize>) {
        let poll = Poll {
            pid: std::process::id(),
            at: self.telling.at,
            mounts: self.telling.mounts,
        };
        let mut ready = Vec::new();
        for place in places {
            if self.begun[place].load(Ordering::Relaxed) {
                continue;
            }
            let opened = match root {
                Ok(root) => defended(|| news::open(root, &self.news[place], poll)),
                Err(why) => Err(format!("opening the missions root: {why}")),
            };
            match opened {
                Ok(Some(cell)) => ready.push((place, cell)),
                Ok(None) => self.answer(place, Vec::new),
                Err(why) => self.answer(place, || vec![why]),
            }
        }
        for alike in ready.chunk_by(|(_, a), (_, b)| a.owner == b.owner) {
            let write = || {
                for (place, cell) in alike {
                    let write = || Ok(news::write(cell, &self.news[*place], poll));
                    self.answer(*place, || defended(write).unwrap_or_else(|why| vec![why]));
                }
            };
            if let Err(why) = with_rights(alike[0].1.owner, write) {
                for (place, _) in alike {
                    self.answer(*place, || vec![format!("writing in the cell: {why}")]);
                }
            }
        }
    }

    /// Does what there is to do for a cell, unless somebody else has begun it.
    fn answer(&self, place: usize, work: impl FnOnce() -> Vec<String>) {
        if !self.begun[place].swap(true, Ordering::Relaxed) {
            // Nobody listens any more where the time is up.
            let _ = self.send.send((place, work()));
        }
    }

    /// One warning for each thing that is wrong, however many cells have it: a disk that is full or
    /// an operator without rights must not bury everything else.
    fn summed_up(
        &self,
        answers: Vec<Option<Vec<String>>>,
        trouble: Option<String>,
    ) -> Vec<Warning> {
        let late = || {
            let why = match &trouble {
                Some(why) => why.clone(),
                None => format!(
                    "it did not answer within {}, or its turn did not come",
                    human(PATIENCE)
                ),
            };
            vec![format!("writing in the cell: {why}")]
        };
        let mut all: BTreeMap<String, (&str, usize)> = BTreeMap::new();
        for (news, answer) in self.news.iter().zip(answers) {
            for message in answer.unwrap_or_else(late) {
                all.entry(message).or_insert((&news.cell, 0)).1 += 1;
            }
        }
        let warning = |(message, (cell, count)): (String, (&str, usize))| {
            let others = match count {
                1 => String::new(),
                n => format!(" (and so in {} more cells)", n - 1),
            };
            Warning::about(NOT_WRITTEN, cell, message + &others)
        };
        all.into_iter().map(warning).collect()
    }
}

/// A defect of ours that one cell brings out must not harm the others.
fn defended<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let defect = process::defect();
        Err(format!(
            "writing in the cell: it met a defect in lazarus-pit {defect}"
        ))
    })
}
