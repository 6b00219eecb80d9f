//! Killed or refused at each file-changing system call of a run in turn, the next run finds a
//! state that parses, no lost incident and no doubled event.

use std::path::{Path, PathBuf};

use crate::kill::{self, Point, changes};
use crate::output::Run;
use crate::store::{copy, restore, state, state_is_the_journal, transitions};
use crate::world::{World, tool};

/// The calls by which a run changes files. Their order and number come from a trace.
const CHANGING: &str = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlinkat,fchmod,mkdir,mkdirat,flock";

/// A world in which the next run has one incident to open, one to close, one to carry on, and one
/// subject that is gone; and a copy of its state directory.
fn world() -> (World, PathBuf) {
    let world = World::new();
    for (cell, age) in [
        ("a", 0),
        ("falls", 0),
        ("rises", 900),
        ("stays", 900),
        ("vanishes", 900),
    ] {
        world.cell(cell).beat(cell, age);
    }
    world.run(&["--json"]).code(2);
    world
        .beat("falls", 900)
        .beat("rises", 0)
        .beat("a", 0)
        .remove("vanishes");
    let template = world.base().join("template");
    copy(&world.state(), &template);
    (world, template)
}

/// As it was before the run, however long ago that is on a busy host.
fn again(world: &World, template: &Path) {
    restore(world, template);
    world.beat("rises", 0).beat("a", 0);
}

/// Every file-changing call of one run.
fn points(world: &World) -> Vec<Point> {
    let (points, run) = kill::points(world, &["--json"], CHANGING, changes);
    run.code(2);
    assert!(points.len() > 12, "a run writes more than that: {points:?}");
    points
}

/// A run in which something is done in the place of a call.
fn run(world: &World, inject: &str) -> Run {
    let strace = ["strace", "-o", "/dev/null", "-e", inject];
    world.cmd(&["--json"]).through(&strace).run()
}

/// After whatever happened, one run puts everything right, and a second finds nothing to add.
#[track_caller]
fn converges(world: &World, what: &str) {
    world.run(&["--json"]).code(2);
    let once = transitions(world);
    let expected = [
        ("incident_opened falls/main \"stale\"", 1),
        ("incident_closed rises/main null", 1),
        ("incident_opened stays/main \"stale\"", 1),
        ("incident_closed vanishes/main null", 1),
        ("status_changed falls/main \"stale\"", 1),
        ("status_changed rises/main \"healthy\"", 1),
    ];
    for (event, times) in expected {
        assert_eq!(once.get(event), Some(&times), "{what}: {event}: {once:?}");
    }
    assert!(
        once.values().all(|n| *n == 1),
        "{what}: a doubled event: {once:?}"
    );
    world.run(&["--json"]).code(2);
    assert_eq!(
        transitions(world),
        once,
        "{what}: the second run found something to add"
    );
    let state = state(world);
    let down: Vec<&String> = state["subjects"].as_object().unwrap().keys().collect();
    assert_eq!(down, ["falls/main", "stays/main"], "{what}");
    assert!(
        state["subjects"]["falls/main"]["incident"]["id"].is_string(),
        "{what}"
    );
    state_is_the_journal(world);
}

#[test]
fn killed_at_each_file_changing_call_nothing_is_lost_or_doubled() {
    if !tool("strace") {
        return;
    }
    let (world, template) = world();
    let points = points(&world);
    for point in &points {
        again(&world, &template);
        let run = run(&world, &point.inject("signal=SIGKILL"));
        assert!(
            run.signal().is_some(),
            "{point}: it was to be killed: {run}"
        );
        converges(&world, &format!("killed at {point}"));
    }
}

#[test]
fn killed_in_the_recovery_too_nothing_is_lost_or_doubled() {
    if !tool("strace") {
        return;
    }
    let (world, template) = world();
    let points = points(&world);
    // Every pair would be some hundreds: each point once as the first and once as the second.
    for (n, first) in points.iter().enumerate() {
        let second = &points[(n * 7 + 3) % points.len()];
        again(&world, &template);
        for point in [first, second] {
            run(&world, &point.inject("signal=SIGKILL"));
        }
        converges(&world, &format!("killed at {first}, then at {second}"));
    }
}

#[test]
fn refused_at_each_file_changing_call_a_run_says_so_and_the_next_one_mends_it() {
    if !tool("strace") {
        return;
    }
    let (world, template) = world();
    let points = points(&world);
    for (n, point) in points.iter().enumerate() {
        for errno in [
            ["ENOSPC", "EIO", "EROFS"][n % 3],
            ["EMFILE", "EDQUOT", "EINTR"][n % 3],
        ] {
            // The system's C library may not expect an interrupted unlock, nor do we.
            if errno == "EINTR" && !matches!(point.name.as_str(), "write" | "pwrite64") {
                continue;
            }
            again(&world, &template);
            let run = run(&world, &point.inject(&format!("error={errno}")));
            run.code_in(&[2, 74]);
            if run.exit() == 74 && !run.stderr().contains("standard output") {
                let message = run.json()["error"]["message"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                assert!(
                    message.contains('/'),
                    "{point} {errno}: no path in {message:?}"
                );
            }
            converges(&world, &format!("{errno} at {point}"));
        }
    }
}

#[test]
fn an_fsync_that_failed_is_never_taken_for_one_that_worked() {
    if !tool("strace") {
        return;
    }
    let (world, template) = world();
    for name in ["fsync", "fdatasync"] {
        for point in points(&world).iter().filter(|point| point.name == name) {
            again(&world, &template);
            // It fails once; tried again it would seem to work.
            run(&world, &point.inject("error=EIO")).code(74);
            converges(&world, &format!("{point} failed"));
        }
    }
}
