//! Where the demo plays: a directory of its own, and all that comes to live in it. Whatever happens,
//! its end is the end of both.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use crate::model::exit::{Exit, Failure};
use crate::model::process::Entry;
use crate::sys::{daemon, host, job, offspring};
use crate::table::{Host, Table};

/// The user that agents run as where we are root and nobody called us by sudo.
const NOBODY: u32 = 65534;

/// How long what lives has between TERM and KILL.
const GRACE: Duration = Duration::from_secs(4);

/// When what does not even end by KILL is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How old a beat may be, in seconds.
pub(super) const STALE_AFTER: u64 = 2;

/// Whom the agents run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunAs {
    /// As we do.
    Ourselves,
    /// As this user: we are root, and agents should not be.
    User(u32),
    /// As root: there is no other user here, as in some containers.
    Root,
}

/// The directory, and what lives in it.
#[derive(Debug)]
pub(super) struct Stage {
    dir: PathBuf,
    run_as: RunAs,
    /// Whether the directory is left at the end.
    keep: bool,
    /// Whether it is all over.
    struck: bool,
}

impl Stage {
    /// Makes the directory with configuration, plans and agents in it. From here on whatever is
    /// started comes to us when its parent has gone, so that all of it can be ended.
    ///
    /// # Errors
    /// It cannot be made (74).
    pub(super) fn set(keep: bool) -> Result<Self, Failure> {
        let dir = make()?;
        let mut stage = Self {
            dir,
            run_as: RunAs::Ourselves,
            keep,
            struck: false,
        };
        daemon::adopt(true);
        stage.furnish().map_err(|e| {
            let dir = stage.dir.display();
            Failure::new(
                Exit::CannotWrite,
                format!("writing the demo's files in {dir}: {e}; $TMPDIR names another place"),
            )
        })?;
        Ok(stage)
    }

    fn furnish(&mut self) -> io::Result<()> {
        for name in ["missions", "plans", "bin"] {
            fs::create_dir(self.path(name))?;
            mode(&self.path(name), 0o755)?;
        }
        self.run_as = run_as(&self.path("bin"));
        if let RunAs::User(_) = self.run_as {
            // They must get to their cells; what is in here is listed for nobody.
            mode(&self.dir, 0o711)?;
        }
        self.install()?;
        let quoted = |path: &str| serde_json::Value::from(self.path(path).display().to_string());
        let config = format!(
            "missions_root: {}\nstate_dir: {}\nplans: {}\nstale_after: {STALE_AFTER}s\n\
             # Else nobody is revived in the first minutes after a boot of this host.\n\
             protection: {{settle: 0s}}\n",
            quoted("missions"),
            quoted("state"),
            quoted("plans"),
        );
        self.put("config.yaml", &config)?;
        self.put("agent.sh", &self.agent())?;
        self.put("plans/agents.yaml", &self.plans())
    }

