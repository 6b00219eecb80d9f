//! Findings about what agents and commands that are started could not do here.

use super::{acting, given, spawns};
use crate::cli::doctor::facts::fleet::{Fleet, Obstacle, Trouble};
use crate::cli::doctor::facts::host::Host;
use crate::cli::doctor::facts::settings::Settings;
use crate::cli::doctor::facts::units::Starters;
use crate::cli::doctor::finding::{Finding, count, few};
use crate::model::step::{Backend, Step};
use crate::plan::Plan;
use crate::plan::types::ProbeKind;

/// About all plans that start something.
pub(super) fn judge(
    settings: &Settings,
    fleet: &Fleet,
    starters: Option<&Starters>,
    host: &Host,
) -> Vec<Finding> {
    let mut found: Vec<Finding> = fleet.troubles.iter().map(trouble).collect();
    let plans: Vec<&Plan> = acting(&settings.plans.set).collect();
    for plan in &plans {
        let about = |finding: Finding| finding.about(format!("plan {}", plan.name));
        found.extend(
            variables(plan, settings, starters, host)
                .into_iter()
                .map(about),
        );
        found.extend(limits(plan, host).into_iter().map(about));
        found.extend(systemd(plan, host).into_iter().map(about));
        found.extend(sudo(plan, host).map(about));
    }
    let starting: Vec<&str> = plans
        .iter()
        .filter(|plan| spawns(plan).next().is_some())
        .map(|plan| plan.name.as_str())
        .collect();
    if host.is_root && !host.may_become && !starting.is_empty() {
        let text = format!(
            "root here may not become another user (no CAP_SETUID or CAP_SETGID), and these plans start agents: {}",
            few(&starting)
        );
        found.push(
            Finding::error("cannot_become", text).next(
                "give the container, or the unit's CapabilityBoundingSet=, both capabilities",
            ),
        );
    }
    found.extend(sight(settings, host));
    if found.is_empty() {
        let text = match (fleet.tried, plans.is_empty()) {
            (_, true) => "no plan may act, so nothing is started".to_owned(),
            (0, false) => "no plan that may act governs anybody who is here".to_owned(),
            (n, false) => format!(
                "what the plans start could be started: looked at for {}",
                count(n, "subject")
            ),
        };
        found.push(Finding::ok("steps", text));
    }
    found
}

/// What would keep a step from being carried out.
fn trouble(trouble: &Trouble) -> Finding {
    let text = format!("{} (for {})", trouble.why, few(&trouble.subjects));
    let (finding, next) = match trouble.obstacle {
        Obstacle::Template => (
            Finding::error("template", text),
            "the manifest lacks what the plan names: give the cell that label, or the plan a `default`",
        ),
        Obstacle::User => (
            Finding::advice("user_unknown", text),
            "what that user may do could not be found out",
        ),
        Obstacle::Cwd => (
            Finding::error("cwd", text),
            "give that user the right to enter it, and each directory on the way: `namei -l PATH`",
        ),
        Obstacle::CwdWay => (
            Finding::warning("cwd", text),
            "it starts, and fails where it names its own files by their paths: give that user the right to enter each directory on the way (`namei -l PATH`)",
        ),
        Obstacle::Program => (
            Finding::error("program", text),
            "`chmod +x` it, and see that its file system is not mounted noexec and each directory on the way may be entered",
        ),
        Obstacle::LimitReached => (
            Finding::warning("limit_reached", text),
            "raise `limits.processes`: it counts all tasks of the user, and not those of the agent alone",
        ),
        Obstacle::Interpreter => (
            Finding::error("interpreter", text),
            "install it, or mend the script's first line",
        ),
        Obstacle::StepFails => (
            Finding::error("step_fails", text),
            "each attempt would fail with these words: mend the plan or what it names",
        ),
    };
    finding.about(format!("plan {}", trouble.plan)).next(next)
}

/// Variables that a plan hands on and nobody sets.
fn variables(
    plan: &Plan,
    settings: &Settings,
    starters: Option<&Starters>,
    host: &Host,
) -> Vec<Finding> {
    let given = given(starters);
    let secrets = settings.config.secret_variables();
    let names = spawns(plan).flat_map(|spawn| &spawn.env_pass);
    let mut found = Vec::new();
    for name in names {
        if secrets.contains(name) {
            let text = format!(
                "env_pass names {name}, in which a channel's secret stands: it is never handed on"
            );
            found.push(
                Finding::warning("env_secret", text)
                    .next("give the agent a variable, and a secret, of its own"),
            );
            continue;
        }
        let is_set = host.variables.contains(name);
        let is_given = given.as_ref().map(|given| given.contains(name.as_str()));
        let text = match (is_given, is_set) {
            (Some(true), _) | (None, true) => continue,
            (Some(false), true) => format!(
                "env_pass names {name}, which is set here, and nothing that starts the runs sets it"
            ),
            (_, false) => {
                format!("env_pass names {name}, which is not set: the agent starts without it")
            }
        };
        found.push(Finding::warning("env_not_given", text).next(
            "set it in the unit (EnvironmentFile=) or the crontab, or write it into the step's `env`",
        ));
    }
    found
}

