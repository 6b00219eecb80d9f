//! YAML as it is written here: in the order that it was put together in, every text safe.

use crate::model::text::is_unsafe;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Yaml {
    /// A number or a word that is as it is meant: `true`, `auto`, `2m`.
    Word(String),
    /// A text, which may be anything.
    Text(String),
    /// A list, one item a line.
    List(Vec<Yaml>),
    /// A list in one line.
    Flow(Vec<Yaml>),
    /// A mapping, one key a line.
    Map(Vec<(String, Yaml)>),
    /// A mapping in one line.
    FlowMap(Vec<(String, Yaml)>),
}

impl Yaml {
    pub(super) fn word(word: impl ToString) -> Self {
        Yaml::Word(word.to_string())
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Yaml::Text(text.into())
    }

    /// Texts in one line.
    pub(super) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Yaml::Flow(texts.into_iter().map(Yaml::text).collect())
    }

    /// A mapping with one key.
    pub(super) fn one(key: &str, value: Yaml) -> Self {
        Yaml::Map(vec![(key.to_owned(), value)])
    }

    /// A mapping in one line with one key.
    pub(super) fn flow_one(key: &str, value: Yaml) -> Self {
        Yaml::FlowMap(vec![(key.to_owned(), value)])
    }

    /// The lines of it.
    pub(super) fn document(&self) -> String {
        let mut out = String::new();
        match self {
            Yaml::Map(entries) if !entries.is_empty() => block_map(entries, 0, &mut out),
            other => {
                out.push_str(&inline(other));
                out.push('\n');
            }
        }
        out
    }
}

fn block_map(entries: &[(String, Yaml)], depth: usize, out: &mut String) {
    for (at, (key, value)) in entries.iter().enumerate() {
        // The first one stands behind the dash of the item that it belongs to.
        if at > 0 || !out.ends_with("- ") {
            out.push_str(&" ".repeat(depth));
        }
        out.push_str(&scalar(key));
        out.push(':');
        below(value, depth, out);
    }
}

/// What follows a key.
fn below(value: &Yaml, depth: usize, out: &mut String) {
    match value {
        Yaml::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            block_map(entries, depth + 2, out);
        }
        Yaml::List(items) if !items.is_empty() => {
            out.push('\n');
            for item in items {
                out.push_str(&" ".repeat(depth + 2));
                out.push_str("- ");
                match item {
                    Yaml::Map(entries) if !entries.is_empty() => {
                        block_map(entries, depth + 4, out);
                    }
                    other => {
                        out.push_str(&inline(other));
                        out.push('\n');
                    }
                }
            }
        }
        other => {
            out.push(' ');
            out.push_str(&inline(other));
            out.push('\n');
        }
    }
}

/// A value in one line.
fn inline(value: &Yaml) -> String {
    let all = |items: &[Yaml]| items.iter().map(inline).collect::<Vec<_>>().join(", ");
    match value {
        Yaml::Word(word) => word.clone(),
        Yaml::Text(text) => scalar(text),
        Yaml::List(items) | Yaml::Flow(items) => format!("[{}]", all(items)),
        Yaml::Map(entries) | Yaml::FlowMap(entries) => {
            let entries = entries.iter();
            let pairs = entries.map(|(key, value)| format!("{}: {}", scalar(key), inline(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text, without quotes only where nobody could take it for anything else.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan",
    ];
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_./-".contains(&b);
    let begins = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'/' || b == b'_');
    let word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if begins && text.bytes().all(plain) && !word {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A text in double quotes, in one line, with nothing in it that is not seen.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // What YAML does not let stand as it is: beside the unsafe ones these two.
            c if is_unsafe(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                out.push_str(&match u32::from(c) {
                    code @ 0..=0xffff => format!("\\u{code:04x}"),
                    code => format!("\\U{code:08x}"),
                });
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_written_as_people_would() {
        let made = Yaml::Map(vec![
            ("name".into(), Yaml::text("gateway-timmy")),
            ("yes".into(), Yaml::text("no")),
            ("empty".into(), Yaml::Map(Vec::new())),
            (
                "steps".into(),
                Yaml::List(vec![
                    Yaml::Map(vec![
                        ("run".into(), Yaml::texts(["a b", "c", "1", ""])),
                        ("timeout".into(), Yaml::word("30s")),
                    ]),
                    Yaml::one("x", Yaml::one("y", Yaml::text("# : "))),
                ]),
            ),
            ("env".into(), Yaml::flow_one("env", Yaml::text("TOKEN"))),
        ]);
        let want = "name: gateway-timmy\n\"yes\": \"no\"\nempty: {}\nsteps:\n  \
                    - run: [\"a b\", c, \"1\", \"\"]\n    timeout: 30s\n  \
                    - x:\n      \"y\": \"# : \"\nenv: {env: TOKEN}\n";
        assert_eq!(made.document(), want);
        let read: serde_yaml::Value = serde_yaml::from_str(want).unwrap();
        assert_eq!(read["steps"][1]["x"]["y"], "# : ");
    }

    proptest! {
        /// Whatever the text: what is read is what was written, as key, in a list and alone.
        #[test]
        fn every_text_comes_back(text in any::<String>(), key in any::<String>()) {
            let one = || Yaml::text(text.as_str());
            let made = Yaml::Map(vec![
                (key.clone(), one()),
                (format!("{key} list"), Yaml::List(vec![one(), Yaml::one(&key, one())])),
                (format!("{key} flow"), Yaml::Flow(vec![one(), Yaml::flow_one(&key, one())])),
            ]);
            let read: serde_yaml::Value = serde_yaml::from_str(&made.document()).unwrap();
            prop_assert_eq!(&read[key.as_str()], text.as_str());
            for list in ["list", "flow"] {
                let list = &read[format!("{key} {list}").as_str()];
                prop_assert_eq!(&list[0], text.as_str());
                prop_assert_eq!(&list[1][key.as_str()], text.as_str());
            }
        }
    }
}
