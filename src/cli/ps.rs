//! `ps`: the process table, as it is now. It only looks: what is found to have ended is written down
//! by the next run.

use std::time::Duration;

use super::args::Common;
use super::list::{wants_json, warn_all};
use super::setup::Setup;
use super::subject::{covers, look_at, missing, names, trimmed};
use super::{Ending, out};
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::model::text::from_bytes;
use crate::report::processes::{self, Document, Extent, Load, Process, is_alive};
use crate::store::StoreError;
use crate::sys::{host, procs};
use crate::table::{Host, Table};

/// Shows the processes.
///
/// # Errors
/// The table cannot be read; there is no such subject.
pub(super) fn ps(
    common: &Common,
    setup: &Setup,
    subject: Option<&str>,
    extent: Extent,
) -> Result<Ending, Failure> {
    let json = wants_json(common, "ps")?;
    let wanted = subject.map(trimmed);
    let state_dir = setup.state_dir();
    let failed = |e: StoreError| Failure::new(Exit::CannotWrite, e.to_string());
    let table = Table::open(&state_dir).map_err(failed)?;
    let found = table.map(|table| table.entries()).transpose();
    let found = found.map_err(failed)?.unwrap_or_default();
    let now = host::now();
    let this = Host::this(now);
    let meant = |subject: &str| wanted.is_none_or(|wanted| covers(wanted, subject));
    let of_it = found.entries.iter().filter(|entry| meant(&entry.subject));
    let mut all: Vec<Process> = of_it
        .map(|entry| Process {
            entry: this.look(entry, now),
            load: None,
        })
        .collect();
    if let Some(wanted) = wanted.filter(|_| all.is_empty()) {
        let snapshot = look_at(&setup.look(None), wanted, now)?;
        names(&snapshot, wanted).map_err(missing)?;
    }
    weigh(&mut all, &this);
    processes::sort(&mut all);
    if json {
        let state_dir = from_bytes(state_dir.as_os_str().as_encoded_bytes());
        out::json(&Document::of(&all, &state_dir, now))?;
    } else if !common.quiet {
        let width = host::terminal_width();
        out::with(|out| processes::write(&all, extent, width, now, out))?;
    }
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
        let problems = found.problems.into_iter();
        warn_all(
            problems
                .map(|problem| Warning::new("process_table", problem))
                .collect(),
        );
    }
    Ok(Exit::Healthy.into())
}

/// Finds out what the living ones take. An agent leads a session of its own, and what it starts is
/// in it.
fn weigh(all: &mut [Process], this: &Host) {
    let lives = |process: &Process| is_alive(&process.entry) && this.has_agent(&process.entry);
    if !all.iter().any(lives) {
        return;
    }
    let usage = procs::usage();
    let up = host::uptime().unwrap_or_default();
    for process in all.iter_mut().filter(|process| lives(process)) {
        let entry = &process.entry;
        let (Some(pid), Some(started)) = (entry.pid, entry.start_time) else {
            continue;
        };
        let Some(usage) = usage.get(&pid) else {
            continue;
        };
        // At least the clock's own tick: a process of this very instant has no share yet.
        let age = up.saturating_sub(procs::ticks(started));
        let age = age.max(Duration::from_millis(10));
        process.load = Some(Load {
            cpu_percent: 100.0 * usage.cpu.as_secs_f64() / age.as_secs_f64(),
            memory_bytes: usage.memory_bytes,
        });
    }
}
