//! From a channel's settings to a channel that can be used, with its secrets read.

use std::fs::{File, OpenOptions};
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
use super::{Channel, Means, Trouble};
use crate::model::channel::{self as settings, Kind, SecretRef, Sensitive};
use crate::model::text::visible;
use crate::net::Authorities;
use crate::sys::trust::Trust;

/// A larger file is no secret, and no file of authorities.
const LARGEST: u64 = 1 << 20;

/// Makes a channel ready. Its secrets are read now, and nothing is sent.
///
/// # Errors
/// A secret or the file of authorities cannot be had, or something in the settings cannot be used.
pub fn open(channel: &settings::Channel, trust: &Trust) -> Result<Box<dyn Channel>, Trouble> {
    let means = &mut Means {
        name: &channel.name,
        secrets: &mut |place| secret(place, trust),
        authorities: authorities(channel, trust)?,
    };
    Ok(match &channel.kind {
        Kind::Telegram(telegram) => Box::new(Telegram::new(telegram, means)?),
        Kind::Gitea(gitea) => Box::new(Gitea::new(gitea, means)?),
        Kind::Nostr(nostr) => Box::new(Nostr::new(nostr, means)?),
        Kind::Ntfy(ntfy) => Box::new(Ntfy::new(ntfy, means)?),
        Kind::Webhook(webhook) => Box::new(Webhook::new(webhook, means)?),
        Kind::Exec(exec) => Box::new(Exec::new(means.name, exec)?),
    })
}

/// True where every variable is set that the channel takes a secret from.
#[must_use]
pub fn has_variables(channel: &settings::Channel) -> bool {
    channel.secrets().into_iter().all(|place| match place {
        SecretRef::Env(name) => std::env::var_os(name).is_some(),
        SecretRef::File(_) => true,
    })
}

/// Whose certificates a channel believes: those of its own file of authorities, where it has one.
fn authorities(channel: &settings::Channel, trust: &Trust) -> Result<Authorities, Trouble> {
    let Some(path) = &channel.ca else {
        return Ok(Authorities::Public);
    };
    let shown = visible(&path.to_string_lossy()).into_owned();
    let wrong = |why: String| Trouble::passing(format!("ca: {why}"));
    let (mut file, _) = opened(path, trust).map_err(wrong)?;
    let pem = whole(&mut file, &shown).map_err(wrong)?;
    Authorities::from_pem(&pem).map_err(|why| wrong(format!("{shown}: {why}")))
}

/// Reads a secret from where it is. The line's end of a file, or spaces around it, are no part of it.
///
/// # Errors
/// A sentence without any of it: it is not there, it is empty, others may read it.
fn secret(place: &SecretRef, trust: &Trust) -> Result<Sensitive, String> {
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
    let (mut file, mode) = opened(path, trust)?;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{shown} can be read by others (mode {:04o}); mend it with `chmod 600 {shown}`",
            mode & 0o7777
        ));
    }
    let bytes = whole(&mut file, &shown)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8"))?;
    match text.trim() {
        "" => Err(format!("{shown} is empty")),
        secret => Ok(Sensitive::new(secret.to_owned())),
    }
}

/// Opens a regular file that nobody but those who are trusted has written; and its mode.
fn opened(path: &Path, trust: &Trust) -> Result<(File, u32), String> {
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
    trust.check(path, &file)?;
    Ok((file, meta.mode()))
}

fn whole(file: &mut File, shown: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|e| format!("cannot read {shown}: {e}"))?;
    match bytes.len() as u64 > LARGEST {
        true => Err(format!("{shown} is larger than {LARGEST} bytes")),
        false => Ok(bytes),
    }
}
