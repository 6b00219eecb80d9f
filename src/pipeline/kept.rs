//! The kept processes, as a run finds them: what lives, what has ended, what was begun by a run
//! that came to no end.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::Request;
use crate::act::spawn::Keeping;
use crate::model::action::Ended;
use crate::model::cell::Warning;
use crate::model::event::{Event, Kind};
use crate::model::process::{Entry, ProcessStatus};
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::state::Store;
use crate::sys::host;
use crate::table::{Host, Table};

/// The process table as a run found it.
#[derive(Debug)]
pub(super) struct Kept {
    /// None where nothing was ever kept.
    pub(super) table: Option<Table>,
    pub(super) entries: Vec<Entry>,
    pub(super) host: Host,
    pub(super) warnings: Vec<Warning>,
}

impl Kept {
    /// Reads the table, and changes nothing.
    pub(super) fn read(request: &Request, now: Timestamp) -> Result<Self, StoreError> {
        let mut kept = Self {
            table: Table::open(&request.state_dir)?,
            entries: Vec::new(),
            host: Host::this(now),
            warnings: Vec::new(),
        };
        if let Some(table) = &kept.table {
            let found = table.entries()?;
            kept.entries = found.entries;
            let problems = found.problems.into_iter();
            kept.warnings
                .extend(problems.map(|problem| Warning::new("process_table", problem)));
        }
        Ok(kept)
    }

    /// Brings the entries up to what is so now, without writing it down.
    pub(super) fn look(&mut self, now: Timestamp) {
        let Some(table) = &self.table else {
            return;
        };
        for entry in &mut self.entries {
            *entry = table.look(entry, &self.host, now);
        }
    }

    /// Brings the table up to what is so now, and has the journal tell which processes have ended.
    pub(super) fn sweep(
        &mut self,
        store: &mut Store<'_>,
        run: &str,
        now: Timestamp,
        prune: bool,
    ) -> Result<(), StoreError> {
        let Some(table) = &self.table else {
            return Ok(());
        };
        for entry in &mut self.entries {
            let is = table.look(entry, &self.host, now);
            let tells = is.status.is_over() || is.status == ProcessStatus::Unkept;
            if tells && is.status != entry.status {
                table.replace(&is)?;
            }
            *entry = is;
        }
        if prune && let Err(why) = table.prune(&self.entries, now) {
            self.warnings.push(Warning::new("process_table", why));
        }
        let mut told: Vec<Event> = ended(&self.entries, &store.state)
            .map(|entry| exited(entry, run))
            .collect();
        match told.is_empty() {
            true => Ok(()),
            false => store.record(&mut told),
        }
    }

    /// What an operator should know of those that live without a keeper.
    pub(super) fn unkept(&self) -> impl Iterator<Item = Warning> {
        let unkept = self.entries.iter();
        let unkept = unkept.filter(|entry| entry.status == ProcessStatus::Unkept);
        unkept.map(|entry| {
            let (subject, pid) = (&entry.subject, entry.pid.unwrap_or_default());
            let message = format!(
                "its agent (pid {pid}) lives and has no keeper any more: nothing writes down what it prints and how it ends; `lazarus-pit restart {subject}` gives it another"
            );
            Warning::about("unkept", subject, message)
        })
    }

    /// How the last process of each subject has ended, where none of it lives.
    pub(super) fn ended(&self) -> BTreeMap<String, Ended> {
        let mut all = BTreeMap::new();
        // In the order of time: later ones say more.
        for entry in &self.entries {
            match entry.end() {
                Some(end) => {
                    all.insert(entry.subject.clone(), end);
                }
                // One that never was says nothing.
                None if entry.status.is_over() => {}
                None => {
                    all.remove(&entry.subject);
                }
            }
        }
        all
    }

    /// What the steps of this run need to keep processes.
    pub(super) fn keeping(self, request: &Request) -> Result<Arc<Keeping>, StoreError> {
        let config = &request.config;
        let absolute =
            |path: &std::path::Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let table = match self.table {
            Some(table) => table,
            None => Table::create(&request.state_dir)?,
        };
        Ok(Arc::new(Keeping {
            state_dir: absolute(&request.state_dir),
            missions_root: absolute(&config.missions_root),
            logs_dir: absolute(&config.logs_dir()),
            max_bytes: config.logs.max_bytes,
            heartbeat_file: config.heartbeat_file.clone(),
            mounts: config.mounts(),
            stale_after: config.stale_after,
            same: request.same.clone(),
            table,
            entries: self.entries,
            host: self.host,
            strays: OnceLock::new(),
        }))
    }
}

/// The entries whose end the journal does not have yet.
fn ended<'a>(entries: &'a [Entry], state: &'a State) -> impl Iterator<Item = &'a Entry> {
    let is_told = |entry: &&Entry| {
        let memory = state.memory.get(&entry.subject);
        let last = memory.and_then(|m| m.exited.as_ref());
        last.is_none_or(|last| last.r#ref < entry.r#ref)
    };
    entries
        .iter()
        .filter(|entry| entry.end().is_some())
        .filter(is_told)
}

fn exited(entry: &Entry, run: &str) -> Event {
    Event {
        actor: "keeper".to_owned(),
        subject: Some(entry.subject.clone()),
        incident: Some(entry.incident.clone()).filter(|i| !i.is_empty()),
        plan: Some(entry.plan.clone()),
        r#ref: Some(entry.r#ref.clone()),
        attempt: Some(entry.attempt),
        pid: entry.pid,
        status: Some(entry.status),
        exit_code: entry.exit_code,
        signal: entry.signal,
        duration_ms: entry.duration_ms,
        ended_at: entry.ended_at,
        log: entry.log.clone(),
        error: entry.error.clone(),
        ..Event::new(Kind::ProcessExited, host::now(), run)
    }
}
