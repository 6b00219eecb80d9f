//! systemd's unit files, as far as they say what starts a run and in which surroundings. Text to
//! values; nothing is looked at.

use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::cli::args::Cli;

/// One assignment of a unit, and the file in which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Assignment {
    section: String,
    key: String,
    value: String,
    file: PathBuf,
}

/// A unit: its file and its drop-ins, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli::doctor) struct UnitFile(Vec<Assignment>);

impl UnitFile {
    /// Adds what a file says, by the syntax of systemd.syntax(7).
    pub(in crate::cli::doctor) fn add(&mut self, file: &std::path::Path, text: &str) {
        let mut section = String::new();
        let mut whole = String::new();
        for line in text.lines() {
            let line = line.trim();
            // A comment within a line that goes on is no part of it, and does not end it.
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(begun) = line.strip_suffix('\\') {
                whole.push_str(begun);
                whole.push(' ');
                continue;
            }
            whole.push_str(line);
            let line = std::mem::take(&mut whole);
            let name = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
            if let Some(name) = name {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                self.0.push(Assignment {
                    section: section.clone(),
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                    file: file.to_owned(),
                });
            }
        }
    }

    /// What a key has in the end, and the file that says so; an empty value takes back what was
    /// said before.
    pub(in crate::cli::doctor) fn last(
        &self,
        section: &str,
        key: &str,
    ) -> Option<(&str, &PathBuf)> {
        let of_key = |a: &&Assignment| a.section == section && a.key == key;
        let last = self.0.iter().rfind(of_key)?;
        (!last.value.is_empty()).then_some((last.value.as_str(), &last.file))
    }

    /// All values of a key that takes a list.
    pub(in crate::cli::doctor) fn all(&self, section: &str, key: &str) -> Vec<&str> {
        let mut all = Vec::new();
        for a in self
            .0
            .iter()
            .filter(|a| a.section == section && a.key == key)
        {
            match a.value.as_str() {
                "" => all.clear(),
                value => all.push(value),
            }
        }
        all
    }
}

/// A command line in which this program is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) struct Call {
    /// The program as it is named there.
    pub(in crate::cli::doctor) program: String,
    /// What stands before it: a shell, `flock`, `nice`.
    pub(in crate::cli::doctor) before: Vec<String>,
    /// What stands behind it.
    pub(in crate::cli::doctor) args: Vec<String>,
}

impl Call {
    /// The call of this program in a command line, where it is one that makes a run. Quotes count
    /// as spaces, so that `sh -c '…'` is looked into.
    pub(in crate::cli::doctor) fn of(line: &str) -> Option<Self> {
        let words = line.split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ';'));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let is_ours = |word: &&str| unmarked(word).rsplit('/').next() == Some("lazarus-pit");
        let at = words.iter().position(is_ours)?;
        let args: Vec<String> = words[at + 1..].iter().map(|&word| word.into()).collect();
        makes_a_run(&args).then(|| Self {
            program: unmarked(words[at]).to_owned(),
            before: words[..at].iter().map(|&word| word.into()).collect(),
            args,
        })
    }

    /// What an option has there.
    pub(in crate::cli::doctor) fn option(&self, name: &str) -> Option<&str> {
        let mut args = self.args.iter();
        while let Some(arg) = args.next() {
            if arg == name {
                return args.next().map(String::as_str);
            }
            let value = arg.strip_prefix(name).and_then(|v| v.strip_prefix('='));
            if value.is_some() {
                return value;
            }
        }
        None
    }
}

/// True where these arguments make a run: those of `check`, or of no command at all.
fn makes_a_run(args: &[String]) -> bool {
    let cli = Cli::command();
    let is_command = |arg: &String| arg == "help" || cli.find_subcommand(arg).is_some();
    args.iter().any(|arg| arg == "check") || !args.iter().any(is_command)
}

/// A program without the marks that systemd takes before it.
fn unmarked(word: &str) -> &str {
    word.trim_start_matches(['@', '-', ':', '+', '!', '|'])
}

