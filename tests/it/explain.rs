//! `explain`: why the next run would, or would not, do something.

use serde_json::Value;

use crate::later::plans;
use crate::output::Run;
use crate::world::{NOBODY, World, needs_root};

const PLANS: &str = "name: others\nmatch: {cells: ['x-*']}\npolicy: never\n---\n\
    name: mine\nmatch: {cells: ['a*', 'c']}\npolicy: auto\nsteps: [{run: [touch, '{{ cell.root }}/artifacts/x']}]\n---\n\
    name: rest\npolicy: never\n";

fn only(run: &Run) -> &Value {
    let all = run.list("subjects");
    assert_eq!(all.len(), 1, "{run}");
    &all[0]
}

fn rules(subject: &Value) -> Vec<(&str, bool)> {
    let rules = subject["rules"].as_array().unwrap().iter();
    rules
        .map(|r| (r["rule"].as_str().unwrap(), r["applies"].as_bool().unwrap()))
        .collect()
}

#[test]
fn it_says_what_the_next_run_would_do_and_why() {
    let world = World::new();
    world.cell("a").cell("z").beat("a", 900);
    plans(&world, PLANS);
    let before = world.tree();
    let run = world.run(&["explain", "a/main", "--json"]);
    run.code(0).stderr_empty().clean();
    assert_eq!(run.json()["schema"], "lazarus-pit/explain/1");
    let it = only(&run);
    assert_eq!(it["subject"], "a/main");
    assert_eq!(
        (&it["status"], &it["verdict"]),
        (&"stale".into(), &"revive".into())
    );
    assert_eq!(
        (&it["plan"], &it["policy"]),
        (&"mine".into(), &"auto".into())
    );
    assert_eq!(it["steps"][0]["kind"], "run");
    let command = it["steps"][0]["command"].to_string();
    assert!(command.contains("/root/a/artifacts/x"), "{command}");
    // Every plan, with the key on which it fails.
    let plans: Vec<(&str, &str)> = it["plans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["name"].as_str().unwrap(), p["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        plans,
        [
            ("others", "passed_over"),
            ("mine", "governs"),
            ("rest", "not_reached")
        ]
    );
    let others = &it["plans"][0];
    assert_eq!(
        (&others["key"], &others["wanted"]),
        (&"cells".into(), &"x-*".into())
    );
    assert_eq!(
        (&others["found"], &others["line"]),
        (&"a".into(), &1.into())
    );
    // Every rule up to the one that applies, which is the last.
    let rules = rules(it);
    assert_eq!(rules.first(), Some(&("healthy", false)));
    assert_eq!(rules.last(), Some(&("revive", true)));
    assert_eq!(rules.iter().filter(|(_, applies)| *applies).count(), 1);
    assert!(it["incident"]["open"] == false && it["incident"]["id"].is_string());
    assert!(
        it["evidence"][0]["message"]
            .as_str()
            .unwrap()
            .contains("heartbeat.json")
    );
    // Nothing was written, and the next run does just that.
    assert_eq!(world.tree(), before);
    let next = world.run(&["--json"]);
    assert_eq!(next.verdict("a/main"), Some("revive"));

    let text = world.run(&["explain", "a"]);
    text.code(0).stderr_empty().clean();
    for part in [
        "a/main: It is being revived",
        "last beat",
        "passed over: match.cells wants x-*, and there is a",
        "governs, policy auto",
        "plans.yaml:5",
        "not reached",
        "1 of at most 3 within 1h",
        "attempt 1 began",
    ] {
        assert!(text.stdout().contains(part), "{part}: {text}");
    }
}

