//! File systems that never answer: whoever asks them anything hangs, beyond all signals.
//!
//! The file system is a FUSE one whose server is a thread of the test. It lies in a mount namespace
//! of its own, and when the test is over its connection is cut, which frees whoever hangs.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount,
};

use crate::cmd::{Cmd, collect};
use crate::later::{eventually, plans};
use crate::output::Run;
use crate::store::journal;
use crate::world::{World, can_mount, make_dir};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);
/// The first thing that the kernel asks a file system for.
const FUSE_INIT: u32 = 26;

/// Runs a test in a mount namespace of its own, where there can be one.
pub(crate) fn apart(test: impl FnOnce(&World) + Send) {
    if !can_mount() {
        return;
    }
    // Whether there is FUSE is the kernel's matter, in CI too.
    if let Err(e) = File::options().read(true).write(true).open("/dev/fuse") {
        eprintln!("skipped: no FUSE here: /dev/fuse: {e}");
        return;
    }
    let world = World::new();
    std::thread::scope(|s| {
        let done = s.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", private).unwrap();
            test(&world);
        });
        if let Err(why) = done.join() {
            std::panic::resume_unwind(why);
        }
    });
}

/// A mount that hangs whoever asks it. Dropped, it is gone and nobody hangs any more.
pub(crate) struct Hung {
    at: PathBuf,
    binds: Vec<PathBuf>,
    asked: Receiver<u32>,
    server: Option<JoinHandle<()>>,
    /// Kept open where there is no server.
    _device: Option<File>,
}

impl Hung {
    /// Its server says hello, takes every request and answers none: who asks cannot be killed.
    pub(crate) fn taking(at: &Path) -> Self {
        let device = Self::mount(at);
        let (tell, asked) = channel();
        let server = std::thread::spawn(move || serve(&device, &tell));
        Self {
            at: at.to_owned(),
            binds: Vec::new(),
            asked,
            server: Some(server),
            _device: None,
        }
    }

    /// Nobody even says hello.
    fn mute(at: &Path) -> Self {
        Self {
            at: at.to_owned(),
            binds: Vec::new(),
            asked: channel().1,
            server: None,
            _device: Some(Self::mount(at)),
        }
    }

    fn mount(at: &Path) -> File {
        let device = File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .unwrap();
        let fd = device.as_fd().as_raw_fd();
        let data = format!("fd={fd},rootmode=40000,user_id=0,group_id=0");
        let data = std::ffi::CString::new(data).unwrap();
        mount("hung", at, "fuse", MountFlags::empty(), data.as_c_str()).unwrap();
        device
    }

    /// The same file system in one more place.
    fn also(&mut self, at: &Path) {
        mount_bind(&self.at, at).unwrap();
        self.binds.push(at.to_owned());
    }

    /// Waits until somebody asks, and hangs.
    pub(crate) fn wait_for_a_victim(&self) {
        self.asked.recv_timeout(LIMIT).expect("nobody asked it");
    }

