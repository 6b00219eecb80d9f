//! How often a subject may be revived, and when next.

use std::time::Duration;

use crate::model::state::Attempt;
use crate::model::time::Timestamp;
use crate::plan::types::{Backoff, Limits};

/// What a subject's attempts come to under its plan's limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// How many attempts lie in the window.
    pub used: u32,
    /// When one of them leaves the window, so that there may be another; `None` where there may be
    /// one now.
    pub free_at: Option<Timestamp>,
    /// When backoff lets the next one be made; `None` where it does not speak against it.
    pub due_at: Option<Timestamp>,
}

/// Holds a subject's attempts, oldest first, against the limits.
///
/// The window slides and knows no incidents: one good beat between two crashes refills nothing. An
/// attempt that lies in the future (the clock has gone back since) counts as one that was made just
/// now, or a clock that is set to and fro would refill the budget.
#[must_use]
pub fn budget(subject: &str, attempts: &[Attempt], limits: &Limits, now: Timestamp) -> Budget {
    let begins = now.minus(limits.within);
    let mut counted: Vec<&Attempt> = attempts.iter().filter(|a| a.at > begins).collect();
    counted.sort_by_key(|a| a.at);
    let used = u32::try_from(counted.len()).unwrap_or(u32::MAX);
    let allowed = usize::try_from(limits.attempts).unwrap_or(usize::MAX);
    let free_at = counted
        .len()
        .checked_sub(allowed)
        .and_then(|at| counted.get(at))
        .map(|oldest| oldest.at.plus(limits.within));
    let due_at = counted.last().and_then(|last| {
        let due = last.at.plus(delay(&limits.backoff, subject, last, used));
        (due > now).then_some(due)
    });
    Budget {
        used,
        free_at,
        due_at,
    }
}

/// The delay after the n-th attempt in the window, this being it. The jitter follows from the
/// subject, the incident and the attempt's number, so that everyone who asks gets the same instant.
fn delay(backoff: &Backoff, subject: &str, last: &Attempt, n: u32) -> Duration {
    let power = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = backoff.initial.as_secs_f64() * backoff.factor.powi(power);
    let most = backoff.max.as_secs_f64();
    // `min` also takes care of an infinite product.
    let plain = grown.min(most);
    let text = format!("{subject}\n{}\n{}", last.incident, last.number);
    let hash = crc32fast::hash(text.as_bytes());
    let share = f64::from(hash) / f64::from(u32::MAX) * 2.0 - 1.0;
    let seconds = plain * (1.0 + backoff.jitter * share);
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(backoff.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32, at: i64) -> Attempt {
        Attempt {
            number,
            incident: "i".into(),
            r#ref: format!("r{number}"),
            plan: "p".into(),
            plan_hash: "h".into(),
            at: Timestamp::from_secs(at),
            steps_over: 0,
            ended: None,
            result: None,
            verify_until: None,
            verify_ms: 0,
            window_ms: 0,
            canary: false,
            spawn_at: None,
            steps: 0,
            approval: None,
        }
    }

    fn limits() -> Limits {
        let mut limits = Limits::default();
        limits.backoff.jitter = 0.0;
        limits
    }

    fn at(attempts: &[Attempt], now: i64) -> (u32, Option<i64>, Option<i64>) {
        let secs = |t: Timestamp| t.as_micros() / 1_000_000;
        let b = budget("s", attempts, &limits(), Timestamp::from_secs(now));
        (b.used, b.free_at.map(secs), b.due_at.map(secs))
    }

    #[test]
    fn the_window_slides_and_gives_back_one_attempt_at_a_time() {
        let attempts = [attempt(1, 1000), attempt(2, 1100), attempt(3, 1400)];
        assert_eq!(at(&attempts[..1], 1000), (1, None, Some(1030)));
        assert_eq!(at(&attempts[..1], 1030), (1, None, None));
        assert_eq!(at(&attempts[..2], 1100), (2, None, Some(1160)));
        assert_eq!(at(&attempts, 1500), (3, Some(4600), Some(1520)));
        assert_eq!(at(&attempts, 4599), (3, Some(4600), None));
        assert_eq!(at(&attempts, 4600), (2, None, None));
        assert_eq!(at(&attempts, 9000), (0, None, None));
    }

    #[test]
    fn attempts_in_the_future_still_count() {
        let attempts = [attempt(1, 5000), attempt(2, 5100), attempt(3, 5400)];
        assert_eq!(at(&attempts, 1000), (3, Some(8600), Some(5520)));
    }

    #[test]
    fn a_delay_grows_to_its_limit_and_no_number_breaks_it() {
        let plain = |n| delay(&limits().backoff, "s", &attempt(n, 0), n).as_secs();
        assert_eq!(
            [1, 2, 3, 6, 99, u32::MAX].map(plain),
            [30, 60, 120, 900, 900, 900]
        );
    }

    #[test]
    fn the_jitter_stays_in_its_bounds_and_is_the_same_for_all() {
        let backoff = Limits::default().backoff;
        let mut seen = std::collections::BTreeSet::new();
        for n in 1..200 {
            let d = delay(&backoff, "s", &attempt(n, 0), 1);
            assert_eq!(d, delay(&backoff, "s", &attempt(n, 0), 1));
            assert!((27.0..=33.0).contains(&d.as_secs_f64()), "{d:?}");
            seen.insert(d.as_millis());
        }
        assert!(seen.len() > 100, "no two alike: {}", seen.len());
    }
}
