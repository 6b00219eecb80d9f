//! `channel list` and `channel test`. The first only looks; the second sends one harmless message,
//! and records nothing.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::args::{ChannelCommand, Common};
use super::list::{wants_json, warn_all};
use super::setup::Setup;
use super::subject::missing;
use super::{Ending, out};
use crate::channel;
use crate::model::channel::{Channel, Message, Occasion};
use crate::model::exit::{Exit, Failure};
use crate::model::post::Post;
use crate::model::text::visible;
use crate::model::time::{Timestamp, human};
use crate::report::human::moment;
use crate::report::table::{self, Field};
use crate::store::dir::StateDir;
use crate::store::state::peek;
use crate::sys::host;

/// How long a channel has to answer a test.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one that ought to be back by now is waited for beyond that.
const GRACE: Duration = Duration::from_secs(1);

/// Does it.
///
/// # Errors
/// Those of the command.
pub(super) fn channel(common: &Common, command: ChannelCommand) -> Result<Ending, Failure> {
    let setup = Setup::load(common, None)?.with_plans()?;
    match command {
        ChannelCommand::List => list(common, &setup),
        ChannelCommand::Test { name } => test(common, &setup, &name),
    }
}

/// `channel list`.
#[derive(Serialize)]
struct List<'a> {
    schema: &'static str,
    channels: Vec<Listed<'a>>,
}

/// One channel.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    kind: &'static str,
    hears: bool,
    /// The plans that tell people on it.
    notify: Vec<&'a str>,
    /// The plans that ask people on it.
    approval: Vec<&'a str>,
    waiting: usize,
    oldest: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    trouble: Option<Trouble<'a>>,
}

#[derive(Serialize)]
struct Trouble<'a> {
    why: &'a str,
    since: Timestamp,
    times: u32,
    until: Timestamp,
}

fn list(common: &Common, setup: &Setup) -> Result<Ending, Failure> {
    let json = wants_json(common, "channel list")?;
    let failed = |e: crate::store::StoreError| Failure::new(Exit::CannotWrite, e.to_string());
    let dir = StateDir::open(&setup.state_dir()).map_err(failed)?;
    let loaded = peek(dir.as_ref()).map_err(failed)?;
    let channels = &setup.config.channels;
    let all: Vec<Listed<'_>> = channels
        .iter()
        .map(|channel| listed(channel, setup, &loaded.state.post))
        .collect();
    if json {
        out::json(&List {
            schema: "lazarus-pit/channel-list/1",
            channels: all,
        })?;
    } else if !common.quiet {
        show(&all)?;
    }
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
        warn_all(loaded.warnings);
    }
    Ok(Exit::Healthy.into())
}

fn listed<'a>(
    channel: &'a Channel,
    setup: &'a Setup,
    posts: &'a BTreeMap<String, Post>,
) -> Listed<'a> {
    let post = posts.get(&channel.name);
    let plans = setup.plans.plans().iter();
    let named = |names: &[String]| names.contains(&channel.name);
    let notify = plans.clone().filter(|p| named(&p.notify.channels));
    let approval = plans.filter(|p| named(&p.approval.channels));
    Listed {
        name: &channel.name,
        kind: channel.kind.as_str(),
        hears: channel.hears(),
        notify: notify.map(|plan| plan.name.as_str()).collect(),
        approval: approval.map(|plan| plan.name.as_str()).collect(),
        waiting: post.map_or(0, |post| post.outbox.len()),
        oldest: post.and_then(|post| Some(post.outbox.first()?.at)),
        delivered_at: post.and_then(|post| post.delivered_at),
        trouble: post.and_then(|p| p.trouble.as_ref()).map(|t| Trouble {
            why: &t.why,
            since: t.since,
            times: t.times,
            until: t.until,
        }),
    }
}

fn show(all: &[Listed<'_>]) -> Result<(), Failure> {
    if all.is_empty() {
        return out::print(b"No channels are configured.\n");
    }
    let now = host::now();
    let row = |one: &Listed<'_>| {
        let text = sentence(one, now);
        [one.name, one.kind, text.as_str()].map(Field::plain)
    };
    out::with(|out| table::write(out, || all.iter().map(row)))
}

