//! What people write as an answer: `revive NAME`, `skip NAME`, and `+1` or `-1` as a reply.

use crate::model::text::visible;

/// As many characters may a name have: longer is none that anybody was asked about.
const MOST_NAME: usize = 1024;

/// An answer in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// Yes or no.
    pub(super) yes: bool,
    /// Whom they name, as it is shown; absent where that follows from what they reply to.
    pub(super) name: Option<String>,
    /// To which bot a command is, where it names one (`/revive@BOT NAME`).
    pub(super) to: Option<String>,
}

/// Reads a text; `None` where it is no answer, as most of what people say to each other.
pub(super) fn read(text: &str) -> Option<Words> {
    let text = text.trim();
    // Whoever tells a story, or pastes a message, answers nothing.
    if text.contains(['\n', '\r']) {
        return None;
    }
    let bare = |yes| Words {
        yes,
        name: None,
        to: None,
    };
    match text {
        "+1" => return Some(bare(true)),
        "-1" | "\u{2212}1" => return Some(bare(false)),
        _ => {}
    }
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    let (word, to) = match word.strip_prefix('/') {
        None => (word, None),
        Some(command) => match command.split_once('@') {
            None => (command, None),
            Some((command, to)) => (command, Some(to.to_owned())),
        },
    };
    let yes = match &*word.to_ascii_lowercase() {
        "revive" => true,
        "skip" => false,
        _ => return None,
    };
    let rest = rest.trim();
    if rest.chars().count() > MOST_NAME {
        return None;
    }
    let name = (!rest.is_empty()).then(|| visible(rest).into_owned());
    Some(Words { yes, name, to })
}

/// What codes, topics and ids of messages are made of.
pub(super) fn is_sign(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// True where a name, as people write it, is that of a subject or of the cell that it is in.
pub(super) fn is_named(subject: &str, name: &str) -> bool {
    let subject = visible(subject);
    let cell = subject.split_once('/').map(|(cell, _)| cell);
    name == subject || Some(name) == cell
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::text::is_unsafe;

    fn of(text: &str) -> Option<(bool, Option<String>, Option<String>)> {
        read(text).map(|w| (w.yes, w.name, w.to))
    }

    #[test]
    fn answers_and_what_is_none() {
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(of("revive a/b"), Some((true, name("a/b"), None)));
        assert_eq!(of("  Skip  a b  "), Some((false, name("a b"), None)));
        assert_eq!(of("/REVIVE a"), Some((true, name("a"), None)));
        assert_eq!(of("/skip@x_bot a"), Some((false, name("a"), name("x_bot"))));
        assert_eq!(of("revive"), Some((true, None, None)));
        assert_eq!(of("+1 "), Some((true, None, None)));
        assert_eq!(of("-1"), Some((false, None, None)));
        assert_eq!(
            of("revive a\u{202e}b"),
            Some((true, name("a\\u{202e}b"), None))
        );
        for no in [
            "",
            "+1 a",
            "+2",
            "1",
            "yes",
            "please revive a",
            "revive: a",
            "revived a",
            "revive a\nskip b",
            "revive@x a",
            "//revive a",
            "@revive a",
            "re vive a",
        ] {
            assert_eq!(of(no), None, "{no:?}");
        }
        assert_eq!(of(&format!("revive {}", "x".repeat(MOST_NAME + 1))), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_every_name_is_safe_to_show(text in "(revive|/skip|\\+1)?[\\s\\S]{0,60}") {
            if let Some(name) = read(&text).and_then(|words| words.name) {
                prop_assert!(!name.is_empty() && !name.chars().any(is_unsafe));
            }
        }

        #[test]
        fn a_name_comes_through_as_it_is(name in "[!-~]([ -~]{0,60}[!-~])?", yes: bool) {
            let word = if yes { "revive" } else { "/skip" };
            prop_assert_eq!(of(&format!("{word} {name}")), Some((yes, Some(name), None)));
        }
    }
}
