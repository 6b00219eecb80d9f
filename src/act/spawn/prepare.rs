//! From a step `spawn` to what its keeper is told: as whom, which program, where.

use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::Keeping;
use super::spec::{BeatSpec, CellSpec, IdentitySpec, LimitsSpec, Spec};
use super::unit::Unit;
use crate::act::command;
use crate::act::environment::{Environment, Extra, is_of_supervisor};
use crate::act::manifest::{self, Manifest};
use crate::act::perform::Surroundings;
use crate::act::place;
use crate::model::action::Action;
use crate::model::cell::Layout;
use crate::model::process::{Entry, ProcessStatus};
use crate::model::step::{Backend, BeatFor, Spawn};
use crate::model::time::millis;
use crate::sys::account::Account;
use crate::sys::beneath::{self, Mounts};
use crate::sys::environment::Own;
use crate::sys::{host, program};

/// What a keeper is told.
pub(super) struct Ready {
    pub(super) spec: Spec,
    /// The unit that it becomes, where it is to be one.
    pub(super) unit: Option<Unit>,
}

/// What a cell says of itself that its agent is told.
struct Home {
    cell: CellSpec,
    /// The directory that it works in.
    cwd: PathBuf,
    owner: u32,
    uuid: Option<String>,
}

/// Makes a step ready.
///
/// # Errors
/// A sentence: no such cell, directory, user or program, or one that is not allowed.
pub(super) fn prepare(
    spawn: &Spawn,
    action: &Action,
    around: &Surroundings,
    keeping: &Keeping,
) -> Result<Ready, String> {
    let Some(program) = spawn.command.first().filter(|program| !program.is_empty()) else {
        return Err("the step has no command".to_owned());
    };
    let home = match &action.place.cell {
        Some((id, _)) => Some(home(spawn, id, keeping)?),
        None => None,
    };
    let (cwd, cell) = match &home {
        Some(home) => (home.cwd.clone(), Some(home.cell.clone())),
        None => (of_gateway(spawn)?, None),
    };
    let owner = home.as_ref().map(|home| home.owner);
    let account = whom(spawn, owner, host::is_root())?;
    let identity = match account.is_own() {
        true => None,
        false => Some(IdentitySpec {
            uid: account.uid,
            gid: account.gid,
            groups: account.groups()?,
        }),
    };
    let extra = Extra {
        uuid: home.as_ref().and_then(|home| home.uuid.clone()),
        home: hermes_home(spawn, action),
        passed: passed(spawn, &around.own),
    };
    let environment = Environment::with(&account, &around.own, action, &extra, &spawn.env)?;
    let path = program::find(program, environment.path())?;
    let beats = spawn.beat != BeatFor::Never && cell.is_some();
    let stale_after = action.stale_after.unwrap_or(keeping.stale_after);
    let unit = match spawn.backend {
        Backend::Systemd => Some(Unit::of(spawn, action, around)?),
        Backend::Process => None,
    };
    let mut entry = entry(spawn, action, &cwd, around);
    entry.unit = unit.as_ref().map(|unit| unit.name().to_owned());
    let spec = Spec {
        entry,
        state_dir: keeping.state_dir.clone(),
        logs_dir: keeping.logs_dir.clone(),
        max_bytes: keeping.max_bytes,
        cell,
        name: action.place.name.clone(),
        program: path,
        args: spawn.command.clone(),
        env: environment.entries().collect(),
        identity,
        no_new_privs: spawn.user.as_deref() != Some("root"),
        limits: LimitsSpec {
            max_runtime_ms: spawn.limits.max_runtime.map(millis),
            memory: spawn.limits.memory,
            open_files: spawn.limits.open_files,
            processes: spawn.limits.processes,
        },
        not_after_ms: not_after(around),
        wake: spawn.wake.then(|| wake(action, keeping)),
        beat: beats.then(|| BeatSpec {
            when: spawn.beat,
            every_ms: millis(stale_after / 4).max(1),
            heartbeat_file: keeping.heartbeat_file.clone(),
            allow_mounts: keeping.mounts == Mounts::Cross,
        }),
        unit: unit.as_ref().map(Unit::told),
    };
    Ok(Ready { spec, unit })
}

