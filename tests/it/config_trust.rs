//! The configuration: what it may say, where it is found, and whose word counts.

use std::os::unix::fs::{chown, symlink};

use serde_json::{Value, json};

use crate::world::{NOBODY, SUBDIRS, World, make_dir, mode, needs_root, put};

#[test]
fn the_original_json_config_loads_unchanged_and_its_report_keeps_its_names() {
    let w = World::new();
    w.cell("a").cell("b").beat("b", 400);
    let config = json!({
        "missions_root": w.root(),
        "heartbeat_job": "lazarus_pit",
        "heartbeat_interval_seconds": 60,
        "stale_after_seconds": 180,
        "required_subdirs": SUBDIRS,
        "heartbeat_file": "state/heartbeat.json",
    });
    let text = serde_json::to_string_pretty(&config).unwrap();
    let path = w.base().join("conf/lazarus-pit.json");
    put(&path, text.as_bytes());
    let run = w
        .bare(&["--json", "--config"])
        .arg(&path)
        .arg("--state-dir")
        .arg(w.state())
        .run();
    run.code(2).stderr_empty();
    let doc = run.json();
    assert_eq!(doc["missions_root"], json!(w.root()));
    assert_eq!(doc["heartbeat_job"], "lazarus_pit");
    assert_eq!(doc["heartbeat_interval_seconds"], 60);
    for key in [
        "total_cells",
        "healthy",
        "stale",
        "incomplete",
        "uninitialized",
    ] {
        run.summary(key);
    }
    for key in [
        "mission_id",
        "root",
        "status",
        "age_seconds",
        "last_timestamp",
        "missing_paths",
    ] {
        assert!(run.cell("b").get(key).is_some(), "{key}: {run}");
    }
    // On one line, and with tabs, as another program writes it.
    for text in [config.to_string(), text.replace("  ", "\t")] {
        put(&path, text.as_bytes());
        let run = w
            .bare(&["--config"])
            .arg(&path)
            .arg("--state-dir")
            .arg(w.state())
            .run();
        run.code(2);
    }
}

#[test]
fn an_unknown_key_is_78_with_its_place_and_a_suggestion() {
    let w = World::new();
    w.cell("a");
    let at = w.config_path().display().to_string();
    for (yaml, place, suggestion) in [
        (
            "heartbeat_job: x\nstale_afer_seconds: 5\n",
            "2:1",
            "stale_after_seconds",
        ),
        ("mission_root: /x\n", "1:1", "missions_root"),
        ("# words\n\nlogs:\n  kep: 3d\n", "4:3", "keep"),
        (
            "{\"heartbeat_job\": \"x\", \"hartbeat_file\": \"y\"}\n",
            "1:24",
            "heartbeat_file",
        ),
    ] {
        let run = w.config(yaml).run(&[]);
        run.code(78)
            .stdout_empty()
            .stderr_has(format!("{at}:{place}"))
            .stderr_has(suggestion);
        w.run(&["--json"]).code(78).clean().error_document();
    }
    let meta = w.meta().expect("a run that failed with 78 beats too");
    assert_eq!(meta["status"], "error");
    assert!(meta["message"].is_string(), "{meta}");
}

#[test]
fn a_config_that_is_wrong_is_78_before_anything_is_touched() {
    let w = World::new();
    w.cell("a");
    for yaml in [
        "stale_after_seconds: soon\n",
        "stale_after_seconds: -5\n",
        "stale_after: 5 parsecs\n",
        "heartbeat_interval_seconds: []\n",
        "required_subdirs: meta\n",
        "required_subdirs: [1, {}]\n",
        "required_subdirs: [\"../outside\"]\n",
        "required_subdirs: [\"/etc\"]\n",
        "heartbeat_file: ../../etc/passwd\n",
        "heartbeat_file: /etc/passwd\n",
        "heartbeat_job: ../escape\n",
        "heartbeat_job: a/b\n",
        "heartbeat_job: x\nheartbeat_job: y\n",
        "- a\n- list\n",
        "just words\n",
        "a: [unclosed\n",
        "clock_skew: 5\n  bad: indent\n",
        "missions_root: [x]\n",
        "allow_mounts: perhaps\n",
    ] {
        let run = w.config(yaml).run(&["--json"]);
        assert_eq!(run.exit(), 78, "{yaml:?}: {run}");
        run.clean().error_document();
        assert!(!w.state().join("journal.jsonl").exists(), "{yaml}: {run}");
    }
    for yaml in [
        "",
        "# nothing\n",
        "---\n",
        "\u{feff}heartbeat_job: x\n",
        "heartbeat_job: x\r\n",
    ] {
        w.config(yaml).run(&["--json"]).code(0);
    }
}

