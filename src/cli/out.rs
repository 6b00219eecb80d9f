//! Standard output and standard error.

use std::ffi::OsString;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::Ending;
use super::args::Color;
use crate::model::cell::Warning;
use crate::model::exit::{Exit, Failure};
use crate::model::text::visible;
use crate::report::nagios;

/// What a run with these arguments owes standard output whatever happens. It is told from the raw
/// arguments, because it is owed even where they cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// Nothing.
    Nothing,
    /// One JSON document of this schema.
    Json(&'static str),
    /// A monitoring plugin's line.
    Nagios,
}

impl Owed {
    /// By the arguments of the process.
    pub(super) fn by(args: &[OsString]) -> Self {
        let words: Vec<&str> = args
            .iter()
            .skip(1)
            .filter_map(|a| a.to_str())
            .take_while(|a| *a != "--")
            .collect();
        let format = |name: &str| {
            words.contains(&format!("--format={name}").as_str())
                || words.windows(2).any(|w| w == ["--format", name])
        };
        if format("nagios") {
            return Self::Nagios;
        }
        let schema = words.iter().find_map(|word| {
            Some(match *word {
                "check" => "lazarus-pit/report/1",
                "init" => "lazarus-pit/init/1",
                "list" | "--list-cells" => "lazarus-pit/list/1",
                "status" | "--status" => "lazarus-pit/status/1",
                "explain" => "lazarus-pit/explain/1",
                "plan" if words.contains(&"test") => "lazarus-pit/plan-test/1",
                "plan" if words.contains(&"show") => "lazarus-pit/plan-show/1",
                "plan" => "lazarus-pit/plan-lint/1",
                "channel" if words.contains(&"test") => "lazarus-pit/channel-test/1",
                "channel" => "lazarus-pit/channel-list/1",
                "simulate" => "lazarus-pit/simulate/1",
                "approve" => "lazarus-pit/approve/1",
                "deny" => "lazarus-pit/deny/1",
                "pause" => "lazarus-pit/pause/1",
                "resume" => "lazarus-pit/resume/1",
                "reset" => "lazarus-pit/reset/1",
                "start" => "lazarus-pit/start/1",
                "restart" => "lazarus-pit/restart/1",
                "ps" => "lazarus-pit/ps/1",
                "close" => "lazarus-pit/close/1",
                "destroy" => "lazarus-pit/destroy/1",
                "history" => "lazarus-pit/history/1",
                "logs" => "lazarus-pit/logs/1",
                "demo" => "lazarus-pit/demo/1",
                "beat" => "lazarus-pit/beat/1",
                "heartbeats" => "lazarus-pit/heartbeats/1",
                "health" => "lazarus-pit/health/1",
                "doctor" => "lazarus-pit/doctor/1",
                "import" => "lazarus-pit/import/1",
                _ => return None,
            })
        });
        // `--status` is `status --json` for `check`; for `beat` it is the agent's own word.
        let old = words.contains(&"--status") && schema != Some("lazarus-pit/beat/1");
        if !old && !words.contains(&"--json") && !format("json") && !format("jsonl") {
            return Self::Nothing;
        }
        Self::Json(schema.unwrap_or("lazarus-pit/report/1"))
    }

    /// Says on standard output that nothing came of it, if that is owed; returns what to exit with.
    pub(super) fn failed(self, exit: Exit, message: &str) -> Ending {
        match self {
            Self::Nothing => exit.into(),
            Self::Json(schema) => {
                error_document(schema, exit, message);
                exit.into()
            }
            Self::Nagios => {
                let (line, code) = nagios::failure(message);
                let _ = print(format!("{line}\n").as_bytes());
                Ending(code)
            }
        }
    }
}

/// Writes an error's document.
fn error_document(schema: &'static str, exit: Exit, message: &str) {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        error: Body<'a>,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        code: u8,
        message: &'a str,
    }
    if BROKEN.load(Ordering::Relaxed) {
        return;
    }
    // Where standard output is gone there is nobody left to tell.
    let _ = json(&Document {
        schema,
        error: Body {
            code: exit.code(),
            message,
        },
    });
}

