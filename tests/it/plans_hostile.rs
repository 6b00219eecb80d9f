//! Plan files that are too large, too deep, too many, or somebody else's: refused with a clear
//! error, in bounded time, and nothing is done.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};

use crate::output::Run;
use crate::world::{NOBODY, World, make_dir, mode, needs_root, put};

const GOOD: &str = "policy: never\n";

fn dir(world: &World) -> PathBuf {
    world.base().join("conf/plans")
}

/// A run by these plans, which must come to its end in the time that every run of a test has.
#[track_caller]
fn run(world: &World, plans: &Path) -> Run {
    let run = world.run(&["--plans", plans.to_str().unwrap(), "--json"]);
    run.survived().clean();
    run
}

/// Refused: 78, with these words, and no journal.
#[track_caller]
fn refused(world: &World, plans: &Path, words: &str) {
    let run = run(world, plans);
    run.code(78).stderr_has(words);
    assert!(!world.state().join("journal.jsonl").exists(), "{run}");
}

#[test]
fn what_grows_without_bound_is_refused() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let bomb: String = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [*a{n}, *a{n}]\n", n + 1, n + 1)
    });
    let deep = format!("steps: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("# {}\n{GOOD}", "x".repeat(10 << 20));
    let template = "steps: [{run: [\"{% set a = 'x' %}{{ a }}\"]}]\n".to_owned();
    for (name, text, words) in [
        ("bomb.yaml", bomb, "aliases"),
        ("deep.yaml", deep, "deep.yaml:1:"),
        ("large.yaml", large, "larger than"),
        ("template.yaml", template, "`set` is no statement"),
        ("tabs.yaml", "steps:\n\t- run: [x]\n".into(), "tabs.yaml:2:"),
        (
            "twice.yaml",
            "policy: auto\npolicy: ask\n".into(),
            "on line 1 already",
        ),
        ("binary.yaml", "\u{0}\u{1}".into(), "binary.yaml:1:"),
    ] {
        let path = dir(&world).join(name);
        put(&path, text.as_bytes());
        refused(&world, &path, words);
    }
}

#[test]
fn what_editors_leave_is_no_mistake() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let path = dir(&world).join("p.yaml");
    for text in [
        "\u{feff}policy: never\n",
        "policy: never\r\nwhen: {for: 1s}\r\n",
    ] {
        put(&path, text.as_bytes());
        let run = run(&world, &path);
        run.code(2);
        assert_eq!(run.verdict("a/main"), Some("never"), "{text:?}: {run}");
    }
}

#[test]
fn ten_thousand_plans_are_read() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    for file in 0..20 {
        let plans: Vec<String> = (0..500)
            .map(|n| format!("name: p{file}-{n}\nmatch: {{cells: [\"t{file}-{n}-*\"]}}\n{GOOD}"))
            .collect();
        put(
            &dir(&world).join(format!("f{file:02}.yaml")),
            plans.join("---\n").as_bytes(),
        );
    }
    put(&dir(&world).join("z.yaml"), GOOD.as_bytes());
    let run = run(&world, &dir(&world));
    run.code(2);
    let decision = run.decision("a/main").unwrap();
    assert_eq!(
        (&decision["plan"], &decision["verdict"]),
        (&"z".into(), &"never".into())
    );
}

#[test]
fn what_is_no_file_is_told_and_never_waited_for() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let at = dir(&world).join("x.yaml");
    put(&dir(&world).join("good.yaml"), GOOD.as_bytes());
    make_dir(&at, 0o755);
    refused(&world, &dir(&world), "a directory");
    fs::remove_dir(&at).unwrap();
    nix::unistd::mkfifo(&at, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(&world, &dir(&world), "a FIFO");
    fs::remove_file(&at).unwrap();
    symlink("/nonexistent", &at).unwrap();
    refused(&world, &dir(&world), "x.yaml");
}

#[test]
fn plans_that_others_could_have_written_are_refused() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let path = dir(&world).join("p.yaml");
    put(&path, GOOD.as_bytes());
    run(&world, &dir(&world)).code(2);
    world.forget();
    mode(&path, 0o666);
    refused(&world, &dir(&world), "p.yaml");
    mode(&path, 0o644);
    for bits in [0o777, 0o1777] {
        mode(&dir(&world), bits);
        refused(&world, &dir(&world), "plans");
        refused(&world, &path, "plans");
    }
    mode(&dir(&world), 0o755);
    if !needs_root() {
        return;
    }
    mode(&path, 0o664);
    refused(&world, &dir(&world), "p.yaml");
    mode(&path, 0o644);
    chown(&path, Some(NOBODY), None).unwrap();
    refused(&world, &dir(&world), "p.yaml");
    let plans = dir(&world);
    let trusted = [
        "--plans",
        plans.to_str().unwrap(),
        "--trust-owner",
        "65534",
        "--json",
    ];
    assert_eq!(world.run(&trusted).verdict("a/main"), Some("never"));
}
