//! A run that starts an agent and comes to grief: the world before it, and what must hold after it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::later::{eventually, plans};
use crate::living::{Agents, lives};
use crate::store::{copy, journal, restore, state, state_is_the_journal};
use crate::tracer::{At, Traced, What, Whose, allowed, trace};
use crate::world::{World, tool};

/// After this long a world is made anew: heartbeats grow old, and what was not looked at for long is
/// left alone at first.
const FRESH: Duration = Duration::from_secs(60);

/// How long a run waits for another: what was just forked has the killed one's lock until it becomes
/// its program.
const WAIT: [&str; 3] = ["--json", "--wait-lock", "20s"];

/// One attempt, and no other for an hour.
pub(crate) const ONCE: &str = "limits: {backoff: {initial: 1h, max: 1h}}";

/// Another attempt as soon as the one before has shown.
pub(crate) const AGAIN: &str =
    "limits: {backoff: {initial: 0s, max: 0s, jitter: 0}, attempts: 1000}\nverify: {within: 1ms}";

/// `a` is down, and its plan starts an agent that leaves a mark. It is the second run's business, so
/// that there is a state to be lost.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) agents: Agents,
    /// A line for each start: the attempt's ref.
    pub(crate) marks: PathBuf,
    /// Is there if ever two were at work at once.
    twins: PathBuf,
    template: PathBuf,
    made: Instant,
}

/// True where there is all that these tests need.
pub(crate) fn ready() -> bool {
    allowed() && tool("flock") && tool("setsid")
}

/// The events of this kind.
pub(crate) fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|e| e["event"] == kind).count()
}

/// How many tests are made of a kind: all where `LAZARUS_KILLS` is `all`, else few.
pub(crate) fn many(few: usize, all: usize) -> usize {
    match std::env::var("LAZARUS_KILLS").as_deref() {
        Ok("all") => all,
        _ => few,
    }
}

/// The one call where `LAZARUS_KILLS` is its number, or `+` and its number after the fork.
pub(crate) fn one() -> Option<At> {
    let text = std::env::var("LAZARUS_KILLS").ok()?;
    match text.strip_prefix('+') {
        Some(number) => number.parse().ok().map(At::Fork),
        None => text.parse().ok().map(At::Start),
    }
}

/// Which of so many calls: about `few`, with the day as the offset, so that in time each has its turn.
pub(crate) fn chosen(calls: usize, few: usize) -> impl Iterator<Item = usize> {
    let every = calls.div_ceil(few).max(1);
    let offset = crate::world::now() as usize / 86_400 % every;
    (1..=calls).skip(offset).step_by(every)
}

/// Numbers that are another each time; which, a failure's message says by what was done.
pub(crate) fn random() -> impl FnMut() -> usize {
    let mut state = crate::world::now().to_bits();
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    }
}

/// What is told with `LAZARUS_SHOW=1`.
pub(crate) fn show(what: impl std::fmt::Display) {
    if std::env::var_os("LAZARUS_SHOW").is_some() {
        eprintln!("{what}");
    }
}

impl Scene {
    /// `body` is what the agent does once it has left its mark: a shell script in which descriptor
    /// 9 is a lock that whatever comes of the agent holds.
    pub(crate) fn new(limits: &str, body: &str) -> Self {
        let world = World::new();
        world.cell("a").cell("b");
        let user = match crate::world::is_root() {
            true => ", user: root",
            false => "",
        };
        let marks = world.path("a/worktree/marks");
        let twins = world.path("a/worktree/twins");
        let script = format!(
            "exec 9>>place; flock -n 9 || echo >> twins; echo $LAZARUS_REF >> marks; {body}"
        );
        plans(
            &world,
            &format!(
                "policy: auto\n{limits}\nsteps:\n  - spawn: {{command: [sh, -c, '{script}'], grace: 50ms, wake: false{user}}}\n",
            ),
        );
        let mut scene = Self {
            agents: Agents::of(&world),
            marks,
            twins,
            template: world.base().join("template"),
            made: Instant::now(),
            world,
        };
        scene.make();
        scene
    }

    fn make(&mut self) {
        self.made = Instant::now();
        self.world.forget().beat("a", 0).beat("b", 0);
        self.world.run(&WAIT).code(0);
        self.world.beat("a", 900);
        if self.template.exists() {
            fs::remove_dir_all(&self.template).unwrap();
        }
        copy(&self.world.state(), &self.template);
    }

    /// As it was before the run that comes to grief.
    pub(crate) fn again(&mut self) {
        self.agents.end();
        self.keepers_are_gone();
        crate::world::remove(&self.marks);
        crate::world::remove(&self.twins);
        match self.made.elapsed() > FRESH {
            true => self.make(),
            false => restore(&self.world, &self.template),
        }
    }

