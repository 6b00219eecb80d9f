//! `doctor`: what it says of an installation that is sound, and of each thing that is broken on
//! purpose. What it looks at of the host (units, crontabs, fstab) lies below a directory of the
//! test's own.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use crate::cmd::Cmd;
use crate::output::Run;
use crate::world::{NOBODY, SECRET, World, is_root, make_dir, mode, needs_root, put};

/// A host on which all is as it should be.
pub(crate) struct Host {
    pub(crate) w: World,
}

pub(crate) const PLAN: &str =
    "name: p\npolicy: auto\nsteps:\n  - spawn: {command: [sleep, '1000']}\n";

impl Host {
    pub(crate) fn new() -> Self {
        let host = Self { w: World::new() };
        let w = &host.w;
        w.cell("a");
        w.config("clock_skew: 5m\n");
        host.plan(PLAN).owned_by_an_agent("a");
        for name in ["lazarus-pit.service", "lazarus-pit.timer"] {
            host.unit(name, &shipped(&format!("systemd/{name}")));
        }
        make_dir(&host.sys("run/systemd/system"), 0o755);
        let wants = host.sys("etc/systemd/system/timers.target.wants");
        make_dir(&wants, 0o755);
        symlink("../lazarus-pit.timer", wants.join("lazarus-pit.timer")).unwrap();
        for program in ["usr/local/bin/lazarus-pit", "usr/sbin/cron"] {
            put(&host.sys(program), b"");
            mode(&host.sys(program), 0o755);
        }
        w.run(&["check", "-q"]).code(0);
        host
    }

    /// A path below the host's root.
    pub(crate) fn sys(&self, below: &str) -> PathBuf {
        self.w.base().join("sys").join(below)
    }

    pub(crate) fn unit(&self, name: &str, text: &str) -> &Self {
        put(&self.sys("etc/systemd/system").join(name), text.as_bytes());
        self
    }

    /// The service as it is shipped, with this in place of that.
    pub(crate) fn service(&self, from: &str, to: &str) -> &Self {
        let text = shipped("systemd/lazarus-pit.service");
        assert!(text.contains(from), "{from}");
        self.unit("lazarus-pit.service", &text.replace(from, to))
    }

    pub(crate) fn plan(&self, text: &str) -> &Self {
        put(&self.w.base().join("conf/plans/plan.yaml"), text.as_bytes());
        self
    }

    /// cron instead of systemd, with this crontab.
    pub(crate) fn crontab(&self, name: &str, text: &str) -> &Self {
        let _ = fs::remove_dir_all(self.sys("etc/systemd"));
        put(&self.sys("etc/cron.d").join(name), text.as_bytes());
        self
    }

    pub(crate) fn owned_by_an_agent(&self, cell: &str) -> &Self {
        if is_root() {
            for entry in walkdir::WalkDir::new(self.w.path(cell)) {
                chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        self
    }

    pub(crate) fn cmd(&self, args: &[&str]) -> Cmd<'_> {
        let root = self.w.base().join("sys");
        let cmd = self.w.cmd(&["doctor", "--system-root"]).arg(root);
        args.iter().fold(cmd, |cmd, arg| cmd.arg(arg))
    }

    pub(crate) fn look(&self) -> Look {
        Look::of(self.cmd(&["--json"]).run())
    }
}

/// What a look has found.
pub(crate) struct Look(pub(crate) Run);

impl Look {
    #[track_caller]
    pub(crate) fn of(run: Run) -> Self {
        run.code_in(&[0, 1]).clean();
        assert_eq!(run.json()["schema"], "lazarus-pit/doctor/1", "{run}");
        // The exit says what the levels say.
        let worst = run.json()["level"].as_str().unwrap();
        let fine = matches!(worst, "ok" | "advice");
        run.code(i32::from(!fine));
        Self(run)
    }

    pub(crate) fn findings(&self) -> &[Value] {
        self.0.list("findings")
    }

    /// The finding with this code.
    #[track_caller]
    pub(crate) fn get(&self, code: &str) -> &Value {
        let found = self.findings().iter().find(|f| f["code"] == code);
        found.unwrap_or_else(|| panic!("no {code}: {}", self.0))
    }

    /// Asserts that there is one of this level, whose text has this.
    #[track_caller]
    pub(crate) fn has(&self, level: &str, code: &str, text: &str) -> &Self {
        let finding = self.get(code);
        assert_eq!(finding["level"], level, "{finding}");
        let all = finding.to_string();
        assert!(all.contains(text), "`{text}` is missing: {finding}");
        self
    }

