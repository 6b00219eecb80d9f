//! A dry run writes nothing, anywhere, and sends nothing.

use std::fs;

use crate::world::{World, tool};

fn world() -> World {
    let world = World::new();
    world
        .cell("a")
        .cell("b")
        .beat("b", 900)
        .canonical("c", &["claude"])
        .cell("d")
        .remove("d/logs");
    world
}

#[test]
fn the_whole_tree_is_as_it_was() {
    for ran_before in [false, true] {
        let world = world();
        if ran_before {
            world.run(&[]).code(2);
            world.beat("b", 0).beat("a", 900);
        }
        let before = world.tree();
        for args in [
            &["--dry-run"][..],
            &["--dry-run", "--json"],
            &["check", "--dry-run", "-vvv"],
        ] {
            world.run(args).code(2);
            assert_eq!(world.tree(), before, "{args:?}");
        }
    }
}

#[test]
fn a_state_directory_that_is_not_there_stays_so() {
    let world = world();
    fs::remove_dir(world.state()).unwrap();
    world.run(&["--dry-run", "--json"]).code(2);
    assert!(!world.state().exists());
}

#[test]
fn a_broken_state_is_looked_past_and_left_where_it_is() {
    let world = world();
    world.run(&[]).code(2);
    fs::write(world.state().join("state.json"), "{").unwrap();
    let before = world.tree();
    assert!(
        world
            .run(&["--dry-run", "--json"])
            .code(2)
            .warns("state_recovered")
    );
    assert_eq!(world.tree(), before);
}

#[test]
fn it_decides_what_the_real_run_decides() {
    let world = world();
    let dry = world.run(&["--dry-run", "--json"]);
    let real = world.run(&["--json"]);
    let verdicts = |run: &crate::output::Run| -> Vec<(String, String)> {
        let all = run.json()["decisions"].as_array().unwrap().clone();
        all.iter()
            .map(|d| (d["subject"].to_string(), d["verdict"].to_string()))
            .collect()
    };
    assert_eq!(verdicts(&dry), verdicts(&real));
    assert_eq!(dry.exit(), real.exit());
    assert_eq!(dry.json()["run"]["dry_run"], true);
    assert_eq!(real.json()["run"]["dry_run"], false);
}

/// Calls that make, change or remove something, or speak to somebody.
const CHANGING: [&str; 40] = [
    "creat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "truncate",
    "ftruncate",
    "fallocate",
    "utime",
    "utimes",
    "utimensat",
    "setxattr",
    "fsetxattr",
    "flock",
    "fsync",
    "fdatasync",
    "sync",
    "socket",
    "connect",
    "sendto",
    "execve",
    "kill",
];

#[test]
fn no_system_call_of_it_writes_but_to_the_standard_streams() {
    if !tool("strace") {
        return;
    }
    let world = world();
    world.run(&[]).code(2);
    let trace = world.base().join("trace");
    world
        .cmd(&["--dry-run", "--json"])
        .through(&["strace", "-f", "-o", trace.to_str().unwrap()])
        .run()
        .code(2);
    let mut calls = 0;
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let call = line
            .split_once(' ')
            .map_or(line, |(_, rest)| rest.trim_start());
        let Some((name, arguments)) = call.split_once('(') else {
            continue;
        };
        calls += 1;
        let first = arguments.split([',', ')']).next().unwrap_or_default();
        let writes = match name {
            // The one that strace itself makes, to begin with.
            "execve" if calls == 1 => false,
            "write" | "writev" | "pwrite64" | "sendfile" => !matches!(first, "1" | "2"),
            "open" | "openat" | "openat2" => [
                "O_WRONLY",
                "O_RDWR",
                "O_CREAT",
                "O_TRUNC",
                "O_APPEND",
                "O_TMPFILE",
            ]
            .iter()
            .any(|f| arguments.contains(f)),
            name => CHANGING.contains(&name),
        };
        assert!(!writes, "{line}");
    }
    assert!(calls > 50, "the trace is empty");
}
