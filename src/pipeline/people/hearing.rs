//! Hearing what people have answered: every channel on a thread of its own, begun with the run.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::{GRACE, Ready, Settings, event, is_ours, until};
use crate::channel::{Channel, Said, Trouble, open};
use crate::core::{answers, post};
use crate::model::cell::Warning;
use crate::model::channel::Question;
use crate::model::decision::Decision;
use crate::model::event::{Event, Kind};
use crate::model::state::State;
use crate::model::text::visible;
use crate::model::time::Timestamp;
use crate::pipeline::Request;
use crate::store::StoreError;
use crate::store::state::Store;
use crate::sys::host;

/// Where somebody is due to be revived, answers to others are not waited for any longer than this.
const GLANCE: Duration = Duration::from_millis(250);

/// How long late words, on channels where no answer is waited for, may hold up a run's end.
const LATE: Duration = Duration::from_secs(2);

/// So many refused words that one channel has heard at once are written down: a flood is no reason to
/// fill the journal. An answer that counts is never left out.
const MOST_REFUSED: usize = 200;

/// So often one channel is asked in one run whether there is more: who floods it keeps nobody's answer
/// from being heard.
const MOST_PAGES: u32 = 10;

/// What one channel has heard.
struct Polled {
    name: String,
    ready: Option<Box<dyn Channel>>,
    said: Result<Said, Trouble>,
}

/// Channels that are asked what was said on them.
pub(in crate::pipeline) struct Hearing {
    receive: Receiver<Polled>,
    send: Sender<Polled>,
    /// How often each was asked.
    pages: HashMap<String, u32>,
    /// Those that have not told yet.
    pending: BTreeSet<String>,
    /// Those on which an answer is waited for.
    asked: BTreeSet<String>,
    until: Instant,
    ready: Ready,
}

impl Hearing {
    /// Begins to ask every channel on which a question was put lately.
    pub(in crate::pipeline) fn begin(
        request: &Request,
        state: &State,
        now: Timestamp,
        deadline: Instant,
    ) -> Self {
        let (send, receive) = channel();
        let mut hearing = Self {
            receive,
            send,
            pages: HashMap::new(),
            pending: BTreeSet::new(),
            asked: BTreeSet::new(),
            until: until(request, deadline),
            ready: Ready::new(),
        };
        for settings in &request.config.channels {
            let Some(post) = state.post.get(&settings.name) else {
                continue;
            };
            let lately = post
                .asked_at
                .is_some_and(|at| at.plus(post::LISTENED) > now);
            if !lately || !is_ours(request, settings) {
                continue;
            }
            hearing.ask(request, state, settings, None);
            if !questions(state, &settings.name).is_empty() {
                hearing.asked.insert(settings.name.clone());
            }
        }
        hearing
    }

    /// Asks one channel, which may have been made ready before.
    fn ask(
        &mut self,
        request: &Request,
        state: &State,
        settings: &Settings,
        ready: Option<Box<dyn Channel>>,
    ) {
        let name = &settings.name;
        let job = Job {
            settings: settings.clone(),
            ready,
            cursor: state.post.get(name).and_then(|post| post.cursor.clone()),
            open: questions(state, name),
            until: self.until,
            send: self.send.clone(),
        };
        *self.pages.entry(name.clone()).or_default() += 1;
        self.pending.insert(name.clone());
        if let Err(e) = job.start(request) {
            let why = format!("starting a thread: {e}; is the process limit reached?");
            // It is received as what any channel says.
            let _ = self.send.send(Polled {
                name: name.clone(),
                ready: None,
                said: Err(Trouble::passing(why)),
            });
        }
    }

    /// Takes down what was heard, before anything is decided by it; true where an answer was among
    /// it. Answers are waited for, unless somebody is due to be revived without them.
    pub(in crate::pipeline) fn take(
        &mut self,
        request: &Request,
        store: &mut Store<'_>,
        decided: &[Decision],
        run: &str,
    ) -> Result<bool, StoreError> {
        if self.pending.is_empty() {
            return Ok(false);
        }
        let due = !request.no_act && decided.iter().any(|decision| decision.action.is_some());
        let patience = match due {
            true => self.until.min(Instant::now() + GLANCE),
            false => self.until + GRACE,
        };
        let mut answered = false;
        loop {
            let waits = self.pending.intersection(&self.asked).next().is_some();
            let left = match waits {
                true => patience.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            let Some(polled) = self.next(left) else {
                return Ok(answered);
            };
            answered |= self.record(polled, request, store, run)?;
        }
    }

    /// Takes down what has come since, for the next run: answers that came too late for this one, and
    /// words where nothing is asked any more.
    pub(super) fn take_late(
        &mut self,
        request: &Request,
        store: &mut Store<'_>,
        run: &str,
    ) -> Result<(), StoreError> {
        let until = self.until.min(Instant::now() + LATE);
        while !self.pending.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let Some(polled) = self.next(left) else {
                break;
            };
            self.record(polled, request, store, run)?;
        }
        for name in self.pending.intersection(&self.asked) {
            let message = format!("channel {name} was asked for answers, and did not say in time");
            store
                .warnings
                .push(Warning::about("channel", name.as_str(), message));
        }
        Ok(())
    }

