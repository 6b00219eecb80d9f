//! Manifests that an agent who means harm might leave.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::sys::stat::Mode;
use serde_json::json;

use crate::hostile::{beside_others, crowd, secret};
use crate::world::{SECRET, World, beat_bytes, canonical_manifest, make_dir, now, put, remove};

type Make = fn(&World, &Path);

/// What can lie in a file's place and is no file with a manifest in it.
const NO_MANIFEST: [(&str, Make); 12] = [
    ("FIFO", |_, at| {
        nix::unistd::mkfifo(at, Mode::from_bits_truncate(0o666)).unwrap()
    }),
    ("socket", |_, at| drop(UnixListener::bind(at).unwrap())),
    ("directory", |_, at| make_dir(at, 0o755)),
    ("link to a secret", |w, at| symlink(secret(w), at).unwrap()),
    ("link to itself", |_, at| {
        symlink(at.file_name().unwrap(), at).unwrap()
    }),
    ("dangling link", |_, at| symlink("nowhere", at).unwrap()),
    ("sparse", |_, at| {
        File::create(at).unwrap().set_len(10 << 30).unwrap()
    }),
    ("empty", |_, at| put(at, b"")),
    ("binary", |_, at| put(at, &[0xff; 999])),
    ("deep", |_, at| put(at, "[".repeat(60_000).as_bytes())),
    ("deep object", |_, at| {
        put(at, "{\"agents\":".repeat(6_000).as_bytes())
    }),
    ("words", |_, at| {
        put(at, format!("{SECRET} hunter2").as_bytes())
    }),
];

#[test]
fn a_canonical_manifest_that_is_none() {
    let w = crowd();
    let run = beside_others(&w, |w| {
        for (what, make) in NO_MANIFEST {
            w.canonical(&id(what), &["claude"]);
            let at = w.path(id(what)).join("cell.json");
            remove(&at);
            make(w, &at);
        }
    });
    run.code(2);
    for (what, _) in NO_MANIFEST {
        let id = id(what);
        assert_eq!(run.cell(&id)["layout"], "canonical", "{what}: {run}");
        run.expect(&id, "incomplete", "manifest_unreadable");
        // A failed look at a manifest is no death of anybody known.
        assert!(run.decision(&id).is_some(), "{what}: {run}");
    }
}

/// The cell with this in its manifest's place.
fn id(what: &str) -> String {
    format!("hostile-{}", what.replace(' ', "-"))
}

#[test]
fn a_foundation_manifest_that_is_none_hides_and_leaks_nothing() {
    let w = crowd();
    let run = beside_others(&w, |w| {
        for (what, make) in NO_MANIFEST {
            w.cell(id(what)).beat(&id(what), 9000);
            let at = w.path(id(what)).join("meta/mission.json");
            remove(&at);
            make(w, &at);
        }
    });
    run.code(2);
    for (what, _) in NO_MANIFEST {
        assert_ne!(run.status(&id(what)), "healthy", "{what}: {run}");
    }
}

/// A name becomes a file's name: it must not lead anywhere.
#[test]
fn agents_with_names_that_lead_elsewhere() {
    let names = [
        "../heartbeat",
        "../../../c-healthy/state/heartbeat",
        "sub/claude",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\0b",
        "a\nb",
        "\u{1b}[2J",
        "\u{202e}evil",
    ];
    let w = crowd();
    let run = beside_others(&w, |w| {
        for (n, name) in names.iter().enumerate() {
            let agents = json!([{"name": name}]);
            let (canonical, foundation) = (format!("hostile-{n}-c"), format!("hostile-{n}-f"));
            let mut m = canonical_manifest(&canonical, &[]);
            m["agents"] = agents.clone();
            w.canonical(&canonical, &["claude"])
                .manifest(&canonical, &m);
            w.cell(&foundation)
                .manifest(&foundation, &json!({"agents": agents}));
            let at = |below: &str| put(&w.path(below), &beat_bytes(1.0));
            at(&format!("{canonical}/.lazarus/heartbeat.json"));
            for dir in [
                format!("{canonical}/.lazarus"),
                format!("{foundation}/state"),
            ] {
                at(&format!("{dir}/heartbeats/sub/claude.json"));
                at(&format!("{dir}/heartbeats/.json"));
            }
        }
    });
    run.code(2);
    for (n, name) in names.iter().enumerate() {
        let status = run.status(&format!("hostile-{n}-c"));
        assert_ne!(status, "healthy", "{name:?}: {run}");
    }
}

