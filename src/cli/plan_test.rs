//! `plan test`: plans are put to their own tests. It reads nothing but them.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::args::Common;
use super::list::wants_json;
use super::setup::Setup;
use super::{Ending, out};
use crate::model::exit::{Exit, Failure};
use crate::model::text::visible;
use crate::sim::plan_test::{self, Outcome};

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/plan-test/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    /// How many tests passed.
    passed: usize,
    /// How many did not.
    failed: usize,
    /// How many plans have no test.
    untested: usize,
    tests: &'a [Outcome],
}

/// Puts the plans to their tests: those of the paths, or those of a run.
///
/// # Errors
/// The plans are wrong (78).
pub(super) fn test(common: &Common, paths: Vec<PathBuf>) -> Result<Ending, Failure> {
    let json = wants_json(common, "plan test")?;
    let mut common = common.clone();
    if !paths.is_empty() {
        common.plans = paths;
    }
    let setup = Setup::load(&common, None)?.with_plans()?;
    let outcomes = plan_test::run(&setup.rules());
    let failed = outcomes.iter().filter(|o| !o.passed).count();
    let exit = match failed {
        0 => Exit::Healthy,
        _ => Exit::InHand,
    };
    let silent = common.quiet && exit == Exit::Healthy;
    if json {
        let plans = setup.plans.plans().iter();
        out::json(&Document {
            schema: SCHEMA,
            passed: outcomes.len() - failed,
            failed,
            untested: plans.filter(|plan| plan.tests.is_empty()).count(),
            tests: &outcomes,
        })?;
    } else if !silent {
        out::print(text(&outcomes, failed, setup.plans.plans().len()).as_bytes())?;
    }
    if !silent {
        setup.warnings.iter().for_each(out::warn_of);
    }
    Ok(exit.into())
}

fn text(outcomes: &[Outcome], failed: usize, plans: usize) -> String {
    let mut text = String::new();
    for outcome in outcomes.iter().filter(|o| !o.passed) {
        for line in plan_test::describe(outcome) {
            let _ = writeln!(text, "{}", visible(&line));
        }
    }
    let count = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let _ = match outcomes.len() {
        0 => writeln!(text, "no tests in {}", count(plans, "plan")),
        n => writeln!(
            text,
            "{}: {} passed, {failed} failed",
            count(n, "test"),
            n - failed
        ),
    };
    text
}
