//! The state file, and bringing it up to its journal.

use std::collections::HashSet;
use std::path::PathBuf;

use rustix::fs::OFlags;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::io::Read;

use super::StoreError;
use super::atomic::{self, Writers};
use super::dir::StateDir;
use super::journal::{self, Findings, Journal};
use super::lock::StateLock;
use crate::core::ledger;
use crate::core::view::cell_of;
use crate::model::cell::Warning;
use crate::model::event::{Event, Kind};
use crate::model::state::State;
use crate::model::time::Timestamp;

/// The state file's name in the state directory.
pub const STATE_FILE: &str = "state.json";

const SCHEMA: &str = "lazarus-pit/state/1";

/// Larger state files are not read: they would be no work of ours.
const LARGEST: u64 = 1 << 30;

/// The file: the state, and what tells whether it is whole.
#[derive(Deserialize)]
struct Envelope<'a> {
    schema: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    state: &'a RawValue,
    /// Where in the journal the last event that the state has came to its end.
    journal_offset: u64,
    /// CRC-32 of the text of `state`, so that a flipped bit is not taken for a count of attempts.
    crc32: u32,
}

/// The state as it was found, brought up to the journal's end.
#[derive(Debug)]
pub struct Loaded {
    /// The state.
    pub state: State,
    /// What is worth telling the operator.
    pub warnings: Vec<Warning>,
    /// Why the file was of no use, where it was not; then the state comes from the journal alone.
    broken: Option<String>,
    /// True where it could not be rebuilt either: nothing may be revived in this run.
    pub lost: bool,
    findings: Findings,
}

/// What was found where the state file should be.
enum OnDisk {
    Absent,
    Whole(Box<State>, u64),
    Broken(String),
}

/// Reads the state without changing a byte, for runs and commands that only look.
///
/// # Errors
/// State or journal is there and cannot be read, or was written by a newer version.
pub fn peek(dir: Option<&StateDir>) -> Result<Loaded, StoreError> {
    let Some(dir) = dir else {
        return Ok(Loaded {
            state: State::default(),
            warnings: Vec::new(),
            broken: None,
            lost: false,
            findings: Findings::default(),
        });
    };
    let (mut state, hint, broken) = match read_file(dir)? {
        OnDisk::Whole(state, offset) => (*state, Some(offset), None),
        OnDisk::Absent => (State::default(), None, None),
        OnDisk::Broken(why) => (State::default(), None, Some(why)),
    };
    let fresh = hint.is_none() && broken.is_none();
    let findings = journal::read(dir, state.applied, hint, |event| {
        ledger::apply(&mut state, &event)
    })?;
    let mut loaded = Loaded {
        state,
        warnings: Vec::new(),
        lost: false,
        broken,
        findings,
    };
    // Lines may be numbered beyond what could be read as an event.
    loaded.state.applied = loaded.state.applied.max(loaded.findings.last_seq);
    if fresh && loaded.findings.events > 0 {
        loaded.broken = Some(format!("{} is missing", dir.file(STATE_FILE).display()));
    }
    // A journal with lines that cannot be read may lack the very attempts that a budget counts.
    let whole = loaded.findings.events > 0 && loaded.findings.bad.is_empty();
    loaded.lost = loaded.broken.is_some() && !whole;
    warn(dir, &mut loaded);
    Ok(loaded)
}

fn warn(dir: &StateDir, loaded: &mut Loaded) {
    if let Some(why) = &loaded.broken {
        let (code, then) = match (loaded.findings.events, loaded.lost) {
            (0, _) => (
                "state_lost",
                "and the journal has nothing to rebuild it from: what it knew is lost",
            ),
            (_, true) => (
                "state_recovered",
                "it was rebuilt from the journal as far as that can be read, and nobody is revived in this run",
            ),
            (_, false) => ("state_recovered", "it was rebuilt from the journal"),
        };
        loaded
            .warnings
            .push(Warning::new(code, format!("{why}; {then}")));
    }
    if let Some((file, line)) = loaded.findings.bad.first() {
        let message = format!(
            "{}: {} line(s) are no events and were skipped, the first at line {line} (counted from where reading began)",
            dir.file(file).display(),
            loaded.findings.bad.len(),
        );
        loaded
            .warnings
            .push(Warning::new("journal_damaged", message));
    }
}

