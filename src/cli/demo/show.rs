//! What the demo shows: each command as an operator would type it, and what it really printed.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::stage::Stage;
use crate::cli::out;
use crate::model::exit::{Exit, Failure};
use crate::model::text::printed;
use crate::model::time::millis;
use crate::sys::daemon::Signals;
use crate::sys::job;

/// How long one command may take: as all of it is to take less than that, a multiple.
const LIMIT: Duration = Duration::from_secs(30);

/// How often is looked whether something has come to be.
const LOOK: Duration = Duration::from_millis(5);

/// How far apart a signal to all of a terminal's processes may come to two of them.
const ECHO: Duration = Duration::from_millis(200);

/// Why the demo comes to an end before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something that it promises did not happen.
    Broken(String),
    /// We are told to, by this signal.
    Told(&'static str),
    /// Nobody reads on.
    Unread,
    /// Something could not be done.
    Failed(Failure),
}

/// One command that was run.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What it is there for.
    about: String,
    /// As an operator would type it.
    command: String,
    /// Null where it was ended by a signal.
    exit_code: Option<i32>,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// What it printed.
    output: String,
}

/// Shows, or keeps for a document.
#[derive(Debug)]
pub(super) struct Show {
    program: PathBuf,
    config: PathBuf,
    signals: Signals,
    /// Whether it is for people who watch.
    aloud: bool,
    color: bool,
    about: String,
    /// What was run so far.
    pub(super) steps: Vec<Step>,
}

impl Show {
    /// A show with nothing in it yet.
    ///
    /// # Errors
    /// This program's own file cannot be told.
    pub(super) fn new(
        stage: &Stage,
        signals: Signals,
        aloud: bool,
        color: bool,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|e| {
            let why = format!("finding out which file this program is: {e}; is /proc mounted?");
            Failure::new(Exit::CannotWrite, why)
        })?;
        Ok(Self {
            program,
            config: stage.path("config.yaml"),
            signals,
            aloud,
            color,
            about: String::new(),
            steps: Vec::new(),
        })
    }

    /// Says what comes next.
    ///
    /// # Errors
    /// Nobody reads it, or it is time to stop.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Stop> {
        text.clone_into(&mut self.about);
        let (on, off) = match self.color {
            true => ("\x1b[1m", "\x1b[0m"),
            false => ("", ""),
        };
        self.print(&format!("\n{on}{text}{off}\n"))
    }

    /// Prints what people are to read.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub(super) fn print(&mut self, text: &str) -> Result<(), Stop> {
        self.pause(Duration::ZERO)?;
        if !self.aloud {
            return Ok(());
        }
        match out::is_read(|out| out.write_all(text.as_bytes())) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stop::Unread),
            Err(failure) => Err(Stop::Failed(failure)),
        }
    }

    /// Runs the program as an operator would, and shows what it says. Its exit status must be this
    /// one.
    ///
    /// # Errors
    /// It is another, or it is time to stop.
    pub(super) fn run(&mut self, args: &[&str], exit: Exit) -> Result<(), Stop> {
        let command = format!("lazarus-pit {}", args.join(" "));
        self.print(&format!("$ {command}\n"))?;
        let began = Instant::now();
        let (status, output) = self.output(args)?;
        let output = output.lines().map(|line| self.fit(line) + "\n");
        let output: String = output.collect();
        self.print(&output)?;
        let expected = i32::from(exit.code());
        if status != Some(0) {
            let status = status.map_or("ended by a signal".to_owned(), |n| format!("exit {n}"));
            self.print(&format!("({status})\n"))?;
        }
        self.steps.push(Step {
            about: self.about.clone(),
            command: command.clone(),
            exit_code: status,
            duration_ms: millis(began.elapsed()),
            output,
        });
        match status == Some(expected) {
            true => Ok(()),
            false => Err(Stop::Broken(format!(
                "`{command}` was to exit with {exit}, and did with {}",
                status.map_or("a signal".to_owned(), |n| n.to_string())
            ))),
        }
    }

    /// What a line may have: colours are ours, all else of agents and files is written out.
    fn fit(&self, line: &str) -> String {
        match self.color {
            true => line.to_owned(),
            false => printed(line.as_bytes()).into_owned(),
        }
    }

    /// Shows something that we do ourselves, as the command by which an operator would.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub(super) fn act(&mut self, command: &str) -> Result<(), Stop> {
        self.print(&format!("$ {command}\n"))?;
        self.steps.push(Step {
            about: self.about.clone(),
            command: command.to_owned(),
            exit_code: Some(0),
            duration_ms: 0,
            output: String::new(),
        });
        Ok(())
    }

    /// Waits for something to be so.
    ///
    /// # Errors
    /// It was not within `limit`: then `what` was promised and did not happen. Or it is time to stop.
    pub(super) fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut ask: impl FnMut() -> Option<T>,
    ) -> Result<T, Stop> {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return Ok(answer);
            }
            if began.elapsed() > limit {
                return Err(Stop::Broken(format!(
                    "{what} did not happen within {limit:?}"
                )));
            }
            self.pause(LOOK)?;
        }
    }

    /// Waits that long, or until we are told to stop.
    fn pause(&self, most: Duration) -> Result<(), Stop> {
        let _ = job::wait(&[Some(self.signals.as_fd())], most);
        match self.signals.heard().stop {
            Some(signal) => Err(Stop::Told(signal)),
            None => Ok(()),
        }
    }

    /// Runs the program: its exit status, and both its streams as they came.
    fn output(&self, args: &[&str]) -> Result<(Option<i32>, String), Stop> {
        let failed = |e: io::Error| {
            let program = self.program.display();
            let why = format!("running {program} {}: {e}", args.join(" "));
            Stop::Failed(Failure::new(Exit::CannotWrite, why))
        };
        let (reader, writer) = io::pipe().map_err(failed)?;
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .args(["--color", if self.color { "always" } else { "never" }])
            .env("LAZARUS_PIT_CONFIG", &self.config)
            .env_remove("LAZARUS_PIT_STATE_DIR")
            .env_remove("RUST_LOG")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .stderr(writer.try_clone().map_err(failed)?)
            .stdout(writer);
        let mut child = command.spawn().map_err(failed)?;
        // It holds our ends of the pipe.
        drop(command);
        let read = self.read(reader);
        if read.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(failed)?.code();
        let output = read?;
        if status.is_none() {
            // The terminal's Ctrl-C is for both of us, and may have come to it first.
            let until = Instant::now() + ECHO;
            while Instant::now() < until {
                self.pause(LOOK)?;
            }
        }
        Ok((status, output))
    }

    fn read(&self, mut from: io::PipeReader) -> Result<String, Stop> {
        let began = Instant::now();
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 16 << 10];
        loop {
            let [ready, _] = job::wait(&[Some(from.as_fd()), Some(self.signals.as_fd())], LIMIT);
            if ready {
                match from.read(&mut buffer) {
                    Ok(0) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                    Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(Stop::Broken(format!("reading what it prints: {e}"))),
                }
            }
            self.pause(Duration::ZERO)?;
            if began.elapsed() > LIMIT {
                return Err(Stop::Broken(format!("it did not end within {LIMIT:?}")));
            }
        }
    }
}
