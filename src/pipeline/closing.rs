//! Ends what an operator wants ended: the processes of subjects, or all that work in a cell.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::kept::Kept;
use super::word::Held;
use super::{Request, of_store, settling};
use crate::act::spawn::{Keeping, Remains, end_subject};
use crate::core::decide::{cell_of, is_gateway};
use crate::core::view::GATEWAY;
use crate::model::exit::Failure;
use crate::model::process::Entry;
use crate::sys::host;

/// How long what the table does not know has between TERM and KILL: as long as the step `spawn`
/// gives where its plan does not say.
pub const GRACE: Duration = Duration::from_secs(15);

/// How much longer than its grace the end of a subject may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// So many subjects are ended side by side.
const AT_ONCE: usize = 16;

/// What came of ending one subject.
#[derive(Debug)]
pub struct Closed {
    /// The subject.
    pub subject: String,
    /// How many processes were ended: agents, and what was found without a keeper.
    pub ended: usize,
    /// Why something is still there.
    pub error: Option<String>,
}

/// The subjects of the process table that have not ended as far as it was written, by the longest
/// grace that an entry of theirs has. Reads only, and takes no lock.
///
/// # Errors
/// The table cannot be read (74).
pub fn in_table(request: &Request) -> Result<BTreeMap<String, Duration>, Failure> {
    let kept = Kept::read(request, host::now()).map_err(of_store)?;
    Ok(graces(&kept.entries))
}

/// How long ending so many subjects may take, where the longest grace among them is this one.
#[must_use]
pub fn at_most(grace: Option<Duration>, subjects: usize) -> Duration {
    let rounds = u32::try_from(subjects / AT_ONCE).unwrap_or(u32::MAX);
    let once = grace.unwrap_or_default().max(GRACE) + PATIENCE;
    // One for what the table does not know.
    once.saturating_mul(rounds.saturating_add(2))
}

fn graces(entries: &[Entry]) -> BTreeMap<String, Duration> {
    let mut all = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.status.is_over()) {
        let grace: &mut Duration = all.entry(entry.subject.clone()).or_default();
        *grace = (*grace).max(Duration::from_millis(entry.grace_ms));
    }
    all
}

/// Ends all that lives of some subjects, and has table and journal tell how it ended. `whole` is a
/// cell of which every process is meant, whichever agent it says that it is.
///
/// # Errors
/// Table or journal cannot be read or written (74). What could not be ended is no failure here: it
/// stands with its subject.
pub fn end(
    request: &Request,
    held: &mut Held<'_, '_>,
    subjects: &[String],
    whole: Option<&str>,
) -> Result<Vec<Closed>, Failure> {
    let mut kept = Kept::read(request, held.now).map_err(of_store)?;
    // What a run that was killed was about to start must not come up behind our back.
    // What was begun and not carried out is not to be: nobody is due.
    settling::settle(held.store, &mut kept, held.run)
        .and_then(|unbegun| {
            let dir = &request.state_dir;
            unbegun.take_up(&mut [], held.store, &mut kept, dir, held.run)
        })
        .map_err(of_store)?;
    kept.sweep(held.store, held.run, held.now, false)
        .map_err(of_store)?;
    held.store.warnings.append(&mut kept.warnings);
    // A table is made for it where there is none: a keeper may be about to write its entry.
    let keeping = kept.keeping(request).map_err(of_store)?;
    let graces = graces(&keeping.entries);
    let mut closed = Vec::new();
    for some in subjects.chunks(AT_ONCE) {
        closed.extend(std::thread::scope(|scope| {
            let one = |subject: &String| {
                let grace = graces.get(subject).copied().unwrap_or(GRACE);
                let (keeping, subject) = (&keeping, subject.clone());
                scope.spawn(move || end_one(keeping, &subject, grace))
            };
            let all: Vec<_> = some.iter().map(one).collect();
            let done = all.into_iter().map(std::thread::ScopedJoinHandle::join);
            // A thread that panicked has said so, and is a defect like any other.
            done.map(|done| done.unwrap_or_else(|why| std::panic::resume_unwind(why)))
                .collect::<Vec<_>>()
        }));
    }
    if let Some(cell) = whole {
        let rest = end_cell(&keeping, cell);
        // Mostly there is nothing but its agents.
        if rest.ended > 0 || rest.error.is_some() {
            closed.push(rest);
        }
    }
    drop(keeping);
    let mut kept = Kept::read(request, host::now()).map_err(of_store)?;
    kept.sweep(held.store, held.run, host::now(), false)
        .and_then(|()| held.store.save())
        .map_err(of_store)?;
    held.store.warnings.append(&mut kept.warnings);
    Ok(closed)
}

fn end_one(keeping: &Keeping, subject: &str, grace: Duration) -> Closed {
    let cell_root = (!is_gateway(subject)).then(|| root_of(keeping, cell_of(subject)));
    let name = match subject.strip_prefix(GATEWAY) {
        Some(name) => name,
        None => subject.split_once('/').map_or(subject, |(_, agent)| agent),
    };
    let remains = Remains {
        name,
        whole_cell: false,
        cell_root: cell_root.as_deref(),
        user: None,
        living: keeping.living(subject, host::now()),
        grace,
        until: Instant::now() + grace + PATIENCE,
        but: None,
    };
    told(
        subject,
        end_subject(&remains, keeping, &|| false, host::now),
    )
}

/// What of a cell belongs to none of the subjects that are known: it names another agent, or one
/// that the cell had.
fn end_cell(keeping: &Keeping, cell: &str) -> Closed {
    let root = root_of(keeping, cell);
    let remains = Remains {
        name: cell,
        whole_cell: true,
        cell_root: Some(&root),
        user: None,
        living: Vec::new(),
        grace: GRACE,
        until: Instant::now() + GRACE + PATIENCE,
        but: None,
    };
    told(cell, end_subject(&remains, keeping, &|| false, host::now))
}

fn told(subject: &str, ended: Result<usize, String>) -> Closed {
    let (ended, error) = match ended {
        Ok(ended) => (ended, None),
        Err(why) => (0, Some(why)),
    };
    Closed {
        subject: subject.to_owned(),
        ended,
        error,
    }
}

/// A cell's directory, as its agents have it in their environment.
fn root_of(keeping: &Keeping, cell: &str) -> PathBuf {
    keeping.missions_root.join(cell)
}
