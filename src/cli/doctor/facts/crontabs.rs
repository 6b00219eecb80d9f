//! Facts about crontabs.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::unit_file::Call;
use super::units::{Program, program, text};
use crate::sys::host;

/// Which kind of crontab a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Kind {
    /// The host's, with a user in each line.
    Host,
    /// One in a directory of such, whose names are looked at.
    Part,
    /// A user's own.
    User,
}

/// A crontab that starts runs.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Crontab {
    pub(in crate::cli::doctor) path: PathBuf,
    pub(in crate::cli::doctor) kind: Kind,
    pub(in crate::cli::doctor) uid: u32,
    /// The name of whom it belongs to.
    pub(in crate::cli::doctor) owner: String,
    pub(in crate::cli::doctor) mode: u32,
    /// False where the last line does not end.
    pub(in crate::cli::doctor) ends: bool,
    /// The variables that it gives to what it starts.
    pub(in crate::cli::doctor) variables: BTreeSet<String>,
    /// Where what it starts looks for programs.
    pub(in crate::cli::doctor) search: String,
    pub(in crate::cli::doctor) entries: Vec<Entry>,
}

/// What cron has in `PATH` where nothing else is said.
const PATH_OF_CRON: &str = "/usr/bin:/bin";

/// A line that starts runs.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Entry {
    /// Its number, from 1.
    pub(in crate::cli::doctor) line: usize,
    /// How often it fires, in seconds, where it is one of the plain ones.
    pub(in crate::cli::doctor) every: Option<u64>,
    /// As whom; a user's own crontab does not say.
    pub(in crate::cli::doctor) user: Option<String>,
    /// False where there is no such user.
    pub(in crate::cli::doctor) user_exists: bool,
    /// True where the user is forgotten: cron takes the command's first word for one.
    pub(in crate::cli::doctor) user_forgotten: bool,
    pub(in crate::cli::doctor) call: Call,
    pub(in crate::cli::doctor) program: Program,
    /// True where a `%` stands in it, which cron takes for a line's end.
    pub(in crate::cli::doctor) has_percent: bool,
}

/// Looks for them.
pub(in crate::cli::doctor) fn gather(system_root: &Path) -> Vec<Crontab> {
    let in_dir = |dir: &str, kind| {
        let entries = std::fs::read_dir(system_root.join(dir))
            .into_iter()
            .flatten();
        let paths = entries.flatten().map(|entry| (entry.path(), kind));
        let mut paths: Vec<(PathBuf, Kind)> = paths.collect();
        paths.sort_by(|a, b| a.0.cmp(&b.0));
        paths
    };
    let mut files = vec![(system_root.join("etc/crontab"), Kind::Host)];
    files.extend(in_dir("etc/cron.d", Kind::Part));
    // Another user's own is another installation.
    let user = host::user_name(host::uid());
    for spool in ["var/spool/cron/crontabs", "var/spool/cron"] {
        files.push((system_root.join(spool).join(&user), Kind::User));
    }
    let found = files.into_iter();
    found
        .filter_map(|(path, kind)| crontab(system_root, path, kind))
        .collect()
}

fn crontab(system_root: &Path, path: PathBuf, kind: Kind) -> Option<Crontab> {
    let text = text(&path)?;
    let meta = std::fs::metadata(&path).ok()?;
    let mut variables = BTreeSet::new();
    let mut own_path = None;
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some((name, value)) = variable(line) {
            if name == "PATH" {
                own_path = Some(value.to_owned());
            }
            variables.insert(name.to_owned());
            continue;
        }
        let Some((every, rest)) = fields(line) else {
            continue;
        };
        let (user, command) = match kind {
            Kind::User => (None, rest),
            Kind::Host | Kind::Part => user_of(rest),
        };
        let Some(call) = Call::of(command) else {
            continue;
        };
        let path = own_path.as_deref().unwrap_or(PATH_OF_CRON);
        entries.push(Entry {
            line: number + 1,
            every,
            user_exists: user.is_none_or(|user| host::find_user(user).is_ok()),
            user_forgotten: user.is_none() && kind != Kind::User,
            user: user.map(str::to_owned),
            program: program(system_root, &call.program, Some(path)),
            call,
            has_percent: command.replace("\\%", "").contains('%'),
        });
    }
    (!entries.is_empty()).then(|| Crontab {
        path,
        kind,
        uid: meta.uid(),
        owner: host::user_name(meta.uid()),
        mode: meta.mode() & 0o7777,
        ends: text.ends_with('\n'),
        variables,
        search: own_path.unwrap_or_else(|| PATH_OF_CRON.to_owned()),
        entries,
    })
}

