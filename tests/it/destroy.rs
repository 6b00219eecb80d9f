//! `destroy` against real cells: what goes, what must not, and what stays behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use serde_json::json;

use crate::agents::{Agent, events};
use crate::later::eventually;
use crate::store::state_is_the_journal;
use crate::world::{NOBODY, SECRET, World, can_mount, make_dir, mode, needs_root, put, tool};

/// What stands in the missions root, hidden names too.
fn names(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.root()).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_cell_goes_with_its_processes_and_its_logs() {
    let world = World::new();
    world.canonical("c", &["x"]).cell("d").beat("c/x", 900);
    world.run(&["--json"]).code(2);
    let mut known = Agent::start(&world, "c/x", "0001", "sleep 600");
    known.entry(&world, "c/x", "0001");
    let mut stray = Agent::start(&world, "c/former", "0002", "sleep 600");
    let mut other = Agent::start(&world, "d/x", "0003", "sleep 600");
    put(&world.state().join("logs/c/20261121/0001_x.log"), b"text");
    put(&world.state().join("logs/d/20261121/0003_x.log"), b"text");
    symlink("20261121/0001_x.log", world.state().join("logs/c/x.log")).unwrap();
    let before = world.tree();
    world
        .run(&["destroy", "c"])
        .code(64)
        .stderr_has("say --yes")
        .stderr_has(world.path("c").to_str().unwrap())
        .stderr_has("logs/c");
    assert_eq!(world.tree(), before);
    let run = world.run(&["destroy", "c/", "--yes", "--json"]);
    run.code(0).stderr_empty().clean();
    let json = run.json();
    assert_eq!(json["schema"], "lazarus-pit/destroy/1");
    assert_eq!(
        (&json["cell"], &json["finished"]),
        (&json!("c"), &json!(false))
    );
    assert!(json["removed"].as_u64().unwrap() > 5, "{run}");
    assert_eq!(json["logs_removed"], 4);
    eventually(|| (known.is_gone() && stray.is_gone()).then_some(()));
    assert!(!other.is_gone());
    assert_eq!(names(&world), ["d"]);
    assert!(!world.state().join("logs/c").exists());
    assert!(world.state().join("logs/d/20261121/0003_x.log").exists());
    let destroyed = events(&world, "destroyed");
    assert_eq!(destroyed[0]["subject"], "c");
    assert!(
        destroyed[0]["actor"]
            .as_str()
            .unwrap()
            .starts_with("operator:")
    );
    assert_eq!(events(&world, "process_exited").len(), 1);
    state_is_the_journal(&world);
    // What is remembered of it, the next run closes.
    let run = world.run(&["--json"]);
    run.code(0);
    assert_eq!(events(&world, "incident_closed")[0]["reason"], "gone");
    world
        .run(&["destroy", "c", "--yes"])
        .code(1)
        .stderr_has("there is no cell `c`");
}

#[test]
fn logs_are_kept_where_that_is_wanted() {
    let world = World::new();
    world.cell("a");
    put(&world.state().join("logs/a/20261121/1_x.log"), b"text");
    let run = world.run(&["destroy", "a", "--yes", "--keep-logs"]);
    run.code(0).stdout_has("its logs were left");
    assert!(world.state().join("logs/a/20261121/1_x.log").exists());
    assert!(names(&world).is_empty());
}

#[test]
fn what_is_no_cell_is_refused() {
    let world = World::new();
    world.cell("a");
    symlink("a", world.path("link")).unwrap();
    symlink("/etc", world.path("out")).unwrap();
    world.put("file", "x");
    make_dir(&world.path(".hidden"), 0o755);
    let before = world.tree();
    for (name, code) in [
        ("link", 1),
        ("out", 1),
        ("file", 1),
        ("nobody", 1),
        (".hidden", 1),
        ("..", 1),
        ("", 1),
        ("a/main", 64),
        ("../a", 64),
        ("gateway:x", 64),
    ] {
        world.run(&["destroy", name, "--yes"]).code(code);
    }
    let kept: Vec<_> = world.tree().into_iter().map(|(path, _)| path).collect();
    assert!(before.iter().all(|(path, _)| kept.contains(path)));
    world.run(&["--dry-run", "destroy", "a", "--yes"]).code(64);
    let run = world.run(&["destroy", "nobody", "--yes", "--json"]);
    assert_eq!(run.json()["schema"], "lazarus-pit/destroy/1");
    assert_eq!(run.json()["error"]["code"], 1);
    assert!(world.path("a/state").exists());
}

