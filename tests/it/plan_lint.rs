//! `plan lint`, `plan schema`, `plan show`, and what wrong plans do to a run.

use std::fs;

use serde_json::Value;

use crate::later::plans;
use crate::output::Run;
use crate::world::{World, put};

/// What is wrong, as LINE:COLUMN and the message's beginning.
fn problems(run: &Run) -> Vec<(String, String)> {
    let all = run.list("problems").iter();
    all.map(|p| {
        let place = format!("{}:{}", p["line"], p["column"]);
        (place, p["message"].as_str().unwrap().to_owned())
    })
    .collect()
}

/// A plan with one mistake, where it is, and how what is said of it begins.
fn mistakes() -> Vec<(String, &'static str, &'static str)> {
    let step = "steps: [{run: [x]}]";
    vec![
        (
            format!("polcy: auto\n{step}\n"),
            "1:1",
            "unknown key `polcy`",
        ),
        (
            format!("policy: perhaps\n{step}\n"),
            "1:9",
            "`perhaps` is not known",
        ),
        (
            format!("{step}\nwhen: {{for: 2parsecs}}\n"),
            "2:13",
            "not a duration",
        ),
        (
            format!("{step}\nwhen: {{status: [sad]}}\n"),
            "2:17",
            "`sad` is not known",
        ),
        (
            format!("{step}\nlimits: {{attempts: many}}\n"),
            "2:20",
            "expected a whole number",
        ),
        (
            format!("{step}\nlimits: {{attempts: 0}}\n"),
            "2:20",
            "this must be at least 1",
        ),
        (
            format!("{step}\nmatch: {{cells: ['[a']}}\n"),
            "2:17",
            "this is not a glob",
        ),
        (
            format!("{step}\nprobes: [{{process: {{pattern: '('}}}}]\n"),
            "2:30",
            "this is not a regular expression",
        ),
        (
            format!("{step}\nprobes: [{{tcp: 'a:1', timeout: 31s}}]\n"),
            "2:32",
            "a probe may take at most 30s",
        ),
        (
            format!("{step}\nmaintenance: [{{cron: 'x', for: 1h}}]\n"),
            "2:22",
            "this is not a cron pattern",
        ),
        (
            format!("{step}\nneeds: ['a/b/c']\n"),
            "2:9",
            "`a/b/c` names no subject",
        ),
        (
            format!("{step}\n{step}\n"),
            "2:1",
            "the key `steps` stands on line 1 already",
        ),
        (
            "steps: []\n".into(),
            "1:8",
            "a plan with policy `ask` needs steps",
        ),
        (
            "policy: auto\n".into(),
            "1:9",
            "a plan with policy `auto` needs steps",
        ),
        (
            "steps: [{run: [\"{{ cell.idd }}\"]}]\n".into(),
            "1:16",
            "unknown variable `cell.idd`",
        ),
        (
            "steps: [{run: [\"{{ cell.id \"]}]\n".into(),
            "1:16",
            "this template is wrong",
        ),
        (
            format!("name: x\n{step}\n---\nname: x\n{step}\n"),
            "4:7",
            "the name `x`",
        ),
        (
            format!(
                "name: x\nmatch: {{cells: [a]}}\nneeds: [b]\n{step}\n---\nname: y\nmatch: {{cells: [b]}}\nneeds: [a]\n{step}\n"
            ),
            "3:9",
            "needs go round",
        ),
        ("steps: [}\n".into(), "1:9", "this is not YAML"),
        ("- a\n".into(), "1:1", "expected a mapping"),
    ]
}

#[test]
fn every_mistake_is_told_at_its_place() {
    let world = World::new();
    world.cell("a");
    for (yaml, place, message) in mistakes() {
        plans(&world, &yaml);
        let run = world.run(&["plan", "lint", "--json"]);
        run.code(78).stderr_empty().clean();
        assert_eq!(run.json()["schema"], "lazarus-pit/plan-lint/1");
        let found = problems(&run);
        let hit = found
            .iter()
            .any(|(p, m)| p == place && m.starts_with(message));
        assert!(hit, "{yaml}\nis wrong at {place} ({message}): {found:#?}");
        // A person gets the line and a caret, and a run that would act gets nothing done.
        let run = world.run(&["plan", "lint"]);
        run.code(78).clean();
        let file = world.base().join("conf/plans/plans.yaml");
        let told = format!("{}:{place}: error: ", file.display());
        assert!(run.stdout().contains(&told), "{run}");
        assert!(run.stdout().lines().any(|l| l.trim_start() == "^"), "{run}");
        assert!(run.last_line().contains("error"), "{run}");
        world
            .run(&["--dry-run"])
            .code(78)
            .stderr_has(format!(":{place}: error: "));
    }
}

#[test]
fn all_mistakes_in_all_files_are_told_at_once() {
    let world = World::new();
    plans(
        &world,
        "polcy: auto\nsteps: [{run: [x]}]\nverify: {within: x}\n",
    );
    put(
        &world.base().join("conf/plans/b.yml"),
        b"max_quit: 1h\nsteps: [{run: [y]}]\n",
    );
    put(&world.base().join("conf/plans/.hidden.yaml"), b"no plan");
    put(&world.base().join("conf/plans/readme.txt"), b"no plan");
    let run = world.run(&["plan", "lint", "--json"]);
    run.code(78);
    assert_eq!(run.json()["errors"], 3, "{run}");
    assert_eq!(run.list("files").len(), 3);
    // The configuration is part of it.
    world.config("missions_rot: x\n");
    let run = world.run(&["plan", "lint", "--json"]);
    run.code(78);
    assert_eq!(run.json()["errors"], 4, "{run}");
    assert!(
        problems(&run).contains(&("1:1".into(), "unknown key `missions_rot`".into())),
        "{run}"
    );
}

