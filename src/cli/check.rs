//! `check`: one pass.

use std::io::IsTerminal;
use std::time::Instant;

use super::args::{CheckArgs, Common, Format};
use super::setup::Setup;
use super::{Ending, cells, out};
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::pipeline;
use crate::report::human::Style;
use crate::report::{self, Report};

/// One pass, or a dry one.
///
/// # Errors
/// The pass could not be made; what is to be said of it and the status to exit with.
pub(super) fn check(common: &Common, args: &CheckArgs) -> Result<Ending, Failure> {
    let began = Instant::now();
    if args.dry_run && args.init_cell.is_some() {
        let message =
            "--dry-run writes nothing, so that it cannot make a cell: leave --init-cell out";
        return Err(Failure::new(Exit::Usage, message));
    }
    // That a run could not begin is to be seen where its heartbeat is looked for.
    let seen_to_fail = |why: &str, bare: Setup| {
        if !args.dry_run
            && let Ok(request) = bare.request(args, began)
        {
            pipeline::beat_refused(&request, why);
        }
    };
    let setup = Setup::load_or(common, args.stale_after, seen_to_fail)?;
    let setup = setup.with_plans_or(seen_to_fail)?;
    if let Some(id) = &args.init_cell {
        cells::make(&setup, id, args.layout, &[], None)?;
    }
    let each_subject = setup.config.prometheus_subjects;
    let mut request = setup.request(args, began)?;
    if let Some(n) = &args.poll_interval {
        let message =
            format!("--poll-interval {n} has no effect: the timer that starts lazarus-pit decides");
        request
            .warnings
            .push(Warning::new("poll_interval", message));
    }
    if !common.quiet && std::io::stderr().is_terminal() {
        request.progress = Some(out::progress);
    }
    let report = if args.dry_run {
        pipeline::dry_run(request)
    } else {
        pipeline::run(request)
    };
    out::end_progress();
    show(common, &report?, each_subject)
}

/// Writes the report to standard output and its warnings to standard error.
fn show(common: &Common, report: &Report, each_subject: bool) -> Result<Ending, Failure> {
    let format = common.format();
    let silent = common.quiet && report.exit == Exit::Healthy;
    if !silent {
        report.warnings.iter().for_each(out::warn_of);
    }
    match format {
        Format::Human if silent => {}
        Format::Human => {
            let style = Style {
                color: out::wants_color(common.color),
            };
            out::with(|to| report::human::write(report, to, style))?;
        }
        Format::Json => out::with(|mut to| report::json::write(report, &mut to))?,
        Format::Jsonl => out::with(|to| report::jsonl::write(report, to))?,
        Format::Junit => out::with(|to| report::junit::write(report, to))?,
        Format::Prometheus => out::with(|to| report::prometheus::write(report, each_subject, to))?,
        Format::Nagios => {
            let (line, code) = report::nagios::line(report);
            out::print(format!("{line}\n").as_bytes())?;
            return Ok(Ending(code));
        }
    }
    Ok(report.exit.into())
}
