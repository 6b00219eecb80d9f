//! Scenarios: made-up worlds, written by an operator in YAML.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::core::view::GATEWAY;
use crate::model::condition::Condition;
use crate::model::time::Timestamp;
use crate::yaml::units::Span;
use crate::yaml::{self, Many, Place, Problem, Problems, Spanned};

/// A world that is made up, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// When it begins.
    pub start: Timestamp,
    /// How long it lasts.
    pub lasts: Duration,
    /// How often there is a run.
    pub every: Duration,
    /// What a human answers.
    pub approve: Approve,
    /// When there is no run: from when, for how long, both from the beginning.
    pub no_runs: Vec<(Duration, Duration)>,
    /// The subjects, by name.
    pub subjects: BTreeMap<String, Subject>,
}

/// One subject of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The labels of its cell.
    pub labels: BTreeMap<String, String>,
    /// Whether its cell is frozen.
    pub frozen: bool,
    /// When it goes down, in order of time.
    pub down: Vec<Down>,
    /// What the attempts of one incident do, in order; the last one stands for all that follow.
    pub attempt: Vec<Outcome>,
    /// How long after an attempt that works it beats again.
    pub recovers_after: Duration,
}

/// Once that it goes down.
#[derive(Clone, Debug, PartialEq)]
pub struct Down {
    /// From the beginning.
    pub at: Duration,
    /// What it is then.
    pub status: Condition,
    /// After how long it is back by itself; absent where only an attempt brings it back.
    pub lasts: Option<Duration>,
    /// What its process ended with.
    pub exit_code: Option<i32>,
    /// The last word of its heartbeat.
    pub report: Option<String>,
}

/// What an attempt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its steps succeed, and the subject is back.
    Works,
    /// A step fails.
    Fails,
    /// Its steps succeed, and the subject stays down.
    DoesNothing,
}

/// What a human answers to each question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approve {
    /// Nothing.
    #[default]
    Never,
    /// No, at once.
    Deny,
    /// Yes, after this long.
    After(#[serde(deserialize_with = "span")] Duration),
}

fn span<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Span::deserialize(deserializer).map(|span| span.0)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    start: Option<Spanned<String>>,
    r#for: Option<Spanned<Span>>,
    every: Option<Spanned<Span>>,
    approve: Option<Approve>,
    #[serde(default)]
    no_runs: Vec<RawSilence>,
    subjects: Spanned<Vec<RawSubject>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSilence {
    at: Span,
    r#for: Span,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSubject {
    name: Spanned<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    frozen: bool,
    #[serde(default)]
    down: Vec<RawDown>,
    attempt: Option<Spanned<Many<Outcome>>>,
    recovers_after: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDown {
    at: Span,
    status: Option<Spanned<Condition>>,
    r#for: Option<Span>,
    /// Again and again, at this distance, to the end.
    every: Option<Spanned<Span>>,
    exit_code: Option<Spanned<i32>>,
    report: Option<String>,
}

const DAY: Duration = Duration::from_secs(86_400);
/// More is a slip of the keyboard, and would not come to an end.
const MOST_SUBJECTS: usize = 100_000;
const MOST_RUNS: u128 = 1_000_000;

/// Reads a scenario: `None` where something must be mended. All that is wrong is told.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Option<Scenario>, Vec<Problem>) {
    let (document, mut problems) = match yaml::document(file, bytes, "a scenario") {
        Ok(found) => found,
        Err(problems) => return (None, problems),
    };
    if document.is_none() {
        problems.error(Place::START, "there is no scenario in this file");
    }
    let raw: Option<RawScenario> = document.and_then(|node| yaml::read(&node, &mut problems));
    let scenario = raw.and_then(|raw| check(raw, &mut problems));
    let scenario = scenario.filter(|_| !problems.has_errors());
    (scenario, problems.into_vec())
}

