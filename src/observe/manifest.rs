//! A cell's manifest: who works there, and what the operator says of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU64;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json;
use crate::model::cell::{Layout, Lifecycle, Manifest};
use crate::model::text::{check_id, visible};

/// A cell with more agents than this has a broken manifest.
const MOST_AGENTS: usize = 1000;

/// An agent's name is one file name together with its `.json`.
pub const LONGEST_AGENT: usize = 250;

/// What a manifest's text says.
#[derive(Debug, PartialEq)]
pub struct Parsed {
    /// The parts that decide something.
    pub manifest: Manifest,
    /// The `mission_id`, where it has one.
    pub mission_id: Option<Box<str>>,
    /// The `uuid`, where it has one.
    pub uuid: Option<Box<str>>,
}

const FIELDS: [&str; 6] = [
    "status",
    "labels",
    "agents",
    "mission_id",
    "uuid",
    "gitea_issue",
];

/// From a manifest's text to what it says. A canonical one must have `uuid`, `status` and
/// `agents`, a foundation one nothing.
///
/// # Errors
/// What is wrong, without a word of the contents but for an agent's name.
pub fn parse(text: &[u8], layout: Layout) -> Result<Parsed, String> {
    let fields = json::fields(text, &FIELDS).map_err(|e| json::cause(&e))?;
    if layout == Layout::Canonical {
        for (at, must) in [(4, "uuid"), (0, "status")] {
            if fields.text(at, 1).is_none_or(|t| t.is_empty()) {
                return Err(format!("it has no {must}"));
            }
        }
        if fields.values[2].is_none() {
            return Err("it has no agents".into());
        }
    }
    let agents = fields.values[2]
        .filter(|raw| raw.get() != "null")
        .map(agents)
        .transpose()?;
    Ok(Parsed {
        manifest: Manifest {
            lifecycle: fields.text(0, 64).map(|t| Lifecycle::from_text(&t)),
            labels: fields.values[1].and_then(labels).map(Box::new),
            agents,
            issue: fields.values[5].and_then(issue),
        },
        mission_id: fields.text(3, 255),
        uuid: fields.text(4, 255),
    })
}

/// A list of names, or of objects with a `name`.
fn agents(raw: &RawValue) -> Result<Vec<Box<str>>, String> {
    let entries: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| "its agents are no list".to_owned())?;
    if entries.len() > MOST_AGENTS {
        return Err(format!(
            "it names {} agents, more than {MOST_AGENTS}",
            entries.len()
        ));
    }
    let mut names: Vec<Box<str>> = Vec::with_capacity(entries.len());
    for (n, entry) in entries.into_iter().enumerate() {
        let name =
            name(entry).ok_or_else(|| format!("agent {} of its agents has no name", n + 1))?;
        check_id(&name, LONGEST_AGENT).map_err(|why| {
            format!(
                "agent {} of its agents has a name that cannot be used: {why}",
                n + 1
            )
        })?;
        // Named twice is one agent.
        if !names.iter().any(|known| **known == *name) {
            names.push(name.into());
        }
    }
    Ok(names)
}

fn name(entry: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    if entry.get().starts_with('"') {
        return serde_json::from_str(entry.get()).ok();
    }
    // A list would be read as an object's values in their order.
    if !entry.get().starts_with('{') {
        return None;
    }
    serde_json::from_str::<Named<'_>>(entry.get())
        .ok()
        .map(|n| n.name.into_owned())
}

/// An issue's number: as a number, as its digits, or as people write it (`#7`).
fn issue(raw: &RawValue) -> Option<NonZeroU64> {
    let text = raw.get().trim_matches('"');
    text.strip_prefix('#').unwrap_or(text).parse().ok()
}

/// Labels are text; numbers and booleans are taken as written, anything else is left out.
fn labels(raw: &RawValue) -> Option<BTreeMap<String, String>> {
    let entries: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(raw.get()).ok()?;
    let labels: BTreeMap<String, String> = entries
        .into_iter()
        .filter_map(|(key, value)| {
            let text = match value.get().as_bytes().first()? {
                b'"' => serde_json::from_str(value.get()).ok()?,
                b'{' | b'[' | b'n' => return None,
                _ => value.get().to_owned(),
            };
            Some((key.into_owned(), text))
        })
        .collect();
    (!labels.is_empty()).then_some(labels)
}

/// The warning's sentence where a manifest gives its mission another name than its directory has.
#[must_use]
pub fn other_name(path: &str, said: &str, id: &str) -> String {
    format!(
        "{path} says mission_id {:?}, its directory is {:?}, which counts",
        visible(said),
        visible(id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, layout: Layout) -> Result<Vec<String>, String> {
        let agents = parse(text.as_bytes(), layout)?
            .manifest
            .agents
            .unwrap_or_default();
        Ok(agents.into_iter().map(String::from).collect())
    }

    #[test]
    fn agents_are_names_or_objects_with_names() {
        let text = r#"{"agents": ["a", {"name": "b", "role": 7}, "a"]}"#;
        assert_eq!(names(text, Layout::Foundation).unwrap(), ["a", "b"]);
        for bad in [
            r#"{"agents": "a"}"#,
            r#"{"agents": [7]}"#,
            r#"{"agents": [{"role": "x"}]}"#,
            r#"{"agents": [["x"]]}"#,
            r#"{"agents": ["../../etc/passwd"]}"#,
            r#"{"agents": [""]}"#,
            r#"{"agents": [".hidden"]}"#,
            "[]",
            "nonsense",
        ] {
            assert!(names(bad, Layout::Foundation).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_canonical_manifest_must_say_who_and_what() {
        let whole = r#"{"uuid": "u", "status": "active", "agents": [], "labels": {"a": "b", "n": 3, "x": null}}"#;
        let parsed = parse(whole.as_bytes(), Layout::Canonical).unwrap().manifest;
        assert_eq!(parsed.lifecycle, Some(Lifecycle::Active));
        assert_eq!(parsed.agents, Some(Vec::new()));
        let labels = parsed.labels.unwrap();
        assert_eq!(
            labels.into_iter().collect::<Vec<_>>(),
            [("a".into(), "b".into()), ("n".into(), "3".into())]
        );
        for lacking in [
            r#"{"status": "active", "agents": []}"#,
            r#"{"uuid": "", "status": "active", "agents": []}"#,
            r#"{"uuid": "u", "agents": []}"#,
            r#"{"uuid": "u", "status": "active"}"#,
        ] {
            assert!(
                parse(lacking.as_bytes(), Layout::Canonical).is_err(),
                "{lacking}"
            );
            assert!(
                parse(lacking.as_bytes(), Layout::Foundation).is_ok(),
                "{lacking}"
            );
        }
    }
}
