//! Agents for tests: real processes, with and without an entry in the table.

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::later::eventually;
use crate::store::journal;
use crate::world::{World, put, rfc3339};

/// An agent in a session of its own, as a keeper starts one; it is ended with the test.
pub(crate) struct Agent(pub(crate) Child);

impl Agent {
    /// Runs a shell script as this cell's agent.
    pub(crate) fn start(world: &World, subject: &str, r#ref: &str, script: &str) -> Self {
        let (cell, agent) = subject.split_once('/').unwrap_or(("", subject));
        let mut command = Command::new("setsid");
        command
            .args(["sh", "-c", script])
            .env("LAZARUS_REF", r#ref)
            .env("LAZARUS_AGENT", agent)
            .env("LAZARUS_CELL_ROOT", world.path(cell))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let agent = Self(command.spawn().unwrap());
        // In its own session, and the script is running: from here on it can be found.
        eventually(|| {
            let stat = stat(agent.pid())?;
            let session = stat.split_ascii_whitespace().nth(3)?.to_owned();
            let command = fs::read(format!("/proc/{}/cmdline", agent.pid())).ok()?;
            (session == agent.pid().to_string() && command.starts_with(b"sh\0")).then_some(())
        });
        agent
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// True once it has ended; what it ended with is collected.
    pub(crate) fn is_gone(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Its entry in the table, as a keeper writes it; whoever that was, it is gone.
    pub(crate) fn entry(&self, world: &World, subject: &str, r#ref: &str) -> Value {
        let entry = json!({
            "ref": r#ref, "slot": subject, "subject": subject, "actor": "run",
            "incident": "i1", "attempt": 2, "plan": "p", "command": ["sh", "-c", "x\u{1b}[2Jy"],
            "cwd": "/", "pid": self.pid(), "start_time": start_time(self.pid()),
            "boot_id": boot_id(), "keeper_pid": null, "status": "running",
            "started_at": rfc3339(60.0), "grace_ms": 300, "newer": {"kept": true},
        });
        write_entry(world, &entry);
        entry
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What stands behind the name in a process's stat.
fn stat(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat[stat.rfind(')')? + 2..].to_owned())
}

pub(crate) fn start_time(pid: u32) -> u64 {
    let stat = stat(pid).unwrap();
    stat.split_ascii_whitespace()
        .nth(19)
        .unwrap()
        .parse()
        .unwrap()
}

pub(crate) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    id.trim().to_owned()
}

/// Writes an entry of the table as it is given.
pub(crate) fn write_entry(world: &World, entry: &Value) {
    let name = format!("procs/{}.json", entry["ref"].as_str().unwrap());
    put(&world.state().join(name), entry.to_string().as_bytes());
}

/// Ends with the test what its keepers keep.
pub(crate) struct Kept<'w>(pub(crate) &'w World);

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        let entries = fs::read_dir(self.0.state().join("procs"));
        for path in entries.into_iter().flatten().flatten() {
            let text = fs::read(path.path()).unwrap_or_default();
            let entry: Value = serde_json::from_slice(&text).unwrap_or_default();
            for (pid, started) in [("keeper_pid", "keeper_start_time"), ("pid", "start_time")] {
                let (Some(pid), Some(started)) = (entry[pid].as_u64(), entry[started].as_u64())
                else {
                    continue;
                };
                let pid = i32::try_from(pid).unwrap();
                if lazarus_pit::sys::process::start_time(pid) == Some(started) {
                    let pid = nix::unistd::Pid::from_raw(pid);
                    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                }
            }
        }
    }
}

/// The journal's events of a kind.
pub(crate) fn events(world: &World, kind: &str) -> Vec<Value> {
    let mut all = journal(world);
    all.retain(|e| e["event"] == kind);
    all
}
