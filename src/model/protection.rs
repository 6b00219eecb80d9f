//! Mass-failure protection.

use std::time::Duration;

/// When many subjects go down at once, the likelier cause is not in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Protection {
    /// Fewer subjects (or cells, for the look at the root) than this are no mass.
    pub min_subjects: u32,
    /// This share of them going down together is a mass failure.
    pub fraction: f64,
    /// Within how long of one another.
    pub window: Duration,
    /// How many subjects a run still lets through.
    pub canary: u32,
    /// After a gap this long between runs nobody is revived; never less than three heartbeat intervals.
    pub gap: Duration,
    /// For this long after a boot nobody is revived.
    pub settle: Duration,
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            min_subjects: 10,
            fraction: 0.5,
            window: Duration::from_secs(600),
            canary: 1,
            gap: Duration::from_secs(600),
            settle: Duration::from_secs(120),
        }
    }
}
