//! The program's front: arguments in, exit status out.

pub mod args;
mod cells;
mod channel;
mod check;
mod close;
mod compared;
mod demo;
mod destroy;
mod doctor;
mod explain;
mod generate;
mod health;
mod history;
mod import;
mod list;
mod logs;
mod out;
mod plan;
mod plan_test;
mod ps;
mod remembered;
mod setup;
mod simulate;
mod start;
mod status;
mod subject;
mod words;

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};

use crate::model::exit::{Exit, Failure};
use crate::report::processes::Extent;
use args::{Cli, Command, Common};
use out::Owed;
use setup::Setup;

/// Runs the program with the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    // Before anything else: a keeper stays small, and has nothing to say to anybody.
    if args
        .get(1)
        .is_some_and(|arg| arg == crate::act::spawn::spec::COMMAND)
    {
        return crate::keeper::main(&args[2..]);
    }
    crate::sys::process::block_file_size_signal();
    let owed = Owed::by(&args);
    let ending = guarded(|| run(&args, owed), owed);
    // All that there is to say has been said.
    crate::sys::process::close_standard_streams();
    ending.into()
}

/// What to end with: an exit status, or with `nagios` a plugin's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ending(u8);

impl From<Exit> for Ending {
    fn from(exit: Exit) -> Self {
        Self(exit.code())
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending.0)
    }
}

/// Makes a panic what it is: a defect of ours, with a status of its own, and in a machine format
/// one document all the same.
fn guarded(work: impl FnOnce() -> Ending, owed: Owed) -> Ending {
    std::panic::set_hook(Box::new(|info| {
        // The place and nothing else: a panic's own text may hold what must not be shown.
        let place = info
            .location()
            .map(|l| format!("{}:{}", l.file(), l.line()))
            .unwrap_or_default();
        crate::sys::process::note_defect(&place);
        out::complain(&format!(
            "a defect in lazarus-pit at {place}; please report it"
        ));
    }));
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(ending) => ending,
        Err(_) => owed.failed(
            Exit::Defect,
            "a defect in lazarus-pit; its place is on standard error",
        ),
    }
}

fn run(args: &[std::ffi::OsString], owed: Owed) -> Ending {
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(e) => return refused(&e, owed),
    };
    start_log(&cli.common);
    perform(cli).unwrap_or_else(|failure| {
        out::complain(&failure.message);
        owed.failed(failure.exit, &failure.message)
    })
}

fn perform(cli: Cli) -> Result<Ending, Failure> {
    let common = cli.common;
    let command = cli.command.unwrap_or(Command::Check(cli.check));
    match command {
        // As the earlier tools had it.
        Command::Check(args) if args.status => {
            let common = Common {
                json: true,
                format: None,
                ..common
            };
            status::status(&common, &Setup::load(&common, args.stale_after)?, None)
        }
        Command::Check(args) if args.list_cells => {
            list::list(&common, Setup::load(&common, args.stale_after)?)
        }
        Command::Check(args) => check::check(&common, &args),
        Command::List => list::list(&common, Setup::load(&common, None)?),
        Command::Status { subject } => {
            status::status(&common, &Setup::load(&common, None)?, subject.as_deref())
        }
        Command::Explain { subject } => explain::explain(&common, &subject),
        Command::Plan { command } => plan::plan(&common, command),
        Command::Approve { subject } => {
            words::approve(&common, &Setup::load(&common, None)?, &subject)
        }
        Command::Deny { subject, within } => {
            words::deny(&common, &Setup::load(&common, None)?, &subject, within)
        }
        Command::Pause {
            subject,
            reason,
            within,
        } => {
            let setup = Setup::load(&common, None)?;
            words::pause(&common, &setup, &subject, &reason, within)
        }
        Command::Resume { subject } => {
            words::resume(&common, &Setup::load(&common, None)?, &subject)
        }
        Command::Reset { subject } => words::reset(&common, &Setup::load(&common, None)?, &subject),
        Command::Start(args) => start::start(&common, &args.subject, false, args.deadline),
        Command::Restart(args) => start::start(&common, &args.subject, true, args.deadline),
        Command::History { subject, last } => {
            let setup = Setup::load(&common, None)?;
            history::history(&common, &setup, subject.as_deref(), last)
        }
        Command::Ps {
            subject,
            all,
            living,
        } => {
            let extent = match (all, living) {
                (true, _) => Extent::All,
                (_, true) => Extent::Living,
                _ => Extent::Recent,
            };
            let setup = Setup::load(&common, None)?;
            ps::ps(&common, &setup, subject.as_deref(), extent)
        }
        Command::Close { subject, restart } => {
            close::close(&common, Setup::load(&common, None)?, &subject, restart)
        }
        Command::Destroy {
            cell,
            yes,
            keep_logs,
        } => {
            let setup = Setup::load(&common, None)?;
            destroy::destroy(&common, setup, &cell, yes, keep_logs)
        }
        Command::Logs(args) => logs::logs(&common, &Setup::load(&common, None)?, &args),
        Command::Simulate(args) => simulate::simulate(&common, &args),
        Command::Demo(args) => demo::demo(&common, &args),
        Command::Completions { shell } => {
            out::print(&generate::completions(shell)).map(|()| Exit::Healthy.into())
        }
        Command::Man => out::print(&generate::man()).map(|()| Exit::Healthy.into()),
        Command::Init(args) => cells::init(&common, &args),
        Command::Beat(args) => cells::beat(&common, &args),
        Command::Heartbeats => cells::heartbeats(&common),
        Command::Channel { command } => channel::channel(&common, command),
        Command::Health => health::health(&common),
        Command::Doctor(args) => doctor::doctor(&common, &args),
        Command::Import(args) => import::import(&common, &args),
    }
}

