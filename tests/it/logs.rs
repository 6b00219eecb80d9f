//! `logs`: what a subject's processes have printed, and what they print next.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, ChildStdout};
use std::sync::mpsc;
use std::time::Duration;

use jiff::tz::TimeZone;
use lazarus_pit::act::logs::{LogWriter, Logs, Stream};
use lazarus_pit::model::action::Place;
use lazarus_pit::model::time::Timestamp;

use crate::later::{eventually, plans};
use crate::output::Run;
use crate::world::{NOBODY, SECRET, World, needs_root};

const DAY: i64 = 86_400;
/// 2026-11-21, a second before midnight.
const EVE: i64 = 1_795_305_599;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn open(world: &World, cell: Option<&str>, name: &str, r#ref: &str, now: i64) -> LogWriter {
    let logs = Logs::in_zone(world.state().join("logs"), 1 << 20, TimeZone::UTC);
    let place = Place {
        cell: cell.map(|cell| (cell.to_owned(), PathBuf::from("/"))),
        name: name.to_owned(),
    };
    logs.open(&place, r#ref, at(now)).unwrap()
}

fn print(log: &mut LogWriter, text: &str, now: i64) {
    log.write(Stream::Stdout, format!("{text}\n").as_bytes(), at(now));
}

/// What was printed, without time and stream.
fn texts(run: &Run) -> Vec<&str> {
    run.code(0).stderr_empty();
    let lines = run.stdout().lines();
    lines.map(|line| line.split_once("] ").unwrap().1).collect()
}

#[test]
fn what_a_step_printed_is_shown_and_harms_no_terminal() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    plans(
        &world,
        "policy: auto\nsteps:\n  - run: [sh, -c, 'echo out; printf \"e\\033[2J\\377\\tx\\302\\233\\r\\n\" >&2']\n",
    );
    world.run(&[]).code(1);
    let before = world.tree();
    let run = world.run(&["logs", "a/main"]);
    let mut shown = texts(&run);
    shown.sort_unstable();
    assert_eq!(shown, ["e\\x1b[2J\\xff\tx\\x9b\\r", "out"], "{run}");
    assert_eq!(texts(&world.run(&["logs", "a/"])).len(), 2);
    assert_eq!(texts(&world.run(&["logs", "a", "-n", "1"])).len(), 1);
    let run = world.run(&["logs", "a/main", "--json"]);
    run.code(0).clean();
    assert_eq!(run.json()["schema"], "lazarus-pit/logs/1");
    assert_eq!(run.json()["subject"], "a/main");
    let lines = run.list("lines");
    let error = lines.iter().find(|l| l["stream"] == "stderr").unwrap();
    assert_eq!(error["text"], "e\u{1b}[2J\\xff\tx\u{9b}\r", "{run}");
    assert_eq!(error["agent"], "main");
    assert!(error["ts"].as_str().unwrap().starts_with("20"), "{run}");
    let file = error["file"].as_str().unwrap();
    assert!(fs::metadata(file).unwrap().is_file());
    assert_eq!(world.tree(), before);
}

#[test]
fn the_last_lines_come_from_older_files_too() {
    let world = World::new();
    world.cell("a");
    let mut first = open(&world, Some("a"), "main", "r1", EVE);
    for n in 0..3 {
        print(&mut first, &format!("one {n}"), EVE);
    }
    let mut second = open(&world, Some("a"), "main", "r2", EVE);
    print(&mut second, "two", EVE);
    // Over midnight, beside another agent.
    print(&mut second, "two, next day", EVE + 1);
    let mut other = open(&world, Some("a"), "x_main", "r3", EVE + 1);
    print(&mut other, "other", EVE + 1);
    print(&mut second, "two, later", EVE + 2);
    let all = [
        "one 0",
        "one 1",
        "one 2",
        "two",
        "two, next day",
        "two, later",
    ];
    for n in 0..8 {
        let run = world.run(&["logs", "a/main", "-n", &n.to_string()]);
        assert_eq!(texts(&run), all[6usize.saturating_sub(n)..], "{run}");
    }
    let run = world.run(&["logs", "a", "--lines", "4"]);
    assert_eq!(
        texts(&run),
        ["two", "two, next day", "other", "two, later"],
        "{run}"
    );
    // A line that nobody ended, as a kill leaves it, and one longer than what is read at a time.
    let file = second.path().to_owned();
    print(&mut second, &"y".repeat(200_000), EVE + 3);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}2026-11-22T00:00:03+00:00 [ma")).unwrap();
    let run = world.run(&["logs", "a/main", "-n", "2"]);
    assert!(run.stdout().ends_with("y\n2026-11-22T00:00:03+00:00 [ma\n"));
    assert_eq!(run.stdout().lines().count(), 2);
    let run = world.run(&["logs", "a/main", "-n", "1", "--json"]);
    assert!(run.list("lines")[0]["ts"].is_null(), "{run}");
    assert_eq!(
        run.list("lines")[0]["text"],
        "2026-11-22T00:00:03+00:00 [ma"
    );
}

