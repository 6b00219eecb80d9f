use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn of(value: &Value) -> Result<Imported, Wrong> {
    import(&value.to_string(), "pool.json", Format::Json)
}

/// All that is written.
fn written(imported: &Imported) -> String {
    let plans = imported.plans.iter().map(|(_, text)| text.as_str());
    let all: Vec<&str> = std::iter::once(imported.config.as_str())
        .chain(plans)
        .collect();
    all.join("\n")
}

#[test]
fn the_format_is_told_by_name_or_beginning() {
    for (name, text, format) in [
        ("x.toml", "{}", Format::Toml),
        ("X.JSON", "a = 1", Format::Json),
        ("x", "\u{feff} \n{}", Format::Json),
        ("x.conf", "a = 1", Format::Toml),
    ] {
        assert_eq!(Format::of(name, text), format, "{name}");
    }
}

/// What stands in it twice cannot be moved out of one place only.
#[test]
fn a_secret_that_stands_elsewhere_too_is_refused() {
    let token = "123456789:AAEabcdefghijklmnopq";
    let pool = json!({
        "telegram": {"token": token, "chat_id": 1},
        "gateways": [{"name": "a", "description": format!("by {token}")}],
    });
    let wrong = of(&pool).unwrap_err();
    assert!(wrong.message.contains("telegram.token"), "{wrong:?}");
    assert!(!wrong.message.contains(token), "{wrong:?}");
    assert!(of(&json!({"unknown": 1})).is_err());
}

/// Each way to say whom a command is for, and what it is.
#[test]
fn commands_are_steps() {
    let steps = |gateway: Value| {
        let mut gateway = gateway;
        gateway["name"] = "g".into();
        let imported = of(&json!({"gateways": [gateway]})).unwrap();
        imported.check().unwrap();
        let plan: serde_yaml::Value = serde_yaml::from_str(&imported.plans[0].1).unwrap();
        serde_json::to_value(&plan).unwrap()
    };
    let auto = |command: Value| {
        let plan = steps(json!({"policy": "auto", "revive_cmd": command}));
        assert_eq!(plan["policy"], "auto", "{plan}");
        plan["steps"][0].clone()
    };
    assert_eq!(auto(json!("a b")), json!({"run": ["a", "b"]}));
    assert_eq!(auto(json!(["a b", "c"])), json!({"run": ["a b", "c"]}));
    assert_eq!(auto(json!("a | b")), json!({"run": ["sh", "-c", "a | b"]}));
    let full = auto(json!({"command": "a", "cwd": "/x", "timeout": "1m", "env": {"A": 1}}));
    assert_eq!(
        full,
        json!({"run": {"command": ["a"], "cwd": "/x", "env": {"A": "1"}}, "timeout": "1m"})
    );
    let spawn = auto(json!("nohup a b &"));
    assert_eq!(spawn, json!({"spawn": {"command": ["a", "b"]}}));
    let away = auto(json!({"command": "a", "cwd": "~/x", "background": true}));
    assert_eq!(
        away["spawn"]["command"],
        json!(["sh", "-c", "cd ~/x && exec \"$0\" \"$@\"", "a"])
    );
    let plan = steps(json!({"policy": "always", "commands": ["a b", ["c", "d"]]}));
    assert_eq!(
        plan["steps"],
        json!([{"run": ["a", "b"]}, {"run": ["c", "d"]}])
    );
    // What cannot be done is only told.
    for gateway in [
        json!({"policy": "auto"}),
        json!({"policy": "auto", "revive_cmd": "curl -H 'Authorization: token abc'"}),
        json!({"policy": "auto", "revive_cmd": ["curl", "--token", "abc"]}),
        json!({"policy": "auto", "revive_cmd": {"command": "a", "cwd": "rel"}}),
        json!({"policy": "ask", "revive_cmd": "a", "max_attempts": 0}),
        json!({"policy": false, "revive_cmd": "a"}),
    ] {
        let plan = steps(gateway);
        assert_eq!(plan["policy"], "never", "{plan}");
        assert!(!plan.to_string().contains("abc"), "{plan}");
    }
}

/// Keys that are known, with values of every kind.
fn known_key() -> impl Strategy<Value = String> {
    proptest::sample::select(
        &[
            "gateways",
            "missions",
            "agents",
            "telegram",
            "nostr",
            "gitea",
            "ntfy",
            "webhook",
            "slack",
            "name",
            "host",
            "port",
            "ws_port",
            "ports",
            "health_url",
            "health_port",
            "process_pattern",
            "heartbeat",
            "heartbeat_path",
            "dead_threshold",
            "stale_after",
            "policy",
            "revive_cmd",
            "commands",
            "start_cmd",
            "command",
            "env",
            "cwd",
            "user",
            "timeout",
            "cooldown",
            "backoff",
            "max_attempts",
            "within",
            "verify",
            "maintenance",
            "from",
            "until",
            "cron",
            "for",
            "needs",
            "channels",
            "notify",
            "token",
            "chat_id",
            "allowed_users",
            "relays",
            "nsec",
            "recipients",
            "url",
            "repo",
            "topic",
            "poll_interval",
            "missions_root",
            "root",
            "daemon",
            "pool",
            "enabled",
            "type",
            "kind",
            "probes",
            "path",
            "limits",
            "logs",
            "approval",
            "description",
            "mission",
            "labels",
            "state_dir",
            "protection",
            "failures",
            "status",
            "headers",
        ][..],
    )
    .prop_map(str::to_owned)
}

fn leaf() -> impl Strategy<Value = Value> {
    let words = proptest::sample::select(
        &[
            "auto",
            "ask",
            "localhost",
            "/x/y",
            "~/x",
            "5m",
            "a b",
            "a && b &",
            "telegram",
            "tcp",
            "process",
            "https://h/x",
            "{name}",
            "{{ x }}",
            "",
            "0 3 * * SUN",
            "2026-12-24T18:00:00Z",
            "x\n---\ny: 1",
            "\u{1b}[2J",
            "a: b #c",
            "{",
            "]x[",
            "\\",
            "portal-1",
            "*",
            "(",
            "@chat",
            "o/r",
        ][..],
    );
    prop_oneof![
        words.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..100_000i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof![8 => known_key(), 1 => any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..7)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Puts an entry that nobody knows into each mapping, and says how many.
fn mark(value: &mut Value, next: &mut usize) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|v| mark(v, next)),
        Value::Object(map) => {
            map.values_mut().for_each(|v| mark(v, next));
            map.insert(format!("zz_mark_{next}"), json!(*next));
            *next += 1;
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is in it: what is written is what the program takes, and no setting that is not
    /// known is passed over in silence.
    #[test]
    fn what_is_written_is_sound_and_nothing_is_lost(
        entries in proptest::collection::vec((known_key(), tree()), 1..8),
    ) {
        let mut pool = Value::Object(entries.into_iter().collect());
        let mut marks = 0;
        mark(&mut pool, &mut marks);
        let Ok(imported) = of(&pool) else {
            return Ok(());
        };
        prop_assert_eq!(imported.check(), Ok(()), "{}", written(&imported));
        let all = written(&imported);
        for mark in 0..marks {
            prop_assert!(all.contains(&format!("zz_mark_{mark}")), "{mark} of {pool}: {all}");
        }
    }
}
