//! Runs at other times than now: the clock is moved, and nobody sleeps.

use serde_json::{Value, json};

use crate::output::Run;
use crate::world::{World, now};

/// A world whose clock can be set. It begins at the present.
pub(crate) struct Later<'w> {
    /// The world.
    pub(crate) world: &'w World,
    /// How many seconds from the true time its clock is.
    pub(crate) off: i64,
    /// Environment variables that runs get beside.
    env: Vec<(String, String)>,
}

impl<'w> Later<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let env = Vec::new();
        Self { world, off: 0, env }
    }

    /// With one more environment variable in each run.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// So many seconds later.
    pub(crate) fn pass(&mut self, seconds: i64) -> &mut Self {
        self.off += seconds;
        self
    }

    /// The time on this clock, in Unix seconds.
    pub(crate) fn now(&self) -> f64 {
        now() + self.off as f64
    }

    /// Writes a heartbeat that is so many seconds old on this clock.
    pub(crate) fn beat(&self, subject: &str, age: i64) -> &Self {
        let beat = json!({"timestamp": self.now() - age as f64, "status": "thinking"});
        self.world.heartbeat(subject, beat.to_string());
        self
    }

    /// Any command of the program, at this time.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let mut cmd = self.world.cmd(args).clock(self.off);
        for (name, value) in &self.env {
            cmd = cmd.env(name, value);
        }
        let run = cmd.run();
        run.survived();
        run
    }

    /// A pass, at this time.
    pub(crate) fn check(&self) -> Run {
        self.run(&["--json"])
    }

    /// A minute later, a pass.
    pub(crate) fn next(&mut self) -> Run {
        self.pass(60).check()
    }
}

/// What comes to be true, waited for: at most a minute.
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(std::time::Instant::now() < until, "it never came");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Writes plans beside the configuration, which every run from here on is given.
pub(crate) fn plans(world: &World, yaml: &str) {
    crate::world::put(&world.base().join("conf/plans/plans.yaml"), yaml.as_bytes());
    if !world.config_path().exists() {
        world.config("{}\n");
    }
}

/// The subjects with this verdict.
pub(crate) fn with_verdict<'r>(run: &'r Run, verdict: &str) -> Vec<&'r str> {
    let decisions = run.list("decisions").iter();
    decisions
        .filter(|d| d["verdict"] == verdict)
        .map(|d| d["subject"].as_str().unwrap())
        .collect()
}

/// The codes of a subject's reasons.
pub(crate) fn codes<'r>(run: &'r Run, subject: &str) -> Vec<&'r str> {
    let because = run.decision(subject).map(|d| &d["because"]);
    let because = because.and_then(Value::as_array);
    because
        .into_iter()
        .flatten()
        .map(|r| r["code"].as_str().unwrap())
        .collect()
}
