//! Tests of `status`, without a state directory.

use super::*;
use crate::model::cell::{Agent, Code, Lifecycle, Reason};
use crate::model::snapshot::RootMark;

const NOW: i64 = 1_795_256_812;

fn at(ago: i64) -> Timestamp {
    Timestamp::from_secs(NOW - ago)
}

fn state(names: &[&str]) -> State {
    let subject = |name: &&str| {
        let incident = Incident {
            id: "0199-1".into(),
            opened_at: at(60),
            down_since: at(412),
            attempts: 0,
            exhausted: false,
        };
        let known = SubjectState {
            status: Condition::Stale,
            unseen: false,
            before: Vec::new(),
            traits: Default::default(),
            since: at(60),
            reasons: vec!["stale".into()],
            incident: Some(incident),
        };
        ((*name).to_owned(), known)
    };
    State {
        applied: 1,
        subjects: names.iter().map(subject).collect(),
        last_run: Some(LastRun {
            id: "0612-1a".into(),
            at: at(12),
            exit: 2,
            duration_ms: 9,
            boot_id: String::new(),
            root: RootMark {
                dev: 1,
                fsid: 1,
                path: "/m".into(),
            },
            cells: 3,
            reboot: None,
        }),
        ..State::default()
    }
}

fn text(state: &State, subject: Option<&str>, look: Option<&str>) -> String {
    let subjects = select(state, subject);
    let shown = Shown {
        state_dir: "/s",
        last_run: state.last_run.as_ref(),
        hold: state.hold.as_ref(),
        memory: &state.memory,
        remembered: &BTreeMap::new(),
        subjects: &subjects,
        now: Timestamp::from_secs(NOW),
    };
    let mut out = Vec::new();
    shown.write(look, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_the_state_holds_for_people() {
    let last = "Last run: 2026-11-21T10:26:40Z (12s ago), exit 2 (something is down and nobody will bring it back), took 9 ms.\n";
    let line = "stale  a/main  for 1m, since 2026-11-21T10:25:52Z: stale (down for 6m 52s; incident 0199-1)\n";
    assert_eq!(
        text(&state(&["a/main"]), None, None),
        format!("{last}{line}")
    );
    let well = "Every subject was healthy when it was last looked at.\n";
    assert_eq!(text(&state(&[]), None, None), format!("{last}{well}"));
    assert_eq!(
        text(&State::default(), None, None),
        "No run over all cells is recorded in /s.\n"
    );
}

#[test]
fn a_bare_cell_is_all_its_agents_and_no_other_cell() {
    let state = state(&["a-b/x", "a/x", "a/y", "b"]);
    let names = |wanted| select(&state, wanted).into_keys().collect::<Vec<_>>();
    assert_eq!(names(Some("a")), ["a/x", "a/y"]);
    assert_eq!(names(Some("a/")), ["a/x", "a/y"]);
    assert_eq!(names(Some("a/y")), ["a/y"]);
    assert_eq!(names(Some("b/any")), ["b"]);
    assert!(names(Some("c")).is_empty() && names(Some("a/z")).is_empty());
    assert_eq!(names(None).len(), 4);
}

#[test]
fn the_document_has_what_the_state_has() {
    let state = state(&["a/main"]);
    let shown = Shown {
        state_dir: "/s",
        last_run: state.last_run.as_ref(),
        hold: None,
        memory: &state.memory,
        remembered: &BTreeMap::new(),
        subjects: &select(&state, None),
        now: Timestamp::from_secs(NOW),
    };
    let value = serde_json::to_value(shown.document()).unwrap();
    assert_eq!(value["schema"], SCHEMA);
    assert_eq!(value["last_run"]["at"], "2026-11-21T10:26:40.000000Z");
    assert!(value["last_run"].get("boot_id").is_none());
    assert_eq!(value["subjects"][0]["subject"], "a/main");
    assert_eq!(
        value["subjects"][0]["incident"]["down_since"],
        "2026-11-21T10:20:00.000000Z"
    );
}

#[test]
fn a_look_tells_the_healthy_from_those_that_are_not_there() {
    let agent = |name: &str, status, reasons| Agent {
        name: name.to_owned().into(),
        status,
        observed: true,
        beat: None,
        reasons,
    };
    let why = vec![Reason::new(Code::Stale, "too old")];
    let mut cell = Cell {
        id: "a".into(),
        layout: None,
        lifecycle: None,
        labels: None,
        issue: None,
        status: Status::Stale,
        observed: true,
        missing: Vec::new(),
        reasons: Vec::new(),
        agents: vec![
            agent("x", Status::Healthy, Vec::new()),
            agent("y", Status::Stale, why),
        ],
        warnings: Vec::new(),
    };
    let nothing = "Nothing is recorded of";
    assert_eq!(
        describe(&cell, Some("x")).unwrap(),
        format!("{nothing} a/x; looked at just now, it is healthy.")
    );
    assert_eq!(
        describe(&cell, Some("y")).unwrap(),
        format!("{nothing} a/y; looked at just now, it is stale (too old).")
    );
    assert_eq!(
        describe(&cell, None).unwrap(),
        format!("{nothing} a; looked at just now, it is stale (too old).")
    );
    assert_eq!(
        describe(&cell, Some("z")).unwrap_err(),
        "the cell a has no agent `z`; it has x, y"
    );
    cell.lifecycle = Some(Lifecycle::Archived);
    assert_eq!(
        describe(&cell, None).unwrap(),
        "a is archived: nothing is decided for it."
    );
}

#[test]
fn hostile_names_stay_in_their_line() {
    let name: String = (0..0x3000).filter_map(char::from_u32).collect();
    let text = text(&state(&[&name]), None, Some(&name));
    assert_eq!(text.lines().count(), 3);
    assert!(
        !text
            .chars()
            .any(|c| c != '\n' && crate::model::text::is_unsafe(c))
    );
}
