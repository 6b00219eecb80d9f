use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::symlink;

use super::*;

pub(in crate::act) fn options() -> InitOptions<'static> {
    InitOptions {
        layout: None,
        agents: Vec::new(),
        owner: None,
        required_subdirs: &[],
        heartbeat_file: "state/heartbeat.json",
        now: Timestamp::from_secs(1_795_240_000),
        created_by: "operator".into(),
        uuid: "u-1".into(),
        mounts: Mounts::Refuse,
    }
}

pub(in crate::act) fn canonical(agents: &[&str]) -> InitOptions<'static> {
    InitOptions {
        layout: Some(Layout::Canonical),
        ..with(agents)
    }
}

pub(in crate::act) fn with(agents: &[&str]) -> InitOptions<'static> {
    InitOptions {
        agents: agents.iter().map(|a| (*a).to_owned()).collect(),
        ..options()
    }
}

/// Every path beneath, sorted.
pub(in crate::act) fn tree(root: &Path) -> Vec<String> {
    walkdir::WalkDir::new(root)
        .min_depth(1)
        .sort_by_file_name()
        .into_iter()
        .map(|e| {
            e.unwrap()
                .path()
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

pub(in crate::act) fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

#[test]
fn the_layout_that_is_there_counts() {
    let tmp = tempfile::tempdir().unwrap();
    init(tmp.path(), "f", &options()).unwrap();
    init(tmp.path(), "c", &canonical(&[])).unwrap();
    let foundation = InitOptions {
        layout: Some(Layout::Foundation),
        ..options()
    };
    for (id, asked) in [("f", canonical(&[])), ("c", foundation)] {
        let failure = init(tmp.path(), id, &asked).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("cell already"), "{failure}");
    }
    // A directory with nothing in it that tells is whatever it is asked to become.
    std::fs::create_dir_all(tmp.path().join("bare/logs")).unwrap();
    let made = init(tmp.path(), "bare", &canonical(&[])).unwrap();
    assert_eq!(
        (made.layout, made.existing),
        (Layout::Canonical, vec!["logs".to_owned()])
    );
}

#[test]
fn names_that_are_no_single_safe_component_are_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let long = "x".repeat(256);
    for bad in [
        "",
        ".",
        "..",
        ".x",
        "a/b",
        "/abs",
        "a b",
        "a\n",
        "é",
        long.as_str(),
    ] {
        let failure = init(tmp.path(), bad, &options()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{bad:?}");
        assert!(!failure.message.chars().any(char::is_control), "{failure}");
    }
    for bad in ["", "..", "a/b", &long[..251]] {
        assert_eq!(
            init(tmp.path(), "c", &with(&[bad])).unwrap_err().exit,
            Exit::Usage,
            "{bad:?}"
        );
    }
    assert_eq!(tree(tmp.path()), Vec::<String>::new());
    let longest = &long[..255];
    init(tmp.path(), longest, &canonical(&[&long[..250]])).unwrap();
    let failure = init(&tmp.path().join("none"), "c", &options()).unwrap_err();
    assert_eq!(failure.exit, Exit::NoRoot);
    assert!(
        failure.message.contains("is its disk mounted?"),
        "{failure}"
    );
}

#[test]
fn what_is_in_the_way_is_named_and_left_alone() {
    let outside = tempfile::tempdir().unwrap();
    let refused = |id: &str, prepare: &dyn Fn(&Path), options: &InitOptions<'_>, named: &str| {
        let tmp = tempfile::tempdir().unwrap();
        prepare(tmp.path());
        let failure = init(tmp.path(), id, options).unwrap_err();
        assert_eq!(failure.exit, Exit::CannotWrite, "{failure}");
        assert!(failure.message.contains(named), "{failure} lacks {named}");
        assert!(failure.message.contains("is there"), "{failure}");
        assert_eq!(tree(outside.path()), Vec::<String>::new());
        let left = tree(tmp.path())
            .into_iter()
            .any(|p| p.contains(create::TEMPORARY));
        assert!(!left, "{named}");
    };
    let cell = |p: &Path| {
        std::fs::create_dir(p.join("c")).unwrap();
        p.join("c")
    };
    let link = |at: PathBuf| symlink(outside.path(), at).unwrap();
    refused("c", &|p| link(p.join("c")), &options(), "a symbolic link");
    refused(
        "c",
        &|p| std::fs::write(p.join("c"), "").unwrap(),
        &options(),
        "a regular file",
    );
    for name in ["state", "meta", "worktree", "logs", "config"] {
        refused("c", &|p| link(cell(p).join(name)), &options(), name);
        refused(
            "c",
            &|p| std::fs::write(cell(p).join(name), "").unwrap(),
            &options(),
            name,
        );
    }
    for name in [".lazarus", "workspace", "bus"] {
        refused("c", &|p| link(cell(p).join(name)), &canonical(&["a"]), name);
    }
    let in_state = |p: &Path| {
        std::fs::create_dir(cell(p).join("state")).unwrap();
        p.join("c/state/heartbeat.json")
    };
    refused(
        "c",
        &|p| link(in_state(p)),
        &options(),
        "state/heartbeat.json",
    );
    refused(
        "c",
        &|p| std::fs::create_dir(in_state(p)).unwrap(),
        &options(),
        "state/heartbeat.json",
    );
    refused(
        "c",
        &|p| symlink("gone", cell(p).join("cell.json")).unwrap(),
        &options(),
        "cell.json",
    );
    refused(
        "c",
        &|p| std::fs::write(cell(p).join("cell.json"), "{}").unwrap(),
        &options(),
        "it has no uuid",
    );
}

#[test]
fn a_cell_that_cannot_be_finished_is_taken_back() {
    let tmp = tempfile::tempdir().unwrap();
    // The heartbeat's directory would be a file that was just made.
    let clash = InitOptions {
        heartbeat_file: "logs/daemon.log/hb.json",
        ..options()
    };
    let failure = init(tmp.path(), "c", &clash).unwrap_err();
    assert_eq!(failure.exit, Exit::CannotWrite);
    assert_eq!(tree(tmp.path()), Vec::<String>::new());
}

#[test]
fn two_at_once_make_one_cell() {
    let tmp = tempfile::tempdir().unwrap();
    let made: Vec<Made> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| init(tmp.path(), "c", &options()).unwrap()))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|m| m.existing.is_empty()).count(), 1);
    assert_eq!(tree(tmp.path()).len(), 11);
}

