//! What outlasts a midnight and a boot: logs that go on, and pids that have become others'.

use std::fs;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use lazarus_pit::model::process::{Entry, ProcessStatus};
use lazarus_pit::sys::process::start_time;
use lazarus_pit::table::Table;

use crate::kept::{AT_ONCE, BIRTH, Stage, lives};
use crate::later::{Later, eventually};
use crate::store::journal;
use crate::world::{can_mount, now};

/// A process that is nobody's here, and notes every signal that it is sent.
struct Stranger {
    child: Child,
    notes: std::path::PathBuf,
}

impl Stranger {
    fn new(stage: &Stage) -> Self {
        let notes = stage.world.base().join("notes");
        let script =
            "trap 'echo hit >>$0' TERM INT HUP CONT; echo here >$0; while :; do sleep 0.02; done";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(&notes)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        eventually(|| fs::read(&notes).ok().filter(|text| !text.is_empty()));
        Self { child, notes }
    }

    fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    #[track_caller]
    fn is_unharmed(&mut self) {
        assert_eq!(fs::read_to_string(&self.notes).unwrap(), "here\n");
        assert!(self.child.try_wait().unwrap().is_none());
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The entry of an agent that has ended long ago, as a pattern for others.
fn pattern(stage: &Stage) -> Entry {
    stage.plan(&format!("{BIRTH} exit 1"), "wake: false", AT_ONCE);
    stage.check().code(1);
    stage.ended()
}

/// The same, as if a process with this number ran, and its keeper too.
fn running(pattern: &Entry, n: usize, pid: i32, started: u64) -> Entry {
    Entry {
        r#ref: format!("{}x{n:03}", pattern.r#ref),
        pid: Some(pid),
        start_time: Some(started),
        keeper_pid: Some(pid),
        keeper_start_time: Some(started),
        status: ProcessStatus::Running,
        exit_code: None,
        ended_at: None,
        duration_ms: None,
        ..pattern.clone()
    }
}

/// The subject is revived, and whoever has its processes' numbers now is let alone.
fn nobody_else_is_ended(stage: &Stage, entries: &[Entry], boot: Option<&str>, end: ProcessStatus) {
    let table = Table::open(&stage.world.state()).unwrap().unwrap();
    entries.iter().for_each(|e| table.replace(e).unwrap());
    stage.plan(
        &format!("{BIRTH} exec sleep 1000"),
        "wake: false, grace: 50ms",
        AT_ONCE,
    );
    stage.down("a");
    let cmd = stage.world.cmd(&["--json", "--force"]);
    let run = match boot {
        Some(script) => cmd.mounted(script).run(),
        None => cmd.run(),
    };
    run.code(1);
    assert_eq!(run.verdict("a/main"), Some("revive"), "{run}");
    assert!(lives(stage.born(2)[1]));
    let all = stage.entries();
    let of = |r#ref: &str| all.iter().find(|e| e.r#ref == r#ref).unwrap().status;
    assert!(entries.iter().all(|e| of(&e.r#ref) == end), "{all:?}");
    let told = journal(&stage.world);
    let told = told.iter().filter(|e| e["event"] == "process_exited");
    assert_eq!(told.count(), 1 + entries.len());
}

#[test]
fn a_number_that_is_anothers_by_now_is_let_alone() {
    let stage = Stage::new();
    let mut stranger = Stranger::new(&stage);
    let pattern = pattern(&stage);
    let started = start_time(stranger.pid()).unwrap();
    let entries: Vec<Entry> = (0..200)
        .map(|n| running(&pattern, n, stranger.pid(), started + 1 + n as u64))
        .collect();
    nobody_else_is_ended(&stage, &entries, None, ProcessStatus::Unknown);
    stranger.is_unharmed();
}

#[test]
fn what_an_older_boot_has_taken_is_lost() {
    let stage = Stage::new();
    let mut stranger = Stranger::new(&stage);
    let pattern = pattern(&stage);
    let started = start_time(stranger.pid()).unwrap();
    let entry = Entry {
        boot_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        ..running(&pattern, 0, stranger.pid(), started)
    };
    nobody_else_is_ended(&stage, &[entry], None, ProcessStatus::Lost);
    stranger.is_unharmed();
}

/// Number and start time are another's, and nothing but the boot says so.
#[test]
fn after_a_reboot_all_is_lost_and_revived() {
    if !can_mount() {
        return;
    }
    let stage = Stage::new();
    let mut stranger = Stranger::new(&stage);
    let pattern = pattern(&stage);
    let started = start_time(stranger.pid()).unwrap();
    let entry = running(&pattern, 0, stranger.pid(), started);
    let id = stage.world.base().join("boot_id");
    fs::write(&id, "00000000-0000-4000-8000-000000000000\n").unwrap();
    let script = format!(
        "mount --bind {} /proc/sys/kernel/random/boot_id",
        id.display()
    );
    nobody_else_is_ended(&stage, &[entry], Some(&script), ProcessStatus::Lost);
    stranger.is_unharmed();
}

/// What a command prints while it runs.
fn printed(child: &mut Child) -> Arc<Mutex<String>> {
    let mut from = child.stdout.take().unwrap();
    let all = Arc::new(Mutex::new(String::new()));
    let to = Arc::clone(&all);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..n]);
            to.lock().unwrap().push_str(&text);
        }
    });
    all
}

