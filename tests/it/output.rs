//! What a run left behind, and the questions that tests ask of it.

#![allow(dead_code, reason = "a harness offers more than each test takes")]

use std::cell::OnceCell;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::Value;

use crate::world::SECRET;

/// Stands in every secret of a channel, in all tests: nothing that the program writes may have it.
const CANARY: &[u8] = b"CANARY";

/// True for bytes in which such a secret stands.
pub(crate) fn tells(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|part| part == CANARY)
}

/// Every status that the program may end with.
pub(crate) const DOCUMENTED: [i32; 9] = [0, 1, 2, 64, 66, 70, 74, 75, 78];

/// A run that has ended.
pub(crate) struct Run {
    words: String,
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    json: OnceCell<Value>,
}

impl Run {
    /// A run that has ended. Whatever it was, it told no secret.
    pub(crate) fn new(words: String, status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        let run = Self {
            words,
            status,
            stdout,
            stderr,
            json: OnceCell::new(),
        };
        assert!(!tells(&run.stdout) && !tells(&run.stderr), "{run}");
        run
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn code(&self, code: i32) -> &Self {
        self.code_in(&[code])
    }

    /// Asserts that the exit code is one of these.
    #[track_caller]
    pub(crate) fn code_in(&self, codes: &[i32]) -> &Self {
        assert!(
            self.status.code().is_some_and(|c| codes.contains(&c)),
            "expected exit {codes:?}: {self}"
        );
        self
    }

    /// The exit code; a run that a signal ended fails the test.
    #[track_caller]
    pub(crate) fn exit(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by a signal: {self}"))
    }

    /// The signal that ended it, if one did.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// True if the report warns of this.
    #[track_caller]
    pub(crate) fn warns(&self, code: &str) -> bool {
        self.warnings().contains(&code)
    }

    /// Asserts that it ended in a documented way: no panic, no abort, no signal, no defect.
    #[track_caller]
    pub(crate) fn survived(&self) -> &Self {
        let ok = DOCUMENTED.iter().copied().filter(|c| *c != 70);
        self.code_in(&ok.collect::<Vec<_>>());
        assert!(!self.stderr().contains("panicked"), "panicked: {self}");
        self
    }

    /// Standard output, which is always UTF-8.
    #[track_caller]
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    /// Standard error.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    #[track_caller]
    pub(crate) fn stdout_empty(&self) -> &Self {
        assert!(self.stdout.is_empty(), "output was not expected: {self}");
        self
    }

    #[track_caller]
    pub(crate) fn stderr_empty(&self) -> &Self {
        assert!(self.stderr.is_empty(), "messages were not expected: {self}");
        self
    }

    /// Asserts that standard output contains this.
    #[track_caller]
    pub(crate) fn stdout_has(&self, text: impl AsRef<str>) -> &Self {
        let text = text.as_ref();
        assert!(self.stdout().contains(text), "`{text}` is missing: {self}");
        self
    }

    /// Asserts that standard error contains this.
    #[track_caller]
    pub(crate) fn stderr_has(&self, text: impl AsRef<str>) -> &Self {
        let text = text.as_ref();
        assert!(self.stderr().contains(text), "{text:?} is missing: {self}");
        self
    }

    /// The last line of standard output.
    #[track_caller]
    pub(crate) fn last_line(&self) -> &str {
        self.stdout().lines().next_back().unwrap_or_default()
    }

    /// Asserts that nothing came out that moves a cursor or turns text around, and no byte of what
    /// must not be read.
    #[track_caller]
    pub(crate) fn clean(&self) -> &Self {
        let bad = |c: char| {
            matches!(c, '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}'
                | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if let Some((at, c)) = self.stdout().char_indices().find(|(_, c)| bad(*c)) {
            panic!("{c:?} at byte {at} of standard output: {self}");
        }
        let lossy = self.stderr();
        if let Some(c) = lossy.chars().find(|c| bad(*c)) {
            panic!("{c:?} on standard error: {self}");
        }
        assert!(!self.stdout().contains(SECRET), "leaked: {self}");
        assert!(!lossy.contains(SECRET), "leaked: {self}");
        self
    }

    /// The report; asserts that standard output is exactly one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> &Value {
        self.json.get_or_init(|| {
            serde_json::from_slice(&self.stdout)
                .unwrap_or_else(|e| panic!("standard output is not one JSON document: {e}: {self}"))
        })
    }

    /// Asserts that this is an error document with the code that the program ended with.
    #[track_caller]
    pub(crate) fn error_document(&self) -> &Value {
        let doc = self.json();
        assert_eq!(doc["schema"], "lazarus-pit/report/1", "{self}");
        assert_eq!(doc["error"]["code"], self.exit(), "{self}");
        let message = doc["error"]["message"].as_str();
        assert!(message.is_some_and(|m| !m.is_empty()), "{self}");
        doc
    }

    /// All cells of the report.
    #[track_caller]
    pub(crate) fn cells(&self) -> &[Value] {
        self.list("cells")
    }

    /// One of the report's lists.
    #[track_caller]
    pub(crate) fn list(&self, key: &str) -> &[Value] {
        self.json()[key]
            .as_array()
            .unwrap_or_else(|| panic!("{key} is no list: {self}"))
    }

    /// A list's members by one of their keys.
    #[track_caller]
    pub(crate) fn names(&self, list: &str, key: &str) -> Vec<&str> {
        let name = |v: &'_ Value| v[key].as_str().is_some();
        let all = self.list(list);
        assert!(all.iter().all(name), "{list} without {key}: {self}");
        all.iter().filter_map(|v| v[key].as_str()).collect()
    }

    /// One cell's object.
    #[track_caller]
    pub(crate) fn cell(&self, id: &str) -> &Value {
        let found = self.cells().iter().find(|c| c["mission_id"] == id);
        found.unwrap_or_else(|| panic!("no cell {id:?}: {self}"))
    }

    /// One cell's status.
    #[track_caller]
    pub(crate) fn status(&self, id: &str) -> &str {
        let status = self.cell(id)["status"].as_str();
        status.unwrap_or_else(|| panic!("{id} has no status: {self}"))
    }

    /// One cell's age in seconds.
    #[track_caller]
    pub(crate) fn age(&self, id: &str) -> u64 {
        let age = self.cell(id)["age_seconds"].as_u64();
        age.unwrap_or_else(|| panic!("{id} has no age: {self}"))
    }

    /// The codes of one cell's reasons.
    #[track_caller]
    pub(crate) fn reasons(&self, id: &str) -> Vec<&str> {
        let reasons = self.cell(id)["reasons"].as_array();
        let reasons = reasons.unwrap_or_else(|| panic!("{id} has no reasons: {self}"));
        reasons
            .iter()
            .map(|r| r["code"].as_str().unwrap())
            .collect()
    }

    /// The sentences of one cell's reasons, one a line.
    #[track_caller]
    pub(crate) fn sentences(&self, id: &str) -> String {
        let all = self.cell(id)["reasons"].as_array().unwrap();
        let all: Vec<_> = all.iter().map(|r| r["message"].as_str().unwrap()).collect();
        all.join("\n")
    }

    /// Asserts a cell's status and that this code is among its reasons.
    #[track_caller]
    pub(crate) fn expect(&self, id: &str, status: &str, code: &str) -> &Self {
        self.expect_any(id, &[(status, code)])
    }

    /// Asserts that a cell's status and a reason are one of these pairs; no code means no reason.
    #[track_caller]
    pub(crate) fn expect_any(&self, id: &str, any: &[(&str, &str)]) -> &Self {
        let (status, codes) = (self.status(id), self.reasons(id));
        let fits = |code: &str| match code {
            "" => codes.is_empty(),
            code => codes.contains(&code),
        };
        let ok = any.iter().any(|(s, c)| *s == status && fits(c));
        assert!(
            ok,
            "{id} is {status} for {codes:?}, expected {any:?}: {self}"
        );
        self
    }

    /// What a cell lacks, as it is written below the cell.
    #[track_caller]
    pub(crate) fn missing(&self, id: &str) -> Vec<&str> {
        let cell = self.cell(id);
        let root = format!("{}/", cell["root"].as_str().unwrap());
        let all = cell["missing_paths"].as_array().unwrap();
        all.iter()
            .map(|p| p.as_str().unwrap())
            .map(|p| p.strip_prefix(&root).unwrap_or(p))
            .collect()
    }

    /// One agent's object.
    #[track_caller]
    pub(crate) fn agent(&self, cell: &str, name: &str) -> &Value {
        let agents = self.cell(cell)["agents"].as_array().unwrap();
        let found = agents.iter().find(|a| a["name"] == name);
        found.unwrap_or_else(|| panic!("no agent {cell}/{name}: {self}"))
    }

    /// The names of a cell's agents.
    #[track_caller]
    pub(crate) fn agents(&self, cell: &str) -> Vec<&str> {
        let agents = self.cell(cell)["agents"].as_array().unwrap();
        agents.iter().map(|a| a["name"].as_str().unwrap()).collect()
    }

    /// The decision about a subject, if there is one.
    #[track_caller]
    pub(crate) fn decision(&self, subject: &str) -> Option<&Value> {
        self.list("decisions")
            .iter()
            .find(|d| d["subject"] == subject)
    }

    /// The verdict about a subject; none means that it is healthy.
    #[track_caller]
    pub(crate) fn verdict(&self, subject: &str) -> Option<&str> {
        self.decision(subject).and_then(|d| d["verdict"].as_str())
    }

    /// The subjects of all decisions, in the report's order.
    #[track_caller]
    pub(crate) fn subjects(&self) -> Vec<&str> {
        self.names("decisions", "subject")
    }

    /// The codes of all warnings.
    #[track_caller]
    pub(crate) fn warnings(&self) -> Vec<&str> {
        self.names("warnings", "code")
    }

    /// One number of the summary.
    #[track_caller]
    pub(crate) fn summary(&self, key: &str) -> u64 {
        let number = self.json()["summary"][key].as_u64();
        number.unwrap_or_else(|| panic!("no {key} in the summary: {self}"))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let head: String = text.chars().take(4000).collect();
            format!(
                "{} bytes\n{}",
                bytes.len(),
                head.escape_debug().to_string().replace("\\n", "\n")
            )
        };
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {signal:?}"),
        };
        write!(
            f,
            "{how}\n  ran {}\n--- stdout, {}\n--- stderr, {}\n---",
            self.words,
            shown(&self.stdout),
            shown(&self.stderr)
        )
    }
}
