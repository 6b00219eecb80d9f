//! Findings about what starts the runs.

use std::path::Path;

use super::state::LATE_AFTER;
use super::{acting, crontabs};
use crate::cli::doctor::facts::host::Host;
use crate::cli::doctor::facts::settings::Settings;
use crate::cli::doctor::facts::state::StateFacts;
use crate::cli::doctor::facts::unit_file::{Call, calendar_seconds};
use crate::cli::doctor::facts::units::{Idle, Program, Service, Starters, Timer};
use crate::cli::doctor::finding::{Finding, Level, few};
use crate::pipeline::service::starts_beside_itself;
use crate::sys::systemd::Manager;

/// What each part of a unit's sandbox takes away from the agents that a run starts: they keep it for
/// life.
const SANDBOX: [(&str, &str); 17] = [
    (
        "PrivateTmp",
        "its files in /tmp are hidden from everybody else, and removed when the run ends",
    ),
    (
        "ProtectHome",
        "the homes of the agents' users are hidden or cannot be written",
    ),
    ("ProtectSystem", "it cannot write where it may need to"),
    ("ReadOnlyPaths", "it cannot write where it may need to"),
    ("InaccessiblePaths", "it cannot reach what lies there"),
    ("PrivateDevices", "it has no graphics processor"),
    ("PrivateNetwork", "it has no network"),
    (
        "NoNewPrivileges",
        "no sudo and no setuid program works, in `run` steps neither",
    ),
    (
        "MemoryDenyWriteExecute",
        "no just-in-time compiler works: Node and browsers do not start",
    ),
    (
        "RestrictNamespaces",
        "it cannot put its own tools into a sandbox",
    ),
    ("SystemCallFilter", "it may miss system calls that it needs"),
    (
        "RestrictAddressFamilies",
        "it may miss the network that it needs",
    ),
    (
        "CapabilityBoundingSet",
        "a run may not be able to become its user, or to signal it",
    ),
    ("ProtectProc", "a run cannot see whether it lives"),
    (
        "PrivatePIDs",
        "a run cannot see whether it lives, and it ends with the run",
    ),
    ("MemoryMax", "all agents and the runs share it"),
    ("CPUQuota", "all agents and the runs share it"),
];

/// What is needed beside the units themselves.
pub(super) struct About<'a> {
    pub(super) settings: Option<&'a Settings>,
    pub(super) host: &'a Host,
}

/// About timers, services and crontabs.
pub(super) fn judge(
    starters: &Starters,
    settings: Option<&Settings>,
    state: Option<&StateFacts>,
    host: &Host,
) -> Vec<Finding> {
    let about = About { settings, host };
    let mut found = Vec::new();
    for service in &starters.services {
        found.extend(of_service(service, &about));
    }
    for crontab in &starters.crontabs {
        found.extend(crontabs::judge(crontab, &about));
    }
    found.extend(starters.idle.iter().map(starts_nothing));
    let all = all(starters, host);
    // What starts runs of another user is another installation.
    let ours = all.iter().filter(|(_, is_ours)| *is_ours);
    let ours: Vec<String> = ours.map(|(path, _)| path.display().to_string()).collect();
    match (all.len(), ours.len()) {
        // What should start them has been told of.
        (0, _) if !starters.idle.is_empty() => {}
        (0, _) => found.push(nobody(starters, settings, state, host)),
        (_, 0 | 1) => {}
        _ => {
            let text = format!("several things start runs: {}", few(&ours));
            found.push(
                Finding::warning("several_starters", text).next(
                    "keep one of them: where both start a run at once, the later one exits 75",
                ),
            );
        }
    }
    found
}

/// The timers and crontabs that start runs, and whether those runs are of the user who looks.
fn all<'a>(starters: &'a Starters, host: &Host) -> Vec<(&'a Path, bool)> {
    let timers = starters.services.iter().filter_map(|service| {
        let timer = service.timer.as_ref().filter(|timer| timer.enabled)?;
        let is_ours = runs_as(service).is_none_or(|user| is_ours(user, host));
        Some((timer.path.as_path(), is_ours))
    });
    let crontabs = starters.crontabs.iter().map(|crontab| {
        let entries = crontab.entries.iter().filter(|e| !e.user_forgotten);
        let mut users = entries.map(|entry| entry.user.as_deref());
        let is_ours = users.any(|user| user.is_none_or(|user| is_ours(user, host)));
        (crontab.path.as_path(), is_ours)
    });
    timers.chain(crontabs).collect()
}

