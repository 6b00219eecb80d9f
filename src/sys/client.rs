//! A client at standard input and output, in the manner of inetd. Each wait has an end, whatever
//! the client does or leaves undone.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FileType;
use rustix::io::Errno;

/// So much is written at a time: what is ready for writing takes that much without a wait.
const CHUNK: usize = 2048;

/// What came of listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes.
    Bytes(usize),
    /// The client says no more.
    End,
    /// The time is over.
    Late,
}

/// Reads what the client has said into `buffer`, once there is something; `until` then at most.
///
/// # Errors
/// That of read(2): the connection was reset.
pub fn listen(buffer: &mut [u8], until: Instant) -> io::Result<Heard> {
    let input = io::stdin();
    loop {
        if !ready(input.as_fd(), PollFlags::IN, until)? {
            return Ok(Heard::Late);
        }
        match rustix::io::read(&input, &mut *buffer) {
            Ok(0) => return Ok(Heard::End),
            Ok(n) => return Ok(Heard::Bytes(n)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Tells the client all of it, or fails.
///
/// # Errors
/// The client went away (`BrokenPipe`, `ConnectionReset`), or did not take it by `until`
/// (`TimedOut`).
pub fn tell(mut bytes: &[u8], until: Instant) -> io::Result<()> {
    let output = io::stdout();
    while !bytes.is_empty() {
        if !ready(output.as_fd(), PollFlags::OUT, until)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match rustix::io::write(&output, &bytes[..bytes.len().min(CHUNK)]) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Says that no more will come, and lets what the client still sends run dry, `until` then at
/// most: where something is left unread when a connection is closed, the client is told of a reset
/// and may lose the answer. Only sockets have that.
pub fn hang_up(until: Instant) {
    let Ok(copy) = io::stdout().as_fd().try_clone_to_owned() else {
        return;
    };
    if TcpStream::from(copy).shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut rest = [0; 4096];
    // Not without end, should a client send faster than the clock goes.
    for _ in 0..256 {
        if !matches!(listen(&mut rest, until), Ok(Heard::Bytes(_))) {
            return;
        }
    }
}

/// Where standard error is the client's connection too, as inetd has it, what is said there from
/// now on goes nowhere: it is for the operator.
pub fn keep_errors_to_ourselves() {
    let (errors, output) = (io::stderr(), io::stdout());
    let (Ok(errors), Ok(output)) = (rustix::fs::fstat(&errors), rustix::fs::fstat(&output)) else {
        return;
    };
    let is_socket = FileType::from_raw_mode(output.st_mode) == FileType::Socket;
    if !is_socket || (errors.st_dev, errors.st_ino) != (output.st_dev, output.st_ino) {
        return;
    }
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stderr(&null);
    }
}

/// True once it is ready, or broken, which reading and writing then tell; false when `until` is
/// over.
fn ready(fd: BorrowedFd<'_>, what: PollFlags, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Ok(false);
        }
        let timeout = Timespec::try_from(left).ok();
        let mut fds = [PollFd::from_borrowed_fd(fd, what)];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(e) => return Err(e.into()),
        }
    }
}
