//! Whether what was put together is what the program itself would take: asked of its own readers.

use std::path::Path;

use super::command::Whom;
use super::write::Yaml;
use crate::config;
use crate::plan::{self, Known};
use crate::yaml::{Problem, Severity};

/// A home for paths that begin with `~`: what a path leads to is not looked at.
const HOME: &str = "/home";

/// Whether these keys are a configuration.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn config(text: &str) -> Result<(), String> {
    let (_, problems) = config::parse(
        Path::new("/etc/lazarus-pit/config.yaml"),
        text.as_bytes(),
        Some(Path::new(HOME)),
    );
    first_error(&problems)
}

/// Whether a key with this value is a part of a configuration.
///
/// # Errors
/// What is wrong with it.
pub(super) fn setting(key: &str, value: &Yaml) -> Result<(), String> {
    config(&Yaml::one(key, value.clone()).document())
}

/// Whether the configuration's reader knows channels.
pub(super) fn knows_channels() -> bool {
    config("channels: {}\n").is_ok()
}

/// Whether these files are plans, where there are these gateways and channels.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn plans(files: &[(String, String)], known: &Known) -> Result<(), String> {
    let file = |(name, text): &(String, String)| plan::File {
        name: name.clone(),
        text: text.clone().into_bytes(),
    };
    let files: Vec<plan::File> = files.iter().map(file).collect();
    first_error(&plan::load(&files, known).1)
}

/// Whether a key with this value is a part of a plan.
///
/// # Errors
/// What is wrong with it.
pub(super) fn part(key: &str, value: &Yaml, whom: Whom) -> Result<(), String> {
    let mut plan = vec![
        ("name".to_owned(), Yaml::text("a")),
        ("policy".to_owned(), Yaml::word("never")),
        (key.to_owned(), value.clone()),
    ];
    if whom == Whom::Gateway {
        // A gateway of that name is none: what it needs is never itself.
        let name = if key == "needs" { "-none-" } else { "*" };
        let all = Yaml::one("gateways", Yaml::texts([name]));
        plan.push(("match".to_owned(), all));
    }
    let text = Yaml::Map(plan).document();
    plans(&[("a.yaml".to_owned(), text)], &Known::default())
}

fn first_error(problems: &[Problem]) -> Result<(), String> {
    let mut errors = problems.iter().filter(|p| p.severity == Severity::Error);
    errors.next().map_or(Ok(()), |p| Err(p.message.clone()))
}