/// Nothing was found that starts runs.
fn nobody(
    starters: &Starters,
    settings: Option<&Settings>,
    state: Option<&StateFacts>,
    host: &Host,
) -> Finding {
    let last = state.and_then(StateFacts::last_run);
    let interval = settings.map(|settings| settings.config.heartbeat_interval);
    let most = interval.map(|interval| interval.saturating_mul(LATE_AFTER));
    let fresh = last.as_ref().zip(most);
    if fresh.is_some_and(|(last, most)| host.now.since(last.ended) <= most) {
        let text = "there are runs, started by something that is not seen from here";
        return Finding::ok("starter_unseen", text);
    }
    // What cannot be looked at does not say that there are none.
    let known = state.is_some_and(|state| state.state.is_ok() && state.beat.is_ok());
    if last.is_none() && !(known && settings.is_some()) {
        let text = "nothing that starts runs is seen from here, and whether there are runs could not be looked at";
        return Finding::advice("starter_unseen", text);
    }
    let text = match starters.services.is_empty() {
        true => "no timer and no crontab starts a run, as far as can be seen from here",
        false => "there is a service, and no timer that is enabled to start it",
    };
    Finding::warning("no_starter", text).next(
        "install contrib/systemd or contrib/cron, one of the two: docs/operations.md says how",
    )
}

/// A timer that fires, and nothing comes of it.
fn starts_nothing(idle: &Idle) -> Finding {
    let text = format!(
        "the timer is enabled, and {}, which it should start, {}: it starts no run",
        idle.service, idle.why
    );
    Finding::error("timer_idle", text)
        .at(&idle.timer)
        .next("install the service of contrib/systemd, `systemctl unmask` it where it is masked, then `systemctl daemon-reload`")
}

fn of_service(service: &Service, about: &About<'_>) -> Vec<Finding> {
    let at = |finding: Finding| finding.at(&service.path);
    let mut found = Vec::new();
    if !about.host.has_systemd && service.manager == Manager::Host {
        let text = "there is a unit, and systemd does not run here";
        found.push(at(Finding::warning("systemd_not_running", text)).next(
            "in a container without systemd let cron, or the container's own scheduler, start the runs",
        ));
    }
    found.extend(of_program(&service.program, &service.path, about));
    found.extend(options(&service.call, &service.path, about));
    let user = runs_as(service);
    found.extend(user.and_then(|user| other_user(user, &service.path, about)));
    found.extend(kill_mode(service, about));
    found.extend(sandbox(service, about));
    found.extend(strict(service, about));
    let acting = about.settings.map(|settings| acting(&settings.plans.set));
    let acts = acting.is_some_and(|mut plans| plans.any(|plan| !plan.steps.is_empty()));
    if acts && only_observes(service) {
        let text =
            "it runs with --no-act, and there are plans that would act: nobody is brought back";
        found.push(
            at(Finding::advice("no_act", text))
                .next("if that is not meant, take --no-act (observe-only.conf) away"),
        );
    }
    let oneshot = service.file.last("Service", "Type").map(|(kind, _)| kind) == Some("oneshot");
    if oneshot && service.file.last("Service", "TimeoutStartSec").is_none() {
        let text = "it is a oneshot without TimeoutStartSec=: a run that hangs keeps every later one from starting";
        found.push(
            at(Finding::warning("no_timeout", text))
                .next("say TimeoutStartSec=75s, more than the run's own --deadline"),
        );
    }
    match &service.timer {
        None => {
            let text = format!("no timer starts {}", service.name);
            found.push(at(Finding::advice("no_timer", text)));
        }
        Some(timer) => found.extend(of_timer(timer, service, about)),
    }
    if found.iter().all(|f| f.level == Level::Ok) {
        found.push(at(Finding::ok(
            "service",
            format!("{} is as it should be", service.name),
        )));
    }
    found
}

