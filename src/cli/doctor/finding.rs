//! What `doctor` has found: one thing that was looked at, how it is, and what to do next.

use std::path::Path;

use serde::Serialize;

use crate::model::text::visible;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// It was looked at and is as it should be.
    Ok,
    /// Nothing is wrong; it could be better, or could not be told.
    Advice,
    /// Something does not work as it is meant to, or will not at times.
    Warning,
    /// A run, a restart or a message would fail.
    Error,
}

impl Level {
    /// The word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Advice => "advice",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Area {
    /// The configuration file.
    Config,
    /// The revive plans.
    Plans,
    /// The directories that are read and written.
    Directories,
    /// What earlier runs left.
    State,
    /// The host's clock, and those of the agents.
    Clock,
    /// What starts the runs: systemd's units, crontabs.
    Units,
    /// The channels to people.
    Channels,
    /// What an agent or a command that is started could not do here.
    Agents,
}

impl Area {
    /// All of them, in the order in which they are shown.
    pub(super) const ALL: [Area; 8] = [
        Area::Config,
        Area::Plans,
        Area::Directories,
        Area::State,
        Area::Clock,
        Area::Units,
        Area::Channels,
        Area::Agents,
    ];

    /// The word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Area::Config => "config",
            Area::Plans => "plans",
            Area::Directories => "directories",
            Area::State => "state",
            Area::Clock => "clock",
            Area::Units => "units",
            Area::Channels => "channels",
            Area::Agents => "agents",
        }
    }
}

/// One finding. Its texts are harmless: they may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) area: Area,
    /// What kind of finding it is; stable. docs/doctor.md has them all.
    pub(super) code: &'static str,
    pub(super) level: Level,
    /// What was looked at: a path, `plan NAME`, `channel NAME`; none where it is the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) about: Option<String>,
    /// What was found.
    pub(super) found: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl Finding {
    fn new(level: Level, code: &'static str, found: impl AsRef<str>) -> Self {
        let lines: Vec<_> = found.as_ref().lines().map(visible).collect();
        Self {
            // Whoever gathers the findings of an area says which it is.
            area: Area::Config,
            code,
            level,
            about: None,
            found: lines.join("\n"),
            next: None,
        }
    }

    /// All is well with it.
    pub(super) fn ok(code: &'static str, found: impl AsRef<str>) -> Self {
        Self::new(Level::Ok, code, found)
    }

    /// It could be better, or could not be told.
    pub(super) fn advice(code: &'static str, found: impl AsRef<str>) -> Self {
        Self::new(Level::Advice, code, found)
    }

    /// It does not work as it is meant to.
    pub(super) fn warning(code: &'static str, found: impl AsRef<str>) -> Self {
        Self::new(Level::Warning, code, found)
    }

    /// Something would fail.
    pub(super) fn error(code: &'static str, found: impl AsRef<str>) -> Self {
        Self::new(Level::Error, code, found)
    }

    /// Says which path was looked at.
    pub(super) fn at(self, path: &Path) -> Self {
        self.about(path.to_string_lossy())
    }

    /// Says what was looked at.
    pub(super) fn about(self, what: impl AsRef<str>) -> Self {
        let about = Some(visible(what.as_ref()).into_owned());
        Self { about, ..self }
    }

    /// Says what to do next.
    pub(super) fn next(self, what: impl AsRef<str>) -> Self {
        let next = Some(visible(what.as_ref()).into_owned());
        Self { next, ..self }
    }

    /// Puts it into its area.
    pub(super) fn of(self, area: Area) -> Self {
        Self { area, ..self }
    }
}

/// A few names of many, and how many there are beyond them.
pub(super) fn few<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let text = shown.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// `1 plan`, `2 plans`.
pub(super) fn count(n: usize, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}
