//! Findings about the configuration and the plans.

use std::path::Path;

use super::directories::way_open;
use crate::cli::doctor::facts::fleet::Fleet;
use crate::cli::doctor::facts::settings::{Basis, Settings};
use crate::cli::doctor::finding::{Finding, count, few};
use crate::config::FoundBy;
use crate::model::cell::Warning;
use crate::yaml::{Problem, Severity};

/// About the configuration.
pub(super) fn config(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let path = settings.file.as_ref().map(|(path, _)| path.as_path());
    let at = |finding: Finding| match path {
        Some(path) => finding.at(path),
        None => finding,
    };
    if let Some(why) = &settings.refused {
        let finding = Finding::error("config_refused", why);
        found.push(at(finding).next("every run ends with 78 before it does anything: mend it"));
    }
    found.extend(settings.problems.iter().map(config_problem));
    let way = settings.way.as_ref();
    found.extend(way.map(|way| at(way_open(way, "the configuration"))));
    let writable = |note: &Warning| at(Finding::warning("config_writable", &note.message));
    found.extend(settings.notes.iter().map(writable));
    if settings.basis != Basis::Whole {
        let by = match settings.basis {
            Basis::Partly => "by what can be understood of it",
            _ => "by the defaults and the options given here, as the file is not believed",
        };
        let text = format!("all the rest is looked at {by}: mend this first, and ask again");
        found.push(at(Finding::advice("config_basis", text)));
        return found;
    }
    let by = |by: FoundBy| match by {
        FoundBy::Flag => "--config names it",
        FoundBy::Environment => "$LAZARUS_PIT_CONFIG names it",
        FoundBy::User => "it is this user's own",
        FoundBy::Host => "it is the host's",
    };
    found.push(match &settings.file {
        Some((path, how)) => Finding::ok("config_read", format!("read; {}", by(*how))).at(path),
        None => Finding::ok(
            "config_none",
            "there is no configuration file, and the defaults count",
        ),
    });
    found
}

/// Something that is wrong in the configuration, with its place.
fn config_problem(problem: &Problem) -> Finding {
    let text = problem.to_string();
    let finding = match problem.severity {
        Severity::Error => Finding::error("config_problem", text)
            .next("every run ends with 78 before it does anything: mend it"),
        Severity::Warning => Finding::warning("config_problem", text),
    };
    finding.at(Path::new(&problem.file))
}

/// Something that is wrong in a plan, with its place.
fn plan_problem(problem: &Problem) -> Finding {
    let text = problem.to_string();
    let finding = match problem.severity {
        Severity::Error => Finding::error("plan_problem", text)
            .next("no run acts before all plans are sound: `lazarus-pit plan lint` shows them all"),
        Severity::Warning => Finding::warning("plan_problem", text),
    };
    finding.at(Path::new(&problem.file))
}

/// About the plans.
pub(super) fn plans(settings: &Settings, fleet: Option<&Fleet>) -> Vec<Finding> {
    let plans = &settings.plans;
    let mut found: Vec<Finding> = plans.problems.iter().map(plan_problem).collect();
    let refused = |why: &String| {
        Finding::error("plan_unreadable", why).next(
            "no run acts before all plans can be read: mend it, or take the path out of `plans`",
        )
    };
    found.extend(plans.unreadable.iter().map(refused));
    let writable = |note: &Warning| {
        let finding = Finding::warning("plan_writable", &note.message);
        finding.about(note.subject.as_deref().unwrap_or("plans"))
    };
    found.extend(plans.notes.iter().map(writable));
    let all = plans.set.plans();
    if all.is_empty() && found.is_empty() {
        let text = "there is no plan: what is down is reported, and nobody brings it back";
        found.push(
            Finding::advice("no_plans", text)
                .next("put one beside the configuration, in `plans/`; docs/plans.md and plans/ have some worth copying"),
        );
    }
    if !all.is_empty() {
        let (n, files) = (count(all.len(), "sound plan"), count(plans.files, "file"));
        found.push(Finding::ok("plans_read", format!("{n} in {files}")));
    }
    if let Some(fleet) = fleet.filter(|fleet| fleet.failed.is_none()) {
        found.extend(matching(settings, fleet));
    }
    found
}

/// Whom the plans are for, held against who is there.
fn matching(settings: &Settings, fleet: &Fleet) -> Vec<Finding> {
    let mut found = Vec::new();
    let subjects = fleet.governed.values().sum::<usize>() + fleet.unplanned.len();
    let all = settings.plans.set.plans();
    if subjects == 0 || all.is_empty() {
        return found;
    }
    let idle = all.iter().filter(|p| !fleet.governed.contains_key(&p.name));
    for plan in idle {
        let source = &plan.source;
        let text = format!(
            "plan {} ({}:{}) governs nobody who is here now ({})",
            plan.name,
            source.file,
            source.line,
            count(subjects, "subject")
        );
        found.push(
            Finding::advice("plan_idle", text)
                .about(format!("plan {}", plan.name))
                .next("`lazarus-pit explain SUBJECT` says on which key each plan does not match"),
        );
    }
    if !fleet.unplanned.is_empty() {
        let text = format!(
            "no plan governs {}: {}",
            count(fleet.unplanned.len(), "subject"),
            few(&fleet.unplanned)
        );
        found.push(
            Finding::advice("unplanned", text)
                .next("where one of them is down, a run exits 2: nobody brings it back"),
        );
    }
    found
}
