//! Agents and other users that attack what keeps processes. The checker is root's, they are not.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};

use crate::kept::{AT_ONCE, Stage, lives};
use crate::later::{eventually, plans};
use crate::world::{NOBODY, needs_root};

/// A user who has nothing to do with any cell.
const STRANGER: u32 = 61_234;

/// A process that says of itself whose it is; ended with the test.
struct Liar(Child);

impl Liar {
    fn new(uid: u32, agent: &str, cell: Option<&Path>, r#ref: &str) -> Self {
        let mut command = Command::new("sleep");
        command.arg("1000").env_clear().uid(uid).gid(uid);
        command
            .env("LAZARUS_AGENT", agent)
            .env("LAZARUS_REF", r#ref);
        if let Some(cell) = cell {
            command.env("LAZARUS_CELL_ROOT", cell);
        }
        // Out of the session of the tests.
        Self(command.process_group(0).spawn().unwrap())
    }

    fn lives(&self) -> bool {
        lives(self.0.id().cast_signed())
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Anybody can write anything into his environment. Another user's process is neither ended for it,
/// nor does it keep an agent from being started; the owner's is.
#[test]
fn whoever_only_says_that_he_is_an_agent_is_let_alone() {
    if !needs_root() {
        return;
    }
    for replace in ["terminate", "keep", "fail"] {
        let stage = Stage::new();
        let cell = stage.world.path("a");
        let liar = Liar::new(STRANGER, "main", Some(&cell), "x");
        let keys = format!("grace: 60ms, wake: false, replace: {replace}");
        stage.plan("exec sleep 1000", &keys, AT_ONCE);
        stage.check().code(1);
        assert!(liar.lives(), "{replace}");
        let own = stage.latest();
        assert!(lives(own.pid.unwrap()), "{replace}");
        if replace == "terminate" {
            let honest = Liar::new(NOBODY, "main", Some(&cell), "x");
            stage.world.run(&["close", "a/main"]).code(0);
            assert!(!honest.lives() && !lives(own.pid.unwrap()) && liar.lives());
            stage.world.run(&["destroy", "a", "--yes"]).code(0);
            assert!(liar.lives());
        }
    }
}

/// A gateway is known by the ref of its own attempt and by its own place: what an agent of a cell
/// knows and holds makes it no gateway.
#[test]
fn an_agent_cannot_pass_itself_off_as_a_gateway() {
    if !needs_root() {
        return;
    }
    let stage = Stage::new();
    let world = &stage.world;
    world.config("gateways: [{name: gate}]\n");
    let posing = "env -u LAZARUS_CELL_ROOT LAZARUS_AGENT=gate sleep 1000 & echo $! >posing; wait";
    let text = format!(
        "name: agents\npolicy: auto\n{AT_ONCE}steps: [{{spawn: {{command: [sh, -c, '{posing}'], \
         wake: false}}}}]\n---\nname: gates\nmatch: {{gateways: [gate]}}\npolicy: auto\n{AT_ONCE}\
         steps: [{{spawn: {{command: [sleep, '1000'], user: daemon, wake: false, replace: keep, \
         env: {{WORLD: '{}'}}}}}}]\n",
        world.base().display(),
    );
    plans(world, &text);
    world.run(&["check", "--cell", "a", "--force"]).code(1);
    let posing = eventually(|| {
        let text = std::fs::read_to_string(world.path("a/worktree/posing")).ok()?;
        text.trim().parse().ok()
    });
    let run = world.run(&["start", "gateway:gate"]);
    let entry = stage.latest();
    assert_eq!(entry.subject, "gateway:gate", "{run}");
    assert!(lives(entry.pid.unwrap()) && lives(posing));
}
