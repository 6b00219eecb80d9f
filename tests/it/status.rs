//! `status`: what the last run left, attempts and words included.

use crate::later::plans;
use crate::world::World;

#[test]
fn questions_attempts_and_pauses_stand_with_their_subject() {
    let world = World::new();
    world.cell("a").cell("b").cell("well");
    world.beat("a", 900).beat("b", 900);
    plans(
        &world,
        "name: acts\nmatch: {cells: [a]}\npolicy: auto\nsteps: [{run: ['false']}]\n---\n\
         name: asks\npolicy: ask\nsteps: [{run: ['true']}]\n",
    );
    world.run(&["--json"]).code(2);
    world
        .run(&["pause", "well", "--reason", "later", "--for", "1h"])
        .code(0);
    let before = world.tree();
    let run = world.run(&["status", "--json"]);
    run.code(0).stderr_empty();
    let [a, b] = run.list("subjects") else {
        panic!("{run}");
    };
    assert_eq!(a["attempts"]["count"], 1);
    assert_eq!(a["attempts"]["last"]["result"], "failed");
    assert!(a["approval"].is_null() && a["pause"].is_null());
    assert_eq!(a["incident"]["attempts"], 1, "what was there before stays");
    assert_eq!(b["attempts"]["count"], 0);
    assert_eq!(b["approval"]["pending"], true);
    assert_eq!(b["approval"]["plan"], "asks");
    assert!(
        b["approval"].get("code").is_none(),
        "the code is for the channels: {run}"
    );
    let [well] = run.list("remembered") else {
        panic!("{run}");
    };
    assert_eq!(well["pause"]["reason"], "later");
    assert_eq!(well["next_attempt_at"], well["pause"]["until"]);
    assert!(run.json()["hold"].is_null());

    let text = world.run(&["status"]);
    text.code(0).clean();
    for part in [
        "attempt 1 began",
        "a step failed",
        "a human is asked about attempt 1 until",
        "paused it at",
        "no attempt before",
    ] {
        assert!(text.stdout().contains(part), "{part}: {text}");
    }
    let one = world.run(&["status", "well"]);
    assert!(one.code(0).stdout().contains(": later"), "{one}");
    assert!(!one.stdout().contains("b/main"), "{one}");
    assert_eq!(world.tree(), before);
    world.run(&["deny", "b"]).code(0);
    let run = world.run(&["status", "b", "--json"]);
    let answer = &run.list("subjects")[0]["approval"]["answer"];
    assert_eq!(answer["kind"], "denied");
    assert!(
        run.list("subjects")[0]["next_attempt_at"] == answer["until"],
        "{run}"
    );
}

#[test]
fn a_mass_failure_is_told() {
    let world = World::new();
    let ids: Vec<String> = (0..12).map(|n| format!("c{n:02}")).collect();
    ids.iter().for_each(|id| {
        world.cell(id);
    });
    plans(&world, "policy: auto\nsteps: [{run: ['true']}]\n");
    world.run(&[]).code(0);
    ids.iter().for_each(|id| {
        world.beat(id, 900);
    });
    world.run(&["check", "--no-act"]).code(2);
    let run = world.run(&["status", "--json"]);
    assert!(run.json()["hold"]["since"].is_string(), "{run}");
    let text = world.run(&["status"]);
    assert!(
        text.stdout().contains("A mass failure goes on since"),
        "{text}"
    );
}
