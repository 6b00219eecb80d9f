//! `init`: makes a cell whole, or adds to one what it lacks.
//!
//! A new cell is made under a hidden name beside its place and moved there when it is whole: a
//! check never sees half of it, and a kill leaves no cell at all. Of a cell that is there nothing
//! is changed; what it lacks is added piece by piece, each of them whole or not at all, so that
//! the same command run again completes what was cut off.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;
use rustix::io::Errno;
use serde::Serialize;

use super::fill::CANONICAL_DIRS;
use super::making::Making;
use super::manifest::{self, Manifest};
use super::place::{self, LONGEST_AGENT, cannot, trouble};
use crate::model::cell::{FOUNDATION_SUBDIRS, Layout};
use crate::model::exit::{Exit, Failure};
use crate::model::text::{check_id, visible};
use crate::model::time::Timestamp;
use crate::sys::beneath::{self, Mounts};
use crate::sys::create::{self, Access};
use crate::sys::host;

/// How often a race with another `init` is taken up again.
const TRIES: u32 = 8;

/// What kind of cell is to be made.
#[derive(Clone, Debug)]
pub struct InitOptions<'a> {
    /// Which layout; `None`: that of the cell that is there, else foundation.
    pub layout: Option<Layout>,
    /// The agents that its manifest is to name.
    pub agents: Vec<String>,
    /// User and group that its agents run as; `None`: the running user's.
    pub owner: Option<(u32, u32)>,
    /// The configuration's `required_subdirs`.
    pub required_subdirs: &'a [String],
    /// The configuration's `heartbeat_file`.
    pub heartbeat_file: &'a str,
    /// The one `now`.
    pub now: Timestamp,
    /// Who makes it, for the canonical manifest.
    pub created_by: String,
    /// A new cell's id, for the canonical manifest.
    pub uuid: String,
    /// Whether mounts below the cell are walked into.
    pub mounts: Mounts,
}

/// What `init` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Always `lazarus-pit/init/1`.
    pub schema: &'static str,
    /// The cell's name.
    pub cell: String,
    /// Its layout.
    pub layout: Layout,
    /// Its directory.
    #[serde(serialize_with = "crate::model::text::serialize_path")]
    pub root: PathBuf,
    /// What was added, as paths beneath the cell, in order.
    pub created: Vec<String>,
    /// What was there and was not touched.
    pub existing: Vec<String>,
}

impl Made {
    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let (cell, layout) = (visible(&self.cell), self.layout.as_str());
        let root = place::shown(&self.root);
        let mut out = match (self.created.is_empty(), self.existing.is_empty()) {
            (true, _) => format!("{layout} cell {cell} is whole already: {root}\n"),
            (false, true) => format!("made {layout} cell {cell}: {root}\n"),
            (false, false) => format!("completed {layout} cell {cell}: {root}\n"),
        };
        let lists = [("created", &self.created), ("existing", &self.existing)];
        for (word, path) in lists
            .iter()
            .flat_map(|(word, paths)| paths.iter().map(move |p| (word, p)))
        {
            out.push_str(&format!("  {word:<8} {}\n", visible(path)));
        }
        out
    }
}

/// Makes the cell `id` under the missions root, or adds what it lacks.
///
/// # Errors
/// Wrong use (64), no missions root (66), a configured path that leads out of the cell (78), or a
/// failure to write (74). Every message names the path, what was tried, and the cause.
pub fn init(root: &Path, id: &str, options: &InitOptions<'_>) -> Result<Made, Failure> {
    let job = Job::new(root, id, options)?;
    let missions = place::open_missions(root)?;
    for _ in 0..TRIES {
        // A cell may be a mount of its own; it is below it that none is crossed.
        let made = match beneath::open_dir(&missions, id, Mounts::Cross) {
            Ok(cell) => job.complete(&cell)?,
            Err(Errno::NOENT) => job.anew(&missions)?,
            Err(errno) => return Err(job.no_cell(&missions, errno)),
        };
        if let Some(made) = made {
            return Ok(made);
        }
    }
    Err(cannot("creating the cell", &job.path, Errno::AGAIN))
}

