//! The plan after defaults, and its hash.

use super::*;

/// A plan with every key that there is.
pub(super) const EVERYTHING: &str = r#"
name: everything
description: "All keys: yes"
match: {cells: ["portal-*", "x[0-9]"], agents: claude, labels: {team: nexus, "on": "yes"}}
when: {status: [dead, degraded, exited], for: 2m}
stale_after: 90s
max_quiet: 1h
probes:
  - tcp: localhost:8765
    failures: 3
    successes: 2
  - tcp: /run/x.sock
  - http: {url: "http://localhost:8766/health", status: 200, headers: {X-A: "1"}, contains: ok, json: {status: ok, n: [1, -2, 1.5, null, true]}, ca: /etc/ca.pem}
    timeout: 3s
  - process: {pattern: "nexus_think {{ agent.name }}", busy: true}
  - process: {pidfile: "{{ cell.root }}/pid"}
  - process: {heartbeat_pid: true}
  - exec: {command: [/usr/local/bin/healthy, "{{ cell.id }}"]}
  - file: {path: "{{ cell.root }}/artifacts/out.json", newer_than: 10m, grows: true, min_size: 1KiB}
policy: auto
steps:
  - run: [systemctl, restart, "nexus-{{ agent.name }}.service"]
    timeout: 30s
  - run: {command: [x], cwd: /srv, env: {A: "{{ attempt }}"}, user: nobody, timeout: 1h, grace: 1s}
  - spawn:
      command: [python3, nexus_think.py]
      cwd: worktree
      env: {MODEL: "timmy:v0.1", EMPTY: "", N: "1e3"}
      env_pass: [LANG, TZ]
      user: agent
      home: "{{ cell.root }}/home"
      grace: 20s
      limits: {max_runtime: 8h, memory: 4GiB, open_files: 1024, processes: 256}
      replace: keep
      wake: false
      beat: while_alive
      backend: systemd
  - signal: {to: process}
  - signal: {to: heartbeat_pid, signal: SIGUSR1}
  - signal: {to: {pidfile: /run/x.pid}, signal: hup}
  - signal: {to: pidfile /run/y.pid}
  - http: {method: PUT, url: "https://h/{{ incident }}", headers: {A: b}, body: "{}", status: 204}
    timeout: 1m 30s
  - wait: {for: healthy, within: 20s}
limits:
  attempts: 5
  within: 2h
  backoff: {initial: 1s, factor: 1.5, max: 10m, jitter: 0}
on_exit: {finished: [0, 3], permanent: 78}
on_report: {finished: done, tolerated: [idle, usage_limit]}
verify: {within: 3m}
approval: {expires: 6m, ask_again: 2h, channels: [ops]}
notify: {channels: [gitea, ops], on: [down, revived, recovered, exhausted, denied, held, failed], message: "{{ cell.id }} is in trouble"}
needs: ["gateway:timmy", "db-1/main", "db-2", "web-*"]
maintenance:
  - {from: "2026-12-24T18:00:00Z", until: "2026-12-27T06:00:00.5+01:00"}
  - {cron: "0 3 * * SUN", for: 1h, timezone: "Europe/Vienna"}
  - {cron: "@daily", for: 10m}
tests:
  - name: a test
    given: {subject: portal-1/claude, status: exited, down_for: 3m, attempts: 1, last_attempt: 5m, labels: {team: nexus}, frozen: true, report: idle, exit_code: 1, paused: true, answer: approved, down: [db-1/main], now: "2026-01-05T12:00:00Z"}
    expect: {verdict: revive, steps: 1, command: [x, y], plan: everything, next_in: 30s, because: stale}
"#;

#[test]
fn what_is_shown_loads_again_to_the_same_plan() {
    let first = plan(EVERYTHING);
    let text = show(&first).unwrap();
    let second = plan(&text);
    assert_eq!(first.hash, second.hash, "{text}");
    assert_eq!(show(&second).unwrap(), text);
    assert_eq!(first.tests[0].given, second.tests[0].given);
    assert_eq!(first.tests[0].expect, second.tests[0].expect);
    assert_eq!(first.notify, second.notify);
    assert_eq!(first.description, second.description);
    // The plan that says least, too.
    let first = plan("policy: never");
    assert_eq!(first.name, "p");
    let second = plan(&show(&first).unwrap());
    assert_eq!((first.hash, first.name), (second.hash, second.name));
}

