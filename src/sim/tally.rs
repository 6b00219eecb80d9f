//! What a policy came to, counted from the events of its runs, recorded or simulated.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::ledger::MASS_FAILURE;
use crate::model::event::{Event, Kind};
use crate::model::time::Timestamp;

/// What came of one subject, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Times it went down.
    pub incidents: u64,
    /// Attempts that were begun.
    pub attempts: u64,
    /// Of those, the ones whose steps did not all succeed.
    pub failed: u64,
    /// Questions to a human.
    pub asked: u64,
    /// For how long it was down, of the time that is counted.
    pub down: Duration,
    /// For each incident with an attempt, how long after it began the first was made; shortest
    /// first.
    pub first_attempt: Vec<Duration>,
    /// Incidents in which the attempts were used up.
    pub exhausted: u64,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.incidents += other.incidents;
        self.attempts += other.attempts;
        self.failed += other.failed;
        self.asked += other.asked;
        self.down += other.down;
        self.first_attempt.extend(&other.first_attempt);
        self.exhausted += other.exhausted;
    }

    /// The middle one of the times to the first attempt; of two, the longer.
    #[must_use]
    pub fn median(&self) -> Option<Duration> {
        self.first_attempt
            .get(self.first_attempt.len() / 2)
            .copied()
    }

    /// The longest of the times to the first attempt.
    #[must_use]
    pub fn worst(&self) -> Option<Duration> {
        self.first_attempt.last().copied()
    }
}

/// What came of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All together.
    pub all: Figures,
    /// One by one; those that never went down are not here.
    pub subjects: BTreeMap<String, Figures>,
    /// Runs over everything that came to their end.
    pub runs: u64,
    /// Of those, the ones in which mass-failure protection or the host held revivals back.
    pub held_runs: u64,
}

/// Counts events as they come.
#[derive(Debug, Default)]
pub struct Counter {
    tally: Tally,
    /// Since when subjects are down, and whether an attempt was made since.
    open: BTreeMap<String, (Timestamp, bool)>,
    /// When the time begins that is counted.
    from: Timestamp,
    /// A mass failure holds.
    mass: bool,
    /// This run was held.
    held: bool,
}

impl Counter {
    /// Counts from a moment on. Events from before it are only asked who is down then.
    #[must_use]
    pub fn from(from: Timestamp) -> Self {
        Self {
            from,
            ..Self::default()
        }
    }

    /// An event from before the time that is counted: an incident that is open at its beginning is
    /// none of its own, and yet the subject is down.
    pub fn before(&mut self, event: &Event) {
        self.hear(event);
        self.held = false;
        self.tally = Tally::default();
    }

    /// One more event.
    pub fn hear(&mut self, event: &Event) {
        match event.event {
            Kind::RunFinished if event.scope.is_empty() && event.observed_at.is_some() => {
                self.tally.runs += 1;
                self.tally.held_runs += u64::from(self.mass || self.held);
                self.held = false;
            }
            Kind::Held if event.reason.as_deref() == Some(MASS_FAILURE) => self.mass = true,
            Kind::Held => self.held = true,
            Kind::Released => {
                // In the run in which it is over it no longer holds.
                self.mass = false;
            }
            _ => {
                if let Some(subject) = &event.subject {
                    self.about(subject, event);
                }
            }
        }
    }

    fn about(&mut self, subject: &str, event: &Event) {
        let figures = match self.tally.subjects.get_mut(subject) {
            Some(figures) => figures,
            None => self.tally.subjects.entry(subject.to_owned()).or_default(),
        };
        match event.event {
            Kind::IncidentOpened => {
                figures.incidents += 1;
                let since = event.down_since.unwrap_or(event.ts);
                self.open.insert(subject.to_owned(), (since, false));
            }
            Kind::IncidentClosed => {
                if let Some((since, _)) = self.open.remove(subject) {
                    figures.down += event.ts.since(since.max(self.from));
                }
            }
            Kind::Intent => {
                figures.attempts += 1;
                if let Some((since, attempted @ false)) = self.open.get_mut(subject) {
                    *attempted = true;
                    figures.first_attempt.push(event.ts.since(*since));
                }
            }
            Kind::AttemptFinished => {
                figures.failed += u64::from(event.result.as_deref() != Some("ok"));
            }
            Kind::ApprovalRequested => figures.asked += 1,
            Kind::Exhausted => figures.exhausted += 1,
            _ => {}
        }
    }

    /// What it came to, as of the end.
    #[must_use]
    pub fn finish(mut self, until: Timestamp) -> Tally {
        for (subject, (since, _)) in std::mem::take(&mut self.open) {
            let figures = self.tally.subjects.entry(subject).or_default();
            figures.down += until.since(since.max(self.from));
        }
        let mut tally = self.tally;
        tally.subjects.retain(|_, f| *f != Figures::default());
        for figures in tally.subjects.values_mut() {
            figures.first_attempt.sort_unstable();
            tally.all.add(figures);
        }
        tally.all.first_attempt.sort_unstable();
        tally
    }
}
