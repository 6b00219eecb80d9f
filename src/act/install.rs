//! Files that are put where nothing is yet: all of them, or none.

use std::path::Path;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::place::{cannot, shown, trouble};
use crate::model::exit::{Exit, Failure};
use crate::sys::beneath::{self, Mounts};
use crate::sys::create::{self, Access, Durable};

/// A configuration and the plans beside it.
#[derive(Debug)]
pub struct Install<'a> {
    /// The text of `config.yaml`.
    pub config: &'a str,
    /// True where nobody but its owner may read it.
    pub private: bool,
    /// The files of `plans/`: names of one component, and texts.
    pub plans: &'a [(String, String)],
}

/// The configuration's name.
pub const CONFIG: &str = "config.yaml";
/// The name of the directory of plans.
pub const PLANS: &str = "plans";

impl Install<'_> {
    /// Puts them into the directory `out`, which is made where it is missing. Where one of the two
    /// names is taken, nothing is written. The plans come first: a configuration without its plans
    /// would be one that does nothing.
    ///
    /// # Errors
    /// A name is taken (64), something could not be written (74); then nothing is there that was
    /// not there before, but for `out` itself.
    pub fn write(&self, out: &Path) -> Result<(), Failure> {
        std::fs::create_dir_all(out).map_err(|e| {
            let why = Errno::from_io_error(&e).unwrap_or(Errno::IO);
            cannot("creating the directory", out, why)
        })?;
        let fd = beneath::open_root(out).map_err(|e| cannot("opening the directory", out, e))?;
        for name in [CONFIG, PLANS] {
            match beneath::kind(&fd, name) {
                Err(Errno::NOENT) => {}
                Ok(_) => return Err(taken(out, name)),
                Err(e) => return Err(cannot("looking at", &out.join(name), e)),
            }
        }
        let exact = |mode| Access {
            owner: None,
            mode: Some(mode),
        };
        let (staged, dir) = create::staged_dir(&fd).map_err(|e| trouble(&out.join(PLANS), e))?;
        let placed = self
            .fill(&dir, out)
            .and_then(|()| create::give(&dir, exact(0o755)).map_err(|e| trouble(out, e)))
            .and_then(|()| match create::place(&fd, &staged, PLANS) {
                Err(e) if e.errno == Errno::EXIST => Err(taken(out, PLANS)),
                other => other.map_err(|e| trouble(&out.join(PLANS), e)),
            });
        if let Err(failure) = placed {
            self.take_back(&fd, &staged);
            return Err(failure);
        }
        let mode = if self.private { 0o600 } else { 0o644 };
        let config = self.config.as_bytes();
        let made = create::file(&fd, CONFIG, config, exact(mode), Durable::Yes);
        let failure = match made {
            Ok(true) => {
                // It is there; whether the names outlast a loss of power is all that this is about.
                let _ = rustix::fs::fsync(&fd);
                return Ok(());
            }
            Ok(false) => taken(out, CONFIG),
            Err(e) => trouble(&out.join(CONFIG), e),
        };
        self.take_back(&fd, PLANS);
        Err(failure)
    }

    fn fill(&self, dir: &std::os::fd::OwnedFd, out: &Path) -> Result<(), Failure> {
        for (name, text) in self.plans {
            let path = out.join(PLANS).join(name);
            let access = Access {
                owner: None,
                mode: Some(0o644),
            };
            let made = create::file(dir, name, text.as_bytes(), access, Durable::Yes);
            match made.map_err(|e| trouble(&path, e))? {
                true => {}
                false => return Err(cannot("creating", &path, Errno::EXIST)),
            }
        }
        Ok(())
    }

    /// Removes the directory of plans again. Best effort: what is told is why.
    fn take_back(&self, out: &std::os::fd::OwnedFd, name: &str) {
        if let Ok(dir) = beneath::open_dir(out, name, Mounts::Refuse) {
            for (name, _) in self.plans {
                let _ = rustix::fs::unlinkat(&dir, name.as_str(), AtFlags::empty());
            }
        }
        let _ = rustix::fs::unlinkat(out, name, AtFlags::REMOVEDIR);
    }
}

fn taken(out: &Path, name: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!(
            "{} is there, and nothing that is there is overwritten; nothing was written. Name \
             another directory with --out",
            shown(&out.join(name))
        ),
    )
}