/// The cell as it is now: which directory it is, whose, and what it says of itself.
fn home(spawn: &Spawn, id: &str, keeping: &Keeping) -> Result<Home, String> {
    let root = &keeping.missions_root;
    let missions = place::open_missions(root).map_err(|failure| failure.message)?;
    let path = root.join(id);
    let cannot = |what: &str, path: &Path, e| {
        format!("{what} {}: {}", place::shown(path), beneath::reason(e))
    };
    let dir = beneath::open_dir(&missions, id, Mounts::Cross)
        .map_err(|e| cannot("opening the cell", &path, e))?;
    let owner = rustix::fs::fstat(&dir).map_err(|e| cannot("looking at the cell", &path, e))?;
    let layout = place::layout(&dir).map_err(|e| cannot("looking at the cell", &path, e))?;
    let workplace = match layout {
        Layout::Foundation => "worktree",
        Layout::Canonical => "workspace",
    };
    let cwd = spawn.cwd.as_deref().unwrap_or(workplace);
    // `.` is the cell itself.
    let within = cwd.trim_end_matches('/').trim_start_matches("./");
    let within = if within == "." { "" } else { within };
    if cwd.starts_with('/') || !(within.is_empty() || place::components(within).is_some()) {
        return Err(format!(
            "cwd: {cwd} leads out of the cell: it must be a plain path beneath {}",
            place::shown(&path)
        ));
    }
    let at = path.join(within);
    let name = if within.is_empty() { "." } else { within };
    // A reference is enough: whoever runs there needs the right to, not we.
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let opened = beneath::open(&dir, name, flags, keeping.mounts)
        .and_then(rustix::fs::fstat)
        .map_err(|e| cannot("cwd: opening", &at, e))?;
    let uuid = match manifest::read(&dir, layout, keeping.mounts) {
        Ok(Manifest::Known(known)) => known.uuid,
        // Without it an agent can still work.
        _ => None,
    };
    Ok(Home {
        cell: CellSpec {
            root: root.clone(),
            id: id.to_owned(),
            allow_mounts: keeping.mounts == Mounts::Cross,
            cwd: within.to_owned(),
            cwd_is: (opened.st_dev, opened.st_ino),
        },
        cwd: at,
        owner: owner.st_uid,
        uuid: uuid.or_else(|| (layout == Layout::Foundation).then(|| id.to_owned())),
    })
}

fn of_gateway(spawn: &Spawn) -> Result<PathBuf, String> {
    let cwd = spawn.cwd.as_deref().unwrap_or("/");
    if !cwd.starts_with('/') {
        return Err(format!(
            "cwd: {cwd} is not absolute, and a gateway has no directory of its own"
        ));
    }
    Ok(PathBuf::from(cwd))
}

/// Whom an agent runs as: the owner of its cell, and root only where the plan says so by name.
fn whom(spawn: &Spawn, owner: Option<u32>, as_root: bool) -> Result<Account, String> {
    let account = match (spawn.user.as_deref(), owner) {
        (Some(user), _) => Account::find(user)?,
        (None, _) if !as_root => return Ok(Account::own()),
        (None, Some(owner)) => Account::find(&owner.to_string())?,
        (None, None) => {
            return Err(
                "a gateway has no owner whose rights it could have: name one with `user:` in the step `spawn`"
                    .to_owned(),
            );
        }
    };
    match spawn.user.as_deref() {
        None if account.uid == 0 => Err(
            "the cell belongs to root, and nothing runs as root that the plan does not say: name another user, or `user: root`, in the step `spawn`"
                .to_owned(),
        ),
        Some(user) if account.uid == 0 && user != "root" => Err(format!(
            "`user: {user}` is root, and root must be named as `user: root`"
        )),
        Some(user) if !as_root && !account.is_own() => Err(command::not_root(user)),
        _ => Ok(account),
    }
}

/// The plan's `home`, or the cell's root.
fn hermes_home(spawn: &Spawn, action: &Action) -> Option<std::ffi::OsString> {
    let root = action.place.cell.as_ref().map(|(_, root)| root);
    match (&spawn.home, root) {
        // A relative one is meant beneath the cell.
        (Some(home), Some(root)) => Some(root.join(home).into_os_string()),
        (Some(home), None) => Some(home.into()),
        (None, root) => root.map(|root| root.clone().into_os_string()),
    }
}

/// What is taken over of our own environment; what is meant for us alone never is.
fn passed(spawn: &Spawn, own: &Own) -> Vec<(String, std::ffi::OsString)> {
    let ours = |name: &str| is_of_supervisor(name) || own.secrets.iter().any(|ours| ours == name);
    let names = spawn.env_pass.iter().filter(|name| !ours(name));
    names
        .filter_map(|name| Some((name.clone(), std::env::var_os(name)?)))
        .collect()
}

fn entry(spawn: &Spawn, action: &Action, cwd: &Path, around: &Surroundings) -> Entry {
    Entry {
        r#ref: action.r#ref.clone(),
        slot: action.subject.clone(),
        subject: action.subject.clone(),
        parent: None,
        actor: around.actor.clone(),
        incident: action.incident.clone(),
        attempt: action.attempt,
        plan: action.plan.clone(),
        command: spawn.command.clone(),
        cwd: place::shown(cwd),
        pid: None,
        start_time: None,
        boot_id: String::new(),
        keeper_pid: None,
        keeper_start_time: None,
        status: ProcessStatus::Created,
        exit_code: None,
        signal: None,
        started_at: (around.now)(),
        ended_at: None,
        duration_ms: None,
        grace_ms: millis(spawn.grace),
        log: None,
        unit: None,
        error: None,
        other: serde_json::Map::new(),
    }
}

/// The deadline by the clock that all processes of the host share.
fn not_after(around: &Surroundings) -> u64 {
    let left = around
        .deadline
        .saturating_duration_since(std::time::Instant::now());
    millis(host::uptime().unwrap_or_default() + left)
}

/// The run that the agent's end starts: one for its cell alone, and for a gateway, which has none, a
/// full one.
fn wake(action: &Action, keeping: &Keeping) -> Vec<String> {
    let mut args = vec!["check".to_owned()];
    if let Some((cell, _)) = &action.place.cell {
        args.extend(["--cell".to_owned(), globset::escape(cell)]);
    }
    args.extend(["--woken", "--wait-lock", "30s", "--color", "never"].map(str::to_owned));
    args.extend(keeping.same.iter().cloned());
    args
}
