//! `health`: one HTTP request on standard input and output. What it answers, and what it leaves.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::cmd::Cmd;
use crate::later::plans;
use crate::world::{NOBODY, SECRET, World, is_root, make_dir, mode, now, put};

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// Takes an answer apart, and holds it to what every answer is.
    #[track_caller]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap();
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status: Vec<&str> = lines.next().unwrap().splitn(3, ' ').collect();
        assert_eq!(status[0], "HTTP/1.1");
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        let reply = Self {
            code: status[1].parse().unwrap(),
            headers: headers.collect(),
            body: body.to_owned(),
        };
        assert_eq!(reply.header("connection"), "close");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert!(reply.header("date").ends_with(" GMT"));
        assert!(!text.contains(SECRET));
        reply
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let (_, value) = found.next().unwrap_or_else(|| panic!("{name}: {self:?}"));
        assert!(found.next().is_none(), "{name} twice: {self:?}");
        value
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        let length: usize = self.header("content-length").parse().unwrap();
        assert_eq!(length, self.body.len());
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers over pipes; the exit must be 0.
#[track_caller]
pub(crate) fn over_pipes(cmd: Cmd<'_>, request: &[u8]) -> (Vec<u8>, String) {
    let (mut command, words) = cmd.command();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // One that has heard enough reads no further.
    let _ = child.stdin.take().unwrap().write_all(request);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{words}: {errors}");
    (output.stdout, errors)
}

#[track_caller]
fn get(world: &World, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (bytes, errors) = over_pipes(world.cmd(&["health"]), request.as_bytes());
    assert_eq!(errors, "");
    Reply::of(&bytes)
}

/// The code and the status that `/health` has.
#[track_caller]
fn health(world: &World) -> (u16, String) {
    let reply = get(world, "/health");
    let status = reply.json()["status"].as_str().unwrap().to_owned();
    (reply.code, status)
}

fn is(code: u16, status: &str) -> (u16, String) {
    (code, status.to_owned())
}

#[test]
fn it_says_how_the_last_run_ended_and_changes_nothing() {
    let world = World::new();
    world.cell("a").cell("b");
    fs::remove_dir(world.state()).unwrap();
    let before = world.tree();
    assert_eq!(health(&world), is(503, "none"));
    assert_eq!(get(&world, "/metrics").code, 200);
    assert_eq!(get(&world, "/status.json").code, 200);
    assert_eq!(world.tree(), before, "not even the directory is made");

    world.run(&[]).code(0);
    let before = world.tree();
    let reply = get(&world, "/health");
    assert_eq!(reply.code, 200);
    let said = reply.json();
    let meta = world.meta().unwrap();
    assert_eq!(said["status"], "ok");
    assert_eq!(said["service"], "lazarus-pit");
    assert_eq!(said["exit"], 0);
    assert_eq!(said["summary"], meta["summary"]);
    assert_eq!(said["summary"]["healthy"], 2);
    assert_eq!(said["version"], meta["version"]);
    assert!(said["last_run"].as_str().unwrap().ends_with('Z'));
    assert!(said["age_seconds"].as_u64().unwrap() < 100, "{said}");
    assert_eq!(world.tree(), before);

    world.beat("a", 900);
    plans(&world, "policy: ask\nsteps: [{run: ['true']}]\n");
    world.run(&[]).code(1);
    assert_eq!(health(&world), is(200, "warn"));
    plans(&world, "policy: never\n");
    world.run(&[]).code(2);
    assert_eq!(health(&world), is(503, "error"));
    assert_eq!(get(&world, "/metrics").code, 200, "a scrape is no verdict");
    // A run that could not begin has no state, and says so in its heartbeat.
    world.beat("a", 1);
    world.run(&[]).code(0);
    assert_eq!(health(&world), is(200, "ok"));
    plans(&world, "policy: sometimes\n");
    world.run(&[]).code(78);
    assert_eq!(health(&world), is(503, "error"));
    assert_eq!(get(&world, "/health").json()["exit"], 78);
}

