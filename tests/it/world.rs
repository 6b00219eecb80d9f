//! The world a test lives in: a missions root, a state directory and a clean environment, all in
//! one temporary directory, so that tests run side by side and see nothing of this host.
//!
//! ```ignore
//! let w = World::new();
//! w.cell("a").canonical("b", &["claude"]).beat("b/claude", 900);
//! let run = w.run(&["--json"]);
//! run.code(2).stderr_empty();
//! assert_eq!(run.agent("b", "claude")["status"], "stale");
//! ```

#![allow(dead_code, reason = "a harness offers more than each test takes")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

use nix::sys::statvfs::FsFlags;
use serde_json::{Value, json};

use crate::cmd::Cmd;
use crate::output::{Run, tells};

/// An ordinary user's and group's number.
pub(crate) const NOBODY: u32 = 65534;
/// Stands in files that must never be read; no output may contain it.
pub(crate) const SECRET: &str = "TOP-SECRET-b81f6c";
/// What a foundation cell must have, in the default order.
pub(crate) const SUBDIRS: [&str; 6] = ["meta", "config", "state", "logs", "artifacts", "worktree"];

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

/// An RFC 3339 text in UTC, so many seconds ago.
pub(crate) fn rfc3339(age: f64) -> String {
    let micros = ((now() - age) * 1e6) as i64;
    jiff::Timestamp::from_microsecond(micros)
        .unwrap()
        .to_string()
}

/// True where the tests run as root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// True when the tests run as root; otherwise says that the test is skipped.
pub(crate) fn needs_root() -> bool {
    let root = is_root();
    if !root {
        eprintln!("skipped: this test needs root");
    }
    root
}

/// True when a program is there. Where it is not, the test is skipped, but never in CI.
pub(crate) fn tool(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    if !found {
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "{name} is missing, and CI must have it");
        eprintln!("skipped: {name} is missing");
    }
    found
}

/// True when a mount namespace of our own can be had (root, and no container that forbids it).
pub(crate) fn can_mount() -> bool {
    if !needs_root() || !tool("unshare") {
        return false;
    }
    let dir = tempfile::tempdir().unwrap();
    let ok = Command::new("unshare")
        .args(["-m", "sh", "-c", "mount -t tmpfs none \"$0\""])
        .arg(dir.path())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !ok {
        eprintln!("skipped: nothing can be mounted here");
    }
    ok
}

/// A file system in memory with room for worlds, where there is one and nobody says otherwise with
/// `TMPDIR`: there a run that syncs its files need not wait for a disk. What is asked of the disk is
/// the same.
fn in_memory() -> Option<&'static Path> {
    static MEMORY: OnceLock<bool> = OnceLock::new();
    let path = Path::new("/dev/shm");
    let is_fit = || {
        let is_memory = nix::sys::statfs::statfs(path)
            .is_ok_and(|fs| fs.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC);
        let stat = nix::sys::statvfs::statvfs(path).ok();
        let has_room = stat.is_some_and(|stat| {
            // Programs are run there, too.
            !stat.flags().contains(FsFlags::ST_NOEXEC)
                && stat.blocks_available() * stat.fragment_size() >= 4 << 30
        });
        let is_writable = || tempfile::tempdir_in(path).is_ok();
        std::env::var_os("TMPDIR").is_none() && is_memory && has_room && is_writable()
    };
    MEMORY.get_or_init(is_fit).then_some(path)
}

