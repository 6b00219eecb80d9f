//! systemd, where it runs: which service this process belongs to, and its tools.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::job::{self, Job, Outputs};
use super::program::{PATH_OF_ROOT, find};
use super::spawn::Exec;

/// How much of what a tool prints is read.
const LONGEST: usize = 4096;

/// How long systemd is waited for where something is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// By what systemd a process is looked after: the host's, or that of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// The host's first process.
    Host,
    /// The one that a user has.
    User,
}

/// What of systemd's a process belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Within {
    /// A service: what the service starts is its own as long as it lives.
    Service(String, Manager),
    /// A scope (a login, a desktop's terminal), which has no process that its life hangs on.
    Scope,
    /// That cannot be seen from here.
    Unknown,
}

/// What a process belongs to by its `/proc/PID/cgroup`.
#[must_use]
pub fn within(cgroup: &str) -> Within {
    // The hierarchy of version 2; with version 1 beside it, systemd's own.
    let of = |head: &str| cgroup.lines().find_map(|line| line.strip_prefix(head));
    let named = cgroup.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.strip_prefix("name=systemd:")
    });
    let paths = [of("0::"), named].into_iter().flatten();
    for path in paths {
        let units: Vec<&str> = path
            .split('/')
            .filter(|part| part.ends_with(".service") || part.ends_with(".scope"))
            .collect();
        let Some((unit, before)) = units.split_last() else {
            continue;
        };
        if unit.ends_with(".scope") {
            return Within::Scope;
        }
        let manager = match before.iter().any(|unit| unit.starts_with("user@")) {
            true => Manager::User,
            false => Manager::Host,
        };
        return Within::Service((*unit).to_owned(), manager);
    }
    Within::Unknown
}

/// What this process belongs to.
#[must_use]
pub fn ours() -> Within {
    std::fs::read_to_string("/proc/self/cgroup").map_or(Within::Unknown, |text| within(&text))
}

/// What systemd does to the processes of a service when it ends: `KillMode=`, one word.
///
/// # Errors
/// A sentence: it could not be asked, or gave no answer in time.
pub fn kill_mode(unit: &str, manager: Manager, path: Option<OsString>) -> Result<String, String> {
    let tools = Tools::new(manager, path);
    let said = tools.ask(
        "systemctl",
        &["show", "--property=KillMode", "--value", "--", unit],
        PATIENCE,
    )?;
    match said.trim() {
        "" => Err(format!("systemctl says nothing of {unit}")),
        word => Ok(word.to_owned()),
    }
}

/// The programs by which a systemd is told what to do.
#[derive(Clone, Debug)]
pub struct Tools {
    manager: Manager,
    path: OsString,
}

/// What came of a program: how it ended, and what it printed.
#[derive(Clone, Debug)]
pub struct Said {
    /// How it ended, where that was seen.
    pub status: Option<ExitStatus>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Tools {
    /// Those that lie in `path` (a `PATH`; the usual places without one).
    #[must_use]
    pub fn new(manager: Manager, path: Option<OsString>) -> Self {
        let path = path.filter(|path| !path.is_empty());
        Self {
            manager,
            path: path.unwrap_or_else(|| PATH_OF_ROOT.into()),
        }
    }

    /// A program's file.
    ///
    /// # Errors
    /// A sentence: it is not there.
    pub fn find(&self, program: &str) -> Result<PathBuf, String> {
        find(program, &self.path)
    }

    /// What is put before the arguments of each program.
    #[must_use]
    pub fn options(&self) -> &'static [&'static str] {
        match self.manager {
            Manager::Host => &[],
            Manager::User => &["--user"],
        }
    }

    /// Starts a program with an environment in which nothing stands but where systemd is found.
    ///
    /// # Errors
    /// A sentence: it could not be started.
    pub fn start(
        &self,
        file: &Path,
        args: impl IntoIterator<Item = String>,
        most: Duration,
    ) -> Result<(Job, Outputs), String> {
        let name = file.as_os_str().as_encoded_bytes().to_vec();
        let options = self.options().iter().map(|option| (*option).to_owned());
        let args = options.chain(args).map(String::into_bytes);
        let args = std::iter::once(name).chain(args);
        let exec = Exec::new(file, args, self.environment(), Path::new("/"), None)?;
        Job::start(exec, most).map_err(|why| {
            let cause = why.map_or("it did not begin in time", |e| e.cause());
            format!("running {}: {cause}", file.display())
        })
    }

    fn environment(&self) -> Vec<Vec<u8>> {
        let mut all = vec![("PATH", self.path.clone()), ("LC_ALL", "C.UTF-8".into())];
        if self.manager == Manager::User {
            all.extend(runtime_dir().map(|dir| (RUNTIME_DIR, dir)));
            let bus = "DBUS_SESSION_BUS_ADDRESS";
            all.extend(std::env::var_os(bus).map(|address| (bus, address)));
        }
        let entry = |(name, value): (&str, OsString)| {
            let mut entry = OsString::from(name);
            entry.push("=");
            entry.push(value);
            entry.into_encoded_bytes()
        };
        all.into_iter().map(entry).collect()
    }

