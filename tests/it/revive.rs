//! Plans that act: from a dead agent to a living one, over separate runs of the real program.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::later::{Later, codes, plans, with_verdict};
use crate::store::{journal, state, state_is_the_journal};
use crate::world::{NOBODY, World, needs_root};

/// A plan whose one step leaves a line in a file for each time it is carried out.
fn marking(world: &World, more: &str) -> PathBuf {
    let marks = world.base().join("home/marks");
    let plan = format!(
        "name: mark\npolicy: auto\n{more}\nsteps:\n  - run: [sh, -c, 'echo {{{{ cell.id }}}}/{{{{ agent.name }}}} {{{{ attempt }}}} >> {}']\n",
        marks.display()
    );
    plans(world, &plan);
    marks
}

fn lines(path: &PathBuf) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn events(world: &World, kind: &str) -> Vec<Value> {
    let mut all = journal(world);
    all.retain(|e| e["event"] == kind);
    all
}

#[test]
fn a_dead_agent_is_revived_once_and_recovers() {
    let world = World::new();
    world.cell("a").cell("b").beat("a", 900);
    let marks = marking(&world, "");
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    assert_eq!(lines(&marks), ["a/main 1"]);
    let action = &run.list("actions")[0];
    assert_eq!(action["result"], "ok", "{run}");
    assert_eq!(action["attempt"], 1);
    let step = &action["steps"][0];
    assert_eq!(
        (&step["kind"], &step["result"]),
        (&"run".into(), &"ok".into())
    );
    assert!(step["pid"].as_i64().unwrap() > 0 && step["duration_ms"].is_number());
    assert_eq!(run.agent("a", "main")["revive_count"], 1);

    // What it did has time to show, and nothing is done twice.
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("reviving"), "{run}");
    assert_eq!(run.agent("a", "main")["state"], "reviving");
    assert_eq!(lines(&marks).len(), 1);

    world.beat("a", 0);
    let run = world.run(&["--json"]);
    run.code(0);
    assert_eq!(run.verdict("a/main"), Some("healthy"));
    world.run(&["--json"]).code(0);
    let kinds = [
        "incident_opened",
        "intent",
        "step",
        "attempt_finished",
        "incident_closed",
    ];
    for kind in kinds {
        assert_eq!(events(&world, kind).len(), 1, "{kind}");
    }
    let intent = &events(&world, "intent")[0];
    assert_eq!(intent["steps"][0]["kind"], "run");
    assert_eq!(events(&world, "attempt_finished")[0]["result"], "ok");
    state_is_the_journal(&world);
}

#[test]
fn a_step_that_fails_is_told_and_counts() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(
        &world,
        "policy: auto\nsteps:\n  - run: [sh, -c, 'echo to the log; exit 3']\n  - run: [touch, /nonexistent/never]\n",
    );
    let run = world.run(&["--json"]);
    run.code(2);
    let action = &run.list("actions")[0];
    assert_eq!(action["result"], "failed");
    assert_eq!(action["steps"][0]["exit_code"], 3);
    assert!(
        action["steps"][0]["error"]
            .as_str()
            .unwrap()
            .contains("exit code 3"),
        "{run}"
    );
    assert_eq!(action["steps"][1]["result"], "skipped");
    let log = fs::read_to_string(action["steps"][0]["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("[main:stdout] to the log"), "{log}");
    // The next run waits.
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("backoff"));
    assert!(run.decision("a/main").unwrap()["next_attempt_at"].is_string());
    let human = world.run(&["--dry-run"]);
    assert!(human.stdout().contains("backoff"), "{human}");
    state_is_the_journal(&world);
}

