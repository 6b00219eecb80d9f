//! Cells that change under the checker's eyes. A race is run many times; what must not happen must
//! not happen in any of them.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::output::Run;
use crate::world::{SECRET, SUBDIRS, World, beat_bytes, make_dir, now, put};

/// How many runs each race has. A run looks at a moment that is any: about every second one meets
/// what is wrong.
const ROUNDS: usize = 40;

/// Runs while another thread does its worst.
fn while_(mischief: impl Fn() + Send + Sync, rounds: usize, mut look: impl FnMut()) {
    let over = AtomicBool::new(false);
    thread::scope(|s| {
        s.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                mischief();
            }
        });
        // A look that panics must not leave the other thread running for ever.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..rounds {
                look();
            }
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(why) = done {
            std::panic::resume_unwind(why);
        }
    });
}

fn exchange(a: &Path, b: &Path) {
    renameat2(AT_FDCWD, a, AT_FDCWD, b, RenameFlags::RENAME_EXCHANGE).unwrap();
}

/// A whole cell outside the missions root that must never be looked into. The links to it are
/// relative ones: an absolute one is stopped by more than one rule.
fn secret_cell(w: &World) {
    let dir = w.base().join("vault");
    let beat = format!(
        "{{\"timestamp\": {}, \"status\": \"{SECRET}\", \"model\": \"{SECRET}\"}}",
        now() + 100.0
    );
    for sub in SUBDIRS {
        make_dir(&dir.join(sub), 0o755);
    }
    put(&dir.join("state/heartbeat.json"), beat.as_bytes());
    put(&dir.join("heartbeat.json"), beat.as_bytes());
    put(
        &dir.join("meta/mission.json"),
        format!("{{\"status\": \"{SECRET}\"}}").as_bytes(),
    );
}

#[track_caller]
fn fine(run: &Run) {
    run.code_in(&[0, 1, 2]).clean();
    run.expect("witness", "healthy", "");
}

#[test]
fn a_cell_swapped_for_a_link_to_a_secret() {
    let w = World::new();
    w.cell("witness").cell("victim");
    let (cell, link) = (w.path("victim"), w.path(".link"));
    secret_cell(&w);
    symlink("../vault", &link).unwrap();
    while_(
        || exchange(&cell, &link),
        ROUNDS,
        || fine(&w.run(&["--json"])),
    );
}

#[test]
fn a_subdirectory_swapped_for_a_link_to_a_secret() {
    let w = World::new();
    w.cell("witness").cell("victim");
    secret_cell(&w);
    let (state, link) = (w.path("victim/state"), w.path("victim/.link"));
    symlink("../../vault/state", &link).unwrap();
    while_(
        || exchange(&state, &link),
        ROUNDS,
        || fine(&w.run(&["--json"])),
    );
}

#[test]
fn a_heartbeat_swapped_for_a_link_to_a_secret() {
    let w = World::new();
    w.cell("witness").cell("victim");
    secret_cell(&w);
    let (beat, link) = (w.heartbeat_path("victim"), w.path("victim/state/.link"));
    symlink("../../../vault/heartbeat.json", &link).unwrap();
    while_(
        || exchange(&beat, &link),
        ROUNDS,
        || fine(&w.run(&["--json"])),
    );
}

/// Written in place, and not by rename as it should be: what is read is whole or refused.
#[test]
fn a_heartbeat_that_grows_and_shrinks() {
    let w = World::new();
    w.cell("witness").cell("victim");
    let path = w.heartbeat_path("victim");
    let small = beat_bytes(1.0);
    let large = vec![b' '; 200_000];
    while_(
        || {
            std::fs::write(&path, &large).unwrap();
            std::fs::write(&path, &small).unwrap();
        },
        ROUNDS,
        || fine(&w.run(&["--json"])),
    );
}

#[test]
fn a_cell_removed_and_made_again() {
    let w = World::new();
    w.cell("witness");
    let (here, away) = (w.path("victim"), w.path(".away"));
    w.cell("victim");
    while_(
        || {
            std::fs::rename(&here, &away).unwrap();
            std::fs::rename(&away, &here).unwrap();
        },
        ROUNDS,
        || {
            // By one rename it is there, or it is not; it never is a sick cell.
            let run = w.run(&["--json"]);
            fine(&run);
            let codes = [0, 2];
            run.code_in(&codes);
            for cell in run.cells() {
                let at = cell["mission_id"].as_str().unwrap();
                assert!(["witness", "victim"].contains(&at), "{run}");
            }
        },
    );
    while_(
        || {
            std::fs::remove_dir_all(&here).unwrap();
            w_cell(&here);
        },
        ROUNDS,
        || fine(&w.run(&["--json"])),
    );
}

fn w_cell(dir: &Path) {
    for sub in SUBDIRS {
        make_dir(&dir.join(sub), 0o755);
    }
    put(&dir.join("state/heartbeat.json"), &beat_bytes(1.0));
}