fn read_file(dir: &StateDir) -> Result<OnDisk, StoreError> {
    let path = dir.file(STATE_FILE);
    let failed = |e| StoreError::new("reading", &path, e);
    let mut file = match dir.open_file(STATE_FILE, OFlags::RDONLY) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(OnDisk::Absent),
        Err(e) => return Err(failed(e)),
    };
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Ok(OnDisk::Broken(format!(
            "{} is no state file",
            path.display()
        )));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    match parse(&bytes) {
        Ok((state, offset)) => Ok(OnDisk::Whole(Box::new(state), offset)),
        Err(Unusable::Newer(schema)) => {
            let cause = format!(
                "it was written by a newer lazarus-pit ({schema}); use that version, or set the file aside"
            );
            Err(StoreError::new("reading", &path, cause))
        }
        Err(Unusable::Broken(why)) => Ok(OnDisk::Broken(format!(
            "{} is broken ({why})",
            path.display()
        ))),
    }
}

#[derive(Debug)]
enum Unusable {
    Newer(String),
    Broken(String),
}

fn parse(bytes: &[u8]) -> Result<(State, u64), Unusable> {
    let broken = |e: &dyn std::fmt::Display| Unusable::Broken(e.to_string());
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|e| broken(&e))?;
    let version = envelope
        .schema
        .strip_prefix("lazarus-pit/state/")
        .and_then(|v| v.parse::<u32>().ok());
    if version.is_some_and(|v| v > 1) {
        return Err(Unusable::Newer(envelope.schema.into_owned()));
    }
    if envelope.schema != SCHEMA {
        return Err(Unusable::Broken("its schema is none that is known".into()));
    }
    if crc32fast::hash(envelope.state.get().as_bytes()) != envelope.crc32 {
        return Err(Unusable::Broken("its checksum does not match".into()));
    }
    let state: State = serde_json::from_str(envelope.state.get()).map_err(|e| broken(&e))?;
    if state.applied > journal::HIGHEST {
        return Err(Unusable::Broken("its event number is impossible".into()));
    }
    Ok((state, envelope.journal_offset))
}