/// Tells the operator what went wrong, on standard error.
pub(super) fn complain(message: &str) {
    // Lines are kept, whatever else could confuse a terminal is not.
    let shown: Vec<_> = message.lines().map(visible).collect();
    let _ = writeln!(io::stderr(), "lazarus-pit: error: {}", shown.join("\n"));
}

/// A text of several lines, made harmless line by line.
pub(super) fn harmless(text: &str) -> String {
    let shown: Vec<_> = text.lines().map(visible).collect();
    shown.join("\n")
}

/// Tells the operator what is worth knowing, on standard error.
pub(super) fn warn(message: &str) {
    let _ = writeln!(io::stderr(), "lazarus-pit: warning: {}", visible(message));
}

/// Tells of a warning, and what it is about.
pub(super) fn warn_of(warning: &Warning) {
    match &warning.subject {
        Some(subject) => warn(&format!("{subject}: {}", warning.message)),
        None => warn(&warning.message),
    }
}

/// Whether standard output is to be coloured: `$NO_COLOR` (no-color.org) counts where nothing else
/// was asked for.
pub(super) fn wants_color(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            !refused && io::stdout().is_terminal()
        }
    }
}

/// Writes to standard output. A reader that has gone away is no error: it had what it wanted.
///
/// # Errors
/// Standard output cannot be written for another reason, such as a full disk.
pub(super) fn with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    is_read(write).map(drop)
}

/// As [`with`]; false where the reader has gone away, for whoever would write on.
///
/// # Errors
/// As [`with`].
pub(super) fn is_read(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<bool, Failure> {
    let mut out = BufWriter::with_capacity(256 << 10, io::stdout().lock());
    let done = write(&mut out).and_then(|()| out.flush());
    // What could not be written is not tried again behind our back when the writer is dropped.
    let _ = out.into_parts();
    match done {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => {
            BROKEN.store(true, Ordering::Relaxed);
            Err(Failure::new(
                Exit::CannotWrite,
                format!("writing to standard output: {e}"),
            ))
        }
    }
}

/// Whether standard output failed: then no document about that failure is put behind what it has.
static BROKEN: AtomicBool = AtomicBool::new(false);

/// Writes bytes to standard output.
///
/// # Errors
/// As [`with`].
pub(super) fn print(bytes: &[u8]) -> Result<(), Failure> {
    with(|out| out.write_all(bytes))
}

/// Writes one JSON document to standard output.
///
/// # Errors
/// As [`with`].
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    with(|mut out| crate::report::json::to_writer(value, &mut out))
}

/// Shows on the terminal how far a long look is.
pub(super) fn progress(done: usize, of: usize) {
    SHOWN.store(true, Ordering::Relaxed);
    let _ = write!(io::stderr(), "\r\x1b[Klooking at the cells: {done} of {of}");
}

/// Takes the progress line away, if there is one.
pub(super) fn end_progress() {
    if SHOWN.swap(false, Ordering::Relaxed) {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

/// Whether a progress line stands on the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_is_told_from_the_raw_arguments() {
        for (line, owed) in [
            ("check", Owed::Nothing),
            ("--json", Owed::Json("lazarus-pit/report/1")),
            ("check --format jsonl", Owed::Json("lazarus-pit/report/1")),
            ("--format=nagios --json", Owed::Nagios),
            ("init x --json", Owed::Json("lazarus-pit/init/1")),
            ("--status", Owed::Json("lazarus-pit/status/1")),
            ("beat a --status thinking", Owed::Nothing),
            ("beat a --status x --json", Owed::Json("lazarus-pit/beat/1")),
            ("init -- --json", Owed::Nothing),
            ("plan lint --json", Owed::Json("lazarus-pit/plan-lint/1")),
            ("explain a --json", Owed::Json("lazarus-pit/explain/1")),
            ("start a --json", Owed::Json("lazarus-pit/start/1")),
            ("restart a --json", Owed::Json("lazarus-pit/restart/1")),
            (
                "pause a --reason x --json",
                Owed::Json("lazarus-pit/pause/1"),
            ),
        ] {
            let words = ["lazarus-pit"].into_iter().chain(line.split(' '));
            let args: Vec<OsString> = words.map(OsString::from).collect();
            assert_eq!(Owed::by(&args), owed, "{line}");
        }
    }
}
