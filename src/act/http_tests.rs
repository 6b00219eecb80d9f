//! Requests, to servers of one's own that do whatever a server can do.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::stage::{LONG, Stage};
use crate::model::action::{StepDone, StepResult};
use crate::model::step::{Http, Step};

/// Must not be told, wherever it stands in a URL.
const KEY: &str = "k3y-in-the-url";

/// A server that does the same with each connection, whose request it has read: what was asked.
fn server(answer: impl Fn(TcpStream) + Send + Clone + 'static) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (note, requests) = channel();
    // It ends with the test process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (note, answer) = (note.clone(), answer.clone());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut text, mut length) = (String::new(), 0);
                while !text.ends_with("\r\n\r\n") {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    let lower = line.to_ascii_lowercase();
                    if let Some(n) = lower.strip_prefix("content-length:") {
                        length = n.trim().parse().unwrap();
                    }
                    text.push_str(&line);
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                text.push_str(std::str::from_utf8(&body).unwrap());
                let _ = note.send(text);
                answer(stream);
            });
        }
    });
    (port, requests)
}

fn get(port: u16) -> Http {
    Http {
        method: "GET".into(),
        url: format!("http://ann:{KEY}@127.0.0.1:{port}/{KEY}/restart?key={KEY}"),
        headers: BTreeMap::new(),
        body: None,
        status: None,
        timeout: LONG,
    }
}

/// One request; whatever comes of it, the key is not told.
#[track_caller]
fn ask(http: Http) -> StepDone {
    let done = Stage::new().step(Step::Http(http));
    let error = done.error.as_deref().unwrap_or_default();
    assert!(!error.contains(KEY), "{error}");
    done
}

#[track_caller]
fn ended(done: &StepDone, result: StepResult, why: &str) {
    assert_eq!(done.result, result, "{done:?}");
    let error = done.error.as_deref().unwrap_or_default();
    assert!(error.contains(why), "{error}");
}