/// Whoever looks at it from the outside: no file is touched and nothing is started by a dry run,
/// and it says what a real run then does.
#[test]
fn a_dry_run_says_what_a_real_one_then_does() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let marks = marking(&world, "");
    let before = world.tree();
    let dry = world.run(&["--dry-run", "--json"]);
    dry.code(1);
    assert_eq!(world.tree(), before);
    let (action, decision) = (&dry.list("actions")[0], dry.decision("a/main").unwrap());
    assert_eq!(action["result"], "dry_run");
    assert_eq!(action["steps"][0]["result"], "dry_run");
    assert!(
        action["steps"][0]["command"][2]
            .as_str()
            .unwrap()
            .starts_with("echo a/main 1 >>")
    );
    let real = world.run(&["--json"]);
    assert_eq!(
        real.list("actions")[0]["steps"][0]["command"],
        action["steps"][0]["command"]
    );
    assert_eq!(real.verdict("a/main"), decision["verdict"].as_str());
    assert_eq!(lines(&marks).len(), 1);
}

#[test]
fn no_act_records_and_does_nothing() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let marks = marking(&world, "");
    for _ in 0..3 {
        let run = world.run(&["--no-act", "--json"]);
        run.code(1);
        assert_eq!(run.verdict("a/main"), Some("revive"));
        assert_eq!(run.list("actions").len(), 0);
    }
    assert_eq!(lines(&marks).len(), 0);
    assert_eq!(events(&world, "incident_opened").len(), 1);
}

/// Budget and backoff over hours, and over incidents: one good beat between two crashes refills
/// nothing, and giving up is not for ever.
#[test]
fn a_budget_is_kept_across_runs_and_incidents() {
    let world = World::new();
    world.cell("a");
    let marks = marking(
        &world,
        "limits: {backoff: {jitter: 0}}\nverify: {within: 30s}",
    );
    let mut later = Later::new(&world);
    later.beat("a", 0).check().code(0);
    let mut seen = Vec::new();
    for minute in 1..=75 {
        // It crashes right after it came back, and beats once in between.
        let age = if minute % 7 == 0 { 0 } else { 900 };
        later.pass(60).beat("a", age);
        let run = later.check();
        let verdict = run.verdict("a/main").unwrap_or("healthy").to_owned();
        if verdict == "revive"
            || verdict == "exhausted" && seen.last().is_none_or(|(_, v)| v != "exhausted")
        {
            seen.push((minute, verdict));
        }
    }
    let revived: Vec<i64> = seen
        .iter()
        .filter(|(_, v)| v == "revive")
        .map(|(m, _)| *m)
        .collect();
    assert_eq!(revived[..3], [1, 2, 3], "{seen:?}");
    // The first of the three leaves the window after an hour, and so on. (It beats at 63.)
    assert_eq!(revived[3..], [61, 62, 64], "{seen:?}");
    assert_eq!(lines(&marks).len(), 6);
    assert!(events(&world, "exhausted").len() > 1, "once an incident");
    assert!(events(&world, "incident_opened").len() > 8);
    state_is_the_journal(&world);
}

#[test]
fn exhausted_is_critical_and_says_until_when() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    marking(&world, "limits: {attempts: 1}\nverify: {within: 30s}");
    let mut later = Later::new(&world);
    assert_eq!(later.check().verdict("a/main"), Some("revive"));
    let run = later.next();
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("exhausted"));
    assert!(codes(&run, "a/main").contains(&"attempts"), "{run}");
    later.next().code(2);
    assert_eq!(events(&world, "exhausted").len(), 1);
    // An operator's word.
    later.run(&["reset", "a"]).code(0);
    assert_eq!(later.next().verdict("a/main"), Some("revive"));
}

/// Nothing decides by a heartbeat from before the attempt.
#[test]
fn an_old_beat_is_no_recovery() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    marking(&world, "");
    let mut later = Later::new(&world);
    assert_eq!(later.check().verdict("a/main"), Some("revive"));
    // A beat that is fresh enough, and older than the attempt.
    later.pass(60).beat("a", 100);
    let run = later.check();
    assert_eq!(run.status("a"), "healthy");
    assert_eq!(run.verdict("a/main"), Some("reviving"), "{run}");
    assert_eq!(events(&world, "incident_closed").len(), 0);
    later.beat("a", 1);
    assert_eq!(later.check().verdict("a/main"), Some("healthy"));
    assert_eq!(events(&world, "incident_closed").len(), 1);
}

