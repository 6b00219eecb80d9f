//! `beat`: writes a heartbeat, for agents in any language.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::fs::FileType;
use rustix::io::Errno;
use serde::Serialize;

use super::manifest::{self, Known, Manifest};
use super::place::{self, MAIN, cannot, trouble};
use super::{rights, seeds};
use crate::core::classify::heartbeat_path;
use crate::model::cell::Layout;
use crate::model::exit::{Exit, Failure};
use crate::model::text::{self, visible};
use crate::model::time::{Timestamp, human};
use crate::observe::heartbeat::LARGEST;
use crate::observe::mounts::{self, Closed};
use crate::sys::beneath::{self, Mounts};
use crate::sys::create::{self, Access, Durable};
use crate::sys::host;
use crate::sys::owner::with_rights;

/// What the heartbeat is to say.
#[derive(Clone, Debug)]
pub struct Beat {
    /// The agent's own word; `alive` where there is none.
    pub status: Option<String>,
    /// The agent's process.
    pub pid: Option<i32>,
    /// How many rounds it has made.
    pub cycle: Option<i64>,
    /// The model that it thinks with.
    pub model: Option<String>,
    /// How long it may be silent now.
    pub quiet_for: Option<Duration>,
    /// The one `now`.
    pub now: Timestamp,
    /// Whether mounts below the cell are walked into.
    pub mounts: Mounts,
}

/// What `beat` did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Beaten {
    /// Always `lazarus-pit/beat/1`.
    pub schema: &'static str,
    /// The cell's name.
    pub cell: String,
    /// The agent's name.
    pub agent: String,
    /// The cell's layout.
    pub layout: Layout,
    /// The file that was written.
    #[serde(serialize_with = "text::serialize_path")]
    pub path: PathBuf,
    /// What it says when it was: Unix seconds.
    pub timestamp: f64,
    /// What it says of the agent.
    pub status: String,
}

impl Beaten {
    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        format!(
            "{}/{} beats ({}): {}\n",
            visible(&self.cell),
            visible(&self.agent),
            visible(&self.status),
            place::shown(&self.path)
        )
    }
}