#[test]
fn as_root_all_but_the_manifest_belongs_to_the_owner() {
    if !host::is_root() {
        let failure = init(
            Path::new("/"),
            "c",
            &InitOptions {
                owner: Some((0, 0)),
                ..options()
            },
        )
        .unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let owned = |options: InitOptions<'static>| InitOptions {
        owner: Some((4242, 4343)),
        ..options
    };
    init(tmp.path(), "f", &owned(with(&["a"]))).unwrap();
    init(tmp.path(), "c", &owned(canonical(&["a"]))).unwrap();
    // What is added to a cell that was there follows the same rule.
    std::fs::create_dir(tmp.path().join("p")).unwrap();
    init(tmp.path(), "p", &owned(options())).unwrap();
    for path in tree(tmp.path()) {
        let meta = std::fs::metadata(tmp.path().join(&path)).unwrap();
        let operators = [
            "f/meta",
            "f/meta/mission.json",
            "c/cell.json",
            "p",
            "p/meta",
            "p/meta/mission.json",
        ];
        let want = if operators.contains(&path.as_str()) {
            (0, 0)
        } else {
            (4242, 4343)
        };
        assert_eq!((meta.uid(), meta.gid()), want, "{path}");
        assert_eq!(meta.mode() & 0o022, 0, "{path}");
    }
}
