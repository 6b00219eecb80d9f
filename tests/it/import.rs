//! `import`: files of the earlier tools become a configuration and plans that can be put in force.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::output::Run;
use crate::world::{NOBODY, World, make_dir, mode, needs_root, put};

const TOKEN: &str = "123456789:AAEabcdefghijklmnopqrstuvwxyz0123456";
const NSEC: &str = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
const GITEA: &str = "0123456789abcdef0123456789abcdef01234567";
const API_KEY: &str = "sk-abcdef0123456789abcdef0123456789";
const NPUB: &str = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";

/// A resurrection pool with something of everything.
fn pool() -> Value {
    json!({
        "poll_interval": 60,
        "dead_threshold": 300,
        "approval_timeout_seconds": 600,
        "log_level": "info",
        "default_policy": "ask",
        "gateways": [
            {"name": "timmy", "host": "localhost", "ws_port": 8765, "health_port": 8766,
             "process_pattern": "hermes.*timmy", "heartbeat_path": "~/.timmy/heartbeat.json",
             "dead_threshold": 120, "policy": "auto", "revive_cmd": "systemctl restart hermes-{name}",
             "max_attempts": 3, "cooldown": 60, "colour": "# gold"},
            {"name": "allegro", "ws_port": 8767, "policy": "ask", "revive_cmd": ["hermes", "start"],
             "depends_on": ["timmy"], "env": {"MODEL": "x", "OPENAI_API_KEY": API_KEY}},
            {"name": "the old one", "policy": "never",
             "probes": [{"type": "tcp", "host": "10.0.0.7", "port": 22}, {"type": "process", "pattern": "("}]},
        ],
        "telegram": {"bot_token": TOKEN, "chat_id": -1001234567890i64, "allowed_users": [42, "bob"]},
        "nostr": {"relays": ["wss://relay.example.org"], "nsec": NSEC, "recipients": [NPUB]},
        "gitea": {"url": "https://forge.example.org/api/v1", "token": GITEA, "owner": "timmy",
                  "repo": "the-nexus", "labels": ["pool"], "allowed_users": ["alice"]},
        "smtp": {"password": "hunter2", "host": "mail"},
    })
}

const DAEMON: &str = r#"
[missions]
root = "/srv/missions"
required_subdirs = ["meta", "state"]

[daemon]
poll_interval = "1m"
pid_file = "/run/lazarus.pid"

[heartbeat]
dir = "/var/lib/heartbeats"
stale_after_seconds = 240
ping_url = "https://hc-ping.com/00000000-1111-2222-3333-444444444444"

[revive]
policy = "auto"
command = "systemctl restart nexus-{agent}.service"
max_attempts = 4
cooldown = "2m"

[missions.portal-1]
policy = "ask"
agents = ["claude", {name = "allegro", policy = "never"}]
revive_cmd = "cd {root} && ./go.sh {agent}"
maintenance = [{cron = "0 3 * * SUN", for = "1h", timezone = "Europe/Vienna"}, {from = 2026-12-24T18:00:00Z, until = 2026-12-27T06:00:00Z}]

[telegram]
token = "${TG_TOKEN}"
chat_id = 42
allowed_users = [42]
"#;

/// Whether the configuration's reader knows channels; where not, all but them is put to it.
fn knows_channels() -> bool {
    let schema = include_str!("../../docs/schema/config.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    schema["properties"].get("channels").is_some()
}

/// A directory of one's own, and the file in it.
fn file(world: &World, name: &str, text: &str) -> (PathBuf, PathBuf) {
    let dir = world.base().join("import");
    let path = dir.join(name);
    put(&path, text.as_bytes());
    (path, dir.join("out"))
}

fn import(world: &World, path: &Path, out: &Path) -> Run {
    let words = [
        "import",
        path.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    world.bare(&words).run()
}

/// All that was written, by path.
fn written(out: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(out) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(out).unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            all.insert(name.to_str().unwrap().to_owned(), text);
        }
    }
    all
}

fn yaml(text: &str) -> Value {
    let value: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    serde_json::to_value(value).unwrap()
}

