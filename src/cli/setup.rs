//! From options, environment and configuration file to what a command works by.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::args::{CheckArgs, Common};
use crate::config::{self, Config, Env, Overrides};
use crate::core::rules::Rules;
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::observe::Look;
use crate::pipeline::{self, Request};
use crate::plan::{self, Known, PlanSet};
use crate::sys::host;
use crate::sys::trust::Trust;
use crate::yaml::Severity;

/// What a command works by.
#[derive(Debug)]
pub(super) struct Setup {
    /// The settings.
    pub(super) config: Config,
    /// Whose files are believed.
    pub(super) trust: Trust,
    /// The plans, once they were read.
    pub(super) plans: PlanSet,
    /// What came up on the way.
    pub(super) warnings: Vec<Warning>,
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
                        },
                    );
                }
                return Err(Failure::new(Exit::Config, no.message));
            }
        };
        let warnings = loaded.warnings;
        Ok(Self {
            config: loaded.config,
            trust,
            plans: PlanSet::default(),
            warnings,
        })
    }

    /// Reads the plans, for a command that decides by them or shows what they make of the cells.
    ///
    /// # Errors
    /// They are wrong or not to be trusted (78): everything that is wrong with any of them; and the
    /// settings, so that it can be seen that a run could not begin.
    pub(super) fn with_plans(mut self) -> Result<Self, Box<(Failure, Self)>> {
        let mut warnings = Vec::new();
        let read = config::read_plans(&self.config.plans, &self.trust, &mut warnings);
        let files = match read {
            Ok(files) => files,
            Err(no) => return Err(Box::new((Failure::new(Exit::Config, no.message), self))),
        };
        let (plans, problems) = plan::load::load(&files, &self.known());
        let wrong: Vec<String> = problems
            .iter()
            .filter(|p| p.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        if !wrong.is_empty() {
            return Err(Box::new((
                Failure::new(Exit::Config, wrong.join("\n")),
                self,
            )));
        }
        let said = problems.iter().map(|p| {
            Warning::about(
                "plan",
                format!("{}:{}:{}", p.file, p.line, p.column),
                p.message.clone(),
            )
        });
        self.warnings.extend(warnings);
        self.warnings.extend(said);
        self.plans = plans;
        Ok(self)
    }

    /// Reads environment, configuration and plans, for a command that answers by what a run would
    /// decide.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`with_plans`](Self::with_plans).
    pub(super) fn deciding(common: &Common) -> Result<Self, Failure> {
        let setup = Self::load(common, None)?;
        setup.with_plans().map_err(|no| no.0)
    }

    /// What plans can name of the configuration.
    pub(super) fn known(&self) -> Known {
        Known::default()
    }

    /// What a decision is made by.
    pub(super) fn rules(&self) -> Rules<'_> {
        Rules {
            plans: &self.plans,
            protection: &self.config.protection,
            restarts_per_run: self.config.limits.restarts_per_run,
            gap: self.config.gap(),
            force: false,
            state_lost: false,
        }
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
            trust: self.trust,
            warnings: self.warnings,
            began,
            progress: None,
        })
    }
}

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
