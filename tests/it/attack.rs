//! What attacks on the program brought to light, and must not come back.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::store::{journal, state};
use crate::world::{NOBODY, SECRET, World, can_mount, make_dir, needs_root, tool};

fn incident(world: &World, subject: &str) -> Option<String> {
    let id = &state(world)["subjects"][subject]["incident"]["id"];
    id.as_str().map(str::to_owned)
}

/// The HTTP client logs the URLs that it asks for; the ping's is a secret.
#[test]
fn no_log_level_shows_the_ping_url() {
    let world = World::new();
    world
        .cell("a")
        // Nobody listens there, which is all that is needed.
        .config(&format!(
            "heartbeat_ping_url: http://127.0.0.1:1/{SECRET}\n"
        ));
    let loud = [
        world.cmd(&["-vvv"]),
        world.cmd(&[]).env("RUST_LOG", "trace"),
        world.cmd(&[]).env("RUST_LOG", "ureq::run=trace"),
    ];
    for cmd in loud {
        let run = cmd.run();
        run.code(0).stderr_has("ping to heartbeat_ping_url");
        assert!(!run.stderr().contains(SECRET), "{run}");
    }
}

/// A directory's name need not be UTF-8, and a document must not fail over it.
#[test]
fn documents_name_directories_of_any_bytes() {
    let world = World::new();
    let dir = world.base().join(OsString::from_vec(b"r\xffoot".to_vec()));
    make_dir(&dir, 0o755);
    let run = |command: &[&str]| {
        let cmd = world.bare(command).arg("--root").arg(&dir);
        let cmd = cmd.arg("--state-dir").arg(world.state());
        cmd.arg("--heartbeat-dir").arg(&dir).run()
    };
    for (command, key) in [
        (&["init", "a", "--json"][..], "root"),
        (&["beat", "a", "--json"], "path"),
        (&["check", "--json"], "missions_root"),
        (&["heartbeats", "--json"], "heartbeat_dir"),
    ] {
        let run = run(command);
        let shown = run.code(0).json()[key].as_str().unwrap();
        assert!(shown.contains("r\\xffoot"), "{run}");
    }
}

/// The heartbeat of a run that was refused must not be what makes the state directory, open to
/// everyone.
#[test]
fn a_refused_first_run_leaves_a_private_state_directory() {
    let world = World::new();
    world.config("bogus: 1\n");
    fs::remove_dir(world.state()).unwrap();
    world.run(&["--json"]).code(78);
    assert_eq!(world.meta().unwrap()["status"], "error");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.state()), 0o700);
}

#[test]
fn a_refused_run_writes_nothing_where_others_decide() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.config("bogus: 1\n");
    std::os::unix::fs::chown(world.state(), Some(NOBODY), Some(NOBODY)).unwrap();
    world.run(&["--json"]).code(78);
    assert_eq!(fs::read_dir(world.state()).unwrap().count(), 0);
}

/// Runs whose configuration is refused hold no lock: the temporary file of another run, which may
/// be writing it now, is not theirs to take.
#[test]
fn a_refused_run_leaves_the_half_written_heartbeat_of_another_alone() {
    let world = World::new();
    world.config("bogus: 1\n");
    let dir = world.state().join("heartbeats");
    let others = dir.join(".lazarus_pit.last.tmp");
    make_dir(&dir, 0o755);
    fs::write(&others, "{\"job\"").unwrap();
    world.run(&[]).code(78);
    assert_eq!(fs::read(&others).unwrap(), b"{\"job\"");
    assert_eq!(world.meta().unwrap()["exit_code"], 78);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
}