fn sentence(one: &Listed<'_>, now: Timestamp) -> String {
    let mut parts = Vec::new();
    parts.push(match one.hears {
        true => "people can answer".to_owned(),
        false => "tells only".to_owned(),
    });
    for (what, plans) in [
        ("plans that tell through it:", &one.notify),
        ("plans that ask through it:", &one.approval),
    ] {
        if !plans.is_empty() {
            parts.push(format!("{what} {}", visible(&plans.join(", "))));
        }
    }
    if one.notify.is_empty() && one.approval.is_empty() {
        parts.push("no plan uses it".to_owned());
    }
    parts.push(match one.oldest {
        Some(oldest) => format!("{} wait, since {}", one.waiting, human(now.since(oldest))),
        None => "nothing waits".to_owned(),
    });
    if let Some(at) = one.delivered_at {
        parts.push(format!("last delivery {}", moment(at)));
    }
    if let Some(trouble) = &one.trouble {
        parts.push(format!(
            "has not worked since {}, tried {} times: {}",
            moment(trouble.since),
            trouble.times,
            visible(trouble.why)
        ));
    }
    parts.join("; ")
}

/// `channel test`.
#[derive(Serialize)]
struct Tested<'a> {
    schema: &'static str,
    name: &'a str,
    kind: &'static str,
    /// What was read back; absent where that failed.
    looked: Option<String>,
    /// What the service calls the message; absent where it did not arrive.
    receipt: Option<String>,
    delivered: bool,
    /// What failed.
    errors: Vec<String>,
}

fn test(common: &Common, setup: &Setup, name: &str) -> Result<Ending, Failure> {
    let json = wants_json(common, "channel test")?;
    let channels = &setup.config.channels;
    let Some(settings) = channels.iter().find(|channel| channel.name == name) else {
        let names: Vec<&str> = channels.iter().map(|c| c.name.as_str()).collect();
        let known = match names.is_empty() {
            true => "none is configured".to_owned(),
            false => format!("there are {}", names.join(", ")),
        };
        return Err(missing(format!("there is no channel {name}: {known}")));
    };
    let (looked, sent) = tried(settings, setup);
    let mut errors = Vec::new();
    let mut keep = |came: Result<String, String>| came.map_err(|why| errors.push(why)).ok();
    let (looked, receipt) = (keep(looked), keep(sent));
    // What could not be made ready fails in the same way twice.
    errors.dedup();
    let delivered = receipt.is_some();
    let fine = delivered && looked.is_some();
    let document = Tested {
        schema: "lazarus-pit/channel-test/1",
        name,
        kind: settings.kind.as_str(),
        looked,
        receipt: receipt.filter(|receipt| !receipt.is_empty()),
        delivered,
        errors,
    };
    if json {
        out::json(&document)?;
    } else if !common.quiet || !fine {
        let mut lines = Vec::new();
        lines.extend(
            document
                .looked
                .as_ref()
                .map(|what| format!("{name}: {what}")),
        );
        if delivered {
            lines.push(format!("{name}: the test message was taken"));
        }
        let errors = document.errors.iter();
        lines.extend(errors.map(|why| format!("{name}: failed: {why}")));
        let shown: Vec<_> = lines.iter().map(|line| visible(line)).collect();
        out::print(format!("{}\n", shown.join("\n")).as_bytes())?;
    }
    Ok(match fine {
        true => Exit::Healthy.into(),
        false => Exit::InHand.into(),
    })
}

/// What looking and sending came to. On a thread of its own: a name that is looked up can hang beyond
/// any limit.
fn tried(settings: &Channel, setup: &Setup) -> (Result<String, String>, Result<String, String>) {
    let (settings, trust) = (settings.clone(), setup.trust.clone());
    let until = Instant::now() + PATIENCE;
    let (send, came) = sync_channel(1);
    let message = message();
    let started = std::thread::Builder::new()
        .name("test".into())
        .spawn(move || {
            let both = match channel::open(&settings, &trust) {
                Err(trouble) => (Err(trouble.why.clone()), Err(trouble.why)),
                Ok(mut ready) => {
                    let looked = ready.look(until).map_err(|trouble| trouble.why);
                    let sent = ready.send(&message, until).map_err(|trouble| trouble.why);
                    (looked, sent)
                }
            };
            let _ = send.send(both);
        });
    let late = || format!("it did not come to an end within {}", human(PATIENCE));
    if let Err(e) = started {
        return (Err(e.to_string()), Err(e.to_string()));
    }
    came.recv_timeout(PATIENCE + GRACE)
        .unwrap_or_else(|_| (Err(late()), Err(late())))
}

fn message() -> Message {
    let (now, host) = (host::now(), host::hostname());
    Message {
        id: format!("test-{:x}-{:x}", now.as_micros(), std::process::id()),
        occasion: Occasion::Test,
        at: now,
        title: "Lazarus Pit: a test".to_owned(),
        text: format!(
            "This is a harmless message: somebody ran `lazarus-pit channel test` on {}. Nothing is down by it, and nothing is asked.",
            visible(&host)
        ),
        host,
        subject: None,
        incident: None,
        attempt: None,
        plan: None,
        question: None,
        issue: None,
        earlier: None,
        last: false,
    }
}
