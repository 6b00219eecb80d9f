//! What a step would be carried out with, told before there is anything to carry out. It only looks.

use std::path::{Path, PathBuf};

use super::command::Command;
use super::environment::Own;
use super::spawn;
use crate::model::action::Action;
use crate::model::step::Step;
use crate::sys::account::Account;
use crate::sys::beneath::Mounts;

/// What a step that starts a program would start.
#[derive(Clone, Debug)]
pub struct Would {
    /// Whom it runs as.
    pub account: Account,
    /// The directory that it is started in.
    pub cwd: PathBuf,
    /// The file that is run.
    pub program: PathBuf,
}

/// What a step of an attempt would start; `None` for one that starts no program.
///
/// # Errors
/// A sentence, the one with which the step would fail: no such cell, directory, user or program, or
/// one that is not allowed.
pub fn would(
    step: &Step,
    action: &Action,
    own: &Own,
    missions_root: &Path,
    mounts: Mounts,
) -> Result<Option<Would>, String> {
    Ok(match step {
        Step::Run(run) => {
            let (user, cwd, program) = Command::of(run, action, own)?.into_parts();
            Some(Would {
                account: Account::find(&user)?,
                cwd,
                program,
            })
        }
        Step::Spawn(step) => {
            let (account, cwd, program) = spawn::would(step, action, own, missions_root, mounts)?;
            Some(Would {
                account,
                cwd,
                program,
            })
        }
        Step::Signal(_) | Step::Http(_) | Step::Wait(_) => None,
    })
}
