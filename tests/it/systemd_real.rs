//! `backend: systemd` and `KillMode=` with the systemd of this host. Where none runs, the tests are
//! skipped.

use std::fs;
use std::process::Command;

use lazarus_pit::model::process::ProcessStatus;
use lazarus_pit::sys::process;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cmd::BIN;
use crate::later::eventually;
use crate::store::journal;
use crate::systemd::{Host, step};

/// The manager that starts something for us; none where no systemd runs.
fn manager() -> Option<&'static [&'static str]> {
    let options: &[&str] = match nix::unistd::geteuid().is_root() {
        true => &[],
        false => &["--user"],
    };
    let asked = Command::new("systemctl")
        .args(options)
        .arg("is-system-running")
        .output();
    let state = asked.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    let runs = matches!(state.as_deref(), Ok("running" | "degraded" | "starting"));
    if !runs {
        eprintln!("skipped: no systemd runs here: {state:?}");
    }
    runs.then_some(options)
}

fn systemctl(options: &[&str], args: &[&str]) -> String {
    let mut command = Command::new("systemctl");
    let out = command.args(options).args(args).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn show(options: &[&str], property: &str, unit: &str) -> String {
    let args = ["show", "--value", "--property", property, "--", unit];
    systemctl(options, &args)
}

fn lives(pid: Option<i32>) -> bool {
    process::start_time(pid.unwrap()).is_some()
}

#[test]
fn an_agent_runs_as_a_unit_and_its_end_starts_a_run_outside_it() {
    let Some(options) = manager() else { return };
    // systemd would put a variable in the place of that.
    let host = Host::with("$HOME");
    host.plan("      limits: {max_runtime: 1h, memory: 4GiB, processes: 10000}\n");
    let run = host.check(&[]).run();
    assert_eq!(step(&run)["result"], "ok", "{run}");
    let entry = host.entry().unwrap();
    let unit = entry.unit.clone().unwrap();
    let show = |property: &str| show(options, property, &unit);
    assert_eq!(show("ActiveState"), "active");
    assert_eq!(show("Description"), "Agent $HOME/main");
    assert_eq!(show("MainPID"), entry.keeper_pid.unwrap().to_string());
    assert_eq!(
        (show("MemoryMax"), show("TasksMax")),
        ("4294967296".into(), "10008".into())
    );
    assert_eq!(show("KillMode"), "mixed");
    assert_eq!(
        (show("TimeoutStopUSec"), show("OOMPolicy")),
        ("30s".into(), "continue".into())
    );
    assert_eq!(show("RuntimeMaxUSec"), "1h 15min 15s");
    let group = fs::read_to_string(format!("/proc/{}/cgroup", entry.pid.unwrap())).unwrap();
    assert!(group.contains(&unit), "{group}");

    let entry = host.end_agent();
    assert_eq!(entry.exit_code, Some(3));
    eventually(|| {
        let runs = journal(&host.w);
        let over = runs.iter().filter(|e| e["event"] == "run_finished").count();
        (over == 2).then_some(())
    });
    eventually(|| (show("LoadState") == "not-found").then_some(()));
}

#[test]
fn a_unit_that_is_stopped_ends_its_agent_and_that_is_written_down() {
    let Some(options) = manager() else { return };
    let host = Host::new();
    host.plan("");
    let run = host.check(&[]).run();
    assert_eq!(step(&run)["result"], "ok", "{run}");
    let entry = host.entry().unwrap();
    systemctl(options, &["stop", "--", &entry.unit.unwrap()]);
    assert!(!lives(entry.pid));
    let entry = host.entry().unwrap();
    assert_eq!(entry.status, ProcessStatus::Killed);
    assert!(entry.error.unwrap().contains("SIGTERM"));
}

/// Nobody would see how the agent ends: so it does not outlive its keeper.
#[test]
fn an_agent_ends_with_the_keeper_that_is_its_units_first_process() {
    if manager().is_none() {
        return;
    }
    let host = Host::new();
    host.plan("");
    let run = host.check(&[]).run();
    assert_eq!(step(&run)["result"], "ok", "{run}");
    let entry = host.entry().unwrap();
    kill(Pid::from_raw(entry.keeper_pid.unwrap()), Signal::SIGKILL).unwrap();
    eventually(|| (!lives(entry.pid)).then_some(()));
    host.check(&[]).run();
    assert_eq!(host.entry().unwrap().status, ProcessStatus::Unknown);
}

/// What `KillMode=` does to the children of a oneshot service, and what a run says of it.
#[test]
fn agents_outlive_a_oneshot_service_only_where_it_says_so() {
    let Some(options) = manager() else { return };
    for (mode, backend, survives, warns) in [
        ("control-group", "process", false, true),
        ("mixed", "process", false, true),
        ("process", "process", true, false),
        ("control-group", "systemd", true, false),
    ] {
        let host = Host::new();
        host.plan_by(backend, "");
        let (out, pid) = (host.w.base().join("out"), std::process::id());
        let unit = format!("lazarus-pit-test-{pid}-{mode}-{backend}.service");
        let text = |path: std::path::PathBuf| path.display().to_string();
        let status = Command::new("systemd-run")
            .args(options)
            .args(["--collect", "--quiet", "--service-type=oneshot"])
            .args([
                format!("--unit={unit}"),
                format!("--property=KillMode={mode}"),
            ])
            .arg(format!("--property=StandardOutput=file:{}", out.display()))
            .arg("--property=SuccessExitStatus=1")
            // A filter of system calls, for what stands for a sandbox.
            .arg("--property=RestrictRealtime=yes")
            .args([
                "--",
                BIN,
                "check",
                "--json",
                "--config",
                &text(host.w.config_path()),
            ])
            .args([
                "--root",
                &text(host.w.root()),
                "--state-dir",
                &text(host.w.state()),
            ])
            .status()
            .unwrap();
        let said = fs::read_to_string(&out).unwrap();
        assert!(status.success(), "{mode} {backend}: {said}");
        assert_eq!(
            said.contains("\"kill_mode\""),
            warns,
            "{mode} {backend}: {said}"
        );
        assert!(!warns || said.contains(&format!("{unit}, whose KillMode is {mode}")));
        let entry = host.entry().unwrap();
        // Whoever is killed is so before the service counts as ended, or right after that.
        if !survives {
            eventually(|| (!lives(entry.pid) && !lives(entry.keeper_pid)).then_some(()));
            continue;
        }
        assert!(
            lives(entry.pid) && lives(entry.keeper_pid),
            "{mode} {backend}"
        );
        let status = fs::read_to_string(format!("/proc/{}/status", entry.pid.unwrap())).unwrap();
        let filtered = status.lines().any(|line| line == "Seccomp:\t2");
        assert_eq!(filtered, backend == "process", "{mode} {backend}: {status}");
        assert_eq!(host.end_agent().exit_code, Some(3));
    }
}
