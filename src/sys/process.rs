//! Processes: which one is meant (a pid alone says nothing, since pids are used again), and what
//! the threads of our own share.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

thread_local! {
    static DEFECT: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// Remembers, for the thread that panics, where it did.
pub fn note_defect(place: &str) {
    let _ = DEFECT.try_with(|defect| defect.replace(format!("at {place}")));
}

/// Where this thread last panicked: `at FILE:LINE:COLUMN`, or nothing.
#[must_use]
pub fn defect() -> String {
    DEFECT.with(|defect| defect.borrow().clone())
}

/// Lets a write beyond the limit on file sizes (`ulimit -f`) fail with `EFBIG`, which is told and
/// ends in a status that is documented, where the signal for it would kill the run.
///
/// It is to be called before there is a second thread, and whatever is started has the signal
/// blocked too unless it is unblocked there.
pub fn block_file_size_signal() {
    let mut signals = nix::sys::signal::SigSet::empty();
    signals.add(nix::sys::signal::Signal::SIGXFSZ);
    // Where it cannot be blocked, it kills as it would have.
    let _ = signals.thread_block();
}

/// The start time of a process in clock ticks since the boot: field 22 of `/proc/PID/stat`.
/// `None` where there is no such process (a zombie is none: it does nothing any more).
#[must_use]
pub fn start_time(pid: i32) -> Option<u64> {
    parse_stat(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The start time of a child of ours that is not reaped yet: as [`start_time`], be it a zombie by
/// now.
#[must_use]
pub fn start_time_of_child(pid: i32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = &stat[stat.iter().rposition(|b| *b == b')')? + 1..];
    let mut fields = std::str::from_utf8(after).ok()?.split_ascii_whitespace();
    fields.nth(19)?.parse().ok()
}

/// What a process is at, by the letter of `/proc/PID/stat`: `R`, `S`, `D`, `T`, …
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.iter().rposition(|b| *b == b')')? + 2;
    stat.get(after).map(|b| char::from(*b))
}

/// True where the process is stopped by a signal, or by somebody who traces it.
#[must_use]
pub fn is_stopped(pid: i32) -> bool {
    matches!(state(pid), Some('T' | 't'))
}

/// The name of a command may hold spaces and parentheses, so the fields count from the last `)`.
fn parse_stat(stat: &[u8]) -> Option<u64> {
    let after = &stat[stat.iter().rposition(|b| *b == b')')? + 1..];
    let mut fields = std::str::from_utf8(after).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    // The state is field 3, so that field 22 is the 19th after it.
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}

/// The program that we are, to tell others of it by.
#[derive(Clone, Debug)]
pub struct Program(std::path::PathBuf);

/// Our own program; `None` where the kernel does not say.
#[must_use]
pub fn own_program() -> Option<Program> {
    std::fs::read_link("/proc/self/exe").ok().map(Program)
}

impl Program {
    /// True where the process runs it: the same file, or (after an upgrade) one of the same name;
    /// where that may not be looked at, one that calls itself so.
    #[must_use]
    pub fn is_of(&self, pid: i32, command: &[u8]) -> bool {
        match std::fs::read_link(format!("/proc/{pid}/exe")) {
            Ok(theirs) => self.is(&theirs),
            Err(_) => {
                use std::os::unix::ffi::OsStrExt as _;
                let first = command.split(|b| *b == 0).next().unwrap_or_default();
                let name = std::path::Path::new(std::ffi::OsStr::from_bytes(first)).file_name();
                name.is_some() && name == self.0.file_name()
            }
        }
    }

    fn is(&self, theirs: &std::path::Path) -> bool {
        let name = |path: &std::path::Path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some(
                name.strip_suffix(" (deleted)")
                    .map(str::to_owned)
                    .unwrap_or(name),
            )
        };
        theirs == self.0 || name(theirs) == name(&self.0)
    }
}

/// True where the process runs the same program as we do: the same file, or (after an upgrade)
/// one of the same name.
#[must_use]
pub fn runs_our_program(pid: i32) -> bool {
    let theirs = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let ours = own_program();
    ours.zip(theirs)
        .is_some_and(|(ours, theirs)| ours.is(&theirs))
}

/// Gives the calling thread a table of descriptors of its own, a copy of the one it shared.
///
/// # Errors
/// The errno of unshare(2): a seccomp filter, or too little memory.
pub fn own_descriptors() -> Result<(), nix::errno::Errno> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES)
}

/// Closes, in the calling thread's own table, every descriptor but this one. A thread that hangs
/// outlives the run's end and even KILL, and would keep open what it has: standard output, whose
/// reader waits for its end, and the lock of a run that was killed.
pub fn keep_only(fd: &OwnedFd) {
    let open: Vec<i32> = std::fs::read_dir("/proc/thread-self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for other in open.into_iter().filter(|n| *n != fd.as_raw_fd()) {
        let _ = nix::unistd::close(other);
    }
}

