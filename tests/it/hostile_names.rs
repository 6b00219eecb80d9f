//! Directories with names that are no fun to print.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::hostile::{beside_others, crowd};

/// Names that a file system takes and a terminal, a shell or a parser would rather not.
fn names() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "new\nline",
        "\nLazarus Pit — cells=0 healthy=0 stale=0 incomplete=0 uninitialized=0\n",
        "carriage\rreturn",
        "tab\there",
        "\u{1b}[2J\u{1b}[31mred",
        "\u{1b}]0;title\u{7}",
        "bell\u{7}",
        "\u{9b}31m",
        "del\u{7f}",
        "\u{202e}txt.exe",
        "\u{2066}isolate",
        "quo\"te",
        "apos'trophe",
        "back\\slash",
        "a\\nb",
        "{\"status\": \"healthy\"}",
        "<cell>&amp;]]>",
        "},lazarus_pit_cells{status=\"x\"} 9",
        "pipe|total=1;;;0",
        "$(touch pwned)`id`;#",
        "-rf",
        "--help",
        "%s%n%x",
        "{{ cell.id }}",
        "[a-z]*?",
        " lead and trail ",
        "ünïcödé-日本",
        "\u{feff}bom",
        "a:b=c,d",
    ]
    .into_iter()
    .map(|s| s.as_bytes().to_vec())
    .collect();
    all.push(vec![b'x'; 255]);
    all.push(vec![b'\x1b'; 255]);
    all.push(b"not\xffutf8\xc3".to_vec());
    all.push(b"not\\xffutf8\\xc3".to_vec());
    all.push(b"\xed\xa0\x80surrogate".to_vec());
    all.push((1..=255u8).filter(|b| *b != b'/').collect());
    all
}

#[test]
fn cells_with_names_of_every_kind_are_served_and_shown_escaped() {
    let w = crowd();
    let names = names();
    let run = beside_others(&w, |w| {
        for name in &names {
            w.cell(OsStr::from_bytes(name));
        }
    });
    run.code(2);
    let ours = |id: &&str| !id.starts_with("c-");
    let shown = run.names("cells", "mission_id");
    let shown: Vec<&str> = shown.into_iter().filter(ours).collect();
    assert_eq!(shown.len(), names.len(), "{run}");
    for id in &shown {
        let cell = run.cell(id);
        // A name with bytes that are no text, and the text that it is shown as, are two cells.
        assert_eq!(cell["status"], "healthy", "{id:?}: {run}");
    }
    let as_bytes = |shown: &str| names.iter().any(|n| n == shown.as_bytes());
    for plain in ["quo\"te", "-rf", "ünïcödé-日本", "$(touch pwned)`id`;#"] {
        assert!(shown.contains(&plain) && as_bytes(plain), "{plain}: {run}");
    }
    assert!(shown.contains(&"x".repeat(255).as_str()), "{run}");
    assert!(shown.iter().any(|s| s.contains("\\xff")), "{run}");
    assert_eq!(run.summary("total_cells"), names.len() as u64 + 5);
}

#[test]
fn when_such_cells_are_down_no_line_is_broken_and_no_summary_forged() {
    let w = crowd();
    let names = names();
    beside_others(&w, |w| {
        for name in &names {
            w.cell(OsStr::from_bytes(name));
            let beat = w.path(OsStr::from_bytes(name)).join("state/heartbeat.json");
            crate::world::put(&beat, &crate::world::beat_bytes(9000.0));
        }
    });
    let human = w.run(&[]);
    human.code(2).clean();
    let total = names.len() + 5;
    let last = human.last_line();
    assert!(
        last.starts_with(&format!("Lazarus Pit — cells={total} healthy=")),
        "{human}"
    );
    let forged = human
        .stdout()
        .lines()
        .filter(|l| l.starts_with("Lazarus Pit —"))
        .count();
    assert_eq!(forged, 1, "{human}");

    let lines = w.run(&["--format", "jsonl"]);
    lines.code(2).clean();
    for line in lines.stdout().lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line:?}: {lines}");
    }
    let nagios = w.run(&["--format", "nagios"]);
    nagios.code(2).clean();
    assert_eq!(nagios.stdout().lines().count(), 1, "{nagios}");
    let bars = nagios.stdout().matches('|').count();
    assert_eq!(bars, 1, "performance data was forged: {nagios}");
}

/// A name that is shown with an escape is not the cell that is so called.
#[test]
fn two_names_that_look_alike_stay_two_cells() {
    let w = crowd();
    let run = beside_others(&w, |w| {
        w.cell(OsStr::from_bytes(b"twin\xff"));
        w.cell("twin\\xff");
        let beat = w.path("twin\\xff").join("state/heartbeat.json");
        crate::world::put(&beat, &crate::world::beat_bytes(9000.0));
    });
    let twins = |status: &str| {
        let is = |c: &&Value| {
            c["mission_id"].as_str().unwrap().starts_with("twin") && c["status"] == status
        };
        run.cells().iter().filter(is).count()
    };
    assert_eq!((twins("healthy"), twins("stale")), (1, 1), "{run}");
}
