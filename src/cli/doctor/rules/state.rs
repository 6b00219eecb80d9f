//! Findings about what earlier runs left.

use std::path::Path;

use crate::cli::doctor::facts::host::Host;
use crate::cli::doctor::facts::settings::Settings;
use crate::cli::doctor::facts::state::{InTheWay, Kept, StateFacts};
use crate::cli::doctor::finding::{Finding, count};
use crate::model::exit::Exit;
use crate::model::time::human;
use crate::report::human::moment;
use crate::report::past::Past;
use crate::sys::beneath::describe;

/// A run is late after this many intervals.
pub(super) const LATE_AFTER: u32 = 3;

/// About state, journal, lock and heartbeat.
pub(super) fn judge(state: &StateFacts, settings: &Settings, host: &Host) -> Vec<Finding> {
    let dir = settings.config.state_dir();
    let at = |finding: Finding| finding.at(&dir);
    let mut found = Vec::new();
    match &state.state {
        Err(why) => found.push(at(Finding::error("state_unreadable", why)).next(
            "every run ends with 74 until it can be read; docs/operations.md says what to do",
        )),
        Ok(_) => found.extend(state.warnings.iter().map(|warning| {
            let finding = match state.lost {
                true => Finding::error("state_damaged", &warning.message),
                false => Finding::warning("state_damaged", &warning.message),
            };
            at(finding)
                .next("the next run sets what is broken aside, and does by itself what can be done")
        })),
    }
    let whole = state.exists && found.is_empty();
    found.extend(state.in_the_way.iter().map(in_the_way));
    if let Some(first) = state.set_aside.first() {
        let n = count(state.set_aside.len(), "broken state file");
        let text = format!("{n} set aside by earlier runs");
        found.push(
            Finding::advice("set_aside", text)
                .at(first)
                .next("see why it broke (a disk? a crash?), then remove it"),
        );
    }
    let files = state.files.iter();
    found.extend(files.flat_map(of_file));
    found.extend(held(state, &dir));
    if whole {
        found.push(at(Finding::ok(
            "state_whole",
            "state and journal are whole",
        )));
    }
    if let Err(why) = &state.beat {
        found.push(
            Finding::warning("heartbeat_unreadable", why)
                .next("the next run writes it anew, if it may: see whose file it is"),
        );
    }
    match (state.last_run(), &state.state) {
        (Some(last), _) => found.push(last_run(&last, settings, host)),
        (None, Ok(_)) => found.push(never_run()),
        // What cannot be read does not say that there was none.
        (None, Err(_)) => {}
    }
    found
}

fn in_the_way(it: &InTheWay) -> Finding {
    let text = format!(
        "it is {}, where {} should be: every run ends with 74",
        describe(it.is),
        describe(it.wanted)
    );
    Finding::error("in_the_way", text)
        .at(&it.path)
        .next("move it away: the next run makes what it needs there")
}

fn of_file(file: &Kept) -> Vec<Finding> {
    let path = file.path.display();
    let mut found = Vec::new();
    if !file.writable {
        let text = format!(
            "it belongs to {} (mode {:04o}) and cannot be read and written here: a run as another user made it",
            file.owner, file.mode
        );
        let next = "run always as the same user, or give it back with `chown`";
        found.push(
            Finding::error("file_not_ours", text)
                .at(&file.path)
                .next(next),
        );
    }
    if file.mode & 0o077 != 0 {
        let text = format!("others may read or write it (mode {:04o})", file.mode);
        let next = format!("`chmod 600 {path}`");
        found.push(
            Finding::warning("file_open", text)
                .at(&file.path)
                .next(next),
        );
    }
    found
}

fn held(state: &StateFacts, dir: &Path) -> Option<Finding> {
    let held = state.held.as_ref()?;
    let finding = match (held.is_hung, held.is_run) {
        (true, _) => Finding::warning("lock_hung", format!("{}: it hangs", held.message))
            .next("the next run ends it; where there is none, nothing starts them"),
        (false, true) => Finding::ok("lock_held", &held.message),
        (false, false) => Finding::warning("lock_foreign", &held.message)
            .next("every run ends with 75 while it lasts: no `flock` around a run, for what it starts inherits that lock"),
    };
    Some(finding.at(dir))
}

fn never_run() -> Finding {
    Finding::advice("never_run", "no run has left anything yet").next(
        "make one: `lazarus-pit check --dry-run` first, which writes nothing, then without it",
    )
}

/// When there was a run, and how it ended.
fn last_run(last: &Past, settings: &Settings, host: &Host) -> Finding {
    let age = host.now.since(last.ended);
    let most = settings
        .config
        .heartbeat_interval
        .saturating_mul(LATE_AFTER);
    let when = format!(
        "the last run ended {} ago, at {}",
        human(age),
        moment(last.ended)
    );
    if age > most {
        let text = format!(
            "{when}: more than {LATE_AFTER} intervals of {}",
            human(settings.config.heartbeat_interval)
        );
        return Finding::warning("run_late", text).next(
            "is the timer at work? `systemctl list-timers 'lazarus*'`, or cron's own log: `journalctl -t CRON`",
        );
    }
    let meaning = Exit::ALL.iter().find(|exit| exit.code() == last.exit);
    let meaning = meaning.map_or("a code that is not known", |exit| exit.meaning());
    let text = format!("{when}, with {} ({meaning})", last.exit);
    match last.is_success() {
        true => Finding::ok("last_run", text),
        false => Finding::error("run_failed", text).next(
            "`lazarus-pit check --dry-run` says why; docs/exit-codes.md what the number means",
        ),
    }
}
