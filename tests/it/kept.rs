//! A subject has one agent, whatever is lost, forgotten or killed, and whoever runs at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lazarus_pit::model::process::{Entry, ProcessStatus};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::doomed::many;
use crate::later::{eventually, plans};
use crate::output::Run;
use crate::world::{NOBODY, World, remove, tool};

/// Notes whoever of its cell still lives when it is born, and then itself.
pub(crate) const BIRTH: &str = "for p in $(cat pids 2>/dev/null); do \
     grep -q ') [^ZX]' /proc/$p/stat 2>/dev/null && echo $p >>both; done; echo $$ >>pids;";

/// A plan that never waits and never gives up.
pub(crate) const AT_ONCE: &str =
    "limits: {attempts: 1000, backoff: {initial: 0s, max: 0s, jitter: 0}}\nverify: {within: 1ms}\n";

/// A world in which agents are started; all that comes of it ends with it.
pub(crate) struct Stage {
    pub(crate) world: World,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let mark = self.world.base().as_os_str().as_encoded_bytes().to_vec();
        let until = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            let all = processes(|environ| environ.windows(mark.len()).any(|part| part == mark));
            if all.is_empty() || std::time::Instant::now() > until {
                return;
            }
            for pid in all {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Stage {
    /// With one cell, `a`, that is down.
    pub(crate) fn new() -> Self {
        let stage = Self {
            world: World::new(),
        };
        stage.cell("a").down("a");
        stage
    }

    /// A cell of an ordinary user's.
    pub(crate) fn cell(&self, id: &str) -> &Self {
        self.world.cell(id);
        give(&self.world.path(id), NOBODY);
        self
    }

    /// Its agent has not beaten for a quarter of an hour.
    pub(crate) fn down(&self, id: &str) -> &Self {
        self.world.beat(id, 900);
        self
    }

    /// A plan for all, that starts a shell with this script; `keys` are further ones of the step.
    pub(crate) fn plan(&self, script: &str, keys: &str, more: &str) -> &Self {
        let script = serde_json::to_string(script).unwrap();
        plans(
            &self.world,
            &format!(
                "policy: auto\n{more}steps: [{{spawn: {{command: [sh, -c, {script}], {keys}}}}}]\n"
            ),
        );
        self
    }

    /// A run that revives whoever is down, whatever was lost before it.
    pub(crate) fn check(&self) -> Run {
        let run = self.world.run(&["--json", "--force", "--wait-lock", "20s"]);
        run.survived();
        run
    }

    /// Who noted to have been born in the cell `a`, when there are so many.
    pub(crate) fn born(&self, count: usize) -> Vec<i32> {
        eventually(|| {
            let pids = self.pids();
            (pids.len() >= count).then_some(pids)
        })
    }

    /// Who has noted to have been born in the cell `a`.
    pub(crate) fn pids(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.world.path("a/worktree/pids")).unwrap_or_default();
        // A line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Asserts that nobody was born while another lived.
    #[track_caller]
    pub(crate) fn never_two(&self) {
        let both = fs::read_to_string(self.world.path("a/worktree/both"));
        assert!(both.is_err(), "two at once: {both:?}");
    }

    /// The table's entries, in the order of time.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let table = lazarus_pit::table::Table::open(&self.world.state()).unwrap();
        let found = table.map(|table| table.entries().unwrap());
        let found = found.unwrap_or_default();
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        found.entries
    }

    /// The newest entry.
    #[track_caller]
    pub(crate) fn latest(&self) -> Entry {
        self.entries().pop().expect("there is an entry")
    }

    /// The newest entry of an agent that has ended, when it has.
    pub(crate) fn ended(&self) -> Entry {
        eventually(|| self.entries().pop().filter(|entry| entry.status.is_over()))
    }

    /// What the newest process of an agent has printed.
    pub(crate) fn log(&self, below: &str) -> Vec<u8> {
        fs::read(self.world.state().join("logs").join(below)).unwrap_or_default()
    }

    /// What it has printed, without the lines' heads, when it has printed a line with this text.
    pub(crate) fn said(&self, below: &str, text: &str) -> String {
        eventually(|| {
            let log = String::from_utf8(self.log(below)).unwrap();
            let bare = |line: &str| line.split_once("] ").unwrap_or(("", line)).1.to_owned();
            let lines: Vec<String> = log.lines().map(bare).collect();
            let there = lines.iter().any(|line| line.contains(text));
            (there && log.ends_with('\n')).then(|| lines.join("\n"))
        })
    }
}

/// Hands a directory with all it contains to a user, where that can be done.
pub(crate) fn give(path: &Path, uid: u32) {
    if nix::unistd::geteuid().is_root() {
        for entry in walkdir::WalkDir::new(path) {
            std::os::unix::fs::lchown(entry.unwrap().path(), Some(uid), Some(uid)).unwrap();
        }
    }
}

/// The living processes with such an environment.
pub(crate) fn processes(wanted: impl Fn(&[u8]) -> bool) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap();
    let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_wanted = |pid: &i32| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|e| !e.is_empty() && wanted(&e))
    };
    pids.filter(is_wanted).collect()
}

