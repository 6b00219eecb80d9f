//! The operator's word: `approve`, `deny`, `pause`, `resume`, `reset`, against the real program.

use std::fs::{self, File};
use std::path::PathBuf;

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use crate::kill::{self, changes};
use crate::later::{Later, plans};
use crate::lock::stopped_run;
use crate::store::{copy, journal, restore, state, state_is_the_journal};
use crate::world::{NOBODY, World, needs_root, tool};

/// A plan that asks before it leaves a mark.
const ASKS: &str =
    "name: asks\npolicy: ask\nsteps: [{run: [touch, \"{{ cell.root }}/artifacts/revived\"]}]\n";

/// A cell that is down, and about which a human has been asked.
fn asked() -> World {
    let world = World::new();
    world.cell("a").cell("b").beat("a", 900);
    plans(&world, ASKS);
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    world
}

fn events(world: &World, kind: &str) -> Vec<Value> {
    let mut all = journal(world);
    all.retain(|e| e["event"] == kind);
    all
}

fn hold(world: &World) -> Flock<File> {
    let path = world.state().join("state.lock");
    let file = File::options().read(true).write(true).open(path).unwrap();
    Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap()
}

#[test]
fn a_run_asks_a_human_agrees_and_the_next_run_acts() {
    let world = asked();
    let cell = || {
        let all = world.tree().into_iter();
        all.filter(|(path, _)| path.starts_with(world.root()))
            .collect::<Vec<_>>()
    };
    let before = cell();
    let run = world.run(&["approve", "a/main", "--json"]);
    run.code(0).stderr_empty().clean();
    assert_eq!(run.json()["schema"], "lazarus-pit/approve/1");
    let recorded = &run.json()["recorded"][0];
    assert_eq!(recorded["event"], "approved");
    assert_eq!(recorded["subject"], "a/main");
    assert_eq!(
        (&recorded["attempt"], &recorded["plan"]),
        (&1.into(), &"asks".into())
    );
    let by = recorded["actor"].as_str().unwrap();
    assert!(
        by.starts_with("operator:") && by.len() > "operator:".len(),
        "{by}"
    );
    assert_eq!(cell(), before, "a word touches no cell");
    let (event, question) = (
        &events(&world, "approved")[0],
        &events(&world, "approval_requested")[0],
    );
    for key in ["code", "incident", "attempt", "plan", "plan_hash"] {
        assert_eq!(event[key], question[key], "{key}");
    }
    state_is_the_journal(&world);
    // Said once, it is said.
    world
        .run(&["approve", "a"])
        .code(1)
        .stderr_has("agreed to attempt 1");
    world.run(&["deny", "a"]).code(1).stderr_has("pause a/main");

    let run = world.run(&["check", "--no-act", "--json"]);
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    assert!(!world.path("a/artifacts/revived").exists());
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.list("actions")[0]["result"], "ok");
    assert!(world.path("a/artifacts/revived").exists());
    world
        .run(&["approve", "a"])
        .code(1)
        .stderr_has("no question about a is pending");
}

#[test]
fn a_refusal_lasts_as_long_as_it_says_and_names_its_end() {
    let world = asked();
    let run = world.run(&["deny", "a/main", "--for", "30m", "--json"]);
    run.code(0).stderr_empty();
    assert_eq!(run.json()["schema"], "lazarus-pit/deny/1");
    let until = run.json()["recorded"][0]["until"].clone();
    let mut later = Later::new(&world);
    let run = later.check();
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("denied"));
    assert_eq!(run.decision("a/main").unwrap()["next_attempt_at"], until);
    later
        .run(&["approve", "a"])
        .code(1)
        .stderr_has("refused attempt 1");
    // The default gap is shorter than that: runs go on in between.
    for _ in 0..4 {
        later.pass(480).check();
    }
    let run = later.check();
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    later.run(&["approve", "a"]).code(0);
}