/// All problems at once, and not the first alone.
#[test]
fn every_problem_is_told_in_one_go() {
    let w = World::new();
    w.config("stale_afer: 5m\nheartbeat_jb: x\nclock_skew: soon\n");
    let run = w.run(&[]);
    let at = w.config_path().display().to_string();
    for place in ["1:1", "2:1", "3:13"] {
        run.code(78).stderr_has(format!("{at}:{place}"));
    }
}

#[test]
fn yaml_that_grows_is_refused_in_time() {
    let w = World::new();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let last = format!("*a{}", i - 1);
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![last; 9].join(", "));
    }
    w.config(&bomb).run(&["--json"]).code(78).error_document();
    w.config(&"[".repeat(100_000))
        .run(&["--json"])
        .code(78)
        .error_document();
    w.config(&"a: ".repeat(50_000))
        .run(&["--json"])
        .code(78)
        .error_document();
    w.config(&format!("heartbeat_job: {}\n", "x".repeat(10 << 20)));
    w.run(&["--json"]).code(78).error_document();
}

#[test]
fn the_config_is_found_by_flag_then_environment_then_home() {
    let w = World::new();
    w.cell("a").beat("a", 1000);
    let state = w.state().display().to_string();
    let write = |at: &str, yaml: &str| {
        let path = w.base().join(at);
        put(
            &path,
            format!("missions_root: {}\n{yaml}", w.root().display()).as_bytes(),
        );
        path
    };
    // None: the built-in limit of 180 s.
    w.run(&[]).code(2);
    write("home/.config/lazarus-pit/config.yaml", "stale_after: 1h\n");
    w.bare(&["--state-dir", &state]).run().code(0);
    let by_env = write("conf/env.yaml", "stale_after: 1m\n");
    w.bare(&["--state-dir", &state])
        .env("LAZARUS_PIT_CONFIG", &by_env)
        .run()
        .code(2);
    let by_flag = write("conf/flag.yaml", "stale_after: 2h\n");
    let with_flag = || w.bare(&["--state-dir", &state, "--config"]).arg(&by_flag);
    with_flag().env("LAZARUS_PIT_CONFIG", &by_env).run().code(0);
    // One that was named must be there.
    let gone = w.base().join("conf/gone.yaml");
    w.bare(&["--json", "--state-dir", &state, "--config"])
        .arg(&gone)
        .run()
        .code(78)
        .error_document();
    w.bare(&["--json", "--state-dir", &state])
        .env("LAZARUS_PIT_CONFIG", &gone)
        .run()
        .code(78)
        .error_document();
}

#[test]
fn the_state_directory_is_found_by_flag_then_environment_then_home() {
    if !needs_root() {
        return;
    }
    let w = World::new();
    w.cell("a");
    let root = w.root().display().to_string();
    let by_env = w.base().join("home/by-env");
    let run = w
        .bare(&["--root", &root])
        .env("LAZARUS_PIT_STATE_DIR", &by_env)
        .user(NOBODY)
        .run();
    run.code(0);
    assert!(by_env.join("heartbeats/lazarus_pit.last").is_file());
    w.bare(&["--root", &root]).user(NOBODY).run().code(0);
    let at_home = w.base().join("home/.local/state/lazarus-pit");
    assert!(at_home.join("heartbeats/lazarus_pit.last").is_file());
}

/// What is done to the configuration or its directory before a run.
type Spoil = fn(&World);

#[test]
fn a_config_that_others_could_have_written_is_refused() {
    if !needs_root() {
        return;
    }
    let refused: [(&str, Spoil); 7] = [
        ("owned by somebody", |w| {
            chown(w.config_path(), Some(NOBODY), Some(NOBODY)).unwrap()
        }),
        ("written by all", |w| mode(&w.config_path(), 0o646)),
        ("written by its group", |w| mode(&w.config_path(), 0o664)),
        ("in somebody's directory", |w| {
            chown(w.base().join("conf"), Some(NOBODY), Some(NOBODY)).unwrap();
        }),
        ("in a directory of all", |w| {
            mode(&w.base().join("conf"), 0o757)
        }),
        ("in a sticky directory", |w| {
            mode(&w.base().join("conf"), 0o1777)
        }),
        ("in a directory of a group", |w| {
            mode(&w.base().join("conf"), 0o775)
        }),
    ];
    for (what, spoil) in refused {
        let w = World::new();
        w.cell("a").config("stale_after: 1h\n");
        w.run(&[]).code(0);
        w.forget();
        spoil(&w);
        let run = w.run(&["--json"]);
        assert_eq!(run.exit(), 78, "{what}: {run}");
        let message = run.error_document()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        let conf = w.base().join("conf").display().to_string();
        assert!(message.contains(&conf), "{what}: {message}");
        let mended = ["chmod", "chown", "--trust-owner"]
            .iter()
            .any(|m| message.contains(m));
        assert!(mended, "how to mend it is not said: {message}");
        assert!(!w.state().join("journal.jsonl").exists(), "{what}");
        w.run(&["--dry-run"]).code(78);
    }
}

