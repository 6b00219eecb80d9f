//! Facts about what starts the runs: systemd's timers and services, crontabs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use super::crontabs::{self, Crontab};
use super::unit_file::{Call, UnitFile};
use crate::sys::host::user_name;
use crate::sys::program::{PATH_OF_ROOT, find};
use crate::sys::systemd::Manager;

/// A larger file is no unit and no crontab.
const LARGEST: u64 = 256 << 10;

/// Where the units of the host are looked for, those that come first before the others.
const OF_HOST: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];

/// Where the units of all users are.
const OF_USERS: [&str; 4] = [
    "etc/systemd/user",
    "run/systemd/user",
    "usr/local/lib/systemd/user",
    "usr/lib/systemd/user",
];

/// The program that something starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Program {
    /// It is not there, or may not be run: a sentence.
    Missing(String),
    /// It is there.
    There {
        /// Its file.
        file: PathBuf,
        uid: u32,
        /// The name of whom it belongs to.
        owner: String,
        mode: u32,
    },
}

/// A service that makes runs, and its timer.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Service {
    /// Its name, with `.service`.
    pub(in crate::cli::doctor) name: String,
    pub(in crate::cli::doctor) path: PathBuf,
    pub(in crate::cli::doctor) manager: Manager,
    pub(in crate::cli::doctor) file: UnitFile,
    pub(in crate::cli::doctor) call: Call,
    pub(in crate::cli::doctor) program: Program,
    /// The variables that it gives to a run.
    pub(in crate::cli::doctor) variables: BTreeSet<String>,
    /// Where a run looks for programs.
    pub(in crate::cli::doctor) search: String,
    pub(in crate::cli::doctor) timer: Option<Timer>,
}

/// What starts a service each minute.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Timer {
    pub(in crate::cli::doctor) path: PathBuf,
    pub(in crate::cli::doctor) file: UnitFile,
    /// True where it is started with the host, or the user's systemd.
    pub(in crate::cli::doctor) enabled: bool,
}

/// A timer that is enabled, and whose service can start nothing.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Idle {
    /// The timer's file.
    pub(in crate::cli::doctor) timer: PathBuf,
    /// Its service's name.
    pub(in crate::cli::doctor) service: String,
    /// What is wrong with that: the end of a sentence.
    pub(in crate::cli::doctor) why: String,
}

/// All that starts runs, as far as it can be seen.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::doctor) struct Starters {
    pub(in crate::cli::doctor) services: Vec<Service>,
    /// Timers that should start one, and cannot.
    pub(in crate::cli::doctor) idle: Vec<Idle>,
    pub(in crate::cli::doctor) crontabs: Vec<Crontab>,
}

impl Starters {
    /// Where runs look for programs: a shell's `PATH` is another. `None` where nothing was found that
    /// starts them.
    pub(in crate::cli::doctor) fn search(&self) -> Option<OsString> {
        let of_services = self.services.iter().map(|service| &service.search);
        let of_crontabs = self.crontabs.iter().map(|crontab| &crontab.search);
        of_services.chain(of_crontabs).next().map(OsString::from)
    }
}

/// Looks for it.
pub(in crate::cli::doctor) fn gather(system_root: &Path) -> Starters {
    let of_host: Vec<PathBuf> = OF_HOST.iter().map(|dir| system_root.join(dir)).collect();
    let mut of_user: Vec<PathBuf> = own_units().map(|dir| below(system_root, &dir)).collect();
    of_user.extend(OF_USERS.iter().map(|dir| system_root.join(dir)));
    let mut services = services(system_root, &of_host, Manager::Host);
    let mut idle = idle(system_root, &of_host, Manager::Host);
    // What is there for users' own systemd is no matter of root's.
    if !crate::sys::host::is_root() {
        services.extend(self::services(system_root, &of_user, Manager::User));
        idle.extend(self::idle(system_root, &of_user, Manager::User));
    }
    Starters {
        services,
        idle,
        crontabs: crontabs::gather(system_root),
    }
}

/// Where the running user's own units are.
fn own_units() -> impl Iterator<Item = PathBuf> {
    let home = crate::sys::host::home();
    let configured = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let configured = configured.filter(|dir| dir.is_absolute());
    let config = configured.or_else(|| home.as_ref().map(|home| home.join(".config")));
    let data = home.map(|home| home.join(".local/share"));
    let both = config.into_iter().chain(data);
    both.map(|dir| dir.join("systemd/user"))
}

/// An absolute path below another root.
pub(super) fn below(system_root: &Path, path: &Path) -> PathBuf {
    system_root.join(path.strip_prefix("/").unwrap_or(path))
}

