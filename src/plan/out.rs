//! Values that are to be shown or hashed: in an order of our own, and with durations as such.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::template::Template;
use crate::model::time::{Timestamp, exact};

/// A value that is to be shown or hashed.
#[derive(Clone, Debug)]
pub(super) enum Out {
    Text(String),
    Bool(bool),
    Whole(i128),
    Number(f64),
    Span(Duration),
    Null,
    List(Vec<Out>),
    Map(Map),
}

/// Keys and values, in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Map(pub(super) Vec<(String, Out)>);

impl Map {
    pub(super) fn put(&mut self, key: &str, value: impl Into<Out>) {
        self.0.push((key.to_owned(), value.into()));
    }

    pub(super) fn maybe(&mut self, key: &str, value: Option<impl Into<Out>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// One word of an enum.
    pub(super) fn word(&mut self, key: &str, value: &impl Serialize) {
        self.put(key, Out::word(value));
    }

    /// A list, unless it is empty.
    pub(super) fn filled(&mut self, key: &str, list: Vec<Out>) {
        if !list.is_empty() {
            self.put(key, Out::List(list));
        }
    }

    pub(super) fn list<'a, T: 'a>(&mut self, key: &str, list: &'a [T])
    where
        &'a T: Into<Out>,
    {
        self.filled(key, list.iter().map(Into::into).collect());
    }

    pub(super) fn pairs<'a, T: 'a>(&mut self, key: &str, pairs: &'a BTreeMap<String, T>)
    where
        &'a T: Into<Out>,
    {
        let pairs = pairs.iter().map(|(key, value)| (key.clone(), value.into()));
        self.section(key, Map(pairs.collect()));
    }

    /// A mapping, unless it is empty.
    pub(super) fn section(&mut self, key: &str, map: Map) {
        if !map.0.is_empty() {
            self.put(key, Out::Map(map));
        }
    }

    pub(super) fn append(&mut self, mut other: Map) {
        self.0.append(&mut other.0);
    }
}

impl Out {
    pub(super) fn text(text: &str) -> Self {
        Out::Text(text.to_owned())
    }

    pub(super) fn word(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => Out::from(&value),
            Err(_) => Out::Null,
        }
    }

    pub(super) fn list<'a, T: 'a>(list: &'a [T]) -> Self
    where
        &'a T: Into<Out>,
    {
        Out::List(list.iter().map(Into::into).collect())
    }

    /// 16 hexadecimal digits that tell it from every other value.
    pub(super) fn digest(&self) -> String {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        self.hash(&mut hash);
        format!("{:016x}", hash.0)
    }

    /// What tells it from every other value: its kind, its length, itself.
    fn hash(&self, hash: &mut Fnv) {
        match self {
            Out::Null => hash.add(b"0"),
            Out::Bool(value) => hash.add(if *value { b"t" } else { b"f" }),
            Out::Whole(n) => {
                hash.add(b"i");
                hash.add(&n.to_le_bytes());
            }
            Out::Number(n) => {
                hash.add(b"n");
                hash.add(&n.to_bits().to_le_bytes());
            }
            Out::Span(span) => {
                hash.add(b"d");
                hash.add(&span.as_nanos().to_le_bytes());
            }
            Out::Text(text) => hash.text(text),
            Out::List(items) => {
                hash.add(b"l");
                hash.add(&(items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| item.hash(hash));
            }
            Out::Map(Map(entries)) => {
                hash.add(b"m");
                hash.add(&(entries.len() as u64).to_le_bytes());
                for (key, value) in entries {
                    hash.text(key);
                    value.hash(hash);
                }
            }
        }
    }
}

macro_rules! from {
    ($($from:ty, $value:ident => $out:expr;)*) => {
        $(impl From<$from> for Out {
            fn from($value: $from) -> Self {
                $out
            }
        })*
    };
}

from! {
    &str, text => Out::text(text);
    &String, text => Out::text(text);
    &Template, template => Out::text(template.source());
    bool, value => Out::Bool(value);
    u64, n => Out::Whole(n.into());
    i32, n => Out::Whole(n.into());
    &i32, n => Out::Whole((*n).into());
    f64, n => Out::Number(n);
    Duration, span => Out::Span(span);
    Timestamp, time => Out::Text(time.to_string());
}

impl From<&serde_json::Value> for Out {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Out::Null,
            Value::Bool(value) => Out::Bool(*value),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => Out::Whole(n.into()),
                (_, Some(n)) => Out::Whole(n.into()),
                _ => Out::Number(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Out::text(text),
            Value::Array(items) => Out::list(items),
            Value::Object(map) => {
                // By their names, whatever order the map keeps.
                let mut entries: Vec<(String, Out)> =
                    map.iter().map(|(k, v)| (k.clone(), v.into())).collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Out::Map(Map(entries))
            }
        }
    }
}

impl Serialize for Out {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Out::Text(text) => s.serialize_str(text),
            Out::Bool(value) => s.serialize_bool(*value),
            Out::Whole(n) => match (u64::try_from(*n), i64::try_from(*n)) {
                (Ok(n), _) => s.serialize_u64(n),
                (_, Ok(n)) => s.serialize_i64(n),
                _ => s.serialize_i128(*n),
            },
            Out::Number(n) => s.serialize_f64(*n),
            Out::Span(span) => s.collect_str(&exact(*span)),
            Out::Null => s.serialize_unit(),
            Out::List(items) => s.collect_seq(items),
            Out::Map(Map(entries)) => {
                let mut map = s.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// FNV-1a with 64 bits: the same everywhere and for ever. Nobody is kept out by it.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn text(&mut self, text: &str) {
        self.add(b"s");
        self.add(&(text.len() as u64).to_le_bytes());
        self.add(text.as_bytes());
    }
}
