//! Who may import whom, and which package is used where.
//!
//! The rules about modules are not repeated here: they are read from the table in `src/lib.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{closing, first_word, module_of};

/// Which module may use which package, where it matters who does: each has effects, or a rule of
/// its own about where it belongs. All others may stand anywhere but in `core` and `model`.
pub(super) const HOMES: [(&str, &[&str]); 27] = [
    ("anyhow", &["cli", "pipeline"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("crc32fast", &["core", "plan", "store"]),
    ("croner", &["plan"]),
    ("env_logger", &["cli"]),
    ("fs2", &["store"]),
    ("globset", &["observe", "pipeline", "cli", "plan", "act"]),
    ("humantime", &["model", "yaml"]),
    ("jiff", &["model", "plan", "act"]),
    ("minijinja", &["plan"]),
    ("nix", &["sys"]),
    ("nostr", &["channel"]),
    ("regex", &["act", "observe", "plan"]),
    ("ring", &["channel"]),
    ("rustls", &["net"]),
    ("saphyr_parser", &["yaml"]),
    ("schemars", &["model", "config", "plan", "report", "yaml"]),
    (
        "serde",
        &[
            "model", "yaml", "plan", "sim", "config", "import", "observe", "store", "act",
            "keeper", "report", "cli", "channel",
        ],
    ),
    (
        "serde_json",
        &[
            "model", "yaml", "plan", "sim", "config", "import", "observe", "store", "table", "act",
            "keeper", "report", "cli", "pipeline", "channel",
        ],
    ),
    ("strsim", &["yaml"]),
    ("toml", &["import"]),
    ("tungstenite", &["net"]),
    ("ureq", &["config", "net", "report"]),
    ("walkdir", &["act"]),
    ("webpki_roots", &["net"]),
];

/// What `core` may take from std: nothing of it can read a clock, a file or the environment.
pub(super) const STD_OF_CORE: [&str; 3] = ["std::collections", "std::time::Duration", "std::fmt"];

/// What each module may import, by the table in a text: its rows in order.
pub(super) fn table(text: &str) -> Vec<(String, Vec<String>)> {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        let line = line.trim_start_matches("//!").trim();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, _, may, _] = cells[..] else {
            continue;
        };
        let Some(name) = name.strip_prefix("[`").and_then(|n| n.strip_suffix("`]")) else {
            continue;
        };
        let above = || rows.iter().map(|(name, _)| name.clone()).collect();
        let may = match may {
            "all of the above" => above(),
            _ => words_in_ticks(may),
        };
        rows.push((name.to_owned(), may));
    }
    rows
}

pub(super) fn words_in_ticks(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The modules of this crate that the code names, be it in a `use` or in a path.
pub(super) fn imported(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let packed: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for (at, _) in packed.match_indices("crate::") {
        let rest = &packed[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => top_names(&group[..closing(rest).saturating_sub(2)]),
            None => vec![rest],
        };
        found.extend(names.into_iter().map(|name| first_word(name).to_owned()));
    }
    found
}

/// The parts of a `{a::{b, c}, d}` that are not within inner braces.
pub(super) fn top_names(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut names) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            names.push(group[from..at].trim());
            from = at + 1;
        }
    }
    names.push(group[from..].trim());
    names.retain(|name| !name.is_empty());
    names
}

/// What a file imports that its module may not.
pub(super) fn bad_imports(path: &str, code: &str, table: &[(String, Vec<String>)]) -> Vec<String> {
    let module = module_of(path);
    let Some((_, may)) = table.iter().find(|(name, _)| name == module) else {
        return vec![format!(
            "{path}: the table in src/lib.rs has no row for {module}"
        )];
    };
    let mut complaints: Vec<String> = imported(code)
        .into_iter()
        .filter(|name| name != module && !may.contains(name))
        .map(|name| format!("{path}: {module} may not use {name} (see the table in src/lib.rs)"))
        .collect();
    if code.contains("super::super") {
        complaints.push(format!(
            "{path}: super::super hides who is imported; begin with crate::"
        ));
    }
    complaints
}

