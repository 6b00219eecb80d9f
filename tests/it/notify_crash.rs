//! Runs that tell, ask and hear, killed on the way: at each system call with a webhook, at each request
//! with Gitea and Telegram. Nothing is lost, and what comes twice is known by its id.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;

use crate::fake::gitea::Gitea;
use crate::fake::http::{Doom, Reply, Server, When};
use crate::fake::telegram::{self, Telegram};
use crate::kill;
use crate::later::plans;
use crate::lives::on_gitea;
use crate::people::People;
use crate::store::{copy, journal, restore, state, state_is_the_journal};
use crate::world::{World, tool};

/// The calls between which something can be lost.
const CALLS: &str = "openat,write,pwrite64,fsync,fdatasync,renameat,renameat2,clone3,futex";

/// A service that notes the keys of what it is sent.
fn service() -> Server<Vec<String>> {
    Server::start(Vec::new(), |keys, request| {
        let key = request.header("idempotency-key").unwrap_or_default();
        keys.push(key.to_owned());
        Reply::new(200, "ok")
    })
}

#[test]
fn killed_at_any_call_a_message_arrives_and_is_repeated_once_at_most() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    world.cell("a").cell("b");
    let server = service();
    world.config(&format!(
        "channels: {{hook: {{kind: webhook, url: '{}'}}}}\n",
        server.url("/hook")
    ));
    plans(&world, "policy: never\nnotify: {channels: hook}\n");
    world.run(&["--json"]).code(0);
    world.beat("a", 900);
    let template = world.base().join("template");
    copy(&world.state(), &template);
    let (points, run) = kill::points(&world, &["--json"], CALLS, |_, _| true);
    run.code(2);
    // Before the state is read there is nothing to be lost.
    let points: Vec<_> = points.iter().skip(points.len() / 3).collect();
    assert!(points.len() > 15, "{points:?}");
    let (mut whole, mut repeated) = (0, 0);
    for point in points {
        restore(&world, &template);
        server.with(Vec::clear);
        let inject = point.inject("signal=SIGKILL");
        let run = world
            .cmd(&["--json"])
            .through(&["strace", "-o", "/dev/null", "-e", &inject])
            .run();
        let _ = run.signal();
        world.run(&["--json", "--wait-lock", "10s"]).code(2);
        world.run(&["--json"]).code(2);
        let keys = server.with(|keys| keys.clone());
        assert!((1..=2).contains(&keys.len()), "killed at {point}: {keys:?}");
        assert!(
            keys.iter().all(|key| *key == keys[0]),
            "killed at {point}: {keys:?}"
        );
        repeated += usize::from(keys.len() == 2);
        whole += 1;
        let arrived = journal(&world)
            .iter()
            .filter(|e| e["event"] == "notified")
            .count();
        assert_eq!(arrived, 1, "killed at {point}");
        assert!(
            state(&world)["post"]["hook"]["outbox"].is_null(),
            "killed at {point}"
        );
        state_is_the_journal(&world);
    }
    assert!(repeated > 0 && repeated < whole, "{repeated} of {whole}");
}

/// What is started anew for each kill: the pool's state and the service's.
struct Stage<'s, T> {
    scene: &'s People<T>,
    template: PathBuf,
    service: T,
    marks: usize,
}

impl<'s, T: Clone + Send + 'static> Stage<'s, T> {
    fn new(scene: &'s People<T>) -> Self {
        let template = scene.world.base().join("template");
        crate::world::remove(&template);
        copy(&scene.world.state(), &template);
        Self {
            scene,
            template,
            service: scene.server.with(|service| service.clone()),
            marks: scene.marks(),
        }
    }

    fn again(&self) {
        restore(&self.scene.world, &self.template);
        self.scene.server.with(|s| *s = self.service.clone());
        let marks = self.scene.world.base().join("home/marks");
        fs::write(marks, "x\n".repeat(self.marks)).unwrap();
    }

    /// Makes the run again and again, each time with another of its requests as its last deed, and
    /// looks at what two more runs make of it. Returns how many kills that were.
    fn killed_at_each_request(&self, holds: impl Fn(&str)) -> usize {
        let mut kills = 0;
        for at in 1.. {
            for when in [When::Asked, When::Done, When::Answered] {
                self.again();
                let lock = self.scene.world.state().join("state.lock");
                let kill = Box::new(move || {
                    let holder: Value = serde_json::from_slice(&fs::read(&lock).unwrap()).unwrap();
                    let pid = i32::try_from(holder["pid"].as_i64().unwrap()).unwrap();
                    // One that was answered may have ended by itself.
                    let _ = signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
                });
                self.scene.server.doom(Doom { at, when, kill });
                let run = self.scene.check();
                if self.scene.server.spared() {
                    assert!(at > 1 && when == When::Asked, "{run}");
                    return kills;
                }
                kills += 1;
                let what = format!("killed at request {at}, {when:?}");
                assert!(
                    when == When::Answered || run.signal().is_some(),
                    "{what}: {run}"
                );
                for _ in 0..2 {
                    self.scene.run(&["--json", "--wait-lock", "10s"]);
                }
                holds(&what);
                self.scene.is_settled();
            }
        }
        kills
    }
}

