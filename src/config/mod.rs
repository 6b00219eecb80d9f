//! The configuration: what a run works by, after flags, environment, file and defaults.

use std::path::PathBuf;
use std::time::Duration;

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
    /// Where the lock, the state and the journal lie.
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
    /// Mass-failure protection.
    pub protection: Protection,
}

/// When many subjects go down at once, the likelier cause is not in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Protection {
    /// Fewer subjects (or cells, for the look at the root) than this are no mass.
    pub min_subjects: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            missions_root: "/var/missions".into(),
            heartbeat_job: "lazarus_pit".into(),
            heartbeat_interval: Duration::from_secs(60),
            stale_after: Duration::from_secs(180),
            required_subdirs: ["meta", "config", "state", "logs", "artifacts", "worktree"]
                .map(String::from)
                .to_vec(),
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
            protection: Protection { min_subjects: 10 },
        }
    }
}
