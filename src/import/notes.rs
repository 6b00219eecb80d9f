//! What is told beside what is written: settings without a meaning here, secrets that were moved
//! out, and what a person should look at.

use super::section::{Item, below, spelled};
use super::tree::Tree;
use crate::model::text::shortened;

/// The longest value that a comment shows.
const LONGEST: usize = 200;
/// Parts of a key whose value is not shown.
const SECRET_KEYS: [&str; 18] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "nsec",
    "private",
    "api_key",
    "apikey",
    "access_key",
    "credential",
    "auth",
    "bearer",
    "webhook",
    "cookie",
    "ping_url",
    "signature",
    "passw",
];

/// A secret that stands in the earlier file, and the variable that is named instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The environment variable to be set.
    pub variable: String,
    /// Where the value stands in the earlier file; none where it had none.
    pub from: Option<String>,
}

/// All that is told.
#[derive(Debug, Default)]
pub(super) struct Notes {
    left: Vec<String>,
    moved: Vec<(Moved, Option<String>)>,
    hints: Vec<String>,
}

impl Notes {
    /// A setting that is not kept, and why.
    pub(super) fn left(&mut self, item: &Item, why: &str) {
        let before = self.left.len();
        self.rest(item);
        for line in &mut self.left[before..] {
            line.push_str(&format!("  ({why})"));
        }
    }

    /// A setting that is not kept, with all below it.
    pub(super) fn rest(&mut self, item: &Item) {
        let path = &item.path;
        match &item.value {
            Tree::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    let (path, value) = (below(path, key), value.clone());
                    self.rest(&Item { path, value });
                }
            }
            // `[--token, x]`: of its words one says what the other is.
            Tree::List(list) if holds_secret(&joined(list)) => {
                self.left
                    .push(format!("{path}: (not shown: it may be a secret)"));
            }
            Tree::List(list) if !list.is_empty() => {
                for (at, value) in list.iter().enumerate() {
                    let (path, value) = (format!("{path}[{at}]"), value.clone());
                    self.rest(&Item { path, value });
                }
            }
            // The file itself, once all is taken out of it.
            Tree::Map(_) if path.is_empty() => {}
            value if is_secret(path, value) => {
                self.left
                    .push(format!("{path}: (not shown: it may be a secret)"));
            }
            value => {
                let shown = value.shown();
                let shown = shortened(&shown, LONGEST);
                let why = reason(path);
                self.left.push(format!("{path}: {shown}{why}"));
            }
        }
    }

    /// Something that a person should know or do.
    pub(super) fn hint(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.hints.contains(&text) {
            self.hints.push(text);
        }
    }

    /// The variable for a secret: its own name, or that of the same secret before.
    pub(super) fn variable(&mut self, wanted: &str, item: Option<&Item>) -> String {
        let value = item.and_then(|item| item.value.text());
        let known = |(_, known): &&(Moved, Option<String>)| value.is_some() && *known == value;
        if let Some((moved, _)) = self.moved.iter().find(known) {
            return moved.variable.clone();
        }
        let taken = |name: &str| self.moved.iter().any(|(moved, _)| moved.variable == name);
        let mut variable = wanted.to_owned();
        let mut number = 2;
        while taken(&variable) {
            variable = format!("{wanted}_{number}");
            number += 1;
        }
        let from = item.map(|item| item.path.clone());
        let moved = Moved { variable, from };
        let variable = moved.variable.clone();
        self.moved.push((moved, value));
        variable
    }

    /// A variable that the earlier file named itself.
    pub(super) fn named(&mut self, variable: &str) {
        if !self.moved.iter().any(|(m, _)| m.variable == variable) {
            let variable = variable.to_owned();
            self.moved.push((
                Moved {
                    variable,
                    from: None,
                },
                None,
            ));
        }
    }

    /// The secrets that were moved out, with their paths. Short ones may be any word.
    pub(super) fn secrets(&self) -> Vec<(String, String)> {
        let all = self.moved.iter().filter_map(|(moved, value)| {
            let value = value.clone().filter(|value| value.len() >= 12)?;
            Some((moved.from.clone()?, value))
        });
        all.collect()
    }

    /// All of it: what was left, what was moved, what is to be looked at.
    pub(super) fn into_parts(self) -> (Vec<String>, Vec<Moved>, Vec<String>) {
        let moved = self.moved.into_iter().map(|(moved, _)| moved);
        (self.left, moved.collect(), self.hints)
    }
}

fn joined(list: &[Tree]) -> String {
    let words: Vec<String> = list.iter().filter_map(Tree::text).collect();
    words.join(" ")
}

/// Why a setting has no meaning, where its name tells.
fn reason(path: &str) -> &'static str {
    let last = spelled(path.rsplit('.').next().unwrap_or(path));
    let is = |words: &[&str]| words.contains(&last.as_str());
    if is(&["log_level", "loglevel", "verbose", "debug"]) {
        "  (-v, or RUST_LOG)"
    } else if is(&["log_file", "logfile", "log_path", "log_dir"]) {
        "  (it logs to standard error; what agents print: the key `logs`)"
    } else if is(&["daemon", "daemonize", "pid_file", "pidfile", "foreground"]) {
        "  (nothing stays in memory between runs)"
    } else if is(&[
        "lock_file",
        "lockfile",
        "state_file",
        "state_path",
        "db",
        "db_path",
    ]) {
        "  (lock and state lie in `state_dir`)"
    } else if is(&["dry_run", "once"]) {
        "  (an option of the command line)"
    } else {
        ""
    }
}

/// True where the value could be a secret, by its key or by what it looks like.
pub(super) fn is_secret(path: &str, value: &Tree) -> bool {
    let Tree::Text(text) = value else {
        // A number may be one, as in `password: 1234`.
        return matches!(value, Tree::Whole(_) | Tree::Number(_)) && has_secret_name(path);
    };
    has_secret_name(path) || looks_secret(text)
}

/// True where a part of the path says that it is one.
pub(super) fn has_secret_name(path: &str) -> bool {
    path.split('.').map(spelled).any(|part| {
        let key = part == "key" || part.ends_with("_key") || part == "sk" || part == "pass";
        // Where it is to be found is none itself.
        let elsewhere = ["_env", "_file", "_path", "_var"];
        let elsewhere = elsewhere.iter().any(|end| part.ends_with(end));
        (key || SECRET_KEYS.iter().any(|word| part.contains(word))) && !elsewhere
    })
}

/// True for a command that says itself that a secret is in it. What only looks like one may be the
/// name of a unit or a container.
pub(super) fn holds_secret(command: &str) -> bool {
    let lower = command.to_lowercase();
    let named = [
        "--token",
        "--password",
        "--secret",
        "--api-key",
        "bearer ",
        "authorization:",
        "token=",
        "password=",
        "secret=",
        "_key=",
        "nsec1",
    ];
    let with_user = lower.split_whitespace().any(|word| {
        let rest = word.split_once("://").map(|(_, rest)| rest);
        let host = rest.and_then(|rest| rest.split('/').next());
        host.is_some_and(|host| host.contains('@'))
    });
    with_user || named.iter().any(|word| lower.contains(word))
}

/// True for texts that are like tokens and keys, or hold them.
pub(super) fn looks_secret(text: &str) -> bool {
    let long = |word: &str| {
        let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=');
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let letters = word.chars().filter(char::is_ascii_alphabetic).count();
        word.len() >= 20 && word.chars().all(token) && digits >= 3 && letters >= 3
    };
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-+=".contains(c)));
    let query = text
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('?'));
    words.into_iter().any(long) || query || holds_secret(text)
}
