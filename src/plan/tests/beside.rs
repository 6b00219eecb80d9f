//! What can only be seen with all plans side by side, and files that are hardly files.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::shown::EVERYTHING;
use super::*;

fn names(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|t| (*t).to_owned()).collect()
}

#[test]
fn files_come_in_byte_order_of_their_names_and_documents_in_order() {
    let one = "name: one\nmatch: {cells: a}\npolicy: never\n";
    let files = [
        file("z/20.yaml", "match: {cells: c}\npolicy: never"),
        file(
            "b/10.yaml",
            &format!("{one}---\nname: two\nmatch: {{cells: b}}\npolicy: never\n---\n"),
        ),
        file("a/30.yaml", "# nothing\n"),
        file("a/B.yaml", "match: {cells: d}\npolicy: never"),
        file("a/a.yaml", "policy: never"),
    ];
    let (set, problems) = load(&files, &Known::default());
    assert_eq!(problems, []);
    let names: Vec<&str> = set.plans().iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["one", "two", "20", "B", "a"]);
    assert_eq!(set.plans()[1].source.line, 5);
    assert_eq!(set.plans()[1].source.file, "b/10.yaml");
}

#[test]
fn no_two_plans_have_one_name() {
    let files = [
        file("x/a.yaml", "match: {cells: a}\npolicy: never"),
        file(
            "y/b.yaml",
            "match: {cells: b}\nname: a\npolicy: never\n---\nmatch: {cells: c}\npolicy: never\n---\nmatch: {cells: d}\npolicy: never",
        ),
    ];
    assert_eq!(
        told_of(&files),
        [
            "y/b.yaml:2:7: error: the name `a` is that of the plan at x/a.yaml:1 already\n    name: a\n          ^\n  help: give it a `name` of its own",
            "y/b.yaml:8:1: error: the name `b` is that of the plan at line 5 already\n    match: {cells: d}\n    ^\n  help: give it a `name` of its own",
        ]
    );
}

