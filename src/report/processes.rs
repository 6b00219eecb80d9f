//! The process table for whoever asks: `ps` as JSON and as lines for people.

use std::io::{self, Write};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::table::{self, Field};
use crate::model::process::{Entry, ProcessStatus};
use crate::model::text::{shortened, visible};
use crate::model::time::{Timestamp, human, millis};

/// The schema that the document names.
pub const SCHEMA: &str = "lazarus-pit/ps/1";

/// People are shown those that ended within this.
const RECENT: Duration = Duration::from_secs(86_400);

/// A command is shown with at least so many characters, however narrow the terminal.
const LEAST_COMMAND: usize = 16;

/// And with at most so many where there is no terminal that would break the line.
const MOST_COMMAND: usize = 200;

/// What a living process takes, together with all others of its session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// The share of one processor, in percent, on average over its life; more than 100 where it
    /// used several.
    pub cpu_percent: f64,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
}

/// An entry of the table with what is so of it now.
#[derive(Clone, Debug)]
pub struct Process {
    /// The entry, brought up to now.
    pub entry: Entry,
    /// What it takes; only of the living, and where it could be read.
    pub load: Option<Load>,
}

/// The process table, as `ps --json` prints it.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "The process table of lazarus-pit")]
pub struct Document<'a> {
    /// `lazarus-pit/ps/1`
    schema: &'static str,
    /// The state directory whose table it is.
    state_dir: &'a str,
    /// The living ones first, then the others; the newest first.
    processes: Vec<ProcessDocument<'a>>,
}

impl<'a> Document<'a> {
    /// All of them, in the order in which they are given.
    #[must_use]
    pub fn of(processes: &'a [Process], state_dir: &'a str, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            state_dir,
            processes: processes
                .iter()
                .map(|process| ProcessDocument::of(process, now))
                .collect(),
        }
    }
}

/// One process.
#[derive(Serialize, JsonSchema)]
struct ProcessDocument<'a> {
    /// Its id, which is that of the attempt that started it.
    r#ref: &'a str,
    /// What its keeper's lock is on.
    slot: &'a str,
    /// The subject that it was started for.
    subject: &'a str,
    /// The ref of the process that it belongs to; null for an agent.
    parent: Option<&'a str>,
    /// Who had it started.
    actor: &'a str,
    /// The incident in which it was started; empty where the subject was well.
    incident: &'a str,
    /// The number of the attempt within that incident, from 1.
    attempt: u32,
    /// The plan.
    plan: &'a str,
    /// Program and arguments.
    command: &'a [String],
    /// Where it was started.
    cwd: &'a str,
    /// Its pid; null where it was not started.
    pid: Option<i32>,
    /// When it started, in clock ticks since the boot.
    start_time: Option<u64>,
    /// The boot in which it was started.
    boot_id: &'a str,
    /// How far it is now, whatever was last written.
    status: ProcessStatus,
    /// What it ended with, where it ended by itself and somebody saw it.
    exit_code: Option<i32>,
    /// The number of the signal that ended it.
    signal: Option<i32>,
    /// When it was started.
    started_at: Timestamp,
    /// When it ended, or was found to have.
    ended_at: Option<Timestamp>,
    /// How long it ran.
    duration_ms: Option<u64>,
    /// The log that it began with.
    log: Option<&'a str>,
    /// Its keeper's pid.
    keeper_pid: Option<i32>,
    /// Why it could not be started, or what is not known of it.
    error: Option<&'a str>,
    /// Living ones: the share of one processor in percent, on average over its life, of all
    /// processes of its session.
    cpu_percent: Option<f64>,
    /// Living ones: the resident memory of all processes of its session.
    memory_bytes: Option<u64>,
    /// Living ones: for how long it has been running.
    uptime_seconds: Option<f64>,
}