#[test]
fn a_link_s_own_place_and_the_place_it_leads_to_both_count() {
    if !needs_root() {
        return;
    }
    for (near, far) in [(0o777, 0o755), (0o755, 0o777)] {
        let w = World::new();
        w.cell("a");
        let (near_dir, far_dir) = (w.base().join("near"), w.base().join("far"));
        make_dir(&near_dir, near);
        make_dir(&far_dir, far);
        put(&far_dir.join("config.yaml"), b"stale_after: 1h\n");
        let link = near_dir.join("config.yaml");
        symlink(far_dir.join("config.yaml"), &link).unwrap();
        w.cmd(&["--json", "--config"])
            .arg(&link)
            .run()
            .code(78)
            .error_document();
        mode(&near_dir, 0o755);
        mode(&far_dir, 0o755);
        w.cmd(&["--json", "--config"]).arg(&link).run().code(0);
    }
}

#[test]
fn one_more_owner_can_be_trusted() {
    if !needs_root() {
        return;
    }
    let w = World::new();
    w.cell("a").config("stale_after: 1h\n");
    chown(w.config_path(), Some(NOBODY), Some(NOBODY)).unwrap();
    chown(w.base().join("conf"), Some(NOBODY), Some(NOBODY)).unwrap();
    w.run(&[]).code(78);
    w.run(&["--trust-owner", "nobody"]).code(0);
    w.run(&["--trust-owner", "daemon"]).code(78);
    w.run(&["--trust-owner", "daemon", "--trust-owner", "nobody"])
        .code(0);
    w.run(&["--trust-owner", "no-such-user-here"])
        .code_in(&[64, 78]);
    // Whose it is, is one thing; who else can write it, another.
    mode(&w.config_path(), 0o666);
    w.run(&["--trust-owner", "nobody"]).code(78);
}

#[test]
fn an_ordinary_user_is_warned_of_a_group_and_refused_for_the_rest() {
    if !needs_root() {
        return;
    }
    let w = World::new();
    w.cell("a").config("stale_after: 1h\n");
    let at = w.config_path();
    // Root's files are fine for everybody.
    w.cmd(&["--json"]).user(NOBODY).run().code(0).stderr_empty();
    chown(&at, Some(NOBODY), Some(NOBODY)).unwrap();
    w.cmd(&["--json"]).user(NOBODY).run().code(0).stderr_empty();
    mode(&at, 0o664);
    let run = w.cmd(&["--json"]).user(NOBODY).run();
    run.code(0);
    let path = at.display().to_string();
    let said = |w: &Value| w["message"].as_str().is_some_and(|m| m.contains(&path));
    assert!(
        run.list("warnings").iter().any(said) || run.stderr().contains(&path),
        "{run}"
    );
    mode(&at, 0o666);
    w.cmd(&["--json"])
        .user(NOBODY)
        .run()
        .code(78)
        .error_document();
    mode(&at, 0o644);
    chown(&at, Some(1), Some(1)).unwrap();
    w.cmd(&["--json"])
        .user(NOBODY)
        .run()
        .code(78)
        .error_document();
}

#[test]
fn flags_go_before_the_config() {
    let w = World::new();
    w.cell("a");
    let other = w.base().join("other");
    make_dir(&other, 0o755);
    w.config(&format!("missions_root: {}\n", other.display()));
    let run = w.run(&["--json"]);
    run.code(0).cell("a");
    assert_eq!(run.json()["missions_root"], json!(w.root()));
    let run = w
        .bare(&["--json", "--config"])
        .arg(w.config_path())
        .arg("--state-dir")
        .arg(w.state())
        .run();
    assert_eq!(run.code(0).summary("total_cells"), 0);
}
