//! Probes of this host: processes, commands, files.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

use serde_json::json;

use crate::later::{eventually, plans};
use crate::peer::{answers, gateway, sentences};
use crate::world::{NOBODY, World, is_root, needs_root, now, put, tool};

/// A process that is ended with its test.
struct Sleeper(Child);

impl Sleeper {
    /// One that calls itself so.
    fn called(name: &str) -> Self {
        Self(Command::new("sleep").arg0(name).arg("600").spawn().unwrap())
    }

    fn of_user(uid: u32) -> Self {
        Self(Command::new("sleep").arg("600").uid(uid).spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A gateway with these probes, asked once.
fn ask(world: &World, probes: &str) -> Vec<String> {
    world.config(&format!(
        "heartbeat_interval_seconds: 1\ngateways:\n  - name: g\n    probes:\n{probes}"
    ));
    let run = world.run(&["--json"]);
    let mut all = answers(gateway(&run, "g"));
    for (answer, told) in all.iter_mut().zip(sentences(gateway(&run, "g")).lines()) {
        answer.push_str(&format!(" | {told}"));
    }
    all
}

#[track_caller]
fn are(answers: &[String], wanted: &[&str]) {
    assert_eq!(answers.len(), wanted.len(), "{answers:?}");
    for (answer, wanted) in answers.iter().zip(wanted) {
        assert!(answer.starts_with(wanted), "{wanted}: {answers:#?}");
    }
}

/// By its command line, by a file that names it; and never lazarus-pit itself, nor whoever started
/// it, however well they match.
#[test]
fn a_process_is_found_and_never_ourselves() {
    let world = World::new();
    let name = format!("lp-agent-{}", std::process::id());
    let sleeper = Sleeper::called(&name);
    let pidfile = world.base().join("home/pid");
    put(&pidfile, format!("{}\n", sleeper.pid()).as_bytes());
    let state = world.state().display().to_string();
    let probes = format!(
        "      - process: {{pattern: '^{name} 600$'}}\n      - process: {{pattern: '{name}-not'}}\n      \
         - process: {{pattern: '{state}'}}\n      - process: {{pidfile: {0}}}\n      - process: {{pidfile: {0}.none}}\n",
        pidfile.display()
    );
    let all = ask(&world, &probes);
    // The state directory stands in our own command line, and in that of the shell that runs us.
    are(
        &all,
        &[
            "process good",
            "process bad",
            "process bad",
            "process good",
            "process bad",
        ],
    );
    let through = world
        .cmd(&["--json"])
        .through(&["sh", "-c", "\"$0\" \"$@\"; exit $?"])
        .run();
    assert_eq!(
        answers(gateway(&through, "g"))[2],
        "process bad bad",
        "{through}"
    );
    assert_eq!(gateway(&through, "g")["process_alive"], false);
    drop(sleeper);
    let all = ask(&world, &probes);
    are(&all, &["process bad"; 5]);
    assert!(all[3].contains("there is no process"), "{all:?}");
    // A number that was written before its process began is another's.
    let other = Sleeper::called("other");
    put(&pidfile, format!("{}\n", other.pid()).as_bytes());
    let touched = Command::new("touch")
        .args(["-d", "2001-01-01"])
        .arg(&pidfile)
        .status();
    assert!(touched.unwrap().success());
    let all = ask(&world, &probes);
    assert!(all[3].contains("is another by now"), "{all:?}");
    put(&pidfile, b"no number\n");
    let all = ask(&world, &probes);
    assert!(
        all[3].starts_with("process bad") && all[3].contains("no pid"),
        "{all:?}"
    );
}

/// A living process that does nothing is not at work: its processor time tells.
#[test]
fn a_process_that_stands_still_is_seen() {
    let world = World::new();
    let name = format!("lp-idle-{}", std::process::id());
    let _idle = Sleeper::called(&name);
    let probes = format!("      - process: {{pattern: '^{name}', busy: true}}\n");
    are(&ask(&world, &probes), &["process good good"]);
    // Twice within a moment it cannot be told, and it stays what it was.
    let mut word = String::new();
    eventually(|| {
        word = ask(&world, &probes).remove(0);
        let too_soon = word.starts_with("process too_soon good");
        assert!(too_soon || word.starts_with("process bad bad"), "{word}");
        (!too_soon).then_some(())
    });
    assert!(word.contains("it has not moved for"), "{word}");
    crate::store::state_is_the_journal(&world);
    let busy = Sleeper(
        Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap(),
    );
    let probes = "      - process: {pattern: '^sh -c while :; do :; done$', busy: true}\n";
    ask(&world, probes);
    eventually(|| {
        ask(&world, probes)[0]
            .contains("it has moved")
            .then_some(())
    });
    drop(busy);
}

/// Whom a heartbeat may name: a process of the cell's owner that was there before it was written.
#[test]
fn a_heartbeat_names_a_process_of_its_own() {
    let world = World::new();
    let sleeper = if is_root() {
        Sleeper::of_user(NOBODY)
    } else {
        Sleeper::called("x")
    };
    for cell in ["mine", "gone", "mute", "silent", "late"] {
        world.cell(cell);
    }
    let pid = sleeper.pid();
    // Its start is known to a hundredth of a second.
    world.beat_with("mine", 0, json!({"pid": pid}));
    world.beat_with("gone", 0, json!({"pid": 0x3fff_fff0}));
    world.beat_with("late", 500, json!({"pid": pid}));
    world.remove("silent/state/heartbeat.json");
    if is_root() {
        for cell in ["mine", "late"] {
            std::os::unix::fs::chown(world.path(cell), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    plans(
        &world,
        "probes: [{process: {heartbeat_pid: true}}]\npolicy: never\n",
    );
    let run = world.run(&["--json"]);
    let word = |cell: &str| answers(run.agent(cell, "main")).remove(1);
    assert_eq!(word("mine"), "process good good", "{run}");
    assert_eq!(word("gone"), "process bad bad", "{run}");
    assert_eq!(word("mute"), "process not_asked unknown", "{run}");
    assert_eq!(word("silent"), "process bad bad", "{run}");
    assert_eq!(word("late"), "process bad bad", "{run}");
    assert!(
        sentences(run.agent("late", "main")).contains("is another by now"),
        "{run}"
    );
    assert_eq!(run.agent("silent", "main")["state"], "dead");
    if is_root() {
        // A number that anybody can write is no word about root's processes.
        world.beat_with("mine", 0, json!({"pid": std::process::id()}));
        let run = world.run(&["--json"]);
        assert_eq!(
            answers(run.agent("mine", "main"))[1],
            "process bad bad",
            "{run}"
        );
    }
}

/// The exit code counts, nothing that it prints or leaves behind does.
#[test]
fn a_commands_exit_code_is_its_word() {
    let world = World::new();
    world.cell("a");
    let mark = format!("lp-left-{}", std::process::id());
    plans(
        &world,
        &format!(
            "policy: never\nprobes:\n  - exec: {{command: [test, '{{{{ cell.id }}}}', '=', a]}}\n  - exec: {{command: ['false']}}\n  \
             - exec: {{command: [sh, -c, 'kill -9 $$']}}\n  - exec: {{command: [sh, -c, 'yes']}}\n    timeout: 300ms\n  \
             - exec: {{command: [sh, -c, 'sleep 600; : {mark}']}}\n    timeout: 300ms\n  \
             - exec: {{command: [no-such-program]}}\n  \
             - exec: {{command: [sh, -c, 'test \"$LAZARUS_AGENT\" = main && test -z \"$TOKEN\" && test \"$PWD\" = / && test -d \"$LAZARUS_CELL_ROOT\"']}}\n  \
             - exec: {{command: [sh, -c, 'sh -c \"sleep 600; : {mark}\" & exit 0']}}\n"
        ),
    );
    let run = world.cmd(&["--json"]).env("TOKEN", "x").run();
    let agent = run.agent("a", "main");
    assert_eq!(
        answers(agent)[1..],
        [
            "exec good good",
            "exec bad bad",
            "exec bad bad",
            "exec bad bad",
            "exec bad bad",
            "exec not_asked unknown",
            "exec good good",
            "exec good good",
        ],
        "{run}"
    );
    let told = sentences(agent);
    for part in [
        "exit code 1",
        "killed by SIGKILL",
        // Some of its 300 ms may be over before it is begun.
        "did not end within ",
        "No such file",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // Nothing of them is left.
    eventually(|| {
        let found = Command::new("pgrep").args(["-f", &mark]).output().unwrap();
        found.stdout.is_empty().then_some(())
    });
}

/// What a file is like: there, new, large enough, growing.
#[test]
fn a_files_age_size_and_growth() {
    let world = World::new();
    let path = world.base().join("home/out");
    let probes = format!(
        "      - file: {{path: {0}}}\n      - file: {{path: {0}, newer_than: 10m}}\n      - file: {{path: {0}, min_size: 1KiB}}\n      \
         - file: {{path: {0}, grows: true}}\n",
        path.display()
    );
    are(&ask(&world, &probes), &["file bad"; 4]);
    put(&path, &[b'x'; 2048]);
    are(&ask(&world, &probes), &["file good"; 4]);
    let mut all = Vec::new();
    eventually(|| {
        all = ask(&world, &probes);
        all[3].starts_with("file bad").then_some(())
    });
    assert!(all[3].contains("it has not moved"), "{all:?}");
    put(&path, &[b'x'; 3000]);
    are(&ask(&world, &probes)[3..], &["file good"]);
    put(&path, b"anew");
    let all = ask(&world, &probes);
    are(&all, &["file good", "file good", "file bad", "file good"]);
    let touched = Command::new("touch")
        .args(["-d", "1 hour ago"])
        .arg(&path)
        .status();
    assert!(touched.unwrap().success());
    are(&ask(&world, &probes)[1..2], &["file bad"]);
    // The operator's own links lead where they lead.
    let link = world.base().join("home/link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    are(
        &ask(
            &world,
            &format!("      - file: {{path: {}}}\n", link.display()),
        ),
        &["file good"],
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let all = ask(&world, &probes);
    assert!(all[0].contains("it is a directory"), "{all:?}");
}

/// What lies in a cell is the agent's: no link of it is followed, and nothing of it holds anybody up.
#[test]
fn a_cells_file_is_not_believed_to_be_what_it_is_not() {
    let world = World::new();
    for cell in ["plain", "link", "inner", "fifo", "up"] {
        world.cell(cell);
    }
    world.put("plain/artifacts/out", b"x");
    let outside = world.base().join("home/secret");
    put(&outside, b"x");
    std::os::unix::fs::symlink(&outside, world.path("link/artifacts/out")).unwrap();
    world.remove("inner/artifacts");
    std::os::unix::fs::symlink(
        world.base().join("home"),
        world.path("inner/worktree/artifacts"),
    )
    .unwrap();
    fs::create_dir(world.path("inner/artifacts")).unwrap();
    let made = Command::new("mkfifo")
        .arg(world.path("fifo/artifacts/out"))
        .status();
    assert!(made.unwrap().success());
    plans(
        &world,
        "name: up\nmatch: {cells: [up]}\nprobes: [{file: {path: '{{ cell.root }}/../plain/artifacts/out'}}]\npolicy: never\n---\n\
         name: inner\nmatch: {cells: [inner]}\nprobes: [{file: {path: '{{ cell.root }}/worktree/artifacts/secret'}}]\npolicy: never\n---\n\
         name: rest\nprobes: [{file: {path: '{{ cell.root }}/artifacts/out'}}, {process: {pidfile: '{{ cell.root }}/artifacts/out'}}]\npolicy: never\n",
    );
    let run = world.run(&["--json"]);
    let word = |cell: &str| answers(run.agent(cell, "main")).remove(1);
    assert_eq!(word("plain"), "file good good", "{run}");
    for cell in ["link", "inner", "fifo"] {
        assert_eq!(word(cell), "file bad bad", "{cell}: {run}");
    }
    assert_eq!(word("up"), "file not_asked unknown", "{run}");
}

/// A pidfile that an agent wrote says something of the agent's own processes, and of no others.
#[test]
fn an_agents_pidfile_is_about_its_own() {
    if !needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a");
    let theirs = Sleeper::of_user(NOBODY);
    let file = world.path("a/state/pid");
    plans(
        &world,
        "probes: [{process: {pidfile: '{{ cell.root }}/state/pid'}}]\npolicy: never\n",
    );
    for (pid, word) in [
        (theirs.pid(), "good"),
        (std::process::id(), "bad"),
        (1, "bad"),
    ] {
        put(&file, pid.to_string().as_bytes());
        std::os::unix::fs::chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        let run = world.run(&["--json"]);
        assert_eq!(
            answers(run.agent("a", "main"))[1],
            format!("process {word} {word}"),
            "{run}"
        );
    }
}

/// However many plans ask for processes, `/proc` is read once.
#[test]
fn proc_is_read_once() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    for n in 0..20 {
        world.cell(format!("c{n}"));
    }
    plans(
        &world,
        "probes: [{process: {pattern: '{{ cell.id }}-x'}}, {process: {pattern: 'y'}}]\npolicy: never\n",
    );
    let trace = world.base().join("home/trace");
    let run = world
        .cmd(&["--json", "--dry-run"])
        .through(&[
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=openat",
            "-o",
            trace.to_str().unwrap(),
        ])
        .run();
    run.code(1);
    let trace = fs::read_to_string(&trace).unwrap();
    let looks = trace.lines().filter(|l| l.contains("\"/proc\", ")).count();
    assert_eq!(looks, 1, "{now}", now = now());
    let lines = trace.lines().filter(|l| l.contains("/1/cmdline\"")).count();
    assert_eq!(lines, 1);
}
