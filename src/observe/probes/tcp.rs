//! `tcp`: whether something takes a connection.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::{Reply, limit};
use crate::model::time::human;
use crate::net::is_of_this_host;
use crate::net::names::{NoAddress, look_up};
use crate::sys::beneath::reason;

/// How often a Unix socket is asked again whose queue is full.
const AGAIN: Duration = Duration::from_millis(20);

/// Asks at `HOST:PORT` or at the path of a Unix socket.
pub(super) fn ask(address: &str, until: Instant, found: &AtomicBool) -> Reply {
    let began = Instant::now();
    if address.starts_with('/') {
        found.store(true, Ordering::Relaxed);
        return unix(address, began, until);
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return Reply::not_asked("this is neither HOST:PORT nor the path of a socket");
    };
    let Ok(port) = port.parse() else {
        return Reply::not_asked("its port is no number from 1 to 65535");
    };
    match look_up(host, port) {
        Ok(all) => {
            found.store(true, Ordering::Relaxed);
            first_that_answers(&all, began, until)
        }
        Err(e) => unknown(e),
    }
}

/// What it means that a name has no address.
pub(super) fn unknown(e: NoAddress) -> Reply {
    match e {
        NoAddress::NoSuchName(why) => Reply::bad(why),
        NoAddress::NotAsked(why) => Reply::not_asked(why),
    }
}

/// One address after the other, each with a fair share of what is left of the time. One that
/// answers is enough; they are down where one of them says so.
fn first_that_answers(all: &[SocketAddr], began: Instant, until: Instant) -> Reply {
    let (mut bad, mut unasked) = (Vec::new(), Vec::new());
    for (at, address) in all.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(all.len() - at).unwrap_or(1);
        let (asked, share) = (Instant::now(), share.max(Duration::from_millis(1)));
        match TcpStream::connect_timeout(address, share) {
            Ok(_) => {
                let took = human(began.elapsed());
                return Reply::good(format!("{address} takes connections ({took})"));
            }
            Err(e) => match Errno::from_io_error(&e) {
                Some(errno) if is_of_this_host(errno) => {
                    unasked.push(format!("{address}: {}", reason(errno)));
                }
                Some(errno) => bad.push(format!("{address}: {}", reason(errno))),
                // The library's own word for a time that is over.
                None => bad.push(format!(
                    "{address}: no answer within {}",
                    limit(asked, asked + share)
                )),
            },
        }
    }
    match bad.is_empty() {
        false => Reply::bad(bad.join("; ")),
        true => Reply::not_asked(unasked.join("; ")),
    }
}

fn unix(path: &str, began: Instant, until: Instant) -> Reply {
    let refused = |errno: Errno| match is_of_this_host(errno) || errno == Errno::LOOP {
        true => Reply::not_asked(reason(errno)),
        false => Reply::bad(reason(errno)),
    };
    let Ok(address) = SocketAddrUnix::new(path) else {
        return Reply::not_asked("its path is too long for a socket's");
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    let socket = match socket {
        Ok(socket) => socket,
        Err(errno) => return Reply::not_asked(reason(errno)),
    };
    loop {
        match rustix::net::connect(socket.as_fd(), &address) {
            Ok(()) => {
                let took = human(began.elapsed());
                return Reply::good(format!("it takes connections ({took})"));
            }
            // Its queue is full: whoever listens there has not taken anything for long.
            Err(Errno::AGAIN) => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    let within = limit(began, until);
                    return Reply::bad(format!("it took no connection within {within}"));
                }
                std::thread::sleep(AGAIN.min(left));
            }
            Err(Errno::INTR) => {}
            Err(errno) => return refused(errno),
        }
    }
}
