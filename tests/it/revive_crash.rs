//! A run that acts, killed at each of its calls in turn: the step is carried out once at most, the
//! attempt is counted once, and the next run says what it found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::kill::{self, Point};
use crate::later::plans;
use crate::living::lives;
use crate::store::{copy, journal, restore, state, state_is_the_journal};
use crate::world::{World, tool};

/// The calls between which something can be lost. Those of the children are not counted.
const CALLS: &str = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlinkat,symlinkat,fchmod,mkdirat,flock,clone,clone3,fork,vfork,pipe2,pidfd_open,poll,ppoll,read,wait4,waitid,futex,close_range,execve";

struct Scene {
    world: World,
    marks: PathBuf,
    template: PathBuf,
}

/// `a` is down and its plan leaves a mark; it is the second run's business, so that there is a
/// state to be lost.
fn scene() -> Scene {
    let world = World::new();
    world.cell("a").cell("b");
    world.run(&["--json"]).code(0);
    let marks = world.base().join("home/marks");
    plans(
        &world,
        &format!(
            "policy: auto\nlimits: {{backoff: {{initial: 1h, max: 1h}}}}\nsteps:\n  - run: [sh, -c, 'echo x >> {}']\n",
            marks.display()
        ),
    );
    world.beat("a", 900);
    let template = world.base().join("template");
    copy(&world.state(), &template);
    Scene {
        world,
        marks,
        template,
    }
}

fn marks(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

/// Every such call of the main thread of one acting run.
fn points(scene: &Scene) -> Vec<Point> {
    restore(&scene.world, &scene.template);
    let (points, run) = kill::points(&scene.world, &["--json"], CALLS, |_, _| true);
    run.code(1);
    assert!(
        points.len() > 40,
        "an acting run does more than that: {points:?}"
    );
    points
}

fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|e| e["event"] == kind).count()
}

/// Two runs later: one intent, one end of it, at most one mark, one incident, a sound state.
#[track_caller]
fn settles(scene: &Scene, what: &str) -> &'static str {
    let world = &scene.world;
    for _ in 0..2 {
        // A child that was just forked has the killed run's lock until it becomes its command.
        world.run(&["--json", "--wait-lock", "10s"]).code(1);
    }
    let events = journal(world);
    let (intents, ends) = (count(&events, "intent"), count(&events, "attempt_finished"));
    assert_eq!((intents, ends), (1, 1), "{what}: intents and ends");
    assert_eq!(count(&events, "incident_opened"), 1, "{what}");
    let result = events
        .iter()
        .find(|e| e["event"] == "attempt_finished")
        .unwrap()["result"]
        .as_str()
        .unwrap()
        .to_owned();
    let marks = marks(&scene.marks);
    assert!(marks <= 1, "{what}: the step was carried out {marks} times");
    if result == "ok" {
        assert_eq!(marks, 1, "{what}: said to be done");
    }
    assert_eq!(
        state(world)["memory"]["a/main"]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    state_is_the_journal(world);
    match result.as_str() {
        "ok" => "ok",
        "interrupted" => "interrupted",
        other => panic!("{what}: {other}"),
    }
}

#[test]
fn killed_at_any_call_an_attempt_is_made_at_most_once_and_counted_once() {
    if !tool("strace") {
        return;
    }
    let scene = scene();
    let mut seen = BTreeMap::<&str, usize>::new();
    for point in points(&scene) {
        restore(&scene.world, &scene.template);
        // On a busy host this goes on for longer than a beat counts.
        scene.world.beat("b", 0);
        crate::world::remove(&scene.marks);
        let inject = point.inject("signal=SIGKILL");
        let run = scene
            .world
            .cmd(&["--json"])
            .through(&["strace", "-o", "/dev/null", "-e", &inject])
            .run();
        // The order of calls differs a little from run to run: some points are not reached.
        let _ = run.signal();
        let result = settles(&scene, &format!("killed at {point}"));
        *seen.entry(result).or_default() += 1;
    }
    assert!(seen.get("interrupted").is_some_and(|n| *n > 2), "{seen:?}");
    assert!(seen.get("ok").is_some_and(|n| *n > 5), "{seen:?}");
}

/// The run is killed while its step goes on. The next one ends what is left of it, says so, and
/// does not do it again.
#[test]
fn a_step_that_outlived_its_run_is_ended_and_told_of() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let started = world.base().join("home/started");
    plans(
        &world,
        &format!(
            "policy: auto\nsteps:\n  - run: {{command: [sh, -c, 'echo $$ > {}; exec sleep 1000'], timeout: 2000s}}\n",
            started.display()
        ),
    );
    let (mut command, _) = world.cmd(&["--json"]).command();
    let mut child = command.spawn().unwrap();
    let pid = crate::later::eventually(|| {
        let text = fs::read_to_string(&started).ok()?;
        text.trim().parse::<i32>().ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lives(pid), "the step goes on");
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("backoff"), "{run}");
    assert!(run.warns("interrupted"), "{run}");
    let said = run.stderr();
    assert!(said.contains(&format!("was ended (pid {pid})")), "{said}");
    assert!(!lives(pid), "it is gone");
    let events = journal(&world);
    assert_eq!(
        (count(&events, "intent"), count(&events, "attempt_finished")),
        (1, 1)
    );
}

/// An intent that cannot be made durable is none: nothing is begun.
#[test]
fn without_a_durable_intent_nothing_is_begun() {
    if !tool("strace") {
        return;
    }
    let scene = scene();
    restore(&scene.world, &scene.template);
    let run = scene
        .world
        .cmd(&["--json"])
        .through(&[
            "strace",
            "-o",
            "/dev/null",
            "-e",
            "inject=fdatasync:error=EIO:when=1",
        ])
        .run();
    run.code(74);
    assert_eq!(marks(&scene.marks), 0);
    let error = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(error.contains("journal.jsonl"), "{error}");
}
