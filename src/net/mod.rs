//! Asking servers, within bounds: one request, one answer, no redirect.
//!
//! Nothing that is told of a request holds more of its URL than the host: paths, queries and names
//! of users hold keys, and who reads a report or a journal is not to learn them. What a server
//! sends is bounded in time and in size, whatever it does.
//!
//! Looking up a name can hang beyond any limit of the library: who must not wait for that asks on
//! a thread that can be given up.

#[cfg(feature = "nostr")]
mod address;
pub mod names;
#[cfg(feature = "nostr")]
pub mod socket;

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use ureq::http::{HeaderValue, Method, Request, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::model::text::{shortened, visible};
use crate::sys::beneath;

/// As long may an answer's status and headers be together, in bytes.
const MOST_HEADERS: usize = 64 << 10;

/// As much is held of what comes in on a connection, in bytes: the library wants room for all
/// headers. Of the thousand that there may be at once, each takes only what it has filled.
const BUFFER_IN: usize = MOST_HEADERS + (8 << 10);

/// As much is held of what goes out, in bytes.
const BUFFER_OUT: usize = 8 << 10;

/// The same for one of many that are asked at once: headers, what is held of what comes in, and of
/// what goes out.
const OF_MANY: [usize; 3] = [16 << 10, 18 << 10, 4 << 10];

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method, as `GET`.
    pub method: String,
    /// The URL: http or https.
    pub url: String,
    /// Headers beside those that any request has.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<Vec<u8>>,
    /// How long all of it may take.
    pub time: Duration,
    /// As much of the answer's body is read, in bytes.
    pub most_body: usize,
    /// Whose certificates are believed.
    pub authorities: Authorities,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, Default)]
pub enum Authorities {
    /// Mozilla's list.
    #[default]
    Public,
    /// These alone.
    Private(Arc<Vec<Certificate<'static>>>),
}

impl Authorities {
    /// The certificates of a PEM file.
    ///
    /// # Errors
    /// There is none in it, or one cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let mut all = Vec::new();
        for item in parse_pem(pem) {
            match item {
                Ok(PemItem::Certificate(certificate)) => all.push(certificate),
                Ok(_) => {}
                Err(_) => return Err("it is no PEM file".to_owned()),
            }
        }
        match all.is_empty() {
            true => Err("there is no certificate in it".to_owned()),
            false => Ok(Self::Private(Arc::new(all))),
        }
    }
}

/// What came of a request.
#[derive(Debug)]
pub enum Came {
    /// The answer, once it was whole or long enough.
    Answered(Answer),
    /// The time was up: before an answer, or in the middle of the body of one with this status.
    Late(Option<u16>),
    /// Why there was no answer.
    Failed(Failed),
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What kind of failure it is.
    pub kind: Failure,
    /// The sentence for people.
    pub why: String,
}

/// What kind of failure it is that there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request itself cannot be made: a bad URL, a bad header.
    Request,
    /// The host's name could not be found.
    Name,
    /// Nobody took the connection, or it broke off.
    Connection,
    /// This host could not even try: no descriptor or memory left, no network, no permission. That
    /// says nothing about the server.
    Here,
    /// It was taken, and what came is not to be believed: no HTTP, a bad certificate.
    Answer,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
    /// True where the body goes on, or broke off.
    pub cut: bool,
}

impl Answer {
    /// The first header of this name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    /// True for an answer that sends on to another address, which is never followed.
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        is_redirect(self.status)
    }
}

/// True for the status of an answer that sends on to another address.
#[must_use]
pub fn is_redirect(status: u16) -> bool {
    matches!(status, 301..=303 | 307 | 308)
}

/// Makes the request and waits for the answer.
#[must_use]
pub fn ask(ask: &Ask) -> Came {
    make(ask, None)
}

/// The same, at these addresses of its host, which is not looked up, and past any proxy that the
/// environment names. For many that are asked at once: headers may be a quarter as long.
#[must_use]
pub fn ask_at(ask: &Ask, addresses: &[SocketAddr]) -> Came {
    make(ask, Some(addresses))
}