#[test]
fn agents_that_are_no_names() {
    let all = [
        json!([1, null]),
        json!([{}]),
        json!([{"name": 7}]),
        json!({"claude": {}}),
        json!("claude"),
        json!(null),
        json!([["claude"]]),
    ];
    let w = crowd();
    let run = beside_others(&w, |w| {
        for (n, agents) in all.iter().enumerate() {
            let (canonical, foundation) = (format!("hostile-{n}"), format!("hostile-{n}-f"));
            let mut m = canonical_manifest(&canonical, &[]);
            m["agents"] = agents.clone();
            w.canonical(&canonical, &["claude"])
                .manifest(&canonical, &m);
            w.cell(&foundation)
                .manifest(&foundation, &json!({"agents": agents}));
        }
    });
    run.code(2);
    for (n, agents) in all.iter().enumerate() {
        let status = run.status(&format!("hostile-{n}"));
        assert_ne!(status, "healthy", "{agents}: {run}");
    }
}

#[test]
fn the_same_agent_twice_and_thousands_of_agents() {
    let w = crowd();
    let many: Vec<String> = (0..4000).map(|i| format!("a{i}")).collect();
    let run = beside_others(&w, |w| {
        let mut m = canonical_manifest("hostile", &["claude", "claude"]);
        w.canonical("hostile", &["claude"]).manifest("hostile", &m);
        m["agents"] = json!(many.iter().map(|n| json!({"name": n})).collect::<Vec<_>>());
        w.canonical("hostile-many", &["claude"])
            .manifest("hostile-many", &m);
    });
    // Twice the same name is one subject, or none: never two decisions about one.
    let mut subjects = run.subjects();
    let all = subjects.len();
    subjects.dedup();
    assert_eq!(subjects.len(), all, "{run}");
    assert_ne!(run.status("hostile-many"), "healthy", "{run}");
}

#[test]
fn lifecycles_labels_and_ids_of_the_wrong_kind() {
    for odd in [
        json!(null),
        json!(7),
        json!(["archived"]),
        json!({}),
        json!("\u{1b}[31m"),
        json!("x".repeat(9000)),
    ] {
        let w = crowd();
        let run = beside_others(&w, |w| {
            w.cell("hostile").beat("hostile", 9000).manifest(
                "hostile",
                &json!({"mission_id": odd, "created_at": odd, "status": odd, "labels": odd}),
            );
            let mut m = canonical_manifest("hostile-c", &["claude"]);
            m["labels"] = odd.clone();
            m["name"] = odd.clone();
            m["created_at"] = odd.clone();
            w.canonical("hostile-c", &["claude"])
                .beat("hostile-c/claude", 9000);
            w.manifest("hostile-c", &m);
        });
        run.code(2);
        assert_eq!(run.summary("ignored"), 0);
        assert_ne!(run.status("hostile"), "healthy");
        assert_ne!(run.status("hostile-c"), "healthy");
    }
}

/// A heartbeat's own word about whose it is changes nothing about whose it is.
#[test]
fn a_heartbeat_that_claims_to_be_another_s() {
    let w = crowd();
    let run = beside_others(&w, |w| {
        let lie = json!({"timestamp": now(), "agent": "gemini", "mission_id": "c-stale",
                         "cell_uuid": "x", "pid": 1});
        w.cell("hostile").heartbeat("hostile", lie.to_string());
    });
    run.code(2).expect("c-stale", "stale", "stale");
    assert_eq!(run.agents("hostile"), ["main"]);
}
