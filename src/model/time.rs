//! Points in time and ages. All arithmetic saturates: no input can make it wrap or panic.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in wall-clock time: microseconds since 1970-01-01T00:00:00Z.
///
/// Serialized as RFC 3339 in UTC with microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From whole seconds since the epoch.
    #[must_use]
    pub fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From seconds since the epoch as a float; `None` where it is not finite. A value beyond
    /// what microseconds in 64 bits can hold becomes the nearest that they can.
    #[must_use]
    pub fn from_f64(secs: f64) -> Option<Self> {
        // `as` saturates, which is what is wanted for 1e300.
        secs.is_finite().then(|| Self((secs * 1e6).round() as i64))
    }

    /// From a system time, which may lie before the epoch.
    #[must_use]
    pub fn from_system(time: std::time::SystemTime) -> Self {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => Self(i64::try_from(after.as_micros()).unwrap_or(i64::MAX)),
            Err(before) => {
                Self(i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |m| -m))
            }
        }
    }

    /// From RFC 3339 text, such as `2026-11-21T10:30:45.5+01:00`; `None` where it is not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // RFC 3339 lets a space stand for the T, and demands an offset.
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|t| Self(t.as_microsecond()))
    }

    /// From the date of an HTTP header, such as `Sun, 06 Nov 1994 08:49:37 GMT`; `None` where it is
    /// not. The two older forms, which nobody sends any more, are not read.
    #[must_use]
    pub fn parse_http(text: &str) -> Option<Self> {
        let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
        Some(Self(date.timestamp().as_microsecond()))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch as a float.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// How long after `earlier` this is; zero where it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl Timestamp {
    /// This much earlier.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl Timestamp {
    /// As HTTP writes it (RFC 9110): `Sat, 21 Nov 2026 10:26:52 GMT`.
    #[must_use]
    pub fn http(self) -> String {
        self.nearest()
            .strftime("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    }

    /// Years beyond 9999 (a hostile heartbeat's) have no RFC 3339 form: the nearest that has.
    fn nearest(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.nearest())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not an RFC 3339 time")))
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Whole milliseconds, as events and reports have them.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration for people: `412 s`, `6m 52s`, `3h 5m`, `2d 4h`. Two units at most, truncated.
#[must_use]
pub fn human(duration: Duration) -> String {
    let secs = duration.as_secs();
    if secs == 0 && duration.subsec_millis() > 0 {
        return format!("{}ms", duration.subsec_millis());
    }
    let (d, h, m, s) = (secs / 86400, secs / 3600 % 24, secs / 60 % 60, secs % 60);
    let units = [(d, "d"), (h, "h"), (m, "m"), (s, "s")];
    let first = units.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    units[first..]
        .iter()
        .take(2)
        .filter(|(n, unit)| *n > 0 || (first == 3 && *unit == "s"))
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A duration as an operator would write it, nothing left out: `90s` is `1m 30s`.
#[must_use]
pub fn exact(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_in_both_directions() {
        let t = Timestamp::parse("2026-11-21T10:30:45.25+01:00").unwrap();
        assert_eq!(t.to_string(), "2026-11-21T09:30:45.250000Z");
        assert_eq!(Timestamp::parse("2026-11-21 09:30:45.25Z"), Some(t));
        for bad in [
            "",
            "2026-11-21",
            "2026-11-21T10:30:45",
            "1795240000",
            "x",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_of_http() {
        let t = Timestamp::parse_http("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(t.to_string(), "1994-11-06T08:49:37.000000Z");
        for bad in [
            "",
            "120",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Foo 1994 08:49:37 GMT",
        ] {
            assert_eq!(Timestamp::parse_http(bad), None, "{bad}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let far = Timestamp::from_f64(1e300).unwrap();
        assert_eq!(far.plus(Duration::MAX), far);
        assert_eq!(
            Timestamp::from_f64(-1e300).unwrap().since(far),
            Duration::ZERO
        );
        assert_eq!(Timestamp::from_f64(f64::NAN), None);
        assert!(!far.to_string().is_empty());
    }

    #[test]
    fn durations_for_people() {
        for (secs, text) in [
            (0, "0s"),
            (59, "59s"),
            (412, "6m 52s"),
            (3600, "1h"),
            (187_200, "2d 4h"),
        ] {
            assert_eq!(human(Duration::from_secs(secs)), text);
        }
        assert_eq!(human(Duration::from_millis(250)), "250ms");
    }
}