/// A temporary directory with `root/` (the missions), `state/`, `home/` and `conf/`.
pub(crate) struct World {
    dir: tempfile::TempDir,
    config: Mutex<Option<PathBuf>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut place = tempfile::Builder::new();
        let place = place.prefix("lp-");
        let dir = in_memory().map_or_else(|| place.tempdir(), |memory| place.tempdir_in(memory));
        let dir = dir.unwrap();
        mode(dir.path(), 0o755);
        let world = Self {
            dir,
            config: Mutex::new(None),
        };
        for (name, bits) in [
            ("root", 0o755),
            ("state", 0o700),
            ("home", 0o755),
            ("conf", 0o755),
        ] {
            make_dir(&world.base().join(name), bits);
        }
        world
    }

    /// The temporary directory itself.
    pub(crate) fn base(&self) -> &Path {
        self.dir.path()
    }

    /// The missions root.
    pub(crate) fn root(&self) -> PathBuf {
        self.base().join("root")
    }

    /// The state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.base().join("state")
    }

    /// A path below the missions root.
    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root().join(below)
    }

    /// Writes a file below the missions root, with its directories, readable by all.
    pub(crate) fn put(&self, below: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> &Self {
        put(&self.path(below), bytes.as_ref());
        self
    }

    /// A complete, healthy foundation cell whose `main` beat a second ago.
    pub(crate) fn cell(&self, id: impl AsRef<OsStr>) -> &Self {
        let dir = self.path(id.as_ref());
        let shown = id.as_ref().to_string_lossy().into_owned();
        make_dir(&dir, 0o755);
        for sub in SUBDIRS {
            make_dir(&dir.join(sub), 0o755);
        }
        let text = |v: Value| v.to_string().into_bytes();
        put(
            &dir.join("meta/mission.json"),
            &text(json!({"mission_id": shown, "created_at": 1795000000, "status": "bootstrapped"})),
        );
        put(
            &dir.join("config/cell.json"),
            &text(
                json!({"mission_id": shown, "worktree": "worktree", "artifacts": "artifacts",
                         "heartbeat_file": "state/heartbeat.json"}),
            ),
        );
        put(&dir.join("state/heartbeat.json"), &beat_bytes(1.0));
        put(&dir.join("logs/daemon.log"), b"");
        self
    }

    /// A complete, healthy canonical cell whose agents all beat a second ago.
    pub(crate) fn canonical(&self, id: &str, agents: &[&str]) -> &Self {
        let dir = self.path(id);
        make_dir(&dir, 0o755);
        for sub in ["workspace", "logs", ".lazarus", ".lazarus/heartbeats"] {
            make_dir(&dir.join(sub), 0o755);
        }
        put(
            &dir.join("cell.json"),
            canonical_manifest(id, agents).to_string().as_bytes(),
        );
        put(&dir.join("logs/events.jsonl"), b"");
        for agent in agents {
            self.beat(&format!("{id}/{agent}"), 1);
        }
        self
    }

    /// Where a subject's heartbeat lies: `CELL` for `main`, else `CELL/AGENT`.
    pub(crate) fn heartbeat_path(&self, subject: &str) -> PathBuf {
        let (cell, agent) = match subject.split_once('/') {
            Some((cell, agent)) => (self.path(cell), Some(agent)),
            None => (self.path(subject), None),
        };
        let canonical = cell.join("cell.json").symlink_metadata().is_ok();
        match agent {
            None => cell.join("state/heartbeat.json"),
            Some(agent) if canonical => cell.join(format!(".lazarus/heartbeats/{agent}.json")),
            Some(agent) => cell.join(format!("state/heartbeats/{agent}.json")),
        }
    }

    /// Writes a heartbeat of that age.
    pub(crate) fn beat(&self, subject: &str, age: i64) -> &Self {
        put(&self.heartbeat_path(subject), &beat_bytes(age as f64));
        self
    }

    /// Writes a heartbeat as it is given.
    pub(crate) fn heartbeat(&self, subject: &str, bytes: impl AsRef<[u8]>) -> &Self {
        put(&self.heartbeat_path(subject), bytes.as_ref());
        self
    }

    /// Writes a heartbeat of that age with further fields.
    pub(crate) fn beat_with(&self, subject: &str, age: i64, more: Value) -> &Self {
        let mut all = json!({"timestamp": now() - age as f64});
        let more = more.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(more);
        self.heartbeat(subject, all.to_string())
    }

    /// Replaces a cell's manifest.
    pub(crate) fn manifest(&self, cell: &str, manifest: &Value) -> &Self {
        let canonical = self.path(cell).join("cell.json").exists();
        let at = if canonical {
            "cell.json"
        } else {
            "meta/mission.json"
        };
        self.put(Path::new(cell).join(at), manifest.to_string())
    }

    /// Removes a file or a whole directory below the missions root.
    pub(crate) fn remove(&self, below: impl AsRef<Path>) -> &Self {
        remove(&self.path(below));
        self
    }

    /// Writes a configuration, which every run from here on is given with `--config`.
    pub(crate) fn config(&self, yaml: &str) -> &Self {
        let path = self.base().join("conf/config.yaml");
        put(&path, yaml.as_bytes());
        *self.config.lock().unwrap() = Some(path);
        self
    }

    /// The configuration's path.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.base().join("conf/config.yaml")
    }

    /// Makes the next run a first run.
    pub(crate) fn forget(&self) -> &Self {
        remove(&self.state());
        make_dir(&self.state(), 0o700);
        self
    }

    /// The meta-heartbeat, if one was written.
    pub(crate) fn meta(&self) -> Option<Value> {
        let bytes = fs::read(self.state().join("heartbeats/lazarus_pit.last")).ok()?;
        Some(serde_json::from_slice(&bytes).expect("the meta-heartbeat is JSON"))
    }

    /// Every file below a directory with its bytes: to see that nothing was written.
    pub(crate) fn tree(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all: Vec<_> = walkdir::WalkDir::new(self.base())
            .into_iter()
            .map(Result::unwrap)
            .map(|e| {
                let bytes = if e.file_type().is_file() {
                    fs::read(e.path()).unwrap()
                } else {
                    Vec::new()
                };
                (e.into_path(), bytes)
            })
            .collect();
        all.sort();
        all
    }

    /// A run with `--root`, `--state-dir` and, where there is one, `--config`.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.cmd(args).run()
    }

    /// [`run`](Self::run), to be changed before it starts.
    pub(crate) fn cmd(&self, args: &[&str]) -> Cmd<'_> {
        let mut all: Vec<OsString> = vec![
            "--root".into(),
            self.root().into(),
            "--state-dir".into(),
            self.state().into(),
        ];
        if let Some(config) = &*self.config.lock().unwrap() {
            all.extend(["--config".into(), config.into()]);
        }
        all.extend(args.iter().map(OsString::from));
        Cmd::new(self, all)
    }

    /// A run with these arguments and no others.
    pub(crate) fn bare(&self, args: &[&str]) -> Cmd<'_> {
        Cmd::new(self, args.iter().map(OsString::from).collect())
    }
}

