//! What of the table is alive. An entry says what its keeper last wrote; what is so now, the host's
//! processes say.

use std::collections::BTreeMap;

use crate::model::process::{Entry, ProcessStatus};
use crate::model::time::Timestamp;
use crate::sys::{host, process};

/// What tells living processes from dead ones: the boot, and a look at a process.
#[derive(Clone, Debug)]
pub struct Host {
    /// This boot's id.
    pub boot_id: String,
    /// When this host was booted, as far as is known.
    pub booted_at: Option<Timestamp>,
}

/// The living process of a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Living {
    /// Its entry, with the status that it has now.
    pub entry: Entry,
    /// True where its keeper is beside it.
    pub kept: bool,
}

impl Host {
    /// This one.
    #[must_use]
    pub fn this(now: Timestamp) -> Self {
        Self {
            boot_id: host::boot_id(),
            booted_at: host::uptime().map(|up| now.minus(up)),
        }
    }

    /// True where the keeper of an entry is beside its agent.
    #[must_use]
    pub fn has_keeper(&self, entry: &Entry) -> bool {
        entry.boot_id == self.boot_id && lives(entry.keeper_pid, entry.keeper_start_time)
    }

    /// True where the agent's own process lives: pid, start time and boot all agree.
    #[must_use]
    pub fn has_agent(&self, entry: &Entry) -> bool {
        entry.boot_id == self.boot_id && lives(entry.pid, entry.start_time)
    }

    /// The entry as it is at this moment: with the status, and where it is over by nobody's word,
    /// with an end at `now` (at the boot, where that took it away).
    #[must_use]
    pub fn look(&self, entry: &Entry, now: Timestamp) -> Entry {
        let mut entry = entry.clone();
        if entry.status.is_over() {
            return entry;
        }
        let over = |mut entry: Entry, status, at: Timestamp, why: &str| {
            entry.status = status;
            entry.ended_at = Some(at);
            entry.error.get_or_insert_with(|| why.to_owned());
            entry
        };
        if entry.boot_id != self.boot_id {
            let at = self.booted_at.unwrap_or(now).max(entry.started_at);
            return over(entry, ProcessStatus::Lost, at, "the host was booted since");
        }
        // The keeper first: between the two looks, it may write an end.
        let kept = self.has_keeper(&entry);
        if self.has_agent(&entry) {
            let stopped = entry.pid.is_some_and(process::is_stopped);
            entry.status = match (kept, stopped) {
                (true, true) => ProcessStatus::Paused,
                (true, false) => ProcessStatus::Running,
                (false, _) => ProcessStatus::Unkept,
            };
            return entry;
        }
        if kept {
            return entry;
        }
        let why = match entry.pid {
            Some(_) => "its keeper was gone, and nobody saw how it ended",
            None => "its keeper was gone before it had started it",
        };
        over(entry, ProcessStatus::Unknown, now, why)
    }

    /// The living processes by subject. One that lives and of which there is a later entry is among
    /// them too: it has not ended.
    #[must_use]
    pub fn living(&self, entries: &[Entry], now: Timestamp) -> BTreeMap<String, Vec<Living>> {
        let mut all: BTreeMap<String, Vec<Living>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| !entry.status.is_over()) {
            let entry = self.look(entry, now);
            if !entry.status.is_over() {
                let kept = self.has_keeper(&entry);
                let of_it = all.entry(entry.subject.clone()).or_default();
                of_it.push(Living { entry, kept });
            }
        }
        all
    }
}

fn lives(pid: Option<i32>, started: Option<u64>) -> bool {
    let (Some(pid), Some(started)) = (pid, started) else {
        return false;
    };
    process::start_time(pid) == Some(started)
}