/// One call, checked.
pub(super) struct Job<'a> {
    pub(super) id: &'a str,
    path: PathBuf,
    pub(super) options: &'a InitOptions<'a>,
    /// The agents named, each once.
    pub(super) agents: Vec<String>,
    owner: Option<(u32, u32)>,
    /// The heartbeat's path, in components.
    pub(super) heartbeat_file: Vec<&'a str>,
    /// The required directories' paths, in components.
    pub(super) required: Vec<Vec<&'a str>>,
}

impl<'a> Job<'a> {
    /// Checks all that can be checked before anything is written.
    fn new(root: &Path, id: &'a str, options: &'a InitOptions<'a>) -> Result<Self, Failure> {
        check_id(id, 255).map_err(|why| usage(format!("{id:?} cannot be a cell's name: {why}")))?;
        let mut agents: Vec<String> = Vec::new();
        for agent in &options.agents {
            check_id(agent, LONGEST_AGENT)
                .map_err(|why| usage(format!("{agent:?} cannot be an agent's name: {why}")))?;
            if !agents.contains(agent) {
                agents.push(agent.clone());
            }
        }
        let owner = match options.owner {
            Some((uid, _)) if !host::is_root() && uid == host::uid() => None,
            Some((uid, _)) if !host::is_root() => {
                return Err(usage(format!(
                    "--owner: only root can make a cell for another user, {}; you are {}",
                    host::user_name(uid),
                    host::user_name(host::uid()),
                )));
            }
            owner => owner,
        };
        let required = options
            .required_subdirs
            .iter()
            .map(|path| place::configured(path, "required_subdirs"))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id,
            path: root.join(id),
            options,
            agents,
            owner,
            heartbeat_file: place::configured(options.heartbeat_file, "heartbeat_file")?,
            required,
        })
    }

    /// A cell where there is none; `None` where another was faster.
    fn anew(&self, missions: &OwnedFd) -> Result<Option<Made>, Failure> {
        let layout = self.options.layout.unwrap_or(Layout::Foundation);
        let (staged, cell) = create::staged_dir(missions).map_err(|e| trouble(&self.path, e))?;
        let mut making = self.making(&cell);
        let done = self.fill_staged(missions, &staged, &cell, layout, &mut making);
        if !matches!(done, Ok(true)) {
            making.take_back();
            // Best effort: the failure that is told is the one that came first.
            let _ = rustix::fs::unlinkat(missions, &staged, AtFlags::REMOVEDIR);
        }
        Ok(done?.then(|| self.made(layout, making)))
    }

    /// Fills a new cell and moves it to its place; false where that is taken.
    fn fill_staged(
        &self,
        missions: &OwnedFd,
        staged: &str,
        cell: &OwnedFd,
        layout: Layout,
        making: &mut Making<'_>,
    ) -> Result<bool, Failure> {
        let say = |e| trouble(&self.path, e);
        let stat = rustix::fs::fstat(cell).map_err(|e| cannot("looking at", &self.path, e))?;
        // Nobody else walks in before it is whole, not even the user that it is made for.
        create::give(
            cell,
            Access {
                owner: None,
                mode: Some(0o700),
            },
        )
        .map_err(say)?;
        if !self.fill(making, layout, &Manifest::Absent)? {
            return Ok(false);
        }
        let mode = Some(stat.st_mode & 0o7777);
        create::give(
            cell,
            Access {
                owner: self.owner,
                mode,
            },
        )
        .map_err(say)?;
        match create::place(missions, staged, self.id) {
            Ok(()) => Ok(true),
            Err(e) if e.errno == Errno::EXIST => Ok(false),
            Err(e) => Err(say(e)),
        }
    }

    /// Adds what a cell that is there lacks; `None` where another `init` is at it too.
    fn complete(&self, cell: &OwnedFd) -> Result<Option<Made>, Failure> {
        let looking = |e| cannot("looking at", &self.path, e);
        let layout = self.layout(cell, place::layout(cell).map_err(looking)?)?;
        let manifest_path = self.path.join(place::manifest(layout));
        let manifest = manifest::read(cell, layout, self.options.mounts)
            .map_err(|e| cannot("reading the manifest", &manifest_path, e))?;
        self.agree(layout, &manifest)?;
        let mut making = self.making(cell);
        let whole = self.fill(&mut making, layout, &manifest)?;
        Ok(whole.then(|| self.made(layout, making)))
    }

    fn made(&self, layout: Layout, making: Making<'_>) -> Made {
        Made {
            schema: "lazarus-pit/init/1",
            cell: self.id.to_owned(),
            layout,
            root: self.path.clone(),
            created: making.created,
            existing: making.existing,
        }
    }

    fn making<'c>(&self, cell: &'c OwnedFd) -> Making<'c> {
        Making::new(cell, self.path.clone(), self.owner, self.options.mounts)
    }

    /// The layout to complete, of a directory that looks as if it had the one found.
    fn layout(&self, cell: &OwnedFd, found: Layout) -> Result<Layout, Failure> {
        let asked = self.options.layout.unwrap_or(found);
        // Without its `cell.json` a canonical cell looks like a foundation one, and so does a
        // directory with nothing in it. What only a foundation cell has tells them apart.
        let bare = found == Layout::Foundation
            && !FOUNDATION_SUBDIRS
                .iter()
                .filter(|name| !CANONICAL_DIRS.contains(name))
                .any(|name| beneath::kind(cell, *name).is_ok());
        if asked == found || bare {
            return Ok(asked);
        }
        Err(usage(format!(
            "{} is a {} cell already: leave --layout out to complete it, or make a cell of the \
             {} layout under another name",
            place::shown(&self.path),
            found.as_str(),
            asked.as_str(),
        )))
    }

    /// Refuses to go on where a manifest that is there is not what was asked for.
    fn agree(&self, layout: Layout, manifest: &Manifest) -> Result<(), Failure> {
        let path = place::shown(&self.path.join(place::manifest(layout)));
        match manifest {
            Manifest::Absent => Ok(()),
            // A foundation cell is classified without its manifest, so it can be completed too.
            Manifest::Unusable(_) if layout == Layout::Foundation && self.agents.is_empty() => {
                Ok(())
            }
            Manifest::Unusable(why) => Err(Failure::new(
                Exit::CannotWrite,
                format!(
                    "completing the cell {}: its manifest {path} cannot be used: {why}. Nothing \
                     that is there is replaced; mend it or move it away and try again",
                    self.id
                ),
            )),
            Manifest::Known(known) => {
                let named = known.agents.as_deref().unwrap_or_default();
                match self.agents.iter().find(|agent| !named.contains(agent)) {
                    None => Ok(()),
                    Some(agent) => Err(usage(format!(
                        "--agent {agent}: the cell's manifest {path} is there and does not name \
                         it, and nothing that is there is changed; add it to `agents` there"
                    ))),
                }
            }
        }
    }

    fn no_cell(&self, missions: &OwnedFd, errno: Errno) -> Failure {
        match (errno, beneath::kind(missions, self.id)) {
            (Errno::LOOP | Errno::NOTDIR, Ok(kind)) => Failure::new(
                Exit::CannotWrite,
                format!(
                    "creating the cell {}: {} is there, not a directory, and nothing that is \
                     there is replaced; move it away and try again",
                    place::shown(&self.path),
                    beneath::describe(kind),
                ),
            ),
            _ => cannot("opening the cell", &self.path, errno),
        }
    }
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

#[cfg(test)]
#[path = "init_tests.rs"]
pub(super) mod tests;
