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
    doom: Option<Doom>,
}

/// What becomes of whoever makes a certain request.
pub(crate) struct Doom {
    /// Which request it is, counted from 1.
    pub(crate) at: usize,
    pub(crate) when: When,
    /// Ends whoever has made it.
    pub(crate) kill: Box<dyn FnMut() + Send>,
}

/// When somebody is ended who has asked something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Nothing was done yet, and nothing will be.
    Asked,
    /// It is done, and nobody gets to know.
    Done,
    /// It is done, and the answer on its way.
    Answered,
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
        let doom = None;
        let inner = Inner {
            state,
            requests,
            doom,
        };
        let inner = Arc::new(Mutex::new(inner));
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
        let (reply, mut doom) = {
            let mut inner = self.inner();
            let mut doom = None;
            if let Some(counted) = &mut inner.doom {
                counted.at -= 1;
                if counted.at == 0 {
                    doom = inner.doom.take();
                }
            }
            if let Some(doom) = doom.as_mut().filter(|doom| doom.when == When::Asked) {
                (doom.kill)();
                return;
            }
            inner.requests.push(request.clone());
            (answer(&mut inner.state, &request), doom)
        };
        if let Some(doom) = doom.as_mut().filter(|doom| doom.when == When::Done) {
            (doom.kill)();
            return;
        }
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
        if let Some(mut doom) = doom {
            (doom.kill)();
        }
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

    /// Has something happen to whoever makes a request that is to come.
    pub(crate) fn doom(&self, doom: Doom) {
        self.inner().doom = Some(doom);
    }

    /// True where that request did not come; it is forgotten.
    pub(crate) fn spared(&self) -> bool {
        self.inner().doom.take().is_some()
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
