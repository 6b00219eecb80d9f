//! What a run leaves behind beside its state: the meta-heartbeat, the metrics.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Context;

use super::Request;
use crate::model::cell::Warning;
use crate::model::exit::Exit;
use crate::model::snapshot::Summary;
use crate::report::heartbeat::Beat;
use crate::report::{Report, prometheus};
use crate::store::StoreError;
use crate::store::atomic::{self, Writers};
use crate::sys::{beneath, host};

/// Writes the meta-heartbeat of a run that ends like this.
pub(super) fn beat(
    request: &Request,
    exit: Exit,
    summary: Option<Summary>,
    message: Option<&str>,
    writers: Writers,
) -> Result<(), StoreError> {
    let Some(dir) = &request.heartbeat_dir else {
        return Ok(());
    };
    let config = &request.config;
    let took = request.began.elapsed();
    let beat = Beat::new(
        &config.heartbeat_job,
        config.heartbeat_interval,
        host::now(),
        took,
        exit,
    );
    Beat {
        summary,
        message,
        ..beat
    }
    .write(dir, writers)
}

/// Writes the report for node_exporter's textfile collector, if that was asked for. A failure is a
/// warning: the collector itself shows how old its file is.
pub(super) fn textfile(request: &Request, report: &Report) -> Option<Warning> {
    // A run over some of the cells would be taken for the fleet.
    let path = request
        .config
        .prometheus_textfile
        .as_ref()
        .filter(|_| request.scope.is_none())?;
    let why = write_textfile(request, report, path).err()?;
    let path = path.display();
    Some(Warning::new(
        "textfile",
        format!("writing prometheus_textfile {path}: {why:#}"),
    ))
}

fn write_textfile(request: &Request, report: &Report, path: &Path) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    prometheus::write(report, request.config.prometheus_subjects, &mut bytes)?;
    let name = path
        .file_name()
        .and_then(OsStr::to_str)
        .context("it has no file name")?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    let fd = beneath::open_root(dir)?;
    // A file for all of the host: runs with another state directory may write it too.
    Ok(atomic::replace(
        fd,
        dir,
        name,
        &bytes,
        0o644,
        Writers::Many,
    )?)
}

pub(super) fn ping_body(exit: Exit, summary: Option<Summary>) -> String {
    match summary {
        Some(s) => format!(
            "cells={} healthy={} stale={} incomplete={} uninitialized={}\nexit {exit}\n",
            s.total_cells, s.healthy, s.stale, s.incomplete, s.uninitialized
        ),
        None => format!("exit {exit}\n"),
    }
}
