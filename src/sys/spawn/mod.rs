//! Starting a program with nothing of ours about it: the one place of the product with `unsafe`.
//!
//! Between fork and exec only what is async-signal-safe may be done, for another thread may have
//! held any lock (the allocator's above all) at the moment of the fork. So everything is made
//! ready before: [`Exec`] holds finished C strings and pointers, and the child makes system calls.

#![allow(unsafe_code)]

mod child;

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::Instant;

use nix::libc;

/// Whom a program runs as, where that is another than we.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// Where a program begins.
#[derive(Debug)]
pub enum Directory {
    /// A path, looked up with the rights that the program has.
    Path(CString),
    /// A directory that is open already, so that nothing can be put in its place.
    Open(OwnedFd),
}

/// What a program may use; absent is what we may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of address space.
    pub memory: Option<u64>,
    /// Open descriptors.
    pub open_files: Option<u64>,
    /// Processes of its user.
    pub processes: Option<u64>,
}

/// A program that is ready to be started.
#[derive(Debug)]
pub struct Exec {
    path: CString,
    cwd: Directory,
    identity: Option<Identity>,
    no_new_privs: bool,
    limits: [(libc::__rlimit_resource_t, Option<u64>); 3],
    inherited: Option<OwnedFd>,
    input: bool,
    args: Strings,
    env: Strings,
    /// Our own pid.
    starter: libc::pid_t,
    /// When nobody wants it any more.
    until: Option<Instant>,
}

/// C strings, and the list of pointers to them that exec takes.
#[derive(Debug)]
struct Strings {
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

// SAFETY: the pointers lead to heap memory of `_owned`, which lives as long as they do, moves with
// them and is changed by nobody.
unsafe impl Send for Strings {}
// SAFETY: as above; there is no way to change anything through a shared reference.
unsafe impl Sync for Strings {}

impl Strings {
    fn new(texts: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, String> {
        let owned = texts.into_iter().map(c_string);
        let owned: Vec<CString> = owned.collect::<Result<_, _>>()?;
        let ends = std::iter::once(std::ptr::null());
        let pointers = owned.iter().map(|s| s.as_ptr()).chain(ends).collect();
        Ok(Self {
            _owned: owned,
            pointers,
        })
    }
}

fn c_string(bytes: Vec<u8>) -> Result<CString, String> {
    CString::new(bytes).map_err(|e| {
        let text = String::from_utf8_lossy(&e.into_vec()).into_owned();
        format!("there is a zero byte in {text:?}, which no program can be given")
    })
}

/// What was being done when a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Making the process.
    Fork,
    /// Making its session.
    Session,
    /// Setting its supplementary groups.
    Groups,
    /// Setting its group.
    Gid,
    /// Setting its user.
    Uid,
    /// Seeing to it that it gains no rights.
    NoNewPrivs,
    /// Setting its limits.
    Limits,
    /// Going to its directory.
    Cwd,
    /// Closing what it is not to inherit.
    Descriptors,
    /// Resetting its signals.
    Signals,
    /// Executing the program.
    Exec,
}

/// In this order their numbers go through the pipe on which the child reports.
const STAGES: [Stage; 11] = [
    Stage::Fork,
    Stage::Session,
    Stage::Groups,
    Stage::Gid,
    Stage::Uid,
    Stage::NoNewPrivs,
    Stage::Limits,
    Stage::Cwd,
    Stage::Descriptors,
    Stage::Signals,
    Stage::Exec,
];

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStarted {
    /// What was being done.
    pub stage: Stage,
    /// The errno.
    pub errno: i32,
}

impl NotStarted {
    /// The errno's text.
    #[must_use]
    pub fn cause(self) -> &'static str {
        nix::errno::Errno::from_raw(self.errno).desc()
    }

    /// Where there was not even a thread to do it.
    pub(super) fn of_thread(error: &io::Error) -> Self {
        Self {
            stage: Stage::Fork,
            errno: error.raw_os_error().unwrap_or(libc::EAGAIN),
        }
    }