    /// The channels that were made ready for this, to be used again.
    pub(super) fn into_ready(self) -> Ready {
        self.ready
    }

    fn next(&mut self, wait: Duration) -> Option<Polled> {
        let polled = self.receive.recv_timeout(wait).ok()?;
        self.pending.remove(&polled.name);
        Some(polled)
    }

    fn record(
        &mut self,
        polled: Polled,
        request: &Request,
        store: &mut Store<'_>,
        run: &str,
    ) -> Result<bool, StoreError> {
        let Polled { name, ready, said } = polled;
        let said = match said {
            Ok(said) => said,
            Err(trouble) => {
                let why = visible(&trouble.why);
                let message = format!("channel {name} could not be asked for answers: {why}");
                let warning = Warning::about("channel", name.as_str(), message);
                store.warnings.push(warning);
                return Ok(false);
            }
        };
        let (mut some, mut answered, mut refused) = (false, false, 0);
        for heard in &said.all {
            let state = &store.state;
            let ruled = answers::event(state, &request.plans, &name, heard, host::now(), run);
            // One after the other: of two answers the first counts.
            let Some(ruled) = ruled else {
                continue;
            };
            if matches!(ruled.event, Kind::Approved | Kind::Denied) {
                answered = true;
            } else {
                refused += 1;
                if refused > MOST_REFUSED {
                    continue;
                }
            }
            some = true;
            store.record(&mut [ruled])?;
        }
        let before = store.state.post.get(&name).and_then(|p| p.cursor.as_ref());
        if said.cursor.as_ref() != before {
            if some {
                store.sync()?;
            }
            store.record(&mut [Event {
                cursor: said.cursor,
                ..event(Kind::Cursor, &name, host::now(), run)
            }])?;
        }
        let asked = self.pages.get(&name).copied().unwrap_or_default();
        let more = said.more && asked < MOST_PAGES && Instant::now() < self.until;
        let mut all = request.config.channels.iter();
        match (all.find(|c| c.name == name && more), ready) {
            (Some(settings), ready) => self.ask(request, &store.state, settings, ready),
            (None, Some(ready)) => drop(self.ready.insert(name, ready)),
            (None, None) => {}
        }
        Ok(answered)
    }
}

/// The questions that were put on a channel and are not settled.
fn questions(state: &State, channel: &str) -> Vec<Question> {
    let mut open = Vec::new();
    for (subject, told) in &state.told {
        for incident in &told.incidents {
            let marks = incident.channels.get(channel);
            let asked = marks.and_then(|marks| marks.asked.as_ref());
            let Some(asked) = asked.filter(|asked| !asked.settled) else {
                continue;
            };
            let question = post::question(state, subject, &asked.code);
            if let Some(question) = question.filter(|q| q.answer.is_none()) {
                open.push(Question {
                    subject: subject.clone(),
                    code: asked.code.clone(),
                    asked_at: question.asked_at,
                    expires_at: question.expires_at,
                    receipt: asked.receipt.clone(),
                });
            }
        }
    }
    open
}

/// One channel that is to be asked.
struct Job {
    settings: Settings,
    ready: Option<Box<dyn Channel>>,
    cursor: Option<String>,
    open: Vec<Question>,
    until: Instant,
    send: Sender<Polled>,
}

impl Job {
    fn start(self, request: &Request) -> std::io::Result<()> {
        let trust = request.trust.clone();
        let thread = std::thread::Builder::new().name("hear".into());
        thread.spawn(move || {
            let ready = self.ready.map_or_else(|| open(&self.settings, &trust), Ok);
            let (mut ready, said) = match ready {
                Ok(mut ready) => {
                    let said = ready.hear(self.cursor.as_deref(), &self.open, self.until);
                    (Some(ready), said)
                }
                Err(trouble) => (None, Err(trouble)),
            };
            if said.is_err() {
                // What has failed is made anew.
                ready = None;
            }
            let name = self.settings.name;
            let _ = self.send.send(Polled { name, ready, said });
        })?;
        Ok(())
    }
}