impl Drop for World {
    /// No test ends before what the program has written was looked through for the secrets of
    /// channels.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for dir in [self.state(), self.root()] {
            // What is there may be of any kind, and go away meanwhile.
            let files = walkdir::WalkDir::new(dir).into_iter().flatten();
            for file in files.filter(|file| file.file_type().is_file()) {
                let small = file.metadata().is_ok_and(|meta| meta.len() < 8 << 20);
                let bytes = if small {
                    fs::read(file.path())
                } else {
                    continue;
                };
                let told = bytes.is_ok_and(|bytes| tells(&bytes));
                assert!(!told, "a secret stands in {}", file.path().display());
            }
        }
    }
}

/// A heartbeat of that age, as bytes.
pub(crate) fn beat_bytes(age: f64) -> Vec<u8> {
    json!({"timestamp": now() - age, "status": "thinking", "cycle": 42, "model": "m1"})
        .to_string()
        .into_bytes()
}

/// The manifest of a canonical cell.
pub(crate) fn canonical_manifest(id: &str, agents: &[&str]) -> Value {
    let agents: Vec<Value> = agents
        .iter()
        .map(|a| json!({"name": a, "role": "worker", "joined_at": "2026-11-01T10:00:00Z", "home": "/"}))
        .collect();
    json!({"uuid": "6f1ed002-ab5e-4d51-8a2b-3a0f8e6f1c01", "name": id, "mission": "tests",
           "created_at": "2026-11-01T10:00:00Z", "created_by": "tests", "status": "active",
           "agents": agents})
}

/// Writes a file with its directories, with modes that no umask changes.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    let dir = path.parent().unwrap();
    if !dir.exists() {
        make_dir(dir, 0o755);
    }
    fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    mode(path, 0o644);
}

/// Makes a directory, and those it lies in.
pub(crate) fn make_dir(path: &Path, bits: u32) {
    fs::create_dir_all(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    mode(path, bits);
}

/// Sets a mode.
pub(crate) fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// Removes a file, a link or a whole directory, if it is there.
pub(crate) fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(m) if m.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}
