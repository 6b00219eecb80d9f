//! Who asks what: questions of a kind wait in a lane, from which so many threads take them.
//!
//! A lane begins with a few threads and gets twice as many whenever they have not been enough for a
//! moment: whoever answers at once is asked by few, and a thousand who never answer are waited for
//! side by side.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::{About, Common, Reply, called, hung, one};
use crate::model::probe::{Answer, Asks};
use crate::model::time::exact;
use crate::sys::process;

/// How many threads wait for servers at once, at most.
const MOST_CONNECTIONS: usize = 1024;

/// How many commands run at once, at most.
const MOST_COMMANDS: usize = 32;

/// How many threads look at files and processes at once, at most; those included that hang.
const MOST_LOOKS: usize = 64;

/// With how many threads a lane begins.
const FIRST: usize = 8;

/// How long the threads of a lane may take before there are more of them.
const TICK: Duration = Duration::from_millis(5);

/// How much longer than its limit is waited for an answer: what knows its own limit says more.
const SLACK: Duration = Duration::from_millis(250);

/// The same for what hangs nowhere: a command, which has to be ended then, and a server that is
/// known to be one; how late that is depends on how much else this host has to do.
const ENDING: Duration = Duration::from_secs(2);

/// Threads have nothing deep to do, and of a stack only what is used takes memory.
const STACK: usize = 256 << 10;

/// Questions of one kind, in their order.
struct Lane {
    questions: Vec<usize>,
    next: AtomicUsize,
    most: usize,
}

struct Job {
    all: Vec<About>,
    common: Common,
    lanes: [Lane; 3],
    /// Whose name was found, of those that have one: nothing that they do from then on can hang.
    found: Vec<AtomicBool>,
}

/// What a thread has to say.
enum Said {
    /// It has begun with this one.
    Begun(usize, Instant),
    /// It has an answer.
    Done(usize, Duration, Reply),
}

/// Which lane a question waits in.
fn lane_of(about: &About) -> usize {
    match &about.question.asks {
        Ok(Asks::Tcp(_) | Asks::Http(_)) => 0,
        Ok(Asks::Exec(_)) => 1,
        _ => 2,
    }
}

pub(super) fn ask(all: Vec<About>, common: Common) -> Vec<Answer> {
    if all.is_empty() {
        return Vec::new();
    }
    let lanes = [MOST_CONNECTIONS, MOST_COMMANDS, MOST_LOOKS].map(|most| Lane {
        questions: Vec::new(),
        next: AtomicUsize::new(0),
        most,
    });
    let found = std::iter::repeat_with(AtomicBool::default);
    let mut job = Job {
        found: found.take(all.len()).collect(),
        all,
        common,
        lanes,
    };
    for (at, about) in job.all.iter().enumerate() {
        job.lanes[lane_of(about)].questions.push(at);
    }
    let job = Arc::new(job);
    let (send, said) = mpsc::channel();
    let mut waiting = Waiting {
        replies: std::iter::repeat_with(|| None)
            .take(job.all.len())
            .collect(),
        left: job.all.len(),
        asked: BTreeMap::new(),
        threads: [0; 3],
        trouble: None,
        job,
        send,
    };
    waiting.wait(&said);
    waiting.answers()
}

/// Who waits for the answers.
struct Waiting {
    job: Arc<Job>,
    send: Sender<Said>,
    replies: Vec<Option<(Duration, Reply)>>,
    /// How many answers are still to come.
    left: usize,
    /// The questions that are being asked, and since when.
    asked: BTreeMap<usize, Instant>,
    /// How many threads each lane has.
    threads: [usize; 3],
    /// Why there are no more threads.
    trouble: Option<String>,
}

