//! A made-up host: subjects that die, hang, lie, flap and recover, and a clock that is set.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plans::Laws;
use super::random::Random;
use crate::model::action::{Action, AttemptResult, Ended};
use crate::model::condition::Condition;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::sim::step::Made;
use crate::sim::world::{Being, World};

/// What an attempt for a subject does, and when that shows.
#[derive(Clone, Copy, Debug)]
enum Nature {
    Works,
    Fails,
    DoesNothing,
    Dies,
}

pub(super) struct Host {
    world: World,
    natures: BTreeMap<String, Nature>,
    /// When each is healthy again by an attempt, by the host's clock.
    heals: BTreeMap<String, Timestamp>,
    /// What the clock shows.
    pub(super) now: Timestamp,
    /// How many minutes have gone by, whatever the clock shows.
    pub(super) minutes: u64,
    /// By how many seconds it is off.
    off: i64,
    /// When the clock was last set, in minutes gone by.
    pub(super) clock_set: Option<u64>,
    /// So many minutes to come have no run.
    silent: u64,
    boots: u64,
    booted: u64,
    stormy: bool,
}

const DAY: i64 = 86_400;

impl Host {
    pub(super) fn new(laws: &Laws, random: &mut Random) -> Self {
        let now = Timestamp::from_secs(1_800_000_000);
        let mut host = Self {
            world: World::new(Duration::from_secs(180)),
            natures: BTreeMap::new(),
            heals: BTreeMap::new(),
            now,
            minutes: 0,
            clock_set: None,
            off: 0,
            silent: 0,
            boots: 1,
            booted: 0,
            stormy: random.one_in(3),
        };
        let n = random.one_of(&[2, 4, 6, 11]);
        for at in 0..n {
            let mut being = Being::new(Condition::Healthy, now);
            being.labels = [("kind".to_owned(), (at % 4).to_string())].into();
            // Two agents share a cell here and there; `a-1` sorts before `a/`.
            let name = match at % 5 {
                0 => format!("a/x{at}"),
                1 => format!("a-{at}/x"),
                _ => format!("c{at}/x"),
            };
            host.natures.insert(name.clone(), nature(random));
            host.world.set(name, being);
        }
        let gateway = laws
            .plans
            .plans()
            .iter()
            .any(|p| !p.needs.is_empty() || !p.matches.gateways.is_empty());
        if gateway {
            host.natures.insert("gateway:g".into(), nature(random));
            host.world
                .set("gateway:g", Being::new(Condition::Healthy, now));
        }
        host.world.boot_id = "boot-1".into();
        host
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.natures.keys().cloned().collect()
    }

    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.world.uptime = Some(Duration::from_secs(60 * (self.minutes - self.booted) + 30));
        self.world.snapshot(self.now)
    }

    /// Whether a run is made in this minute.
    pub(super) fn runs(&mut self, random: &mut Random, peace: bool) -> bool {
        if peace {
            return true;
        }
        if self.silent > 0 {
            self.silent -= 1;
            return false;
        }
        if random.one_in(300) {
            self.silent = random.one_of(&[1, 2, 5, 15]);
        }
        true
    }

    /// What happens in a minute.
    pub(super) fn minute(&mut self, random: &mut Random, peace: bool) {
        self.minutes += 1;
        self.now = self
            .now
            .plus(Duration::from_millis(59_500 + random.below(1000)));
        if !peace {
            self.disturb(random);
        }
        let due: Vec<String> = self
            .heals
            .iter()
            .filter(|(_, at)| **at <= self.now)
            .map(|(n, _)| n.clone())
            .collect();
        for name in due {
            if let Some(at) = self.heals.remove(&name) {
                self.becomes(&name, Condition::Healthy, at);
            }
        }
        for name in self.names() {
            self.live(&name, random, peace);
        }
        if !peace && random.one_in(900) {
            self.all_at_once(random);
        }
    }

    fn disturb(&mut self, random: &mut Random) {
        if random.one_in(if self.stormy { 120 } else { 700 }) {
            let by = random.one_of(&[2, -2, 300, -300, 3600, -3600, DAY, -DAY]);
            // Never more than a day off.
            if (self.off + by).abs() <= DAY {
                self.off += by;
                self.now = Timestamp::from_micros(self.now.as_micros() + by * 1_000_000);
                self.clock_set = Some(self.minutes);
            }
        }
        if random.one_in(1500) {
            self.boots += 1;
            self.booted = self.minutes;
            self.world.boot_id = format!("boot-{}", self.boots);
            self.all_at_once(random);
        }
    }

    /// A disk, the network, a reboot: many go down together.
    fn all_at_once(&mut self, random: &mut Random) {
        for name in self.names() {
            if !random.one_in(4) {
                self.becomes(&name, Condition::Stale, self.now);
            }
        }
    }

    fn live(&mut self, name: &str, random: &mut Random, peace: bool) {
        let Some(being) = self.world.get(name) else {
            if peace || random.one_in(10) {
                self.world
                    .set(name, Being::new(Condition::Healthy, self.now));
            }
            return;
        };
        let healthy = being.condition == Condition::Healthy && being.observed;
        if healthy && !peace && random.one_in(40) {
            self.fall(name, random);
        } else if !healthy && random.one_in(if peace { 30 } else { 60 }) {
            self.becomes(name, Condition::Healthy, self.now);
        } else if healthy {
            // It beats on, now and then with a clock of its own.
            let lies = random.one_in(20);
            let last = match lies {
                true => self.now.minus(Duration::from_secs(100)),
                false => self.now,
            };
            if random.one_in(8) {
                self.world.change(name, |b| b.beat = Some(last));
            }
        } else if !peace && random.one_in(200) {
            let look = !being.observed;
            self.world.change(name, |b| b.observed = look);
        }
        if !peace && random.one_in(900) {
            self.world.change(name, |b| b.frozen = !b.frozen);
        } else if peace {
            self.world.change(name, |b| {
                b.frozen = false;
                b.observed = true;
            });
        }
        // A gateway that is gone and comes back is back without a word in the journal.
        if !peace && random.one_in(1500) && !name.starts_with("gateway:") {
            self.world.remove(name);
        }
    }

    fn fall(&mut self, name: &str, random: &mut Random) {
        let gateway = name.starts_with("gateway:");
        match random.below(8) {
            // By its own timestamp it is dead for long, or will be only tomorrow.
            0 => self.becomes(
                name,
                Condition::Stale,
                self.now.minus(Duration::from_secs(5 * 3600)),
            ),
            1 => self.becomes(
                name,
                Condition::Stale,
                self.now.plus(Duration::from_secs(5 * 3600)),
            ),
            2 => {
                let code = random.one_of(&[0, 1, 1, 78]);
                let at = self.now.minus(Duration::from_secs(random.below(50)));
                self.exit(name, code, at);
            }
            3 => self.becomes(name, Condition::Uninitialized, self.now),
            4 => self.becomes(name, Condition::Incomplete, self.now),
            5 => self.world.change(name, |b| b.observed = false),
            6 => {
                let word = random.one_of(&["idle", "done", "thinking"]);
                self.becomes(name, Condition::Stale, self.now);
                self.world
                    .change(name, |b| b.report = Some(word.to_owned()));
            }
            _ => self.becomes(name, Condition::Stale, self.now),
        }
        if gateway {
            self.world.change(name, |b| b.condition = Condition::Dead);
        }
    }

    fn exit(&mut self, name: &str, code: i32, at: Timestamp) {
        self.becomes(name, Condition::Exited, at);
        let end = Ended {
            exit_code: Some(code),
            signal: None,
            at,
        };
        self.world.change(name, |b| b.ended = Some(end));
    }

    fn becomes(&mut self, name: &str, condition: Condition, since: Timestamp) {
        self.world.change(name, |b| {
            let (labels, frozen) = (std::mem::take(&mut b.labels), b.frozen);
            *b = Being {
                labels,
                frozen,
                ..Being::new(condition, since)
            };
        });
    }

    /// All are well from now on, and the host has long been up.
    pub(super) fn heal(&mut self) {
        self.heals.clear();
        self.clock_set = None;
        let kinds = self.names().into_iter().enumerate();
        for (at, name) in kinds {
            let mut being = Being::new(Condition::Healthy, self.now.plus(Duration::from_secs(1)));
            being.labels = [("kind".to_owned(), (at % 4).to_string())].into();
            self.world.set(name, being);
        }
    }

    /// Time passes, and nothing happens.
    pub(super) fn calm(&mut self, secs: u64) {
        self.now = self.now.plus(Duration::from_secs(secs));
        self.minutes += secs / 60;
    }

    /// One goes down and stays so.
    pub(super) fn strike(&mut self, name: &str) {
        self.becomes(name, Condition::Stale, self.now);
    }

    /// What an attempt does.
    pub(super) fn attempt(&mut self, random: &mut Random, action: &Action) -> Made {
        let took = Duration::from_millis(random.below(9000));
        let began = self.now.plus(Duration::from_millis(random.below(20)));
        let ended = began.plus(took);
        let name = &action.subject;
        if random.one_in(5) {
            self.natures.insert(name.clone(), nature(random));
        }
        let result = match self.natures.get(name) {
            Some(Nature::Fails) => AttemptResult::Failed,
            Some(Nature::Works) => {
                let late = Duration::from_secs(random.one_of(&[1, 20, 90, 1000]));
                self.heals.insert(name.clone(), ended.plus(late));
                AttemptResult::Ok
            }
            Some(Nature::Dies) => {
                self.exit(
                    name,
                    random.one_of(&[1, 78]),
                    ended.plus(Duration::from_millis(1)),
                );
                AttemptResult::Ok
            }
            _ => {
                if random.one_in(3) {
                    // A beat from before the attempt comes to light, and says nothing of it.
                    let before = began.minus(Duration::from_secs(5));
                    self.becomes(name, Condition::Healthy, before);
                }
                AttemptResult::Ok
            }
        };
        Made {
            began,
            // The run is killed while the attempt is under way.
            over: (!random.one_in(15)).then_some((ended, result)),
        }
    }
}

fn nature(random: &mut Random) -> Nature {
    random.one_of(&[
        Nature::Works,
        Nature::Works,
        Nature::Fails,
        Nature::DoesNothing,
        Nature::Dies,
    ])
}
