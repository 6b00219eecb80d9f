//! Heartbeats and time: ages, limits, quiet hours, clocks that are wrong.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::world::{World, beat_bytes, now, rfc3339};

fn set_mtime(w: &World, subject: &str, at: SystemTime) {
    let file = File::options()
        .write(true)
        .open(w.heartbeat_path(subject))
        .unwrap();
    file.set_modified(at).unwrap();
}

#[test]
fn a_timestamp_is_an_integer_a_float_or_rfc_3339() {
    let w = World::new();
    let cases = [
        ("int", json!((now() - 50.0) as i64)),
        ("float", json!(now() - 50.0)),
        ("utc", json!(rfc3339(50.0))),
        (
            "offset",
            json!(rfc3339(50.0 - 7200.0).replace('Z', "+02:00")),
        ),
        ("lower", json!(rfc3339(50.0).to_lowercase())),
    ];
    for (id, timestamp) in &cases {
        w.cell(id)
            .heartbeat(id, json!({"timestamp": timestamp}).to_string());
    }
    w.cell("exp")
        .heartbeat("exp", format!("{{\"timestamp\": {:e}}}", now() - 50.0));
    w.cell("space").heartbeat(
        "space",
        format!("\n {{ \"timestamp\"\t: {} }}\n\n", now() - 50.0),
    );
    let run = w.run(&["--json"]);
    run.code(0);
    for id in ["int", "float", "utc", "offset", "lower", "exp", "space"] {
        let age = run.expect(id, "healthy", "").age(id);
        assert!((50..110).contains(&age), "{id} is {age} s old: {run}");
        let last = run.cell(id)["last_timestamp"].as_f64().unwrap();
        assert!((last - (now() - 50.0)).abs() < 60.0, "{id}: {run}");
    }
}