impl Waiting {
    fn wait(&mut self, said: &Receiver<Said>) {
        let until = self.job.common.asker.until;
        self.start_more();
        let mut tick = Instant::now() + TICK;
        while self.left > 0 {
            let now = Instant::now();
            if now >= tick {
                self.start_more();
                self.give_up_what_hangs(now);
                tick = now + TICK;
            }
            if now >= until + SLACK || self.is_stuck() {
                break;
            }
            // Once there is nobody more to start, only an answer or a limit changes anything.
            let pause = match self.is_growing() {
                true => tick,
                false => now + SLACK / 5,
            };
            let pause = pause.min(until + SLACK).saturating_duration_since(now);
            match said.recv_timeout(pause) {
                Ok(said) => self.hear(said),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // What has been said meanwhile still counts.
        while let Ok(said) = said.try_recv() {
            self.hear(said);
        }
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Begun(at, since) => {
                self.asked.insert(at, since);
            }
            Said::Done(at, took, reply) => {
                self.asked.remove(&at);
                self.fill(at, took, reply);
            }
        }
    }

    fn fill(&mut self, at: usize, took: Duration, reply: Reply) {
        // The first word counts: a thread that was given up may come back.
        if let Some(place @ None) = self.replies.get_mut(at) {
            *place = Some((took, reply));
            self.left -= 1;
        }
    }

    fn pending(&self, lane: usize) -> usize {
        let lane = &self.job.lanes[lane];
        let taken = lane.next.load(Ordering::Relaxed);
        lane.questions.len().saturating_sub(taken)
    }

    /// True where what is left is left to nobody: there are no threads for it.
    fn is_stuck(&self) -> bool {
        let forsaken = (0..3).filter(|n| self.threads[*n] == 0);
        self.trouble.is_some() && self.left <= forsaken.map(|n| self.pending(n)).sum()
    }

    fn is_growing(&self) -> bool {
        self.trouble.is_none()
            && (0..3).any(|n| self.pending(n) > 0 && self.threads[n] < self.job.lanes[n].most)
    }

    /// Twice as many threads for each lane in which somebody waits.
    fn start_more(&mut self) {
        for n in 0..3 {
            let (lane, has) = (&self.job.lanes[n], self.threads[n]);
            let wanted = (2 * has).max(FIRST).min(lane.most);
            let more = wanted.saturating_sub(has).min(self.pending(n));
            for _ in 0..more {
                if self.trouble.is_some() {
                    return;
                }
                let (job, send) = (Arc::clone(&self.job), self.send.clone());
                let thread = std::thread::Builder::new()
                    .name("probe".to_owned())
                    .stack_size(STACK);
                match thread.spawn(move || work(&job, n, &send)) {
                    Ok(_) => self.threads[n] += 1,
                    // Those that there are go on; it only takes longer.
                    Err(e) => self.trouble = Some(e.to_string()),
                }
            }
        }
    }

    fn give_up_what_hangs(&mut self, now: Instant) {
        let limit = |at: usize| {
            let about = &self.job.all[at];
            let ends = lane_of(about) == 1 || self.job.found[at].load(Ordering::Relaxed);
            about.question.timeout + if ends { ENDING } else { SLACK }
        };
        let late = |(at, since): (&usize, &Instant)| {
            (now.saturating_duration_since(*since) > limit(*at)).then_some(*at)
        };
        let late: Vec<usize> = self.asked.iter().filter_map(late).collect();
        for at in late {
            self.asked.remove(&at);
            let question = &self.job.all[at].question;
            let within = exact(question.timeout);
            let hangs = match self.job.found[at].load(Ordering::Relaxed) {
                true => "this host has not come to see an answer",
                false => hung(question),
            };
            let why = format!("{hangs} within {within}");
            self.fill(at, question.timeout, Reply::not_asked(why));
        }
    }

    fn answers(self) -> Vec<Answer> {
        let Self {
            job,
            replies,
            asked,
            trouble,
            ..
        } = self;
        let late = |at: usize| {
            let why = match (asked.contains_key(&at), &trouble) {
                (false, Some(e)) => format!(
                    "the run's deadline came before its turn, as no thread could be started: {e}"
                ),
                (false, None) => "the run's deadline came before its turn".to_owned(),
                (true, _) => "the run's deadline came before an answer".to_owned(),
            };
            (Duration::ZERO, Reply::not_asked(why))
        };
        let replies = replies.into_iter().enumerate();
        let answers = replies.map(|(at, reply)| {
            let (took, reply) = reply.unwrap_or_else(|| late(at));
            Answer {
                word: reply.word,
                took,
                asked: called(&job.all[at].question),
                message: reply.message,
                measured: reply.measured,
            }
        });
        answers.collect()
    }
}

/// A thread's work: the next question of its lane, until there is none.
fn work(job: &Job, lane: usize, send: &Sender<Said>) {
    process::apart();
    let lane = &job.lanes[lane];
    loop {
        let next = lane.next.fetch_add(1, Ordering::Relaxed);
        let Some(at) = lane.questions.get(next).copied() else {
            return;
        };
        let began = Instant::now();
        let (about, end) = (&job.all[at], job.common.asker.until);
        if began >= end || send.send(Said::Begun(at, began)).is_err() {
            return;
        }
        let until = began + about.question.timeout;
        let cut = until > end;
        let asked = || one(about, until.min(end), &job.common, &job.found[at]);
        // A defect of ours that one of them brings out must not harm the others.
        let mut reply = catch_unwind(AssertUnwindSafe(asked)).unwrap_or_else(|_| {
            let place = process::defect();
            Reply::not_asked(format!("asking it met a defect in lazarus-pit {place}"))
        });
        // What had less than its own time has not failed to answer within that.
        if cut && Instant::now() >= end && reply.word == crate::model::probe::Word::Bad {
            reply = Reply::not_asked("the run's deadline came before an answer");
        }
        if send.send(Said::Done(at, began.elapsed(), reply)).is_err() {
            return;
        }
    }
}
