//! `plan lint`, `plan schema` and `plan show`. They only look.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{Common, PlanCommand};
use super::list::{wants_json, warn_all};
use super::setup::{Setup, known, overrides};
use super::subject::{look_at, missing, names, trimmed};
use super::{Ending, out};
use crate::config::{self, Env};
use crate::core::decide::{cell_of, subjects};
use crate::core::view::View;
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::model::text::from_bytes;
use crate::plan::{self, Known, Plan, PlanSet};
use crate::sys::host;
use crate::sys::trust::Trust;
use crate::yaml::{Problem, Severity};

/// The schema that the documents name.
const LINT: &str = "lazarus-pit/plan-lint/1";
const SHOW: &str = "lazarus-pit/plan-show/1";

/// Does it.
///
/// # Errors
/// Those of the command.
pub(super) fn plan(common: &Common, command: PlanCommand) -> Result<Ending, Failure> {
    match command {
        PlanCommand::Lint { path } => lint(common, path),
        PlanCommand::Schema => schema(common),
        PlanCommand::Test { path } => super::plan_test::test(common, path),
        PlanCommand::Show { subject } => show(common, &subject),
    }
}

/// All that was found wrong.
#[derive(Default, Serialize)]
struct Lint {
    schema: &'static str,
    /// The files that were read.
    files: Vec<String>,
    /// How many plans there are in which nothing must be mended.
    plans: usize,
    errors: usize,
    warnings: usize,
    problems: Vec<Problem>,
    /// What could not be read, or is not to be believed.
    unreadable: Vec<String>,
    /// What else is worth an operator's eye.
    notes: Vec<Warning>,
}

fn lint(common: &Common, paths: Vec<PathBuf>) -> Result<Ending, Failure> {
    let json = wants_json(common, "plan lint")?;
    let overrides = overrides(common, None)?;
    let trust = Trust::new(&overrides.trust_owners);
    let mut found = Lint {
        schema: LINT,
        ..Lint::default()
    };
    // Of a configuration that cannot be read nothing is known, and so nothing is said.
    let mut names = Known::default();
    let mut of_run = Vec::new();
    match config::load(&overrides, &Env::read()) {
        Ok(loaded) => {
            // With paths the configuration is asked for names only, and is not what is looked at.
            if paths.is_empty() {
                found.problems.extend(loaded.problems);
                let seen = |w: &Warning| w.code != "config";
                found.notes.extend(loaded.warnings.into_iter().filter(seen));
                let file = loaded
                    .file
                    .as_ref()
                    .map(|f| from_bytes(f.as_os_str().as_encoded_bytes()));
                found.files.extend(file.map(|f| f.into_owned()));
            }
            names = known(&loaded.config);
            of_run = loaded.config.plans;
        }
        Err(refused) if paths.is_empty() => {
            if refused.problems.is_empty() {
                found.unreadable.push(refused.message);
            }
            of_run = match overrides.plans.is_empty() {
                true => beside(&refused.problems),
                false => overrides.plans.clone(),
            };
            found.problems.extend(refused.problems);
        }
        Err(_) => {}
    }
    let paths = if paths.is_empty() { of_run } else { paths };
    let files = read(&paths, &trust, &mut found);
    let (plans, problems) = plan::load(&files, &names);
    found.files.extend(files.into_iter().map(|file| file.name));
    found.plans = plans.plans().len();
    found.problems.extend(problems);
    let errors = found
        .problems
        .iter()
        .filter(|p| p.severity == Severity::Error);
    found.errors = errors.count() + found.unreadable.len();
    found.warnings = found.problems.len() + found.unreadable.len() - found.errors;
    tell(common, json, &found)
}

/// The plans that lie beside a configuration in which something is wrong: where it names others,
/// that cannot be told before it is mended.
fn beside(problems: &[Problem]) -> Vec<PathBuf> {
    let file = problems.first().map(|problem| Path::new(&problem.file));
    let plans = file.and_then(Path::parent).map(|dir| dir.join("plans"));
    plans.into_iter().filter(|plans| plans.is_dir()).collect()
}

/// Reads what can be read of these.
fn read(paths: &[PathBuf], trust: &Trust, found: &mut Lint) -> Vec<plan::File> {
    match config::read_plans(paths, trust, &mut found.notes) {
        Ok(files) => files,
        Err(refused) => {
            found
                .unreadable
                .extend(refused.message.lines().map(str::to_owned));
            let mut notes = Vec::new();
            let mut one = |path: &PathBuf| {
                config::read_plans(std::slice::from_ref(path), trust, &mut notes)
                    .unwrap_or_default()
            };
            paths.iter().flat_map(&mut one).collect()
        }
    }
}

