//! Made-up worlds in which everything goes wrong, minute by minute, and rules that no run may ever
//! break, whatever happens.
//!
//! Each world follows from its seed alone, which is told where a rule is broken:
//! `LAZARUS_SEED=4711 cargo test --lib chaos` plays that one again. `LAZARUS_MINUTES` says how many
//! minutes are played in all.

mod attempts;
mod host;
mod oracle;
mod people;
mod plans;
mod random;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::action::{Action, AttemptResult};
use crate::model::decision::Policy;
use crate::model::event::{Event, Kind};
use crate::model::state::State;
use crate::sim::replay::Replay;
use crate::sim::{Heard, step};
use host::Host;
use oracle::Oracle;
use random::Random;

/// How many minutes are played where nothing else is said: what a debug build does in a few
/// seconds.
const MINUTES: u64 = 120_000;

/// How many minutes one world lives.
const LIFE: u64 = 1200;

/// What the last run of a world left.
struct Played {
    state: State,
    journal: Vec<Event>,
    oracle: Oracle,
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Plays one world.
fn play(seed: u64, minutes: u64) -> Played {
    let mut random = Random::new(seed);
    let laws = plans::laws(&mut random);
    let mut host = Host::new(&laws, &mut random);
    let mut oracle = Oracle::new(seed);
    // Room for all that is written in a life: to copy it over and over took a tenth of the time.
    let mut journal = Vec::with_capacity(minutes as usize * 6);
    let mut state = State::default();
    for minute in 0..minutes {
        // At the end there is an hour of peace, in which all that was begun must come to its end.
        let peace = minute + 240 > minutes;
        host.minute(&mut random, peace);
        people::minute(&mut random, &host, &mut state, &mut oracle, &mut |e| {
            journal.push(e)
        });
        if host.runs(&mut random, peace) {
            run(
                &mut random,
                &mut host,
                &laws,
                &mut state,
                &mut journal,
                &mut oracle,
                peace,
            );
        }
    }
    oracle.at_the_end(&state, &journal);
    aftermath(&mut host, &laws, &mut state, seed);
    Played {
        state,
        journal,
        oracle,
    }
}

/// When all have been well for some days, nothing is remembered; and whoever goes down then is
/// brought back.
fn aftermath(host: &mut Host, laws: &plans::Laws, state: &mut State, seed: u64) {
    let rules = laws.rules(false);
    host.heal();
    let mut attempts = 0;
    for at in 0..200 {
        host.calm(if at < 40 { 12 * 3600 } else { 60 });
        if at == 40 {
            assert!(
                state.subjects.is_empty(),
                "seed {seed}: {:#?}",
                state.subjects
            );
            state
                .memory
                .retain(|_, m| m.pause.as_ref().is_none_or(|p| p.until.is_some()));
            assert!(state.memory.is_empty(), "seed {seed}: {:#?}", state.memory);
            assert_eq!(state.hold, None, "seed {seed}");
            host.strike(VICTIM);
        }
        let snapshot = host.snapshot();
        let id = format!("z{at}");
        let run = step::Run::new(&id, &snapshot, &rules);
        let mut attempt = |action: &Action| {
            attempts += u32::from(action.subject == VICTIM);
            step::at_once(snapshot.taken_at, Duration::ZERO, AttemptResult::Ok)
        };
        run.go(state, &mut attempt, &mut String::new, &mut drop);
    }
    let view = host.snapshot();
    let plan = oracle::look(&view, VICTIM).and_then(|v| laws.plans.governing(&v.who));
    if let Some(plan) = plan.filter(|p| p.policy == Policy::Auto) {
        let most = plan
            .limits
            .attempts
            .saturating_mul(200 * 60 / plan.limits.within.as_secs() as u32 + 1);
        assert!(
            (1..=most).contains(&attempts),
            "seed {seed}: {attempts} attempts for {VICTIM}, {plan:#?}"
        );
    }
}

/// Who goes down last.
const VICTIM: &str = "a/x0";

fn run(
    random: &mut Random,
    host: &mut Host,
    laws: &plans::Laws,
    state: &mut State,
    journal: &mut Vec<Event>,
    oracle: &mut Oracle,
    peace: bool,
) {
    let snapshot = host.snapshot();
    let lost = !peace && random.one_in(2000);
    if lost {
        // The file and the journal are gone, and it is known that there was something.
        *state = State {
            applied: state.applied,
            ..State::default()
        };
        journal.clear();
        oracle.state_lost(state.applied);
    }
    let rules = laws.rules(lost);
    let before = state.clone();
    let killed_after = (!peace && random.one_in(12)).then(|| random.below(14) as usize);
    let id = format!("r{}", host.minutes);
    let run = step::Run {
        killed_after,
        ..step::Run::new(&id, &snapshot, &rules)
    };
    let mut events = Vec::new();
    let (decisions, finished) = run.go(
        state,
        &mut |action| host.attempt(random, action),
        &mut || format!("{:x}", host_code(&before)),
        &mut |event| events.push(event),
    );
    oracle.run(&oracle::Seen {
        host,
        laws,
        snapshot: &snapshot,
        rules: &rules,
        before: &before,
        after: state,
        decisions: &decisions,
        events: &events,
        finished,
    });
    journal.extend(events);
}

fn host_code(state: &State) -> u64 {
    state.applied
}

#[test]
fn no_rule_is_ever_broken() {
    if let Some(seed) = number("LAZARUS_SEED") {
        play(seed, LIFE);
        return;
    }
    let worlds = number("LAZARUS_MINUTES").unwrap_or(MINUTES).div_ceil(LIFE);
    let first = number("LAZARUS_FIRST_SEED").unwrap_or(1);
    // Worlds know nothing of each other: each core plays its share of them.
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let share = |core: u64| {
        let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
        for seed in (first..first + worlds).filter(|seed| seed % cores == core) {
            for (what, times) in play(seed, LIFE).oracle.counts {
                *seen.entry(what).or_default() += times;
            }
        }
        seen
    };
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        let share = &share;
        let shares: Vec<_> = (0..cores)
            .map(|core| scope.spawn(move || share(core)))
            .collect();
        for share in shares {
            for (what, times) in share.join().expect("a rule was broken: its seed is above") {
                *seen.entry(what).or_default() += times;
            }
        }
    });
    // A rule that nothing puts to the test is none.
    for what in oracle::COUNTED {
        assert!(seen.contains_key(what), "there was no {what}: {seen:?}");
    }
    if std::env::var_os("LAZARUS_SHOW").is_some() {
        panic!("{seen:#?}");
    }
}

