//! The step `spawn`: starts an agent that outlives the run, with a keeper beside it.
//!
//! ```text
//! predecessors ended ──▶ keeper started ──▶ it claims the attempt and takes the subject's place
//!                                           ──▶ agent runs ──▶ entry written ──▶ answer
//! ```

mod clear;
mod prepare;
pub mod spec;
mod start;
mod talk;
mod unit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::environment::Own;
use super::run::Scene;
use crate::model::action::{Action, StepDone, StepResult};
use crate::model::process::Entry;
use crate::model::step::{Backend, Replace, Spawn, Step};
use crate::model::time::Timestamp;
use crate::sys::account::Account;
use crate::sys::beneath::Mounts;
use crate::table::{Host, Living, Table};

use clear::{Cleared, clear};
pub use clear::{Remains, Stray, end_subject, strays};
use start::Started;

/// What the steps of a run need to know to keep processes.
#[derive(Debug)]
pub struct Keeping {
    /// The state directory; absolute.
    pub state_dir: PathBuf,
    /// The missions root; absolute.
    pub missions_root: PathBuf,
    /// Where logs are written; absolute.
    pub logs_dir: PathBuf,
    /// The most bytes of log a process and day.
    pub max_bytes: u64,
    /// Config key `heartbeat_file`.
    pub heartbeat_file: String,
    /// Whether mounts below a cell are walked into.
    pub mounts: Mounts,
    /// After how long without a beat an agent is stale, where its plan does not say.
    pub stale_after: Duration,
    /// Options by which another run is as this one: `--config`, `--root`, ….
    pub same: Vec<String>,
    /// The table.
    pub table: Table,
    /// What it held when the run began.
    pub entries: Vec<Entry>,
    /// This host, for telling living processes from dead ones.
    pub host: Host,
    /// The processes that some keeper's agent left, looked for once a run and only where there is
    /// something to be started.
    pub strays: OnceLock<Vec<Stray>>,
}

impl Keeping {
    /// The living processes of a subject that the table knows.
    #[must_use]
    pub fn living(&self, subject: &str, now: Timestamp) -> Vec<Living> {
        let of_it = self.entries.iter().filter(|e| e.subject == subject);
        let of_it: Vec<Entry> = of_it.cloned().collect();
        let mut living: BTreeMap<String, Vec<Living>> = self.host.living(&of_it, now);
        living.remove(subject).unwrap_or_default()
    }
}

/// Whom the step would run as, in which directory, and which file.
///
/// # Errors
/// A sentence: why it would fail before anything is started.
pub(super) fn would(
    spawn: &Spawn,
    action: &Action,
    own: &Own,
    missions_root: &Path,
    mounts: Mounts,
) -> Result<(Account, PathBuf, PathBuf), String> {
    let found = prepare::find(spawn, action, own, missions_root, mounts)?;
    if spawn.backend == Backend::Systemd {
        unit::tools(own)?;
    }
    Ok((found.account, found.cwd, found.program))
}

/// Carries out the step.
pub(super) fn spawn(step: &Step, spawn: &Spawn, scene: &mut Scene<'_>) -> StepDone {
    let failed = |error: String| StepDone {
        error: Some(error),
        ..StepDone::new(step, StepResult::Failed)
    };
    let Some(keeping) = scene.around.keeping.clone() else {
        return failed("there is no process table: nothing can be kept".to_owned());
    };
    let ready = match prepare::prepare(spawn, scene.action, scene.around, &keeping) {
        Ok(ready) => ready,
        Err(error) => return failed(error),
    };
    let until = scene.around.deadline;
    match clear(scene, &keeping, spawn, &ready.spec) {
        Ok(Cleared::Free) => {}
        Ok(Cleared::Lives(pid)) if spawn.replace == Replace::Keep => {
            return StepDone {
                pid: Some(pid),
                ..StepDone::new(step, StepResult::Ok)
            };
        }
        Ok(Cleared::Lives(pid)) => {
            return failed(format!(
                "a process of {} still lives (pid {pid}), and the plan says `replace: fail`",
                scene.action.subject
            ));
        }
        Err(error) if Instant::now() >= until || scene.is_stopped() => {
            return StepDone {
                result: StepResult::CutOff,
                ..failed(error)
            };
        }
        Err(error) => return failed(error),
    }
    match start::start(&ready, scene, &keeping) {
        Ok(Started { pid, log, trouble }) => {
            scene.trouble.extend(trouble);
            StepDone {
                pid: Some(pid),
                log,
                started: true,
                ..StepDone::new(step, StepResult::Ok)
            }
        }
        Err((result, error)) => StepDone {
            error: Some(error),
            ..StepDone::new(step, result)
        },
    }
}
