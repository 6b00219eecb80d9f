//! What may be written, what is told about mistakes, and that nothing makes the reader panic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::node::{Content, MAX_FILE, decode};
use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Plan {
    name: Option<Spanned<String>>,
    policy: Option<Policy>,
    #[serde(rename = "stale_after")]
    limit: Option<u32>,
    labels: BTreeMap<String, String>,
    probes: Vec<Probe>,
    nested: Option<Nested>,
    yes: Option<bool>,
    key: Option<Secret>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Nested {
    must: u32,
    #[serde(default)]
    also: Option<f64>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    Auto,
    Ask,
    Never,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Probe {
    Tcp(Spanned<String>),
    Http { url: String, status: Option<u16> },
    Up,
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> (Option<T>, Vec<Problem>) {
    let mut problems = Problems::new("f", text);
    let docs = load(text, &mut problems);
    let value = docs.first().and_then(|doc| read(doc, &mut problems));
    (value, problems.into_vec())
}

/// Each problem's line, column and message, and its help.
fn told(text: &str) -> Vec<String> {
    let (_, problems) = parse::<Plan>(text);
    let one = |p: &Problem| {
        let help = p.help.as_ref().map(|h| format!(" ({h})"));
        format!(
            "{}:{} {}{}",
            p.line,
            p.column,
            p.message,
            help.unwrap_or_default()
        )
    };
    problems.iter().map(one).collect()
}

#[test]
fn a_file_without_mistakes() {
    let text = "name: x\npolicy: ask\nstale_after: 0x10\nlabels: {team: nexus, port: '8080', v: \"1.10\"}\n\
                probes:\n- {tcp: 'h:1'}\n- http: {url: u}\n- up\n- up:\nnested: {must: 1, also: 2}\n";
    let (plan, problems) = parse::<Plan>(text);
    assert_eq!(problems, []);
    let plan = plan.unwrap();
    assert_eq!(plan.name.unwrap().place, Place { line: 1, column: 7 });
    assert_eq!(plan.limit, Some(16));
    assert_eq!(plan.labels["v"], "1.10");
    assert_eq!(plan.policy, Some(Policy::Ask));
    assert!(matches!(&plan.probes[..],
        [Probe::Tcp(t), Probe::Http { .. }, Probe::Up, Probe::Up] if t.value == "h:1"));
    assert_eq!(
        plan.nested,
        Some(Nested {
            must: 1,
            also: Some(2.0)
        })
    );
}

#[test]
fn every_mistake_is_told_at_its_place_at_once() {
    let text = "nmae: x\npolicy: asc\nstale_after: soon\nlabels: [a]\nprobes:\n  - {tpc: 1}\n  \
                - tcp: {a: 1}\n  - http: {url: u, status: -1, sttaus: 2}\n  - tcp\n  - up: 1\n\
                nested: {also: x}\nyes: on\nzzz: 1\n";
    assert_eq!(
        told(text),
        [
            "1:1 unknown key `nmae` (did you mean `name`?)",
            "2:9 `asc` is not known here (did you mean `ask`?)",
            "3:14 expected a whole number, zero or more, found the text `soon`",
            "4:9 expected a mapping of keys and values, found a list",
            "6:6 unknown key `tpc` (did you mean `tcp`?)",
            "7:10 expected text, found a mapping",
            "8:28 expected a whole number, zero or more, found `-1`",
            "8:32 unknown key `sttaus` (did you mean `status`?)",
            "9:5 `tcp` needs a value (write it as `{tcp: …}`)",
            "10:9 `up` takes no value",
            "11:9 the key `must` is missing",
            "11:16 expected a number, found the text `x`",
            "12:6 expected `true` or `false`, found the text `on` (did you mean `true`?)",
            "13:1 unknown key `zzz` (the keys here are `name`, `policy`, `stale_after`, `labels`, \
             `probes`, `nested`, `yes`, `key`)",
        ]
    );
}

#[test]
fn what_only_follows_from_a_mistake_is_not_told() {
    assert_eq!(
        told("nested: {must: x}"),
        ["1:16 expected a whole number, zero or more, found the text `x`"]
    );
    assert_eq!(told("probes: [{http: {url: [1]}}]").len(), 1);
}

#[test]
fn mistakes_in_yaml_itself() {
    for (text, wanted) in [
        (
            "a: 1\nb: 2\na: 3\n",
            "3:1 the key `a` stands on line 1 already",
        ),
        (
            "x: {<<: {a: 1}}",
            "1:5 merge keys (`<<`) are not supported; write the keys out",
        ),
        ("x: !!int 5", "tags such as"),
        ("x: !rust y", "tags such as"),
        ("[a]: 1", "1:1 a key must be plain text"),
        (": 1", "1:1 a key is missing here"),
        (
            "x: &a [*a]",
            "1:8 this alias lies within what it stands for",
        ),
        ("x: *nope", "this is not YAML"),
        ("nested:\n\tmust: 1", "spaces, never with tabs"),
        ("labels: {a: \"x", "this is not YAML"),
        (
            "a: \u{1b}[0m",
            "1:4 the character U+001B is not allowed in YAML",
        ),
        (
            "a: 1\r\nb: \0x",
            "2:4 the character U+0000 is not allowed in YAML",
        ),
    ] {
        let told = told(text);
        assert!(
            told.iter().any(|line| line.contains(wanted)),
            "{text:?}: {told:#?}"
        );
    }
}

#[test]
fn byte_order_marks_line_ends_and_other_encodings() {
    let (plan, problems) = parse::<Plan>(decode(b"\xef\xbb\xbfname: x\r\nyes: true\r\n").unwrap());
    assert_eq!(problems, []);
    assert_eq!(plan.unwrap().yes, Some(true));
    let (place, message) = decode(b"a: 1\nb: \xff").unwrap_err();
    assert_eq!(place, Place { line: 2, column: 4 });
    assert!(message.contains("0xff"), "{message}");
    assert!(decode(b"\xff\xfea\0").unwrap_err().1.contains("UTF-16"));
}

#[test]
fn bombs_are_told_and_do_not_go_off() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let alias = vec![format!("*a{}", i - 1); 9].join(", ");
        bomb += &format!("a{i}: &a{i} [{alias}]\n");
    }
    let long = format!(
        "a: &a \"{}\"\nb: [{}]",
        "x".repeat(500_000),
        vec!["*a"; 1000].join(",")
    );
    let deep = "[".repeat(100_000);
    let block = "- ".repeat(100_000);
    for (text, wanted) in [
        (bomb, "more than 100000 values"),
        (long, "bytes of text"),
        (deep, "nested more than 64 deep"),
        (block, "nested more than 64 deep"),
        ("x".repeat(MAX_FILE + 1), "larger than"),
        // Wrong from top to bottom, and all in one line.
        (
            format!("probes: [{}]", "x, ".repeat(90_000)),
            "not known here",
        ),
        (
            format!(
                "{{{}}}",
                (0..40_000)
                    .map(|i| format!("k{i}: 1, "))
                    .collect::<String>()
            ),
            "unknown key",
        ),
        ("\u{1}".repeat(MAX_FILE), "U+0001"),
    ] {
        let told = told(&text);
        assert!(
            told.iter().any(|line| line.contains(wanted)),
            "{wanted}: {told:.200?}"
        );
    }
    let (value, problems) = parse::<BTreeMap<String, Vec<u8>>>("a: &a [1, 2]\nb: *a\n");
    assert_eq!(
        (value.unwrap()["b"].clone(), problems),
        (vec![1, 2], vec![])
    );
}

#[test]
fn a_secret_is_shown_nowhere() {
    for text in [
        "key: [hush-hush]",
        "key: {a: hush-hush}",
        "{key: hush-hush, zzz: 1}",
        "key: >\n  hush-hush\nyes: x",
        "key: a\nkey: hush-hush",
        "key: a\nyes: true\n'key': >\n  hush-hush\n",
    ] {
        let (plan, problems) = parse::<Plan>(text);
        let shown: String = problems.iter().map(ToString::to_string).collect();
        assert!(!shown.is_empty(), "{text}");
        assert!(!shown.contains("hush"), "{shown}");
        assert!(!format!("{plan:?}").contains("hush"));
    }
    assert_eq!(
        parse::<Plan>("key: a b").0.unwrap().key.unwrap().reveal(),
        "a b"
    );
}

#[test]
fn documents_before_a_mistake_are_still_looked_at() {
    let text = "name: a\n---\nname: b\n---\n{";
    let mut problems = Problems::new("f", text);
    assert_eq!(load(text, &mut problems).len(), 2);
    assert!(problems.has_errors());
}

/// Our nodes as the values that the ordinary YAML package would make of them.
fn plain(node: &Node) -> serde_yaml::Value {
    let mut problems = Problems::new("f", "");
    match &*node.content {
        Content::Scalar { .. } => read(node, &mut problems).unwrap(),
        Content::Sequence(items) => items.iter().map(plain).collect(),
        Content::Mapping(entries) => {
            serde_yaml::Value::Mapping(entries.iter().map(|(k, v)| (plain(k), plain(v))).collect())
        }
    }
}

#[test]
fn our_reader_agrees_with_the_ordinary_one() {
    let shared: Vec<String> = ["lazarus-pit.yaml", "lazarus_pit.json"]
        .iter()
        .map(|name| format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR")))
        .map(|path| std::fs::read_to_string(path).unwrap_or_else(|_| "a: 1".into()))
        .collect();
    let by_hand = [
        "a: 1\nb: [true, null, ~, 'x', \"\\u00e9\\n\"]\nc: {d: 1.5, e: -3}",
        "s: |\n  two\n  lines\nt: >-\n  folded\n  text\n\nu: |+\n  kept\n\n",
        "plain text\n  over lines",
        "- - a\n  - b\n-\n  c: d\n  e:\n  - f\n",
        "a: &x {b: 1}\nc: *x\n",
        "? a\n: b\n? c\n",
        "url: http://x:80/#frag # comment\ntime: 12:30:00\nver: 1.2.3\nsigned: +5\n",
        "{\"json\": [1, 2.5e3, \"\\\"quoted\\\"\", {}], \"empty\": []}",
        "'it''s': \"tab\\there\"\n\"x y\": z\n",
        "%YAML 1.2\n---\na: b\n...\n",
    ];
    for text in shared.iter().map(String::as_str).chain(by_hand) {
        let mut problems = Problems::new("f", text);
        let docs = load(text, &mut problems);
        let problems = problems.into_vec();
        assert_eq!(problems, [], "{text}");
        let theirs: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(docs.first().map(plain), Some(theirs), "{text}");
    }
}

fn check_places(text: &str) -> Result<(), TestCaseError> {
    let ends = text.replace("\r\n", "\n").replace('\r', "\n");
    let ends: Vec<&str> = ends.split('\n').collect();
    let (_, problems) = parse::<Plan>(text);
    for p in problems {
        prop_assert!(p.line >= 1 && p.line as usize <= ends.len(), "{p}");
        let length = ends[p.line as usize - 1].chars().count();
        prop_assert!(p.column >= 1 && p.column as usize <= length + 1, "{p}");
        let shown = p.to_string();
        prop_assert!(
            !shown
                .chars()
                .any(|c| c != '\n' && crate::model::text::is_unsafe(c))
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        check_places(&text)?;
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = decode(&bytes) {
            check_places(text)?;
        }
    }

    #[test]
    fn nothing_like_yaml_makes_it_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "name", "key", "probes", "nested", "must", "tcp", "http", ": ", ":", "- ", "-", "\n", "\r\n", "\r", "  ",
        "\t", "{", "}", "[", "]", ",", "&a ", "*a", "|", ">", "'", "\"", "#", "? ", "!!str ", "!x", "<<", "---",
        "...", "%YAML 1.2", "1", "x", "é", "\u{feff}", "\u{2028}", "\u{85}", "~", "\\", "@", "`",
    ]), 0..40)) {
        check_places(&parts.concat())?;
    }
}
