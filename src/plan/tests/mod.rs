//! Plans as operators write them: what loads, what is told about mistakes, and that nothing makes
//! the loader hang or panic.

#[cfg(test)]
mod beside;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod shown;

use super::*;
use crate::yaml::Problem;

/// A file.
fn file(name: &str, text: &str) -> File {
    File {
        name: name.to_owned(),
        text: text.as_bytes().to_vec(),
    }
}

/// What is told of these files, each problem as it is shown.
fn told_of(files: &[File]) -> Vec<String> {
    let (_, problems) = load(files, &Known::default());
    problems.iter().map(Problem::to_string).collect()
}

/// What is told of one plan: line, column and sentence, and the help.
fn told(text: &str) -> Vec<String> {
    let (_, problems) = load(&[file("p.yaml", text)], &Known::default());
    let one = |p: &Problem| {
        let help = p.help.as_ref().map(|h| format!(" ({h})"));
        let severity = match p.severity {
            crate::yaml::Severity::Error => "",
            crate::yaml::Severity::Warning => "warning: ",
        };
        let help = help.unwrap_or_default();
        format!("{}:{} {severity}{}{help}", p.line, p.column, p.message)
    };
    problems.iter().map(one).collect()
}

/// The plans of a text without mistakes.
#[track_caller]
fn loaded(text: &str) -> Vec<Plan> {
    let (set, problems) = load(&[file("p.yaml", text)], &Known::default());
    assert!(problems.is_empty(), "{problems:#?}");
    set.plans().to_vec()
}

/// The one plan of a text without mistakes.
#[track_caller]
fn plan(text: &str) -> Plan {
    let mut plans = loaded(text);
    assert_eq!(plans.len(), 1);
    plans.remove(0)
}
