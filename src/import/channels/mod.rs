//! The channels: Telegram, Gitea, Nostr, ntfy and webhooks, with their secrets moved out.

mod kinds;

use super::notes::Notes;
use super::section::{Entry, Item, Section, below, spelled};
use super::sound;
use super::tree::Tree;
use super::write::Yaml;
use kinds::{channel, needed};

/// One channel.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    /// Its name.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: &'static str,
    /// True where people can answer on it.
    pub(super) hears: bool,
    /// What the configuration says of it.
    pub(super) yaml: Yaml,
}

/// What there can be, and the names that sections of each have had.
const KINDS: [(&str, &[&str]); 7] = [
    ("telegram", &["telegram", "telegram_bot", "tg"]),
    ("gitea", &["gitea", "forge"]),
    ("nostr", &["nostr"]),
    ("ntfy", &["ntfy"]),
    ("slack", &["slack"]),
    ("discord", &["discord"]),
    ("webhook", &["webhook", "webhooks"]),
];
/// Sections in which channels may stand.
const AROUND: [&str; 9] = [
    "channels",
    "notifications",
    "notification",
    "notify",
    "notifiers",
    "notifier",
    "alerts",
    "alerting",
    "approval",
];

/// Takes the channels out of the file.
pub(super) fn channels(root: &mut Section, notes: &mut Notes) -> Vec<Channel> {
    let mut all = Vec::new();
    for (name, kind, mut section) in sections(root) {
        let name = free(&name, &all);
        // First on a copy: what cannot be used stays in its section, and is told.
        let trial = made(&name, kind, &mut section.clone(), &mut Notes::default());
        match trial.and_then(|_| made(&name, kind, &mut section, notes)) {
            Ok(channel) => all.push(channel),
            Err(why) => notes.hint(format!("{}: left out, for {why}", section.path)),
        }
        section.finish(notes);
    }
    all
}

/// One channel, or why it is none.
fn made(
    name: &str,
    kind: &'static str,
    from: &mut Section,
    notes: &mut Notes,
) -> Result<Channel, String> {
    if matches!(from.look(&["enabled"]), Some(Tree::Bool(false))) {
        return Err("it is not enabled".to_owned());
    }
    let made = channel(name, kind, from, notes);
    let (yaml, hears) = made.ok_or_else(|| format!("it lacks {}", needed(kind)))?;
    if sound::knows_channels() {
        let one = Yaml::Map(vec![(name.to_owned(), yaml.clone())]);
        sound::setting("channels", &one)?;
    }
    from.take_bool(&["enabled"], notes);
    from.take_item(&["type", "kind"], notes);
    Ok(Channel {
        name: name.to_owned(),
        kind,
        hears,
        yaml,
    })
}

type Found = (String, &'static str, Section);

/// Each channel's name, kind and section.
fn sections(root: &mut Section) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (kind, names) in KINDS {
        let mut one = flat(root, kind, names);
        let around = |at: &&str| {
            names
                .iter()
                .map(|name| format!("{at}.{name}"))
                .collect::<Vec<_>>()
        };
        let paths = names.iter().map(|name| (*name).to_owned());
        for path in paths.chain(AROUND.iter().flat_map(around)) {
            if !matches!(root.look(&[&path]), Some(Tree::Map(_))) {
                continue;
            }
            let Some(item) = root.take(&[&path]) else {
                continue;
            };
            let mut section = Section::new(item.path, item.value);
            // `telegram_token: …` beside `telegram: {…}` belongs to it.
            if let Some(flat) = one.take() {
                for entry in flat {
                    section.add(entry.key, entry.item);
                }
            }
            found.push((kind.to_owned(), kind, section));
        }
        if let Some(flat) = one {
            let mut section = Section::new(kind, Tree::Null);
            for entry in flat {
                section.add(entry.key, entry.item);
            }
            found.push((kind.to_owned(), kind, section));
        }
    }
    for around in AROUND {
        found.extend(of_collection(root, around));
    }
    found
}

/// The settings of a channel at the top: `telegram_token: …`, without their beginning.
fn flat(root: &mut Section, kind: &str, names: &[&str]) -> Option<Vec<Entry>> {
    let rest = |key: &str| {
        names.iter().find_map(|name| {
            let rest = key.strip_prefix(name)?.strip_prefix('_')?;
            (!rest.is_empty()).then(|| rest.to_owned())
        })
    };
    let flat = |key: &str, value: &Tree| !matches!(value, Tree::Map(_)) && rest(key).is_some();
    let mut taken = root.take_where(flat);
    // `slack_webhook_url: …` is the whole of a webhook; a lone `slack: URL` too.
    if matches!(kind, "slack" | "discord" | "webhook" | "ntfy") {
        taken.extend(
            root.take_where(|key, value| names.contains(&key) && matches!(value, Tree::Text(_))),
        );
    }
    for entry in &mut taken {
        entry.key = rest(&spelled(&entry.key)).unwrap_or_else(|| "url".to_owned());
    }
    (!taken.is_empty()).then_some(taken)
}

/// Channels in a list, or by their names, that say what they are.
fn of_collection(root: &mut Section, around: &str) -> Vec<Found> {
    let kind_of = |value: &Tree| {
        let Tree::Map(entries) = value else {
            return None;
        };
        let says = |(key, _): &&(String, Tree)| matches!(spelled(key).as_str(), "kind" | "type");
        let said = spelled(&entries.iter().find(says)?.1.text()?);
        let known = KINDS
            .iter()
            .find(|(_, names)| names.contains(&said.as_str()));
        known.map(|(kind, _)| *kind)
    };
    let Some(item) = root.take(&[around]) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let path = item.path.clone();
    let left = match item.value {
        Tree::List(list) => {
            let mut left = Vec::new();
            for (at, value) in list.into_iter().enumerate() {
                match kind_of(&value) {
                    Some(kind) => {
                        let section = Section::new(format!("{path}[{at}]"), value);
                        found.push((kind.to_owned(), kind, section));
                    }
                    None => left.push(value),
                }
            }
            Tree::List(left)
        }
        Tree::Map(entries) => {
            let mut left = Vec::new();
            for (key, value) in entries {
                match kind_of(&value) {
                    Some(kind) => {
                        let section = Section::new(below(&path, &key), value);
                        found.push((key, kind, section));
                    }
                    None => left.push((key, value)),
                }
            }
            Tree::Map(left)
        }
        other => other,
    };
    let none = left == Tree::List(Vec::new()) || left == Tree::Map(Vec::new());
    if !none || found.is_empty() {
        root.add(around, Item { path, value: left });
    }
    found
}

/// A name that no other channel has, and that is one.
fn free(wanted: &str, all: &[Channel]) -> String {
    let good = |c: char| {
        if c.is_ascii_alphanumeric() || "_-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let wanted: String = wanted.chars().map(good).take(40).collect();
    let wanted = match wanted.is_empty() {
        true => "channel".to_owned(),
        false => wanted,
    };
    let taken = |name: &str| all.iter().any(|channel| channel.name == name);
    let mut name = wanted.clone();
    let mut number = 2;
    while taken(&name) {
        name = format!("{wanted}-{number}");
        number += 1;
    }
    name
}