    fn decode(error: &io::Error) -> Self {
        let code = error.raw_os_error().unwrap_or(libc::EINVAL);
        let stage = usize::try_from(code >> 16).ok().and_then(|n| STAGES.get(n));
        Self {
            stage: stage.copied().unwrap_or(Stage::Fork),
            errno: code & 0xffff,
        }
    }
}

impl Limits {
    fn list(self) -> [(libc::__rlimit_resource_t, Option<u64>); 3] {
        [
            (libc::RLIMIT_AS, self.memory),
            (libc::RLIMIT_NOFILE, self.open_files),
            (libc::RLIMIT_NPROC, self.processes),
        ]
    }
}

impl Exec {
    /// Makes a program ready.
    ///
    /// # Errors
    /// A sentence: a text has a zero byte in it.
    pub fn new(
        path: &Path,
        args: impl IntoIterator<Item = Vec<u8>>,
        env: impl IntoIterator<Item = Vec<u8>>,
        cwd: &Path,
        identity: Option<Identity>,
    ) -> Result<Self, String> {
        let of_path = |path: &Path| c_string(path.as_os_str().as_encoded_bytes().to_vec());
        Ok(Self {
            path: of_path(path)?,
            cwd: Directory::Path(of_path(cwd)?),
            identity,
            no_new_privs: false,
            limits: Limits::default().list(),
            inherited: None,
            input: false,
            args: Strings::new(args)?,
            env: Strings::new(env)?,
            starter: std::process::id().cast_signed(),
            until: None,
        })
    }

    /// The same, which from then on becomes no program: whoever starts it may be stopped at any
    /// instant before the fork, and go on much later.
    #[must_use]
    pub(super) fn not_after(self, until: Option<Instant>) -> Self {
        Self { until, ..self }
    }

    /// The same, which begins in a directory that is open already.
    #[must_use]
    pub fn in_directory(self, directory: OwnedFd) -> Self {
        let cwd = Directory::Open(directory);
        Self { cwd, ..self }
    }

    /// The same, which may use no more than that.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        let limits = limits.list();
        Self { limits, ..self }
    }

    /// The same, where neither it nor what it starts may ever gain a right again (a setuid
    /// program's).
    #[must_use]
    pub fn without_new_privs(self) -> Self {
        Self {
            no_new_privs: true,
            ..self
        }
    }

    /// The same, which inherits this descriptor, under the number that it has.
    #[must_use]
    pub fn inheriting(self, fd: OwnedFd) -> Self {
        Self {
            inherited: Some(fd),
            ..self
        }
    }

    /// The same, with a pipe as its standard input.
    #[must_use]
    pub fn with_input(self) -> Self {
        Self {
            input: true,
            ..self
        }
    }

    /// Starts it in a session and process group of its own, with `/dev/null` (or a pipe) as its
    /// standard input and pipes as its outputs; nothing else is inherited but what was said.
    ///
    /// # Errors
    /// What could not be done, and the errno. Then there is no process.
    pub fn start(self) -> Result<Child, NotStarted> {
        keep_children();
        let mut command = Command::new("/");
        let input = if self.input {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // SAFETY: the closure allocates nothing, takes no lock and calls only what is
        // async-signal-safe; whatever it reads was made before the fork.
        unsafe { command.pre_exec(move || Err(child::become_program(&self))) };
        command.spawn().map_err(|e| NotStarted::decode(&e))
    }
}

/// An inherited `SIG_IGN` for SIGCHLD would have the kernel forget how children ended, and give
/// their pids away while we still hold them for theirs.
fn keep_children() {
    static ONCE: Once = Once::new();
    // SAFETY: the default disposition runs no code of ours, and nothing here has set another.
    ONCE.call_once(|| unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    });
}

#[cfg(test)]
mod tests;