fn services(system_root: &Path, dirs: &[PathBuf], manager: Manager) -> Vec<Service> {
    let all = units(dirs);
    let mut found = Vec::new();
    for (name, path) in all.iter().filter(|(name, _)| name.ends_with(".service")) {
        // One that is started by a template's instance starts no run by a timer.
        if name.contains('@') {
            continue;
        }
        let file = unit(name, path, dirs);
        let lines = file.all("Service", "ExecStart");
        let Some(call) = lines.into_iter().find_map(Call::of) else {
            continue;
        };
        found.push(Service {
            program: program(system_root, &call.program, None),
            variables: variables(system_root, &file),
            search: search(&file),
            timer: timer(name, &all, dirs),
            name: name.clone(),
            path: path.clone(),
            manager,
            file,
            call,
        });
    }
    found
}

/// All units by name; the first directory that has one counts. Those of distributions are many, and
/// none of them starts this program unless it is called so.
fn units(dirs: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let mut all = BTreeMap::new();
    for dir in dirs {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        for entry in entries {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let is_unit = name.ends_with(".service") || name.ends_with(".timer");
            if is_unit && (name.starts_with("lazarus") || mentions_us(&entry.path())) {
                all.entry(name).or_insert_with(|| entry.path());
            }
        }
    }
    all
}

fn mentions_us(path: &Path) -> bool {
    text(path).is_some_and(|text| text.contains("lazarus-pit"))
}

