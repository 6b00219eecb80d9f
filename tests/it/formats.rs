//! The report's other formats: each can be read by what it is meant for.

use serde_json::Value;

use crate::readers::{exposition, xml};
use crate::world::World;

const FORMATS: [&str; 5] = ["human", "json", "jsonl", "junit", "prometheus"];

fn fleet() -> World {
    let w = World::new();
    w.cell("a")
        .cell("b")
        .beat("b", 900)
        .cell("c")
        .remove("c/state/heartbeat.json");
    w.canonical("d", &["claude", "gemini"])
        .beat("d/gemini", 900);
    w
}

fn healthy() -> World {
    let w = World::new();
    w.cell("a").canonical("b", &["claude"]);
    w
}

fn frozen() -> World {
    let w = healthy();
    w.beat("b/claude", 900);
    let mut m = crate::world::canonical_manifest("b", &["claude"]);
    m["status"] = "frozen".into();
    w.manifest("b", &m);
    w
}

#[test]
fn the_format_never_changes_the_exit_code() {
    for (w, code) in [(healthy(), 0), (frozen(), 1), (fleet(), 2)] {
        for format in FORMATS {
            w.run(&["--format", format]).code(code).clean();
            w.run(&["--dry-run", "--format", format]).code(code).clean();
        }
    }
    let w = World::new();
    std::fs::remove_dir(w.root()).unwrap();
    for format in FORMATS {
        w.run(&["--format", format]).code(66);
    }
    w.config("no_such_key: 1\n");
    for format in FORMATS {
        w.run(&["--format", format]).code(78);
    }
}

#[test]
fn json_is_the_same_by_either_name() {
    let w = fleet();
    let (a, b) = (w.run(&["--json"]), w.run(&["--format", "json"]));
    assert_eq!(a.json()["summary"], b.json()["summary"]);
    assert_eq!(a.json()["schema"], b.json()["schema"]);
}

/// The object that has this key, at the top or one level below.
fn with<'a>(line: &'a Value, key: &str) -> Option<&'a Value> {
    if line.get(key).is_some() {
        return Some(line);
    }
    line.as_object()?.values().find(|v| v.get(key).is_some())
}

#[test]
fn jsonl_is_a_line_a_thing_and_then_the_summary() {
    let w = fleet();
    let run = w.run(&["--format", "jsonl"]);
    run.code(2).stderr_empty();
    assert!(run.stdout().ends_with('\n'));
    let lines: Vec<Value> = run
        .stdout()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e} in {l:?}: {run}")))
        .collect();
    assert!(lines.iter().all(Value::is_object), "{run}");
    let (last, rest) = lines.split_last().unwrap();
    let cells: Vec<_> = rest
        .iter()
        .filter_map(|l| with(l, "missing_paths"))
        .collect();
    let ids: Vec<_> = cells
        .iter()
        .map(|c| c["mission_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["a", "b", "c", "d"], "{run}");
    let decisions: Vec<_> = rest.iter().filter_map(|l| with(l, "verdict")).collect();
    let subjects: Vec<_> = decisions
        .iter()
        .map(|d| d["subject"].as_str().unwrap())
        .collect();
    assert_eq!(subjects, ["b/main", "c/main", "d/gemini"], "{run}");
    assert_eq!(
        with(last, "total_cells").expect("the summary is last")["total_cells"],
        4,
        "{run}"
    );
}

#[test]
fn nagios_is_one_line_with_one_of_four_words() {
    for (w, code, word) in [
        (healthy(), 0, "OK"),
        (frozen(), 1, "WARNING"),
        (fleet(), 2, "CRITICAL"),
    ] {
        let run = w.run(&["--format", "nagios"]);
        run.code(code).clean();
        assert_eq!(run.stdout().lines().count(), 1, "{run}");
        assert!(
            run.stdout().starts_with(&format!("LAZARUS {word} - ")),
            "{run}"
        );
        let (_, data) = run
            .stdout()
            .trim_end()
            .split_once(" | ")
            .expect("performance data");
        for point in data.split_whitespace() {
            let (label, value) = point
                .split_once('=')
                .unwrap_or_else(|| panic!("{point}: {run}"));
            let number: String = value.chars().take_while(char::is_ascii_digit).collect();
            assert!(!label.is_empty() && !number.is_empty(), "{point}: {run}");
        }
        let healthy = w.run(&["--json"]).summary("healthy");
        assert!(data.contains(&format!("healthy={healthy};")), "{run}");
    }
    let named = fleet().run(&["--format", "nagios"]);
    assert!(
        named.stdout().contains("b/main"),
        "nobody is named: {named}"
    );
}

#[test]
fn nagios_calls_everything_else_unknown() {
    let w = fleet();
    std::fs::remove_dir_all(w.root()).unwrap();
    let unknown = |w: &World| {
        let run = w.run(&["--format", "nagios"]);
        run.code(3).clean();
        assert!(run.stdout().starts_with("LAZARUS UNKNOWN - "), "{run}");
        assert_eq!(run.stdout().lines().count(), 1, "{run}");
    };
    unknown(&w);
    w.config("no_such_key: 1\n");
    unknown(&w);
    let w = fleet();
    let file = std::fs::File::create(w.state().join("state.lock")).unwrap();
    let _lock = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusive)
        .map_err(|(_, e)| e)
        .unwrap();
    unknown(&w);
}

