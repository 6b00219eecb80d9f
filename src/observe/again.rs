//! One subject, looked at again in the middle of a run: once something is being done, what the run
//! saw at its beginning is old.
//!
//! Reading can hang beyond all signals. So both looks are for a thread of their own, which can be
//! left behind: they see to it that it keeps open nothing of the run.

use std::ffi::CString;
use std::num::NonZeroI32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use super::cell::{self, Scratch};
use super::probes::{self, About, Asker};
use super::{Look, gateways};
use crate::core::asking::Asking;
use crate::core::classify::classify;
use crate::core::decide::{Subject, subjects};
use crate::model::action::Place;
use crate::model::cell::{AgentFacts, CellFacts, HeartbeatFact, Reason, Status};
use crate::model::condition::Condition;
use crate::model::probe::Word;
use crate::model::text::visible;
use crate::model::time::Timestamp;
use crate::sys::environment::Own;
use crate::sys::{beneath, process};

/// How a subject is, by its heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// True where it is healthy.
    pub healthy: bool,
    /// When it last beat, as far as that is believed; of a cell's agents the one that is silent
    /// the longest.
    pub last_beat: Option<Timestamp>,
    /// True where it has probes and no heartbeat: what they say now is news by itself.
    pub asked_alone: bool,
    /// Why it is not healthy, for people.
    pub why: String,
}

/// A heartbeat of which somebody wants to know whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sworn {
    /// The pid that it names.
    pub pid: Option<NonZeroI32>,
    /// The `timestamp` that the agent wrote.
    pub claimed: Timestamp,
    /// When the file was last written, by the file system's word.
    pub written: Timestamp,
    /// Whose the cell's directory is; for a gateway, whose its heartbeat's file is.
    pub owner: u32,
    /// The file, fit to be shown.
    pub path: String,
}

/// Looks at a subject as a run does, and asks its probes, until then at most. It may hang, and the
/// calling thread loses its descriptors.
///
/// # Errors
/// A sentence: what could not be looked at, and why. That is not the same as not being healthy.
pub fn state(
    look: &Arc<Look>,
    subject: &str,
    asking: Option<&Asking>,
    place: &Place,
    (now, until): (Timestamp, Instant),
) -> Result<Seen, String> {
    let mut seen = by_heartbeat(look, subject, place, now)?;
    let Some(asking) = asking else {
        return Ok(seen);
    };
    if asking.heartbeat.is_none() {
        seen.healthy = true;
        seen.asked_alone = true;
        seen.why.clear();
    }
    let at = Arc::new(asking.place.clone());
    let all = asking.questions.iter().map(|question| About {
        place: Arc::clone(&at),
        question: question.clone(),
    });
    let root = place.cell.as_ref().and_then(|(_, dir)| dir.parent());
    let asker = Asker {
        look: Arc::clone(look),
        told_root: root.unwrap_or(&look.root).to_owned(),
        until,
        now,
        own: Own::read(),
    };
    for answer in probes::ask(all.collect(), asker) {
        if answer.word != Word::Good {
            seen.healthy = false;
            let apart = if seen.why.is_empty() { "" } else { "; " };
            seen.why
                .push_str(&format!("{apart}{}: {}", answer.asked, answer.message));
        }
    }
    Ok(seen)
}

fn by_heartbeat(look: &Look, subject: &str, place: &Place, now: Timestamp) -> Result<Seen, String> {
    let mut scratch = Scratch::new();
    let Some((cell, _)) = &place.cell else {
        let top = process::alone().map_err(|e| of_root("/", e))?;
        let watched = gateway(look, &place.name)?;
        let path = watched.heartbeat.as_deref();
        let fact = path.map(|path| gateways::read(&top, path, &mut scratch).0);
        let seen = gateways::judge(watched, fact, look, now);
        return match seen.observed {
            true => Ok(Seen {
                healthy: seen.condition == Condition::Healthy,
                last_beat: seen.beat.map(|beat| beat.last),
                asked_alone: false,
                why: sentence(seen.reasons.iter()),
            }),
            false => Err(sentence(seen.reasons.iter())),
        };
    };
    let (facts, _) = read_cell(look, cell, &mut scratch)?;
    let cell = classify(facts, &look.limits, now);
    let alone = Subject {
        cell: &cell,
        agent: None,
    };
    let all = std::iter::once(alone).chain(subjects(&cell));
    let mut all = all.filter(|s| s.name() == subject);
    let Some(seen) = all.next() else {
        return Err(format!(
            "{} is not named by its cell's manifest any more",
            visible(subject)
        ));
    };
    if !seen.observed() {
        return Err(sentence(seen.reasons()));
    }
    let beat = match seen.agent {
        Some(agent) => agent.beat.as_ref(),
        None => cell.oldest(),
    };
    Ok(Seen {
        healthy: seen.status() == Status::Healthy,
        last_beat: beat.map(|beat| beat.last),
        asked_alone: false,
        why: match seen.agent {
            Some(_) => sentence(seen.reasons()),
            None => sentence(cell.all_reasons()),
        },
    })
}

