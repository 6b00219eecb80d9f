//! Steps that signal, ask over HTTP and wait, carried out by the real program: what each does, and
//! what it must not.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::later::plans;
use crate::output::Run;
use crate::store::{journal, state_is_the_journal};
use crate::world::{NOBODY, SECRET, World, needs_root, now, tool};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(25);

/// A process that does nothing; gone with the test.
struct Agent(Child);

impl Agent {
    fn start(uid: u32) -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").stdin(Stdio::null());
        if uid != us() {
            command.uid(uid).gid(uid);
        }
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    #[track_caller]
    fn lives(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "it got a signal");
    }

    /// The signal that ended it.
    fn ended_by(&mut self) -> Option<i32> {
        self.0.wait().unwrap().signal()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn us() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Whose the cells are: an ordinary user, whoever we are.
fn owner() -> u32 {
    if us() == 0 { NOBODY } else { us() }
}

/// A cell `a` of an ordinary user's that lacks a directory: its agent is not to be left alone,
/// although it beats, and a heartbeat that is fresh may name a process that is young.
fn broken_cell(world: &World, heartbeat: &Value) {
    world.cell("a").remove("a/worktree");
    let mut all = json!({"timestamp": now()});
    all.as_object_mut()
        .unwrap()
        .extend(heartbeat.as_object().unwrap().clone());
    world.heartbeat("a", all.to_string());
    if us() == 0 {
        chown(world.path("a"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// A plan for what is broken or stale, with these steps.
fn steps(world: &World, steps: &str) {
    plans(
        world,
        &format!("policy: auto\nwhen: {{status: [stale, incomplete]}}\nsteps:\n{steps}\n"),
    );
}

/// The steps of the one attempt that was made.
#[track_caller]
fn made(run: &Run) -> Vec<Value> {
    let actions = run.list("actions");
    assert_eq!(actions.len(), 1, "{run}");
    actions[0]["steps"].as_array().unwrap().clone()
}

/// A step ended like this, for this reason, and the journal has it too.
#[track_caller]
fn ended(world: &World, run: &Run, result: &str, why: &str) {
    let step = made(run).remove(0);
    assert_eq!(step["result"], result, "{run}");
    let error = step["error"].as_str().unwrap();
    assert!(error.contains(why), "{error}");
    let events = journal(world);
    let last = events.iter().rfind(|e| e["event"] == "step").unwrap();
    assert_eq!(last["result"], result);
    assert_eq!(last["error"], error);
    state_is_the_journal(world);
}

/// A server that has each request's first line and does what the test says.
fn server(answer: impl Fn(&str, TcpStream) + Send + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the test process.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut first = String::new();
                let mut line = String::from("x");
                while !line.trim_end().is_empty() {
                    line.clear();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    if first.is_empty() {
                        first = line.trim_end().to_owned();
                    }
                }
                answer(&first, stream);
            });
        }
    });
    port
}

const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// All that these steps are for: the hung agent is ended, whoever starts it is asked to, and the
/// attempt has worked when it is seen to beat.
#[test]
fn an_agent_is_ended_started_over_http_and_seen_to_live() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let mut hung = Agent::start(us());
    let pidfile = world.base().join("home/agent.pid");
    crate::world::put(&pidfile, format!("{}\n", hung.pid()).as_bytes());
    let (beat, fresh) = (world.heartbeat_path("a"), world.base().join("home/fresh"));
    let port = server(move |first, mut stream| {
        assert_eq!(first, "POST /restart/a HTTP/1.1");
        let _ = stream.write_all(NO_CONTENT);
        // The agent that was started; it beats until the world is gone.
        let write = || {
            fs::write(&fresh, json!({"timestamp": now()}).to_string())?;
            fs::rename(&fresh, &beat)
        };
        while write().is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    steps(
        &world,
        &format!(
            "  - signal: {{to: {{pidfile: {}}}, signal: KILL}}\n  \
             - http: {{method: POST, url: 'http://127.0.0.1:{port}/restart/{{{{ cell.id }}}}'}}\n  \
             - wait: {{for: healthy, within: 20s}}",
            pidfile.display()
        ),
    );
    let dry = world.run(&["--dry-run", "--json"]);
    assert_eq!(made(&dry)[2]["result"], "dry_run");
    hung.lives();
    let run = world.run(&["--json"]);
    run.code(1).stderr_empty();
    assert!(!run.warns("steps_not_carried_out"), "{run}");
    let done = made(&run);
    let kinds: Vec<&Value> = done.iter().map(|step| &step["kind"]).collect();
    assert_eq!(kinds, ["signal", "http", "wait"]);
    assert!(done.iter().all(|step| step["result"] == "ok"), "{run}");
    assert_eq!(done[0]["pid"], hung.pid());
    assert_eq!(hung.ended_by(), Some(9));
    state_is_the_journal(&world);
    let healthy = crate::later::eventually(|| {
        let run = world.run(&["--json"]);
        (run.verdict("a/main") == Some("healthy")).then_some(run)
    });
    healthy.code(0);
}

#[test]
fn the_process_that_a_heartbeat_names_is_signalled_where_it_is_the_owners() {
    let world = World::new();
    let mut agent = Agent::start(owner());
    broken_cell(&world, &json!({"pid": agent.pid()}));
    steps(&world, "  - signal: {to: heartbeat_pid}");
    let run = world.run(&["--json"]);
    run.code(1);
    assert_eq!(made(&run)[0]["pid"], agent.pid(), "{run}");
    assert_eq!(agent.ended_by(), Some(15));
    // With the next attempt there is nobody left.
    world.run(&["reset", "a"]).code(0);
    world.forget();
    let run = world.run(&["--json"]);
    run.code(2);
    ended(&world, &run, "failed", "is not there any more");
}

/// A kernel without descriptors of processes is no reason for not reaching one.
#[test]
fn without_descriptors_of_processes_it_is_looked_at_again() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    let mut agent = Agent::start(owner());
    broken_cell(&world, &json!({"pid": agent.pid()}));
    steps(&world, "  - signal: {to: heartbeat_pid, signal: USR1}");
    let inject = ["-e", "inject=pidfd_open:error=ENOSYS"];
    let strace = [&["strace", "-f", "-o", "/dev/null"], &inject[..]].concat();
    let run = world.cmd(&["--json"]).through(&strace).run();
    run.code(1);
    assert_eq!(agent.ended_by(), Some(10), "{run}");
}

