//! Services behind certificates: those of one's own authority are believed where the channel names
//! it, and nobody else's.

use std::sync::Arc;

use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tungstenite::{Message, accept};

use crate::peer;
use crate::tls::{self, Authority, Shown, self_signed};
use crate::world::{World, put};

/// A relay that takes everything, and has nothing.
fn relay(shown: Shown) -> u16 {
    let config = tls::config(shown);
    peer::raw(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let Ok(mut socket) = accept(StreamOwned::new(connection, stream)) else {
            return;
        };
        while let Ok(message) = socket.read() {
            let Message::Text(text) = message else {
                continue;
            };
            let said: Value = serde_json::from_str(&text).unwrap();
            let answer = match said[0].as_str() {
                Some("EVENT") => json!(["OK", said[1]["id"], true, ""]),
                Some("REQ") => json!(["EOSE", said[1]]),
                _ => continue,
            };
            let _ = socket.send(Message::text(answer.to_string()));
        }
    })
}

/// Tries a channel whose service is on this port, and believes this authority.
#[track_caller]
fn tried(kind: &str, port: u16, ca: Option<&Authority>) -> (i32, String) {
    let world = World::new();
    let mut more = String::new();
    if let Some(ca) = ca {
        put(&world.base().join("conf/ca.pem"), ca.pem().as_bytes());
        more = ", ca: ca.pem".to_owned();
    }
    let settings = match kind {
        "webhook" => format!("url: 'https://localhost:{port}/hook'"),
        _ => format!(
            "relays: ['wss://localhost:{port}'], key: {{env: KEY}}, recipients: ['{}']",
            "17162c921dc4d2518f9a101db33695df1afb56ab82f5ff3e5da6eec3ca5cd917"
        ),
    };
    world.config(&format!(
        "channels: {{ch: {{kind: {kind}, {settings}{more}}}}}\n"
    ));
    let run = world
        .cmd(&["channel", "test", "ch", "--json"])
        .env(
            "KEY",
            "7f3c1b5e9a2d4c6f8091a3b5c7d9ebfd1032547698badcfe0f1e2d3c4b5a6978",
        )
        .run();
    (run.exit(), run.json().to_string())
}

fn certificates_decide(kind: &str, serve: fn(Shown) -> u16) {
    let (own, other) = (Authority::new("own"), Authority::new("other"));
    let (code, said) = tried(kind, serve(own.issue("localhost", false)), Some(&own));
    assert_eq!(code, 0, "{said}");
    for (what, shown, ca) in [
        (
            "nobody named its authority",
            own.issue("localhost", false),
            None,
        ),
        (
            "it is another's",
            own.issue("localhost", false),
            Some(&other),
        ),
        ("it has expired", own.issue("localhost", true), Some(&own)),
        (
            "it is for another host",
            own.issue("elsewhere", false),
            Some(&own),
        ),
        ("it gave it to itself", self_signed("localhost"), Some(&own)),
    ] {
        let (code, said) = tried(kind, serve(shown), ca);
        assert_eq!(code, 1, "{what}: {said}");
        assert!(said.contains("certificate"), "{what}: {said}");
    }
}

#[test]
fn a_server_must_show_a_certificate_that_is_believed() {
    certificates_decide("webhook", tls::serve);
}

#[cfg(feature = "nostr")]
#[test]
fn a_relay_must_show_a_certificate_that_is_believed() {
    certificates_decide("nostr", relay);
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_said() {
    let world = World::new();
    world.config("channels: {ch: {kind: webhook, url: 'https://localhost:1/', ca: none.pem}}\n");
    let run = world.run(&["channel", "test", "ch"]);
    run.code(1).stdout_has("conf/none.pem");
    put(&world.base().join("conf/none.pem"), b"no certificate\n");
    world
        .run(&["channel", "test", "ch"])
        .code(1)
        .stdout_has("none.pem");
    world.config("channels: {ch: {kind: exec, command: [x], ca: none.pem}}\n");
    world.run(&[]).code(78).stderr_has("no use with kind exec");
}
