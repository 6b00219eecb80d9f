//! The demo: what it promises happens, and nothing of it is left, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cmd::{Cmd, collect};
use crate::later::eventually;
use crate::output::Run;
use crate::world::{NOBODY, World, make_dir};

/// Where the demos of a world make their directories.
fn tmp(w: &World) -> PathBuf {
    let tmp = w.base().join("tmp");
    make_dir(&tmp, 0o1777);
    tmp
}

fn demo<'w>(w: &'w World, args: &[&str]) -> Cmd<'w> {
    let args: Vec<&str> = ["demo"].iter().chain(args).copied().collect();
    w.bare(&args).env("TMPDIR", tmp(w))
}

/// The same as an ordinary user, be the tests run by root.
fn ordinary(command: Cmd<'_>) -> Cmd<'_> {
    match nix::unistd::geteuid().is_root() {
        true => command.user(NOBODY),
        false => command,
    }
}

/// The directories that demos of this world have made.
fn directories(w: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(tmp(w)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The processes that name this path in their command line or environment, with the letter of their
/// state.
fn processes(base: &Path) -> Vec<(i32, char, String)> {
    let base = base.to_str().unwrap().as_bytes();
    let names = |bytes: &[u8]| bytes.windows(base.len()).any(|part| part == base);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let command = read("cmdline");
        if names(&command) || names(&read("environ")) {
            let stat = String::from_utf8_lossy(&read("stat")).into_owned();
            let state = stat.rsplit(") ").next().and_then(|s| s.chars().next());
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            found.push((pid, state.unwrap_or('?'), command));
        }
    }
    found
}

fn agents(w: &World) -> Vec<(i32, char, String)> {
    let mut all = processes(&tmp(w));
    all.retain(|(_, _, command)| command.starts_with("sh ") && command.contains("/agent.sh"));
    all
}

/// Nothing of it lives, and nothing of it lies about.
#[track_caller]
fn nothing_is_left(w: &World) {
    assert_eq!(processes(w.base()), []);
    assert_eq!(directories(w), [] as [PathBuf; 0]);
}

#[track_caller]
fn all_came_back(run: &Run) {
    run.code(0).stderr_empty();
    let document = run.json();
    assert_eq!(document["schema"], "lazarus-pit/demo/1");
    assert_eq!(
        (&document["ok"], &document["broken"]),
        (&Value::Bool(true), &Value::Null)
    );
    let revived = document["revived"].as_array().unwrap();
    let subjects: Vec<&str> = revived
        .iter()
        .map(|one| one["subject"].as_str().unwrap())
        .collect();
    assert_eq!(
        subjects,
        ["portal-1/claude", "portal-2/allegro", "vault/ezra"]
    );
    assert!(revived.iter().all(|one| one["old_pid"] != one["new_pid"]));
    let steps = document["steps"].as_array().unwrap();
    let checks = steps.iter().filter(|s| s["command"] == "lazarus-pit check");
    let exits: Vec<i64> = checks.map(|s| s["exit_code"].as_i64().unwrap()).collect();
    assert_eq!(exits, [0, 1, 1, 0]);
}

/// Side by side, and as root one of them as an ordinary user: neither knows of the other.
#[test]
fn two_at_once_bring_their_agents_back() {
    let w = World::new();
    let (kept, other) = thread::scope(|scope| {
        let kept = scope.spawn(|| demo(&w, &["--json", "--keep"]).run());
        let other = ordinary(demo(&w, &["--json"])).run();
        (kept.join().unwrap(), other)
    });
    all_came_back(&kept);
    all_came_back(&other);
    assert_eq!(other.json()["dir"], Value::Null);
    // What is kept is a missions root like any other, with nobody in it.
    assert_eq!(processes(w.base()), []);
    let dir = PathBuf::from(kept.json()["dir"].as_str().unwrap());
    assert_eq!(directories(&w), [dir.as_path()]);
    let config = dir.join("config.yaml");
    let history = w.bare(&["history", "--json", "--config", config.to_str().unwrap()]);
    let history = history.run();
    history.code(0).stderr_empty();
    assert_eq!(history.json()["incidents"].as_array().unwrap().len(), 6);
}

struct Playing<'w> {
    w: &'w World,
    child: Child,
    out: std::sync::mpsc::Receiver<Vec<u8>>,
}

impl<'w> Playing<'w> {
    fn start(w: &'w World) -> Self {
        let (mut command, _) = demo(w, &[]).command();
        let mut child = eventually(|| match command.spawn() {
            // Another thread's fork still has the copy open for writing.
            Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => None,
            other => Some(other.unwrap()),
        });
        let out = collect(child.stdout.take().unwrap());
        Self { w, child, out }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// It was told to end: it does, and nothing is left.
    #[track_caller]
    fn ends_clean(mut self, signal: &str) {
        let err = collect(self.child.stderr.take().unwrap());
        let status = self.child.wait().unwrap();
        let err = String::from_utf8(err.recv().unwrap()).unwrap();
        let out = String::from_utf8(self.out.recv().unwrap()).unwrap();
        assert_eq!(status.code(), Some(1), "{out}{err}");
        assert!(err.contains(&format!("interrupted by {signal}")), "{err}");
        nothing_is_left(self.w);
    }
}

#[test]
fn told_to_end_before_its_agents_are_there() {
    let w = World::new();
    let playing = Playing::start(&w);
    eventually(|| directories(&w).pop());
    kill(playing.pid(), Signal::SIGTERM).unwrap();
    playing.ends_clean("SIGTERM");
}

/// As by Ctrl-C, which the command that is just being run gets as well.
#[test]
fn told_to_end_while_agents_are_being_started() {
    let w = World::new();
    let playing = Playing::start(&w);
    eventually(|| agents(&w).pop());
    nix::sys::signal::killpg(playing.pid(), Signal::SIGINT).unwrap();
    playing.ends_clean("SIGINT");
}

#[test]
fn told_to_end_while_one_of_its_agents_hangs() {
    let w = World::new();
    let playing = Playing::start(&w);
    eventually(|| agents(&w).into_iter().find(|(_, state, _)| *state == 'T'));
    kill(playing.pid(), Signal::SIGINT).unwrap();
    playing.ends_clean("SIGINT");
}

#[test]
fn nobody_reads_on() {
    let w = World::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let run = demo(&w, &[]).stdout(Stdio::from(writer)).run();
    run.code(0).stderr_empty();
    nothing_is_left(&w);
}

#[test]
fn it_plays_nowhere_else() {
    let w = World::new();
    let root = w.root();
    let run = demo(&w, &["--root", root.to_str().unwrap()]).run();
    run.code(64)
        .stderr_has("--root: `demo` has a throw-away directory of its own");
    nothing_is_left(&w);
}

/// A promise that cannot be kept is told: without a shell no agent can be started.
#[test]
fn what_did_not_happen_is_told() {
    let w = World::new();
    // Root's own path would not count for agents that run as another.
    let run = ordinary(demo(&w, &["--json"]))
        .env("PATH", "/nonexistent")
        .run();
    run.code(1);
    let document = run.json();
    assert_eq!(document["ok"], false);
    assert!(document["broken"].as_str().unwrap().contains("start"));
    assert!(run.stderr().contains("has not shown what it promises"));
    nothing_is_left(&w);
}
