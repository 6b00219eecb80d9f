//! What `doctor` looks at: facts, and no judgement. Everything is read only, nothing is started,
//! sent or locked. What does not answer in time is left out, and said to be.

pub(super) mod channels;
pub(super) mod crontabs;
pub(super) mod directories;
pub(super) mod fleet;
pub(super) mod host;
pub(super) mod settings;
pub(super) mod state;
pub(super) mod unit_file;
pub(super) mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use crate::act::environment::Own;
use crate::config::{Env, Overrides};
use crate::sys::program::PATH_OF_ROOT;
use settings::Settings;

/// How long configuration, plans and units may take: the rest is looked at by them. A disk that does
/// not answer is an answer, too.
const FIRST: Duration = Duration::from_secs(10);

/// How long all the rest may take after them.
const REST: Duration = Duration::from_secs(12);

/// Everything that is known. What did not answer in time is `None`.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) settings: Option<Arc<Settings>>,
    pub(super) directories: Option<Vec<directories::Place>>,
    pub(super) state: Option<state::StateFacts>,
    pub(super) host: Option<host::Host>,
    pub(super) starters: Option<units::Starters>,
    pub(super) channels: Option<Vec<channels::ChannelFacts>>,
    pub(super) fleet: Option<fleet::Fleet>,
}

impl Facts {
    /// Gathers all of it, side by side.
    pub(super) fn gather(overrides: &Overrides, system_root: &Path) -> Self {
        let theirs = overrides.clone();
        let settings = apart(move || Arc::new(settings::gather(&theirs, &Env::read())));
        let root = system_root.to_owned();
        let starters = apart(move || units::gather(&root));
        let first = Instant::now() + FIRST;
        let settings = within(settings, first);
        let starters = within(starters, first);
        let search = starters.as_ref().and_then(units::Starters::search);
        let search = search.or_else(|| Own::read().path);
        let search = search.unwrap_or_else(|| PATH_OF_ROOT.into());
        let until = Instant::now() + REST;
        let of_settings = settings.clone();
        let directories = settings
            .as_ref()
            .map(|settings| all_directories(settings, system_root));
        let state = with(&of_settings, |settings| state::gather(&settings.config));
        let paths = search.clone();
        let channels = with(&of_settings, move |settings| {
            channels::gather(&settings.config.channels, &settings.trust, &paths)
        });
        let fleet = with(&of_settings, move |settings| {
            fleet::gather(settings, &search)
        });
        let root = system_root.to_owned();
        let host = apart(move || host::gather(&root));
        Self {
            settings,
            directories: directories.map(|all| all.into_iter().map(|place| place(until)).collect()),
            state: within(state, until),
            host: within(host, until),
            starters,
            channels: within(channels, until),
            fleet: within(fleet, until),
        }
    }
}

/// A look at a directory that has begun, and when it is to be over.
type Begun = Box<dyn FnOnce(Instant) -> directories::Place>;

/// Looks at each directory by itself: one that does not answer does not hide the others.
fn all_directories(settings: &Settings, system_root: &Path) -> Vec<Begun> {
    let mounts = Arc::new(directories::Mounts::read(system_root));
    let named = directories::named(&settings.config).into_iter();
    let begin = |(role, path): (directories::Role, PathBuf)| {
        let (theirs, place) = (Arc::clone(&mounts), path.clone());
        let trust = settings.trust.clone();
        let renewed = directories::renewed(&settings.config, role);
        let looking = apart(move || directories::look(role, place, renewed, &theirs, &trust));
        let mounts = Arc::clone(&mounts);
        let end = move |until| {
            within(looking, until).unwrap_or_else(|| directories::unanswered(role, path, &mounts))
        };
        Box::new(end) as Begun
    };
    named.map(begin).collect()
}

/// Looks at something on a thread of its own, which is given up where it hangs.
fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<Receiver<T>> {
    let (done, waiting) = sync_channel(1);
    let thread = std::thread::Builder::new().name("doctor".into());
    let started = thread.spawn(move || {
        // Nobody hears it any more where it came too late.
        let _ = done.send(work());
    });
    started.ok().map(|_| waiting)
}

/// The same with the settings; nothing where there are none.
fn with<T: Send + 'static>(
    settings: &Option<Arc<Settings>>,
    work: impl FnOnce(&Settings) -> T + Send + 'static,
) -> Option<Receiver<T>> {
    let settings = settings.clone()?;
    apart(move || work(&settings))
}

fn within<T>(waiting: Option<Receiver<T>>, until: Instant) -> Option<T> {
    let left = until.saturating_duration_since(Instant::now());
    waiting?.recv_timeout(left).ok()
}
