//! Telling people, over separate runs of the real program, through a command that notes what it got.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::fake::http::{Reply, Server};
use crate::later::{Later, plans};
use crate::store::{journal, state, state_is_the_journal};
use crate::world::{World, mode, put};

/// Channels that a test has: `ops` is a command that notes each message as a line.
fn noting(world: &World, more: &str) -> PathBuf {
    let notes = world.base().join("home/notes");
    world.config(&format!(
        "channels:\n  ops: {{kind: exec, command: [sh, -c, 'cat >> {0}; echo >> {0}']}}\n{more}",
        notes.display()
    ));
    notes
}

/// What the command got.
fn notes(path: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn occasions(path: &PathBuf) -> Vec<String> {
    let all = notes(path);
    all.iter()
        .map(|n| n["occasion"].as_str().unwrap().to_owned())
        .collect()
}

fn events(world: &World, kind: &str) -> Vec<Value> {
    let mut all = journal(world);
    all.retain(|e| e["event"] == kind);
    all
}

fn outbox(world: &World, channel: &str) -> Vec<Value> {
    let all = &state(world)["post"][channel]["outbox"];
    all.as_array().cloned().unwrap_or_default()
}

#[test]
fn a_life_is_told_once_in_order() {
    let world = World::new();
    world.cell("a").cell("b").beat("a", 900);
    let path = noting(&world, "");
    plans(
        &world,
        "name: mark\npolicy: auto\nsteps: [{run: ['true']}]\nnotify: {channels: ops, message: 'Call {{ cell.id }} home.'}\n",
    );
    let dry = world.run(&["--json", "--dry-run"]);
    dry.code(1);
    assert!(notes(&path).is_empty());
    let run = world.run(&["--json"]);
    run.code(1);
    assert!(run.list("warnings").is_empty(), "{run}");
    // Down and restarted in one run is one message.
    let all = notes(&path);
    assert_eq!(occasions(&path), ["revived"], "{all:?}");
    assert_eq!(all[0]["subject"], "a/main");
    assert_eq!(all[0]["title"], "a/main: down, restarted (attempt 1)");
    let text = all[0]["text"].as_str().unwrap();
    let order = [
        "Call a home.",
        "What: a/main is stale",
        "Since: ",
        "Host: ",
        "Why: ",
        "Done: attempt 1",
        "Next: ",
        "Look closer: lazarus-pit explain a/main",
    ];
    let places: Vec<_> = order.iter().map(|part| text.find(part)).collect();
    assert!(places.is_sorted() && places[0].is_some(), "{text}");
    // Nobody hears of the same thing twice.
    world.run(&["--json"]).code(1);
    assert_eq!(notes(&path).len(), 1);
    world.beat("a", 0);
    world.run(&["--json"]).code(0);
    world.run(&["--json"]).code(0);
    assert_eq!(occasions(&path), ["revived", "recovered"]);
    let over = &notes(&path)[1];
    assert_eq!(over["last"], true);
    assert!(
        over["text"]
            .as_str()
            .unwrap()
            .contains("One attempt was made.")
    );
    assert_eq!(events(&world, "queued").len(), 2);
    assert_eq!(events(&world, "notified").len(), 2);
    assert_eq!(events(&world, "queued")[0]["id"], notes(&path)[0]["id"]);
    assert!(outbox(&world, "ops").is_empty());
    state_is_the_journal(&world);
    let list = world.run(&["channel", "list", "--json"]);
    let one = &list.code(0).json()["channels"][0];
    assert_eq!(
        (&one["name"], &one["kind"]),
        (&"ops".into(), &"exec".into())
    );
    assert_eq!(one["notify"][0], "mark");
    assert!(one["delivered_at"].is_string() && one["waiting"] == 0);
}

#[test]
fn whoever_is_excused_or_has_no_plan_is_told_to_nobody() {
    let world = World::new();
    world.cell("a").cell("b").beat("a", 900).beat("b", 900);
    let path = noting(&world, "");
    plans(
        &world,
        "match: {cells: a}\npolicy: never\nwhen: {for: 1h}\nnotify: {channels: ops}\n",
    );
    world.run(&["--json"]).code(2);
    assert!(notes(&path).is_empty());
    world.beat("a", 0);
    world.run(&["--json"]).code(2);
    assert!(notes(&path).is_empty());
}

#[test]
fn what_stays_down_is_told_again_after_an_hour_and_then_daily() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let path = noting(&world, "");
    plans(&world, "policy: never\nnotify: {channels: ops}\n");
    let mut later = Later::new(&world);
    let mut told = Vec::new();
    for seconds in [0, 600, 3100, 60, 80_000, 6_500, 60] {
        later.pass(seconds);
        later.run(&["--json"]);
        told.push(notes(&path).len());
    }
    assert_eq!(told, [1, 1, 2, 2, 2, 3, 3], "{:?}", notes(&path));
    assert_eq!(notes(&path)[1]["title"], "a/main: still down");
    // What is not wanted is not told, and its end is.
    state_is_the_journal(&world);
}