/// Two intervals may pass, and a clock that was wrong makes nobody look well for ever.
#[test]
fn a_run_that_is_too_long_ago_is_none() {
    let world = World::new();
    world.config("heartbeat_interval_seconds: 1000\nclock_skew: 5m\n");
    let beat = world.state().join("heartbeats/lazarus_pit.last");
    let at = |age: f64| {
        let beat_of = json!({"job": "lazarus_pit", "timestamp": now() - age, "exit_code": 0});
        put(&beat, beat_of.to_string().as_bytes());
        health(&world)
    };
    assert_eq!(at(1500.0), is(200, "ok"));
    assert_eq!(at(2500.0), is(503, "late"));
    assert_eq!(at(-100.0), is(200, "ok"));
    assert_eq!(at(-1000.0), is(503, "late"));
    let said = get(&world, "/health").json();
    assert_eq!(said["age_seconds"], 0);
    assert!(said["message"].as_str().unwrap().contains("in the future"));

    // Where a run left no heartbeat, its state counts.
    at(2500.0);
    world.cell("a");
    world.run(&["--no-heartbeat"]).code(0);
    assert_eq!(health(&world), is(200, "ok"));
    // And a heartbeat that is none is no reason to say nothing.
    put(&beat, format!("{{\"timestamp\": {SECRET}").as_bytes());
    let (bytes, errors) = over_pipes(world.cmd(&["health"]), b"GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(Reply::of(&bytes).code, 200);
    assert!(
        errors.contains("lazarus_pit.last: no heartbeat"),
        "{errors}"
    );
    assert!(!errors.contains(SECRET), "{errors}");
}

#[test]
fn status_and_metrics_are_those_of_the_other_commands() {
    let world = World::new();
    world.cell("a").cell("b\"\\\n\u{1b}").beat("a", 900);
    world.config("prometheus_subjects: true\n");
    plans(&world, "policy: auto\nsteps: [{run: ['false']}]\n");
    let run = world.run(&["--format", "prometheus"]);
    run.code(2);
    let reply = get(&world, "/status.json");
    assert_eq!(reply.json(), *world.run(&["status", "--json"]).json());
    let reply = get(&world, "/metrics");
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.header("content-type"), kind);
    // All samples but the two that are times, which a report has more exactly.
    let lines = |text: &str| -> Vec<String> {
        let exact = |line: &&str| {
            !line.starts_with("lazarus_pit_run_duration_seconds ")
                && !line.starts_with("lazarus_pit_last_success_timestamp_seconds ")
        };
        text.lines().filter(exact).map(String::from).collect()
    };
    assert_eq!(lines(&reply.body), lines(run.stdout()));
    assert!(
        reply.body.contains("attempts_total{result=\"failed\"} 1\n"),
        "{reply:?}"
    );
    assert!(
        reply
            .body
            .contains("subject_down{cell=\"a\",agent=\"main\""),
        "{reply:?}"
    );
}