fn of_timer(timer: &Timer, service: &Service, about: &About<'_>) -> Vec<Finding> {
    let at = |finding: Finding| finding.at(&timer.path);
    let mut found = Vec::new();
    let name = timer.path.file_name().unwrap_or_default().display();
    if !timer.enabled {
        let how = match service.manager {
            Manager::Host => "systemctl",
            Manager::User => "systemctl --user",
        };
        let text = "the timer is not enabled: after a reboot nothing starts a run";
        found.push(
            at(Finding::warning("timer_disabled", text))
                .next(format!("`{how} enable --now {name}`")),
        );
    }
    if timer.file.last("Timer", "AccuracySec").is_none() {
        let text = "it has no AccuracySec=: systemd moves each run by up to a minute";
        found.push(at(Finding::advice("accuracy", text)).next("say AccuracySec=1s"));
    }
    let calendars = timer.file.all("Timer", "OnCalendar");
    let every = match calendars[..] {
        [one] => calendar_seconds(one),
        _ => None,
    };
    found.extend(interval(every, &timer.path, about));
    if service.manager == Manager::User && !about.host.lingers && !about.host.is_root {
        let text = "it is this user's own timer, and ends with the user's last session";
        found.push(at(Finding::warning("no_linger", text)).next("`loginctl enable-linger`"));
    }
    found
}

/// The configuration says how often a run is expected, to those who watch the watcher.
pub(super) fn interval(every: Option<u64>, path: &Path, about: &About<'_>) -> Option<Finding> {
    let expected = about.settings?.config.heartbeat_interval.as_secs();
    let every = every.filter(|every| *every != expected)?;
    let text =
        format!("it starts a run every {every} s, and heartbeat_interval_seconds says {expected}");
    Some(
        Finding::warning("interval_differs", text)
            .at(path)
            .next("change one of them: by that number `heartbeats`, `health` and this command tell a run that is late"),
    )
}

/// The program that is started: there, and nobody else's.
pub(super) fn of_program(program: &Program, path: &Path, about: &About<'_>) -> Option<Finding> {
    match program {
        Program::Missing(why) => {
            let text = format!("what it starts cannot be started: {why}");
            let next = "install the program there, or name its path";
            Some(Finding::error("program_missing", text).at(path).next(next))
        }
        Program::There {
            file,
            uid,
            owner,
            mode,
        } => {
            let trusted = match about.settings {
                Some(settings) => settings.trust.holds(*uid, *mode),
                None => mode & 0o022 == 0,
            };
            let text = format!(
                "it starts {}, which belongs to {owner} and has mode {mode:04o}: whoever can write it decides what each run does",
                file.display(),
            );
            let next = format!("`chown root {p} && chmod 755 {p}`", p = file.display());
            (!trusted).then(|| {
                Finding::error("program_not_trusted", text)
                    .at(path)
                    .next(next)
            })
        }
    }
}

/// What is looked at here must be what the runs work by.
pub(super) fn options(call: &Call, path: &Path, about: &About<'_>) -> Option<Finding> {
    let settings = about.settings?;
    let config = &settings.config;
    let file = settings.file.as_ref().map(|(file, _)| file.as_path());
    let state = config.state_dir();
    let pairs = [
        ("--config", file),
        ("--root", Some(config.missions_root.as_path())),
        ("--state-dir", Some(state.as_path())),
    ];
    let differ = pairs.into_iter().filter_map(|(option, ours)| {
        let theirs = call.option(option)?;
        (ours != Some(Path::new(theirs))).then(|| format!("{option} {theirs}"))
    });
    let differ: Vec<String> = differ.collect();
    if differ.is_empty() {
        return None;
    }
    let with = differ.join(" ");
    let text = format!("it runs with {with}, and something else was looked at here");
    Some(
        Finding::advice("other_options", text)
            .at(path)
            .next(format!("look at that: `lazarus-pit doctor {with}`")),
    )
}

/// Whom a service runs as; `None` for the user whose systemd it belongs to.
fn runs_as(service: &Service) -> Option<&str> {
    let named = service.file.last("Service", "User").map(|(user, _)| user);
    match service.manager {
        Manager::User => None,
        Manager::Host => Some(named.unwrap_or("root")),
    }
}

