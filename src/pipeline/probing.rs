//! Asking the probes of a run: what its plans and its configuration want to know beside the
//! heartbeats.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Request, look, rules};
use crate::core::asking::{Asking, asking, take_in};
use crate::core::rules::Rules;
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::observe::probes::{About, Asker, ask};
use crate::plan::types::Probe;
use crate::sys::environment::Own;

/// How much of the deadline is left to the rest of the run when all has to be answered.
const RESERVE: Duration = Duration::from_secs(5);

/// What is asked about each subject.
pub(super) type Questions = Arc<BTreeMap<String, Asking>>;

/// Asks all probes of what was seen, and takes what they answer into it. They have until the
/// deadline, but for what the rest of the run needs.
pub(super) fn probe(
    request: &Request,
    snapshot: &mut Snapshot,
    state: &State,
    now: Timestamp,
    deadline: Instant,
) -> Questions {
    let plans = &request.plans;
    let of_gateways: BTreeMap<&str, &[Probe]> = request
        .config
        .gateways
        .iter()
        .map(|gateway| (&*gateway.name, &*gateway.probes))
        .collect();
    let rules: Rules<'_> = rules(&request.config, plans);
    let asked = asking(snapshot, &rules, &of_gateways, state, now);
    if asked.is_empty() {
        return Questions::default();
    }
    let all = asked.iter().flat_map(|about| {
        let place = Arc::new(about.place.clone());
        about.questions.iter().map(move |question| About {
            place: Arc::clone(&place),
            question: question.clone(),
        })
    });
    let all: Vec<About> = all.collect();
    let many = all.len();
    let answers = ask(all, asker(request, snapshot, now, until(deadline)));
    log::debug!("asked {many} probes by {:?}", request.began.elapsed());
    let least = request.config.heartbeat_interval / 2;
    take_in(snapshot, &asked, answers, state, least);
    let asked = asked
        .into_iter()
        .map(|about| (about.subject.clone(), about));
    Arc::new(asked.collect())
}

/// By when all has to be answered: half of what is left where there is little of it.
fn until(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline - RESERVE.min(left / 4)
}

fn asker(request: &Request, snapshot: &Snapshot, now: Timestamp, until: Instant) -> Asker {
    let (config, plans) = (&request.config, &request.plans);
    Asker {
        look: Arc::new(look(config, plans, None, &request.trust, until)),
        told_root: PathBuf::from(&*snapshot.told_root()),
        until,
        now,
        own: Own::read(),
    }
}
