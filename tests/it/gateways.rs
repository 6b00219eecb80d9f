//! Agents outside any cell, what plans can name of the configuration, and what they ask for in vain.

use std::fs;

use crate::later::plans;
use crate::store::{journal, state_is_the_journal};
use crate::world::World;

/// Agents outside any cell have plans of their own, and others can need them.
#[test]
fn a_gateway_is_watched_revived_and_needed() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let beat = world.base().join("home/gateway.json");
    let write = |age: f64| {
        let timestamp = crate::world::now() - age;
        fs::write(
            &beat,
            format!("{{\"timestamp\": {timestamp}, \"status\": \"serving\"}}"),
        )
        .unwrap();
    };
    write(900.0);
    world.config(&format!(
        "gateways:\n  - name: timmy\n    heartbeat: {}\n    stale_after: 60s\n  - {{name: mute}}\n",
        beat.display()
    ));
    plans(
        &world,
        "name: agents\npolicy: auto\nneeds: ['gateway:timmy']\nsteps: [{run: ['true']}]\n---\n\
         name: gateways\nmatch: {gateways: ['*']}\npolicy: auto\nsteps: [{run: [echo, '{{ gateway.name }}']}]\n",
    );
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.verdict("gateway:timmy"), Some("revive"), "{run}");
    assert_eq!(run.verdict("gateway:mute"), Some("tolerated"), "{run}");
    assert_eq!(run.verdict("a/main"), Some("blocked"), "{run}");
    assert_eq!(run.names("gateways", "name"), ["mute", "timmy"]);
    let timmy = &run.list("gateways")[1];
    assert_eq!(
        (&timmy["state"], &timmy["gateway_alive"]),
        (&"dead".into(), &serde_json::Value::Null),
        "nobody was asked whether it answers"
    );
    assert_eq!(run.list("gateways")[0]["state"], "unknown");
    assert!(timmy["heartbeat_age"].as_f64().unwrap() > 899.0);
    // What it beats counts from after the attempt on.
    write(0.0);
    let run = world.run(&["--json"]);
    assert_eq!(run.verdict("gateway:timmy"), Some("healthy"), "{run}");
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    // A run over some of the cells leaves gateways alone.
    write(900.0);
    let run = world.run(&["--json", "--cell", "*"]);
    assert_eq!(run.list("gateways").len(), 0);
    assert!(run.verdict("gateway:timmy").is_none());
    let run = world.run(&["explain", "gateway:timmy"]);
    run.code(0);
    assert!(run.stdout().contains("60 s"), "{run}");
    state_is_the_journal(&world);
}

/// Nobody's plan can name what is not there.
#[test]
fn a_plan_names_channels_and_gateways_that_there_are() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    world.config("gateways: [{name: timmy}]\n");
    plans(
        &world,
        "policy: never\nnotify: {channels: [ops]}\nneeds: ['gateway:tommy']\n",
    );
    let run = world.run(&["--json"]);
    run.code(78);
    let said = run.stderr();
    for part in [
        "plans.yaml:2:21: error:",
        "plans.yaml:3:9: error:",
        "ops",
        "tommy",
        "timmy",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(world.meta().unwrap()["status"], "error");
    assert_eq!(journal(&world).len(), 0);
}

/// An incident that ends because its subject is not there any more is told like any other, and a
/// gateway is a test case.
#[test]
fn who_is_gone_is_told_and_a_gateway_is_a_test_case() {
    let world = World::new();
    world.cell("a").cell("b").beat("b", 900);
    world.config("gateways: [{name: timmy, heartbeat: /nonexistent/beat}]\n");
    plans(
        &world,
        "policy: never\n---\nname: g\nmatch: {gateways: ['*']}\npolicy: never\n",
    );
    let junit = world.run(&["--format", "junit"]);
    assert!(
        junit.stdout().contains("tests=\"3\" failures=\"2\""),
        "{junit}"
    );
    assert!(
        junit
            .stdout()
            .contains("classname=\"gateway\" name=\"timmy\""),
        "{junit}"
    );
    world.remove("b");
    let dry = world.run(&["--dry-run", "--json"]);
    let run = world.run(&["--json"]);
    for run in [&dry, &run] {
        assert_eq!(run.verdict("b/main"), Some("healthy"), "{run}");
        assert_eq!(crate::later::codes(run, "b/main"), ["gone"], "{run}");
    }
    assert!(world.run(&["--json"]).verdict("b/main").is_none());
    state_is_the_journal(&world);
}
