//! One heartbeat: from a file that an agent wrote to a value, or to the reason why not.

use std::borrow::Cow;
use std::num::NonZeroI32;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::Errno;
use serde_json::value::RawValue;

use super::cell::Scratch;
use super::json::{self, Words};
use crate::model::cell::{Code, Heartbeat, HeartbeatFact};
use crate::model::time::Timestamp;
use crate::sys::beneath::{self, Mounts, Small};

/// The largest heartbeat (and manifest) that is read.
pub const LARGEST: usize = 64 << 10;

/// Longer texts of an agent are shortened to this many characters.
const LONGEST_TEXT: usize = 128;

/// Reads a heartbeat beneath a cell.
pub(super) fn read(
    cell: impl AsFd,
    path: &str,
    scratch: &mut Scratch,
    mounts: Mounts,
) -> HeartbeatFact {
    read_owned(cell, path, scratch, mounts).0
}

/// As [`read`], with the owner of the file that was read; `None` where none was.
pub(super) fn read_owned(
    cell: impl AsFd,
    path: &str,
    scratch: &mut Scratch,
    mounts: Mounts,
) -> (HeartbeatFact, Option<u32>) {
    let mut owner = None;
    let fact = match beneath::read_small(cell, path, &mut scratch.file, mounts) {
        Ok(Small::Read(stat, length)) => {
            owner = Some(stat.st_uid);
            let time = |secs: i64, nanos: u64| {
                Timestamp::from_secs(secs).plus(Duration::from_nanos(nanos))
            };
            let written = time(stat.st_mtime, stat.st_mtime_nsec)
                .min(time(stat.st_ctime, stat.st_ctime_nsec));
            match parse(&scratch.file[..length], written, &mut scratch.words) {
                Ok(heartbeat) => HeartbeatFact::Seen(heartbeat),
                Err((code, why)) => HeartbeatFact::Unusable(code, why),
            }
        }
        Ok(Small::NotRegular(kind)) => HeartbeatFact::Unusable(
            Code::HeartbeatNotRegular,
            format!("it is {}, not a regular file", beneath::describe(kind)),
        ),
        Ok(Small::TooLarge(size)) => HeartbeatFact::Unusable(
            Code::HeartbeatTooLarge,
            format!("it has {size} bytes, more than {LARGEST}"),
        ),
        // A missing file, and a directory on its path that is missing or none.
        Err(Errno::NOENT | Errno::NOTDIR) => HeartbeatFact::Absent,
        Err(e @ (Errno::LOOP | Errno::NXIO | Errno::NODEV)) => HeartbeatFact::Unusable(
            Code::HeartbeatNotRegular,
            format!("it is not a regular file: {}", beneath::reason(e)),
        ),
        Err(e) => HeartbeatFact::Unreadable(beneath::reason(e)),
    };
    (fact, owner)
}

const FIELDS: [&str; 6] = ["timestamp", "quiet_for", "status", "cycle", "model", "pid"];

/// From a heartbeat's text to its value. Only `timestamp` is required; what else has a wrong type
/// is taken as absent.
///
/// # Errors
/// The reason's code and what exactly is wrong, without a word of the contents.
pub(super) fn parse(
    text: &[u8],
    written: Timestamp,
    words: &mut Words,
) -> Result<Heartbeat, (Code, String)> {
    let fields = match json::fields(text, &FIELDS) {
        Ok(fields) => fields,
        // Python writes NaN and Infinity, which JSON has no words for: then it is not the file
        // that is broken, but a number in it.
        Err(e) => match without_bare_words(text) {
            Some(mended) => return parse(&mended, written, words),
            None => return Err((Code::HeartbeatUnreadable, json::cause(&e))),
        },
    };
    let claimed = match fields.values[0] {
        None => return Err((Code::TimestampMissing, "it has no timestamp".into())),
        Some(raw) if raw.get() == "null" => {
            return Err((Code::TimestampMissing, "its timestamp is null".into()));
        }
        Some(raw) => timestamp(raw)?,
    };
    let quiet_for = fields
        .number(1)
        .filter(|n| *n > 0.0)
        .map_or(Duration::ZERO, |n| {
            // `as` saturates; how far it is believed is another's to say.
            Duration::from_secs(n as u64)
        });
    Ok(Heartbeat {
        claimed,
        written,
        quiet_for,
        status: fields.word(2, LONGEST_TEXT, words),
        cycle: fields
            .number(3)
            .filter(|n| n.fract() == 0.0)
            .map(|n| n as i64),
        model: fields.word(4, LONGEST_TEXT, words),
        pid: fields
            .number(5)
            .filter(|n| n.fract() == 0.0 && *n <= f64::from(i32::MAX))
            .and_then(pid),
    })
}

/// A pid that a process can have: `as` makes what is too small for one zero or negative.
fn pid(number: f64) -> Option<NonZeroI32> {
    NonZeroI32::new((number as i32).max(0))
}

