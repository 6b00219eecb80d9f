//! What a cell's manifest says of its agents: the same reading as a check's, so that a heartbeat
//! is written where the check will look for it.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::place;
use crate::model::cell::{Layout, Lifecycle};
use crate::observe::heartbeat::LARGEST;
use crate::observe::manifest;
use crate::sys::beneath::{self, Mounts, Small};

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
    /// `status`.
    pub(super) lifecycle: Option<Lifecycle>,
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
    let parsed = manifest::parse(text, layout)?;
    let agents = parsed
        .manifest
        .agents
        .map(|names| names.into_iter().map(String::from).collect());
    Ok(Known {
        agents,
        uuid: parsed.uuid.map(String::from),
        lifecycle: parsed.manifest.lifecycle,
    })
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
        let many = serde_json::json!({ "agents": vec!["a"; 1001] }).to_string();
        assert!(agents(&many).is_err());
    }
}
