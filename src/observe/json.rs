//! Reading a JSON object that we did not write: the fields we know, whatever else is there, and
//! whatever their types are.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The raw values of some fields of an object, as they stand in the text. Of a field that is
/// there twice the last one counts, as in most readers.
pub(super) struct Fields<'a, const N: usize> {
    pub(super) values: [Option<&'a RawValue>; N],
}

/// Reads an object and picks out the named fields.
pub(super) fn fields<'a, const N: usize>(
    text: &'a [u8],
    names: &'static [&'static str; N],
) -> Result<Fields<'a, N>, serde_json::Error> {
    struct Object<const N: usize>(&'static [&'static str; N]);
    impl<'de, const N: usize> Visitor<'de> for Object<N> {
        type Value = [Option<&'de RawValue>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut values = [None; N];
            while let Some(Key(key)) = map.next_key()? {
                match self.0.iter().position(|name| *name == key) {
                    Some(at) => values[at] = Some(map.next_value()?),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
            }
            Ok(values)
        }
    }
    let mut de = serde_json::Deserializer::from_slice(text);
    let values = de.deserialize_map(Object(names))?;
    de.end()?;
    Ok(Fields { values })
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Short texts that nearly every agent of a fleet writes alike: kept once, not once an agent.
#[derive(Default)]
pub(super) struct Words(Vec<Arc<str>>);

impl Words {
    /// More different words than this are no vocabulary, and searching them would cost.
    const MOST: usize = 32;

    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| ***known == *text) {
            return Arc::clone(known);
        }
        let word: Arc<str> = text.into();
        if self.0.len() < Self::MOST {
            self.0.push(Arc::clone(&word));
        }
        word
    }
}

impl<const N: usize> Fields<'_, N> {
    /// As [`text`](Self::text), from the words that are kept.
    pub(super) fn word(&self, at: usize, limit: usize, words: &mut Words) -> Option<Arc<str>> {
        let raw = self.values[at]?;
        let text: Cow<'_, str> = serde_json::from_str::<Key<'_>>(raw.get()).ok()?.0;
        Some(words.get(&crate::model::text::shortened(&text, limit)))
    }

    /// A text field; `None` where it is absent or no text. At most `limit` characters of it.
    pub(super) fn text(&self, at: usize, limit: usize) -> Option<Box<str>> {
        let raw = self.values[at]?;
        let text: Cow<'_, str> = serde_json::from_str::<Key<'_>>(raw.get()).ok()?.0;
        Some(crate::model::text::shortened(&text, limit).into())
    }

    /// A finite number; `None` where it is absent or none.
    pub(super) fn number(&self, at: usize) -> Option<f64> {
        number(self.values[at]?)
    }
}

/// A finite number.
pub(super) fn number(raw: &RawValue) -> Option<f64> {
    let text = raw.get();
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        .then(|| text.parse().ok().filter(|n: &f64| n.is_finite()))?
}

/// The kind of a JSON text's cause of failure, without a word of its contents.
pub(super) fn cause(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => format!("it is cut off at {place}"),
        serde_json::error::Category::Data => "it is no JSON object".into(),
        _ => format!("it is no JSON ({place})"),
    }
}
