//! From what is written to a checked plan, with everything that is wrong told at its place.
//!
//! What is wrong is replaced by what is as good as not written, so that the rest is looked at too;
//! whoever calls must not use a plan with errors.

mod evidence;
mod situations;
mod steps;
mod text;
mod whom;

use std::time::Duration;

use super::raw::probes::RawProbe;
use super::raw::{RawApproval, RawLimits, RawNotify, RawOnExit, RawOnReport, RawPlan, RawWindow};
use super::types::{
    Approval, Backoff, Limits, Need, Notify, OnExit, OnReport, Plan, Probe, Source,
};
use super::window::{Recurring, Window, Wrong};
use crate::model::decision::Policy;
use crate::model::text::is_unsafe;
use crate::model::time::Timestamp;
use crate::yaml::units::Span;
use crate::yaml::{Many, Place, Problems, Spanned};

/// How long a plan's name may be.
const LONGEST_NAME: usize = 100;

/// A plan, and the places of what can only be checked beside other plans and the configuration.
pub(super) struct Checked {
    pub(super) plan: Plan,
    /// Of its name, or where it begins.
    pub(super) name_place: Place,
    /// Of each of its needs, in their order.
    pub(super) needs: Vec<Place>,
    /// The channels that it names.
    pub(super) channels: Vec<Spanned<String>>,
}

/// Whom templates speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Cells,
    Gateways,
}

struct Check<'c, 't> {
    file: &'c str,
    scope: Scope,
    /// Where the next item of the list begins whose items are looked at.
    next: Option<Place>,
    problems: &'c mut Problems<'t>,
}

/// Checks what is asked about a gateway of the configuration.
pub(crate) fn probes_of_gateway(
    raw: Vec<Spanned<RawProbe>>,
    problems: &mut Problems<'_>,
) -> Vec<Probe> {
    let mut check = Check {
        file: "",
        scope: Scope::Gateways,
        next: None,
        problems,
    };
    check.each(raw, Check::probe)
}

