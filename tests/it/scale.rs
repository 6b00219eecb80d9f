//! Large fleets and large cells: what a run costs is bounded, and it misses nobody.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use crate::output::Run;
use crate::world::{SUBDIRS, World, beat_bytes, tool};

const CELLS: usize = 3000;
/// More calls than this for a healthy cell, and somebody should have noticed.
const CALLS_A_CELL: u64 = 14;

/// The name of a cell, in byte order of its number.
fn name(n: usize) -> String {
    format!("cell-{n:04}")
}

/// Thousands of cells, healthy but for each hundredth. Their heartbeats are few files with many
/// names, which is quick to make and makes no difference to who reads them.
fn fleet() -> World {
    let world = World::new();
    let seeds = world.base().join("seeds");
    fs::create_dir(&seeds).unwrap();
    fs::write(seeds.join("well"), beat_bytes(1.0)).unwrap();
    fs::write(seeds.join("dead"), beat_bytes(900.0)).unwrap();
    for n in 0..CELLS {
        let cell = world.path(name(n));
        fs::create_dir(&cell).unwrap();
        for sub in SUBDIRS {
            fs::create_dir(cell.join(sub)).unwrap();
        }
        let seed = if n % 100 == 99 { "dead" } else { "well" };
        fs::hard_link(seeds.join(seed), cell.join("state/heartbeat.json")).unwrap();
    }
    world
}

/// Runs under strace and returns the run and how often it made each call.
fn counted(world: &World, args: &[&str]) -> (Run, BTreeMap<String, u64>) {
    let table = world.base().join("strace.txt");
    let out = table.to_str().unwrap();
    let run = world
        .cmd(args)
        .through(&["strace", "-f", "-qq", "-c", "-U", "calls,name", "-o", out])
        .run();
    let text = fs::read_to_string(&table).unwrap();
    let calls = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let n = words.next()?.parse().ok()?;
            Some((words.next()?.to_owned(), n))
        })
        .filter(|(name, _)| name != "total")
        .collect();
    (run, calls)
}

fn sum(calls: &BTreeMap<String, u64>, names: &[&str]) -> u64 {
    names.iter().filter_map(|name| calls.get(*name)).sum()
}

/// What it takes to read files and directories.
const READING: [&str; 11] = [
    "openat2",
    "openat",
    "open",
    "read",
    "pread64",
    "close",
    "fstat",
    "newfstatat",
    "statx",
    "getdents64",
    "fcntl",
];

#[test]
fn three_thousand_cells() {
    let world = fleet();
    all_are_seen_in_order_and_at_a_bounded_cost(&world);
    globs_name_the_cells_and_the_others_are_not_even_opened(&world);
    a_run_over_some_cells_leaves_the_incidents_of_the_others_alone(&world);
}

fn all_are_seen_in_order_and_at_a_bounded_cost(world: &World) {
    let run = world.run(&["--json"]);
    run.code(2).stderr_empty();
    let names = run.names("cells", "mission_id");
    let expected: Vec<String> = (0..CELLS).map(name).collect();
    assert_eq!(names, expected);
    assert_eq!(run.summary("healthy"), CELLS as u64 / 100 * 99);
    assert_eq!(run.summary("stale"), CELLS as u64 / 100);
    assert_eq!(run.list("decisions").len(), CELLS / 100);
    if !tool("strace") {
        return;
    }
    // A fleet that is looked at by more than one reader, and a cell or two of it: the difference
    // is what the others cost.
    let (one, least) = counted(world, &["--json", "--cell", "cell-0000"]);
    assert_eq!(one.code(0).cells().len(), 1);
    let (all, most) = counted(world, &["--json"]);
    assert_eq!(all.code(2).cells().len(), CELLS);
    let each = (sum(&most, &READING) - sum(&least, &READING)) / (CELLS as u64 - 1);
    assert!(each <= CALLS_A_CELL, "{each} calls a cell: {most:?}");
    // Whatever else it does, it does once, and not for each cell.
    let total: u64 = most.values().sum();
    let reading = sum(&most, &READING);
    let rest: Vec<_> = most
        .iter()
        .filter(|(name, _)| !READING.contains(&name.as_str()))
        .collect();
    assert!(total - reading < CELLS as u64 / 2, "{rest:?}");
}