#[test]
fn gateways_have_logs_and_so_has_a_cell_that_is_gone() {
    let world = World::new();
    world.config("gateways: [{name: timmy, probes: [{tcp: 'localhost:1'}]}]\n");
    let mut log = open(&world, None, "timmy", "r", EVE);
    print(&mut log, "of a gateway", EVE);
    let mut log = open(&world, Some("gone"), "main", "r", EVE);
    print(&mut log, "of the past", EVE);
    assert_eq!(
        texts(&world.run(&["logs", "gateway:timmy"])),
        ["of a gateway"]
    );
    assert_eq!(texts(&world.run(&["logs", "gone"])), ["of the past"]);
    world
        .run(&["logs", "gateway:timmi"])
        .code(1)
        .stdout_empty()
        .stderr_has("there is no gateway `timmi`");
}

#[test]
fn who_has_no_log_is_told_from_who_is_not_there() {
    let world = World::new();
    world.cell("a");
    let run = world.run(&["logs", "a"]);
    run.code(0).stdout_empty().stderr_has("a has no log yet");
    world.run(&["logs", "a/main", "-q"]).code(0).stderr_empty();
    let run = world.run(&["logs", "a", "--json"]);
    assert!(run.list("lines").is_empty());
    let run = world.run(&["logs", "b"]);
    run.code(1).stderr_has("there is no cell `b`");
    let run = world.run(&["logs", "a/mian"]);
    run.code(1).stderr_has("did you mean `main`");
    let run = world.run(&["logs", "b", "--json"]);
    assert_eq!(run.code(1).json()["error"]["code"], 1);
    assert_eq!(run.json()["schema"], "lazarus-pit/logs/1");
    for wrong in [
        &["logs"][..],
        &["logs", "a", "-n", "-1"],
        &["logs", "a", "-f", "--json"],
        &["logs", "a", "-f", "-q"],
        &["logs", "a", "--format", "jsonl"],
    ] {
        world.run(wrong).code(64);
    }
}