/// Packages that a file uses and its module may not.
pub(super) fn bad_packages(path: &str, code: &str, packages: &[String]) -> Vec<String> {
    let module = module_of(path);
    let homes: BTreeMap<&str, &[&str]> = HOMES.into_iter().collect();
    let uses = |package: &str| {
        code.match_indices(package).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let whole = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | ':'));
            whole && code[at + package.len()..].starts_with("::")
        })
    };
    let allowed = |package: &str| match homes.get(package) {
        Some(homes) => homes.contains(&module),
        None => !matches!(module, "core" | "model"),
    };
    packages
        .iter()
        .filter(|package| !allowed(package) && uses(package))
        .map(|package| format!("{path}: {package} has no business in {module} (see HOMES)"))
        .collect()
}

/// The packages of a section of Cargo.toml, as code names them.
pub(super) fn packages(manifest: &str, section: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| *line != section)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.replace('-', "_"))
        .collect()
}

/// What a file of `core` takes from std beside what it may.
pub(super) fn impurities(path: &str, code: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, _) in code.match_indices("std::") {
        let rest = &code[at..];
        if !STD_OF_CORE.iter().any(|good| rest.starts_with(good)) {
            let line = rest.lines().next().unwrap_or_default();
            complaints.push(format!("{path}: core is pure and may not use {line}"));
        }
    }
    complaints
}

mod shown_to_fail {
    use super::*;

    const TABLE: &str = "//! | module | what | may use |\n//! |---|---|---|\n\
        //! | [`low`] | x | std |\n//! | [`mid`] | x | `low` |\n//! | [`top`] | x | all of the above |\n";

    #[test]
    fn an_import_that_the_table_does_not_allow() {
        let table = table(TABLE);
        let names: Vec<&str> = table.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["low", "mid", "top"]);
        assert_eq!(table[2].1, ["low", "mid"]);
        let bad = |path: &str, code: &str| bad_imports(path, code, &table).len();
        assert_eq!(
            bad("src/mid/x.rs", "use crate::low::X; crate::mid::y();"),
            0
        );
        assert_eq!(bad("src/top.rs", "use crate::{low, mid::{a, b}};"), 0);
        assert_eq!(bad("src/low/x.rs", "use crate::mid::X;"), 1);
        assert_eq!(bad("src/low.rs", "fn f() { crate::top::x() }"), 1);
        assert_eq!(
            bad(
                "src/mid/x.rs",
                "pub(crate) use crate::{\n low::{top, Y},\n top,\n};"
            ),
            1
        );
        assert_eq!(bad("src/low/x.rs", "use super::super::top::X;"), 1);
        assert_eq!(bad("src/other.rs", ""), 1);
    }

    #[test]
    fn a_package_in_the_wrong_place() {
        let all = packages(
            "[package]\nname = \"x\"\n[dependencies]\nnix = \"1\"\nsaphyr-parser = \"1\"\nrustix = \"1\"\n[lints]\na = 1\n",
            "[dependencies]",
        );
        assert_eq!(all, ["nix", "saphyr_parser", "rustix"]);
        let bad = |path: &str, code: &str| bad_packages(path, code, &all).len();
        assert_eq!(bad("src/sys/x.rs", "use nix::unistd; rustix::io::x()"), 0);
        assert_eq!(bad("src/report/x.rs", "nix::unistd::x()"), 1);
        assert_eq!(bad("src/config/x.rs", "use saphyr_parser::Event;"), 1);
        assert_eq!(bad("src/core/x.rs", "use rustix::io;"), 1);
        assert_eq!(bad("src/report/x.rs", "phoenix::x(); a::nix::y()"), 0);
    }

    #[test]
    fn a_core_that_could_do_something() {
        let bad = |code: &str| impurities("src/core/x.rs", code).len();
        assert_eq!(
            bad("use std::collections::HashSet; use std::time::Duration;"),
            0
        );
        for code in [
            "use std::fs;",
            "use std::time::SystemTime;",
            "use std::time::{Duration, Instant};",
            "std::env::var_os()",
            "use std::net::TcpStream;",
            "std::process::id()",
            "std::thread::sleep()",
            "use std::{fs, io};",
        ] {
            assert_eq!(bad(code), 1, "{code}");
        }
    }
}
