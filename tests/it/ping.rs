//! `heartbeat_ping_url`: a dead-man service is told of each run, and can neither fail nor hold up
//! one; and who may read what a run says does not learn the URL.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::output::Run;
use crate::world::{SECRET, World};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(25);

/// What a server got.
#[derive(Clone, Debug, PartialEq)]
struct Request {
    method: String,
    path: String,
    body: String,
}

/// A server of one's own, which notes each request and does with it what the test says.
struct Server {
    port: u16,
    requests: Receiver<Request>,
}

/// What is done with a connection whose request was read.
type Answer = fn(TcpStream);

fn ok(mut to: TcpStream) {
    let _ = to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
}

fn start(answer: impl Fn(&Request, TcpStream) + Send + Clone + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (note, requests) = channel();
    // It ends with the test process.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (note, answer) = (note.clone(), answer.clone());
            thread::spawn(move || serve(stream, &note, answer));
        }
    });
    Server { port, requests }
}

fn serve(stream: TcpStream, note: &Sender<Request>, answer: impl Fn(&Request, TcpStream)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut words = head[0].split(' ').map(str::to_owned);
    let request = Request {
        method: words.next().unwrap(),
        path: words.next().unwrap(),
        body: String::from_utf8(body).unwrap(),
    };
    // Noted first: what a run was answered, the test can look up.
    let _ = note.send(request.clone());
    answer(&request, stream);
}

