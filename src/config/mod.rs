//! The configuration: what a run works by, after flags, environment, file and defaults.

mod channels;
mod check;
mod env;
mod load;
mod names;
mod plans;
pub mod raw;
pub mod raw_channels;

use std::path::PathBuf;
use std::time::Duration;

use crate::model::cell::FOUNDATION_SUBDIRS;
use crate::model::channel::{Channel, SecretRef};
use crate::plan::types::Probe;
use crate::sys::beneath::Mounts;

pub use crate::model::protection::Protection;
pub use crate::yaml::units::{Seconds, Size, Span, parse_duration_or_seconds, parse_size};
pub use env::Env;
pub use load::{FoundBy, Loaded, Overrides, Refused, find, load, parse, read_trusted};
pub use plans::read_plans;

/// Where root's state lies unless something else is said.
const STATE_DIR: &str = "/var/lib/lazarus-pit";

/// Checked settings of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The directory whose subdirectories are the cells.
    pub missions_root: PathBuf,
    /// Name of the meta-heartbeat: the file is `<heartbeat_job>.last`.
    pub heartbeat_job: String,
    /// How often a run is expected.
    pub heartbeat_interval: Duration,
    /// How old a beat may be.
    pub stale_after: Duration,
    /// True where `--stale-after` said so, against which no plan has a say.
    pub stale_after_is_final: bool,
    /// Foundation layout: the subdirectories that must be there, in this order.
    pub required_subdirs: Vec<String>,
    /// Foundation layout: the heartbeat of the agent `main`, beneath the cell.
    pub heartbeat_file: String,
    /// How far ahead of now a timestamp is still believed.
    pub clock_skew: Duration,
    /// How far a heartbeat's own `quiet_for` is believed.
    pub max_quiet: Duration,
    /// Whether mounts below a cell are walked into.
    pub allow_mounts: bool,
    /// Where the lock, the state and the journal lie; none: root's place. See [`Config::state_dir`].
    pub state_dir: Option<PathBuf>,
    /// Where the meta-heartbeat is written; default `<state_dir>/heartbeats`.
    pub heartbeat_dir: Option<PathBuf>,
    /// A healthchecks.io-style URL that hears of each run.
    pub heartbeat_ping_url: Option<String>,
    /// Plan files and directories.
    pub plans: Vec<PathBuf>,
    /// Where every real run also writes the `prometheus` format.
    pub prometheus_textfile: Option<PathBuf>,
    /// Whether that file also has a sample for each subject that is down.
    pub prometheus_subjects: bool,
    /// Agents outside any cell, in byte order of their names.
    pub gateways: Vec<Gateway>,
    /// Channels to people, in byte order of their names.
    pub channels: Vec<Channel>,
    /// Mass-failure protection.
    pub protection: Protection,
    /// What one run may do at most.
    pub limits: Limits,
    /// The logs of the agents that are started.
    pub logs: Logs,
}

impl Config {
    /// Where the lock, the state and the journal lie.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.state_dir.clone().unwrap_or_else(|| STATE_DIR.into())
    }

    /// Where the meta-heartbeat is written.
    #[must_use]
    pub fn heartbeat_dir(&self) -> PathBuf {
        let default = || self.state_dir().join("heartbeats");
        self.heartbeat_dir.clone().unwrap_or_else(default)
    }

    /// Where the logs of the agents lie.
    #[must_use]
    pub fn logs_dir(&self) -> PathBuf {
        let default = || self.state_dir().join("logs");
        self.logs.dir.clone().unwrap_or_else(default)
    }

    /// Whether a look below a cell may go on into another mount.
    #[must_use]
    pub fn mounts(&self) -> Mounts {
        if self.allow_mounts {
            Mounts::Cross
        } else {
            Mounts::Refuse
        }
    }

    /// The environment variables in which secrets of channels stand.
    #[must_use]
    pub fn secret_variables(&self) -> Vec<String> {
        let all = self.channels.iter().flat_map(Channel::secrets);
        let names = all.filter_map(|secret| match secret {
            SecretRef::Env(name) => Some(name.clone()),
            SecretRef::File(_) => None,
        });
        names.collect()
    }

    /// How long there may be no run before the next one revives nobody: never less than three
    /// intervals, or a slow timer would keep everyone down.
    #[must_use]
    pub fn gap(&self) -> Duration {
        self.protection
            .gap
            .max(self.heartbeat_interval.saturating_mul(3))
    }
}

/// An agent outside any cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// The file that it beats in.
    pub heartbeat: Option<PathBuf>,
    /// How old its beat may be; `None`: as old as any.
    pub stale_after: Option<Duration>,
    /// What else is asked about it.
    pub probes: Vec<Probe>,
}

/// What one run may do at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many subjects it revives; the rest is deferred.
    pub restarts_per_run: u32,
    /// How long it takes at most to tell people and to hear them.
    pub notify_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            restarts_per_run: 10,
            notify_within: Duration::from_secs(10),
        }
    }
}

/// The logs of the agents that are started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// Where they lie; none: beneath the state. See [`Config::logs_dir`].
    pub dir: Option<PathBuf>,
    /// How long a day's logs are kept.
    pub keep: Duration,
    /// How much one process may log in one day.
    pub max_bytes: u64,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            dir: None,
            keep: Duration::from_secs(14 * 86_400),
            max_bytes: 100 * 1024 * 1024,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            missions_root: "/var/missions".into(),
            heartbeat_job: "lazarus_pit".into(),
            heartbeat_interval: Duration::from_secs(60),
            stale_after: Duration::from_secs(180),
            stale_after_is_final: false,
            required_subdirs: FOUNDATION_SUBDIRS.map(String::from).to_vec(),
            heartbeat_file: "state/heartbeat.json".into(),
            clock_skew: Duration::from_secs(300),
            max_quiet: Duration::from_secs(1800),
            allow_mounts: false,
            state_dir: None,
            heartbeat_dir: None,
            heartbeat_ping_url: None,
            plans: Vec::new(),
            prometheus_textfile: None,
            prometheus_subjects: false,
            gateways: Vec::new(),
            channels: Vec::new(),
            protection: Protection::default(),
            limits: Limits::default(),
            logs: Logs::default(),
        }
    }
}

/// JSON Schema of a configuration file, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(raw::RawConfig).to_value()
}

#[cfg(test)]
mod plans_tests;
#[cfg(test)]
mod tests;
