//! As whom agents run, in which directory, and what they are told.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lazarus_pit::model::process::Entry;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use serde_json::Value;

use crate::kept::{AT_ONCE, Stage, give};
use crate::later::plans;
use crate::output::Run;
use crate::world::{NOBODY, make_dir, needs_root};

/// What an agent finds of itself.
const IDS: &str = "grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff)' /proc/$$/status | tr '\\t' ' '; \
     echo done; exec sleep 1000";

/// The only step of the only attempt.
#[track_caller]
fn step(run: &Run) -> &Value {
    let actions = run.list("actions");
    assert_eq!(actions.len(), 1, "{run}");
    &actions[0]["steps"][0]
}

/// Asserts that the step has failed with these words.
#[track_caller]
fn fails(stage: &Stage, words: &[&str]) {
    let run = stage.check();
    run.code(2);
    let step = step(&run);
    assert_eq!(step["result"], "failed", "{run}");
    let error = step["error"].as_str().unwrap();
    for word in words {
        assert!(error.contains(word), "{error}");
    }
    assert!(stage.pids().is_empty(), "{run}");
}

#[test]
fn an_agent_of_roots_checker_is_its_cells_owner() {
    if !needs_root() {
        return;
    }
    for (keys, uid, gid) in [
        ("wake: false", NOBODY, NOBODY),
        ("wake: false, user: daemon", 1, 1),
        ("wake: false, user: '1'", 1, 1),
    ] {
        let stage = Stage::new();
        stage.plan(IDS, keys, AT_ONCE).check().code(1);
        let said = stage.said("a/main.log", "done");
        let ids = |id: u32| format!("{id} {id} {id} {id}");
        assert!(said.contains(&format!("Uid: {}", ids(uid))), "{said}");
        assert!(said.contains(&format!("Gid: {}", ids(gid))), "{said}");
        assert!(said.contains(&format!("Groups: {gid} \n")), "{said}");
        assert!(said.contains("CapEff: 0000000000000000"), "{said}");
        assert!(said.contains("NoNewPrivs: 1"), "{said}");
    }
}

#[test]
fn nothing_runs_as_root_that_is_not_told_so_by_name() {
    if !needs_root() {
        return;
    }
    let stage = Stage::new();
    give(&stage.world.path("a"), 0);
    stage.plan(IDS, "wake: false", AT_ONCE);
    fails(&stage, &["belongs to root", "user: root"]);
    for user in ["'0'", "'00'", "'+0'"] {
        stage.plan(IDS, &format!("wake: false, user: {user}"), AT_ONCE);
        fails(&stage, &[&user.replace('\'', "")]);
    }
    stage.plan(IDS, "wake: false, user: 'no such user'", AT_ONCE);
    fails(&stage, &["no such user"]);
    stage.plan(IDS, "wake: false, user: root", AT_ONCE);
    stage.check().code(1);
    let said = stage.said("a/main.log", "done");
    assert!(said.contains("Uid: 0 0 0 0"), "{said}");
    assert!(said.contains("NoNewPrivs: 0"), "{said}");
}

/// What stands in the environment of the checker, and must not stand in that of an agent.
const OURS: [&str; 8] = [
    "TELEGRAM_TOKEN",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "WATCHDOG_USEC",
    "INVOCATION_ID",
    "LAZARUS_PIT_CONFIG",
    "LAZARUS_CELL_UUID",
];

/// The environment that an agent is started with, as it was given to it.
fn environment(stage: &Stage, keys: &str, log: &str) -> Vec<String> {
    let script = "tr '\\0' '\\n' </proc/$$/environ; echo; echo done; exec sleep 1000";
    stage.plan(script, keys, AT_ONCE);
    run_with_ours(stage);
    environment_in(stage, log)
}

fn run_with_ours(stage: &Stage) {
    let mut cmd = stage.world.cmd(&["--json"]);
    for name in OURS {
        let value = match name {
            "LAZARUS_PIT_CONFIG" => stage.world.config_path().display().to_string(),
            "LISTEN_PID" => "1".to_owned(),
            _ => "secret".to_owned(),
        };
        cmd = cmd.env(name, value);
    }
    cmd.env("API_KEY", "42").run().code(1);
}

fn environment_in(stage: &Stage, log: &str) -> Vec<String> {
    let said = stage.said(log, "done");
    let lines = said.lines().filter(|line| line.contains('='));
    let mut all: Vec<String> = lines.map(str::to_owned).collect();
    all.sort();
    all
}