#[test]
fn prometheus_can_be_collected() {
    for (w, code) in [(fleet(), 2.0), (healthy(), 0.0), (World::new(), 0.0)] {
        let run = w.run(&["--format", "prometheus"]);
        run.stderr_empty().clean();
        let samples = exposition(run.stdout());
        let one = |name: &str| {
            let found: Vec<_> = samples.iter().filter(|s| s.name == name).collect();
            assert_eq!(found.len(), 1, "{name}: {run}");
            found[0].value
        };
        assert!(
            (one("lazarus_pit_exit_code") - code).abs() < f64::EPSILON,
            "{run}"
        );
        assert!(one("lazarus_pit_run_duration_seconds") >= 0.0);
        one("lazarus_pit_held");
        let report = w.run(&["--json"]);
        for status in ["healthy", "stale", "incomplete", "uninitialized"] {
            let found = samples
                .iter()
                .find(|s| s.name == "lazarus_pit_cells" && s.labels["status"] == status);
            let value = found.unwrap_or_else(|| panic!("no {status}: {run}")).value;
            assert!(
                (value - report.summary(status) as f64).abs() < f64::EPSILON,
                "{run}"
            );
        }
        assert!(
            !samples.iter().any(|s| s.name == "lazarus_pit_subject_down"),
            "{run}"
        );
    }
}

#[test]
fn a_real_run_leaves_the_same_for_the_textfile_collector() {
    use std::os::unix::fs::PermissionsExt;
    let w = fleet();
    let at = w.base().join("textfile/lazarus.prom");
    crate::world::make_dir(at.parent().unwrap(), 0o755);
    w.config(&format!(
        "prometheus_textfile: {}\nprometheus_subjects: true\n",
        at.display()
    ));
    w.run(&["--dry-run"]).code(2);
    assert!(!at.exists(), "a dry run wrote");
    w.run(&[]).code(2);
    let samples = exposition(&std::fs::read_to_string(&at).unwrap());
    let down = samples
        .iter()
        .filter(|s| s.name == "lazarus_pit_subject_down")
        .count();
    assert_eq!(down, 3, "{samples:?}");
    assert_eq!(
        std::fs::metadata(&at).unwrap().permissions().mode() & 0o777,
        0o644
    );
    assert_eq!(
        std::fs::read_dir(at.parent().unwrap()).unwrap().count(),
        1,
        "something was left"
    );
}

#[test]
fn junit_has_a_test_case_for_every_subject() {
    let w = fleet();
    let run = w.run(&["--format", "junit"]);
    run.code(2).stderr_empty();
    let tags = xml(run.stdout());
    // a/main, b/main, c/main, d/claude and d/gemini, three of them down.
    assert_eq!(tags["testcase"], 5, "{run}");
    assert_eq!(tags["failure"], 3, "{run}");
    assert!(
        run.stdout().contains("b/main") || run.stdout().contains("\"main\""),
        "{run}"
    );
    let odd = World::new();
    for id in ["<cell>&\"'", "]]>", "new\nline", "\u{1b}[2J", "\u{1}"] {
        odd.cell(id).beat(id, 900);
    }
    let run = odd.run(&["--format", "junit"]);
    assert_eq!(xml(run.code(2).clean().stdout())["testcase"], 5, "{run}");
}