#[test]
fn ages_are_whole_seconds_of_one_moment_and_the_boundary_is_healthy() {
    let w = World::new();
    let base = now();
    // Every tenth of a second over a quarter of a minute: some are exactly at the boundary.
    let stamps: Vec<(String, f64)> = (0..150)
        .map(|i| (format!("c{i:03}"), base - 184.0 + f64::from(i) / 10.0))
        .collect();
    for (id, at) in &stamps {
        w.cell(id)
            .heartbeat(id, format!("{{\"timestamp\": {at:.3}}}"));
    }
    let run = w.run(&["--json", "--stale-after", "180"]);
    run.code(2);
    let started: jiff::Timestamp = run.json()["run"]["started_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let started = started.as_microsecond() as f64 / 1e6;
    let took = run.json()["run"]["duration_ms"].as_f64().unwrap() / 1e3;
    let (mut low, mut high, mut at_boundary) = (f64::MIN, f64::MAX, 0);
    for (id, at) in &stamps {
        let age = run.age(id);
        low = low.max(at + age as f64);
        high = high.min(at + age as f64 + 1.0);
        at_boundary += usize::from(age == 180);
        let want = if age > 180 { "stale" } else { "healthy" };
        assert_eq!(run.status(id), want, "{id} is {age} s old");
    }
    assert!(at_boundary > 0, "no cell was 180 s old: {run}");
    assert!(
        low < high + 0.002,
        "no one moment fits all ages: {low}..{high}"
    );
    assert!(
        low < started + took + 1.0 && high > started - 1.0,
        "{low}..{high}, began {started}"
    );
}

#[test]
fn an_age_is_never_negative() {
    let w = World::new();
    for (id, ahead) in [("one", 1), ("two", 100), ("three", 290)] {
        w.cell(id).beat(id, -ahead);
    }
    let run = w.run(&["--json"]);
    run.code(0);
    for id in ["one", "two", "three"] {
        assert_eq!(run.expect(id, "healthy", "").age(id), 0);
    }
}

#[test]
fn the_limit_is_given_as_seconds_or_as_a_duration() {
    let w = World::new();
    w.cell("a").beat("a", 1000);
    for (args, code) in [
        (&["--stale-after", "500"][..], 2),
        (&["--stale-after", "5000"], 0),
        (&["--stale-after", "10m"], 2),
        (&["--stale-after", "1h 30m"], 0),
        (&["--stale-after=1h"], 0),
        (&["--dead-threshold", "500"], 2),
        (&["--dead-threshold", "2h"], 0),
        (&["check", "--dead-threshold=5000"], 0),
        (&[], 2),
    ] {
        let mut args = args.to_vec();
        args.push("--json");
        w.run(&args).code(code);
    }
    for bad in ["-5", "x", "5 parsecs", "", "99999999999999999999s"] {
        w.run(&[&format!("--stale-after={bad}")]).code(64);
    }
}

#[test]
fn the_limit_comes_from_the_flag_then_the_config_then_the_default() {
    let w = World::new();
    w.cell("a").beat("a", 1000);
    w.config("stale_after_seconds: 2000\n").run(&[]).code(0);
    w.config("stale_after: 1h\n").run(&[]).code(0);
    w.run(&["--stale-after", "60"]).code(2);
    w.config("stale_after: 3m\n").run(&[]).code(2);
    w.run(&["--stale-after", "2000"]).code(0);
}

#[test]
fn quiet_for_is_believed_up_to_a_point() {
    let w = World::new();
    let cases: [(&str, i64, Value, &str); 10] = [
        ("said", 600, json!(900), "healthy"),
        ("float", 600, json!(900.5), "healthy"),
        ("over", 1000, json!(900), "stale"),
        // Default `max_quiet` is 30 minutes.
        ("capped", 2000, json!(1e9), "stale"),
        ("capped-in", 1700, json!(1e18), "healthy"),
        ("less-than-limit", 170, json!(10), "healthy"),
        ("text", 600, json!("900"), "stale"),
        ("negative", 170, json!(-900), "healthy"),
        ("list", 600, json!([900]), "stale"),
        ("null", 600, json!(null), "stale"),
    ];
    for (id, age, quiet, _) in &cases {
        w.cell(id).beat_with(id, *age, json!({"quiet_for": quiet}));
    }
    let run = w.run(&["--json", "--stale-after", "300"]);
    for (id, _, _, status) in &cases {
        assert_eq!(run.status(id), *status, "{id}: {run}");
    }
    // A number that is none must not make an agent live for ever, nor the checker fail.
    for number in ["1e400", "NaN", "-1e400"] {
        let beat = format!(
            "{{\"timestamp\": {}, \"quiet_for\": {number}}}",
            now() - 4000.0
        );
        w.cell("odd").heartbeat("odd", beat);
        let run = w.run(&["--json"]);
        assert_ne!(run.survived().status("odd"), "healthy", "{number}: {run}");
    }
}

#[test]
fn max_quiet_is_the_operator_s_choice() {
    let w = World::new();
    w.cell("a").beat_with("a", 5000, json!({"quiet_for": 7000}));
    w.run(&["--json"]).code(2);
    w.config("max_quiet: 2h\n").run(&["--json"]).code(0);
    w.config("max_quiet: 10m\n").run(&["--json"]).code(2);
}

#[test]
fn a_clock_far_ahead_is_not_believed() {
    let w = World::new();
    let hour = Duration::from_secs(3600);
    w.cell("fresh").beat("fresh", -3600);
    w.cell("old").beat("old", -3600);
    set_mtime(&w, "old", SystemTime::now() - hour);
    w.cell("near").beat("near", -200);
    let run = w.run(&["--json"]);
    run.code(2)
        .expect("fresh", "healthy", "clock_skew")
        .expect("old", "stale", "clock_skew")
        .expect("near", "healthy", "");
    assert!((3600..3700).contains(&run.age("old")), "{run}");
    assert!(run.age("fresh") < 60, "{run}");

    let run = w.config("clock_skew: 10s\n").run(&["--json"]);
    run.expect("near", "healthy", "clock_skew");
    let run = w.config("clock_skew: 2h\n").run(&["--json"]);
    run.code(0)
        .expect("old", "healthy", "")
        .expect("fresh", "healthy", "");
}

/// Neither the timestamp nor the file's modification time, which anyone can set, keeps it alive.
#[test]
fn a_future_file_with_a_future_timestamp_is_not_alive_for_ever() {
    let w = World::new();
    w.cell("liar").beat("liar", -1_000_000);
    set_mtime(
        &w,
        "liar",
        SystemTime::now() + Duration::from_secs(1_000_000),
    );
    let until = SystemTime::now() + Duration::from_secs(20);
    // How long it takes does not matter; that it ends does.
    loop {
        let run = w.run(&["--json", "--stale-after", "1"]);
        run.survived();
        assert!(run.reasons("liar").contains(&"clock_skew"), "{run}");
        if run.status("liar") != "healthy" {
            break;
        }
        assert!(SystemTime::now() < until, "still alive: {run}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_heartbeat_of_exactly_64_kib_is_read_and_one_byte_more_is_not() {
    let w = World::new();
    for (id, len) in [("fits", 65536), ("over", 65537)] {
        let mut bytes = beat_bytes(5.0);
        bytes.resize(len, b' ');
        w.cell(id).heartbeat(id, bytes);
    }
    w.run(&["--json"])
        .code(2)
        .expect("fits", "healthy", "")
        .expect("over", "uninitialized", "heartbeat_too_large");
}