#[test]
fn an_agent_is_told_what_is_listed_and_nothing_else() {
    if !needs_root() {
        return;
    }
    let stage = Stage::new();
    let root = stage.world.path("a").display().to_string();
    let plain = |stage: &Stage, attempt: u32| {
        let entry = stage.latest();
        vec![
            "HOME=/nonexistent".to_owned(),
            "LANG=C.UTF-8".to_owned(),
            "LAZARUS_AGENT=main".to_owned(),
            format!("LAZARUS_ATTEMPT={attempt}"),
            format!("LAZARUS_CELL_ROOT={root}"),
            "LAZARUS_CELL_UUID=a".to_owned(),
            format!("LAZARUS_REF={}", entry.r#ref),
            "LOGNAME=nobody".to_owned(),
            "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
            "SHELL=/usr/sbin/nologin".to_owned(),
            "TZ=UTC".to_owned(),
            "USER=nobody".to_owned(),
        ]
    };
    let found = environment(&stage, "wake: false", "a/main.log");
    let mut want = plain(&stage, 1);
    want.push(format!("HERMES_HOME={root}"));
    want.sort();
    assert_eq!(found, want);
    // What is passed, what is set, and what never is.
    let pass = OURS.map(|name| name.to_owned()).join(", ");
    let pass = pass.replace("TELEGRAM_TOKEN, ", "");
    let keys = format!(
        "wake: false, grace: 60ms, home: '{{{{ cell.root }}}}/state', env_pass: [API_KEY, HOME, MISSING, {pass}], env: {{MODEL: m1, LANG: C}}"
    );
    let found = environment(&stage, &keys, "a/main.log");
    let mut want = plain(&stage, 2);
    want.push(format!("HERMES_HOME={root}/state"));
    want.push("API_KEY=42".to_owned());
    want.push("MODEL=m1".to_owned());
    want.retain(|line| !line.starts_with("LANG="));
    want.push("LANG=C".to_owned());
    want.sort();
    let found: Vec<String> = found
        .into_iter()
        .filter(|line| !line.starts_with("LAZARUS_PIT_CONFIG="))
        .collect();
    assert_eq!(found, want);
}

/// An agent of a canonical cell: its manifest's uuid.
#[test]
fn a_canonical_cell_names_its_uuid() {
    let stage = Stage::new();
    stage.world.remove("a");
    stage.world.canonical("b", &["claude"]);
    give(&stage.world.path("b"), NOBODY);
    stage.down("b/claude");
    let found = environment(&stage, "wake: false", "b/claude.log");
    let uuid = "LAZARUS_CELL_UUID=6f1ed002-ab5e-4d51-8a2b-3a0f8e6f1c01".to_owned();
    assert!(found.contains(&uuid), "{found:?}");
    assert!(found.contains(&"LAZARUS_AGENT=claude".to_owned()));
    assert!(stage.latest().cwd.ends_with("/b/workspace"));
}

#[test]
fn a_gateway_has_a_user_of_its_own_and_an_absolute_directory() {
    if !needs_root() {
        return;
    }
    let stage = Stage::new();
    stage.world.remove("a");
    let beat = stage.world.base().join("home/gateway.json");
    fs::write(&beat, "{\"timestamp\": 1795000000}").unwrap();
    stage.world.config(&format!(
        "gateways: [{{name: timmy, heartbeat: {}}}]\n",
        beat.display()
    ));
    let base = stage.world.base().display().to_string();
    let plan = |keys: &str| {
        plans(
            &stage.world,
            &format!(
                "match: {{gateways: [timmy]}}\npolicy: auto\n{AT_ONCE}steps: [{{spawn: {{command: [sh, -c, \
                 'pwd -P; tr \"\\0\" \"\\n\" </proc/$$/environ; echo; id -u; echo done; exec sleep 1000'], \
                 wake: false, env: {{BASE: '{base}'}}{keys}}}}}]\n"
            ),
        );
    };
    plan("");
    fails(&stage, &["a gateway has no owner", "user:"]);
    plan(", user: nobody, cwd: home");
    stage
        .check()
        .code(78)
        .stderr_has("this must be an absolute path");
    plan(", user: nobody, cwd: /usr");
    run_with_ours(&stage);
    let said = stage.said("_gateways/timmy/timmy.log", "done");
    assert!(said.starts_with("/usr\n"), "{said}");
    assert!(
        said.contains("\n65534\n") && said.contains("\nLAZARUS_AGENT=timmy\n"),
        "{said}"
    );
    assert!(
        !said.contains("LAZARUS_CELL") && !said.contains("secret"),
        "{said}"
    );
    assert!(!said.contains("HERMES_HOME"), "{said}");
    // It is found again and ended before its successor starts.
    let before = stage.latest().pid.unwrap();
    stage.check().code(1);
    let now = stage.latest().pid.unwrap();
    assert!(before != now && !crate::kept::lives(before) && crate::kept::lives(now));
}

#[test]
fn an_agent_works_in_its_cell_and_nowhere_else() {
    let stage = Stage::new();
    let cell = stage.world.path("a");
    make_dir(&stage.world.base().join("vault"), 0o777);
    make_dir(&cell.join("worktree/deep/er"), 0o755);
    symlink("../../vault", cell.join("out")).unwrap();
    symlink("worktree", cell.join("in")).unwrap();
    give(&cell, NOBODY);
    let script = "pwd -P; echo done; exec sleep 1000";
    for (cwd, below) in [
        ("", "worktree"),
        (", cwd: .", ""),
        (", cwd: worktree/deep/er", "worktree/deep/er"),
        (", cwd: ./state/", "state"),
    ] {
        stage.plan(script, &format!("wake: false, grace: 60ms{cwd}"), AT_ONCE);
        stage.check().code(1);
        let want = cell.join(below).canonicalize().unwrap();
        let said = stage.said("a/main.log", "done");
        assert_eq!(said.lines().next(), want.to_str(), "{cwd}");
    }
    for cwd in [
        "..",
        "../a",
        "worktree/..",
        "worktree/../state",
        "/",
        "/tmp",
        "out",
        "in",
        "in/deep",
        "worktree/missing",
        "meta/mission.json",
        "''",
        "worktree//deep",
    ] {
        let before = stage.entries().len();
        stage.plan(
            script,
            &format!("wake: false, grace: 60ms, cwd: {cwd}"),
            AT_ONCE,
        );
        let run = stage.world.run(&["--json", "--force"]);
        match run.exit() {
            // A plan that says so is refused before anything is done.
            78 => {}
            code => {
                assert_eq!(code, 2, "{cwd}: {run}");
                let error = step(&run)["error"].as_str().unwrap();
                assert!(error.contains("cwd:"), "{error}");
            }
        }
        assert_eq!(stage.entries().len(), before, "{cwd}");
    }
}

/// The directory is swapped for a link to another again and again: whoever starts, starts within.
/// It goes on until so many have started and so many were refused, however long that takes here. A
/// keeper that looks first and then goes by the name would go out every second time.
#[test]
fn a_swapped_directory_leads_nobody_out() {
    let stage = Stage::new();
    let cell = stage.world.path("a");
    // Not what a cell must have: without it nothing would be tried.
    let (work, link) = (cell.join("worktree/x"), cell.join("worktree/.link"));
    let vault = stage.world.base().join("vault");
    make_dir(&vault.join("y"), 0o777);
    make_dir(&work.join("y"), 0o777);
    symlink("../../../vault", &link).unwrap();
    give(&cell, NOBODY);
    stage.plan("pwd -P", "wake: false, cwd: worktree/x/y", AT_ONCE);
    let cell = cell.canonicalize().unwrap();
    let (mut within, mut refused) = (0, 0);
    while_swapped(&work, &link, || {
        for round in 1.. {
            let run = stage.check();
            let step = step(run.code_in(&[1, 2]));
            if step["result"] == "ok" {
                let at = printed(&stage.ended());
                // Its name may have been the link's when it asked.
                assert!(at.starts_with(cell.to_str().unwrap()), "{round}: {at:?}");
                within += 1;
            } else {
                let error = step["error"].as_str().unwrap();
                assert!(error.contains("/a/worktree/x/y"), "{round}: {error}");
                refused += 1;
            }
            if within >= 8 && refused >= 4 {
                return;
            }
            assert!(round < 500, "{within} within, {refused} refused: {run}");
        }
    });
}

/// Does something while two names are exchanged some thousand times a second.
fn while_swapped(one: &Path, other: &Path, act: impl FnOnce()) {
    let over = AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let swap = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, one, AT_FDCWD, other, swap).unwrap();
                // Or it would have a core to itself, and the journal of its disk.
                std::thread::sleep(Duration::from_micros(20));
            }
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        over.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// All that an agent that has ended has printed, without the lines' heads.
fn printed(entry: &Entry) -> String {
    let log = entry.log.as_ref().expect("it has a log");
    let log = fs::read_to_string(log).unwrap();
    let bare = |line: &str| line.split_once("] ").unwrap_or(("", line)).1.to_owned();
    log.lines().map(bare).collect::<Vec<_>>().join("\n")
}

/// A checker that is no root's: all is as ever, but that there is nobody else to be.
#[test]
fn an_ordinary_users_checker_keeps_its_own_agents() {
    if !needs_root() {
        return;
    }
    let stage = Stage::new();
    stage.plan(IDS, "wake: false, grace: 60ms", AT_ONCE);
    let check = || stage.world.cmd(&["--json", "--force"]).user(NOBODY).run();
    check().code(1);
    let said = stage.said("a/main.log", "done");
    assert!(
        said.contains("Uid: 65534 65534") && said.contains("NoNewPrivs: 1"),
        "{said}"
    );
    let before = stage.latest();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(before.keeper_pid.unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    check().code(1);
    let now = stage.latest();
    assert!(!crate::kept::lives(before.pid.unwrap()) && crate::kept::lives(now.pid.unwrap()));
    stage.plan(IDS, "wake: false, user: daemon", AT_ONCE);
    let run = check();
    run.code(2);
    let error = step(&run)["error"].as_str().unwrap();
    assert!(error.contains("daemon"), "{error}");
}
