//! What a state directory holds, read from the outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::world::World;

/// The journal's events; every line must be one, and their numbers must have no gap.
#[track_caller]
pub(crate) fn journal(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.state().join("journal.jsonl")).unwrap_or_default();
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the journal ends in half a line"
    );
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a journal line is JSON"))
        .collect();
    let numbers: Vec<u64> = events.iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!(
        numbers,
        (1..=events.len() as u64).collect::<Vec<_>>(),
        "a gap in the journal"
    );
    events
}

/// How often each transition of each subject stands in the journal.
#[track_caller]
pub(crate) fn transitions(world: &World) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for event in journal(world) {
        if let Some(subject) = event["subject"].as_str() {
            let what = format!(
                "{} {subject} {}",
                event["event"].as_str().unwrap(),
                event["to"]
            );
            *counts.entry(what).or_default() += 1;
        }
    }
    counts
}

/// The state, which must parse.
#[track_caller]
pub(crate) fn state(world: &World) -> Value {
    let text = fs::read(world.state().join("state.json")).expect("there is a state");
    let whole: Value = serde_json::from_slice(&text).expect("the state parses");
    assert_eq!(whole["schema"], "lazarus-pit/state/1");
    whole["state"].clone()
}

/// Asserts that the state is what the journal alone adds up to: without the state file the
/// program rebuilds the same one.
#[track_caller]
pub(crate) fn state_is_the_journal(world: &World) {
    let kept = state(world);
    let other = tempfile::tempdir().unwrap();
    copy(&world.state(), other.path());
    fs::remove_file(other.path().join("state.json")).unwrap();
    let dir = lazarus_pit::store::dir::StateDir::open(other.path()).unwrap();
    let rebuilt = lazarus_pit::store::state::peek(dir.as_ref()).unwrap().state;
    assert_eq!(serde_json::to_value(&rebuilt).unwrap(), kept);
}

/// Copies a directory of files and directories.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Puts a state directory back to what was copied from it.
pub(crate) fn restore(world: &World, template: &Path) {
    world.forget();
    copy(template, &world.state());
}