    /// A keeper that still writes down its agent's end must not do so in the next round, nor while
    /// the state is being copied.
    pub(crate) fn keepers_are_gone(&self) {
        let table = self.world.state().join("procs");
        eventually(|| {
            let entries = fs::read_dir(&table).into_iter().flatten();
            let mut texts = entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
            let keeper = |text: String| {
                let entry: Value = serde_json::from_str(&text).ok()?;
                i32::try_from(entry["keeper_pid"].as_i64()?).ok()
            };
            let alive = texts.any(|text| keeper(text).is_some_and(lives));
            (!alive).then_some(())
        });
    }

    /// A run with something in the place of one of its calls.
    pub(crate) fn doom(&self, whose: Whose, at: At, what: What) -> Traced {
        trace(self.world.cmd(&WAIT), whose, at, what)
    }

    /// A run that nothing befalls.
    pub(crate) fn run(&self) -> crate::output::Run {
        self.world.run(&WAIT)
    }

    /// The refs of the attempts that have started something.
    pub(crate) fn started(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.marks).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// True where two have been at work at once.
    pub(crate) fn has_twins(&self) -> bool {
        self.twins.exists()
    }

    /// What holds at every moment: no two at once, and nothing started twice by one attempt.
    #[track_caller]
    pub(crate) fn no_twins(&self, what: &str) {
        assert!(!self.has_twins(), "{what}: two were at work at once");
        let started = self.started();
        for (n, r#ref) in started.iter().enumerate() {
            assert!(
                !started[..n].contains(r#ref),
                "{what}: {ref} was carried out twice: {started:?}"
            );
        }
    }

    /// Two runs later: one agent, one counted attempt, one incident, a state that parses.
    #[track_caller]
    pub(crate) fn settles(&self, what: &str) -> &'static str {
        let world = &self.world;
        for _ in 0..2 {
            self.run().code(1);
        }
        let events = journal(world);
        self.has_agents(1, what);
        let started = eventually(|| Some(self.started()).filter(|all| !all.is_empty()));
        assert_eq!(started.len(), 1, "{what}: {events:#?}");
        self.no_twins(what);
        let once = ["intent", "attempt_finished", "process_started"];
        for kind in once.into_iter().chain(["incident_opened"]) {
            assert_eq!(count(&events, kind), 1, "{what}: {kind}: {events:#?}");
        }
        let state = state(world);
        let attempts = &state["memory"]["a/main"]["attempts"];
        assert_eq!(attempts.as_array().unwrap().len(), 1, "{what}: {attempts}");
        let counted = &state["subjects"]["a/main"]["incident"]["attempts"];
        assert_eq!(counted, 1, "{what}");
        state_is_the_journal(world);
        let of = |kind| move |e: &&Value| e["event"] == kind;
        let finished = events.iter().find(of("attempt_finished")).unwrap();
        assert_eq!(finished["result"], "ok", "{what}: {finished}");
        let intent = events.iter().find(of("intent")).unwrap();
        match finished["reason"].as_str() {
            Some("adopted") => "adopted",
            _ if intent["run"] == finished["run"] => "made",
            _ => "made later",
        }
    }

    /// So many come to live that lead a session of their own: one agent does. On a busy host it may
    /// not have come so far when its run is over.
    #[track_caller]
    pub(crate) fn has_agents(&self, many: usize, what: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        let mut agents = leaders(&self.agents.living("a"));
        while agents.len() != many && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            agents = leaders(&self.agents.living("a"));
        }
        let events = || journal(&self.world);
        assert_eq!(
            agents.len(),
            many,
            "{what}: agents {agents:?}: {:#?}",
            events()
        );
    }

    /// Never two at once, nothing twice, and each attempt with an end, after however many.
    #[track_caller]
    pub(crate) fn is_sound(&self, what: &str) {
        self.no_twins(what);
        let events = journal(&self.world);
        let (begun, over) = (count(&events, "intent"), count(&events, "attempt_finished"));
        assert_eq!(begun, over, "{what}: {events:#?}");
        state_is_the_journal(&self.world);
    }

    /// One incident, be it however long.
    #[track_caller]
    pub(crate) fn has_one_incident(&self, what: &str) {
        let events = journal(&self.world);
        let opened = count(&events, "incident_opened");
        assert_eq!(opened, 1, "{what}: {events:#?}");
    }
}

/// Those that lead a session of their own: the agents, without what they have started.
fn leaders(pids: &[i32]) -> Vec<i32> {
    let leads = |pid: &&i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit(") ").next().unwrap_or_default();
        after.split(' ').nth(3) == Some(&pid.to_string())
    };
    pids.iter().filter(leads).copied().collect()
}