#[test]
fn a_log_goes_on_in_the_new_day_and_is_followed_there() {
    let stage = Stage::new();
    let script = format!("{BIRTH} echo i am $$; while :; do echo tick; sleep 0.1; done");
    stage.plan(&script, "wake: false, grace: 60ms", AT_ONCE);
    let mut later = Later::new(&stage.world);
    let to_midnight = 86_400 - now() as i64 % 86_400;
    // A busy host must have started it by then.
    later.pass(to_midnight - 6).beat("a", 900);
    let day = |seconds: i64| {
        let at = jiff::Timestamp::from_second(later.now() as i64 + seconds).unwrap();
        at.strftime("%Y%m%d").to_string()
    };
    let (eve, next) = (day(0), day(86_400));
    later.run(&["--json"]).code(1);
    let first = stage.born(1)[0];
    let logs = stage.world.state().join("logs/a");
    assert!(logs.join(&eve).join("main.log").exists());
    let follow = stage.world.cmd(&["logs", "a", "-f"]).clock(later.off);
    let mut follow = follow.command().0.spawn().unwrap();
    let told = printed(&mut follow);
    let name = fs::read_link(logs.join(&eve).join("main.log")).unwrap();
    let target = |link: &str| fs::canonicalize(logs.join(link)).unwrap();
    eventually(|| logs.join(&next).join(&name).exists().then_some(()));
    let new = logs.join(&next).join(&name).canonicalize().unwrap();
    eventually(|| (target("main.log") == new).then_some(()));
    assert_eq!(target(&format!("{next}/main.log")), new);
    assert_eq!(
        fs::read_link(logs.join(&eve).join("main.log")).unwrap(),
        name
    );
    let text = |day: &str| fs::read_to_string(logs.join(day).join(&name)).unwrap();
    let last = text(&eve).lines().last().unwrap().to_owned();
    assert!(text(&eve).contains(&format!("[main:stdout] i am {first}\n")));
    assert!(
        last.contains("T23:59:59") && text(&next).contains("T00:00:00"),
        "{last}"
    );
    // And in that of the next process.
    later.pass(0).beat("a", 900);
    later.run(&["--json", "--force"]).code(1);
    let second = stage.born(2)[1];
    stage.never_two();
    eventually(|| {
        let told = told.lock().unwrap();
        let (_, after) = told.split_once(&format!("i am {second}\n"))?;
        after.contains("tick").then_some(())
    });
    let told = told.lock().unwrap();
    assert!(told.contains(&format!("i am {first}\n")), "{told}");
    assert!(
        told.contains("T23:59:59") && told.contains("T00:00:00"),
        "{told}"
    );
    follow.kill().unwrap();
    follow.wait().unwrap();
}

/// What is printed stands in the log as it is, of a step that ends and of an agent that does not.
#[test]
fn a_log_has_what_was_printed() {
    let print = "printf 'a\\377b\\n'; head -c 70000 /dev/zero | tr '\\0' x; echo; echo err >&2; printf noend";
    let mut seen = Vec::new();
    for kind in ["spawn", "run"] {
        let stage = Stage::new();
        let script = serde_json::to_string(print).unwrap();
        let wake = if kind == "spawn" { ", wake: false" } else { "" };
        crate::later::plans(
            &stage.world,
            &format!("policy: auto\nsteps: [{{{kind}: {{command: [sh, -c, {script}]{wake}}}}}]\n"),
        );
        stage.check().code(1);
        let log = eventually(|| {
            let log = stage.log("a/main.log");
            log.ends_with(b"noend\n").then_some(log)
        });
        let mut lines: Vec<Vec<u8>> = log
            .strip_suffix(b"\n")
            .unwrap()
            .split(|b| *b == b'\n')
            .map(|line| {
                let head = line.iter().position(|b| *b == b' ').unwrap();
                assert!(line[..head].ends_with(b"+00:00"), "{line:?}");
                line[head + 1..].to_vec()
            })
            .collect();
        lines.sort();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0], b"[main:stderr] err");
        assert_eq!(lines[1], b"[main:stdout] a\xffb");
        assert_eq!(lines[2], b"[main:stdout] noend");
        let long = |n: usize| [b"[main:stdout] ".to_vec(), vec![b'x'; n]].concat();
        assert_eq!(lines[3], long(70_000 - 65_536));
        assert_eq!(lines[4], long(65_536));
        seen.push(lines);
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn what_is_too_much_for_a_log_is_dropped_and_counted() {
    for kind in ["spawn", "run"] {
        let stage = Stage::new();
        stage.world.config("logs: {max_bytes: 4KiB}\n");
        let wake = if kind == "spawn" { ", wake: false" } else { "" };
        crate::later::plans(
            &stage.world,
            &format!(
                "policy: auto\nsteps: [{{{kind}: {{command: [sh, -c, 'yes | head -c 1000000; echo last']{wake}}}}}]\n"
            ),
        );
        stage.check().code(1);
        let log = eventually(|| {
            let log = String::from_utf8(stage.log("a/main.log")).unwrap();
            log.contains("dropped").then_some(log)
        });
        assert!(log.len() < 4096 + 512, "{}", log.len());
        assert!(log.lines().last().unwrap().contains("dropped"), "{log}");
    }
}
