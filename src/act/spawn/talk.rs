//! The conversation with a keeper: what it is told, and its answer.

use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::spec::Answer;
use crate::act::run::Scene;
use crate::model::action::StepResult;
use crate::sys::job::{self, Outputs};

/// Answers are short; what a keeper says before it dies may be a little more.
const LONGEST: usize = 64 << 10;

/// A conversation with a keeper.
pub(super) struct Talk<'a, 'b> {
    /// How messages call it.
    pub(super) keeper: String,
    pub(super) scene: &'a Scene<'b>,
    /// When there must be an answer.
    pub(super) until: Instant,
}

impl Talk<'_, '_> {
    /// Tells it what to do and hears its answer.
    ///
    /// # Errors
    /// What came of the step, and a sentence: there was none.
    pub(super) fn with(
        &self,
        outputs: Outputs,
        spec: &[u8],
    ) -> Result<Answer, (StepResult, String)> {
        let Outputs {
            stdin,
            stdout,
            stderr,
        } = outputs;
        if let Some(stdin) = stdin {
            self.tell(stdin, spec)?;
        }
        let mut said = Vec::new();
        if let Some(stdout) = &stdout {
            self.hear(stdout, &mut said)?;
        }
        if let Ok(answer) = serde_json::from_slice(&said) {
            return Ok(answer);
        }
        let mut last_words = vec![0; 1024];
        let heard = stderr
            .as_ref()
            .and_then(|fd| rustix::io::read(fd, &mut last_words).ok());
        last_words.truncate(heard.unwrap_or(0));
        let words = String::from_utf8_lossy(&last_words).trim().to_owned();
        let mut error = "its keeper ended without an answer".to_owned();
        if !words.is_empty() {
            error = format!("{error}: {words}");
        }
        Err((StepResult::Failed, error))
    }

    /// Writes the specification. Where the keeper is gone it has no reader, which its missing
    /// answer will tell.
    fn tell(&self, stdin: OwnedFd, mut spec: &[u8]) -> Result<(), (StepResult, String)> {
        let _ = rustix::fs::fcntl_setfl(&stdin, OFlags::NONBLOCK);
        while !spec.is_empty() {
            match rustix::io::write(&stdin, spec) {
                Ok(n) => spec = &spec[n..],
                Err(Errno::AGAIN) => self.wait_to_write(&stdin)?,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        // The end of what is told. A socket has another end open still; a pipe does not mind.
        let _ = UnixStream::from(stdin).shutdown(Shutdown::Write);
        Ok(())
    }

    fn wait_to_write(&self, stdin: &OwnedFd) -> Result<(), (StepResult, String)> {
        self.in_time()?;
        job::wait_writable(stdin.as_fd(), job::LOOK);
        Ok(())
    }

    /// Reads until the end of a line, or until there is nobody left who could write one.
    fn hear(&self, stdout: &OwnedFd, said: &mut Vec<u8>) -> Result<(), (StepResult, String)> {
        let mut buffer = vec![0; 4096];
        while !said.ends_with(b"\n") && said.len() < LONGEST {
            match rustix::io::read(stdout, &mut buffer) {
                Ok(0) => break,
                Ok(n) => said.extend_from_slice(&buffer[..n]),
                Err(Errno::AGAIN | Errno::INTR) => {
                    self.in_time()?;
                    let left = self.until.saturating_duration_since(Instant::now());
                    let on = [Some(stdout.as_fd()), Some(self.scene.stop)];
                    let _ = job::wait(&on, left);
                }
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn in_time(&self) -> Result<(), (StepResult, String)> {
        if Instant::now() < self.until && !self.scene.is_stopped() {
            return Ok(());
        }
        let keeper = &self.keeper;
        let error = format!("the run's deadline came before its keeper ({keeper}) had answered");
        Err((StepResult::CutOff, error))
    }
}