fn make(ask: &Ask, addresses: Option<&[SocketAddr]>) -> Came {
    let failed = |kind, why: String| Came::Failed(Failed { kind, why });
    let roots = match &ask.authorities {
        Authorities::Public => RootCerts::WebPki,
        Authorities::Private(all) => RootCerts::Specific(Arc::clone(all)),
    };
    let mut config = ureq::Agent::config_builder();
    let mut bounds = [MOST_HEADERS, BUFFER_IN, BUFFER_OUT];
    if addresses.is_some() {
        config = config.proxy(None);
        bounds = OF_MANY;
    }
    let config = config
        .timeout_global(Some(ask.time.max(Duration::from_millis(1))))
        .max_redirects(0)
        .http_status_as_error(false)
        .max_response_header_size(bounds[0])
        .input_buffer_size(bounds[1])
        .output_buffer_size(bounds[2])
        .max_idle_connections(0)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .user_agent(concat!("lazarus-pit/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent = match addresses {
        None => ureq::Agent::new_with_config(config),
        Some(addresses) => names::agent_at(config, addresses),
    };
    let Ok(method) = Method::from_bytes(ask.method.as_bytes()) else {
        let why = format!("{} is not a method", visible(&ask.method));
        return failed(Failure::Request, why);
    };
    let carries = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let mut request = Request::builder().method(method).uri(&ask.url);
    for (name, value) in &ask.headers {
        if HeaderValue::from_str(value).is_err() {
            let why = format!("the value of its header {} is none", visible(name));
            return failed(Failure::Request, why);
        }
        request = request.header(name, value);
    }
    let sent = match &ask.body {
        Some(body) => request.body(&body[..]).map(|request| agent.run(request)),
        // These say how much they carry, even where that is nothing.
        None if carries => request.body(&[][..]).map(|request| agent.run(request)),
        None => request.body(()).map(|request| agent.run(request)),
    };
    match sent {
        Ok(Ok(answer)) => read(answer, ask.most_body),
        Ok(Err(ureq::Error::Timeout(_))) => Came::Late(None),
        Ok(Err(e)) => failed(kind(&e), describe(&e)),
        Err(_) => {
            let why = "its URL or a header cannot be used";
            failed(Failure::Request, why.to_owned())
        }
    }
}

/// Reads an answer to its end, as far as it is read: whoever answers while it works could stop at
/// a line that is cut.
fn read(mut answer: ureq::http::Response<ureq::Body>, most: usize) -> Came {
    let status = answer.status().as_u16();
    let headers = answer.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let headers = headers.collect();
    let (mut reader, mut body) = (answer.body_mut().as_reader(), Vec::new());
    let mut buffer = [0; 4 << 10];
    let mut cut = true;
    while body.len() < most {
        let room = buffer.len().min(most - body.len());
        match reader.read(&mut buffer[..room]) {
            Ok(0) => {
                cut = false;
                break;
            }
            Ok(n) => body.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) if is_timeout(&e) => return Came::Late(Some(status)),
            Err(_) => break,
        }
    }
    Came::Answered(Answer {
        status,
        headers,
        body,
        cut,
    })
}

fn is_timeout(e: &std::io::Error) -> bool {
    let inner = e.get_ref().and_then(|e| e.downcast_ref::<ureq::Error>());
    e.kind() == std::io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// A request as messages call it: nothing of its URL but the host.
#[must_use]
pub fn named(method: &str, url: &str) -> String {
    let method = visible(method);
    match host(url) {
        Some(host) => format!("{method} {host}"),
        None => format!("{method} to a URL that cannot be used"),
    }
}

/// The part of a URL that may be told: `SCHEME://HOST[:PORT]`; `None` where there is none.
#[must_use]
pub fn host(url: &str) -> Option<String> {
    let uri = url.parse::<Uri>().ok()?;
    let (scheme, host) = (uri.scheme_str()?, uri.host()?);
    let port = uri.port_u16().map(|port| format!(":{port}"));
    let (host, port) = (visible(host), port.unwrap_or_default());
    Some(format!("{scheme}://{host}{port}"))
}

/// True for what a connection is answered where this host itself is what stands in the way: its
/// limits, its rights, its network.
#[must_use]
pub fn is_of_this_host(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::NOBUFS
            | Errno::ACCESS
            | Errno::PERM
            | Errno::NETUNREACH
            | Errno::NETDOWN
            | Errno::ADDRNOTAVAIL
            | Errno::ADDRINUSE
            | Errno::AFNOSUPPORT
            | Errno::PROTONOSUPPORT
            | Errno::PROTOTYPE
            | Errno::INVAL
    )
}

/// Host and port that a URL leads to; `None` for one that is neither http nor https.
#[must_use]
pub fn host_and_port(url: &str) -> Option<(String, u16)> {
    let uri = url.parse::<Uri>().ok()?;
    let port = match uri.scheme_str()? {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(port)))
}

fn kind(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::HostNotFound => Failure::Name,
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
            Failure::Request
        }
        ureq::Error::ConnectionFailed => Failure::Connection,
        ureq::Error::Io(e) => match Errno::from_io_error(e) {
            Some(errno) if is_of_this_host(errno) => Failure::Here,
            Some(_) => Failure::Connection,
            None => Failure::Answer,
        },
        _ => Failure::Answer,
    }
}

/// Why there was no answer, without the URL, which some of ureq's own texts repeat.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "the host's name could not be found".into(),
        ureq::Error::ConnectionFailed => "the connection failed".into(),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its URL cannot be used".into(),
        ureq::Error::InvalidProxyUrl => {
            "the proxy that the environment names cannot be used".into()
        }
        ureq::Error::LargeResponseHeader(_, most) => {
            format!("the headers of the answer have more than {most} bytes")
        }
        ureq::Error::Protocol(_) => "the answer is no HTTP".into(),
        ureq::Error::Io(e) => match Errno::from_io_error(e) {
            Some(errno) => beneath::reason(errno),
            // TLS speaks here too, with names from the other side's certificate.
            None => visible(&shortened(&e.to_string(), 200)).into_owned(),
        },
        ureq::Error::Rustls(e) => visible(&shortened(&e.to_string(), 200)).into_owned(),
        _ => "the request failed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_is_told_but_the_host() {
        let called = |url: &str| named("POST", url);
        assert_eq!(
            called("https://ann:pw@h.example:8443/key/x?token=t#f"),
            "POST https://h.example:8443"
        );
        assert_eq!(called("http://[::1]:80/"), "POST http://[::1]:80");
        let none = "POST to a URL that cannot be used";
        for url in ["", "key", "/key", "http://", "http://a b/key"] {
            assert_eq!(called(url), none, "{url}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_no_authority() {
        for text in [
            "",
            "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
            "\0",
        ] {
            assert!(Authorities::from_pem(text.as_bytes()).is_err(), "{text}");
        }
    }
}
