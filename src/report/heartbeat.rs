//! The meta-heartbeat: the file by which others see that this checker itself is alive.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::VERSION;
use super::json::Number;
use crate::model::exit::Exit;
use crate::model::snapshot::Summary;
use crate::model::time::{Timestamp, millis};
use crate::store::StoreError;
use crate::store::atomic::{self, Writers};

/// What a run writes about itself when it ends.
#[derive(Serialize)]
pub struct Beat<'a> {
    /// The job's name.
    pub job: &'a str,
    /// Now, in Unix seconds.
    pub timestamp: f64,
    /// How often a run is expected.
    pub interval_seconds: Number,
    /// The run's process.
    pub pid: u32,
    /// `ok` for exit 0, `warn` for 1, `error` for everything else.
    pub status: &'static str,
    /// How many cells have which status; absent where the run did not get so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// How long the run took.
    pub duration_ms: u64,
    /// This program's version.
    pub version: &'static str,
    /// The exit code.
    pub exit_code: u8,
    /// Why the run failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
}

impl<'a> Beat<'a> {
    /// The heartbeat of a run that ends like this.
    #[must_use]
    pub fn new(
        job: &'a str,
        interval: Duration,
        now: Timestamp,
        took: Duration,
        exit: Exit,
    ) -> Self {
        Self {
            job,
            timestamp: now.as_f64(),
            interval_seconds: Number::seconds(interval),
            pid: std::process::id(),
            status: match exit {
                Exit::Healthy => "ok",
                Exit::InHand => "warn",
                _ => "error",
            },
            summary: None,
            duration_ms: millis(took),
            version: VERSION,
            exit_code: exit.code(),
            message: None,
        }
    }

    /// Writes it to `<dir>/<job>.last`, making the directory (0755) where it is missing.
    ///
    /// # Errors
    /// The directory cannot be made, or the file not written.
    pub fn write(&self, dir: &Path, writers: Writers) -> Result<(), StoreError> {
        make_dir(dir).map_err(|e| StoreError::new("making the heartbeat directory", dir, e))?;
        let fd = crate::sys::beneath::open_root(dir).map_err(|e| {
            StoreError::new(
                "opening the heartbeat directory",
                dir,
                std::io::Error::from(e),
            )
        })?;
        let mut bytes = serde_json::to_vec(self).map_err(|e| StoreError::new("writing", dir, e))?;
        bytes.push(b'\n');
        let name = format!("{}.last", self.job);
        atomic::replace(fd, dir, &name, &bytes, 0o644, writers)
    }
}

/// Others are to see it, whatever the umask; one that is there is left as the operator made it.
fn make_dir(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).create(dir)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))
}