fn tell(common: &Common, json: bool, found: &Lint) -> Result<Ending, Failure> {
    let exit = match found.errors {
        0 => Exit::Healthy,
        _ => Exit::Config,
    };
    let silent = common.quiet && exit == Exit::Healthy;
    if json {
        out::json(found)?;
    } else if !silent {
        let mut text = String::new();
        for problem in &found.problems {
            let _ = writeln!(text, "{}", out::harmless(&problem.to_string()));
        }
        found.unreadable.iter().for_each(|line| out::complain(line));
        let count = |n: usize, one: &str| match n {
            1 => format!("1 {one}"),
            n => format!("{n} {one}s"),
        };
        let _ = writeln!(
            text,
            "{}, {} read: {}, {}",
            count(found.plans, "sound plan"),
            count(found.files.len(), "file"),
            count(found.errors, "error"),
            count(found.warnings, "warning"),
        );
        out::print(text.as_bytes())?;
    }
    if !silent {
        warn_all(found.notes.clone());
    }
    Ok(exit.into())
}

fn schema(common: &Common) -> Result<Ending, Failure> {
    wants_json(common, "plan schema")?;
    let written = serde_json::to_vec_pretty(&plan::schema());
    let mut bytes = written.map_err(|e| Failure::new(Exit::Defect, e.to_string()))?;
    bytes.push(b'\n');
    out::print(&bytes)?;
    Ok(Exit::Healthy.into())
}

/// A plan, and whom of those asked for it governs.
#[derive(Serialize)]
struct Shown<P: Serialize> {
    subjects: Vec<String>,
    file: String,
    line: u32,
    hash: String,
    plan: P,
}

#[derive(Serialize)]
struct ShowDocument<P: Serialize> {
    schema: &'static str,
    governing: Vec<Shown<P>>,
    /// Subjects that no plan governs.
    unplanned: Vec<String>,
}

fn show(common: &Common, subject: &str) -> Result<Ending, Failure> {
    let json = wants_json(common, "plan show")?;
    let setup = Setup::load(common, None)?.with_plans()?;
    let wanted = trimmed(subject);
    let snapshot = look_at(&setup.look(None), wanted, host::now())?;
    let names = names(&snapshot, wanted).map_err(missing)?;
    let of_cells = snapshot.cells.iter().filter(|c| &*c.id == cell_of(wanted));
    let views = of_cells.flat_map(subjects).map(|s| View::of(&s, &snapshot));
    let gateways = snapshot
        .gateways
        .iter()
        .map(|g| View::of_gateway(g, &snapshot));
    let views = views
        .chain(gateways)
        .filter(|view| names.contains(&view.name));
    let (governing, unplanned) = by_plan(&setup.plans, views);
    if governing.is_empty() {
        let n = setup.plans.plans().len();
        return Err(missing(format!(
            "no plan governs {wanted}: of {n} none matches (`lazarus-pit explain {wanted}` says why each does not)"
        )));
    }
    if json {
        let shown = |(plan, subjects): (&Plan, Vec<String>)| Shown {
            subjects,
            file: plan.source.file.clone(),
            line: plan.source.line,
            hash: plan.hash.clone(),
            plan: plan::show::value(plan),
        };
        out::json(&ShowDocument {
            schema: SHOW,
            governing: governing.into_iter().map(shown).collect(),
            unplanned,
        })?;
    } else if !common.quiet {
        out::print(yaml(&governing, &unplanned)?.as_bytes())?;
    }
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
    }
    Ok(Exit::Healthy.into())
}

/// The plans that govern these, in their order, each with whom it governs; and whom none does.
fn by_plan<'p, 'v>(
    plans: &'p PlanSet,
    views: impl Iterator<Item = View<'v>>,
) -> (Vec<(&'p Plan, Vec<String>)>, Vec<String>) {
    let mut governing: BTreeMap<(&str, u32, &str), (&Plan, Vec<String>)> = BTreeMap::new();
    let mut unplanned = Vec::new();
    for view in views {
        match plans.governing(&view.who) {
            Some(plan) => {
                let key = (
                    plan.source.file.as_str(),
                    plan.source.line,
                    plan.name.as_str(),
                );
                let entry = governing.entry(key).or_insert((plan, Vec::new()));
                entry.1.push(view.name);
            }
            None => unplanned.push(view.name),
        }
    }
    (governing.into_values().collect(), unplanned)
}

/// YAML that is a plan file again: what is said beside the plans stands in comments.
fn yaml(governing: &[(&Plan, Vec<String>)], unplanned: &[String]) -> Result<String, Failure> {
    let comment = |text: &str| crate::model::text::visible(text).into_owned();
    let mut text = String::new();
    for (at, (plan, subjects)) in governing.iter().enumerate() {
        if at > 0 {
            text.push_str("---\n");
        }
        let (file, line) = (&plan.source.file, plan.source.line);
        let whom = comment(&format!("{file}:{line} governs {}", subjects.join(", ")));
        let written = plan::show(plan).map_err(|e| Failure::new(Exit::Defect, e))?;
        let _ = write!(text, "# {whom}\n{written}");
    }
    if !unplanned.is_empty() {
        let _ = writeln!(text, "# no plan governs {}", comment(&unplanned.join(", ")));
    }
    Ok(text)
}
