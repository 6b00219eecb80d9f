//! `check`: one pass.

use std::time::{Duration, Instant};

use super::args::{CheckArgs, Common, Format};
use super::{Ending, out};
use crate::config::Config;
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::pipeline::{self, Request};
use crate::report;
use crate::sys::trust::Trust;

pub(super) fn check(common: &Common, args: &CheckArgs) -> Result<Ending, Failure> {
    let began = Instant::now();
    let mut config = Config::default();
    if let Some(root) = &common.root {
        config.missions_root = root.clone();
    }
    let state_dir = common
        .state_dir
        .clone()
        .unwrap_or_else(|| "/var/lib/lazarus-pit".into());
    let request = Request {
        heartbeat_dir: (!args.no_heartbeat).then(|| state_dir.join("heartbeats")),
        config,
        state_dir,
        scope: None,
        deadline: args.deadline.unwrap_or(Duration::from_secs(50)),
        wait_lock: args.wait_lock.unwrap_or(Duration::ZERO),
        trust: Trust::new(&[]),
        warnings: Vec::<Warning>::new(),
        began,
    };
    let report = if args.dry_run {
        pipeline::dry_run(request)
    } else {
        pipeline::run(request)
    }?;
    if common.format() == Format::Json {
        out::with(|mut o| report::json::write(&report, &mut o))?;
    }
    let _ = (
        Exit::Healthy,
        out::warn as fn(&str),
        out::print as fn(&[u8]) -> _,
    );
    Ok(report.exit.into())
}