/// HEAD is GET without the body, and old clients are as welcome as new ones.
#[test]
fn head_has_the_headers_only() {
    let world = World::new();
    world.cell("a");
    world.run(&[]).code(0);
    let ask = |request: &str| over_pipes(world.cmd(&["health"]), request.as_bytes()).0;
    for path in ["/health", "/metrics", "/status.json", "/none"] {
        let got = Reply::of(&ask(&format!("GET {path} HTTP/1.0\r\n\r\n")));
        let head = Reply::of(&ask(&format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n")));
        assert_eq!(head.body, "");
        assert_eq!(head.code, got.code);
        assert_eq!(head.code, if path == "/none" { 404 } else { 200 });
        let length = |reply: &Reply| reply.header("content-length").to_owned();
        assert_eq!(length(&head), length(&got));
        assert_eq!(length(&got), got.body.len().to_string());
    }
    let bad = ask("HEAD /health HTTP/1.1\r\n\r\n");
    assert_eq!(
        (Reply::of(&bad).code, bad.ends_with(b"\r\n\r\n")),
        (400, true)
    );
    assert_eq!(
        Reply::of(&ask("GET /health?x=1 HTTP/1.0\r\n\r\n")).code,
        200
    );
}

/// A run that holds the lock holds up nobody who only asks.
#[test]
fn it_takes_no_lock() {
    let world = World::new();
    world.cell("a");
    world.run(&[]).code(0);
    let lock = fs::File::open(world.state().join("state.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    world.run(&[]).code(75);
    assert_eq!(health(&world), is(200, "ok"));
    assert_eq!(get(&world, "/status.json").code, 200);
}

/// What the operator is told, and what anybody is told who asks, are two things.
#[test]
fn what_fails_is_told_to_the_operator_only() {
    let world = World::new();
    world.cell("a");
    world.run(&[]).code(0);
    let all = ["/health", "/metrics", "/status.json"];
    let ask = |path: &str, user: Option<u32>| {
        let cmd = world.cmd(&["health", "-q"]);
        let cmd = match user {
            Some(uid) => cmd.poor_user(uid),
            None => cmd,
        };
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let (bytes, errors) = over_pipes(cmd, request.as_bytes());
        (Reply::of(&bytes), errors)
    };
    world.config(&format!(
        "heartbeat_ping_url: https://x/{SECRET}\nstale: {SECRET}\n"
    ));
    for path in all {
        let (reply, errors) = ask(path, None);
        assert_eq!(reply.code, 503);
        assert!(
            reply.body.contains("the configuration is refused"),
            "{reply:?}"
        );
        assert!(errors.contains("config.yaml:2:1: error"), "{errors}");
    }
    world.config("{}\n");
    if is_root() {
        mode(&world.state(), 0o700);
        for path in all {
            let (reply, errors) = ask(path, Some(NOBODY));
            assert_eq!(reply.code, 503);
            assert!(reply.body.contains("the state cannot be read"), "{reply:?}");
            assert!(errors.contains("ermission denied"), "{errors}");
        }
    }
}

/// A server in the manner of inetd: for each connection one lazarus-pit, with the connection as
/// its standard streams, standard error included. Ends after so many.
fn inetd<'s>(
    scope: &'s thread::Scope<'s, '_>,
    many: usize,
    command: impl Fn() -> Command + Send + 's,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    scope.spawn(move || {
        let mut children = Vec::new();
        for _ in 0..many {
            let (stream, _) = listener.accept().unwrap();
            let copy = || OwnedFd::from(stream.try_clone().unwrap());
            let mut command = command();
            command.stdin(copy()).stdout(copy()).stderr(copy());
            children.push(command.spawn().unwrap());
        }
        for mut child in children {
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
    });
    port
}

#[test]
fn over_a_socket_many_are_answered_at_once() {
    let world = World::new();
    world.cell("a");
    world.run(&[]).code(0);
    thread::scope(|scope| {
        let port = inetd(scope, 8, || world.cmd(&["health"]).command().0);
        let ask = move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            // In two pieces, as networks have it.
            stream.write_all(b"GET /health HT").unwrap();
            stream.write_all(b"TP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            Reply::of(&bytes)
        };
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        for client in clients {
            let reply = client.join().unwrap();
            assert_eq!((reply.code, &reply.json()["status"]), (200, &json!("ok")));
        }
    });
}

/// inetd makes the connection standard error as well: what is for the operator does not go there.
#[test]
fn over_a_socket_the_answer_is_all_that_is_said() {
    let world = World::new();
    world.config(&format!("stale: {SECRET}\n"));
    // Longer than is read, so that there is a rest when the answer is given.
    let long = format!("GET / HTTP/1.0\r\n{}", "A: b\r\n".repeat(20_000));
    let cases = [(503, "GET /health HTTP/1.0\r\n\r\n"), (400, long.as_str())];
    thread::scope(|scope| {
        let port = inetd(scope, 2, || world.cmd(&["health", "-vvv"]).command().0);
        for (code, request) in cases {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            let reply = Reply::of(&bytes);
            assert_eq!(reply.code, code, "{reply:?}");
            let length = reply.header("content-length").to_owned();
            assert_eq!(length, reply.body.len().to_string());
        }
    });
}

/// Nobody needs to be root to be asked.
#[test]
fn an_ordinary_user_answers_of_their_own_runs() {
    if !crate::world::needs_root() {
        return;
    }
    let world = World::new();
    world.cell("a");
    make_dir(&world.base().join("home"), 0o755);
    world.cmd(&[]).user(NOBODY).run().code(0);
    let request = b"GET /health HTTP/1.0\r\n\r\n";
    let (bytes, _) = over_pipes(world.cmd(&["health"]).user(NOBODY), request);
    assert_eq!(Reply::of(&bytes).code, 200);
    assert!(Path::new(&world.state()).exists());
}