/// The whole output, put to `plan lint`: without a word, where the reader knows all of it.
#[track_caller]
fn lints(world: &World, out: &Path) {
    let config = out.join("config.yaml");
    if !knows_channels() {
        // Until it does: the same without them, and plans without those who are told.
        let text = fs::read_to_string(&config).unwrap();
        let at = text.find("\nchannels:").unwrap_or(text.len());
        put(&config, &text.as_bytes()[..at]);
        for entry in fs::read_dir(out.join("plans")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let kept = |line: &&str| !line.starts_with("notify:") && !line.starts_with("approval:");
            let text: Vec<&str> = text.lines().filter(kept).collect();
            put(&path, format!("{}\n", text.join("\n")).as_bytes());
        }
    }
    let run = world
        .bare(&[
            "plan",
            "lint",
            "--json",
            "--config",
            config.to_str().unwrap(),
        ])
        .run();
    run.code(0);
    assert_eq!(run.list("problems").len(), 0, "{run}");
    assert!(run.json()["plans"].as_u64().unwrap() > 0, "{run}");
}

#[test]
fn a_pool_becomes_gateways_plans_and_channels() {
    let world = World::new();
    let (path, out) = file(&world, "resurrection_pool.json", &pool().to_string());
    let run = import(&world, &path, &out);
    run.code(0).stderr_empty();
    let files = written(&out);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "config.yaml",
            "plans/default.yaml",
            "plans/gateway-allegro.yaml",
            "plans/gateway-the-old-one.yaml",
            "plans/gateway-timmy.yaml",
        ]
    );
    let config = yaml(&files["config.yaml"]);
    assert_eq!(config["heartbeat_interval_seconds"], 60);
    assert_eq!(config["stale_after"], "5m");
    assert_eq!(
        config["gateways"][0],
        json!({"name": "timmy", "heartbeat": "~/.timmy/heartbeat.json", "stale_after": "2m", "probes": [
            {"http": {"url": "http://localhost:8766/health"}}, {"tcp": "localhost:8765"},
            {"process": {"pattern": "hermes.*timmy"}}]})
    );
    assert_eq!(
        config["gateways"][2]["probes"],
        json!([{"tcp": "10.0.0.7:22"}])
    );
    assert_eq!(
        config["channels"],
        json!({
            "telegram": {"kind": "telegram", "token": {"env": "TELEGRAM_BOT_TOKEN"},
                         "chat_id": -1001234567890i64, "allowed_users": [42]},
            "gitea": {"kind": "gitea", "url": "https://forge.example.org", "repo": "timmy/the-nexus",
                      "token": {"env": "GITEA_TOKEN"}, "labels": ["pool"], "allowed_users": ["alice"]},
            "nostr": {"kind": "nostr", "relays": ["wss://relay.example.org"], "key": {"env": "NOSTR_NSEC"},
                      "recipients": [NPUB]},
        })
    );
    let timmy = yaml(&files["plans/gateway-timmy.yaml"]);
    assert_eq!(timmy["match"], json!({"gateways": ["timmy"]}));
    assert_eq!(timmy["policy"], "auto");
    assert_eq!(
        timmy["steps"],
        json!([{"run": ["systemctl", "restart", "hermes-{{ gateway.name }}"]}])
    );
    assert_eq!(timmy["limits"]["attempts"], 3);
    assert_eq!(
        timmy["limits"]["backoff"],
        json!({"initial": "1m", "factor": 1, "max": "1m"})
    );
    let allegro = yaml(&files["plans/gateway-allegro.yaml"]);
    assert_eq!(allegro["policy"], "ask");
    assert_eq!(allegro["approval"]["expires"], "10m");
    assert_eq!(
        allegro["approval"]["channels"],
        json!(["telegram", "gitea", "nostr"])
    );
    assert_eq!(allegro["needs"], json!(["gateway:timmy"]));
    assert_eq!(allegro["steps"][0]["spawn"]["env"], json!({"MODEL": "x"}));
    assert_eq!(
        allegro["steps"][0]["spawn"]["env_pass"],
        json!(["OPENAI_API_KEY"])
    );

    // What has no meaning here is named, what is secret is not shown, nowhere.
    for comment in [
        "#   gateways[0].colour: \"# gold\"\n",
        "#   gateways[2].probes[1].pattern: \"(\"  (this is not a regular expression",
        "#   telegram.allowed_users: \"bob\"  (",
        "#   log_level: \"info\"  (",
        "#   smtp.password: (not shown",
    ] {
        assert!(
            files["config.yaml"].contains(comment),
            "{comment}: {}",
            files["config.yaml"]
        );
    }
    let all: String = files.into_values().chain([run.to_string()]).collect();
    for secret in [TOKEN, NSEC, GITEA, API_KEY, "hunter2"] {
        assert!(!all.contains(secret), "{secret}");
    }
    for part in [
        "TELEGRAM_BOT_TOKEN  the value of telegram.bot_token",
        "NOSTR_NSEC  the value of nostr.nsec",
        "OPENAI_API_KEY  the value of gateways[1].env.OPENAI_API_KEY",
        "\"the old one\" is called the-old-one here",
        "6 settings were not kept",
    ] {
        run.stdout_has(part);
    }
    lints(&world, &out);
}

