//! The documents hold to the program: what they name is there, and what is there they name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program under test.
const BIN: &str = env!("CARGO_BIN_EXE_lazarus-pit");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// README.md and all that lies in docs.
fn documents() -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from("README.md")];
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        all.extend(name.ends_with(".md").then(|| Path::new("docs").join(&name)));
    }
    assert!(all.len() > 5);
    all
}

/// Shows all that is wrong at once.
#[track_caller]
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

// What `--help` says.

/// One command's usage line and long options.
#[derive(Debug)]
struct Help {
    usage: String,
    options: BTreeSet<String>,
}

fn help(args: &[&str]) -> String {
    let output = Command::new(BIN).args(args).arg("--help").output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn parsed(text: &str) -> Help {
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: "));
    let options = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let long = match line.split_once(", --") {
            Some((short, long)) if short.starts_with('-') && short.len() == 2 => long,
            _ => line.strip_prefix("--")?,
        };
        Some(long_name(long))
    });
    Help {
        usage: usage.unwrap().to_owned(),
        options: options.collect(),
    }
}

fn long_name(text: &str) -> String {
    let name = |c: &char| c.is_ascii_lowercase() || *c == '-';
    text.chars().take_while(name).collect()
}

/// Each command with its help; under "" the program itself.
fn commands() -> BTreeMap<String, Help> {
    let top = help(&[]);
    let names = top
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.split_whitespace().next())
        .filter(|name| *name != "help");
    let mut all: BTreeMap<String, Help> = names
        .map(|name| (name.to_owned(), parsed(&help(&[name]))))
        .collect();
    assert!(
        all.contains_key("check") && all.contains_key("beat"),
        "{all:?}"
    );
    all.insert(String::new(), parsed(&top));
    all
}

#[test]
fn the_command_line_is_documented_and_nothing_else_is() {
    let mut commands = commands();
    let top = commands.remove("").unwrap();
    let general: BTreeSet<String> = commands.values().fold(top.options.clone(), |kept, help| {
        kept.intersection(&help.options).cloned().collect()
    });
    let doc = read("docs/command-line.md");
    // The sections that describe a command or the options of all.
    let mut sections: BTreeMap<String, &str> = BTreeMap::new();
    for section in doc.split("\n## ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        let known = title.starts_with('`') || title == "Options of every command";
        if known {
            let before = sections.insert(title.trim_matches('`').to_owned(), body);
            assert!(before.is_none(), "two sections {title}");
        }
    }
    let mut wrong = Vec::new();
    let mut compare = |title: &str, expected: &BTreeSet<String>| {
        let Some(body) = sections.remove(title) else {
            wrong.push(format!("there is no section {title}"));
            return;
        };
        let rows = body.lines().filter_map(|line| line.strip_prefix("| `"));
        let first = rows.map(|row| row.split('|').next().unwrap());
        let found: BTreeSet<String> = first
            .flat_map(|cell| cell.split("--").skip(1))
            .map(long_name)
            .collect();
        for option in expected.difference(&found) {
            wrong.push(format!("{title}: --{option} is not described"));
        }
        for option in found.difference(expected) {
            wrong.push(format!("{title}: --{option} is described and is not there"));
        }
    };
    let with_version = general.iter().cloned().chain(["version".to_owned()]);
    compare("Options of every command", &with_version.collect());
    for (name, help) in &commands {
        compare(name, &help.options.difference(&general).cloned().collect());
    }
    wrong.extend(
        sections
            .keys()
            .map(|title| format!("there is no command {title}")),
    );
    for help in commands.values() {
        if !doc.contains(&help.usage) {
            wrong.push(format!("`{}` is not there", help.usage));
        }
    }
    // Without a command the options are those of `check`.
    let check: BTreeSet<String> = commands["check"].options.clone();
    let more: Vec<_> = top.options.symmetric_difference(&check).collect();
    assert_eq!(more, ["version"]);
    none(&wrong);
}

// Links.

