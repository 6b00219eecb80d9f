//! `start` and `restart`: a run over the subjects that an operator names, which does for them what
//! their plans say, whatever the rules would have decided. It is recorded, locked and counted like
//! any other.

use super::kept::Kept;
use super::{Judged, Request, of_store, rules};
use crate::core::order::order;
use crate::model::cell::Warning;
use crate::model::event::{Event, Kind};
use crate::model::exit::{Exit, Failure};
use crate::model::step::{Replace, Step};
use crate::store::state::Store;
use crate::sys::host;

/// The reason of a pause by `close`: what an operator starts again is not kept out any more.
pub const CLOSED: &str = "closed";

/// What an operator has ordered.
#[derive(Clone, Debug)]
pub struct Order {
    /// The subjects, each of which is there.
    pub subjects: Vec<String>,
    /// Whether what lives of them is ended first.
    pub restart: bool,
    /// Who: an event's `actor`.
    pub actor: String,
}

impl Request {
    /// Who has attempts made: an event's `actor`.
    pub(super) fn actor(&self) -> String {
        let order = self.order.as_ref();
        order.map_or_else(|| "run".to_owned(), |order| order.actor.clone())
    }
}

impl Order {
    /// True where one of the subjects is this gateway.
    pub(super) fn names_gateway(&self, name: &str) -> bool {
        let mut subjects = self.subjects.iter();
        subjects.any(|subject| subject.strip_prefix("gateway:") == Some(name))
    }

    /// Puts what was ordered in the place of what was decided.
    pub(super) fn overrule(
        &self,
        request: &Request,
        store: &mut Store<'_>,
        judged: &mut Judged,
        kept: &Kept,
        run: &str,
    ) -> Result<(), Failure> {
        for decision in &mut judged.decisions.list {
            decision.action = None;
        }
        judged.exit = Exit::Healthy;
        let rules = rules(&request.config, &request.plans);
        let now = judged.snapshot.taken_at;
        let living = kept.host.living(&kept.entries, now);
        let mut resumed = Vec::new();
        for subject in &self.subjects {
            let made = order(&judged.snapshot, &rules, &store.state, subject, now);
            let mut action = made.map_err(|why| Failure::new(Exit::Critical, why))?;
            let alive = living.get(subject).and_then(|living| living.first());
            if let (Some(alive), false) = (alive, self.restart) {
                let pid = alive.entry.pid.unwrap_or_default();
                let message = format!(
                    "{subject} runs already (pid {pid}): `lazarus-pit restart {subject}` ends it first"
                );
                return Err(Failure::new(Exit::InHand, message));
            }
            for step in &mut action.steps {
                if let (Step::Spawn(spawn), true) = (step, self.restart) {
                    spawn.replace = Replace::Terminate;
                }
            }
            let memory = store.state.memory.get(subject);
            let pause = memory.and_then(|memory| memory.pause.as_ref());
            if pause.is_some_and(|pause| pause.reason == CLOSED) {
                resumed.push(Event {
                    actor: self.actor.clone(),
                    subject: Some(subject.clone()),
                    reason: Some("started again".to_owned()),
                    ..Event::new(Kind::Resumed, host::now(), run)
                });
            } else if pause.is_some() {
                let message = format!("{subject} stays paused: no run revives it until `resume`");
                judged
                    .warnings
                    .push(Warning::about("paused", subject, message));
            }
            judged.ordered.push(action);
        }
        if !resumed.is_empty() {
            store.record(&mut resumed).map_err(of_store)?;
        }
        Ok(())
    }
}
