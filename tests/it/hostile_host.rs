//! Leases, mounts, floods of files, big fleets, and a missions root that is a link.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use nix::libc;

use crate::hostile::{beside_others, crowd};
use crate::world::{World, beat_bytes, can_mount, put, tool};

/// fcntl(2)'s `F_SETSIG` on Linux, which libc leaves out.
const F_SETSIG: libc::c_int = 10;

/// Takes a write lease on an open file: others' opens wait for us, or get `EAGAIN`.
#[allow(unsafe_code, reason = "nix has no call for leases")]
fn lease(file: &File) -> bool {
    let fd = file.as_raw_fd();
    // SAFETY: `fd` is open for the whole call, and both commands take an integer. The signal that
    // tells of an opener is one that is ignored unless somebody asks for it.
    unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGURG) == 0
            && libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) == 0
    }
}

#[test]
fn a_stream_under_a_lease_makes_nobody_wait() {
    let w = World::new();
    w.canonical("c", &["x"]).beat("c/x", 900);
    let stream = w.path("c/logs/events.jsonl");
    let file = File::options()
        .read(true)
        .write(true)
        .open(&stream)
        .unwrap();
    if !lease(&file) {
        eprintln!("skipped: this file system gives no leases");
        return;
    }
    // An opener that waits does so for 45 seconds, longer than any run may take here.
    let run = w.run(&["--json"]);
    run.code(2);
    let all = run.list("warnings").iter();
    let said: Vec<_> = all.filter(|w| w["code"] == "cell_not_written").collect();
    assert!(said[0]["message"].to_string().contains("lease"), "{run}");
    assert!(w.path("c/.lazarus/state.json").exists());
}

#[test]
fn a_heartbeat_under_a_lease_makes_nobody_wait() {
    for canonical in [false, true] {
        let w = crowd();
        let subject = if canonical {
            "hostile/claude"
        } else {
            "hostile"
        };
        if canonical {
            w.canonical("hostile", &["claude"]);
        } else {
            w.cell("hostile");
        }
        let file = File::options()
            .read(true)
            .write(true)
            .open(w.heartbeat_path(subject))
            .unwrap();
        let mut held = false;
        // An opener that waits does so for 45 seconds, longer than any run may take here.
        let run = beside_others(&w, |_| held = lease(&file));
        if !held {
            eprintln!("skipped: this file system gives no leases");
            return;
        }
        run.code(2).expect("hostile", "incomplete", "unreadable");
        let agent = if canonical { "claude" } else { "main" };
        assert_eq!(
            run.verdict(&format!("hostile/{agent}")),
            Some("unobserved"),
            "{run}"
        );
    }
}

#[test]
fn a_mount_below_a_cell_is_not_crossed_unless_the_operator_says_so() {
    if !can_mount() {
        return;
    }
    let w = World::new();
    w.cell("plain").cell("bound").cell("tmp").cell("filed");
    let outside = w.base().join("outside");
    put(&outside.join("heartbeat.json"), &beat_bytes(1.0));
    let script = format!(
        "mount --bind {0} \"$ROOT/bound/state\"; \
         mount -t tmpfs none \"$ROOT/tmp/state\"; cp {0}/heartbeat.json \"$ROOT/tmp/state/\"; \
         mount --bind {0}/heartbeat.json \"$ROOT/filed/state/heartbeat.json\"",
        outside.display()
    );
    let run = w.cmd(&["--json"]).mounted(&script).run();
    run.code(2).expect("plain", "healthy", "");
    for id in ["bound", "tmp", "filed"] {
        assert_ne!(run.status(id), "healthy", "{id}: {run}");
        assert!(run.sentences(id).contains("mount"), "{id}: {run}");
    }
    w.forget().config("allow_mounts: true\n");
    let run = w.cmd(&["--json"]).mounted(&script).run();
    run.code(0);
    assert_eq!(run.summary("healthy"), 4);
}

