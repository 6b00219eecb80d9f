//! `plan test`: plans held to their own tests.

use crate::world::{World, put};

const SOUND: &str = r#"name: portal
match: {cells: ["portal-*"]}
when: {for: 2m}
policy: auto
steps:
  - run: [restart, "{{ agent.name }}"]
needs: ["vault/main"]
on_exit: {permanent: [78]}
tests:
  - name: a hung agent is restarted after two minutes
    given: {subject: portal-1/claude, status: stale, down_for: 3m}
    expect: {verdict: revive, steps: 1, command: [restart, claude], plan: portal}
  - name: not before
    given: {subject: portal-1/claude, status: stale, down_for: 30s}
    expect: {verdict: waiting, next_in: 90s, because: down_for}
  - name: its attempts are bounded
    given: {subject: portal-1/claude, status: stale, down_for: 3h, attempts: 3}
    expect: {verdict: exhausted, steps: 0}
  - name: one attempt, long ago
    given: {subject: portal-1/claude, status: stale, down_for: 3h, attempts: 2}
    expect: {verdict: revive}
  - name: one attempt, just now
    given: {subject: portal-1/claude, status: stale, down_for: 10m, attempts: 1, last_attempt: 30s}
    expect: {verdict: reviving}
  - name: what it needs comes first
    given: {subject: portal-1/claude, status: stale, down_for: 10m, down: ["vault/main"]}
    expect: {verdict: blocked, because: need}
  - name: hopeless is hopeless
    given: {subject: portal-1/claude, status: exited, exit_code: 78, down_for: 10m}
    expect: {verdict: permanent}
  - name: a pause is a pause
    given: {subject: portal-1/claude, status: stale, down_for: 10m, paused: true}
    expect: {verdict: paused}
  - name: frozen stays frozen
    given: {subject: portal-1/claude, status: stale, down_for: 10m, frozen: true}
    expect: {verdict: frozen}
  - name: others are not its business
    given: {subject: elsewhere/claude, status: stale, down_for: 10m}
    expect: {verdict: revive, plan: rest}
  - name: healthy is healthy
    given: {subject: portal-1/claude, status: healthy, down_for: 0s}
    expect: {verdict: healthy, plan: portal, steps: 0}
---
name: rest
policy: auto
steps: [{run: ["true"]}]
---
name: never reached by cells
match: {gateways: ["*"]}
policy: ask
steps: [{run: ["true"]}]
tests:
  - name: a gateway is asked about
    given: {subject: "gateway:timmy", status: dead, down_for: 1m}
    expect: {verdict: awaiting_approval}
  - name: a yes is enough
    given: {subject: "gateway:timmy", status: dead, down_for: 1m, answer: approved}
    expect: {verdict: revive}
  - name: a no is enough
    given: {subject: "gateway:timmy", status: dead, down_for: 1m, answer: denied}
    expect: {verdict: denied}
  - name: so is silence
    given: {subject: "gateway:timmy", status: dead, down_for: 1m, answer: expired}
    expect: {verdict: expired}
"#;

fn plan(w: &World, text: &str) -> String {
    let path = w.base().join("conf/p.yaml");
    put(&path, text.as_bytes());
    path.to_str().unwrap().to_owned()
}

#[test]
fn tests_that_pass_are_counted_and_nothing_is_written() {
    let w = World::new();
    let path = plan(&w, SOUND);
    let before = w.tree();
    let run = w.run(&["plan", "test", &path]);
    assert_eq!(run.stdout(), "15 tests: 15 passed, 0 failed\n", "{run}");
    run.code(0);
    let run = w.run(&["plan", "test", &path, "--json"]);
    run.code(0);
    let json = run.json();
    assert_eq!(json["schema"], "lazarus-pit/plan-test/1");
    assert_eq!(
        (&json["passed"], &json["failed"], &json["untested"]),
        (&15.into(), &0.into(), &1.into())
    );
    assert!(w.run(&["plan", "test", &path, "-q"]).stdout().is_empty());
    assert_eq!(before, w.tree());
}

#[test]
fn a_test_that_fails_says_what_was_expected_and_why_it_is_otherwise() {
    let w = World::new();
    let path = plan(
        &w,
        &SOUND.replace(
            "{verdict: exhausted, steps: 0}",
            "{verdict: revive, steps: 1}",
        ),
    );
    let run = w.run(&["plan", "test", &path]);
    run.code(1);
    let shown = run.stdout().replace(&path, "P");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "P:16: portal: its attempts are bounded", "{run}");
    assert_eq!(lines[1], "    expected verdict revive, got exhausted");
    assert_eq!(lines[2], "    expected steps 1, got 0");
    assert!(
        shown.contains("      because 3 of 3 attempts within 1h were made"),
        "{run}"
    );
    assert_eq!(lines.last(), Some(&"15 tests: 14 passed, 1 failed"));
    let run = w.run(&["plan", "test", &path, "--json"]);
    run.code(1);
    let failed: Vec<_> = run
        .list("tests")
        .iter()
        .filter(|t| t["passed"] == false)
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["line"], 16);
    assert_eq!(failed[0]["differences"][0]["found"], "exhausted");
}

#[test]
fn no_tests_are_no_failure_and_wrong_plans_are_78() {
    let w = World::new();
    let path = plan(&w, "policy: never\n");
    let run = w.run(&["plan", "test", &path]);
    assert_eq!(run.stdout(), "no tests in 1 plan\n");
    run.code(0);
    let path = plan(&w, "polcy: never\n");
    let run = w.run(&["plan", "test", &path, "--json"]);
    run.code(78).stderr_has("did you mean `policy`?");
    assert_eq!(run.json()["schema"], "lazarus-pit/plan-test/1");
    assert_eq!(run.json()["error"]["code"], 78);
}

/// To a plan with probes a stale heartbeat is a death, and was one for as long as the test says.
#[test]
fn what_is_stale_has_been_so_for_a_plan_with_probes_too() {
    let w = World::new();
    let path = plan(
        &w,
        "when: {for: 2m}\npolicy: auto\nprobes: [{tcp: \"localhost:8765\"}]\nsteps: [{run: [\"true\"]}]\n\
         tests:\n  - name: a hung agent is restarted after two minutes\n    \
         given: {subject: portal-1/claude, status: stale, down_for: 3m, attempts: 0}\n    \
         expect: {verdict: revive, steps: 1}\n",
    );
    let run = w.run(&["plan", "test", &path]);
    assert_eq!(run.stdout(), "1 test: 1 passed, 0 failed\n", "{run}");
    run.code(0);
}