#[test]
fn whom_to_wait_for_and_when_not_to() {
    let world = World::new();
    for id in ["db", "web", "slow", "told", "held-up", "odd"] {
        world.cell(id).beat(id, 900);
    }
    let mut later = Later::new(&world);
    let (from, until) = (later.now() as i64 - 3600, later.now() as i64 + 3600);
    let at = |secs: i64| jiff::Timestamp::from_second(secs).unwrap();
    plans(
        &world,
        &format!(
            "name: db\nmatch: {{cells: [db]}}\npolicy: never\n---\n\
             name: web\nmatch: {{cells: [web]}}\npolicy: auto\nneeds: [db/main]\nsteps: [{{run: ['true']}}]\n---\n\
             name: slow\nmatch: {{cells: [slow]}}\npolicy: auto\nwhen: {{for: 5m}}\nsteps: [{{run: ['true']}}]\n---\n\
             name: windowed\nmatch: {{cells: [held-up]}}\npolicy: auto\nsteps: [{{run: ['true']}}]\nmaintenance: [{{from: \"{}\", until: \"{}\"}}]\n---\n\
             name: odd\nmatch: {{cells: [odd]}}\npolicy: auto\nwhen: {{status: [uninitialized]}}\nsteps: [{{run: ['true']}}]\n",
            at(from),
            at(until)
        ),
    );
    let run = later.check();
    run.code(2);
    let verdict = |subject: &str| run.verdict(subject).unwrap().to_owned();
    assert_eq!(verdict("db/main"), "never");
    assert_eq!(verdict("web/main"), "blocked");
    assert_eq!(
        verdict("slow/main"),
        "revive",
        "a first run believes how long it has been"
    );
    assert_eq!(verdict("told/main"), "unplanned");
    assert_eq!(verdict("held-up/main"), "maintenance");
    assert_eq!(verdict("odd/main"), "tolerated");
    later.beat("db", 0);
    let run = later.next();
    assert_eq!(run.verdict("web/main"), Some("revive"), "{run}");
    assert_eq!(with_verdict(&run, "maintenance"), ["held-up/main"]);
}

#[test]
fn a_question_is_asked_once_and_answered_in_the_shell() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(&world, "policy: ask\nsteps: [{run: ['true']}]\n");
    let mut later = Later::new(&world);
    let run = later.check();
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"));
    assert_eq!(later.next().verdict("a/main"), Some("awaiting_approval"));
    assert_eq!(events(&world, "approval_requested").len(), 1);
    later.run(&["approve", "a/main"]).code(0);
    later.run(&["approve", "a/main"]).code(1);
    let run = later.next();
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    assert!(codes(&run, "a/main").contains(&"approved"));
    // One approval, one attempt: asked anew once that has failed and backoff is over.
    let run = later.pass(240).check();
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    assert_eq!(events(&world, "approval_requested").len(), 2);
    // Nobody answers, and it is asked again an hour later.
    let run = later.pass(301).check();
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("expired"));
    later.run(&["approve", "a/main"]).code(1);
    for _ in 0..6 {
        later.pass(590).check();
    }
    assert_eq!(later.next().verdict("a/main"), Some("awaiting_approval"));
    assert_eq!(events(&world, "approval_requested").len(), 3);
    assert_eq!(events(&world, "approval_expired").len(), 1);
    later.run(&["deny", "a/main", "--for", "30m"]).code(0);
    let run = later.next();
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("denied"));
    // A changed plan asks anew.
    plans(&world, "policy: ask\nsteps: [{run: ['true', x]}]\n");
    assert_eq!(later.next().verdict("a/main"), Some("awaiting_approval"));
    state_is_the_journal(&world);
}

