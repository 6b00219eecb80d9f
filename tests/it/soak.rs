//! A day in the life of a fleet, compressed: hundreds of runs, between them agents that die and
//! recover and cells that come, go and break; some runs are killed. A model says, after each run
//! that was completed, which incidents must be open.
//!
//! What happens follows from a seed, which is printed; `SOAK_SEED` sets it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::store::{journal, state, state_is_the_journal};
use crate::world::{NOBODY, World, canonical_manifest, mode};

/// How many runs must be completed.
const RUNS: usize = 160;

/// xorshift64*: few lines, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How a cell stands in the world.
#[derive(Clone, Debug)]
struct Cell {
    canonical: bool,
    there: bool,
    /// `chmod 0`: an ordinary user cannot look at it.
    locked: bool,
    /// A required directory is missing.
    torn: bool,
    /// The manifest is no JSON.
    broken: bool,
    lifecycle: &'static str,
    /// Whether each agent's last beat is a recent one.
    well: BTreeMap<&'static str, bool>,
}

impl Cell {
    fn new(canonical: bool) -> Self {
        let agents: &[_] = if canonical { &["x", "y"] } else { &["main"] };
        Self {
            canonical,
            there: true,
            locked: false,
            torn: false,
            broken: false,
            lifecycle: "active",
            well: agents.iter().map(|agent| (*agent, true)).collect(),
        }
    }

    /// The subjects that a look finds, and whether each is healthy; `None` where a look tells
    /// nothing.
    fn seen(&self, id: &str) -> Option<BTreeMap<String, bool>> {
        if !self.there {
            return Some(BTreeMap::new());
        }
        if self.locked {
            return None;
        }
        if self.broken && self.canonical {
            // Nobody knows its agents; the cell stands for them.
            return Some(BTreeMap::from([(id.to_owned(), false)]));
        }
        // A foundation manifest is optional: broken, it says nothing.
        let says = if self.broken {
            "active"
        } else {
            self.lifecycle
        };
        if says == "archived" {
            return Some(BTreeMap::new());
        }
        let subject =
            |(agent, well): (&&str, &bool)| (format!("{id}/{agent}"), *well && !self.torn);
        Some(self.well.iter().map(subject).collect())
    }
}

/// What must be open, and what must have been opened and closed, by the end.
#[derive(Default)]
struct Model {
    open: BTreeSet<String>,
    opened: BTreeMap<String, u32>,
    closed: BTreeMap<String, u32>,
}

impl Model {
    fn run(&mut self, cells: &BTreeMap<String, Cell>) {
        for (id, cell) in cells {
            let Some(seen) = cell.seen(id) else { continue };
            let close = |subject: &String, model: &mut Self| {
                if model.open.remove(subject) {
                    *model.closed.entry(subject.clone()).or_default() += 1;
                }
            };
            for (subject, well) in &seen {
                if *well {
                    close(subject, self);
                } else if self.open.insert(subject.clone()) {
                    *self.opened.entry(subject.clone()).or_default() += 1;
                }
            }
            // While its agents cannot be known, what is remembered of them stays.
            let whole = !cell.torn && !cell.broken;
            let ignored = !cell.broken && cell.lifecycle == "archived";
            let agents_known = !cell.there || ignored || whole;
            let gone: Vec<String> = self
                .open
                .iter()
                .filter(|s| agents_known && s.split('/').next() == Some(id.as_str()))
                .filter(|s| !seen.contains_key(*s))
                .cloned()
                .collect();
            for subject in gone {
                close(&subject, self);
            }
        }
    }
}

/// One thing happens to one cell.
fn happen(world: &World, dice: &mut Dice, id: &str, cell: &mut Cell) {
    let dir = world.path(id);
    if cell.there && cell.locked {
        mode(&dir, 0o755);
        cell.locked = false;
        return;
    }
    if !cell.there {
        make(world, id, cell.canonical);
        *cell = Cell::new(cell.canonical);
        return;
    }
    match dice.below(12) {
        0..=5 => {
            let agents: Vec<_> = cell.well.keys().copied().collect();
            let agent = agents[dice.below(agents.len() as u64) as usize];
            let well = !cell.well[agent];
            let subject = match agent {
                "main" => id.to_owned(),
                agent => format!("{id}/{agent}"),
            };
            // Not by whether there is a manifest: it may be broken just now.
            let age = if well {
                0
            } else {
                900 + dice.below(1000) as i64
            };
            world.beat(&subject, age);
            cell.well.insert(agent, well);
        }
        6 => {
            let sub = dir.join("logs");
            if cell.torn {
                fs::create_dir(sub).unwrap();
            } else {
                fs::remove_dir_all(sub).unwrap();
            }
            cell.torn = !cell.torn;
        }
        7 => {
            cell.broken = !cell.broken;
            manifest(world, id, cell);
        }
        8 => {
            cell.lifecycle = ["active", "frozen", "archived"][dice.below(3) as usize];
            manifest(world, id, cell);
        }
        9 => {
            mode(&dir, 0);
            cell.locked = true;
        }
        10 => {
            world.remove(id);
            cell.there = false;
        }
        // Nothing: most of the time nothing happens.
        _ => {}
    }
}

fn make(world: &World, id: &str, canonical: bool) {
    if canonical {
        world.canonical(id, &["x", "y"]);
    } else {
        world.cell(id);
    }
}

