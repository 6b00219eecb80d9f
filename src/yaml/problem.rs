//! What is wrong in a file, where, and how it is shown.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::excerpt::{WIDTH, excerpt, lines, mask};
use crate::model::text::visible;

/// More problems than this in one file tell nobody anything.
pub const MAX_PROBLEMS: usize = 100;

/// A place in a file. Both count from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Place {
    /// Where a file begins.
    pub const START: Place = Place { line: 1, column: 1 };
}

/// Whether a problem stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is done before it is mended.
    Error,
    /// Worth a look.
    Warning,
}

/// One thing that is wrong in a file, with all that is needed to show it; its texts are harmless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as the operator named it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// Whether it stops a run.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The offending line and how far in the caret stands; none where the line holds a secret.
    #[serde(skip)]
    excerpt: Option<(String, usize)>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{}:{}:{}: {severity}: {}",
            self.file, self.line, self.column, self.message
        )?;
        if let Some((line, caret)) = &self.excerpt {
            write!(f, "\n    {line}\n    {:caret$}^", "")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// One thing found wrong, before it is known which lines may be shown.
struct Found {
    place: Place,
    severity: Severity,
    message: String,
    help: Option<String>,
    secret: bool,
    /// How many characters of the line are shown from the place on.
    width: usize,
}

/// Collects what is wrong in one file, in any order.
pub struct Problems<'t> {
    file: String,
    lines: Vec<&'t str>,
    found: Vec<Found>,
    left_out: bool,
    secret_lines: Vec<(u32, u32)>,
}

impl<'t> Problems<'t> {
    /// None yet, of this file (as the operator named it) with this text.
    #[must_use]
    pub fn new(file: impl Into<String>, text: &'t str) -> Self {
        Self {
            file: file.into(),
            lines: lines(text),
            found: Vec::new(),
            left_out: false,
            secret_lines: Vec::new(),
        }
    }

    /// Something that must be mended.
    pub fn error(&mut self, place: Place, message: impl Into<String>) {
        self.add(place, Severity::Error, message.into(), None, false);
    }

    /// Something that must be mended, and how.
    pub fn error_with_help(
        &mut self,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.add(place, Severity::Error, message.into(), help, false);
    }

    /// The value, or a complaint where it is nothing.
    pub fn above_zero(&mut self, place: Place, value: Duration) -> Option<Duration> {
        if value.is_zero() {
            self.error(place, "this must be more than zero");
            return None;
        }
        Some(value)
    }

    /// The value, or a complaint where it is nothing.
    pub fn at_least_one(&mut self, place: Place, value: u32) -> Option<u32> {
        if value == 0 {
            self.error(place, "this must be at least 1");
            return None;
        }
        Some(value)
    }

    /// Something that must be mended about a key whose value nobody will read: it could be a
    /// secret, so the line is shown up to the key's end only.
    pub(super) fn key_error(&mut self, place: Place, key: &str, message: String) {
        let before = self.found.len();
        self.error(place, message);
        if let Some(added) = self.found.get_mut(before) {
            added.width = key.chars().count();
        }
    }

    /// Something that must be mended on a line that may not be shown.
    pub fn secret_error(&mut self, place: Place, message: impl Into<String>) {
        self.add(place, Severity::Error, message.into(), None, true);
    }

    /// Something that must be mended in bytes that are no text, so that there is no line to show
    /// or to check the place against.
    pub fn error_outside(&mut self, place: Place, message: impl Into<String>) {
        self.found.push(Found {
            place,
            severity: Severity::Error,
            message: message.into(),
            help: None,
            secret: true,
            width: WIDTH,
        });
    }

    /// How much must be mended, as far as it was kept.
    #[must_use]
    pub fn errors(&self) -> usize {
        let errors = self.found.iter();
        errors.filter(|p| p.severity == Severity::Error).count()
    }

    /// True where something must be mended from one place on, before the other.
    #[must_use]
    pub fn has_errors_within(&self, from: Place, until: Option<Place>) -> bool {
        self.found.iter().any(|p| {
            let within = from <= p.place && until.is_none_or(|until| p.place < until);
            within && p.severity == Severity::Error
        })
    }

    /// Something worth a look.
    pub fn warning(&mut self, place: Place, message: impl Into<String>) {
        self.add(place, Severity::Warning, message.into(), None, false);
    }

    /// These lines hold a secret: no problem on them, found before or after, shows its line.
    pub fn hide_lines(&mut self, first: u32, last: u32) {
        if !self.secret_lines.contains(&(first, last)) {
            self.secret_lines.push((first, last));
        }
    }

    /// There is more that is not told.
    pub(super) fn leave_out(&mut self) {
        self.left_out = true;
    }