    /// Runs a program to its end. Returns what it printed.
    ///
    /// # Errors
    /// A sentence: it could not be started, failed or came to no end.
    pub fn ask(&self, program: &str, args: &[&str], most: Duration) -> Result<String, String> {
        let until = Instant::now() + most;
        let file = self.find(program)?;
        let args = args.iter().map(|arg| (*arg).to_owned());
        let (job, outputs) = self.start(&file, args, most)?;
        while !job.has_ended() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("{program} did not answer within {most:?}"));
            }
            let _ = job::wait(&[job.end()], left.min(job::LOOK * 5));
        }
        let said = said(job, &outputs);
        match said.status {
            Some(status) if status.success() => Ok(said.stdout),
            _ => Err(format!("{program}: {}", said.why())),
        }
    }
}

impl Said {
    /// Why it failed, in its own words where it had some.
    #[must_use]
    pub fn why(&self) -> String {
        let words: Vec<&str> = self.stderr.split_whitespace().collect();
        match (words.is_empty(), self.status) {
            (false, _) => words.join(" "),
            (true, Some(status)) => status.to_string(),
            (true, None) => "nobody saw how it ended".to_owned(),
        }
    }
}

/// What a program that has ended said.
#[must_use]
pub fn said(job: Job, outputs: &Outputs) -> Said {
    Said {
        status: job.reap(),
        stdout: rest(outputs.stdout.as_ref()),
        stderr: rest(outputs.stderr.as_ref()),
    }
}

fn rest(from: Option<&OwnedFd>) -> String {
    let mut all = vec![0; LONGEST];
    let mut length = 0;
    while let Some(fd) = from {
        match rustix::io::read(fd.as_fd(), &mut all[length..]) {
            Ok(n) if n > 0 => length += n,
            _ => break,
        }
    }
    String::from_utf8_lossy(&all[..length]).into_owned()
}

/// The variable by which a user's programs find that user's systemd.
pub const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";

/// Where a user's systemd is found. cron says nothing of it, so it is looked for where it always
/// lies.
#[must_use]
pub fn runtime_dir() -> Option<OsString> {
    let said = std::env::var_os(RUNTIME_DIR).filter(|dir| !dir.is_empty());
    said.or_else(|| {
        let usual = format!("/run/user/{}", super::host::uid());
        Path::new(&usual).is_dir().then(|| usual.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_belongs_to_what_its_control_group_says() {
        let service = |name: &str, manager| Within::Service(name.to_owned(), manager);
        let cases = [
            (
                "0::/system.slice/lazarus-pit.service\n",
                service("lazarus-pit.service", Manager::Host),
            ),
            // A service may have groups of its own below.
            (
                "0::/system.slice/x.service/payload\n",
                service("x.service", Manager::Host),
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/mine.service\n",
                service("mine.service", Manager::User),
            ),
            (
                "0::/user.slice/user-1000.slice/session-2.scope\n",
                Within::Scope,
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n",
                Within::Scope,
            ),
            // Versions 1 and 2 side by side, and version 1 alone.
            (
                "12:memory:/x\n1:name=systemd:/system.slice/a.service\n0::/\n",
                service("a.service", Manager::Host),
            ),
            (
                "4:memory:/b\n1:name=systemd:/system.slice/a.service\n",
                service("a.service", Manager::Host),
            ),
            ("0::/\n", Within::Unknown),
            ("", Within::Unknown),
        ];
        for (text, expected) in cases {
            assert_eq!(within(text), expected, "{text}");
        }
    }

    #[test]
    fn a_tool_that_is_missing_fails_or_hangs_is_told() {
        let tools = |path: &str| Tools::new(Manager::Host, Some(path.into()));
        let most = Duration::from_secs(20);
        let missing = tools("/nonexistent").ask("systemctl", &[], most);
        assert!(missing.unwrap_err().contains("systemctl: No such file"));
        let tools = tools("/usr/bin:/bin");
        let said = tools.ask("sh", &["-c", "echo said; echo \"$LC_ALL $HOME\""], most);
        assert_eq!(said.unwrap(), "said\nC.UTF-8 \n");
        let failed = tools.ask("sh", &["-c", "echo no >&2; echo bus >&2; exit 1"], most);
        assert_eq!(failed.unwrap_err(), "sh: no bus");
        let hangs = tools.ask("sleep", &["1000"], Duration::from_secs(2));
        let hangs = hangs.unwrap_err();
        assert!(hangs.contains("did not answer within 2s"), "{hangs}");
    }
}
