//! From what is written to checked values, with everything that is wrong told at its place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::raw::{OneOrMany, RawConfig, RawGateway, RawLimits, RawLogs, RawProtection};
use super::{Config, Gateway, Limits, Logs, Protection};
use crate::model::text::check_id;
use crate::plan;
use crate::yaml::{Place, Problems, Secret, Spanned};

/// Puts what is written over the defaults.
pub(super) fn convert(
    raw: RawConfig,
    dir: &Path,
    home: Option<&Path>,
    problems: &mut Problems<'_>,
) -> Config {
    let mut check = Check {
        dir,
        home,
        problems,
    };
    let default = Config::default();
    let required: Option<Vec<String>> = raw.required_subdirs.map(|names| {
        names
            .into_iter()
            .filter_map(|name| check.beneath(Some(name)))
            .collect()
    });
    let stale_after = match (raw.stale_after, raw.stale_after_seconds) {
        (Some(words), Some(seconds)) => {
            let (first, second) = (words.place, seconds.place);
            let line = first.line.min(second.line);
            check.problems.error(
                first.max(second),
                format!("`stale_after` and `stale_after_seconds` are two ways to say one thing, and line {line} says it already"),
            );
            None
        }
        (words, seconds) => words.map(|s| s.value.0).or(seconds.map(|s| s.value.0)),
    };
    let interval = raw.heartbeat_interval_seconds.map(|s| (s.place, s.value.0));
    Config {
        missions_root: check
            .path(raw.missions_root)
            .unwrap_or(default.missions_root),
        heartbeat_job: check
            .job(raw.heartbeat_job)
            .unwrap_or(default.heartbeat_job),
        heartbeat_interval: check
            .above_zero(interval)
            .unwrap_or(default.heartbeat_interval),
        stale_after: stale_after.unwrap_or(default.stale_after),
        stale_after_is_final: false,
        // Empty means the default, in the original configuration too.
        required_subdirs: required
            .filter(|names| !names.is_empty())
            .unwrap_or(default.required_subdirs),
        heartbeat_file: check
            .beneath(raw.heartbeat_file)
            .unwrap_or(default.heartbeat_file),
        clock_skew: raw.clock_skew.map_or(default.clock_skew, |s| s.value.0),
        max_quiet: raw.max_quiet.map_or(default.max_quiet, |s| s.value.0),
        allow_mounts: raw.allow_mounts.unwrap_or(default.allow_mounts),
        state_dir: check.path(raw.state_dir),
        heartbeat_dir: check.path(raw.heartbeat_dir),
        heartbeat_ping_url: check.url(raw.heartbeat_ping_url),
        plans: check.plans(raw.plans),
        prometheus_textfile: check.textfile(raw.prometheus_textfile),
        prometheus_subjects: raw
            .prometheus_subjects
            .unwrap_or(default.prometheus_subjects),
        gateways: check.gateways(raw.gateways.unwrap_or_default()),
        channels: check.channels(raw.channels.unwrap_or_default().0),
        protection: check.protection(raw.protection.unwrap_or_default()),
        limits: check.limits(raw.limits.unwrap_or_default()),
        logs: check.logs(raw.logs.unwrap_or_default()),
    }
}

/// One file that is checked.
pub(super) struct Check<'c, 't> {
    dir: &'c Path,
    home: Option<&'c Path>,
    pub(super) problems: &'c mut Problems<'t>,
}

impl Check<'_, '_> {
    /// A path: `~/` is the home, a relative one is taken from the file's directory.
    fn path(&mut self, written: Option<Spanned<String>>) -> Option<PathBuf> {
        let Spanned { value, place } = written?;
        match self.resolve(&value) {
            Ok(path) => Some(path),
            Err(message) => {
                self.problems.error(place, message);
                None
            }
        }
    }

    pub(super) fn resolve(&self, path: &str) -> Result<PathBuf, String> {
        if path.is_empty() {
            return Err("a path must not be empty".into());
        }
        if path.contains('\0') {
            return Err("a path must not hold a NUL character".into());
        }
        match path.strip_prefix('~') {
            None => Ok(self.dir.join(path)),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => match self.home {
                Some(home) => Ok(home.join(rest.trim_start_matches('/'))),
                None => Err("`~` stands for the home directory, and HOME is not set".into()),
            },
            Some(_) => Err("only `~/` is known; write another user's home out".into()),
        }
    }

    /// A path beneath a cell, which may never lead out of it.
    fn beneath(&mut self, written: Option<Spanned<String>>) -> Option<String> {
        let Spanned { value, place } = written?;
        let wrong = if value.is_empty() {
            Some("a path must not be empty")
        } else if value.starts_with('/') {
            Some("this is taken from the cell's directory, so it must be a relative path")
        } else if value.chars().any(char::is_control) {
            Some("control characters are not allowed in a path beneath a cell")
        } else {
            value.split('/').find_map(|part| match part {
                "" => Some("a component of this path is empty"),
                "." | ".." => Some("`.` and `..` are not allowed in a path beneath a cell"),
                _ => None,
            })
        };
        match wrong {
            None => Some(value),
            Some(message) => {
                self.problems.error(place, message);
                None
            }
        }
    }

