//! Finding the configuration, opening it, and laying environment and flags over it.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::raw::RawConfig;
use super::{Config, Env, check};
use crate::model::cell::Warning;
use crate::model::text::visible;
use crate::sys::trust::Trust;
use crate::yaml::{self, MAX_FILE, Problem};

/// What the flags say; they come before everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// `--plans`.
    pub plans: Vec<PathBuf>,
    /// `--heartbeat-dir`.
    pub heartbeat_dir: Option<PathBuf>,
    /// `--stale-after`.
    pub stale_after: Option<Duration>,
    /// `--trust-owner`, looked up.
    pub trust_owners: Vec<u32>,
}

/// A configuration that may be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What the run works by.
    pub config: Config,
    /// The file that it came from, if any.
    pub file: Option<PathBuf>,
    /// What is worth an operator's eye.
    pub warnings: Vec<Warning>,
    /// The same, of what the file says, with its places.
    pub problems: Vec<Problem>,
}

/// No configuration: nothing may be done, and the exit is 78.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Everything that is wrong, ready to be shown.
    pub message: String,
    /// The same, where it is about what the file says, with its places.
    pub problems: Vec<Problem>,
    /// What flags, environment and defaults say without the file, so that a run that cannot begin
    /// can still be seen to have failed: where its heartbeat goes.
    pub without_file: Option<Box<Config>>,
}

impl Refused {
    pub(super) fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            message,
            problems: Vec::new(),
            without_file: None,
        }
    }
}

/// Finds and reads the configuration: flags over environment over file over defaults.
///
/// # Errors
/// Everything that is wrong with the file, or why it cannot be used.
pub fn load(overrides: &Overrides, env: &Env) -> Result<Loaded, Refused> {
    find_and_read(overrides, env).map_err(|refused| Refused {
        without_file: without_file(overrides, env),
        ..refused
    })
}

/// The settings as they were if there were no file.
fn without_file(overrides: &Overrides, env: &Env) -> Option<Box<Config>> {
    let mut config = Config::default();
    lay_over(&mut config, overrides, env).ok()?;
    Some(Box::new(config))
}

fn find_and_read(overrides: &Overrides, env: &Env) -> Result<Loaded, Refused> {
    let (mut warnings, mut found) = (Vec::new(), Vec::new());
    let file = find(overrides, env)?;
    let mut config = match &file {
        None => Config::default(),
        Some(path) => {
            let trust = Trust::new(&overrides.trust_owners);
            let bytes = read_trusted(path, &trust, &mut warnings)?;
            let (config, problems) = parse(path, &bytes, env.home.as_deref());
            let Some(config) = config else {
                return Err(Refused {
                    problems: problems.clone(),
                    ..Refused::new(rendered(&problems))
                });
            };
            let subject = visible(&path.to_string_lossy()).into_owned();
            warnings.extend(
                problems
                    .iter()
                    .map(|p| Warning::about("config", &*subject, p.to_string())),
            );
            found = problems;
            config
        }
    };
    lay_over(&mut config, overrides, env)?;
    Ok(Loaded {
        config,
        file,
        warnings,
        problems: found,
    })
}