/// A cell on a file system of its own is no mount *below* the cell.
#[test]
fn a_cell_that_is_a_mount_is_a_cell() {
    if !can_mount() {
        return;
    }
    let w = World::new();
    w.cell("a").cell("disk");
    let run = w
        .cmd(&["--json"])
        .mounted("cp -a \"$ROOT/disk\" \"$STATE/../copy\"; mount -t tmpfs none \"$ROOT/disk\"; cp -a \"$STATE/../copy/.\" \"$ROOT/disk/\"")
        .run();
    run.survived().clean().expect("a", "healthy", "");
    assert_eq!(run.summary("total_cells"), 2);
}

#[test]
fn a_missions_root_that_is_a_link_is_the_operator_s_choice() {
    let w = World::new();
    w.cell("a");
    let link = w.base().join("link");
    symlink(w.root(), &link).unwrap();
    let run = w
        .bare(&["--json", "--root"])
        .arg(&link)
        .arg("--state-dir")
        .arg(w.state())
        .run();
    run.code(0).expect("a", "healthy", "");
}

/// How often the program asked for a directory's entries.
fn getdents(w: &World) -> u64 {
    w.forget();
    let table = w.base().join("strace.txt");
    let out = table.to_str().unwrap();
    let strace = ["strace", "-f", "-c", "-e", "trace=getdents64", "-o", out];
    let run = w.cmd(&["--json"]).through(&strace).run();
    run.code(0);
    let text = fs::read_to_string(&table).unwrap();
    let line = text.lines().find(|l| l.trim_end().ends_with("getdents64"));
    let line = line.unwrap_or_else(|| panic!("nothing was counted:\n{text}"));
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn a_hundred_thousand_files_beside_a_heartbeat_are_not_looked_at() {
    if !tool("strace") {
        return;
    }
    let w = World::new();
    w.cell("a").canonical("b", &["claude"]);
    let before = getdents(&w);
    let flood = w.path("a/state");
    for i in 0..100_000 {
        File::create(flood.join(format!("f{i}"))).unwrap();
    }
    assert_eq!(before, getdents(&w), "state/ was listed");
    // The same flood where a canonical cell's heartbeats are.
    let beats = w.path("b/.lazarus/heartbeats");
    put(&flood.join("claude.json"), &beat_bytes(1.0));
    fs::remove_dir_all(&beats).unwrap();
    fs::rename(&flood, &beats).unwrap();
    fs::create_dir(&flood).unwrap();
    w.beat("a", 1);
    assert_eq!(before, getdents(&w), ".lazarus/heartbeats/ was listed");
}

#[test]
fn two_thousand_cells_in_byte_order() {
    let w = World::new();
    for i in 0..2000 {
        let id = format!("cell-{i}");
        w.cell(&id);
        match i % 4 {
            1 => drop(w.beat(&id, 4000)),
            2 => drop(w.remove(format!("{id}/logs"))),
            3 => drop(w.remove(format!("{id}/state/heartbeat.json"))),
            _ => {}
        }
    }
    let run = w.run(&["--json"]);
    run.code(2);
    for key in ["healthy", "stale", "incomplete", "uninitialized"] {
        assert_eq!(run.summary(key), 500, "{key}");
    }
    let ids = run.names("cells", "mission_id");
    assert!(ids.is_sorted(), "{run}");
    assert_eq!(run.subjects().len(), 1500);
    let human = w.run(&[]);
    let lines = human.code(2).stdout().lines().count();
    assert!(lines < 2000, "{lines} lines: long fleets are summed up");
    let last = "Lazarus Pit — cells=2000 healthy=500 stale=500 incomplete=500 uninitialized=500";
    assert_eq!(human.last_line(), last);
}

/// No descriptors left, as where a flood of them leaks elsewhere.
#[test]
fn with_few_descriptors_it_says_so_and_does_not_crash() {
    let w = crowd();
    for limit in [3, 4, 5, 6, 8, 12, 16, 24] {
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let run = w.cmd(&["--json"]).through(&["sh", "-c", &script]).run();
        // Below a handful not even the loader finds its libraries (127).
        if run.exit() != 127 {
            run.survived().clean();
        }
    }
}