#[test]
fn a_question_that_expired_can_be_answered_no_more() {
    let world = asked();
    let mut later = Later::new(&world);
    later.pass(301);
    for word in ["approve", "deny"] {
        later.run(&[word, "a"]).code(1).stderr_has("expired at");
    }
    assert!(events(&world, "approved").is_empty() && events(&world, "denied").is_empty());
    let run = later.check();
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("expired"));
    later
        .run(&["approve", "a"])
        .code(1)
        .stderr_has("expired at");
}

#[test]
fn where_nothing_is_pending_it_says_what_is() {
    let world = asked();
    world
        .run(&["approve", "b"])
        .code(1)
        .stderr_has("pending are: a/main");
    let run = world.run(&["approve", "nobody", "--json"]);
    run.code(1);
    assert_eq!(run.json()["schema"], "lazarus-pit/approve/1");
    assert_eq!(run.json()["error"]["code"], 1);
    // Without a state nothing was ever asked, and none is made for that.
    crate::world::remove(&world.state());
    world
        .run(&["approve", "a"])
        .code(1)
        .stderr_has("there is no state in");
    assert!(!world.state().exists());
}

#[test]
fn paused_it_is_left_alone_and_resumed_it_is_not() {
    let world = World::new();
    world.cell("a").canonical("c", &["x", "y"]).beat("a", 900);
    plans(&world, "policy: auto\nsteps: [{run: ['true']}]\n");
    let run = world.run(&[
        "pause",
        "a",
        "--reason",
        "being mended",
        "--for",
        "1h",
        "--json",
    ]);
    run.code(0).stderr_empty();
    assert_eq!(run.json()["schema"], "lazarus-pit/pause/1");
    assert_eq!(run.json()["recorded"][0]["reason"], "being mended");
    assert!(run.json()["recorded"][0]["until"].is_string());
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("paused"));
    // A bare cell is all its agents, one event each, and they may be healthy.
    world
        .run(&["pause", "c/", "--reason", "x\u{1b}[2Jy"])
        .code(0)
        .clean();
    let paused = events(&world, "paused");
    let names: Vec<&str> = paused
        .iter()
        .map(|e| e["subject"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a/main", "c/x", "c/y"]);
    let status = world.run(&["status", "--json"]);
    assert_eq!(
        status.json()["subjects"][0]["pause"]["reason"],
        "being mended"
    );
    assert_eq!(status.json()["remembered"][0]["subject"], "c/x");

    world.run(&["resume", "a"]).code(0);
    world.run(&["resume", "a"]).code(1).stderr_has("not paused");
    world.run(&["resume", "c/x", "--json"]).code(0);
    assert_eq!(world.run(&["--json"]).verdict("a/main"), Some("revive"));
    assert!(state(&world)["memory"]["c/y"]["pause"].is_object());
    state_is_the_journal(&world);
}

#[test]
fn a_cell_whose_agents_cannot_be_known_is_paused_itself() {
    let world = World::new();
    world.canonical("c", &["x"]);
    fs::write(world.path("c/cell.json"), "{").unwrap();
    world
        .run(&["pause", "c/x", "--reason", "r"])
        .code(1)
        .stderr_has("name the cell alone");
    world.run(&["pause", "c", "--reason", "r"]).code(0);
    // Its agents, once they are known again, are paused with it.
    world
        .manifest("c", &crate::world::canonical_manifest("c", &["x"]))
        .beat("c/x", 900);
    let run = world.run(&["--json"]);
    assert_eq!(run.verdict("c/x"), Some("paused"), "{run}");
    world.run(&["resume", "c/x"]).code(1).stderr_has("resume c");
    world.run(&["resume", "c"]).code(0);
    assert_eq!(world.run(&["--json"]).verdict("c/x"), Some("unplanned"));
}

#[test]
fn who_is_not_there_cannot_be_paused_and_who_was_there_can() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    world.manifest(
        "a",
        &serde_json::json!({"mission_id": "a", "status": "archived"}),
    );
    world
        .run(&["pause", "a", "--reason", "r"])
        .code(1)
        .stderr_has("archived");
    world
        .run(&["pause", "x", "--reason", "r"])
        .code(1)
        .stderr_has("there is no cell `x`");
    world
        .run(&["pause", "gateway:g", "--reason", "r"])
        .code(1)
        .stderr_has("no gateway");
    world.cell("b").beat("b", 900).run(&[]).code(2);
    world.remove("b");
    world.run(&["pause", "b", "--reason", "r"]).code(0);
}

