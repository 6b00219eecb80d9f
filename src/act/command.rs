//! From a step of a plan to a program that can be started: as whom, which file, and where.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use super::environment::{Environment, Own};
use crate::model::action::Action;
use crate::model::step::Run;
use crate::sys::account::Account;
use crate::sys::host;
use crate::sys::spawn::{Exec, Identity, NotStarted, Stage};

/// A command that is ready to be started, and how messages call its parts.
pub(super) struct Command {
    pub(super) exec: Exec,
    program: String,
    path: PathBuf,
    cwd: PathBuf,
    user: String,
}

impl Command {
    /// Makes a step's command ready.
    ///
    /// # Errors
    /// A sentence: no such user or program, or a text that no program can be given.
    pub(super) fn of(run: &Run, action: &Action, own: &Own) -> Result<Self, String> {
        let Some(program) = run.command.first().filter(|program| !program.is_empty()) else {
            return Err("the step has no command".to_owned());
        };
        let (account, identity) = whom(run.user.as_deref())?;
        let environment = Environment::of(&account, own, action, &run.env)?;
        let cwd = PathBuf::from(run.cwd.as_deref().unwrap_or("/"));
        if !cwd.is_absolute() {
            let cwd = cwd.display();
            return Err(format!(
                "cwd: {cwd} is not absolute, and a run step has no directory of its own"
            ));
        }
        let path = find(program, environment.path())?;
        let args = run.command.iter().map(|text| text.clone().into_bytes());
        let exec = Exec::new(&path, args, environment.entries(), &cwd, identity)?;
        Ok(Self {
            exec,
            program: program.clone(),
            path,
            cwd,
            user: account.name,
        })
    }

    /// Takes the program, and leaves what messages need.
    pub(super) fn split(self) -> (Exec, Named) {
        let named = Named {
            program: self.program,
            path: self.path,
            cwd: self.cwd,
            user: self.user,
        };
        (self.exec, named)
    }
}

/// How messages call a command's parts.
pub(super) struct Named {
    /// The program as the plan has it.
    pub(super) program: String,
    path: PathBuf,
    cwd: PathBuf,
    user: String,
}

impl Named {
    /// Why it could not be started.
    pub(super) fn not_started(&self, e: NotStarted) -> String {
        let (path, cwd, user) = (self.path.display(), self.cwd.display(), &self.user);
        let cause = e.cause();
        match e.stage {
            Stage::Fork => format!("making a process for {path}: {cause}"),
            Stage::Session => format!("making a session for {path}: {cause}"),
            Stage::Groups | Stage::Gid | Stage::Uid => {
                format!("becoming the user {user} to run {path}: {cause}")
            }
            Stage::NoNewPrivs => format!("setting no_new_privs for {path}: {cause}"),
            Stage::Cwd => format!("going to {cwd} as {user} to run {path}: {cause}"),
            Stage::Descriptors => format!("closing descriptors before running {path}: {cause}"),
            Stage::Signals => format!("resetting the signals before running {path}: {cause}"),
            // The file is there; what its first line asks for is not.
            Stage::Exec if e.errno == ENOENT && self.path.exists() => {
                format!("running {path}: {cause}: its interpreter is missing")
            }
            Stage::Exec => format!("running {path} as {user}: {cause}"),
        }
    }
}

const ENOENT: i32 = rustix::io::Errno::NOENT.raw_os_error();

/// Whom a command runs as; an identity only where that is another than we.
fn whom(user: Option<&str>) -> Result<(Account, Option<Identity>), String> {
    let Some(user) = user else {
        return Ok((Account::own(), None));
    };
    let account = Account::find(user)?;
    if account.is_own() {
        return Ok((account, None));
    }
    if !host::is_root() {
        let own = host::user_name(host::uid());
        return Err(format!(
            "only root can run a command as another user: the plan says `user: {user}`, and \
             lazarus-pit runs as {own}"
        ));
    }
    let identity = Identity {
        uid: account.uid,
        gid: account.gid,
        groups: account.groups()?,
        no_new_privs: account.uid != 0,
    };
    Ok((account, Some(identity)))
}

/// The program's file, found as a shell finds it, but never in a directory that is relative.
fn find(program: &str, path: &OsStr) -> Result<PathBuf, String> {
    if program.contains('/') {
        return Ok(PathBuf::from(program));
    }
    let dirs = path.as_bytes().split(|b| *b == b':');
    let dirs = dirs.map(|dir| Path::new(OsStr::from_bytes(dir)));
    let mut refused = None;
    for dir in dirs.filter(|dir| dir.is_absolute()) {
        let file = dir.join(program);
        if !file.is_file() {
            continue;
        }
        match rustix::fs::accessat(CWD, &file, Access::EXEC_OK, AtFlags::EACCESS) {
            Ok(()) => return Ok(file),
            Err(_) => refused = refused.or(Some(file)),
        }
    }
    let path = path.display();
    match refused {
        Some(file) => Err(format!(
            "running {}: Permission denied: it is not executable",
            file.display()
        )),
        None => Err(format!(
            "running {program}: No such file or directory in {path}"
        )),
    }
}