    fn job(&mut self, written: Option<Spanned<String>>) -> Option<String> {
        let Spanned { value, place } = written?;
        // Room for `.last` in the 255 bytes that a file name may have.
        match check_id(&value, 250) {
            Ok(()) => Some(value),
            Err(why) => {
                let message = format!("`heartbeat_job` becomes a file's name: {why}");
                self.problems.error(place, message);
                None
            }
        }
    }

    pub(super) fn above_zero(&mut self, written: Option<(Place, Duration)>) -> Option<Duration> {
        let (place, value) = written?;
        self.problems.above_zero(place, value)
    }

    fn at_least_one(&mut self, written: Option<Spanned<u32>>) -> Option<u32> {
        let Spanned { value, place } = written?;
        self.problems.at_least_one(place, value)
    }

    /// A ping URL holds a key, so nothing of it is told.
    fn url(&mut self, written: Option<Spanned<Secret>>) -> Option<String> {
        let Spanned { value, place } = written?;
        let text = value.reveal();
        let good = text.parse::<ureq::http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        if !good {
            let message = "this is not a URL that begins with `http://` or `https://`";
            self.problems.secret_error(place, message);
            return None;
        }
        Some(text.to_owned())
    }

    fn plans(&mut self, written: Option<Spanned<OneOrMany>>) -> Vec<PathBuf> {
        let paths = match written {
            // An empty list is a word, too: no plans.
            None => {
                let beside = self.dir.join("plans");
                return Vec::from_iter(beside.is_dir().then_some(beside));
            }
            Some(Spanned { value, place }) => match value {
                OneOrMany::One(value) => vec![Spanned { value, place }],
                OneOrMany::Many(paths) => paths,
            },
        };
        paths
            .into_iter()
            .filter_map(|path| self.path(Some(path)))
            .collect()
    }

    fn textfile(&mut self, written: Option<Spanned<String>>) -> Option<PathBuf> {
        let place = written.as_ref()?.place;
        let path = self.path(written)?;
        if path.extension().is_none_or(|end| end != "prom") {
            let message = "node_exporter reads only files whose names end in `.prom`";
            self.problems.warning(place, message);
        }
        Some(path)
    }

    fn gateways(&mut self, raw: Vec<RawGateway>) -> Vec<Gateway> {
        let mut gateways: Vec<Gateway> = Vec::new();
        for raw in raw {
            let Spanned { value: name, place } = raw.name;
            if let Err(why) = check_id(&name, 100) {
                let message = format!("`name` is part of a subject's name: {why}");
                self.problems.error(place, message);
            }
            if gateways.iter().any(|known| known.name == name) {
                let message = format!("there are two gateways of the name `{name}`");
                self.problems.error(place, message);
            }
            let stale_after = raw.stale_after.map(|s| (s.place, s.value.0));
            gateways.push(Gateway {
                name,
                heartbeat: self.path(raw.heartbeat),
                stale_after: self.above_zero(stale_after),
                probes: plan::probes_of_gateway(raw.probes.unwrap_or_default(), self.problems),
            });
        }
        gateways.sort_by(|a, b| a.name.cmp(&b.name));
        gateways
    }

    fn protection(&mut self, raw: RawProtection) -> Protection {
        let default = Protection::default();
        let fraction = raw.fraction.and_then(|Spanned { value, place }| {
            let good = value > 0.0 && value <= 1.0;
            if !good {
                let message = "`fraction` is a share: more than 0 and at most 1";
                self.problems.error(place, message);
            }
            good.then_some(value)
        });
        let window = raw.window.map(|s| (s.place, s.value.0));
        Protection {
            min_subjects: self
                .at_least_one(raw.min_subjects)
                .unwrap_or(default.min_subjects),
            fraction: fraction.unwrap_or(default.fraction),
            window: self.above_zero(window).unwrap_or(default.window),
            canary: raw.canary.unwrap_or(default.canary),
            gap: raw.gap.map_or(default.gap, |s| s.0),
            settle: raw.settle.map_or(default.settle, |s| s.0),
        }
    }

    fn limits(&mut self, raw: RawLimits) -> Limits {
        let default = Limits::default();
        let within = raw.notify_within.map(|s| (s.place, s.value.0));
        Limits {
            restarts_per_run: self
                .at_least_one(raw.restarts_per_run)
                .unwrap_or(default.restarts_per_run),
            notify_within: self.above_zero(within).unwrap_or(default.notify_within),
        }
    }

    fn logs(&mut self, raw: RawLogs) -> Logs {
        let default = Logs::default();
        let keep = raw.keep.map(|s| (s.place, s.value.0));
        let max_bytes = raw.max_bytes.and_then(|Spanned { value, place }| {
            if value.0 == 0 {
                self.problems.error(place, "this must be more than zero");
            }
            (value.0 > 0).then_some(value.0)
        });
        Logs {
            dir: self.path(raw.dir),
            keep: self.above_zero(keep).unwrap_or(default.keep),
            max_bytes: max_bytes.unwrap_or(default.max_bytes),
        }
    }
}
