//! Plays a scenario under some plans.

use std::collections::BTreeMap;
use std::time::Duration;

use super::scenario::{Approve, Down, Outcome, Scenario, Subject};
use super::step::{self, Made, Run};
use super::world::{Being, World};
use super::{Heard, Line};
use crate::core::rules::Rules;
use crate::model::action::{Action, AttemptResult, Ended};
use crate::model::condition::Condition;
use crate::model::event::{Event, Kind};
use crate::model::state::State;
use crate::model::time::Timestamp;

/// How old a beat may be in a scenario. It says when a subject is stale, so that it only matters
/// for when the last beat was.
const STALE_AFTER: Duration = Duration::from_secs(180);

/// How long an attempt takes.
const TAKES: Duration = Duration::from_secs(1);

/// Plays it to its end. Each event goes to `heard`, each decision too.
pub fn play(scenario: &Scenario, rules: &Rules<'_>, heard: &mut dyn FnMut(Heard<'_>)) {
    let mut stage = Stage::new(scenario);
    let mut state = State::default();
    let mut at = Duration::ZERO;
    while at < scenario.lasts {
        let now = scenario.start.plus(at);
        stage.until(now);
        answer(scenario.approve, &mut state, now, heard);
        if !is_silent(scenario, at) {
            let snapshot = stage.world.snapshot(now);
            let id = format!("r{:x}", now.as_micros() / 1000);
            let mut question = 0;
            let mut code = || {
                question += 1;
                format!("{id}-{question}")
            };
            let (decisions, _) = Run::new(&id, &snapshot, rules).go(
                &mut state,
                &mut |action| stage.attempt(action, now),
                &mut code,
                &mut |event| heard(Heard::Event(&event)),
            );
            for decision in &decisions.list {
                heard(Heard::Decision(&Line::of(now, decision)));
            }
        }
        at += scenario.every;
    }
}

fn is_silent(scenario: &Scenario, at: Duration) -> bool {
    let silences = &scenario.no_runs;
    silences
        .iter()
        .any(|(from, lasts)| at >= *from && at < *from + *lasts)
}

/// What the human of the scenario says to open questions by now.
fn answer(approve: Approve, state: &mut State, now: Timestamp, heard: &mut dyn FnMut(Heard<'_>)) {
    let (kind, after) = match approve {
        Approve::Never => return,
        Approve::Deny => (Kind::Denied, Duration::ZERO),
        Approve::After(after) => (Kind::Approved, after),
    };
    let open: Vec<(String, Timestamp, String)> = state
        .memory
        .iter()
        .filter_map(|(name, memory)| Some((name, memory.approval.as_ref()?)))
        .filter(|(_, asked)| asked.answer.is_none())
        .map(|(name, asked)| (name, asked.asked_at.plus(after), asked))
        .filter(|(_, at, asked)| *at <= now && *at < asked.expires_at)
        .map(|(name, at, asked)| (name.clone(), at, asked.code.clone()))
        .collect();
    for (name, at, code) in open {
        let event = Event {
            actor: "operator:scenario".to_owned(),
            subject: Some(name),
            code: Some(code),
            ..Event::new(kind, at, "scenario")
        };
        step::add(state, event, &mut |event| heard(Heard::Event(&event)));
    }
}

/// The world of a scenario as it goes on.
struct Stage<'s> {
    scenario: &'s Scenario,
    world: World,
    /// What is to come, by time and name: who goes down, and who comes back.
    agenda: BTreeMap<(Timestamp, &'s str, u32), Turn<'s>>,
    /// How often each went down, and the attempts made since.
    falls: BTreeMap<&'s str, (u32, usize)>,
    turns: u32,
}

enum Turn<'s> {
    Falls(&'s Down),
    /// It is back, if it has not gone down anew.
    Rises(u32),
}

impl<'s> Stage<'s> {
    fn new(scenario: &'s Scenario) -> Self {
        let mut stage = Self {
            scenario,
            world: World::new(STALE_AFTER),
            agenda: BTreeMap::new(),
            falls: BTreeMap::new(),
            turns: 0,
        };
        for (name, subject) in &scenario.subjects {
            stage.world.set(name, well(subject, scenario.start));
            for down in &subject.down {
                stage.plan(scenario.start.plus(down.at), name, Turn::Falls(down));
            }
        }
        stage
    }

    fn plan(&mut self, at: Timestamp, name: &'s str, turn: Turn<'s>) {
        self.turns += 1;
        self.agenda.insert((at, name, self.turns), turn);
    }

    /// All that happens up to this moment.
    fn until(&mut self, now: Timestamp) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, name, _), turn) = entry.remove_entry();
            let Some(subject) = self.scenario.subjects.get(name) else {
                continue;
            };
            match turn {
                Turn::Falls(down) => self.fall(at, name, subject, down),
                Turn::Rises(fall) => {
                    if self.falls.get(name).is_some_and(|(now, _)| *now == fall) {
                        self.world.set(name, well(subject, at));
                    }
                }
            }
        }
    }

    fn fall(&mut self, at: Timestamp, name: &'s str, subject: &Subject, down: &'s Down) {
        // Who is down already does not go down.
        let is_well = |being: &Being| being.condition == Condition::Healthy;
        if !self.world.get(name).is_some_and(is_well) {
            return;
        }
        let ended = (down.status == Condition::Exited).then_some(Ended {
            exit_code: down.exit_code,
            signal: None,
            at,
        });
        let being = Being {
            report: down.report.clone(),
            ended,
            labels: subject.labels.clone(),
            frozen: subject.frozen,
            ..Being::new(down.status, at)
        };
        self.world.set(name, being);
        let (falls, attempts) = self.falls.entry(name).or_default();
        (*falls, *attempts) = (*falls + 1, 0);
        let fall = *falls;
        if let Some(lasts) = down.lasts {
            self.plan(at.plus(lasts), name, Turn::Rises(fall));
        }
    }

    fn attempt(&mut self, action: &Action, now: Timestamp) -> Made {
        let failed = step::at_once(now, TAKES, AttemptResult::Failed);
        let Some((name, subject)) = self.scenario.subjects.get_key_value(&action.subject) else {
            return failed;
        };
        let (fall, made) = self.falls.entry(name).or_default();
        let nth = (*made).min(subject.attempt.len().saturating_sub(1));
        let fall = *fall;
        *made += 1;
        match subject.attempt.get(nth) {
            None | Some(Outcome::Fails) => return failed,
            Some(Outcome::DoesNothing) => {}
            // Its first beat is stamped after the last step, or it would be none of its own.
            Some(Outcome::Works) => {
                let after = subject.recovers_after.max(Duration::from_millis(1));
                self.plan(now.plus(TAKES).plus(after), name, Turn::Rises(fall));
            }
        }
        step::at_once(now, TAKES, AttemptResult::Ok)
    }
}

fn well(subject: &Subject, since: Timestamp) -> Being {
    Being {
        labels: subject.labels.clone(),
        frozen: subject.frozen,
        ..Being::new(Condition::Healthy, since)
    }
}