/// The text without fenced and indented code, whose brackets are no links.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fence && !fenced && !line.starts_with("    ") {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// Where the links of a text lead.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    targets.filter_map(|rest| rest.split(')').next()).collect()
}

/// What a heading is called in a link, as GitHub has it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = read(&document);
        for link in links(&prose(&text)) {
            if link.starts_with("https://") || link.starts_with("http://") {
                continue;
            }
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            let path = repository().join(&target);
            if !path.exists() {
                wrong.push(format!("{}: {link} is not there", document.display()));
            } else if !part.is_empty() {
                let headings = prose(&read(&target));
                let mut headings = headings.lines().filter(|line| line.starts_with('#'));
                if !headings.any(|heading| anchor(heading) == part) {
                    wrong.push(format!(
                        "{}: {link} has no such heading",
                        document.display()
                    ));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn links_and_headings_are_found() {
    let text = "[a](b.md#c) `x`\n```\n[no](link)\n```\n    [nor](this)\n[d](e)";
    assert_eq!(links(&prose(text)), ["b.md#c", "e"]);
    assert_eq!(
        anchor("## The disk is full, or read-only"),
        "the-disk-is-full-or-read-only"
    );
    assert_eq!(anchor("### `quiet_for`"), "quiet_for");
}

// Commands.

/// What stands between backticks, in fences and in indented blocks.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.push(line.trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// The calls of the program in a piece of code: their words, up to where the shell goes on.
fn calls(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let words: Vec<&str> = code.split_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        let name = word.rsplit('/').next().unwrap();
        // `$ lazarus-pit …`, `sudo lazarus-pit …`, a path to it; but no sentence about it.
        let before = at.checked_sub(1).map(|at| words[at]);
        let begins = before.is_none_or(|w| matches!(w, "sudo" | "$" | "root" | "&&" | "||"));
        if name != "lazarus-pit" || !begins {
            continue;
        }
        let ends = |w: &&&str| !w.starts_with(['|', '>', '#', '&', ';']);
        let mut call: Vec<String> = Vec::new();
        for word in words[at + 1..].iter().take_while(ends) {
            let last = word.ends_with(';');
            call.push(
                word.trim_end_matches([';', ',', ']'])
                    .trim_start_matches('[')
                    .to_owned(),
            );
            if last {
                break;
            }
        }
        found.push(call);
    }
    found
}

#[test]
fn every_command_in_the_documents_can_be_given() {
    let commands = commands();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for document in documents() {
        // What was so in older versions may be gone.
        if document.ends_with("CHANGELOG.md") {
            continue;
        }
        let text = read(&document);
        for code in code(&text) {
            for call in calls(&code) {
                seen += 1;
                let place = || format!("{}: {code}", document.display());
                let name = call.iter().find(|w| commands.contains_key(*w));
                let help = &commands[name.map_or("", String::as_str)];
                let options = call.iter().filter_map(|w| w.strip_prefix("--"));
                for option in options.map(long_name) {
                    if !help.options.contains(&option) {
                        wrong.push(format!("{}: there is no --{option}", place()));
                    }
                }
                let first = call
                    .first()
                    .filter(|w| w.chars().all(|c| c.is_ascii_lowercase()));
                if first.is_some_and(|w| !w.is_empty() && w != "help" && !commands.contains_key(w))
                {
                    wrong.push(format!("{}: there is no such command", place()));
                }
            }
        }
    }
    assert!(seen > 30, "{seen}");
    none(&wrong);
}

#[test]
fn calls_are_found() {
    let words = |code: &str| {
        calls(code)
            .into_iter()
            .map(|c| c.join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(words("sudo lazarus-pit heartbeats   # why"), ["heartbeats"]);
    assert_eq!(words("lazarus-pit a --b; echo $?"), ["a --b"]);
    assert_eq!(words("* * * * * root /usr/bin/lazarus-pit -q # x"), ["-q"]);
    assert_eq!(words("lazarus-pit a > b || x"), ["a"]);
    assert!(words("install lazarus-pit.timer").is_empty());
}

/// What README.md tells people to run is there.
#[test]
fn the_readme_names_files_that_exist_and_the_tests() {
    let text = read("README.md");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.contains(&"    cargo test --locked"));
    let mut seen = 0;
    for word in code(&text).iter().flat_map(|code| code.split_whitespace()) {
        if ["contrib/", "docs/", "tests/", "config/"]
            .iter()
            .any(|d| word.starts_with(d))
        {
            seen += 1;
            assert!(repository().join(word).exists(), "README.md names {word}");
        }
    }
    assert!(seen > 0);
}

/// The first thing that anyone tries: it works, and shows what README.md says that it shows. A line
/// `…` there stands for what is left out.
#[test]
fn the_demo_shows_what_the_readme_shows() {
    let readme = read("README.md");
    assert!(readme.contains("\n    cargo run --locked -- demo\n"));
    let sample = readme.split("```text\n").nth(1).unwrap();
    let sample = without_figures(sample.split("```").next().unwrap());
    let output = Command::new(BIN).arg("demo").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let shown = without_figures(&String::from_utf8(output.stdout).unwrap());
    let mut rest = shown.as_str();
    for part in sample.split("… \n").map(str::trim) {
        let Some(at) = rest.find(part) else {
            panic!("README.md shows\n{part}\nand this is\n{rest}");
        };
        rest = &rest[at + part.len()..];
    }
}

/// The text with ages, times, ids, spaces and the demo's directory made alike: they are others in
/// each run.
fn without_figures(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let counts = line.starts_with("Lazarus Pit") || line.starts_with("(exit");
        let mut last = "";
        for word in line.split_whitespace() {
            let core = word.trim_matches(|c: char| matches!(c, '(' | ')' | ',' | ';'));
            let figure = !counts
                && core.starts_with(|c: char| c.is_ascii_digit())
                && core.chars().any(|c| c.is_ascii_digit());
            let word = if figure { "#" } else { word };
            // `1102d` and `1102d 10h` are one age.
            if !(word == "#" && last == "#") {
                let (before, after) = word.split_once("/lazarus-demo-").unwrap_or((word, ""));
                match after.len() {
                    0 => out.push_str(word),
                    _ => {
                        let quotes = before.trim_end_matches(|c| c != '"' && c != '(');
                        out.push_str(&format!("{quotes}/tmp/demo{}", &after[6..]));
                    }
                }
                out.push(' ');
            }
            last = word;
        }
        out.push('\n');
    }
    out
}

/// The picture and the table of docs/architecture.md are those of the source, and the files and
/// constants that it names are there.
#[test]
fn the_architecture_is_that_of_the_source() {
    let doc = read("docs/architecture.md");
    let source = read("src/lib.rs");
    let kept = |line: &&str| line.starts_with('|') || line.contains('─');
    let mut lines = source
        .lines()
        .filter_map(|l| l.strip_prefix("//! "))
        .filter(kept);
    let plain = |line: &str| line.replace("[`", "`").replace("`]", "`");
    let mut wrong: Vec<String> = Vec::new();
    for line in lines.by_ref().map(plain) {
        if !doc.contains(line.trim()) {
            wrong.push(format!(
                "docs/architecture.md lacks this line of src/lib.rs: {line}"
            ));
        }
    }
    for path in code(&doc).iter().flat_map(|code| code.split_whitespace()) {
        let named = ["src/", "tests/", "config/"]
            .iter()
            .any(|d| path.starts_with(d));
        if named && !repository().join(path).exists() {
            wrong.push(format!("{path} is not there"));
        }
    }
    let mut constants = 0;
    for row in doc
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains("`src/"))
    {
        let ticked: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let [name, path, ..] = ticked[..] else {
            continue;
        };
        if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            constants += 1;
            if !read(path).contains(&format!("const {name}:")) {
                wrong.push(format!("{path} has no constant {name}"));
            }
        }
    }
    assert!(constants > 15);
    none(&wrong);
}
