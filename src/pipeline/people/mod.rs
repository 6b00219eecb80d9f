//! People, in a run: what they have answered is heard beside the look at the cells, and what they are
//! to be told is sent once everything else is done. A channel that is down or hangs delays neither.

mod hearing;
mod sending;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Judged, Request};
use crate::channel::{self, Channel};
use crate::core::telling::{self, Telling};
use crate::model::cell::Warning;
use crate::model::channel::Channel as Settings;
use crate::model::event::Event;
use crate::model::state::State;
use crate::model::text::visible;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use crate::store::state::Store;
use crate::sys::host;

pub(super) use hearing::Hearing;

/// Some time is always left for telling, even where the deadline is over: a run whose cells hang
/// must be able to say so.
const LEAST: Duration = Duration::from_secs(1);

/// How long a channel that ought to be back by now is waited for.
const GRACE: Duration = Duration::from_millis(300);

/// Channels that were made ready, by name.
type Ready = HashMap<String, Box<dyn Channel>>;

/// Whether a run can use a channel at all. One that a keeper has started lacks the secrets that come
/// from the environment, and leaves those channels to other runs.
fn is_ours(request: &Request, settings: &Settings) -> bool {
    !request.woken || channel::has_variables(settings)
}

/// Until when people may take up the run's time.
fn until(request: &Request, deadline: Instant) -> Instant {
    let now = Instant::now();
    let share = now + request.config.limits.notify_within;
    share.min(deadline.max(now + LEAST))
}

/// Takes down what was said late, and tells people what is to be told, as far as the time allows; the
/// rest waits in the state. What is told is durable before it is sent.
pub(super) fn tell(
    request: &Request,
    store: &mut Store<'_>,
    judged: &mut Judged,
    run: &str,
    deadline: Instant,
    mut hearing: Hearing,
) -> Result<(), StoreError> {
    hearing.take_late(request, store, run)?;
    let channels = &request.config.channels;
    if channels.is_empty() && store.state.post.is_empty() {
        return Ok(());
    }
    let until = until(request, deadline);
    let now = host::now();
    let names: Vec<String> = channels.iter().map(|c| c.name.clone()).collect();
    let mut events = telling::tell(
        &Telling {
            snapshot: &judged.snapshot,
            decisions: &judged.decisions,
            plans: &request.plans,
            channels: &names,
            done: &judged.actions,
            host: &host::hostname(),
            run,
            now,
        },
        &store.state,
    );
    if !events.is_empty() {
        store.record(&mut events)?;
    }
    let mut old = sending::too_old(&store.state, &names, now, run);
    if !old.is_empty() {
        store.record(&mut old)?;
    }
    sending::flush(request, store, run, until, hearing.into_ready())?;
    judged.warnings.extend(warnings(&store.state, &names));
    Ok(())
}

/// What an operator should know of channels that do not work.
fn warnings(state: &State, names: &[String]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for name in names {
        let Some(post) = state.post.get(name) else {
            continue;
        };
        let Some(trouble) = &post.trouble else {
            continue;
        };
        let message = format!(
            "channel {name} has not worked since {}: {}; waiting messages: {}",
            trouble.since,
            visible(&trouble.why),
            post.outbox.len()
        );
        warnings.push(Warning::about("channel", name.as_str(), message));
    }
    warnings
}

/// An event about a channel.
fn event(kind: crate::model::event::Kind, channel: &str, now: Timestamp, run: &str) -> Event {
    Event {
        channel: Some(channel.to_owned()),
        ..Event::new(kind, now, run)
    }
}
