//! Secrets of every kind of channel at once, through a whole life, while whatever is started looks
//! around. That no output, state, journal or log has one of them is seen to by the harness, for all
//! tests; here it is what others on the host could see.

use std::fs;
use std::path::Path;

use crate::fake::http::{Reply, Server};
use crate::fake::{gitea, ntfy, telegram};
use crate::later::{eventually, plans};
use crate::output::tells;
use crate::world::{World, is_root, mode, put};

/// A key for Nostr: no text can stand in one.
const KEY: &str = "7f3c1b5e9a2d4c6f8091a3b5c7d9ebfd1032547698badcfe0f1e2d3c4b5a6978";

/// All that a process can see of others: their arguments, and its own environment.
const LOOKS: &str = r"
{ cat /proc/[0-9]*/cmdline; echo; cat /proc/$$/environ; } 2>/dev/null | tr '\0' '\n' > $1.part
mv $1.part $1
";

fn seen(path: &Path) -> String {
    let text = eventually(|| fs::read_to_string(path).ok());
    assert!(
        text.contains("PATH=") && text.contains("lazarus-pit"),
        "{text}"
    );
    text
}

#[test]
fn nothing_that_is_started_gets_to_see_a_secret() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let (telegram, gitea, ntfy) = (telegram::start(), gitea::start(), ntfy::start());
    let hook = Server::start((), |(), _| Reply::new(200, "ok"));
    let home = world.base().join("home");
    let [told, stepped, worked] = ["told", "stepped", "worked"].map(|name| home.join(name));
    let key = world.base().join("conf/nostr.key");
    put(&key, KEY.as_bytes());
    mode(&key, 0o600);
    let looks = world.base().join("conf/looks");
    put(&looks, LOOKS.as_bytes());
    let looks = looks.display();
    world.config(&format!(
        "channels:
  tg: {{kind: telegram, token: {{env: TG}}, chat_id: 42, allowed_users: [42], api_url: '{}'}}
  git: {{kind: gitea, url: '{}', repo: ops/pool, token: {{env: GIT}}, allowed_users: [ann]}}
  phone: {{kind: ntfy, url: '{}', topic: {{env: TOPIC}}, reply_topic: reply_1, token: {{env: NTFY}}}}
  hook: {{kind: webhook, url: {{env: HOOK}}, secret: {{env: SIGN}}, headers: {{X-Key: {{env: HEAD}}}}}}
  dm: {{kind: nostr, key: {{file: nostr.key}}, relays: ['ws://127.0.0.1:1'], recipients: ['{}']}}
  own: {{kind: exec, command: [sh, '{looks}', '{}']}}
",
        telegram.url(""),
        gitea.url(""),
        ntfy.url(""),
        "17162c921dc4d2518f9a101db33695df1afb56ab82f5ff3e5da6eec3ca5cd917",
        told.display(),
    ));
    let all = "[tg, git, phone, hook, dm, own]";
    let user = if is_root() { ", user: root" } else { "" };
    // An agent's parent is its keeper, which lives as long.
    let keeper = "cat /proc/$PPID/environ > $1.keeper; ";
    plans(
        &world,
        &format!(
            "policy: ask\napproval: {{channels: {all}}}\nnotify: {{channels: {all}}}\nsteps:\n\
             - run: [sh, '{looks}', '{}']\n\
             - spawn: {{command: [sh, -c, '{keeper}. {looks}; sleep 60', sh, '{}']{user}, \
             env_pass: [TG, GIT, NTFY, HOOK, SIGN, HEAD, TOPIC]}}\n",
            stepped.display(),
            worked.display()
        ),
    );
    let run = |args: &[&str]| {
        let mut cmd = world.cmd(args).env("RUST_LOG", "trace");
        for (name, value) in [
            ("TG", telegram::TOKEN),
            ("GIT", gitea::TOKEN),
            ("NTFY", ntfy::TOKEN),
            ("TOPIC", "CANARY-topic"),
            ("SIGN", "CANARY-sign"),
            ("HEAD", "CANARY-head"),
        ] {
            cmd = cmd.env(name, value);
        }
        let run = cmd.env("HOOK", hook.url("/CANARY-path")).run();
        assert!(!run.to_string().contains(KEY), "{run}");
        run
    };
    run(&["--json"]).code(1);
    assert!(!hook.requests().is_empty() && !gitea.requests().is_empty());
    telegram.with(|t| t.press(&t.last(), 42, true));
    let acts = run(&["--json"]);
    assert_eq!(acts.verdict("a/main"), Some("revive"), "{acts}");
    assert_eq!(acts.list("actions")[0]["result"], "ok", "{acts}");
    for path in [&told, &stepped, &worked] {
        let text = seen(path);
        assert!(!tells(text.as_bytes()) && !text.contains(KEY), "{text}");
    }
    let keeper = fs::read(worked.with_extension("keeper")).unwrap();
    assert!(keeper.windows(5).any(|part| part == b"PATH=") && !tells(&keeper));
    for args in [
        &["channel", "test", "tg", "--json"][..],
        &["channel", "test", "dm"],
        &["channel", "list", "--json"],
        &["explain", "a"],
        &["status", "--json"],
        &["history", "--json"],
        &["ps", "--json"],
    ] {
        run(args);
    }
    // Services that are all gone: their errors have no secret either.
    world.config(
        &fs::read_to_string(world.config_path())
            .unwrap()
            .replace("127.0.0.1", "127.0.0.2"),
    );
    run(&["close", "a", "--restart"]);
    run(&["--json", "-v"]);
    for (path, bytes) in world.tree() {
        let is_key = path == key;
        let has = String::from_utf8_lossy(&bytes).contains(KEY);
        assert!(is_key || !has, "{}", path.display());
    }
}
