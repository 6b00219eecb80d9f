//! What is made from the command line itself: completions and the manual page. Copies of them are
//! shipped under contrib/completions and docs/man; a test holds those to this.

use clap::{Arg, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::args::Cli;
use crate::model::exit::Exit;

/// The program's name.
const NAME: &str = "lazarus-pit";

/// Completions for a shell.
#[must_use]
pub(super) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut out);
    out
}

/// The manual page: all commands in one, section 8.
#[must_use]
pub(super) fn man() -> Vec<u8> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let source = format!("{NAME} {}", crate::report::VERSION);
    // No date, so that the page is the same whenever it is made; a blank, because roff drops "".
    let title = ["LAZARUS-PIT", "8", " ", &source, "System Administration"];
    let mut page = Page::new(title);
    about(&command, &mut page);
    page.section("GENERAL OPTIONS");
    page.plain("Every command takes these, before or after its name.");
    let general = |arg: &&Arg| arg.is_global_set() || arg.get_id() == "help";
    let version = command.get_arguments().filter(|a| a.get_id() == "version");
    page.options(command.get_arguments().filter(general).chain(version));
    page.section("COMMANDS");
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        page.command(sub);
    }
    exit_status(&mut page);
    page.list("FILES", FILES);
    page.list("ENVIRONMENT", ENVIRONMENT);
    page.section("SEE ALSO");
    page.text([
        bold("crontab"),
        roman("(5), "),
        bold("systemd.timer"),
        roman("(5)"),
    ]);
    page.0.into_bytes()
}

/// Where things lie, relative to what.
const FILES: &[(&str, &str)] = &[
    (
        "/etc/lazarus-pit/config.yaml",
        "The configuration, where neither --config, $LAZARUS_PIT_CONFIG nor \
         $XDG_CONFIG_HOME/lazarus-pit/config.yaml (~/.config) names another one. It and the directory it lies in \
         must belong to root or the running user and be writable by nobody else.",
    ),
    (
        "/var/missions",
        "The missions root: each directory in it whose name does not begin with a dot is a cell.",
    ),
    (
        "CELL/state/heartbeat.json",
        "The heartbeat of a cell of the foundation layout (its agent is called main).",
    ),
    (
        "CELL/cell.json, CELL/.lazarus/heartbeats/AGENT.json",
        "The manifest of a cell of the canonical layout, and its agents' heartbeats.",
    ),
    (
        "CELL/logs/events.jsonl, CELL/.lazarus/state.json",
        "In the canonical layout: what happened to the cell, and what the last run saw; written with the rights of the cell's owner.",
    ),
    (
        "/var/lib/lazarus-pit",
        "The state directory of root; of others $XDG_STATE_HOME/lazarus-pit (~/.local/state). It holds what follows.",
    ),
    (
        "state.lock",
        "Locked for the whole of a run; names the holder.",
    ),
    (
        "state.json",
        "Open incidents and the last run; nothing of subjects that are healthy.",
    ),
    (
        "journal.jsonl",
        "What happened: one JSON object a line, append-only.",
    ),
    (
        "heartbeats/JOB.last",
        "The meta-heartbeat: that lazarus-pit itself runs, and how the last run ended.",
    ),
];

/// What is read from the environment.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("LAZARUS_PIT_CONFIG", "The configuration file, as --config."),
    (
        "LAZARUS_PIT_STATE_DIR",
        "The state directory, as --state-dir.",
    ),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME",
        "Where a user's configuration and state lie.",
    ),
    (
        "RUST_LOG",
        "What is logged on standard error; wins over -v.",
    ),
    (
        "NO_COLOR",
        "If set and not empty: no colours, unless --color always.",
    ),
];

fn about(command: &Command, page: &mut Page) {
    page.section("NAME");
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    page.plain(&format!("{NAME} - {}", about.trim_end_matches('.')));
    page.section("SYNOPSIS");
    let usage = [
        bold(NAME),
        roman(" ["),
        italic("OPTIONS"),
        roman("] ["),
        italic("COMMAND"),
        roman("]"),
    ];
    page.text(usage);
    page.section("DESCRIPTION");
    let long = command.get_long_about().or(command.get_about());
    let long = long.map(ToString::to_string).unwrap_or_default();
    for (at, paragraph) in long.split("\n\n").enumerate() {
        if at > 0 {
            page.control("PP", &[]);
        }
        page.plain(&paragraph.replace('\n', " "));
    }
}

fn exit_status(page: &mut Page) {
    page.section("EXIT STATUS");
    page.plain("0, 1 and 2 are also what monitoring plugins mean by OK, WARNING and CRITICAL; with --format nagios all others are 3, UNKNOWN.");
    for exit in Exit::ALL {
        page.entry(&exit.code().to_string(), exit.meaning());
    }
}

/// A manual page in the making. Writing to memory does not fail, so such results are passed over.
struct Page(String);

