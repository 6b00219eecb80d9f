//! The program's front: arguments in, exit status out.

pub mod args;
mod check;
mod out;
mod setup;

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};

use crate::model::exit::{Exit, Failure};
use args::{Cli, Command, Common};

/// Runs the program with the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    guarded(|| run(&args), out::wants_json(&args)).into()
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
fn guarded(work: impl FnOnce() -> Ending, json: Option<&'static str>) -> Ending {
    std::panic::set_hook(Box::new(|info| {
        // The place and nothing else: a panic's own text may hold what must not be shown.
        let place = info
            .location()
            .map(|l| format!("{}:{}", l.file(), l.line()))
            .unwrap_or_default();
        out::complain(&format!(
            "a defect in lazarus-pit at {place}; please report it"
        ));
    }));
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(ending) => ending,
        Err(_) => {
            if let Some(schema) = json {
                out::error_document(
                    schema,
                    Exit::Defect,
                    "a defect in lazarus-pit; its place is on standard error",
                );
            }
            Exit::Defect.into()
        }
    }
}

fn run(args: &[std::ffi::OsString]) -> Ending {
    let json = out::wants_json(args);
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(e) => return refused(&e, json),
    };
    start_log(&cli.common);
    let common = &cli.common;
    let done = match cli.command {
        None => check::check(common, &cli.check),
        Some(Command::Check(check)) => check::check(common, &check),
        Some(_) => Err(Failure::new(Exit::Usage, "not here yet")),
    };
    done.unwrap_or_else(|failure| {
        out::complain(&failure.message);
        if let Some(schema) = json {
            out::error_document(schema, failure.exit, &failure.message);
        }
        failure.exit.into()
    })
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
fn refused(e: &clap::Error, json: Option<&'static str>) -> Ending {
    let text = e.render();
    if !e.use_stderr() {
        return match out::print(text.to_string().as_bytes()) {
            Ok(()) => Exit::Healthy.into(),
            Err(failure) => failure.exit.into(),
        };
    }
    let text = text.to_string();
    out::complain(text.trim_end().trim_start_matches("error: "));
    if let Some(schema) = json {
        let first = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        out::error_document(schema, Exit::Usage, first);
    }
    Exit::Usage.into()
}

fn start_log(common: &Common) {
    let level = match common.verbose {
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
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level))
        .write_style(style)
        .init();
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
        assert_eq!(guarded(|| panic!("secret"), None), Exit::Defect.into());
        assert_eq!(guarded(|| Exit::InHand.into(), None), Exit::InHand.into());
        let _ = std::panic::take_hook();
    }
}