#[test]
fn many_things_at_once_are_one_message() {
    let world = World::new();
    for n in 0..7 {
        world.cell(format!("c{n}")).beat(&format!("c{n}"), 900);
    }
    let path = noting(&world, "");
    plans(&world, "policy: never\nnotify: {channels: ops}\n");
    world.run(&["--json"]).code(2);
    let all = notes(&path);
    assert_eq!(occasions(&path), ["digest"], "{all:?}");
    let text = all[0]["text"].as_str().unwrap();
    assert!(
        (0..7).all(|n| text.contains(&format!("c{n}/main: down"))),
        "{text}"
    );
    world.run(&["--json"]).code(2);
    assert_eq!(notes(&path).len(), 1);
    for n in 0..7 {
        world.beat(&format!("c{n}"), 0);
    }
    world.run(&["--json"]).code(0);
    assert_eq!(occasions(&path), ["digest", "digest"]);
}

#[test]
fn a_mass_failure_is_one_notification() {
    let world = World::new();
    for n in 0..12 {
        world.cell(format!("c{n:02}"));
    }
    let path = noting(&world, "protection: {canary: 0}\n");
    plans(
        &world,
        "policy: auto\nsteps: [{run: ['true']}]\nnotify: {channels: ops, on: [recovered]}\n",
    );
    world.run(&["--json"]).code(0);
    for n in 0..12 {
        world.beat(&format!("c{n:02}"), 900);
    }
    world.run(&["--json"]).code(2);
    world.run(&["--json"]).code(2);
    assert_eq!(occasions(&path), ["held"]);
    for n in 0..12 {
        world.beat(&format!("c{n:02}"), 0);
    }
    world.run(&["--json"]).code(0);
    world.run(&["--json"]).code(0);
    assert_eq!(occasions(&path), ["held", "released"]);
    state_is_the_journal(&world);
}

#[test]
fn a_dead_and_a_hanging_channel_delay_nothing_and_nobody() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    // Takes connections, and never says a word.
    let hangs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let path = noting(
        &world,
        &format!(
            "  dead: {{kind: webhook, url: 'http://127.0.0.1:1/x'}}\n  hangs: {{kind: webhook, url: 'http://{}/x'}}\nlimits: {{notify_within: 2s}}\n",
            hangs.local_addr().unwrap()
        ),
    );
    plans(
        &world,
        "policy: auto\nsteps: [{run: ['true']}]\nnotify: {channels: [dead, hangs, ops]}\n",
    );
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(run.list("actions")[0]["result"], "ok");
    assert_eq!(occasions(&path), ["revived"]);
    assert!(run.warns("channel"), "{run}");
    assert_eq!(outbox(&world, "dead").len(), 1);
    assert_eq!(outbox(&world, "hangs").len(), 1);
    let failed = events(&world, "notify_failed");
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed.iter().all(|e| e["until"].is_string()));
    // They are tried once more, then left alone for a while; and the exit is that of the agents.
    for _ in 0..3 {
        world.run(&["--json"]).code(1);
    }
    assert_eq!(events(&world, "notify_failed").len(), 4);
    state_is_the_journal(&world);
}

#[test]
fn after_a_day_it_is_given_up_and_what_waits_is_bounded() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    world.config("channels: {dead: {kind: exec, command: ['false']}}\n");
    plans(&world, "policy: never\nnotify: {channels: dead}\n");
    let mut later = Later::new(&world);
    later.run(&["--json"]);
    assert_eq!(outbox(&world, "dead").len(), 1);
    later.pass(86_500).run(&["--json"]);
    let gave_up = events(&world, "notify_failed");
    let gave_up: Vec<_> = gave_up
        .iter()
        .filter(|e| e["reason"] == "given_up")
        .collect();
    assert_eq!(gave_up.len(), 1, "{gave_up:?}");
    state_is_the_journal(&world);
}

/// A cell that is down, and of which a webhook is told.
fn hooked<T: Send + 'static>(server: &Server<T>) -> World {
    let world = World::new();
    world.cell("a").beat("a", 900);
    world.config(&format!(
        "channels: {{hook: {{kind: webhook, url: '{}'}}}}\n",
        server.url("/hook")
    ));
    plans(&world, "policy: never\nnotify: {channels: hook}\n");
    world
}

