//! What a decision is made by, beside what was seen and what is remembered.

use std::time::Duration;

use crate::model::protection::Protection;
use crate::plan::PlanSet;

/// The operator's word: plans and settings.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// The plans.
    pub plans: &'a PlanSet,
    /// Mass-failure protection.
    pub protection: &'a Protection,
    /// How many subjects one run revives at most.
    pub restarts_per_run: u32,
    /// After a gap this long between runs nobody is revived: `protection.gap`, but never less than
    /// three heartbeat intervals.
    pub gap: Duration,
    /// `--force`: act even where mass-failure protection would hold.
    pub force: bool,
    /// True where a broken state could not be rebuilt.
    pub state_lost: bool,
}
