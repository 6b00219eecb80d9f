//! Rules of the source that the compiler does not know: who may import whom, which package is used
//! where, what must not stand in code that ships, and how long a file and a function may be.

mod imports;
mod source;
mod words;

use std::fs;

use imports::{HOMES, bad_imports, bad_packages, impurities, packages, table};
use source::{repository, sources};
use words::{banned, ignored, long_functions, too_long, unsafes};

/// Shows all that is wrong at once.
#[track_caller]
fn none(complaints: impl IntoIterator<Item = String>) {
    let all: Vec<String> = complaints.into_iter().collect();
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}
#[test]
fn every_module_imports_only_what_the_table_lets_it() {
    let table = table(&fs::read_to_string(repository().join("src/lib.rs")).unwrap());
    let modules = sources("src");
    none(modules.iter().flat_map(|s| match s.module() {
        // The root has nothing to import; everyone may import the crate's front.
        "lib" | "main" => Vec::new(),
        _ => bad_imports(&s.path, &s.shipped, &table),
    }));
    // No row for a module that is not there, and none that allows an import upwards.
    for (at, (name, may)) in table.iter().enumerate() {
        assert!(modules.iter().any(|s| s.module() == name), "{name} is gone");
        let above: Vec<&String> = table[..at].iter().map(|(name, _)| name).collect();
        for other in may {
            assert!(
                above.contains(&other),
                "{name} may use {other}, which stands below it"
            );
        }
    }
}

#[test]
fn every_package_is_used_where_it_is_meant_to_be() {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let mut all = packages(&manifest, "[dependencies]");
    all.extend(packages(&manifest, "[dev-dependencies]"));
    for (package, _) in HOMES {
        assert!(
            all.iter().any(|p| p == package),
            "HOMES knows {package}, Cargo.toml does not"
        );
    }
    let found = sources("src");
    none(
        found
            .iter()
            .flat_map(|s| bad_packages(&s.path, &s.shipped, &all)),
    );
}

#[test]
fn core_is_pure() {
    let found = sources("src/core");
    none(found.iter().flat_map(|s| impurities(&s.path, &s.shipped)));
}

#[test]
fn nothing_unfinished_or_unsafe_ships_and_no_test_is_off() {
    let (src, tests) = (sources("src"), sources("tests"));
    none(src.iter().flat_map(|s| banned(&s.path, &s.shipped)));
    let all = || src.iter().chain(&tests);
    none(all().flat_map(|s| unsafes(&s.path, &s.code)));
    none(all().flat_map(|s| ignored(&s.path, &s.code)));
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let (src, tests) = (sources("src"), sources("tests"));
    let all = || src.iter().chain(&tests);
    none(all().flat_map(|s| too_long(&s.path, &s.text)));
    none(all().flat_map(|s| long_functions(&s.path, &s.code)));
}
