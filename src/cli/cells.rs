//! `init`, `beat` and `heartbeats`.

use std::path::Path;

use super::args::{BeatArgs, Common, Format, InitArgs, LayoutArg};
use super::list::wants_json;
use super::setup::Setup;
use super::{Ending, out};
use crate::act::{self, heartbeats};
use crate::model::exit::{Exit, Failure};
use crate::sys::host;

/// Makes a cell, or adds what one lacks.
pub(super) fn init(common: &Common, args: &InitArgs) -> Result<Ending, Failure> {
    let setup = Setup::load(common, None)?;
    let json = wants_json(common, "init")?;
    let made = make(
        &setup,
        &args.id,
        args.layout,
        &args.agent,
        args.owner.as_deref(),
    )?;
    finish(common, &setup, json, &made, made.human())
}

/// The same for `check --init-cell`, which has an output of its own.
pub(super) fn make(
    setup: &Setup,
    id: &str,
    layout: Option<LayoutArg>,
    agents: &[String],
    owner: Option<&str>,
) -> Result<act::init::Made, Failure> {
    let config = &setup.config;
    let owner = owner.map(host::find_user).transpose();
    let owner = owner.map_err(|why| Failure::new(Exit::Usage, format!("--owner: {why}")))?;
    let uuid = host::uuid().map_err(|e| {
        let path = "/proc/sys/kernel/random/uuid";
        Failure::new(
            Exit::CannotWrite,
            format!("reading {path} for the cell's uuid: {e}"),
        )
    })?;
    let options = act::init::InitOptions {
        layout: layout.map(Into::into),
        agents: agents.to_vec(),
        owner,
        required_subdirs: &config.required_subdirs,
        heartbeat_file: &config.heartbeat_file,
        now: host::now(),
        created_by: host::user_name(host::uid()),
        uuid,
        mounts: config.mounts(),
    };
    act::init::init(&config.missions_root, id, &options)
}

/// Writes a heartbeat.
pub(super) fn beat(common: &Common, args: &BeatArgs) -> Result<Ending, Failure> {
    let setup = Setup::load(common, None)?;
    let json = wants_json(common, "beat")?;
    let beat = act::beat::Beat {
        status: Some(args.status.clone()),
        pid: args.pid,
        cycle: args.cycle,
        model: args.model.clone(),
        quiet_for: args.quiet_for,
        now: host::now(),
        mounts: setup.config.mounts(),
    };
    let root: &Path = &setup.config.missions_root;
    let file = &setup.config.heartbeat_file;
    let beaten = act::beat::beat(root, &args.cell, args.agent.as_deref(), &beat, file)?;
    finish(common, &setup, json, &beaten, beaten.human())
}

/// Says which job is late.
pub(super) fn heartbeats(common: &Common) -> Result<Ending, Failure> {
    let setup = Setup::load(common, None)?;
    let json = wants_json(common, "heartbeats")?;
    let dir = setup.config.heartbeat_dir();
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
    }
    let jobs = heartbeats::read(&dir, host::now())?;
    let document = heartbeats::document(&dir, &jobs);
    let exit = if document.late > 0 {
        Exit::InHand
    } else {
        Exit::Healthy
    };
    if json {
        out::json(&document)?;
    } else if !common.quiet || exit != Exit::Healthy {
        out::print(heartbeats::human(&jobs).as_bytes())?;
    }
    Ok(exit.into())
}

fn finish(
    common: &Common,
    setup: &Setup,
    json: bool,
    document: &impl serde::Serialize,
    human: String,
) -> Result<Ending, Failure> {
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
    }
    match common.format() {
        _ if json => out::json(document)?,
        Format::Human if !common.quiet => out::print(human.as_bytes())?,
        _ => {}
    }
    Ok(Exit::Healthy.into())
}
