//! What a run that was killed in the middle of a step has left running.

use std::collections::HashSet;
use std::time::Duration;

use super::environment::REF;
use crate::sys::process;
use crate::sys::procs;

pub use crate::sys::procs::Found;

/// How often is looked again for those that were being started meanwhile.
const ROUNDS: u32 = 5;

/// What became of leftovers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Those that are gone.
    pub ended: Vec<Found>,
    /// Those that are still there: they hang in the kernel, or are another user's.
    pub left: Vec<Found>,
}

/// The living processes that belong to attempts with these refs: [`Found::value`] says which. Never
/// this process, and never one that it comes from.
#[must_use]
pub fn leftovers(refs: &[String]) -> Vec<Found> {
    let refs: HashSet<&str> = refs.iter().map(String::as_str).collect();
    procs::with_variable(REF, &refs)
}

/// Ends them: TERM to all, and KILL to those that are still there after `grace`.
#[must_use]
pub fn end_leftovers(refs: &[String], grace: Duration) -> Ended {
    end_leftovers_but(refs, grace, &|_| false)
}

/// The same, without those that are spared.
#[must_use]
pub fn end_leftovers_but(
    refs: &[String],
    grace: Duration,
    spared: &dyn Fn(&Found) -> bool,
) -> Ended {
    let mut all = Ended::default();
    for _ in 0..ROUNDS {
        let mut found = leftovers(refs);
        found.retain(|f| !all.left.contains(f) && !spared(f));
        if found.is_empty() {
            break;
        }
        let still = process::end_all(found.iter().map(|f| (f.pid, f.start_time)), grace);
        for f in found {
            match still.contains(&f.pid) {
                true => all.left.push(f),
                false => all.ended.push(f),
            }
        }
    }
    all
}
