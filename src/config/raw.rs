//! The configuration as it is written. Every key may be absent; what is written here ends up in
//! the JSON Schema that editors use.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::raw_channels::RawChannel;
use crate::plan::raw::probes::RawProbe;
use crate::yaml::units::{Seconds, Size, Span};
use crate::yaml::{Hidden, Pairs, Secret, Spanned};

/// The configuration of lazarus-pit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "lazarus-pit configuration")]
pub struct RawConfig {
    /// The directory whose subdirectories are the cells. Default `/var/missions`.
    pub missions_root: Option<Spanned<String>>,
    /// Name of the checker's own heartbeat: the file is `<heartbeat_job>.last`. Default
    /// `lazarus_pit`.
    pub heartbeat_job: Option<Spanned<String>>,
    /// How often the timer starts a run, in seconds. Default 60.
    pub heartbeat_interval_seconds: Option<Spanned<Seconds>>,
    /// How old an agent's beat may be. Default 3m. Instead of `stale_after_seconds`.
    pub stale_after: Option<Spanned<Span>>,
    /// How old an agent's beat may be, in seconds. Default 180. Instead of `stale_after`.
    pub stale_after_seconds: Option<Spanned<Seconds>>,
    /// The subdirectories that a foundation cell must have; empty means the default six: `meta`,
    /// `config`, `state`, `logs`, `artifacts`, `worktree`.
    pub required_subdirs: Option<Vec<Spanned<String>>>,
    /// The heartbeat of a foundation cell, beneath the cell. Default `state/heartbeat.json`.
    pub heartbeat_file: Option<Spanned<String>>,
    /// How far ahead of now a timestamp is still believed. Default 5m.
    pub clock_skew: Option<Spanned<Span>>,
    /// How far a heartbeat's own `quiet_for` is believed. Default 30m.
    pub max_quiet: Option<Spanned<Span>>,
    /// Whether mounts below a cell are walked into. Default false.
    pub allow_mounts: Option<bool>,
    /// Plan files and directories. Default: `plans` beside this file, if it is there.
    pub plans: Option<Spanned<OneOrMany>>,
    /// Where lock, state and journal lie. Default `/var/lib/lazarus-pit` for root, else
    /// `$XDG_STATE_HOME/lazarus-pit`.
    pub state_dir: Option<Spanned<String>>,
    /// Where the checker's own heartbeat is written. Default `<state_dir>/heartbeats`.
    pub heartbeat_dir: Option<Spanned<String>>,
    /// An http or https URL that hears of each run, as healthchecks.io has it.
    pub heartbeat_ping_url: Option<Spanned<Secret>>,
    /// Where every real run also writes its metrics, for node_exporter.
    pub prometheus_textfile: Option<Spanned<String>>,
    /// Whether those metrics also have a sample for each subject that is down. Default false.
    pub prometheus_subjects: Option<bool>,
    /// Agents outside any cell.
    pub gateways: Option<Vec<RawGateway>>,
    /// Mass-failure protection.
    pub protection: Option<RawProtection>,
    /// Channels to people, by the names that plans call them by.
    pub channels: Option<Hidden<Pairs<Spanned<RawChannel>>>>,
    /// What one run may do at most.
    pub limits: Option<RawLimits>,
    /// The logs of the agents that are started.
    pub logs: Option<RawLogs>,
}

/// When many subjects go down at once, the likelier cause is not in them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Protection")]
pub struct RawProtection {
    /// Fewer subjects in scope than this are no mass. Default 10.
    #[schemars(range(min = 1))]
    pub min_subjects: Option<Spanned<u32>>,
    /// This share of them, above 0 and at most 1, going down together is a mass failure. Default
    /// 0.5.
    #[schemars(range(min = 0, max = 1))]
    pub fraction: Option<Spanned<f64>>,
    /// Within how long of one another. Default 10m.
    pub window: Option<Spanned<Span>>,
    /// How many subjects each run still lets through while it holds the others. Default 1.
    pub canary: Option<u32>,
    /// After a gap this long between runs, one run revives nobody. Default 10m.
    pub gap: Option<Span>,
    /// For this long after a boot nobody is revived. Default 2m.
    pub settle: Option<Span>,
}

/// An agent outside any cell, watched by its heartbeat and its probes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Gateway")]
pub struct RawGateway {
    /// Its name: letters, digits, `.`, `_`, `-`; no leading dot. Unique.
    pub name: Spanned<String>,
    /// The file that it beats in. `~` is the home, a relative path is taken from this file's
    /// directory.
    pub heartbeat: Option<Spanned<String>>,
    /// How old its beat may be. Default: the configured `stale_after`.
    pub stale_after: Option<Spanned<Span>>,
    /// What else is asked about it, as in a plan.
    pub probes: Option<Vec<Spanned<RawProbe>>>,
}

/// What one run may do at most.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct RawLimits {
    /// How many subjects one run revives at most; the rest is deferred. Default 10.
    #[schemars(range(min = 1))]
    pub restarts_per_run: Option<Spanned<u32>>,
    /// How long one run takes at most to tell people and to hear them; the rest waits for the next
    /// run. Default 10s.
    pub notify_within: Option<Spanned<Span>>,
}

/// The logs of the agents that are started.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Logs")]
pub struct RawLogs {
    /// Where they lie. Default `<state_dir>/logs`.
    pub dir: Option<Spanned<String>>,
    /// How long a day's logs are kept. Default 14d.
    pub keep: Option<Spanned<Span>>,
    /// How much one process may log in one day. Default 100MiB.
    pub max_bytes: Option<Spanned<Size>>,
}

/// One path, or a list of them.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum OneOrMany {
    /// One path.
    One(String),
    /// Several.
    Many(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    // By hand: an untagged enum would lose the places and the messages.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Paths;
        impl<'de> Visitor<'de> for Paths {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a path or a list of paths")
            }
            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(path.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = seq.next_element()? {
                    paths.push(path);
                }
                Ok(OneOrMany::Many(paths))
            }
        }
        deserializer.deserialize_any(Paths)
    }
}
