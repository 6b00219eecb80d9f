//! Facts about the cells: whom a plan governs, and what would become of the steps that start
//! something for them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};

use super::settings::Settings;
use crate::act::{self, Would, environment::Own};
use crate::core::decide::subjects;
use crate::core::filling::first_attempt;
use crate::core::view::View;
use crate::model::cell::Code;
use crate::model::decision::Policy;
use crate::model::snapshot::{RootMark, Snapshot};
use crate::model::step::Step;
use crate::observe;
use crate::pipeline;
use crate::plan::Plan;
use crate::sys::{host, owner};

/// How long the cells are looked at, what does not answer left out.
const LOOK: Duration = Duration::from_secs(10);

/// For at most this many subjects of a plan it is tried what its steps would find.
const TRIED: usize = 100;

/// What stands in a step's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Obstacle {
    /// The plan names what the subject does not have.
    Template,
    /// Each attempt would fail before anything is started.
    StepFails,
    /// What its user may do could not be found out.
    User,
    /// Its user may not enter the directory.
    Cwd,
    /// It is put into the directory, and its user finds no way there: one above may not be entered.
    CwdWay,
    /// Its user may not run the program.
    Program,
    /// What the program names in its first line is missing.
    Interpreter,
    /// Its user has as many tasks as it may have.
    LimitReached,
}

/// What would keep a step from being carried out, for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) struct Trouble {
    pub(in crate::cli::doctor) plan: String,
    pub(in crate::cli::doctor) obstacle: Obstacle,
    pub(in crate::cli::doctor) why: String,
    pub(in crate::cli::doctor) subjects: Vec<String>,
}

/// What there is in the missions root.
#[derive(Debug, Default)]
pub(in crate::cli::doctor) struct Fleet {
    /// Why it could not be looked at.
    pub(in crate::cli::doctor) failed: Option<String>,
    pub(in crate::cli::doctor) mark: Option<RootMark>,
    /// How many cells there are, archived ones left out.
    pub(in crate::cli::doctor) cells: usize,
    /// How many subjects each plan governs.
    pub(in crate::cli::doctor) governed: BTreeMap<String, usize>,
    /// For how many it was tried what the steps would find.
    pub(in crate::cli::doctor) tried: usize,
    /// Subjects that no plan governs.
    pub(in crate::cli::doctor) unplanned: Vec<String>,
    /// Heartbeats that lie ahead of our clock: whose, and a sentence.
    pub(in crate::cli::doctor) ahead: Vec<(String, String)>,
    /// What would keep steps from being carried out.
    pub(in crate::cli::doctor) troubles: Vec<Trouble>,
}

/// Looks at all cells, and tries what the steps of their plans would find; programs are sought in
/// `search`, a `PATH`, where a run would do that in its own.
pub(in crate::cli::doctor) fn gather(settings: &Settings, search: &OsStr) -> Fleet {
    let (config, plans) = (&settings.config, &settings.plans.set);
    let look = pipeline::look(config, plans, None, &settings.trust, Instant::now() + LOOK);
    let snapshot = match observe::snapshot(look, host::now()) {
        Ok(snapshot) => snapshot,
        Err(failure) => {
            return Fleet {
                failed: Some(failure.message),
                ..Fleet::default()
            };
        }
    };
    let mut fleet = Fleet {
        mark: Some(snapshot.root.clone()),
        cells: snapshot.cells.iter().filter(|c| !c.is_ignored()).count(),
        ..Fleet::default()
    };
    let own = Own {
        secrets: config.secret_variables(),
        path: Some(search.to_owned()),
        ..Own::read()
    };
    let tasks = OnceCell::new();
    let mut troubles = Troubles::default();
    for view in views(&snapshot) {
        let ahead = view.reasons.iter().find(|r| r.code == Code::ClockSkew);
        let ahead = ahead.map(|reason| (view.name.clone(), reason.message.clone()));
        fleet.ahead.extend(ahead);
        let Some(plan) = plans.governing(&view.who) else {
            fleet.unplanned.push(view.name);
            continue;
        };
        let count = fleet.governed.entry(plan.name.clone()).or_default();
        *count += 1;
        if *count <= TRIED && plan.policy != Policy::Never {
            fleet.tried += 1;
            let root = snapshot.told_root();
            for (obstacle, why) in tried(&view, plan, &root, &own, settings, &tasks) {
                troubles.add(plan, obstacle, why, &view.name);
            }
        }
    }
    fleet.troubles = troubles.0;
    fleet
}

fn views(snapshot: &Snapshot) -> impl Iterator<Item = View<'_>> {
    let agents = snapshot.cells.iter().flat_map(subjects);
    let agents = agents.map(|subject| View::of(&subject, snapshot));
    let gateways = snapshot.gateways.iter();
    agents.chain(gateways.map(|gateway| View::of_gateway(gateway, snapshot)))
}

/// Troubles, one for each plan and sentence.
#[derive(Default)]
struct Troubles(Vec<Trouble>);

impl Troubles {
    fn add(&mut self, plan: &Plan, obstacle: Obstacle, why: String, subject: &str) {
        let known = self
            .0
            .iter_mut()
            .find(|t| t.plan == plan.name && t.obstacle == obstacle && t.why == why);
        match known {
            Some(trouble) => trouble.subjects.push(subject.to_owned()),
            None => self.0.push(Trouble {
                plan: plan.name.clone(),
                obstacle,
                why,
                subjects: vec![subject.to_owned()],
            }),
        }
    }
}

