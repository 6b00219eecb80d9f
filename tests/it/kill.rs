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
    /// The option by which strace kills there, before the call is made.
    pub(crate) fn kill(&self) -> String {
        format!("inject={}:signal=SIGKILL:when={}", self.name, self.when)
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.when)
    }
}

/// How strace is told to follow a run's threads, and what it starts until that becomes a program of
/// its own: the checker alone is killed.
pub(crate) const THREADS: [&str; 3] = ["-f", "-b", "execve"];

/// Every such call of one run in any of its threads: of each name as many as the thread has that makes
/// most of them. strace counts by thread, so that of several which come so far the first is killed at.
pub(crate) fn points_of_threads(world: &World, args: &[&str], calls: &str) -> (Vec<Point>, Run) {
    let trace = world.base().join("trace");
    let path = trace.to_str().unwrap().to_owned();
    let traced = format!("trace={calls}");
    let mut strace = vec!["strace"];
    strace.extend(THREADS);
    strace.extend(["-o", &path, "-e", &traced]);
    let run = world.cmd(args).through(&strace).run();
    let mut seen = BTreeMap::<(String, String), u32>::new();
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let name = rest.trim_start().split_once('(').map(|(name, _)| name);
        let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if let Some(name) = name.filter(is_name) {
            *seen
                .entry((name.to_owned(), thread.to_owned()))
                .or_default() += 1;
        }
    }
    let mut most = BTreeMap::<String, u32>::new();
    for ((name, _), count) in seen {
        let entry = most.entry(name).or_default();
        *entry = count.max(*entry);
    }
    let of = |(name, most): (String, u32)| {
        (1..=most).map(move |when| Point {
            name: name.clone(),
            when,
        })
    };
    (most.into_iter().flat_map(of).collect(), run)
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