/// A small regular file's text.
pub(super) fn text(path: &Path) -> Option<String> {
    let meta = std::fs::metadata(path).ok()?;
    let good = meta.is_file() && meta.len() <= LARGEST;
    let bytes = good.then(|| std::fs::read(path).ok())??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A unit with its drop-ins: of two with one name the one in the earlier directory counts, and they
/// come in the order of their names.
fn unit(name: &str, path: &Path, dirs: &[PathBuf]) -> UnitFile {
    let mut file = UnitFile::default();
    file.add(path, &text(path).unwrap_or_default());
    let mut drop_ins: BTreeMap<_, PathBuf> = BTreeMap::new();
    for dir in dirs {
        let below = dir.join(format!("{name}.d"));
        let entries = std::fs::read_dir(below).into_iter().flatten().flatten();
        for entry in entries {
            if entry.path().extension() == Some(OsStr::new("conf")) {
                drop_ins.entry(entry.file_name()).or_insert(entry.path());
            }
        }
    }
    for path in drop_ins.values() {
        file.add(path, &text(path).unwrap_or_default());
    }
    file
}

fn timer(service: &str, all: &BTreeMap<String, PathBuf>, dirs: &[PathBuf]) -> Option<Timer> {
    let timers = all.iter().filter(|(name, _)| name.ends_with(".timer"));
    let mut found = timers.filter_map(|(name, path)| {
        let file = unit(name, path, dirs);
        let own = format!("{}.service", name.trim_end_matches(".timer"));
        let starts = file.last("Timer", "Unit").map_or(&*own, |(unit, _)| unit);
        (starts == service).then(|| Timer {
            enabled: is_wanted(name, dirs),
            path: path.clone(),
            file,
        })
    });
    found.next()
}

/// The timers of this program that are enabled, and whose service can start nothing. What a service
/// starts that is there is for the services to say.
fn idle(system_root: &Path, dirs: &[PathBuf], manager: Manager) -> Vec<Idle> {
    let all = units(dirs);
    let is_ours = |name: &str, path: &Path| name.starts_with("lazarus-pit") || mentions_us(path);
    let timers = all.iter().filter(|(name, path)| {
        // A template's instance has no file of its own.
        name.ends_with(".timer") && !name.contains('@') && is_ours(name, path)
    });
    let timers = timers.filter(|(name, _)| is_wanted(name, dirs));
    let idle = timers.filter_map(|(name, path)| {
        let file = unit(name, path, dirs);
        let own = format!("{}.service", name.trim_end_matches(".timer"));
        let service = file.last("Timer", "Unit").map_or(&*own, |(unit, _)| unit);
        let plain = service.ends_with(".service") && !service.contains(['@', '%', '/']);
        let why = plain.then(|| why_idle(service, system_root, dirs, manager))??;
        Some(Idle {
            timer: path.clone(),
            service: service.to_owned(),
            why,
        })
    });
    idle.collect()
}

/// Why a service can start nothing; `None` where it can, or where that cannot be told from here.
fn why_idle(name: &str, system_root: &Path, dirs: &[PathBuf], manager: Manager) -> Option<String> {
    let mut paths = dirs.iter().map(|dir| dir.join(name));
    let Some(path) = paths.find(|path| path.symlink_metadata().is_ok()) else {
        return Some("is not there".to_owned());
    };
    let shown = path.display();
    let link = std::fs::read_link(&path).ok();
    if link.as_deref() == Some(Path::new("/dev/null")) {
        return Some(format!("is masked: {shown} is a link to /dev/null"));
    }
    // Such a link leads elsewhere on the host that the directory is the root of.
    if system_root != Path::new("/") && link.is_some_and(|to| to.is_absolute()) {
        return None;
    }
    let opened = std::fs::metadata(&path).and_then(|meta| match meta.is_file() {
        true => std::fs::File::open(&path).map(|_| meta),
        false => Ok(meta),
    });
    match opened {
        // systemd may read more than we may.
        Err(e) if e.kind() == ErrorKind::PermissionDenied && manager == Manager::Host => None,
        Err(e) => Some(format!("cannot be read ({shown}: {e})")),
        Ok(meta) if !meta.is_file() => Some(format!("cannot be read: {shown} is no file")),
        Ok(meta) if meta.len() > LARGEST => None,
        Ok(_) => {
            let file = unit(name, &path, dirs);
            let starts = !file.all("Service", "ExecStart").is_empty();
            (!starts).then(|| format!("has no ExecStart= ({shown})"))
        }
    }
}

/// Whether something else wants a unit to be started.
fn is_wanted(name: &str, dirs: &[PathBuf]) -> bool {
    let below = |dir: &PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let wants = |path: &Path| {
        let end = path.extension();
        end == Some(OsStr::new("wants")) || end == Some(OsStr::new("requires"))
    };
    let mut paths = dirs.iter().flat_map(below).map(|entry| entry.path());
    paths.any(|path| wants(&path) && path.join(name).symlink_metadata().is_ok())
}

/// The program's file, as whoever starts it finds it.
pub(super) fn program(system_root: &Path, name: &str, path: Option<&str>) -> Program {
    // Of systemd's own words only the home is known here.
    let home = crate::sys::host::home().unwrap_or_else(|| "/".into());
    let name = &*name.replace("%h", &home.to_string_lossy());
    let found = match name.contains('/') {
        true => Ok(below(system_root, Path::new(name))),
        false => sought(system_root, name, path.unwrap_or(PATH_OF_ROOT)),
    };
    let file = match found {
        Ok(file) => file,
        Err(why) => return Program::Missing(why),
    };
    let may_run = rustix::fs::accessat(CWD, &file, Access::EXEC_OK, AtFlags::EACCESS);
    match (std::fs::metadata(&file), may_run) {
        (Err(e), _) => Program::Missing(format!("{}: {e}", file.display())),
        (Ok(meta), _) if !meta.is_file() => {
            Program::Missing(format!("{} is no file", file.display()))
        }
        (Ok(_), Err(_)) => Program::Missing(format!("{} may not be executed", file.display())),
        (Ok(meta), Ok(())) => Program::There {
            file,
            uid: meta.uid(),
            owner: user_name(meta.uid()),
            mode: meta.mode() & 0o7777,
        },
    }
}

/// A program that is named without a directory, in those of a `PATH` as they are below another root.
fn sought(system_root: &Path, name: &str, path: &str) -> Result<PathBuf, String> {
    let dirs = std::env::split_paths(path).filter(|dir| dir.is_absolute());
    let dirs = dirs.map(|dir| below(system_root, &dir));
    let path = std::env::join_paths(dirs).map_err(|e| e.to_string())?;
    find(name, &path)
}

/// What a service has in `PATH`.
fn search(file: &UnitFile) -> String {
    let lines = file.all("Service", "Environment");
    let words = lines.iter().flat_map(|line| line.split_whitespace());
    let mut paths = words.filter_map(|word| {
        let word = word.trim_matches(['"', '\'']);
        word.strip_prefix("PATH=")
    });
    paths.next_back().unwrap_or(PATH_OF_ROOT).to_owned()
}

/// The names of the variables that a service gives to what it starts.
fn variables(system_root: &Path, file: &UnitFile) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let name = |assignment: &str| {
        let word = assignment.trim_matches(['"', '\'']);
        word.split_once('=').map(|(name, _)| name.to_owned())
    };
    let direct = file.all("Service", "Environment");
    names.extend(
        direct
            .iter()
            .flat_map(|line| line.split_whitespace())
            .filter_map(name),
    );
    let passed = file.all("Service", "PassEnvironment");
    let passed = passed.iter().flat_map(|line| line.split_whitespace());
    names.extend(passed.map(str::to_owned));
    for path in file.all("Service", "EnvironmentFile") {
        let path = below(system_root, Path::new(path.trim_start_matches('-')));
        let text = text(&path).unwrap_or_default();
        let lines = text.lines().map(str::trim);
        names.extend(
            lines
                .filter(|line| !line.starts_with(['#', ';']))
                .filter_map(name),
        );
    }
    names
}
