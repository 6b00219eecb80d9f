//! Whom an operator means by a word on the command line.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::core::decide::{cell_of, is_gateway, subjects};
use crate::core::view::GATEWAY;
use crate::model::cell::Cell;
use crate::model::exit::{Exit, Failure};
use crate::model::snapshot::Snapshot;
use crate::model::text::shortened;
use crate::model::time::Timestamp;
use crate::observe::{self, Look};
use crate::yaml::did_you_mean;

/// At most this many characters of a row of names.
const WIDEST: usize = 200;

/// The subject without the slash that a shell's completion leaves behind a directory.
pub(super) fn trimmed(subject: &str) -> &str {
    subject.trim_end_matches('/')
}

/// True where `name` is the subject that is meant or, if that is a bare cell, one of its agents.
pub(super) fn covers(wanted: &str, name: &str) -> bool {
    let rest = name.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Looks at one cell alone; the snapshot has it or is empty. For a gateway at everything, for a
/// look at cells that were chosen has no gateways.
///
/// # Errors
/// The missions root is missing, no directory, or cannot be read.
pub(super) fn look_at(look: &Look, wanted: &str, now: Timestamp) -> Result<Snapshot, Failure> {
    let scope = match is_gateway(wanted) {
        true => None,
        false => Some(only(cell_of(wanted))),
    };
    let mut look = look.clone();
    if scope.is_some() {
        look.gateways.clear();
    }
    look.scope = scope;
    observe::snapshot(look, now)
}

/// What matches that name and nothing else. A name is no glob: what would be one in it is escaped.
fn only(cell: &str) -> GlobSet {
    let glob = GlobBuilder::new(&globset::escape(cell))
        .backslash_escape(false)
        .build();
    // Without a glob that can be built there is no cell of that name.
    let built = glob.and_then(|glob| GlobSetBuilder::new().add(glob).build());
    built.unwrap_or_else(|_| GlobSet::empty())
}

/// The names of the subjects that are meant: for a bare cell those of all its agents.
///
/// # Errors
/// A sentence: there is no such subject, and what there is instead.
pub(super) fn names(snapshot: &Snapshot, wanted: &str) -> Result<Vec<String>, String> {
    if is_gateway(wanted) {
        let name = wanted.strip_prefix(GATEWAY).unwrap_or(wanted);
        let gateways = snapshot.gateways.iter();
        let all: Vec<String> = gateways.map(|g| g.name.to_string()).collect();
        if all.iter().any(|known| known == name) {
            return Ok(vec![wanted.to_owned()]);
        }
        let instead = instead(name, &all, "there is");
        return Err(format!("there is no gateway `{name}`{instead}"));
    }
    let id = cell_of(wanted);
    let Some(cell) = snapshot.cells.iter().find(|cell| &*cell.id == id) else {
        let root = crate::report::root_text(&snapshot.missions_root);
        let all: Vec<&str> = snapshot.cells.iter().map(|cell| &*cell.id).collect();
        let help = did_you_mean(id, &all).map_or_else(String::new, |help| format!("; {help}"));
        return Err(format!(
            "there is no cell `{id}` under {root}{help} (`lazarus-pit list` shows the cells)"
        ));
    };
    of_cell(cell, wanted)
}

fn of_cell(cell: &Cell, wanted: &str) -> Result<Vec<String>, String> {
    if cell.is_ignored() {
        let word = cell.lifecycle.as_ref().map_or("", |l| l.as_str());
        return Err(format!(
            "{} is {word}: nothing is decided for it, and there is nothing to do",
            cell.id
        ));
    }
    let all: Vec<String> = subjects(cell).map(|subject| subject.name()).collect();
    let meant: Vec<String> = all.iter().filter(|n| covers(wanted, n)).cloned().collect();
    if !meant.is_empty() {
        return Ok(meant);
    }
    if cell.agents.is_empty() {
        return Err(format!(
            "the agents of {} cannot be known as it is now: name the cell alone",
            cell.id
        ));
    }
    let agent = wanted.split_once('/').map_or("", |(_, agent)| agent);
    let agents: Vec<String> = cell.agents.iter().map(|a| a.name.to_string()).collect();
    Err(format!(
        "the cell {} has no agent `{agent}`{}",
        cell.id,
        instead(agent, &agents, "it has")
    ))
}

/// What there is instead of a name that there is not.
fn instead(word: &str, names: &[String], has: &str) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if let Some(help) = did_you_mean(word, &names) {
        return format!("; {help}");
    }
    match names.len() {
        0 => String::new(),
        _ => format!("; {has} {}", shortened(&names.join(", "), WIDEST)),
    }
}

/// A subject that does not exist is an answer, not a wrong command line.
pub(super) fn missing(message: impl Into<String>) -> Failure {
    Failure::new(Exit::InHand, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stands_for_its_agents_and_for_no_other_cell() {
        for (wanted, name, is) in [
            ("a", "a", true),
            ("a", "a/x", true),
            ("a", "ab/x", false),
            ("a/x", "a/x", true),
            ("a/x", "a", false),
            ("a/x", "a/xy", false),
            ("gateway:g", "gateway:g", true),
        ] {
            assert_eq!(covers(wanted, name), is, "{wanted} {name}");
        }
    }
}
