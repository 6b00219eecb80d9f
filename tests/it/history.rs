//! `history`: incidents of the past, from the journal.

use std::fs;

use serde_json::Value;

use crate::later::{Later, plans};
use crate::output::Run;
use crate::world::{NOBODY, World, needs_root};

fn incidents(run: &Run) -> &[Value] {
    run.code(0);
    assert_eq!(run.json()["schema"], "lazarus-pit/history/1");
    run.list("incidents")
}

fn subjects(run: &Run) -> Vec<&str> {
    let all = incidents(run).iter();
    all.map(|i| i["subject"].as_str().unwrap()).collect()
}

#[test]
fn an_incident_from_its_beginning_to_its_end() {
    let world = World::new();
    world.cell("a").cell("b");
    plans(
        &world,
        "name: asks\npolicy: ask\nsteps: [{run: ['true']}]\n",
    );
    let mut later = Later::new(&world);
    later.check().code(0);
    later.pass(240).beat("b", 0).check().code(1);
    later.pass(10).run(&["approve", "a"]).code(0);
    later.pass(10).check().code(1);
    later.pass(30).beat("a", 0).check().code(0);
    let before = world.tree();
    let run = later.run(&["history", "--json"]);
    run.stderr_empty();
    let all = incidents(&run);
    assert_eq!(all.len(), 1, "{run}");
    let it = &all[0];
    assert_eq!(
        (&it["subject"], &it["ended"]),
        (&"a/main".into(), &"recovered".into())
    );
    assert_eq!(
        (&it["status"], &it["plan"]),
        (&"stale".into(), &"asks".into())
    );
    assert_eq!(it["attempt_count"], 1);
    assert_eq!(it["attempts"][0]["result"], "ok");
    let words: Vec<&str> = it["words"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["event"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["approval_requested", "approved"]);
    assert!(
        it["words"][1]["by"]
            .as_str()
            .unwrap()
            .starts_with("operator:")
    );
    assert!(it["down_for_seconds"].as_f64().unwrap() >= 50.0, "{run}");
    let text = later.run(&["history", "a"]);
    text.clean();
    for part in [
        "recovered at",
        "1 attempt;",
        "attempt 1: ok",
        "agreed to attempt 1",
    ] {
        assert!(text.stdout().contains(part), "{part}: {text}");
    }
    assert_eq!(world.tree(), before);
}

#[test]
fn the_newest_comes_last_and_open_ones_after_those_that_ended() {
    let world = World::new();
    for cell in ["a", "b", "c"] {
        world.cell(cell);
    }
    world.run(&[]).code(0);
    for cell in ["b", "a", "c"] {
        world.beat(cell, 900).run(&[]).code(2);
        if cell != "b" {
            world.beat(cell, 0).run(&[]).code(2);
        }
    }
    let run = world.run(&["history", "--json"]);
    assert_eq!(subjects(&run), ["a/main", "c/main", "b/main"]);
    assert!(incidents(&run)[2]["closed_at"].is_null());
    assert_eq!(
        subjects(&world.run(&["history", "-n", "2", "--json"])),
        ["c/main", "b/main"]
    );
    assert_eq!(
        subjects(&world.run(&["history", "--last", "1", "--json"])),
        ["b/main"]
    );
    assert_eq!(
        subjects(&world.run(&["history", "a", "--json"])),
        ["a/main"]
    );
    assert_eq!(
        subjects(&world.run(&["history", "b/main", "--json"])),
        ["b/main"]
    );
    for wrong in ["0", "-1", "x", "100001"] {
        world.run(&["history", "-n", wrong]).code(64);
    }
}

#[test]
fn parts_that_were_set_aside_are_read_too_and_a_line_comes_once() {
    let world = World::new();
    world.cell("a").beat("a", 900).run(&[]).code(2);
    world.beat("a", 0).run(&[]).code(0);
    // As a rotation leaves it.
    let journal = world.state().join("journal.jsonl");
    fs::rename(
        &journal,
        world.state().join("journal-20261121102640000000.jsonl"),
    )
    .unwrap();
    world.beat("a", 900).run(&[]).code(2);
    let run = world.run(&["history", "--json"]);
    assert_eq!(subjects(&run), ["a/main", "a/main"]);
    // A part that is both set aside and the current one, as a reader meets it in the middle of a
    // rotation.
    fs::copy(
        &journal,
        world.state().join("journal-20261121102641000000.jsonl"),
    )
    .unwrap();
    let run = world.run(&["history", "--json"]);
    assert_eq!(subjects(&run), ["a/main", "a/main"]);
}

#[test]
fn what_began_before_the_journal_is_told_as_far_as_it_is_known() {
    let world = World::new();
    world.cell("a").cell("b").beat("a", 900).beat("b", 900);
    world.run(&[]).code(2);
    fs::remove_file(world.state().join("journal.jsonl")).unwrap();
    world.beat("a", 0).run(&[]).code(2);
    let run = world.run(&["history", "--json"]);
    assert_eq!(subjects(&run), ["a/main", "b/main"]);
    assert_eq!(incidents(&run)[0]["ended"], "recovered");
    assert!(incidents(&run)[0]["down_since"].is_string());
    assert!(incidents(&run)[1]["closed_at"].is_null());
}

#[test]
fn a_damaged_line_hides_no_other() {
    let world = World::new();
    world.cell("a").beat("a", 900).run(&[]).code(2);
    let journal = world.state().join("journal.jsonl");
    let mut text = fs::read_to_string(&journal).unwrap();
    text.insert_str(0, "{broken\n");
    text.push_str("{\"seq\":99,\"cut off");
    fs::write(&journal, text).unwrap();
    assert_eq!(subjects(&world.run(&["history", "--json"])), ["a/main"]);
}

#[test]
fn who_was_never_down_has_no_history_and_who_is_not_there_is_exit_1() {
    let world = World::new();
    world.cell("a");
    let run = world.run(&["history"]);
    assert_eq!(run.code(0).stdout(), "No incident is recorded.\n");
    let run = world.run(&["history", "a"]);
    assert_eq!(run.code(0).stdout(), "No incident of a is recorded.\n");
    world
        .run(&["history", "b"])
        .code(1)
        .stderr_has("there is no cell `b`");
    assert_eq!(
        world.run(&["history", "b", "--json"]).code(1).json()["error"]["code"],
        1
    );
    world.run(&["history", "--format", "junit"]).code(64);
    world.cell("gone").beat("gone", 900).run(&[]).code(2);
    world.remove("gone").run(&[]).code(0);
    let run = world.run(&["history", "gone", "--json"]);
    assert_eq!(incidents(&run)[0]["ended"], "gone");
}

#[test]
fn it_is_read_while_runs_write() {
    let world = World::new();
    world.cell("a").beat("a", 900).run(&[]).code(2);
    std::thread::scope(|s| {
        let writer = s.spawn(|| {
            for n in 0..10 {
                world.beat("a", if n % 2 == 0 { 0 } else { 900 });
                world.run(&[]).code_in(&[0, 2]);
            }
        });
        while !writer.is_finished() {
            let run = world.run(&["history", "--json"]);
            assert!(!incidents(&run).is_empty());
        }
        writer.join().unwrap();
    });
    assert_eq!(incidents(&world.run(&["history", "--json"])).len(), 6);
}

#[test]
fn a_state_that_may_not_be_read_is_said_to_be_so() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a").beat("a", 900).run(&[]).code(2);
    world.cmd(&["history"]).poor_user(NOBODY).run().code(74);
}

#[test]
fn who_paused_it_and_why_stands_in_its_incident() {
    let world = World::new();
    world.cell("a").beat("a", 900).run(&[]).code(2);
    world
        .run(&["pause", "a", "--reason", "I am in there"])
        .code(0);
    world.run(&["resume", "a"]).code(0);
    let run = world.run(&["history", "a"]);
    let text = run.code(0).stdout();
    assert!(text.contains("paused it: I am in there"), "{run}");
    assert!(text.contains("resumed it"), "{run}");
}
