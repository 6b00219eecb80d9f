//! What can only be checked beside the other plans and the configuration.

use std::collections::{BTreeSet, HashMap};

use super::load::{Document, Known};
use super::set::{PlanSet, Who};
use super::types::{Match, NeedKind, Plan};
use crate::model::decision::Policy;
use crate::model::text::visible;
use crate::yaml::{Place, Problems, did_you_mean};

/// Where a plan stands: the number of its file, the place of its name, and those of its needs.
pub(super) type Standing = (usize, Place, Vec<Place>);

/// How many comparisons are made at most in the looks for plans that are never reached and for
/// needs that go round: both only help, and must not hold up a run.
const BUDGET: usize = 2_000_000;

/// No two plans have the same name.
pub(super) fn names(documents: &[Document], problems: &mut [Problems<'_>]) {
    let mut seen: HashMap<&str, &Document> = HashMap::with_capacity(documents.len());
    for document in documents {
        let name = &*document.checked.plan.name;
        let place = document.checked.name_place;
        let Some(first) = seen.get(name) else {
            seen.insert(name, document);
            continue;
        };
        let file = visible(&first.checked.plan.source.file);
        let line = first.checked.name_place.line;
        let where_ = match first.file == document.file {
            true => format!("line {line}"),
            false => format!("{file}:{line}"),
        };
        let message = format!("the name `{name}` is that of the plan at {where_} already");
        problems[document.file].error_with_help(
            place,
            message,
            Some("give it a `name` of its own".to_owned()),
        );
    }
}

/// Channels and gateways are those of the configuration.
pub(super) fn known(documents: &[Document], known: &Known, problems: &mut [Problems<'_>]) {
    for Document { file, checked, .. } in documents {
        let problems = &mut problems[*file];
        if let Some(known) = &known.channels {
            for channel in &checked.channels {
                if !known.contains(&channel.value) {
                    let help = suggestion(&channel.value, known, "channels");
                    let message = format!("the configuration has no channel `{}`", channel.value);
                    problems.error_with_help(channel.place, message, Some(help));
                }
            }
        }
        let approval = &checked.plan.approval.channels;
        let deaf = !approval.is_empty() && approval.iter().all(|name| known.deaf.contains(name));
        let first = checked
            .channels
            .iter()
            .find(|c| approval.first() == Some(&c.value));
        if let Some(first) = first.filter(|_| deaf && checked.plan.policy == Policy::Ask) {
            let names = approval.join(", ");
            problems.warning(
                first.place,
                format!("nobody can answer on {names}: questions are answered in the shell only"),
            );
        }
        let Some(known) = &known.gateways else {
            continue;
        };
        for (need, place) in checked.plan.needs.iter().zip(&checked.needs) {
            let NeedKind::Gateway(name) = &need.kind else {
                continue;
            };
            if !known.contains(name) {
                let help = suggestion(name, known, "gateways");
                let message = format!("the configuration has no gateway `{name}`");
                problems.error_with_help(*place, message, Some(help));
            }
        }
    }
}

fn suggestion(name: &str, known: &BTreeSet<String>, what: &str) -> String {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    did_you_mean(name, &names).unwrap_or_else(|| match names[..] {
        [] => format!("it has no {what} at all"),
        _ => {
            let names: Vec<String> = names.iter().take(10).map(|n| format!("`{n}`")).collect();
            format!("its {what} are {}", names.join(", "))
        }
    })
}

/// A plan of which an earlier one matches all that it does never governs anyone.
pub(super) fn unreachable(set: &PlanSet, standing: &[Standing], problems: &mut [Problems<'_>]) {
    let plans = set.plans();
    let mut budget = BUDGET;
    for (number, plan) in plans.iter().enumerate() {
        let mut first: Option<usize> = None;
        let mut look = |numbers: &[u32]| {
            for other in numbers.iter().map(|n| *n as usize) {
                let done = other >= number || first.is_some_and(|first| first <= other);
                budget = budget.saturating_sub(1);
                if done || budget == 0 {
                    break;
                }
                if covers(&plans[other].matches, &plan.matches) {
                    first = Some(other);
                    break;
                }
            }
        };
        let m = &plan.matches;
        // What is found for the text of a glob is all that can cover the glob.
        let text = |globs: &'_ [super::glob::Glob]| globs.first().map(|glob| glob.text.clone());
        match text(&m.gateways) {
            Some(name) => set.index().gateway(&name, &mut look),
            None => {
                let (cell, agent) = (text(&m.cells), text(&m.agents));
                let labels = Some(&m.labels);
                let index = set.index();
                index.agent(cell.as_deref(), agent.as_deref(), labels, &mut look);
            }
        }
        if let Some(first) = first {
            let (file, place, _) = &standing[number];
            let message = format!(
                "this plan is never reached: `{}` ({}:{}), which comes first, matches all that it does",
                plans[first].name,
                visible(&plans[first].source.file),
                standing[first].1.line,
            );
            problems[*file].warning(*place, message);
        }
    }
}

/// True where one matches all that the other does, as far as that is seen key by key.
fn covers(one: &Match, other: &Match) -> bool {
    let globs = |one: &[super::glob::Glob], other: &[super::glob::Glob]| {
        let covered = |glob| one.iter().any(|g| g.covers(glob));
        one.is_empty() || (!other.is_empty() && other.iter().all(covered))
    };
    one.gateways.is_empty() == other.gateways.is_empty()
        && globs(&one.gateways, &other.gateways)
        && globs(&one.cells, &other.cells)
        && globs(&one.agents, &other.agents)
        && one
            .labels
            .iter()
            .all(|(k, v)| other.labels.get(k) == Some(v))
}

/// Needs that go round: nobody in the circle is ever revived.
///
/// A need leads to the plan that governs the subject it names. Labels are not known here: where
/// they (or, for a need of a whole cell, the agents' names) decide, the need may lead to several
/// plans, and a circle through such a need is a warning. Only of the first `certain` plans is it
/// known whom they govern: before others a plan is missing that could not be read.
pub(super) fn cycles(
    set: &PlanSet,
    standing: &[Standing],
    certain: usize,
    problems: &mut [Problems<'_>],
) {
    let mut budget = BUDGET;
    let edges: Vec<Vec<Edge>> = set
        .plans()
        .iter()
        .map(|plan| {
            let mut edges = edges(set, plan, &mut budget);
            edges.retain(|edge| edge.to < certain);
            edges
        })
        .collect();
    let mut told = vec![false; edges.len()];
    for sure in [true, false] {
        for circle in circles(&edges, sure) {
            if circle.iter().any(|(plan, _)| told[*plan]) {
                continue;
            }
            circle.iter().for_each(|(plan, _)| told[*plan] = true);
            let names: Vec<String> = circle
                .iter()
                .chain(circle.first())
                .map(|(plan, _)| format!("`{}`", set.plans()[*plan].name))
                .collect();
            let Some((plan, need)) = circle.first() else {
                continue;
            };
            let (file, _, needs) = &standing[*plan];
            let place = needs.get(*need).copied().unwrap_or(Place::START);
            let path = names.join(" → ");
            let problems = &mut problems[*file];
            if sure {
                let message = format!("needs go round, so that none of them is ever met: {path}");
                let help = "give what is needed a plan of its own, before those that need it";
                problems.error_with_help(place, message, Some(help.to_owned()));
            } else {
                let message = format!("needs may go round, if labels or agents are so: {path}");
                problems.warning(place, message);
            }
        }
    }
}

/// Which plan a need leads to.
struct Edge {
    /// The number of the need.
    need: usize,
    /// The number of the plan that governs.
    to: usize,
    /// False where it depends on labels or agents.
    sure: bool,
}

fn edges(set: &PlanSet, plan: &Plan, budget: &mut usize) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (need, written) in plan.needs.iter().enumerate() {
        let (cell, agent) = match &written.kind {
            NeedKind::Glob(_) => continue,
            NeedKind::Gateway(name) => {
                let to = set.governing_number(&Who::Gateway(name));
                edges.extend(to.map(|to| Edge {
                    need,
                    to,
                    sure: true,
                }));
                continue;
            }
            NeedKind::Named(name) => match name.split_once('/') {
                Some((cell, agent)) => (cell, Some(agent)),
                None => (name.as_str(), None),
            },
        };
        // The first that governs whatever the labels are; those before it may.
        let certain = set.governing_number(&Who::Agent {
            cell,
            agent,
            labels: None,
        });
        let mut may: Vec<usize> = Vec::new();
        let mut look = |numbers: &[u32]| {
            let before = numbers.iter().map(|n| *n as usize);
            for to in before.take_while(|n| certain.is_none_or(|c| *n < c)) {
                *budget = budget.saturating_sub(1);
                if *budget == 0 {
                    break;
                }
                if may_match(&set.plans()[to].matches, cell, agent) {
                    may.push(to);
                }
            }
        };
        set.index().agent(Some(cell), agent, None, &mut look);
        set.index().of_any_cell(&mut look);
        may.sort_unstable();
        may.dedup();
        let sure = may.is_empty();
        edges.extend(may.into_iter().map(|to| Edge {
            need,
            to,
            sure: false,
        }));
        edges.extend(certain.map(|to| Edge { need, to, sure }));
    }
    edges
}

/// True where a plan matches, if the labels and, where they are not named, the agents are right.
fn may_match(m: &Match, cell: &str, agent: Option<&str>) -> bool {
    let hits = |globs: &[super::glob::Glob], name: Option<&str>| {
        globs.is_empty() || name.is_none_or(|name| globs.iter().any(|g| g.is_match(name)))
    };
    m.gateways.is_empty() && hits(&m.cells, Some(cell)) && hits(&m.agents, agent)
}

/// Circles, one for each part of the plans whose needs hang together: the plans in it, and the
/// number of the need that leads on from each.
fn circles(edges: &[Vec<Edge>], sure: bool) -> Vec<Vec<(usize, usize)>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    let mut found = Vec::new();
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        // The way from the start, each with the edge that is taken next.
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        marks[start] = Mark::Open;
        while let Some((plan, next)) = way.last_mut() {
            let Some(edge) = edges[*plan].get(*next) else {
                marks[*plan] = Mark::Done;
                way.pop();
                continue;
            };
            *next += 1;
            if sure && !edge.sure {
                continue;
            }
            match marks[edge.to] {
                Mark::Done => {}
                Mark::New => {
                    marks[edge.to] = Mark::Open;
                    way.push((edge.to, 0));
                }
                Mark::Open => {
                    let from = way.iter().position(|(plan, _)| *plan == edge.to);
                    let circle = way[from.unwrap_or(0)..].iter();
                    // `next` has gone on already.
                    let need = |(plan, next): &(usize, usize)| {
                        (*plan, edges[*plan][next.saturating_sub(1)].need)
                    };
                    found.push(circle.map(need).collect());
                }
            }
        }
    }
    found
}