/// Why there is no word of a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsworn {
    /// True where it could not be looked at, which says nothing.
    pub unread: bool,
    /// The sentence for people.
    pub why: String,
}

impl From<String> for Unsworn {
    fn from(why: String) -> Self {
        Self { unread: true, why }
    }
}

/// Reads a subject's heartbeat. It may hang, and the calling thread loses its descriptors.
///
/// # Errors
/// There is none, it cannot be used, or it could not be read.
pub fn heartbeat(look: &Look, place: &Place) -> Result<Sworn, Unsworn> {
    let mut scratch = Scratch::new();
    let (path, fact, owner) = match &place.cell {
        None => {
            let top = process::alone().map_err(|e| of_root("/", e))?;
            let Some(path) = &gateway(look, &place.name)?.heartbeat else {
                let name = visible(&place.name);
                return Err(format!("{name} has no heartbeat configured").into());
            };
            let (fact, owner) = gateways::read(&top, path, &mut scratch);
            (path.to_string_lossy().into_owned(), fact, owner)
        }
        Some((cell, dir)) => {
            let (facts, owner) = read_cell(look, cell, &mut scratch)?;
            let why = facts.unreadable.or(facts.manifest_problem);
            let mut agents = facts.agents.into_iter();
            let agent = agents.find(|agent| agent.name == place.name);
            let Some(AgentFacts {
                path, heartbeat, ..
            }) = agent
            else {
                let why = why.unwrap_or_else(|| "its cell's manifest does not name it".to_owned());
                return Err(format!("{}: {why}", visible(&place.name)).into());
            };
            let path = dir.join(&*path).to_string_lossy().into_owned();
            (path, heartbeat, owner)
        }
    };
    let path = visible(&path).into_owned();
    let lacks = |why| Unsworn { unread: false, why };
    let heartbeat = match fact {
        HeartbeatFact::Seen(heartbeat) => heartbeat,
        HeartbeatFact::Absent => return Err(lacks(format!("there is no {path}"))),
        HeartbeatFact::Unusable(_, why) => return Err(lacks(format!("{path}: {why}"))),
        HeartbeatFact::Unreadable(why) => {
            return Err(format!("{path}: it could not be read: {why}").into());
        }
    };
    let Some(owner) = owner else {
        return Err(format!("{path}: whose it is could not be told").into());
    };
    Ok(Sworn {
        pid: heartbeat.pid,
        claimed: heartbeat.claimed,
        written: heartbeat.written,
        owner,
        path,
    })
}

fn gateway<'a>(look: &'a Look, name: &str) -> Result<&'a super::Watched, String> {
    let found = look.gateways.iter().find(|gateway| gateway.name == name);
    found.ok_or_else(|| format!("no gateway {} is configured", visible(name)))
}

/// A cell's facts, and whose its directory is.
fn read_cell(
    look: &Look,
    name: &str,
    scratch: &mut Scratch,
) -> Result<(CellFacts, Option<u32>), String> {
    let root = look.root.to_string_lossy();
    let fd: OwnedFd = beneath::open_root(&look.root).map_err(|e| of_root(&root, e))?;
    if process::own_descriptors().is_ok() {
        process::keep_only(&fd);
    }
    let gone = || format!("there is no cell {} any more", visible(name));
    let name = CString::new(name).map_err(|_| gone())?;
    cell::read_owned(&fd, &name, look, scratch).ok_or_else(gone)
}

fn of_root(path: &str, errno: rustix::io::Errno) -> String {
    format!("opening {}: {}", visible(path), beneath::reason(errno))
}

/// Reasons in one sentence.
fn sentence<'a>(reasons: impl Iterator<Item = &'a Reason>) -> String {
    let all: Vec<&str> = reasons.map(|reason| reason.message.as_str()).collect();
    all.join("; ")
}
