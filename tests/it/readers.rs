//! Readers for the formats that have no crate here, as strict as what they stand for.

use std::collections::{BTreeMap, BTreeSet};

/// One sample of a text exposition.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Reads a text exposition as strictly as the textfile collector and `promtool` do together.
#[track_caller]
pub(crate) fn exposition(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n'), "the last line has no end");
    let is_name = |n: &str| {
        !n.is_empty()
            && !n.starts_with(|c: char| c.is_ascii_digit())
            && n.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    };
    let (mut help, mut kinds) = (BTreeSet::new(), BTreeMap::new());
    let (mut samples, mut order) = (Vec::new(), Vec::<String>::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').expect("HELP without words");
            assert!(!words.is_empty() && help.insert(name.to_owned()), "{line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("TYPE without a type");
            assert!(
                ["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind),
                "{line}"
            );
            assert!(
                kinds.insert(name.to_owned(), kind.to_owned()).is_none(),
                "twice: {line}"
            );
            continue;
        }
        assert!(!line.is_empty() && !line.starts_with('#'), "{line:?}");
        let sample = sample(line);
        assert!(is_name(&sample.name), "{line}");
        assert!(sample.labels.keys().all(|k| is_name(k)), "{line}");
        assert!(help.contains(&sample.name), "no HELP before {line}");
        let kind = kinds
            .get(&sample.name)
            .unwrap_or_else(|| panic!("no TYPE before {line}"));
        let counter = kind == "counter";
        assert_eq!(
            counter,
            sample.name.ends_with("_total"),
            "{line} is a {kind}"
        );
        if order.last() != Some(&sample.name) {
            assert!(
                !order.contains(&sample.name),
                "{} is scattered",
                sample.name
            );
            order.push(sample.name.clone());
        }
        samples.push(sample);
    }
    let mut seen = BTreeSet::new();
    for s in &samples {
        assert!(
            seen.insert(format!("{} {:?}", s.name, s.labels)),
            "twice: {s:?}"
        );
    }
    samples
}

/// One line of it: a name, labels in braces, a value, and no timestamp.
#[track_caller]
fn sample(line: &str) -> Sample {
    let end = line
        .find(['{', ' '])
        .unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (key, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            let mut value = String::new();
            let mut chars = after.char_indices();
            let close = loop {
                match chars
                    .next()
                    .unwrap_or_else(|| panic!("no end of a label: {line}"))
                {
                    (at, '"') => break at,
                    (_, '\\') => {
                        let (_, c) = chars.next().unwrap();
                        assert!(['\\', '"', 'n'].contains(&c), "a bad escape: {line}");
                        value.push(c);
                    }
                    (_, c) => value.push(c),
                }
            };
            labels.insert(key.trim_start_matches(',').to_owned(), value);
            rest = &after[close + 1..];
        }
        rest = &rest[1..];
    }
    let words: Vec<_> = rest.split_whitespace().collect();
    assert_eq!(words.len(), 1, "a timestamp: {line}");
    let value = words[0]
        .parse()
        .unwrap_or_else(|_| panic!("no number: {line}"));
    Sample {
        name: name.to_owned(),
        labels,
        value,
    }
}

/// Asserts that every `&` begins a reference.
#[track_caller]
fn references(text: &str) {
    let all = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#"];
    for (i, _) in text.match_indices('&') {
        assert!(all.iter().any(|r| text[i..].starts_with(r)), "{text}");
    }
}

/// Walks through a document and asserts that its tags are balanced. Returns how often each occurs.
#[track_caller]
pub(crate) fn xml(text: &str) -> BTreeMap<String, usize> {
    let (mut open, mut seen) = (Vec::new(), BTreeMap::new());
    let mut rest = text.trim_start();
    assert!(rest.starts_with("<?xml "), "no declaration: {text}");
    while let Some(at) = rest.find('<') {
        let between = &rest[..at];
        references(between);
        assert!(
            !between.contains('>') || !between.contains("]]>"),
            "{between}"
        );
        // A `>` within an attribute's value does not end the tag.
        let mut quote = None;
        let end = rest[at..].char_indices().find(|(_, c)| match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(*c);
                false
            }
            (Some(q), c) if q == *c => {
                quote = None;
                false
            }
            (Some(_), '<') => panic!("a `<` in a value: {rest}"),
            (None, '>') => true,
            _ => false,
        });
        let end = at
            + end
                .unwrap_or_else(|| panic!("a tag without an end: {rest}"))
                .0;
        let tag = &rest[at + 1..end];
        references(tag);
        let name: String = tag
            .chars()
            .take_while(|c| !c.is_whitespace() && *c != '/')
            .collect();
        if tag.starts_with('?') || tag.starts_with('!') {
        } else if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed.trim()), "{text}");
        } else {
            *seen.entry(name.clone()).or_insert(0) += 1;
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(
        open.is_empty() && rest.trim().is_empty(),
        "{open:?} {rest:?}: {text}"
    );
    seen
}

/// A reader that takes everything proves nothing: each of these has one thing wrong with it.
#[test]
fn the_reader_of_expositions_is_strict() {
    let head = "# HELP a_b Words.\n# TYPE a_b gauge\n";
    let good = format!("{head}a_b{{x=\"1 \\\" }}\",y=\"\\n\\\\\"}} 2.5\na_b{{x=\"2\"}} 0\n");
    let samples = exposition(&good);
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[0].name, "a_b");
    assert_eq!(samples[0].labels["x"], "1 \" }");
    assert!((samples[0].value - 2.5).abs() < f64::EPSILON);
    for bad in [
        format!("{head}a_b 1"),
        format!("{head}a_b 1 1795000000000\n"),
        format!("{head}a_b 1\na_b 2\n"),
        format!("{head}a_b x\n"),
        format!("{head}a_b{{x=\"\\t\"}} 1\n"),
        format!("{head}a_b{{x=\"1\" 1\n"),
        format!("{head}\na_b 1\n"),
        format!("{head}{head}a_b 1\n"),
        "a_b 1\n# HELP a_b Words.\n# TYPE a_b gauge\n".into(),
        "# HELP a_b Words.\na_b 1\n".into(),
        "# HELP a_b Words.\n# TYPE a_b counter\na_b 1\n".into(),
    ] {
        assert!(
            std::panic::catch_unwind(|| exposition(&bad)).is_err(),
            "taken: {bad}"
        );
    }
}

#[test]
fn the_reader_of_xml_is_strict() {
    let head = "<?xml version=\"1.0\"?>\n";
    let good = format!("{head}<a n=\"x > y\"><b/><b>1 &lt; 2</b></a>\n");
    assert_eq!(
        xml(&good),
        BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)])
    );
    for bad in [
        "<a/>".to_owned(),
        format!("{head}<a>"),
        format!("{head}<a></b>"),
        format!("{head}<a><b></a></b>"),
        format!("{head}<a>&</a>"),
        format!("{head}<a n=\"<\"/>"),
        format!("{head}<a n=\"&\"/>"),
        format!("{head}<a/>words"),
    ] {
        assert!(
            std::panic::catch_unwind(|| xml(&bad)).is_err(),
            "taken: {bad}"
        );
    }
}
