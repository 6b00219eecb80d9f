//! `destroy`: ends all that works in a cell, and removes the cell with its logs.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::args::{CheckArgs, Common};
use super::close::{ClosedDocument, told};
use super::list::{wants_json, warn_all};
use super::setup::Setup;
use super::subject::trimmed;
use super::words::event;
use super::{Ending, out};
use crate::act::destroy::{self, Doomed};
use crate::act::logs;
use crate::core::decide::{cell_of, is_gateway};
use crate::model::event::Kind;
use crate::model::exit::{Exit, Failure};
use crate::model::text::{from_bytes, visible};
use crate::pipeline::closing::{self, Closed};
use crate::pipeline::word;

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/destroy/1";

/// How long the rest of the order may take under the lock, beside the ending of processes.
const MARGIN: Duration = Duration::from_secs(50);

/// What was ended and removed.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    cell: &'a str,
    root: &'a str,
    /// True where an earlier removal had been cut short and only its rest was there.
    finished: bool,
    closed: Vec<ClosedDocument<'a>>,
    removed: u64,
    /// Null where the logs were left.
    logs_removed: Option<u64>,
}

/// Removes the cell.
///
/// # Errors
/// Without `--yes` (64); there is no such cell, or its processes cannot be ended (1); a run holds
/// the lock (75); something cannot be removed or written (74).
pub(super) fn destroy(
    common: &Common,
    setup: Setup,
    cell: &str,
    yes: bool,
    keep_logs: bool,
) -> Result<Ending, Failure> {
    let json = wants_json(common, "destroy")?;
    let cell = trimmed(cell);
    if cell.contains('/') || is_gateway(cell) {
        let message = format!(
            "destroy takes a whole cell, and `{cell}` is none (`close` ends one agent or gateway)"
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let root = setup.config.missions_root.clone();
    let logs_dir = setup.config.logs_dir();
    let mut doomed = Doomed::find(&root, cell)?;
    if !yes {
        let logs = logs_dir.join(logs::folder_of(cell));
        let logs = match keep_logs {
            true => String::new(),
            false => format!(", and its logs in {}", logs.display()),
        };
        let message = format!(
            "this would end all that works in {cell} and remove {}{logs}; nothing was done: say --yes to do it",
            doomed.path.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let (trust, warnings) = (setup.trust.clone(), setup.warnings.clone());
    let request = setup.request(&CheckArgs::default(), Instant::now())?;
    let known = closing::in_table(&request)?;
    let of_it = known.iter().filter(|(name, _)| cell_of(name) == cell);
    let grace = of_it.clone().map(|(_, grace)| *grace).max();
    let subjects: Vec<String> = of_it.map(|(name, _)| name.clone()).collect();
    let deadline = closing::at_most(grace, subjects.len()) + MARGIN;
    let finished = !doomed.is_whole();
    let (closed, more) = word::under_lock(&request.state_dir, &trust, deadline, |held| {
        let closed = closing::end(&request, held, &subjects, Some(cell))?;
        gone(&closed, "nothing was removed")?;
        // Runs find it no more from here on, so that the long part needs no lock.
        doomed.hide()?;
        held.record(&mut [event(Kind::Destroyed, cell)])?;
        // What was started between the two.
        let late = closing::end(&request, held, &[], Some(cell))?;
        gone(
            &late,
            "the cell is hidden, and the same order goes on with it",
        )?;
        Ok(closed)
    })?;
    let removed = doomed.remove(&root)?;
    let logs_removed = match keep_logs {
        true => None,
        false => Some(destroy::remove_logs(&logs_dir, cell)?),
    };
    let path = from_bytes(doomed.path.as_os_str().as_encoded_bytes());
    if json {
        out::json(&Document {
            schema: SCHEMA,
            cell,
            root: &path,
            finished,
            closed: closed.iter().map(ClosedDocument::of).collect(),
            removed,
            logs_removed,
        })?;
    } else if !common.quiet {
        let logs = match logs_removed {
            None => "its logs were left".to_owned(),
            Some(0) => "it had no logs".to_owned(),
            Some(n) => format!("its logs are gone too ({n} files and directories)"),
        };
        let text = format!(
            "{}{} is gone ({removed} files and directories); {logs}.\n",
            told(&closed),
            visible(&path)
        );
        out::print(text.as_bytes())?;
    }
    if !common.quiet {
        warnings.iter().for_each(out::warn_of);
        warn_all(more);
    }
    Ok(Exit::Healthy.into())
}

/// Nothing is removed under somebody who still works there.
fn gone(closed: &[Closed], then: &str) -> Result<(), Failure> {
    match closed.iter().find_map(|closed| closed.error.as_ref()) {
        None => Ok(()),
        Some(error) => {
            let message = format!("{error}; {then}");
            Err(Failure::new(Exit::InHand, message))
        }
    }
}
