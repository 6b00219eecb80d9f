//! When the cause is likelier in this host than in its agents.

use super::holds;
use super::rules::Rules;
use crate::model::cell::{Code, Reason};
use crate::model::protection::Protection;
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::model::time::{Timestamp, human};

/// Many subjects that went down together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mass {
    /// How many went down within the window of one another.
    pub down: usize,
    /// Of how many in scope.
    pub of: usize,
    /// When the first of them did.
    pub first: Timestamp,
    /// When the last of them did.
    pub last: Timestamp,
}

impl Mass {
    /// The numbers, held against the limits.
    #[must_use]
    pub fn message(&self, protection: &Protection) -> String {
        format!(
            "{} of {} subjects went down within {} of one another, at least {} ({:.0} %): the likelier cause is a clock, a disk, the network or this host",
            self.down,
            self.of,
            human(protection.window),
            least(self.of, protection.fraction),
            protection.fraction * 100.0,
        )
    }
}

/// How many of so many subjects are a mass.
fn least(of: usize, fraction: f64) -> usize {
    // No fleet has so many subjects that this loses anything.
    (of as f64 * fraction).ceil().max(1.0) as usize
}

/// Whether a mass failure is going on: enough subjects in scope, and enough of them that went down
/// within the window of one another. Those that a reboot took down have a known cause, and do not
/// count.
#[must_use]
pub fn mass(
    mut down: Vec<Timestamp>,
    of: usize,
    protection: &Protection,
    reboot: Option<(Timestamp, Timestamp)>,
) -> Option<Mass> {
    if of < usize::try_from(protection.min_subjects).unwrap_or(usize::MAX) {
        return None;
    }
    if let Some((before, after)) = reboot {
        down.retain(|at| *at < before || *at > after.plus(protection.window));
    }
    down.sort_unstable();
    let (mut from, mut best) = (0, None::<(usize, usize)>);
    for to in 0..down.len() {
        while down[to].since(down[from]) > protection.window {
            from += 1;
        }
        if best.is_none_or(|(a, b)| to - from > b - a) {
            best = Some((from, to));
        }
    }
    let (from, to) = best?;
    let count = to - from + 1;
    (count >= least(of, protection.fraction)).then(|| Mass {
        down: count,
        of,
        first: down[from],
        last: down[to],
    })
}

/// The last boot between two runs over all cells: the run before it, and the first one after it.
#[must_use]
pub fn reboot(snapshot: &Snapshot, state: &State) -> Option<(Timestamp, Timestamp)> {
    let last = state.last_run.as_ref()?;
    let known = !last.boot_id.is_empty() && !snapshot.boot_id.is_empty();
    if known && last.boot_id != snapshot.boot_id {
        return Some((last.at, snapshot.taken_at));
    }
    last.reboot
}

/// Why nobody at all is revived in this run, if so.
///
/// `--force` is an operator's word against what follows from time alone; it does not make a lost
/// state or another disk a known one.
#[must_use]
pub fn host_hold(snapshot: &Snapshot, state: &State, rules: &Rules<'_>) -> Option<Reason> {
    if rules.state_lost {
        let message = "the state was lost and could not be rebuilt: in this run nobody is revived, so that no one gets a fresh budget by it";
        return Some(Reason::new(Code::StateLost, message));
    }
    let warnings = holds::holds(snapshot, state, rules.protection.min_subjects);
    for (code, of) in [
        (holds::ROOT_CHANGED, Code::RootChanged),
        (holds::CLOCK, Code::Clock),
    ] {
        if let Some(found) = warnings.iter().find(|w| w.code == code) {
            return Some(Reason::new(of, found.message.clone()));
        }
    }
    if rules.force {
        return None;
    }
    let since_boot = snapshot.uptime.filter(|up| *up < rules.protection.settle);
    if let Some(up) = since_boot {
        let message = format!(
            "this host was booted {} ago, less than {} (protection.settle)",
            human(up),
            human(rules.protection.settle)
        );
        return Some(Reason::new(Code::Settle, message));
    }
    let last = state.last_run.as_ref().filter(|_| snapshot.full)?;
    let gap = snapshot.taken_at.since(last.at);
    (gap > rules.gap).then(|| {
        let message = format!(
            "the last run was {} ago, more than {} (protection.gap): every heartbeat looks old after that",
            human(gap),
            human(rules.gap)
        );
        Reason::new(Code::Gap, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: &[i64]) -> Vec<Timestamp> {
        secs.iter().map(|s| Timestamp::from_secs(*s)).collect()
    }

    fn count(down: &[i64], of: usize) -> Option<usize> {
        mass(at(down), of, &Protection::default(), None).map(|m| m.down)
    }

    #[test]
    fn a_mass_is_a_share_of_enough_subjects_within_a_window() {
        let five = [0, 100, 200, 300, 600];
        assert_eq!(count(&five, 10), Some(5));
        assert_eq!(count(&five[..4], 10), None);
        assert_eq!(count(&five, 9), None, "too few for a mass");
        assert_eq!(count(&[0, 100, 200, 300, 601], 10), None, "one is too late");
        assert_eq!(count(&five, 11), None, "a share is rounded up");
        assert_eq!(count(&[0, 1000, 1001, 1002, 1003, 1004], 10), Some(5));
        assert_eq!(count(&[], 100), None);
    }

    #[test]
    fn what_a_reboot_took_down_does_not_count() {
        let reboot = Some((Timestamp::from_secs(50), Timestamp::from_secs(200)));
        let down = |secs: &[i64]| mass(at(secs), 10, &Protection::default(), reboot).is_some();
        assert!(!down(&[60, 60, 60, 60, 60, 700]));
        assert!(down(&[900, 900, 900, 900, 900]));
    }
}