/// True for a process that is there and no zombie.
pub(crate) fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// What may be lost, each alone, and all at once.
const LOSSES: [&str; 6] = [
    "nothing",
    "state.json",
    "journal.jsonl",
    "json",
    "lock",
    "all",
];

/// Removes it from the state directory.
fn lose(state: &Path, what: &str) {
    let below = |end: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(state.join("procs")).into_iter().flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|e| e == end))
            .collect()
    };
    match what {
        "nothing" => {}
        "json" => below("json").iter().for_each(|path| remove(path)),
        "lock" => {
            below("lock").iter().for_each(|path| remove(path));
            below("alive").iter().for_each(|path| remove(path));
        }
        "all" => ["state.json", "journal.jsonl", "procs"]
            .iter()
            .for_each(|name| remove(&state.join(name))),
        file => remove(&state.join(file)),
    }
}

/// Runs after each loss, with the keeper and without; each agent is so many processes.
fn one_after_the_other(script: &str, many: usize) {
    let stage = Stage::new();
    let script = format!("{BIRTH} {script}");
    stage.plan(&script, "grace: 60ms, wake: false", AT_ONCE);
    stage.check().code(1);
    let mut before = stage.born(many);
    for keeper_killed in [false, true] {
        for what in LOSSES {
            if keeper_killed {
                let keeper = stage.latest().keeper_pid.unwrap();
                kill(Pid::from_raw(keeper), Signal::SIGKILL).unwrap();
                eventually(|| (!lives(keeper)).then_some(()));
            }
            lose(&stage.world.state(), what);
            stage.down("a");
            let run = stage.check();
            assert_eq!(run.verdict("a/main"), Some("revive"), "{what}: {run}");
            run.code(1);
            let all = stage.born(before.len() + many);
            assert_eq!(all.len(), before.len() + many, "{what}: {run}");
            stage.never_two();
            let (old, new) = all.split_at(before.len());
            let left: Vec<&i32> = old.iter().filter(|pid| lives(**pid)).collect();
            assert!(left.is_empty(), "{what}, {keeper_killed}: {left:?} {run}");
            assert!(new.iter().all(|pid| lives(*pid)), "{what}: {run}");
            before = all;
        }
    }
    // Whoever kept them has nothing left to do, be it that there is no table any more.
    let home = format!("HOME={}", stage.world.base().display());
    let keepers = || {
        let keeps = |pid: &i32| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains("__keeper")
        };
        let of_us = processes(|environ| String::from_utf8_lossy(environ).contains(&home));
        of_us.iter().filter(|pid| keeps(pid)).count()
    };
    eventually(|| (keepers() == 1).then_some(()));
}

#[test]
fn an_agent_and_its_successor_never_live_together() {
    one_after_the_other("exec sleep 1000", 1);
}

/// It takes no TERM, and neither does what it has put into a session of its own.
#[test]
fn nor_do_agents_that_will_not_go() {
    let script = "trap '' TERM; setsid sh -c 'echo $$ >>pids; exec sleep 1000' & exec sleep 1000";
    one_after_the_other(script, 2);
}

