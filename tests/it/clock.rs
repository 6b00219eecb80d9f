//! The wall clock, wherever it is set: to and fro, before 1970's first day is over, after 2038.
//!
//! `clock.c` moves the wall clock only: the monotonic one and the files' times stay true.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::output::Run;
use crate::store::{journal, state, state_is_the_journal, transitions};
use crate::world::{World, now};

/// An age at which a heartbeat is long stale, in seconds.
const OLD: i64 = 900;
/// Steps of the clock, in seconds.
const STEPS: [i64; 10] = [
    2,
    -2,
    300,
    -300,
    3600,
    -3600,
    86_400,
    -86_400,
    315_360_000,
    -315_360_000,
];

fn run(world: &World, by: i64) -> Run {
    let run = world.cmd(&["--json"]).clock(by).run();
    run.survived();
    let started = run.json()["run"]["started_at"].as_str().unwrap();
    let off = seconds(started) - now();
    assert!(
        (off - by as f64).abs() < 60.0,
        "the clock was not moved by {by}: {started}"
    );
    run
}

/// RFC 3339 as seconds since 1970.
fn seconds(text: &str) -> f64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond() as f64 / 1e6
}

/// `a` is well, `b` is down and known to be.
fn world() -> World {
    let world = World::new();
    world.cell("a").cell("b").beat("b", OLD);
    world.run(&["--json"]).code(2);
    world
}

fn opened(world: &World) -> usize {
    let events = journal(world);
    let open = |e: &&Value| e["event"] == "incident_opened";
    events.iter().filter(open).count()
}

/// Five minutes and more ahead of the clock a heartbeat is not believed, and the time at which the
/// file was written counts, which is as far ahead: an age of nothing.
#[test]
fn a_clock_set_back_makes_nobody_dead_and_is_said_once() {
    for back in STEPS.into_iter().filter(|by| *by < 0) {
        let world = world();
        let first = run(&world, back);
        assert!(first.warns("clock"), "{back}: {first}");
        assert_eq!(first.status("a"), "healthy", "{back}: {first}");
        assert_eq!(first.age("a"), 0);
        let skewed = first.agent("a", "main").to_string().contains("clock_skew")
            || first.json().to_string().contains("clock_skew");
        assert_eq!(skewed, back < -301, "{back}: {first}");
        assert_eq!(opened(&world), 1, "{back}: an incident by the clock alone");
        // Said once: the next run has this one to compare with.
        for n in 2..4 {
            let later = run(&world, back);
            assert!(!later.warns("clock"), "{back}, run {n}: {later}");
            assert_eq!(later.status("a"), "healthy");
        }
        assert_eq!(opened(&world), 1, "{back}");
        state_is_the_journal(&world);
        // And when it is right again, nobody is dead by that either, and all goes on as before.
        world.beat("a", 0);
        let right = run(&world, 0);
        assert!(!right.warns("clock"), "{back}: {right}");
        assert_eq!((right.status("a"), right.status("b")), ("healthy", "stale"));
        world.beat("b", 0);
        assert_eq!(run(&world, 0).exit(), 0);
        assert_eq!(state(&world)["subjects"], serde_json::json!({}));
    }
}

/// From the clock alone nobody can tell a step forward from a night of silence. What is then stale
/// comes back with its next beat, and nothing lasts.
#[test]
fn a_clock_set_forward_heals_with_the_next_beat() {
    for by in STEPS.into_iter().filter(|by| *by > 0) {
        let world = world();
        let first = run(&world, by);
        assert!(!first.warns("clock"), "{by}: {first}");
        let stale = by > 180;
        let expected = if stale { "stale" } else { "healthy" };
        assert_eq!(first.status("a"), expected, "{by}: {first}");
        if stale {
            // It was well in the run before, and dead only since the limit passed after that.
            let since = first.decision("a/main").unwrap()["down_since"].as_str();
            let since = seconds(since.unwrap());
            assert!(since >= now() - 60.0, "{by}: {since}");
            assert!(since <= now() + by as f64 + 60.0, "{by}: {since}");
        }
        // The agent's next beat is on the same clock.
        world.beat("a", -by).beat("b", -by);
        for n in 2..4 {
            let later = run(&world, by);
            assert_eq!(later.exit(), 0, "{by}, run {n}: {later}");
        }
        assert_eq!(state(&world)["subjects"], serde_json::json!({}));
        let events = transitions(&world);
        assert!(events.values().all(|n| *n == 1), "{by}: {events:?}");
        // The clock is put right: a step back, which is said, and nobody is dead by it.
        world.beat("a", 0).beat("b", 0);
        let right = run(&world, 0);
        assert!(right.warns("clock"), "{by}: {right}");
        assert_eq!(right.exit(), 0, "{by}: {right}");
        assert!(!run(&world, 0).warns("clock"));
        state_is_the_journal(&world);
    }
}