/// A manifest that is broken for a while (half written, say) does not mean that the agents it
/// named are gone: their incidents go on.
#[test]
fn a_broken_foundation_manifest_ends_no_incident() {
    let world = World::new();
    let named = json!({"mission_id": "a", "agents": ["p", "q"]});
    world.cell("a").manifest("a", &named).beat("a/q", 1);
    world.run(&["--json"]).code(2);
    let before = incident(&world, "a/p");
    assert!(before.is_some());
    world.put("a/meta/mission.json", "{\"agents\": [\"p\", ");
    assert!(world.run(&["--json"]).warns("manifest_unreadable"));
    assert_eq!(incident(&world, "a/p"), before);
    world.manifest("a", &named).run(&["--json"]).code(2);
    assert_eq!(incident(&world, "a/p"), before);
    // What it does say counts as ever.
    let fewer = json!({"mission_id": "a", "agents": ["q"]});
    world.manifest("a", &fewer).run(&["--json"]).code(0);
    assert_eq!(incident(&world, "a/p"), None);
}

/// The same where a canonical manifest is replaced by one that is made and moved in two steps.
#[test]
fn a_canonical_manifest_that_is_away_for_a_moment_ends_no_incident() {
    let world = World::new();
    world.canonical("a", &["x"]).beat("a/x", 900);
    world.run(&["--json"]).code(2);
    let before = incident(&world, "a/x");
    assert!(before.is_some());
    let (here, away) = (world.path("a/cell.json"), world.base().join("away"));
    fs::rename(&here, &away).unwrap();
    assert_eq!(world.run(&["--json"]).status("a"), "incomplete");
    assert_eq!(incident(&world, "a/x"), before);
    fs::rename(&away, &here).unwrap();
    world.run(&["--json"]).code(2);
    assert_eq!(incident(&world, "a/x"), before);
    assert_eq!(incident(&world, "a/main"), None);
}

/// That we have no descriptor left says nothing of the cell.
#[test]
fn a_manifest_that_we_fail_to_read_opens_no_incident() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    world.canonical("a", &["x"]).cell("b").run(&[]).code(0);
    for (when, errno) in (1..=6).flat_map(|n| [(n, "EMFILE"), (n, "EIO"), (n, "ENOMEM")]) {
        let inject = format!("inject=openat2:error={errno}:when={when}");
        let run = world
            .cmd(&["--json"])
            .through(&["strace", "-f", "-o", "/dev/null", "-e", &inject])
            .run();
        run.code_in(&[0, 1, 2]);
    }
    world.run(&["--json"]).code(0);
    let opened = |event: &Value| event["event"] == "incident_opened";
    assert!(!journal(&world).iter().any(opened), "{:?}", journal(&world));
}

/// An unmounted disk: neither a run over some cells nor the second look finds all well.
#[test]
fn a_root_on_another_file_system_is_held_as_long_as_it_is_empty() {
    if !can_mount() {
        return;
    }
    let world = World::new();
    world.cell("a").beat("a", 900).run(&["--json"]).code(2);
    let before = incident(&world, "a/main");
    for args in [&["--json", "--cell", "*"][..], &["--json"], &["--json"]] {
        let run = world
            .cmd(args)
            .mounted("mount -t tmpfs none \"$ROOT\"")
            .run();
        assert!(run.code(2).warns("root_changed"), "{run}");
        assert_eq!(incident(&world, "a/main"), before, "{args:?}");
    }
    assert!(!world.run(&["--json"]).code(2).warns("root_changed"));
    assert_eq!(incident(&world, "a/main"), before);
    // A new disk with cells on it is the operator's choice: told, and a measure from then on.
    let moved = "mount -t tmpfs none \"$ROOT\"; mkdir \"$ROOT\"/b";
    let run = world.cmd(&["--json"]).mounted(moved).run();
    assert!(run.code(2).warns("root_changed"), "{run}");
    assert_eq!(incident(&world, "a/main"), before);
    assert!(world.run(&["--json"]).code(2).warns("root_changed"));
    assert!(!world.run(&["--json"]).code(2).warns("root_changed"));
}

#[test]
fn a_heartbeat_that_no_check_would_read_is_not_written() {
    let world = World::new();
    world.cell("a");
    let before = fs::read(world.heartbeat_path("a")).unwrap();
    let long = "x".repeat(65 << 10);
    let run = world.run(&["beat", "a", "--status", &long]);
    run.code(64).stderr_has("65536");
    assert_eq!(fs::read(world.heartbeat_path("a")).unwrap(), before);
}