#[test]
fn a_pause_keeps_out_of_revival_until_it_is_over() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let marks = marking(&world, "");
    let mut later = Later::new(&world);
    later
        .run(&["pause", "a", "--reason", "by hand", "--for", "10m"])
        .code(0);
    let run = later.check();
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("paused"));
    assert!(
        run.decision("a/main").unwrap()["because"]
            .to_string()
            .contains("by hand")
    );
    assert_eq!(later.pass(500).check().verdict("a/main"), Some("paused"));
    assert_eq!(lines(&marks).len(), 0);
    assert_eq!(later.pass(120).check().verdict("a/main"), Some("revive"));
    later.run(&["pause", "a", "--reason", "again"]).code(0);
    later.beat("a", 0).check();
    assert_eq!(
        state(&world)["memory"]["a/main"]["pause"]["reason"],
        "again"
    );
    later.run(&["resume", "a"]).code(0);
}

#[test]
fn no_more_than_restarts_per_run_and_the_longest_down_first() {
    let world = World::new();
    for n in 0..6 {
        world
            .cell(format!("c{n}"))
            .beat(&format!("c{n}"), 900 + 10 * n);
    }
    world.config("limits: {restarts_per_run: 2}\n");
    let marks = marking(&world, "");
    let mut seen = Vec::new();
    for round in 0..3 {
        let run = world.run(&["--json"]);
        run.code(1);
        let revived = with_verdict(&run, "revive");
        assert_eq!(revived.len(), 2, "{run}");
        assert_eq!(with_verdict(&run, "deferred").len(), 4 - 2 * round, "{run}");
        seen.extend(revived.into_iter().map(str::to_owned));
    }
    assert_eq!(
        seen,
        [
            "c4/main", "c5/main", "c2/main", "c3/main", "c0/main", "c1/main"
        ]
    );
    assert_eq!(lines(&marks).len(), 6);
}

#[test]
fn a_label_that_a_cell_lacks_makes_no_attempt() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(
        &world,
        "policy: auto\nsteps: [{run: [echo, '{{ cell.labels.team }}']}]\n",
    );
    let run = world.run(&["--json"]);
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("permanent"));
    assert!(codes(&run, "a/main").contains(&"template"));
    assert!(
        run.decision("a/main").unwrap()["because"]
            .to_string()
            .contains("team"),
        "{run}"
    );
}

#[test]
fn a_plans_own_stale_after_counts_for_its_subjects_and_a_flag_for_all() {
    let world = World::new();
    for id in ["quick", "slow"] {
        world.cell(id).beat(id, 60);
    }
    plans(
        &world,
        "match: {cells: [quick]}\nstale_after: 30s\npolicy: never\n---\nname: other\nstale_after: 10m\npolicy: never\n",
    );
    let run = world.run(&["--json"]);
    assert_eq!(run.status("quick"), "stale");
    assert!(run.sentences("quick").contains("more than 30 s"), "{run}");
    assert_eq!(run.status("slow"), "healthy");
    world.beat("slow", 400);
    assert_eq!(world.run(&["--json"]).status("slow"), "healthy");
    let run = world.run(&["--json", "--stale-after", "2m"]);
    assert_eq!(
        (run.status("quick"), run.status("slow")),
        ("healthy", "stale")
    );
}

#[test]
fn an_ordinary_user_gets_the_same() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(&world, "policy: auto\nsteps: [{run: [id, -u]}]\n");
    for dir in [
        "conf",
        "conf/plans",
        "conf/plans/plans.yaml",
        "conf/config.yaml",
    ] {
        std::os::unix::fs::chown(world.base().join(dir), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let run = world.cmd(&["--json"]).user(NOBODY).run();
    run.code(1);
    let log = run.list("actions")[0]["steps"][0]["log"].as_str().unwrap();
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("stdout] 65534"), "{log}");
}

/// What a run says that its own deadline cut off, and what it left for the next.
#[test]
fn the_deadline_cuts_off_what_takes_too_long_and_defers_the_rest() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    // Longer than any run may take here.
    let plan = "policy: auto\nsteps: [{run: {command: [sleep, '1000'], timeout: 1000s}}]\n";
    plans(&world, plan);
    let run = world.run(&["--json", "--deadline", "2s"]);
    run.code(2);
    assert_eq!(
        run.list("actions")[0]["steps"][0]["result"],
        "cut_off",
        "{run}"
    );
    assert_eq!(world.run(&["--json"]).verdict("a/main"), Some("backoff"));
}
