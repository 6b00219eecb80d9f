//! A WebSocket to a server, within bounds: one connection, no redirect, no proxy.
//!
//! All that comes and goes is bounded in time by a moment that the one who asks sets, and in size by
//! what was said when it was opened. Looking up the server's name can hang beyond that, as anywhere:
//! who must not wait for it dials on a thread that can be given up.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{HandshakeError, Message, WebSocket, client};
use ureq::http::Uri;

use super::Authorities;
use super::address::is_public;
use crate::model::text::{shortened, visible};
use crate::sys::beneath;

/// As much is held of what comes in and of what goes out, in bytes.
const BUFFER: usize = 8 << 10;

/// One address of several gets no more of the time than this.
const PER_ADDRESS: Duration = Duration::from_secs(3);

/// As many addresses of a server are tried.
const MOST_ADDRESSES: usize = 4;

/// Where to, and within which bounds.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The URL: ws or wss.
    pub url: String,
    /// Which addresses may be talked to.
    pub peers: Peers,
    /// Whose certificates are believed.
    pub authorities: Authorities,
    /// As long may a message be, in bytes.
    pub most_message: usize,
    /// As much may come in altogether, TLS and handshakes included, in bytes.
    pub most_bytes: u64,
}

/// Which addresses may be talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// All: the operator has written down the URL.
    Any,
    /// Those that anybody on the internet can reach: somebody else has written it down, who is not to
    /// send this host to its own neighbours.
    Public,
    /// Those, and this host itself.
    PublicAndLoopback,
}

impl Peers {
    fn has(self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Public => is_public(ip),
            Self::PublicAndLoopback => is_public(ip) || ip.is_loopback(),
        }
    }
}

/// Why nothing came, or nothing can be sent any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The time is up. The connection is as good as it was.
    Late,
    /// It is of no use any more, and why.
    Broken(String),
}

impl Lost {
    /// The sentence for people.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Late => "it did not answer in time",
            Self::Broken(why) => why,
        }
    }
}

/// An open connection.
pub struct Socket {
    inner: WebSocket<Stream>,
    /// Why it is of no use any more. The library must not be asked for more then: it may panic.
    broken: Option<String>,
}

impl Socket {
    /// Opens one, by `until`.
    ///
    /// # Errors
    /// Why there is none; nothing of the URL is in it.
    pub fn dial(dial: &Dial, until: Instant) -> Result<Self, Lost> {
        let broken = |why: &str| Lost::Broken(why.to_owned());
        let uri: Uri = (dial.url.parse()).map_err(|_| broken("its URL cannot be used"))?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(broken("its URL is neither ws:// nor wss://")),
        };
        let host = uri
            .host()
            .ok_or_else(|| broken("its URL names no host"))?
            .trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let plain = Timed {
            stream: connect(host, port, dial.peers, until)?,
            until,
            left: dial.most_bytes,
        };
        let stream = match secure {
            false => Stream::Plain(plain),
            true => Stream::Tls(Box::new(wrap(host, &dial.authorities, plain)?)),
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_write_buffer_size(BUFFER + 2 * dial.most_message)
            .max_message_size(Some(dial.most_message))
            .max_frame_size(Some(dial.most_message));
        match client::client_with_config(uri, stream, Some(config)) {
            Ok((inner, _)) => Ok(Self {
                inner,
                broken: None,
            }),
            Err(HandshakeError::Failure(e)) => Err(lost(e)),
            Err(HandshakeError::Interrupted(_)) => Err(Lost::Late),
        }
    }

    /// Until when what is called next may take.
    pub fn set_until(&mut self, until: Instant) {
        self.inner.get_mut().timed().until = until;
    }

    /// Sends a text.
    ///
    /// # Errors
    /// It is not known to have left.
    pub fn send(&mut self, text: String) -> Result<(), Lost> {
        self.check()?;
        let sent = self.inner.send(Message::text(text));
        sent.map_err(|e| self.note(lost(e)))
    }

    /// The next text that comes. Other messages are passed over.
    ///
    /// # Errors
    /// None came in time, or none will come.
    pub fn receive(&mut self) -> Result<String, Lost> {
        self.check()?;
        loop {
            // What drips is bounded too: each read has its own limit, and all of them this one.
            if Instant::now() >= self.inner.get_mut().timed().until {
                return Err(Lost::Late);
            }
            match self.inner.read() {
                Ok(Message::Text(text)) => return Ok(text.as_str().to_owned()),
                Ok(Message::Close(_)) => {
                    return Err(self.note(Lost::Broken("it closed the connection".to_owned())));
                }
                Ok(_) => {}
                Err(e) => return Err(self.note(lost(e))),
            }
        }
    }