#[test]
fn a_hostile_heartbeat_has_nobody_signalled() {
    let mut ours = Agent::start(us());
    let pid = |pid: i64| json!({"pid": pid});
    let cases = [
        (pid(1), ""),
        (pid(-1), "names no pid"),
        (pid(0), "names no pid"),
        (pid(i64::from(i32::MAX)), "is not there any more"),
        (json!({"pid": "1"}), "names no pid"),
        (json!({}), "names no pid"),
        // Ours, which started after it was written; and, as root, root's.
        (
            json!({"pid": ours.pid(), "timestamp": now() - 30.0}),
            if us() == 0 {
                "is root's"
            } else {
                "is another by now"
            },
        ),
        // The one that started us.
        (
            json!({"pid": std::process::id()}),
            if us() == 0 {
                "is root's"
            } else {
                "is this run itself"
            },
        ),
    ];
    for (heartbeat, why) in cases {
        let world = World::new();
        broken_cell(&world, &heartbeat);
        steps(&world, "  - signal: {to: heartbeat_pid, signal: KILL}");
        let run = world.run(&["--json"]);
        run.code(2);
        ended(&world, &run, "failed", why);
        ours.lives();
    }
}

#[test]
fn root_signals_nobody_for_a_cell_that_is_another_users_or_its_own() {
    if !needs_root() {
        return;
    }
    for (whose, of, why) in [
        (NOBODY, NOBODY - 1, "runs as "),
        (NOBODY, 0, "is root's"),
        (0, NOBODY, "is root's"),
        (0, 0, "is root's"),
    ] {
        let world = World::new();
        let mut agent = Agent::start(of);
        broken_cell(&world, &json!({"pid": agent.pid()}));
        chown(world.path("a"), Some(whose), Some(whose)).unwrap();
        steps(&world, "  - signal: {to: heartbeat_pid}");
        let run = world.run(&["--json"]);
        run.code(2);
        ended(&world, &run, "failed", why);
        agent.lives();
    }
    // An ordinary user's run has no more power than its user.
    let world = World::new();
    let (mut own, mut other) = (Agent::start(NOBODY), Agent::start(NOBODY - 1));
    for (agent, code) in [(&mut other, 2), (&mut own, 1)] {
        broken_cell(&world, &json!({"pid": agent.pid()}));
        steps(&world, "  - signal: {to: heartbeat_pid}");
        let run = world.forget().cmd(&["--json"]).user(NOBODY).run();
        run.code(code);
    }
    other.lives();
    assert_eq!(own.ended_by(), Some(15));
}

#[test]
fn a_pidfile_that_others_could_write_names_nobody() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let mut agent = Agent::start(us());
    let pidfile = world.base().join("home/agent.pid");
    crate::world::put(&pidfile, agent.pid().to_string().as_bytes());
    fs::set_permissions(&pidfile, PermissionsExt::from_mode(0o666)).unwrap();
    steps(
        &world,
        &format!("  - signal: {{to: pidfile {}}}", pidfile.display()),
    );
    let run = world.run(&["--json"]);
    run.code(2);
    ended(&world, &run, "failed", "can be written by others");
    agent.lives();
}

#[test]
fn where_nobody_is_kept_there_is_nobody_to_signal() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    steps(&world, "  - signal: {to: process}");
    let run = world.run(&["--json"]);
    run.code(2);
    ended(&world, &run, "failed", "no kept process of a/main is alive");
}

type Answer = fn(&str, TcpStream);