/// Writes the heartbeat of a cell's agent where a check looks for it, whole at any moment.
///
/// # Errors
/// No such cell (1), no agent or another than the manifest's (64), no missions root (66), a
/// configured path that leads out of the cell (78), or a failure to write (74).
pub fn beat(
    root: &Path,
    cell: &str,
    agent: Option<&str>,
    beat: &Beat,
    heartbeat_file: &str,
) -> Result<Beaten, Failure> {
    let heartbeat_file = place::configured(heartbeat_file, "heartbeat_file")?;
    // Not `check_id`: a cell that others made may have a name that `init` would refuse.
    if cell.starts_with('.') || place::components(cell).is_none_or(|parts| parts.len() != 1) {
        return Err(usage(format!(
            "{cell:?} cannot be a cell's name: it is no single directory name"
        )));
    }
    let missions = place::open_missions(root)?;
    let path = root.join(cell);
    let fd = open_cell(&missions, cell, beat.mounts).map_err(|closed| match closed {
        Closed::Errno(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Failure::new(
            Exit::InHand,
            format!(
                "there is no cell {:?} under {}; `lazarus-pit list` shows those that there are, \
                 `lazarus-pit init` makes one",
                visible(cell),
                place::shown(root)
            ),
        ),
        Closed::Errno(errno) => cannot("opening the cell", &path, errno),
        Closed::Mount(why) => Failure::new(
            Exit::CannotWrite,
            format!("opening the cell {}: {why}", place::shown(&path)),
        ),
    })?;
    let layout = place::layout(&fd).map_err(|e| cannot("looking at", &path, e))?;
    let manifest_path = path.join(place::manifest(layout));
    let manifest = manifest::read(&fd, layout, beat.mounts)
        .map_err(|e| cannot("reading the manifest", &manifest_path, e))?;
    let whose = choose(layout, manifest, agent, cell, &manifest_path)?;

    let named = heartbeat_path(layout, &whose.agent);
    let components: Vec<&str> = match whose.main {
        true => heartbeat_file,
        false => named.split('/').collect(),
    };
    let status = beat.status.as_deref().unwrap_or("alive");
    let foundation = layout == Layout::Foundation;
    let contents = seeds::line(&seeds::Heartbeat {
        mission_id: foundation.then_some(cell),
        cell_uuid: whose.uuid.as_deref(),
        agent: Some(&whose.agent),
        timestamp: beat.now.as_f64(),
        status,
        pid: beat.pid,
        cycle: beat.cycle,
        model: beat.model.as_deref(),
        quiet_for: beat.quiet_for.map(whole_seconds),
    });
    if contents.len() > LARGEST {
        let message = format!(
            "the heartbeat would have {} bytes, and a check reads none above {LARGEST}: shorten \
             --status or --model",
            contents.len()
        );
        return Err(usage(message));
    }
    let dirs = &components[..components.len().saturating_sub(1)];
    let rights = rights::of(&fd, dirs, beat.mounts)
        .map_err(|e| cannot("looking at", &path.join(components.join("/")), e))?;
    let write = || write(&fd, &path, &components, &contents, beat.mounts);
    with_rights(rights, write).map_err(|why| {
        let target = place::shown(&path.join(components.join("/")));
        Failure::new(Exit::CannotWrite, format!("writing {target}: {why}"))
    })??;
    Ok(Beaten {
        schema: "lazarus-pit/beat/1",
        cell: cell.to_owned(),
        path: path.join(components.join("/")),
        agent: whose.agent,
        layout,
        timestamp: beat.now.as_f64(),
        status: status.to_owned(),
    })
}

/// Opens a cell. As root, none over which a user has mounted something: it may never answer.
fn open_cell(missions: &OwnedFd, cell: &str, mounts: Mounts) -> Result<OwnedFd, Closed> {
    if !host::is_root() {
        return beneath::open_dir(missions, cell, Mounts::Cross).map_err(Closed::Errno);
    }
    let name = CString::new(cell).map_err(|_| Closed::Errno(Errno::NOENT))?;
    mounts::open_cell(missions, &name, mounts)
}

/// True while a heartbeat that [`for_agent`] was to write has not come to its end.
static HANGS: AtomicBool = AtomicBool::new(false);

/// How long [`for_agent`] waits for a heartbeat to be written.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes the heartbeat of an agent whose process somebody else keeps, as `status: kept`, where a
/// check looks for it. For those who live long and write often: the work is done on a thread that
/// ends with it. Where that hangs, it is given up, and nothing further is tried before it has come
/// back: there is never more than one.
///
/// # Errors
/// A sentence that names the path and the cause.
pub fn for_agent(
    root: &Path,
    cell: &str,
    agent: &str,
    pid: i32,
    heartbeat_file: &str,
    mounts: Mounts,
    now: Timestamp,
) -> Result<(), String> {
    let about = format!(
        "writing the heartbeat of {}/{}",
        visible(cell),
        visible(agent)
    );
    if HANGS.swap(true, Ordering::AcqRel) {
        return Err(format!(
            "{about}: the one before it has not come to its end"
        ));
    }
    let kept = Beat {
        status: Some("kept".into()),
        pid: Some(pid),
        cycle: None,
        model: None,
        quiet_for: None,
        now,
        mounts,
    };
    let (root, file) = (root.to_owned(), heartbeat_file.to_owned());
    let (cell, agent) = (cell.to_owned(), agent.to_owned());
    let (send, receive) = sync_channel(1);
    let thread = std::thread::Builder::new().name("beat".into());
    let started = thread.stack_size(256 << 10).spawn(move || {
        let over = Over;
        let done = beat(&root, &cell, Some(&agent), &kept, &file);
        drop(over);
        // Whoever has given up listens no more.
        let _ = send.send(done.map(drop).map_err(|failure| failure.message));
    });
    if let Err(e) = started {
        HANGS.store(false, Ordering::Release);
        return Err(format!(
            "{about}: starting a thread: {e}; is the process limit reached?"
        ));
    }
    match receive.recv_timeout(PATIENCE) {
        Ok(done) => done.map_err(|why| format!("{about}: {why}")),
        Err(RecvTimeoutError::Timeout) => {
            let waited = human(PATIENCE);
            Err(format!(
                "{about}: it did not come to its end within {waited}"
            ))
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err(format!("{about}: it met a defect in lazarus-pit"))
        }
    }
}

/// Says at its end, however that comes, that nothing hangs any more.
struct Over;

impl Drop for Over {
    fn drop(&mut self) {
        HANGS.store(false, Ordering::Release);
    }
}

/// Rounded up: an agent that asks for a moment of silence asks for more than none.
fn whole_seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// Whose heartbeat it is.
struct Whose {
    agent: String,
    /// True for the one agent of a foundation cell whose manifest names none.
    main: bool,
    uuid: Option<String>,
}

/// The agent that beats: the one asked for, or the only one that there is.
fn choose(
    layout: Layout,
    manifest: Manifest,
    asked: Option<&str>,
    cell: &str,
    path: &Path,
) -> Result<Whose, Failure> {
    let (cell, path) = (visible(cell), place::shown(path));
    let known = match manifest {
        Manifest::Known(known) => known,
        // As a check sees it: the manifest is optional, and without it there is one agent.
        Manifest::Absent | Manifest::Unusable(_)
            if layout == Layout::Foundation && asked.is_none_or(|name| name == MAIN) =>
        {
            Known::default()
        }
        Manifest::Absent if layout == Layout::Foundation => Known::default(),
        Manifest::Absent => {
            return Err(Failure::new(
                Exit::CannotWrite,
                format!("reading the manifest {path}: it is gone"),
            ));
        }
        Manifest::Unusable(why) => {
            return Err(Failure::new(
                Exit::CannotWrite,
                format!(
                    "which agents the cell {cell} has cannot be told: {path} cannot be used: {why}"
                ),
            ));
        }
    };
    let uuid = known.uuid.filter(|_| layout == Layout::Canonical);
    let Some(mut named) = known.agents else {
        return match asked {
            None | Some(MAIN) => Ok(Whose {
                agent: MAIN.to_owned(),
                main: true,
                uuid,
            }),
            Some(name) => Err(usage(format!(
                "the cell {cell} has one agent, {MAIN}, since its manifest {path} names none: \
                 {name:?} cannot beat there"
            ))),
        };
    };
    if named.is_empty() {
        return Err(usage(format!(
            "the cell {cell} has no agents: `agents` in its manifest {path} is empty"
        )));
    }
    let at = match asked {
        Some(name) => named.iter().position(|known| known == name),
        None => (named.len() == 1).then_some(0),
    };
    match at {
        Some(at) => Ok(Whose {
            agent: named.swap_remove(at),
            main: false,
            uuid,
        }),
        None => Err(usage(match asked {
            Some(name) => format!(
                "the cell {cell} has no agent {name:?}; its manifest {path} names {}",
                some(&named)
            ),
            None => format!(
                "the cell {cell} has {} agents; say which one beats: {}",
                named.len(),
                some(&named)
            ),
        })),
    }
}

/// The names, or as many of them as can be read at a glance.
fn some(names: &[String]) -> String {
    const MOST: usize = 20;
    let shown = names[..names.len().min(MOST)].join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn write(
    cell: &OwnedFd,
    path: &Path,
    components: &[&str],
    contents: &[u8],
    mounts: Mounts,
) -> Result<(), Failure> {
    let Some((name, dirs)) = components.split_last() else {
        return Err(usage("the heartbeat has no file name".into()));
    };
    let lies_in = path.join(dirs.join("/"));
    let dir = open_dir(cell, dirs, mounts).map_err(|(doing, errno)| {
        let why = match errno {
            Errno::NOENT => {
                "; the cell is incomplete, `lazarus-pit init` adds what it lacks".into()
            }
            _ => place::in_the_way(cell, dirs, mounts).unwrap_or_default(),
        };
        let mut failure = cannot(doing, &lies_in, errno);
        failure.message.push_str(&why);
        failure
    })?;
    let target = path.join(components.join("/"));
    // A link, a FIFO or whatever else would be replaced by the rename as any file is; only what
    // a rename cannot replace is worth words of its own.
    if matches!(beneath::kind(&dir, *name), Ok(FileType::Directory)) {
        return Err(Failure::new(
            Exit::CannotWrite,
            format!(
                "writing {}: a directory is there, not a regular file",
                place::shown(&target)
            ),
        ));
    }
    create::replace(&dir, name, contents, Access::default(), Durable::No)
        .map_err(|e| trouble(&target, e))
}

/// Opens the directory that a heartbeat lies in. One named `heartbeats` is made if need be: not
/// every tool that makes cells makes it, and no agent can do without it.
fn open_dir(
    cell: &OwnedFd,
    dirs: &[&str],
    mounts: Mounts,
) -> Result<OwnedFd, (&'static str, Errno)> {
    let opening = |e| ("opening the directory", e);
    let open = |dirs: &[&str]| {
        let path = if dirs.is_empty() {
            ".".to_owned()
        } else {
            dirs.join("/")
        };
        beneath::open_dir(cell, path, mounts).map_err(opening)
    };
    match (open(dirs), dirs.split_last()) {
        (Err((_, Errno::NOENT)), Some((&"heartbeats", above))) => {
            let parent = open(above)?;
            create::dir(&parent, "heartbeats", Access::default(), mounts)
                .map(|(fd, _)| fd)
                .map_err(|e| (e.doing, e.errno))
        }
        (opened, _) => opened,
    }
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, text::visible(&message).into_owned())
}

#[cfg(test)]
#[path = "beat_tests.rs"]
mod tests;
