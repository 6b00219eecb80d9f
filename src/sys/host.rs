//! Facts about this host: its name, this boot, its clocks, the user we run as.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::time::Timestamp;

/// The wall clock.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

/// The monotonic clock, which counts from the boot and is the same for every process of it.
#[must_use]
pub fn monotonic() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(
        u64::try_from(t.tv_sec).unwrap_or(0),
        u32::try_from(t.tv_nsec).unwrap_or(0),
    )
}

/// How long ago this host was booted, its sleep included.
#[must_use]
pub fn uptime() -> Option<Duration> {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(Duration::new(
        u64::try_from(t.tv_sec).ok()?,
        u32::try_from(t.tv_nsec).ok()?,
    ))
}

/// This boot's id; empty where the kernel does not say.
#[must_use]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|s| s.trim().to_owned())
        .unwrap_or_default()
}

/// A random UUID (version 4) from the kernel.
///
/// # Errors
/// Where `/proc` is not mounted.
pub fn uuid() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/uuid")?
        .trim()
        .to_owned())
}

/// A code that nobody can guess, short enough to be typed: ten letters and digits of which none
/// looks like another.
#[must_use]
pub fn code() -> String {
    const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut bytes = [0u8; 10];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(n) if n == bytes.len() => {}
        // A code that can be guessed is worse than none, which no answer can name.
        _ => return String::new(),
    }
    let letter = |b: &u8| char::from(LETTERS[usize::from(*b) % LETTERS.len()]);
    bytes.iter().map(letter).collect()
}

/// The host's name.
#[must_use]
pub fn hostname() -> String {
    let name = rustix::system::uname();
    crate::model::text::from_bytes(name.nodename().to_bytes()).into_owned()
}

/// The effective user id.
#[must_use]
pub fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// True where we run as root.
#[must_use]
pub fn is_root() -> bool {
    uid() == 0
}

/// The running user's home: `$HOME`, else what the user database says. One that is relative would
/// be another in each directory that a run is started in, and counts as none.
#[must_use]
pub fn home() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
        .or_else(|| {
            nix::unistd::User::from_uid(nix::unistd::geteuid())
                .ok()
                .flatten()
                .map(|user| user.dir)
        })
}

/// A user's name for messages: the name where there is one, else the number.
#[must_use]
pub fn user_name(uid: u32) -> String {
    match nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}

/// A signal's name, `SIGKILL`; for one that has none, `signal 42`.
#[must_use]
pub fn signal_name(signal: i32) -> String {
    match nix::sys::signal::Signal::try_from(signal) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {signal}"),
    }
}

/// How many columns the terminal has on which standard output is shown; `None` where it is shown on
/// none, or the terminal does not say.
#[must_use]
pub fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Who gives an order from the shell: the login name of the real user; under sudo, of the one who
/// called it. It is for the record: whoever is root can write there what they like anyway.
#[must_use]
pub fn operator() -> String {
    let real = rustix::process::getuid();
    let called = std::env::var("SUDO_USER").ok().filter(|_| real.is_root());
    let known = |name: &String| matches!(nix::unistd::User::from_name(name), Ok(Some(_)));
    called
        .filter(known)
        .unwrap_or_else(|| user_name(real.as_raw()))
}

/// A user by name or number, with its primary group.
///
/// # Errors
/// A sentence: no such user, or the user database could not be read.
pub fn find_user(name: &str) -> Result<(u32, u32), String> {
    use nix::unistd::{Uid, User};
    let found = match name.parse::<u32>() {
        Ok(uid) => match User::from_uid(Uid::from_raw(uid)) {
            Ok(Some(user)) => return Ok((uid, user.gid.as_raw())),
            // A number needs no entry in the user database: containers often have none.
            Ok(None) => return Ok((uid, uid)),
            Err(e) => Err(e),
        },
        Err(_) => User::from_name(name),
    };
    match found {
        Ok(Some(user)) => Ok((user.uid.as_raw(), user.gid.as_raw())),
        Ok(None) => Err(format!("there is no user `{name}`")),
        Err(e) => Err(format!("looking up the user `{name}`: {}", e.desc())),
    }
}