impl Page {
    /// The page with its title, and first of all what the apostrophes of the rest need.
    fn new(title: [&str; 5]) -> Self {
        let mut roff = Roff::new();
        roff.control("TH", title);
        Self(roff.render())
    }

    /// Adds what was rendered, without what the page began with already.
    fn add(&mut self, rendered: &str) {
        let body = rendered.split_inclusive('\n');
        self.0
            .extend(body.skip_while(|l| l.starts_with(".ie ") || l.starts_with(".el ")));
    }

    fn control(&mut self, name: &str, args: &[&str]) {
        let mut roff = Roff::new();
        roff.control(name, args.iter().copied());
        self.add(&roff.render());
    }

    fn text(&mut self, text: impl Into<Vec<Inline>>) {
        let mut roff = Roff::new();
        roff.text(text);
        self.add(&roff.render());
    }

    fn plain(&mut self, text: &str) {
        self.text([roman(text)]);
    }

    fn section(&mut self, name: &str) {
        self.control("SH", &[name]);
    }

    /// One entry of a list: a tag, and what it means.
    fn entry(&mut self, tag: &str, text: &str) {
        self.control("TP", &[]);
        self.text([bold(tag)]);
        self.plain(text);
    }

    fn list(&mut self, name: &str, entries: &[(&str, &str)]) {
        self.section(name);
        for (tag, text) in entries {
            self.entry(tag, text);
        }
    }

    /// One command: how it is called, what it does, and the options that are its own.
    fn command(&mut self, command: &Command) {
        let mut usage = vec![bold(command.get_name())];
        let own: Vec<&Arg> = command
            .get_arguments()
            .filter(|a| !a.is_global_set() && a.get_id() != "help")
            .collect();
        if own.iter().any(|a| !a.is_positional()) {
            usage.extend([roman(" ["), italic("OPTIONS"), roman("]")]);
        }
        for arg in own.iter().filter(|a| a.is_positional()) {
            let name = arg.get_id().as_str().to_uppercase();
            let (open, close) = if arg.is_required_set() {
                (" ", "")
            } else {
                (" [", "]")
            };
            usage.extend([roman(open), italic(name), roman(close)]);
        }
        self.control("SS", &[command.get_name()]);
        self.text(usage);
        self.control("PP", &[]);
        let about = command.get_long_about().or(command.get_about());
        self.plain(&format!(
            "{}.",
            about.map(ToString::to_string).unwrap_or_default()
        ));
        self.options(own.into_iter());
        for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
            let mut tag = format!("{} {}", command.get_name(), sub.get_name());
            for arg in sub.get_positionals() {
                let name = arg.get_id().as_str().to_uppercase();
                let (open, close) = if arg.is_required_set() {
                    (" ", "")
                } else {
                    (" [", "]")
                };
                tag.push_str(&format!("{open}{name}{close}"));
            }
            let about = sub.get_about().map(ToString::to_string);
            self.entry(&tag, &format!("{}.", about.unwrap_or_default()));
        }
    }

    /// The options as clap_mangen writes them, without its heading.
    fn options<'a>(&mut self, args: impl Iterator<Item = &'a Arg>) {
        let only = Command::new(NAME)
            .version(crate::report::VERSION)
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args(args.cloned());
        let mut out = Vec::new();
        let _ = Man::new(only).render_options_section(&mut out);
        let text = String::from_utf8_lossy(&out).into_owned();
        if let Some((_, options)) = text.split_once(".SH OPTIONS\n") {
            self.add(options);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command and every option stands in the page, and every exit status.
    #[test]
    fn the_page_is_whole() {
        let page = String::from_utf8(man()).unwrap().replace('\\', "");
        let mut command = Cli::command();
        command.build();
        let commands = command.get_subcommands().filter(|c| c.get_name() != "help");
        for command in commands {
            assert!(
                page.contains(&format!(".SS {}\n", command.get_name())),
                "{}",
                command.get_name()
            );
            let nested = command.get_subcommands().filter(|c| c.get_name() != "help");
            for sub in nested.map(Command::get_name) {
                assert!(
                    page.contains(&format!("{} {sub}", command.get_name())),
                    "{sub}"
                );
            }
            let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
            for long in shown.filter_map(Arg::get_long) {
                assert!(page.contains(&format!("--{long}")), "{long}");
            }
        }
        for exit in Exit::ALL {
            assert!(page.contains(exit.meaning()), "{exit}");
        }
        assert_eq!(page.matches(".ie ").count(), 1);
    }

    #[test]
    fn completions_for_every_shell() {
        use clap::ValueEnum;
        for shell in clap_complete::Shell::value_variants() {
            let text = String::from_utf8(completions(*shell)).unwrap();
            assert!(
                text.contains("dry-run") && text.contains("heartbeats"),
                "{shell}"
            );
        }
    }
}
