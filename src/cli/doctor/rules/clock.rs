//! Findings about the clocks: the host's, and those of whoever beats.

use crate::cli::doctor::facts::fleet::Fleet;
use crate::cli::doctor::facts::host::Host;
use crate::cli::doctor::facts::state::StateFacts;
use crate::cli::doctor::finding::{Finding, count, few};
use crate::model::time::{Timestamp, human};
use crate::report::human::moment;

/// The beginning of 2026: no clock that is right has been earlier since this was written. One that
/// is wrong mostly begins with 1970, or with the day on which the firmware was built.
const EARLIEST: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// About the clocks.
pub(super) fn judge(
    host: &Host,
    state: Option<&StateFacts>,
    fleet: Option<&Fleet>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let set = "set it: `timedatectl set-ntp true`, or whatever keeps time on this host";
    if host.now < EARLIEST {
        let text = format!("the clock says {}, which cannot be", moment(host.now));
        found.push(Finding::error("clock_wrong", text).next(set));
    }
    let last = state.and_then(StateFacts::last_run);
    if let Some(last) = last.filter(|last| last.ended > host.now) {
        let text = format!(
            "the last run ended {} ahead of now ({}): the clock has gone back since",
            human(last.ended.since(host.now)),
            moment(last.ended)
        );
        found.push(
            Finding::warning("clock_back", text)
                .next("the next run says so and revives nobody; see what sets the clock"),
        );
    }
    found.push(match &host.synchronised {
        Some(by) => Finding::ok("clock_kept", format!("it is kept right: {by}")),
        None => Finding::advice(
            "clock_unsure",
            "whether anything keeps it right cannot be told from here (in a container it is the host's)",
        )
        .next("`timedatectl` or `chronyc tracking` says so; without, heartbeats of other hosts look older or newer than they are"),
    });
    if let Some(fleet) = fleet.filter(|fleet| !fleet.ahead.is_empty()) {
        let names: Vec<&str> = fleet.ahead.iter().map(|(name, _)| name.as_str()).collect();
        let first = fleet.ahead.first().map_or("", |(_, why)| why.as_str());
        let text = format!(
            "{} {} ahead of now by their timestamps: {}; {first}",
            count(names.len(), "heartbeat"),
            if names.len() == 1 { "lies" } else { "lie" },
            few(&names)
        );
        found.push(Finding::warning("beats_ahead", text).next(
            "who writes them has a wrong clock, or writes milliseconds where seconds are meant",
        ));
    }
    found
}
