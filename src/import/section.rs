//! A mapping of an earlier file that is being emptied: what has a meaning here is taken out of it,
//! and what is left at the end is told. So nothing can be passed over in silence.

use std::time::Duration;

use super::notes::Notes;
use super::tree::Tree;
use crate::yaml::units::parse_duration_or_seconds;

/// A mapping, and where it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    /// Its path from the top, empty at the top.
    pub(super) path: String,
    entries: Vec<Entry>,
}

/// A value under its key, and where it stood.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) item: Item,
}

/// A value that was taken out, and where it stood.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) path: String,
    pub(super) value: Tree,
}

/// What a number means that stands under a key with such an end, in seconds.
const UNITS: [(&str, f64); 14] = [
    ("", 1.0),
    ("_seconds", 1.0),
    ("_secs", 1.0),
    ("_sec", 1.0),
    ("_s", 1.0),
    ("_ms", 0.001),
    ("_millis", 0.001),
    ("_milliseconds", 0.001),
    ("_minutes", 60.0),
    ("_mins", 60.0),
    ("_min", 60.0),
    ("_m", 60.0),
    ("_hours", 3600.0),
    ("_days", 86400.0),
];

/// A key as all of its spellings: `deadThreshold`, `DEAD-THRESHOLD` and `dead threshold` are one.
pub(super) fn spelled(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    let mut before: Option<char> = None;
    for c in key.trim().chars() {
        let begins = c.is_uppercase() && before.is_some_and(|b| b.is_lowercase() || b.is_numeric());
        if begins {
            out.push('_');
        }
        match c {
            '-' | ' ' => out.push('_'),
            c => out.extend(c.to_lowercase()),
        }
        before = Some(c);
    }
    out
}

/// The path of a key below another.
pub(super) fn below(path: &str, key: &str) -> String {
    let simple = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    let key = match simple {
        true => key.to_owned(),
        false => super::write::quoted(key),
    };
    match path {
        "" => key,
        path => format!("{path}.{key}"),
    }
}

impl Section {
    /// A mapping that stands at a path. Anything else is nothing that could be taken out, and is
    /// told at the end.
    pub(super) fn new(path: impl Into<String>, value: Tree) -> Self {
        let path = path.into();
        let entry = |key: String, path: String, value: Tree| {
            let item = Item { path, value };
            Entry { key, item }
        };
        let entries = match value {
            Tree::Null => Vec::new(),
            Tree::Map(entries) => entries
                .into_iter()
                .map(|(key, value)| {
                    let path = below(&path, &key);
                    entry(key, path, value)
                })
                .collect(),
            other => vec![entry(String::new(), path.clone(), other)],
        };
        Self { path, entries }
    }

    /// True where nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first of these keys that there is; a dot leads into a mapping.
    pub(super) fn look(&self, names: &[&str]) -> Option<&Tree> {
        names.iter().find_map(|name| {
            let (first, rest) = parted(name);
            let value = &self.entries[self.position(first)?].item.value;
            match (rest, value) {
                (None, value) => Some(value),
                (Some(rest), Tree::Map(inner)) => find(inner, rest),
                _ => None,
            }
        })
    }