/// Unix seconds, or RFC 3339 text.
fn timestamp(raw: &RawValue) -> Result<Timestamp, (Code, String)> {
    let invalid = |why: &str| Err((Code::TimestampInvalid, format!("its timestamp {why}")));
    let text = raw.get();
    if text.starts_with('"') {
        let parsed = serde_json::from_str::<Cow<'_, str>>(text)
            .ok()
            .and_then(|t| Timestamp::parse(&t));
        return parsed.map_or_else(|| invalid("is text that is no RFC 3339 time"), Ok);
    }
    if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        let parsed = json::number(raw).and_then(Timestamp::from_f64);
        return parsed.map_or_else(|| invalid("is a number that is not finite"), Ok);
    }
    invalid("is neither a number nor RFC 3339 text")
}

/// The text with each `NaN`, `Infinity` and `-Infinity` outside of strings made `1e999`, which is
/// JSON and no finite number; `None` where there is none of them.
fn without_bare_words(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut in_string, mut found) = (0, false, false);
    while at < text.len() {
        let rest = &text[at..];
        let word = [&b"NaN"[..], b"Infinity", b"-Infinity"]
            .into_iter()
            .find(|w| rest.starts_with(w));
        match (in_string, word) {
            (false, Some(word)) => {
                out.extend_from_slice(b"1e999");
                at += word.len();
                found = true;
                continue;
            }
            (true, _) if rest[0] == b'\\' => {
                out.extend_from_slice(&rest[..rest.len().min(2)]);
                at += 2;
                continue;
            }
            _ => {}
        }
        in_string ^= rest[0] == b'"';
        out.push(rest[0]);
        at += 1;
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<f64, Code> {
        parse(
            text.as_bytes(),
            Timestamp::from_secs(1),
            &mut Words::default(),
        )
        .map(|h| h.claimed.as_f64())
        .map_err(|e| e.0)
    }

    #[test]
    fn timestamps_of_every_kind() {
        for (text, want) in [
            (r#"{"timestamp": 12}"#, Ok(12.0)),
            (r#"{"timestamp": 12.5}"#, Ok(12.5)),
            (r#"{"timestamp": -3}"#, Ok(-3.0)),
            (r#"{"timestamp": 1.2e1}"#, Ok(12.0)),
            (r#"{"timestamp": "1970-01-01T00:00:12Z"}"#, Ok(12.0)),
            (r#"{"timestamp": "1970-01-01T01:00:12+01:00"}"#, Ok(12.0)),
            (r#"{"timestamp": 1, "timestamp": 12}"#, Ok(12.0)),
            ("{\"\\u0074imestamp\": 12}", Ok(12.0)),
            (
                r#"{"timestamp": 12, "status": 7, "model": [1], "cycle": "x", "pid": -1}"#,
                Ok(12.0),
            ),
            (r#"{"timestamp": 12, "load": NaN}"#, Ok(12.0)),
            (r#"{"timestamp": NaN}"#, Err(Code::TimestampInvalid)),
            (r#"{"timestamp": -Infinity}"#, Err(Code::TimestampInvalid)),
            (r#"{"timestamp": 1e400}"#, Err(Code::TimestampInvalid)),
            (r#"{"timestamp": "12"}"#, Err(Code::TimestampInvalid)),
            (r#"{"timestamp": true}"#, Err(Code::TimestampInvalid)),
            (r#"{"timestamp": [12]}"#, Err(Code::TimestampInvalid)),
            (r#"{"timestamp": null}"#, Err(Code::TimestampMissing)),
            ("{}", Err(Code::TimestampMissing)),
            ("", Err(Code::HeartbeatUnreadable)),
            ("[]", Err(Code::HeartbeatUnreadable)),
            ("12", Err(Code::HeartbeatUnreadable)),
            (r#"{"timestamp": 12"#, Err(Code::HeartbeatUnreadable)),
            (r#"{"timestamp": 12} x"#, Err(Code::HeartbeatUnreadable)),
            (
                r#"{"timestamp": 12, "s": "NaN}"#,
                Err(Code::HeartbeatUnreadable),
            ),
            (r#"{"timestamp": NaN NaN}"#, Err(Code::HeartbeatUnreadable)),
        ] {
            assert_eq!(at(text), want, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        for open in ["[", r#"{"a":"#] {
            let deep = format!(r#"{{"timestamp": 12, "x": {}"#, open.repeat(20_000));
            assert_eq!(at(&deep), Err(Code::HeartbeatUnreadable));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = parse(&bytes, Timestamp::from_secs(1), &mut Words::default());
        }

        #[test]
        fn nearly_right_texts_are_not_too_much(text in r#"\{"timestamp": ?([0-9eE+.-]{1,8}|NaN|"[^"]{0,9}"|null)[,}\]]{0,3}("status": ?"x")?\}?"#) {
            let _ = parse(text.as_bytes(), Timestamp::from_secs(1), &mut Words::default());
        }
    }
}
