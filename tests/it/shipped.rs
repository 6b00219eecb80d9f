//! The plans that are shipped are worth copying: each loads without any configuration, passes its
//! own tests, and does in a simulation what its comments say.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::output::Run;
use crate::world::{World, put};

/// The shipped plans, copied to where only their owner can write.
fn shipped(world: &World) -> Vec<PathBuf> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/plans");
    let mut all: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            let copy = world
                .base()
                .join("conf/plans")
                .join(path.file_name().unwrap());
            put(&copy, &fs::read(&path).unwrap());
            all.push(copy);
        }
    }
    all.sort();
    assert!((6..=8).contains(&all.len()), "{all:?}");
    all
}

#[test]
fn each_loads_without_a_configuration_and_passes_its_own_tests() {
    let world = World::new();
    for path in shipped(&world) {
        let name = path.to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# yaml-language-server: $schema="),
            "{name}"
        );
        let run = world.run(&["plan", "lint", name, "--json"]);
        run.code(0);
        assert_eq!(run.list("problems").len(), 0, "{run}");
        let run = world.run(&["plan", "test", name, "--json"]);
        run.code(0);
        assert!(run.json()["passed"].as_u64().unwrap() >= 2, "{run}");
        world.run(&["--plans", name, "--dry-run"]).code(0);
    }
    // And all of them side by side, where the order of their names decides.
    let all = world.base().join("conf/plans");
    world.run(&["plan", "test", all.to_str().unwrap()]).code(0);
}

/// One subject for each plan, each of which goes down at one and gets what its plan promises.
const DAY: &str = "\
for: 6h
approve: {after: 4m}
subjects:
  - {name: nexus-1/claude, down: [{at: 1h, status: stale}], attempt: [fails, works], recovers_after: 30s}
  - {name: portal-1/claude, down: [{at: 1h, status: exited, exit_code: 1}], attempt: works, recovers_after: 10s}
  - {name: portal-2/claude, down: [{at: 1h, status: exited, exit_code: 78}]}
  - {name: shift-1/main, down: [{at: 1h, status: exited, exit_code: 0}]}
  - {name: shift-2/main, down: [{at: 1h, status: stale}], attempt: works, recovers_after: 10s}
  - {name: lab-1/main, down: [{at: 1h, status: stale}]}
  - {name: forge-1/main, down: [{at: 1h, status: dead}], attempt: fails}
  - {name: vault/main, labels: {tier: production}, down: [{at: 1h, status: stale}], attempt: works, recovers_after: 10s}
  - {name: 'gateway:timmy', down: [{at: 1h, status: dead}], attempt: works, recovers_after: 30s}
  - {name: 'calm-{1..12}/main'}
";

fn of<'r>(run: &'r Run, subject: &str) -> &'r Value {
    let all = run.list("subjects");
    let found = all.iter().find(|s| s["subject"] == subject);
    &found.unwrap_or_else(|| panic!("{subject}: {run}"))["new"]
}

#[test]
fn each_does_in_a_simulation_what_it_says() {
    let world = World::new();
    shipped(&world);
    let day = world.base().join("conf/day.yaml");
    put(&day, DAY.as_bytes());
    let plans = world.base().join("conf/plans");
    let run = world.run(&[
        "simulate",
        "--plans",
        plans.to_str().unwrap(),
        "--scenario",
        day.to_str().unwrap(),
        "--json",
    ]);
    run.code(0);
    let attempts = |subject: &str| of(&run, subject)["attempts"].as_u64().unwrap();
    for (subject, made) in [
        ("nexus-1/claude", 2),
        ("portal-1/claude", 1),
        ("portal-2/claude", 0),
        ("shift-1/main", 0),
        ("shift-2/main", 1),
        ("lab-1/main", 0),
        ("forge-1/main", 2),
        ("vault/main", 1),
        ("gateway:timmy", 1),
    ] {
        assert_eq!(attempts(subject), made, "{subject}: {run}");
    }
    assert_eq!(of(&run, "vault/main")["approvals_asked"], 1, "{run}");
    assert_eq!(of(&run, "forge-1/main")["exhausted"], 1, "{run}");
}