/// Checks one document that begins at a place; `stem` names a plan that has no name.
pub(super) fn check(
    raw: RawPlan,
    file: &str,
    stem: &str,
    start: Place,
    problems: &mut Problems<'_>,
) -> Checked {
    let gateways = raw.r#match.as_ref().is_some_and(|m| m.gateways.is_some());
    let scope = if gateways {
        Scope::Gateways
    } else {
        Scope::Cells
    };
    let mut check = Check {
        file,
        scope,
        next: None,
        problems,
    };
    let (name_place, name) = check.name(raw.name, stem, start);
    let probes = check.each(raw.probes.unwrap_or_default(), Check::probe);
    let policy_place = raw.policy.as_ref().map(|p| p.place);
    let policy = raw.policy.map_or(Policy::default(), |p| p.value);
    let steps_place = raw.steps.as_ref().map(|s| s.place);
    let written = raw.steps.map(|s| s.value).unwrap_or_default();
    if written.is_empty() && policy != Policy::Never {
        let place = steps_place.or(policy_place).unwrap_or(start);
        let word = policy.as_str();
        check.problems.error_with_help(
            place,
            format!("a plan with policy `{word}` needs steps"),
            Some("give it `steps`, or `policy: never` to be only told".to_owned()),
        );
    }
    check.one_spawn(&written);
    let steps = check.each(written, Check::step);
    let mut channels = Vec::new();
    let approval = check.approval(raw.approval.unwrap_or_default(), &mut channels);
    let notify = check.notify(raw.notify.unwrap_or_default(), &mut channels);
    let (needs, need_places) = check.needs(raw.needs.unwrap_or_default());
    let plan = Plan {
        name,
        description: raw.description,
        source: Source {
            file: file.to_owned(),
            line: start.line,
        },
        hash: String::new(),
        when: check.when(raw.when.unwrap_or_default(), !probes.is_empty()),
        matches: check.matches(raw.r#match.unwrap_or_default()),
        stale_after: check.above_zero(raw.stale_after),
        max_quiet: raw.max_quiet.map(|s| s.value.0),
        probes,
        policy,
        steps,
        limits: check.limits(raw.limits.unwrap_or_default()),
        on_exit: check.on_exit(raw.on_exit.unwrap_or_default()),
        on_report: check.on_report(raw.on_report.unwrap_or_default()),
        verify_within: check
            .above_zero(raw.verify.and_then(|v| v.within))
            .unwrap_or(Duration::from_secs(120)),
        approval,
        notify,
        needs,
        maintenance: raw
            .maintenance
            .unwrap_or_default()
            .into_iter()
            .filter_map(|window| check.window(window))
            .collect(),
        tests: raw
            .tests
            .unwrap_or_default()
            .into_iter()
            .filter_map(|test| check.test(test))
            .collect(),
    };
    let hash = super::show::hash(&plan);
    Checked {
        plan: Plan { hash, ..plan },
        name_place,
        needs: need_places,
        channels,
    }
}

impl Check<'_, '_> {
    /// The items of a list, each checked.
    fn each<T, U>(
        &mut self,
        items: Vec<Spanned<T>>,
        check: impl Fn(&mut Self, Spanned<T>) -> Option<U>,
    ) -> Vec<U> {
        let places: Vec<Place> = items.iter().map(|item| item.place).collect();
        let each = items.into_iter().enumerate().filter_map(|(at, item)| {
            self.next = places.get(at + 1).copied();
            check(self, item)
        });
        each.collect()
    }

    /// Tells that not exactly one of these is written, unless what is written has been told to be
    /// wrong.
    fn one_of(&mut self, what: &str, which: &str, place: Place, written: usize) {
        let told = written == 0 && self.problems.has_errors_within(place, self.next);
        if written != 1 && !told {
            let message = format!("a {what} is exactly one of {which}");
            self.problems.error(place, message);
        }
    }

    fn name(
        &mut self,
        written: Option<Spanned<String>>,
        stem: &str,
        start: Place,
    ) -> (Place, String) {
        let (place, name, whose) = match written {
            Some(Spanned { value, place }) => (place, value, "a name"),
            None => (
                start,
                stem.to_owned(),
                "the file's name is the plan's, which",
            ),
        };
        let wrong = if name.trim().is_empty() {
            Some("must not be empty".to_owned())
        } else if name.chars().any(is_unsafe) {
            Some("must not hold control characters".to_owned())
        } else if name.chars().count() > LONGEST_NAME {
            Some(format!("must not be longer than {LONGEST_NAME} characters"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.problems.error(place, format!("{whose} {wrong}"));
        }
        (place, name)
    }

    fn above_zero(&mut self, written: Option<Spanned<Span>>) -> Option<Duration> {
        let Spanned { value, place } = written?;
        self.problems.above_zero(place, value.0)
    }

    fn at_least_one(&mut self, written: Option<Spanned<u32>>) -> Option<u32> {
        let Spanned { value, place } = written?;
        self.problems.at_least_one(place, value)
    }

    fn limits(&mut self, raw: RawLimits) -> Limits {
        let default = Limits::default();
        let backoff = raw.backoff.unwrap_or_default();
        let factor = backoff.factor.and_then(|Spanned { value, place }| {
            // NaN is not at least 1 either.
            let good = (1.0..=1000.0).contains(&value);
            if !good {
                let message = "`factor` must be at least 1 and at most 1000";
                self.problems.error(place, message);
            }
            good.then_some(value)
        });
        let jitter = backoff.jitter.and_then(|Spanned { value, place }| {
            let good = (0.0..=1.0).contains(&value);
            if !good {
                let message = "`jitter` is a share: at least 0 and at most 1";
                self.problems.error(place, message);
            }
            good.then_some(value)
        });
        let initial = backoff.initial.map(|s| s.value.0);
        let initial = initial.unwrap_or(default.backoff.initial);
        let max = backoff.max.as_ref().map(|s| s.value.0);
        let max = max.unwrap_or(default.backoff.max);
        if max < initial {
            // One of the two is written, for the defaults are in order.
            let place = backoff.max.or(backoff.initial).map(|s| s.place);
            let (initial, max) = (exact(initial), exact(max));
            self.problems.error(
                place.unwrap_or(Place::START),
                format!("`max` ({max}) is less than `initial` ({initial})"),
            );
        }
        Limits {
            attempts: self.at_least_one(raw.attempts).unwrap_or(default.attempts),
            within: self.above_zero(raw.within).unwrap_or(default.within),
            backoff: Backoff {
                initial,
                factor: factor.unwrap_or(default.backoff.factor),
                max,
                jitter: jitter.unwrap_or(default.backoff.jitter),
            },
        }
    }

    fn exit_codes(&mut self, written: Option<Many<Spanned<i32>>>) -> Vec<Spanned<i32>> {
        let mut codes: Vec<Spanned<i32>> = Vec::new();
        for code in written.unwrap_or_default().0 {
            if !(0..=255).contains(&code.value) {
                let message = format!(
                    "an exit code lies between 0 and 255, {} does not",
                    code.value
                );
                self.problems.error(code.place, message);
            } else if !codes.iter().any(|c| c.value == code.value) {
                codes.push(code);
            }
        }
        codes
    }

    fn on_exit(&mut self, raw: RawOnExit) -> OnExit {
        let finished = self.exit_codes(raw.finished);
        let permanent = self.exit_codes(raw.permanent);
        for code in &permanent {
            if finished.iter().any(|c| c.value == code.value) {
                let message = format!(
                    "exit code {} cannot be both finished and permanent",
                    code.value
                );
                self.problems.error(code.place, message);
            }
        }
        let values = |codes: Vec<Spanned<i32>>| codes.into_iter().map(|c| c.value).collect();
        OnExit {
            finished: values(finished),
            permanent: values(permanent),
        }
    }

    fn on_report(&mut self, raw: RawOnReport) -> OnReport {
        let finished = raw.finished.unwrap_or_default().0;
        let tolerated = raw.tolerated.unwrap_or_default().0;
        for word in &tolerated {
            if finished.iter().any(|w| w.value == word.value) {
                let message = format!("`{}` cannot be both finished and tolerated", word.value);
                self.problems.error(word.place, message);
            }
        }
        OnReport {
            finished: unique(finished),
            tolerated: unique(tolerated),
        }
    }

    fn approval(&mut self, raw: RawApproval, all: &mut Vec<Spanned<String>>) -> Approval {
        let default = Approval::default();
        Approval {
            expires: self.above_zero(raw.expires).unwrap_or(default.expires),
            ask_again: raw.ask_again.map_or(default.ask_again, |s| s.value.0),
            channels: channels(raw.channels, all),
        }
    }

    fn notify(&mut self, raw: RawNotify, all: &mut Vec<Spanned<String>>) -> Notify {
        let mut on = Vec::new();
        for occasion in raw.on.unwrap_or_default().0 {
            if !on.contains(&occasion.value) {
                on.push(occasion.value);
            }
        }
        Notify {
            channels: channels(raw.channels, all),
            on,
            message: raw.message.map(|text| self.template(text)),
        }
    }

    fn needs(&mut self, written: Many<Spanned<String>>) -> (Vec<Need>, Vec<Place>) {
        let mut needs = Vec::new();
        let mut places = Vec::new();
        for Spanned { value, place } in written.0 {
            if let Some(kind) = self.need(&value, place) {
                needs.push(Need { text: value, kind });
                places.push(place);
            }
        }
        (needs, places)
    }

    fn window(&mut self, raw: Spanned<RawWindow>) -> Option<Window> {
        let place = raw.place;
        match raw.value {
            RawWindow {
                from: Some(from),
                until: Some(until),
                cron: None,
                r#for: None,
                timezone: None,
            } => {
                let until_place = until.place;
                let (from, until) = (self.time(from), self.time(until));
                let (from, until) = (from?, until?);
                if until <= from {
                    let message = "this window ends before it begins";
                    self.problems.error(until_place, message);
                    return None;
                }
                Some(Window::Once(from, until))
            }
            RawWindow {
                from: None,
                until: None,
                cron: Some(cron),
                r#for: Some(lasts),
                timezone,
            } => {
                let lasts = self.above_zero(Some(lasts))?;
                let zone = timezone.as_ref().map_or("UTC", |zone| &zone.value);
                match Recurring::new(&cron.value, lasts, zone) {
                    Ok(window) => Some(Window::Recurring(Box::new(window))),
                    Err(Wrong::Pattern(why)) => {
                        let message = format!("this is not a cron pattern: {why}");
                        self.problems.error(cron.place, message);
                        None
                    }
                    Err(Wrong::Zone(why)) => {
                        let place = timezone.map_or(place, |zone| zone.place);
                        let help = "a name of the IANA database, such as `Europe/Vienna`";
                        self.problems
                            .error_with_help(place, why, Some(help.to_owned()));
                        None
                    }
                }
            }
            _ => {
                let message = "a window is either `from` and `until`, or `cron` and `for` \
                               (with `timezone` if it is not UTC)";
                self.problems.error(place, message);
                None
            }
        }
    }

    fn time(&mut self, written: Spanned<String>) -> Option<Timestamp> {
        let time = Timestamp::parse(&written.value);
        if time.is_none() {
            let message = "this is not a time in RFC 3339, such as `2026-12-24T18:00:00Z`";
            self.problems.error(written.place, message);
        }
        time
    }
}

/// A duration as it would be written.
fn exact(duration: Duration) -> String {
    crate::model::time::exact(duration)
}

/// The texts in order, without repeats.
fn unique(written: Vec<Spanned<String>>) -> Vec<String> {
    let mut texts = Vec::new();
    for Spanned { value, .. } in written {
        if !texts.contains(&value) {
            texts.push(value);
        }
    }
    texts
}

/// The channels' names; each is also put to those whose names are to be looked up.
fn channels(written: Option<Many<Spanned<String>>>, all: &mut Vec<Spanned<String>>) -> Vec<String> {
    let written = written.unwrap_or_default().0;
    all.extend_from_slice(&written);
    unique(written)
}