#[test]
fn forgotten_attempts_come_back_into_the_budget() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(
        &world,
        "policy: auto\nlimits: {attempts: 1}\nsteps: [{run: ['false']}]\n",
    );
    world.run(&["reset", "a"]).code(1);
    world.run(&["--json"]).code(2);
    let run = world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("exhausted"), "{run}");
    let run = world.run(&["reset", "a/main", "--json"]);
    run.code(0).stderr_empty();
    assert_eq!(run.json()["schema"], "lazarus-pit/reset/1");
    let run = world.run(&["check", "--no-act", "--json"]);
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    world
        .run(&["reset", "a/main"])
        .code(1)
        .stderr_has("nothing is remembered");
    state_is_the_journal(&world);
}

#[test]
fn what_a_killed_run_began_is_not_forgotten_before_it_is_settled() {
    let world = asked();
    // As a run leaves it that was killed behind its intent.
    let question = events(&world, "approval_requested").remove(0);
    let intent = serde_json::json!({
        "seq": journal(&world).len() + 1, "ts": question["ts"], "run": question["run"],
        "event": "intent", "actor": "run", "subject": "a/main", "attempt": 1, "ref": "r1",
        "incident": question["incident"], "plan": "asks", "plan_hash": question["plan_hash"],
    });
    let path = world.state().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{intent}\n")).unwrap();
    world
        .run(&["reset", "a"])
        .code(1)
        .stderr_has("came to no end");
    world.run(&["--json"]).survived();
    world.run(&["reset", "a"]).code(0);
    state_is_the_journal(&world);
}

#[test]
fn wrong_use_is_told_before_anything_is_done() {
    let world = asked();
    let before = world.tree();
    for args in [
        &["pause", "a"][..],
        &["pause", "a", "--reason", " "],
        &["pause", "a", "--reason", "r", "--for", "0s"],
        &["pause", "a", "--reason", &"r".repeat(600)],
        &["deny", "a", "--for", "0"],
        &["deny", "a", "--for", "soon"],
        &["approve"],
        &["approve", "a", "--format", "nagios"],
        &["approve", "a", "--format", "junit"],
        &["--dry-run", "approve", "a"],
    ] {
        let code = world.run(args).exit();
        // A monitoring plugin has four statuses.
        assert!(
            code == 64 || (args.contains(&"nagios") && code == 3),
            "{args:?}: {code}"
        );
    }
    world.config("root: x\n");
    world.run(&["approve", "a"]).code(78);
    fs::remove_file(world.config_path()).unwrap();
    let tree = world.tree();
    let kept = |(path, _): &&(PathBuf, Vec<u8>)| !path.ends_with("config.yaml");
    assert!(before.iter().filter(kept).eq(tree.iter().filter(kept)));
}

#[test]
fn a_word_waits_for_a_run_and_then_names_it() {
    let world = asked();
    let held = hold(&world);
    std::thread::scope(|s| {
        let said = s.spawn(|| world.run(&["approve", "a"]).exit());
        std::thread::sleep(std::time::Duration::from_millis(60));
        assert!(!said.is_finished());
        drop(held);
        assert_eq!(said.join().unwrap(), 0);
    });
    let _held = hold(&world);
    let before = world.tree();
    let run = world.run(&["pause", "a", "--reason", "r", "--json"]);
    run.code(75)
        .stderr_has(format!("pid {}", std::process::id()));
    assert_eq!(run.json()["schema"], "lazarus-pit/pause/1");
    assert_eq!(world.tree(), before);
}

