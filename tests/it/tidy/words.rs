//! What must not stand in code, and how long it may be.

use super::source::{closing, first_word};

/// Whoever opens a file is to get round it in one sitting.
pub(super) const MOST_LINES: usize = 500;

/// A function is to be seen whole.
pub(super) const MOST_LINES_OF_A_FUNCTION: usize = 100;

/// Files that may say `unsafe`: what stands between fork and exec, what gives memory back, and tests
/// of what nothing offers in a safe way.
pub(super) const UNSAFE: [&str; 5] = [
    "src/sys/memory.rs",
    "src/sys/spawn/mod.rs",
    "src/sys/spawn/child.rs",
    "src/sys/spawn/tests.rs",
    "tests/it/hostile_host.rs",
];

/// What must not stand in code that ships. The first of each pair is looked for in the code, with
/// comments and texts taken out.
pub(super) const BANNED: [(&str, &str); 10] = [
    ("todo!", "unfinished"),
    ("unimplemented!", "unfinished"),
    ("dbg!", "a leftover"),
    ("panic!", "an error is a value"),
    (".unwrap()", "an error is a value"),
    (".expect(", "an error is a value"),
    (
        "println!",
        "output goes through cli::out, which survives a closed pipe",
    ),
    (
        "eprintln!",
        "output goes through cli::out, which survives a closed pipe",
    ),
    (
        "print!",
        "output goes through cli::out, which survives a closed pipe",
    ),
    (
        "eprint!",
        "output goes through cli::out, which survives a closed pipe",
    ),
];

/// What stands in code that ships and must not.
pub(super) fn banned(path: &str, shipped: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (n, line) in shipped.lines().enumerate() {
        for (what, why) in BANNED {
            let mut places = line.match_indices(what);
            let whole = |at: usize| {
                let before = line[..at].chars().next_back();
                what.starts_with('.') || before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            };
            if places.any(|(at, _)| whole(at)) {
                complaints.push(format!("{path}:{}: {what} ({why})", n + 1));
            }
        }
    }
    complaints
}

/// Where a file says `unsafe` in code, tests included.
pub(super) fn unsafes(path: &str, code: &str) -> Vec<String> {
    let word = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "unsafe")
    };
    let lines = code.lines().enumerate().filter(|(_, line)| word(line));
    let places = lines.map(|(n, _)| format!("{path}:{}: unsafe", n + 1));
    places.filter(|_| !UNSAFE.contains(&path)).collect()
}

/// Tests that are switched off.
pub(super) fn ignored(path: &str, code: &str) -> Vec<String> {
    let off = |line: &str| line.trim_start().starts_with("#[ignore");
    let lines = code.lines().enumerate().filter(|(_, line)| off(line));
    lines
        .map(|(n, _)| {
            format!(
                "{path}:{}: a test that is switched off tests nothing",
                n + 1
            )
        })
        .collect()
}

/// A file that has grown too long.
pub(super) fn too_long(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let long = (lines > MOST_LINES)
        .then(|| format!("{path}: {lines} lines, more than {MOST_LINES}: take it apart"));
    long.into_iter().collect()
}

/// Functions that have grown too long.
pub(super) fn long_functions(path: &str, code: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name = first_word(&code[at + 3..]);
        let before = code[..at].chars().next_back();
        if name.is_empty() || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at..];
        // `[u8; 4]` in a signature has a semicolon, a declaration without a body ends with one.
        let body = rest.find('{').filter(|open| !rest[..*open].contains(";\n"));
        let Some(open) = body else { continue };
        let lines = rest[..open + closing(&rest[open..])].lines().count();
        if lines > MOST_LINES_OF_A_FUNCTION {
            let most = MOST_LINES_OF_A_FUNCTION;
            complaints.push(format!(
                "{path}: fn {name} has {lines} lines, more than {most}"
            ));
        }
    }
    complaints
}

mod shown_to_fail {
    use super::*;

    #[test]
    fn words_that_must_not_ship() {
        for (what, _) in BANNED {
            let code = format!("fn f() {{\n    x{what};\n}}").replace("x.", "y.");
            let code = if what.starts_with('.') {
                code
            } else {
                code.replace('x', " ")
            };
            assert_eq!(banned("p", &code).len(), 1, "{code}");
        }
        assert!(
            banned(
                "p",
                "a.unwrap_or(b); x.expected(); my_print!(); unprintln!()"
            )
            .is_empty()
        );
    }

    #[test]
    fn unsafe_code_and_tests_that_are_off() {
        assert_eq!(
            unsafes("p", "is_unsafe(); // x\nunsafe { y() }\nunsafe_code"),
            ["p:2: unsafe"]
        );
        assert_eq!(
            ignored("p", "#[test]\n  #[ignore = \" \"]\nfn f() {}").len(),
            1
        );
        assert!(ignored("p", "#[serde(ignored)]").is_empty());
    }

    #[test]
    fn what_is_too_long() {
        assert!(too_long("p", &"x\n".repeat(MOST_LINES)).is_empty());
        assert_eq!(too_long("p", &"x\n".repeat(MOST_LINES + 1)).len(), 1);
        let function = |lines: usize| {
            format!(
                "impl A {{\n    fn f(a: [u8; 2]) -> B\n    {{\n{}    }}\n}}",
                "{}\n".repeat(lines)
            )
        };
        assert!(long_functions("p", &function(MOST_LINES_OF_A_FUNCTION - 3)).is_empty());
        assert_eq!(
            long_functions("p", &function(MOST_LINES_OF_A_FUNCTION)).len(),
            1
        );
        let declared = format!("fn f();\nmod m {{\n{}}}", "x\n".repeat(MOST_LINES));
        assert!(long_functions("p", &declared).is_empty());
    }
}
