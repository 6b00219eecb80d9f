//! What every key becomes, and the plans that are shipped.

use std::path::Path;
use std::time::Duration;

use super::shown::EVERYTHING;
use super::*;
use crate::model::condition::Condition;
use crate::model::decision::Policy;
use crate::model::step::{BeatFor, SignalTo, Step};
use crate::plan::types::{NeedKind, ProbeKind, ProcessBy};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn what_is_not_written_has_its_default() {
    let p = plan("steps: [{run: [x]}, {spawn: {command: [x]}}, {http: {url: 'http://h'}}]");
    assert_eq!(p.name, "p");
    assert_eq!(p.policy, Policy::Ask);
    assert_eq!(p.when.status, [Condition::Stale, Condition::Exited]);
    assert_eq!(p.when.r#for, Duration::ZERO);
    assert_eq!((p.stale_after, p.max_quiet), (None, None));
    assert_eq!((p.limits.attempts, p.limits.within), (3, secs(3600)));
    let backoff = p.limits.backoff;
    assert_eq!((backoff.initial, backoff.max), (secs(30), secs(900)));
    assert_eq!((backoff.factor, backoff.jitter), (2.0, 0.1));
    assert_eq!(p.verify_within, secs(120));
    assert_eq!(
        (p.approval.expires, p.approval.ask_again),
        (secs(300), secs(3600))
    );
    assert!(p.matches.cells.is_empty() && p.needs.is_empty() && p.tests.is_empty());
    let [Step::Run(run), Step::Spawn(spawn), Step::Http(http)] = &p.steps[..] else {
        panic!("{:?}", p.steps);
    };
    assert_eq!((run.timeout, run.grace), (secs(30), secs(15)));
    assert_eq!(
        (spawn.wake, spawn.beat, spawn.grace),
        (true, BeatFor::Never, secs(15))
    );
    assert_eq!((&*http.method, http.timeout), ("GET", secs(30)));
    for evidence in ["probes: [{tcp: 'h:1'}]", "match: {gateways: x}"] {
        let p = plan(&format!("policy: never\n{evidence}"));
        assert_eq!(
            p.when.status,
            [Condition::Dead, Condition::Exited],
            "{evidence}"
        );
    }
    let p = plan("policy: never\nprobes: [{tcp: 'h:1'}]");
    let probe = &p.probes[0];
    assert_eq!(
        (probe.timeout, probe.failures, probe.successes),
        (secs(5), 1, 1)
    );
}

#[test]
fn what_is_written_is_what_it_becomes() {
    let p = plan(EVERYTHING);
    assert_eq!(p.source.line, 2);
    assert_eq!(p.matches.cells[1].text, "x[0-9]");
    assert_eq!(p.matches.labels["on"], "yes");
    assert_eq!(p.probes.len(), 8);
    assert!(matches!(&p.probes[3].kind, ProbeKind::Process(process)
        if process.busy && matches!(process.which, ProcessBy::Pattern(_))));
    assert_eq!(p.probes[2].timeout, secs(3));
    let kinds: Vec<&str> = p.steps.iter().map(Step::kind).collect();
    assert_eq!(
        kinds,
        [
            "run", "run", "spawn", "signal", "signal", "signal", "signal", "http", "wait"
        ]
    );
    let signal = |at: usize| match &p.steps[at] {
        Step::Signal(signal) => (signal.signal.clone(), signal.to.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(signal(3), ("TERM".into(), SignalTo::Process));
    assert_eq!(signal(4), ("USR1".into(), SignalTo::HeartbeatPid));
    let file = |path: &str| SignalTo::Pidfile(Template::literal(path));
    assert_eq!(signal(5), ("HUP".into(), file("/run/x.pid")));
    assert_eq!(signal(6).1, file("/run/y.pid"));
    let kinds: Vec<bool> = p
        .needs
        .iter()
        .map(|n| matches!(n.kind, NeedKind::Named(_)))
        .collect();
    assert_eq!(kinds, [false, true, true, false]);
    assert_eq!(p.on_exit.permanent, [78]);
    assert_eq!(p.tests[0].given.exit_code, Some(1));
    assert_eq!(p.tests[0].expect.next_in, Some(secs(30)));
}

/// A plan with comments, as somebody would write it who knows what plans can do.
const SPRINT: &str = r#"name: portal-sprint              # default: the file's stem; unique over all files
description: Keep the portal sprint's agents at work
match:                           # every key given must match; no key: every cell's agents
  cells: ["portal-*"]            # globs over mission ids
  agents: ["claude", "al*"]      # globs over agent names
  labels: {team: nexus}          # from the cell's manifest
  # gateways: [timmy]            # instead of the three above: a plan for gateways
when:
  status: [dead, exited]         # default: [stale, exited]; with probes, and for gateways, [dead, exited]
  for: 2m                        # it has been so for at least this long; default 0s
stale_after: 90s                 # overrides the configured one for these subjects
max_quiet: 1h                    # how far a heartbeat's own `quiet_for` is believed
probes:                          # evidence beside the heartbeat; all are asked at once
  - tcp: localhost:8765
  - http: {url: "http://localhost:8766/health", status: 200, json: {status: ok}}
    timeout: 3s                  # default 5s, at most 30s, on every kind of probe
  - process: {pattern: "nexus_think"}       # a regex over the command line; or pidfile: PATH; or heartbeat_pid: true
  - exec: {command: [/usr/local/bin/healthy, "{{ cell.id }}"]}   # exit 0 is good
  - file: {path: "{{ cell.root }}/artifacts/out.json", newer_than: 10m}
policy: ask                      # auto: revive; ask: a human agrees first; never: record and tell. Default ask
steps:                           # in order; the first that fails ends the attempt
  - run: [systemctl, restart, "nexus-{{ agent.name }}.service"]
    timeout: 30s
  - spawn: {command: [python3, nexus_think.py], cwd: worktree, env: {MODEL: "timmy:v0.1"}}
limits:
  attempts: 3                    # at most so many …
  within: 1h                     # … in this window; the count is forgotten after that long in health
  backoff: {initial: 30s, factor: 2, max: 15m, jitter: 0.1}
on_exit: {finished: [0], permanent: [78]}             # exit codes of a kept process: done, or hopeless: not to be revived
on_report: {finished: [done], tolerated: [idle, usage_limit]}   # last words of a heartbeat (its `status`) for which silence is no death
verify: {within: 2m}             # an attempt has worked if the subject is healthy by then; until then it is `reviving`
approval: {expires: 5m, channels: [ops-telegram]}     # for policy ask
notify: {channels: [nexus-gitea], on: [down, revived, recovered, exhausted, denied]}
needs: ["gateway:timmy"]         # not revived before these are healthy
maintenance:                     # no revival inside these windows
  - {from: "2026-12-24T18:00:00Z", until: "2026-12-27T06:00:00Z"}
  - {cron: "0 3 * * SUN", for: 1h, timezone: "Europe/Vienna"}    # timezone default UTC
tests:
  - name: a hung agent is restarted after two minutes
    given: {subject: portal-1/claude, status: stale, down_for: 3m, attempts: 0}
    expect: {verdict: revive, steps: 1}
"#;

#[test]
fn a_plan_as_it_is_written_in_earnest() {
    let p = plan(SPRINT);
    assert_eq!(p.name, "portal-sprint");
    assert_eq!(p.limits, crate::plan::types::Limits::default());
    assert_eq!(p.verify_within, secs(120));
    assert_eq!(
        (p.probes.len(), p.steps.len(), p.maintenance.len()),
        (5, 2, 2)
    );
    assert!(matches!(&p.steps[0], Step::Run(run) if run.timeout == secs(30)));
    assert_eq!(plan(&show(&p).unwrap()).hash, p.hash);
}

#[test]
fn every_key_of_the_schema_is_in_the_plan_that_has_them_all() {
    fn keys(schema: &serde_json::Value, found: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(map) => {
                if let Some(map) = map.get("properties").and_then(|p| p.as_object()) {
                    found.extend(map.keys().cloned());
                }
                map.values().for_each(|inner| keys(inner, found));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|inner| keys(inner, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    keys(&schema(), &mut found);
    assert!(found.len() > 80, "{found:?}");
    // Words between backticks.
    let docs = std::fs::read_to_string(shipped("docs/plans.md")).unwrap();
    let code = docs
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let word = |c: char| !c.is_alphanumeric() && c != '_';
    let words: std::collections::BTreeSet<&str> = code.flat_map(|code| code.split(word)).collect();
    for key in found {
        if key != "gateways" {
            assert!(EVERYTHING.contains(&format!("{key}:")), "{key}");
        }
        assert!(words.contains(&*key), "docs/plans.md lacks {key}");
    }
}

#[test]
fn the_schema_agrees_with_the_reader() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let valid = |text: &str| {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{text}\n{errors:#?}");
    };
    valid(EVERYTHING);
    valid(&show(&plan(EVERYTHING)).unwrap());
    for (_, text) in examples() {
        valid(&text);
    }
    for wrong in [
        "stpes: []",
        "steps: [{rnu: [x]}]",
        "policy: maybe",
        "limits: {attempts: 0}",
    ] {
        let value: serde_json::Value = serde_yaml::from_str(wrong).unwrap();
        assert!(!validator.is_valid(&value), "{wrong}");
    }
}

fn shipped(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The plans that are shipped.
fn examples() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(shipped("plans")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            all.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn the_shipped_plans_load_together_and_have_tests() {
    let files: Vec<File> = examples()
        .iter()
        .map(|(name, text)| file(name, text))
        .collect();
    let known = Known {
        channels: Some(Default::default()),
        gateways: Some(Default::default()),
        ..Known::default()
    };
    let (set, problems) = load(&files, &known);
    assert!(problems.is_empty(), "{problems:#?}");
    assert_eq!(set.plans().len(), 8);
    for plan in set.plans() {
        assert!((2..=4).contains(&plan.tests.len()), "{}", plan.name);
        // Each test is about a subject that its plan governs.
        for test in &plan.tests {
            let who = match test.given.subject.strip_prefix("gateway:") {
                Some(name) => Who::Gateway(name),
                None => {
                    let (cell, agent) = test.given.subject.split_once('/').unwrap();
                    Who::Agent {
                        cell,
                        agent: Some(agent),
                        labels: Some(&test.given.labels),
                    }
                }
            };
            let governing = set.governing(&who).map(|plan| &*plan.name);
            assert_eq!(governing, Some(&*plan.name), "{}", test.name);
        }
    }
    let readme = std::fs::read_to_string(shipped("plans/README.md")).unwrap();
    for (name, text) in examples() {
        let first = "# yaml-language-server: $schema=../docs/schema/plan.schema.json\n";
        assert!(text.starts_with(first), "{name}");
        assert!(readme.contains(&format!("({name})")), "{name}");
    }
}

#[test]
fn the_examples_of_the_reference_load() {
    let docs = std::fs::read_to_string(shipped("docs/plans.md")).unwrap();
    let mut blocks = 0;
    for block in docs.split("```yaml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        // A piece of a plan is shown without the rest of it.
        let has = |key: &str| text.lines().any(|line| line.starts_with(key));
        let whole = match has("steps:") || has("policy:") || text.contains("\n---\n") {
            true => text.to_owned(),
            false => format!("{text}policy: never\n"),
        };
        let (_, problems) = load(&[file("p.yaml", &whole)], &Known::default());
        assert!(problems.is_empty(), "{problems:#?}\n{whole}");
        blocks += 1;
    }
    assert!(blocks > 5);
    // The example of what is told about mistakes is what is told.
    let told = docs.split("```text\n").nth(1).unwrap();
    let told = told.split("\n```").next().unwrap();
    let wrong = "name: restart\npolcy: auto\nwhen:\n  for: soon\nsteps:\n  - run: [systemctl, restart, \"{{ agnet.name }}\"]\n";
    let file = file("/etc/lazarus-pit/plans/restart.yaml", wrong);
    assert_eq!(told_of(&[file]).join("\n"), told);
}
