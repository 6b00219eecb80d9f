//! The part of an offending line that may be shown.

use crate::model::text::{shortened, visible};

/// How much of an offending line is shown.
pub(super) const WIDTH: usize = 100;

/// The lines of a text as YAML counts them: after `\n`, `\r\n` and a lone `\r`.
pub(super) fn lines(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        out.push(&rest[..at]);
        let two = rest[at..].starts_with("\r\n");
        rest = &rest[at + 1 + usize::from(two)..];
    }
    out.push(rest);
    out
}

/// The part of the line around the column (from 0), made harmless, and where the caret stands.
pub(super) fn excerpt(line: &[char], column: usize, width: usize) -> (String, usize) {
    let column = column.min(line.len());
    let start = if line.len() <= WIDTH {
        0
    } else {
        column.saturating_sub(WIDTH * 2 / 3)
    };
    let before: String = line[start..column].iter().collect();
    let after: String = line[column..].iter().take(width + 1).collect();
    let cut = if start > 0 { "…" } else { "" };
    let before = format!("{cut}{}", visible(&before));
    let caret = before.chars().count();
    let room = WIDTH.saturating_sub(column - start).clamp(1, width.max(1));
    let after = visible(&shortened(&after, room)).into_owned();
    ((before + &after).trim_end().to_owned(), caret)
}

/// Hides what is likely to be a secret even where the line could not be understood: what follows
/// the host in a URL and what follows a key that speaks of one. Character by character, so that
/// the caret stays where it is.
pub(super) fn mask(line: &str) -> Vec<char> {
    let lower = line.to_ascii_lowercase();
    let mut hide = vec![false; line.len()];
    for word in [
        "token",
        "secret",
        "passw",
        "api_key",
        "apikey",
        "credential",
        "authorization",
        "topic",
        "key:",
        "key\"",
        "key'",
    ] {
        let Some(at) = lower.find(word) else { continue };
        if let Some(colon) = line[at..].find([':', '=']) {
            hide[at + colon + 1..].fill(true);
        }
    }
    if let Some(at) = lower.find("nsec1") {
        hide[at..].fill(true);
    }
    let mut from = 0;
    while let Some(at) = line[from..].find("://").map(|at| from + at + 3) {
        let end = line[at..]
            .find([' ', '\t', '"', '\''])
            .map_or(line.len(), |n| at + n);
        // What stands before an @ is a user's name and password.
        let host = line[at..end].find('@').map_or(at, |_| end);
        let path = line[at..end]
            .find(['/', '?', '#'])
            .map_or(end, |n| at + n + 1);
        hide[if host == end { at } else { path.min(end) }..end].fill(true);
        from = end;
    }
    line.char_indices()
        .map(|(at, c)| match hide[at] {
            true if !c.is_whitespace() => '*',
            _ => c,
        })
        .collect()
}