    /// True where something must be mended.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|p| p.severity == Severity::Error)
    }

    /// True where no more would be kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX_PROBLEMS
    }

    fn add(
        &mut self,
        place: Place,
        severity: Severity,
        message: String,
        help: Option<String>,
        secret: bool,
    ) {
        if self.is_full() {
            self.left_out = true;
            // A warning must never hide that there is an error.
            if severity == Severity::Warning || self.has_errors() {
                return;
            }
        }
        self.found.push(Found {
            place: self.within(place),
            severity,
            message,
            help,
            secret,
            width: WIDTH,
        });
    }

    /// The place, moved into the text where it lies outside: at most one beyond a line's end.
    fn within(&self, place: Place) -> Place {
        // Files are bounded far below 2^32 lines or characters.
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let line = place.line.clamp(1, count(self.lines.len()).max(1));
        let length = self
            .lines
            .get(line as usize - 1)
            .map_or(0, |text| text.chars().count());
        let column = if place.line > line {
            count(length) + 1
        } else {
            place.column.clamp(1, count(length) + 1)
        };
        Place { line, column }
    }

    /// All of them, in order of their places.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|p| p.place);
        let last = self.found.last().map(|p| p.place);
        if let (true, Some(place)) = (self.left_out, last) {
            self.found.push(Found {
                place,
                severity: Severity::Warning,
                message: "there is more wrong in this file than is shown here".to_owned(),
                help: None,
                secret: true,
                width: WIDTH,
            });
        }
        let (lines, hidden) = (&self.lines, &self.secret_lines);
        // A line is looked through once, however many problems a file of one long line has.
        let mut masked: HashMap<u32, Vec<char>> = HashMap::new();
        let mut shown = |p: &Found| {
            let line = p.place.line;
            let secret = p.secret || hidden.iter().any(|(a, b)| (*a..=*b).contains(&line));
            let text = lines.get(line as usize - 1).filter(|_| !secret)?;
            let masked = masked.entry(line).or_insert_with(|| mask(text));
            Some(excerpt(masked, p.place.column as usize - 1, p.width))
        };
        self.found
            .iter()
            .map(|p| Problem {
                file: visible(&self.file).into_owned(),
                line: p.place.line,
                column: p.place.column,
                severity: p.severity,
                message: visible(&p.message).into_owned(),
                help: p.help.as_deref().map(|help| visible(help).into_owned()),
                excerpt: shown(p),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, line: u32, column: u32) -> String {
        let mut problems = Problems::new("f.yaml", text);
        problems.error(Place { line, column }, "bad");
        problems.into_vec()[0].to_string()
    }

    #[test]
    fn a_problem_has_its_place_its_line_and_a_caret() {
        let mut problems = Problems::new("f.yaml", "a: 1\nbb: x\n");
        let help = Some("did you mean `2`?".to_owned());
        problems.error_with_help(Place { line: 2, column: 5 }, "not a number", help);
        assert_eq!(
            problems.into_vec()[0].to_string(),
            "f.yaml:2:5: error: not a number\n    bb: x\n        ^\n  help: did you mean `2`?"
        );
    }

    #[test]
    fn places_are_moved_into_the_text() {
        assert_eq!(shown("ab", 9, 9), "f.yaml:1:3: error: bad\n    ab\n      ^");
        assert_eq!(shown("", 0, 0), "f.yaml:1:1: error: bad\n    \n    ^");
        assert_eq!(
            shown("a\rb\r\nc", 3, 1),
            "f.yaml:3:1: error: bad\n    c\n    ^"
        );
    }

    #[test]
    fn a_line_is_made_harmless_and_cut_around_the_caret() {
        assert_eq!(
            shown("a\u{1b}[1m: x", 1, 3),
            "f.yaml:1:3: error: bad\n    a\\x1b[1m: x\n         ^"
        );
        let long = format!("{}!{}", "x".repeat(5000), "y".repeat(5000));
        let text = shown(&long, 1, 5001);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].chars().count() < WIDTH + 10, "{text}");
        let caret = lines[2].chars().count() - 1;
        assert_eq!(lines[1].chars().nth(caret), Some('!'), "{text}");
    }

    #[test]
    fn secrets_are_never_shown() {
        for line in [
            "heartbeat_ping_ulr: https://hc-ping.com/SECRET",
            "u: \"https://me:SECRET@host/x\"",
            "bot_token: SECRET",
            "{password: SECRET, b: 1}",
            "u: https://h?q=SECRET",
        ] {
            let text = shown(line, 1, 1);
            assert!(!text.contains("SECRET"), "{text}");
        }
        let mut problems = Problems::new("f", "a: SECRET\nb: 1");
        problems.error(Place::START, "bad");
        problems.hide_lines(1, 1);
        assert_eq!(problems.into_vec()[0].to_string(), "f:1:1: error: bad");
    }

    #[test]
    fn there_is_an_end_to_problems_but_an_error_is_never_lost() {
        let mut problems = Problems::new("f", "");
        for _ in 0..500 {
            problems.warning(Place::START, "hm");
        }
        problems.error(Place::START, "bad");
        assert!(problems.has_errors());
        assert_eq!(problems.into_vec().len(), MAX_PROBLEMS + 2);
    }
}
