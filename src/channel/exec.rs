//! A command of the operator's that gets each message as JSON on its standard input.
//!
//! It runs as the checker does, in a session of its own that is ended as a whole when its time is up.
//! Its environment is a clean one: what is meant for the checker alone, the secrets of other
//! channels above all, is not passed on.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::fs::{Access, OFlags};
use rustix::io::Errno;

use super::{Channel, Trouble, event};
use crate::model::channel::{self as settings, Message};
use crate::model::text::{printed, shortened, visible};
use crate::model::time::exact;
use crate::sys::account::Account;
use crate::sys::beneath::reason;
use crate::sys::job::{self, Job, Outputs};
use crate::sys::program::{PATH_OF_ROOT, find};
use crate::sys::spawn::Exec as Program;

/// What is kept of the end of what it prints on standard error, in bytes.
const LAST_WORDS: usize = 4 << 10;

/// As many characters of its last line are told.
const MOST_SAID: usize = 200;

/// How long it has between TERM and KILL.
const GRACE: Duration = Duration::from_millis(250);

/// How long what it has printed is read after its end, while somebody goes on printing.
const DRAIN: Duration = Duration::from_millis(50);

/// What is taken over from the checker's own environment, where it is there.
const PASSED: [&str; 5] = ["PATH", "HOME", "SHELL", "LANG", "TZ"];

/// A command.
pub struct Exec {
    name: String,
    settings: settings::Exec,
    environment: Vec<(String, OsString)>,
}

impl Exec {
    /// Makes one ready; nothing is run.
    ///
    /// # Errors
    /// There is no command.
    pub fn new(name: &str, settings: &settings::Exec) -> Result<Self, Trouble> {
        if settings.command.first().is_none_or(String::is_empty) {
            return Err(Trouble::hopeless("command: there is none"));
        }
        let own = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Ok(Self {
            name: name.to_owned(),
            settings: settings.clone(),
            environment: environment(&Account::own(), own),
        })
    }

    fn program(&self) -> &str {
        self.settings.command.first().map_or("", String::as_str)
    }

    /// The program's file.
    fn found(&self) -> Result<PathBuf, Trouble> {
        let path = self.environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map(|(_, value)| value.clone()).unwrap_or_default();
        let found = program(&self.settings, &path);
        found.map_err(|why| Trouble::passing(format!("command: {why}")))
    }

    /// A sentence about the command.
    fn says(&self, why: &str) -> String {
        format!("{}: {why}", visible(self.program()))
    }

    fn ready(&self) -> Result<Program, Trouble> {
        let path = self.found()?;
        let args = self.settings.command.iter();
        let args = args.map(|text| text.clone().into_bytes());
        let entries = self.environment.iter().map(|(name, value)| {
            let mut entry = OsString::from(name);
            entry.push("=");
            entry.push(value);
            entry.into_encoded_bytes()
        });
        let program = Program::new(&path, args, entries, Path::new("/"), None);
        let program = program.map_err(|why| Trouble::hopeless(self.says(&why)))?;
        Ok(program.with_input())
    }

    /// Runs it to its end.
    fn run(&self, input: &str, until: Instant) -> Result<(), Trouble> {
        let program = self.ready()?;
        let start = Instant::now();
        // TERM and KILL are within the time, too.
        let own = start.checked_add(self.settings.timeout).unwrap_or(until);
        let last = until.checked_sub(GRACE).unwrap_or(until);
        let limit = own.min(last);
        let passed = match own <= last {
            true => format!(
                "it took longer than its timeout of {}",
                exact(self.settings.timeout)
            ),
            false => "it took longer than the time that channels have in a run".to_owned(),
        };
        let left = limit.saturating_duration_since(start);
        if left.is_zero() {
            return Err(Trouble::passing(
                self.says("no time is left for it in this run"),
            ));
        }
        let (job, outputs) = Job::start(program, left).map_err(|why| {
            Trouble::passing(match why {
                Some(e) => self.says(&format!("it could not be started: {}", e.cause())),
                None => self.says("starting it came to no end; does a mount not answer?"),
            })
        })?;
        let mut watch = Watch::new(&job, outputs, input);
        let ended = watch.until_the_end(limit);
        let words = watch.last_line();
        let said = |why: String| match words.is_empty() {
            true => self.says(&why),
            false => self.says(&format!("{why}: {words}")),
        };
        if !ended {
            job.terminate();
            let until = Instant::now() + GRACE;
            while !job.is_gone() && Instant::now() < until {
                let _ = job::wait(&[job.end().filter(|_| !job.has_ended())], job::LOOK);
            }
            // All that is left gets KILL with this.
            drop(job);
            return Err(Trouble::passing(said(format!("{passed}, and was ended"))));
        }
        match failure(job.reap()) {
            None => Ok(()),
            Some(why) => Err(Trouble::passing(said(why))),
        }
    }
}

impl Channel for Exec {
    fn send(&mut self, message: &Message, until: Instant) -> Result<String, Trouble> {
        let event = event::of(&self.name, message).map_err(Trouble::hopeless)?;
        self.run(&format!("{event}\n"), until)?;
        Ok(String::new())
    }

    fn look(&mut self, _until: Instant) -> Result<String, Trouble> {
        let path = self.found()?;
        let path = path.to_string_lossy();
        Ok(format!(
            "{} would be run; whether it delivers, only a message shows",
            visible(&path)
        ))
    }
}