/// A service that asks to be left alone, and then answers.
#[test]
fn a_service_is_left_alone_for_as_long_as_it_asks() {
    let server = Server::start(0_u32, |asked, _| {
        *asked += 1;
        match *asked {
            1 => Reply::new(429, "slow down").with("Retry-After", "1200"),
            _ => Reply::new(200, "ok"),
        }
    });
    let world = hooked(&server);
    let mut later = Later::new(&world);
    later.run(&["--json"]);
    later.pass(1100).run(&["--json"]);
    assert_eq!(server.with(|asked| *asked), 1);
    later.pass(200).run(&["--json"]);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let key = |n: usize| requests[n].header("idempotency-key").map(str::to_owned);
    assert!(key(0).is_some() && key(0) == key(1), "{requests:?}");
    assert!(outbox(&world, "hook").is_empty());
}

/// What is refused for what it is may be the fault of the setup: it is kept for an hour, in its order.
#[test]
fn what_is_refused_is_kept_for_an_hour() {
    let server = Server::start(400_u16, |status, _| Reply::new(*status, "no"));
    let world = hooked(&server);
    let mut later = Later::new(&world);
    later.run(&["--json"]);
    later.pass(60).beat("a", 0).run(&["--json"]);
    assert_eq!(outbox(&world, "hook").len(), 2);
    server.with(|status| *status = 200);
    server.requests();
    later.pass(600).beat("a", 0).run(&["--json"]);
    let titles: Vec<_> = server
        .requests()
        .iter()
        .map(|r| r.json()["title"].clone())
        .collect();
    assert_eq!(titles[0], "a/main: down", "{titles:?}");
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(outbox(&world, "hook").is_empty());
    // One that is refused for longer holds up nobody.
    server.with(|status| *status = 422);
    later.pass(60).beat("a", 900).run(&["--json"]);
    later.pass(3700).run(&["--json"]);
    later.pass(1000).run(&["--json"]);
    let given_up = events(&world, "notify_failed");
    let given_up = given_up.iter().filter(|e| e["reason"] == "hopeless");
    assert!(given_up.count() >= 1, "{:?}", outbox(&world, "hook"));
    state_is_the_journal(&world);
}

#[test]
fn a_channel_is_tried() {
    let world = World::new();
    let path = noting(&world, "  dead: {kind: exec, command: [/nonexistent/x]}\n");
    let run = world.run(&["channel", "test", "ops", "--json"]);
    assert_eq!(run.code(0).json()["delivered"], true);
    assert_eq!(occasions(&path), ["test"]);
    let run = world.run(&["channel", "test", "dead", "--json"]);
    assert_eq!(run.code(1).json()["delivered"], false);
    world
        .run(&["channel", "test", "nobody"])
        .code(1)
        .stderr_has("ops");
    world
        .run(&["channel", "list"])
        .code(0)
        .stdout_has("no plan uses it");
}

#[test]
fn a_subject_that_flaps_is_told_of_once_as_such() {
    let world = World::new();
    world.cell("a");
    let path = noting(&world, "");
    plans(&world, "policy: never\nnotify: {channels: ops}\n");
    let mut later = Later::new(&world);
    for _ in 0..7 {
        later.pass(60).beat("a", 900).run(&["--json"]);
        later.pass(60).beat("a", 0).run(&["--json"]);
    }
    // That it goes down again and again is told once; that it is back, each time.
    let told = occasions(&path);
    let count = |what: &str| told.iter().filter(|o| *o == what).count();
    let counted = [count("down"), count("flapping"), count("recovered")];
    assert_eq!(counted, [4, 1, 7], "{told:?}");
    // Calm for an hour, it is told of as ever.
    later.pass(3700).beat("a", 0).run(&["--json"]);
    later.pass(60).beat("a", 900).run(&["--json"]);
    assert_eq!(occasions(&path).last().unwrap(), "down");
    assert_eq!(occasions(&path).len(), 13);
    state_is_the_journal(&world);
}

/// The same where another thing is told of the incident in which it begins to flap.
#[test]
fn a_subject_that_flaps_is_told_of_as_such_with_what_matters_more() {
    let world = World::new();
    world.cell("a");
    let path = noting(&world, "");
    plans(
        &world,
        "policy: auto\nsteps: [{run: ['true']}]\nlimits: {attempts: 4, within: 6h, backoff: {jitter: 0}}\nnotify: {channels: ops}\n",
    );
    let mut later = Later::new(&world);
    for _ in 0..5 {
        later.pass(60).beat("a", 900).run(&["--json"]);
        later.pass(60).beat("a", 0).run(&["--json"]);
    }
    let all = notes(&path);
    let titles: Vec<&str> = all.iter().map(|n| n["title"].as_str().unwrap()).collect();
    let [.., told, over] = &titles[..] else {
        panic!("{titles:?}");
    };
    assert!(
        told.starts_with("a/main: flapping, attempts used up"),
        "{titles:?}"
    );
    assert!(over.starts_with("a/main: recovered after"), "{titles:?}");
}

