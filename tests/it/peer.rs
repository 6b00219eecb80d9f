//! Servers of one's own for probes to ask: each on a port that the kernel picks, each until the
//! test process ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::output::Run;

/// Takes connections and does with each what the test says.
pub(crate) fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Reads a request's head, and does with it and its connection what the test says.
pub(crate) fn http(answer: impl Fn(&str, TcpStream) + Send + Sync + 'static) -> u16 {
    raw(move |stream| {
        if let Some(head) = head(&stream) {
            answer(&head, stream);
        }
    })
}

/// A request up to its empty line.
pub(crate) fn head(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(head)
}

/// An answer with a body that says how long it is.
pub(crate) fn answer(mut to: TcpStream, status: u16, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n");
    let _ = to.write_all(format!("{head}{body}").as_bytes());
}

/// What the health endpoint of the earlier daemon answered.
pub(crate) fn health(status: &str) -> String {
    json!({"status": status, "service": "nexus", "uptime_seconds": 12.5, "connected_clients": 3,
           "ws_port": 8765, "ts": 1795240000.5})
    .to_string()
}

/// A server whose health is good until it is told otherwise, and how often it was asked.
pub(crate) struct Service {
    pub(crate) port: u16,
    well: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Service {
    pub(crate) fn new() -> Self {
        let well = Arc::new(AtomicBool::new(true));
        let asked = Arc::new(AtomicUsize::new(0));
        let (is, count) = (Arc::clone(&well), Arc::clone(&asked));
        let port = http(move |_, stream| {
            count.fetch_add(1, Ordering::SeqCst);
            match is.load(Ordering::SeqCst) {
                true => answer(stream, 200, &health("ok")),
                false => answer(stream, 500, &health("failing")),
            }
        });
        Self { port, well, asked }
    }

    pub(crate) fn set(&self, well: bool) {
        self.well.store(well, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A port on which nobody listens.
pub(crate) fn nobody() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The report of a gateway.
#[track_caller]
pub(crate) fn gateway<'r>(run: &'r Run, name: &str) -> &'r Value {
    let mut all = run.list("gateways").iter();
    let found = all.find(|gateway| gateway["name"] == name);
    found.unwrap_or_else(|| panic!("no gateway {name}: {run}"))
}

/// The answers of a subject's probes, in order: what came back, and what it counts as.
pub(crate) fn answers(subject: &Value) -> Vec<String> {
    let pieces = subject["evidence"].as_array().unwrap().iter();
    let word = |piece: &Value, key: &str| piece[key].as_str().unwrap().to_owned();
    pieces
        .map(|p| {
            format!(
                "{} {} {}",
                word(p, "kind"),
                word(p, "answer"),
                word(p, "counts_as")
            )
        })
        .collect()
}

/// The sentences of a subject's evidence.
pub(crate) fn sentences(subject: &Value) -> String {
    let pieces = subject["evidence"].as_array().unwrap().iter();
    let all: Vec<&str> = pieces.map(|p| p["message"].as_str().unwrap()).collect();
    all.join("\n")
}
