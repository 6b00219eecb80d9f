//! When the cause is likelier in the host: mass failures with their canary, gaps, settling, the
//! clock, a lost state, another disk. Over separate runs of the real program.

use std::fs;

use crate::later::{Later, codes, plans, with_verdict};
use crate::store::{journal, state_is_the_journal};
use crate::world::World;

const PLAN: &str = "policy: auto\nlimits: {backoff: {jitter: 0}}\nsteps: [{run: ['true']}]\n";

/// So many cells, all of which beat.
fn fleet(world: &World, n: usize) -> Vec<String> {
    let ids: Vec<String> = (0..n).map(|n| format!("c{n:02}")).collect();
    ids.iter().for_each(|id| {
        world.cell(id);
    });
    ids
}

fn beat_all(later: &Later<'_>, ids: &[String], age: i64) {
    ids.iter().for_each(|id| {
        later.beat(id, age);
    });
}

fn reasons(world: &World, kind: &str) -> Vec<String> {
    let events = journal(world).into_iter().filter(|e| e["event"] == kind);
    events
        .map(|e| e["reason"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_mass_failure_is_held_until_a_canary_lives() {
    let world = World::new();
    let ids = fleet(&world, 12);
    plans(&world, PLAN);
    let mut later = Later::new(&world);
    beat_all(&later, &ids, 0);
    later.check().code(0);

    // Half of them fall together.
    later.pass(240);
    beat_all(&later, &ids, 0);
    beat_all(&later, &ids[..6], 240);
    let run = later.check();
    run.code(2);
    assert_eq!(with_verdict(&run, "revive"), ["c00/main"], "{run}");
    assert_eq!(with_verdict(&run, "held").len(), 5);
    assert!(codes(&run, "c01/main").contains(&"mass_failure"));
    assert!(
        run.decision("c01/main").unwrap()["because"]
            .to_string()
            .contains("6 of 12 subjects")
    );
    assert_eq!(reasons(&world, "held"), ["mass_failure"]);

    // While it has time to show there is no second one.
    later.pass(60);
    beat_all(&later, &ids[6..], 0);
    let run = later.check();
    assert_eq!(with_verdict(&run, "reviving"), ["c00/main"]);
    assert_eq!(with_verdict(&run, "held").len(), 5, "{run}");

    // It fails: the hold stays, and another is let through.
    later.pass(120);
    beat_all(&later, &ids[6..], 0);
    let run = later.check();
    assert_eq!(with_verdict(&run, "revive").len(), 1, "{run}");
    assert_eq!(
        with_verdict(&run, "held").len() + with_verdict(&run, "backoff").len(),
        5
    );
    let second = with_verdict(&run, "revive")[0].to_owned();

    // It lives: the rest follow.
    later.pass(60);
    beat_all(&later, &ids[6..], 0);
    later.beat(second.trim_end_matches("/main"), 0);
    let run = later.check();
    assert_eq!(with_verdict(&run, "held").len(), 0, "{run}");
    assert!(with_verdict(&run, "revive").len() >= 4, "{run}");
    assert_eq!(reasons(&world, "released"), ["over"]);
    state_is_the_journal(&world);
}

/// As long as so many are down that it goes on, a canary that lives releases it for all of them.
#[test]
fn a_canary_that_lives_releases_what_goes_on() {
    let world = World::new();
    let ids = fleet(&world, 12);
    plans(&world, PLAN);
    let mut later = Later::new(&world);
    beat_all(&later, &ids, 0);
    later.check().code(0);
    later.pass(240);
    assert_eq!(with_verdict(&later.check(), "revive").len(), 1);
    later.pass(60).beat("c00", 0);
    let run = later.check();
    run.code(1);
    assert_eq!(with_verdict(&run, "revive").len(), 10, "{run}");
    assert_eq!(with_verdict(&run, "deferred").len(), 1);
    assert_eq!(reasons(&world, "released"), ["canary"]);
    // And it stays released for those that follow.
    later.pass(60).beat("c00", 0);
    let run = later.check();
    assert_eq!(with_verdict(&run, "held").len(), 0, "{run}");
    assert_eq!(with_verdict(&run, "revive").len(), 1);
    assert_eq!(reasons(&world, "held"), ["mass_failure"]);
}

#[test]
fn force_is_an_operators_word_against_a_hold() {
    let world = World::new();
    let ids = fleet(&world, 12);
    plans(&world, PLAN);
    ids.iter().for_each(|id| {
        world.beat(id, 900);
    });
    let run = world.run(&["--json", "--force"]);
    run.code(1);
    assert_eq!(with_verdict(&run, "revive").len(), 10, "{run}");
    assert_eq!(reasons(&world, "released"), ["force"]);
}

#[test]
fn a_small_fleet_and_a_slow_decline_are_no_mass_failure() {
    let world = World::new();
    let ids = fleet(&world, 9);
    plans(&world, PLAN);
    ids.iter().for_each(|id| {
        world.beat(id, 900);
    });
    assert_eq!(with_verdict(&world.run(&["--json"]), "revive").len(), 9);

    let world = World::new();
    let ids = fleet(&world, 12);
    plans(&world, "policy: never\n");
    let mut later = Later::new(&world);
    for n in 0..6 {
        beat_all(&later, &ids[n..], 0);
        later.check();
        later.pass(300);
    }
    assert_eq!(reasons(&world, "held").len(), 0);
}

#[test]
fn nobody_is_revived_in_the_first_run_after_a_gap() {
    let world = World::new();
    let ids = fleet(&world, 2);
    plans(&world, PLAN);
    let mut later = Later::new(&world);
    beat_all(&later, &ids, 0);
    later.check().code(0);
    // This host slept; one of them did not wake up.
    let run = later.pass(1800).check();
    run.code(2);
    assert_eq!(with_verdict(&run, "held").len(), 2, "{run}");
    assert!(codes(&run, "c00/main").contains(&"gap"));
    assert_eq!(reasons(&world, "held"), ["gap"]);
    later.pass(60).beat("c01", 0);
    let run = later.check();
    assert_eq!(with_verdict(&run, "revive"), ["c00/main"], "{run}");
    // Not a moment too early: less than ten minutes are no gap.
    later.pass(590).beat("c01", 0);
    assert!(!later.check().json().to_string().contains("\"gap\""));
}

/// Three intervals are never a gap, or a slow timer would keep everyone down.
#[test]
fn a_slow_timer_has_no_gaps() {
    let world = World::new();
    fleet(&world, 1);
    world.config("heartbeat_interval_seconds: 600\n");
    plans(&world, PLAN);
    let mut later = Later::new(&world);
    later.beat("c00", 0).check().code(0);
    assert_eq!(
        with_verdict(&later.pass(1790).check(), "revive"),
        ["c00/main"]
    );
}

#[test]
fn nobody_is_revived_while_the_host_settles() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    // Every host was booted less than a hundred years ago.
    world.config("protection: {settle: 99y}\n");
    plans(&world, PLAN);
    let run = world.run(&["--json"]);
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("held"));
    assert!(codes(&run, "a/main").contains(&"settle"));
    assert_eq!(
        world.run(&["--json", "--force"]).verdict("a/main"),
        Some("revive")
    );
}

#[test]
fn nobody_is_revived_in_a_run_whose_clock_went_back_whoever_forces_it() {
    let world = World::new();
    world.cell("a").cell("b");
    plans(&world, PLAN);
    let mut later = Later::new(&world);
    later.beat("a", 0).beat("b", 0).check().code(0);
    later.pass(-3600).beat("a", 900).beat("b", 0);
    let run = later.run(&["--json", "--force"]);
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("held"));
    assert!(codes(&run, "a/main").contains(&"clock"));
    later.pass(60).beat("b", 0);
    assert_eq!(later.check().verdict("a/main"), Some("revive"));
}

