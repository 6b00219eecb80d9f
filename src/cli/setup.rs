//! From options, environment and configuration file to what a command works by.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::args::{CheckArgs, Common};
use crate::config::{self, Config, Env, Overrides};
use crate::core::rules::Rules;
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::model::time::exact;
use crate::observe::Look;
use crate::pipeline::{self, Request};
use crate::plan::{self, PlanSet};
use crate::sys::host;
use crate::sys::trust::Trust;
use crate::yaml::{Problem, Severity};

/// What a command works by.
#[derive(Debug)]
pub(super) struct Setup {
    /// The settings.
    pub(super) config: Config,
    /// Whose files are believed.
    pub(super) trust: Trust,
    /// The plans; none before [`with_plans`](Self::with_plans).
    pub(super) plans: PlanSet,
    /// What came up on the way.
    pub(super) warnings: Vec<Warning>,
    /// Options by which another run is as this one.
    same: Vec<String>,
}

/// How long a look may take where no option says so.
const LOOK: Duration = Duration::from_secs(50);

impl Setup {
    /// Reads the environment and the configuration.
    ///
    /// # Errors
    /// A user that does not exist (64), a configuration that is wrong or not to be trusted (78).
    pub(super) fn load(common: &Common, stale_after: Option<Duration>) -> Result<Self, Failure> {
        Self::load_or(common, stale_after, |_, _| ())
    }

    /// As [`load`](Self::load); where the configuration is refused, `refused` hears why and what
    /// the settings were without the file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(super) fn load_or(
        common: &Common,
        stale_after: Option<Duration>,
        refused: impl FnOnce(&str, Self),
    ) -> Result<Self, Failure> {
        let overrides = overrides(common, stale_after)?;
        let trust = Trust::new(&overrides.trust_owners);
        let loaded = match config::load(&overrides, &Env::read()) {
            Ok(loaded) => loaded,
            Err(no) => {
                if let Some(config) = no.without_file {
                    refused(
                        &no.message,
                        Self {
                            config: *config,
                            trust,
                            plans: PlanSet::default(),
                            warnings: Vec::new(),
                            same: Vec::new(),
                        },
                    );
                }
                return Err(Failure::new(Exit::Config, no.message));
            }
        };
        let warnings = loaded.warnings;
        Ok(Self {
            same: same(common, stale_after, &loaded.config),
            config: loaded.config,
            trust,
            plans: PlanSet::default(),
            warnings,
        })
    }

    /// Reads the plans, for commands that decide by them: nothing may be done by half of them.
    ///
    /// # Errors
    /// All that is wrong with them, or why they cannot be read or believed (78).
    pub(super) fn with_plans(mut self) -> Result<Self, Failure> {
        self.read_plans()
            .map_err(|why| Failure::new(Exit::Config, why))?;
        Ok(self)
    }

    /// As [`with_plans`](Self::with_plans); where they are refused, `refused` hears why and what
    /// the settings are.
    ///
    /// # Errors
    /// As [`with_plans`](Self::with_plans).
    pub(super) fn with_plans_or(
        mut self,
        refused: impl FnOnce(&str, Self),
    ) -> Result<Self, Failure> {
        match self.read_plans() {
            Ok(()) => Ok(self),
            Err(why) => {
                refused(&why, self);
                Err(Failure::new(Exit::Config, why))
            }
        }
    }

    fn read_plans(&mut self) -> Result<(), String> {
        let paths = &self.config.plans;
        let files = config::read_plans(paths, &self.trust, &mut self.warnings);
        let files = files.map_err(|refused| refused.message)?;
        let (plans, problems) = plan::load(&files, &self.known());
        let is_error = |p: &&Problem| p.severity == Severity::Error;
        let errors: Vec<String> = problems
            .iter()
            .filter(is_error)
            .map(ToString::to_string)
            .collect();
        if !errors.is_empty() {
            return Err(errors.join("\n"));
        }
        self.warnings.extend(problems.iter().map(|p| {
            let place = format!("{}:{}:{}", p.file, p.line, p.column);
            Warning::about("plan", place, p.message.clone())
        }));
        self.plans = plans;
        Ok(())
    }

    /// What plans can name of the configuration.
    pub(super) fn known(&self) -> plan::Known {
        known(&self.config)
    }

    /// What a decision is made by.
    pub(super) fn rules(&self) -> Rules<'_> {
        pipeline::rules(&self.config, &self.plans)
    }

    /// Where lock, state and journal lie.
    pub(super) fn state_dir(&self) -> PathBuf {
        self.config.state_dir()
    }

    /// A look at the cells whose names match; at all of them where there are no globs.
    pub(super) fn look(&self, scope: Option<GlobSet>) -> Look {
        pipeline::look(
            &self.config,
            &self.plans,
            scope,
            &self.trust,
            Instant::now() + LOOK,
        )
    }

    /// What a pass is to do.
    ///
    /// # Errors
    /// An option has a value that cannot be (64).
    pub(super) fn request(self, args: &CheckArgs, began: Instant) -> Result<Request, Failure> {
        let deadline = args.deadline.unwrap_or(LOOK);
        if deadline.is_zero() {
            return Err(Failure::new(
                Exit::Usage,
                "--deadline must be more than nothing",
            ));
        }
        Ok(Request {
            state_dir: self.config.state_dir(),
            heartbeat_dir: (!args.no_heartbeat).then(|| self.config.heartbeat_dir()),
            scope: scope(&args.cell)?,
            config: self.config,
            deadline,
            wait_lock: args.wait_lock.unwrap_or(Duration::ZERO),
            plans: self.plans,
            no_act: args.no_act,
            force: args.force,
            woken: args.woken,
            trust: self.trust,
            warnings: self.warnings,
            began,
            same: self.same,
            order: None,
            progress: None,
        })
    }
}

