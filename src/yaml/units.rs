//! Durations and sizes as operators write them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Longer than this is a slip of the keyboard, and would make arithmetic on times meaningless.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// A duration in words (`90s`, `1h 30m`), or a bare number of seconds (`90`, `1.5`).
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn parse_duration_or_seconds(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(seconds) => from_seconds(seconds),
        Err(_) => humantime::parse_duration(text)
            .map_err(|e| format!("not a duration such as `90s` or `1h 30m`: {e}"))
            .and_then(bounded),
    }
}

fn from_seconds(seconds: f64) -> Result<Duration, String> {
    if seconds < 0.0 {
        return Err("a duration cannot be negative".into());
    }
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| "not a usable number of seconds".to_owned())
        .and_then(bounded)
}

fn bounded(duration: Duration) -> Result<Duration, String> {
    if duration > LONGEST {
        return Err("longer than a hundred years".into());
    }
    Ok(duration)
}

/// A size in bytes: `64KiB`, `100 MiB`, `1GB`, or a bare number.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size such as `64KiB` or `100MiB`");
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "tib" | "t" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("`{text}` is too large"))
}

/// A duration: text such as `90s`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// A duration: a number of seconds, whole or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

/// A size: text such as `64KiB`, or a number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

type Parse<T> = fn(&str) -> Result<T, String>;

/// Visits a number or, if it may be, a text.
struct Amount<T> {
    expecting: &'static str,
    number: fn(f64) -> Result<T, String>,
    text: Option<Parse<T>>,
}

impl<T> Visitor<'_> for Amount<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<T, E> {
        (self.number)(n as f64).map_err(E::custom)
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<T, E> {
        (self.number)(n as f64).map_err(E::custom)
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<T, E> {
        (self.number)(n).map_err(E::custom)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        match self.text {
            Some(parse) => parse(text).map_err(E::custom),
            None => Err(E::invalid_type(Unexpected::Str(text), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Amount {
            expecting: "a duration such as `90s` or `1h 30m`",
            number: |n| from_seconds(n).map(Span),
            text: Some(|text| parse_duration_or_seconds(text).map(Span)),
        })
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Amount {
            expecting: "a number of seconds",
            number: |n| from_seconds(n).map(Seconds),
            text: None,
        })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Amount {
            expecting: "a size such as `64KiB` or `100MiB`",
            number: |n| {
                // Whole numbers up to 2^53 are exact, which is enough for a file.
                if n >= 0.0 && n.fract() == 0.0 && n < 9e15 {
                    Ok(Size(n as u64))
                } else {
                    Err(format!("{n} is not a number of bytes"))
                }
            },
            text: Some(|text| parse_size(text).map(Size)),
        })
    }
}

macro_rules! schema {
    ($name:ident, $schema:tt) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

schema!(Span, {"type": ["string", "number"], "minimum": 0, "examples": ["90s", "1h 30m", 90]});
schema!(Seconds, {"type": "number", "minimum": 0});
schema!(Size, {"type": ["string", "integer"], "minimum": 0, "examples": ["64KiB", "100MiB"]});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("90", 90_000),
            ("1.5", 1500),
            ("90s", 90_000),
            ("1h 30m", 5_400_000),
            ("14d", 1_209_600_000),
            ("250ms", 250),
            ("0", 0),
            (" 3m ", 180_000),
        ] {
            let wanted = Duration::from_millis(millis);
            assert_eq!(parse_duration_or_seconds(text), Ok(wanted), "{text}");
        }
        for bad in [
            "",
            "-1",
            "-1s",
            "x",
            "90 parsecs",
            "nan",
            "inf",
            "1e300",
            "99999y",
            "s",
        ] {
            assert!(parse_duration_or_seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("64KiB", 65_536),
            ("100 MiB", 104_857_600),
            ("1GB", 1_000_000_000),
            ("7", 7),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "KiB",
            "1.5MiB",
            "-1",
            "1XB",
            "99999999TiB",
            "9999999999999999999999",
        ] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