/// `ulimit -f`: the write fails and is told; the signal for it does not kill the run.
#[test]
fn a_limit_on_file_sizes_is_an_error_like_a_full_disk() {
    let world = World::new();
    world.cell("a").run(&[]).code(0);
    let limited = |args: &[&str]| {
        let shell = ["sh", "-c", "ulimit -f 0; exec \"$0\" \"$@\""];
        world.cmd(args).through(&shell).run()
    };
    assert_eq!(limited(&["--json"]).code(74).json()["error"]["code"], 74);
    limited(&["init", "b"]).code(74);
    limited(&["beat", "a"]).code(74);
    assert_eq!(fs::read_dir(world.root()).unwrap().count(), 1);
    world.run(&[]).code(0);
}

/// A directory that was made and could not be opened is taken back with the rest.
#[test]
fn a_cell_that_could_not_be_made_leaves_nothing_behind() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    for when in 1..=12 {
        let inject = format!("inject=openat2:error=EIO:when={when}");
        let run = world
            .cmd(&["init", "a"])
            .through(&["strace", "-o", "/dev/null", "-e", &inject])
            .run();
        run.code(74);
        let left: Vec<_> = fs::read_dir(world.root()).unwrap().collect();
        assert!(left.is_empty(), "openat2 {when}: {left:?}");
    }
}

#[test]
fn the_longest_job_name_has_a_heartbeat_too() {
    let world = World::new();
    let job = "j".repeat(250);
    world.cell("a").config(&format!("heartbeat_job: {job}\n"));
    world.run(&[]).code(0);
    let dir = world.state().join("heartbeats");
    assert!(dir.join(format!("{job}.last")).exists());
    assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
}

/// Numbers that no run wrote end in no overflow, and hide no line that a run did write.
#[test]
fn damaged_numbers_in_the_journal_hide_nothing() {
    let world = World::new();
    world.cell("a").beat("a", 900).cell("b").beat("b", 900);
    world.run(&[]).code(2);
    let path = world.state().join("journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("{\"seq\":1,", "{\"seq\":9,"),
        ("{\"seq\":1,", "{\"seq\":18446744073709551615,"),
        ("{\"seq\":6,", "{\"seq\":18446744073709551615,"),
        ("{\"seq\":6,", "{\"seq\":18446744073709551614,"),
        ("\"total_cells\":2", "\"total_cells\":18446744073709551615"),
    ] {
        assert!(whole.contains(from));
        let before = (incident(&world, "a/main"), incident(&world, "b/main"));
        fs::remove_file(world.state().join("state.json")).unwrap();
        fs::write(&path, whole.replace(from, to)).unwrap();
        let run = world.run(&["--json"]);
        assert!(run.code(2).warns("state_recovered"), "{run}");
        let after = (incident(&world, "a/main"), incident(&world, "b/main"));
        assert_eq!(after, before, "{from} → {to}");
    }
}

/// A state directory that we may not see is not one that is not there.
#[test]
fn a_state_out_of_reach_is_not_an_empty_one() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a").beat("a", 900);
    let closed = world.base().join("closed");
    make_dir(&closed.join("state"), 0o700);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    for command in [&["status", "--json"][..], &["check", "--dry-run", "--json"]] {
        let cmd = world.bare(command).arg("--root").arg(world.root());
        let cmd = cmd.arg("--state-dir").arg(closed.join("state"));
        let run = cmd.poor_user(NOBODY).run();
        assert_eq!(run.code(74).json()["error"]["code"], 74);
    }
}

/// The state of the next run must not depend on the directory that it is started in.
#[test]
fn a_relative_home_is_none() {
    // Root's state has a place that depends on no home.
    if !needs_root() {
        return;
    }
    let world = World::new();
    let run = world
        .bare(&["status", "--json"])
        .env("HOME", "relative")
        .env("XDG_STATE_HOME", "")
        .poor_user(NOBODY)
        .run();
    let shown = run.code_in(&[0, 74]).stdout();
    assert!(!shown.contains("\"relative"), "{run}");
}
