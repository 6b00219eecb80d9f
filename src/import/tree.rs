//! What an earlier file says, whatever it was written in.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Format, Wrong};
use crate::model::text::visible;

/// A value; a mapping keeps the order that it is read in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// The name under which `toml` hands on a date.
const TOML_DATE: &str = "$__toml_private_datetime";

/// Reads a text.
///
/// # Errors
/// Where it is wrong, and how. It quotes no value.
pub(super) fn read(text: &str, format: Format) -> Result<Tree, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree: Tree = match format {
        Format::Json => serde_json::from_str(text).map_err(|e| {
            let message = e.to_string();
            let end = message.rfind(" at line ").unwrap_or(message.len());
            Wrong {
                line: e.line(),
                column: e.column(),
                message: format!("this is not JSON: {}", &message[..end]),
            }
        })?,
        Format::Toml => toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start).min(text.len());
            let before = text.get(..at).unwrap_or_default();
            let line = before.rsplit('\n').next().unwrap_or_default();
            Wrong {
                line: before.matches('\n').count() + 1,
                column: line.chars().count() + 1,
                message: format!("this is not TOML: {}", e.message().replace('\n', "; ")),
            }
        })?,
    };
    match tree {
        Tree::Map(_) => Ok(tree),
        _ => Err(Wrong {
            line: 1,
            column: 1,
            message: "this is no object with settings".to_owned(),
        }),
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Whole(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(i64::try_from(value).map_or(Tree::Number(value as f64), Tree::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries: Vec<(String, Tree)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Tree>()? {
            if key == TOML_DATE {
                return Ok(value);
            }
            // One of the two would be lost, and nobody could say which was meant.
            if entries.iter().any(|(known, _)| *known == key) {
                let message = format!("the key `{}` stands here twice", visible(&key));
                return Err(A::Error::custom(message));
            }
            entries.push((key, value));
        }
        Ok(Tree::Map(entries))
    }
}

impl Tree {
    /// It in one line, for a comment.
    pub(super) fn shown(&self) -> String {
        match self {
            Tree::Null => "null".to_owned(),
            Tree::Bool(value) => value.to_string(),
            Tree::Whole(value) => value.to_string(),
            Tree::Number(value) => value.to_string(),
            Tree::Text(text) => super::write::quoted(text),
            Tree::List(_) => "[]".to_owned(),
            Tree::Map(_) => "{}".to_owned(),
        }
    }

    /// Its text, where it is one, or a number as such.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Tree::Text(text) => Some(text.clone()),
            Tree::Whole(_) | Tree::Number(_) => Some(self.shown()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_read_alike() {
        let json = read(
            r#"{"b": {"c": [1, 2.5, "x", null, true]}, "a": {}}"#,
            Format::Json,
        );
        let toml = read("[b]\nc = [1, 2.5, \"x\", true]\n[a]", Format::Toml).unwrap();
        let Ok(Tree::Map(json)) = json else { panic!() };
        assert_eq!(json[0].0, "b");
        let Tree::Map(toml) = toml else { panic!() };
        assert_eq!(toml.len(), 2);
        let date = read("at = 2026-12-24T18:00:00Z", Format::Toml).unwrap();
        let text = Tree::Text("2026-12-24T18:00:00Z".to_owned());
        assert_eq!(date, Tree::Map(vec![("at".to_owned(), text)]));
    }

    #[test]
    fn mistakes_have_a_place_and_quote_nothing() {
        for (text, format, line, column) in [
            ("{\"a\": secret}", Format::Json, 1, 7),
            ("{\n\"a\": 1,\n\"a\": 2}", Format::Json, 3, 7),
            ("[1]", Format::Json, 1, 1),
            ("", Format::Json, 1, 0),
            ("a = 1\nb = secret\n", Format::Toml, 2, 5),
            ("a = 1\na = 2\n", Format::Toml, 2, 1),
            ("a = \"secret\n", Format::Toml, 1, 12),
        ] {
            let wrong = read(text, format).unwrap_err();
            assert_eq!(
                (wrong.line, wrong.column),
                (line, column),
                "{text}: {wrong:?}"
            );
            assert!(!wrong.message.contains("secret"), "{wrong:?}");
        }
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
        assert!(read(&deep, Format::Json).is_err());
        let deep = format!("a = {}1{}", "[".repeat(5000), "]".repeat(5000));
        assert!(read(&deep, Format::Toml).is_err());
    }
}
