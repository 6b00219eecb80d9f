//! `explain`: why the next run would, or would not, do something. It only looks.

mod document;
mod human;
mod next;

use std::time::Instant;

use super::args::{CheckArgs, Common};
use super::list::{wants_json, warn_all};
use super::setup::Setup;
use super::subject::{missing, names, trimmed};
use super::{Ending, out};
use crate::core::decide::cell_of;
use crate::model::exit::{Exit, Failure};
use crate::model::state::State;
use crate::pipeline;
use document::{Document, SCHEMA, explain as explained};

/// Answers for a subject, or for all agents of a cell.
///
/// # Errors
/// There is no such subject (1); world or state cannot be read; configuration or plans are wrong.
pub(super) fn explain(common: &Common, subject: &str) -> Result<Ending, Failure> {
    let json = wants_json(common, "explain")?;
    let setup = Setup::load(common, None)?.with_plans()?;
    let request = setup.request(&CheckArgs::default(), Instant::now())?;
    let seen = pipeline::consider(&request)?;
    let wanted = trimmed(subject);
    let names = names(&seen.snapshot, wanted)
        .map_err(|why| missing(format!("{why}{}", left_behind(&seen.state, wanted))))?;
    let document = Document {
        schema: SCHEMA,
        missions_root: crate::report::root_text(&seen.snapshot.missions_root).into_owned(),
        looked_at: seen.snapshot.taken_at,
        hold: seen.decisions.hold.as_ref(),
        mass_failure: seen.decisions.mass.is_some(),
        subjects: explained(&seen, &request.plans, &names),
        warnings: &seen.warnings,
    };
    if json {
        out::json(&document)?;
    } else if !common.quiet {
        out::with(|to| human::write(&document, to, out::wants_color(common.color)))?;
    }
    if !common.quiet {
        warn_all(seen.warnings.clone());
    }
    Ok(Exit::Healthy.into())
}

/// What the state still has of a subject that is not there.
fn left_behind(state: &State, wanted: &str) -> &'static str {
    let known = state.subjects.iter();
    let mut open = known.filter(|(name, s)| {
        s.incident.is_some() && (super::subject::covers(wanted, name) || cell_of(wanted) == *name)
    });
    match open.next() {
        Some(_) => "; the state has an open incident of it, which the next run closes as gone",
        None => "",
    }
}
