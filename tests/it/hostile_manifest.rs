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
    for (what, make) in NO_MANIFEST {
        let w = crowd();
        let run = beside_others(&w, |w| {
            w.canonical("hostile", &["claude"]);
            let at = w.path("hostile/cell.json");
            remove(&at);
            make(w, &at);
        });
        run.code(2);
        assert_eq!(run.cell("hostile")["layout"], "canonical", "{what}: {run}");
        run.expect("hostile", "incomplete", "manifest_unreadable");
        // A failed look at a manifest is no death of anybody known.
        assert!(run.decision("hostile").is_some(), "{what}: {run}");
    }
}

#[test]
fn a_foundation_manifest_that_is_none_hides_and_leaks_nothing() {
    for (what, make) in NO_MANIFEST {
        let w = crowd();
        let run = beside_others(&w, |w| {
            w.cell("hostile").beat("hostile", 9000);
            let at = w.path("hostile/meta/mission.json");
            remove(&at);
            make(w, &at);
        });
        run.code(2);
        assert_ne!(run.status("hostile"), "healthy", "{what}: {run}");
    }
}

/// A name becomes a file's name: it must not lead anywhere.
#[test]
fn agents_with_names_that_lead_elsewhere() {
    for name in [
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
    ] {
        for canonical in [true, false] {
            let w = crowd();
            let run = beside_others(&w, |w| {
                let agents = json!([{"name": name}]);
                if canonical {
                    let mut m = canonical_manifest("hostile", &[]);
                    m["agents"] = agents;
                    w.canonical("hostile", &["claude"]).manifest("hostile", &m);
                    put(&w.path("hostile/.lazarus/heartbeat.json"), &beat_bytes(1.0));
                    put(
                        &w.path("hostile/.lazarus/heartbeats/sub/claude.json"),
                        &beat_bytes(1.0),
                    );
                    put(
                        &w.path("hostile/.lazarus/heartbeats/.json"),
                        &beat_bytes(1.0),
                    );
                } else {
                    w.cell("hostile")
                        .manifest("hostile", &json!({"agents": agents}));
                    put(
                        &w.path("hostile/state/heartbeats/sub/claude.json"),
                        &beat_bytes(1.0),
                    );
                    put(&w.path("hostile/state/heartbeats/.json"), &beat_bytes(1.0));
                }
            });
            run.code(2);
            if canonical {
                assert_ne!(run.status("hostile"), "healthy", "{name:?}: {run}");
            }
        }
    }
}

#[test]
fn agents_that_are_no_names() {
    for agents in [
        json!([1, null]),
        json!([{}]),
        json!([{"name": 7}]),
        json!({"claude": {}}),
        json!("claude"),
        json!(null),
        json!([["claude"]]),
    ] {
        let w = crowd();
        let run = beside_others(&w, |w| {
            let mut m = canonical_manifest("hostile", &[]);
            m["agents"] = agents.clone();
            w.canonical("hostile", &["claude"]).manifest("hostile", &m);
            w.cell("hostile-f")
                .manifest("hostile-f", &json!({"agents": agents}));
        });
        run.code(2);
        assert_ne!(run.status("hostile"), "healthy", "{agents}: {run}");
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
