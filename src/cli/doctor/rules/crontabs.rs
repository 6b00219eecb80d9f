//! Findings about crontabs: cron passes over what it does not like without a word.

use super::units::{About, interval, of_program, options, other_user};
use crate::cli::doctor::facts::crontabs::{Crontab, Entry, Kind};
use crate::cli::doctor::finding::{Finding, Level};

/// About a crontab that starts runs.
pub(super) fn judge(crontab: &Crontab, about: &About<'_>) -> Vec<Finding> {
    let mut found = passed_over(crontab);
    let at = |finding: Finding| finding.at(&crontab.path);
    if !about.host.has_cron {
        let text = "it is there, and no cron was found that would read it";
        found.push(
            at(Finding::warning("no_cron", text))
                .next("install one, or take the timer of contrib/systemd"),
        );
    }
    if !crontab.variables.contains("PATH") {
        let text =
            "it sets no PATH: the steps of plans look for their programs in /usr/bin and /bin only";
        found.push(
            at(Finding::advice("cron_path", text))
                .next("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        );
    }
    for entry in &crontab.entries {
        found.extend(of_entry(entry, crontab, about));
    }
    if found.iter().all(|f| f.level == Level::Ok) {
        found.push(at(Finding::ok(
            "crontab",
            "it starts the runs, and is as it should be",
        )));
    }
    found
}

/// Why cron would pass over it as a whole.
fn passed_over(crontab: &Crontab) -> Vec<Finding> {
    let path = crontab.path.display();
    let mut found = Vec::new();
    let mut add = |finding: Finding| found.push(finding.at(&crontab.path));
    if crontab.kind != Kind::User {
        if crontab.uid != 0 {
            let text = format!(
                "it belongs to {}: cron passes over what is not root's, without a word",
                crontab.owner
            );
            add(Finding::error("cron_owner", text).next(format!("`chown root:root {path}`")));
        }
        if crontab.mode & 0o022 != 0 {
            let text = format!(
                "others can write it (mode {:04o}): cron passes over it",
                crontab.mode
            );
            add(Finding::error("cron_mode", text).next(format!("`chmod 644 {path}`")));
        }
    }
    let name = crontab.path.file_name().unwrap_or_default();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if crontab.kind == Kind::Part && !name.as_encoded_bytes().iter().all(plain) {
        let text = "its name has something else in it than letters, digits, `-` and `_` (a dot?): cron passes over it";
        add(Finding::error("cron_name", text).next("call it `lazarus-pit`"));
    }
    if !crontab.ends {
        let text = "its last line does not end: cron passes over that line, or over the file";
        add(Finding::error("cron_end", text).next("put a line's end at its end"));
    }
    found
}

fn of_entry(entry: &Entry, crontab: &Crontab, about: &About<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let path = &crontab.path;
    let at = |finding: Finding| finding.about(format!("{}:{}", path.display(), entry.line));
    let no_user = match (&entry.user, entry.user_forgotten) {
        (Some(user), _) if !entry.user_exists => Some(format!(
            "there is no user `{user}`, as whom it is to run: in a system crontab a user stands before the command"
        )),
        (None, true) => Some(
            "the user is forgotten who stands before the command in a system crontab: cron takes the command's first word for one, and starts nothing"
                .to_owned(),
        ),
        _ => None,
    };
    if let Some(text) = no_user {
        found.push(
            at(Finding::error("cron_user", text))
                .next("`* * * * * root /usr/local/bin/lazarus-pit check -q`"),
        );
    }
    if entry.has_percent {
        let text = "a `%` stands in it, which cron takes for the command's end";
        found.push(at(Finding::error("cron_percent", text)).next("write it `\\%`"));
    }
    if entry
        .call
        .before
        .iter()
        .any(|word| word.rsplit('/').next() == Some("flock"))
    {
        let text = "`flock` stands around it: every agent that a run starts inherits that lock, and no run begins before all of them have ended";
        found.push(
            at(Finding::warning("flock_around", text))
                .next("leave it out: the program has a lock of its own that nothing inherits"),
        );
    }
    found.extend(of_program(&entry.program, path, about));
    found.extend(options(&entry.call, path, about));
    found.extend(interval(entry.every, path, about));
    if entry.user_exists
        && let Some(user) = &entry.user
    {
        found.extend(other_user(user, path, about));
    }
    found
}
