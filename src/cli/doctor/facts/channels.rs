//! Facts about the channels to people. Nothing is sent and nothing is asked.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::channel::{self, secret};
use crate::model::channel::{Channel, Kind, SecretRef};
use crate::sys::trust::Trust;

/// A secret of a channel, and whether it can be had. Nothing of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) struct Secret {
    /// The variable in which it stands; none for a file.
    pub(in crate::cli::doctor) variable: Option<String>,
    /// The file in which it stands.
    pub(in crate::cli::doctor) file: Option<PathBuf>,
    /// Why it cannot be had.
    pub(in crate::cli::doctor) trouble: Option<String>,
}

/// One channel.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct ChannelFacts {
    pub(in crate::cli::doctor) name: String,
    pub(in crate::cli::doctor) kind: &'static str,
    /// Whether answers on it can count.
    pub(in crate::cli::doctor) hears: bool,
    /// True for a kind that could hear, where nobody is allowed to answer.
    pub(in crate::cli::doctor) allows_nobody: bool,
    pub(in crate::cli::doctor) secrets: Vec<Secret>,
    /// Why it cannot be used, where that is not about its secrets.
    pub(in crate::cli::doctor) unusable: Option<String>,
}

/// Looks at all of them; programs are sought in `search`, a `PATH`.
pub(in crate::cli::doctor) fn gather(
    channels: &[Channel],
    trust: &Trust,
    search: &OsStr,
) -> Vec<ChannelFacts> {
    channels
        .iter()
        .map(|one| channel_facts(one, trust, search))
        .collect()
}

fn channel_facts(one: &Channel, trust: &Trust, search: &OsStr) -> ChannelFacts {
    let secrets: Vec<Secret> = one
        .secrets()
        .into_iter()
        .map(|place| {
            let (variable, file) = match place {
                SecretRef::Env(name) => (Some(name.clone()), None),
                SecretRef::File(path) => (None, Some(path.clone())),
            };
            Secret {
                variable,
                file,
                trouble: secret(place, trust).err(),
            }
        })
        .collect();
    let hears = one.hears();
    ChannelFacts {
        name: one.name.clone(),
        kind: one.kind.as_str(),
        hears,
        allows_nobody: !hears && matches!(one.kind, Kind::Telegram(_) | Kind::Gitea(_)),
        unusable: unusable(one, trust, search).filter(|why| !is_of_secrets(why, &secrets)),
        secrets,
    }
}

/// What a channel has to say against its settings when it is made ready.
fn unusable(one: &Channel, trust: &Trust, search: &OsStr) -> Option<String> {
    if let Err(trouble) = channel::open(one, trust) {
        return Some(trouble.why);
    }
    let Kind::Exec(exec) = &one.kind else {
        return None;
    };
    let found = channel::exec::program(exec, search);
    found.err().map(|why| format!("command: {why}"))
}

/// True for what is known of its secrets already.
fn is_of_secrets(why: &str, secrets: &[Secret]) -> bool {
    let mut troubles = secrets.iter().filter_map(|secret| secret.trouble.as_ref());
    troubles.any(|trouble| why.contains(trouble))
}