/// The file of a command's program, sought in a `PATH`.
///
/// # Errors
/// A sentence: it is not there, or may not be executed.
pub fn program(settings: &settings::Exec, path: &OsStr) -> Result<PathBuf, String> {
    let name = settings.command.first().map_or("", String::as_str);
    let file = find(name, path)?;
    let why = match rustix::fs::access(&file, Access::EXEC_OK) {
        Ok(()) if !file.is_dir() => return Ok(file),
        Ok(()) => Errno::ISDIR,
        Err(e) => e,
    };
    let shown = file.to_string_lossy();
    Err(format!("{}: {}", visible(&shown), reason(why)))
}

/// Why an end is not a good one; `None` where it is.
fn failure(status: Option<ExitStatus>) -> Option<String> {
    let Some(status) = status else {
        return Some("how it ended is not known".to_owned());
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit code {code}")),
        (None, Some(signal)) => Some(format!("killed by {}", job::signal_name(signal))),
        (None, None) => Some("how it ended is not known".to_owned()),
    }
}

/// What it is told by its environment.
fn environment(
    account: &Account,
    own: impl Fn(&str) -> Option<OsString>,
) -> Vec<(String, OsString)> {
    let path = match account.uid {
        0 => PATH_OF_ROOT,
        _ => "/usr/local/bin:/usr/bin:/bin",
    };
    let or = |path: &Option<PathBuf>, other: &str| match path {
        Some(path) => path.clone().into_os_string(),
        None => other.into(),
    };
    let mut all = vec![
        ("USER".to_owned(), OsString::from(&account.name)),
        ("LOGNAME".to_owned(), OsString::from(&account.name)),
    ];
    for name in PASSED {
        let value = own(name).or_else(|| match name {
            "PATH" => Some(path.into()),
            "HOME" => Some(or(&account.home, "/")),
            "SHELL" => Some(or(&account.shell, "/bin/sh")),
            "LANG" => Some("C.UTF-8".into()),
            _ => None,
        });
        all.extend(value.map(|value| (name.to_owned(), value)));
    }
    all
}

/// A command that is watched.
struct Watch<'a> {
    job: &'a Job,
    outputs: Outputs,
    /// What it is still to be told.
    input: &'a [u8],
    words: Vec<u8>,
}

impl<'a> Watch<'a> {
    fn new(job: &'a Job, outputs: Outputs, input: &'a str) -> Self {
        if let Some(stdin) = &outputs.stdin {
            // A pipe's end of our own, which always takes this.
            let _ = rustix::fs::fcntl_setfl(stdin, OFlags::NONBLOCK);
        }
        Self {
            job,
            outputs,
            input: input.as_bytes(),
            words: Vec::new(),
        }
    }

    /// Feeds it and reads what it prints until it has ended; false where the time was up first.
    fn until_the_end(&mut self, limit: Instant) -> bool {
        while !self.job.has_ended() {
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.feed();
            if let Some(stdin) = &self.outputs.stdin {
                job::wait_writable(stdin.as_fd(), left.min(job::LOOK));
            }
            let pause = match (self.outputs.stdin.is_some(), self.job.end()) {
                (true, _) => Duration::ZERO,
                (false, Some(_)) => left,
                (false, None) => left.min(job::LOOK),
            };
            let [stdout, stderr] = [&self.outputs.stdout, &self.outputs.stderr];
            let fds = [stdout, stderr].map(|fd| fd.as_ref().map(|fd| fd.as_fd()));
            let [_, out, err] = job::wait(&[self.job.end(), fds[0], fds[1]], pause);
            if out {
                self.read(false);
            }
            if err {
                self.read(true);
            }
        }
        // Whoever was left behind may hold the pipe for ever, so nobody is waited for.
        let until = Instant::now() + DRAIN;
        while self.read(true) && Instant::now() < until {}
        true
    }

    /// Tells it what has room. One that does not read to the end wants to know no more.
    fn feed(&mut self) {
        while let Some(stdin) = &self.outputs.stdin {
            match self.input.is_empty() {
                true => self.outputs.stdin = None,
                false => match rustix::io::write(stdin, self.input) {
                    Ok(n) => self.input = &self.input[n..],
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => return,
                    Err(_) => self.outputs.stdin = None,
                },
            }
        }
    }

    /// Takes what is there, once. False where there is nothing, or never will be again.
    fn read(&mut self, stderr: bool) -> bool {
        let output = match stderr {
            true => &mut self.outputs.stderr,
            false => &mut self.outputs.stdout,
        };
        let mut buffer = [0; 4 << 10];
        match output
            .as_ref()
            .map(|fd: &OwnedFd| rustix::io::read(fd, &mut buffer))
        {
            None | Some(Err(Errno::AGAIN | Errno::INTR)) => false,
            Some(Ok(n)) if n > 0 => {
                if stderr {
                    self.words.extend_from_slice(&buffer[..n]);
                    let over = self.words.len().saturating_sub(LAST_WORDS);
                    self.words.drain(..over);
                }
                true
            }
            Some(_) => {
                *output = None;
                false
            }
        }
    }

    /// The last line that it has printed on standard error, fit to be told.
    fn last_line(&self) -> String {
        let lines = self.words.split(|byte| *byte == b'\n' || *byte == b'\r');
        let mut lines = lines
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty());
        let line = lines.next_back().unwrap_or_default();
        shortened(&printed(line), MOST_SAID).into_owned()
    }
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