#[test]
fn a_world_follows_from_its_seed() {
    let (a, b) = (play(7, 400), play(7, 400));
    assert_eq!(a.journal, b.journal);
    assert_eq!(a.state, b.state);
    assert_ne!(a.journal, play(8, 400).journal);
}

/// What a run decided and wrote down, as far as it is not the text of it.
fn gist(event: &Event) -> Option<String> {
    match event.event {
        Kind::IncidentOpened
        | Kind::IncidentClosed
        | Kind::ApprovalRequested
        | Kind::ApprovalExpired
        | Kind::Intent
        | Kind::AttemptFinished
        | Kind::Held
        | Kind::Released
        | Kind::Exhausted => Some(format!(
            "{} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            event.run,
            event.ts,
            event.event,
            event.subject,
            event.incident,
            event.attempt,
            event.down_since,
            event.result,
            event.reason,
        )),
        _ => None,
    }
}

/// A journal, played again under the plans that were in force, comes to the same decisions.
#[test]
fn a_journal_played_again_comes_to_the_same() {
    let mut compared = 0;
    for seed in 1..60 {
        let mut random = Random::new(seed);
        let laws = plans::laws(&mut random);
        let played = play(seed, 600);
        if played.oracle.was_lost() {
            continue;
        }
        let rules = laws.rules(false);
        let mut replay = Replay::new(&rules);
        let mut again = Vec::new();
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event(event) = heard {
                again.extend(gist(event));
            }
        };
        for event in &played.journal {
            replay.next(event, &mut hear);
        }
        replay.finish(&mut hear);
        let first: Vec<String> = played.journal.iter().filter_map(gist).collect();
        for (at, (was, is)) in first.iter().zip(&again).enumerate() {
            assert_eq!(was, is, "seed {seed}, event {at} of {}", first.len());
        }
        assert_eq!(first.len(), again.len(), "seed {seed}");
        compared += first.len();
    }
    assert!(compared > 2000, "{compared}");
}
