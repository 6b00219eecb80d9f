//! Facts about the directories that runs read and write.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use crate::config::Config;
use crate::sys::filesystems::{self, Mount, Room};
use crate::sys::host;
use crate::sys::trust::Trust;

/// What a directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Role {
    /// It holds the cells.
    Missions,
    /// Lock, state, journal and process table.
    State,
    /// The runs' own heartbeat.
    Heartbeats,
    /// What agents print.
    Logs,
    /// Metrics for node_exporter.
    Textfile,
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Seen {
    /// Nothing; the nearest directory above it, and whether something may be made there.
    Absent(PathBuf, bool),
    /// It cannot be looked at.
    Unseen(String),
    /// Something that is no directory.
    NoDirectory,
    /// A directory.
    Directory(Rights),
}

/// Whose a directory is, and what we may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) struct Rights {
    pub(in crate::cli::doctor) uid: u32,
    /// The name of whom it belongs to.
    pub(in crate::cli::doctor) owner: String,
    pub(in crate::cli::doctor) mode: u32,
    pub(in crate::cli::doctor) readable: bool,
    pub(in crate::cli::doctor) writable: bool,
}

/// A directory on the way to something, which others can write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) struct Way {
    pub(in crate::cli::doctor) dir: PathBuf,
    pub(in crate::cli::doctor) rights: Rights,
}

/// The nearest directory above a real path that others than those who are trusted can write. In a
/// sticky one nobody can replace what is another's.
pub(in crate::cli::doctor) fn open_way(real: &Path, trust: &Trust) -> Option<Way> {
    let mut above = real.ancestors().skip(1);
    above.find_map(|dir| {
        let meta = std::fs::metadata(dir).ok()?;
        let mode = meta.mode() & 0o7777;
        let counts = match (mode & 0o1000 != 0, host::is_root()) {
            (true, _) => mode & !0o022,
            (false, true) => mode,
            // A user's own group mostly has nobody else in it.
            (false, false) => mode & !0o020,
        };
        (!trust.holds(meta.uid(), counts)).then(|| Way {
            dir: dir.to_owned(),
            rights: Rights {
                uid: meta.uid(),
                owner: host::user_name(meta.uid()),
                mode,
                readable: true,
                writable: true,
            },
        })
    })
}

/// One directory.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Place {
    pub(in crate::cli::doctor) role: Role,
    /// As it is configured.
    pub(in crate::cli::doctor) path: PathBuf,
    /// The same with links followed, as far as it is there.
    pub(in crate::cli::doctor) real: PathBuf,
    pub(in crate::cli::doctor) seen: Seen,
    /// The file system that it lies on, or would.
    pub(in crate::cli::doctor) mount: Option<Mount>,
    pub(in crate::cli::doctor) room: Option<Room>,
    /// The nearest mount point on the way to it that the host's table of file systems names and on
    /// which nothing is mounted.
    pub(in crate::cli::doctor) unmounted: Option<PathBuf>,
    /// Who else could put something in its place.
    pub(in crate::cli::doctor) way: Option<Way>,
    /// A directory where runs put a file.
    pub(in crate::cli::doctor) in_the_way: Option<PathBuf>,
}

/// The files that each run puts in the place of the one before, by the configuration.
pub(in crate::cli::doctor) fn renewed(config: &Config, role: Role) -> Option<PathBuf> {
    let beat = || {
        let name = format!("{}.last", config.heartbeat_job);
        config.heartbeat_dir().join(name)
    };
    match role {
        Role::Heartbeats => Some(beat()),
        Role::Textfile => config.prometheus_textfile.clone(),
        Role::Missions | Role::State | Role::Logs => None,
    }
}

/// The directories that there are, by the configuration.
pub(in crate::cli::doctor) fn named(config: &Config) -> Vec<(Role, PathBuf)> {
    let mut all = vec![
        (Role::Missions, config.missions_root.clone()),
        (Role::State, config.state_dir()),
        (Role::Heartbeats, config.heartbeat_dir()),
        (Role::Logs, config.logs_dir()),
    ];
    let textfile = config.prometheus_textfile.as_deref();
    let directory = textfile.and_then(Path::parent).map(Path::to_owned);
    all.extend(directory.map(|dir| (Role::Textfile, dir)));
    all
}

