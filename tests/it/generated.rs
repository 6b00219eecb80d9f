//! What is shipped beside the program and made from it: the manual page, completions, the schema
//! of the report, the table of exit codes. `LAZARUS_BLESS=1` writes the copies anew.

use std::path::Path;
use std::process::Command;

use lazarus_pit::model::exit::Exit;

/// Holds a shipped copy to what the program makes.
fn compare(file: &str, made: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("LAZARUS_BLESS").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    let shipped = std::fs::read(&path).unwrap_or_default();
    assert!(
        shipped == made,
        "{file} is not what the program makes; LAZARUS_BLESS=1 cargo test writes it anew"
    );
}

/// What the program prints.
fn printed(args: &[&str]) -> Vec<u8> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lazarus-pit"));
    let output = program.args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    output.stdout
}

#[test]
fn the_manual_page_is_that_of_the_program() {
    compare("docs/man/lazarus-pit.8", &printed(&["man"]));
}

#[test]
fn the_completions_are_those_of_the_program() {
    for (shell, file) in [
        ("bash", "lazarus-pit.bash"),
        ("zsh", "_lazarus-pit"),
        ("fish", "lazarus-pit.fish"),
    ] {
        let file = format!("contrib/completions/{file}");
        compare(&file, &printed(&["completions", shell]));
    }
}

#[test]
fn the_schema_is_that_of_the_report() {
    let schema = lazarus_pit::report::json::schema();
    let mut made = serde_json::to_vec_pretty(&schema).unwrap();
    made.push(b'\n');
    compare("docs/schema/report.schema.json", &made);
}

#[test]
fn the_schema_is_that_of_a_plan() {
    let mut made = serde_json::to_vec_pretty(&lazarus_pit::plan::schema()).unwrap();
    made.push(b'\n');
    compare("docs/schema/plan.schema.json", &made);
}

#[test]
fn the_schema_is_that_of_the_process_table() {
    let mut made = serde_json::to_vec_pretty(&lazarus_pit::report::processes::schema()).unwrap();
    made.push(b'\n');
    compare("docs/schema/ps.schema.json", &made);
}

#[test]
fn every_exit_code_stands_in_its_document() {
    let doc = include_str!("../../docs/exit-codes.md");
    for exit in Exit::ALL {
        let row = format!("| {} | {}", exit.code(), exit.meaning());
        assert!(doc.contains(&row), "docs/exit-codes.md lacks `{row}`");
    }
}

/// The schema is not only shipped: what a run really prints holds to it.
#[test]
fn a_real_report_holds_to_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("missions");
    let state = root.join("beats").join("state");
    for name in ["meta", "config", "logs", "artifacts", "worktree"] {
        std::fs::create_dir_all(root.join("beats").join(name)).unwrap();
    }
    std::fs::create_dir_all(&state).unwrap();
    let beat = br#"{"timestamp": 1795240000.5, "status": "thinking", "cycle": 42, "model": "m"}"#;
    std::fs::write(state.join("heartbeat.json"), beat).unwrap();
    std::fs::create_dir_all(root.join("empty\n\u{1b}[31m")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lazarus-pit"))
        .args(["check", "--dry-run", "--json", "--root"])
        .arg(&root)
        .arg("--state-dir")
        .arg(dir.path().join("state"))
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["summary"]["total_cells"], 2, "{report}");
    let schema = serde_json::to_value(lazarus_pit::report::json::schema()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = schema.iter_errors(&report).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Every field and every word that the schema knows is explained.
#[test]
fn the_reference_explains_the_whole_report() {
    fn words(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                if let Some(fields) = map.get("properties").and_then(|p| p.as_object()) {
                    found.extend(fields.keys().cloned());
                }
                let texts = map.get("enum").and_then(|e| e.as_array());
                let texts = texts.into_iter().flatten().chain(map.get("const"));
                found.extend(texts.filter_map(|t| t.as_str()).map(String::from));
                map.values().for_each(|inner| words(inner, found));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|inner| words(inner, found)),
            _ => {}
        }
    }
    let doc = include_str!("../../docs/report.md");
    let mut found = Vec::new();
    words(
        &serde_json::to_value(lazarus_pit::report::json::schema()).unwrap(),
        &mut found,
    );
    assert!(found.len() > 50, "{found:?}");
    for word in found {
        // Whole words between backticks, or a field of an object: `run.id`.
        let known = [format!("`{word}`"), format!(".{word}`")];
        let known = known.iter().any(|k| doc.contains(k)) || doc.contains(&format!("\"{word}\""));
        assert!(known, "docs/report.md does not mention {word}");
    }
}
