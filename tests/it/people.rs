//! A cell that is down under a plan that asks people, and one service by which they are reached.

use std::fs;

use serde_json::Value;

use crate::fake::http::Server;
use crate::later::plans;
use crate::output::Run;
use crate::store::{journal, state_is_the_journal};
use crate::world::World;

/// The plan: its one step leaves a mark each time that it is carried out.
pub(crate) const PLAN: &str = "name: ask\npolicy: ask\nsteps: [{run: [sh, -c, 'echo x >> MARKS']}]\napproval: {expires: 5m, channels: ch}\nnotify: {channels: ch}\n";

/// The environment variable in which the channel's secret is.
pub(crate) const VARIABLE: &str = "CHANNEL_SECRET";

/// The scene: `a/main` is down and `b/main` is not.
pub(crate) struct People<T> {
    pub(crate) world: World,
    pub(crate) server: Server<T>,
    secret: String,
}

impl<T: Send + 'static> People<T> {
    /// `settings` are those of the channel `ch`; its secret is in [`VARIABLE`].
    pub(crate) fn new(server: Server<T>, settings: &str, secret: &str) -> Self {
        let world = World::new();
        world.cell("a").cell("b").beat("a", 900);
        world.config(&format!("channels: {{ch: {{{settings}}}}}\n"));
        let scene = Self {
            world,
            server,
            secret: secret.to_owned(),
        };
        scene.plan(PLAN);
        scene
    }

    /// Puts another plan in the place of the first; `MARKS` in it is where the marks are.
    pub(crate) fn plan(&self, plan: &str) {
        let marks = self.world.base().join("home/marks");
        plans(
            &self.world,
            &plan.replace("MARKS", &marks.display().to_string()),
        );
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.world
            .cmd(args)
            .env(VARIABLE, &self.secret)
            .env("RUST_LOG", "trace")
            .run()
    }

    pub(crate) fn check(&self) -> Run {
        self.run(&["--json"])
    }

    /// A pass, after which `a/main` has this verdict.
    #[track_caller]
    pub(crate) fn decides(&self, verdict: &str) -> Run {
        let run = self.check();
        assert_eq!(run.verdict("a/main"), Some(verdict), "{run}");
        run
    }

    /// How often the step was carried out.
    pub(crate) fn marks(&self) -> usize {
        let path = self.world.base().join("home/marks");
        fs::read_to_string(path).unwrap_or_default().lines().count()
    }

    /// The journal's events of one kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        let mut all = journal(&self.world);
        all.retain(|e| e["event"] == kind);
        all
    }

    /// Who approved, as the journal has it, in order.
    pub(crate) fn approved_by(&self) -> Vec<String> {
        let all = self.events("approved");
        all.iter()
            .map(|e| e["actor"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Nothing waits, and the state is what the journal says.
    #[track_caller]
    pub(crate) fn is_settled(&self) {
        let state = crate::store::state(&self.world);
        let waits = &state["post"]["ch"]["outbox"];
        assert!(waits.is_null(), "{waits}");
        state_is_the_journal(&self.world);
    }
}