/// What would keep the steps of a subject's plan from being carried out.
fn tried(
    view: &View<'_>,
    plan: &Plan,
    root: &str,
    own: &Own,
    settings: &Settings,
    tasks: &OnceCell<HashMap<u32, u64>>,
) -> Vec<(Obstacle, String)> {
    let action = match first_attempt(view, plan, root) {
        Ok(action) => action,
        Err(why) => return vec![(Obstacle::Template, why)],
    };
    let mounts = settings.config.mounts();
    let missions = Path::new(root);
    let mut found = Vec::new();
    for step in &action.steps {
        match act::would(step, &action, own, missions, mounts) {
            Err(why) => found.push((Obstacle::StepFails, format!("{}: {why}", step_word(step)))),
            Ok(Some(would)) => {
                found.extend(as_user(step, &would, missions));
                found.extend(crowded(step, &would, tasks.get_or_init(self::tasks)));
            }
            Ok(None) => {}
        }
    }
    found
}

fn step_word(step: &Step) -> &'static str {
    match step {
        Step::Run(_) => "run",
        Step::Spawn(_) => "spawn",
        Step::Signal(_) | Step::Http(_) | Step::Wait(_) => "step",
    }
}

/// What the user that a program runs as could not do: go to its directory, run its file.
fn as_user(step: &Step, would: &Would, missions: &Path) -> Vec<(Obstacle, String)> {
    let name = &would.account.name;
    // An agent of a cell begins in a directory that is opened before it is its user's turn.
    let is_opened = matches!(step, Step::Spawn(_)) && would.cwd.starts_with(missions);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = is_opened.then(|| rustix::fs::open(&would.cwd, flags, Mode::empty()).ok());
    let opened = opened.flatten();
    // One that is relative is taken from the directory that it is started in.
    let file = would.cwd.join(&would.program);
    let asked = owner::as_user(&would.account, || {
        let may = |path: &Path| rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS);
        let within =
            |dir| rustix::fs::accessat(dir, ".", Access::EXEC_OK, AtFlags::EACCESS).is_ok();
        let cwd = may(&would.cwd).map_err(|errno| (errno, opened.as_ref().is_some_and(within)));
        let program = may(&file);
        (cwd, program, program.ok().and_then(|()| interpreter(&file)))
    });
    let word = step_word(step);
    let (cwd, program, interpreter) = match asked {
        Ok(answers) => answers,
        Err(why) => return vec![(Obstacle::User, format!("{word}: {why}"))],
    };
    let mut found = Vec::new();
    if let Err((errno, is_within)) = cwd {
        let cwd = would.cwd.display();
        let cause = std::io::Error::from(errno);
        found.push(match is_within {
            false => (
                Obstacle::Cwd,
                format!("{word}: {name} cannot go to {cwd}: {cause}"),
            ),
            true => (
                Obstacle::CwdWay,
                format!("{word}: {name} begins in {cwd}, and by its path cannot reach it: {cause}"),
            ),
        });
    }
    if let Err(errno) = program {
        let program = file.display();
        let cause = std::io::Error::from(errno);
        found.push((
            Obstacle::Program,
            format!("{word}: {name} cannot run {program}: {cause}"),
        ));
    }
    if interpreter == Some(false) {
        let program = file.display();
        let why =
            format!("{word}: the interpreter that {program} names in its first line is missing");
        found.push((Obstacle::Interpreter, why));
    }
    found
}

/// How many tasks each user has: the kernel counts threads, too.
fn tasks() -> HashMap<u32, u64> {
    let mut all = HashMap::new();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else {
            continue;
        };
        let first = |key: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let uid = first("Uid:").and_then(|uid| u32::try_from(uid).ok());
        if let (Some(uid), Some(threads)) = (uid, first("Threads:")) {
            *all.entry(uid).or_default() += threads;
        }
    }
    all
}

/// An agent that could start nothing, as its user has as many tasks as it may have. Root is not
/// bound by that.
fn crowded(step: &Step, would: &Would, tasks: &HashMap<u32, u64>) -> Option<(Obstacle, String)> {
    let Step::Spawn(spawn) = step else {
        return None;
    };
    let most = spawn.limits.processes.filter(|_| would.account.uid != 0)?;
    let has = tasks.get(&would.account.uid).copied().unwrap_or(0);
    let name = &would.account.name;
    (has >= most).then(|| {
        // The number itself is another each time, and would make each subject a finding of its own.
        let why = format!(
            "spawn: {name} has at least {most} tasks already, and limits.processes is {most}"
        );
        (Obstacle::LimitReached, why)
    })
}

/// Whether the program is there that a script names in its first line; `None` where it names none,
/// or that cannot be told. The name is not told: a script may lie in a cell, and what stands in
/// there is nobody's to see.
fn interpreter(program: &Path) -> Option<bool> {
    let mut first = Vec::new();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).ok()?)
        .open(program)
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    file.take(256).read_to_end(&mut first).ok()?;
    let line = first.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|w| !w.is_empty());
    let path = Path::new(OsStr::from_bytes(words.next()?));
    path.is_absolute().then(|| path.exists())
}
