//! What the child does between fork and exec: system calls on what was made ready before, and
//! nothing that allocates or takes a lock.

use std::ffi::{CStr, c_int, c_uint};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd as _;
use std::time::Instant;

use nix::libc;

use super::{Directory, Exec, Identity, Stage};

/// Turns the child into the program. Returns only where that failed.
pub(super) fn become_program(exec: &Exec) -> io::Error {
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
    // Before the user: it may be given more than it could take for itself.
    for (resource, most) in exec.limits {
        set_limit(resource, most)?;
    }
    if let Some(identity) = &exec.identity {
        switch(identity)?;
    }
    if exec.no_new_privs {
        refuse_new_privs()?;
    }
    // A directory on a mount that does not answer holds us for ever, and longer than our starter
    // waits. When it is gone, nobody wants the program any more. (A change of user clears this.)
    die_with_starter(libc::SIGKILL)?;
    // With the rights of the one it runs as, so not before.
    let went = match &exec.cwd {
        // SAFETY: a C string that lives on.
        Directory::Path(path) => unsafe { libc::chdir(path.as_ptr()) },
        // SAFETY: a descriptor that is open.
        Directory::Open(fd) => unsafe { libc::fchdir(fd.as_raw_fd()) },
    };
    check(went, Stage::Cwd)?;
    close_all_on_exec()?;
    if let Some(fd) = &exec.inherited {
        hand_down(fd.as_raw_fd())?;
    }
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
    Ok(())
}

fn refuse_new_privs() -> Result<(), Stage> {
    let (on, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: this option takes one and three zeros.
    check(
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, none, none, none) },
        Stage::NoNewPrivs,
    )
}

fn set_limit(resource: libc::__rlimit_resource_t, most: Option<u64>) -> Result<(), Stage> {
    let Some(most) = most else { return Ok(()) };
    let limit = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: a structure of our own is read.
    check(
        unsafe { libc::setrlimit(resource, &raw const limit) },
        Stage::Limits,
    )
}

/// Has the program inherit a descriptor, under the number that it has: on one of the numbers below it
/// std reports what failed.
fn hand_down(fd: c_int) -> Result<(), Stage> {
    // SAFETY: marks a descriptor.
    let keep = |fd| unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
    check(keep(fd), Stage::Descriptors)
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
pub(super) fn close_all_by_hand() -> Result<(), Stage> {
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

pub(super) fn number(name: &CStr) -> Option<c_int> {
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