#[test]
fn whoever_is_healthy_is_explained_too() {
    let world = World::new();
    world.cell("a").canonical("c", &["x", "y"]);
    plans(&world, PLANS);
    world.run(&[]).code(0);
    let run = world.run(&["explain", "c", "--json"]);
    run.code(0);
    let names: Vec<&str> = run
        .list("subjects")
        .iter()
        .map(|s| s["subject"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["c/x", "c/y"]);
    for it in run.list("subjects") {
        assert_eq!(
            (&it["verdict"], &it["exit"]),
            (&"healthy".into(), &0.into())
        );
        assert_eq!(it["plan"], "mine");
        assert_eq!(it["last_beat"]["status"], "thinking");
        assert_eq!(rules(it), [("healthy", true)]);
    }
    let text = world.run(&["explain", "c"]);
    assert_eq!(
        text.stdout()
            .matches("There is nothing to do: it is healthy.")
            .count(),
        2
    );
    // One that has just recovered closes its incident.
    world
        .beat("a", 900)
        .run(&["--no-heartbeat", "--no-act"])
        .code(1);
    world.beat("a", 0);
    let run = world.run(&["explain", "a", "--json"]);
    assert_eq!(only(&run)["verdict"], "healthy");
    assert!(
        only(&run)["next"]
            .as_str()
            .unwrap()
            .contains("closes incident")
    );
}

#[test]
fn it_knows_what_holds_everyone_although_one_is_asked_about() {
    let world = World::new();
    for n in 0..12 {
        world.cell(format!("a{n:02}"));
    }
    plans(&world, PLANS);
    world.run(&[]).code(0);
    for n in 0..12 {
        world.beat(&format!("a{n:02}"), 900);
    }
    let run = world.run(&["explain", "a05", "--json"]);
    assert_eq!(run.json()["mass_failure"], true, "{run}");
    assert_eq!(only(&run)["verdict"], "held");
    assert!(rules(only(&run)).contains(&("backoff", false)));
}

#[test]
fn paused_frozen_and_unplanned_are_told_apart() {
    let world = World::new();
    for cell in ["a", "af", "b"] {
        world.cell(cell).beat(cell, 900);
    }
    world.manifest(
        "af",
        &serde_json::json!({"mission_id": "af", "status": "frozen"}),
    );
    plans(
        &world,
        "name: mine\nmatch: {cells: ['a*']}\npolicy: auto\nsteps: [{run: ['true']}]\n",
    );
    world.run(&["pause", "a", "--reason", "on purpose"]).code(0);
    for (subject, verdict, text) in [
        ("a", "paused", "lazarus-pit resume a/main"),
        ("af", "frozen", "status: frozen"),
        ("b", "unplanned", "no plan governs it"),
    ] {
        let run = world.run(&["explain", subject]);
        run.code(0).clean();
        assert!(
            run.stdout().contains(&format!("verdict     {verdict}: ")),
            "{run}"
        );
        assert!(run.stdout().contains(text), "{run}");
    }
    assert!(world.run(&["explain", "a"]).stdout().contains("on purpose"));
}

#[test]
fn who_does_not_exist_is_exit_1_with_the_nearest_name() {
    let world = World::new();
    world.cell("portal-1").canonical("old", &["x"]);
    let mut manifest = crate::world::canonical_manifest("old", &["x"]);
    manifest["status"] = "archived".into();
    world.manifest("old", &manifest);
    for (subject, text) in [
        ("portal-2", "did you mean `portal-1`?"),
        ("portal-1/mian", "did you mean `main`?"),
        ("portal-1/claude", "has no agent `claude`; it has main"),
        ("nobody", "there is no cell `nobody`"),
        ("gateway:timmy", "there is no gateway `timmy`"),
        ("old", "archived"),
        ("../x", "there is no cell"),
        ("", "there is no cell"),
    ] {
        world
            .run(&["explain", subject])
            .code(1)
            .stdout_empty()
            .stderr_has(text);
    }
    let run = world.run(&["explain", "nobody", "--json"]);
    assert_eq!(run.code(1).json()["error"]["code"], 1);
    assert_eq!(run.json()["schema"], "lazarus-pit/explain/1");
    // One that has vanished is still in the state.
    world.cell("gone").beat("gone", 900).run(&[]).code(2);
    world.remove("gone");
    world
        .run(&["explain", "gone"])
        .code(1)
        .stderr_has("closes as gone");
}

#[test]
fn what_stands_in_the_way_of_a_run_stands_in_its_way_too() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    world.run(&["explain"]).code(64);
    world.run(&["explain", "a", "--format", "junit"]).code(64);
    plans(&world, "polcy: auto\n");
    world
        .run(&["explain", "a"])
        .code(78)
        .stderr_has("did you mean `policy`?");
    plans(&world, PLANS);
    let other = [
        "--root",
        "/nonexistent",
        "--state-dir",
        "/nonexistent/s",
        "explain",
        "a",
    ];
    world.bare(&other).run().code(66);
    world.run(&["-q", "explain", "a"]).code(0).stdout_empty();
}

#[test]
fn an_ordinary_user_is_answered_and_nothing_is_made_for_them() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(&world, PLANS);
    crate::world::remove(&world.state());
    let run = world
        .cmd(&["explain", "a", "--json"])
        .poor_user(NOBODY)
        .run();
    assert_eq!(only(run.code(0))["verdict"], "revive");
    assert!(!world.state().exists());
}

