//! Facts about this host and this process: clock, limits, what of other processes can be seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use crate::model::time::Timestamp;
use crate::sys::filesystems;
use crate::sys::host;
use crate::sys::systemd;

/// The number that the kernel gives to the first namespace of processes.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// This host, as this process sees it.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Host {
    /// What the wall clock says.
    pub(in crate::cli::doctor) now: Timestamp,
    /// Who says that it is set right, or tries to.
    pub(in crate::cli::doctor) synchronised: Option<String>,
    /// The user that we run as.
    pub(in crate::cli::doctor) user: String,
    /// The same user's number.
    pub(in crate::cli::doctor) uid: u32,
    /// True where that is root.
    pub(in crate::cli::doctor) is_root: bool,
    /// True where we may give a child more than we have.
    pub(in crate::cli::doctor) may_raise: bool,
    /// How many descriptors a process may have whoever it is.
    pub(in crate::cli::doctor) open_files_of_all: Option<u64>,
    /// True where we can become another user.
    pub(in crate::cli::doctor) may_become: bool,
    /// True where no program that we start can gain rights: no sudo, no setuid.
    pub(in crate::cli::doctor) no_new_privs: bool,
    /// How many descriptors and processes we may at most allow a child; `None` is no bound.
    pub(in crate::cli::doctor) open_files: Option<u64>,
    pub(in crate::cli::doctor) processes: Option<u64>,
    /// True where other users' processes are hidden from us.
    pub(in crate::cli::doctor) hides_processes: bool,
    /// True in a namespace of processes of its own, a container's.
    pub(in crate::cli::doctor) is_contained: bool,
    /// True where systemd is the host's first process.
    pub(in crate::cli::doctor) has_systemd: bool,
    /// Where our own systemd is found, for one who is not root.
    pub(in crate::cli::doctor) runtime_dir: Option<PathBuf>,
    /// True where our own systemd lives on without a session.
    pub(in crate::cli::doctor) lingers: bool,
    /// The names of the variables of our own environment.
    pub(in crate::cli::doctor) variables: BTreeSet<String>,
    /// True where a cron is installed.
    pub(in crate::cli::doctor) has_cron: bool,
}

/// Looks at it.
pub(in crate::cli::doctor) fn gather(system_root: &Path) -> Host {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let word = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.map(|rest| rest.trim().to_owned())
    };
    let user = host::user_name(host::uid());
    let both = CapabilitySet::SETUID | CapabilitySet::SETGID;
    let has = |set| capabilities(None).is_ok_and(|sets| sets.effective.contains(set));
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok();
    let dir = systemd::runtime_dir().map(PathBuf::from);
    Host {
        now: host::now(),
        synchronised: synchronised(system_root),
        uid: host::uid(),
        is_root: host::is_root(),
        may_become: has(both),
        may_raise: has(CapabilitySet::SYS_RESOURCE),
        open_files_of_all: std::fs::read_to_string("/proc/sys/fs/nr_open")
            .ok()
            .and_then(|text| text.trim().parse().ok()),
        no_new_privs: word("NoNewPrivs:").as_deref() == Some("1"),
        open_files: getrlimit(Resource::Nofile).maximum,
        processes: getrlimit(Resource::Nproc).maximum,
        hides_processes: !host::is_root() && hides_processes(),
        is_contained: namespace.is_some_and(|ns| ns != Path::new(FIRST_PID_NAMESPACE)),
        has_systemd: system_root.join("run/systemd/system").is_dir(),
        runtime_dir: dir.filter(|dir| dir.is_dir()),
        lingers: system_root
            .join("var/lib/systemd/linger")
            .join(&user)
            .exists(),
        variables: std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .collect(),
        has_cron: CRONS.iter().any(|path| system_root.join(path).exists()),
        user,
    }
}

/// Where a cron lies.
const CRONS: [&str; 6] = [
    "usr/sbin/cron",
    "usr/sbin/crond",
    "usr/bin/crond",
    "usr/sbin/fcron",
    "usr/sbin/cronie",
    "sbin/crond",
];

/// Programs that keep the clock right.
const KEEPERS: [&str; 5] = ["chronyd", "ntpd", "ntpd-rs", "openntpd", "ptp4l"];

/// Who says that the clock is right. systemd-timesyncd leaves a mark; of others it is seen that
/// they run.
fn synchronised(system_root: &Path) -> Option<String> {
    let mark = system_root.join("run/systemd/timesync/synchronized");
    if mark.exists() {
        return Some(format!("{} is there", mark.display()));
    }
    let entries = std::fs::read_dir("/proc").ok()?;
    let names = entries.filter_map(|entry| {
        let path = entry.ok()?.path().join("comm");
        std::fs::read_to_string(path).ok()
    });
    let mut names = names.map(|name| name.trim().to_owned());
    let keeper = names.find(|name| KEEPERS.contains(&name.as_str()))?;
    Some(format!("{keeper} runs"))
}

/// Whether `/proc` shows other users' processes to root only.
fn hides_processes() -> bool {
    let table = filesystems::table();
    let proc = filesystems::mount_of(&table, Path::new("/proc"));
    let hides = |option: &String| {
        let value = option.strip_prefix("hidepid=");
        value.is_some_and(|value| !matches!(value, "0" | "off"))
    };
    proc.is_some_and(|mount| mount.options.iter().any(hides))
}
