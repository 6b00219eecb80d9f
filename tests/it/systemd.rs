//! `backend: systemd`, and what is said of services. Everywhere against stand-ins that write down what
//! they are told; `systemd_real.rs` asks the real one, where it runs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use lazarus_pit::model::process::{Entry, ProcessStatus};
use lazarus_pit::sys::process;
use lazarus_pit::table::Table;
use serde_json::Value;

use crate::cmd::Cmd;
use crate::later::{eventually, plans};
use crate::store::journal;
use crate::world::{NOBODY, SECRET, World, can_mount, make_dir, mode, put, tool};

/// Does what systemd would: starts what follows `--` with a clean environment, beside itself.
const SYSTEMD_RUN: &str = r#"
while [ "$1" != -- ]; do
    case "$1" in
    --scope) scope=yes ;;
    --setenv=TZ=*) zone=${1#--setenv=} ;;
    esac
    shift
done
shift
[ -z "$scope" ] || exec "$@"
setsid env -i PATH=/usr/bin:/bin "$zone" "$@" </dev/null >/dev/null 2>&1 &
"#;

/// An agent that ends when the test has it end, or is over.
const AGENT: &str = "echo out; env > env; while [ -e wait ]; do sleep 0.02; done; exit 3";

/// A world with a dead agent, and a directory of stand-ins.
pub(crate) struct Host {
    pub(crate) w: World,
    cell: String,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with("a")
    }

    /// With a cell of that name.
    pub(crate) fn with(cell: &str) -> Self {
        let w = World::new();
        w.cell(cell).beat(cell, 900);
        w.put(format!("{cell}/worktree/wait"), "");
        if nix::unistd::geteuid().is_root() {
            for entry in walkdir::WalkDir::new(w.path(cell)) {
                chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        make_dir(&w.base().join("bin"), 0o755);
        let cell = cell.to_owned();
        Self { w, cell }
    }

    /// The file as long as which the agent lives.
    fn wait(&self) -> PathBuf {
        self.w.path(&self.cell).join("worktree/wait")
    }

    /// Puts a stand-in there that writes down its arguments and does that.
    fn stand_in(&self, name: &str, script: &str) -> &Self {
        let path = self.w.base().join("bin").join(name);
        // One file a call; the last byte comes last.
        let record = r#"mktemp -p "${0%/*}" "${0##*/}.XXXXXX" | { read -r to; printf '%s\0' "$@" '' > "$to"; }"#;
        put(&path, format!("#!/bin/sh\n{record}\n{script}\n").as_bytes());
        mode(&path, 0o755);
        self
    }

    /// What a stand-in was told, call by call, in no order.
    fn told(&self, name: &str) -> Vec<Vec<String>> {
        let prefix = format!("{name}.");
        let files = fs::read_dir(self.w.base().join("bin")).unwrap();
        let files = files.map(Result::unwrap);
        let files = files.filter(|f| f.file_name().to_string_lossy().starts_with(&prefix));
        let words = |file: fs::DirEntry| {
            let text = fs::read_to_string(file.path()).unwrap();
            let words = text.split('\0').map(str::to_owned);
            words.filter(|word| !word.is_empty()).collect()
        };
        files.map(words).collect()
    }

    pub(crate) fn plan(&self, more: &str) -> &Self {
        self.plan_by("systemd", more)
    }

    pub(crate) fn plan_by(&self, backend: &str, more: &str) -> &Self {
        let plan = format!(
            "name: p\npolicy: auto\nsteps:\n  - spawn:\n      command: [/bin/sh, -c, '{AGENT}']\n      backend: {backend}\n{more}"
        );
        plans(&self.w, &plan);
        self
    }

    /// A run that finds the stand-ins before all else.
    pub(crate) fn check(&self, more: &[&str]) -> Cmd<'_> {
        let mut args = vec!["check", "--json"];
        args.extend(more);
        let mut path = OsString::from(self.w.base().join("bin"));
        path.push(":/usr/bin:/bin");
        self.w.cmd(&args).env("PATH", path)
    }

    pub(crate) fn entry(&self) -> Option<Entry> {
        let table = Table::open(&self.w.state()).unwrap()?;
        table.entries().unwrap().entries.into_iter().next()
    }

    pub(crate) fn end_agent(&self) -> Entry {
        let _ = fs::remove_file(self.wait());
        eventually(|| self.entry().filter(|entry| entry.status.is_over()))
    }

    /// What is left in the table's directory beside entries and locks.
    fn sockets(&self) -> Vec<PathBuf> {
        let Ok(all) = fs::read_dir(self.w.state().join("procs")) else {
            return Vec::new();
        };
        let all = all.map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_string_lossy().contains("sock"))
            .collect()
    }
}