#[test]
fn the_hash_is_the_same_everywhere_and_for_ever() {
    // If this fails, every approval that is pending would be asked anew after an upgrade.
    assert_eq!(plan("policy: never").hash, "2f06bac0c28aaad8");
    assert_eq!(plan(EVERYTHING).hash, "34f9469eddb97190");
}

#[test]
fn the_hash_changes_with_what_changes_an_effect_and_with_nothing_else() {
    let hash = plan(EVERYTHING).hash;
    for (from, to) in [
        ("name: everything", "name: other"),
        ("All keys", "No keys"),
        ("[gitea, ops]", "[gitea]"),
        ("held, failed]", "held]"),
        ("is in trouble", "is not well"),
        ("verdict: revive", "verdict: healthy"),
        ("failures: 3\n", "failures: 3 # three\n"),
        ("claude, labels", "[claude], labels"),
        ("status: ok, n: [1", "n: [1"),
    ] {
        assert!(EVERYTHING.contains(from), "{from}");
        let other = plan(&EVERYTHING.replacen(from, to, 1)).hash;
        // The last of these is one that changes it.
        assert_eq!(other == hash, !from.starts_with("status: ok"), "{from}");
    }
    for (from, to) in [
        ("for: 2m", "for: 3m"),
        ("nexus, \"on\"", "nexus, \"off\""),
        ("failures: 3", "failures: 2"),
        ("nexus_think {{", "nexus_thinks {{"),
        ("[systemctl, restart, ", "[systemctl, \"restart \", "),
        ("factor: 1.5", "factor: 1.6"),
        ("channels: [ops]", "channels: [op]"),
        ("finished: [0, 3]", "finished: [0]"),
        ("\"db-2\"", "\"db-3\""),
        ("0 3 * * SUN", "0 4 * * SUN"),
        ("wake: false", "wake: true"),
        ("policy: auto", "policy: ask"),
    ] {
        assert!(EVERYTHING.contains(from), "{from}");
        assert_ne!(plan(&EVERYTHING.replacen(from, to, 1)).hash, hash, "{from}");
    }
}

#[test]
fn ends_of_lines_that_only_the_writer_knows_do_not_get_lost() {
    for c in ["\u{85}", "\u{2028}", "\u{2029}"] {
        let text =
            format!("policy: never\ndescription: \"a{c}b\"\nmatch: {{labels: {{k: \"{c}\"}}}}\n");
        let first = plan(&text);
        assert_eq!(first.description, Some(format!("a{c}b")));
        assert_eq!(plan(&show(&first).unwrap()).hash, first.hash);
    }
}

#[test]
fn a_label_can_have_the_name_of_a_merge_key() {
    let first = plan("policy: never\nmatch: {labels: {\"<<\": x}}\n");
    assert_eq!(plan(&show(&first).unwrap()).hash, first.hash);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// Whatever texts a plan has, it is shown so that it loads again.
    #[test]
    fn any_text_is_shown_so_that_it_loads_again(
        word in "\\PC{1,12}", label in "[ -~\u{e9}\u{1f600}]{1,8}", control in "[\t -~\u{1}\n\r]{0,6}",
    ) {
        let text = |s: &str| serde_json::to_string(s).unwrap();
        let yaml = format!(
            "policy: never\ndescription: {}\nmatch: {{labels: {{{}: {}}}}}\nsteps: [{{run: [x, {}, {}]}}]\n",
            text(&control), text(&label), text(&word), text(&word), text(&control),
        );
        let (set, _) = load(&[file("p.yaml", &yaml)], &Known::default());
        // A template that is wrong, by chance, or a character that YAML does not take.
        if let [first] = set.plans() {
            let second = plan(&show(first).unwrap());
            proptest::prop_assert_eq!(&first.hash, &second.hash);
            proptest::prop_assert_eq!(&first.description, &second.description);
        }
    }
}