/// An agent that has a descriptor open, without an environment and in another session: its place is
/// held, so nobody is put beside it.
#[test]
fn what_hides_from_its_keepers_successor_keeps_its_place() {
    let stage = Stage::new();
    let script =
        format!("{BIRTH} env -i setsid sh -c 'echo $$ >>pids; exec sleep 1000' & exec sleep 1000");
    stage.plan(&script, "grace: 60ms, wake: false", AT_ONCE);
    stage.check().code(1);
    let pids = stage.born(2);
    let keeper = stage.latest().keeper_pid.unwrap();
    kill(Pid::from_raw(keeper), Signal::SIGKILL).unwrap();
    eventually(|| (!lives(keeper)).then_some(()));
    let run = stage.check();
    let error = run.list("actions")[0]["steps"][0]["error"].to_string();
    let hidden = pids.iter().copied().find(|pid| lives(*pid));
    for pid in pids.iter().filter(|pid| lives(**pid)) {
        kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
    }
    if hidden.is_some() {
        assert!(error.contains("the place of a/main is taken"), "{run}");
        eventually(|| {
            stage.check();
            (stage.pids().len() > 2).then_some(())
        });
    }
    stage.never_two();
}

/// Stopped, it hears of nothing, and neither does its keeper.
#[test]
fn nor_do_agents_that_are_stopped() {
    let stage = Stage::new();
    let script = format!("{BIRTH} sleep 1000 & wait");
    stage.plan(&script, "grace: 60ms, wake: false", AT_ONCE);
    stage.check().code(1);
    let mut before = stage.born(1);
    for (keeper_too, kept) in [(false, true), (true, true), (true, false)] {
        let entry = stage.latest();
        let signal = |pid: Option<i32>, signal| kill(Pid::from_raw(pid.unwrap()), signal).unwrap();
        signal(entry.pid, Signal::SIGSTOP);
        if keeper_too {
            signal(entry.keeper_pid, Signal::SIGSTOP);
        }
        if !kept {
            signal(entry.keeper_pid, Signal::SIGKILL);
        }
        stage.down("a");
        stage.check().code(1);
        let all = stage.born(before.len() + 1);
        stage.never_two();
        assert!(!before.iter().any(|pid| lives(*pid)));
        before = all;
    }
}

/// What has neither an environment nor a descriptor of its subject's any more is in its session
/// all the same, be its leader gone.
#[test]
fn nor_does_what_is_left_of_a_session() {
    for lost in ["nothing", "lock"] {
        let stage = Stage::new();
        let close = "for n in 3 4 5 6 7 8 9; do eval \"exec $n>&-\"; done";
        let script = format!(
            "{BIRTH} env -i sh -c '{close}; echo $$ >>pids; exec sleep 1000' & exec sleep 1000"
        );
        stage.plan(&script, "grace: 60ms, wake: false", AT_ONCE);
        stage.check().code(1);
        let pids = stage.born(2);
        let entry = stage.latest();
        for pid in [entry.keeper_pid.unwrap(), entry.pid.unwrap()] {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            eventually(|| (!lives(pid)).then_some(()));
        }
        assert_eq!(pids.iter().filter(|pid| lives(**pid)).count(), 1);
        lose(&stage.world.state(), lost);
        stage.down("a");
        let run = stage.check();
        assert_eq!(run.verdict("a/main"), Some("revive"), "{lost}: {run}");
        run.code(1);
        assert!(lives(stage.born(4)[3]));
        stage.never_two();
        assert!(!pids.into_iter().any(lives), "{lost}: {run}");
    }
}

/// It lives on beside nobody, and is well as long as it beats.
#[test]
fn an_agent_without_a_keeper_is_let_alone() {
    let stage = Stage::new();
    let limits = "limits: {backoff: {initial: 0s, max: 0s}}\n";
    stage.plan(&format!("{BIRTH} exec sleep 1000"), "wake: false", limits);
    stage.check().code(1);
    let pid = stage.born(1)[0];
    let keeper = stage.latest().keeper_pid.unwrap();
    kill(Pid::from_raw(keeper), Signal::SIGKILL).unwrap();
    eventually(|| (!lives(keeper)).then_some(()));
    stage.world.beat("a", 0);
    stage.check().code(0);
    let entry = stage.latest();
    assert_eq!(
        (entry.status, entry.pid),
        (ProcessStatus::Unkept, Some(pid))
    );
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    eventually(|| (!lives(pid)).then_some(()));
    stage.world.beat("a", 1);
    // An end that nobody saw is no good one, and is seen at once.
    let run = stage.check();
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    let entry = &stage.entries()[0];
    assert_eq!(
        (entry.status, entry.exit_code),
        (ProcessStatus::Unknown, None)
    );
}