/// What the host mounts where, and what it should.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::doctor) struct Mounts {
    table: Vec<Mount>,
    points: Vec<PathBuf>,
}

impl Mounts {
    /// Reads both tables; no mount is asked anything.
    pub(in crate::cli::doctor) fn read(system_root: &Path) -> Self {
        let fstab = std::fs::read(system_root.join("etc/fstab")).unwrap_or_default();
        Self {
            table: filesystems::table(),
            points: mount_points(&fstab),
        }
    }
}

/// What is known of one that does not answer.
pub(in crate::cli::doctor) fn unanswered(role: Role, path: PathBuf, mounts: &Mounts) -> Place {
    Place {
        role,
        seen: Seen::Unseen("it does not answer".to_owned()),
        mount: filesystems::mount_of(&mounts.table, &path).cloned(),
        room: None,
        unmounted: None,
        way: None,
        in_the_way: None,
        real: path.clone(),
        path,
    }
}

/// Looks at one.
pub(in crate::cli::doctor) fn look(
    role: Role,
    path: PathBuf,
    renewed: Option<PathBuf>,
    mounts: &Mounts,
    trust: &Trust,
) -> Place {
    let Mounts { table, points } = mounts;
    let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
    let seen = seen(&absolute);
    let there = match &seen {
        Seen::Absent(above, _) => above.as_path(),
        _ => absolute.as_path(),
    };
    // Of what is not there yet: where it would be.
    let rest = absolute.strip_prefix(there).unwrap_or(Path::new(""));
    let real = std::fs::canonicalize(there).unwrap_or_else(|_| there.to_owned());
    let is_there = rest.as_os_str().is_empty();
    let room = filesystems::room(&real).ok();
    let real = if is_there { real } else { real.join(rest) };
    let is_mounted = |point: &PathBuf| table.iter().any(|mount| mount.point == *point);
    let on_the_way = |point: &&PathBuf| absolute.starts_with(point) || real.starts_with(point);
    let missing = points.iter().filter(on_the_way).filter(|p| !is_mounted(p));
    Place {
        role,
        way: open_way(&real, trust),
        // A link is replaced itself, whatever it leads to.
        in_the_way: renewed.filter(|file| file.symlink_metadata().is_ok_and(|meta| meta.is_dir())),
        mount: filesystems::mount_of(table, &real).cloned(),
        room,
        unmounted: missing.max_by_key(|p| p.components().count()).cloned(),
        seen,
        path,
        real,
    }
}

fn seen(path: &Path) -> Seen {
    let may = |access| rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Seen::Directory(Rights {
            uid: meta.uid(),
            owner: host::user_name(meta.uid()),
            mode: meta.mode() & 0o7777,
            readable: may(Access::READ_OK | Access::EXEC_OK),
            writable: may(Access::WRITE_OK | Access::EXEC_OK),
        }),
        Ok(_) => Seen::NoDirectory,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let above = path.ancestors().skip(1).find(|dir| dir.is_dir());
            let above = above.unwrap_or(Path::new("/"));
            let access = Access::WRITE_OK | Access::EXEC_OK;
            let may = rustix::fs::accessat(CWD, above, access, AtFlags::EACCESS).is_ok();
            Seen::Absent(above.to_owned(), may)
        }
        Err(e) => Seen::Unseen(e.to_string()),
    }
}

/// The mount points of an fstab(5), the root itself left out.
pub(in crate::cli::doctor) fn mount_points(fstab: &[u8]) -> Vec<PathBuf> {
    let lines = fstab.split(|b| *b == b'\n');
    let point = |line: &[u8]| {
        let mut fields = line.split(|b| b.is_ascii_whitespace());
        let mut fields = fields.by_ref().filter(|field| !field.is_empty());
        let first = fields.next()?;
        let point = fields.next().filter(|_| !first.starts_with(b"#"))?;
        let path = filesystems::unescaped(point);
        (path.is_absolute() && path != Path::new("/")).then_some(path)
    };
    lines.filter_map(point).collect()
}