impl Drop for Host {
    /// Its directory must not be in use when it is removed.
    fn drop(&mut self) {
        let _ = fs::remove_file(self.wait());
        let keeper = self
            .entry()
            .and_then(|e| e.keeper_pid.zip(e.keeper_start_time));
        if let (Some((pid, started)), false) = (keeper, std::thread::panicking()) {
            eventually(|| (process::start_time(pid) != Some(started)).then_some(()));
        }
    }
}

pub(crate) fn step(run: &crate::output::Run) -> &Value {
    &run.list("actions")[0]["steps"][0]
}

#[test]
fn an_agent_runs_in_a_unit_with_all_that_its_plan_says() {
    let host = Host::new();
    host.stand_in("systemd-run", SYSTEMD_RUN).plan(
        "      env: {SAID: 'TOP-SECRET-b81f6c-said'}\n      env_pass: [PASSED]\n      grace: 4s\n      wake: false\n      limits: {max_runtime: 8h, memory: 4GiB, open_files: 1024, processes: 10000}\n",
    );
    let run = host.check(&[]).env("PASSED", SECRET).run();
    run.code(1);
    assert_eq!(step(&run)["result"], "ok", "{run}");
    let entry = host.entry().unwrap();
    let unit = format!("lazarus-pit-{}.service", entry.r#ref);
    assert_eq!(entry.unit.as_deref(), Some(unit.as_str()));
    assert_eq!(entry.status, ProcessStatus::Running);
    assert_eq!(step(&run)["pid"], entry.pid.unwrap());

    let calls = host.told("systemd-run");
    assert_eq!(calls.len(), 1, "{calls:?}");
    let mut expected: Vec<String> = Vec::new();
    if !nix::unistd::geteuid().is_root() {
        expected.push("--user".into());
    }
    let socket = host.w.state().join(format!("procs/.{}.sock", entry.r#ref));
    expected.extend([
        format!("--unit={unit}"),
        "--description=Agent a/main".into(),
        "--collect".into(),
        "--quiet".into(),
        "--service-type=exec".into(),
        "--setenv=TZ=UTC".into(),
        "--property=KillMode=mixed".into(),
        "--property=SendSIGKILL=yes".into(),
        "--property=TimeoutStopSec=19000ms".into(),
        "--property=OOMPolicy=continue".into(),
        "--property=Restart=no".into(),
        "--property=MemoryMax=4294967296".into(),
        "--property=TasksMax=10008".into(),
        "--property=RuntimeMaxSec=29704000ms".into(),
        "--".into(),
        fs::canonicalize(crate::cmd::BIN)
            .unwrap()
            .display()
            .to_string(),
        "__keeper".into(),
        entry.r#ref.clone(),
        "a/main".into(),
        socket.display().to_string(),
    ]);
    assert_eq!(calls[0], expected);
    // Neither there nor in the keeper's own: what everybody can read holds no secret.
    let keeper = entry.keeper_pid.unwrap();
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{keeper}/{file}")).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("TOP-SECRET"), "{file}: {text}");
    }
    assert_eq!(host.sockets(), Vec::<PathBuf>::new());

    let env = eventually(|| {
        let env = fs::read_to_string(host.w.path("a/worktree/env")).ok()?;
        env.contains("PASSED=").then_some(env)
    });
    let line = |text: &str| env.lines().any(|line| line == text);
    assert!(line(&format!("PASSED={SECRET}")) && line("SAID=TOP-SECRET-b81f6c-said"));
    assert!(line(&format!("LAZARUS_REF={}", entry.r#ref)), "{env}");
    let limits = fs::read_to_string(format!("/proc/{}/limits", entry.pid.unwrap())).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..]
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(limit("Max address space"), "4294967296");
    assert_eq!(limit("Max open files"), "1024");
    assert_eq!(limit("Max processes"), "10000");

    let entry = host.end_agent();
    assert_eq!(
        (entry.status, entry.exit_code),
        (ProcessStatus::Exited, Some(3))
    );
    let log = fs::read_to_string(entry.log.as_ref().unwrap()).unwrap();
    assert!(log.contains("+00:00 [main:stdout] out\n"), "{log}");
    let run = host.check(&[]).run();
    let ended = journal(&host.w);
    let ended = ended.iter().find(|e| e["event"] == "process_exited");
    assert_eq!(ended.unwrap()["exit_code"], 3, "{run}");
}

/// The run that an end starts is as the one before it, with its environment, and leaves the unit.
#[test]
fn the_run_that_an_end_starts_does_not_belong_to_the_unit() {
    let host = Host::new();
    host.stand_in("systemd-run", SYSTEMD_RUN).plan("");
    // Written by the woken run, where it has the variable still.
    host.w.config("{}\n");
    let run = host.check(&[]).env("LAZARUS_PIT_MARK", SECRET).run();
    run.code(1);
    host.end_agent();
    let scope = eventually(|| {
        let calls = host.told("systemd-run");
        calls
            .into_iter()
            .find(|call| call.iter().any(|w| w == "--scope"))
    });
    let entry = host.entry().unwrap();
    let name = format!("--unit=lazarus-pit-after-{}.scope", entry.r#ref);
    let at = scope.iter().position(|word| word == "--").unwrap();
    let user = !nix::unistd::geteuid().is_root();
    let before: Vec<&str> = user.then_some("--user").into_iter().collect();
    let before = [&before[..], &["--scope", "--collect", "--quiet", &name]].concat();
    assert_eq!(scope[..at], before);
    assert_eq!(scope[at + 2..at + 5], ["check", "--cell", "a"]);
    assert!(!scope.iter().any(|word| word.contains("TOP-SECRET")));
    eventually(|| {
        let runs = journal(&host.w);
        let over = runs.iter().filter(|e| e["event"] == "run_finished").count();
        (over == 2).then_some(())
    });
}

#[test]
fn what_systemd_run_complains_of_is_the_steps_error() {
    let host = Host::new();
    host.plan("").stand_in(
        "systemd-run",
        "echo 'Failed to connect to bus: No medium found' >&2; exit 1",
    );
    let run = host.check(&[]).run();
    run.code(2);
    assert_eq!(step(&run)["result"], "failed", "{run}");
    let error = step(&run)["error"].as_str().unwrap();
    assert!(error.starts_with("starting lazarus-pit-"), "{error}");
    assert!(error.ends_with("/bin/systemd-run: Failed to connect to bus: No medium found"));
    assert!(host.entry().is_none());
    assert_eq!(host.sockets(), Vec::<PathBuf>::new());
}

#[test]
fn a_keeper_that_never_reports_is_stopped() {
    let host = Host::new();
    host.plan("")
        .stand_in("systemd-run", "exit 0")
        .stand_in("systemctl", "exit 0");
    let run = host.check(&["--deadline", "2s"]).run();
    run.code(2);
    assert_eq!(step(&run)["result"], "cut_off", "{run}");
    let error = step(&run)["error"].as_str().unwrap();
    assert!(
        error.contains("before the keeper of lazarus-pit-"),
        "{error}"
    );
    let unit = error
        .split_whitespace()
        .find(|word| word.ends_with(".service"));
    let stops = host.told("systemctl");
    assert_eq!(stops.len(), 1, "{stops:?}");
    assert!(stops[0].ends_with(&["stop".into(), "--".into(), unit.unwrap().to_owned()]));
    assert!(host.entry().is_none());
    assert_eq!(host.sockets(), Vec::<PathBuf>::new());
}

/// A unit that comes to life when nobody waits for it any more starts nothing.
#[test]
fn a_keeper_that_comes_too_late_starts_nothing() {
    let host = Host::new();
    host.plan("")
        .stand_in("systemd-run", "exit 0")
        .stand_in("systemctl", "exit 0");
    host.check(&["--deadline", "2s"]).run().code(2);
    let calls = host.told("systemd-run");
    let at = calls[0].iter().position(|word| word == "--").unwrap();
    let late = Command::new(&calls[0][at + 1])
        .args(&calls[0][at + 2..])
        .output()
        .unwrap();
    assert_eq!(late.status.code(), Some(70));
    assert!(host.entry().is_none() && late.stdout.is_empty());
}

#[test]
fn without_systemd_run_the_step_says_so_and_the_old_agent_is_left_alone() {
    let host = Host::new();
    host.plan("");
    let bin = host.w.base().join("bin");
    let run = host.check(&[]).env("PATH", &bin).run();
    run.code(2);
    let error = step(&run)["error"].as_str().unwrap();
    let bin = bin.display();
    assert_eq!(
        error,
        format!(
            "running systemd-run: No such file or directory in {bin}; `backend: systemd` needs it"
        )
    );
}

/// As a run that systemd has started finds itself: in a control group, with an id.
fn in_service<'h>(host: &'h Host, group: &str, systemctl: &str) -> Cmd<'h> {
    let file = host.w.base().join("cgroup");
    put(&file, format!("0::{group}\n").as_bytes());
    host.stand_in("systemctl", systemctl);
    host.check(&["--dry-run"])
        .env("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
        .mounted(&format!("mount --bind {} /proc/$$/cgroup", file.display()))
}

#[test]
fn a_run_whose_service_would_kill_its_agents_warns() {
    if !can_mount() {
        return;
    }
    let host = Host::new();
    let plan = |backend: &str| {
        plans(
            &host.w,
            &format!(
                "name: p\npolicy: auto\nsteps:\n  - spawn: {{command: ['true'], backend: {backend}}}\n"
            ),
        );
    };
    let service = "/system.slice/lazarus-pit.service";
    plan("process");
    for (group, systemctl, said) in [
        (
            service,
            "echo control-group",
            Some("whose KillMode is control-group"),
        ),
        (service, "echo mixed", Some("whose KillMode is mixed")),
        (service, "echo process", None),
        (service, "echo none", None),
        (
            service,
            "",
            Some("could not be found out (systemctl says nothing of lazarus-pit.service)"),
        ),
        (
            service,
            "echo no bus >&2; exit 1",
            Some("could not be found out (systemctl: no bus)"),
        ),
        (
            service,
            "exec sleep 100",
            Some("(systemctl did not answer within 2s)"),
        ),
        (
            "/user.slice/user-0.slice/session-2.scope",
            "echo control-group",
            None,
        ),
        (
            "/",
            "echo control-group",
            Some("a service of systemd, whose KillMode could not"),
        ),
    ] {
        let run = in_service(&host, group, systemctl).run();
        let warnings = run.list("warnings").iter();
        let found = warnings.filter(|w| w["code"] == "kill_mode").count();
        assert_eq!(
            found,
            usize::from(said.is_some()),
            "{group} {systemctl}: {run}"
        );
        assert!(said.is_none_or(|said| run.stdout().contains(said)), "{run}");
    }
    let asked = host.told("systemctl");
    let expected = [
        "show",
        "--property=KillMode",
        "--value",
        "--",
        "lazarus-pit.service",
    ];
    assert!(asked.iter().all(|call| call[..] == expected), "{asked:?}");
    let before = asked.len();
    // A user's own systemd is asked for a user's service.
    let user = "/user.slice/user-7.slice/user@7.service/app.slice/mine.service";
    in_service(&host, user, "echo mixed").run();
    let asked = host.told("systemctl");
    assert!(
        asked
            .iter()
            .any(|call| call[0] == "--user" && call[5] == "mine.service")
    );
    assert_eq!(asked.len(), before + 1);

    // Nobody is asked where it makes no difference.
    let unsaid = |run: Cmd<'_>| {
        let run = run.run();
        assert!(!run.warnings().contains(&"kill_mode"), "{run}");
    };
    unsaid(in_service(&host, service, "echo mixed").env("INVOCATION_ID", ""));
    unsaid(in_service(&host, service, "echo mixed").arg("--no-act"));
    plan("systemd");
    unsaid(in_service(&host, service, "echo mixed"));
    assert_eq!(host.told("systemctl").len(), before + 1);
}

/// systemd itself reads the units that ship, and has nothing to say against them.
#[test]
fn the_units_that_ship_are_understood() {
    if !tool("systemd-analyze") {
        return;
    }
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/systemd");
    let dropped = "lazarus-pit.service.d/observe-only.conf";
    let units = ["lazarus-pit.service", "lazarus-pit.timer"];
    let health = ["lazarus-pit-health.socket", "lazarus-pit-health@.service"];
    for (of, units, files) in [
        ("", units, &units[..]),
        ("", units, &[units[0], units[1], dropped]),
        ("user", units, &units[..]),
        ("", health, &health[..]),
    ] {
        let tmp = tempfile::tempdir().unwrap();
        for file in files {
            let text = fs::read_to_string(shipped.join(of).join(file)).unwrap();
            // The program is not installed here.
            let text = text.replace("/usr/local/bin/lazarus-pit", "/bin/true");
            put(&tmp.path().join(file), text.as_bytes());
        }
        let said = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .args(units.map(|unit| tmp.path().join(unit)))
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&said.stderr);
        let ours = complaint
            .lines()
            .filter(|line| line.contains("lazarus-pit"));
        assert_eq!(ours.collect::<Vec<_>>(), [""; 0], "{of} {files:?}");
        assert!(said.status.success(), "{complaint}");
    }
}
