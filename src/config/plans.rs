//! Reading plan files: who may have written them, and how much of them there may be.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::load::{Refused, cannot, read_trusted};
use crate::model::cell::Warning;
use crate::model::text::{from_bytes, visible};
use crate::plan;
use crate::sys::trust::Trust;

/// How many plan files there may be.
pub(super) const MAX_FILES: usize = 20_000;
/// How many bytes they may have together.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Reads the plan files that these paths name: each a file, or a directory whose files
/// `*.yaml` and `*.yml` are meant (not those in its subdirectories, nor any whose name begins with
/// a dot). A file that is named twice is read once.
///
/// # Errors
/// Everything that stands against reading them, one line each.
pub fn read_plans(
    paths: &[PathBuf],
    trust: &Trust,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<plan::File>, Refused> {
    let mut complaints: Vec<String> = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        match listed(path, trust, warnings) {
            Ok(found) => files.extend(found),
            Err(refused) => complaints.push(refused.message),
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    if files.len() > MAX_FILES {
        complaints.push(format!(
            "{} plan files are more than {MAX_FILES}",
            files.len()
        ));
        return Err(Refused::new(complaints.join("\n")));
    }
    let mut plans = Vec::with_capacity(files.len());
    let mut bytes = 0;
    for path in files {
        match read_trusted(&path, trust, warnings) {
            Ok(text) => {
                bytes += text.len();
                let name = from_bytes(path.as_os_str().as_encoded_bytes()).into_owned();
                plans.push(plan::File { name, text });
            }
            Err(refused) => complaints.push(refused.message),
        }
        if bytes > MAX_BYTES {
            complaints.push(format!(
                "the plan files have more than {MAX_BYTES} bytes together"
            ));
            break;
        }
    }
    // A directory that its group may write to is one warning, however many files lie in it.
    let mut told = std::collections::HashSet::new();
    warnings.retain(|w| told.insert((w.code, w.message.clone())));
    match complaints[..] {
        [] => Ok(plans),
        _ => {
            let mut told = std::collections::HashSet::new();
            complaints.retain(|line| told.insert(line.clone()));
            Err(Refused::new(complaints.join("\n")))
        }
    }
}

/// The files that a path stands for.
fn listed(
    path: &Path,
    trust: &Trust,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<PathBuf>, Refused> {
    let meta = fs::metadata(path).map_err(|e| cannot(path, "read", &e))?;
    if !meta.is_dir() {
        // What it is instead of a file is told by who reads it.
        return Ok(vec![path.to_owned()]);
    }
    let shown = visible(&path.to_string_lossy()).into_owned();
    let dir = File::open(path).map_err(|e| cannot(path, "open", &e))?;
    for message in trust.check_directory(path, &dir).map_err(Refused::new)? {
        warnings.push(Warning::about("writable_by_group", &*shown, message));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|e| cannot(path, "list", &e))? {
        let name = entry.map_err(|e| cannot(path, "list", &e))?.file_name();
        let bytes = name.as_encoded_bytes();
        let plan = [&b".yaml"[..], b".yml"]
            .iter()
            .any(|end| bytes.ends_with(end));
        if plan && !bytes.starts_with(b".") {
            files.push(path.join(name));
        }
        if files.len() > MAX_FILES {
            return Err(Refused::new(format!(
                "{shown} holds more than {MAX_FILES} plan files"
            )));
        }
    }
    files.sort();
    Ok(files)
}