impl Server {
    fn new(answer: Answer) -> Self {
        start(move |_, stream| answer(stream))
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next request; there must be one.
    #[track_caller]
    fn next(&self) -> Request {
        self.requests.recv_timeout(LIMIT).expect("no request came")
    }

    /// The requests so far.
    fn all(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

/// A world whose one cell is healthy, and whose runs ping this URL.
fn world(url: &str) -> World {
    let world = World::new();
    world
        .cell("a")
        .config(&format!("heartbeat_ping_url: '{url}'\n"));
    world
}

/// Whatever happened, the URL is nowhere to be found but in the configuration.
#[track_caller]
fn keeps_the_secret(world: &World, run: &Run) {
    assert!(!run.stdout().contains(SECRET), "{run}");
    assert!(!run.stderr().contains(SECRET), "{run}");
    for (path, bytes) in world.tree() {
        let inside = bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
        assert!(!inside || path == world.config_path(), "{}", path.display());
    }
}

#[test]
fn a_run_is_told_of_at_its_start_and_at_its_end_with_its_exit_code() {
    let server = Server::new(ok);
    let world = world(&server.url("/key/slug?create=1"));
    world.canonical("c", &["x"]);
    let freeze = |status: &str| {
        let mut manifest = crate::world::canonical_manifest("c", &["x"]);
        manifest["status"] = status.into();
        world.manifest("c", &manifest);
    };
    let pair = |code: &str, summary: &str| {
        let begun = server.next();
        assert_eq!(
            (
                begun.method.as_str(),
                begun.path.as_str(),
                begun.body.as_str()
            ),
            ("GET", "/key/slug/start?create=1", "")
        );
        let ended = server.next();
        assert_eq!(ended.method, "POST");
        assert_eq!(ended.path, format!("/key/slug/{code}?create=1"));
        assert!(ended.body.contains(summary), "{}", ended.body);
        assert!(
            ended.body.contains(&format!("exit {code}")),
            "{}",
            ended.body
        );
    };
    let run = world.run(&["--json"]);
    run.code(0).stderr_empty();
    assert!(run.warnings().is_empty(), "{run}");
    pair("0", "cells=2 healthy=2 stale=0");
    world.beat("c/x", 900);
    freeze("frozen");
    world.run(&[]).code(1);
    pair("1", "cells=2 healthy=1 stale=1");
    freeze("active");
    world.run(&[]).code(2);
    pair("2", "cells=2 healthy=1 stale=1");
    std::fs::rename(world.root(), world.base().join("away")).unwrap();
    world.run(&[]).code(66);
    pair("66", "");
    assert_eq!(server.all(), []);
}

#[test]
fn a_dry_run_and_one_that_is_not_let_in_tell_nobody() {
    let server = Server::new(ok);
    let world = world(&server.url("/x"));
    world.run(&["--dry-run"]).code(0);
    for command in ["list", "status"] {
        world.run(&[command]).code(0);
    }
    let lock = std::fs::File::create(world.state().join("state.lock")).unwrap();
    let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    world.run(&[]).code(75);
    drop(lock);
    assert_eq!(server.all(), []);
}

/// The service learns that a run ended well, even if it hung when the run began.
#[test]
fn a_start_that_is_not_answered_does_not_swallow_the_end() {
    let server = start(|request, stream| match request.path.as_str() {
        "/x/start" => hold(stream),
        _ => ok(stream),
    });
    let world = world(&server.url("/x"));
    let run = world.run(&["--json"]);
    assert!(run.code(0).warns("ping_failed"), "{run}");
    assert!(server.all().iter().any(|request| request.path == "/x/0"));
}

/// A server with which something is wrong: what it does, and what the warning says.
const SICK: [(&str, Answer, &str); 9] = [
    ("says nothing", |s| hold(s), "no answer"),
    ("drips", |s| drip(s, b"HTTP/1.1 200 OK\r\nX: "), "no answer"),
    (
        "drips from the first byte",
        |s| drip(s, b""),
        "not delivered",
    ),
    ("closes", drop, "not delivered"),
    (
        "answers 500",
        |s| say(s, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
        "500",
    ),
    (
        "answers 404",
        |s| say(s, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        "404",
    ),
    (
        "babbles",
        |s| say(s, b"\0\x1b[2J TOP-SECRET-b81f6c \r\n\r\n"),
        "not delivered",
    ),
    ("has endless headers", endless_headers, "not delivered"),
    (
        "sends on to itself",
        |s| {
            say(
                s,
                b"HTTP/1.1 302 Found\r\nLocation: /start\r\nContent-Length: 0\r\n\r\n",
            )
        },
        "sends on to another address",
    ),
];

fn say(mut to: TcpStream, bytes: &[u8]) {
    let _ = to.write_all(bytes);
}

/// Answers nothing until the other side has gone.
fn hold(mut stream: TcpStream) {
    let _ = stream.read(&mut [0]);
}

/// A byte a while, for ever.
fn drip(mut to: TcpStream, first: &[u8]) {
    let _ = to.write_all(first);
    while to.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(100));
    }
}

fn endless_headers(mut to: TcpStream) {
    let _ = to.write_all(b"HTTP/1.1 200 OK\r\n");
    while to.write_all(b"X-More: and more of it\r\n").is_ok() {}
}

#[test]
fn a_sick_server_is_a_warning_and_nothing_else() {
    thread::scope(|s| {
        for (what, answer, why) in SICK {
            s.spawn(move || {
                let server = Server::new(answer);
                let world = world(&server.url(&format!("/{SECRET}")));
                world.cell("b").beat("b", 900);
                let began = Instant::now();
                let run = world.run(&["--json", "-vvv"]);
                // Some five seconds, and far from what a default timeout would be.
                assert!(began.elapsed() < LIMIT, "{what}: {run}");
                run.code(2).clean();
                assert!(run.warns("ping_failed"), "{what}: {run}");
                assert!(run.stderr().contains(why), "{what}: {run}");
                assert_eq!(world.meta().unwrap()["status"], "error", "{what}");
                keeps_the_secret(&world, &run);
            });
        }
    });
}

#[test]
fn a_long_answer_is_not_waited_for() {
    let server = Server::new(|mut to| {
        let _ = to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
        while to.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let world = world(&server.url("/x"));
    let run = world.run(&["--json"]);
    run.code(0);
    assert!(!run.warns("ping_failed"), "{run}");
}

#[test]
fn nobody_there_is_a_warning_too() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    for url in [
        format!("http://127.0.0.1:{port}/{SECRET}"),
        format!("http://user:{SECRET}@127.0.0.1:{port}/x"),
        format!("https://127.0.0.1:{port}/{SECRET}"),
    ] {
        let world = world(&url);
        let run = world
            .cmd(&["--json", "-vvv"])
            .env("RUST_LOG", "trace")
            .run();
        run.code(0);
        assert!(run.warns("ping_failed"), "{run}");
        keeps_the_secret(&world, &run);
    }
}

#[test]
fn a_redirect_is_not_followed_to_another_host() {
    let other = Server::new(ok);
    let to = other.url(&format!("/caught/{SECRET}"));
    let server = start(move |_, mut stream| {
        let _ = write!(
            stream,
            "HTTP/1.1 307 Over There\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
        );
    });
    let world = world(&server.url(&format!("/{SECRET}")));
    let run = world
        .cmd(&["--json", "-vvv"])
        .env("RUST_LOG", "trace")
        .run();
    run.code(0).stderr_has("sends on to another address");
    keeps_the_secret(&world, &run);
    assert_eq!(server.all().len(), 2);
    assert_eq!(other.all(), []);
}

#[test]
fn the_url_is_secret_however_much_is_logged() {
    let server = Server::new(ok);
    let world = world(&server.url(&format!("/{SECRET}/slug?{SECRET}=1")));
    for level in [
        "trace",
        "ureq=trace,ureq_proto=trace,rustls=trace",
        "ureq::run=trace,ureq_proto::client=trace,ureq::unversioned::transport=trace",
    ] {
        let run = world.cmd(&["--json", "-vvv"]).env("RUST_LOG", level).run();
        run.code(0);
        keeps_the_secret(&world, &run);
    }
    let run = world.run(&["-vvv"]);
    keeps_the_secret(&world, &run);
    assert_eq!(server.all().len(), 8);
}

#[test]
fn while_a_ping_is_under_way_another_run_can_work() {
    let (arrived, arrivals) = channel();
    let server = start(move |request, stream| {
        if request.path.ends_with("/start") {
            return ok(stream);
        }
        // The end is told of: the lock is free by now, and the ping waits until the other hangs up.
        let _ = arrived.send(());
        hold(stream);
    });
    let world = world(&server.url("/x"));
    thread::scope(|s| {
        let pinging = s.spawn(|| world.run(&["--json"]).code(0).warns("ping_failed"));
        arrivals.recv_timeout(LIMIT).unwrap();
        let (root, state) = (world.root(), world.state());
        let args = [
            "--root",
            root.to_str().unwrap(),
            "--state-dir",
            state.to_str().unwrap(),
        ];
        // Without the configuration, and so without a ping.
        world.bare(&args).run().code(0);
        assert!(pinging.join().unwrap());
    });
}