impl<'a> ProcessDocument<'a> {
    fn of(process: &'a Process, now: Timestamp) -> Self {
        let Process { entry, load } = process;
        let lives = is_alive(entry);
        // To a tenth: more digits would say more than is known.
        let tenth = |n: f64| (n * 10.0).round() / 10.0;
        Self {
            r#ref: &entry.r#ref,
            slot: &entry.slot,
            subject: &entry.subject,
            parent: entry.parent.as_deref(),
            actor: &entry.actor,
            incident: &entry.incident,
            attempt: entry.attempt,
            plan: &entry.plan,
            command: &entry.command,
            cwd: &entry.cwd,
            pid: entry.pid,
            start_time: entry.start_time,
            boot_id: &entry.boot_id,
            status: entry.status,
            exit_code: entry.exit_code,
            signal: entry.signal,
            started_at: entry.started_at,
            ended_at: entry.ended_at,
            duration_ms: entry.duration_ms,
            log: entry.log.as_deref(),
            keeper_pid: entry.keeper_pid,
            error: entry.error.as_deref(),
            cpu_percent: load.map(|load| tenth(load.cpu_percent)),
            memory_bytes: load.map(|load| load.memory_bytes),
            uptime_seconds: lives.then(|| millis(now.since(entry.started_at)) as f64 / 1000.0),
        }
    }
}

/// The JSON Schema of the document.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Document<'_>>()
}

/// True for one that lives, or is about to.
#[must_use]
pub fn is_alive(entry: &Entry) -> bool {
    !entry.status.is_over()
}

/// Puts the living ones first, and the newest of each first.
pub fn sort(processes: &mut [Process]) {
    processes.sort_by(|a, b| {
        is_alive(&b.entry)
            .cmp(&is_alive(&a.entry))
            .then_with(|| b.entry.r#ref.cmp(&a.entry.r#ref))
    });
}

/// How much of the table people are to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The living, and what ended within a day.
    Recent,
    /// Only the living.
    Living,
    /// Everything.
    All,
}

/// The table for people; `width` is the terminal's, where there is one.
///
/// # Errors
/// Those of the writer.
pub fn write(
    processes: &[Process],
    extent: Extent,
    width: Option<usize>,
    now: Timestamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    let is_shown = |process: &&Process| match extent {
        Extent::All => true,
        Extent::Living => is_alive(&process.entry),
        Extent::Recent => {
            let ended = process.entry.ended_at;
            is_alive(&process.entry) || ended.is_none_or(|at| now < at.plus(RECENT))
        }
    };
    let shown: Vec<[String; 7]> = processes
        .iter()
        .filter(is_shown)
        .map(|p| line(p, now))
        .collect();
    let hidden = processes.len() - shown.len();
    if !shown.is_empty() {
        let head = ["SUBJECT", "PID", "STATUS", "SINCE", "CPU", "MEMORY", "END"];
        let widest = |at: usize| {
            let column = shown.iter().map(|line| visible(&line[at]).chars().count());
            column.max().unwrap_or(0).max(head[at].len()) + 2
        };
        let taken: usize = (0..head.len()).map(widest).sum();
        let room = width.map_or(MOST_COMMAND, |width| {
            // One for the mark that something was left out.
            width.saturating_sub(taken + 1).max(LEAST_COMMAND)
        });
        let commands = processes.iter().filter(is_shown).map(|p| command(&p.entry));
        let commands: Vec<String> = commands
            .map(|text| shortened(&visible(&text), room).into_owned())
            .collect();
        table::write(out, || {
            let lines = shown.iter().zip(&commands).map(|(line, command)| {
                let [a, b, c, d, e, f, g] = line;
                [a, b, c, d, e, f, g, command].map(|text| Field::plain(text))
            });
            let [a, b, c, d, e, f, g] = head;
            std::iter::once([a, b, c, d, e, f, g, "COMMAND"].map(Field::plain)).chain(lines)
        })?;
    }
    match (shown.len(), hidden, extent) {
        (0, 0, _) => writeln!(out, "No process was started."),
        (0, n, Extent::Living) => writeln!(out, "None lives; {n} ended (--all shows them)."),
        (_, 0, _) => Ok(()),
        (_, n, Extent::Living) => writeln!(out, "And {n} that ended (--all shows them)."),
        (_, n, _) => writeln!(out, "And {n} that ended over a day ago (--all shows them)."),
    }
}