#[test]
fn nothing_but_logs_of_ours_is_read() {
    let world = World::new();
    world.cell("a");
    let mut log = open(&world, Some("a"), "main", "r", EVE);
    print(&mut log, "mine", EVE);
    let secret = world.base().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let day = log.path().parent().unwrap().to_owned();
    symlink(&secret, day.join("s_main.log")).unwrap();
    fs::create_dir(day.join("t_main.log")).unwrap();
    nix::unistd::mkfifo(&day.join("u_main.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // The links to the newest, bent.
    let top = day.parent().unwrap();
    for link in [top.join("main.log"), day.join("main.log")] {
        fs::remove_file(&link).unwrap();
        symlink(&secret, &link).unwrap();
    }
    // A day and a cell that are links.
    let elsewhere = world.base().join("elsewhere");
    fs::create_dir_all(elsewhere.join("20261130")).unwrap();
    fs::write(elsewhere.join("20261130/v_main.log"), SECRET).unwrap();
    symlink(elsewhere.join("20261130"), top.join("20261130")).unwrap();
    symlink(&elsewhere, top.parent().unwrap().join("linked")).unwrap();
    let run = world.run(&["logs", "a"]);
    run.clean();
    assert_eq!(texts(&run), ["mine"]);
    world
        .run(&["logs", "linked"])
        .clean()
        .code(74)
        .stderr_has("Not a directory");
    world.run(&["logs", "../../secret"]).code(1);
}

#[test]
fn an_ordinary_user_sees_that_the_logs_are_not_theirs() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a");
    drop(open(&world, Some("a"), "main", "r", EVE));
    let run = world.cmd(&["logs", "a"]).poor_user(NOBODY).run();
    run.code_in(&[74, 78]).stdout_empty();
    assert!(run.stderr().contains("Permission denied"), "{run}");
}

/// `logs -f`, being read.
struct Following {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Following {
    fn start(world: &World, args: &[&str]) -> Self {
        let (mut command, _) = world.cmd(args).command();
        let mut child = command.spawn().unwrap();
        let out: ChildStdout = child.stdout.take().unwrap();
        let (to, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                // Whoever has all that they want hears no more, and the pipe is closed.
                if to.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line's text.
    #[track_caller]
    fn next(&self) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(30));
        let line = line.expect("a line that was printed is never shown");
        line.split_once("] ").unwrap().1.to_owned()
    }

    #[track_caller]
    fn must_show(&self, texts: &[&str]) {
        for text in texts {
            assert_eq!(self.next(), *text);
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_follows_over_midnight_and_over_restarts() {
    let world = World::new();
    world.cell("a");
    let mut log = open(&world, Some("a"), "main", "r1", EVE);
    print(&mut log, "before", EVE);
    print(&mut log, "last", EVE);
    let following = Following::start(&world, &["logs", "a/main", "-f", "-n", "1"]);
    following.must_show(&["last"]);
    print(&mut log, "now", EVE);
    following.must_show(&["now"]);
    // All at once: the end of a day, the next one, a restart, and what the old one says yet.
    print(&mut log, "evening", EVE);
    print(&mut log, "morning", EVE + 1);
    let mut next = open(&world, Some("a"), "main", "r2", EVE + 2);
    print(&mut next, "again", EVE + 2);
    print(&mut log, "late", EVE + 3);
    let seen: Vec<String> = (0..4).map(|_| following.next()).collect();
    let place = |text| seen.iter().position(|seen| seen == text).unwrap();
    assert!(place("evening") < place("morning") && place("morning") < place("late"));
    assert!(place("again") < 4);
    // Half a line is none, and one that is split is one.
    next.write(Stream::Stdout, b"half", at(EVE + 3));
    next.write(Stream::Stdout, b" and half\n", at(EVE + 3));
    following.must_show(&["half and half"]);
    // A name that nobody has yet is none of this agent's.
    let mut other = open(&world, Some("a"), "other", "r3", EVE + 3);
    print(&mut other, "not mine", EVE + 3);
    // Days in which nothing was printed.
    print(&mut next, "a week later", EVE + 7 * DAY);
    following.must_show(&["a week later"]);
    assert!(following.lines.try_recv().is_err());
}

#[test]
fn no_line_is_lost_and_none_comes_twice() {
    let world = World::new();
    world.cell("a");
    let mut following = Following::start(&world, &["logs", "a", "-f"]);
    // From here on it has seen that there is nothing.
    let mut note = String::new();
    let stderr = following.child.stderr.as_mut().unwrap();
    BufReader::new(stderr).read_line(&mut note).unwrap();
    assert!(note.contains("a has no log yet"), "{note}");
    let mut want = [0; 2];
    std::thread::scope(|s| {
        let world = &world;
        for name in ["x", "y"] {
            s.spawn(move || {
                let mut log = open(world, Some("a"), name, "r000", EVE);
                for n in 0..3_000 {
                    // A restart now and then, and a new day.
                    if n % 500 == 250 {
                        log = open(
                            world,
                            Some("a"),
                            name,
                            &format!("r{n:04}"),
                            EVE + n / 700 * DAY,
                        );
                    }
                    print(&mut log, &format!("{name} {n}"), EVE + n / 700 * DAY);
                }
            });
        }
        for _ in 0..6_000 {
            let line = following.next();
            let (name, n) = line.split_once(' ').unwrap();
            let want = &mut want[usize::from(name == "y")];
            assert_eq!(n.parse(), Ok(*want), "{line}");
            *want += 1;
        }
    });
    assert!(following.lines.try_recv().is_err());
}

#[test]
fn it_ends_quietly_when_nobody_reads_or_at_a_signal() {
    let world = World::new();
    world.cell("a");
    let mut log = open(&world, Some("a"), "main", "r", EVE);
    print(&mut log, "x", EVE);
    // Nothing is printed, so that only the closed pipe itself can tell.
    let (mut command, _) = world.cmd(&["logs", "a", "-f"]).command();
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    drop(out);
    let status = eventually(|| child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    let ended = child.wait_with_output().unwrap();
    assert!(ended.stderr.is_empty());

    let (mut command, _) = world.cmd(&["logs", "a", "-f"]).command();
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.stderr.is_empty());
}
