//! A disk that is full, read-only or gone.

use std::fs;

use crate::store::{copy, state};
use crate::world::{NOBODY, World, can_mount, needs_root};

#[test]
fn on_a_full_disk_nothing_that_was_there_is_harmed() {
    if !can_mount() {
        return;
    }
    let world = World::new();
    world.cell("a").cell("b").run(&["--json"]).code(0);
    let template = world.base().join("template");
    copy(&world.state(), &template);
    world.beat("b", 900);
    // From no free page at all to enough: whatever fits, what was there is whole, and the exit
    // says whether the run could write it all down.
    let mut codes = Vec::new();
    for pages in 0..24 {
        let kept = world.base().join(format!("kept-{pages}"));
        let script = format!(
            "mount -t tmpfs -o size=256k,mode=700 none \"$STATE\" && cp -a {template}/. \"$STATE\" || exit 99; \
             head -c 1m /dev/zero > \"$STATE/filler\" 2>/dev/null; \
             truncate -s -{free} \"$STATE/filler\" || exit 99; \
             \"$0\" \"$@\"; code=$?; \
             rm \"$STATE/filler\"; cp -a \"$STATE\" {kept} || exit 99; exit $code",
            template = template.display(),
            kept = kept.display(),
            free = pages * 4096,
        );
        let run = world
            .cmd(&["--json"])
            .env("STATE", world.state())
            .through(&["unshare", "-m", "sh", "-c", &script])
            .run();
        codes.push(run.code_in(&[2, 74]).exit());
        // What is there now is the state before or after, and the next run goes on from it.
        let after = fs::read(kept.join("state.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&after).unwrap();
        crate::store::restore(&world, &kept);
        world.run(&["--json"]).code(2);
        assert_eq!(
            crate::store::transitions(&world)["incident_opened b/main \"stale\""],
            1,
            "{pages} pages"
        );
        crate::store::state_is_the_journal(&world);
    }
    assert!(codes.contains(&74) && codes.ends_with(&[2]), "{codes:?}");
}

#[test]
fn a_read_only_state_directory_is_74_with_the_path() {
    if !can_mount() {
        return;
    }
    let world = World::new();
    world.cell("a").run(&["--json"]).code(0);
    let before = world.tree();
    let run = world
        .cmd(&["--json"])
        .mounted("mount --bind -o ro \"$STATE\" \"$STATE\"; mount -o remount,bind,ro \"$STATE\"")
        .run();
    run.code(74).stderr_has(world.state().to_str().unwrap());
    assert_eq!(run.json()["error"]["code"], 74);
    assert_eq!(world.tree(), before);
}

#[test]
fn a_state_directory_of_somebody_else_is_74_for_a_user() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a");
    let run = world.cmd(&["--json"]).poor_user(NOBODY).run();
    run.code(74).stderr_has("state");
}

#[test]
fn standard_output_on_a_full_disk_is_74_and_the_state_is_kept() {
    let world = World::new();
    world.cell("a").cell("b").beat("b", 900);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    world
        .cmd(&["--json"])
        .stdout(full)
        .run()
        .code(74)
        .stderr_has("standard output");
    assert!(state(&world)["subjects"]["b/main"].is_object());
}

#[test]
fn few_descriptors_and_little_room_are_told_and_survived() {
    let world = World::new();
    world.cell("a").run(&[]).code(0);
    for descriptors in 5..24 {
        let limit = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        world
            .cmd(&["--json"])
            .through(&["sh", "-c", &limit])
            .run()
            .survived();
    }
    for blocks in 0..8 {
        let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        world
            .cmd(&["--json"])
            .through(&["sh", "-c", &limit])
            .run()
            .survived();
    }
    world.run(&[]).code(0);
}