#[test]
fn nobody_is_revived_by_a_run_that_lost_its_state() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(&world, PLAN);
    fs::write(world.state().join("state.json"), "rubbish").unwrap();
    let run = world.run(&["--json"]);
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("held"), "{run}");
    assert!(codes(&run, "a/main").contains(&"state_lost"));
    assert!(run.warns("state_lost"));
    assert_eq!(world.run(&["--json"]).verdict("a/main"), Some("revive"));
}

/// Attempts outlive the state file: no one gets a fresh budget from a broken one.
#[test]
fn a_broken_state_refills_nothing() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(
        &world,
        "policy: auto\nlimits: {attempts: 1}\nverify: {within: 1ms}\nsteps: [{run: ['true']}]\n",
    );
    world.run(&["--json"]).code(1);
    fs::write(world.state().join("state.json"), "rubbish").unwrap();
    let run = world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("exhausted"), "{run}");
    assert!(run.warns("state_recovered"));
}

/// A run over some of the cells is no look at the fleet: it counts for no gap and no mass.
#[test]
fn a_run_over_some_cells_counts_for_no_gap_and_no_mass() {
    let world = World::new();
    let ids = fleet(&world, 12);
    plans(&world, PLAN);
    let mut later = Later::new(&world);
    beat_all(&later, &ids, 0);
    later.check().code(0);
    later.pass(240);
    let run = later.run(&["--json", "--cell", "c00"]);
    assert_eq!(with_verdict(&run, "revive"), ["c00/main"], "{run}");
    let run = later.check();
    assert_eq!(with_verdict(&run, "held").len(), 11, "{run}");
    // What the full run found holds for a run over some, too.
    let run = later.run(&["--json", "--cell", "c05"]);
    assert_eq!(with_verdict(&run, "held"), ["c05/main"], "{run}");
    let run = later.pass(700).run(&["--json", "--cell", "c05"]);
    assert!(!codes(&run, "c05/main").contains(&"gap"), "{run}");
    let run = later.check();
    assert!(codes(&run, "c05/main").contains(&"gap"), "{run}");
}

/// A journal that can be read in part may lack the very attempts that a budget counts.
#[test]
fn a_state_that_cannot_be_rebuilt_whole_is_lost() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let plan =
        "policy: auto\nlimits: {attempts: 1}\nverify: {within: 1ms}\nsteps: [{run: ['true']}]\n";
    plans(&world, plan);
    world.run(&["--json"]).code(1);
    let path = world.state().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let intent = text.lines().find(|l| l.contains("\"intent\"")).unwrap();
    fs::write(&path, text.replace(intent, "rubbish")).unwrap();
    fs::write(world.state().join("state.json"), "rubbish").unwrap();
    let run = world.run(&["--json"]);
    run.code(2);
    assert!(codes(&run, "a/main").contains(&"state_lost"), "{run}");
    assert_eq!(run.list("actions").len(), 0);
}
