//! Text that came from somewhere we do not trust, made fit to be shown.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A file name as text: itself where it is UTF-8, else with each byte that is not shown as `\xNN`.
///
/// No two names have the same text: a name that itself contains `\x` has its backslash shown as
/// `\x5c`.
#[must_use]
pub fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains("\\x")
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        out.push_str(&chunk.valid().replace("\\x", "\\x5cx"));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

/// Serializes a path as text, with [`from_bytes`]: serde's own way has none for a path that is not
/// UTF-8, and a document must not fail over the name of a directory.
///
/// # Errors
/// The serializer's.
pub fn serialize_path<S: serde::Serializer>(
    path: &std::path::Path,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&from_bytes(path.as_os_str().as_encoded_bytes()))
}

/// True for characters that change how a terminal, a log viewer or a reader's eye treats the text
/// around them: C0, DEL, C1, line and paragraph separators, bidirectional controls, zero-width
/// characters and the byte order mark.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The text with every [unsafe](is_unsafe) character written out (`\n`, `\x1b`, `\u{202e}`), for
/// terminals and for every format that does not escape such characters by itself.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) && (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if is_unsafe(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// What a program printed, made fit to be shown: as [`visible`], but a tab stays one, and each byte
/// that is not UTF-8 is written out (`\xff`).
#[must_use]
pub fn printed(bytes: &[u8]) -> Cow<'_, str> {
    let is_odd = |c: char| is_unsafe(c) && c != '\t';
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(is_odd)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for (n, part) in chunk.valid().split('\t').enumerate() {
            out.push_str(if n > 0 { "\t" } else { "" });
            out.push_str(&visible(part));
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

/// At most `limit` characters of the text, with `…` where something was left out.
#[must_use]
pub fn shortened(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
    }
}

/// What an id (of a cell, of an agent) may be, so that it is one harmless path component:
/// letters, digits, `.`, `_`, `-`; no leading `.`; 1 to `max` bytes.
///
/// # Errors
/// Says which of these rules the name breaks.
pub fn check_id(id: &str, max: usize) -> Result<(), String> {
    if id.is_empty() {
        return Err("it is empty".into());
    }
    if id.len() > max {
        return Err(format!("it is {} bytes long, more than {max}", id.len()));
    }
    if id.starts_with('.') {
        return Err("it begins with a dot".into());
    }
    match id
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
    {
        Some(c) => Err(format!(
            "{:?} is not allowed (letters, digits, `.`, `_` and `-` are)",
            c
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_text_are_written_out() {
        assert_eq!(from_bytes(b"ok"), "ok");
        assert_eq!(from_bytes(b"a\xffb\xc3"), "a\\xffb\\xc3");
        assert_eq!(from_bytes(b"a\\xff"), "a\\x5cxff");
        assert_eq!(from_bytes(b"a\\b"), "a\\b");
    }

    #[test]
    fn nothing_that_moves_a_cursor_or_turns_the_text_around_stays() {
        assert_eq!(
            visible("a\u{1b}[31mb\u{202e}\n\u{9b}"),
            "a\\x1b[31mb\\u{202e}\\n\\x9b"
        );
        for c in (0..0x3000).filter_map(char::from_u32) {
            let shown = visible(&c.to_string()).into_owned();
            assert!(!shown.chars().any(is_unsafe), "{c:?} came through");
        }
    }

    #[test]
    fn what_was_printed_keeps_its_tabs_and_nothing_else_that_is_odd() {
        assert_eq!(printed(b"a\tb \xc3\xa4"), "a\tb ä");
        assert_eq!(
            printed(b"\ta\x1b[2J\t\xff\r\x00\xc2\x9b"),
            "\ta\\x1b[2J\t\\xff\\r\\x00\\x9b"
        );
    }

    #[test]
    fn ids_are_single_safe_components() {
        for good in ["a", "portal-1", "A.b_c-9", &"x".repeat(255)] {
            assert_eq!(check_id(good, 255), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".x",
            "a/b",
            "a b",
            "é",
            "a\n",
            "a\0b",
            &"x".repeat(256),
        ] {
            assert!(check_id(bad, 255).is_err(), "{bad:?}");
        }
    }
}