fn check(raw: RawScenario, problems: &mut Problems<'_>) -> Option<Scenario> {
    let mut start = Timestamp::from_secs(1_767_571_200);
    if let Some(written) = raw.start {
        match Timestamp::parse(&written.value) {
            Some(parsed) => start = parsed,
            None => problems.error(written.place, "not a time such as 2026-01-05T00:00:00Z"),
        }
    }
    let lasts = raw.r#for.as_ref().map_or(DAY, |s| s.value.0);
    let every = raw
        .every
        .as_ref()
        .map_or(Duration::from_secs(60), |s| s.value.0);
    if let Some(written) = raw.every.filter(|s| s.value.0 < Duration::from_secs(1)) {
        problems.error(written.place, "runs are a second apart at least");
        return None;
    }
    if let Some(written) = raw
        .r#for
        .filter(|s| s.value.0.as_millis() / every.as_millis() > MOST_RUNS)
    {
        problems.error(written.place, format!("that is more than {MOST_RUNS} runs"));
        return None;
    }
    let mut subjects = BTreeMap::new();
    let place = raw.subjects.place;
    for raw in raw.subjects.value {
        let names = expand(&raw.name, problems);
        let name_place = raw.name.place;
        let subject = check_subject(raw, lasts, problems);
        for name in names {
            if subjects.len() >= MOST_SUBJECTS {
                problems.error(
                    name_place,
                    format!("there are more than {MOST_SUBJECTS} subjects"),
                );
                return None;
            }
            if subjects.insert(name.clone(), subject.clone()).is_some() {
                problems.error(name_place, format!("{name} is there already"));
            }
        }
    }
    if subjects.is_empty() && !problems.has_errors() {
        problems.error(place, "a world without subjects shows nothing");
    }
    Some(Scenario {
        start,
        lasts,
        every,
        approve: raw.approve.unwrap_or_default(),
        no_runs: raw.no_runs.iter().map(|s| (s.at.0, s.r#for.0)).collect(),
        subjects,
    })
}

fn check_subject(raw: RawSubject, lasts: Duration, problems: &mut Problems<'_>) -> Subject {
    let mut down = Vec::new();
    for raw in raw.down {
        let status = raw.status.map(|s| (s.value, s.place));
        if let Some((Condition::Healthy, place)) = status {
            problems.error(place, "healthy is not down");
        }
        let exited = status.is_some_and(|(status, _)| status == Condition::Exited);
        if let (Some(code), false) = (&raw.exit_code, exited) {
            problems.error(code.place, "an exit code belongs to `status: exited`");
        }
        let one = Down {
            at: raw.at.0,
            status: status.map_or(Condition::Stale, |(status, _)| status),
            lasts: raw.r#for.map(|s| s.0),
            exit_code: raw.exit_code.map(|c| c.value),
            report: raw.report,
        };
        let Some(every) = raw.every else {
            down.push(one);
            continue;
        };
        if every.value.0 < Duration::from_secs(1) {
            problems.error(every.place, "that is too often");
            continue;
        }
        let mut at = one.at;
        while at < lasts {
            down.push(Down { at, ..one.clone() });
            at += every.value.0;
        }
    }
    down.sort_by_key(|d| d.at);
    let attempt = raw.attempt.map(|a| (a.value.0, a.place));
    if let Some((_, place)) = attempt.as_ref().filter(|(all, _)| all.is_empty()) {
        problems.error(
            *place,
            "say what an attempt does: works, fails or does_nothing",
        );
    }
    Subject {
        labels: raw.labels,
        frozen: raw.frozen,
        down,
        attempt: attempt.map_or_else(|| vec![Outcome::Works], |(all, _)| all),
        recovers_after: raw.recovers_after.map_or(Duration::from_secs(20), |s| s.0),
    }
}

/// The names that a name stands for: `a-{1..3}/x` is three.
fn expand(name: &Spanned<String>, problems: &mut Problems<'_>) -> Vec<String> {
    let text = &name.value;
    let bad = |problems: &mut Problems<'_>, message: &str| {
        problems.error(name.place, message);
        Vec::new()
    };
    let names = match (text.split_once('{'), text.contains('}')) {
        (None, false) => vec![text.clone()],
        (Some((before, rest)), true) => {
            let range = rest.split_once('}').and_then(|(range, after)| {
                let (from, to) = range.split_once("..")?;
                Some((from.parse::<u32>().ok()?, to.parse::<u32>().ok()?, after))
            });
            match range {
                Some((from, to, after)) if from <= to && (to - from) < 100_000 => {
                    (from..=to).map(|n| format!("{before}{n}{after}")).collect()
                }
                _ => return bad(problems, "not a range such as `portal-{1..100}/claude`"),
            }
        }
        _ => return bad(problems, "not a range such as `portal-{1..100}/claude`"),
    };
    let sound = |name: &String| match name.strip_prefix(GATEWAY) {
        Some(gateway) => !gateway.is_empty() && !gateway.contains('/'),
        None => name.split_once('/').is_some_and(|(cell, agent)| {
            !cell.is_empty() && !agent.is_empty() && !agent.contains('/')
        }),
    };
    if names.iter().all(sound) {
        return names;
    }
    bad(problems, "not a subject: CELL/AGENT or gateway:NAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the guide shows can be given as it stands.
    #[test]
    fn the_examples_of_the_guide_are_sound() {
        let guide = include_str!("../../docs/simulate.md");
        let blocks = guide.split("```yaml\n").skip(1);
        let blocks = blocks.filter_map(|block| block.split("```").next());
        let (mut scenarios, mut plans) = (0, 0);
        for block in blocks {
            if block.contains("subjects:") {
                let (scenario, problems) = parse("guide", block.as_bytes());
                assert!(problems.is_empty(), "{problems:?}");
                assert_eq!(scenario.unwrap().subjects.len(), 5);
                scenarios += 1;
            } else {
                let file = crate::plan::File {
                    name: "guide.yaml".into(),
                    text: block.as_bytes().to_vec(),
                };
                let (set, problems) = crate::plan::load(&[file], &crate::plan::Known::default());
                assert!(problems.is_empty(), "{problems:?}");
                assert_eq!(set.plans()[0].tests.len(), 1);
                plans += 1;
            }
        }
        assert_eq!((scenarios, plans), (1, 1));
    }

    #[test]
    fn ranges_stand_for_many_and_names_are_there_once() {
        let (scenario, _) = parse(
            "s",
            b"subjects: [{name: 'a-{8..11}/x'}, {name: 'gateway:g'}]",
        );
        let names: Vec<String> = scenario.unwrap().subjects.into_keys().collect();
        assert_eq!(names, ["a-10/x", "a-11/x", "a-8/x", "a-9/x", "gateway:g"]);
        for bad in [
            "[{name: a}]",
            "[{name: 'a-{1..}/x'}]",
            "[{name: 'a-{3..1}/x'}]",
            "[{name: 'a/x'}, {name: 'a/x'}]",
            "[{name: 'a/x', down: [{at: 1h, status: healthy}]}]",
            "[{name: 'a/x', down: [{at: 1h, exit_code: 1}]}]",
            "[{name: 'a/x', attempt: []}]",
            "[]",
        ] {
            let (scenario, problems) = parse("s", format!("subjects: {bad}").as_bytes());
            assert!(scenario.is_none() && !problems.is_empty(), "{bad}");
        }
    }
}
