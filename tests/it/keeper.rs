//! The keeper, driven as the checker drives it: a specification goes in, an answer comes out, and the
//! process table says the rest.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use lazarus_pit::act::spawn::spec::{Answer, CellSpec, IdentitySpec, LimitsSpec, Spec};
use lazarus_pit::model::process::{Entry, ProcessStatus};
use lazarus_pit::sys::{host, process};
use lazarus_pit::table::Table;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cmd::BIN;
use crate::later::eventually;
use crate::world::{NOBODY, World, make_dir, mode, needs_root};

/// A keeper that runs; it and its agent are ended with the test.
struct Keeper {
    child: Child,
    out: BufReader<ChildStdout>,
    state: PathBuf,
    r#ref: String,
}

/// What a keeper is told: an agent of the cell `a` that is this shell script.
fn spec(w: &World, r#ref: &str, script: &str) -> Spec {
    let work = w.path("a/worktree");
    make_dir(&work, 0o755);
    let stat = fs::metadata(&work).unwrap();
    let command: Vec<String> = ["sh", "-c", script].map(str::to_owned).to_vec();
    let entry = serde_json::json!({
        "ref": r#ref, "slot": "a", "subject": "a", "actor": "cron", "status": "created",
        "incident": "i1", "attempt": 1, "plan": "p", "command": command.clone(),
        "cwd": work.clone(), "started_at": host::now(), "grace_ms": 10_000, "later": "kept",
    });
    Spec {
        entry: serde_json::from_value(entry).unwrap(),
        state_dir: w.state(),
        logs_dir: w.state().join("logs"),
        max_bytes: 1 << 20,
        cell: Some(CellSpec {
            root: w.root(),
            id: "a".into(),
            cwd: "worktree".into(),
            cwd_is: (stat.dev(), stat.ino()),
            allow_mounts: false,
        }),
        name: "main".into(),
        program: "/bin/sh".into(),
        args: command,
        env: vec![
            b"PATH=/usr/bin:/bin".to_vec(),
            format!("LAZARUS_REF={}", r#ref).into_bytes(),
        ],
        identity: None,
        no_new_privs: true,
        limits: LimitsSpec::default(),
        not_after_ms: boottime_ms() + 60_000,
        wake: None,
        beat: None,
    }
}

fn boottime_ms() -> u64 {
    u64::try_from(host::uptime().unwrap().as_millis()).unwrap()
}

impl Keeper {
    fn start(spec: &Spec) -> Self {
        Self::told(spec, &serde_json::to_vec(spec).unwrap())
    }

    fn told(spec: &Spec, bytes: &[u8]) -> Self {
        Self::by(Command::new(BIN), spec, bytes)
    }

    fn by(mut command: Command, spec: &Spec, bytes: &[u8]) -> Self {
        let mut child = command
            .args(["__keeper", &spec.entry.r#ref, &spec.entry.subject])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            out,
            state: spec.state_dir.clone(),
            r#ref: spec.entry.r#ref.clone(),
        }
    }

    /// Its answer; none where it ended without one.
    fn answer(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    /// The agent's pid.
    #[track_caller]
    fn started(&mut self) -> i32 {
        match self.answer() {
            Some(Answer::Started { pid, trouble, .. }) => {
                assert_eq!(trouble, None);
                pid
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn failed(&mut self) -> String {
        match self.answer() {
            Some(Answer::Failed { error }) => error,
            other => panic!("{other:?}"),
        }
    }

    fn entry(&self) -> Option<Entry> {
        let table = Table::open(&self.state).unwrap()?;
        table.entry(&self.r#ref).unwrap()
    }

    /// Its exit status, once it has ended by itself.
    fn wait(&mut self) -> Option<i32> {
        eventually(|| self.child.try_wait().unwrap()).code()
    }

    /// The entry when the keeper has ended.
    fn end(&mut self) -> Entry {
        assert_eq!(self.wait(), Some(0));
        self.entry().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// The lines of the agent's log without their heads.
    fn log(&self) -> String {
        let log = self.entry().unwrap().log.unwrap();
        let log = fs::read(log).unwrap();
        let log = String::from_utf8_lossy(&log).into_owned();
        log.lines()
            .map(|line| line.split_once("] ").unwrap().1.to_owned() + "\n")
            .collect()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let agent = self.entry().and_then(|entry| entry.pid);
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(pid) = agent.filter(|pid| lives(*pid)) {
            let _ = nix::sys::signal::killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

fn lives(pid: i32) -> bool {
    process::start_time(pid).is_some()
}

#[test]
fn an_agent_is_started_and_its_end_is_written_down() {
    let w = World::new();
    let spec = spec(&w, "r1", "echo out; echo err >&2; read x; exit 7");
    let mut keeper = Keeper::start(&spec);
    let pid = keeper.started();
    let entry = keeper.end();
    assert_eq!(
        (entry.status, entry.exit_code, entry.signal),
        (ProcessStatus::Exited, Some(7), None)
    );
    assert_eq!((entry.pid, entry.error.as_deref()), (Some(pid), None));
    assert_eq!(entry.keeper_pid, Some(keeper.child.id().cast_signed()));
    assert_eq!(entry.boot_id, host::boot_id());
    assert_eq!(entry.other["later"], "kept");
    assert!(entry.ended_at.unwrap() >= entry.started_at && entry.duration_ms.is_some());
    let mut lines: Vec<String> = keeper.log().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["err", "out"]);
    let log = fs::read_to_string(entry.log.unwrap()).unwrap();
    assert!(log.contains("+00:00 [main:stdout] out\n"), "{log}");
    assert!(log.contains("+00:00 [main:stderr] err\n"), "{log}");
}
