//! The source as the rules look at it: without comments and texts, and what ships of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the source.
pub(super) struct Source {
    /// Its path from the root of the repository.
    pub(super) path: String,
    /// As it is written.
    pub(super) text: String,
    /// Its code: comments and texts blanked, the same lines.
    pub(super) code: String,
    /// Its code that ships: without what is for tests only. Empty for a file of tests.
    pub(super) shipped: String,
}

impl Source {
    /// The module at the top: `core` for `src/core/decide.rs`.
    pub(super) fn module(&self) -> &str {
        module_of(&self.path)
    }
}

pub(super) fn module_of(path: &str) -> &str {
    let rest = path.strip_prefix("src/").unwrap_or(path);
    rest.split('/')
        .next()
        .unwrap_or(rest)
        .trim_end_matches(".rs")
}

pub(super) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of the repository.
pub(super) fn sources(folder: &str) -> Vec<Source> {
    let mut all = Vec::new();
    let mut tests = BTreeSet::new();
    for entry in walkdir::WalkDir::new(repository().join(folder)).sort_by_file_name() {
        let entry = entry.unwrap();
        if entry.path().extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        tests.extend(files_of_tests(entry.path(), &text));
        let path = entry.path().strip_prefix(repository()).unwrap();
        let code = code(&text);
        all.push(Source {
            path: path.to_str().unwrap().to_owned(),
            shipped: without_tests(&code),
            text,
            code,
        });
    }
    for source in &mut all {
        let path = repository().join(&source.path);
        if path.ancestors().any(|path| tests.contains(path)) {
            source.shipped.clear();
        }
    }
    assert!(!all.is_empty(), "{folder} has no source");
    all
}

/// The code with every comment and the inside of every text blanked, the same lines.
pub(super) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match end_of_prose(&chars, at) {
            Some(end) => end,
            None => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
        };
        let blank = |c: &char| if *c == '\n' { '\n' } else { ' ' };
        out.extend(chars[at..end].iter().map(blank));
        at = end;
    }
    out
}

/// Where the comment or text that begins here ends, if one does.
pub(super) fn end_of_prose(chars: &[char], at: usize) -> Option<usize> {
    let is = |at: usize, text: &str| {
        text.chars()
            .eq(chars[at..].iter().copied().take(text.len()))
    };
    let find = |from: usize, text: &str| {
        let found = (from..chars.len()).find(|at| is(*at, text));
        found.map_or(chars.len(), |at| at + text.len())
    };
    if is(at, "//") {
        let line = chars[at..].iter().take_while(|c| **c != '\n');
        return Some(at + line.count());
    }
    if is(at, "/*") {
        return Some(find(at + 2, "*/"));
    }
    if is(at, "'") {
        // A character; else it is a lifetime.
        let escaped = is(at + 1, "\\");
        let one = chars.get(at + 2) == Some(&'\'');
        return match (escaped, one) {
            (true, _) => Some(find(at + 3, "'")),
            (false, true) => Some(at + 3),
            _ => None,
        };
    }
    let before = at.checked_sub(1).map(|at| chars[at]);
    let in_word = before.is_some_and(|c| c.is_alphanumeric() && !matches!(c, 'b' | 'c'));
    if is(at, "r") && !in_word {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        if is(at + 1 + hashes, "\"") {
            let close = format!("\"{}", "#".repeat(hashes));
            return Some(find(at + 2 + hashes, &close));
        }
    }
    if is(at, "\"") {
        let mut end = at + 1;
        while end < chars.len() && chars[end] != '"' {
            end += 1 + usize::from(chars[end] == '\\');
        }
        return Some((end + 1).min(chars.len()));
    }
    None
}

/// The code with everything under `#[cfg(test)]` blanked.
pub(super) fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(at) = out.find("#[cfg(test)]") {
        let rest = &out[at..];
        let end = match (rest.find('{'), rest.find(';')) {
            (Some(open), semi) if semi.is_none_or(|semi| open < semi) => {
                at + open + closing(&rest[open..])
            }
            (_, Some(semi)) => at + semi + 1,
            _ => out.len(),
        };
        let lines: String = out[at..end].chars().filter(|c| *c == '\n').collect();
        out.replace_range(at..end, &lines);
    }
    out
}

/// The length of what stands between a brace that opens and the one that closes it, both included.
pub(super) fn closing(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The files that a file declares for its tests only.
pub(super) fn files_of_tests(path: &Path, text: &str) -> Vec<PathBuf> {
    let folder = path.parent().unwrap();
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let own = match stem {
        "mod" | "lib" | "main" => folder.to_owned(),
        _ => folder.join(stem),
    };
    let declared = text.split("#[cfg(test)]\n").skip(1).filter_map(|after| {
        let mut lines = after.lines().peekable();
        let written = lines
            .next_if(|line| line.starts_with("#[path = \""))
            .and_then(|line| line.split('"').nth(1));
        let name = lines.next()?.split_once("mod ")?.1.strip_suffix(';')?;
        Some(match written {
            Some(written) => vec![folder.join(written)],
            // A module of tests may be a folder, and all below it is for tests too.
            None => vec![own.join(format!("{name}.rs")), own.join(name)],
        })
    });
    declared.flatten().collect()
}

pub(super) fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn comments_and_texts_are_no_code() {
    let text =
        "a(\"x // \\\" y\"); // b\nc /* d\n */ e('\"', '\\'', r#\"\"f\"#, b\"g\"); fn h<'i>() {}";
    let code = code(text);
    assert_eq!(code.lines().count(), text.lines().count());
    let left: String = code.split_whitespace().collect();
    assert_eq!(left, "a();ce(,,,b);fnh<'i>(){}");
}

#[test]
fn what_is_for_tests_does_not_ship() {
    let code = "use a;\n#[cfg(test)]\nmod b;\nfn c() { d() }\n#[cfg(test)]\nmod e {\n fn f() {}\n}\nfn g() {}";
    let shipped = without_tests(code);
    assert_eq!(shipped.lines().count(), code.lines().count());
    let left: String = shipped.split_whitespace().collect();
    assert_eq!(left, "usea;fnc(){d()}fng(){}");
    let text = "#[cfg(test)]\n#[path = \"x_tests.rs\"]\nmod tests;\n#[cfg(test)]\npub(super) mod sample;\n";
    let files = |path: &str| files_of_tests(Path::new(path), text);
    assert_eq!(
        files("/s/x.rs"),
        ["/s/x_tests.rs", "/s/x/sample.rs", "/s/x/sample"].map(Path::new)
    );
    assert_eq!(files("/s/mod.rs")[1], Path::new("/s/sample.rs"));
}
