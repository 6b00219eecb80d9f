//! From a step of a plan to a program that can be started: as whom, which file, and where.

use std::path::{Path, PathBuf};

use super::environment::{Environment, Own};
use crate::model::action::Action;
use crate::model::step::Run;
use crate::sys::account::Account;
use crate::sys::host;
use crate::sys::program::find;
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
        let (account, identity) = whom(run.user.as_deref(), host::is_root())?;
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
        let own = identity.is_none() || account.uid == 0;
        let exec = Exec::new(&path, args, environment.entries(), &cwd, identity)?;
        let exec = if own { exec } else { exec.without_new_privs() };
        Ok(Self {
            exec,
            program: program.clone(),
            path,
            cwd,
            user: account.name,
        })
    }

    /// Whom it runs as, in which directory, and which file it is.
    pub(super) fn into_parts(self) -> (String, PathBuf, PathBuf) {
        (self.user, self.cwd, self.path)
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
#[derive(Debug)]
pub struct Named {
    /// The program as the plan has it.
    pub(super) program: String,
    path: PathBuf,
    cwd: PathBuf,
    user: String,
}

impl Named {
    /// A command that is not run by us.
    #[must_use]
    pub fn new(program: &str, path: &Path, cwd: &Path, user: &str) -> Self {
        Self {
            program: program.to_owned(),
            path: path.to_owned(),
            cwd: cwd.to_owned(),
            user: user.to_owned(),
        }
    }

    /// Why it could not be started.
    #[must_use]
    pub fn not_started(&self, e: NotStarted) -> String {
        let (path, cwd, user) = (self.path.display(), self.cwd.display(), &self.user);
        let cause = e.cause();
        match e.stage {
            Stage::Fork => format!("making a process for {path}: {cause}"),
            Stage::Session => format!("making a session for {path}: {cause}"),
            Stage::Groups | Stage::Gid | Stage::Uid => {
                format!("becoming the user {user} to run {path}: {cause}")
            }
            Stage::NoNewPrivs => format!("setting no_new_privs for {path}: {cause}"),
            Stage::Limits => format!("setting the limits of {path}: {cause}"),
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

    /// The start did not come to an end.
    #[must_use]
    pub fn took_too_long(&self) -> String {
        let (path, cwd) = (self.path.display(), self.cwd.display());
        format!("starting {path} in {cwd} came to no end; does a mount there not answer?")
    }
}

const ENOENT: i32 = rustix::io::Errno::NOENT.raw_os_error();

/// Whom a command runs as; an identity only where that is another than we.
fn whom(user: Option<&str>, as_root: bool) -> Result<(Account, Option<Identity>), String> {
    let Some(user) = user else {
        return Ok((Account::own(), None));
    };
    let account = Account::find(user)?;
    if account.is_own() {
        return Ok((account, None));
    }
    if !as_root {
        return Err(not_root(user));
    }
    let identity = Identity {
        uid: account.uid,
        gid: account.gid,
        groups: account.groups()?,
    };
    Ok((account, Some(identity)))
}

/// Why a command is not run as a user.
pub(super) fn not_root(user: &str) -> String {
    let own = host::user_name(host::uid());
    format!(
        "only root can run a command as another user: the plan says `user: {user}`, and \
         lazarus-pit runs as {own}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_becomes_another_user() {
        let other = if host::is_root() { "nobody" } else { "root" };
        let e = whom(Some(other), false).unwrap_err();
        let want =
            format!("only root can run a command as another user: the plan says `user: {other}`");
        assert!(e.starts_with(&want), "{e}");
        let own = host::uid().to_string();
        for as_root in [false, true] {
            assert_eq!(whom(Some(&own), as_root).unwrap().1, None);
            assert_eq!(whom(None, as_root).unwrap().1, None);
        }
        let (account, identity) = whom(Some("3999999999"), true).unwrap();
        let identity = identity.unwrap();
        assert_eq!(
            (account.uid, identity.uid, identity.gid),
            (3_999_999_999, 3_999_999_999, 3_999_999_999)
        );
    }
}
