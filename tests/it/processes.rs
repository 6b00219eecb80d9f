//! The process table from the outside: `ps`, `close`, against real processes.

use std::fs;

use serde_json::{Value, json};

use crate::agents::{Agent, Kept, boot_id, events, start_time, write_entry};
use crate::later::{eventually, plans};
use crate::store::state_is_the_journal;
use crate::world::{NOBODY, World, needs_root, put, rfc3339, tool};

/// An entry of a process that has ended so many seconds ago.
fn ended(world: &World, r#ref: &str, subject: &str, age: f64, more: Value) {
    let mut entry = json!({
        "ref": r#ref, "slot": subject, "subject": subject, "actor": "run", "command": ["old"],
        "boot_id": boot_id(), "status": "exited", "pid": 1, "start_time": 1,
        "started_at": rfc3339(age + 5.0), "ended_at": rfc3339(age), "duration_ms": 5000,
    });
    let more = more.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(more);
    write_entry(world, &entry);
}

fn valid(document: &Value) {
    let schema = serde_json::to_value(lazarus_pit::report::processes::schema()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(document)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn without_a_table_there_is_nothing_to_show() {
    let world = World::new();
    world.cell("a");
    world
        .run(&["ps"])
        .code(0)
        .stdout_has("No process was started.");
    let run = world.run(&["ps", "a", "--json"]);
    run.code(0).stderr_empty();
    assert_eq!(run.json()["schema"], "lazarus-pit/ps/1");
    assert_eq!(run.json()["processes"], json!([]));
    crate::world::remove(&world.state());
    world.run(&["ps"]).code(0);
    assert!(!world.state().exists(), "it only looks");
    world
        .run(&["ps", "nobody"])
        .code(1)
        .stderr_has("there is no cell `nobody`");
    let run = world.run(&["ps", "a/nobody", "--json"]);
    run.code(1);
    assert_eq!(run.json()["error"]["code"], 1);
    world
        .run(&["ps", "gateway:x"])
        .code(1)
        .stderr_has("no gateway");
}

#[test]
fn every_process_with_what_is_so_now() {
    let world = World::new();
    world.cell("a").cell("b");
    let agent = Agent::start(&world, "a/main", "0002", "sleep 600 & wait");
    agent.entry(&world, "a/main", "0002");
    ended(&world, "0001", "a/main", 90_000.0, json!({"exit_code": 3}));
    ended(
        &world,
        "0003",
        "b/main",
        60.0,
        json!({"signal": 9, "status": "killed"}),
    );
    // Its keeper said last that it runs; it is not there.
    let lost =
        json!({"status": "running", "ended_at": null, "pid": agent.pid(), "boot_id": boot_id()});
    ended(&world, "0004", "b/main", 30.0, lost);
    let before = world.tree();
    let run = world.run(&["ps", "--json"]);
    run.code(0).stderr_empty().clean();
    valid(run.json());
    let all = run.json()["processes"].as_array().unwrap().clone();
    let refs: Vec<&str> = all.iter().map(|p| p["ref"].as_str().unwrap()).collect();
    assert_eq!(refs, ["0002", "0004", "0003", "0001"]);
    let living = &all[0];
    assert_eq!(living["status"], "unkept");
    assert_eq!(living["pid"], agent.pid());
    assert_eq!(
        (&living["attempt"], &living["incident"]),
        (&json!(2), &json!("i1"))
    );
    assert!(
        living["memory_bytes"].as_u64().unwrap() > 100_000,
        "{living}"
    );
    assert!(living["cpu_percent"].as_f64().unwrap() >= 0.0);
    assert!(living["uptime_seconds"].as_f64().unwrap() >= 60.0);
    assert_eq!(all[1]["status"], "unknown");
    assert!(all[1]["exit_code"].is_null() && all[1]["memory_bytes"].is_null());
    assert_eq!(
        (&all[2]["signal"], &all[3]["exit_code"]),
        (&json!(9), &json!(3))
    );
    assert_eq!(world.tree(), before, "it only looks");

    let run = world.run(&["ps"]);
    run.code(0)
        .clean()
        .stdout_has("unkept")
        .stdout_has("SIGKILL");
    run.stdout_has("And 1 that ended over a day ago")
        .stdout_has("x\\x1b[2Jy");
    world
        .run(&["ps", "--living"])
        .stdout_has("And 3 that ended");
    assert_eq!(world.run(&["ps", "--all"]).stdout().lines().count(), 5);
    let run = world.run(&["ps", "b/", "--json"]);
    assert_eq!(run.json()["processes"].as_array().unwrap().len(), 2);
    world.run(&["ps", "--all", "--living"]).code(64);
    world.run(&["ps", "--format", "junit"]).code(64);
}

#[test]
fn what_is_no_entry_is_told_and_the_rest_is_shown() {
    let world = World::new();
    world.cell("a");
    ended(&world, "0001", "a/main", 60.0, json!({}));
    let procs = world.state().join("procs");
    put(&procs.join("0002.json"), b"{");
    put(&procs.join("0003.json"), &vec![b' '; 300 << 10]);
    std::os::unix::fs::symlink("/etc/passwd", procs.join("0004.json")).unwrap();
    let run = world.run(&["ps", "--json"]);
    run.code(0)
        .stderr_has("0002.json")
        .stderr_has("0004.json")
        .clean();
    assert_eq!(run.json()["processes"].as_array().unwrap().len(), 1);
}

fn entry(world: &World, r#ref: &str) -> Value {
    let path = world.state().join(format!("procs/{ref}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn what_an_operator_closes_stays_closed() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(
        &world,
        "policy: auto\nsteps: [{run: [touch, \"{{ cell.root }}/artifacts/revived\"]}]\n",
    );
    // Its child does not hear TERM, and goes with it all the same.
    let script = "sh -c 'trap \"\" TERM; sleep 600' & trap 'exit 7' TERM; wait";
    let mut agent = Agent::start(&world, "a/main", "0002", script);
    agent.entry(&world, "a/main", "0002");
    let run = world.run(&["close", "a/main", "--json"]);
    run.code(0).stderr_empty().clean();
    assert_eq!(run.json()["schema"], "lazarus-pit/close/1");
    assert_eq!(run.json()["recorded"][0]["event"], "paused");
    assert_eq!(run.json()["recorded"][0]["reason"], "closed");
    assert_eq!(run.json()["closed"][0]["ended"], 1);
    eventually(|| agent.is_gone().then_some(()));
    let (paused, exited) = (events(&world, "paused"), events(&world, "process_exited"));
    assert_eq!((paused.len(), exited.len()), (1, 1));
    assert!(paused[0]["seq"].as_u64() < exited[0]["seq"].as_u64());
    assert_eq!(exited[0]["ref"], "0002");
    // Nobody saw how it ended, and what a newer version wrote is kept.
    let entry = entry(&world, "0002");
    assert_eq!(
        (&entry["status"], &entry["exit_code"]),
        (&json!("unknown"), &Value::Null)
    );
    assert_eq!(entry["newer"]["kept"], true);
    let run = world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("paused"), "{run}");
    assert!(!world.path("a/artifacts/revived").exists());
    state_is_the_journal(&world);
    world.run(&["resume", "a"]).code(0);
    world.run(&["--json"]).code(1);
    assert!(world.path("a/artifacts/revived").exists());
}

#[test]
fn with_restart_it_is_ended_and_not_paused() {
    let world = World::new();
    world.cell("a");
    let mut agent = Agent::start(&world, "a/main", "0002", "sleep 600");
    agent.entry(&world, "a/main", "0002");
    let run = world.run(&["close", "a", "--restart"]);
    run.code(0)
        .stdout_has("a/main: ended 1 process")
        .stdout_has("by its plan");
    eventually(|| agent.is_gone().then_some(()));
    assert!(events(&world, "paused").is_empty());
    assert_eq!(events(&world, "process_exited").len(), 1);
}

#[test]
fn where_nothing_runs_it_is_paused_all_the_same() {
    let world = World::new();
    world.cell("a").canonical("c", &["x", "y"]);
    let run = world.run(&["close", "c/"]);
    run.code(0).stdout_has("c/x: nothing of it was running");
    assert_eq!(events(&world, "paused").len(), 2);
    world.run(&["close", "a", "-q"]).code(0).stdout_empty();
    world
        .run(&["close", "nobody"])
        .code(1)
        .stderr_has("there is no cell `nobody`");
    let run = world.run(&["close", "c/nobody", "--json"]);
    run.code(1);
    assert_eq!(run.json()["schema"], "lazarus-pit/close/1");
    world.run(&["close"]).code(64);
    world.run(&["--dry-run", "close", "a"]).code(64);
    assert_eq!(events(&world, "paused").len(), 3);
    state_is_the_journal(&world);
}

#[test]
fn what_no_table_knows_is_ended_too_and_nobody_elses() {
    let world = World::new();
    world.canonical("c", &["x", "y"]).cell("d");
    let mut lost = Agent::start(&world, "c/x", "0007", "sleep 600 & sleep 600");
    let mut former = Agent::start(&world, "c/former", "0008", "sleep 600");
    let mut other = Agent::start(&world, "c/y", "0009", "sleep 600");
    let mut elsewhere = Agent::start(&world, "d/x", "0010", "sleep 600");
    world.run(&["close", "c/x", "--json"]).code(0);
    eventually(|| lost.is_gone().then_some(()));
    assert!(!former.is_gone() && !other.is_gone());
    // A cell's name means all that works in it.
    world.run(&["close", "c"]).code(0);
    eventually(|| (former.is_gone() && other.is_gone()).then_some(()));
    assert!(!elsewhere.is_gone());
}

#[test]
fn a_stopped_agent_and_one_that_ignores_term_are_ended() {
    let world = World::new();
    world.canonical("c", &["x", "y"]);
    let mut stopped = Agent::start(&world, "c/x", "0001", "sleep 600");
    let mut deaf = Agent::start(
        &world,
        "c/y",
        "0002",
        "trap '' TERM; while :; do sleep 0.01; done",
    );
    stopped.entry(&world, "c/x", "0001");
    deaf.entry(&world, "c/y", "0002");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(stopped.pid()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    world.run(&["close", "c"]).code(0);
    eventually(|| (stopped.is_gone() && deaf.is_gone()).then_some(()));
    assert_eq!(events(&world, "process_exited").len(), 2);
}

#[test]
fn a_pid_that_is_anothers_by_now_is_left_alone() {
    let world = World::new();
    world.cell("a").cell("b");
    let mut other = Agent::start(&world, "b/main", "0009", "sleep 600");
    let mut entry = other.entry(&world, "a/main", "0001");
    entry["start_time"] = json!(start_time(other.pid()) - 1);
    write_entry(&world, &entry);
    world
        .run(&["close", "a"])
        .code(0)
        .stdout_has("nothing of it was running");
    assert!(!other.is_gone());
    assert_eq!(self::entry(&world, "0001")["status"], "unknown");
}

#[test]
fn an_ordinary_user_closes_their_own() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a");
    let mut roots = Agent::start(&world, "a/main", "0001", "sleep 600");
    roots.entry(&world, "a/main", "0001");
    // It cannot be ended by them, and they are told which it is.
    let run = world.cmd(&["close", "a", "--json"]).user(NOBODY).run();
    run.code(1).stderr_has(format!("pid {}", roots.pid()));
    assert!(run.json()["closed"][0]["error"].is_string(), "{run}");
    assert!(!roots.is_gone());
    assert_eq!(events(&world, "paused").len(), 1);
    world
        .cmd(&["ps"])
        .user(NOBODY)
        .run()
        .code(0)
        .stdout_has("unkept");
}

/// From the plan to the grave: a run starts an agent, `ps` shows it, `close` ends it through its
/// keeper, `start` brings it back, `destroy` takes all of it away.
#[test]
fn an_agent_with_a_keeper_from_its_start_to_the_end_of_its_cell() {
    let world = World::new();
    let _kept = Kept(&world);
    world.cell("a").cell("b").beat("a", 900);
    let user = match nix::unistd::geteuid().is_root() {
        true => "user: root, ",
        false => "",
    };
    let script = "trap 'exit 9' TERM; echo here; while :; do sleep 0.02; done";
    plans(
        &world,
        &format!(
            "match: {{cells: [a]}}\npolicy: auto\nsteps:\n  - spawn: {{{user}wake: false, grace: 5s, command: [sh, -c, \"{script}\"]}}\n"
        ),
    );
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.list("actions")[0]["result"], "ok", "{run}");
    let ps = |args: &[&str]| {
        let run = world.run(args);
        run.code(0).stderr_empty();
        valid(run.json());
        run.json()["processes"].as_array().unwrap().clone()
    };
    let first = ps(&["ps", "a/main", "--json"]).remove(0);
    assert_eq!(first["status"], "running");
    assert!(
        first["keeper_pid"].is_u64() && first["memory_bytes"].is_u64(),
        "{first}"
    );
    // Its trap is set.
    let log = first["log"].as_str().unwrap().to_owned();
    eventually(|| {
        fs::read_to_string(&log)
            .ok()?
            .contains("here")
            .then_some(())
    });

    world
        .run(&["close", "a"])
        .code(0)
        .stdout_has("a/main: ended 1 process");
    let ended = ps(&["ps", "--json"]).remove(0);
    assert_eq!(ended["ref"], first["ref"]);
    // Ended by order, and its keeper saw with what.
    assert_eq!(ended["status"], "killed", "{ended}");
    assert_eq!(ended["exit_code"], 9);
    assert_eq!(events(&world, "process_exited")[0]["exit_code"], 9);
    let run = world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("paused"), "{run}");
    assert_eq!(ps(&["ps", "--json"]).len(), 1);

    world.run(&["start", "a"]).code(0);
    let second = ps(&["ps", "--json"]).remove(0);
    assert_eq!(second["status"], "running");
    world
        .run(&["destroy", "a", "--yes"])
        .code(0)
        .stdout_has("ended 1 process");
    let all = ps(&["ps", "--json"]);
    assert_eq!((all.len(), &all[0]["ref"]), (2, &second["ref"]));
    assert!(all.iter().all(|p| p["status"] != "running"), "{all:?}");
    assert!(!world.path("a").exists());
    assert!(!world.state().join("logs/a").exists());
    assert_eq!(events(&world, "destroyed").len(), 1);
    assert_eq!(events(&world, "process_exited").len(), 2);
    world.run(&["--json"]).code(0);
    state_is_the_journal(&world);
}

#[test]
fn killed_before_it_ends_anything_it_has_paused_already() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(&world, "policy: auto\nsteps: [{run: ['true']}]\n");
    let mut agent = Agent::start(&world, "a/main", "0002", "sleep 600");
    agent.entry(&world, "a/main", "0002");
    let inject = "inject=pidfd_send_signal:signal=SIGKILL:when=1";
    let run = world
        .cmd(&["close", "a"])
        .through(&["strace", "-f", "-o", "/dev/null", "-e", inject])
        .run();
    assert_eq!(run.signal(), Some(9), "{run}");
    let run = world.run(&["--json"]);
    assert_eq!(run.verdict("a/main"), Some("paused"), "{run}");
    world.run(&["close", "a"]).code(0);
    eventually(|| agent.is_gone().then_some(()));
    state_is_the_journal(&world);
}