    /// The codes above advice. That worlds lie in a directory that is cleared is none of them.
    pub(crate) fn bad(&self) -> Vec<&str> {
        let bad = self.findings().iter().filter(|f| {
            matches!(f["level"].as_str(), Some("warning" | "error")) && f["code"] != "does_not_last"
        });
        bad.map(|f| f["code"].as_str().unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn only(&self, codes: &[&str]) -> &Self {
        assert_eq!(self.bad(), codes, "{}", self.0);
        self
    }
}

/// A file of `contrib/`.
pub(crate) fn shipped(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("contrib")
        .join(file);
    fs::read_to_string(path).unwrap()
}

#[test]
fn of_a_sound_installation_nothing_bad_is_said() {
    let host = Host::new();
    let look = host.look();
    look.only(&[]);
    if is_root() {
        look.has("ok", "service", "lazarus-pit.service");
    } else {
        look.has("advice", "other_user", "it runs as root");
    }
    for code in [
        "config_read",
        "plans_read",
        "directory",
        "state_whole",
        "last_run",
    ] {
        assert_eq!(look.get(code)["level"], "ok");
    }
    let json = look.0.json();
    for area in [
        "config",
        "plans",
        "directories",
        "state",
        "clock",
        "units",
        "channels",
        "agents",
    ] {
        assert!(
            look.findings().iter().any(|f| f["area"] == area),
            "{area}: {json}"
        );
    }
    let count = |level: &str| {
        look.findings()
            .iter()
            .filter(|f| f["level"] == level)
            .count()
    };
    for level in ["ok", "advice", "warning", "error"] {
        assert_eq!(json["summary"][level], count(level), "{level}");
    }
    // For people the same, with a line that sums it up.
    let run = host.cmd(&[]).run();
    run.clean().stderr_empty();
    assert!(
        run.last_line().starts_with("Lazarus Pit doctor — ok="),
        "{run}"
    );
    run.stdout_has("\nclock\n").stdout_has("  ok      ");
    // Only two formats.
    host.cmd(&["--format", "junit"]).run().code(64);
}

/// With a state directory that lasts it ends with 0, and with `-q` it says nothing then.
#[test]
fn a_sound_installation_is_exit_0_and_quiet_is_silent() {
    let host = Host::new();
    if !needs_root() {
        return;
    }
    let lasting = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut above = lasting.path().ancestors();
    if above.any(|dir| {
        dir.parent() == Some(Path::new("/")) && ["/tmp", "/run"].iter().any(|t| dir.starts_with(t))
    }) {
        return;
    }
    let state = lasting.path().join("state");
    make_dir(&state, 0o700);
    let run = |args: &[&str]| {
        let config = host.w.config_path();
        let cmd = host.w.bare(args).arg("--root").arg(host.w.root());
        cmd.arg("--config")
            .arg(config)
            .arg("--state-dir")
            .arg(&state)
            .run()
    };
    run(&["check", "-q"]).code(0);
    let root = host.w.base().join("sys");
    let root = root.to_str().unwrap();
    let all = run(&["doctor", "--system-root", root]);
    all.code(0);
    run(&["doctor", "-q", "--system-root", root])
        .code(0)
        .stdout_empty()
        .stderr_empty();
}

#[test]
fn nothing_is_written_and_no_lock_is_taken() {
    let host = Host::new();
    host.w
        .config("channels: {ops: {kind: exec, command: [touch, /nonexistent/x]}}\n");
    let times = |tree: &[(PathBuf, Vec<u8>)]| -> Vec<(i64, i64)> {
        let meta = |path: &PathBuf| fs::symlink_metadata(path).unwrap();
        tree.iter()
            .map(|(path, _)| (meta(path).mtime(), meta(path).mtime_nsec()))
            .collect()
    };
    let before = host.w.tree();
    let then = times(&before);
    host.look();
    host.cmd(&[]).run().survived();
    let after = host.w.tree();
    assert!(before == after, "something was written");
    assert_eq!(then, times(&after));
    // Another's lock keeps nobody from looking.
    let file = File::options()
        .read(true)
        .write(true)
        .open(host.w.state().join("state.lock"))
        .unwrap();
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, e)| e)
        .unwrap();
    host.look()
        .has("warning", "lock_foreign", "another process holds the lock");
    drop(held);
    assert!(!host.look().bad().contains(&"lock_foreign"));
}

/// What is in the way is told before the first run fails of it.
#[test]
fn what_lies_where_a_run_puts_its_own() {
    let host = Host::new();
    let state = host.w.state();
    let fails = |path: &Path, text: &str| {
        host.look()
            .has("error", "in_the_way", path.to_str().unwrap())
            .has("error", "in_the_way", text);
        host.w.run(&["check", "-q"]).code(74);
    };
    let procs = state.join("procs");
    let _ = fs::remove_dir_all(&procs);
    put(&procs, b"");
    fails(&procs, "a regular file");
    fs::remove_file(&procs).unwrap();
    let lock = state.join("state.lock");
    fs::remove_file(&lock).unwrap();
    mkfifo(&lock, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    fails(&lock, "a FIFO");
    fs::remove_file(&lock).unwrap();
    make_dir(&lock, 0o700);
    fails(&lock, "a directory");
    fs::remove_dir(&lock).unwrap();
    symlink("other.lock", &lock).unwrap();
    fails(&lock, "a symbolic link");
    fs::remove_file(&lock).unwrap();
    let beat = state.join("heartbeats/lazarus_pit.last");
    fs::remove_file(&beat).unwrap();
    make_dir(&beat, 0o700);
    fails(&beat, "heartbeat");
    fs::remove_dir(&beat).unwrap();
    host.w.run(&["check", "-q"]).code(0);
    // Metrics are not worth a run.
    let metrics = host.w.base().join("metrics.prom");
    make_dir(&metrics, 0o755);
    host.w.config(&format!(
        "prometheus_textfile: {}\n",
        metrics.to_str().unwrap()
    ));
    host.look()
        .only(&["in_the_way"])
        .has("warning", "in_the_way", "metrics.prom");
}

#[test]
fn a_broken_configuration_is_a_finding_and_the_rest_is_looked_at() {
    let host = Host::new();
    let conf = host.w.config_path();
    // Without --root: what can be understood of the file counts.
    let look = |text: &str| {
        put(&conf, text.as_bytes());
        let state = host.w.state();
        let cmd = host.w.bare(&["doctor", "--json", "--config"]).arg(&conf);
        Look::of(cmd.arg("--state-dir").arg(state).run())
    };
    let root = host.w.root();
    let found = look(&format!(
        "missions_root: {}\nmissions_rot: x\n",
        root.display()
    ));
    let place = format!("{}:2:1: error: unknown key", conf.display());
    found.has("error", "config_problem", &place);
    found.has("error", "config_problem", "did you mean `missions_root`?");
    found.has("advice", "config_basis", "what can be understood");
    assert!(
        found
            .findings()
            .iter()
            .any(|f| f["about"] == root.to_str().unwrap()),
        "{}",
        found.0
    );
    found.has("ok", "plans_read", "1 sound plan");
    for text in [
        "{{{",
        "[]",
        "text",
        "\u{0}",
        "a: 1\na: 2\n",
        "channels: 3\n",
    ] {
        look(text).has("error", "config_problem", "");
    }
    // A secret that is written out is not shown.
    look(&format!(
        "channels: {{x: {{kind: telegram, token: {SECRET}, chat_id: 1}}}}\n"
    ))
    .has("error", "config_problem", "");
    put(&conf, b"{}\n");
    mode(&conf, 0o666);
    host.look()
        .has("error", "config_refused", "can be written by everyone")
        .has("advice", "config_basis", "defaults");
    fs::remove_file(&conf).unwrap();
    host.look().has("error", "config_refused", "No such file");
    // A directory in its place.
    make_dir(&conf, 0o755);
    host.look()
        .has("error", "config_refused", "not a regular file");
    // Wrong use stays wrong use.
    host.cmd(&["--trust-owner", "no-such-user"]).run().code(64);
    host.w
        .bare(&["doctor", "--system-root", "/nonexistent"])
        .run()
        .code(64);
}

#[test]
fn plans_that_are_broken_idle_or_missing() {
    let host = Host::new();
    host.plan("name: p\npolicy: sometimes\n");
    host.look()
        .has("error", "plan_problem", "plan.yaml:2:9: error");
    host.plan("name: p\nmatch: {cells: [nobody-here]}\npolicy: never\n");
    host.look()
        .only(&[])
        .has("advice", "plan_idle", "governs nobody")
        .has("advice", "unplanned", "a/main");
    mode(&host.w.base().join("conf/plans/plan.yaml"), 0o666);
    host.look()
        .has("error", "plan_unreadable", "can be written by everyone");
    fs::remove_file(host.w.base().join("conf/plans/plan.yaml")).unwrap();
    host.look()
        .only(&[])
        .has("advice", "no_plans", "nobody brings it back");
    host.plan("name: p\npolicy: never\nnotify: {channels: [nobody], on: [down]}\n");
    host.look()
        .has("error", "plan_problem", "no channel `nobody`");
}

/// Every finding stands in the guide's table, with each of its levels, and nothing else does.
#[test]
fn every_finding_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut made: Vec<(String, String)> = Vec::new();
    for entry in walkdir::WalkDir::new(root.join("src/cli/doctor")) {
        let entry = entry.unwrap();
        if !entry.file_type().is_file() {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        for level in ["ok", "advice", "warning", "error"] {
            for rest in text.split(&format!("Finding::{level}(")).skip(1) {
                let code = rest
                    .trim_start()
                    .strip_prefix('"')
                    .unwrap_or_else(|| panic!("{rest}"));
                let code = code.split('"').next().unwrap();
                made.push((code.to_owned(), level.to_owned()));
            }
        }
    }
    made.sort();
    made.dedup();
    assert!(made.len() > 80, "{}", made.len());
    let doc = fs::read_to_string(root.join("docs/doctor.md")).unwrap();
    let mut told: Vec<(String, String)> = Vec::new();
    for row in doc.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let levels: Vec<&str> = cells[2].split(", ").collect();
        if !levels
            .iter()
            .all(|l| ["ok", "advice", "warning", "error"].contains(l))
        {
            continue;
        }
        told.extend(
            levels
                .iter()
                .map(|l| (cells[1].trim_matches('`').to_owned(), (*l).to_owned())),
        );
    }
    told.sort();
    let missing: Vec<_> = made.iter().filter(|one| !told.contains(one)).collect();
    let stale: Vec<_> = told.iter().filter(|one| !made.contains(one)).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "not in docs/doctor.md: {missing:?}; there and not made: {stale:?}"
    );
}
