//! Starting a keeper as a transient unit of systemd: outside the checker's control group and
//! sandbox, and not ended with it.
//!
//! ```text
//! socket ──▶ systemd-run ──▶ systemd starts the keeper ──▶ it connects ──▶ told and heard as any other
//! ```
//!
//! The unit's first process is the keeper itself, so that everything else (log, table, limits,
//! identity, the agent's end) is as without systemd. What it is told goes over a socket: what
//! stands in a unit's command line or environment, everybody on the host can read.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::AtFlags;

use super::Keeping;
use super::prepare::Ready;
use super::spec::{Answer, COMMAND, UnitSpec};
use super::start::{Started, of_other, own_environment, refused};
use super::talk::Talk;
use crate::act::leftovers::end_leftovers;
use crate::act::perform::Surroundings;
use crate::act::run::Scene;
use crate::model::action::{Action, StepResult};
use crate::model::filename::safe;
use crate::model::step::Spawn;
use crate::model::text::visible;
use crate::model::time::millis;
use crate::sys::host;
use crate::sys::job::{self, Job, Outputs};
use crate::sys::systemd::{self, Manager, RUNTIME_DIR, Tools};
use crate::table::Table;

/// How long a keeper whose unit was started has to report.
const REPORT: Duration = Duration::from_secs(10);

/// How long systemd is given to stop a unit that is not wanted. It goes on with that by itself.
const STOP: Duration = Duration::from_secs(2);

/// What a keeper needs beyond the grace before systemd ends it by force: to end leftovers, and to
/// write down how it was.
const TO_END: Duration = Duration::from_secs(15);

/// By how much a unit may outlive its agent's `max_runtime` and grace. The keeper ends the agent at
/// that; this is for one that does not, and must not cut off the writing of an end on a full disk.
const TO_OUTLIVE: Duration = Duration::from_secs(900);

/// Tasks of a unit that are not the agent's: the keeper's own, and those by which it starts a run.
const TASKS: u64 = 8;

/// A unit that is to be started.
#[derive(Debug)]
pub(super) struct Unit {
    name: String,
    tools: Tools,
    systemd_run: PathBuf,
    /// What stands before the command that it runs.
    options: Vec<String>,
    told: UnitSpec,
}

