//! What people do between runs: they agree, refuse, pause, resume and reset.

use super::host::Host;
use super::oracle::Oracle;
use super::random::Random;
use crate::model::event::{Event, Kind};
use crate::model::state::State;
use crate::sim::step;
use std::time::Duration;

pub(super) fn minute(
    random: &mut Random,
    host: &Host,
    state: &mut State,
    oracle: &mut Oracle,
    heard: &mut dyn FnMut(Event),
) {
    let open: Vec<(String, String)> = state
        .memory
        .iter()
        .filter_map(|(name, m)| Some((name, m.approval.as_ref()?)))
        .filter(|(_, asked)| asked.answer.is_none() && host.now < asked.expires_at)
        .map(|(name, asked)| (name.clone(), asked.code.clone()))
        .collect();
    for (name, code) in open {
        let kind = match random.below(12) {
            0..4 => Kind::Approved,
            4 => Kind::Denied,
            _ => continue,
        };
        let answer = Event {
            code: Some(code),
            ..word(kind, host, &name)
        };
        step::add(state, answer, &mut |e| heard(e));
        if kind == Kind::Approved {
            oracle.approved(state, &name);
        }
    }
    for name in host.names() {
        let kind = match random.below(4000) {
            0 => Kind::Paused,
            1..8 => Kind::Resumed,
            8 => Kind::Reset,
            _ => continue,
        };
        let mut event = word(kind, host, &name);
        if kind == Kind::Paused && random.one_in(2) {
            event.until = Some(host.now.plus(Duration::from_secs(3600)));
        }
        step::add(state, event, &mut |e| heard(e));
        if kind == Kind::Reset {
            oracle.reset(&name);
        }
    }
}

fn word(kind: Kind, host: &Host, name: &str) -> Event {
    Event {
        actor: "operator:ann".into(),
        subject: Some(name.to_owned()),
        reason: Some("so it is".into()),
        ..Event::new(kind, host.now, "shell")
    }
}
