//! Starting a program with nothing of ours about it: the one place of the product with `unsafe`.
//!
//! Between fork and exec only what is async-signal-safe may be done, for another thread may have
//! held any lock (the allocator's above all) at the moment of the fork. So everything is made
//! ready before: [`Exec`] holds finished C strings and pointers, and the child makes system calls.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_uint};
use std::io;
use std::mem::MaybeUninit;
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
    /// Whether neither it nor what it starts may ever gain a right again (a setuid program's).
    pub no_new_privs: bool,
}

/// A program that is ready to be started.
#[derive(Debug)]
pub struct Exec {
    path: CString,
    cwd: CString,
    identity: Option<Identity>,
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
const STAGES: [Stage; 10] = [
    Stage::Fork,
    Stage::Session,
    Stage::Groups,
    Stage::Gid,
    Stage::Uid,
    Stage::NoNewPrivs,
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
            cwd: of_path(cwd)?,
            identity,
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

    /// Starts it in a session and process group of its own, with `/dev/null` as its standard
    /// input and pipes as its outputs; nothing else is inherited.
    ///
    /// # Errors
    /// What could not be done, and the errno. Then there is no process.
    pub fn start(self) -> Result<Child, NotStarted> {
        keep_children();
        let mut command = Command::new("/");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // SAFETY: the closure allocates nothing, takes no lock and calls only what is
        // async-signal-safe; whatever it reads was made before the fork.
        unsafe { command.pre_exec(move || Err(become_program(&self))) };
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

/// Turns the child into the program. Returns only where that failed.
fn become_program(exec: &Exec) -> io::Error {
    let stage = match prepare(exec) {
        Err(stage) => stage,
        Ok(()) => {
            // SAFETY: path and lists are C strings and lists of such that end in null.
            unsafe {
                libc::execve(
                    exec.path.as_ptr(),
                    exec.args.pointers.as_ptr(),
                    exec.env.pointers.as_ptr(),
                );
            }
            Stage::Exec
        }
    };
    let errno = io::Error::last_os_error().raw_os_error();
    let errno = errno.unwrap_or(libc::EINVAL) & 0xffff;
    // The pipe on which std reports carries one number: both go into it.
    io::Error::from_raw_os_error((stage as c_int) << 16 | errno)
}

/// Leaves the errno of what failed.
fn prepare(exec: &Exec) -> Result<(), Stage> {
    // SAFETY: plain system calls on values of our own.
    unsafe {
        check(libc::setsid(), Stage::Session)?;
        libc::umask(0o022);
    }
    if let Some(identity) = &exec.identity {
        switch(identity)?;
    }
    // A directory on a mount that does not answer holds us for ever, and longer than our starter
    // waits. When it is gone, nobody wants the program any more. (A change of user clears this.)
    die_with_starter(libc::SIGKILL)?;
    // With the rights of the one it runs as, so not before.
    // SAFETY: a C string that lives on.
    check(unsafe { libc::chdir(exec.cwd.as_ptr()) }, Stage::Cwd)?;
    close_all_on_exec()?;
    reset_signals()?;
    die_with_starter(0)?;
    // Looks at the clock and does no more.
    if exec.until.is_some_and(|until| Instant::now() >= until) {
        return Err(refuse(libc::ETIMEDOUT, Stage::Fork));
    }
    // SAFETY: asks for a number.
    if unsafe { libc::getppid() } == exec.starter {
        Ok(())
    } else {
        Err(refuse(libc::ECANCELED, Stage::Fork))
    }
}

fn die_with_starter(signal: c_int) -> Result<(), Stage> {
    let none: libc::c_ulong = 0;
    let signal = libc::c_ulong::from(signal.unsigned_abs());
    // SAFETY: this option takes one number.
    check(
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, none, none, none) },
        Stage::Session,
    )
}

fn check(answer: c_int, stage: Stage) -> Result<(), Stage> {
    if answer == -1 { Err(stage) } else { Ok(()) }
}

fn refuse(errno: c_int, stage: Stage) -> Stage {
    // SAFETY: the place of this thread's errno, which is always there.
    unsafe { *libc::__errno_location() = errno };
    stage
}

/// The groups first: whoever is no longer root cannot set them.
fn switch(to: &Identity) -> Result<(), Stage> {
    let (uid, gid) = (to.uid, to.gid);
    // SAFETY: plain system calls; the list of groups is as long as is said.
    unsafe {
        check(
            libc::setgroups(to.groups.len(), to.groups.as_ptr()),
            Stage::Groups,
        )?;
        check(libc::setresgid(gid, gid, gid), Stage::Gid)?;
        check(libc::setresuid(uid, uid, uid), Stage::Uid)?;
    }
    // Looked at, not believed: a program that runs as root by mistake is the worst that can be.
    let (mut r, mut e, mut s) = (!uid, !uid, !uid);
    // SAFETY: three places of our own are written to.
    check(
        unsafe { libc::getresuid(&raw mut r, &raw mut e, &raw mut s) },
        Stage::Uid,
    )?;
    if [r, e, s] != [uid; 3] {
        return Err(refuse(libc::EPERM, Stage::Uid));
    }
    if to.no_new_privs {
        let (on, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
        // SAFETY: this option takes one and three zeros.
        check(
            unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, none, none, none) },
            Stage::NoNewPrivs,
        )?;
    }
    Ok(())
}

