//! For tests: attempts of real commands, and all that is recorded of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::environment::Own;
use super::logs::Logs;
use super::perform::{AT_ONCE, Performed, Surroundings, perform};
use super::signal::Kept;
use crate::core::classify::Limits;
use crate::model::action::{Action, Done, Place, StepDone};
use crate::model::event::{Event, Kind};
use crate::model::step::{Run, Step};
use crate::model::time::Timestamp;
use crate::observe::{Look, Watched};
use crate::sys::beneath::Mounts;
use crate::sys::host;

/// A directory of its own for logs and whatever the commands leave, and how attempts are made.
pub(super) struct Stage {
    pub(super) tmp: tempfile::TempDir,
    pub(super) deadline: Duration,
    pub(super) aftermath: Duration,
    pub(super) at_once: usize,
    pub(super) max_bytes: u64,
    pub(super) own: Own,
    pub(super) gateways: Vec<Watched>,
    pub(super) kept: Kept,
    pub(super) now: fn() -> Timestamp,
}

/// More than any test takes, however busy the host is.
pub(super) const LONG: Duration = Duration::from_secs(120);

impl Stage {
    pub(super) fn new() -> Self {
        Self {
            tmp: tempfile::tempdir().unwrap(),
            deadline: LONG,
            aftermath: LONG,
            at_once: AT_ONCE,
            max_bytes: 1 << 20,
            own: Own {
                path: std::env::var_os("PATH"),
                ..Own::default()
            },
            gateways: Vec::new(),
            kept: Kept::nobody(),
            now: host::now,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.tmp.path().join(name)
    }

    /// A path beneath the stage as text, for scripts.
    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(super) fn perform_recording<E>(
        &self,
        actions: Vec<Action>,
        record: &mut dyn FnMut(Vec<Event>, bool) -> Result<(), E>,
    ) -> Result<Performed, E> {
        let around = Surroundings {
            run: "run-1".to_owned(),
            deadline: Instant::now() + self.deadline,
            aftermath: self.aftermath,
            at_once: self.at_once,
            logs: Logs::new(self.path("logs"), self.max_bytes),
            own: self.own.clone(),
            look: Arc::new(self.look()),
            questions: Arc::default(),
            kept: self.kept.clone(),
            now: self.now,
            actor: "run".to_owned(),
            keeping: None,
        };
        perform(actions, &around, record)
    }

    /// Where cells lie, and how they are looked at: one has no more than a heartbeat.
    fn look(&self) -> Look {
        Look {
            root: self.path("missions"),
            scope: None,
            required_subdirs: Vec::new(),
            heartbeat_file: "heartbeat.json".into(),
            limits: Limits {
                stale_after: LONG,
                plans: None,
                stale_after_is_final: false,
                clock_skew: LONG,
                max_quiet: LONG,
                root: self.text("missions"),
            },
            mounts: Mounts::Refuse,
            trust: None,
            deadline: Instant::now() + self.deadline,
            gateways: self.gateways.clone(),
            progress: None,
        }
    }

    /// Writes the heartbeat of the cell `c`, whose agent is `main`.
    pub(super) fn beat(&self, heartbeat: &serde_json::Value) -> PathBuf {
        let cell = self.path("missions/c");
        std::fs::create_dir_all(&cell).unwrap();
        let path = cell.join("heartbeat.json");
        std::fs::write(&path, heartbeat.to_string()).unwrap();
        path
    }

    /// Carries out one step for `c/main`.
    pub(super) fn step(&self, step: Step) -> StepDone {
        let due = Action {
            steps: vec![step],
            ..action("c/main", [])
        };
        let (mut performed, _) = self.perform(vec![due]);
        assert!(performed.warnings.is_empty(), "{:?}", performed.warnings);
        performed.done.remove(0).steps.remove(0)
    }

    /// Makes the attempts, and hands back all events too.
    pub(super) fn perform(&self, actions: Vec<Action>) -> (Performed, Vec<Event>) {
        let mut all = Vec::new();
        let performed = self.perform_recording(actions, &mut |events, durable| {
            assert_eq!(durable, events.iter().any(|e| e.event == Kind::Intent));
            all.extend(events);
            Ok::<(), ()>(())
        });
        (performed.unwrap(), all)
    }

    /// Runs one step.
    pub(super) fn run(&self, run: Run) -> StepDone {
        let (mut performed, _) = self.perform(vec![action("c/a", [run])]);
        assert!(performed.warnings.is_empty(), "{:?}", performed.warnings);
        performed.done.remove(0).steps.remove(0)
    }

    /// What stands in the log of a step, without times and sources.
    pub(super) fn printed(&self, done: &StepDone) -> String {
        let text = std::fs::read(done.log.as_ref().unwrap()).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = |line: &str| line.split_once("] ").unwrap().1.to_owned() + "\n";
        text.lines().map(line).collect()
    }
}

pub(super) fn command(command: &[&str]) -> Run {
    Run {
        command: command.iter().map(|text| (*text).to_owned()).collect(),
        cwd: None,
        env: BTreeMap::new(),
        user: None,
        timeout: LONG,
        grace: LONG,
    }
}

pub(super) fn sh(script: &str) -> Run {
    command(&["/bin/sh", "-c", script])
}

/// An attempt for `CELL/AGENT`. Its ref is like no other's, in no other test either.
pub(super) fn action(subject: &str, steps: impl IntoIterator<Item = Run>) -> Action {
    let (cell, name) = subject.split_once('/').unwrap();
    Action {
        subject: subject.to_owned(),
        incident: "i-1".to_owned(),
        attempt: 2,
        r#ref: host::uuid().unwrap(),
        plan: "restart".to_owned(),
        plan_hash: "abcd".to_owned(),
        canary: false,
        approved_by: None,
        steps: steps.into_iter().map(Step::Run).collect(),
        verify_within: Duration::from_secs(120),
        window: Duration::from_secs(3600),
        stale_after: None,
        place: Place {
            cell: Some((cell.to_owned(), format!("/missions/{cell}").into())),
            name: name.to_owned(),
        },
        resumed: false,
    }
}

/// What came of an attempt's steps, in words.
pub(super) fn results(done: &Done) -> Vec<&'static str> {
    done.steps.iter().map(|step| step.result.as_str()).collect()
}

/// Waits until something is so; what is waited for has no event that a test could have.
#[track_caller]
pub(super) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
