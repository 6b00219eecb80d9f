//! A run before it starts: who runs it, where, through what; and its hard limit.

#![allow(dead_code, reason = "a harness offers more than each test takes")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::output::Run;
use crate::world::{World, mode};

/// The program under test.
pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_lazarus-pit");
/// A run that takes longer hangs: it is ended and its test fails.
const LIMIT: Duration = Duration::from_secs(40);
/// A run that has not started yet.
pub(crate) struct Cmd<'w> {
    world: &'w World,
    args: Vec<OsString>,
    prefix: Vec<OsString>,
    env: Vec<(String, OsString)>,
    user: Option<u32>,
    stdout: Option<Stdio>,
}

impl<'w> Cmd<'w> {
    pub(crate) fn new(world: &'w World, args: Vec<OsString>) -> Self {
        Self {
            world,
            args,
            prefix: Vec::new(),
            env: Vec::new(),
            user: None,
            stdout: None,
        }
    }

    /// As an ordinary user, to whom `state/` and `home/` are given. Only for root.
    pub(crate) fn user(mut self, uid: u32) -> Self {
        for name in ["state", "home"] {
            for entry in walkdir::WalkDir::new(self.world.base().join(name)) {
                chown(entry.unwrap().path(), Some(uid), Some(uid)).unwrap();
            }
        }
        self.user = Some(uid);
        self
    }

    /// As an ordinary user, with no file given to them.
    pub(crate) fn poor_user(mut self, uid: u32) -> Self {
        self.user = Some(uid);
        self
    }

    /// Through another program: `unshare`, `strace`, `sh -c`.
    pub(crate) fn through(mut self, prefix: &[&str]) -> Self {
        self.prefix.extend(prefix.iter().map(OsString::from));
        self
    }

    /// In a mount namespace of its own, after a shell script; `$ROOT` and `$STATE` are set.
    pub(crate) fn mounted(self, script: &str) -> Self {
        let script = format!("set -e; {script}; exec \"$0\" \"$@\"");
        let (root, state) = (self.world.root(), self.world.state());
        self.env("ROOT", root)
            .env("STATE", state)
            .through(&["unshare", "-m", "sh", "-c", &script])
    }

    /// On a wall clock that is so many seconds off.
    pub(crate) fn clock(self, by: i64) -> Self {
        self.moved("CLOCK_BY", by)
    }

    /// On a wall clock that is moved in one of the ways of `clock.c`.
    pub(crate) fn moved(self, how: &str, by: i64) -> Self {
        // In the world it can be read by whoever the run is, and goes with it.
        let library = self.world.base().join("clock.so");
        if !library.exists() {
            fs::write(&library, moving()).unwrap();
            mode(&library, 0o644);
        }
        self.env("LD_PRELOAD", library).env(how, by.to_string())
    }

    /// With one more environment variable.
    pub(crate) fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// With another standard output; the run's own is then empty.
    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.stdout = Some(to.into());
        self
    }

    /// With one more argument, of any bytes.
    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Runs it to its end, or to the limit.
    #[track_caller]
    pub(crate) fn run(self) -> Run {
        let (mut command, words) = self.command();
        let mut child = loop {
            match command.spawn() {
                Ok(child) => break child,
                // Another thread's fork still has the copy open for writing.
                Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => thread::yield_now(),
                Err(e) => panic!("{words}: {e}"),
            }
        };
        drop(command);
        let out = child.stdout.take().map(collect);
        let err = child.stderr.take().map(collect);
        let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let (done, waiting) = mpsc::channel::<()>();
        let watch = thread::spawn(move || {
            let late = waiting.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout);
            if late {
                let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            }
            late
        });
        let status = child.wait().unwrap();
        drop(done);
        let late = watch.join().unwrap();
        let text = |from: Option<mpsc::Receiver<Vec<u8>>>| match from {
            None => Vec::new(),
            Some(from) => from
                .recv_timeout(LIMIT)
                .expect("it ended, and something still holds its output"),
        };
        let run = Run::new(words, status, text(out), text(err));
        assert!(!late, "not done after {LIMIT:?}: {run}");
        run
    }

    /// The command itself, for a test that watches the process; and its words, for messages.
    pub(crate) fn command(mut self) -> (Command, String) {
        let program = self.program();
        let words: Vec<&OsStr> = self
            .prefix
            .iter()
            .map(OsString::as_os_str)
            .chain([program.as_os_str()])
            .chain(self.args.iter().map(OsString::as_os_str))
            .collect();
        let home = self.world.base().join("home");
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_STATE_HOME", home.join(".local/state"))
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(self.stdout.take().unwrap_or_else(Stdio::piped))
            .stderr(Stdio::piped())
            .process_group(0);
        // Where coverage is measured, what is run counts too.
        if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", profile);
        }
        if let Some(uid) = self.user {
            command.uid(uid).gid(uid);
        }
        let words = format!("{words:?}");
        (command, words)
    }

    /// The program, or a copy of it where an ordinary user could not reach it.
    fn program(&self) -> PathBuf {
        let bin = Path::new(BIN);
        let reachable =
            |p: &Path| fs::metadata(p).is_ok_and(|m| m.permissions().mode() & 0o001 != 0);
        if self.user.is_none() || bin.ancestors().all(reachable) {
            return bin.to_owned();
        }
        let copy = self.world.base().join("lazarus-pit");
        if !copy.exists() {
            fs::copy(bin, &copy).unwrap();
            mode(&copy, 0o755);
        }
        copy
    }
}

/// The library that moves the clock of a program. What links this test can build it.
fn moving() -> &'static [u8] {
    static LIBRARY: OnceLock<Vec<u8>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let built = dir.path().join("clock.so");
        let made = Command::new("cc")
            .args([
                "-std=gnu11",
                "-O1",
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
            ])
            .args(["-shared", "-fPIC", "-o"])
            .arg(&built)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clock.c"))
            .output()
            .expect("cc");
        assert!(made.status.success(), "{made:?}");
        fs::read(built).unwrap()
    })
}

/// Reads a stream to its end beside the run, so that a full pipe blocks nobody.
pub(crate) fn collect(mut from: impl std::io::Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (to, all) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = to.send(bytes);
    });
    all
}