#[test]
fn names_of_any_bytes_and_links_to_anywhere() {
    use std::os::unix::ffi::OsStringExt as _;
    let world = World::new();
    let odd = std::ffi::OsString::from_vec(b"x \xff\n%".to_vec());
    world.cell(&odd);
    let vault = world.base().join("vault");
    put(&vault.join("secret"), SECRET.as_bytes());
    let cell = world.path(&odd);
    symlink(&vault, cell.join("worktree/dir")).unwrap();
    symlink(vault.join("secret"), cell.join("worktree/file")).unwrap();
    symlink("../../../vault", cell.join("artifacts/up")).unwrap();
    fs::hard_link(vault.join("secret"), cell.join("worktree/hard")).unwrap();
    put(&cell.join("worktree").join(&odd).join("f"), b"x");
    fs::set_permissions(
        cell.join("worktree").join(&odd),
        fs::Permissions::from_mode(0o500),
    )
    .unwrap();
    world
        .run(&["destroy", "x \\xff\n%", "--yes"])
        .code(0)
        .clean();
    assert!(names(&world).is_empty());
    assert_eq!(fs::read_to_string(vault.join("secret")).unwrap(), SECRET);
}

#[test]
fn what_a_killed_removal_has_left_is_finished() {
    let world = World::new();
    world.cell("a").cell("b");
    make_dir(&world.path(".lazarus-pit-destroyed-0-a/worktree"), 0o755);
    make_dir(&world.path(".lazarus-pit-destroyed-0-b/x"), 0o755);
    // Of one that was made again meanwhile, both are removed.
    world.run(&["destroy", "a", "--yes", "--json"]).code(0);
    assert_eq!(names(&world), [".lazarus-pit-destroyed-0-b", "b"]);
    fs::remove_dir_all(world.path("b")).unwrap();
    let run = world.run(&["destroy", "b", "--yes", "--json"]);
    run.code(0);
    assert_eq!(run.json()["finished"], true);
    assert!(names(&world).is_empty());
}

#[test]
fn at_each_call_it_can_be_killed_and_the_next_one_finishes() {
    if !tool("strace") {
        return;
    }
    let calls = "renameat2,unlinkat,fsync,openat2";
    for when in [1, 2, 3, 5, 8, 13] {
        for name in calls.split(',') {
            let world = World::new();
            world.cell("a").cell("b");
            let inject = format!("inject={name}:signal=SIGKILL:when={when}");
            world
                .cmd(&["destroy", "a", "--yes"])
                .through(&["strace", "-o", "/dev/null", "-e", &inject])
                .run();
            world.run(&["destroy", "a", "--yes"]).code_in(&[0, 1]);
            assert_eq!(names(&world), ["b"], "{inject}");
            state_is_the_journal(&world);
        }
    }
}

#[test]
fn a_mount_in_it_stops_it_before_anything_is_removed() {
    if !can_mount() {
        return;
    }
    let world = World::new();
    world.cell("a");
    make_dir(&world.path("a/worktree/m n"), 0o755);
    let run = world
        .cmd(&["destroy", "a", "--yes"])
        .mounted("mount -t tmpfs none \"$ROOT/a/worktree/m n\"")
        .run();
    run.code(74).stderr_has("m n is mounted in it");
    let run = world
        .cmd(&["destroy", "a", "--yes"])
        .mounted("mount --bind \"$ROOT/a\" \"$ROOT/a\"")
        .run();
    run.code(74).stderr_has("it is a mount");
    assert!(world.path("a/state/heartbeat.json").exists());
    assert!(events(&world, "destroyed").is_empty());
}

