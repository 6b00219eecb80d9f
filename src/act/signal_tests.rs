//! Signals: who gets one, and who must not, whatever a file says.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::signal::Kept;
use super::stage::{LONG, Stage};
use crate::model::action::{StepDone, StepResult};
use crate::model::step::{SignalStep, SignalTo, Step};
use crate::observe::Watched;
use crate::sys::{host, process};

/// Any user but root.
const NOBODY: u32 = 65534;

/// An agent that does nothing; gone with the test.
struct Agent(Child);

impl Agent {
    fn start() -> Self {
        Self::as_user(host::uid())
    }

    fn as_user(uid: u32) -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").stdin(Stdio::null());
        if uid != host::uid() {
            command.uid(uid).gid(uid);
        }
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    #[track_caller]
    fn lives(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "it got a signal");
    }

    fn ended_by(&mut self) -> Option<i32> {
        self.0.wait().unwrap().signal()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn to(to: SignalTo) -> Step {
    let signal = "TERM".to_owned();
    Step::Signal(SignalStep { to, signal })
}

/// The error of a step that sent nothing.
#[track_caller]
fn refused(done: &StepDone, why: &str) {
    assert_eq!(done.result, StepResult::Failed, "{done:?}");
    let error = done.error.as_deref().unwrap();
    assert!(error.starts_with("SIGTERM was not sent: "), "{error}");
    assert!(error.contains(why), "{error}");
    assert_eq!(done.pid, None);
}

fn now() -> f64 {
    host::now().as_f64()
}

/// Makes a file as old as that, by its modification time.
fn age(path: &Path, age: Duration) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

/// A stage with a cell of somebody's who is not root; as root it is given away.
fn stage() -> (Stage, u32) {
    let stage = Stage::new();
    stage.beat(&json!({"timestamp": now()}));
    let owner = match host::uid() {
        0 => NOBODY,
        own => own,
    };
    if host::is_root() {
        let cell = stage.path("missions/c");
        std::os::unix::fs::chown(cell, Some(owner), Some(owner)).unwrap();
    }
    (stage, owner)
}

#[test]
fn the_process_that_a_heartbeat_names_gets_it() {
    let (stage, owner) = stage();
    let mut agent = Agent::as_user(owner);
    stage.beat(&json!({"timestamp": now(), "pid": agent.pid()}));
    let done = stage.step(to(SignalTo::HeartbeatPid));
    assert_eq!(done.error, None);
    assert_eq!((done.result, done.pid), (StepResult::Ok, Some(agent.pid())));
    assert_eq!(agent.ended_by(), Some(15));
    // It is there no more.
    refused(
        &stage.step(to(SignalTo::HeartbeatPid)),
        "not there any more",
    );
}

#[test]
fn a_heartbeat_that_is_older_than_the_process_does_not_mean_it() {
    let (stage, owner) = stage();
    let mut agent = Agent::as_user(owner);
    let pid = agent.pid();
    let heartbeat = stage.beat(&json!({"timestamp": now() - 60.0, "pid": pid}));
    refused(&stage.step(to(SignalTo::HeartbeatPid)), "another by now");
    // Nor one whose file is, whatever it claims.
    stage.beat(&json!({"timestamp": now() + 60.0, "pid": pid}));
    age(&heartbeat, Duration::from_secs(60));
    refused(&stage.step(to(SignalTo::HeartbeatPid)), "another by now");
    agent.lives();
    // The change time of what claims to be from the future is no later than now, and counts.
    let file = std::fs::File::options()
        .write(true)
        .open(&heartbeat)
        .unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    assert_eq!(
        stage.step(to(SignalTo::HeartbeatPid)).result,
        StepResult::Ok
    );
}

/// A number that is used again is another's, however little later.
#[test]
fn of_two_hundred_heartbeats_from_before_none_means_who_has_the_pid_now() {
    let (stage, owner) = stage();
    let (started, clock) = (now(), SystemTime::now());
    let mut stranger = Agent::as_user(owner);
    for n in 0..200 {
        // From just more than what rounding explains to ten days.
        let before = 1.1 + 1.07_f64.powi(n) - 1.0;
        let by_file = n % 2 == 0;
        let claimed = if by_file { now() } else { started - before };
        let heartbeat = stage.beat(&json!({"timestamp": claimed, "pid": stranger.pid()}));
        if by_file {
            let file = std::fs::File::options().write(true).open(&heartbeat);
            let at = clock - Duration::from_secs_f64(before);
            file.unwrap().set_modified(at).unwrap();
        }
        refused(&stage.step(to(SignalTo::HeartbeatPid)), "is another by now");
    }
    stranger.lives();
}

#[test]
fn nobody_but_the_cells_owner_is_meant_and_never_root() {
    let (stage, owner) = stage();
    let beat = |pid: i64| stage.beat(&json!({"timestamp": now(), "pid": pid}));
    // Ourselves, whoever we are: root, or the one who started this.
    beat(std::process::id().into());
    let own = stage.step(to(SignalTo::HeartbeatPid));
    let why = if host::is_root() {
        "is root's"
    } else {
        "is this run itself"
    };
    refused(&own, why);
    beat(std::os::unix::process::parent_id().into());
    refused(&stage.step(to(SignalTo::HeartbeatPid)), "");
    beat(1);
    refused(&stage.step(to(SignalTo::HeartbeatPid)), "");
    for pid in [0, -1, i64::from(i32::MIN), i64::MAX] {
        beat(pid);
        refused(&stage.step(to(SignalTo::HeartbeatPid)), "names no pid");
    }
    stage.beat(&json!({"timestamp": now()}));
    refused(&stage.step(to(SignalTo::HeartbeatPid)), "names no pid");
    std::fs::remove_file(stage.path("missions/c/heartbeat.json")).unwrap();
    refused(&stage.step(to(SignalTo::HeartbeatPid)), "there is no ");
    if !host::is_root() {
        return;
    }
    let mut roots = Agent::start();
    beat(roots.pid().into());
    refused(&stage.step(to(SignalTo::HeartbeatPid)), "is root's");
    let mut others = Agent::as_user(owner - 1);
    beat(others.pid().into());
    refused(&stage.step(to(SignalTo::HeartbeatPid)), "runs as ");
    // A cell of root's names nobody at all.
    std::os::unix::fs::chown(stage.path("missions/c"), Some(0), Some(0)).unwrap();
    let mut agent = Agent::as_user(owner);
    for pid in [agent.pid(), roots.pid()] {
        beat(pid.into());
        refused(&stage.step(to(SignalTo::HeartbeatPid)), "is root's");
    }
    roots.lives();
    others.lives();
    agent.lives();
}

#[test]
fn a_gateways_heartbeat_is_the_word_of_its_files_owner() {
    let (mut stage, owner) = stage();
    let path = stage.path("gateway.json");
    stage.gateways = vec![Watched {
        name: "timmy".into(),
        heartbeat: Some(path.clone()),
        stale_after: None,
    }];
    let mut agent = Agent::as_user(owner);
    std::fs::write(
        &path,
        json!({"timestamp": now(), "pid": agent.pid()}).to_string(),
    )
    .unwrap();
    let send = || {
        let mut due = super::stage::action("gateway:timmy/timmy", []);
        (due.subject, due.place.cell) = ("gateway:timmy".into(), None);
        due.steps = vec![to(SignalTo::HeartbeatPid)];
        let (mut performed, _) = stage.perform(vec![due]);
        performed.done.remove(0).steps.remove(0)
    };
    if host::is_root() {
        refused(&send(), "is root's");
        std::os::unix::fs::chown(&path, Some(owner), Some(owner)).unwrap();
    }
    assert_eq!(send().error, None);
    assert_eq!(agent.ended_by(), Some(15));
}

#[test]
fn a_kept_process_is_known_by_its_start_time() {
    let mut stage = Stage::new();
    let none = "no kept process of c/main is alive";
    refused(&stage.step(to(SignalTo::Process)), none);
    let mut agent = Agent::start();
    let pid = agent.pid();
    let started = process::start_time(pid).unwrap();
    let is = |found: Option<(i32, u64)>| {
        Kept::new(move |subject| {
            assert_eq!(subject, "c/main");
            Ok(found)
        })
    };
    for wrong in [started + 1, started - 1, 0] {
        stage.kept = is(Some((pid, wrong)));
        refused(&stage.step(to(SignalTo::Process)), none);
    }
    agent.lives();
    stage.kept = Kept::new(|_| Err("the process table cannot be read".into()));
    refused(&stage.step(to(SignalTo::Process)), "the process table");
    stage.kept = is(Some((pid, started)));
    let done = stage.step(to(SignalTo::Process));
    assert_eq!((done.result, done.pid), (StepResult::Ok, Some(pid)));
    assert_eq!(agent.ended_by(), Some(15));
    refused(&stage.step(to(SignalTo::Process)), none);
}

#[test]
fn a_pidfile_is_believed_where_nobody_else_can_write_it() {
    let stage = Stage::new();
    let mut agent = Agent::start();
    let path = stage.path("agent.pid");
    let named = || to(SignalTo::Pidfile(path.to_str().unwrap().to_owned()));
    refused(&stage.step(named()), "No such file or directory");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    for text in [
        "",
        "\n",
        "x",
        "-5",
        "0",
        "1 2",
        "99999999999999",
        "+7",
        "\u{662}",
    ] {
        write(text);
        refused(&stage.step(named()), "its first line is no pid");
    }
    write(&"9".repeat(5000));
    refused(&stage.step(named()), "more than 4096");
    write(&format!("{}\nmore\n", agent.pid()));
    let mode = |path: &Path, bits| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(bits)).unwrap();
    };
    mode(&path, 0o666);
    refused(&stage.step(named()), "can be written by others (mode 0666)");
    mode(&path, 0o644);
    mode(stage.tmp.path(), 0o777);
    refused(
        &stage.step(named()),
        "its directory can be written by others",
    );
    mode(stage.tmp.path(), 0o700);
    if host::is_root() {
        mode(&path, 0o664);
        refused(&stage.step(named()), "can be written by others");
        mode(&path, 0o644);
        std::os::unix::fs::chown(&path, Some(NOBODY), None).unwrap();
        refused(&stage.step(named()), "it belongs to ");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    // A stale one does not mean whoever has its number now.
    age(&path, Duration::from_secs(3600));
    refused(&stage.step(named()), "is another by now");
    agent.lives();
    age(&path, Duration::ZERO);
    let link = stage.path("link");
    symlink(&path, &link).unwrap();
    let linked = stage.step(to(SignalTo::Pidfile(link.to_str().unwrap().into())));
    refused(&linked, "symbolic link");
    let relative = stage.step(to(SignalTo::Pidfile("agent.pid".into())));
    refused(&relative, "it is not absolute");
    let done = stage.step(named());
    assert_eq!(done.error, None);
    assert_eq!((done.result, done.pid), (StepResult::Ok, Some(agent.pid())));
    assert_eq!(agent.ended_by(), Some(15));
    refused(&stage.step(named()), "not there any more");
}

#[test]
fn a_pidfile_that_is_no_file_holds_nobody_up_and_we_never_signal_ourselves() {
    let stage = Stage::new();
    let fifo = std::ffi::CString::new(stage.text("fifo")).unwrap();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let began = std::time::Instant::now();
    let done = stage.step(to(SignalTo::Pidfile(stage.text("fifo"))));
    refused(&done, "a FIFO");
    assert!(began.elapsed() < LONG / 4);
    for pid in [std::process::id(), std::os::unix::process::parent_id()] {
        std::fs::write(stage.path("own"), pid.to_string()).unwrap();
        let done = stage.step(to(SignalTo::Pidfile(stage.text("own"))));
        refused(&done, "is this run itself or one that it comes from");
    }
}