/// A life on Gitea, each run of it killed at each of its requests: one issue, and each comment once.
#[test]
fn on_gitea_nothing_is_said_twice_and_nothing_is_lost() {
    let scene = on_gitea("");
    let stage = Stage::new(&scene);
    let titles = |g: &Gitea| g.issues.iter().map(|i| i.title.clone()).collect::<Vec<_>>();
    let mut kills = stage.killed_at_each_request(|what| {
        scene.server.with(|g| {
            assert_eq!(
                (g.issues.len(), g.comments.len()),
                (1, 0),
                "{what}: {:?}",
                titles(g)
            );
            assert_eq!(g.labels.len(), 1, "{what}");
        });
    });
    stage.again();
    scene.check();
    scene.server.with(|g| g.comment(1, "ann", "/revive"));
    let stage = Stage::new(&scene);
    kills += stage.killed_at_each_request(|what| {
        // The answer, and that it was carried out.
        let said = scene.server.with(|g| g.said(1).join("\n---\n"));
        assert_eq!(
            said.matches("attempt 1 was carried out").count(),
            1,
            "{what}: {said}"
        );
        assert_eq!((scene.marks(), scene.approved_by().len()), (1, 1), "{what}");
        let all: Vec<_> = said.split("\n---\n").collect();
        let once: BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), once.len(), "{what}: {said}");
    });
    stage.again();
    scene.check();
    scene.world.beat("a", 0);
    let stage = Stage::new(&scene);
    let before = scene.server.with(|g| g.comments.len());
    kills += stage.killed_at_each_request(|what| {
        scene.server.with(|g| {
            let said = g.said(1);
            assert_eq!(said.len(), before + 1, "{what}: {said:?}");
            assert!(
                said[before].contains("One attempt was made"),
                "{what}: {said:?}"
            );
            assert!(!g.issues[0].open && g.issues.len() == 1, "{what}");
        });
    });
    assert!(kills > 30, "{kills}");
}

/// The same on Telegram, which has no means against a message that comes twice: once more at most,
/// and it names the same incident.
#[test]
fn on_telegram_a_message_comes_once_more_at_most() {
    let server = telegram::start();
    let settings = format!(
        "kind: telegram, token: {{env: CHANNEL_SECRET}}, chat_id: 42, allowed_users: [42], api_url: '{}'",
        server.url("")
    );
    let scene = People::new(server, &settings, telegram::TOKEN);
    let stage = Stage::new(&scene);
    /// Of each text how often it was sent.
    fn sent(t: &Telegram) -> BTreeMap<&str, usize> {
        let mut all = BTreeMap::new();
        for message in &t.sent {
            *all.entry(message.text.lines().next().unwrap()).or_default() += 1;
        }
        all
    }
    let incidents = |t: &Telegram| -> BTreeSet<String> {
        let lines = t.sent.iter().flat_map(|m| m.text.lines());
        let named = lines.filter_map(|line| line.strip_prefix("Incident: "));
        named.map(str::to_owned).collect()
    };
    let repeated = Cell::new(0);
    let counted = |what: &str, kinds: usize| {
        scene.server.with(|t| {
            let sent = sent(t);
            assert_eq!(sent.len(), kinds, "{what}: {sent:?}");
            let surplus: usize = sent.values().map(|n| n - 1).sum();
            assert!(surplus <= 1, "{what}: {sent:?}");
            repeated.set(repeated.get() + surplus);
            assert_eq!(incidents(t).len(), 1, "{what}");
        });
    };
    let mut kills = stage.killed_at_each_request(|what| {
        counted(what, 1);
        // Whichever of the two is answered, it is an answer.
        scene.server.with(|t| t.press(&t.last(), 42, true));
        scene.check();
        assert_eq!(scene.marks(), 1, "{what}");
    });
    // Only the one whose answer was lost.
    assert!((1..=2).contains(&repeated.get()), "{repeated:?}");
    stage.again();
    scene.check();
    scene.server.with(|t| t.press(&t.last(), 42, true));
    let stage = Stage::new(&scene);
    kills += stage.killed_at_each_request(|what| {
        counted(what, 2);
        assert_eq!((scene.marks(), scene.approved_by().len()), (1, 1), "{what}");
        let settled = scene.server.with(|t| t.sent[0].clone());
        assert!(settled.buttons.is_empty(), "{what}: {settled:?}");
    });
    stage.again();
    scene.check();
    scene.world.beat("a", 0);
    let stage = Stage::new(&scene);
    kills += stage.killed_at_each_request(|what| counted(what, 3));
    assert!(kills > 12, "{kills}");
}
