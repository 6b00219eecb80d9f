//! What such a server is made of: requests in, answers out, one connection each.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Nothing is answered, and the connection closed: the request was carried out all the same.
    pub(crate) lost: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            lost: false,
        }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string()).with("Content-Type", "application/json")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn lost(mut self) -> Self {
        self.lost = true;
        self
    }
}

/// A server whose every request changes the one state `T`, and is noted.
pub(crate) struct Server<T> {
    pub(crate) port: u16,
    inner: Arc<Mutex<Inner<T>>>,
}

struct Inner<T> {
    state: T,
    requests: Vec<Request>,
}

impl<T> Clone for Server<T> {
    fn clone(&self) -> Self {
        Self {
            port: self.port,
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<T: Send + 'static> Server<T> {
    /// Starts one; it ends with the test process.
    pub(crate) fn start(state: T, answer: fn(&mut T, &Request) -> Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Vec::new();
        let inner = Arc::new(Mutex::new(Inner { state, requests }));
        let server = Self { port, inner };
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                thread::spawn(move || server.serve(stream, answer));
            }
        });
        server
    }

    fn serve(&self, mut stream: TcpStream, answer: fn(&mut T, &Request) -> Reply) {
        let Some(request) = read(&stream) else { return };
        let reply = {
            let mut inner = self.inner();
            inner.requests.push(request.clone());
            answer(&mut inner.state, &request)
        };
        if reply.lost {
            return;
        }
        let mut text = format!("HTTP/1.1 {} Whatever\r\n", reply.status);
        for (name, value) in &reply.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", reply.body.len()));
        // Whoever has gone needs no answer.
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.write_all(&reply.body);
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Looks at the state, or changes it.
    pub(crate) fn with<R>(&self, what: impl FnOnce(&mut T) -> R) -> R {
        what(&mut self.inner().state)
    }

    /// All that was asked since this was asked last.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.inner().requests)
    }
}

/// Reads a request; `None` where it does not come to its end.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut words = head.first()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers: Vec<_> = head[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(Some(0), |(_, n)| n.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body,
    })
}