    /// Has the agents find the program as `lazarus-pit`, in a copy of their own where they could
    /// not get to it.
    fn install(&self) -> io::Result<()> {
        let program = std::env::current_exe()?;
        let to = self.path("bin/lazarus-pit");
        let everyone = |path: &Path| {
            fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0)
        };
        if !matches!(self.run_as, RunAs::User(_)) || program.ancestors().all(everyone) {
            return symlink(program, to);
        }
        fs::copy(program, &to)?;
        mode(&to, 0o755)
    }

    fn agent(&self) -> String {
        let quoted = |path: &str| {
            let path = self.path(path).display().to_string();
            format!("'{}'", path.replace('\'', r"'\''"))
        };
        format!(
            r#"# An agent for the sake of the demo: it says three times a second that it lives, for two
# minutes at most.
PATH={bin}:$PATH
LAZARUS_PIT_CONFIG={config}
export PATH LAZARUS_PIT_CONFIG
echo "$LAZARUS_AGENT is at work (pid $$)"
beats=0
while [ "$beats" -lt 400 ]; do
    lazarus-pit -q beat "${{LAZARUS_CELL_ROOT##*/}}" "$LAZARUS_AGENT" --status working --pid $$
    sleep 0.3 2>/dev/null || sleep 1
    beats=$((beats + 1))
done
"#,
            bin = quoted("bin"),
            config = quoted("config.yaml"),
        )
    }

    fn plans(&self) -> String {
        let agent = serde_json::Value::from(self.path("agent.sh").display().to_string());
        let user = match self.run_as {
            RunAs::Root => ", user: root",
            _ => "",
        };
        let plan = |head: &str| {
            format!(
                "{head}\nsteps:\n  - spawn: {{command: [sh, {agent}], grace: 2s{user}}}\n\
                 limits: {{attempts: 9, backoff: {{initial: 0s}}}}\n\
                 verify: {{within: 1s}}\n\
                 on_exit: {{finished: [0]}}\n"
            )
        };
        let auto = plan(
            "name: portals\nmatch: {cells: [\"portal-*\"]}\npolicy: auto          # at once, by itself",
        );
        let ask = plan(
            "name: vault\nmatch: {cells: [vault]}\npolicy: ask           # a human agrees first",
        );
        format!("{auto}---\n{ask}")
    }

    fn put(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.path(name);
        fs::write(&path, text)?;
        mode(&path, 0o644)
    }

    /// A path in the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whom the agents run as.
    pub(super) fn run_as(&self) -> RunAs {
        self.run_as
    }

    /// The entries of the process table of a subject, the newest last.
    pub(super) fn entries(&self, subject: &str) -> Vec<Entry> {
        let table = Table::open(&self.path("state")).ok().flatten();
        let found = table.and_then(|table| table.entries().ok());
        let mut entries = found.map(|found| found.entries).unwrap_or_default();
        entries.retain(|entry| entry.subject == subject);
        entries
    }

    /// The living process of a subject.
    pub(super) fn living(&self, subject: &str) -> Option<Entry> {
        let host = Host::this(host::now());
        let entries = self.entries(subject).into_iter();
        entries.rev().find(|entry| host.has_agent(entry))
    }

    /// True where the keeper of this process is beside it, or in its last act.
    pub(super) fn has_keeper(&self, entry: &Entry) -> bool {
        Host::this(host::now()).has_keeper(entry)
    }

    /// When a subject last beat.
    pub(super) fn beat(&self, subject: &str) -> Option<SystemTime> {
        let (cell, agent) = subject.split_once('/')?;
        let file = format!("missions/{cell}/.lazarus/heartbeats/{agent}.json");
        fs::metadata(self.path(&file)).ok()?.modified().ok()
    }

    /// Ends all that lives here, and removes the directory unless it is to be kept.
    ///
    /// # Errors
    /// A sentence: what is left, and where.
    pub(super) fn strike(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.struck, true) {
            return Ok(());
        }
        // Whoever is ended from here on is not to be brought back.
        let (config, aside) = (self.path("config.yaml"), self.path("config.yaml.aside"));
        let moved = fs::rename(&config, &aside);
        let ended = end_all();
        if self.keep {
            let _ = moved.and_then(|()| fs::rename(&aside, &config));
            return ended;
        }
        ended?;
        let dir = self.dir.display();
        fs::remove_dir_all(&self.dir).map_err(|e| format!("removing {dir}: {e}; remove it by hand"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Only where something went wrong before: there is nobody left to be told.
        let _ = self.strike();
    }
}

/// Makes the directory, where others can neither look nor write.
fn make() -> Result<PathBuf, Failure> {
    let mut places = vec![std::env::temp_dir()];
    places.extend(["/tmp", "/var/tmp"].map(PathBuf::from));
    // Agents that run as another user must get there.
    let everyone =
        |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0);
    let reachable = |path: &PathBuf| !host::is_root() || path.ancestors().all(everyone);
    let mut failed = "no temporary directory can be reached by all users".to_owned();
    let real = places.iter().filter_map(|path| path.canonicalize().ok());
    for place in real.filter(reachable) {
        let code: String = host::code().chars().take(6).collect();
        let dir = place.join(format!("lazarus-demo-{code}"));
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(e) => failed = format!("making the directory {}: {e}", dir.display()),
        }
    }
    Err(Failure::new(
        Exit::CannotWrite,
        format!("{failed}; $TMPDIR names another place"),
    ))
}

fn mode(path: &Path, bits: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(bits))
}

/// Whom agents run as: who called us by sudo, else nobody in particular, else (where files cannot be
/// given away) ourselves. Finds out with a directory that belongs to us afterwards.
fn run_as(probe: &Path) -> RunAs {
    if !host::is_root() {
        return RunAs::Ourselves;
    }
    let called = std::env::var("SUDO_UID").ok();
    let called = called
        .and_then(|uid| uid.parse().ok())
        .filter(|uid| *uid != 0);
    for uid in called.into_iter().chain([NOBODY]) {
        let given = chown(probe, Some(uid), None);
        if given.and_then(|()| chown(probe, Some(0), None)).is_ok() {
            return RunAs::User(uid);
        }
    }
    RunAs::Root
}

/// Ends all that comes from us: TERM, by which keepers end their agents and write that down, then
/// KILL.
fn end_all() -> Result<(), String> {
    let began = Instant::now();
    let mut left = offspring::signal_offspring(Signal::TERM);
    while !offspring::reap_all() {
        let gone_on = began.elapsed();
        if gone_on > PATIENCE {
            let left: Vec<String> = left.iter().map(i32::to_string).collect();
            let left = left.join(", ");
            return Err(format!(
                "not even SIGKILL has ended what the demo started: {left}"
            ));
        }
        std::thread::sleep(job::LOOK);
        if gone_on > GRACE {
            left = offspring::signal_offspring(Signal::KILL);
        }
    }
    Ok(())
}
