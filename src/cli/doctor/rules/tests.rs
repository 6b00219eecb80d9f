//! What follows from facts that no host of a test has: made-up ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{agents, clock, directories, state, units};
use crate::cli::doctor::facts::directories::{Place, Rights, Role, Seen};
use crate::cli::doctor::facts::fleet::Fleet;
use crate::cli::doctor::facts::host::Host;
use crate::cli::doctor::facts::settings::{Basis, Plans, Settings};
use crate::cli::doctor::facts::state::StateFacts;
use crate::cli::doctor::facts::units::Starters;
use crate::cli::doctor::finding::{Finding, Level};
use crate::config::Config;
use crate::model::snapshot::RootMark;
use crate::model::state::{LastRun, State};
use crate::model::time::Timestamp;
use crate::plan::{self, Known};
use crate::store::lock::Held;
use crate::sys::filesystems::{Mount, Room};
use crate::sys::trust::Trust;

/// 2026-11-21.
const NOW: Timestamp = Timestamp::from_micros(1_795_240_000_000_000);

fn host() -> Host {
    Host {
        now: NOW,
        synchronised: None,
        user: "root".into(),
        uid: 0,
        is_root: true,
        may_raise: true,
        open_files_of_all: Some(1 << 20),
        may_become: true,
        no_new_privs: false,
        open_files: Some(1024),
        processes: Some(100),
        hides_processes: false,
        is_contained: false,
        has_systemd: true,
        runtime_dir: None,
        lingers: false,
        variables: BTreeSet::new(),
        has_cron: true,
    }
}

/// An ordinary user's.
fn poor() -> Host {
    Host {
        user: "agent".into(),
        uid: 1000,
        is_root: false,
        may_raise: false,
        may_become: false,
        ..host()
    }
}

fn settings(plans: &str) -> Settings {
    let file = plan::File {
        name: "p.yaml".into(),
        text: plans.as_bytes().to_vec(),
    };
    let (set, problems) = plan::load(&[file], &Known::default());
    assert!(problems.is_empty(), "{problems:?}");
    Settings {
        file: None,
        way: None,
        refused: None,
        problems: Vec::new(),
        notes: Vec::new(),
        basis: Basis::Whole,
        config: Config::default(),
        trust: Trust::new(&[]),
        plans: Plans {
            set,
            files: 1,
            ..Plans::default()
        },
    }
}

fn fresh() -> StateFacts {
    StateFacts {
        exists: true,
        state: Ok(State::default()),
        lost: false,
        warnings: Vec::new(),
        set_aside: Vec::new(),
        held: None,
        files: Vec::new(),
        in_the_way: Vec::new(),
        beat: Ok(None),
    }
}

fn ran(ended: Timestamp, dev: u64) -> StateFacts {
    let last_run = Some(LastRun {
        id: "r".into(),
        at: ended,
        exit: 0,
        duration_ms: 0,
        boot_id: String::new(),
        root: mark(dev),
        cells: 3,
        reboot: None,
    });
    StateFacts {
        state: Ok(State {
            last_run,
            ..State::default()
        }),
        ..fresh()
    }
}

fn mark(dev: u64) -> RootMark {
    RootMark {
        dev,
        fsid: dev,
        path: "/srv/missions".into(),
    }
}

fn place(role: Role, path: &str, kind: &str) -> Place {
    Place {
        role,
        path: path.into(),
        real: path.into(),
        seen: Seen::Directory(Rights {
            uid: 0,
            owner: "root".into(),
            mode: 0o700,
            readable: true,
            writable: true,
        }),
        mount: Some(Mount {
            point: PathBuf::from("/"),
            kind: kind.into(),
            options: vec!["rw".into()],
        }),
        room: Some(Room {
            bytes: 1 << 40,
            files: None,
        }),
        unmounted: None,
        way: None,
        in_the_way: None,
    }
}

#[track_caller]
fn has(found: &[Finding], level: Level, code: &str) {
    let is_there = found.iter().any(|f| f.level == level && f.code == code);
    assert!(is_there, "no {code} of level {level:?}: {found:#?}");
}

#[track_caller]
fn lacks(found: &[Finding], code: &str) {
    assert!(found.iter().all(|f| f.code != code), "{code}: {found:#?}");
}

#[test]
fn clocks_that_cannot_be_right() {
    let judge = |now, left: &StateFacts| clock::judge(&Host { now, ..host() }, Some(left), None);
    has(
        &judge(Timestamp::from_secs(86_400), &fresh()),
        Level::Error,
        "clock_wrong",
    );
    let later = NOW.plus(Duration::from_secs(1));
    has(&judge(NOW, &ran(later, 1)), Level::Warning, "clock_back");
    let found = judge(NOW, &ran(NOW, 1));
    lacks(&found, "clock_back");
    has(&found, Level::Advice, "clock_unsure");
    let kept = Host {
        synchronised: Some("chronyd runs".into()),
        ..host()
    };
    has(&clock::judge(&kept, None, None), Level::Ok, "clock_kept");
}

