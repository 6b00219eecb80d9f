//! What serde says is wrong, put into words for an operator, with its place.

use std::fmt::{self, Display};

use serde::de::{Expected, Unexpected};

use super::node::Node;
use super::problem::Place;
use crate::model::text::shortened;

/// One thing wrong with a node.
#[derive(Debug)]
pub(crate) struct Error {
    /// The node, once it is known.
    pub(super) node: Option<(u32, Place)>,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// The message without a word of what was written, where it repeats any.
    pub(super) discreet: Option<String>,
    /// The key that is missing, where that is what is wrong.
    pub(super) missing: Option<&'static str>,
    /// Follows from something that has been told already.
    pub(super) quiet: bool,
}

impl Error {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            node: None,
            message: message.into(),
            help: None,
            discreet: None,
            missing: None,
            quiet: false,
        }
    }

    /// What cannot be read because of something that has been told already.
    pub(super) fn quiet() -> Self {
        Self {
            quiet: true,
            ..Self::new("")
        }
    }

    /// Places the error at this node, unless it has a place.
    pub(super) fn at(mut self, node: &Node) -> Self {
        self.node.get_or_insert((node.id, node.place));
        self
    }

    pub(super) fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// `did you mean …?`, where one of the names is near enough.
pub(crate) fn did_you_mean(word: &str, names: &[&str]) -> Option<String> {
    let far = |name: &str| strsim::damerau_levenshtein(word, name);
    // One slip in a short word, three in a long one.
    let most = word.chars().count().div_ceil(4).clamp(1, 3);
    names
        .iter()
        .filter(|name| {
            let half = name.len() >= 4 && (name.starts_with(word) || word.starts_with(**name));
            far(name) <= most || (half && word.len() >= 4)
        })
        // The first of those that are equally near, so that the answer is always the same.
        .min_by_key(|name| far(name))
        .map(|name| format!("did you mean `{name}`?"))
}

/// What to write instead of a key that is not one of these.
pub(super) fn unknown_key_help(word: &str, names: &[&str]) -> String {
    did_you_mean(word, names).unwrap_or_else(|| match names {
        [] => "nothing may stand here".to_owned(),
        _ => format!("the keys here are {}", listed(names)),
    })
}

/// The names for a sentence.
pub(super) fn listed(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a visitor expects, in an operator's words.
fn expected(what: &str) -> String {
    match what {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, zero or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "string" => "text",
        "a sequence" => "a list",
        "a map" => "a mapping of keys and values",
        "unit" | "unit variant" => "no value",
        // Derived visitors name the Rust type, which tells an operator nothing.
        _ if what.starts_with("struct ") => "a mapping of keys and values",
        _ if what.starts_with("enum ") => "one word, or a mapping with one key",
        _ => return what.to_owned(),
    }
    .to_owned()
}

fn found(what: Unexpected<'_>) -> String {
    match what {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("`{value}`"),
        Unexpected::Signed(value) => format!("`{value}`"),
        Unexpected::Float(value) => format!("`{value}`"),
        Unexpected::Str(text) => format!("the text `{}`", shortened(text, 40)),
        Unexpected::Unit => "nothing".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a mapping".into(),
        other => other.to_string(),
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, exp: &dyn Expected) -> Self {
        let expected = expected(&exp.to_string());
        let kind = match unexpected {
            Unexpected::Str(_) => Some("text"),
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => {
                Some("a number")
            }
            _ => None,
        };
        Self {
            discreet: kind.map(|kind| format!("expected {expected}, found {kind}")),
            ..Self::new(format!("expected {expected}, found {}", found(unexpected)))
        }
    }

    fn invalid_value(unexpected: Unexpected<'_>, exp: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, exp)
    }

    fn invalid_length(length: usize, exp: &dyn Expected) -> Self {
        Self::new(format!(
            "expected {}, found {length} values",
            expected(&exp.to_string())
        ))
    }

    fn unknown_variant(variant: &str, names: &'static [&'static str]) -> Self {
        let meant = did_you_mean(variant, names);
        // A slip of the pen is no secret.
        let far = meant.is_none();
        let help = meant.unwrap_or_else(|| format!("one of {}", listed(names)));
        Self {
            discreet: far.then(|| "this word is not known here".to_owned()),
            ..Self::new(format!("`{}` is not known here", shortened(variant, 40)))
        }
        .with_help(Some(help))
    }

    /// Where a shape is read by hand; else the reader finds such keys before serde does.
    fn unknown_field(field: &str, names: &'static [&'static str]) -> Self {
        Self::new(format!("unknown key `{}`", shortened(field, 60)))
            .with_help(Some(unknown_key_help(field, names)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            missing: Some(field),
            ..Self::new(format!("the key `{field}` is missing"))
        }
    }
}
