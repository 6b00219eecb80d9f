//! Broken state, broken journal, lost files.

use std::fs;

use crate::store::{copy, journal, state, state_is_the_journal, transitions};
use crate::world::World;

fn down() -> World {
    let world = World::new();
    world.cell("a").cell("b").beat("b", 900);
    world.run(&["--json"]).code(2);
    world
}

fn corrupt_files(world: &World) -> usize {
    let names = fs::read_dir(world.state())
        .unwrap()
        .map(|e| e.unwrap().file_name());
    names
        .filter(|n| n.to_string_lossy().starts_with("state.json.corrupt-"))
        .count()
}

#[test]
fn a_broken_state_is_set_aside_and_rebuilt_from_the_journal() {
    let world = down();
    let incident = state(&world)["subjects"]["b/main"]["incident"].clone();
    for broken in [
        "",
        "{",
        "[]",
        "not json",
        "{\"schema\":\"lazarus-pit/state/1\",\"state\":{},\"journal_offset\":0,\"crc32\":1}",
    ] {
        fs::write(world.state().join("state.json"), broken).unwrap();
        let before = corrupt_files(&world);
        let run = world.run(&["--json"]);
        run.code(2).stderr_has("rebuilt from the journal");
        assert!(run.warns("state_recovered"), "{run}");
        assert_eq!(corrupt_files(&world), before + 1, "{broken:?}");
        assert_eq!(
            state(&world)["subjects"]["b/main"]["incident"],
            incident,
            "{broken:?}"
        );
        state_is_the_journal(&world);
    }
    assert_eq!(transitions(&world)["incident_opened b/main \"stale\""], 1);
    // Said once, loudly; then all is as ever.
    assert!(!world.run(&["--json"]).code(2).warns("state_recovered"));
}

#[test]
fn a_state_that_is_gone_is_rebuilt_too() {
    let world = down();
    let incident = state(&world)["subjects"]["b/main"]["incident"].clone();
    fs::remove_file(world.state().join("state.json")).unwrap();
    assert!(world.run(&["--json"]).code(2).warns("state_recovered"));
    assert_eq!(state(&world)["subjects"]["b/main"]["incident"], incident);
}

#[test]
fn a_broken_state_without_a_journal_is_said_to_be_lost() {
    let world = down();
    fs::write(world.state().join("state.json"), "{").unwrap();
    fs::remove_file(world.state().join("journal.jsonl")).unwrap();
    assert!(world.run(&["--json"]).code(2).warns("state_lost"));
    assert_eq!(corrupt_files(&world), 1);
}

#[test]
fn a_journal_that_is_gone_costs_nothing_that_the_state_has() {
    let world = down();
    let before = state(&world)["subjects"].clone();
    fs::remove_file(world.state().join("journal.jsonl")).unwrap();
    world.run(&["--json"]).code(2);
    assert_eq!(state(&world)["subjects"], before);
    // And what happens from now on is written down, behind the numbers that were.
    world.beat("b", 0).run(&["--json"]).code(0);
    let text = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    assert!(text.contains("incident_closed"), "{text}");
}

#[test]
fn a_journal_cut_off_anywhere_loses_only_what_was_cut() {
    let world = down();
    world.beat("b", 0).run(&["--json"]).code(0);
    let path = world.state().join("journal.jsonl");
    let whole = fs::read(&path).unwrap();
    let template = world.base().join("template");
    copy(&world.state(), &template);
    let lines: Vec<usize> = whole
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(n, _)| n)
        .collect();
    // Every length of the last three lines, in the library; the binary is asked at each tenth.
    for length in lines[lines.len() - 4] + 1..whole.len() {
        crate::store::restore(&world, &template);
        fs::write(&path, &whole[..length]).unwrap();
        fs::remove_file(world.state().join("state.json")).unwrap();
        let dir = lazarus_pit::store::dir::StateDir::open(&world.state()).unwrap();
        let loaded = lazarus_pit::store::state::peek(dir.as_ref()).unwrap();
        let whole_lines = lines.iter().filter(|end| **end < length).count() as u64;
        assert_eq!(loaded.state.applied, whole_lines, "cut off at {length}");
        if length % 10 == 0 {
            world.beat("a", 0).beat("b", 0);
            world.run(&["--json"]).code(0);
            journal(&world);
            state_is_the_journal(&world);
        }
    }
}

