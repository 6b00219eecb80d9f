//! `start` and `restart`: carries out a subject's plan now, by an operator's word.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::args::{CheckArgs, Common};
use super::list::wants_json;
use super::setup::Setup;
use super::subject::{look_at, missing, names, trimmed};
use super::{Ending, out};
use crate::core::decide::{cell_of, is_gateway};
use crate::model::action::{AttemptResult, Done};
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::model::text::visible;
use crate::pipeline::{self, Order};
use crate::sys::host;

/// How long a run's lock is waited for.
const WAIT: Duration = Duration::from_secs(10);

/// What was done.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    actions: &'a [Done],
    warnings: &'a [Warning],
}

/// Carries out the plans of the subjects meant, now.
///
/// # Errors
/// No such subject, or one that runs already (1); no plan, or one without steps (2); as a run.
pub(super) fn start(
    common: &Common,
    subject: &str,
    restart: bool,
    deadline: Option<Duration>,
) -> Result<Ending, Failure> {
    let (name, schema) = match restart {
        true => ("restart", "lazarus-pit/restart/1"),
        false => ("start", "lazarus-pit/start/1"),
    };
    let json = wants_json(common, name)?;
    let began = Instant::now();
    let setup = Setup::load(common, None)?.with_plans()?;
    let wanted = trimmed(subject);
    // Looked at before the lock is taken: a disk that hangs must not keep the runs waiting.
    let seen = look_at(&setup.look(None), wanted, host::now())?;
    let subjects = names(&seen, wanted).map_err(missing)?;
    drop(seen);
    let cell = cell_of(wanted);
    let args = CheckArgs {
        // A gateway is no cell, and no cell is to be looked at for its sake.
        cell: vec![match is_gateway(wanted) {
            true => String::new(),
            false => globset::escape(cell),
        }],
        deadline,
        wait_lock: Some(WAIT),
        no_heartbeat: true,
        ..CheckArgs::default()
    };
    let mut request = setup.request(&args, began)?;
    // It is no run that a dead man's switch waits for.
    request.config.heartbeat_ping_url = None;
    request.config.prometheus_textfile = None;
    request.order = Some(Order {
        subjects,
        restart,
        actor: format!("operator:{}", host::operator()),
    });
    let report = pipeline::run(request)?;
    let failed = |done: &Done| done.result != AttemptResult::Ok;
    let exit = match report.actions.iter().any(failed) {
        true => Exit::Critical,
        false => Exit::Healthy,
    };
    if !(common.quiet && exit == Exit::Healthy) {
        report.warnings.iter().for_each(out::warn_of);
    }
    if json {
        out::json(&Document {
            schema,
            actions: &report.actions,
            warnings: &report.warnings,
        })?;
    } else if !(common.quiet && exit == Exit::Healthy) {
        out::print(human(&report.actions).as_bytes())?;
    }
    Ok(exit.into())
}

fn human(actions: &[Done]) -> String {
    let mut text = String::new();
    for done in actions {
        let subject = visible(&done.subject);
        let _ = writeln!(
            text,
            "{subject}: attempt {}: {}",
            done.attempt,
            done.result.as_str()
        );
        for step in &done.steps {
            let command = step.command.as_deref().unwrap_or_default().join(" ");
            let mut line = format!("  {} {command}: {}", step.kind, step.result.as_str());
            if let Some(pid) = step.pid {
                let _ = write!(line, " (pid {pid})");
            }
            if let Some(error) = &step.error {
                let _ = write!(line, ": {error}");
            }
            if let Some(log) = &step.log {
                let _ = write!(line, "; log {log}");
            }
            let _ = writeln!(text, "{}", visible(&line));
        }
    }
    text
}
