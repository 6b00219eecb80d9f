//! What speaks against acting in this run at all: the cause is likelier in the host than in the
//! agents.

use crate::model::cell::Warning;
use crate::model::snapshot::Snapshot;
use crate::model::state::State;
use crate::model::time::human;

/// The code of the warning that the missions root is not the one it was.
pub const ROOT_CHANGED: &str = "root_changed";

/// The code of the warning that another directory is looked at than in the last run. It is no
/// reason to distrust what is there, only what is not.
pub const OTHER_ROOT: &str = "other_root";

/// The code of the warning that the clock has gone backwards.
pub const CLOCK: &str = "clock";

/// The codes of all warnings that speak against acting.
pub const HOLDS: [&str; 2] = [ROOT_CHANGED, CLOCK];

/// True if one of these warnings is that the missions root is not what it was.
#[must_use]
pub fn root_changed(warnings: &[Warning]) -> bool {
    warnings.iter().any(|w| w.code == ROOT_CHANGED)
}

/// True if, by these warnings, a subject that was not found may be believed gone.
#[must_use]
pub fn believes_absence(warnings: &[Warning]) -> bool {
    warnings
        .iter()
        .all(|w| w.code != ROOT_CHANGED && w.code != OTHER_ROOT)
}

/// Compares this run's view of the host with that of the last run.
///
/// `min_subjects` is how many cells a root must have held for its being empty to be suspicious.
#[must_use]
pub fn holds(snapshot: &Snapshot, state: &State, min_subjects: u32) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let Some(last) = &state.last_run else {
        return warnings;
    };
    let root = snapshot.missions_root.to_string_lossy();
    let root = crate::model::text::visible(&root);
    // Device numbers may change with a boot; then the file system's own id decides.
    let same_boot = last.boot_id == snapshot.boot_id;
    let other =
        last.root.dev != snapshot.root.dev && (same_boot || last.root.fsid != snapshot.root.fsid);
    if other {
        let message = format!(
            "{root} is another file system than in the last run (device {} now, {} then): is a disk missing that was mounted there?",
            snapshot.root.dev, last.root.dev
        );
        warnings.push(Warning::new(ROOT_CHANGED, message));
    } else if snapshot.full && is_elsewhere(&snapshot.root.path, &last.root.path) {
        let message = format!(
            "{root} is another directory than the {} of the last run: nothing is concluded from what it lacks \
             (a missions root of its own wants a state directory of its own, --state-dir)",
            crate::model::text::visible(&last.root.path)
        );
        warnings.push(Warning::new(OTHER_ROOT, message));
    } else if snapshot.full && snapshot.cells.places() == 0 && last.cells >= u64::from(min_subjects)
    {
        let message = format!(
            "{root} is empty and held {} cells before: nothing is concluded from their absence",
            last.cells
        );
        warnings.push(Warning::new(ROOT_CHANGED, message));
    }
    if snapshot.taken_at < last.at {
        let message = format!(
            "the clock has gone backwards by {} since the last run at {}",
            human(last.at.since(snapshot.taken_at)),
            last.at
        );
        warnings.push(Warning::new(CLOCK, message));
    }
    warnings
}

/// True for two paths that are both known and differ.
fn is_elsewhere(now: &str, then: &str) -> bool {
    !now.is_empty() && !then.is_empty() && now != then
}
