//! `logs`: what a subject's processes have printed. It only looks, and takes no lock.

use std::os::fd::AsFd as _;
use std::path::PathBuf;

use serde::Serialize;

use super::args::{Common, LogsArgs};
use super::list::wants_json;
use super::setup::Setup;
use super::subject::{covers, look_at, missing, names, trimmed};
use super::{Ending, out};
use crate::act::logs::{Follow, Line, Logs, Reader, Rest, Whose, Woken};
use crate::core::decide::{cell_of, is_gateway};
use crate::core::view::GATEWAY;
use crate::model::action::Place;
use crate::model::exit::{Exit, Failure};
use crate::model::text::{from_bytes, printed};
use crate::store::dir::StateDir;
use crate::store::state::peek;
use crate::sys::host;

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/logs/1";

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    subject: &'a str,
    lines: Vec<Entry<'a>>,
}

/// A line.
#[derive(Serialize)]
struct Entry<'a> {
    /// As it stands there; null in a line that is not whole.
    ts: Option<&'a str>,
    agent: &'a str,
    stream: Option<&'static str>,
    text: String,
    file: String,
}

/// Shows the last lines, and follows what comes after them.
///
/// # Errors
/// There is no such subject; the logs cannot be read.
pub(super) fn logs(common: &Common, setup: &Setup, args: &LogsArgs) -> Result<Ending, Failure> {
    let json = wants_json(common, "logs")?;
    if args.follow && (json || common.quiet) {
        let what = if json {
            "--json is one document, which --follow would never end"
        } else {
            "--follow with --quiet shows nothing"
        };
        return Err(Failure::new(Exit::Usage, what));
    }
    let failed = |message| Failure::new(Exit::CannotWrite, message);
    let wanted = trimmed(&args.subject);
    let (place, whose) = place(wanted);
    let logs = Logs::new(setup.config.logs_dir(), setup.config.logs.max_bytes);
    let reader = Reader::new(&logs, &place, whose);
    let most = usize::try_from(args.lines).unwrap_or(usize::MAX);
    let rest = if args.follow { Rest::Leave } else { Rest::Take };
    let (lines, seen) = reader.last(most, rest).map_err(failed)?;
    if seen.is_empty() {
        must_exist(setup, wanted)?;
    }
    if json {
        out::json(&Document {
            schema: SCHEMA,
            subject: wanted,
            lines: lines.iter().map(entry).collect(),
        })?;
    } else if !common.quiet && !write(&lines)? {
        return Ok(Exit::Healthy.into());
    }
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
        if seen.is_empty() {
            out::warn(&format!("{wanted} has no log yet"));
        }
    }
    if args.follow {
        let mut follow = Follow::new(reader, seen).map_err(failed)?;
        loop {
            let batch = follow.read_on().map_err(failed)?;
            if !write(&batch.lines)? {
                break;
            }
            let stdout = std::io::stdout();
            if !batch.more && follow.wait(stdout.as_fd()) == Woken::Gone {
                break;
            }
        }
    }
    Ok(Exit::Healthy.into())
}

/// Where the logs of a subject stand.
fn place(wanted: &str) -> (Place, Whose) {
    if is_gateway(wanted) {
        let name = wanted.strip_prefix(GATEWAY).unwrap_or(wanted).to_owned();
        return (Place { cell: None, name }, Whose::One);
    }
    let cell = cell_of(wanted);
    let agent = wanted.split_once('/').map(|(_, agent)| agent);
    let place = Place {
        // The cell itself is not gone to.
        cell: Some((cell.to_owned(), PathBuf::new())),
        name: agent.unwrap_or_default().to_owned(),
    };
    (place, agent.map_or(Whose::All, |_| Whose::One))
}

/// A subject without a log: is there one at all?
fn must_exist(setup: &Setup, wanted: &str) -> Result<(), Failure> {
    let failed = |e: crate::store::StoreError| Failure::new(Exit::CannotWrite, e.to_string());
    if let Some(dir) = StateDir::open(&setup.state_dir()).map_err(failed)? {
        let state = peek(Some(&dir)).map_err(failed)?.state;
        if state.subjects.keys().any(|name| covers(wanted, name)) {
            return Ok(());
        }
    }
    let snapshot = look_at(&setup.look(None), wanted, host::now())?;
    // One that is archived is there, although nothing is decided for it.
    let cell = snapshot.cells.iter().find(|cell| *cell.id == *wanted);
    if cell.is_some_and(|cell| cell.is_ignored()) {
        return Ok(());
    }
    names(&snapshot, wanted).map(drop).map_err(missing)
}

/// Shows lines. False where nobody reads them any more.
fn write(lines: &[Line]) -> Result<bool, Failure> {
    if lines.is_empty() {
        return Ok(true);
    }
    out::is_read(|out| {
        lines
            .iter()
            .try_for_each(|line| writeln!(out, "{}", printed(line.bytes())))
    })
}

fn entry(line: &Line) -> Entry<'_> {
    let parts = line.parts();
    Entry {
        ts: parts.ts,
        agent: line.agent(),
        stream: parts.stream.map(|stream| stream.as_str()),
        text: from_bytes(parts.text).into_owned(),
        file: from_bytes(line.path().as_os_str().as_encoded_bytes()).into_owned(),
    }
}
