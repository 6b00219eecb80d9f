//! The last run, as it is known afterwards: from the state, and from the heartbeat that it left.

use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use serde::Deserialize;

use crate::model::exit::Exit;
use crate::model::snapshot::Summary;
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::sys::beneath::{self, Mounts, Small};

/// No heartbeat of ours is larger.
const LARGEST: usize = 64 << 10;

/// A run that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// When it ended.
    pub ended: Timestamp,
    /// What it exited with.
    pub exit: u8,
    /// How long it took.
    pub took: Duration,
    /// How many cells it found in which status, where it left that.
    pub summary: Option<Summary>,
}

impl Past {
    /// True where it did its work, whatever it found.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.exit <= Exit::Critical.code()
    }

    /// The last run that looked at every cell.
    #[must_use]
    pub fn of_state(state: &State) -> Option<Self> {
        let last = state.last_run.as_ref()?;
        let took = Duration::from_millis(last.duration_ms);
        Some(Self {
            ended: last.at.plus(took),
            exit: last.exit,
            took,
            summary: None,
        })
    }

    /// The later of the two. A run leaves its heartbeat after its state: only a state that *began*
    /// after the heartbeat is of another run, one that left no heartbeat.
    #[must_use]
    pub fn last(state: Option<Self>, beat: Option<Self>) -> Option<Self> {
        match (state, beat) {
            (Some(state), Some(beat)) if state.ended.minus(state.took) > beat.ended => Some(state),
            (state, beat) => beat.or(state),
        }
    }
}

/// The heartbeat as it is read back.
#[derive(Deserialize)]
struct Beat {
    timestamp: f64,
    exit_code: u8,
    #[serde(default)]
    duration_ms: u64,
    #[serde(default)]
    summary: Option<Summary>,
}

/// Reads the heartbeat that the last run left in `dir`; `None` where there is none.
///
/// # Errors
/// A sentence: it cannot be read, or is none of ours. It quotes nothing of the file.
pub fn read_beat(dir: &Path, job: &str) -> Result<Option<Past>, String> {
    let name = format!("{job}.last");
    let wrong = |why: String| format!("{}: {why}", dir.join(&name).display());
    let fd = match beneath::open_root(dir) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(e) => return Err(wrong(beneath::reason(e))),
    };
    let mut buffer = vec![0; LARGEST + 1];
    let length = match beneath::read_small(fd, name.as_str(), &mut buffer, Mounts::Cross) {
        Ok(Small::Read(_, length)) => length,
        Ok(Small::NotRegular(kind)) => return Err(wrong(beneath::describe(kind).to_owned())),
        Ok(Small::TooLarge(size)) => return Err(wrong(format!("{size} bytes are too many"))),
        Err(Errno::NOENT) => return Ok(None),
        Err(e) => return Err(wrong(beneath::reason(e))),
    };
    // The parser's own words can quote the contents: only the place is told.
    let place = |e: serde_json::Error| {
        let (line, column) = (e.line(), e.column());
        wrong(format!("no heartbeat (line {line} column {column})"))
    };
    let beat: Beat = serde_json::from_slice(&buffer[..length]).map_err(place)?;
    let ended = Timestamp::from_f64(beat.timestamp);
    Ok(Some(Past {
        ended: ended.ok_or_else(|| wrong("its timestamp is no time".to_owned()))?,
        exit: beat.exit_code,
        took: Duration::from_millis(beat.duration_ms),
        summary: beat.summary,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(ended: i64, took: u64, exit: u8) -> Option<Past> {
        Some(Past {
            ended: Timestamp::from_secs(ended),
            exit,
            took: Duration::from_secs(took),
            summary: None,
        })
    }

    #[test]
    fn the_later_one_counts() {
        let exit = |state, beat| Past::last(state, beat).map(|p| p.exit);
        assert_eq!(exit(None, None), None);
        assert_eq!(exit(past(10, 1, 0), None), Some(0));
        assert_eq!(exit(None, past(10, 1, 78)), Some(78));
        // The same run, whose state says a moment more or less.
        assert_eq!(exit(past(10, 2, 0), past(9, 2, 1)), Some(1));
        assert_eq!(exit(past(10, 2, 0), past(11, 2, 1)), Some(1));
        // A run without a heartbeat, and one that failed before it had a state.
        assert_eq!(exit(past(70, 2, 0), past(11, 2, 1)), Some(0));
        assert_eq!(exit(past(10, 2, 0), past(70, 0, 78)), Some(78));
    }

    #[test]
    fn what_is_no_heartbeat_is_told_and_not_shown() {
        let tmp = tempfile::tempdir().unwrap();
        let read = || read_beat(tmp.path(), "x");
        assert_eq!(read_beat(&tmp.path().join("none"), "x"), Ok(None));
        assert_eq!(read(), Ok(None));
        let path = tmp.path().join("x.last");
        for bad in [
            "",
            "[]",
            "secret",
            r#"{"timestamp": "secret", "exit_code": 0}"#,
            r#"{"timestamp": 1.5}"#,
            r#"{"timestamp": 1e400, "exit_code": 0}"#,
            r#"{"timestamp": 1, "exit_code": 256}"#,
        ] {
            std::fs::write(&path, bad).unwrap();
            let told = read().unwrap_err();
            assert!(!told.contains("secret"), "{bad}: {told}");
        }
        std::fs::write(&path, vec![b' '; LARGEST + 1]).unwrap();
        assert!(read().unwrap_err().contains("too many"));
        std::fs::write(&path, r#"{"timestamp": 1.5, "exit_code": 66, "x": 1}"#).unwrap();
        let ended = Timestamp::from_micros(1_500_000);
        assert_eq!(
            read().unwrap().map(|p| (p.ended, p.exit)),
            Some((ended, 66))
        );
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read().unwrap_err().contains("a FIFO"));
    }
}