fn manifest(world: &World, id: &str, cell: &Cell) {
    if cell.canonical {
        let mut whole = canonical_manifest(id, &["x", "y"]);
        whole["status"] = cell.lifecycle.into();
        world.manifest(id, &whole);
    } else {
        world.manifest(id, &json!({"mission_id": id, "status": cell.lifecycle}));
    }
    if cell.broken {
        let at = if cell.canonical {
            "cell.json"
        } else {
            "meta/mission.json"
        };
        world.put(format!("{id}/{at}"), "{\"status\": ");
    }
}

/// A run that is killed after a while, unless it was done by then.
fn killed(world: &World, dice: &mut Dice) -> bool {
    let (mut command, _) = by_user(world, &["-q"]).command();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_micros(dice.below(6000)));
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// As an ordinary user, who cannot look into what has no rights.
fn by_user<'w>(world: &'w World, args: &[&str]) -> crate::cmd::Cmd<'w> {
    let cmd = world.cmd(args);
    if nix::unistd::geteuid().is_root() {
        cmd.poor_user(NOBODY)
    } else {
        cmd
    }
}

fn open_incidents(state: &Value) -> BTreeSet<String> {
    let subjects = state["subjects"].as_object().unwrap();
    subjects
        .iter()
        .filter(|(_, s)| s["incident"].is_object())
        .map(|(name, _)| name.clone())
        .collect()
}

/// Every name in the state directory, in order.
fn names(world: &World) -> Vec<String> {
    let mut all: Vec<String> = walkdir::WalkDir::new(world.state())
        .min_depth(1)
        .into_iter()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

#[test]
fn a_day_of_deaths_and_recoveries_ends_with_every_incident_told_once() {
    let seed = std::env::var("SOAK_SEED").ok().and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    eprintln!("SOAK_SEED={seed}");
    let mut dice = Dice(seed);
    let world = World::new();
    let mut cells = BTreeMap::new();
    for n in 0..10 {
        let (id, canonical) = (format!("c{n}"), n % 2 == 1);
        make(&world, &id, canonical);
        cells.insert(id, Cell::new(canonical));
    }
    // The state directory becomes the user's.
    if nix::unistd::geteuid().is_root() {
        world.cmd(&["-q"]).user(NOBODY).run().code(0);
    } else {
        world.run(&["-q"]).code(0);
    }
    let sound = fs::metadata(world.state().join("state.json"))
        .unwrap()
        .len();
    let files = names(&world);
    let mut model = Model::default();
    let mut kills = 0;
    for n in 0..RUNS {
        for _ in 0..dice.below(4) {
            let at = dice.below(cells.len() as u64) as usize;
            let (id, cell) = cells.iter_mut().nth(at).unwrap();
            happen(&world, &mut dice, id, cell);
        }
        // What a killed run was about to say, the next one says: of the same world.
        while dice.one_in(5) {
            kills += u32::from(killed(&world, &mut dice));
        }
        let run = by_user(&world, &["--json"]).run();
        run.code_in(&[0, 1, 2]);
        model.run(&cells);
        assert_eq!(
            open_incidents(&state(&world)),
            model.open,
            "seed {seed}, run {n}: {cells:#?}\n{run}"
        );
    }
    assert!(kills > 5, "seed {seed}: {kills} runs were killed");
    told_once(&world, &model, seed);
    assert_eq!(
        names(&world),
        files,
        "seed {seed}: something was left behind"
    );
    // All are well again: nothing is remembered but the last run.
    for (id, cell) in &mut cells {
        if cell.locked {
            mode(&world.path(id), 0o755);
        }
        world.remove(id);
        make(&world, id, cell.canonical);
        *cell = Cell::new(cell.canonical);
    }
    by_user(&world, &["-q"]).run().code(0);
    model.run(&cells);
    told_once(&world, &model, seed);
    let now = fs::metadata(world.state().join("state.json"))
        .unwrap()
        .len();
    assert!(
        now <= sound + 32,
        "seed {seed}: {sound} bytes, and now {now}"
    );
    assert_eq!(state(&world)["subjects"], json!({}), "seed {seed}");
    // Nobody is left that holds the lock or works on.
    by_user(&world, &["-q"]).run().code(0);
}

/// The journal has each incident of the model once, opened before it was closed.
#[track_caller]
fn told_once(world: &World, model: &Model, seed: u64) {
    let (mut opened, mut closed) = (BTreeMap::new(), BTreeMap::new());
    let mut open: BTreeMap<String, String> = BTreeMap::new();
    for event in journal(world) {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let (subject, incident) = (text("subject"), text("incident"));
        match event["event"].as_str().unwrap() {
            "incident_opened" => {
                *opened.entry(subject.clone()).or_default() += 1;
                assert_eq!(open.insert(subject, incident), None, "seed {seed}: {event}");
            }
            "incident_closed" => {
                *closed.entry(subject.clone()).or_default() += 1;
                assert_eq!(
                    open.remove(&subject),
                    Some(incident),
                    "seed {seed}: {event}"
                );
            }
            _ => {}
        }
    }
    assert_eq!(opened, model.opened, "seed {seed}");
    assert_eq!(closed, model.closed, "seed {seed}");
    state_is_the_journal(world);
}
