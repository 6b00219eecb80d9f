//! `health` and clients that are none: what they send, leave out, or do not take, ends by itself,
//! and none of it is a failure of ours.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use crate::health::{Reply, over_pipes};
use crate::world::World;

fn world() -> World {
    let world = World::new();
    world.cell("a");
    world.run(&[]).code(0);
    world
}

#[test]
fn what_is_no_request_is_told_so() {
    let world = world();
    let ask = |request: &[u8]| over_pipes(world.cmd(&["health"]), request).0;
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let endless = b"GET / HTTP/1.0\r\nA: b\r\n".repeat(5000);
    let one_long = [b"GET /", &b"a".repeat(100_000)[..]].concat();
    for request in [
        &hello[..],
        &endless,
        &one_long,
        &[0; 20_000],
        &[0xff; 10],
        b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}",
        b"DELETE /health HTTP/1.0\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/1.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"GET /health HTTP/1.0\r\nA: \x1b[2J\r\n\r\n",
    ] {
        let reply = Reply::of(&ask(request));
        assert_eq!(reply.code, 400, "{:?}", String::from_utf8_lossy(request));
        assert!(!reply.body.contains('\u{1b}'));
    }
    for path in [
        "/",
        "/health/",
        "//health",
        "/../health",
        "/health%00",
        "/healthx",
        "/HEALTH",
    ] {
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let reply = Reply::of(&ask(request.as_bytes()));
        assert_eq!(reply.code, 404, "{path}");
        assert!(
            !reply.body.contains(path) || path == "/" || path == "/health/",
            "{reply:?}"
        );
    }
    assert_eq!(ask(b""), b"", "who says nothing is told nothing");
}

/// A process with a connection as its streams, and the other end of that.
fn connected(world: &World) -> (Child, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let (mut command, _) = world.cmd(&["health"]).command();
    let copy = OwnedFd::from(stream.try_clone().unwrap());
    let child = command
        .stdin(OwnedFd::from(stream))
        .stdout(copy)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (child, client)
}

/// Some say half of it and wait, some nothing at all: neither keeps a process for ever.
#[test]
fn a_client_that_does_not_come_to_its_end_is_told_so_and_left() {
    let world = world();
    let all = [&b""[..], b"GET /health HTTP/1.0\r\n"].map(|begin| {
        let (child, mut client) = connected(&world);
        client.write_all(begin).unwrap();
        (child, client)
    });
    for (mut child, mut client) in all {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        assert_eq!(Reply::of(&bytes).code, 400);
        // It does not wait for this end to be closed.
        assert_eq!(child.wait().unwrap().code(), Some(0));
        drop(client);
    }
}

/// A byte now and then is not progress.
#[test]
fn a_client_that_drips_is_left_too() {
    let world = world();
    let (mut child, client) = connected(&world);
    let mut drip = client.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        let _ = drip.write_all(b"GET /health HTTP/1.0\r\nA: ");
        while drip.write_all(b"a").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let mut bytes = Vec::new();
    // The connection may end with a reset, since the other end still sends.
    let _ = (&client).read_to_end(&mut bytes);
    assert_eq!(Reply::of(&bytes).code, 400);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    dripping.join().unwrap();
}

/// Those who go away before they have their answer.
#[test]
fn a_client_that_goes_away_is_no_failure() {
    let world = world();
    for begin in [&b""[..], b"GET /hea", b"GET /health HTTP/1.0\r\n\r\n"] {
        let (mut child, mut client) = connected(&world);
        client.write_all(begin).unwrap();
        drop(client);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{begin:?}");
    }
    // A pipe whose reader is gone: no signal, no word.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let cmd = world.cmd(&["health"]).stdout(OwnedFd::from(writer));
    let (_, errors) = over_pipes(cmd, b"GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(errors, "");
}

/// One that asks and does not read: what it does not take, it does not get.
#[test]
fn a_client_that_does_not_read_is_left() {
    let world = World::new();
    for n in 0..60 {
        world.cell(format!("c{n}")).beat(&format!("c{n}"), 900);
    }
    world.run(&[]).code(2);
    let (mut reader, writer) = std::io::pipe().unwrap();
    nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let cmd = world.cmd(&["health"]).stdout(OwnedFd::from(writer));
    over_pipes(cmd, b"GET /status.json HTTP/1.0\r\n\r\n");
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n") && bytes.len() <= 4096);
}
