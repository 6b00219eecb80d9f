//! Asking: all probes of a run, side by side, each within its own time and all within the run's.
//!
//! Whoever is asked may never answer, a name may never be found, a mount may hang. So the thread
//! that orders the run asks nobody itself: others do, so many at once and no more, and one that
//! does not come back is given up with its question.

mod exec;
mod file;
mod http;
mod json;
mod lanes;
pub mod pids;
mod places;
mod process;
mod tcp;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::Look;
use crate::model::action::Place;
use crate::model::probe::{Answer, Asks, Measured, ProcessWhich, Question, Word};
use crate::model::text::{shortened, visible};
use crate::model::time::{Timestamp, exact};
use crate::sys::environment::Own;

/// Who asks, and by what rules.
#[derive(Clone, Debug)]
pub struct Asker {
    /// How cells are looked at.
    pub look: Arc<Look>,
    /// The missions root as templates name it.
    pub told_root: PathBuf,
    /// By when all has to be answered.
    pub until: Instant,
    /// The run's `now`: ages are held against it.
    pub now: Timestamp,
    /// What commands are told of our own environment.
    pub own: Own,
}

/// What all questions of a run share.
struct Common {
    asker: Asker,
    /// All processes, looked at once, by the first who asks.
    processes: OnceLock<process::Processes>,
}

/// One question, and about whom.
#[derive(Clone, Debug)]
pub struct About {
    /// Where the subject is.
    pub place: Arc<Place>,
    /// The question.
    pub question: Question,
}

/// Asks all of them, and returns an answer to each, in their order. It takes no longer than until
/// the asker's deadline, and a moment.
#[must_use]
pub fn ask(all: Vec<About>, asker: Asker) -> Vec<Answer> {
    let common = Common {
        asker,
        processes: OnceLock::new(),
    };
    lanes::ask(all, common)
}

/// What came back, before anybody knows how long it took.
struct Reply {
    word: Word,
    message: String,
    measured: Option<Measured>,
}

impl Reply {
    fn good(message: impl Into<String>) -> Self {
        Self::new(Word::Good, message)
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(Word::Bad, message)
    }

    fn not_asked(message: impl Into<String>) -> Self {
        Self::new(Word::NotAsked, message)
    }

    fn new(word: Word, message: impl Into<String>) -> Self {
        Self {
            word,
            message: message.into(),
            measured: None,
        }
    }

    fn measuring(self, id: u64, value: u64) -> Self {
        let measured = Some(Measured { id, value });
        Self { measured, ..self }
    }
}

/// A time limit for people: the parts of a millisecond that were lost on the way do not count.
fn limit(began: Instant, until: Instant) -> String {
    let nanos = until.saturating_duration_since(began).as_nanos();
    let millis = u64::try_from((nanos + 500_000) / 1_000_000).unwrap_or(u64::MAX);
    exact(Duration::from_millis(millis))
}

/// Asks one question. It may hang, but for a server whose name was `found`.
fn one(about: &About, until: Instant, common: &Common, found: &AtomicBool) -> Reply {
    let place = &about.place;
    match &about.question.asks {
        Err(why) => Reply::not_asked(format!("it cannot be filled in: {why}")),
        Ok(Asks::Tcp(address)) => tcp::ask(address, until, found),
        Ok(Asks::Http(http)) => http::ask(http, until, common, found),
        Ok(Asks::Process { which, busy }) => process::ask(which, *busy, place, common),
        Ok(Asks::Exec(command)) => exec::ask(command, place, until, common),
        Ok(Asks::File(file)) => file::ask(file, common),
    }
}

/// A question as messages call it: nothing of a URL but its host, of a command its program alone.
fn called(question: &Question) -> String {
    let short = |text: &str| visible(&shortened(text, 120)).into_owned();
    match &question.asks {
        Err(_) => format!("{} probe", question.kind),
        Ok(Asks::Tcp(address)) => format!("tcp {}", short(address)),
        Ok(Asks::Http(http)) => short(&crate::net::named("GET", &http.url)),
        Ok(Asks::Process { which, .. }) => match which {
            ProcessWhich::Pattern(pattern) => format!("process /{}/", short(pattern)),
            ProcessWhich::Pidfile(path) => format!("process of {}", short(path)),
            ProcessWhich::HeartbeatPid => "process of its heartbeat".to_owned(),
        },
        Ok(Asks::Exec(command)) => {
            format!("exec {}", short(command.first().map_or("", String::as_str)))
        }
        Ok(Asks::File(file)) => format!("file {}", short(&file.path)),
    }
}

/// What did not come back in time, by what it is that hangs then: all else has its own limit.
fn hung(question: &Question) -> &'static str {
    match &question.asks {
        Ok(Asks::Tcp(_) | Asks::Http(_)) => "looking up its host's name came to no end",
        Ok(Asks::File(_)) => "its file system does not answer",
        Ok(Asks::Exec(_)) => "starting it came to no end",
        _ => "looking at it came to no end",
    }
}