/// The options by which a run that a keeper starts later, in `/`, is as one that is started with
/// these.
fn same(common: &Common, stale_after: Option<Duration>, config: &Config) -> Vec<String> {
    let mut all = Vec::new();
    let mut path = |option: &str, path: &std::path::Path| {
        let absolute = std::path::absolute(path);
        match absolute.as_deref().map(std::path::Path::to_str) {
            Ok(Some(path)) => all.extend([option.to_owned(), path.to_owned()]),
            // The run finds its own way without it, or says that it does not.
            _ => log::warn!("{option} {}: not handed on", path.display()),
        }
    };
    let of_env = std::env::var_os("LAZARUS_PIT_CONFIG").filter(|path| !path.is_empty());
    if let Some(file) = common.config.clone().or(of_env.map(PathBuf::from)) {
        path("--config", &file);
    }
    path("--root", &config.missions_root);
    path("--state-dir", &config.state_dir());
    common.plans.iter().for_each(|plans| path("--plans", plans));
    if let Some(dir) = &common.heartbeat_dir {
        path("--heartbeat-dir", dir);
    }
    for owner in &common.trust_owner {
        all.extend(["--trust-owner".to_owned(), owner.clone()]);
    }
    if let Some(stale_after) = stale_after {
        all.extend(["--stale-after".to_owned(), exact(stale_after)]);
    }
    all
}

/// What plans can name of a configuration.
pub(super) fn known(config: &Config) -> plan::Known {
    let gateways = config.gateways.iter();
    let deaf = config.channels.iter().filter(|channel| !channel.hears());
    plan::Known {
        channels: Some(config.channels.iter().map(|c| c.name.clone()).collect()),
        deaf: deaf.map(|c| c.name.clone()).collect(),
        gateways: Some(gateways.map(|gateway| gateway.name.clone()).collect()),
    }
}

/// What the options say that come before environment and file.
pub(super) fn overrides(
    common: &Common,
    stale_after: Option<Duration>,
) -> Result<Overrides, Failure> {
    let owner = |name: &String| {
        host::find_user(name)
            .map(|(uid, _)| uid)
            .map_err(|why| Failure::new(Exit::Usage, format!("--trust-owner {name}: {why}")))
    };
    Ok(Overrides {
        config: common.config.clone(),
        root: common.root.clone(),
        state_dir: common.state_dir.clone(),
        plans: common.plans.clone(),
        heartbeat_dir: common.heartbeat_dir.clone(),
        stale_after,
        trust_owners: common
            .trust_owner
            .iter()
            .map(owner)
            .collect::<Result<_, _>>()?,
    })
}

/// The globs of `--cell`; `None` where there are none.
fn scope(globs: &[String]) -> Result<Option<(Vec<String>, GlobSet)>, Failure> {
    if globs.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let wrong =
            |e: globset::Error| Failure::new(Exit::Usage, format!("--cell {glob}: {}", e.kind()));
        set.add(GlobBuilder::new(glob).build().map_err(wrong)?);
    }
    let set = set
        .build()
        .map_err(|e| Failure::new(Exit::Usage, format!("--cell: {e}")))?;
    Ok(Some((globs.to_vec(), set)))
}
