//! What a cell's manifest says of its agents: the same reading as a check's, so that a heartbeat
//! is written where the check will look for it.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use serde_json::Value;

use super::place::{self, LONGEST_AGENT};
use crate::model::cell::Layout;
use crate::model::text::check_id;
use crate::sys::beneath::{self, Mounts, Small};

/// No manifest is larger.
const LARGEST: usize = 64 << 10;
/// A cell with more agents than this has a broken manifest.
const MOST_AGENTS: usize = 1000;

/// What looking for a manifest came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Manifest {
    /// There is none.
    Absent,
    /// There is one that cannot be used, and why.
    Unusable(String),
    /// There is one.
    Known(Known),
}

/// What a usable manifest says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Known {
    /// The agents that it names, in its order; `None` where it has no such list.
    pub(super) agents: Option<Vec<String>>,
    /// `uuid`.
    pub(super) uuid: Option<String>,
}

/// Reads the manifest of an open cell.
///
/// # Errors
/// Where it could not be looked at, which is not the same as its being absent or broken.
pub(super) fn read(cell: &OwnedFd, layout: Layout, mounts: Mounts) -> Result<Manifest, Errno> {
    let mut buffer = vec![0; LARGEST + 1];
    let unusable = |why: String| Ok(Manifest::Unusable(why));
    match beneath::read_small(cell, place::manifest(layout), &mut buffer, mounts) {
        Ok(Small::Read(_, length)) => match parse(&buffer[..length], layout) {
            Ok(known) => Ok(Manifest::Known(known)),
            Err(why) => unusable(why),
        },
        Ok(Small::NotRegular(kind)) => unusable(format!(
            "it is {}, not a regular file",
            beneath::describe(kind)
        )),
        Ok(Small::TooLarge(size)) => unusable(format!("it has {size} bytes, more than {LARGEST}")),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(Manifest::Absent),
        Err(errno @ (Errno::LOOP | Errno::XDEV)) => unusable(beneath::reason(errno)),
        Err(errno) => Err(errno),
    }
}

fn parse(text: &[u8], layout: Layout) -> Result<Known, String> {
    // The parser's own words can quote the contents: only the place is told.
    let value: Value = serde_json::from_slice(text)
        .map_err(|e| format!("it is no JSON (line {} column {})", e.line(), e.column()))?;
    let fields = value.as_object().ok_or("it is no JSON object")?;
    let text = |key| fields.get(key).and_then(Value::as_str);
    if layout == Layout::Canonical {
        for key in ["uuid", "status"] {
            if text(key).is_none_or(str::is_empty) {
                return Err(format!("it has no {key}"));
            }
        }
        if !fields.contains_key("agents") {
            return Err("it has no agents".into());
        }
    }
    let agents = match fields.get("agents") {
        None | Some(Value::Null) => None,
        Some(Value::Array(entries)) => Some(names(entries)?),
        Some(_) => return Err("its agents are no list".into()),
    };
    let uuid = text("uuid").map(str::to_owned);
    Ok(Known { agents, uuid })
}

/// Names, or objects with a `name`. Named twice is one agent.
fn names(entries: &[Value]) -> Result<Vec<String>, String> {
    if entries.len() > MOST_AGENTS {
        let n = entries.len();
        return Err(format!("it names {n} agents, more than {MOST_AGENTS}"));
    }
    let mut names: Vec<String> = Vec::with_capacity(entries.len());
    for (n, entry) in entries.iter().enumerate() {
        let nth = n + 1;
        let name = entry
            .as_str()
            .or_else(|| entry.get("name")?.as_str())
            .ok_or_else(|| format!("agent {nth} of its agents has no name"))?;
        check_id(name, LONGEST_AGENT).map_err(|why| {
            format!("agent {nth} of its agents has a name that cannot be used: {why}")
        })?;
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_names_or_objects_with_names() {
        let agents = |text: &str| parse(text.as_bytes(), Layout::Foundation).map(|k| k.agents);
        assert_eq!(agents("{}"), Ok(None));
        assert_eq!(agents(r#"{"agents": null}"#), Ok(None));
        assert_eq!(agents(r#"{"agents": []}"#), Ok(Some(vec![])));
        assert_eq!(
            agents(r#"{"agents": ["a", {"name": "b", "role": 7}, "a"]}"#),
            Ok(Some(vec!["a".into(), "b".into()]))
        );
        for bad in [
            "",
            "[]",
            r#"{"agents": "a"}"#,
            r#"{"agents": [7]}"#,
            r#"{"agents": [{"role": "x"}]}"#,
            r#"{"agents": ["../../etc/passwd"]}"#,
            r#"{"agents": [".hidden"]}"#,
        ] {
            assert!(agents(bad).is_err(), "{bad}");
        }
        let many = serde_json::json!({ "agents": vec!["a"; MOST_AGENTS + 1] }).to_string();
        assert!(agents(&many).is_err());
    }

    #[test]
    fn a_canonical_manifest_has_three_things_at_least() {
        let whole = r#"{"uuid": "u", "status": "active", "agents": []}"#;
        assert!(parse(whole.as_bytes(), Layout::Canonical).is_ok());
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