/// The envelope is put together by hand so that a large state is in memory once, not three times.
fn render(state: &State, journal_offset: u64) -> serde_json::Result<Vec<u8>> {
    let mut bytes = format!(r#"{{"schema":"{SCHEMA}","state":"#).into_bytes();
    let from = bytes.len();
    serde_json::to_writer(&mut bytes, state)?;
    let crc32 = crc32fast::hash(&bytes[from..]);
    bytes.extend_from_slice(
        format!(r#","journal_offset":{journal_offset},"crc32":{crc32}}}"#).as_bytes(),
    );
    bytes.push(b'\n');
    Ok(bytes)
}

/// State and journal, open for one run that may write. It cannot be had without the lock.
#[derive(Debug)]
pub struct Store<'lock> {
    dir: &'lock StateDir,
    journal: Journal,
    /// The state, equal to what the journal adds up to.
    pub state: State,
    /// What is worth telling the operator.
    pub warnings: Vec<Warning>,
    /// True where a broken state could not be rebuilt: nothing may be revived in this run.
    pub lost: bool,
    /// The cells that are told what concerns them; all of them before it is known which.
    pub told: Option<HashSet<Box<str>>>,
    /// What was recorded that concerns those cells.
    pub news: Vec<Event>,
    /// Without the lock there is no store.
    _lock: std::marker::PhantomData<&'lock StateLock>,
}

impl<'lock> Store<'lock> {
    /// Reads the state, brings it up to the journal's end, and sets a broken state file aside.
    ///
    /// # Errors
    /// Something in the state directory could not be read or written.
    pub fn open(
        dir: &'lock StateDir,
        _lock: &'lock StateLock,
        run: &str,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let Loaded {
            state,
            mut warnings,
            broken,
            lost,
            findings,
        } = peek(Some(dir))?;
        let journal = Journal::open(dir, state.applied, findings.whole, now)?;
        let mut store = Self {
            dir,
            journal,
            state,
            warnings: Vec::new(),
            lost,
            told: None,
            news: Vec::new(),
            _lock: std::marker::PhantomData,
        };
        if let Some(why) = broken {
            if let Some(kept) = set_aside(dir, now)? {
                warnings.push(Warning::new(
                    "state_set_aside",
                    format!("the broken state was kept as {}", kept.display()),
                ));
            }
            store.record(&mut [Event {
                reason: Some(why),
                ..Event::new(Kind::StateRecovered, now, run)
            }])?;
        }
        store.warnings = warnings;
        Ok(store)
    }

    /// Writes events to the journal and adds them to the state.
    ///
    /// # Errors
    /// They could not be written; then the state has none of them.
    pub fn record(&mut self, events: &mut [Event]) -> Result<(), StoreError> {
        self.journal.append(events)?;
        for event in events.iter() {
            ledger::apply(&mut self.state, event);
        }
        // Of a fleet of other cells nothing is kept.
        if self.told.as_ref().is_none_or(|cells| !cells.is_empty()) {
            let concerns = |event: &&Event| {
                // Whom people are told of what is no news for agents.
                let apart = matches!(
                    event.event,
                    Kind::Queued | Kind::Notified | Kind::NotifyFailed | Kind::Heard | Kind::Cursor
                );
                if apart {
                    return false;
                }
                let cell = event.subject.as_deref().and_then(cell_of);
                cell.is_some_and(|cell| self.told.as_ref().is_none_or(|all| all.contains(cell)))
            };
            let news: Vec<Event> = events.iter().filter(concerns).cloned().collect();
            self.news.extend(news);
        }
        Ok(())
    }

    /// Makes all recorded events durable, before anything is done on the strength of them.
    ///
    /// # Errors
    /// It failed.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.journal.sync()
    }

    /// Makes the journal durable and writes the state file.
    ///
    /// # Errors
    /// It failed; the state file is as it was.
    pub fn save(&self) -> Result<(), StoreError> {
        self.sync()?;
        let path = self.dir.file(STATE_FILE);
        let bytes = render(&self.state, self.journal.end())
            .map_err(|e| StoreError::new("writing", &path, e))?;
        atomic::replace(
            self.dir,
            self.dir.path(),
            STATE_FILE,
            &bytes,
            0o600,
            Writers::One,
        )
    }
}

/// Moves a broken state file to `state.json.corrupt-<time>`; `None` where there is none.
fn set_aside(dir: &StateDir, now: Timestamp) -> Result<Option<PathBuf>, StoreError> {
    let stamp: String = now
        .to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let name = format!("{STATE_FILE}.corrupt-{stamp}");
    match rustix::fs::renameat(dir, STATE_FILE, dir, name.as_str()) {
        Ok(()) => Ok(Some(dir.file(&name))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(e) => Err(StoreError::new(
            "setting aside the broken",
            &dir.file(STATE_FILE),
            std::io::Error::from(e),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::condition::Condition;
    use crate::model::state::{SubjectState, Traits};

    fn sample() -> State {
        let mut state = State {
            applied: 7,
            ..State::default()
        };
        let at = Timestamp::from_secs(1_795_240_000);
        state.subjects.insert(
            "a/main".into(),
            SubjectState {
                status: Condition::Stale,
                since: at,
                unseen: false,
                before: Vec::new(),
                traits: Traits::default(),
                reasons: vec!["stale".into()],
                incident: None,
            },
        );
        state
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = render(&sample(), 4711).unwrap();
        let (state, offset) = parse(&bytes).unwrap();
        assert_eq!((state, offset), (sample(), 4711));
    }

    /// Cut off at every length and with every bit of it flipped, a state is never taken for
    /// another state.
    #[test]
    fn a_damaged_state_is_never_believed() {
        let bytes = render(&sample(), 4711).unwrap();
        for length in 0..bytes.len() - 1 {
            assert!(parse(&bytes[..length]).is_err(), "cut off at {length}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                if let Ok((state, _)) = parse(&flipped) {
                    assert_eq!(state, sample(), "byte {at}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_newer_state_is_left_alone() {
        let newer = br#"{"schema":"lazarus-pit/state/2","crc32":0,"journal_offset":0,"state":{}}"#;
        assert!(matches!(parse(newer), Err(Unusable::Newer(_))));
    }
}
