//! A run that starts an agent, killed at each of its calls in turn, at random instants, and with a
//! predecessor that hangs: two runs later there is one agent, one counted attempt and one incident.
//!
//! The method: the calls of a run are listed once by strace; then the run is made again for each of
//! them, with SIGKILL in the place of that call, in whichever thread comes so far first. The checker
//! alone is killed; what it has started goes on. What must hold afterwards is in [`Scene::settles`].

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::kill::{Point, THREADS, points_of_threads};
use crate::later::{eventually, plans};
use crate::living::{Agents, signal};
use crate::store::{copy, journal, restore, state, state_is_the_journal};
use crate::world::{World, tool};

/// The calls between which something can be lost.
const CALLS: &str = "openat,openat2,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,linkat,unlinkat,symlinkat,fchmod,mkdir,mkdirat,flock,clone,clone3,fork,vfork,pipe2,pidfd_open,pidfd_send_signal,poll,ppoll,read,wait4,waitid,futex,close,fcntl,getdents64,readlink,fstat,newfstatat,statx,munmap";

struct Scene {
    world: World,
    agents: Agents,
    marks: PathBuf,
    template: PathBuf,
}

/// `a` is down, and its plan starts an agent that leaves a mark. It is the second run's business, so
/// that there is a state to be lost.
fn scene() -> Scene {
    let world = World::new();
    world.cell("a").cell("b");
    world.run(&["--json"]).code(0);
    let marks = world.path("a/worktree/marks");
    let user = match crate::world::is_root() {
        true => ", user: root",
        false => "",
    };
    plans(
        &world,
        &format!(
            "policy: auto\nlimits: {{backoff: {{initial: 1h, max: 1h}}}}\nsteps:\n  - spawn: {{command: [sh, -c, 'echo $$ >> marks; exec sleep 1000'], grace: 100ms, wake: false{user}}}\n",
        ),
    );
    world.beat("a", 900);
    let template = world.base().join("template");
    copy(&world.state(), &template);
    Scene {
        agents: Agents::of(&world),
        world,
        marks,
        template,
    }
}

fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|e| e["event"] == kind).count()
}

impl Scene {
    /// As it was before the run that is killed.
    fn again(&self) {
        self.agents.end();
        self.keepers_are_gone();
        restore(&self.world, &self.template);
        crate::world::remove(&self.marks);
    }

    /// A keeper that writes down its agent's end must not do so in the next round.
    fn keepers_are_gone(&self) {
        let table = self.world.state().join("procs");
        eventually(|| {
            let entries = fs::read_dir(&table).into_iter().flatten();
            let mut texts = entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
            let keeper = |text: String| {
                let entry: Value = serde_json::from_str(&text).ok()?;
                i32::try_from(entry["keeper_pid"].as_i64()?).ok()
            };
            let lives = texts.any(|text| keeper(text).is_some_and(crate::living::lives));
            (!lives).then_some(())
        });
    }

    /// Two runs later.
    #[track_caller]
    fn settles(&self, what: &str) -> &'static str {
        let world = &self.world;
        for _ in 0..2 {
            // What was just forked has the killed run's lock until it becomes its program.
            world.run(&["--json", "--wait-lock", "20s"]).code(1);
        }
        let agents = self.agents.living("a");
        assert_eq!(
            agents.len(),
            1,
            "{what}: agents {agents:?}: {:#?}",
            journal(world)
        );
        let started = fs::read_to_string(&self.marks).unwrap_or_default();
        assert_eq!(started.lines().count(), 1, "{what}: started {started}");
        let events = journal(world);
        assert_eq!(count(&events, "intent"), 1, "{what}: intents: {events:#?}");
        assert_eq!(count(&events, "attempt_finished"), 1, "{what}: outcomes");
        assert_eq!(count(&events, "process_started"), 1, "{what}: starts");
        assert_eq!(count(&events, "incident_opened"), 1, "{what}: incidents");
        let state = state(world);
        let attempts = &state["memory"]["a/main"]["attempts"];
        assert_eq!(attempts.as_array().unwrap().len(), 1, "{what}: {attempts}");
        assert_eq!(
            state["subjects"]["a/main"]["incident"]["attempts"], 1,
            "{what}"
        );
        state_is_the_journal(world);
        let finished = events.iter().find(|e| e["event"] == "attempt_finished");
        let finished = finished.unwrap();
        assert_eq!(finished["result"], "ok", "{what}: {finished}");
        match finished["reason"].as_str() {
            Some("adopted") => "adopted",
            _ if count(&events, "run_started") > count(&events, "run_finished") => "made later",
            _ => "made",
        }
    }
}