    /// Takes out the first of these keys that there is. `null` is as good as none, and stays.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Item> {
        names.iter().find_map(|name| {
            let (first, rest) = parted(name);
            let at = self.position(first)?;
            let Some(rest) = rest else {
                return Some(self.entries.remove(at).item);
            };
            let item = &mut self.entries[at].item;
            let Tree::Map(inner) = &mut item.value else {
                return None;
            };
            let (path, value) = remove(inner, rest, item.path.clone())?;
            if inner.is_empty() {
                self.entries.remove(at);
            }
            Some(Item { path, value })
        })
    }

    fn position(&self, name: &str) -> Option<usize> {
        let known = |entry: &Entry| spelled(&entry.key) == name && entry.item.value != Tree::Null;
        self.entries.iter().position(known)
    }

    /// Adds an entry that stands elsewhere in the file, or could not be used after all.
    pub(super) fn add(&mut self, key: impl Into<String>, item: Item) {
        let key = key.into();
        self.entries.push(Entry { key, item });
    }

    /// Takes out what a condition on its key (spelled alike) and value holds for.
    pub(super) fn take_where(&mut self, mut wanted: impl FnMut(&str, &Tree) -> bool) -> Vec<Entry> {
        let (taken, left) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| wanted(&spelled(&entry.key), &entry.item.value));
        self.entries = left;
        taken
    }

    /// Brings what stands in the mapping `name` up to this level, each key as `rename` has it;
    /// mappings stay, but for those that `deep` holds for.
    pub(super) fn hoist(&mut self, name: &str, rename: impl Fn(&str) -> String) {
        for entry in self.take_where(|key, value| key == name && matches!(value, Tree::Map(_))) {
            let mut inner = Section::new(entry.item.path.clone(), entry.item.value);
            for Entry { key, item } in inner.take_where(|_, value| !matches!(value, Tree::Map(_))) {
                self.add(rename(&spelled(&key)), item);
            }
            if !inner.entries.is_empty() {
                let Entry { key, item } = Entry {
                    key: entry.key,
                    item: inner.into_item(),
                };
                self.add(key, item);
            }
        }
    }

    fn into_item(self) -> Item {
        let pairs = self
            .entries
            .into_iter()
            .map(|entry| (entry.key, entry.item.value));
        Item {
            path: self.path,
            value: Tree::Map(pairs.collect()),
        }
    }

    /// A text, a number as such.
    pub(super) fn take_text(&mut self, names: &[&str], notes: &mut Notes) -> Option<String> {
        let item = self.take(names)?;
        match item.value.text() {
            Some(text) if !text.trim().is_empty() => Some(text),
            _ => {
                notes.left(&item, "this is no text");
                None
            }
        }
    }

    /// Texts: a list of them, or one.
    pub(super) fn take_texts(&mut self, names: &[&str], notes: &mut Notes) -> Vec<String> {
        self.take(names)
            .map_or_else(Vec::new, |item| texts(item, notes))
    }

    /// A word for yes or no.
    pub(super) fn take_bool(&mut self, names: &[&str], notes: &mut Notes) -> Option<bool> {
        let item = self.take(names)?;
        let value = match &item.value {
            Tree::Bool(value) => Some(*value),
            Tree::Whole(n) => Some(*n != 0),
            Tree::Text(text) => match text.to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if value.is_none() {
            notes.left(&item, "this is neither yes nor no");
        }
        value
    }

    /// A whole number that is not negative.
    pub(super) fn take_count(&mut self, names: &[&str], notes: &mut Notes) -> Option<u32> {
        let item = self.take(names)?;
        let count = match &item.value {
            Tree::Whole(n) => u32::try_from(*n).ok(),
            Tree::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        if count.is_none() {
            notes.left(&item, "this is no number of times");
        }
        count
    }

    /// A duration: a number is seconds, or what the key's end says; a text may have units.
    pub(super) fn take_span(&mut self, names: &[&str], notes: &mut Notes) -> Option<Duration> {
        for name in names {
            for (end, unit) in UNITS {
                let Some(item) = self.take(&[&format!("{name}{end}")]) else {
                    continue;
                };
                let span = span(&item.value, unit).filter(|span| !span.is_zero());
                if span.is_none() {
                    notes.left(&item, "this is no duration above zero");
                }
                return span;
            }
        }
        None
    }

    /// Tells of all that is left.
    pub(super) fn finish(self, notes: &mut Notes) {
        for entry in self.entries {
            notes.rest(&entry.item);
        }
    }
}

/// The texts of a list, or one.
pub(super) fn texts(item: Item, notes: &mut Notes) -> Vec<String> {
    let path = item.path;
    let list = match item.value {
        Tree::List(list) => list,
        one => vec![one],
    };
    let mut all = Vec::new();
    for (at, value) in list.into_iter().enumerate() {
        match value.text() {
            Some(text) if !text.trim().is_empty() => all.push(text),
            _ => {
                let path = format!("{path}[{at}]");
                notes.left(&Item { path, value }, "this is no text");
            }
        }
    }
    all
}

fn span(value: &Tree, unit: f64) -> Option<Duration> {
    let number = match value {
        Tree::Whole(n) => *n as f64,
        Tree::Number(n) => *n,
        Tree::Text(text) => match text.trim().parse() {
            Ok(number) => number,
            Err(_) => return parse_duration_or_seconds(text).ok(),
        },
        _ => return None,
    };
    // More than a century is no duration that anybody means.
    let secs = number * unit;
    let good = (0.0..3.2e9).contains(&secs);
    good.then(|| Duration::from_millis((secs * 1000.0).round() as u64))
}

/// A name, and what follows its first dot.
fn parted(name: &str) -> (&str, Option<&str>) {
    match name.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (name, None),
    }
}