#[test]
fn a_predecessor_that_is_to_stay_stays() {
    let stage = Stage::new();
    let script = format!("{BIRTH} exec sleep 1000");
    stage.plan(&script, "wake: false", AT_ONCE);
    stage.check().code(1);
    let pid = stage.born(1)[0];
    for what in ["nothing", "all", "nothing"] {
        lose(&stage.world.state(), what);
        stage.plan(&script, "wake: false, replace: keep", AT_ONCE);
        let run = stage.check();
        let step = &run.list("actions")[0]["steps"][0];
        assert_eq!((&step["result"], &step["pid"]), (&"ok".into(), &pid.into()));
        stage.plan(&script, "wake: false, replace: fail", AT_ONCE);
        let run = stage.check();
        run.code(2);
        let step = &run.list("actions")[0]["steps"][0];
        assert_eq!(step["result"], "failed");
        let error = step["error"].as_str().unwrap();
        assert!(error.contains(&format!("pid {pid}")), "{error}");
        assert_eq!(stage.pids(), [pid]);
        assert!(lives(pid));
    }
}

#[test]
fn ten_runs_at_once_start_one_agent() {
    let stage = Stage::new();
    let script = format!("{BIRTH} exec sleep 1000");
    stage.plan(&script, "wake: false", "");
    let runs: Vec<_> = (0..10)
        .map(|n| {
            let wait: &[&str] = match n % 2 {
                0 => &["--json", "--wait-lock", "20s"],
                _ => &["--json"],
            };
            stage.world.cmd(wait).command().0.spawn().unwrap()
        })
        .collect();
    for run in runs {
        let code = run.wait_with_output().unwrap().status.code();
        assert!([Some(1), Some(75)].contains(&code), "{code:?}");
    }
    stage.check();
    let pids = stage.born(1);
    assert_eq!(pids.len(), 1);
    assert!(lives(pids[0]));
    assert_eq!(stage.entries().len(), 1);
}

/// Whatever cron does with a run's outputs: it is the run that has them, and nobody who outlives it.
#[test]
fn nothing_of_a_run_is_held_by_those_who_outlive_it() {
    if !tool("flock") {
        return;
    }
    let stage = Stage::new();
    let script = format!("{BIRTH} exec sleep 1000");
    stage.plan(&script, "grace: 60ms, wake: false", AT_ONCE);
    let lock = stage.world.base().join("lock");
    for round in 1..=many(20, 100) {
        stage.down("a");
        // Its harness waits for the end of both its outputs.
        let flock = ["flock", "-n", lock.to_str().unwrap()];
        let run = stage.world.cmd(&["--json"]).through(&flock).run();
        assert_eq!(run.verdict("a/main"), Some("revive"), "{round}: {run}");
        run.code(1);
        let free = Command::new("flock")
            .arg("-n")
            .arg(&lock)
            .arg("true")
            .status();
        assert!(free.unwrap().success(), "{round}");
        assert_eq!(stage.born(round).len(), round);
    }
    stage.never_two();
}

/// With nobody who reads them.
#[test]
fn outputs_without_a_reader_hurt_no_agent() {
    let stage = Stage::new();
    let script = format!("{BIRTH} echo hello; exec sleep 1000");
    stage.plan(&script, "grace: 60ms, wake: false", AT_ONCE);
    for round in 1..=many(20, 100) {
        stage.down("a");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = stage.world.cmd(&["--json"]).stdout(writer).run();
        assert!(run.signal().is_none(), "{run}");
        let pids = stage.born(round);
        assert_eq!(pids.len(), round);
        assert!(
            lives(pids[round - 1]),
            "{round}: {:#?} {run}",
            stage.latest()
        );
        stage.said("a/main.log", "hello");
    }
    stage.never_two();
}
