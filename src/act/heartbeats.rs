//! `heartbeats`: what scheduled jobs left of themselves, this program's own runs among them.
//!
//! Each job writes `<job>.last` into one directory. The directory is the operator's, and yet a
//! job may be anybody's: no link is followed, nothing but a regular file is read, and none of it
//! can make the reader wait.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use serde::Serialize;
use serde_json::Value;

use super::place;
use crate::model::exit::{Exit, Failure};
use crate::model::text::{from_bytes, shortened, visible};
use crate::model::time::{Timestamp, human as span};
use crate::sys::beneath::{self, Mounts, Small};

/// No job's file is larger.
const LARGEST: usize = 64 << 10;
/// The longest part of a job's own words that is shown.
const LONGEST_TEXT: usize = 128;
/// A time further ahead of now than this is not believed: a job with a broken clock must not look
/// punctual for ever.
const MOST_AHEAD: Duration = Duration::from_secs(300);

/// One job, as it left itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Its name, which is its file's.
    pub job: String,
    /// How long ago it ran, in whole seconds.
    pub age_seconds: Option<u64>,
    /// How often it is to run.
    pub interval_seconds: Option<u64>,
    /// True where that is more than two intervals ago, or cannot be told.
    pub late: bool,
    /// Its own word: `ok`, `warn`, `error`.
    pub status: Option<String>,
    /// Why its file cannot be used.
    pub problem: Option<String>,
}

/// All of them, for programs.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// Always `lazarus-pit/heartbeats/1`.
    pub schema: &'static str,
    /// The directory that was read.
    #[serde(serialize_with = "crate::model::text::serialize_path")]
    pub heartbeat_dir: PathBuf,
    /// How many are late.
    pub late: usize,
    /// The jobs, in byte order of their names.
    pub jobs: &'a [Job],
}

/// The jobs as a document.
#[must_use]
pub fn document<'a>(dir: &Path, jobs: &'a [Job]) -> Document<'a> {
    Document {
        schema: "lazarus-pit/heartbeats/1",
        heartbeat_dir: dir.to_owned(),
        late: jobs.iter().filter(|job| job.late).count(),
        jobs,
    }
}

/// The jobs for people, one a line, the late ones first.
#[must_use]
pub fn human(jobs: &[Job]) -> String {
    let mut out = String::new();
    let (late, punctual): (Vec<&Job>, Vec<&Job>) = jobs.iter().partition(|job| job.late);
    for job in late.iter().chain(&punctual) {
        let word = if job.late { "late" } else { "ok" };
        out.push_str(&format!("{word:<4} {}: ", visible(&job.job)));
        match (&job.problem, job.age_seconds, job.interval_seconds) {
            (Some(problem), ..) => out.push_str(&visible(problem)),
            (None, Some(age), Some(interval)) => {
                let (age, interval) = (Duration::from_secs(age), Duration::from_secs(interval));
                out.push_str(&format!(
                    "ran {} ago, runs every {}",
                    span(age),
                    span(interval)
                ));
            }
            _ => {}
        }
        if let Some(status) = &job.status {
            out.push_str(&format!(", status {}", visible(status)));
        }
        out.push('\n');
    }
    let all = if jobs.len() == 1 { "job" } else { "jobs" };
    out.push_str(&format!("{} {all}, {} late\n", jobs.len(), late.len()));
    out
}