#[test]
fn what_cannot_be_removed_is_named_and_the_rest_goes() {
    if !needs_root() || !tool("chattr") {
        return;
    }
    let world = World::new();
    world.cell("a");
    let stuck = world.path("a/worktree/deep/stuck");
    put(&stuck, b"x");
    let chattr = |flag: &str, path: &Path| {
        Command::new("chattr")
            .arg(flag)
            .arg(path)
            .output()
            .unwrap()
            .status
            .success()
    };
    if !chattr("+i", &stuck) {
        eprintln!("skipped: nothing can be made immutable here");
        return;
    }
    let run = world.run(&["destroy", "a", "--yes", "--json"]);
    let hidden = world.path(".lazarus-pit-destroyed-0-a");
    let left = hidden.join("worktree/deep/stuck");
    let there = left.exists() && !hidden.join("state").exists();
    assert!(chattr("-i", &left));
    run.code(74)
        .stderr_has("worktree/deep/stuck")
        .stderr_has("lsattr");
    assert!(there, "{run}");
    world.run(&["destroy", "a", "--yes"]).code(0);
    assert!(names(&world).is_empty());
}

#[test]
fn an_ordinary_user_removes_what_is_theirs() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a");
    // The root is not theirs: nothing is begun.
    let run = world.cmd(&["destroy", "a", "--yes"]).user(NOBODY).run();
    run.code(74).stderr_has("missions root");
    assert!(world.path("a/state/heartbeat.json").exists());
    let own = |path: &PathBuf| {
        for entry in walkdir::WalkDir::new(path) {
            std::os::unix::fs::chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    };
    // A package cache without the right to write to it.
    make_dir(&world.path("a/worktree/cache/pkg"), 0o555);
    own(&world.root());
    mode(&world.path("a/worktree/cache"), 0o555);
    world
        .cmd(&["destroy", "a", "--yes"])
        .user(NOBODY)
        .run()
        .code(0);
    assert!(names(&world).is_empty());
    // A directory of root's with something in it is not theirs to empty.
    world.cell("b");
    std::os::unix::fs::chown(world.path("b"), Some(NOBODY), Some(NOBODY)).unwrap();
    let run = world.cmd(&["destroy", "b", "--yes"]).user(NOBODY).run();
    run.code(74).stderr_has("ermission denied");
}

/// Swaps a directory for a link to another one, over and over, while the cell is removed.
#[test]
fn nothing_outside_goes_whatever_is_swapped_meanwhile() {
    let world = World::new();
    let vault = world.base().join("vault");
    for n in 0..20 {
        put(&vault.join(format!("d{n}/secret")), SECRET.as_bytes());
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|s| {
        let (vault, over, world) = (&vault, &over, &world);
        s.spawn(move || {
            let mut n = 0u32;
            while !over.load(Ordering::Relaxed) {
                n = n.wrapping_add(1);
                // Wherever the cell is by now.
                for top in ["a", ".lazarus-pit-destroyed-0-a"] {
                    let link = world.base().join("link");
                    let _ = symlink(vault, &link);
                    for dir in ["worktree", "worktree/x", "artifacts"] {
                        let dir = world.path(top).join(dir);
                        let _ = renameat2(
                            AT_FDCWD,
                            &dir,
                            AT_FDCWD,
                            &link,
                            RenameFlags::RENAME_EXCHANGE,
                        );
                        let _ = renameat2(
                            AT_FDCWD,
                            &dir,
                            AT_FDCWD,
                            &link,
                            RenameFlags::RENAME_EXCHANGE,
                        );
                    }
                }
            }
        });
        for _ in 0..40 {
            world.cell("a");
            for n in 0..30 {
                let _ = fs::create_dir_all(world.path(format!("a/worktree/x/d{}/e", n % 20)));
                let _ = fs::write(world.path(format!("a/worktree/x/d{}/f", n % 20)), "x");
            }
            // What is swapped away at the wrong moment may stay; the next order takes it.
            world.run(&["destroy", "a", "--yes"]).code_in(&[0, 1, 74]);
            let _ = fs::remove_dir_all(world.path("a"));
        }
        over.store(true, Ordering::Relaxed);
    });
    for n in 0..20 {
        let secret = fs::read_to_string(vault.join(format!("d{n}/secret")));
        assert_eq!(secret.unwrap(), SECRET, "{n}");
    }
}