    /// Whether anybody asked it anything so far.
    fn was_asked(&self) -> bool {
        self.asked.try_recv().is_ok()
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // By force: it cuts the connection, and all that hang are answered with an error.
        for at in self.binds.iter().chain([&self.at]) {
            let _ = unmount(at, UnmountFlags::FORCE | UnmountFlags::DETACH);
        }
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// The kernel's protocol as far as it takes to be a file system at all.
fn serve(mut device: &File, tell: &Sender<u32>) {
    let mut request = vec![0; 1 << 20];
    // It ends with the connection.
    while let Ok(n) = device.read(&mut request) {
        assert!(n >= 40, "half a request");
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        let (opcode, unique) = (word(4), &request[8..16]);
        if opcode != FUSE_INIT {
            let _ = tell.send(opcode);
            continue;
        }
        let mut reply = Vec::new();
        for n in [80u32, 0] {
            reply.extend(n.to_ne_bytes());
        }
        reply.extend(unique);
        // Protocol 7.31, read-ahead, no flags, 12 requests in the background, 128 KiB writes.
        for n in [7u32, 31, 65536, 0, 12 | 9 << 16, 131_072] {
            reply.extend(n.to_ne_bytes());
        }
        reply.resize(80, 0);
        device.write_all(&reply).unwrap();
    }
}

/// A run whose process may stay behind after all is done, because one of its threads hangs.
pub(crate) struct Left {
    child: Child,
    words: String,
    out: Vec<u8>,
    err: Vec<u8>,
}

/// Runs until there is no more output to come: that is when cron, a pipe or a terminal goes on.
#[track_caller]
pub(crate) fn until_output_ends(cmd: Cmd<'_>) -> Left {
    let (mut command, words) = cmd.command();
    let mut child = command.spawn().unwrap();
    let out = collect(child.stdout.take().unwrap());
    let err = collect(child.stderr.take().unwrap());
    let all = |from: Receiver<Vec<u8>>| {
        from.recv_timeout(LIMIT)
            .expect("something that hangs holds the output")
    };
    Left {
        out: all(out),
        err: all(err),
        child,
        words,
    }
}

impl Left {
    /// The run, once its process is gone; whatever hung must be free by now.
    pub(crate) fn end(mut self) -> Run {
        let status = self.child.wait().unwrap();
        Run::new(self.words, status, self.out, self.err)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).expect("one JSON document")
    }
}

fn three_cells(world: &World) {
    world.cell("a").cell("b").cell("c").beat("c", 900);
}

#[test]
fn a_fuse_mount_over_a_cell_is_told_apart_without_asking_it() {
    apart(|world| {
        three_cells(world);
        for hang in [Hung::mute, Hung::taking] {
            let hung = hang(&world.path("a"));
            // With an hour's deadline: nothing here waits for one.
            let run = world.run(&["--json", "--deadline", "1h"]);
            run.survived().expect("a", "incomplete", "unreadable");
            assert!(
                run.sentences("a")
                    .contains("a mount of type fuse lies over the cell"),
                "{run}"
            );
            assert_eq!(run.verdict("a"), Some("unobserved"));
            assert_eq!((run.status("b"), run.status("c")), ("healthy", "stale"));
            assert_eq!(run.verdict("c/main"), Some("unplanned"));
            assert!(!hung.was_asked());
        }
        // What could not be looked at opened nothing.
        let events = journal(world);
        let opened: Vec<_> = events
            .iter()
            .filter(|e| e["event"] == "incident_opened")
            .map(|e| e["subject"].as_str().unwrap())
            .collect();
        assert_eq!(opened, ["c/main"]);
        world.beat("c", 0).run(&["--json"]).code(0);
    });
}

#[test]
fn a_fuse_mount_below_a_cell_is_not_entered() {
    apart(|world| {
        three_cells(world);
        world.canonical("d", &["x", "y"]);
        for hang in [Hung::mute, Hung::taking] {
            let state = hang(&world.path("a/state"));
            let beats = hang(&world.path("d/.lazarus"));
            let run = world.run(&["--json", "--deadline", "1h"]);
            run.survived();
            for (cell, agent) in [("a", "main"), ("d", "x"), ("d", "y")] {
                let agent = run.agent(cell, agent);
                assert_eq!(agent["status"], "incomplete", "{run}");
                assert!(run.json().to_string().contains("a mount lies in its path"));
            }
            for subject in ["a/main", "d/x", "d/y"] {
                assert_eq!(run.verdict(subject), Some("unobserved"), "{run}");
            }
            assert_eq!((run.status("b"), run.status("c")), ("healthy", "stale"));
            assert!(!state.was_asked() && !beats.was_asked());
        }
    });
}

#[test]
fn a_reader_that_hangs_ends_neither_the_run_nor_the_next_one() {
    apart(|world| {
        three_cells(world);
        world.config("allow_mounts: true\n");
        let hung = Hung::taking(&world.path("a"));
        let first = until_output_ends(world.cmd(&["--json", "--deadline", "2s"]));
        let report = first.json();
        assert_eq!(report["cells"][0]["status"], "incomplete", "{report}");
        let reason = &report["cells"][0]["reasons"][0];
        assert_eq!(reason["code"], "unreadable", "{report}");
        assert!(reason["message"].as_str().unwrap().contains("deadline"));
        assert_eq!(report["cells"][1]["status"], "healthy", "{report}");
        assert_eq!(report["cells"][2]["status"], "stale", "{report}");
        assert_eq!(report["exit"]["code"], 2, "{report}");
        hung.wait_for_a_victim();
        // The lock is free at once, whatever is left of the first run's process.
        world.run(&["--json", "--cell", "b"]).code(0);
        let again = until_output_ends(world.cmd(&["--json", "--deadline", "2s"]));
        let again_seen = again.json();
        for n in 0..3 {
            let status = |seen: &serde_json::Value| seen["cells"][n]["status"].clone();
            assert_eq!(status(&again_seen), status(&report));
        }
        drop(hung);
        first.end().code(2);
        again.end().code(2);
        assert_eq!(world.run(&["--json"]).code(2).status("a"), "healthy");
    });
}

/// A disk that stops answering in the middle of an attempt, just before its step `wait`: whatever
/// a run does that is at `work` meanwhile.
fn stops_before_the_wait<T>(world: &World, within: &str, work: impl FnOnce() -> T) -> (Hung, T) {
    three_cells(world);
    world.config("allow_mounts: true\n");
    let home = |name: &str| world.base().join("home").join(name);
    let (started, go) = (home("started"), home("go"));
    let (touch, test) = (started.display(), go.display());
    let script = format!("touch {touch}; until test -e {test}; do sleep 0.01; done");
    let steps = format!("[{{run: [sh, -c, '{script}']}}, {{wait: {{within: {within}}}}}]");
    plans(
        world,
        &format!("policy: auto\nmatch: {{cells: [c]}}\nsteps: {steps}\n"),
    );
    make_dir(&home("aside"), 0o755);
    let mut hung = Hung::taking(&home("aside"));
    let done = std::thread::scope(|s| {
        let hung = &mut hung;
        s.spawn(move || {
            eventually(|| started.exists().then_some(()));
            hung.also(&world.path("c/state"));
            File::create(go).unwrap();
        });
        work()
    });
    (hung, done)
}

#[test]
fn a_wait_that_hangs_ends_in_its_time_and_keeps_no_lock() {
    apart(|world| {
        let run = || until_output_ends(world.cmd(&["--json", "--deadline", "20s"]));
        let (hung, first) = stops_before_the_wait(world, "1s", run);
        let report = first.json();
        let step = &report["actions"][0]["steps"][1];
        assert_eq!(step["result"], "timed_out", "{report}");
        let error = step["error"].as_str().unwrap();
        let why = "could not be looked at within 1s";
        assert!(error.contains(why), "{error}");
        hung.wait_for_a_victim();
        // The lock is free at once, whatever is left of the first run's process.
        world.run(&["--json", "--cell", "b"]).code(0);
        drop(hung);
        first.end().code(2);
    });
}

#[test]
fn a_run_that_is_killed_while_its_wait_hangs_keeps_no_lock() {
    apart(|world| {
        let start = || {
            let (mut command, _) = world.cmd(&["--deadline", "1h"]).command();
            command.spawn().unwrap()
        };
        let (hung, mut child) = stops_before_the_wait(world, "1h", start);
        hung.wait_for_a_victim();
        child.kill().unwrap();
        world
            .run(&["--json", "--cell", "b", "--wait-lock", "20s"])
            .code(0);
        drop(hung);
        child.wait().unwrap();
    });
}

#[test]
fn a_stream_that_hangs_costs_its_own_cell_alone() {
    apart(|world| {
        world.config("allow_mounts: true\n");
        for id in ["a", "b", "c"] {
            world.canonical(id, &["x"]).beat(&format!("{id}/x"), 900);
        }
        let hung = Hung::taking(&world.path("b/logs"));
        // One that waited for its deadline would not be done in time.
        let first = until_output_ends(world.cmd(&["--json", "--deadline", "1h"]));
        let report = first.json();
        let warnings = report["warnings"].as_array().unwrap();
        let about = |w: &&serde_json::Value| w["code"] == "cell_not_written";
        let said: Vec<_> = warnings.iter().filter(about).collect();
        assert_eq!(said.len(), 1, "{report}");
        assert_eq!(said[0]["subject"], "b");
        assert!(said[0]["message"].to_string().contains("did not answer"));
        hung.wait_for_a_victim();
        for id in ["a", "b", "c"] {
            assert!(world.path(id).join(".lazarus/state.json").exists(), "{id}");
            let stream = world.path(id).join("logs/events.jsonl");
            assert!(id == "b" || std::fs::metadata(stream).unwrap().len() > 0);
        }
        // The lock is free at once, whatever is left of the first run's process.
        world.run(&["--json", "--cell", "a"]).code(2);
        drop(hung);
        first.end().code(2);
    });
}

#[test]
fn a_run_that_is_killed_while_it_hangs_keeps_no_lock() {
    apart(|world| {
        three_cells(world);
        world.config("allow_mounts: true\n");
        let hung = Hung::taking(&world.path("a/state"));
        let (mut command, _) = world.cmd(&["--deadline", "1h"]).command();
        let mut child = command.spawn().unwrap();
        hung.wait_for_a_victim();
        child.kill().unwrap();
        world
            .run(&["--json", "--cell", "b", "--wait-lock", "20s"])
            .code(0);
        drop(hung);
        child.wait().unwrap();
    });
}

/// Cells that hang, among others before, between and behind them.
fn fleet(world: &World, hanging: usize) -> Hung {
    world.config("allow_mounts: true\n");
    let mut hung = None;
    for n in 0..hanging {
        world.cell(format!("c{n:03}-good"));
        let bad = world.path(format!("c{n:03}-bad"));
        make_dir(&bad, 0o755);
        match &mut hung {
            None => hung = Some(Hung::taking(&bad)),
            Some(hung) => hung.also(&bad),
        }
    }
    world.cell("z");
    hung.unwrap()
}

#[test]
fn each_cell_that_hangs_costs_itself_alone_and_all_of_them_one_patience() {
    apart(|world| {
        let hung = fleet(world, 12);
        let began = Instant::now();
        let run = until_output_ends(world.cmd(&["--json", "--deadline", "1h"]));
        // Five seconds for all of them together. One after the other they would be a minute.
        assert!(began.elapsed() < Duration::from_secs(55));
        drop(hung);
        let run = run.end();
        run.code_in(&[1, 2]);
        for cell in run.cells() {
            let id = cell["mission_id"].as_str().unwrap();
            let bad = id.ends_with("bad");
            let status = if bad { "incomplete" } else { "healthy" };
            assert_eq!(cell["status"], status, "{id}: {run}");
            assert!(!bad || run.sentences(id).contains("did not answer within 5s"));
        }
        assert_eq!(run.summary("healthy"), 13, "{run}");
    });
}

#[test]
fn when_every_reader_hangs_the_run_still_ends_and_says_what_it_did_not_see() {
    apart(|world| {
        let hung = fleet(world, 100);
        let run = until_output_ends(world.cmd(&["--json", "--deadline", "1h"]));
        drop(hung);
        let run = run.end();
        run.code_in(&[1, 2]);
        assert_eq!(run.cells().len(), 201);
        run.expect("z", "incomplete", "unreadable");
        assert!(run.sentences("z").contains("too many cells do not answer"));
        assert_eq!(run.verdict("z"), Some("unobserved"));
        // Nobody was taken for dead.
        assert!(
            journal(world)
                .iter()
                .all(|e| e["event"] != "incident_opened")
        );
    });
}

#[test]
fn a_missions_root_that_hangs_is_a_root_that_is_not_there() {
    apart(|world| {
        world.cell("a").run(&[]).code(0);
        for hang in [Hung::mute, Hung::taking] {
            let root = world.base().join("far");
            make_dir(&root, 0o755);
            let hung = hang(&root);
            let cmd = world
                .bare(&["--json", "--deadline", "2s", "--root"])
                .arg(&root)
                .arg("--state-dir")
                .arg(world.state());
            let run = until_output_ends(cmd);
            let error = &run.json()["error"];
            assert_eq!(error["code"], 66, "{error}");
            assert!(error["message"].as_str().unwrap().contains("far"));
            assert_eq!(world.meta().unwrap()["status"], "error");
            // The lock is free, although the process may still be there.
            world.run(&["--json"]).code(0);
            drop(hung);
            run.end().code(66);
        }
    });
}
