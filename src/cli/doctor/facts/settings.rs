//! Facts about the configuration and the plans.

use std::path::PathBuf;

use super::directories::{Way, open_way};
use crate::config::{self, Config, Env, FoundBy, Overrides, Refused};
use crate::model::cell::Warning;
use crate::plan::{self, Known, PlanSet};
use crate::sys::trust::Trust;
use crate::yaml::Problem;

/// By what everything else is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Basis {
    /// The configuration as a run has it.
    Whole,
    /// What could be understood of the file.
    Partly,
    /// The defaults, because the file cannot be read or is not to be believed.
    Defaults,
}

/// The configuration, and the plans that it names.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Settings {
    /// The file, and by what it was found.
    pub(in crate::cli::doctor) file: Option<(PathBuf, FoundBy)>,
    /// Who else could put another in its place.
    pub(in crate::cli::doctor) way: Option<Way>,
    /// Why it is refused, where that is not about what it says.
    pub(in crate::cli::doctor) refused: Option<String>,
    /// What is wrong in it.
    pub(in crate::cli::doctor) problems: Vec<Problem>,
    /// What else is worth an eye: who may write it.
    pub(in crate::cli::doctor) notes: Vec<Warning>,
    /// How far the settings below are those of a run.
    pub(in crate::cli::doctor) basis: Basis,
    /// The settings.
    pub(in crate::cli::doctor) config: Config,
    /// Whose files are believed.
    pub(in crate::cli::doctor) trust: Trust,
    /// The plans.
    pub(in crate::cli::doctor) plans: Plans,
}

/// What there is of plans.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::doctor) struct Plans {
    /// Those in which, taken by themselves, nothing must be mended.
    pub(in crate::cli::doctor) set: PlanSet,
    /// How many files were read.
    pub(in crate::cli::doctor) files: usize,
    /// What is wrong in them.
    pub(in crate::cli::doctor) problems: Vec<Problem>,
    /// What could not be read, or is not to be believed.
    pub(in crate::cli::doctor) unreadable: Vec<String>,
    /// What else is worth an eye.
    pub(in crate::cli::doctor) notes: Vec<Warning>,
}

/// Reads configuration and plans.
pub(in crate::cli::doctor) fn gather(overrides: &Overrides, env: &Env) -> Settings {
    let trust = Trust::new(&overrides.trust_owners);
    let file = config::find(overrides, env).unwrap_or_default();
    let mut settings = match config::load(overrides, env) {
        Ok(loaded) => Settings {
            // What is wrong in the file is told with its place.
            notes: without(loaded.warnings, "config"),
            problems: loaded.problems,
            ..empty(file, loaded.config, Basis::Whole, trust)
        },
        Err(Refused {
            message,
            problems,
            without_file,
            partly,
        }) => {
            let (config, basis) = match (partly, without_file) {
                (Some(config), _) => (*config, Basis::Partly),
                (None, Some(config)) => (*config, Basis::Defaults),
                (None, None) => (Config::default(), Basis::Defaults),
            };
            Settings {
                refused: problems.is_empty().then_some(message),
                problems,
                ..empty(file, config, basis, trust)
            }
        }
    };
    settings.plans = plans(&settings);
    settings
}

fn empty(file: Option<(PathBuf, FoundBy)>, config: Config, basis: Basis, trust: Trust) -> Settings {
    let real = file.as_ref().and_then(|(path, _)| path.canonicalize().ok());
    Settings {
        // Who may write the directory that it lies in is looked at where it is read.
        way: real.and_then(|real| open_way(real.parent()?, &trust)),
        file,
        refused: None,
        problems: Vec::new(),
        notes: Vec::new(),
        basis,
        config,
        trust,
        plans: Plans::default(),
    }
}

fn without(warnings: Vec<Warning>, code: &str) -> Vec<Warning> {
    warnings.into_iter().filter(|w| w.code != code).collect()
}

/// Reads the plans, each path by itself: one that cannot be read does not hide the others.
fn plans(settings: &Settings) -> Plans {
    let mut found = Plans::default();
    let paths = &settings.config.plans;
    let files = match config::read_plans(paths, &settings.trust, &mut found.notes) {
        Ok(files) => files,
        Err(refused) => {
            found.unreadable = refused.message.lines().map(str::to_owned).collect();
            let mut again = Vec::new();
            let mut one = |path: &PathBuf| {
                let paths = std::slice::from_ref(path);
                config::read_plans(paths, &settings.trust, &mut again).unwrap_or_default()
            };
            paths.iter().flat_map(&mut one).collect()
        }
    };
    // Of a configuration that is broken it is not known what plans can name.
    let known = match settings.basis {
        Basis::Whole => crate::cli::setup::known(&settings.config),
        Basis::Partly | Basis::Defaults => Known::default(),
    };
    found.files = files.len();
    (found.set, found.problems) = plan::load(&files, &known);
    found
}