#[test]
fn a_bad_line_in_the_middle_is_skipped_and_reported() {
    let world = down();
    let path = world.state().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    fs::write(&path, format!("{first}\nrubbish \u{1b}[31m\n{rest}")).unwrap();
    fs::remove_file(world.state().join("state.json")).unwrap();
    let run = world.run(&["--json"]);
    run.code(2).clean();
    assert!(run.warns("journal_damaged"), "{run}");
    assert!(state(&world)["subjects"]["b/main"]["incident"]["id"].is_string());
}

#[test]
fn a_state_of_a_newer_version_is_left_alone() {
    let world = down();
    let newer = r#"{"schema":"lazarus-pit/state/2","state":{"x":1},"journal_offset":0,"crc32":0}"#;
    fs::write(world.state().join("state.json"), newer).unwrap();
    world.run(&["--json"]).code(74).stderr_has("newer");
    assert_eq!(
        fs::read_to_string(world.state().join("state.json")).unwrap(),
        newer
    );
}

#[test]
fn a_large_journal_is_set_aside_and_still_read() {
    let world = down();
    let path = world.state().join("journal.jsonl");
    // A sparse tail of one bad line makes it large without writing 64 MiB of events.
    let mut text = fs::read(&path).unwrap();
    let events = text.len() as u64;
    text.truncate(usize::try_from(events).unwrap());
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(65 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"\n", (65 << 20) - 1).unwrap();
    world.run(&["--json"]).code(2);
    let parts: Vec<String> = fs::read_dir(world.state())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.starts_with("journal-"))
        .collect();
    assert_eq!(parts.len(), 1, "{parts:?}");
    assert!(fs::metadata(&path).unwrap().len() < 4096);
    // The incident stands in the part that was set aside, and is found there.
    fs::remove_file(world.state().join("state.json")).unwrap();
    world.run(&["--json"]).code(2);
    assert!(state(&world)["subjects"]["b/main"]["incident"]["id"].is_string());
}

#[test]
fn a_clock_that_went_back_is_said() {
    let world = down();
    let path = world.state().join("state.json");
    fs::remove_file(&path).unwrap();
    let journal = world.state().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let year = &text[text.find("observed_at\":\"").unwrap() + 14..][..4];
    fs::write(
        &journal,
        text.replace(&format!("observed_at\":\"{year}"), "observed_at\":\"2999"),
    )
    .unwrap();
    assert!(world.run(&["--json"]).code(2).warns("clock"));
    // The next run has this one to compare with.
    assert!(!world.run(&["--json"]).code(2).warns("clock"));
}

#[test]
fn a_root_that_is_suddenly_empty_is_no_healthy_fleet() {
    let world = World::new();
    for n in 0..12 {
        world.cell(format!("c{n}"));
    }
    world.beat("c3", 900).run(&["--json"]).code(2);
    for n in 0..12 {
        world.remove(format!("c{n}"));
    }
    for _ in 0..2 {
        let run = world.run(&["--json"]);
        assert!(run.code(2).warns("root_changed"), "{run}");
    }
    // What is missing was not taken for gone.
    assert!(state(&world)["subjects"]["c3/main"]["incident"]["id"].is_string());
    world.cell("c1").run(&["--json"]).code(0);
    assert_eq!(transitions(&world)["incident_closed c3/main null"], 1);
}

#[test]
fn another_missions_root_under_one_state_is_no_end_of_the_first() {
    let world = World::new();
    world
        .cell("a")
        .cell("b")
        .beat("b", 900)
        .run(&["--json"])
        .code(2);
    let other = world.base().join("other");
    fs::create_dir(&other).unwrap();
    let state_dir = world.state();
    let args = [
        "--json",
        "--root",
        other.to_str().unwrap(),
        "--state-dir",
        state_dir.to_str().unwrap(),
    ];
    assert!(world.bare(&args).run().code(0).warns("other_root"));
    // Back at the first, which is another one again, and then as ever.
    assert!(world.run(&["--json"]).code(2).warns("other_root"));
    assert!(!world.run(&["--json"]).code(2).warns("other_root"));
    assert_eq!(transitions(&world)["incident_opened b/main \"stale\""], 1);
    assert!(!transitions(&world).contains_key("incident_closed b/main null"));
}

#[test]
fn a_scope_that_matches_nothing_is_said() {
    let world = World::new();
    let run = world.cell("a").run(&["--json", "--cell", "b*"]);
    assert!(run.code(0).warns("no_match"), "{run}");
}