/// Marks every descriptor from 3 on to be closed by exec: they cannot be closed here, for on one
/// of them std reports what failed.
fn close_all_on_exec() -> Result<(), Stage> {
    // Since Linux 5.11; the number is the same on every architecture.
    const CLOSE_RANGE_CLOEXEC: c_uint = 4;
    let (first, last): (c_uint, c_uint) = (3, c_uint::MAX);
    // SAFETY: marks descriptors, closes none.
    let done =
        unsafe { libc::syscall(libc::SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) } == 0;
    if done { Ok(()) } else { close_all_by_hand() }
}

/// The same for kernels without that call, and sandboxes that refuse it.
fn close_all_by_hand() -> Result<(), Stage> {
    use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
    let failed = |errno: rustix::io::Errno| refuse(errno.raw_os_error(), Stage::Descriptors);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = openat(CWD, c"/proc/self/fd", flags, Mode::empty()).map_err(failed)?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(&dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let fd = number(entry.map_err(failed)?.file_name());
        if let Some(fd) = fd.filter(|fd| *fd > 2) {
            // SAFETY: marks a descriptor.
            check(
                unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) },
                Stage::Descriptors,
            )?;
        }
    }
    Ok(())
}

fn number(name: &CStr) -> Option<c_int> {
    let digit = |n: c_int, b: &u8| {
        let digit = b.is_ascii_digit().then(|| c_int::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    };
    name.to_bytes().iter().try_fold(0, digit)
}

/// Every signal does what it does by default and none is blocked: we ignore SIGPIPE and block
/// SIGXFSZ, and whoever started us may have done more.
fn reset_signals() -> Result<(), Stage> {
    // The kernel's own calls: libc's refuse the two signals that it keeps for itself, and those
    // too may have been ignored by whoever started us. Zeros are the default action and no mask.
    let default = [0u64; 8];
    let size = size_of::<u64>();
    for signal in 1..=64 {
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP) {
            continue;
        }
        let old: *mut u64 = std::ptr::null_mut();
        // SAFETY: what is read is larger than the kernel's structure; nothing is written.
        let answer =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), old, size) };
        check(answer as c_int, Stage::Signals)?;
    }
    let old: *mut u64 = std::ptr::null_mut();
    // SAFETY: eight bytes are read, nothing is written.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            default.as_ptr(),
            old,
            size,
        )
    };
    check(answer as c_int, Stage::Signals)
}

#[cfg(test)]
#[path = "spawn_tests.rs"]
mod tests;
