//! Nodes to serde shapes, telling every mistake and not only the first.
//!
//! serde stops at the first error. So what cannot be read is told, then treated as if it had not
//! been written, and the shape is read again, until nothing new is found. Errors that only follow
//! from such an absence are not told.

use std::cell::RefCell;
use std::collections::HashSet;

use serde::de::{DeserializeOwned, Deserializer, Error as _, Unexpected, Visitor};

use super::access::{Entries, Items, Placed, Variant};
use super::error::{Error, did_you_mean, listed, unknown_key_help};
use super::node::{Content, Node, Style};
use super::problem::{MAX_PROBLEMS, Place, Problems};
use super::scalar::{self, Value};
use super::spanned::{HIDDEN, MANY, SECRET, SPANNED};

/// How many nodes are looked at, over all the times round, before no more mistakes are looked for.
const MAX_VISITS: usize = 1_000_000;

/// Reads a document as a `T`; `None` where too little could be read to make one. What is wrong is
/// added to the problems, and what could not be read is as if it had not been written.
pub fn read<T: DeserializeOwned>(node: &Node, problems: &mut Problems<'_>) -> Option<T> {
    read_discreetly(node, problems, None)
}

/// The same for a document that has secrets somewhere below one of its keys: whatever is wrong there,
/// nothing that was written is repeated, but for words and keys that are nearly right.
pub fn read_discreetly<T: DeserializeOwned>(
    node: &Node,
    problems: &mut Problems<'_>,
    key: Option<&str>,
) -> Option<T> {
    let secretive = key.and_then(|key| node.value_lines(key));
    let seen = RefCell::new(Seen::default());
    let mut errors = Vec::new();
    let value = loop {
        match T::deserialize(Reader { node, seen: &seen }) {
            Ok(value) => break Some(value),
            Err(mut error) => {
                let (id, place) = error.node.take().unwrap_or((node.id, node.place));
                if id == node.id && node.text().is_some() {
                    // The wrong file altogether, a key or a token perhaps: nothing of it is shown.
                    problems.hide_lines(node.place.line, node.end_line);
                    problems.error(place, "expected keys and values, found mere text");
                } else if !error.quiet {
                    errors.push(Wrong {
                        place,
                        message: error.message,
                        help: error.help,
                        discreet: error.discreet,
                    });
                }
                // Each time round one node more is passed over, so this ends; it must also end
                // soon in a file that is wrong from top to bottom.
                let mut seen = seen.borrow_mut();
                let new = seen.broken.insert(id);
                if seen.visits > MAX_VISITS {
                    problems.leave_out();
                    break None;
                }
                if id == node.id || !new || errors.len() >= MAX_PROBLEMS {
                    break None;
                }
            }
        }
    };
    let seen = seen.into_inner();
    for (first, last) in seen.secret_lines {
        problems.hide_lines(first, last);
    }
    for wrong in seen.unknown.into_iter().chain(errors) {
        let hides = secretive.is_some_and(|(first, last)| {
            (first..=last).contains(&wrong.place.line) && wrong.discreet.is_some()
        });
        if hides {
            // Not even where it is quoted for something else.
            problems.hide_lines(wrong.place.line, wrong.place.line);
        }
        let discreet = wrong.discreet.filter(|_| hides);
        let message = discreet.map_or(wrong.message, |message| {
            format!("{message} (not shown: it could be a secret)")
        });
        problems.error_with_help(wrong.place, message, wrong.help);
    }
    value
}

/// One thing that is wrong.
struct Wrong {
    place: Place,
    message: String,
    help: Option<String>,
    /// The message without a word of what was written, where it repeats any.
    discreet: Option<String>,
}

/// What has been found so far, over all the times round.
#[derive(Default)]
pub(super) struct Seen {
    /// Nodes that could not be read.
    broken: HashSet<u32>,
    /// Keys that are not known, and have been told.
    unknown_ids: HashSet<u32>,
    unknown: Vec<Wrong>,
    secret_lines: Vec<(u32, u32)>,
    /// Nodes looked at.
    visits: usize,
}

/// One node, ready to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'n> {
    pub(super) node: &'n Node,
    seen: &'n RefCell<Seen>,
}

impl<'n> Reader<'n> {
    pub(super) fn of(self, node: &'n Node) -> Self {
        Self { node, ..self }
    }

    fn is_broken(self, node: &Node) -> bool {
        self.seen.borrow().broken.contains(&node.id)
    }

    /// Tells of a key that is not one of these, once.
    fn unknown_key(self, key: &Node, names: &[&str]) {
        let mut seen = self.seen.borrow_mut();
        // More than these are not shown, and suggestions take their time.
        if seen.unknown.len() <= MAX_PROBLEMS && seen.unknown_ids.insert(key.id) {
            let text = key.text().unwrap_or_default();
            let help = unknown_key_help(text, names);
            let shown = crate::model::text::shortened(text, 60);
            let message = format!("unknown key `{shown}`");
            let far = did_you_mean(text, names).is_none();
            seen.unknown.push(Wrong {
                place: key.place,
                message,
                help: Some(help),
                discreet: far.then(|| "this key is not known here".to_owned()),
            });
        }
    }

