//! What holds for all: the top of the earlier file to keys of the configuration.

use super::exact;
use super::notes::Notes;
use super::section::{Item, Section};
use super::sound;
use super::tree::Tree;
use super::write::Yaml;

/// How old a beat may be.
pub(super) const STALE_AFTER: [&str; 12] = [
    "dead_threshold",
    "stale_after",
    "stale_threshold",
    "heartbeat_timeout",
    "heartbeat_stale_after",
    "heartbeat_max_age",
    "dead_after",
    "max_heartbeat_age",
    "heartbeat.stale_after",
    "heartbeat.max_age",
    "heartbeat.timeout",
    "heartbeat.dead_threshold",
];

/// Texts, numbers and words that are kept as they are, under our name.
const KEPT: [(&str, &[&str]); 13] = [
    (
        "missions_root",
        &[
            "missions_root",
            "mission_root",
            "missions_dir",
            "mission_dir",
            "missions_path",
            "cells_root",
            "cells_dir",
            "root",
            "root_dir",
            "base_dir",
        ],
    ),
    ("heartbeat_job", &["heartbeat_job", "job_name", "job"]),
    (
        "required_subdirs",
        &["required_subdirs", "required_dirs", "subdirs"],
    ),
    ("heartbeat_file", &["heartbeat_file", "cell_heartbeat_file"]),
    ("allow_mounts", &["allow_mounts"]),
    ("state_dir", &["state_dir", "state_directory", "data_dir"]),
    (
        "heartbeat_dir",
        &["heartbeat_dir", "heartbeats_dir", "cron_heartbeat_dir"],
    ),
    (
        "heartbeat_ping_url",
        &[
            "heartbeat_ping_url",
            "ping_url",
            "healthcheck_ping_url",
            "healthchecks_url",
            "dead_man_url",
        ],
    ),
    (
        "prometheus_textfile",
        &[
            "prometheus_textfile",
            "metrics_file",
            "textfile",
            "prometheus_file",
            "metrics_textfile",
        ],
    ),
    ("prometheus_subjects", &["prometheus_subjects"]),
    ("logs", &["logs"]),
    ("limits", &["limits"]),
    ("protection", &["protection"]),
];

/// The keys of the configuration that the top of the file comes to.
pub(super) fn settings(from: &mut Section, notes: &mut Notes) -> Vec<(String, Yaml)> {
    let mut to = Vec::new();
    for (key, names) in KEPT {
        let Some(item) = from.take(names) else {
            continue;
        };
        to.extend(kept(key, item, notes).map(|value| (key.to_owned(), value)));
    }
    let interval = [
        "poll_interval",
        "poll_every",
        "check_interval",
        "scan_interval",
        "heartbeat_interval",
        "interval",
    ];
    if let Some(interval) = from.take_span(&interval, notes) {
        let seconds = interval.as_secs_f64();
        to.push(("heartbeat_interval_seconds".to_owned(), Yaml::word(seconds)));
        notes.hint(format!(
            "a run every {}: that is for the timer or crontab to say; heartbeat_interval_seconds is \
             what is expected of it",
            exact(interval)
        ));
    }
    for (key, names) in [
        ("stale_after", &STALE_AFTER[..]),
        ("clock_skew", &["clock_skew", "max_clock_skew"]),
        ("max_quiet", &["max_quiet"]),
    ] {
        let span = from.take_span(names, notes);
        to.extend(span.map(|span| (key.to_owned(), Yaml::word(exact(span)))));
    }
    let most = [
        "restarts_per_run",
        "max_restarts_per_run",
        "max_revives_per_run",
        "max_revives_per_cycle",
    ];
    let has_limits = to.iter().any(|(key, _)| key == "limits");
    if let Some(item) = from.take(&most) {
        let limits = Yaml::one("restarts_per_run", value(&item.value));
        match sound::setting("limits", &limits) {
            Ok(()) if !has_limits => to.push(("limits".to_owned(), limits)),
            Ok(()) => notes.left(&item, "`limits` says it too"),
            Err(why) => notes.left(&item, &why),
        }
    }
    to
}

/// A setting that has our own form, if the program takes it.
fn kept(key: &str, item: Item, notes: &mut Notes) -> Option<Yaml> {
    let value = value(&item.value);
    match sound::setting(key, &value) {
        Ok(()) => Some(value),
        Err(why) => {
            notes.left(&item, &why);
            None
        }
    }
}

fn value(tree: &Tree) -> Yaml {
    match tree {
        Tree::Text(text) => Yaml::text(text.as_str()),
        Tree::List(list) => Yaml::Flow(list.iter().map(value).collect()),
        Tree::Map(entries) => {
            let pairs = entries.iter();
            Yaml::Map(
                pairs
                    .map(|(key, v)| (super::section::spelled(key), value(v)))
                    .collect(),
            )
        }
        word => Yaml::word(word.shown()),
    }
}