/// Each way of not being revived, with what is said of it first and of what comes next.
#[test]
fn each_reason_not_to_act_has_its_words() {
    let world = World::new();
    let cells = ["a", "b", "t", "q", "m", "n", "w", "k"];
    for cell in cells {
        world.cell(cell);
        world.beat_with(cell, 900, serde_json::json!({"status": "idle"}));
    }
    let plan = |cell: &str, more: &str| {
        format!(
            "---\nname: of-{cell}\npolicy: auto\nmatch: {{cells: [{cell}]}}\nsteps: [{{run: ['false']}}]\n{more}\n"
        )
    };
    let template = plan("t", "").replace("'false'", "'{{ cell.labels.nope }}'");
    let all = [
        plan("a", "limits: {attempts: 1}"),
        plan("b", "needs: [a]"),
        template,
        plan("q", "on_report: {tolerated: [idle]}"),
        plan(
            "m",
            "maintenance: [{from: '2020-01-01T00:00:00Z', until: '2999-01-01T00:00:00Z'}]",
        ),
        plan("n", "").replace("auto", "never"),
        plan("w", "when: {for: 1h}"),
        plan("k", ""),
    ];
    plans(&world, &all.concat());
    world.run(&[]).code(2);
    for (cell, verdict, answer, next) in [
        (
            "a",
            "exhausted",
            "attempts are used up",
            "lazarus-pit reset a/main",
        ),
        (
            "b",
            "blocked",
            "something that it needs",
            "as soon as what it needs is healthy",
        ),
        (
            "t",
            "permanent",
            "trying again would not help",
            "labels are changed",
        ),
        (
            "q",
            "tolerated",
            "does not take this for a death",
            "as long as it stays",
        ),
        (
            "m",
            "maintenance",
            "maintenance window is open",
            "The window ends at 2999",
        ),
        (
            "n",
            "never",
            "its plan only tells",
            "a person has to bring it back",
        ),
        (
            "w",
            "waiting",
            "not been down for long enough",
            "If it is still down at",
        ),
        (
            "k",
            "backoff",
            "the next attempt is not due",
            "can be made at",
        ),
    ] {
        let run = world.run(&["explain", cell]);
        let text = run.code(0).stdout();
        let line = |word: &str| text.lines().find(|l| l.trim_start().starts_with(word));
        assert!(text.lines().next().unwrap().contains(answer), "{run}");
        assert!(
            line("verdict").unwrap().contains(&format!("{verdict}: ")),
            "{run}"
        );
        assert!(line("next").unwrap().contains(next), "{run}");
        let run = world.run(&["explain", cell, "--json"]);
        assert_eq!(only(&run)["verdict"], verdict);
    }
}

#[test]
fn a_gateway_is_a_subject_like_any_other() {
    let world = World::new();
    let beat = world.base().join("home/timmy.json");
    crate::world::put(&beat, &crate::world::beat_bytes(900.0));
    world.cell("a");
    world.config(&format!(
        "gateways: [{{name: timmy, heartbeat: {}}}]\n",
        beat.display()
    ));
    plans(
        &world,
        "name: agents\npolicy: never\n---\nname: gateways\nmatch: {gateways: ['t*']}\npolicy: auto\nsteps: [{run: ['true']}]\n",
    );
    let run = world.run(&["explain", "gateway:timmy", "--json"]);
    let it = only(run.code(0));
    assert_eq!(
        (&it["verdict"], &it["plan"]),
        (&"revive".into(), &"gateways".into())
    );
    assert_eq!(it["plans"][0]["key"], "gateways");
    let run = world.run(&["explain", "gateway:tommy"]);
    run.code(1).stderr_has("did you mean `timmy`?");
    let run = world.run(&["plan", "show", "gateway:timmy"]);
    assert!(
        run.code(0).stdout().contains("governs gateway:timmy"),
        "{run}"
    );
    world
        .run(&["pause", "gateway:timmy", "--reason", "r"])
        .code(0);
    let run = world.run(&["--json"]);
    assert_eq!(run.verdict("gateway:timmy"), Some("paused"), "{run}");
    let run = world.run(&["history", "gateway:timmy"]);
    assert!(run.code(0).stdout().contains("gateway:timmy"), "{run}");
    let run = world.run(&["status", "gateway:timmy"]);
    assert!(run.code(0).stdout().contains("paused it"), "{run}");
    world.run(&["resume", "gateway:timmy"]).code(0);
    assert_eq!(
        world.run(&["--json"]).verdict("gateway:timmy"),
        Some("revive")
    );
}
