//! Facts about what earlier runs left: state, journal, lock, heartbeat.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{Access, AtFlags, FileType};

use crate::config::Config;
use crate::model::cell::Warning;
use crate::model::state::State;
use crate::report::past::{self, Past};
use crate::store::dir::StateDir;
use crate::store::journal::JOURNAL_FILE;
use crate::store::lock::{self, Held, LOCK_FILE};
use crate::store::state::{STATE_FILE, peek};
use crate::sys::beneath;
use crate::sys::host::user_name;
use crate::table;

/// Who takes the lock writes its name within this time.
const NAMED_WITHIN: Duration = Duration::from_millis(100);

/// A file of the state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) struct Kept {
    pub(in crate::cli::doctor) path: PathBuf,
    pub(in crate::cli::doctor) uid: u32,
    /// The name of whom it belongs to.
    pub(in crate::cli::doctor) owner: String,
    pub(in crate::cli::doctor) mode: u32,
    pub(in crate::cli::doctor) writable: bool,
}

/// Something in the place of what a run must find there or make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) struct InTheWay {
    pub(in crate::cli::doctor) path: PathBuf,
    /// What should be there.
    pub(in crate::cli::doctor) wanted: FileType,
    /// What is.
    pub(in crate::cli::doctor) is: FileType,
}

/// What earlier runs left.
#[derive(Debug)]
pub(in crate::cli::doctor) struct StateFacts {
    /// False where there is no state directory.
    pub(in crate::cli::doctor) exists: bool,
    /// What was read; why it could not be.
    pub(in crate::cli::doctor) state: Result<State, String>,
    /// True where what it knew could not be rebuilt.
    pub(in crate::cli::doctor) lost: bool,
    /// What reading brought to light.
    pub(in crate::cli::doctor) warnings: Vec<Warning>,
    /// Broken state files that were set aside.
    pub(in crate::cli::doctor) set_aside: Vec<PathBuf>,
    /// Who holds the lock.
    pub(in crate::cli::doctor) held: Option<Held>,
    /// Lock, state and journal themselves.
    pub(in crate::cli::doctor) files: Vec<Kept>,
    /// What else lies where lock and process table should.
    pub(in crate::cli::doctor) in_the_way: Vec<InTheWay>,
    /// The heartbeat that the last run left.
    pub(in crate::cli::doctor) beat: Result<Option<Past>, String>,
}

impl StateFacts {
    /// The last run.
    pub(in crate::cli::doctor) fn last_run(&self) -> Option<Past> {
        let of_state = self.state.as_ref().ok().and_then(Past::of_state);
        let beat = self.beat.as_ref().ok().cloned().flatten();
        Past::last(of_state, beat)
    }
}

/// Reads it, without a lock.
pub(in crate::cli::doctor) fn gather(config: &Config) -> StateFacts {
    let beat = past::read_beat(&config.heartbeat_dir(), &config.heartbeat_job);
    let mut facts = StateFacts {
        exists: false,
        state: Ok(State::default()),
        lost: false,
        warnings: Vec::new(),
        set_aside: Vec::new(),
        held: None,
        files: Vec::new(),
        in_the_way: Vec::new(),
        beat,
    };
    let dir = match StateDir::open(&config.state_dir()) {
        Ok(None) => return facts,
        Ok(Some(dir)) => dir,
        Err(e) => {
            facts.exists = true;
            facts.state = Err(e.to_string());
            return facts;
        }
    };
    facts.exists = true;
    facts.held = held(&dir);
    facts.set_aside = set_aside(&dir);
    let names = [LOCK_FILE, STATE_FILE, JOURNAL_FILE].into_iter();
    facts.files = names.filter_map(|name| kept(&dir, name)).collect();
    let needed = [
        (LOCK_FILE, FileType::RegularFile),
        (table::DIR, FileType::Directory),
    ];
    let needed = needed.into_iter();
    facts.in_the_way = needed
        .filter_map(|(name, wanted)| in_the_way(&dir, name, wanted))
        .collect();
    match peek(Some(&dir)) {
        Ok(loaded) => {
            facts.state = Ok(loaded.state);
            facts.lost = loaded.lost;
            facts.warnings = loaded.warnings;
        }
        Err(e) => facts.state = Err(e.to_string()),
    }
    facts
}

/// Who holds the lock. One that has only just taken it has not written its name yet.
fn held(dir: &StateDir) -> Option<Held> {
    let held = lock::look(dir)?;
    if held.is_run {
        return Some(held);
    }
    std::thread::sleep(NAMED_WITHIN);
    lock::look(dir)
}

fn set_aside(dir: &StateDir) -> Vec<PathBuf> {
    let prefix = format!("{STATE_FILE}.corrupt-");
    let entries = std::fs::read_dir(dir.path()).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
    names.sort();
    names.iter().map(|name| dir.file(name)).collect()
}

/// No link is followed there.
fn in_the_way(dir: &StateDir, name: &str, wanted: FileType) -> Option<InTheWay> {
    let is = beneath::kind(dir, name).ok()?;
    let path = dir.file(name);
    (is != wanted).then_some(InTheWay { path, wanted, is })
}

fn kept(dir: &StateDir, name: &str) -> Option<Kept> {
    let path = dir.file(name);
    let meta = std::fs::symlink_metadata(&path).ok()?;
    let access = Access::READ_OK | Access::WRITE_OK;
    Some(Kept {
        path,
        uid: meta.uid(),
        owner: user_name(meta.uid()),
        mode: meta.mode() & 0o7777,
        writable: rustix::fs::accessat(dir, name, access, AtFlags::EACCESS).is_ok(),
    })
}