/// Attempts become free again in the same incident, and are used up again: that is news.
#[test]
fn that_attempts_are_used_up_is_told_each_time() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let path = noting(&world, "");
    plans(
        &world,
        "policy: auto\nsteps: [{run: ['true']}]\nverify: {within: 20s}\nlimits: {attempts: 2, within: 10m, backoff: {initial: 10s, jitter: 0}}\nnotify: {channels: ops}\n",
    );
    let mut later = Later::new(&world);
    for _ in 0..46 {
        later.run(&["--json"]);
        later.pass(30);
    }
    let told = occasions(&path);
    let exhausted = told.iter().filter(|o| *o == "exhausted").count();
    assert_eq!(exhausted, 3, "{told:?}");
}

#[test]
fn a_configuration_shows_no_secret_and_takes_none() {
    const SECRET: &str = "4711:CANARY-written-out";
    let world = World::new();
    for yaml in [
        format!("channels: {{ops: {{kind: telegram, token: '{SECRET}', chat_id: 7}}}}"),
        format!("channels: {{ops: {{kind: telegram, tokn: '{SECRET}', chat_id: 7}}}}"),
        format!(
            "channels:\n  ops:\n    kind: telegram\n    chat_id: 7\n    token: {{env: '{SECRET}'}}\n"
        ),
        format!(
            "channels:\n  ops:\n    kind: nostr\n    relays: ['wss://r']\n    recipients: [x]\n    key: {SECRET}\n"
        ),
        format!("channels: {{ops: {{kind: webhook, url: 'https://u:{SECRET}@h/x'}}}}"),
        format!(
            "channels: {{ops: {{kind: webhook, url: 'https://h/x', headers: {{Authorization: '{SECRET}'}}}}}}"
        ),
        format!("channels: {{ops: {{kind: exec, command: [x], token: '{SECRET}'}}}}"),
        // In places where none is to be.
        format!("channels: {{ops: '{SECRET}'}}"),
        format!("channels: '{SECRET}'"),
        format!("channels: ['{SECRET}']"),
        format!("channels: {{ops: {{kind: '{SECRET}'}}}}"),
        format!("channels: {{ops: {{kind: exec, command: 'curl {SECRET}'}}}}"),
        format!(
            "channels:\n  ops:\n    kind: webhook\n    url: https://h/x\n    headers: 'Authorization: {SECRET}'\n"
        ),
        format!(
            "channels:\n  a: &x '{SECRET}'\n  ops: {{kind: telegram, token: *x, chat_id: 7}}\n"
        ),
        format!("channels: {{ops: {{kind: exec, command: [x], '{SECRET}': 1}}}}"),
        format!("channels: {{ops: {{kind: telegram, token: {{env: X}}, chat_id: '{SECRET}'}}}}"),
        format!(
            "channels: {{ops: {{kind: telegram, token: {{env: X}}, chat_id: 7, allowed_users: ['{SECRET}']}}}}"
        ),
        format!("channels:\n  ops:\n    kind: telegram\n    token: {SECRET}: [\n"),
    ] {
        world.config(&yaml);
        let run = world.run(&["--json"]);
        run.code(78);
        assert!(!run.to_string().contains("CANARY"), "{yaml}: {run}");
    }
    for (yaml, wanted) in [
        (
            "channels: {ops: {kind: telegram, token: {env: X}, chat_id: 7, tokem: 1}}",
            "did you mean",
        ),
        ("channels: {ops: {kind: telegrm}}", "telegram"),
        (
            "channels: {ops: {kind: webhook, url: 'http://example.org/'}}",
            "insecure",
        ),
        (
            "channels: {ops: {kind: gitea, url: 'https://g', repo: x, token: {env: X}}}",
            "OWNER/NAME",
        ),
        ("channels: {ops: {kind: exec}}", "needs `command`"),
        (
            "channels: {ops: {kind: exec, command: [x], repo: a/b}}",
            "no use with kind exec",
        ),
    ] {
        world.config(yaml);
        world.run(&[]).code(78).stderr_has(wanted);
    }
}

#[test]
fn a_secret_s_file_is_for_its_owner_alone() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let server = Server::start((), |(), _| Reply::new(200, "ok"));
    let file = world.base().join("conf/key");
    put(&file, b"CANARY-key\n");
    world.config(&format!(
        "channels: {{hook: {{kind: webhook, url: '{}', secret: {{file: key}}}}}}\n",
        server.url("/hook")
    ));
    plans(&world, "policy: never\nnotify: {channels: hook}\n");
    let run = world.run(&["--json"]);
    run.code(2);
    let warnings = run.list("warnings");
    let told = warnings
        .iter()
        .any(|w| w["message"].as_str().unwrap().contains("chmod 600"));
    assert!(told, "{run}");
    assert!(server.requests().is_empty());
    mode(&file, 0o600);
    world.run(&["channel", "test", "hook"]).code(0);
    assert_eq!(server.requests().len(), 1);
}