#[test]
fn paths_are_looked_at_instead_of_the_plans_of_a_run() {
    let world = World::new();
    plans(&world, "polcy: auto\n");
    let good = world.base().join("good.yaml");
    put(&good, b"policy: never\n");
    let good = good.to_str().unwrap();
    let run = world.run(&["plan", "lint", good]);
    run.code(0).stderr_empty();
    assert_eq!(
        run.stdout(),
        "1 sound plan, 1 file read: 0 errors, 0 warnings\n"
    );
    world
        .run(&["-q", "plan", "lint", good])
        .code(0)
        .stdout_empty()
        .stderr_empty();
    let dir = world.base().join("conf/plans");
    let run = world.run(&[
        "plan",
        "lint",
        good,
        dir.to_str().unwrap(),
        "/nonexistent.yaml",
    ]);
    run.code(78).stderr_has("/nonexistent.yaml");
    assert!(run.stdout().contains("unknown key `polcy`"), "{run}");
    // A plan file that is named for the run counts as one.
    world.run(&["--plans", good, "plan", "lint"]).code(0);
    world
        .run(&["--plans", good, "--plans", good, "check"])
        .code(0);
    world.run(&["--plans", "/nonexistent", "check"]).code(78);
}

#[test]
fn a_warning_alone_stops_nothing() {
    let world = World::new();
    world.cell("a");
    plans(
        &world,
        "name: all\npolicy: never\n---\nname: never-reached\npolicy: never\nmatch: {cells: [b]}\n",
    );
    let run = world.run(&["plan", "lint"]);
    run.code(0).stderr_empty();
    assert!(run.stdout().contains(": warning: "), "{run}");
    assert!(run.last_line().ends_with("0 errors, 1 warning"), "{run}");
    let run = world.run(&["--json"]);
    run.code(0);
    let warning = &run.list("warnings")[0];
    assert_eq!(warning["code"], "plan");
    assert!(
        warning["subject"]
            .as_str()
            .unwrap()
            .ends_with("plans.yaml:4:7"),
        "{run}"
    );
}

#[test]
fn a_run_with_wrong_plans_does_nothing_and_is_seen_to_fail() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(&world, "polcy: auto\n");
    let run = world.run(&["--json"]);
    run.code(78).stderr_has("did you mean `policy`?");
    assert_eq!(run.error_document()["error"]["code"], 78);
    assert!(!world.state().join("journal.jsonl").exists());
    assert_eq!(world.meta().expect("a heartbeat")["status"], "error");
    // Nothing was made before that either.
    world.run(&["--init-cell", "new"]).code(78);
    assert!(!world.path("new").exists());
    world.forget();
    world.run(&["--dry-run"]).code(78);
    assert!(world.meta().is_none());
    // What does not decide is not kept from its work.
    world.run(&["status"]).code(0);
    world.run(&["beat", "a"]).code(0);
}

#[test]
fn the_schema_is_one_and_knows_real_plans() {
    let world = World::new();
    let run = world.run(&["plan", "schema"]);
    run.code(0).stderr_empty();
    let schema = jsonschema::validator_for(run.json()).unwrap();
    let plan: Value = serde_yaml::from_str("policy: auto\nsteps: [{run: [x]}]\n").unwrap();
    assert!(schema.is_valid(&plan));
    let wrong: Value = serde_yaml::from_str("polcy: auto\n").unwrap();
    assert!(!schema.is_valid(&wrong));
}

#[test]
fn the_governing_plan_is_shown_whole_and_is_a_plan_again() {
    let world = World::new();
    world.cell("a").canonical("c", &["x", "y"]).cell("z");
    let mut manifest = crate::world::canonical_manifest("c", &["x", "y"]);
    manifest["labels"] = serde_json::json!({"team": "nexus"});
    world.manifest("c", &manifest);
    plans(
        &world,
        "name: labelled\nmatch: {labels: {team: nexus}, agents: [x]}\npolicy: never\n---\n\
         name: some\nmatch: {cells: [a, c]}\nsteps: [{run: [x]}]\n",
    );
    let before = world.tree();
    let run = world.run(&["plan", "show", "a"]);
    run.code(0).stderr_empty().clean();
    assert!(
        run.stdout().contains("# ") && run.stdout().contains("governs a/main"),
        "{run}"
    );
    assert!(
        run.stdout().contains("ask_again: 1h"),
        "defaults are filled in: {run}"
    );
    let again = world.base().join("again.yaml");
    fs::write(&again, run.stdout()).unwrap();
    let again = again.to_str().unwrap();
    world.run(&["plan", "lint", again]).code(0);
    fs::remove_file(again).unwrap();

    let run = world.run(&["plan", "show", "c", "--json"]);
    let shown = run.list("governing");
    let names: Vec<_> = shown
        .iter()
        .map(|s| (&s["plan"]["name"], &s["subjects"][0]))
        .collect();
    assert_eq!(
        names,
        [
            (&"labelled".into(), &"c/x".into()),
            (&"some".into(), &"c/y".into())
        ]
    );
    assert_eq!(shown[1]["plan"]["policy"], "ask");
    world
        .run(&["plan", "show", "z"])
        .code(1)
        .stdout_empty()
        .stderr_has("no plan governs z");
    world
        .run(&["plan", "show", "q"])
        .code(1)
        .stderr_has("there is no cell `q`");
    world
        .run(&["plan", "show", "c/z"])
        .code(1)
        .stderr_has("has no agent `z`");
    world.run(&["plan"]).code(64);
    world.run(&["plan", "lint", "--format", "nagios"]).code(3);
    assert_eq!(world.tree(), before);
}
