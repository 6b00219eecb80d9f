//! What an operator orders: carried out between runs, under their lock.

use std::path::Path;
use std::time::Duration;

use super::run_id;
use crate::model::cell::Warning;
use crate::model::event::{Event, Kind};
use crate::model::exit::{Exit, Failure};
use crate::model::time::Timestamp;
use crate::store::dir::StateDir;
use crate::store::lock::{self, Holder, Refused};
use crate::store::state::Store;
use crate::sys::host;
use crate::sys::trust::Trust;

/// How long a run's lock is waited for.
const WAIT: Duration = Duration::from_secs(10);

/// What an order works with while it holds the lock.
#[derive(Debug)]
pub struct Held<'a, 'lock> {
    /// The state, and the journal that it is made of.
    pub store: &'a mut Store<'lock>,
    /// The order's own id, as runs have one.
    pub run: &'a str,
    /// When the lock was had.
    pub now: Timestamp,
}

impl Held<'_, '_> {
    /// Records events as the word of whoever gave the order, durable and in the state file.
    ///
    /// # Errors
    /// They could not be written (74).
    pub fn record(&mut self, events: &mut [Event]) -> Result<(), Failure> {
        let actor = format!("operator:{}", host::operator());
        for event in events.iter_mut() {
            event.ts = self.now;
            event.run = self.run.to_owned();
            event.actor.clone_from(&actor);
        }
        self.store
            .record(events)
            .and_then(|()| self.store.save())
            .map_err(super::of_store)
    }
}

/// Takes the lock, for at most ten seconds' waiting, and does the work; gives back what comes of it
/// and what is worth telling. `deadline` is how long the work may take: a holder of the lock that is
/// much older is taken to hang.
///
/// # Errors
/// The lock is another's (75), the state cannot be read or written (74), the work failed.
pub fn under_lock<T>(
    state_dir: &Path,
    trust: &Trust,
    deadline: Duration,
    work: impl FnOnce(&mut Held<'_, '_>) -> Result<T, Failure>,
) -> Result<(T, Vec<Warning>), Failure> {
    let dir = StateDir::create(state_dir, trust).map_err(super::of_store)?;
    let run = run_id(host::now());
    let me = Holder::me(&run, deadline);
    let lock = lock::acquire(&dir, &me, WAIT).map_err(|refused| match refused {
        Refused::Busy(message) => Failure::new(Exit::Busy, message),
        Refused::Failed(e) => super::of_store(e),
    })?;
    let now = host::now();
    let mut store = Store::open(&dir, &lock, &run, now).map_err(super::of_store)?;
    // Whose run was ended for this one's sake must be seen, whatever comes of the rest.
    if let Some(hung) = &lock.ended {
        let killed = Event {
            pid: Some(hung.pid),
            reason: Some(format!("run {} hung", hung.run)),
            ..Event::new(Kind::RunKilled, now, &run)
        };
        store
            .record(&mut [killed])
            .and_then(|()| store.save())
            .map_err(super::of_store)?;
    }
    let mut held = Held {
        store: &mut store,
        run: &run,
        now,
    };
    let done = work(&mut held)?;
    Ok((done, std::mem::take(&mut store.warnings)))
}
