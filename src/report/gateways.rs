//! Gateways as the JSON report has them.

use schemars::JsonSchema;
use serde::Serialize;

use super::Report;
use crate::core::evidence::heartbeat;
use crate::core::view::{GATEWAY, View};
use crate::model::cell::Reason;
use crate::model::condition::Condition;
use crate::model::decision::Verdict;
use crate::model::probe::{Piece, Standing};
use crate::model::snapshot::Gateway;
use crate::model::time::Timestamp;

/// One gateway.
#[derive(Serialize, JsonSchema)]
pub struct GatewayDocument<'a> {
    /// Its name.
    name: &'a str,
    /// What its evidence adds up to; `reviving` while an attempt has time to show.
    state: &'static str,
    /// Whether it answers: true where all its `tcp` and `http` probes are good, false where one is
    /// bad; null where there are none, or none could be asked.
    gateway_alive: Option<bool>,
    /// The same of its `process` probes.
    process_alive: Option<bool>,
    /// The age of its last beat in seconds.
    heartbeat_age: Option<f64>,
    /// When it was looked at, in Unix seconds.
    last_checked: f64,
    /// Since when it is down, in Unix seconds.
    first_dead_at: Option<f64>,
    /// True where a human is asked.
    revive_pending: bool,
    /// How often it was revived in its open incident.
    revive_attempts: u32,
    /// Each piece of evidence about it, its heartbeat first.
    evidence: Vec<Piece>,
}

/// What the probes of some kinds say together: false where one is bad, `None` where none says
/// anything.
fn alive(pieces: &[Piece], kinds: &[&str]) -> Option<bool> {
    let of_kind = pieces.iter().filter(|piece| kinds.contains(&piece.kind));
    let words = of_kind.filter_map(|piece| match piece.counts_as {
        Standing::Good => Some(true),
        Standing::Bad => Some(false),
        Standing::Unknown => None,
    });
    words.reduce(|all, one| all && one)
}

/// The evidence about a gateway of which nothing was asked: its heartbeat, where it has one.
fn by_heartbeat(gateway: &Gateway) -> Vec<Piece> {
    let standing = match gateway.condition {
        _ if !gateway.observed => Standing::Unknown,
        Condition::Unknown => return Vec::new(),
        Condition::Healthy => Standing::Good,
        _ => Standing::Bad,
    };
    let reasons: Vec<&Reason> = gateway.reasons.iter().collect();
    vec![heartbeat(gateway.beat.as_ref(), standing, &reasons)]
}

impl<'a> GatewayDocument<'a> {
    /// All gateways of a report.
    #[must_use]
    pub fn all(report: &'a Report) -> Vec<Self> {
        let now = report.snapshot.taken_at;
        let of = |gateway: &'a Gateway| {
            let subject = format!("{GATEWAY}{}", gateway.name);
            let decision = report.decision(&subject);
            let evidence = match report.snapshot.asked.get(&subject) {
                Some(asked) => asked.pieces.clone(),
                None => by_heartbeat(gateway),
            };
            let verdict = decision.map(|d| d.verdict);
            let condition = match View::of_gateway(gateway, &report.snapshot).has_exited() {
                true => Condition::Exited,
                false => gateway.condition,
            };
            Self {
                name: &gateway.name,
                state: match verdict {
                    Some(Verdict::Reviving) => "reviving",
                    _ => condition.as_str(),
                },
                gateway_alive: alive(&evidence, &["tcp", "http"]),
                process_alive: alive(&evidence, &["process"]),
                heartbeat_age: gateway
                    .beat
                    .as_ref()
                    .map(|b| now.since(b.last).as_secs_f64()),
                last_checked: now.as_f64(),
                first_dead_at: decision.and_then(|d| d.down_since).map(Timestamp::as_f64),
                revive_pending: verdict == Some(Verdict::AwaitingApproval),
                revive_attempts: decision.map_or(0, |d| d.attempts),
                evidence,
            }
        };
        report.snapshot.gateways.iter().map(of).collect()
    }
}
