//! What runs write in canonical cells: the stream of events and the daemon's state. With the
//! owner's rights, through no link, and never at the cost of a run.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use serde_json::Value;

use crate::later::plans;
use crate::output::Run;
use crate::world::{NOBODY, SECRET, World, make_dir, mode, needs_root, now, put};

const STREAM: &str = "c/logs/events.jsonl";
const STATE: &str = "c/.lazarus/state.json";

/// The lines of a cell's stream.
#[track_caller]
fn stream(w: &World) -> Vec<Value> {
    let text = fs::read_to_string(w.path(STREAM)).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect()
}

#[track_caller]
fn state(w: &World) -> Value {
    serde_json::from_slice(&fs::read(w.path(STATE)).unwrap()).unwrap()
}

/// Gives a cell and all that is in it to an ordinary user.
fn give(w: &World, cell: &str) {
    for entry in walkdir::WalkDir::new(w.path(cell)) {
        let path = entry.unwrap().into_path();
        std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// What a run has to say of cells that it could not write in.
fn unwritten(run: &Run) -> Vec<(String, String)> {
    let all = run.list("warnings").iter();
    let ours = all.filter(|warning| warning["code"] == "cell_not_written");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    ours.map(|w| (text(&w["subject"]), text(&w["message"])))
        .collect()
}

/// A world with a canonical cell `c` whose agent `a` is down, and a plan that fails to revive it.
fn world() -> World {
    let w = World::new();
    w.canonical("c", &["a", "b"]).cell("f").beat("c/a", 900);
    plans(&w, "policy: auto\nsteps: [{run: [sh, -c, 'exit 3']}]\n");
    w
}

#[test]
fn a_cell_is_told_what_happened_to_it_and_how_its_agents_are() {
    let w = world();
    w.beat("f", 900);
    let run = w.run(&["--json"]);
    run.code(2);
    assert_eq!(unwritten(&run), []);
    let lines = stream(&w);
    let want = [
        "status_changed",
        "incident_opened",
        "intent",
        "step",
        "attempt_finished",
    ];
    assert_eq!(kinds(&lines), want);
    for line in &lines {
        assert_eq!(
            (&line["agent"], &line["by"]),
            (&"a".into(), &"lazarus-pit".into())
        );
        assert!(
            line["ts"]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .is_ok()
        );
        assert_eq!(line["run"], run.json()["run"]["id"]);
    }
    assert_eq!(
        (&lines[0]["to"], &lines[0]["reasons"][0]),
        (&"stale".into(), &"stale".into())
    );
    assert_eq!(lines[2]["attempt"], 1);
    assert_eq!(lines[2]["incident"], lines[1]["incident"]);
    assert_eq!(
        (&lines[3]["kind"], &lines[3]["exit_code"]),
        (&"run".into(), &3.into())
    );
    assert_eq!(lines[4]["result"], "failed");
    let said = state(&w);
    assert_eq!(said["cell_uuid"], "6f1ed002-ab5e-4d51-8a2b-3a0f8e6f1c01");
    assert!(said["daemon_pid"].as_u64().unwrap() > 1);
    assert!((now() - said["last_poll"].as_f64().unwrap()).abs() < 60.0);
    let of = |name: &str| said["agent_health"][name].clone();
    for name in ["a", "b"] {
        let agent = run.agent("c", name);
        assert_eq!(of(name)["healthy"], agent["state"] == "healthy", "{name}");
        assert_eq!(of(name)["last_seen"], agent["last_timestamp"], "{name}");
        assert_eq!(of(name)["revive_count"], agent["revive_count"], "{name}");
    }
    assert_eq!(
        (&of("a")["revive_count"], &of("b")["healthy"]),
        (&1.into(), &true.into())
    );
    // Nothing of it in a cell of the other layout.
    assert!(!w.path("f/.lazarus").exists() && !w.path("f/logs/events.jsonl").exists());

    // A quiet run adds no line, and the state says that it was there.
    let before = lines.len();
    w.run(&["--json"]).code(1);
    assert_eq!(stream(&w).len(), before);
    assert_ne!(state(&w)["daemon_pid"], said["daemon_pid"]);
    w.beat("c/a", 0);
    w.run(&["--json"]);
    assert_eq!(
        kinds(&stream(&w))[before..],
        ["incident_closed", "status_changed"]
    );
    assert_eq!(state(&w)["agent_health"]["a"]["revive_count"], 0);
}

#[test]
fn who_is_told_and_who_is_not() {
    let w = world();
    w.canonical("d", &["a"]).beat("d/a", 900);
    let before = w.tree();
    w.run(&["--dry-run"]);
    assert_eq!(w.tree(), before);
    // Only cells in scope.
    w.run(&["--json", "--cell", "d"]);
    assert_eq!(stream(&w), [] as [Value; 0]);
    assert!(!w.path(STATE).exists() && w.path("d/.lazarus/state.json").exists());
    // What is recorded is told, also where nothing is done.
    w.run(&["--json", "--no-act"]).code(1);
    assert_eq!(kinds(&stream(&w)), ["status_changed", "incident_opened"]);
    // Nothing where there is only counted, and no directory is made.
    let archived = r#"{"uuid": "u", "status": "archived", "agents": ["a"]}"#;
    w.put("d/cell.json", archived)
        .remove("d/.lazarus/state.json");
    w.remove("c/.lazarus").remove(STREAM);
    let run = w.run(&["--json"]);
    assert_eq!(unwritten(&run), []);
    assert!(!w.path("d/.lazarus/state.json").exists() && !w.path("c/.lazarus").exists());
    assert!(kinds(&stream(&w)).contains(&"status_changed"));
}

#[test]
fn an_operators_word_stands_in_the_stream() {
    let w = world();
    w.run(&["--json", "--no-act"]);
    let before = stream(&w).len();
    w.run(&["pause", "c/a", "--reason", "by hand"]).code(0);
    w.run(&["resume", "c/a"]).code(0);
    let lines = stream(&w);
    assert_eq!(kinds(&lines)[before..], ["paused", "resumed"]);
    assert_eq!(lines[before]["reason"], "by hand");
    let actor = lines[before]["actor"].as_str().unwrap();
    assert!(actor.starts_with("operator:"), "{actor}");
}

#[test]
fn as_root_everything_is_the_owners() {
    if !needs_root() {
        return;
    }
    let w = world();
    w.remove(STREAM);
    // Nobody but root gets here, and what is the owner's is written all the same.
    mode(&w.root(), 0o700);
    give(&w, "c");
    let run = w.run(&["--json"]);
    assert_eq!(unwritten(&run), []);
    assert_eq!(stream(&w).len(), 5);
    for path in [STREAM, STATE] {
        let meta = fs::metadata(w.path(path)).unwrap();
        assert_eq!(
            (meta.uid(), meta.gid(), meta.mode() & 0o7777),
            (NOBODY, NOBODY, 0o644)
        );
    }
    // What only root could write is not written: the file is root's, and so is the directory.
    w.run(&["--json"]);
    chown(w.path(STREAM), Some(0), Some(0)).unwrap();
    chown(w.path("c/.lazarus"), Some(0), Some(0)).unwrap();
    let before = (stream(&w), state(&w));
    w.beat("c/b", 900);
    let run = w.run(&["--json"]);
    run.code_in(&[1, 2]);
    let said = unwritten(&run);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said.iter()
            .all(|(cell, why)| cell == "c" && why.contains("Permission denied"))
    );
    assert_eq!((stream(&w), state(&w)), before);
}

#[test]
fn what_belongs_to_others_is_one_warning_and_no_other_exit_code() {
    if !needs_root() {
        return;
    }
    let w = World::new();
    for n in 0..30 {
        w.canonical(&format!("c{n}"), &["a"]);
    }
    let run = w.cmd(&["--json"]).user(NOBODY).run();
    run.code(0);
    let said = unwritten(&run);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0]
            .1
            .ends_with("Permission denied (and so in 29 more cells)"),
        "{said:?}"
    );
}

