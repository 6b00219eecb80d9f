//! `simulate`: plans are tried on what was, or on what is made up. It writes nothing.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::args::{Common, SimulateArgs};
use super::list::wants_json;
use super::setup::Setup;
use super::{Ending, compared, out};
use crate::model::event::Event;
use crate::model::exit::{Exit, Failure};
use crate::model::text::visible;
use crate::model::time::Timestamp;
use crate::sim::replay::{self, Replay};
use crate::sim::scenario::{self, Scenario};
use crate::sim::tally::{Counter, Tally};
use crate::sim::{Heard, Line, play};
use crate::yaml::MAX_FILE;

/// What a simulation came to.
pub(super) struct Simulated {
    /// What it was made of.
    pub(super) source: String,
    /// When it begins.
    pub(super) from: Timestamp,
    /// When it ends.
    pub(super) until: Timestamp,
    /// Under the plans in force.
    pub(super) in_force: Tally,
    /// Under the new ones.
    pub(super) new: Tally,
    /// What the new ones decided, run by run; empty where that was not asked for.
    pub(super) timeline: Vec<Line>,
}

/// Does it.
///
/// # Errors
/// There are no plans to try (64); configuration, plans or scenario are wrong (78); a file cannot
/// be read.
pub(super) fn simulate(common: &Common, args: &SimulateArgs) -> Result<Ending, Failure> {
    let json = wants_json(common, "simulate")?;
    if common.plans.is_empty() {
        let message = "simulate tries plans: name them with --plans";
        return Err(Failure::new(Exit::Usage, message));
    }
    let new = Setup::load(common, None)?.with_plans()?;
    let done = match &args.scenario {
        Some(file) => {
            let scenario = read_scenario(file)?;
            // Without --plans, the plans are those of the configuration.
            let bare = Common {
                plans: Vec::new(),
                ..common.clone()
            };
            let in_force = Setup::load(&bare, None)?.with_plans()?;
            of_scenario(file, &scenario, &in_force, &new, args.timeline)
        }
        None => of_journal(&args.journal, args, &new)?,
    };
    if json {
        out::json(&compared::document(&done, args.timeline))?;
    } else if !common.quiet {
        out::with(|to| compared::write(&done, args.timeline, to))?;
    }
    new.warnings.iter().for_each(out::warn_of);
    Ok(Exit::Healthy.into())
}

fn of_scenario(
    file: &Path,
    scenario: &Scenario,
    in_force: &Setup,
    new: &Setup,
    timeline: bool,
) -> Simulated {
    let until = scenario.start.plus(scenario.lasts);
    let mut ear = Ear::new(timeline);
    play::play(scenario, &new.rules(), &mut |heard| ear.hear(heard));
    let mut before = Ear::new(false);
    play::play(scenario, &in_force.rules(), &mut |heard| before.hear(heard));
    Simulated {
        source: format!("scenario {}", shown(file)),
        from: scenario.start,
        until,
        in_force: before.counter.finish(until),
        new: ear.counter.finish(until),
        timeline: ear.lines,
    }
}

fn of_journal(paths: &[PathBuf], args: &SimulateArgs, new: &Setup) -> Result<Simulated, Failure> {
    let events = read_journal(paths)?;
    let last = events.last().map_or(Timestamp::default(), |e| e.ts);
    let cut = args.since.map(|since| last.minus(since));
    let played = |event: &&Event| cut.is_none_or(|cut| event.ts >= cut);
    let from = events.iter().find(played).map_or(last, |e| e.ts);
    let rules = new.rules();
    let mut replay = Replay::new(&rules);
    let mut ear = Ear::new(args.timeline);
    let mut recorded = Counter::from(from);
    ear.counter = Counter::from(from);
    for event in &events {
        if played(&event) {
            recorded.hear(event);
            replay.next(event, &mut |heard| ear.hear(heard));
        } else {
            replay.before(event);
            recorded.before(event);
            ear.counter.before(event);
        }
    }
    replay.finish(&mut |heard| ear.hear(heard));
    Ok(Simulated {
        source: paths
            .iter()
            .map(|p| shown(p))
            .collect::<Vec<_>>()
            .join(", "),
        from,
        until: last,
        in_force: recorded.finish(last),
        new: ear.counter.finish(last),
        timeline: ear.lines,
    })
}

/// Hears a simulation and keeps what is asked for.
struct Ear {
    counter: Counter,
    timeline: bool,
    lines: Vec<Line>,
}

impl Ear {
    fn new(timeline: bool) -> Self {
        Self {
            counter: Counter::default(),
            timeline,
            lines: Vec::new(),
        }
    }

    fn hear(&mut self, heard: Heard<'_>) {
        match heard {
            Heard::Event(event) => self.counter.hear(event),
            Heard::Decision(line) if self.timeline => self.lines.push(line.clone()),
            Heard::Decision(_) => {}
        }
    }
}

fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}

fn unreadable(path: &Path, e: &std::io::Error) -> Failure {
    Failure::new(Exit::Config, format!("cannot read {}: {e}", shown(path)))
}

fn read_scenario(path: &Path) -> Result<Scenario, Failure> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|e| unreadable(path, &e))?;
    let (scenario, problems) = scenario::parse(&path.to_string_lossy(), &bytes);
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    scenario.ok_or_else(|| Failure::new(Exit::Config, texts.join("\n")))
}

/// All events of these parts, in the order of their numbers, each once.
fn read_journal(paths: &[PathBuf]) -> Result<Vec<Event>, Failure> {
    let mut all: BTreeMap<u64, Event> = BTreeMap::new();
    for path in paths {
        for part in parts(path)? {
            let bytes = std::fs::read(&part).map_err(|e| unreadable(&part, &e))?;
            let (events, bad) = replay::events(&bytes);
            if let Some(line) = bad.first() {
                out::warn(&format!(
                    "{}: {} line(s) are no events and are passed over, the first at line {line}",
                    shown(&part),
                    bad.len()
                ));
            }
            all.extend(events.into_iter().map(|event| (event.seq, event)));
        }
    }
    if all.is_empty() {
        let message = "there is no event in the journal: nothing can be replayed";
        return Err(Failure::new(Exit::Config, message));
    }
    Ok(all.into_values().collect())
}

/// The files that a path stands for: itself, or all parts of a state directory's journal.
fn parts(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| unreadable(path, &e))?;
    let is_part = |name: &str| name.starts_with("journal") && name.ends_with(".jsonl");
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|p| p.file_name().is_some_and(|n| is_part(&n.to_string_lossy())))
        .collect();
    found.sort();
    Ok(found)
}