fn globs_name_the_cells_and_the_others_are_not_even_opened(world: &World) {
    for (globs, expected) in [
        (&["cell-0000"][..], 1),
        (&["cell-000?"], 10),
        (&["cell-00*", "cell-01*", "cell-0000"], 200),
        (&["cell-[12]*"], 2000),
        (&["*{5,7}"], 600),
        (&["nobody"], 0),
    ] {
        let mut args = vec!["--json", "--dry-run"];
        args.extend(globs.iter().flat_map(|glob| ["--cell", glob]));
        let run = world.run(&args);
        run.survived();
        assert_eq!(run.cells().len(), expected, "{globs:?}");
    }
    if !tool("strace") {
        return;
    }
    let (run, calls) = counted(world, &["--json", "--dry-run", "--cell", "cell-0[0-9]00"]);
    assert_eq!(run.code(0).cells().len(), 10);
    // The cell, its manifest and its heartbeat.
    let opens = calls.get("openat2").copied().unwrap_or_default();
    assert!(opens <= 40, "{calls:?}");
}

/// A scope says nothing about the cells outside of it.
fn a_run_over_some_cells_leaves_the_incidents_of_the_others_alone(world: &World) {
    let down = |world: &World| {
        let state = crate::store::state(world);
        state["subjects"].as_object().unwrap().len()
    };
    world.run(&["-q"]).code(2);
    assert_eq!(down(world), CELLS / 100);
    world.run(&["-q", "--cell", "cell-00[0-8]?"]).code(0);
    assert_eq!(down(world), CELLS / 100);
    // One of them recovers, and another is gone: only what was looked at is put right.
    fs::remove_file(world.path("cell-0099/state/heartbeat.json")).unwrap();
    world.beat("cell-0099", 0).remove("cell-0199");
    world.run(&["-q", "--cell", "cell-00*"]).code(0);
    assert_eq!(down(world), CELLS / 100 - 1);
    world.run(&["-q", "--cell", "cell-01*"]).code(0);
    assert_eq!(down(world), CELLS / 100 - 2);
    crate::store::state_is_the_journal(world);
}

fn flood(dir: &Path, files: usize) {
    for n in 0..files {
        File::create(dir.join(format!("n{n}"))).unwrap();
    }
}

/// An agent fills its cell's top, where the required subdirectories stand among the rest.
#[test]
fn twenty_thousand_files_at_a_cell_s_top_cost_no_more_than_a_thousand() {
    let world = World::new();
    world
        .cell("a")
        .canonical("b", &["x"])
        .cell("c")
        .remove("c/logs");
    for (files, cell) in [(20_000, "a"), (2000, "b"), (2000, "c")] {
        flood(&world.path(cell), files);
    }
    let run = world.run(&["--json"]);
    run.code(2).expect("a", "healthy", "");
    run.expect("b", "healthy", "");
    run.expect("c", "incomplete", "missing_subdir");
    assert_eq!(run.missing("c"), ["logs"], "{run}");
    if !tool("strace") {
        return;
    }
    let (_, calls) = counted(&world, &["--json"]);
    // A thousand entries of each are listed, not all of them.
    assert!(calls["getdents64"] <= 40, "{calls:?}");
}

#[test]
fn thousands_of_files_beside_a_heartbeat_cost_nothing() {
    let world = World::new();
    world.cell("a").canonical("b", &["x"]);
    let cost = |world: &World| {
        let (run, calls) = counted(world, &["--json", "--dry-run"]);
        run.code(0);
        sum(&calls, &READING)
    };
    let traced = tool("strace");
    let before = if traced { cost(&world) } else { 0 };
    flood(&world.path("a/state"), 5000);
    flood(&world.path("b/.lazarus/heartbeats"), 5000);
    world.run(&["--json"]).code(0).expect("a", "healthy", "");
    if traced {
        world.forget();
        // Not one for each; another reader, where this host is slow, has its own.
        assert!(cost(&world) <= before + 100);
    }
}