/// Limits that cannot be given.
fn limits(plan: &Plan, host: &Host) -> Vec<Finding> {
    let own = |most: Option<u64>| most.filter(|_| !host.may_raise);
    let mut found = Vec::new();
    for spawn in spawns(plan) {
        let files = [own(host.open_files), host.open_files_of_all];
        let pairs = [
            (
                "open_files",
                spawn.limits.open_files,
                files.into_iter().flatten().min(),
            ),
            ("processes", spawn.limits.processes, own(host.processes)),
        ];
        for (key, wanted, most) in pairs {
            if let (Some(wanted), Some(most)) = (wanted, most)
                && wanted > most
            {
                let text =
                    format!("limits.{key} is {wanted}, and no more than {most} may be given here");
                found.push(Finding::error("limit", text).next(
                    "lower it, or raise what may be given (`ulimit -H`, limits.conf, the unit's Limit…=; fs.nr_open for all)",
                ));
            }
        }
    }
    found
}

/// `backend: systemd` where there is none.
fn systemd(plan: &Plan, host: &Host) -> Option<Finding> {
    let mut all = spawns(plan);
    all.find(|spawn| spawn.backend == Backend::Systemd)?;
    if !host.has_systemd {
        let text =
            "it says `backend: systemd`, and systemd does not run here: each attempt would fail";
        return Some(
            Finding::error("no_systemd", text)
                .next("leave `backend` out: the plain one needs no systemd"),
        );
    }
    if !host.is_root && host.runtime_dir.is_none() {
        let text = format!(
            "it says `backend: systemd`, and {} has no systemd of their own running (no /run/user/UID)",
            host.user
        );
        return Some(Finding::error("no_user_systemd", text).next("`loginctl enable-linger`"));
    }
    if !host.is_root && !host.lingers {
        let text = format!(
            "it says `backend: systemd`, and the systemd of {} ends with their last session, with every agent in it",
            host.user
        );
        return Some(Finding::warning("no_user_linger", text).next("`loginctl enable-linger`"));
    }
    None
}

/// Commands that need what `no_new_privs` takes away.
fn sudo(plan: &Plan, host: &Host) -> Option<Finding> {
    let mut commands = plan.steps.iter().filter_map(Step::command);
    let program = |command: &[crate::plan::Template]| {
        let first = command.first()?.source();
        let name = first.rsplit('/').next()?;
        ["sudo", "su", "doas", "pkexec"]
            .iter()
            .find(|word| **word == name)
            .copied()
    };
    let word = commands.find_map(program).filter(|_| host.no_new_privs)?;
    let text =
        format!("it runs `{word}`, and no_new_privs is set here: no program can gain rights");
    Some(Finding::error("no_new_privs", text).next(
        "take NoNewPrivileges= out of what starts the runs, or let them run as the user that is needed",
    ))
}

/// What cannot be seen of processes.
fn sight(settings: &Settings, host: &Host) -> Option<Finding> {
    let by_process = |plan: &&Plan| {
        let mut probes = plan.probes.iter();
        probes.any(|probe| matches!(probe.kind, ProbeKind::Process(_)))
    };
    let all: Vec<&str> = settings
        .plans
        .set
        .plans()
        .iter()
        .filter(by_process)
        .map(|plan| plan.name.as_str())
        .collect();
    if host.hides_processes {
        let text = "/proc is mounted with hidepid: other users' processes are not seen, so that neither `process` probes nor `signal` steps find them";
        let finding = match all.is_empty() {
            true => Finding::advice("processes_hidden", text),
            false => Finding::error("processes_hidden", format!("{text} ({})", few(&all))),
        };
        return Some(
            finding
                .next("run as root, or as a member of the group that `gid=` of that mount names"),
        );
    }
    let text = format!(
        "this is a container's namespace of processes: those outside are not seen by the `process` probes of {}",
        few(&all)
    );
    (host.is_contained && !all.is_empty()).then(|| {
        Finding::advice("processes_outside", text).next("if the agents run outside, run lazarus-pit there, or with the host's namespace (`--pid=host`)")
    })
}
