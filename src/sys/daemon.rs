//! Living on beside others: nothing kept open of whoever started us, and signals that are read.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Which of the signals have come that mean something to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// A child has ended (or was stopped).
    pub child: bool,
    /// The name of one by which we are told to come to an end.
    pub stop: Option<&'static str>,
}

/// Signals that are read from a descriptor, and interrupt nothing.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks all signals, so that none but KILL and STOP does anything to us, and has those that
    /// are of interest read from a descriptor. To be called before there is a second thread.
    ///
    /// # Errors
    /// A sentence: there is no descriptor for them.
    pub fn take() -> Result<Self, String> {
        let wanted: SigSet = [
            Signal::SIGCHLD,
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGQUIT,
        ]
        .into_iter()
        .collect();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SigSet::all()
            .thread_block()
            .and_then(|()| SignalFd::with_flags(&wanted, flags))
            .map(Self)
            .map_err(|e| format!("having signals read from a descriptor: {}", e.desc()))
    }

    /// What has come since this was last asked.
    #[must_use]
    pub fn heard(&self) -> Heard {
        let mut heard = Heard::default();
        while let Ok(Some(info)) = self.0.read_signal() {
            let number = i32::try_from(info.ssi_signo).unwrap_or(0);
            match Signal::try_from(number) {
                Ok(Signal::SIGCHLD) => heard.child = true,
                Ok(signal) => heard.stop = Some(signal.as_str()),
                Err(_) => {}
            }
        }
        heard
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Closes every descriptor from 3 on: whoever started us may have left us some, a lock perhaps.
pub fn close_inherited() {
    let open: Vec<i32> = match std::fs::read_dir("/proc/self/fd") {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect(),
        Err(_) => (3..1024).collect(),
    };
    // The one that the list was read through is closed already.
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        let _ = nix::unistd::close(fd);
    }
}

/// Puts `/dev/null` in the place of standard input, output and error.
pub fn leave_streams() {
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null");
    match null {
        Ok(null) => {
            let _ = nix::unistd::dup2_stdin(&null);
            let _ = nix::unistd::dup2_stdout(&null);
            let _ = nix::unistd::dup2_stderr(&null);
        }
        // Closed is closed: what matters is that nobody's pipe is held.
        Err(_) => super::process::close_standard_streams(),
    }
}

/// Gives this process a name of its own, as `ps` and `top` have it.
pub fn set_name(name: &std::ffi::CStr) {
    let _ = nix::sys::prctl::set_name(name);
}

/// Whether what our descendants leave behind comes to us, rather than to the host's first process.
pub fn adopt(yes: bool) {
    // Every kernel since 3.4 has it.
    let _ = nix::sys::prctl::set_child_subreaper(yes);
}