/// Reads the arguments. Options of `check` before another command are refused: `--dry-run` before
/// a command that acts must not be passed over.
fn parse(args: &[std::ffi::OsString]) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(args)?;
    let cli = Cli::from_arg_matches(&matches)?;
    if let Some(name) = matches.subcommand_name() {
        let of_check = args::CheckArgs::ids();
        let misplaced = of_check.iter().find(|id| {
            matches.try_contains_id(id).unwrap_or(false)
                && matches.value_source(id) == Some(ValueSource::CommandLine)
        });
        if let Some(id) = misplaced {
            let message = format!(
                "--{} stands before the command `{name}`; it belongs to `check`: lazarus-pit check --{0}",
                id.replace('_', "-")
            );
            return Err(command.error(clap::error::ErrorKind::ArgumentConflict, message));
        }
    }
    Ok(cli)
}

/// What clap had to say: help and version are answers, everything else is wrong usage. clap's own
/// status for that is 2, which here would mean that something is down.
fn refused(e: &clap::Error, owed: Owed) -> Ending {
    let text = e.render();
    if !e.use_stderr() {
        return match out::print(text.to_string().as_bytes()) {
            Ok(()) => Exit::Healthy.into(),
            Err(failure) => failure.exit.into(),
        };
    }
    let text = text.to_string();
    out::complain(text.trim_end().trim_start_matches("error: "));
    owed.failed(Exit::Usage, said(&text).trim_start_matches("error: "))
}

/// What clap says before it comes to the usage, in one line: a list of what is missing belongs to it.
fn said(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

fn start_log(common: &Common) {
    let level = match common.verbose {
        // A warning is no reason for a mail where all is well.
        0 if common.quiet => "error",
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let style = match common.color {
        args::Color::Auto => env_logger::WriteStyle::Auto,
        args::Color::Always => env_logger::WriteStyle::Always,
        args::Color::Never => env_logger::WriteStyle::Never,
    };
    let logger = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level))
        .write_style(style)
        .build();
    log::set_max_level(logger.filter());
    // It fails where there is a logger already, which is then as good.
    let _ = log::set_boxed_logger(Box::new(OurWords(logger)));
}

/// Passes on what this program itself has to say, whatever `RUST_LOG` asks for: what the HTTP
/// client says holds URLs, and with them secrets.
struct OurWords(env_logger::Logger);

impl log::Log for OurWords {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let ours = metadata.target().split("::").next() == Some("lazarus_pit");
        ours && self.0.enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_panic_is_a_defect_of_ours() {
        assert_eq!(
            guarded(|| panic!("secret"), Owed::Nothing),
            Exit::Defect.into()
        );
        assert_eq!(
            guarded(|| Exit::InHand.into(), Owed::Nothing),
            Exit::InHand.into()
        );
        let _ = std::panic::take_hook();
    }
}
