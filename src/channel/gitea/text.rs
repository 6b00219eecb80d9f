//! What is written on Gitea, and how it is found again. Names and words in it are by agents: they
//! open no link, call nobody, refer to nothing, and leave no place that they were put in.

use std::fmt::Write as _;

use crate::channel::fit::fitted;
use crate::model::channel::{Message, Occasion};
use crate::model::text::{is_unsafe, shortened};

/// As many characters may a title have: Gitea takes 255.
const MOST_TITLE: usize = 200;

/// As long may a message be, in bytes.
const MOST_TEXT: usize = 32 << 10;

/// What begins every hidden marker.
const MARK: &str = "<!-- lazarus-pit:";

/// The hidden marker of an incident: by it, its issue is found again.
pub(super) fn incident_marker(message: &Message) -> Option<String> {
    let incident = message.incident.as_deref()?;
    let (host, subject) = (
        &message.host,
        message.subject.as_deref().unwrap_or_default(),
    );
    let [incident, host, subject] = [incident, host, subject].map(plain);
    Some(format!(
        "{MARK}incident {incident} host {host} subject {subject} -->"
    ))
}

/// The part of such a marker that the issues of one subject have in common, whatever the incident.
pub(super) fn subject_marker(message: &Message) -> Option<String> {
    let subject = plain(message.subject.as_deref()?);
    Some(format!(
        " host {} subject {subject} -->",
        plain(&message.host)
    ))
}

/// The hidden marker of a message: by it, a comment is found again whose answer was lost.
pub(super) fn message_marker(id: &str) -> String {
    format!("{MARK}message {} -->", plain(id))
}

/// True for a text that is ours, by its beginning.
pub(super) fn is_marked(body: &str) -> bool {
    body.starts_with(MARK)
}

/// True where a line of a text's head, which is ours alone, is this marker, or ends with this part of
/// one.
pub(super) fn has_marker(body: &str, marker: &str) -> bool {
    let head = body.lines().take_while(|line| line.starts_with(MARK));
    head.map(str::trim_end).any(|line| line.ends_with(marker))
}

/// A text of letters, digits and few signs; all others are written as `%XX`, so that it can end no
/// comment, and no two texts become the same.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let keep = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'/');
        // Two of these in a row are not allowed in a comment of HTML.
        let dash = byte == b'-' && !out.ends_with('-');
        match keep || dash {
            true => out.push(char::from(byte)),
            false => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// An issue's title. No Markdown is read in one, but it can call people and refer to issues.
pub(super) fn title(message: &Message) -> String {
    let flat = message
        .title
        .chars()
        .map(|c| if is_unsafe(c) { ' ' } else { c });
    let flat: String = flat.collect();
    let mut out = String::with_capacity(flat.len());
    let mut chars = flat.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        let apart = match (c, chars.peek()) {
            ('@' | '#' | '!', Some(next)) => !next.is_whitespace(),
            // A URL of an issue refers to it.
            (':', Some('/')) => true,
            _ => false,
        };
        if apart {
            out.push(' ');
        }
    }
    format!("[pool] {}", shortened(out.trim(), MOST_TITLE))
}

/// A comment's body: its marker, the title, the text as it is, and how to answer.
pub(super) fn body(message: &Message, head: &[String]) -> String {
    let mut out = String::new();
    for marker in head {
        out.push_str(marker);
        out.push('\n');
    }
    let title = escaped(&message.title);
    let _ = write!(out, "\n**{title}**\n");
    let (text, closing) = message.parts();
    let block = |out: &mut String, text: &str| {
        if !text.trim().is_empty() {
            let text = fitted(text, MOST_TEXT, char::len_utf8);
            let _ = write!(out, "\n{}\n", fenced(&text));
        }
    };
    block(&mut out, text);
    if let (Occasion::Asked, Some(question)) = (message.occasion, &message.question) {
        let name = inline(&question.subject);
        let _ = write!(
            out,
            "\nAnswer with a comment here: `/revive` or `/skip`. Where several agents are asked about \
             here, name the one: `/revive` {name}\n"
        );
    }
    block(&mut out, closing);
    out
}

/// A text in one line of Markdown that shows just it: whatever could mean something is escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.trim().chars() {
        match c {
            // Entities: neither Markdown nor what looks for names and numbers reads them.
            '@' | '#' | '!' | '<' | '>' | '&' | ':' | '/' | '.' | '-' | '+' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c if is_unsafe(c) => out.push(' '),
            c if c.is_ascii_punctuation() => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A text as a block of code, which it cannot leave: its fence is longer than any in it.
fn fenced(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if is_unsafe(c) && c != '\n' { ' ' } else { c })
        .collect();
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}text\n{}\n{fence}", text.trim_end())
}

/// A text as code within a line, the same.
fn inline(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if is_unsafe(c) { ' ' } else { c })
        .collect();
    let fence = "`".repeat(longest_run(&text) + 1);
    format!("{fence} {text} {fence}")
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// What an issue or a comment is called in the state: `OWNER/REPO#NUMBER` or
/// `OWNER/REPO#NUMBER-COMMENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) number: u64,
    pub(super) comment: Option<u64>,
}

impl Receipt {
    /// Of this repository, as text.
    pub(super) fn text(self, repo: &str) -> String {
        match self.comment {
            None => format!("{repo}#{}", self.number),
            Some(comment) => format!("{repo}#{}-{comment}", self.number),
        }
    }

    /// From text; `None` where it is none, or one of another repository.
    pub(super) fn parse(text: &str, repo: &str) -> Option<Self> {
        let (of, rest) = text.split_once('#')?;
        let (number, comment) = match rest.split_once('-') {
            None => (rest, None),
            Some((number, comment)) => (number, Some(comment.parse().ok()?)),
        };
        let number = number.parse().ok()?;
        of.eq_ignore_ascii_case(repo)
            .then_some(Self { number, comment })
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