#[test]
fn a_question_that_nobody_can_answer_is_warned_of() {
    let known = Known {
        channels: Some(names(&["hook", "ops"])),
        deaf: names(&["hook"]),
        ..Known::default()
    };
    let told = |approval: &str, policy: &str| {
        let text =
            format!("policy: {policy}\nsteps: [{{run: [x]}}]\napproval: {{channels: {approval}}}");
        let (_, problems) = load(&[file("p.yaml", &text)], &known);
        problems
            .iter()
            .map(|p| p.message.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told("hook", "ask"),
        ["nobody can answer on hook: questions are answered in the shell only"]
    );
    for (approval, policy) in [("[hook, ops]", "ask"), ("[]", "ask"), ("hook", "auto")] {
        assert!(told(approval, policy).is_empty(), "{approval} {policy}");
    }
}

#[test]
fn channels_and_gateways_are_those_of_the_configuration() {
    let text = "match: {cells: x}\napproval: {channels: ops}\nnotify: {channels: [opps, gitea]}\nneeds: ['gateway:timy', 'gateway:t*']\npolicy: never";
    let known = Known {
        channels: Some(names(&["ops"])),
        gateways: Some(names(&["timmy"])),
        ..Known::default()
    };
    let (_, problems) = load(&[file("p.yaml", text)], &known);
    let told: Vec<String> = problems
        .iter()
        .map(|p| {
            format!(
                "{}:{} {} ({})",
                p.line,
                p.column,
                p.message,
                p.help.clone().unwrap()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "3:21 the configuration has no channel `opps` (did you mean `ops`?)",
            "3:27 the configuration has no channel `gitea` (its channels are `ops`)",
            "4:9 the configuration has no gateway `timy` (did you mean `timmy`?)",
        ]
    );
    assert_eq!(told_of(&[file("p.yaml", text)]), [""; 0]);
}

/// Plans named by letters, each with its `match` and what else it has.
fn lettered(plans: &[&str]) -> String {
    let each = plans
        .iter()
        .zip('a'..)
        .map(|(text, name)| format!("name: {name}\npolicy: never\n{text}\n"));
    each.collect::<Vec<_>>().join("---\n")
}

#[test]
fn needs_that_go_round() {
    let round = |plans: &[&str]| told(&lettered(plans));
    assert_eq!(
        round(&[
            "match: {cells: 'a-*'}\nneeds: b-1/x",
            "match: {cells: 'b-*'}\nneeds: [c-1, 'a-*']",
            "match: {cells: 'c-*'}\nneeds: a-1/x"
        ]),
        [
            "4:8 needs go round, so that none of them is ever met: `a` → `b` → `c` → `a` (give what is needed a plan of its own, before those that need it)"
        ]
    );
    assert_eq!(
        round(&["match: {cells: '*'}\nneeds: db-1/main"]),
        [
            "4:8 needs go round, so that none of them is ever met: `a` → `a` (give what is needed a plan of its own, before those that need it)"
        ]
    );
    assert_eq!(
        round(&[
            "match: {cells: db-1}",
            "match: {cells: '*'}\nneeds: db-1/main"
        ]),
        [""; 0]
    );
    assert_eq!(
        round(&[
            "match: {gateways: g1}\nneeds: 'gateway:g2'",
            "match: {gateways: 'g*'}\nneeds: 'gateway:g1'"
        ]),
        [
            "4:8 needs go round, so that none of them is ever met: `a` → `b` → `a` (give what is needed a plan of its own, before those that need it)"
        ]
    );
    // Whether it does depends on labels, or on who works in the cell.
    assert_eq!(
        round(&["match: {labels: {t: x}}\nneeds: db-1/main"]),
        ["4:8 warning: needs may go round, if labels or agents are so: `a` → `a`"]
    );
    assert_eq!(
        round(&["match: {cells: 'a*', agents: x}\nneeds: a1"]),
        ["4:8 warning: needs may go round, if labels or agents are so: `a` → `a`"]
    );
    assert_eq!(
        round(&["match: {cells: 'a*', agents: x}\nneeds: a1/y"]),
        [""; 0]
    );
    // By globs nothing is known.
    assert_eq!(round(&["match: {cells: 'a*'}\nneeds: 'a*'"]), [""; 0]);
}

/// What is wrong with another plan hides no circle, unless that plan could be the one that governs.
#[test]
fn needs_that_go_round_beside_other_mistakes() {
    let one = "match: {cells: a}\nneeds: b/x";
    let other = "match: {cells: b}\nneeds: a/x";
    let bad = "polcy: auto";
    let round = |plans: &[&str]| {
        let told = told(&lettered(plans));
        let count = |text: &str| told.iter().filter(|t| t.contains(text)).count();
        (count("go round"), count("unknown key"))
    };
    assert_eq!(round(&[one, other, bad]), (1, 1));
    assert_eq!(round(&[one, bad, other]), (0, 1));
    assert_eq!(round(&[bad, one, other]), (0, 1));
    let files = |broken: &str| {
        let files = [
            file("m.yaml", &lettered(&[one, other])),
            file(broken, "a: [\n"),
        ];
        told_of(&files).len()
    };
    assert_eq!(files("z.yaml"), 2);
    assert_eq!(files("b.yaml"), 1);
}

#[test]
fn plans_that_are_never_reached() {
    let never = |plans: &[&str]| {
        let told = told(&lettered(plans));
        told.iter()
            .map(|t| t.split_whitespace().nth(9).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let told_in_full = told(&lettered(&[
        "match: {cells: 'a*'}",
        "match: {cells: [ab, 'a-*']}",
    ]));
    assert_eq!(
        told_in_full,
        [
            "5:7 warning: this plan is never reached: `a` (p.yaml:1), which comes first, matches all that it does"
        ]
    );
    for (plans, count) in [
        (vec!["", "match: {cells: x}", "match: {labels: {a: b}}"], 2),
        (
            vec!["match: {cells: '*'}", "match: {cells: x}", "description: x"],
            1,
        ),
        (
            vec![
                "match: {labels: {a: b}}",
                "match: {cells: x, labels: {a: b, c: d}}",
            ],
            1,
        ),
        (
            vec![
                "match: {labels: {a: b, c: d}}",
                "match: {cells: x, labels: {a: b}}",
            ],
            0,
        ),
        (vec!["match: {cells: x, agents: y}", "match: {cells: x}"], 0),
        (
            vec![
                "match: {cells: 'x*', agents: [y, z]}",
                "match: {cells: xx, agents: z}",
            ],
            1,
        ),
        (vec!["match: {cells: '[ab]'}", "match: {cells: '[ab]'}"], 1),
        (vec!["match: {cells: '[ab]'}", "match: {cells: a}"], 0),
        (
            vec![
                "match: {gateways: '*'}",
                "match: {gateways: g}",
                "match: {cells: g}",
            ],
            1,
        ),
    ] {
        assert_eq!(never(&plans).len(), count, "{plans:?}");
    }
}

#[test]
fn files_that_are_hardly_files() {
    let bomb: String = (0..20)
        .map(|n| match n {
            0 => "a0: &a0 [x]\n".to_owned(),
            n => format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9)),
        })
        .collect();
    let large = "#".repeat(10 << 20);
    let deep = "[".repeat(100_000);
    let doubled = "policy: never\npolicy: auto\n";
    for (text, part) in [
        (&*bomb, "aliases written out"),
        (&large, "1:1: error: larger than 1048576 bytes"),
        (&deep, "nested more than 64 deep"),
        (
            doubled,
            "2:1: error: the key `policy` stands on line 1 already",
        ),
        ("policy: never\nmatch:\n\tcells: x\n", "never with tabs"),
        ("- policy: never", "expected a mapping"),
        ("just text", "expected keys and values, found mere text"),
    ] {
        let begun = Instant::now();
        let told = told_of(&[file("p.yaml", text)]);
        assert!(told.iter().any(|t| t.contains(part)), "{part}: {told:#?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{part}");
    }
    let bytes = File {
        name: "p.yaml".to_owned(),
        text: b"name: a\xff".to_vec(),
    };
    assert!(told_of(&[bytes])[0].starts_with("p.yaml:1:8: error: byte 0xff is not UTF-8"));
    let crlf = format!("\u{feff}{}", EVERYTHING.trim_start().replace('\n', "\r\n"));
    assert_eq!(plan(&crlf).hash, plan(EVERYTHING).hash);
    assert_eq!(
        told_of(&[file("p.yaml", ""), file("q.yaml", "# no plan\n---\n")]),
        [""; 0]
    );
}

#[test]
fn a_plan_with_a_mistake_is_not_in_the_set_and_hides_no_other_mistake() {
    let text = "name: a\nmatch: {cells: 5}\npolicy: never\n---\nname: b\nmatch: {cells: y}\npolicy: never\nneeds: x\n---\nname: a\npolicy: never";
    let (set, problems) = load(&[file("p.yaml", text)], &Known::default());
    let names: Vec<&str> = set.plans().iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["b", "a"]);
    let places: Vec<(u32, u32)> = problems.iter().map(|p| (p.line, p.column)).collect();
    assert_eq!(places, [(2, 16), (10, 7)]);
}

/// What a glob may be made of, so that many of them meet.
fn glob() -> impl Strategy<Value = String> {
    "[ab]{1,2}|[ab]\\*|\\*[ab]|\\*|\\*[ab]\\*|[ab]\\*[ab]|\\[ab\\]"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What the index finds is what trying them all in turn finds; and what is never reached is
    /// indeed never found.
    #[test]
    fn the_index_finds_the_first_plan_that_matches(
        plans in proptest::collection::vec((
            proptest::option::of(glob()),
            proptest::option::of(glob()),
            proptest::option::of("[xy]"),
            any::<bool>(),
        ), 1..12),
        cell in "[ab]{1,3}", agent in proptest::option::of("[ab]{1,2}"), label in proptest::option::of("[xy]"),
    ) {
        let texts: Vec<String> = plans.iter().enumerate().map(|(n, (cells, agents, label, gateway))| {
            let mut keys = Vec::new();
            if *gateway && cells.is_some() {
                keys.extend(cells.iter().map(|g| format!("gateways: '{g}'")));
            } else {
                keys.extend(cells.iter().map(|g| format!("cells: '{g}'")));
                keys.extend(agents.iter().map(|g| format!("agents: '{g}'")));
                keys.extend(label.iter().map(|l| format!("labels: {{l: {l}}}")));
            }
            format!("name: p{n}\npolicy: never\nmatch: {{{}}}\n", keys.join(", "))
        }).collect();
        let (set, problems) = load(&[file("p.yaml", &texts.join("---\n"))], &Known::default());
        prop_assert_eq!(set.plans().len(), plans.len(), "{:?}", problems);
        let labels = label.map(|l| std::collections::BTreeMap::from([("l".to_owned(), l)]));
        for who in [
            Who::Gateway(&cell),
            Who::Agent { cell: &cell, agent: agent.as_deref(), labels: labels.as_ref() },
        ] {
            let found = set.governing(&who).map(|p| &*p.name);
            let tried = set.plans().iter().find(|p| crate::plan::set::mismatch(p, &who).is_none());
            prop_assert_eq!(found, tried.map(|p| &*p.name));
            if let Some(plan) = tried {
                let told = problems.iter().any(|p| p.line == plan.source.line);
                prop_assert!(!told, "{} was said to be never reached", plan.name);
            }
        }
    }

    /// No text makes the loader panic.
    #[test]
    fn no_text_makes_it_panic(at in 0..EVERYTHING.len(), with in "\\PC{0,3}", cut in 0usize..5) {
        let mut text: Vec<u8> = EVERYTHING.as_bytes().to_vec();
        let end = (at + cut).min(text.len());
        text.splice(at..end, with.bytes());
        let _ = load(&[File { name: "p.yaml".to_owned(), text }], &Known::default());
    }
}

#[test]
fn why_a_plan_is_not_for_someone() {
    let plan =
        plan("match: {cells: ['a*', b], agents: [x, y], labels: {t: u, v: w}}\npolicy: never");
    let labels = |pairs: &[(&str, &str)]| {
        let owned = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        owned.collect::<std::collections::BTreeMap<String, String>>()
    };
    let all = labels(&[("t", "u"), ("v", "w")]);
    let why =
        |cell: &str, agent: Option<&str>, labels: &std::collections::BTreeMap<String, String>| {
            let labels = Some(labels);
            let found = set::mismatch(
                &plan,
                &Who::Agent {
                    cell,
                    agent,
                    labels,
                },
            );
            found.map(|m| format!("{}: {} / {}", m.key, m.wanted, m.found))
        };
    assert_eq!(why("ab", Some("x"), &all), None);
    for (cell, agent, labels, wanted) in [
        ("c", Some("x"), all.clone(), "cells: a*, b / c"),
        ("b", Some("z"), all.clone(), "agents: x, y / z"),
        ("b", None, all.clone(), "agents: x, y / not known"),
        (
            "b",
            Some("y"),
            labels(&[("t", "u")]),
            "labels.v: w / not there",
        ),
        (
            "b",
            Some("y"),
            labels(&[("t", "x"), ("v", "w")]),
            "labels.t: u / x",
        ),
    ] {
        assert_eq!(why(cell, agent, &labels).as_deref(), Some(wanted));
    }
    let found = set::mismatch(&plan, &Who::Gateway("g")).unwrap();
    assert_eq!(found.key, "gateways");
}

#[test]
fn sets_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    shared(&PlanSet::default());
}