/// Everything that an agent can put in the places of these files. None of it keeps a run from its
/// work, or leads it elsewhere.
#[test]
fn hostile_things_in_their_places() {
    let w = world();
    let outside = w.base().join("outside");
    put(&outside.join("secret"), SECRET.as_bytes());
    mode(&outside.join("secret"), 0o600);
    let fifo = |path: &Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    type Mischief<'a> = &'a dyn Fn(&Path);
    let link: Mischief = &|path| symlink("../../../outside/secret", path).unwrap();
    let dangling: Mischief = &|path| symlink("../../../outside/made", path).unwrap();
    let hard: Mischief = &|path| fs::hard_link(outside.join("secret"), path).unwrap();
    let pipe: Mischief = &|path| fifo(path);
    let dir: Mischief = &|path| make_dir(&path.join("x"), 0o755);
    // The state's place is taken by what is renamed there, but for a directory.
    let cases = [
        ("a link", link, "symbolic link", false),
        ("a link to nothing", dangling, "symbolic link", false),
        ("a hard link", hard, "2 names", false),
        ("a FIFO", pipe, "a FIFO", false),
        ("a directory", dir, "directory", true),
    ];
    let given = [false, nix::unistd::geteuid().is_root()];
    for ((what, mischief, why, state_too), given) in
        cases.iter().flat_map(|c| given.map(|g| (c, g)))
    {
        w.forget().remove(STREAM).remove(STATE);
        mischief(&w.path(STREAM));
        mischief(&w.path(STATE));
        if given {
            give(&w, "c");
            // A link to it is as good as the file: it stays root's.
            chown(outside.join("secret"), Some(0), Some(0)).unwrap();
        }
        let run = w.run(&["--json"]);
        run.code(2).clean();
        let said = unwritten(&run);
        assert_eq!(said.len(), 1 + usize::from(*state_too), "{what}: {said:?}");
        assert!(
            said.iter()
                .any(|(_, s)| s.contains(STREAM.trim_start_matches("c/"))),
            "{said:?}"
        );
        let root_or = ["Permission denied", why];
        assert!(
            said.iter()
                .all(|(_, s)| root_or.iter().any(|w| s.contains(w))),
            "{what}: {said:?}"
        );
        assert_eq!(run.verdict("c/a"), Some("revive"), "{what}");
        if !*state_too {
            assert_eq!(state(&w)["agent_health"]["b"]["healthy"], true, "{what}");
        }
        let secret = fs::read_to_string(outside.join("secret")).unwrap();
        assert_eq!(
            (secret.as_str(), fs::read_dir(&outside).unwrap().count()),
            (SECRET, 1),
            "{what}"
        );
    }
    // A directory that is a link makes the cell incomplete, and is not told twice.
    w.forget().remove("c/logs").remove("c/.lazarus");
    for dir in ["logs", ".lazarus"] {
        symlink("../../outside", w.path("c").join(dir)).unwrap();
    }
    let run = w.run(&["--json"]);
    assert_eq!((run.status("c"), unwritten(&run)), ("incomplete", vec![]));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

/// A cell's own user swaps its directories for links to another's while runs go on.
#[test]
fn directories_swapped_for_links_while_runs_go_on() {
    let w = world();
    w.beat("c/b", 900);
    let root = nix::unistd::geteuid().is_root();
    let outside = w.base().join("outside");
    make_dir(&outside, 0o755);
    put(&outside.join("events.jsonl"), b"theirs\n");
    put(&outside.join("state.json"), b"theirs\n");
    for dir in ["logs", ".lazarus"] {
        symlink("../../outside", w.path("c").join(format!("{dir}-link"))).unwrap();
    }
    if root {
        give(&w, "c");
    }
    let swap = "import ctypes, os, sys\n\
        if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n\
        swap = ctypes.CDLL(None).renameat2\n\
        print('on', flush=True)\n\
        while os.getppid() == int(sys.argv[2]):\n\
        \x20   for d in ('logs', '.lazarus'):\n\
        \x20       swap(-100, (sys.argv[1] + '/' + d).encode(), -100, (sys.argv[1] + '/' + d + '-link').encode(), 2)\n";
    if !crate::world::tool("python3") {
        return;
    }
    let mut swapper = std::process::Command::new("python3")
        .args(["-c", swap])
        .arg(w.path("c"))
        .arg(std::process::id().to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 3];
    std::io::Read::read_exact(swapper.stdout.as_mut().unwrap(), &mut said).unwrap();
    let come = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..60 {
            w.forget();
            w.run(&["--json", "--no-act"]).code_in(&[0, 1, 2]).clean();
        }
    }));
    swapper.kill().unwrap();
    swapper.wait().unwrap();
    if let Err(why) = come {
        std::panic::resume_unwind(why);
    }
    let mut left: Vec<String> = fs::read_dir(&outside)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["events.jsonl", "state.json"]);
    for name in left {
        assert_eq!(
            fs::read_to_string(outside.join(&name)).unwrap(),
            "theirs\n",
            "{name}"
        );
        let meta = fs::metadata(outside.join(&name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, 0o644);
    }
}

/// Nobody's turn is skipped, be they ever so many: what it costs is in docs/performance.md.
#[test]
fn each_of_a_thousand_cells_is_told() {
    let w = World::new();
    for n in 0..1000 {
        w.canonical(&format!("c{n:04}"), &["a"]);
    }
    if nix::unistd::geteuid().is_root() {
        for n in 0..1000 {
            give(&w, &format!("c{n:04}"));
        }
    }
    let run = w.run(&["--json"]);
    assert_eq!(unwritten(&run), []);
    for n in 0..1000 {
        assert!(w.path(format!("c{n:04}/.lazarus/state.json")).exists());
    }
}
