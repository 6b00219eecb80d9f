//! What `doctor` looks at: facts, and no judgement. Everything is read only, nothing is started,
//! sent or locked. What does not answer in time is left out, and said to be.

pub(super) mod crontab;
pub(super) mod fleet;
pub(super) mod host;
pub(super) mod memory;
pub(super) mod places;
pub(super) mod settings;
pub(super) mod talk;
pub(super) mod unit_file;
pub(super) mod units;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use crate::config::{Env, Overrides};
use settings::Settings;

/// How long all of it may take: a disk that does not answer is an answer, too.
const PATIENCE: Duration = Duration::from_secs(12);

/// How long configuration and plans may take, before which nothing else can be looked at.
const FIRST: Duration = Duration::from_secs(5);

/// Everything that is known. What did not answer in time is `None`.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) settings: Option<Arc<Settings>>,
    pub(super) places: Option<Vec<places::Place>>,
    pub(super) memory: Option<memory::Memory>,
    pub(super) host: Option<host::Host>,
    pub(super) starters: Option<units::Starters>,
    pub(super) lines: Option<Vec<talk::Line>>,
    pub(super) fleet: Option<fleet::Fleet>,
}

impl Facts {
    /// Gathers all of it, side by side.
    pub(super) fn gather(overrides: &Overrides, system_root: &Path) -> Self {
        let theirs = overrides.clone();
        let settings = apart(move || Arc::new(settings::gather(&theirs, &Env::read())));
        let settings = within(settings, Instant::now() + FIRST);
        let until = Instant::now() + PATIENCE;
        let of_settings = settings.clone();
        let of_root = system_root.to_owned();
        let places = move |settings: &Settings| places::gather(&settings.config, &of_root);
        let places = with(&of_settings, places);
        let memory = with(&of_settings, |settings| memory::gather(&settings.config));
        let lines = with(&of_settings, |settings| {
            talk::gather(&settings.config.channels, &settings.trust)
        });
        let fleet = with(&of_settings, fleet::gather);
        let root = system_root.to_owned();
        let starters = apart(move || units::gather(&root));
        let root = system_root.to_owned();
        let host = apart(move || host::gather(&root));
        Self {
            settings,
            places: within(places, until),
            memory: within(memory, until),
            host: within(host, until),
            starters: within(starters, until),
            lines: within(lines, until),
            fleet: within(fleet, until),
        }
    }
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