/// The problems, one after the other.
fn rendered(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

/// The file to read. One that flag or environment names is taken whether it is there or not.
fn find(overrides: &Overrides, env: &Env) -> Result<Option<PathBuf>, Refused> {
    if let Some(path) = overrides.config.as_ref().or(env.config.as_ref()) {
        return Ok(Some(path.clone()));
    }
    let own = env.config_home().map(|dir| dir.join("lazarus-pit"));
    for dir in own.into_iter().chain(["/etc/lazarus-pit".into()]) {
        let path = dir.join("config.yaml");
        // A link that leads nowhere is a mistake to be told, not a file that is not there.
        match std::fs::symlink_metadata(&path) {
            Ok(_) => return Ok(Some(path)),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(e) => return Err(cannot(&path, "read", &e)),
        }
    }
    Ok(None)
}

pub(super) fn cannot(path: &Path, verb: &str, error: &io::Error) -> Refused {
    let path = path.to_string_lossy();
    Refused::new(format!("cannot {verb} {}: {error}", visible(&path)))
}

/// Reads a file that the operator wrote: regular, small, and nobody else's word. The group's
/// right to write is a warning unless we run as root.
///
/// # Errors
/// A sentence that names the file.
pub fn read_trusted(
    path: &Path,
    trust: &Trust,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<u8>, Refused> {
    let shown = visible(&path.to_string_lossy()).into_owned();
    let cannot = |verb: &'static str| move |e: io::Error| cannot(path, verb, &e);
    let regular = |kind: FileType| match kind.is_file() {
        true => Ok(()),
        false => Err(Refused::new(format!(
            "{shown} is {}, not a regular file",
            describe(kind)
        ))),
    };
    // Looked at before it is opened, for opening a device can have effects; and again once it is
    // open, for it may have been another by then.
    regular(std::fs::metadata(path).map_err(cannot("read"))?.file_type())?;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)
        .map_err(cannot("open"))?;
    regular(file.metadata().map_err(cannot("read"))?.file_type())?;
    for message in trust.check(path, &file).map_err(Refused::new)? {
        warnings.push(Warning::about("writable_by_group", &*shown, message));
    }
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too large.
    file.take(MAX_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot("read"))?;
    if bytes.len() > MAX_FILE {
        return Err(Refused::new(format!(
            "{shown} is larger than {MAX_FILE} bytes"
        )));
    }
    Ok(bytes)
}

fn describe(kind: FileType) -> &'static str {
    match kind {
        k if k.is_dir() => "a directory",
        k if k.is_fifo() => "a FIFO",
        k if k.is_socket() => "a socket",
        k if k.is_char_device() || k.is_block_device() => "a device",
        _ => "something else",
    }
}

/// A configuration file's text to settings, without flags and environment: `None` where something
/// must be mended. All that is wrong is told, warnings too.
#[must_use]
pub fn parse(path: &Path, bytes: &[u8], home: Option<&Path>) -> (Option<Config>, Vec<Problem>) {
    let file = path.to_string_lossy();
    let (document, mut problems) = match yaml::document(&file, bytes, "a configuration") {
        Ok(found) => found,
        Err(problems) => return (None, problems),
    };
    // An empty file, or one with comments only, is the defaults.
    let raw =
        document.and_then(|node| yaml::read_discreetly(&node, &mut problems, Some("channels")));
    let dir = path.parent().unwrap_or(Path::new(""));
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let config = check::convert(
        raw.unwrap_or_else(RawConfig::default),
        &dir,
        home,
        &mut problems,
    );
    let config = (!problems.has_errors()).then_some(config);
    (config, problems.into_vec())
}

/// Flags and environment over what the file says.
fn lay_over(config: &mut Config, overrides: &Overrides, env: &Env) -> Result<(), Refused> {
    if let Some(root) = &overrides.root {
        config.missions_root.clone_from(root);
    }
    if let Some(stale_after) = overrides.stale_after {
        config.stale_after = stale_after;
        config.stale_after_is_final = true;
    }
    if let Some(dir) = &overrides.heartbeat_dir {
        config.heartbeat_dir = Some(dir.clone());
    }
    if let Some(dir) = overrides.state_dir.as_ref().or(env.state_dir.as_ref()) {
        config.state_dir = Some(dir.clone());
    }
    if config.state_dir.is_none() && !env.is_root {
        let Some(home) = env.state_home() else {
            return Err(Refused::new(
                "no place for the state: HOME is not set; name a directory with --state-dir",
            ));
        };
        config.state_dir = Some(home.join("lazarus-pit"));
    }
    if !overrides.plans.is_empty() {
        config.plans.clone_from(&overrides.plans);
    }
    Ok(())
}