fn is_ours(user: &str, host: &Host) -> bool {
    user == host.user || user == host.uid.to_string()
}

/// What is told here holds for the user who asks.
pub(super) fn other_user(runs_as: &str, path: &Path, about: &About<'_>) -> Option<Finding> {
    let ours = &about.host.user;
    let text = format!(
        "it runs as {runs_as}, and what is told here is what {ours} finds: rights, secrets and places may differ"
    );
    let next = format!("look as that user: `sudo -u {runs_as} lazarus-pit doctor`");
    let is_other = !is_ours(runs_as, about.host);
    is_other.then(|| Finding::advice("other_user", text).at(path).next(next))
}

/// True for a service that only observes.
fn only_observes(service: &Service) -> bool {
    service.call.args.iter().any(|arg| arg == "--no-act")
}

/// Plans whose agents live in the unit's own control group.
fn plain_plans(service: &Service, about: &About<'_>) -> Vec<String> {
    let settings = about.settings.filter(|_| !only_observes(service));
    let settings = settings.into_iter();
    let plans = settings.flat_map(|settings| settings.plans.set.plans());
    let plans = plans.filter(|plan| starts_beside_itself(plan));
    plans.map(|plan| plan.name.clone()).collect()
}

fn kill_mode(service: &Service, about: &About<'_>) -> Option<Finding> {
    let plans = plain_plans(service, about);
    let said = service.file.last("Service", "KillMode");
    let mode = said.map_or("control-group", |(mode, _)| mode);
    if plans.is_empty() || matches!(mode, "process" | "none") {
        return None;
    }
    let whence = match said {
        Some((_, file)) => format!("KillMode={mode} ({})", file.display()),
        None => "no KillMode=, which is control-group".to_owned(),
    };
    let text = format!(
        "{} has {whence}: when a run ends, systemd kills every agent that it has started, those of {}",
        service.name,
        few(&plans)
    );
    Some(
        Finding::error("kill_mode", text)
            .at(&service.path)
            .next("say KillMode=process in the unit, as contrib/systemd does, or `backend: systemd` in the step `spawn`"),
    )
}

fn sandbox(service: &Service, about: &About<'_>) -> Vec<Finding> {
    let plans = plain_plans(service, about);
    if plans.is_empty() {
        return Vec::new();
    }
    let one = |(key, effect): &(&str, &str)| {
        let (value, file) = service.file.last("Service", key)?;
        let is_off = matches!(
            value.to_ascii_lowercase().as_str(),
            "no" | "false" | "off" | "0" | "default" | "infinity"
        );
        if is_off {
            return None;
        }
        let text = format!(
            "{key}={value}: an agent that a run starts keeps that for life, and {effect} (plans: {})",
            few(&plans)
        );
        Some(
            Finding::warning("sandbox", text)
                .at(file)
                .next("leave it out of the unit, or say `backend: systemd` in the step `spawn`"),
        )
    };
    SANDBOX.iter().filter_map(one).collect()
}

/// A state directory that the unit may not write.
fn strict(service: &Service, about: &About<'_>) -> Option<Finding> {
    let (value, file) = service.file.last("Service", "ProtectSystem")?;
    let state = about.settings?.config.state_dir();
    if value != "strict" {
        return None;
    }
    let all = |key| service.file.all("Service", key).into_iter();
    let words = |line: &'_ str| -> Vec<String> {
        let words = line.split_whitespace();
        words
            .map(|w| w.trim_start_matches(['-', '+']).to_owned())
            .collect()
    };
    let named = all("ReadWritePaths").flat_map(words);
    let made = all("StateDirectory").flat_map(words);
    let made = made.map(|name| format!("/var/lib/{name}"));
    // Where a user's own systemd makes them is for that to say.
    let is_users = service.manager == Manager::User
        && !service.file.all("Service", "StateDirectory").is_empty();
    if is_users || named.chain(made).any(|path| state.starts_with(path)) {
        return None;
    }
    let text = format!(
        "ProtectSystem=strict, and neither ReadWritePaths= nor StateDirectory= has {}: every run would end with 74",
        state.display()
    );
    let next = format!("say ReadWritePaths={}", state.display());
    Some(Finding::error("state_read_only", text).at(file).next(next))
}
