//! The files that are shipped, what may be written in a configuration, and who comes first.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::*;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn parsed(text: &str) -> Result<Config, String> {
    let home = Some(Path::new("/home/me"));
    let (config, problems) = parse(Path::new("/etc/lp/c.yaml"), text.as_bytes(), home);
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    config.ok_or(texts.join("\n"))
}

/// A directory that only we can write to, with a configuration in it.
fn with_file(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let file = dir.path().join("c.yaml");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    (dir, file)
}

fn env() -> Env {
    Env {
        home: Some("/nonexistent/home".into()),
        is_root: true,
        ..Env::default()
    }
}

fn load_file(file: &Path) -> Result<Loaded, String> {
    let overrides = Overrides {
        config: Some(file.to_owned()),
        ..Overrides::default()
    };
    load(&overrides, &env()).map_err(|refused| refused.message)
}

#[test]
fn the_shipped_file_is_the_defaults_and_has_every_key() {
    let text = std::fs::read_to_string(shipped("config/lazarus-pit.yaml")).unwrap();
    assert_eq!(parsed(&text), Ok(Config::default()));

    // With the keys that are commented out it must load as well, and then no key is missing.
    let line = |line: &str| {
        let bare = line.trim_start();
        let commented = bare.starts_with('#') && !bare.starts_with("# ") && bare.len() > 1;
        match commented {
            true => line.replacen('#', "", 1),
            false => line.to_owned(),
        }
    };
    let all: Vec<String> = text.lines().map(line).collect();
    let all = all.join("\n");
    assert!(parsed(&all).is_ok(), "{:?}", parsed(&all));
    let written: serde_json::Value = serde_yaml::from_str(&all).unwrap();
    let schema = schema();
    let keys = |at: &serde_json::Value| -> Vec<String> {
        at["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    for key in keys(&schema).iter().filter(|k| *k != "stale_after_seconds") {
        assert!(written.get(key).is_some(), "{key} is missing");
    }
    for (key, def) in [
        ("protection", "Protection"),
        ("logs", "Logs"),
        ("limits", "Limits"),
    ] {
        for sub in keys(&schema["$defs"][def]) {
            assert!(written[key].get(&sub).is_some(), "{key}.{sub} is missing");
        }
    }
}

#[test]
fn the_original_json_configuration_loads_unchanged() {
    let text = std::fs::read_to_string(shipped("config/lazarus_pit.json")).unwrap();
    assert_eq!(parsed(&text), Ok(Config::default()));
    let config = parsed(r#"{"stale_after_seconds": 90.5, "required_subdirs": []}"#).unwrap();
    assert_eq!(config.stale_after, Duration::from_millis(90_500));
    assert_eq!(config.required_subdirs, Config::default().required_subdirs);
}

#[test]
fn the_schema_is_current_and_agrees_with_the_reader() {
    let path = shipped("docs/schema/config.schema.json");
    let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("LAZARUS_BLESS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert_eq!(found, current, "run the tests with LAZARUS_BLESS=1");

    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (text, good) in [
        ("stale_after: 90", true),
        ("stale_after: 3m", true),
        ("stale_after_seconds: 3m", false),
        ("plans: x", true),
        ("plans: [x, y]", true),
        ("plans: {a: b}", false),
        ("logs: {max_bytes: 64KiB}", true),
        ("logs: {max_bytes: [1]}", false),
        ("heartbeat_ping_url: https://x/y", true),
        ("unknown: 1", false),
        ("protection: {fraction: 2}", false),
        ("limits: {restarts_per_run: 0}", false),
    ] {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(validator.is_valid(&value), good, "{text}");
        assert_eq!(parsed(text).is_ok(), good, "{text}");
    }
}

#[test]
fn an_empty_file_is_the_defaults() {
    for text in [
        "",
        "# nothing\n",
        "---\n",
        "stale_after:\nprotection:\n",
        "{}",
    ] {
        assert_eq!(parsed(text), Ok(Config::default()), "{text:?}");
    }
}

#[test]
fn paths_are_taken_from_the_file_and_from_home() {
    let config = parsed(
        "missions_root: cells\nstate_dir: ~/state\nheartbeat_dir: /abs\nplans: [a, ~/b]\n\
         logs: {dir: ../logs}\nprometheus_textfile: ~/x.prom",
    )
    .unwrap();
    assert_eq!(config.missions_root, Path::new("/etc/lp/cells"));
    assert_eq!(config.state_dir(), Path::new("/home/me/state"));
    assert_eq!(config.heartbeat_dir(), Path::new("/abs"));
    assert_eq!(config.logs_dir(), Path::new("/etc/lp/../logs"));
    assert_eq!(
        config.plans,
        [Path::new("/etc/lp/a"), Path::new("/home/me/b")]
    );
    let config = Config::default();
    assert_eq!(
        config.heartbeat_dir(),
        Path::new("/var/lib/lazarus-pit/heartbeats")
    );
    assert!(parse(Path::new("c"), b"state_dir: ~/x", None).0.is_none());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = "\
heartbeat_job: ../evil
heartbeat_interval_seconds: 0
stale_after: 3m
stale_after_seconds: 180
required_subdirs: [meta, ../x, /etc, a//b, '']
heartbeat_file: ./x
missions_root: ~root/x
heartbeat_ping_url: ftp://SECRET
protection: {fraction: 0, min_subjects: 0, window: 0s, gpa: 1m}
limits: {restarts_per_run: 0}
logs: {keep: 0, max_bytes: 1 apple}
clock_skew: [1]
stael_after: 1m
";
    let message = parsed(text).unwrap_err();
    for place in [
        "1:16", "2:29", "4:22", "5:26", "5:32", "5:38", "5:44", "6:17", "7:16", "8:21", "9:24",
        "9:41", "9:52", "9:56", "10:28", "11:14", "11:28", "12:13", "13:1",
    ] {
        let wanted = format!("/etc/lp/c.yaml:{place}: error: ");
        assert!(message.contains(&wanted), "{place} is not in\n{message}");
    }
    assert!(message.contains("did you mean `stale_after`?"), "{message}");
    assert!(message.contains("did you mean `gap`?"), "{message}");
    assert!(!message.contains("SECRET"), "{message}");
    assert_eq!(message.matches(": error: ").count(), 19, "{message}");
    assert!(parsed("a: 1\n---\nb: 1").unwrap_err().contains("3:1"));
}

#[test]
fn which_file_is_read() {
    let (dir, file) = with_file(b"heartbeat_job: file");
    let (_other, second) = with_file(b"heartbeat_job: env");
    let mut env = Env {
        config: Some(second),
        ..env()
    };
    let mut overrides = Overrides {
        config: Some(file),
        ..Overrides::default()
    };
    let job = |o: &Overrides, e: &Env| load(o, e).map(|l| l.config.heartbeat_job);
    assert_eq!(job(&overrides, &env).unwrap(), "file");
    overrides.config = None;
    assert_eq!(job(&overrides, &env).unwrap(), "env");
    env.config = Some("/nonexistent/c.yaml".into());
    assert!(
        job(&overrides, &env)
            .unwrap_err()
            .message
            .contains("/nonexistent/c.yaml")
    );

    // Then the user's own, which may be absent; but not a link that leads nowhere.
    env.config = None;
    env.xdg_config_home = Some(dir.path().into());
    let own = dir.path().join("lazarus-pit");
    std::fs::create_dir(&own).unwrap();
    if !Path::new("/etc/lazarus-pit").exists() {
        assert_eq!(load(&overrides, &env).unwrap().file, None);
    }
    symlink("nowhere", own.join("config.yaml")).unwrap();
    assert!(job(&overrides, &env).is_err());
    std::fs::write(own.join("nowhere"), "heartbeat_job: own").unwrap();
    std::fs::create_dir(own.join("plans")).unwrap();
    let loaded = load(&overrides, &env).unwrap();
    assert_eq!(loaded.config.heartbeat_job, "own");
    assert_eq!(loaded.config.plans, [own.join("plans")]);
    std::fs::write(own.join("nowhere"), "plans: []").unwrap();
    assert!(load(&overrides, &env).unwrap().config.plans.is_empty());
}

#[test]
fn flags_come_before_environment_before_file_before_defaults() {
    let (_dir, file) =
        with_file(b"state_dir: /file\nstale_after: 1m\nmissions_root: /file\nplans: x");
    let mut overrides = Overrides {
        config: Some(file),
        ..Overrides::default()
    };
    let mut env = env();
    let state = |o: &Overrides, e: &Env| load(o, e).unwrap().config.state_dir();
    assert_eq!(state(&overrides, &env), Path::new("/file"));
    env.state_dir = Some("/env".into());
    assert_eq!(state(&overrides, &env), Path::new("/env"));
    overrides.state_dir = Some("/flag".into());
    overrides.root = Some("/flag".into());
    overrides.heartbeat_dir = Some("/hb".into());
    overrides.plans = vec!["/p".into()];
    overrides.stale_after = Some(Duration::ZERO);
    let config = load(&overrides, &env).unwrap().config;
    assert_eq!(config.state_dir(), Path::new("/flag"));
    assert_eq!(config.missions_root, Path::new("/flag"));
    assert_eq!(config.heartbeat_dir(), Path::new("/hb"));
    assert_eq!(config.plans, [Path::new("/p")]);
    assert_eq!(config.stale_after, Duration::ZERO);

    // Without a file: root's place, else the user's.
    let none = Overrides::default();
    let mut env = Env {
        home: Some("/h".into()),
        is_root: false,
        ..Env::default()
    };
    assert_eq!(state(&none, &env), Path::new("/h/.local/state/lazarus-pit"));
    env.xdg_state_home = Some("/xdg".into());
    assert_eq!(state(&none, &env), Path::new("/xdg/lazarus-pit"));
    let homeless = Env::default();
    assert!(
        load(&none, &homeless)
            .unwrap_err()
            .message
            .contains("--state-dir")
    );
}

#[test]
fn files_that_cannot_be_a_configuration_are_refused_without_waiting() {
    let (dir, file) = with_file(b"a: \xff");
    assert!(
        load_file(&file)
            .unwrap_err()
            .contains(":1:4: error: byte 0xff")
    );
    std::fs::write(&file, "#".repeat(crate::yaml::MAX_FILE + 1)).unwrap();
    assert!(load_file(&file).unwrap_err().contains("larger than"));
    assert!(load_file(dir.path()).unwrap_err().contains("a directory"));
    assert!(
        load_file(Path::new("/dev/null"))
            .unwrap_err()
            .contains("a device")
    );
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(load_file(&fifo).unwrap_err().contains("a FIFO"));
}

#[test]
fn what_others_could_have_written_is_refused() {
    let (dir, file) = with_file(b"");
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    assert_eq!(load_file(&file).unwrap().warnings, []);
    mode(&file, 0o646);
    assert!(load_file(&file).unwrap_err().contains("chmod o-w"));
    mode(&file, 0o664);
    match load_file(&file) {
        Err(message) => assert!(crate::sys::host::is_root() && message.contains("chmod g-w")),
        Ok(loaded) => assert_eq!(loaded.warnings[0].code, "writable_by_group"),
    }
    mode(&file, 0o644);
    mode(dir.path(), 0o1777);
    assert!(load_file(&file).unwrap_err().contains("chmod o-w"));
}

#[test]
fn a_warning_refuses_nothing() {
    let (_dir, file) = with_file(b"prometheus_textfile: /x/metrics.txt");
    let loaded = load_file(&file).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(
        loaded.warnings[0].message.contains(":1:22: warning: "),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn the_reference_names_every_key_and_its_examples_load() {
    let docs = std::fs::read_to_string(shipped("docs/configuration.md")).unwrap();
    let schema = schema();
    let tables = ["Protection", "Logs", "Limits"].map(|def| &schema["$defs"][def]);
    for table in tables.into_iter().chain([&schema]) {
        for key in table["properties"].as_object().unwrap().keys() {
            let forms = [
                format!("| `{key}`"),
                format!(".{key}` |"),
                format!("| `{key}."),
            ];
            let cell = |line: &str| forms.iter().any(|form| line.contains(form));
            assert!(docs.lines().any(cell), "{key} has no row");
        }
    }
    let blocks: Vec<&str> = docs.split("```yaml\n").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let text = block.split("```").next().unwrap();
        assert!(parsed(text).is_ok(), "{text}\n{:?}", parsed(text));
    }
    // The example of what is told about mistakes is what is told.
    let told = docs.split("```text\n").nth(1).unwrap();
    let told = told.split("\n```").next().unwrap();
    let wrong = "missions_root: /srv/missions\nstael_after: 5m\nprotection:\n  fraction: half\n";
    assert_eq!(
        parsed(wrong)
            .unwrap_err()
            .replace("/etc/lp/c.yaml", "/etc/lazarus-pit/config.yaml"),
        told
    );
}