/// Reads every `*.last` in the directory; in byte order of the names.
///
/// # Errors
/// The directory is not there or cannot be read (1): then nothing can be said of any job.
pub fn read(dir: &Path, now: Timestamp) -> Result<Vec<Job>, Failure> {
    let unread = |why: String| {
        let message = format!(
            "reading the heartbeat directory {}: {why}",
            place::shown(dir)
        );
        Failure::new(Exit::InHand, message)
    };
    let fd = beneath::open_root(dir).map_err(|errno| {
        let hint = if errno == Errno::NOENT {
            " (no job has written there yet)"
        } else {
            ""
        };
        unread(format!("{}{hint}", place::why(errno)))
    })?;
    let mut buffer = vec![0; LARGEST + 1];
    let mut jobs = Vec::new();
    for entry in walkdir::WalkDir::new(dir).min_depth(1).max_depth(1) {
        let entry = match entry {
            Ok(entry) => entry,
            // One that vanished while the directory was read is none.
            Err(e) if e.depth() > 0 => continue,
            Err(e) => return Err(unread(e.to_string())),
        };
        let name = entry.file_name().as_bytes();
        // A hidden name is a temporary one, of a job that is about to move it into place.
        if let Some(job) = name
            .strip_suffix(b".last")
            .filter(|j| !j.is_empty() && j[0] != b'.')
        {
            jobs.extend(read_one(
                &fd,
                name,
                from_bytes(job).into_owned(),
                now,
                &mut buffer,
            ));
        }
    }
    jobs.sort_by(|a, b| a.job.as_bytes().cmp(b.job.as_bytes()));
    Ok(jobs)
}

/// `None` where it is gone by now.
fn read_one(
    dir: &OwnedFd,
    name: &[u8],
    job: String,
    now: Timestamp,
    buffer: &mut [u8],
) -> Option<Job> {
    let said = match beneath::read_small(dir, name, buffer, Mounts::Cross) {
        Ok(Small::Read(_, length)) => parse(&buffer[..length], now),
        Ok(Small::NotRegular(kind)) => Err(format!(
            "its file is {}, not a regular file",
            beneath::describe(kind)
        )),
        Ok(Small::TooLarge(size)) => Err(format!("its file has {size} bytes, more than {LARGEST}")),
        Err(Errno::NOENT) => return None,
        Err(Errno::LOOP) => Err("its file is a symbolic link, not a regular file".into()),
        Err(errno) => Err(format!("its file could not be read: {}", place::why(errno))),
    };
    Some(match said {
        Ok(said) => Job {
            job,
            age_seconds: Some(said.age),
            interval_seconds: Some(said.interval),
            late: said.age > said.interval.saturating_mul(2),
            status: said.status,
            problem: None,
        },
        Err(problem) => Job {
            job,
            age_seconds: None,
            interval_seconds: None,
            late: true,
            status: None,
            problem: Some(problem),
        },
    })
}

struct Said {
    age: u64,
    interval: u64,
    status: Option<String>,
}

