//! For tests that kill a run at each of its calls in turn.

use std::collections::BTreeMap;
use std::fs;

use crate::output::Run;
use crate::world::World;

/// One call of one run: its name, and how manieth of that name it is in its process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) when: u32,
}

impl Point {
    /// The option by which strace does something there, in the place of the call: `signal=SIGKILL`,
    /// `error=EIO`.
    pub(crate) fn inject(&self, what: &str) -> String {
        format!("inject={}:{what}:when={}", self.name, self.when)
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.when)
    }
}

/// True for a call that changes files: opening for reading does not.
pub(crate) fn changes(name: &str, line: &str) -> bool {
    name != "openat" || line.contains("O_CREAT")
}

/// Every such call of one run, in the process that strace starts. `calls` is what strace takes
/// after `trace=`, `counts` chooses among them by their lines.
pub(crate) fn points(
    world: &World,
    args: &[&str],
    calls: &str,
    counts: impl Fn(&str, &str) -> bool,
) -> (Vec<Point>, Run) {
    let trace = world.base().join("trace");
    let path = trace.to_str().unwrap().to_owned();
    let strace = ["strace", "-o", &path, "-e", &format!("trace={calls}")];
    let run = world.cmd(args).through(&strace).run();
    let mut seen = BTreeMap::<String, u32>::new();
    let mut points = Vec::new();
    for line in fs::read_to_string(&trace).unwrap().lines() {
        // `+++ exited` and `--- SIGCHLD` are no calls.
        let name = line.split_once('(').map(|(name, _)| name);
        let Some(name) =
            name.filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        else {
            continue;
        };
        let when = seen.entry(name.to_owned()).or_default();
        *when += 1;
        if counts(name, line) {
            points.push(Point {
                name: name.to_owned(),
                when: *when,
            });
        }
    }
    (points, run)
}
