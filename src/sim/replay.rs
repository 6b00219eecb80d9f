//! Plays a journal again, under other plans or the same.
//!
//! What happened to subjects is taken as it happened, whatever the plans would have done about it:
//! a run of the journal is a run here, at the same moment, and sees what that one saw. People's
//! words are taken too: a yes counts where a question is open when it was said. An attempt that the
//! journal has as well ends as it did there, any other succeeds at once.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::step::{self, Made, Run};
use super::world::{Being, World};
use super::{Heard, Line};
use crate::core::decide::cell_of;
use crate::core::rules::Rules;
use crate::core::view::GATEWAY;
use crate::model::action::{Action, AttemptResult};
use crate::model::condition::Condition;
use crate::model::event::{Event, Kind};
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::plan::glob::Glob;
use crate::plan::types::NeedKind;

/// Puts a journal's events through the decision, oldest first.
pub struct Replay<'r> {
    rules: &'r Rules<'r>,
    /// Whom plans need by name.
    needed: BTreeSet<String>,
    state: State,
    world: World,
    /// What the run under way has written so far.
    run: Recorded,
    /// Whose attempts have had no outcome yet, by ref.
    attempts: HashMap<String, Made>,
    /// The last moment that was seen.
    now: Timestamp,
    /// Runs that were played.
    pub runs: u64,
}

/// What a run has written.
#[derive(Default)]
struct Recorded {
    id: String,
    events: Vec<Event>,
}

/// How old a beat may be: it only says when the last one was, and nobody asks.
const STALE_AFTER: Duration = Duration::from_secs(180);

impl<'r> Replay<'r> {
    /// A replay under these rules. What they need by name is there, and healthy until the journal
    /// says otherwise.
    #[must_use]
    pub fn new(rules: &'r Rules<'r>) -> Self {
        let mut world = World::new(STALE_AFTER);
        let needed = needed(rules);
        for name in &needed {
            world.set(
                name.as_str(),
                Being::new(Condition::Healthy, Timestamp::default()),
            );
        }
        Self {
            rules,
            needed,
            state: State::default(),
            world,
            run: Recorded::default(),
            attempts: HashMap::new(),
            now: Timestamp::default(),
            runs: 0,
        }
    }

    /// An event from before the time that is played: it counts as what it was.
    pub fn before(&mut self, event: &Event) {
        if event.actor == "run" {
            self.take_down(event);
            if event.event == Kind::RunFinished {
                let events = std::mem::take(&mut self.run.events);
                if let Some(now) = moment(&events) {
                    self.world_of(&events, now);
                }
            }
        }
        step::add(&mut self.state, event.clone(), &mut drop);
    }