impl Unit {
    /// The unit of an attempt.
    ///
    /// # Errors
    /// A sentence: there is no `systemd-run`.
    pub(super) fn of(
        spawn: &Spawn,
        action: &Action,
        around: &Surroundings,
    ) -> Result<Self, String> {
        let manager = match host::is_root() {
            true => Manager::Host,
            false => Manager::User,
        };
        let tools = Tools::new(manager, around.own.path.clone());
        let systemd_run = tools
            .find("systemd-run")
            .map_err(|e| format!("{e}; `backend: systemd` needs it"))?;
        let id = id(&action.r#ref);
        let mut env: Vec<Vec<u8>> = own_environment(&around.own.secrets).collect();
        if let (Manager::User, Some(dir)) = (manager, systemd::runtime_dir()) {
            let prefix = format!("{RUNTIME_DIR}=").into_bytes();
            env.retain(|entry| !entry.starts_with(&prefix));
            env.push([prefix, dir.into_encoded_bytes()].concat());
        }
        let mut outside = vec![systemd_run.display().to_string()];
        outside.extend(tools.options().iter().map(|&option| option.to_owned()));
        let scope = format!("--unit=lazarus-pit-after-{id}.scope");
        outside.extend(["--scope", "--collect", "--quiet", &scope, "--"].map(str::to_owned));
        let name = format!("lazarus-pit-{id}.service");
        let options = options(&name, spawn, action, around);
        let told = UnitSpec { env, outside };
        Ok(Self {
            name,
            tools,
            systemd_run,
            options,
            told,
        })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What its keeper is told of it.
    pub(super) fn told(&self) -> UnitSpec {
        self.told.clone()
    }

    /// Ends it, and whatever it has started. Returns what is to be added to the reason why.
    fn stop(&self, r#ref: &str) -> String {
        let stopped = self
            .tools
            .ask("systemctl", &["stop", "--", &self.name], STOP);
        let _ = end_leftovers(&[r#ref.to_owned()], Duration::ZERO);
        let unstopped = stopped.err();
        unstopped.map_or_else(String::new, |e| format!("; stopping {}: {e}", self.name))
    }
}

/// A ref as part of a unit's name, which takes fewer characters than a file's.
fn id(r#ref: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let of = |c: char| if plain(c) { c } else { '_' };
    r#ref.chars().map(of).collect()
}

fn options(name: &str, spawn: &Spawn, action: &Action, around: &Surroundings) -> Vec<String> {
    let mut all = vec![
        format!("--unit={name}"),
        format!("--description=Agent {}", visible(&action.subject)),
    ];
    // --collect: one that failed is forgotten too; the process table remembers it.
    all.extend(["--collect", "--quiet", "--service-type=exec"].map(str::to_owned));
    if let Some(tz) = around.own.tz.as_ref().and_then(|tz| tz.to_str()) {
        // The log's times and days.
        all.push(format!("--setenv=TZ={tz}"));
    }
    let mut property = |text: String| all.push(format!("--property={text}"));
    // TERM to the keeper alone, which ends its agent and writes that down; KILL to all that is left.
    property("KillMode=mixed".to_owned());
    property("SendSIGKILL=yes".to_owned());
    let stop = spawn.grace.saturating_add(TO_END);
    property(format!("TimeoutStopSec={}ms", millis(stop)));
    // An agent that is killed for want of memory has ended, and its keeper says so.
    property("OOMPolicy=continue".to_owned());
    // Who brings it back is decided by plans.
    property("Restart=no".to_owned());
    // Open descriptors are not limited here, but by the keeper for the agent: it has its own.
    if let Some(memory) = spawn.limits.memory {
        property(format!("MemoryMax={memory}"));
    }
    if let Some(processes) = spawn.limits.processes {
        property(format!("TasksMax={}", processes.saturating_add(TASKS)));
    }
    if let Some(most) = spawn.limits.max_runtime {
        let most = most.saturating_add(spawn.grace).saturating_add(TO_OUTLIVE);
        property(format!("RuntimeMaxSec={}ms", millis(most)));
    }
    all
}

/// Starts the unit and talks with its keeper. Where there is no answer, nothing of it is left.
///
/// # Errors
/// What came of the step, and a sentence.
pub(super) fn start(
    unit: &Unit,
    ready: &Ready,
    spec: &[u8],
    scene: &Scene<'_>,
    keeping: &Keeping,
) -> Result<Started, (StepResult, String)> {
    let failed = |error: String| (StepResult::Failed, error);
    let until = scene.around.deadline;
    let r#ref = &ready.spec.entry.r#ref;
    let door = Door::open(&keeping.table, r#ref).map_err(failed)?;
    let command = command(&door, scene.action).map_err(failed)?;
    let args = unit.options.iter().cloned().chain(command);
    let left = until.saturating_duration_since(Instant::now());
    let (job, outputs) = unit
        .tools
        .start(&unit.systemd_run, args, left)
        .map_err(failed)?;
    let came = door.wait(job, &outputs, unit, scene);
    let stream = match came {
        Ok(stream) => stream,
        Err((result, error, true)) => {
            return Err((result, format!("{error}{}", unit.stop(r#ref))));
        }
        // A run that was killed may have had the same unit started: then systemd starts no other.
        Err(_) if keeping.table.entry(r#ref).is_ok_and(|e| e.is_some()) => {
            return of_other(ready, keeping, until);
        }
        Err((result, error, false)) => return Err((result, error)),
    };
    let talk = Talk {
        keeper: unit.name.clone(),
        scene,
        until,
    };
    let other = stream.try_clone();
    let streams = Outputs {
        stdin: Some(stream),
        stdout: other.ok(),
        stderr: None,
    };
    match talk.with(streams, spec) {
        Ok(Answer::Started {
            pid, log, trouble, ..
        }) => Ok(Started { pid, log, trouble }),
        Ok(Answer::Taken) => of_other(ready, keeping, until),
        Ok(answer) => Err(failed(refused(answer, ready))),
        Err((result, error)) => Err((result, format!("{error}{}", unit.stop(r#ref)))),
    }
}

/// The command that the unit runs.
fn command(door: &Door<'_>, action: &Action) -> Result<Vec<String>, String> {
    let own = std::env::current_exe().ok().filter(|path| path.exists());
    // After an upgrade our file has no name any more; as long as we are there, this leads to it.
    let own = own.unwrap_or_else(|| format!("/proc/{}/exe", std::process::id()).into());
    let text = |path: PathBuf| {
        let text = path.into_os_string().into_string();
        text.map_err(|path| {
            let path = path.display();
            format!("telling systemd of {path}: it takes no path that is not UTF-8")
        })
    };
    let mut all = vec!["--".to_owned(), text(own)?];
    let socket = text(door.table.path().join(&door.name))?;
    let args = [COMMAND, &action.r#ref, &action.subject, &socket];
    // systemd puts variables in the place of what begins with a dollar sign. No argument can have a
    // zero byte in it.
    all.extend(args.map(|text| text.replace('\0', "").replace('$', "$$")));
    Ok(all)
}

/// A socket in the process table's directory, which nobody but we and the keeper can reach. It is
/// gone when this is dropped; what a killed run leaves, a later one removes.
struct Door<'a> {
    table: &'a Table,
    name: String,
    listener: UnixListener,
}

impl<'a> Door<'a> {
    fn open(table: &'a Table, r#ref: &str) -> Result<Self, String> {
        let name = format!(".{}.sock", safe(r#ref));
        let _ = rustix::fs::unlinkat(table, &name, AtFlags::empty());
        // By the descriptor: a path of more than 107 bytes is too long for a socket.
        let path = format!("/proc/self/fd/{}/{name}", table.as_fd().as_raw_fd());
        let listener = UnixListener::bind(path).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        let listener = listener.map_err(|e| {
            let path = table.path().join(&name);
            format!("making the socket {} for a keeper: {e}", path.display())
        })?;
        Ok(Self {
            table,
            name,
            listener,
        })
    }

    /// Waits until the keeper has come. Where it does not: what came of the step, a sentence, and
    /// whether there may be a unit.
    fn wait(
        &self,
        job: Job,
        outputs: &Outputs,
        unit: &Unit,
        scene: &Scene<'_>,
    ) -> Result<OwnedFd, (StepResult, String, bool)> {
        let name = &unit.name;
        let until = scene.around.deadline;
        let mut starting = Some(job);
        let mut report_by = until;
        loop {
            if let Ok((stream, _)) = self.listener.accept() {
                let _ = stream.set_nonblocking(true);
                // What is left for it to do is to hear that the unit was started.
                if let Some(job) = starting {
                    job.detach();
                }
                return Ok(stream.into());
            }
            if let Some(job) = starting.take_if(|job| job.has_ended()) {
                let said = systemd::said(job, outputs);
                if !said.status.is_some_and(|status| status.success()) {
                    let run = unit.systemd_run.display();
                    let error = format!("starting {name} by {run}: {}", said.why());
                    return Err((StepResult::Failed, error, false));
                }
                report_by = until.min(Instant::now() + REPORT);
                continue;
            }
            let now = Instant::now();
            if now >= until || scene.is_stopped() {
                let error =
                    format!("the run's deadline came before the keeper of {name} had reported");
                return Err((StepResult::CutOff, error, true));
            }
            if now >= report_by {
                let error = format!(
                    "the keeper of {name} has not reported within {REPORT:?} of its start; \
                     `journalctl -u {name}` may say why"
                );
                return Err((StepResult::Failed, error, true));
            }
            let mut left = report_by - now;
            let end = starting.as_ref().and_then(Job::end);
            if starting.is_some() && end.is_none() {
                left = left.min(job::LOOK);
            }
            let _ = job::wait(&[Some(self.listener.as_fd()), end, Some(scene.stop)], left);
        }
    }
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        let _ = rustix::fs::unlinkat(self.table, &self.name, AtFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_name_has_nothing_odd_in_it() {
        assert_eq!(id("0654a-1f.2_x"), "0654a-1f.2_x");
        assert_eq!(id("a/b c@d%é"), "a_b_c_d__");
    }
}