fn find<'t>(entries: &'t [(String, Tree)], name: &str) -> Option<&'t Tree> {
    let (first, rest) = parted(name);
    let known = |(key, value): &&(String, Tree)| spelled(key) == first && *value != Tree::Null;
    let (_, value) = entries.iter().find(known)?;
    match (rest, value) {
        (None, value) => Some(value),
        (Some(rest), Tree::Map(inner)) => find(inner, rest),
        _ => None,
    }
}

fn remove(entries: &mut Vec<(String, Tree)>, name: &str, path: String) -> Option<(String, Tree)> {
    let (first, rest) = parted(name);
    let known = |(key, value): &(String, Tree)| spelled(key) == first && *value != Tree::Null;
    let at = entries.iter().position(known)?;
    let path = below(&path, &entries[at].0);
    let Some(rest) = rest else {
        return Some((path, entries.remove(at).1));
    };
    let Tree::Map(inner) = &mut entries[at].1 else {
        return None;
    };
    let found = remove(inner, rest, path)?;
    if inner.is_empty() {
        entries.remove(at);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn section(json: &str) -> Section {
        Section::new("", super::super::tree::read(json, Format::Json).unwrap())
    }

    #[test]
    fn keys_have_many_spellings() {
        for key in [
            "deadThreshold",
            "dead-threshold",
            "DEAD_THRESHOLD",
            "Dead Threshold",
        ] {
            assert_eq!(spelled(key), "dead_threshold", "{key}");
        }
    }

    #[test]
    fn what_is_taken_is_gone_and_the_rest_is_told() {
        let mut from = section(
            r#"{"a": {"Deep": {"x": 1, "y": null}}, "wait_ms": 1500, "poll": "2m", "t": {"token": "abc"}, "odd key": [1, {"z": "v"}]}"#,
        );
        let mut notes = Notes::default();
        assert!(from.look(&["a.deep.x"]).is_some());
        let item = from.take(&["none", "a.deep.x"]).unwrap();
        assert_eq!(
            (item.path.as_str(), &item.value),
            ("a.Deep.x", &Tree::Whole(1))
        );
        let wait = from.take_span(&["wait"], &mut notes);
        assert_eq!(wait, Some(Duration::from_millis(1500)));
        let poll = from.take_span(&["poll"], &mut notes);
        assert_eq!(poll, Some(Duration::from_secs(120)));
        from.finish(&mut notes);
        let (told, _, _) = notes.into_parts();
        assert_eq!(
            told,
            [
                "a.Deep.y: null",
                "t.token: (not shown: it may be a secret)",
                "\"odd key\"[0]: 1",
                "\"odd key\"[1].z: \"v\"",
            ]
        );
    }
}