#[test]
fn a_daemon_s_configuration_becomes_plans_for_missions() {
    let world = World::new();
    let (path, out) = file(&world, "lazarus-pit.toml", DAEMON);
    let words = [
        "import",
        path.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--json",
    ];
    let run = world.bare(&words).run();
    run.code(0).stderr_empty();
    assert_eq!(run.json()["schema"], "lazarus-pit/import/1");
    assert_eq!(run.json()["plans"], 3);
    assert_eq!(
        run.json()["environment"],
        json!([{"name": "TG_TOKEN", "from": null}])
    );
    assert_eq!(
        run.json()["files"],
        json!([
            "config.yaml",
            "plans/cell-portal-1.yaml",
            "plans/default.yaml"
        ])
    );
    let files = written(&out);
    let config = yaml(&files["config.yaml"]);
    assert_eq!(config["missions_root"], "/srv/missions");
    assert_eq!(config["required_subdirs"], json!(["meta", "state"]));
    assert_eq!(config["heartbeat_dir"], "/var/lib/heartbeats");
    assert_eq!(config["stale_after"], "4m");
    assert_eq!(
        config["channels"]["telegram"]["token"],
        json!({"env": "TG_TOKEN"})
    );
    assert!(config["heartbeat_ping_url"].is_string());
    // The ping URL has a key in it, and cannot stand elsewhere.
    let bits = fs::metadata(out.join("config.yaml"))
        .unwrap()
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(bits, 0o600);
    let cell: Vec<Value> = files["plans/cell-portal-1.yaml"]
        .split("---\n")
        .map(yaml)
        .collect();
    assert_eq!(
        cell[0]["match"],
        json!({"cells": ["portal-1"], "agents": ["allegro"]})
    );
    assert_eq!(cell[0]["policy"], "never");
    assert_eq!(cell[1]["match"], json!({"cells": ["portal-1"]}));
    assert_eq!(cell[1]["policy"], "ask");
    // What a cell is called is no part of what a shell reads.
    let step = json!({"run": ["sh", "-c", "cd ${LAZARUS_CELL_ROOT} && ./go.sh ${LAZARUS_AGENT}"]});
    assert_eq!(cell[1]["steps"], json!([step]));
    assert_eq!(cell[1]["maintenance"].as_array().unwrap().len(), 2);
    let default = yaml(&files["plans/default.yaml"]);
    assert_eq!(
        default["steps"][0]["run"][2],
        "nexus-{{ agent.name }}.service"
    );
    lints(&world, &out);
}

/// What was made is put in force as it is: a gateway without anything is found dead, and its plan
/// is carried out.
#[test]
fn what_is_made_can_be_run() {
    let world = World::new();
    let pool = json!({"gateways": {"timmy": {
        "heartbeat_path": "/nonexistent/beat", "policy": "auto", "revive_cmd": "true"}}});
    let (path, out) = file(&world, "pool.json", &pool.to_string());
    import(&world, &path, &out).code(0);
    let config = out.join("config.yaml");
    let run = world
        .cmd(&["--json", "--config", config.to_str().unwrap()])
        .run();
    run.code(1);
    assert_eq!(run.verdict("gateway:timmy"), Some("revive"), "{run}");
}

