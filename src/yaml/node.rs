//! Bytes to text, and the nodes that a text is made of: each knows where it stands.

use std::sync::Arc;

use super::problem::Place;

/// The largest file that is read.
pub const MAX_FILE: usize = 1024 * 1024;
/// How deep collections may lie in each other.
pub const MAX_DEPTH: usize = 64;
/// How many nodes a file may have, each alias counted as all that it stands for.
pub const MAX_NODES: usize = 100_000;
/// How much text a file's scalars may hold, counted the same way.
pub const MAX_TEXT: usize = 4 * MAX_FILE;

/// One value in a file. Cheap to clone: what it holds is shared.
#[derive(Clone, Debug)]
pub struct Node {
    /// Tells the node from all others of its file; an alias has its target's.
    pub id: u32,
    /// Where it begins. An alias's value has the place where it is written out.
    pub place: Place,
    /// The line on which it ends.
    pub end_line: u32,
    /// What it holds.
    pub content: Arc<Content>,
}

/// What a node holds.
#[derive(Debug)]
pub enum Content {
    /// Text, a number, a truth value or nothing.
    Scalar {
        /// What is written, escapes and folding resolved.
        text: String,
        /// How it is written.
        style: Style,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys, all of them scalars and no two the same, and their values, in the order written.
    Mapping(Vec<(Node, Node)>),
}

/// How a scalar is written: only a plain one can be anything but text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// In quotes, or tagged as text.
    Quoted,
    /// After `|` or `>`.
    Block,
}

impl Node {
    /// The text of a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &*self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The first and the last line of what stands under a key of a mapping.
    pub(super) fn value_lines(&self, key: &str) -> Option<(u32, u32)> {
        let Content::Mapping(entries) = &*self.content else {
            return None;
        };
        let mut found = entries.iter().filter(|(name, _)| name.text() == Some(key));
        found
            .next()
            .map(|(key, value)| (key.place.line, value.end_line))
    }

    /// True for a mapping in which something stands under this key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        match &*self.content {
            Content::Mapping(entries) => entries
                .iter()
                .any(|(name, value)| name.text() == Some(key) && !value.is_null()),
            _ => false,
        }
    }

    /// True for a plain scalar that means nothing (`~`, `null`, or not written at all).
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&*self.content, Content::Scalar { text, style: Style::Plain }
            if super::scalar::plain(text) == super::scalar::Value::Null)
    }
}

/// A file's bytes as text, without its byte order mark.
///
/// # Errors
/// The place of the first byte that is not UTF-8, and a sentence.
pub fn decode(bytes: &[u8]) -> Result<&str, (Place, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|e| {
        let (valid, rest) = bytes.split_at(e.valid_up_to());
        // Valid by what the error says.
        let valid = std::str::from_utf8(valid).unwrap_or_default();
        let place = valid.chars().fold(Place::START, after);
        let byte = rest.first().copied().unwrap_or_default();
        let utf16 = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
        let what = if utf16 {
            "this is UTF-16; save the file as UTF-8".to_owned()
        } else {
            format!("byte 0x{byte:02x} is not UTF-8; save the file as UTF-8")
        };
        (place, what)
    })
}

/// The place after this character.
pub(super) fn after(place: Place, c: char) -> Place {
    let Place { line, column } = place;
    match c {
        '\n' | '\r' => Place {
            line: line + 1,
            column: 1,
        },
        _ => Place {
            line,
            column: column + 1,
        },
    }
}
