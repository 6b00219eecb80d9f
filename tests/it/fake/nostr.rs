//! A relay as a library of others makes it, of another generation than what is tested, and people
//! with phones who talk to it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use nostr::event::{Event, EventBuilder, FinalizeEvent as _, Kind, Tag, UnsignedEvent};
use nostr::filter::Filter;
use nostr::key::{Keys, PublicKey};
use nostr::message::{ClientMessage, RelayMessage, SubscriptionId};
use nostr::nips::nip19::ToBech32 as _;
use nostr::nips::nip59::{GiftWrapBuilder, UnwrappedGift};
use nostr::types::Timestamp;
use nostr_relay_builder::builder::RelayBuilder;
use nostr_relay_builder::local::LocalRelay;
use tokio::runtime::{Builder, Runtime};
use tungstenite::handshake::derive_accept_key;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// Longer than anything takes.
const LIMIT: Duration = Duration::from_secs(30);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    })
}

/// Starts a relay that takes and tells everything; it ends with the test process. Its URL.
pub(crate) fn start() -> String {
    start_as(RelayBuilder::default())
}

/// Starts one of another kind. The port is the kernel's choice: the library's own is not safe
/// beside other tests.
pub(crate) fn start_as(builder: RelayBuilder) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let relay = LocalRelay::new(builder);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let relay = relay.clone();
            thread::spawn(move || serve(&relay, stream));
        }
    });
    url
}

/// Answers the wish for a WebSocket, and leaves the rest to the relay.
fn serve(relay: &LocalRelay, mut stream: TcpStream) -> Option<()> {
    let from = stream.peer_addr().ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let is_key = |line: &str| line.to_ascii_lowercase().starts_with("sec-websocket-key:");
    let key = head.lines().find(|line| is_key(line))?.split_once(':')?.1;
    let accept = derive_accept_key(key.trim().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).ok()?;
    stream.set_nonblocking(true).ok()?;
    runtime().block_on(async move {
        let stream = tokio::net::TcpStream::from_std(stream).ok()?;
        relay.take_connection(stream, from).await.ok()
    })
}

/// Somebody with a phone, at one relay.
pub(crate) struct Phone {
    pub(crate) keys: Keys,
    pub(crate) url: String,
}

impl Phone {
    pub(crate) fn new(url: &str) -> Self {
        let (keys, url) = (Keys::generate(), url.to_owned());
        Self { keys, url }
    }

    pub(crate) fn npub(&self) -> String {
        self.keys.public_key().to_bech32().unwrap()
    }

    fn dial(&self) -> WebSocket<MaybeTlsStream<TcpStream>> {
        let (socket, _) = tungstenite::connect(&self.url).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(LIMIT)).unwrap();
        }
        socket
    }

    /// Gives the relay an event, which it must take.
    #[track_caller]
    pub(crate) fn publish(&self, event: &Event) {
        let mut socket = self.dial();
        let text = ClientMessage::event(event.clone()).as_json();
        socket.send(Message::text(text)).unwrap();
        loop {
            if let RelayMessage::Ok {
                status, message, ..
            } = next(&mut socket)
            {
                assert!(status, "{message}");
                return;
            }
        }
    }

    /// What the relay has.
    #[track_caller]
    pub(crate) fn query(&self, filter: Filter) -> Vec<Event> {
        let mut socket = self.dial();
        let text = ClientMessage::req(SubscriptionId::new("q"), vec![filter]).as_json();
        socket.send(Message::text(text)).unwrap();
        let mut found = Vec::new();
        loop {
            match next(&mut socket) {
                RelayMessage::Event { event, .. } => found.push(event.into_owned()),
                RelayMessage::EndOfStoredEvents(_) => return found,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The wraps for this one.
    pub(crate) fn wraps(&self) -> Vec<Event> {
        let filter = Filter::new().kind(Kind::GiftWrap);
        self.query(filter.pubkey(self.keys.public_key()))
    }

    /// What it shows: each message once, by its id, oldest first.
    #[track_caller]
    pub(crate) fn letters(&self) -> Vec<UnsignedEvent> {
        let opened = self.wraps().into_iter().map(|wrap| {
            let gift = UnwrappedGift::from_gift_wrap(&self.keys, &wrap).unwrap();
            let mut rumor = gift.rumor;
            (rumor.id(), rumor)
        });
        let all: BTreeMap<_, _> = opened.collect();
        let mut all: Vec<UnsignedEvent> = all.into_values().collect();
        all.sort_by_key(|rumor| rumor.created_at);
        all
    }

    /// What is written to one: to nothing, or as a reply to what has this id.
    pub(crate) fn rumor(&self, to: PublicKey, text: &str, reply: Option<&str>) -> UnsignedEvent {
        let mut tags = vec![Tag::public_key(to)];
        if let Some(id) = reply {
            tags.push(Tag::parse(["e", id, "", "reply"]).unwrap());
        }
        let from = self.keys.public_key();
        UnsignedEvent::new(
            from,
            Timestamp::now(),
            Kind::PrivateDirectMessage,
            tags,
            text,
        )
    }

    /// Wraps it and sends it, and gives the wrap.
    #[track_caller]
    pub(crate) fn send(&self, to: PublicKey, rumor: UnsignedEvent) -> Event {
        let wrap = GiftWrapBuilder::new(to, rumor)
            .finalize(&self.keys)
            .unwrap();
        self.publish(&wrap);
        wrap
    }

    /// Writes to one.
    #[track_caller]
    pub(crate) fn write(&self, to: PublicKey, text: &str, reply: Option<&str>) {
        self.send(to, self.rumor(to, text, reply));
    }

    /// Says at which relays it wants to be written to.
    #[track_caller]
    pub(crate) fn list(&self, relays: &[&str]) {
        let tags = relays.iter().map(|url| Tag::parse(["relay", url]).unwrap());
        let list = EventBuilder::new(Kind::InboxRelays, "").tags(tags);
        self.publish(&list.finalize(&self.keys).unwrap());
    }
}

#[track_caller]
fn next(socket: &mut WebSocket<MaybeTlsStream<TcpStream>>) -> RelayMessage<'static> {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return RelayMessage::from_json(text.as_str()).unwrap();
        }
    }
}
