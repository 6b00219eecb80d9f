//! Maintenance windows: once, or again and again by a clock on some wall.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::model::time::Timestamp;

/// A time in which nothing is revived.
#[derive(Clone, Debug)]
pub enum Window {
    /// Once: from the first moment until the second, which is outside.
    Once(Timestamp, Timestamp),
    /// Again and again.
    Recurring(Box<Recurring>),
}

/// A window that comes again and again.
#[derive(Clone, Debug)]
pub struct Recurring {
    pattern: String,
    cron: Cron,
    lasts: Duration,
    zone_name: String,
    zone: TimeZone,
}

/// What is wrong with a window that is to come again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The pattern.
    Pattern(String),
    /// The time zone.
    Zone(String),
}

impl Recurring {
    /// A window that begins whenever the pattern of five fields (minute, hour, day of month,
    /// month, day of week) matches the clock of the zone, and lasts that long by any clock.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn new(pattern: &str, lasts: Duration, zone: &str) -> Result<Self, Wrong> {
        let cron = parsed(pattern).map_err(Wrong::Pattern)?;
        let timezone = match zone {
            "UTC" => TimeZone::UTC,
            // The host's data first, which is kept up to date; it may be there only in part.
            _ => TimeZone::get(zone)
                .or_else(|_| TimeZoneDatabase::bundled().get(zone))
                .map_err(|_| Wrong::Zone(format!("the time zone `{zone}` is not known")))?,
        };
        let recurring = Self {
            pattern: pattern.to_owned(),
            cron,
            lasts,
            zone_name: zone.to_owned(),
            zone: timezone,
        };
        // From some day: leap days and fifth Fridays come within the next three thousand years.
        let day = Timestamp::from_secs(1_767_225_600);
        match recurring.starts_after(day) {
            Some(_) => Ok(recurring),
            None => Err(Wrong::Pattern("it never comes".to_owned())),
        }
    }

    /// As written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// How long it lasts each time.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    /// The name of the time zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        let at = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }

    /// The last time that it began, now or before.
    fn started(&self, now: Timestamp) -> Option<Timestamp> {
        let start = self.cron.find_previous_occurrence(&self.zoned(now)?, true);
        let start = Timestamp::from_micros(start.ok()?.timestamp().as_microsecond());
        (start <= now).then_some(start)
    }

    fn starts_after(&self, now: Timestamp) -> Option<Timestamp> {
        let start = self.cron.find_next_occurrence(&self.zoned(now)?, false);
        let start = Timestamp::from_micros(start.ok()?.timestamp().as_microsecond());
        (start > now).then_some(start)
    }
}

