//! The keeper, driven as the checker drives it: a specification goes in, an answer comes out, and the
//! process table says the rest.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use lazarus_pit::act::spawn::spec::{Answer, CellSpec, IdentitySpec, LimitsSpec, Spec};
use lazarus_pit::model::process::{Entry, ProcessStatus};
use lazarus_pit::sys::{host, process};
use lazarus_pit::table::Table;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::later::eventually;
use crate::world::{NOBODY, World, make_dir, mode, put};

/// A keeper that runs; it and its agent are ended with the test.
pub(crate) struct Keeper {
    pub(crate) child: Child,
    out: Option<BufReader<ChildStdout>>,
    state: PathBuf,
    r#ref: String,
}

/// What a keeper is told: an agent of the cell `a` that is this shell script.
pub(crate) fn spec(w: &World, r#ref: &str, script: &str) -> Spec {
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

/// The specification as it is sent.
pub(crate) fn bytes(spec: &Spec) -> Vec<u8> {
    serde_json::to_vec(spec).unwrap()
}

fn boottime_ms() -> u64 {
    u64::try_from(host::uptime().unwrap().as_millis()).unwrap()
}

impl Keeper {
    pub(crate) fn start(w: &World, spec: &Spec) -> Self {
        let args = ["__keeper", &spec.entry.r#ref, &spec.entry.subject];
        Self::by(w.bare(&args).command().0, spec, &bytes(spec))
    }

    /// One that is started by this command, and told this.
    pub(crate) fn by(command: Command, spec: &Spec, told: &[u8]) -> Self {
        let mut keeper = Self::waiting(command, spec);
        // One that has ended already does not read it.
        let _ = keeper.child.stdin.take().unwrap().write_all(told);
        keeper
    }

    /// One that was told nothing yet.
    fn waiting(mut command: Command, spec: &Spec) -> Self {
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = eventually(|| match command.spawn() {
            // Another thread's fork still has the copy open for writing.
            Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => None,
            other => Some(other.unwrap()),
        });
        let out = child.stdout.take().map(BufReader::new);
        Self {
            child,
            out,
            state: spec.state_dir.clone(),
            r#ref: spec.entry.r#ref.clone(),
        }
    }

    /// Its answer; none where it ended without one.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    /// The agent's pid.
    #[track_caller]
    pub(crate) fn started(&mut self) -> i32 {
        match self.answer() {
            Some(Answer::Started { pid, trouble, .. }) => {
                assert_eq!(trouble, None);
                pid
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn failed(&mut self) -> String {
        match self.answer() {
            Some(Answer::Failed { error }) => error,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn entry(&self) -> Option<Entry> {
        let table = Table::open(&self.state).unwrap()?;
        table.entry(&self.r#ref).unwrap()
    }

    /// Its exit status, once it has ended by itself.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        eventually(|| self.child.try_wait().unwrap()).code()
    }

    /// The entry when the keeper has ended.
    pub(crate) fn end(&mut self) -> Entry {
        assert_eq!(self.wait(), Some(0));
        self.entry().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// The keeper's own pid.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The lines of the agent's log without their heads.
    pub(crate) fn log(&self) -> String {
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
        // Not one of another keeper, which had claimed the attempt before.
        let entry = self
            .entry()
            .filter(|entry| entry.keeper_pid == Some(self.pid()));
        let agent = entry.and_then(|entry| entry.pid);
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(pid) = agent.filter(|pid| lives(*pid)) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

pub(crate) fn lives(pid: i32) -> bool {
    process::start_time(pid).is_some()
}

#[test]
fn an_agent_is_started_and_its_end_is_written_down() {
    let w = World::new();
    let spec = spec(&w, "r1", "echo out; echo err >&2; read x; exit 7");
    let mut keeper = Keeper::start(&w, &spec);
    let pid = keeper.started();
    let entry = keeper.end();
    let how = (entry.status, entry.exit_code, entry.signal);
    assert_eq!(how, (ProcessStatus::Exited, Some(7), None));
    assert_eq!((entry.pid, entry.error.as_deref()), (Some(pid), None));
    assert_eq!(entry.keeper_pid, Some(keeper.pid()));
    assert_eq!(entry.boot_id, host::boot_id());
    assert_eq!(entry.other["later"], "kept");
    assert!(entry.ended_at.unwrap() >= entry.started_at && entry.duration_ms.is_some());
    let log = fs::read_to_string(entry.log.unwrap()).unwrap();
    assert!(log.contains("+00:00 [main:stdout] out\n"), "{log}");
    assert!(log.contains("+00:00 [main:stderr] err\n"), "{log}");
    assert_eq!(log.lines().count(), 2);
}

/// What is printed at last is not lost, and an end before the answer is an end like any other.
#[test]
fn an_agent_may_be_over_at_once() {
    let w = World::new();
    for n in 0..10 {
        let spec = spec(&w, &format!("r{n}"), "echo last; exit 0");
        let mut keeper = Keeper::start(&w, &spec);
        keeper.started();
        let entry = keeper.end();
        assert_eq!(
            (entry.status, entry.exit_code),
            (ProcessStatus::Exited, Some(0))
        );
        assert_eq!(keeper.log(), "last\n");
    }
}

/// Makes the keeper, where root runs the tests, start its agent as an ordinary user.
pub(crate) fn as_nobody(w: &World, spec: &mut Spec) {
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(w.path("a/worktree"), Some(NOBODY), Some(NOBODY)).unwrap();
        spec.identity = Some(IdentitySpec {
            uid: NOBODY,
            gid: NOBODY,
            groups: vec![NOBODY, 65_533],
        });
    }
}

#[test]
fn what_cannot_be_started_is_told_with_its_cause() {
    let w = World::new();
    let dir = w.base().join("programs");
    let program = |name: &str, text: &str, bits| {
        put(&dir.join(name), text.as_bytes());
        mode(&dir.join(name), bits);
    };
    program("plain", "#!/bin/sh\n", 0o644);
    program("script", "#!/no/such/interpreter\n", 0o755);
    program("rubbish", "\u{1}\u{2}", 0o755);
    for (n, (name, want)) in [
        ("missing", "programs/missing as "),
        ("plain", "Permission denied"),
        ("script", "its interpreter is missing"),
        ("rubbish", "Exec format error"),
        ("plain/x", "Not a directory"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut spec = spec(&w, &format!("r{n}"), "");
        spec.program = dir.join(name);
        as_nobody(&w, &mut spec);
        let mut keeper = Keeper::start(&w, &spec);
        let error = keeper.failed();
        assert!(
            error.contains(want) && error.starts_with("running "),
            "{error}"
        );
        assert_eq!(keeper.wait(), Some(0));
        let entry = keeper.entry().unwrap();
        assert_eq!((entry.status, entry.pid), (ProcessStatus::Failed, None));
        assert_eq!(entry.end(), None);
        assert_eq!(entry.error, Some(error));
    }
}

#[test]
fn a_directory_that_is_not_the_one_that_was_looked_at_is_not_gone_to() {
    let w = World::new();
    let refused = |r#ref: &str, change: &dyn Fn(&mut Spec), want: &str| {
        let mut spec = spec(&w, r#ref, "echo no");
        as_nobody(&w, &mut spec);
        change(&mut spec);
        let mut keeper = Keeper::start(&w, &spec);
        let error = keeper.failed();
        assert!(error.contains(want), "{error}");
        assert_eq!(keeper.wait(), Some(0));
        assert_eq!(keeper.entry().unwrap().status, ProcessStatus::Failed);
    };
    let cwd = |to: &'static str| move |spec: &mut Spec| spec.cell.as_mut().unwrap().cwd = to.into();
    make_dir(&w.path("a"), 0o755);
    std::os::unix::fs::symlink("worktree", w.path("a/link")).unwrap();
    refused(
        "r1",
        &|spec| spec.cell.as_mut().unwrap().cwd_is.1 += 1,
        "has become another",
    );
    refused("r2", &cwd("link"), "Not a directory");
    refused("r3", &cwd(".."), "/a/..: ");
    refused("r4", &cwd("none"), "No such file or directory");
}

#[test]
fn a_directory_that_the_agent_may_not_enter_is_named_with_the_user() {
    let w = World::new();
    let mut spec = spec(&w, "r1", "");
    as_nobody(&w, &mut spec);
    mode(&w.path("a/worktree"), 0o000);
    let mut keeper = Keeper::start(&w, &spec);
    let error = keeper.failed();
    let user = host::user_name(spec.identity.map_or_else(host::uid, |to| to.uid));
    let want = format!(
        "going to {} as {user} to run /bin/sh: Permission denied",
        spec.entry.cwd
    );
    assert_eq!(error, want);
}

#[test]
fn a_gateway_is_started_in_its_directory() {
    let w = World::new();
    let mut spec = spec(&w, "r1", "pwd");
    (spec.cell, spec.name) = (None, "portal".into());
    spec.entry.cwd = w.base().join("home").display().to_string();
    let mut keeper = Keeper::start(&w, &spec);
    keeper.started();
    let entry = keeper.end();
    assert_eq!(keeper.log(), format!("{}\n", spec.entry.cwd));
    assert!(entry.log.unwrap().contains("/logs/_gateways/portal/"));
}

#[test]
fn what_comes_too_late_is_not_begun() {
    let w = World::new();
    let mut spec = spec(&w, "r1", "");
    spec.not_after_ms = boottime_ms();
    let mut keeper = Keeper::start(&w, &spec);
    assert!(keeper.failed().contains("the time for it was over"));
    assert_eq!((keeper.wait(), keeper.entry()), (Some(0), None));
}

/// Which attempt it is, and what is in it, must be told in one piece.
#[test]
fn what_was_not_told_wholly_is_not_done() {
    let w = World::new();
    let spec = spec(&w, "r1", "");
    let whole = bytes(&spec);
    let more = [&whole[..], b"{}"].concat();
    let large = [&whole[..], &vec![b' '; 4 << 20]].concat();
    let known = ["__keeper", "r1", "a"];
    for (told, args) in [
        (&whole[..0], &known[..]),
        (&whole[..whole.len() / 2], &known),
        (&whole[..whole.len() - 1], &known),
        (&more, &known),
        (&large, &known),
        (&whole, &["__keeper", "r2", "a"]),
        (&whole, &["__keeper", "r1", "b"]),
        (&whole, &["__keeper", "r1"]),
    ] {
        let mut keeper = Keeper::by(w.bare(args).command().0, &spec, told);
        assert_eq!((keeper.answer(), keeper.wait()), (None, Some(70)));
    }
    assert!(!w.state().join("procs").exists());
}

/// The place is the subject's, the claim the attempt's.
#[test]
fn an_attempt_is_carried_out_once_and_a_place_has_one_agent() {
    let w = World::new();
    let first = spec(&w, "r1", "while [ ! -e stop ]; do sleep 0.02; done");
    let mut keeper = Keeper::start(&w, &first);
    let pid = keeper.started();
    assert_eq!(Keeper::start(&w, &first).answer(), Some(Answer::Taken));
    let second = spec(&w, "r2", "exit 0");
    let mut other = Keeper::start(&w, &second);
    assert_eq!(other.answer(), Some(Answer::Occupied));
    assert_eq!(other.wait(), Some(0));
    let entry = other.entry().unwrap();
    assert_eq!(entry.status, ProcessStatus::Failed);
    assert!(entry.error.unwrap().starts_with("the place of a is taken"));
    assert!(lives(pid) && keeper.entry().unwrap().pid == Some(pid));
    w.put("a/worktree/stop", "");
    assert_eq!(keeper.end().exit_code, Some(0));
    Keeper::start(&w, &spec(&w, "r3", "exit 0")).started();
}

/// The attempt is claimed, and the agent wanted, be the checker there or not.
#[test]
fn a_checker_that_is_gone_is_not_missed() {
    let w = World::new();
    let spec = spec(&w, "r1", "exit 3");
    let args = ["__keeper", "r1", "a"];
    let mut keeper = Keeper::waiting(w.bare(&args).command().0, &spec);
    keeper.out = None;
    keeper
        .child
        .stdin
        .take()
        .unwrap()
        .write_all(&bytes(&spec))
        .unwrap();
    assert_eq!(keeper.end().exit_code, Some(3));
}
