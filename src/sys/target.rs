//! Whom a signal is meant for: a process that is held while one makes sure that it is the one.

use std::os::fd::OwnedFd;
use std::str::FromStr as _;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{host, process, procs};
use crate::model::time::Timestamp;

/// A living process, held so that its pid cannot become another's, and what is known of it.
#[derive(Debug)]
pub struct Target {
    /// The pid.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
    /// When it started on the wall clock, as that is set now; a tick is a hundredth of a second.
    pub started: Timestamp,
    /// Its user ids: real, effective, saved, of the file system.
    pub uids: [u32; 4],
    /// `None` where the kernel has no descriptors of processes (before 5.3, or a filter).
    fd: Option<OwnedFd>,
}

/// Why there is no such target, or why it was not hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// No such process, or it has ended by now.
    Gone,
    /// What the call answered.
    Failed(&'static str, Errno),
    /// `/proc` does not say what must be known.
    Unknown,
}

impl Target {
    /// Takes hold of a process and then looks at it.
    ///
    /// # Errors
    /// There is none with this pid (a zombie is none), or it cannot be held or looked at.
    pub fn hold(pid: i32) -> Result<Self, Miss> {
        // rustix has it that a negative number cannot be one; zero is nobody's.
        let number = Pid::from_raw(pid.max(0)).ok_or(Miss::Gone)?;
        let fd = match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
            Ok(fd) => Some(fd),
            Err(Errno::SRCH) => return Err(Miss::Gone),
            // Not there, or (old filters of containers) not allowed: the call itself forbids nothing.
            Err(Errno::NOSYS | Errno::PERM) => None,
            // A thread that leads no process.
            Err(Errno::INVAL | Errno::NOENT) => return Err(Miss::Gone),
            Err(errno) => return Err(Miss::Failed("taking hold of", errno)),
        };
        let start_time = process::start_time(pid).ok_or(Miss::Gone)?;
        let uids = uids(pid).ok_or(Miss::Unknown)?;
        let started = wall_clock(start_time).ok_or(Miss::Unknown)?;
        let target = Self {
            pid,
            start_time,
            started,
            uids,
            fd,
        };
        // While it lives its pid is its own: all that was read is this process's.
        match target.lives() {
            true => Ok(target),
            false => Err(Miss::Gone),
        }
    }

    /// True while it is there.
    fn lives(&self) -> bool {
        process::start_time(self.pid) == Some(self.start_time)
    }

    /// True where it is this process, or one that it comes from.
    #[must_use]
    pub fn is_of_our_line(&self) -> bool {
        procs::ancestors().contains(&self.pid)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended, or what the call answered: `EPERM` where it is another user's.
    pub fn send(&self, signal: Signal) -> Result<(), Miss> {
        let sent = match &self.fd {
            Some(fd) if self.lives() => rustix::process::pidfd_send_signal(fd, signal),
            // As sure as it can be had without a descriptor.
            None if self.lives() => match Pid::from_raw(self.pid) {
                Some(pid) => rustix::process::kill_process(pid, signal),
                None => Err(Errno::SRCH),
            },
            _ => Err(Errno::SRCH),
        };
        sent.map_err(|errno| match errno {
            Errno::SRCH => Miss::Gone,
            errno => Miss::Failed("sending a signal to", errno),
        })
    }
}

/// A signal by its name without `SIG`.
#[must_use]
pub fn signal(name: &str) -> Option<Signal> {
    let signal = nix::sys::signal::Signal::from_str(&format!("SIG{name}")).ok()?;
    Signal::from_named_raw(signal as i32)
}

/// The four numbers of `Uid:` in `/proc/PID/status`.
pub(super) fn uids(pid: i32) -> Option<[u32; 4]> {
    let status = std::fs::read(format!("/proc/{pid}/status")).ok()?;
    parse_uids(&status)
}

/// The name of a command stands above and may hold any byte but an end of line.
fn parse_uids(status: &[u8]) -> Option<[u32; 4]> {
    let mut lines = status.split(|b| *b == b'\n');
    let numbers = lines.find_map(|line| line.strip_prefix(b"Uid:"))?;
    let numbers = std::str::from_utf8(numbers).ok()?.split_ascii_whitespace();
    let numbers: Vec<u32> = numbers.map_while(|n| n.parse().ok()).collect();
    numbers.try_into().ok()
}

/// The wall clock's time of a moment in clock ticks since the boot, the host's sleep included.
fn wall_clock(ticks: u64) -> Option<Timestamp> {
    let second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    let second = u64::try_from(second.ok()??).ok().filter(|n| *n > 0)?;
    let after_boot = Duration::from_secs(ticks / second)
        + Duration::from_nanos(ticks % second * 1_000_000_000 / second);
    let uptime = host::uptime()?;
    Some(host::now().minus(uptime.saturating_sub(after_boot)))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> (Child, i32) {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = child.id().cast_signed();
        (child, pid)
    }

    #[test]
    fn a_process_is_held_and_known() {
        let before = host::now();
        let (mut child, pid) = sleeper();
        let target = Target::hold(pid).unwrap();
        assert_eq!(target.uids, [host::uid(); 4]);
        assert_eq!(Some(target.start_time), process::start_time(pid));
        // A tick early at most; and no later than now.
        let tick = Duration::from_millis(20);
        assert!(target.started >= before.minus(tick), "{target:?}");
        assert!(target.started <= host::now().plus(tick), "{target:?}");
        assert!(!target.is_of_our_line());
        assert_eq!(target.send(Signal::TERM), Ok(()));
        child.wait().unwrap();
        assert_eq!(target.send(Signal::TERM), Err(Miss::Gone));
        assert_eq!(Target::hold(pid).unwrap_err(), Miss::Gone);
    }

    #[test]
    fn what_nobody_can_be_is_nobody_and_a_zombie_is_too() {
        for pid in [0, -1, i32::MIN, i32::MAX] {
            assert_eq!(Target::hold(pid).unwrap_err(), Miss::Gone, "{pid}");
        }
        let (mut child, pid) = sleeper();
        let target = Target::hold(pid).unwrap();
        child.kill().unwrap();
        while process::start_time(pid).is_some() {
            std::thread::yield_now();
        }
        assert_eq!(target.send(Signal::TERM), Err(Miss::Gone));
        assert_eq!(Target::hold(pid).unwrap_err(), Miss::Gone);
        child.wait().unwrap();
    }

    #[test]
    fn we_and_those_we_come_from_are_known() {
        let own = Target::hold(std::process::id().cast_signed()).unwrap();
        assert!(own.is_of_our_line());
    }

    #[test]
    fn names_of_signals_and_numbers_of_users() {
        assert_eq!(signal("TERM"), Some(Signal::TERM));
        assert_eq!(signal("USR2"), Some(Signal::USR2));
        assert_eq!(signal("NONE"), None);
        let status = b"Name:\tUid: 5\nUmask:\t0022\nUid:\t1\t2\t3\t4\nGid:\t9\n";
        assert_eq!(parse_uids(status), Some([1, 2, 3, 4]));
        assert_eq!(parse_uids(b"Uid:\t1\t2\n"), None);
    }
}