/// How often a schedule of systemd fires, in seconds, where it is one of the plain ones.
pub(in crate::cli::doctor) fn calendar_seconds(calendar: &str) -> Option<u64> {
    let text = calendar.trim();
    if text == "minutely" {
        return Some(60);
    }
    let minutes = text.strip_prefix("*:").or(text.strip_prefix("*-*-* *:"))?;
    let minutes = minutes.strip_suffix(":00").unwrap_or(minutes);
    if minutes == "*" {
        return Some(60);
    }
    let (first, every) = minutes.split_once('/')?;
    let every: u64 = every.parse().ok()?;
    (matches!(first, "0" | "00" | "*") && every > 0).then_some(every * 60)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn later_files_come_over_earlier_ones() {
        let mut unit = UnitFile::default();
        unit.add(
            Path::new("a"),
            "[Service]\n# x\nExecStart=/bin/a \\\n; within\n  -q\nKillMode=process\nPrivateTmp=yes\n",
        );
        unit.add(
            Path::new("b"),
            "[Service]\nExecStart=\nExecStart=/bin/b\nPrivateTmp=\n[Unit]\nKillMode=mixed",
        );
        assert_eq!(unit.all("Service", "ExecStart"), ["/bin/b"]);
        let last = unit.last("Service", "KillMode");
        assert_eq!(last, Some(("process", &PathBuf::from("a"))));
        assert_eq!(unit.last("Service", "PrivateTmp"), None);
        let mut one = UnitFile::default();
        one.add(
            Path::new("a"),
            "[Service]\nExecStart=/bin/a \\\n; within\n  -q\n",
        );
        assert_eq!(one.all("Service", "ExecStart"), ["/bin/a  -q"]);
    }

    #[test]
    fn a_call_is_found_whatever_stands_around_it() {
        let of = |line: &str| {
            let call = Call::of(line)?;
            Some((call.program, call.before.join(" "), call.args.join(" ")))
        };
        let some = |p: &str, b: &str, a: &str| Some((p.to_owned(), b.to_owned(), a.to_owned()));
        for (line, want) in [
            ("/x/lazarus-pit", some("/x/lazarus-pit", "", "")),
            (
                "-/x/lazarus-pit check -q",
                some("/x/lazarus-pit", "", "check -q"),
            ),
            (
                "flock -n /l /x/lazarus-pit --config /c",
                some("/x/lazarus-pit", "flock -n /l", "--config /c"),
            ),
            (
                "/bin/sh -c 'cd /; lazarus-pit check'",
                some("lazarus-pit", "/bin/sh -c cd /", "check"),
            ),
            ("/x/lazarus-pit health -q", None),
            ("/x/lazarus-pit-keeper", None),
            ("", None),
        ] {
            assert_eq!(of(line), want, "{line}");
        }
        let call = Call::of("lazarus-pit --root=/r --config /c").map(|call| {
            let option = |name| call.option(name).map(str::to_owned);
            (option("--root"), option("--config"), option("--plans"))
        });
        assert_eq!(call, Some((Some("/r".into()), Some("/c".into()), None)));
    }

    #[test]
    fn no_other_command_makes_a_run() {
        let makes = |line: &str| Call::of(line).is_some();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let line = format!("/x/lazarus-pit --config /c {name} -q");
            assert_eq!(makes(&line), name == "check", "{line}");
        }
        assert!(!makes("lazarus-pit help"));
        assert!(!makes("lazarus-pit simulate --days 3"));
        assert!(makes("lazarus-pit --config /c"));
    }

    #[test]
    fn plain_schedules_are_understood() {
        for (text, seconds) in [
            ("minutely", Some(60)),
            ("*:0/1", Some(60)),
            ("*:*", Some(60)),
            ("*:0/5", Some(300)),
            ("*:00/5:00", Some(300)),
            ("*-*-* *:*:00", Some(60)),
            ("Mon *:0/5", None),
            ("*:0/0", None),
            ("daily", None),
        ] {
            assert_eq!(calendar_seconds(text), seconds, "{text}");
        }
    }
}
