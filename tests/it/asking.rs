//! Asking people and hearing them, over separate runs of the real program, against a Telegram that
//! remembers what was sent and lets people press, reply and write.

use std::fs;

use serde_json::Value;

use crate::fake::http::Server;
use crate::fake::telegram::{self, TOKEN, Telegram};
use crate::later::{eventually, plans};
use crate::output::Run;
use crate::store::{journal, state_is_the_journal};
use crate::world::{World, is_root};

const PLAN: &str = "name: ask\npolicy: ask\nsteps: [{run: [sh, -c, 'echo x >> MARKS']}]\napproval: {expires: 5m, channels: tg}\nnotify: {channels: tg}\n";

struct Scene {
    world: World,
    server: Server<Telegram>,
}

fn scene() -> Scene {
    let world = World::new();
    world.cell("a").cell("b").beat("a", 900);
    let server = telegram::start();
    world.config(&format!(
        "channels: {{tg: {{kind: telegram, token: {{env: BOT}}, chat_id: 42, allowed_users: [42], api_url: '{}'}}}}\n",
        server.url("")
    ));
    let marks = world.base().join("home/marks");
    plans(&world, &PLAN.replace("MARKS", &marks.display().to_string()));
    Scene { world, server }
}

impl Scene {
    fn run(&self, args: &[&str]) -> Run {
        let run = self
            .world
            .cmd(args)
            .env("BOT", TOKEN)
            .env("RUST_LOG", "trace")
            .run();
        assert!(!run.to_string().contains("CANARY"), "{run}");
        run
    }

    fn check(&self) -> Run {
        self.run(&["--json"])
    }

    fn marks(&self) -> usize {
        let path = self.world.base().join("home/marks");
        fs::read_to_string(path).unwrap_or_default().lines().count()
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let mut all = journal(&self.world);
        all.retain(|e| e["event"] == kind);
        all
    }

    fn texts(&self) -> Vec<String> {
        self.server
            .with(|t| t.sent.iter().map(|s| s.text.clone()).collect())
    }

    /// No secret stands in anything that was written.
    fn is_clean(&self) {
        for (path, bytes) in self.world.tree() {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("CANARY"), "{}", path.display());
        }
        state_is_the_journal(&self.world);
    }
}

#[test]
fn asked_answered_by_a_button_revived_and_recovered() {
    let scene = scene();
    let run = scene.check();
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    // One message both tells and asks.
    assert_eq!(scene.texts().len(), 1, "{:?}", scene.texts());
    let status = scene.run(&["status", "--json"]);
    let asked = &status.json()["subjects"][0]["approval"];
    assert_eq!(asked["channels"][0], "tg", "{status}");
    scene.run(&["status"]).stdout_has("on tg and in the shell");
    // Nothing is asked twice, and nobody waits.
    scene.check().code(1);
    assert_eq!(scene.texts().len(), 1);
    assert_eq!(scene.marks(), 0);

    scene.server.with(|t| t.press(&t.last().clone(), 42, true));
    let run = scene.check();
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    assert_eq!(scene.marks(), 1);
    let approved = scene.events("approved");
    assert_eq!(approved.len(), 1);
    assert_eq!(approved[0]["actor"], "channel:tg:42");
    // The question is edited, and the restart told.
    let texts = scene.texts();
    assert!(texts[0].contains("agreed to by channel:tg:42"), "{texts:?}");
    assert!(texts[1].contains("restarted (attempt 1)"), "{texts:?}");
    scene.world.beat("a", 0);
    scene.check().code(0);
    let texts = scene.texts();
    assert!(texts[2].contains("recovered after"), "{texts:?}");
    assert!(texts[2].contains("channel:tg:42 had agreed"), "{texts:?}");
    scene.run(&["history"]).stdout_has("channel:tg:42");
    scene.is_clean();
}