#[test]
fn a_run_that_hangs_is_ended_by_a_word_too_and_that_is_recorded() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    world.cell("a");
    let mut hung = stopped_run(&world, "100ms");
    // Nothing comes of the word, and the end of the run is told all the same.
    world.run(&["approve", "a"]).code(1).stderr_has("hung");
    hung.wait().unwrap();
    assert_eq!(events(&world, "run_killed").len(), 1);
    state_is_the_journal(&world);
}

#[test]
fn of_many_words_at_once_none_is_lost_and_one_answer_counts() {
    let world = asked();
    let codes: Vec<i32> = std::thread::scope(|s| {
        let said: Vec<_> = (0..8)
            .map(|n| {
                let word = if n % 2 == 0 { "approve" } else { "deny" };
                let world = &world;
                s.spawn(move || world.run(&[word, "a"]).code_in(&[0, 1]).exit())
            })
            .collect();
        said.into_iter().map(|s| s.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|c| **c == 0).count(), 1, "{codes:?}");
    let answers = events(&world, "approved").len() + events(&world, "denied").len();
    assert_eq!(answers, 1);
    state_is_the_journal(&world);
}

#[test]
fn an_ordinary_user_answers_for_their_own_state_only() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(&world, "policy: ask\nsteps: [{run: ['true']}]\n");
    world.cmd(&[]).user(NOBODY).run().code(1);
    let run = world.cmd(&["approve", "a", "--json"]).user(NOBODY).run();
    run.code(0);
    let by = run.json()["recorded"][0]["actor"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(by, "operator:root");
    // As root in a state directory that another one can write to: whoever can, decides.
    world
        .run(&["pause", "a", "--reason", "r"])
        .code(74)
        .stderr_has("--trust-owner");
    let root = asked();
    let run = root.cmd(&["approve", "a"]).poor_user(NOBODY).run();
    run.code(74);
    // Called through sudo, the word is that of who called it.
    let run = root
        .cmd(&["approve", "a", "--json"])
        .env("SUDO_USER", "nobody")
        .run();
    run.code(0);
    assert_eq!(run.json()["recorded"][0]["actor"], "operator:nobody");
}

/// The calls by which a word changes files.
const CHANGING: &str = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlinkat,fchmod,mkdir,mkdirat,flock";

#[test]
fn killed_or_refused_at_each_call_the_whole_word_is_there_or_none_of_it() {
    if !tool("strace") {
        return;
    }
    let world = asked();
    let template = world.base().join("template");
    copy(&world.state(), &template);
    let (points, run) = kill::points(&world, &["approve", "a", "--json"], CHANGING, changes);
    run.code(0);
    assert!(points.len() > 5, "{points:?}");
    for point in &points {
        for what in ["signal=SIGKILL", "error=ENOSPC", "error=EIO"] {
            restore(&world, &template);
            let inject = point.inject(what);
            let run = world
                .cmd(&["approve", "a", "--json"])
                .through(&["strace", "-o", "/dev/null", "-e", &inject])
                .run();
            let place = format!("{what} at {point}");
            if run.signal().is_none() {
                run.code_in(&[0, 74]);
            } else {
                assert_eq!(what, "signal=SIGKILL", "{run}");
            }
            // A dry run reads what is there, as whole lines.
            let next = world.run(&["check", "--dry-run", "--json"]);
            next.code(1);
            let verdict = next.verdict("a/main").unwrap();
            assert!(
                ["revive", "awaiting_approval"].contains(&verdict),
                "{place}: {next}"
            );
            let acted = world.run(&["check", "--no-act", "--json"]);
            assert_eq!(acted.verdict("a/main"), Some(verdict), "{place}");
            let said = usize::from(verdict == "revive");
            assert_eq!(events(&world, "approved").len(), said, "{place}");
            state_is_the_journal(&world);
        }
    }
}