/// `NAME = value`.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim().trim_matches(['"', '\'']);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let good = !name.is_empty() && name.chars().all(plain);
    good.then(|| (name, value.trim().trim_matches(['"', '\''])))
}

/// How often a line fires, and what stands behind the times.
fn fields(line: &str) -> Option<(Option<u64>, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.split_once(char::is_whitespace)?;
        rest = after.trim_start();
        Some(word)
    };
    let first = word()?;
    let mut every = None;
    if !first.starts_with('@') {
        let mut others = [""; 4];
        for other in &mut others {
            *other = word()?;
        }
        let minutes = match first.strip_prefix("*/") {
            Some(minutes) => minutes.parse().ok(),
            None => (first == "*").then_some(1),
        };
        let always = others.iter().all(|field| *field == "*");
        every = minutes.filter(|_| always).map(|minutes: u64| minutes * 60);
    }
    Some((every, rest))
}

/// The user who stands before a system crontab's command, and the command. No user where there is
/// a program in that place: a path, or this one's name with nothing behind it but its own words.
fn user_of(rest: &str) -> (Option<&str>, &str) {
    let (user, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let command = command.trim_start();
    let next = command.split_whitespace().next().unwrap_or("-");
    // A user may be called as the program is.
    let is_ours = user == "lazarus-pit" && (next.starts_with('-') || next == "check");
    match is_ours || user.contains('/') {
        true => (None, rest),
        false => (Some(user), command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        for (line, want) in [
            (
                "* * * * * root /x/lazarus-pit -q",
                Some((Some(60), "root /x/lazarus-pit -q")),
            ),
            (
                "*/5\t*  * * * /x/lazarus-pit",
                Some((Some(300), "/x/lazarus-pit")),
            ),
            ("0 3 * * * x", Some((None, "x"))),
            ("@reboot root x", Some((None, "root x"))),
            ("# * * * * * root x", None),
            ("* * * *", None),
        ] {
            assert_eq!(fields(line), want, "{line}");
        }
        assert_eq!(variable("PATH = \"/a:/b\""), Some(("PATH", "/a:/b")));
        assert_eq!(variable("* * * * * root A=1 x"), None);
    }
    #[test]
    fn a_program_is_no_user() {
        for (rest, want) in [
            (
                "root /x/lazarus-pit -q",
                (Some("root"), "/x/lazarus-pit -q"),
            ),
            ("root  lazarus-pit", (Some("root"), "lazarus-pit")),
            ("/x/lazarus-pit -q", (None, "/x/lazarus-pit -q")),
            ("/x/lazarus-pit", (None, "/x/lazarus-pit")),
            (
                "/usr/bin/nice lazarus-pit",
                (None, "/usr/bin/nice lazarus-pit"),
            ),
            ("lazarus-pit", (None, "lazarus-pit")),
            ("lazarus-pit check -q", (None, "lazarus-pit check -q")),
            ("lazarus-pit --root /r", (None, "lazarus-pit --root /r")),
            (
                "lazarus-pit /x/lazarus-pit -q",
                (Some("lazarus-pit"), "/x/lazarus-pit -q"),
            ),
            (
                "lazarus-pit lazarus-pit check",
                (Some("lazarus-pit"), "lazarus-pit check"),
            ),
        ] {
            assert_eq!(user_of(rest), want, "{rest}");
        }
    }
}
