//! How long deciding takes, and simulating. Run by hand: `cargo bench --bench decide`.

#![allow(clippy::print_stdout, reason = "it is run to be read")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use lazarus_pit::core::decide::decide;
use lazarus_pit::core::rules::Rules;
use lazarus_pit::model::action::AttemptResult;
use lazarus_pit::model::condition::Condition;
use lazarus_pit::model::protection::Protection;
use lazarus_pit::model::state::State;
use lazarus_pit::model::time::Timestamp;
use lazarus_pit::plan::{self, File, Known, PlanSet};
use lazarus_pit::sim::step::{Run, at_once};
use lazarus_pit::sim::world::{Being, World};
use lazarus_pit::sim::{play, scenario};

const SUBJECTS: usize = 100_000;
const PLANS: usize = 1000;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn plans(n: usize) -> PlanSet {
    let mut text = String::new();
    for n in 0..n {
        let _ = write!(
            text,
            "---\nname: team-{n}\nmatch: {{cells: [\"team-{n}-*\"], labels: {{team: t{n}}}}}\npolicy: auto\n\
             steps: [{{run: [systemctl, restart, \"x-{{{{ agent.name }}}}-{{{{ cell.labels.team }}}}\"]}}]\n"
        );
    }
    let file = File {
        name: "plans.yaml".into(),
        text: text.into_bytes(),
    };
    let (set, problems) = plan::load(&[file], &Known::default());
    assert!(
        problems.is_empty() && set.plans().len() == n,
        "{problems:?}"
    );
    set
}

fn world(down: impl Fn(usize) -> bool) -> World {
    let mut world = World::new(Duration::from_secs(180));
    for n in 0..SUBJECTS {
        let condition = match down(n) {
            true => Condition::Stale,
            false => Condition::Healthy,
        };
        let mut being = Being::new(condition, at(-300));
        let team = n % PLANS;
        being.labels = [("team".to_owned(), format!("t{team}"))].into();
        world.set(format!("team-{team}-{n}/claude"), being);
    }
    world
}

fn best(what: &str, mut work: impl FnMut()) {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort();
    println!("{what}: best {:?}, median {:?}", times[0], times[4]);
}

fn decisions() {
    let set = plans(PLANS);
    let protection = Protection::default();
    let rules = Rules {
        plans: &set,
        protection: &protection,
        restarts_per_run: 10,
        gap: Duration::from_secs(600),
        force: false,
        state_lost: false,
    };
    for (what, every) in [("1 %", 100), ("10 %", 10), ("all", 1)] {
        let snapshot = world(|n| n % every == 0).snapshot(at(0));
        let mut state = State::default();
        best(
            &format!("deciding {SUBJECTS} subjects, {what} down, {PLANS} plans, first seen"),
            || {
                let decisions = decide(&snapshot, &rules, &state, at(0));
                assert_eq!(decisions.list.len(), SUBJECTS / every);
            },
        );
        let run = Run::new("r", &snapshot, &rules);
        let mut act = |_: &_| at_once(at(0), Duration::ZERO, AttemptResult::Ok);
        run.go(&mut state, &mut act, &mut String::new, &mut drop);
        best(
            &format!("deciding {SUBJECTS} subjects, {what} down, {PLANS} plans, known"),
            || {
                let decisions = decide(&snapshot, &rules, &state, at(60));
                assert_eq!(decisions.list.len(), SUBJECTS / every);
            },
        );
    }
}

fn simulations() {
    let text = "for: 24h\nsubjects:\n  - name: team-{1..900}-x/claude\n    down: [{at: 3h, every: 7h, for: 40m}]\n    attempt: [fails, works]\n  \
                - name: team-{1..100}-y/claude\n    down: [{at: 30m, every: 1h}]\n";
    let (scenario, problems) = scenario::parse("bench", text.as_bytes());
    let scenario = scenario.unwrap_or_else(|| panic!("{problems:?}"));
    let file = File {
        name: "all.yaml".into(),
        text: b"policy: auto\nsteps: [{run: [\"true\"]}]\n".to_vec(),
    };
    let (set, _) = plan::load(&[file], &Known::default());
    let protection = Protection::default();
    let rules = Rules {
        plans: &set,
        protection: &protection,
        restarts_per_run: 10,
        gap: Duration::from_secs(600),
        force: false,
        state_lost: false,
    };
    best("a day of 1000 subjects, 1440 runs", || {
        let mut heard = 0;
        play::play(&scenario, &rules, &mut |_| heard += 1);
        assert!(heard > 10_000);
    });
}

fn main() {
    decisions();
    simulations();
}
