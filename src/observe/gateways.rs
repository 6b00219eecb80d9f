//! The heartbeats of gateways, which lie wherever the operator's configuration says.
//!
//! Reading a file can hang beyond all signals. So it is done beside the run, by threads that hold
//! nothing of it, and what has not come in time is given up.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::Look;
use super::cell::Scratch;
use super::heartbeat;
use crate::core::classify::{self, Limits};
use crate::model::cell::HeartbeatFact;
use crate::model::snapshot::Gateway;
use crate::model::text::from_bytes;
use crate::model::time::Timestamp;
use crate::sys::beneath::{Mounts, reason};
use crate::sys::process;

/// How many are read at once.
const READERS: usize = 8;

/// How long is waited for the next one before the rest is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A gateway to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// The file that it beats in.
    pub heartbeat: Option<PathBuf>,
    /// How old its beat may be, where it has a limit of its own.
    pub stale_after: Option<Duration>,
}

/// Looks at all gateways; in the order in which they are given.
pub(super) fn read_all(look: &Look, now: Timestamp) -> Vec<Gateway> {
    let paths: Vec<Option<&Path>> = look
        .gateways
        .iter()
        .map(|g| g.heartbeat.as_deref())
        .collect();
    let facts = heartbeats(&paths, look.deadline);
    let all = look.gateways.iter().zip(facts);
    all.map(|(gateway, fact)| judge(gateway, fact, look, now))
        .collect()
}

/// What follows from a gateway's heartbeat.
pub(super) fn judge(
    gateway: &Watched,
    fact: Option<HeartbeatFact>,
    look: &Look,
    now: Timestamp,
) -> Gateway {
    let own = gateway
        .stale_after
        .filter(|_| !look.limits.stale_after_is_final);
    let limits = Limits {
        stale_after: own.unwrap_or(look.limits.stale_after),
        ..look.limits.clone()
    };
    let path = gateway.heartbeat.as_ref();
    let shown = path.map(|path| from_bytes(path.as_os_str().as_encoded_bytes()));
    let heartbeat = shown.as_deref().zip(fact);
    classify::gateway(&gateway.name, heartbeat, &limits, now)
}

/// Reads them side by side, none longer than there is patience.
fn heartbeats(paths: &[Option<&Path>], deadline: Instant) -> Vec<Option<HeartbeatFact>> {
    let late = || HeartbeatFact::Unreadable("it did not answer in time".to_owned());
    let mut facts: Vec<Option<HeartbeatFact>> = paths.iter().map(|p| p.map(|_| late())).collect();
    let queue: VecDeque<(usize, PathBuf)> = paths
        .iter()
        .enumerate()
        .filter_map(|(at, path)| Some((at, path.as_ref()?.to_path_buf())))
        .collect();
    let (mut left, queue) = (queue.len(), Arc::new(Mutex::new(queue)));
    let (send, answers) = mpsc::channel();
    for _ in 0..READERS.min(left) {
        let (queue, send) = (Arc::clone(&queue), send.clone());
        let reader = std::thread::Builder::new().name("gateways".to_owned());
        // With fewer threads it takes longer; with none nothing could be looked at.
        let _ = reader.spawn(move || work(&queue, &send));
    }
    drop(send);
    while left > 0 {
        let patience = PATIENCE.min(deadline.saturating_duration_since(Instant::now()));
        let Ok((at, fact)) = answers.recv_timeout(patience) else {
            break;
        };
        if let Some(place) = facts.get_mut(at) {
            *place = Some(fact);
        }
        left -= 1;
    }
    facts
}

fn work(queue: &Mutex<VecDeque<(usize, PathBuf)>>, send: &mpsc::Sender<(usize, HeartbeatFact)>) {
    let Ok(top) = process::alone() else { return };
    let mut scratch = Scratch::new();
    loop {
        let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
        let Some((at, path)) = next else { return };
        let (fact, _) = read(&top, &path, &mut scratch);
        if send.send((at, fact)).is_err() {
            return;
        }
    }
}

/// The directory by its path, links and all, as the operator wrote it; the file itself as any
/// heartbeat: no link, no pipe, not too large. With it the file's owner, where it was read.
pub(super) fn read(
    top: &OwnedFd,
    path: &Path,
    scratch: &mut Scratch,
) -> (HeartbeatFact, Option<u32>) {
    let unreadable = |why: String| (HeartbeatFact::Unreadable(why), None);
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return unreadable("this is no path of a file".to_owned());
    };
    let dir = match dir.strip_prefix("/") {
        Ok(rest) if rest.as_os_str().is_empty() => Path::new("."),
        Ok(rest) => rest,
        Err(_) => return unreadable("its path is not absolute".to_owned()),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(top, dir, flags, Mode::empty()) {
        Ok(dir) => {
            let name = name.to_string_lossy();
            heartbeat::read_owned(&dir, &name, scratch, Mounts::Cross)
        }
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => (HeartbeatFact::Absent, None),
        Err(e) => unreadable(reason(e)),
    }
}
