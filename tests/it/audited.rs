//! What the documents say of kept processes and no other test of theirs asks for.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::kept::{Stage, give, lives};
use crate::later::{eventually, plans};
use crate::world::{NOBODY, World};

/// A run has started its agent, which was killed since, and the next attempt is not due.
fn killed() -> Stage {
    let stage = Stage::new();
    let keys = "wake: false, grace: 60ms, beat: while_alive";
    stage.plan("exec sleep 1000", keys, "");
    stage.check().code(1);
    let kept = stage.world.heartbeat_path("a");
    eventually(|| {
        fs::read_to_string(&kept)
            .ok()?
            .contains("kept")
            .then_some(())
    });
    kill(Pid::from_raw(stage.latest().pid.unwrap()), Signal::SIGKILL).unwrap();
    let keeper = stage.ended().keeper_pid.unwrap();
    eventually(|| (!lives(keeper)).then_some(()));
    stage
}

/// Its last beat is fresh, and its cell is well by its files; it is dead all the same.
#[test]
fn a_dead_agent_with_a_fresh_beat_is_well_in_no_format() {
    let stage = killed();
    let run = stage.world.run(&["--json"]);
    run.code(1);
    let agent = run.agent("a", "main");
    assert_eq!(agent["status"], "healthy", "{run}");
    assert_eq!(agent["state"], "exited", "{run}");
    assert_eq!(agent["revive_count"], 1, "{run}");
    let run = stage.world.run(&["--format", "junit"]);
    run.code(1)
        .stdout_has("failures=\"1\"")
        .stdout_has("<failure type=\"backoff\"");
    let run = stage.world.run(&["--format", "nagios"]);
    run.code(1).stdout_has("WARNING").stdout_has("a/main");
}

/// What was ended by an order is told its cell as well: the journal has it, no later run says it.
#[test]
fn a_cell_is_told_that_its_agent_was_closed() {
    let stage = Stage::new();
    stage.world.remove("a");
    stage.world.canonical("b", &["claude"]);
    give(&stage.world.path("b"), NOBODY);
    stage.down("b/claude");
    stage.plan("exec sleep 1000", "wake: false, grace: 60ms", "");
    stage.check().code(1);
    stage.world.run(&["close", "b/claude"]).code(0);
    let told = fs::read_to_string(stage.world.path("b/logs/events.jsonl")).unwrap();
    let told: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events: Vec<&str> = told.iter().filter_map(|e| e["event"].as_str()).collect();
    let of = |name: &str| events.iter().filter(|event| **event == name).count();
    assert_eq!(of("process_started"), 1, "{events:?}");
    assert_eq!(of("paused"), 1, "{events:?}");
    assert_eq!(of("process_exited"), 1, "{events:?}");
}

/// The first beat may be older than the attempt's last step, and then says nothing for it.
#[test]
fn beats_by_a_keeper_show_soon_that_an_attempt_has_worked() {
    let stage = Stage::new();
    let keys = "wake: false, grace: 60ms, beat: while_alive";
    // A quarter of this is far more than an attempt has time to show.
    stage.plan("exec sleep 1000", keys, "stale_after: 10m\n");
    stage.check().code(1);
    let run = eventually(|| {
        let run = stage.world.run(&["--json"]);
        (run.exit() == 0).then_some(run)
    });
    assert_eq!(run.agent("a", "main")["state"], "healthy", "{run}");
    assert_eq!(stage.entries().len(), 1);
}

/// A plan that cannot work is refused before anybody relies on it at night.
#[test]
fn what_no_agent_could_be_started_with_is_told_before() {
    for (plan, said) in [
        (
            "steps: [{spawn: {command: [x]}}, {run: [y]}, {spawn: {command: [z]}}]",
            "error: a plan starts one agent, and line 2 does so already",
        ),
        (
            "match: {gateways: [timmy]}\nsteps: [{spawn: {command: [x], beat: while_alive}}]",
            "error: a gateway has no cell that its keeper could write heartbeats in",
        ),
        (
            "steps: [{spawn: {command: [x], env: {LAZARUS_REF: y}}}]",
            "warning: `LAZARUS_REF` says which attempt it is, and cannot be set",
        ),
    ] {
        let world = World::new();
        plans(&world, &format!("policy: auto\n{plan}\n"));
        let run = world.run(&["plan", "lint"]);
        let text = format!("{}{}", run.stdout(), run.stderr());
        assert!(text.contains(said), "{said}: {run}");
    }
}

/// A consumer finds the same schema where the order was carried out and where it was not.
#[test]
fn an_order_that_failed_keeps_its_schema() {
    let world = World::new();
    for word in ["start", "restart", "close", "ps", "logs"] {
        let run = world.run(&[word, "nobody/main", "--json"]);
        run.code(1);
        assert_eq!(run.json()["schema"], format!("lazarus-pit/{word}/1"));
        assert_eq!(run.json()["error"]["code"], 1, "{run}");
    }
}
