//! What a program is told by its environment: a clean one, in which nothing of the checker's own
//! stands but what is named here. Its tokens above all are never passed on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::model::action::Action;
use crate::sys::account::Account;
use crate::sys::environment;

pub use crate::sys::environment::Own;

/// The variable by which a process is known to belong to an attempt.
pub(super) const REF: &str = "LAZARUS_REF";

/// The variable that says for which agent, or gateway, a process was started.
pub(super) const AGENT: &str = "LAZARUS_AGENT";

/// The variable that says in which cell; a gateway's process has none.
pub(super) const CELL_ROOT: &str = "LAZARUS_CELL_ROOT";

/// What an init system or a supervisor tells the process that it started: a program of ours that
/// believed it would answer for us, or take our sockets.
const OF_SUPERVISORS: [&str; 9] = [
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "MAINPID",
    "MANAGERPID",
    "NOTIFY_SOCKET",
    "SYSTEMD_EXEC_PID",
    "MONITOR_SERVICE_RESULT",
    "CREDENTIALS_DIRECTORY",
    "TRIGGER_UNIT",
];

/// True for a variable that is meant for the checker's own process alone.
#[must_use]
pub fn is_of_supervisor(name: &str) -> bool {
    OF_SUPERVISORS.contains(&name)
        || name.starts_with("LISTEN_")
        || name.starts_with("WATCHDOG_")
        || name.starts_with("SUPERVISOR_")
}

/// What an agent is told beside what every command of an attempt is.
#[derive(Clone, Debug, Default)]
pub(super) struct Extra {
    /// What its cell calls itself.
    pub(super) uuid: Option<String>,
    /// Its `HERMES_HOME`.
    pub(super) home: Option<OsString>,
    /// What is taken over from the checker's own environment.
    pub(super) passed: Vec<(String, OsString)>,
}

/// An environment, in the order in which it is handed over.
#[derive(Debug, Default)]
pub(super) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// That of a command which `account` runs for an attempt.
    ///
    /// # Errors
    /// A sentence: a variable of the step that cannot be one, or that says which attempt this is.
    pub(super) fn of(
        account: &Account,
        own: &Own,
        action: &Action,
        step: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        Self::with(account, own, action, &Extra::default(), step)
    }

    /// That of an agent, which is told more.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(super) fn with(
        account: &Account,
        own: &Own,
        action: &Action,
        extra: &Extra,
        step: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let mut all = Self::default();
        for (name, value) in environment::base(account, own) {
            all.set(name, value);
        }
        let before = all.0.len();
        if let Some(uuid) = &extra.uuid {
            all.set("LAZARUS_CELL_UUID", uuid);
        }
        if let Some((_, root)) = &action.place.cell {
            all.set(CELL_ROOT, root);
        }
        all.set(AGENT, &action.place.name);
        all.set(REF, &action.r#ref);
        all.set("LAZARUS_ATTEMPT", action.attempt.to_string());
        let after = all.0.len();
        if let Some(home) = &extra.home {
            all.set("HERMES_HOME", home);
        }
        for (name, value) in &extra.passed {
            if all.0.iter().all(|(n, _)| n != OsStr::new(name)) {
                all.set(name, value);
            }
        }
        for (name, value) in step {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(format!("env: {name:?} cannot be the name of a variable"));
            }
            // By these a process is found again after a run that was killed.
            if all.0[before..after]
                .iter()
                .any(|(n, _)| n == OsStr::new(name))
            {
                return Err(format!("env: {name} is set by lazarus-pit itself"));
            }
            all.set(name, value);
        }
        Ok(all)
    }

    fn set(&mut self, name: &str, value: impl Into<OsString> + Clone) {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Where programs are looked for.
    pub(super) fn path(&self) -> &OsStr {
        let path = self.0.iter().find(|(name, _)| name == "PATH");
        path.map_or(OsStr::new(""), |(_, value)| value)
    }

    /// As exec takes it.
    pub(super) fn entries(self) -> impl Iterator<Item = Vec<u8>> {
        self.0.into_iter().map(|(mut entry, value)| {
            entry.push("=");
            entry.push(value);
            entry.into_encoded_bytes()
        })
    }
}