/// Opens `/` as a place to begin from, and has the calling thread give up every other descriptor:
/// as [`keep_only`], for one that reads what may hang.
///
/// # Errors
/// The errno of open(2).
pub fn alone() -> Result<OwnedFd, rustix::io::Errno> {
    use rustix::fs::{CWD, Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = rustix::fs::openat(CWD, "/", flags, Mode::empty())?;
    if own_descriptors().is_ok() {
        keep_only(&top);
    }
    Ok(top)
}

/// Has the calling thread give up every descriptor but its standard streams, which lead nowhere
/// from then on: for one that talks to servers and may be left behind. What it would log goes
/// nowhere too, and above all not into a connection that has got the number of a closed stream.
///
/// Where the thread cannot have a table of its own, nothing changes.
pub fn apart() {
    use rustix::fs::{CWD, Mode, OFlags};
    if own_descriptors().is_err() {
        return;
    }
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let Ok(null) = rustix::fs::openat(CWD, "/dev/null", flags, Mode::empty()) else {
        return;
    };
    let led = [
        nix::unistd::dup2_stdin(&null),
        nix::unistd::dup2_stdout(&null),
        nix::unistd::dup2_stderr(&null),
    ];
    drop(null);
    if led.iter().all(Result::is_ok) {
        close_from(3);
    }
}

/// Closes, in the calling thread's own table, every descriptor from this number on.
fn close_from(first: i32) {
    let open: Vec<i32> = std::fs::read_dir("/proc/thread-self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for other in open.into_iter().filter(|n| *n >= first) {
        let _ = nix::unistd::close(other);
    }
}

/// Closes standard input, output and error, at the very end: a thread that hangs outlives us, and
/// whoever reads our output would wait with it.
pub fn close_standard_streams() {
    for stream in 0..=2 {
        let _ = nix::unistd::close(stream);
    }
}

/// A process that is provably the one meant, held by a descriptor so that it stays that one.
#[derive(Debug)]
pub struct Handle {
    pid: i32,
    fd: OwnedFd,
}

impl Handle {
    /// Takes hold of a process, if it is still the one that started at `start_time`.
    #[must_use]
    pub fn of(pid: i32, started: u64) -> Option<Self> {
        // A number from a file may be any: rustix has it that a negative one cannot be.
        let pid_t = Pid::from_raw(pid.max(0))?;
        let fd = rustix::process::pidfd_open(pid_t, PidfdFlags::empty()).ok()?;
        // Asked after the descriptor is held: from here on the pid cannot become another's.
        (start_time(pid) == Some(started)).then_some(Self { pid, fd })
    }

    /// Sends TERM, and KILL to what is still there after `grace` (as a stopped process is, which
    /// takes no TERM until it goes on). True once it is gone.
    #[must_use]
    pub fn end(&self, grace: Duration) -> bool {
        let send = |signal| rustix::process::pidfd_send_signal(&self.fd, signal);
        // A stopped process takes no TERM until it goes on: no use waiting for that.
        let stopped = is_stopped(self.pid);
        if !stopped && send(Signal::TERM).is_err() {
            return self.is_gone(Duration::ZERO);
        }
        if !stopped && self.is_gone(grace) {
            return true;
        }
        send(Signal::KILL).is_ok() && self.is_gone(grace)
    }

    /// Sends a signal. One that is gone takes none.
    pub fn send(&self, signal: Signal) {
        let _ = rustix::process::pidfd_send_signal(&self.fd, signal);
    }

    /// Waits for the end of the process, at most this long. True where it is gone.
    #[must_use]
    pub fn is_gone(&self, wait: Duration) -> bool {
        use rustix::event::{PollFd, PollFlags, poll};
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = rustix::time::Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], Some(&timeout)) {
                Ok(n) => return n > 0,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

/// Ends processes, each known by pid and start time: TERM to all, and KILL to those that are still
/// there after `grace`. Returns the pids of those that are there even so.
#[must_use]
pub fn end_all(
    processes: impl IntoIterator<Item = (i32, u64)>,
    grace: Duration,
) -> std::collections::HashSet<i32> {
    let held = |(pid, started): (i32, u64)| match Handle::of(pid, started) {
        Some(handle) => Some(Ok(handle)),
        // Gone, or there and not to be held: no descriptor is left.
        None => (start_time(pid) == Some(started)).then_some(Err(pid)),
    };
    let all: Vec<Result<Handle, i32>> = processes.into_iter().filter_map(held).collect();
    let handles = || all.iter().flatten();
    for (signal, wait) in [(Signal::TERM, grace), (Signal::KILL, KILL_PATIENCE)] {
        let until = Instant::now() + wait;
        for handle in handles().filter(|handle| !handle.is_gone(Duration::ZERO)) {
            let _ = rustix::process::pidfd_send_signal(&handle.fd, signal);
            // A stopped process takes no TERM until it goes on.
            let _ = rustix::process::pidfd_send_signal(&handle.fd, Signal::CONT);
        }
        for handle in handles() {
            let _ = handle.is_gone(until.saturating_duration_since(Instant::now()));
        }
    }
    let there = all.iter().filter_map(|held| match held {
        Ok(handle) => (!handle.is_gone(Duration::ZERO)).then_some(handle.pid),
        Err(pid) => Some(*pid),
    });
    there.collect()
}

/// How long KILL is given: longer takes only a process that hangs in the kernel.
const KILL_PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_stands_after_the_last_parenthesis() {
        let stat = b"42 (a) b) (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        assert_eq!(parse_stat(stat), Some(987_654));
        assert_eq!(parse_stat(b"42 (x) Z 1"), None);
        assert_eq!(parse_stat(b"rubbish"), None);
        assert!(start_time(std::process::id() as i32).is_some());
    }

    #[test]
    fn a_process_that_is_another_by_now_cannot_be_held() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let started = start_time(pid).unwrap();
        assert!(Handle::of(pid, started + 1).is_none());
        assert!(Handle::of(-1, started).is_none() && Handle::of(0, 0).is_none());
        let handle = Handle::of(pid, started).unwrap();
        assert!(handle.end(Duration::from_secs(10)));
        child.wait().unwrap();
        assert!(Handle::of(pid, started).is_none());
    }
}