fn says(text: &'static str) -> impl Fn(TcpStream) + Send + Clone + 'static {
    move |mut to: TcpStream| {
        let _ = to.write_all(text.as_bytes());
    }
}

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn one_request_as_the_plan_has_it() {
    let (port, requests) = server(says(NO_CONTENT));
    let asked = || requests.recv_timeout(LONG).unwrap();
    let mut http = get(port);
    http.headers.insert("X-Key".into(), "v".into());
    assert_eq!(ask(http).result, StepResult::Ok);
    let request = asked();
    let begin = format!("GET /{KEY}/restart?key={KEY} HTTP/1.1\r\n");
    assert!(request.starts_with(&begin), "{request}");
    let lower = request.to_ascii_lowercase();
    assert!(lower.contains("x-key: v\r\n"), "{request}");
    assert!(lower.contains("user-agent: lazarus-pit/"), "{request}");
    for method in ["POST", "PUT", "PATCH", "DELETE", "GET"] {
        let mut http = get(port);
        (http.method, http.body) = (method.into(), Some("a body".into()));
        assert_eq!(ask(http).error, None);
        let request = asked();
        assert!(request.starts_with(method), "{request}");
        assert!(request.ends_with("\r\n\r\na body"), "{request}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
        let mut http = get(port);
        http.method = method.into();
        assert_eq!(ask(http).error, None);
        assert!(asked().starts_with(method));
    }
    assert!(requests.try_recv().is_err(), "one request, and no other");
}

#[test]
fn the_status_decides() {
    let (port, _) = server(says("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
    let want = format!("GET http://127.0.0.1:{port}: the server answered 503");
    let done = ask(get(port));
    assert_eq!(done.error.as_deref(), Some(&*want));
    let mut http = get(port);
    http.status = Some(503);
    assert_eq!(ask(http.clone()).result, StepResult::Ok);
    http.status = Some(200);
    ended(&ask(http), StepResult::Failed, "answered 503, not 200");
    let (port, _) = server(says(NO_CONTENT));
    let mut http = get(port);
    http.status = Some(200);
    ended(&ask(http), StepResult::Failed, "answered 204, not 200");
}

#[test]
fn nobody_is_sent_on() {
    let (other, asked) = server(says(NO_CONTENT));
    let to = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other}/\r\nContent-Length: 0\r\n\r\n"
    );
    let (port, _) = server(move |mut stream: TcpStream| {
        let _ = stream.write_all(to.as_bytes());
    });
    let done = ask(get(port));
    ended(
        &done,
        StepResult::Failed,
        "302: it sends on to another address",
    );
    let mut http = get(port);
    http.status = Some(302);
    assert_eq!(ask(http).result, StepResult::Ok);
    assert!(asked.try_recv().is_err());
}

#[test]
fn what_is_no_answer_is_told() {
    for (answer, why) in [
        ("", "GET http://127.0.0.1:"),
        ("rubbish\r\n\r\n", "the answer is no HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Le", "GET http://127.0.0.1:"),
    ] {
        let (port, _) = server(says(answer));
        ended(&ask(get(port)), StepResult::Failed, why);
    }
    // Nobody listens there any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let done = ask(get(port.unwrap().port()));
    ended(&done, StepResult::Failed, "Connection refused");
    let mut http = get(1);
    http.url = format!("http://nobody.invalid/{KEY}");
    // However long a host without a name server takes to find that out.
    http.timeout = Duration::from_secs(2);
    assert_ne!(ask(http.clone()).result, StepResult::Ok);
    for url in [KEY, "ftp://h/x", "http://", "http://h:x/"] {
        http.url = url.replace('x', KEY);
        assert_eq!(ask(http.clone()).result, StepResult::Failed, "{url}");
    }
    let mut http = get(1);
    http.headers.insert("x".into(), format!("{KEY}\n"));
    ended(&ask(http), StepResult::Failed, "its header x");
}

fn drip(mut to: TcpStream, first: &str, what: &[u8]) {
    let _ = to.write_all(first.as_bytes());
    while to.write_all(what).is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whatever keeps on coming is not waited for beyond the time that there is.
#[test]
fn a_server_that_does_not_come_to_an_end_has_its_time_and_no_more() {
    type Answer = fn(TcpStream);
    let slow: [(Answer, &str); 4] = [
        (|to| drip(to, "", b""), "there was no answer within 500ms"),
        (|to| drip(to, "HTTP/1.1 200 ", b"O"), "there was no answer"),
        (
            |to| drip(to, "HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
            "there was no answer",
        ),
        (
            |to| drip(to, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
            "the answer 200 did not come to its end within 500ms",
        ),
    ];
    for (answer, why) in slow {
        let (port, _) = server(answer);
        let mut http = get(port);
        http.timeout = Duration::from_millis(500);
        let began = Instant::now();
        ended(&ask(http), StepResult::TimedOut, why);
        assert!(began.elapsed() < LONG / 4, "{:?}", began.elapsed());
    }
}

#[test]
fn what_is_endless_is_read_no_further_than_it_may_be() {
    let flood = |mut to: TcpStream, first: &str, what: &[u8]| {
        let _ = to.write_all(first.as_bytes());
        while to.write_all(what).is_ok() {}
    };
    let (port, _) = server(move |to| flood(to, "HTTP/1.1 200 OK\r\n", b"a: b\r\n"));
    ended(&ask(get(port)), StepResult::Failed, "GET http://127.0.0.1:");
    let line = [b'x'; 4096];
    let (port, _) = server(move |to| flood(to, "HTTP/1.1 200 OK\r\na: ", &line));
    ended(&ask(get(port)), StepResult::Failed, "more than 65536 bytes");
    // Of a body enough is read, and the rest of it stays where it is; the status is what counts.
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let (port, _) = server(move |mut to: TcpStream| {
        let _ = to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n");
        while let Ok(n) = to.write(&[b'x'; 4096]) {
            count.fetch_add(n, Ordering::Relaxed);
        }
    });
    assert_eq!(ask(get(port)).error, None);
    // What is under way is the kernel's.
    assert!(sent.load(Ordering::Relaxed) < 64 << 20, "{sent:?}");
}

#[test]
fn the_deadline_comes_first() {
    let (port, _) = server(|to| drip(to, "", b""));
    let mut stage = Stage::new();
    stage.deadline = Duration::from_millis(500);
    let began = Instant::now();
    let done = stage.step(Step::Http(get(port)));
    let why = "there was no answer: the run's deadline came first";
    ended(&done, StepResult::CutOff, why);
    assert!(began.elapsed() < LONG / 4, "{:?}", began.elapsed());
}