fn line(process: &Process, now: Timestamp) -> [String; 7] {
    let Process { entry, load } = process;
    let dash = || "-".to_owned();
    let since = match (is_alive(entry), entry.ended_at) {
        (true, _) => human(now.since(entry.started_at)),
        (false, Some(at)) => format!("{} ago", human(now.since(at))),
        (false, None) => dash(),
    };
    [
        entry.subject.clone(),
        entry.pid.map_or_else(dash, |pid| pid.to_string()),
        entry.status.as_str().to_owned(),
        since,
        load.map_or_else(dash, |load| format!("{:.1}%", load.cpu_percent)),
        load.map_or_else(dash, |load| size(load.memory_bytes)),
        end(entry),
    ]
}

/// What it ended with: the exit status, the signal, or that nobody knows.
fn end(entry: &Entry) -> String {
    match (entry.exit_code, entry.signal) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => crate::sys::host::signal_name(signal),
        (None, None) if is_alive(entry) || entry.pid.is_none() => "-".to_owned(),
        (None, None) => "?".to_owned(),
    }
}

fn command(entry: &Entry) -> String {
    match &entry.error {
        Some(error) if entry.status == ProcessStatus::Failed => error.clone(),
        _ => entry.command.join(" "),
    }
}

/// A number of bytes in at most four digits: `812KiB`, `1.4GiB`.
fn size(bytes: u64) -> String {
    let mut n = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if n < 1000.0 {
            break;
        }
        n /= 1024.0;
        unit = next;
    }
    match n < 10.0 && unit != "B" {
        true => format!("{n:.1}{unit}"),
        false => format!("{n:.0}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(r#ref: &str, status: &str, ended: Option<i64>) -> Process {
        let entry = serde_json::json!({
            "ref": r#ref, "slot": "a/x", "subject": "a/x", "actor": "run", "status": status,
            "started_at": Timestamp::from_secs(1000), "pid": 42,
            "ended_at": ended.map(Timestamp::from_secs),
            "command": ["agent", "--on", "x\u{1b}[2J"],
        });
        Process {
            entry: serde_json::from_value(entry).unwrap(),
            load: None,
        }
    }

    fn text(all: &[Process], extent: Extent, width: Option<usize>) -> String {
        let mut out = Vec::new();
        write(all, extent, width, Timestamp::from_secs(200_000), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_living_come_first_and_old_ends_are_counted() {
        let mut all = vec![
            process("1", "running", None),
            process("2", "exited", Some(2000)),
            process("3", "unknown", Some(199_000)),
        ];
        sort(&mut all);
        let order: Vec<&str> = all.iter().map(|p| p.entry.r#ref.as_str()).collect();
        assert_eq!(order, ["1", "3", "2"]);
        let recent = text(&all, Extent::Recent, None);
        let expected = "\
SUBJECT  PID  STATUS   SINCE       CPU  MEMORY  END  COMMAND
a/x      42   running  2d 7h       -    -       -    agent --on x\\x1b[2J
a/x      42   unknown  16m 40s ago  -    -       ?    agent --on x\\x1b[2J
And 1 that ended over a day ago (--all shows them).
";
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&recent), squeezed(expected));
        assert!(text(&all, Extent::All, None).lines().count() == 4);
        assert!(text(&all, Extent::Living, None).contains("And 2 that ended"));
        assert_eq!(text(&[], Extent::Recent, None), "No process was started.\n");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut long = process("1", "running", None);
        long.entry.command = vec!["x".repeat(500)];
        let shown = text(&[long], Extent::Recent, Some(80));
        assert!(
            shown.lines().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
        assert!(shown.contains('…'));
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1.0KiB"),
            (3 << 20, "3.0MiB"),
            (812 << 10, "812KiB"),
            (1023 << 20, "1.0GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