    fn check(&self) -> Result<(), Lost> {
        match &self.broken {
            Some(why) => Err(Lost::Broken(why.clone())),
            None => Ok(()),
        }
    }

    fn note(&mut self, lost: Lost) -> Lost {
        if let Lost::Broken(why) = &lost {
            self.broken = Some(why.clone());
        }
        lost
    }

    /// Says goodbye, and does not wait for an answer.
    pub fn close(mut self) {
        if self.broken.is_none() {
            // The other side may be gone already.
            let _ = self.inner.close(None);
            let _ = self.inner.flush();
        }
    }
}

/// The connection below.
enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Stream {
    fn timed(&mut self) -> &mut Timed {
        match self {
            Self::Plain(timed) => timed,
            Self::Tls(tls) => &mut tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(buffer),
            Self::Tls(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// A TCP connection that is waited for until a moment, and of which only so much is read.
struct Timed {
    stream: TcpStream,
    until: Instant,
    left: u64,
}

impl Timed {
    /// What is left of the time; a limit of zero would be none.
    fn patience(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(left),
        }
    }
}

/// A limit of the system shows as `WouldBlock`, which libraries take for something else.
fn timed_out(e: io::Error) -> io::Error {
    match e.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => e,
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("it sends too much"));
        }
        self.stream.set_read_timeout(Some(self.patience()?))?;
        let n = self.stream.read(buffer).map_err(timed_out)?;
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.patience()?))?;
        self.stream.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The first of a server's addresses that takes a connection.
fn connect(host: &str, port: u16, peers: Peers, until: Instant) -> Result<TcpStream, Lost> {
    let broken = |why: &str| Lost::Broken(why.to_owned());
    let found = (host, port).to_socket_addrs();
    let found: Vec<SocketAddr> = found
        .map_err(|_| broken("the host's name could not be found"))?
        .collect();
    let mut allowed = found.iter().filter(|at| peers.has(at.ip())).peekable();
    if allowed.peek().is_none() {
        return Err(broken(match found.is_empty() {
            true => "the host's name has no address",
            false => {
                "its address is not one of the internet's, and none of this network is talked to"
            }
        }));
    }
    let mut last = Lost::Late;
    for at in allowed.take(MOST_ADDRESSES) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(at, left.min(PER_ADDRESS)) {
            Ok(stream) => {
                // Best effort: it only makes small messages quicker.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(e) if matches!(timed_out_kind(&e), io::ErrorKind::TimedOut) => {
                last = broken("nobody took the connection in time");
            }
            Err(e) => last = Lost::Broken(reason(&e)),
        }
    }
    Err(last)
}

fn timed_out_kind(e: &io::Error) -> io::ErrorKind {
    match e.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut,
        kind => kind,
    }
}

/// TLS over a connection; the handshake itself comes with the first bytes.
fn wrap(
    host: &str,
    authorities: &Authorities,
    plain: Timed,
) -> Result<StreamOwned<ClientConnection, Timed>, Lost> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Authorities::Public => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Authorities::Private(all) => {
            let all = all.iter().map(|one| CertificateDer::from(one.der()));
            // One that rustls cannot read is one that it will not believe.
            let _ = roots.add_parsable_certificates(all.map(CertificateDer::into_owned));
        }
    }
    let tls = |e: rustls::Error| Lost::Broken(said(&e.to_string()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Lost::Broken("the host in its URL is no name".to_owned()))?;
    let client = ClientConnection::new(Arc::new(config), name).map_err(tls)?;
    Ok(StreamOwned::new(client, plain))
}

fn lost(e: tungstenite::Error) -> Lost {
    use tungstenite::Error;
    let why = match e {
        Error::Io(e) if e.kind() == io::ErrorKind::TimedOut => return Lost::Late,
        Error::Io(e) => reason(&e),
        Error::ConnectionClosed | Error::AlreadyClosed => "it closed the connection".to_owned(),
        Error::Http(answer) => match answer.status().as_u16() {
            status if super::is_redirect(status) => {
                format!(
                    "it answered {status}: it sends on to another address, and none is followed"
                )
            }
            status => format!("it answered {status} and opened no WebSocket"),
        },
        Error::Capacity(_) => "it sent a message that is too long".to_owned(),
        Error::Protocol(e) => format!("it does not speak the protocol: {}", said(&e.to_string())),
        _ => "it does not speak the protocol".to_owned(),
    };
    Lost::Broken(why)
}

fn reason(e: &io::Error) -> String {
    match rustix::io::Errno::from_io_error(e) {
        Some(errno) => beneath::reason(errno),
        // TLS speaks here, with names from the other side's certificate.
        None => said(&e.to_string()),
    }
}

fn said(text: &str) -> String {
    visible(&shortened(text, 200)).into_owned()
}
