//! Every status that the program ends with, in one place.

use std::fmt;

/// How a run or a command ended. The numbers are public: cron, systemd, Nagios and CI read them.
///
/// 0 to 2 are also what monitoring plugins mean by OK, WARNING and CRITICAL; 64 and above are
/// those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Every subject in scope is healthy.
    Healthy = 0,
    /// Something is down and it is in hand.
    InHand = 1,
    /// Something is down and nobody will bring it back.
    Critical = 2,
    /// The command line was wrong.
    Usage = 64,
    /// The missions root is missing or no directory.
    NoRoot = 66,
    /// A defect in lazarus-pit itself.
    Defect = 70,
    /// State, journal or heartbeat could not be written.
    CannotWrite = 74,
    /// Another run holds the lock.
    Busy = 75,
    /// Configuration or plans are wrong.
    Config = 78,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Exit; 9] = [
        Exit::Healthy,
        Exit::InHand,
        Exit::Critical,
        Exit::Usage,
        Exit::NoRoot,
        Exit::Defect,
        Exit::CannotWrite,
        Exit::Busy,
        Exit::Config,
    ];

    /// The number that the process exits with.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in the words of the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Healthy => "every subject in scope is healthy",
            Exit::InHand => "something is down and it is in hand",
            Exit::Critical => "something is down and nobody will bring it back",
            Exit::Usage => "wrong use of the command line",
            Exit::NoRoot => "missions root missing or not a directory",
            Exit::Defect => "a defect in lazarus-pit",
            Exit::CannotWrite => "state, journal or heartbeat could not be written",
            Exit::Busy => "another run holds the lock; nothing was done",
            Exit::Config => "configuration or plans are wrong; nothing was done",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code(), self.meaning())
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Something that ends the run: what to exit with, and what to tell the operator.
#[derive(Debug)]
pub struct Failure {
    /// The status to exit with.
    pub exit: Exit,
    /// What was tried, on what, why it failed, and what to do next.
    pub message: String,
}

impl Failure {
    /// A failure with its message.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