    /// The next event of the journal.
    pub fn next(&mut self, event: &Event, heard: &mut dyn FnMut(Heard<'_>)) {
        if event.actor == "run" {
            if event.run != self.run.id {
                // The run before it came to no end.
                self.play(heard);
            }
            self.take_down(event);
            if event.event == Kind::RunFinished {
                self.play(heard);
            }
            return;
        }
        // The words of people; attempts too that they had made by hand.
        let is_word = matches!(
            event.event,
            Kind::Approved
                | Kind::Denied
                | Kind::Paused
                | Kind::Resumed
                | Kind::Reset
                | Kind::Intent
                | Kind::AttemptFinished
        );
        if is_word {
            // A question has another code here.
            let said = Event {
                code: None,
                ..event.clone()
            };
            step::add(&mut self.state, said, &mut |event| {
                heard(Heard::Event(&event));
            });
        }
    }

    fn take_down(&mut self, event: &Event) {
        if event.run != self.run.id {
            self.run.id.clone_from(&event.run);
            self.run.events.clear();
        }
        self.run.events.push(event.clone());
    }

    /// The last run, where it came to no end.
    pub fn finish(&mut self, heard: &mut dyn FnMut(Heard<'_>)) -> Timestamp {
        self.play(heard);
        self.now
    }

    /// Plays the run that was taken down.
    fn play(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        let Recorded { id, events } = std::mem::take(&mut self.run);
        let Some(now) = moment(&events) else {
            return;
        };
        self.now = now;
        self.outcomes(&events);
        self.world_of(&events, now);
        let last = events.last().filter(|e| e.event == Kind::RunFinished);
        let scope = last.or(events.first()).map_or(&[][..], |e| &e.scope);
        let globs: Vec<Glob> = scope
            .iter()
            .filter_map(|text| Glob::new(text).ok())
            .collect();
        let in_scope = |cell: &str| globs.is_empty() || globs.iter().any(|g| g.is_match(cell));
        let snapshot = match scope.is_empty() {
            true => self.world.snapshot(now),
            false => self.world.part(now, &in_scope),
        };
        let held_for = |why: &str| {
            let held = |e: &Event| e.event == Kind::Held && e.reason.as_deref() == Some(why);
            events.iter().any(held)
        };
        let rules = Rules {
            force: events
                .iter()
                .any(|e| e.event == Kind::Released && e.reason.as_deref() == Some("force")),
            state_lost: held_for("state_lost"),
            ..self.rules.clone()
        };
        let run = Run {
            scope,
            in_scope: &in_scope,
            ends_at: last.map(|e| e.ts),
            killed_after: last
                .is_none()
                .then(|| events.iter().filter(|e| is_ours(e)).count()),
            ..Run::new(&id, &snapshot, &rules)
        };
        let known = &self.attempts;
        let mut attempt = |action: &Action| {
            let at_once = || step::at_once(now, Duration::ZERO, AttemptResult::Ok);
            known
                .get(&key(&id, &action.subject))
                .copied()
                .unwrap_or_else(at_once)
        };
        let (decisions, _) = run.go(
            &mut self.state,
            &mut attempt,
            &mut || "replayed".to_owned(),
            &mut |event| heard(Heard::Event(&event)),
        );
        self.attempts.clear();
        self.forget();
        self.runs += u64::from(scope.is_empty() && last.is_some());
        for decision in &decisions.list {
            heard(Heard::Decision(&Line::of(now, decision)));
        }
    }

    /// Those that are healthy and have no incident are counted and need no name: they may be gone
    /// without the journal having a word of it.
    fn forget(&mut self) {
        let well = |(_, being): &(&str, &Being)| being.condition == Condition::Healthy;
        let idle: Vec<String> = self
            .world
            .iter()
            .filter(well)
            .map(|(name, _)| name.to_owned())
            .filter(|name| !self.needed.contains(name) && !self.state.subjects.contains_key(name))
            .collect();
        idle.iter().for_each(|name| self.world.remove(name));
    }

    /// What became of the attempts of this run.
    fn outcomes(&mut self, events: &[Event]) {
        for event in events {
            let Some(subject) = &event.subject else {
                continue;
            };
            let key = key(&event.run, subject);
            match event.event {
                Kind::Intent => {
                    let made = Made {
                        began: event.ts,
                        over: None,
                    };
                    self.attempts.insert(key, made);
                }
                Kind::AttemptFinished => {
                    let result = match event.result.as_deref() {
                        Some("ok") => AttemptResult::Ok,
                        Some("interrupted") => AttemptResult::Interrupted,
                        _ => AttemptResult::Failed,
                    };
                    if let Some(made) = self.attempts.get_mut(&key) {
                        made.over = Some((event.ts, result));
                    }
                }
                _ => {}
            }
        }
    }

    /// Brings the world to what this run saw.
    fn world_of(&mut self, events: &[Event], now: Timestamp) {
        let closed: BTreeSet<&str> = events
            .iter()
            .filter(|e| e.event == Kind::IncidentClosed && e.reason.as_deref() == Some("recovered"))
            .filter_map(|e| e.subject.as_deref())
            .collect();
        for event in events.iter().filter(|e| e.event == Kind::StatusChanged) {
            let Some(subject) = &event.subject else {
                continue;
            };
            match event.to {
                None => self.world.remove(subject),
                Some(to) => {
                    let before = self.world.get(subject);
                    let being = being(event, to, before, now);
                    if to != Condition::Healthy {
                        self.world.cell_is(cell_of(subject), &being);
                    }
                    self.world.set(subject.as_str(), being);
                }
            }
        }
        for subject in closed {
            // The run may have been killed before it wrote down the status as well.
            self.world.change(subject, |being| {
                *being = Being {
                    beat: Some(now),
                    condition: Condition::Healthy,
                    observed: true,
                    ended: None,
                    ..being.clone()
                };
            });
        }
        let settling = events
            .iter()
            .any(|e| e.event == Kind::Held && e.reason.as_deref() == Some("settle"));
        self.world.uptime = settling.then_some(Duration::ZERO);
        if let Some(last) = events.iter().find(|e| e.event == Kind::RunFinished) {
            if let Some(root) = &last.root {
                self.world.root = root.clone();
            }
            if let Some(boot_id) = &last.boot_id {
                self.world.boot_id.clone_from(boot_id);
            }
            if let Some(subjects) = last.subjects {
                self.world
                    .set_total(usize::try_from(subjects).unwrap_or(usize::MAX));
            }
        }
    }
}

fn key(run: &str, subject: &str) -> String {
    format!("{run}\n{subject}")
}

/// The moment at which a run looked; `None` where it wrote nothing that tells.
fn moment(events: &[Event]) -> Option<Timestamp> {
    let finished = events.iter().find(|e| e.event == Kind::RunFinished);
    if let Some(finished) = finished {
        // A run that could not look decided nothing.
        return finished.observed_at;
    }
    let told = |e: &&Event| {
        matches!(
            e.event,
            Kind::StatusChanged
                | Kind::IncidentOpened
                | Kind::IncidentClosed
                | Kind::ApprovalRequested
                | Kind::Exhausted
                | Kind::Held
                | Kind::Released
        )
    };
    let found = events
        .iter()
        .find(told)
        .or(events.get(1).and(events.first()));
    found.map(|e| e.ts)
}

/// True for an event that a simulated run has too.
fn is_ours(event: &Event) -> bool {
    !matches!(
        event.event,
        Kind::Step | Kind::RunKilled | Kind::StateRecovered | Kind::Unknown
    )
}

/// What a subject is by a change of its status.
fn being(event: &Event, to: Condition, before: Option<&Being>, now: Timestamp) -> Being {
    let unseen = event.reasons.iter().any(|code| code == "unreadable");
    let same = before.filter(|b| b.condition == to && b.observed != unseen);
    let since = match same {
        // Only its traits are others.
        Some(before) => before.since,
        None => event.since.unwrap_or(now),
    };
    Being {
        observed: !unseen,
        // As long as its incident is open, what looks healthy is so by an old beat.
        beat: (to == Condition::Healthy).then_some(Timestamp::default()),
        labels: event.traits.labels.clone(),
        frozen: event.traits.frozen,
        report: event.traits.report.clone(),
        ended: event.traits.ended,
        ..Being::new(to, since)
    }
}

/// What plans need by name: a journal says nothing of those that were always healthy.
fn needed(rules: &Rules<'_>) -> BTreeSet<String> {
    let needs = rules.plans.plans().iter().flat_map(|plan| &plan.needs);
    needs
        .filter_map(|need| match &need.kind {
            NeedKind::Gateway(name) => Some(format!("{GATEWAY}{name}")),
            NeedKind::Named(name) if name.contains('/') => Some(name.clone()),
            NeedKind::Named(cell) => Some(format!("{}/main", cell_of(cell))),
            NeedKind::Glob(_) => None,
        })
        .collect()
}

/// The events of a journal's text, one a line, and the numbers of the lines that are none.
#[must_use]
pub fn events(text: &[u8]) -> (Vec<Event>, Vec<usize>) {
    let (mut events, mut bad) = (Vec::new(), Vec::new());
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_slice::<Event>(line) {
            Ok(event) => events.push(event),
            Err(_) => bad.push(number + 1),
        }
    }
    (events, bad)
}