#[test]
fn killed_at_any_call_a_run_leaves_one_agent_one_attempt_one_incident() {
    if !tool("strace") {
        return;
    }
    let scene = scene();
    let (points, run) = points_of_threads(&scene.world, &["--json"], CALLS);
    run.code(1);
    assert!(
        points.len() > 150,
        "a run that starts an agent does more: {points:?}"
    );
    let mut seen = BTreeMap::<&str, usize>::new();
    for point in chosen(&points) {
        scene.again();
        let kill = point.kill();
        let mut strace = vec!["strace"];
        strace.extend(THREADS);
        strace.extend(["-o", "/dev/null", "-e", &kill]);
        let run = scene.world.cmd(&["--json"]).through(&strace).run();
        // The order of calls differs a little from run to run: some points are not reached.
        if run.signal().is_none() && run.exit() == 2 {
            // What was killed is the keeper, before it was one: the step has failed, and is told.
            assert!(scene.agents.living("a").is_empty(), "at {point}: {run}");
            *seen.entry("failed").or_default() += 1;
            continue;
        }
        let came = scene.settles(&format!("killed at {point}"));
        *seen.entry(came).or_default() += 1;
    }
    scene.agents.end();
    if std::env::var_os("LAZARUS_SHOW").is_some() {
        println!("{} points: {seen:?}", points.len());
    }
    assert!(seen.get("adopted").is_some_and(|n| *n > 0), "{seen:?}");
    assert!(seen.get("made later").is_some_and(|n| *n > 0), "{seen:?}");
}

/// All of them where `LAZARUS_KILLS` is `all`, one where it is that one's name, else every so manieth: with the day as the offset, so
/// that in time each has its turn.
fn chosen(points: &[Point]) -> Vec<Point> {
    match std::env::var("LAZARUS_KILLS").as_deref() {
        Ok("all") => return points.to_vec(),
        Ok(one) => {
            let Some((name, when)) = one.split_once(' ') else {
                return points.iter().filter(|p| p.name == one).cloned().collect();
            };
            let (name, when) = (name.to_owned(), when.parse().unwrap());
            return vec![Point { name, when }];
        }
        Err(_) => {}
    }
    let every = points.len().div_ceil(60).max(1);
    let offset = crate::world::now() as usize / 86_400 % every;
    points.iter().skip(offset).step_by(every).cloned().collect()
}

/// At random instants, with a predecessor that ignores TERM and must be ended first.
#[test]
fn killed_at_random_instants_with_a_predecessor_that_hangs() {
    let scene = scene();
    let hung = "policy: auto\nlimits: {backoff: {initial: 0s, max: 0s, jitter: 0}, attempts: 1000}\nverify: {within: 1ms}\nsteps:\n  - spawn: {command: [sh, -c, 'trap \"\" TERM; echo $$ >> marks; while :; do sleep 1000 & wait; done'], grace: 50ms, wake: false USER}\n";
    let user = match crate::world::is_root() {
        true => ", user: root",
        false => "",
    };
    plans(&scene.world, &hung.replace(" USER", user));
    let rounds = std::env::var("LAZARUS_KILLS").ok();
    let rounds = match rounds.as_deref() {
        Some("all") => 500,
        _ => 12,
    };
    let mut random = crate::world::now().to_bits();
    for round in 0..rounds {
        let (mut command, _) = scene.world.cmd(&["--json", "--force"]).command();
        let mut child = command.spawn().unwrap();
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::sleep(Duration::from_micros((random >> 33) % 250_000));
        child.kill().unwrap();
        child.wait().unwrap();
        for _ in 0..2 {
            let run = scene
                .world
                .run(&["--json", "--force", "--wait-lock", "20s"]);
            run.code_in(&[1]);
            let agents = leaders(&scene.agents.living("a"));
            assert_eq!(agents.len(), 1, "round {round}: agents {agents:?}\n{run}");
        }
        let events = journal(&scene.world);
        assert_eq!(
            count(&events, "incident_opened"),
            1,
            "round {round}: {events:#?}"
        );
        assert_eq!(
            count(&events, "intent"),
            count(&events, "attempt_finished"),
            "round {round}"
        );
        let started = fs::read_to_string(&scene.marks).unwrap_or_default();
        assert_eq!(
            started.lines().count(),
            count(&events, "process_started"),
            "round {round}"
        );
        state_is_the_journal(&scene.world);
    }
    for pid in scene.agents.living("a") {
        signal(pid, "KILL");
    }
    scene.agents.end();
}

/// Those that lead a session of their own: the agents, without what they have started.
fn leaders(pids: &[i32]) -> Vec<i32> {
    let leads = |pid: &&i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit(") ").next().unwrap_or_default();
        after.split(' ').nth(3) == Some(&pid.to_string())
    };
    pids.iter().filter(leads).copied().collect()
}