/// What a server does, the step's result, and what its error says.
const SICK: [(Answer, &str, &str); 8] = [
    (
        |_, s| say(s, b"HTTP/1.1 500 No\r\n\r\n"),
        "failed",
        "answered 500",
    ),
    (
        |_, s| say(s, REDIRECT),
        "failed",
        "302: it sends on to another",
    ),
    (|_, s| say(s, b"\0\x1b[2J\r\n\r\n"), "failed", "is no HTTP"),
    (|_, s| drop(s), "failed", "GET http://127.0.0.1:"),
    (|_, s| hold(s), "timed_out", "there was no answer within 1s"),
    (
        |_, s| drip(s, b"HTTP/1.1 200 OK\r\nX: "),
        "timed_out",
        "there was no answer within 1s",
    ),
    (
        |_, s| drip(s, b"HTTP/1.1 200 OK\r\n\r\n"),
        "timed_out",
        "did not come to its end within 1s",
    ),
    (
        |_, mut s| while s.write_all(b"HTTP/1.1 100 Go on\r\n\r\n").is_ok() {},
        "",
        "GET http://127.0.0.1:",
    ),
];

const REDIRECT: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n";

fn say(mut to: TcpStream, bytes: &[u8]) {
    let _ = to.write_all(bytes);
}

/// Answers nothing until the other side has gone.
fn hold(mut stream: TcpStream) {
    let _ = stream.read(&mut [0]);
}

/// A byte a second, for ever, after these.
fn drip(mut to: TcpStream, first: &[u8]) {
    let _ = to.write_all(first);
    while to.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_sick_server_fails_the_step_in_its_time_and_learns_no_more_than_it_must() {
    thread::scope(|s| {
        for (answer, result, why) in SICK {
            s.spawn(move || {
                let port = server(answer);
                let world = World::new();
                world.cell("a").beat("a", 900);
                steps(
                    &world,
                    &format!(
                        "  - http: {{url: 'http://u:{SECRET}@127.0.0.1:{port}/{SECRET}?k={SECRET}', timeout: 1s}}"
                    ),
                );
                let began = Instant::now();
                let run = world.cmd(&["--json", "-vvv"]).env("RUST_LOG", "trace").run();
                assert!(began.elapsed() < LIMIT, "{run}");
                run.code(2);
                let step = made(&run).remove(0);
                assert!(result.is_empty() || step["result"] == result, "{run}");
                let error = step["error"].as_str().unwrap();
                assert!(error.contains(why), "{error}");
                assert!(!run.stdout().contains(SECRET), "{run}");
                assert!(!run.stderr().contains(SECRET), "{run}");
                let told = |path: &str| fs::read_to_string(world.state().join(path)).unwrap();
                assert!(!told("journal.jsonl").contains(SECRET));
                state_is_the_journal(&world);
            });
        }
    });
}

/// What the deadline cuts off is over in time, however long its own limit is.
#[test]
fn the_deadline_cuts_off_what_is_asked_and_waited_for() {
    let port = server(|_, stream| hold(stream));
    let world = World::new();
    world.cell("a").beat("a", 900).cell("b").beat("b", 900);
    plans(
        &world,
        &format!(
            "name: ask\nmatch: {{cells: [a]}}\npolicy: auto\nsteps: [{{http: {{url: 'http://127.0.0.1:{port}/', timeout: 1h}}}}]\n---\n\
             name: wait\nmatch: {{cells: [b]}}\npolicy: auto\nsteps: [{{wait: {{within: 1h}}}}]\n"
        ),
    );
    let began = Instant::now();
    let run = world.run(&["--json", "--deadline", "4s"]);
    assert!(began.elapsed() < LIMIT, "{run}");
    run.code(2);
    for action in run.list("actions") {
        let step = &action["steps"][0];
        assert_eq!(step["result"], "cut_off", "{run}");
        let error = step["error"].as_str().unwrap();
        assert!(error.contains("the run's deadline came first"), "{error}");
    }
    assert_eq!(run.list("actions").len(), 2);
    state_is_the_journal(&world);
}

/// A beat from before the step says nothing, nor does one that is too old for the plan.
#[test]
fn an_old_beat_is_no_recovery_to_a_wait_either() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let fresh = world.base().join("home/fresh");
    steps(
        &world,
        &format!(
            "  - run: [sh, -c, 'cp {} {}']\n  - wait: {{within: 1s}}",
            fresh.display(),
            world.heartbeat_path("a").display()
        ),
    );
    for (age, why) in [(1.0, "is from before this step"), (800.0, "800 s ago")] {
        world.forget().beat("a", 900);
        fs::write(&fresh, json!({"timestamp": now() - age}).to_string()).unwrap();
        let run = world.run(&["--json"]);
        run.code(2);
        let step = made(&run).remove(1);
        assert_eq!(step["result"], "timed_out", "{run}");
        let error = step["error"].as_str().unwrap();
        assert!(error.contains(why) || age > 1.0, "{error}");
        assert!(error.ends_with(" within 1s"), "{error}");
    }
}
