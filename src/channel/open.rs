//! From a channel's settings to a channel that can be used, with its secrets read.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::exec::Exec;
use super::gitea::Gitea;
use super::nostr::Nostr;
use super::ntfy::Ntfy;
use super::telegram::Telegram;
use super::webhook::Webhook;
use super::{Channel, Trouble};
use crate::model::channel::{self as settings, Kind, SecretRef, Sensitive};
use crate::model::text::visible;
use crate::sys::trust::Trust;

/// A larger file is no secret.
const LARGEST: u64 = 64 << 10;

/// Makes a channel ready. Its secrets are read now, and nothing is sent.
///
/// # Errors
/// A secret cannot be had, or something in the settings cannot be used.
pub fn open(
    channel: &settings::Channel,
    secrets: &mut dyn FnMut(&SecretRef) -> Result<Sensitive, String>,
) -> Result<Box<dyn Channel>, Trouble> {
    let name = &channel.name;
    Ok(match &channel.kind {
        Kind::Telegram(telegram) => Box::new(Telegram::new(name, telegram, secrets)?),
        Kind::Gitea(gitea) => Box::new(Gitea::new(name, gitea, secrets)?),
        Kind::Nostr(nostr) => Box::new(Nostr::new(name, nostr, secrets)?),
        Kind::Ntfy(ntfy) => Box::new(Ntfy::new(name, ntfy, secrets)?),
        Kind::Webhook(webhook) => Box::new(Webhook::new(name, webhook, secrets)?),
        Kind::Exec(exec) => Box::new(Exec::new(name, exec, secrets)?),
    })
}

/// Reads a secret from where it is. The line's end of a file, or spaces around it, are no part of it.
///
/// # Errors
/// A sentence without any of it: it is not there, it is empty, others may read it.
pub fn secret(place: &SecretRef, trust: &Trust) -> Result<Sensitive, String> {
    match place {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(text) if !text.trim().is_empty() => Ok(Sensitive::new(text.trim().to_owned())),
            Ok(_) => Err(format!("the environment variable {name} is empty")),
            Err(std::env::VarError::NotPresent) => {
                Err(format!("the environment variable {name} is not set"))
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(format!("the environment variable {name} is not UTF-8"))
            }
        },
        SecretRef::File(path) => of_file(path, trust),
    }
}

fn of_file(path: &Path, trust: &Trust) -> Result<Sensitive, String> {
    let shown = visible(&path.to_string_lossy()).into_owned();
    let cannot = |e: std::io::Error| format!("cannot read {shown}: {e}");
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)
        .map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if !meta.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(format!(
            "{shown} can be read by others (mode {:04o}); mend it with `chmod 600 {shown}`",
            meta.mode() & 0o7777
        ));
    }
    trust.check(path, &file)?;
    let mut text = String::new();
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => format!("{shown} is not UTF-8"),
            _ => cannot(e),
        })?;
    if text.len() as u64 > LARGEST {
        return Err(format!("{shown} is larger than {LARGEST} bytes"));
    }
    match text.trim() {
        "" => Err(format!("{shown} is empty")),
        secret => Ok(Sensitive::new(secret.to_owned())),
    }
}