#[test]
fn from_1970_to_the_end_of_time() {
    let moments = [
        ("1970-01-01T00:00:00Z", "epoch"),
        ("2038-01-19T03:14:08Z", "one second beyond 31 bits"),
        ("2106-02-07T06:28:17Z", "one second beyond 32 bits"),
        ("2262-04-12T00:00:00Z", "beyond nanoseconds in 64 bits"),
    ];
    for (moment, what) in moments {
        // It may be the first run ever, or come after one of today.
        for known in [false, true] {
            let world = if known { world() } else { World::new() };
            world.cell("a").cell("b").beat("b", OLD);
            let by = (seconds(moment) - now()).round() as i64 + 1;
            for n in 0..3 {
                world.beat("a", -by);
                let run = run(&world, by);
                let warned = known && n == 0 && by < 0;
                assert_eq!(run.warns("clock"), warned, "{what}, run {n}: {run}");
                assert_eq!(run.status("a"), "healthy", "{what}, run {n}: {run}");
            }
            state_is_the_journal(&world);
            for other in [&["status"][..], &["list"], &["heartbeats"], &["--dry-run"]] {
                world.cmd(other).clock(by).run().survived().clean();
                world.run(other).survived().clean();
            }
            // Today again.
            world.beat("a", 0).beat("b", 0);
            assert_eq!(run(&world, 0).exit(), 0, "{what}");
            assert_eq!(state(&world)["subjects"], serde_json::json!({}), "{what}");
        }
    }
}

/// The clock jumps while the run goes on: what it measures, it measures with the other clock.
#[test]
fn a_clock_that_runs_wild_during_a_run_does_not_end_it() {
    // A second lasts a hundred thousand; and each look at the clock is a day later, or earlier.
    for (how, by) in [
        ("CLOCK_RATE", 100_000),
        ("CLOCK_STEP", 86_400),
        ("CLOCK_STEP", -86_400),
    ] {
        let world = World::new();
        world.cell("a").cell("b").beat("b", OLD);
        for _ in 0..3 {
            let run = world
                .cmd(&["--json", "--deadline", "50s"])
                .moved(how, by)
                .run();
            run.survived();
            let took = run.json()["run"]["duration_ms"].as_u64().unwrap();
            assert!(took < 40_000, "{how} {by}: {run}");
        }
        state_is_the_journal(&world);
    }
}

/// The agent's word cannot make it look long dead: it was seen alive by the run before.
#[test]
fn a_backdated_heartbeat_is_down_no_longer_than_since_the_last_run() {
    let world = World::new();
    world.cell("a").run(&["--json"]).code(0);
    let last = state(&world)["last_run"]["at"].as_str().unwrap().to_owned();
    world.beat("a", 10 * 86_400);
    let run = world.run(&["--json"]);
    let since = run.code(2).decision("a/main").unwrap()["down_since"]
        .as_str()
        .unwrap();
    assert_eq!(seconds(since), seconds(&last), "{run}");
    // Nor does a beat of the year 1 later on, and it is the same incident.
    world.heartbeat("a", r#"{"timestamp": "0001-01-01T00:00:00Z"}"#);
    let later = world.run(&["--json"]);
    assert_eq!(
        later.decision("a/main").unwrap()["down_since"],
        run.decision("a/main").unwrap()["down_since"]
    );
    assert_eq!(opened(&world), 1);
}

/// A first run has nobody's word but the agent's.
#[test]
fn in_a_first_run_a_subject_is_down_since_its_limit_passed() {
    let world = World::new();
    world.cell("a").beat("a", OLD);
    let run = world.run(&["--json"]);
    let since = run.code(2).decision("a/main").unwrap()["down_since"]
        .as_str()
        .unwrap();
    let ago = now() - seconds(since);
    assert!(
        (OLD as f64 - 181.0..OLD as f64 - 119.0).contains(&ago),
        "{ago}"
    );
}

/// A file from the future with a timestamp from the future: it ages from now on.
#[test]
fn what_a_run_says_of_ages_is_never_negative() {
    let world = World::new();
    world.cell("a").beat("a", -200);
    let beat = world.heartbeat_path("a");
    let ahead = SystemTime::now() + Duration::from_secs(100_000);
    std::fs::File::options()
        .write(true)
        .open(&beat)
        .unwrap()
        .set_modified(ahead)
        .unwrap();
    for by in [-86_400, -300, 0] {
        let run = run(&world, by);
        assert_eq!(
            (run.age("a"), run.status("a")),
            (0, "healthy"),
            "{by}: {run}"
        );
    }
    let later = run(&world, 400);
    assert_eq!(later.status("a"), "stale", "{later}");
}