#[test]
fn a_no_by_word_is_a_no() {
    let scene = scene();
    scene.check();
    scene.server.with(|t| t.write(42, 42, "skip a/main"));
    let run = scene.check();
    run.code(2);
    assert_eq!(run.verdict("a/main"), Some("denied"), "{run}");
    assert_eq!(scene.marks(), 0);
    assert_eq!(scene.events("denied")[0]["actor"], "channel:tg:42");
    assert!(scene.texts()[0].contains("refused by channel:tg:42"));
    scene.is_clean();
}

#[test]
fn what_binds_to_nothing_approves_nothing_and_is_recorded() {
    let scene = scene();
    scene.check();
    scene.server.with(|t| {
        let asked = t.last();
        t.write(42, 42, "+1");
        t.write(42, 42, "revive b/main");
        t.press(&asked, 7, true);
        t.reply(&asked, 7, "+1");
    });
    let run = scene.check();
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    assert_eq!((scene.marks(), scene.events("approved").len()), (0, 0));
    assert!(
        scene.events("heard").len() >= 3,
        "{:?}",
        scene.events("heard")
    );
    // Then the one that is meant, twice, and its opposite: the first counts.
    scene.server.with(|t| {
        let asked = t.last();
        t.press(&asked, 42, true);
        t.press(&asked, 42, true);
        t.press(&asked, 42, false);
    });
    assert_eq!(scene.check().verdict("a/main"), Some("revive"));
    assert_eq!((scene.marks(), scene.events("approved").len()), (1, 1));
    assert_eq!(scene.events("denied").len(), 0);
    let answered = scene.events("heard");
    let answered = answered
        .iter()
        .filter(|e| e["reason"] == "answered")
        .count();
    assert_eq!(answered, 2);
    scene.is_clean();
}

#[test]
fn a_changed_plan_is_asked_anew() {
    let scene = scene();
    scene.check();
    let marks = scene.world.base().join("home/marks");
    let plan = PLAN.replace("MARKS", &marks.display().to_string());
    plans(&scene.world, &plan.replace("expires: 5m", "expires: 6m"));
    scene.server.with(|t| t.press(&t.last().clone(), 42, true));
    let run = scene.check();
    assert_eq!(run.verdict("a/main"), Some("awaiting_approval"), "{run}");
    assert_eq!(scene.marks(), 0);
    assert_eq!(scene.events("heard")[0]["reason"], "plan_changed");
    // The old question says that it is none, and the new one is there.
    let texts = scene.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    scene.server.with(|t| t.press(&t.last().clone(), 42, true));
    assert_eq!(scene.check().verdict("a/main"), Some("revive"));
    scene.is_clean();
}

#[test]
fn the_shell_s_word_edits_the_question() {
    let scene = scene();
    scene.check();
    let asked = scene.server.with(|t| t.last());
    scene.run(&["approve", "a"]).code(0);
    assert_eq!(scene.check().verdict("a/main"), Some("revive"));
    let texts = scene.texts();
    assert!(texts[0].contains("agreed to by operator:"), "{texts:?}");
    // Whoever presses now is told nothing new, and it is written down.
    scene.server.with(|t| t.press(&asked, 42, false));
    scene.check();
    assert_eq!(scene.events("heard")[0]["reason"], "answered");
    assert_eq!(scene.marks(), 1);
    scene.is_clean();
}

#[test]
fn an_agent_never_gets_a_channel_s_secret() {
    let scene = scene();
    let out = scene.world.base().join("home/env");
    plans(
        &scene.world,
        &format!(
            "policy: auto\nsteps: [{{spawn: {{command: [sh, -c, 'env > {0}.part; mv {0}.part {0}'], env_pass: [BOT, OTHER]{1}}}}}]\nnotify: {{channels: tg}}\n",
            out.display(),
            if is_root() { ", user: root" } else { "" }
        ),
    );
    let run = scene
        .world
        .cmd(&["--json"])
        .env("BOT", TOKEN)
        .env("OTHER", "passed")
        .run();
    assert_eq!(run.list("actions")[0]["result"], "ok", "{run}");
    let seen = eventually(|| fs::read_to_string(&out).ok());
    assert!(
        seen.contains("OTHER=passed") && !seen.contains("CANARY"),
        "{seen}"
    );
}