#[test]
fn file_systems_by_what_they_are() {
    let judge = |places: &[Place], left: &StateFacts, dev| {
        let fleet = Fleet {
            mark: Some(mark(dev)),
            cells: 3,
            ..Fleet::default()
        };
        let settings = settings("name: p\npolicy: never\n");
        directories::judge(places, Some(&fleet), Some(left), &settings, &host())
    };
    let root = |kind| place(Role::Missions, "/srv/missions", kind);
    let state = |path, kind| place(Role::State, path, kind);
    let found = judge(&[root("ext4"), state("/var/lib/x", "xfs")], &ran(NOW, 1), 1);
    assert!(found.iter().all(|f| f.level == Level::Ok), "{found:#?}");
    has(
        &judge(&[root("nfs4")], &fresh(), 1),
        Level::Advice,
        "remote",
    );
    has(
        &judge(&[root("ext4")], &ran(NOW, 1), 2),
        Level::Warning,
        "other_file_system",
    );
    let found = judge(&[state("/mnt/state", "fuse.sshfs")], &fresh(), 1);
    has(&found, Level::Warning, "lock_in_doubt");
    for (path, kind, level) in [
        ("/var/lib/x", "tmpfs", Level::Warning),
        ("/tmp/x", "ext4", Level::Warning),
        ("/run/user/1000/x", "ext4", Level::Warning),
        ("/var/lib/x", "overlay", Level::Advice),
    ] {
        has(
            &judge(&[state(path, kind)], &fresh(), 1),
            level,
            "does_not_last",
        );
    }
    lacks(
        &judge(&[state("/tmpx", "ext4")], &fresh(), 1),
        "does_not_last",
    );
    let mut full = state("/var/lib/x", "ext4");
    full.room = Some(Room {
        bytes: 1 << 40,
        files: Some(0),
    });
    has(&judge(&[full], &fresh(), 1), Level::Error, "no_room");
    let inside = [root("ext4"), state("/srv/missions/.state", "ext4")];
    has(&judge(&inside, &fresh(), 1), Level::Error, "state_in_root");
    let other = [root("ext4"), state("/srv/missions-state", "ext4")];
    lacks(&judge(&other, &fresh(), 1), "state_in_root");
}

#[test]
fn locks_by_who_holds_them() {
    let judge = |is_run, is_hung| {
        let held = Held {
            message: "held".into(),
            is_run,
            is_hung,
        };
        let left = StateFacts {
            held: Some(held),
            ..fresh()
        };
        state::judge(&left, &settings("name: p\npolicy: never\n"), &host())
    };
    has(&judge(true, false), Level::Ok, "lock_held");
    has(&judge(true, true), Level::Warning, "lock_hung");
    has(&judge(false, false), Level::Warning, "lock_foreign");
    // A state that could not be rebuilt is more than a warning, and no run is made up of none.
    let lost = StateFacts {
        lost: true,
        warnings: vec![crate::model::cell::Warning::new("state_lost", "lost")],
        ..fresh()
    };
    let settings = settings("name: p\npolicy: never\n");
    let found = state::judge(&lost, &settings, &host());
    has(&found, Level::Error, "state_damaged");
    lacks(&found, "state_whole");
    let unreadable = StateFacts {
        state: Err("no".into()),
        ..fresh()
    };
    lacks(&state::judge(&unreadable, &settings, &host()), "never_run");
}

#[test]
fn hosts_on_which_agents_cannot_be_what_their_plan_says() {
    let spawn = "name: p\npolicy: auto\nsteps:\n  - spawn: {command: [x], backend: systemd, limits: {open_files: 2048, processes: 200}}\n";
    let judge =
        |plans: &str, host: &Host| agents::judge(&settings(plans), &Fleet::default(), None, host);
    has(&judge(spawn, &host()), Level::Ok, "steps");
    let found = judge(spawn, &poor());
    has(&found, Level::Error, "no_user_systemd");
    let limits = found.iter().filter(|f| f.code == "limit");
    assert_eq!(limits.count(), 2, "{found:#?}");
    let mut own = poor();
    own.runtime_dir = Some(Path::new("/run/user/1000").to_owned());
    has(&judge(spawn, &own), Level::Warning, "no_user_linger");
    own.lingers = true;
    lacks(&judge(spawn, &own), "no_user_linger");
    // More than a process may have, whoever gives it.
    let few = Host {
        open_files_of_all: Some(1024),
        ..host()
    };
    has(&judge(spawn, &few), Level::Error, "limit");
    let bound = Host {
        may_become: false,
        ..host()
    };
    has(&judge(spawn, &bound), Level::Error, "cannot_become");
    let none = Host {
        has_systemd: false,
        ..host()
    };
    has(&judge(spawn, &none), Level::Error, "no_systemd");
    // A plan that may not act starts nothing.
    lacks(&judge(&spawn.replace("auto", "never"), &none), "no_systemd");
}

#[test]
fn processes_that_are_not_seen() {
    let probing = "name: p\npolicy: never\nprobes:\n  - process: {pattern: x}\n";
    let judge =
        |plans: &str, host: &Host| agents::judge(&settings(plans), &Fleet::default(), None, host);
    let blind = Host {
        hides_processes: true,
        ..poor()
    };
    has(&judge(probing, &blind), Level::Error, "processes_hidden");
    let plain = "name: p\npolicy: never\n";
    has(&judge(plain, &blind), Level::Advice, "processes_hidden");
    let contained = Host {
        is_contained: true,
        ..host()
    };
    has(
        &judge(probing, &contained),
        Level::Advice,
        "processes_outside",
    );
    lacks(&judge(plain, &contained), "processes_outside");
}

/// Where a disk does not answer, there may be runs all the same.
#[test]
fn without_the_state_nobody_says_that_nothing_starts_runs() {
    let settings = settings("name: p\npolicy: never\n");
    let starters = Starters::default();
    let judge =
        |state: Option<&StateFacts>| units::judge(&starters, Some(&settings), state, &host());
    has(&judge(None), Level::Advice, "starter_unseen");
    lacks(&judge(None), "no_starter");
    let unreadable = StateFacts {
        beat: Err("no".into()),
        ..fresh()
    };
    lacks(&judge(Some(&unreadable)), "no_starter");
    has(&judge(Some(&fresh())), Level::Warning, "no_starter");
    lacks(&units::judge(&starters, None, None, &host()), "no_starter");
}