/// Nothing that is there is touched, and half of it is never there.
#[test]
fn nothing_is_overwritten() {
    let world = World::new();
    let (path, out) = file(&world, "pool.json", &pool().to_string());
    for taken in ["config.yaml", "plans/x.yaml", "plans", "dangling"] {
        make_dir(&out, 0o755);
        match taken {
            "plans" => make_dir(&out.join("plans"), 0o755),
            "dangling" => {
                std::os::unix::fs::symlink("/nonexistent", out.join("config.yaml")).unwrap()
            }
            file => put(&out.join(file), b"mine"),
        }
        let before = world.tree();
        let run = import(&world, &path, &out);
        run.code(64)
            .stdout_empty()
            .stderr_has("nothing was written");
        assert_eq!(world.tree(), before, "{taken}");
        crate::world::remove(&out);
    }
    import(&world, &path, &out).code(0);
    let before = world.tree();
    import(&world, &path, &out).code(64);
    assert_eq!(world.tree(), before);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let world = World::new();
    let secret = crate::world::SECRET;
    for (name, text, place) in [
        (
            "a.json",
            format!("{{\n  \"token\": {secret}\n}}"),
            ":2:12: error: this is not JSON",
        ),
        (
            "b.json",
            "{\"a\": 1,\n\"a\": 2}".to_owned(),
            ":2:7: error: this is not JSON: the key `a` stands here twice",
        ),
        (
            "c.toml",
            format!("x = 1\ntoken = {secret}\n"),
            ":2:9: error: this is not TOML",
        ),
        (
            "d.json",
            "[]".to_owned(),
            ":1:1: error: this is no object with settings",
        ),
        (
            "e.json",
            "{\"colour\": \"gold\"}".to_owned(),
            ":1:1: error: there is nothing in it that is known",
        ),
        ("f.json", String::new(), ":1:1: error"),
    ] {
        let (path, out) = file(&world, name, &text);
        let run = import(&world, &path, &out);
        run.code(78).stdout_empty();
        assert!(run.stderr().contains(&format!("{name}{place}")), "{run}");
        assert!(!run.stderr().contains(secret), "{run}");
        assert!(!out.exists());
    }
    let (path, out) = file(&world, "x.json", "{}");
    fs::write(&path, b"{\n\xff}").unwrap();
    import(&world, &path, &out)
        .code(78)
        .stderr_has("x.json:2: error: this is not UTF-8");
    import(&world, &path.with_extension("none"), &out)
        .code(78)
        .stderr_has("No such file");
    world.bare(&["import"]).run().code(64);
    // What it says becomes commands: whoever can write it would give them.
    put(&path, pool().to_string().as_bytes());
    mode(&path, 0o666);
    import(&world, &path, &out)
        .code(78)
        .stderr_has("can be written by everyone");
    assert!(!out.exists());
}

/// Where it cannot write it says so, and leaves nothing behind.
#[test]
fn an_ordinary_user_imports_for_themselves() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    let home = world.base().join("home");
    let path = home.join("pool.json");
    put(&path, pool().to_string().as_bytes());
    let words = |out: &Path| {
        [
            "import",
            path.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ]
        .map(str::to_owned)
    };
    let run = |out: &Path| {
        let words = words(out);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        world.bare(&words).user(NOBODY).run()
    };
    run(&home.join("a/b")).code(0);
    assert!(home.join("a/b/plans/gateway-timmy.yaml").exists());
    make_dir(&world.base().join("closed"), 0o755);
    let denied = run(&world.base().join("closed"));
    denied
        .code(74)
        .stdout_empty()
        .stderr_has("ermission denied");
    assert_eq!(
        fs::read_dir(world.base().join("closed")).unwrap().count(),
        0
    );
}