fn parse(text: &[u8], now: Timestamp) -> Result<Said, String> {
    // The parser's own words can quote the contents: only the place is told.
    let value: Value = serde_json::from_slice(text).map_err(|e| {
        format!(
            "its file is no JSON (line {} column {})",
            e.line(),
            e.column()
        )
    })?;
    let fields = value.as_object().ok_or("its file is no JSON object")?;
    let at = match fields.get("timestamp") {
        None | Some(Value::Null) => return Err("its file has no timestamp".into()),
        Some(Value::String(text)) => Timestamp::parse(text),
        Some(value) => value.as_f64().and_then(Timestamp::from_f64),
    };
    let at = at.ok_or("its timestamp is neither a number nor an RFC 3339 time")?;
    let ahead = at.since(now);
    if ahead > MOST_AHEAD {
        return Err(format!("its timestamp lies {} in the future", span(ahead)));
    }
    let interval = fields
        .get("interval_seconds")
        .and_then(Value::as_f64)
        .filter(|n| n.is_finite() && *n > 0.0)
        .ok_or("it does not say how often it is to run (interval_seconds)")?;
    Ok(Said {
        age: now.since(at).as_secs(),
        // `as` saturates; rounded up, since half a second is not no interval at all.
        interval: interval.ceil() as u64,
        status: fields
            .get("status")
            .and_then(Value::as_str)
            .map(|text| shortened(text, LONGEST_TEXT).into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_240_000;

    fn job(text: &str) -> Result<(u64, u64), String> {
        parse(text.as_bytes(), Timestamp::from_secs(NOW)).map(|said| (said.age, said.interval))
    }

    #[test]
    fn what_a_job_says_is_checked() {
        let at = NOW - 90;
        assert_eq!(
            job(&format!(
                r#"{{"timestamp": {at}.5, "interval_seconds": 60}}"#
            )),
            Ok((89, 60))
        );
        let text = Timestamp::from_secs(at).to_string();
        assert_eq!(
            job(&format!(
                r#"{{"timestamp": "{text}", "interval_seconds": 0.5}}"#
            )),
            Ok((90, 1))
        );
        let near = NOW + 200;
        assert_eq!(
            job(&format!(
                r#"{{"timestamp": {near}, "interval_seconds": 60}}"#
            )),
            Ok((0, 60))
        );
        for bad in [
            "",
            "[]",
            "{",
            "{}",
            r#"{"timestamp": null, "interval_seconds": 60}"#,
            r#"{"timestamp": NaN, "interval_seconds": 60}"#,
            r#"{"timestamp": 1e400, "interval_seconds": 60}"#,
            r#"{"timestamp": "soon", "interval_seconds": 60}"#,
            r#"{"timestamp": 4000000000, "interval_seconds": 60}"#,
            r#"{"timestamp": 1795240000}"#,
            r#"{"timestamp": 1795240000, "interval_seconds": 0}"#,
            r#"{"timestamp": 1795240000, "interval_seconds": -1}"#,
        ] {
            assert!(job(bad).is_err(), "{bad}");
        }
        assert!(job(&"[".repeat(20_000)).is_err());
    }

    #[test]
    fn every_job_is_told_and_none_makes_the_reader_wait() {
        let tmp = tempfile::tempdir().unwrap();
        let p = tmp.path();
        let write = |name: &str, age: i64| {
            let at = NOW - age;
            let text = format!(
                r#"{{"job": "x", "timestamp": {at}, "interval_seconds": 60, "status": "ok\u001b[2J"}}"#
            );
            std::fs::write(p.join(name), text).unwrap();
        };
        write("punctual.last", 120);
        write("late.last", 121);
        write(".hidden.last", 9999);
        write("other.json", 9999);
        std::fs::write(p.join("large.last"), vec![b' '; LARGEST + 1]).unwrap();
        std::fs::write(p.join("es\u{1b}cape.last"), "").unwrap();
        std::os::unix::fs::symlink("punctual.last", p.join("link.last")).unwrap();
        std::fs::create_dir(p.join("dir.last")).unwrap();
        nix::unistd::mkfifo(&p.join("fifo.last"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let jobs = read(p, Timestamp::from_secs(NOW)).unwrap();
        let told: Vec<(&str, bool, bool)> = jobs
            .iter()
            .map(|j| (j.job.as_str(), j.late, j.problem.is_some()))
            .collect();
        let want = [
            ("dir", true, true),
            ("es\u{1b}cape", true, true),
            ("fifo", true, true),
            ("large", true, true),
            ("late", true, false),
            ("link", true, true),
            ("punctual", false, false),
        ];
        assert_eq!(told, want);
        let text = human(&jobs);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(
            text.contains("late late: ran 2m 1s ago, runs every 1m, status ok\\x1b[2J\n"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "ok   punctual: ran 2m ago, runs every 1m, status ok\\x1b[2J\n7 jobs, 6 late\n"
            ),
            "{text}"
        );
        let json = serde_json::to_string(&document(p, &jobs)).unwrap();
        assert!(
            json.starts_with(r#"{"schema":"lazarus-pit/heartbeats/1","#),
            "{json}"
        );
    }

    #[test]
    fn a_directory_that_is_not_there_says_nothing_of_any_job() {
        let tmp = tempfile::tempdir().unwrap();
        let failure = read(&tmp.path().join("none"), Timestamp::from_secs(NOW)).unwrap_err();
        assert_eq!(failure.exit, Exit::InHand);
        assert!(
            failure.message.contains("no job has written there yet"),
            "{failure}"
        );
        assert_eq!(read(tmp.path(), Timestamp::from_secs(NOW)).unwrap(), []);
    }
}
