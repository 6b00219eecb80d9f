//! What keeps a subject from being revived, beside budgets and pauses: maintenance by the clock on
//! a wall somewhere, an agent's own last words, a failed look, a mass failure with people's consent
//! in hand, and what is no mass failure: a reboot.

use std::fs;

use crate::later::{Later, codes, plans, with_verdict};
use crate::store::state_is_the_journal;
use crate::world::{NOBODY, World, can_mount, mode, needs_root, now};

const STEP: &str = "policy: auto\nsteps: [{run: ['true']}]\n";

/// A window by a cron pattern, in a zone with summer time: three in the morning in Vienna is one
/// o'clock in UTC in summer, and two in winter.
#[test]
fn a_maintenance_window_goes_by_its_own_time_zone() {
    let plan =
        format!("{STEP}maintenance: [{{cron: '0 3 * * SUN', for: 1h, timezone: Europe/Vienna}}]\n");
    for (moment, verdict) in [
        ("2027-07-04T00:59:00Z", "revive"),
        ("2027-07-04T01:01:00Z", "maintenance"),
        ("2027-07-04T01:58:00Z", "maintenance"),
        ("2027-07-04T02:01:00Z", "revive"),
        ("2027-07-05T01:30:00Z", "revive"),
        ("2027-01-03T01:30:00Z", "revive"),
        ("2027-01-03T02:30:00Z", "maintenance"),
    ] {
        let world = World::new();
        world.cell("a");
        plans(&world, &plan);
        let at = moment.parse::<jiff::Timestamp>().unwrap().as_second();
        let mut later = Later::new(&world);
        later.pass(at - now() as i64).beat("a", 900);
        let run = later.check();
        assert_eq!(run.verdict("a/main"), Some(verdict), "{moment}: {run}");
        if verdict == "maintenance" {
            let next = run.decision("a/main").unwrap()["next_attempt_at"].as_str();
            let end = if moment.contains("-07-") {
                "T02:00:00"
            } else {
                "T03:00:00"
            };
            assert!(next.unwrap().contains(end), "{moment}: {run}");
        }
    }
}

#[test]
fn last_words_are_heard_where_the_plan_says_so() {
    let world = World::new();
    plans(
        &world,
        &format!("{STEP}on_report: {{finished: [done], tolerated: [idle]}}\n"),
    );
    for (cell, word) in [("a", "done"), ("b", "idle"), ("c", "thinking")] {
        world
            .cell(cell)
            .beat_with(cell, 900, serde_json::json!({ "status": word }));
    }
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("finished"), "{run}");
    assert!(codes(&run, "a/main").contains(&"finished_report"));
    assert_eq!(run.verdict("b/main"), Some("tolerated"));
    assert!(codes(&run, "b/main").contains(&"tolerated_report"));
    assert_eq!(with_verdict(&run, "revive"), ["c/main"]);
    // Who is done has no incident, and counts as healthy.
    assert!(run.decision("a/main").unwrap()["incident"].is_null());
    world.remove("b").remove("c");
    world.run(&["--json"]);
    world.run(&["--json"]).code(0);
    state_is_the_journal(&world);
}

#[test]
fn nobody_is_revived_on_the_strength_of_a_look_that_failed() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(&world, STEP);
    for dir in [
        "conf",
        "conf/plans",
        "conf/plans/plans.yaml",
        "conf/config.yaml",
    ] {
        std::os::unix::fs::chown(world.base().join(dir), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    mode(&world.path("a/state"), 0o000);
    let run = world.cmd(&["--json"]).user(NOBODY).run();
    run.code(2);
    assert_eq!(with_verdict(&run, "unobserved").len(), 1, "{run}");
    assert_eq!(run.list("actions").len(), 0);
    mode(&world.path("a/state"), 0o755);
    let run = world.cmd(&["--json"]).user(NOBODY).run();
    assert_eq!(with_verdict(&run, "revive"), ["a/main"], "{run}");
}

/// So many cells, of which all are well, and a first run that saw them so.
fn fleet(world: &World, n: usize) -> Vec<String> {
    let ids: Vec<String> = (0..n).map(|n| format!("c{n:02}")).collect();
    ids.iter().for_each(|id| {
        world.cell(id);
    });
    world.run(&["--json"]).code(0);
    ids
}

#[test]
fn a_yes_does_not_break_a_hold() {
    let world = World::new();
    world.config("protection: {canary: 0}\n");
    plans(&world, "policy: ask\nsteps: [{run: ['true']}]\n");
    let ids = fleet(&world, 12);
    world.beat(&ids[0], 900);
    assert_eq!(
        world.run(&["--json"]).verdict("c00/main"),
        Some("awaiting_approval")
    );
    world.run(&["approve", "c00"]).code(0);
    ids.iter().for_each(|id| {
        world.beat(id, 900);
    });
    let run = world.run(&["--json"]);
    run.code(2);
    assert_eq!(with_verdict(&run, "held").len(), 12, "{run}");
    let run = world.run(&["--json", "--force"]);
    assert_eq!(with_verdict(&run, "revive"), ["c00/main"], "{run}");
}

/// A reboot takes all down at once, and is known to have done so.
#[test]
fn what_a_reboot_took_down_is_not_held() {
    if !can_mount() {
        return;
    }
    for (rebooted, verdict, how_many) in [(false, "held", 11), (true, "revive", 10)] {
        let world = World::new();
        plans(&world, STEP);
        let ids = fleet(&world, 12);
        ids.iter().for_each(|id| {
            world.beat(id, 900);
        });
        let id = world.base().join("boot_id");
        fs::write(&id, "00000000-0000-4000-8000-000000000000\n").unwrap();
        let script = match rebooted {
            true => format!(
                "mount --bind {} /proc/sys/kernel/random/boot_id",
                id.display()
            ),
            false => "true".to_owned(),
        };
        let run = world.cmd(&["--json"]).mounted(&script).run();
        assert_eq!(
            with_verdict(&run, verdict).len(),
            how_many,
            "{rebooted}: {run}"
        );
        // And in the runs after it, of the same boot.
        let run = world.cmd(&["--json"]).mounted(&script).run();
        assert_eq!(with_verdict(&run, "held").is_empty(), rebooted, "{run}");
    }
}