fn parsed(pattern: &str) -> Result<Cron, String> {
    let fields = pattern.split_whitespace().count();
    if fields != 5 && !pattern.starts_with('@') {
        return Err(format!(
            "it has five fields (minute, hour, day of month, month, day of week), not {fields}"
        ));
    }
    // No text that is not ASCII has a meaning in it.
    if !pattern.is_ascii() || pattern.len() > 200 {
        return Err("it is not such as `0 3 * * SUN`".to_owned());
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser.parse(pattern).map_err(|e| e.to_string())
}

impl Window {
    /// The end of the window that `now` lies in; `None` where it lies in none. Of one that begins
    /// again before it has ended, the end of the last that began.
    #[must_use]
    pub fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Window::Once(from, until) => (*from <= now && now < *until).then_some(*until),
            Window::Recurring(window) => {
                let end = window.started(now)?.plus(window.lasts);
                (now < end).then_some(end)
            }
        }
    }

    /// When it begins next, after `now`; `None` where it never does.
    #[must_use]
    pub fn starts_next(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Window::Once(from, _) => (now < *from).then_some(*from),
            Window::Recurring(window) => window.starts_after(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn window(pattern: &str, minutes: u64, zone: &str) -> Window {
        let lasts = Duration::from_secs(minutes * 60);
        Window::Recurring(Box::new(Recurring::new(pattern, lasts, zone).unwrap()))
    }

    #[test]
    fn once() {
        let window = Window::Once(at("2026-01-05T12:00:00Z"), at("2026-01-05T13:00:00Z"));
        assert_eq!(window.ends(at("2026-01-05T11:59:59.9Z")), None);
        assert_eq!(
            window.ends(at("2026-01-05T12:00:00Z")),
            Some(at("2026-01-05T13:00:00Z"))
        );
        assert_eq!(window.ends(at("2026-01-05T13:00:00Z")), None);
        assert_eq!(
            window.starts_next(at("2026-01-05T11:00:00Z")),
            Some(at("2026-01-05T12:00:00Z"))
        );
        assert_eq!(window.starts_next(at("2026-01-05T12:00:00Z")), None);
    }

    #[test]
    fn every_sunday_by_the_clock_of_a_place() {
        let window = window("0 3 * * SUN", 60, "Europe/Vienna");
        // Winter: one hour ahead of UTC; summer: two.
        for (inside, end) in [
            ("2026-01-04T02:00:00Z", "2026-01-04T03:00:00Z"),
            ("2026-01-04T02:59:59.999999Z", "2026-01-04T03:00:00Z"),
            ("2026-07-05T01:30:00.5Z", "2026-07-05T02:00:00Z"),
        ] {
            assert_eq!(window.ends(at(inside)), Some(at(end)), "{inside}");
        }
        for outside in [
            "2026-01-04T01:59:59.9Z",
            "2026-01-04T03:00:00Z",
            "2026-01-05T02:30:00Z",
        ] {
            assert_eq!(window.ends(at(outside)), None, "{outside}");
        }
        let next = window.starts_next(at("2026-01-04T02:00:00Z"));
        assert_eq!(next, Some(at("2026-01-11T02:00:00Z")));
    }

    #[test]
    fn a_start_that_the_clock_skips_comes_when_it_goes_on() {
        // On 2026-03-29 Vienna's clock goes from 02:00 to 03:00, at 01:00 UTC.
        let window = window("30 2 * * *", 60, "Europe/Vienna");
        assert_eq!(window.ends(at("2026-03-29T00:59:59Z")), None);
        assert_eq!(
            window.ends(at("2026-03-29T01:10:00Z")),
            Some(at("2026-03-29T02:00:00Z"))
        );
        assert_eq!(
            window.starts_next(at("2026-03-29T00:00:00Z")),
            Some(at("2026-03-29T01:00:00Z"))
        );
    }

    #[test]
    fn a_start_that_the_clock_shows_twice_comes_once() {
        // On 2026-10-25 Vienna's clock shows 02:30 at 00:30 and again at 01:30 UTC.
        let window = window("30 2 * * *", 30, "Europe/Vienna");
        assert_eq!(
            window.ends(at("2026-10-25T00:45:00Z")),
            Some(at("2026-10-25T01:00:00Z"))
        );
        assert_eq!(window.ends(at("2026-10-25T01:40:00Z")), None);
    }

    #[test]
    fn a_window_that_overlaps_itself_goes_on() {
        let window = window("0 * * * *", 90, "UTC");
        assert_eq!(
            window.ends(at("2026-01-05T12:10:00Z")),
            Some(at("2026-01-05T13:30:00Z"))
        );
    }

    #[test]
    fn what_is_no_window() {
        let wrong = |pattern: &str, zone: &str| {
            Recurring::new(pattern, Duration::from_secs(60), zone).unwrap_err()
        };
        for bad in [
            "",
            "* * * *",
            "0 0 3 * * SUN",
            "61 * * * *",
            "x * * * *",
            "0 0 30 2 *",
            "@never",
            "ü * * * *",
        ] {
            assert!(matches!(wrong(bad, "UTC"), Wrong::Pattern(_)), "{bad}");
        }
        assert!(matches!(wrong("* * * * *", "Europe/Wien"), Wrong::Zone(_)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is written and whatever the clock says: an answer, soon, that holds together.
        #[test]
        fn no_input_makes_it_hang_or_panic(
            pattern in "[0-9*/,A-Z#?@LW-]{1,6}( [0-9*/,LW#-]{1,4}){4}",
            micros in any::<i64>(),
        ) {
            let lasts = Duration::from_secs(3600);
            if let Ok(window) = Recurring::new(&pattern, lasts, "America/New_York") {
                let window = Window::Recurring(Box::new(window));
                let now = Timestamp::from_micros(micros);
                prop_assert!(window.ends(now).is_none_or(|end| end > now));
                prop_assert!(window.starts_next(now).is_none_or(|start| start > now));
            }
        }
    }
}