    fn scalar(self) -> Option<Value<'n>> {
        match &*self.node.content {
            Content::Scalar {
                text,
                style: Style::Plain,
            } => Some(scalar::plain(text)),
            Content::Scalar { text, .. } => Some(Value::Text(text)),
            _ => None,
        }
    }

    /// The entries that can be read and, for a struct, whose keys are known.
    fn entries(
        self,
        entries: &'n [(Node, Node)],
        fields: Option<&'static [&'static str]>,
    ) -> Entries<'n> {
        let usable = |(key, value): &&'n (Node, Node)| {
            let known = fields.is_none_or(|names| names.contains(&key.text().unwrap_or_default()));
            if let (false, Some(names)) = (known, fields) {
                self.unknown_key(key, names);
            }
            known && !self.is_broken(key) && !self.is_broken(value)
        };
        Entries {
            reader: self,
            rest: entries
                .iter()
                .filter(usable)
                .collect::<Vec<_>>()
                .into_iter(),
            value: None,
        }
    }

    fn items(self, items: &'n [Node]) -> Items<'n> {
        let usable = |node: &&'n Node| !self.is_broken(node);
        Items {
            reader: self,
            rest: items.iter().filter(usable).collect::<Vec<_>>().into_iter(),
        }
    }

    fn visit<V: Visitor<'n>>(
        self,
        visitor: V,
        fields: Option<&'static [&'static str]>,
    ) -> Result<V::Value, Error> {
        self.seen.borrow_mut().visits += 1;
        match &*self.node.content {
            Content::Scalar { .. } => match self.scalar().unwrap_or(Value::Null) {
                Value::Null => visitor.visit_unit(),
                Value::Bool(value) => visitor.visit_bool(value),
                Value::Unsigned(value) => visitor.visit_u64(value),
                Value::Signed(value) => visitor.visit_i64(value),
                Value::Float(value) => visitor.visit_f64(value),
                Value::Text(text) => visitor.visit_borrowed_str(text),
            },
            Content::Sequence(items) => visitor.visit_seq(self.items(items)),
            Content::Mapping(entries) => visitor.visit_map(self.entries(entries, fields)),
        }
        .map_err(|e: Error| self.placed(e))
    }

    /// Gives the error this node's place, unless it has one.
    fn placed(self, mut error: Error) -> Error {
        if let (None, Some(field), Content::Mapping(entries)) =
            (error.node, error.missing, &*self.node.content)
        {
            // The key is there, but its value has been told to be wrong; or it may be one of the
            // keys told to be unknown.
            let told = |(key, value): &(Node, Node)| {
                key.text() == Some(field) && (self.is_broken(key) || self.is_broken(value))
            };
            error.quiet |= entries.iter().any(told);
        }
        error.at(self.node)
    }
}

impl<'n> Deserializer<'n> for Reader<'n> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit(visitor, None)
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Content::Sequence(_) = &*self.node.content {
            // Derived visitors would take a list as the fields in order.
            return Err(Error::invalid_type(Unexpected::Seq, &"a map").at(self.node));
        }
        self.visit(visitor, Some(fields))
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        let help = match self.scalar() {
            Some(Value::Text(text)) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => Some("did you mean `true`?".to_owned()),
                "no" | "off" | "n" | "false" => Some("did you mean `false`?".to_owned()),
                _ => None,
            },
            _ => None,
        };
        self.visit(visitor, None).map_err(|e| e.with_help(help))
    }

    /// A number or truth value is no text: who writes `1.10` for a name gets told, not `1.1`.
    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        let number =
            matches!(self.scalar(), Some(value) if !matches!(value, Value::Text(_) | Value::Null));
        let help = number.then(|| "put it in quotes to make it text".to_owned());
        self.visit(visitor, None).map_err(|e| e.with_help(help))
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    /// A key is what is written, whatever else it could be read as.
    fn deserialize_identifier<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &*self.node.content {
            Content::Scalar { text, .. } if !self.node.is_null() => visitor
                .visit_borrowed_str(text)
                .map_err(|e: Error| e.at(self.node)),
            _ => self.visit(visitor, None),
        }
    }

    fn deserialize_char<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Node {
            place, end_line, ..
        } = *self.node;
        match name {
            SPANNED => visitor.visit_seq(Placed {
                reader: self,
                next: 0,
            }),
            MANY => visitor.visit_seq(match &*self.node.content {
                Content::Sequence(items) => self.items(items),
                _ => self.items(std::slice::from_ref(self.node)),
            }),
            HIDDEN => {
                let hidden = (place.line, end_line);
                self.seen.borrow_mut().secret_lines.push(hidden);
                visitor.visit_newtype_struct(self)
            }
            SECRET => {
                let hidden = (place.line, end_line);
                self.seen.borrow_mut().secret_lines.push(hidden);
                // serde's message would quote the value.
                visitor
                    .visit_newtype_struct(self)
                    .map_err(|_| Error::new("expected text").at(self.node))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (name, value) = match &*self.node.content {
            Content::Scalar { .. } if !self.node.is_null() => (self.node, None),
            Content::Mapping(entries) => {
                let known = |(key, _): &&'n (Node, Node)| {
                    let known = variants.contains(&key.text().unwrap_or_default());
                    if !known {
                        self.unknown_key(key, variants);
                    }
                    known
                };
                match entries.iter().filter(known).collect::<Vec<_>>()[..] {
                    // Its payload has been told to be wrong, or the only keys to be unknown.
                    [(_, value)] if self.is_broken(value) => {
                        return Err(Error::quiet().at(self.node));
                    }
                    [] if !entries.is_empty() => return Err(Error::quiet().at(self.node)),
                    [(key, value)] => (key, Some(value)),
                    _ => {
                        let message = format!("expected exactly one of {}", listed(variants));
                        return Err(Error::new(message).at(self.node));
                    }
                }
            }
            _ => {
                let message = format!("expected one of {}", listed(variants));
                return Err(Error::new(message).at(self.node));
            }
        };
        let variant = Variant {
            reader: self.of(name),
            value,
        };
        visitor.visit_enum(variant).map_err(|e| self.placed(e))
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'n>>
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf unit unit_struct seq tuple
        tuple_struct map
    }
}
