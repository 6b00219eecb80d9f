//! For tests of agents that outlive their run: which of them live, and that none is left.

use std::fs;
use std::path::{Path, PathBuf};

use crate::world::World;

/// A cell whose agents are found by what their environment says, and ended when the test is over.
pub(crate) struct Agents {
    root: PathBuf,
}

impl Agents {
    /// Those of all cells of a world.
    pub(crate) fn of(world: &World) -> Self {
        Self { root: world.root() }
    }

    /// The living processes that were started for a cell, their keepers aside.
    pub(crate) fn living(&self, cell: &str) -> Vec<i32> {
        let wanted = self.root.join(cell);
        processes(&|root| root == wanted)
    }

    /// Ends all of them, and waits until they are gone: their keepers write down how they ended.
    pub(crate) fn end(&self) {
        for _ in 0..1000 {
            let all = processes(&|root| root.starts_with(&self.root));
            if all.is_empty() {
                return;
            }
            for pid in all {
                signal(pid, "KILL");
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        panic!("agents of {} do not end", self.root.display());
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        for pid in processes(&|root| root.starts_with(&self.root)) {
            signal(pid, "KILL");
        }
    }
}

/// Sends a signal, if the process is still there.
pub(crate) fn signal(pid: i32, name: &str) {
    let pid = pid.to_string();
    let kill = std::process::Command::new("kill")
        .args(["-s", name, &pid])
        .stderr(std::process::Stdio::null())
        .status();
    assert!(kill.is_ok(), "there is no `kill`");
}

fn processes(wanted: &dyn Fn(&Path) -> bool) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<i32>().ok()
    });
    let mut all: Vec<i32> = pids
        .filter(|pid| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let root = environ.split(|b| *b == 0).find_map(|entry| {
                let text = std::str::from_utf8(entry).ok()?;
                text.strip_prefix("LAZARUS_CELL_ROOT=")
            });
            root.is_some_and(|root| wanted(Path::new(root))) && lives(*pid)
        })
        .collect();
    all.sort_unstable();
    all
}

/// True for a process that is there and no zombie.
pub(crate) fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}
