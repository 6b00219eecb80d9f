//! Servers that mean no good, and networks that do not work: whoever asks them is bounded in time
//! and in what it reads, and tells nobody but them what it was told to tell.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::later::plans;
use crate::peer::{self, answer, answers, gateway, sentences};
use crate::tls;
use crate::world::{SECRET, World, can_mount, put, tool};

/// How long a probe has in these tests; whoever holds it up holds it up for longer.
const LIMIT: &str = "700ms";

/// So many bytes a server sends to one who never has enough.
const ENOUGH: usize = 16 << 20;

fn send(mut to: TcpStream, bytes: &[u8]) {
    let _ = to.write_all(bytes);
    hold(to);
}

/// Keeps the connection until the other side has had enough of it.
fn hold(mut stream: TcpStream) {
    while stream.read(&mut [0; 512]).is_ok_and(|n| n > 0) {}
}

/// The same bytes again and again.
fn flood(to: &mut TcpStream, bytes: &[u8], sent: &AtomicUsize) {
    for _ in 0..ENOUGH / bytes.len() {
        if to.write_all(bytes).is_err() {
            return;
        }
        sent.fetch_add(bytes.len(), Ordering::SeqCst);
    }
}

/// One byte at a time, for as long as anybody listens.
fn drip(to: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        if to.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One after whom others would be asked: nobody ever may be.
struct Other {
    port: u16,
    asked: Arc<AtomicUsize>,
}

fn other() -> Other {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let port = peer::raw(move |stream| {
        count.fetch_add(1, Ordering::SeqCst);
        answer(stream, 200, "ok");
    });
    Other { port, asked }
}

type Serve = Box<dyn Fn(TcpStream) + Send + Sync>;

/// A bad server: what it is called, and what it does with a request that was read.
type Bad = (&'static str, Serve);

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const LONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n";
const FORTY: &[u8] = b"                                        ";

fn says(text: &str) -> Serve {
    let text = text.replace('\n', "\r\n");
    Box::new(move |s| send(s, text.as_bytes()))
}

fn sends_on(status: u16, to: &str) -> Serve {
    says(&format!(
        "HTTP/1.1 {status} X\nLocation: {to}\nContent-Length: 0\n\n"
    ))
}

fn drips(head: &'static str, bytes: &'static [u8]) -> Serve {
    Box::new(move |mut s| {
        let _ = s.write_all(head.as_bytes());
        drip(&mut s, bytes);
    })
}

/// Those that take their time.
fn slow() -> Vec<Bad> {
    let late = |s| {
        std::thread::sleep(Duration::from_millis(1500));
        answer(s, 200, "{\"status\": \"ok\"}");
    };
    vec![
        ("silent", Box::new(hold)),
        ("slow-status", drips("", b"HTTP/1.1 200 OK")),
        ("slow-headers", drips(OK, b"X-Slow: 1\r\n")),
        ("slow-body", drips(LONG, b"x")),
        ("slow-chunks", drips(CHUNKED, b"1\r\nx\r\n")),
        ("late", Box::new(late)),
    ]
}

/// Those that come to no end.
fn endless(sent: &Arc<AtomicUsize>) -> Vec<Bad> {
    let floods = |head: &'static str, bytes: &'static [u8]| -> Serve {
        let sent = Arc::clone(sent);
        Box::new(move |mut s| {
            let _ = s.write_all(head.as_bytes());
            flood(&mut s, bytes, &sent);
        })
    };
    let early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let chunk = b"28\r\n                                        \r\n";
    vec![
        (
            "endless-headers",
            floods(OK, b"X-More: 0123456789012345678901\r\n"),
        ),
        (
            "endless-header",
            floods("HTTP/1.1 200 OK\r\nX: ", b"0123456789012345678901"),
        ),
        (
            "endless-status",
            floods("HTTP/1.1 200 ", b"0123456789012345678901"),
        ),
        ("endless-body", floods("HTTP/1.1 200 OK\r\n\r\n", FORTY)),
        ("endless-chunks", floods(CHUNKED, chunk)),
        ("endless-early", floods("", early)),
        ("huge-length", floods(LONG, FORTY)),
    ]
}

/// Those that send on to somebody else.
fn elsewhere(other: u16) -> Vec<Bad> {
    vec![
        (
            "to-another-host",
            sends_on(302, &format!("http://localhost:{other}/steal")),
        ),
        (
            "to-another-port",
            sends_on(307, &format!("http://127.0.0.1:{other}/steal")),
        ),
        ("to-a-file", sends_on(301, "file:///etc/passwd")),
        ("to-itself", sends_on(308, "/health")),
        ("to-nowhere", sends_on(303, "http://")),
    ]
}

/// Those that break off, contradict themselves, or speak another language.
fn broken() -> Vec<Bad> {
    let cut = |text: &'static str| -> Serve {
        Box::new(move |mut s| {
            let _ = s.write_all(text.as_bytes());
        })
    };
    let deep = "[".repeat(30_000);
    let deep = format!("HTTP/1.1 200 OK\nContent-Length: {}\n\n{deep}", deep.len());
    let chunk = |text: &str| {
        says(&format!(
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n{text}"
        ))
    };
    let with = |header: &str| says(&format!("HTTP/1.1 200 OK\n{header}\n\n{{}}"));
    vec![
        ("no-http", says("220 mail.example ESMTP\n")),
        (
            "another-version",
            says("HTTP/9.9 200 OK\nContent-Length: 0\n\n"),
        ),
        ("no-status", says("HTTP/1.1 abc OK\n\n")),
        (
            "binary",
            Box::new(|s| send(s, &[0, 255, 13, 10, 13, 10, 0, 1, 2, 3])),
        ),
        ("closes-at-once", Box::new(drop)),
        ("closes-in-headers", cut(OK)),
        (
            "closes-in-body",
            cut("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"status\""),
        ),
        ("two-lengths", with("Content-Length: 2\nContent-Length: 99")),
        ("negative-length", with("Content-Length: -5")),
        ("bad-chunk", chunk("zz\n{}\n")),
        ("overflowing-chunk", chunk("ffffffffffffffffff\n{}\n")),
        ("packed", with("Content-Encoding: gzip\nContent-Length: 2")),
        ("deep-json", says(&deep)),
        (
            "other-protocol",
            says("HTTP/1.1 101 Switching Protocols\nUpgrade: x\n\n"),
        ),
        (
            "wants-a-name",
            says("HTTP/1.1 401 X\nWWW-Authenticate: Basic\nContent-Length: 0\n\n"),
        ),
        ("no-content", says("HTTP/1.1 204 X\n\n")),
    ]
}

/// Each is bad, none holds up the others, and what is meant for one goes to no other.
#[test]
fn bad_servers_are_bad_and_nothing_more() {
    let world = World::new();
    world.cell("a");
    let (other, sent) = (other(), Arc::new(AtomicUsize::new(0)));
    let mut yaml = String::from("gateways:\n");
    let mut names = Vec::new();
    let all = [slow(), endless(&sent), elsewhere(other.port), broken()];
    for (name, serve) in all.into_iter().flatten() {
        let port = peer::http(move |_, stream| serve(stream));
        names.push(name);
        yaml.push_str(&format!(
            "  - name: {name}\n    probes:\n      - http:\n          url: 'http://user:{SECRET}@127.0.0.1:{port}/{SECRET}?k={SECRET}'\n          \
             headers: {{Authorization: 'Bearer {SECRET}'}}\n          json: {{status: ok}}\n        timeout: {LIMIT}\n"
        ));
    }
    assert!(names.len() >= 20);
    world.config(&yaml);
    let run = world.run(&["--json"]);
    run.code(2).clean();
    for name in names {
        let gateway = gateway(&run, name);
        assert_eq!(answers(gateway), ["http bad bad"], "{name}: {gateway}");
        assert_eq!(gateway["state"], "dead", "{name}");
        let message = sentences(gateway);
        assert!(message.starts_with("GET http://127.0.0.1:"), "{message}");
    }
    assert_eq!(run.status("a"), "healthy");
    assert_eq!(other.asked.load(Ordering::SeqCst), 0, "nobody is sent on");
    assert!(
        !run.stdout().contains(SECRET) && !run.stderr().contains(SECRET),
        "{run}"
    );
    // What is in the buffers of the connections has been sent and not read; of seven that never end.
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 7 * ENOUGH, "{sent} bytes were taken");
}

/// Certificates that are not to be believed, and what is no TLS at all. Those that are believed are.
#[test]
fn tls_is_believed_only_where_it_can_be() {
    let world = World::new();
    let issuer = tls::Authority::new("ours");
    let stranger = tls::Authority::new("stranger");
    let ca = world.base().join("conf/ca.pem");
    put(&ca, issuer.pem().as_bytes());
    let plain = peer::http(|_, stream| answer(stream, 200, "ok"));
    let silent = peer::raw(hold);
    let servers = [
        ("good", tls::serve(issuer.issue("localhost", false))),
        ("expired", tls::serve(issuer.issue("localhost", true))),
        (
            "wrong-name",
            tls::serve(issuer.issue("elsewhere.example", false)),
        ),
        ("self-signed", tls::serve(tls::self_signed("localhost"))),
        (
            "unknown-issuer",
            tls::serve(stranger.issue("localhost", false)),
        ),
        ("no-tls", plain),
        ("no-handshake", silent),
    ];
    let mut yaml = String::from("gateways:\n");
    for (name, port) in servers {
        yaml.push_str(&format!(
            "  - name: {name}\n    probes:\n      - http: {{url: 'https://localhost:{port}/', ca: {}}}\n        timeout: 2s\n",
            ca.display()
        ));
    }
    // Our own authority is nobody whom all the world believes, and what is no certificate is none.
    yaml.push_str(&format!(
        "  - name: without-ca\n    probes:\n      - http: {{url: 'https://localhost:{}/'}}\n  \
         - name: no-ca\n    probes:\n      - http: {{url: 'https://localhost:{}/', ca: {}}}\n",
        servers[0].1,
        servers[0].1,
        world.base().join("conf/none.pem").display()
    ));
    world.config(&yaml);
    let run = world.run(&["--json"]);
    let word = |name: &str| answers(gateway(&run, name)).remove(0);
    assert_eq!(word("good"), "http good good", "{run}");
    for name in [
        "expired",
        "wrong-name",
        "self-signed",
        "unknown-issuer",
        "no-tls",
        "no-handshake",
        "without-ca",
    ] {
        assert_eq!(word(name), "http bad bad", "{name}: {run}");
    }
    assert_eq!(word("no-ca"), "http not_asked unknown", "{run}");
    for (name, cause) in [
        ("expired", "xpired"),
        ("wrong-name", "not valid for name"),
        ("unknown-issuer", "UnknownIssuer"),
    ] {
        let told = sentences(gateway(&run, name));
        assert!(told.contains(cause), "{name}: {told}");
    }
}

/// Names are told apart: one that there is not, and those whom nobody can be asked about. The second
/// kind hangs beyond any limit, and is given up.
#[test]
fn a_name_that_is_not_there_is_no_name_server_that_is_not_there() {
    if !can_mount() || !tool("unshare") {
        return;
    }
    // Name servers have one port, so each gets an address of its own.
    let mut free = (1..=250).filter_map(|n| {
        let address = format!("127.0.77.{n}");
        let socket = std::net::UdpSocket::bind((&*address, 53)).ok()?;
        Some((address, socket))
    });
    let (Some((mute, _silent)), Some((honest, server))) = (free.next(), free.next()) else {
        panic!("no port 53 is free on loopback");
    };
    let world = World::new();
    world.cell("a");
    put(
        &world.base().join("conf/resolv.conf"),
        format!("nameserver {mute}\noptions timeout:20 attempts:1\n").as_bytes(),
    );
    put(
        &world.base().join("conf/nsswitch.conf"),
        b"hosts: files dns\n",
    );
    world.config(
        "gateways:\n  - name: lost\n    probes:\n      - tcp: 'gateway.example:80'\n        timeout: 500ms\n      \
         - http: {url: 'http://gateway.example/'}\n        timeout: 500ms\n  - name: known\n    probes: [{tcp: 'localhost:1'}]\n",
    );
    let etc = world.base().join("conf");
    let script = format!(
        "mount --bind {0}/resolv.conf /etc/resolv.conf; mount --bind {0}/nsswitch.conf /etc/nsswitch.conf",
        etc.display()
    );
    // Nobody answers at that address, and nobody says so.
    let run = world.cmd(&["--json"]).mounted(&script).run();
    run.code(2);
    let lost = gateway(&run, "lost");
    assert_eq!(
        answers(lost),
        ["tcp not_asked unknown", "http not_asked unknown"],
        "{run}"
    );
    assert_eq!(lost["state"], "unknown");
    assert_eq!(run.verdict("gateway:lost"), Some("unobserved"));
    assert_eq!(answers(gateway(&run, "known")), ["tcp bad bad"]);
    assert_eq!(run.status("a"), "healthy");
    // And one who says that there is no such name.
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((n, from)) = server.recv_from(&mut query) {
            let mut answer = query[..n].to_vec();
            (answer[2], answer[3]) = (0x81, 0x83);
            let _ = server.send_to(&answer, from);
        }
    });
    put(
        &world.base().join("conf/resolv.conf"),
        format!("nameserver {honest}\n").as_bytes(),
    );
    let run = world.cmd(&["--json"]).mounted(&script).run();
    let lost = gateway(&run, "lost");
    assert_eq!(answers(lost), ["tcp bad bad", "http bad bad"], "{run}");
    assert!(
        sentences(lost).contains("there is no name gateway.example"),
        "{run}"
    );
}

/// The run's deadline comes first: what had no time to answer says nothing, and all the rest is
/// reported as ever.
#[test]
fn the_deadline_ends_all_questions() {
    let world = World::new();
    world.cell("a").beat("a", 900);
    let silent = peer::raw(hold);
    let asks: String = (0..40)
        .map(|n| {
            format!(
                "  - exec: {{command: [sleep, '{}']}}\n    timeout: 30s\n",
                20 + n
            )
        })
        .collect();
    plans(
        &world,
        &format!(
            "probes:\n  - tcp: '127.0.0.1:{silent}'\n  - http: {{url: 'http://127.0.0.1:{silent}/'}}\n    timeout: 30s\n{asks}\
             policy: auto\nsteps: [{{run: ['true']}}]\n"
        ),
    );
    let run = world.run(&["--json", "--deadline", "2s"]);
    run.code(1);
    let agent = run.agent("a", "main");
    let answers = answers(agent);
    assert_eq!(
        answers[1..3],
        ["tcp good good", "http not_asked unknown"],
        "{run}"
    );
    assert!(
        answers[3..].iter().all(|a| a == "exec not_asked unknown"),
        "{run}"
    );
    assert!(
        sentences(agent).contains("the run's deadline came before its turn"),
        "{run}"
    );
    assert!(
        sentences(agent).contains("the run's deadline came before an answer"),
        "{run}"
    );
    assert_eq!(
        run.verdict("a/main"),
        Some("tolerated"),
        "some is good, some is bad: {run}"
    );
}

/// A thousand gateways that never answer: one limit's time for all of them together, with a bound on
/// threads and memory.
#[test]
fn a_thousand_that_never_answer_are_waited_for_together() {
    let world = World::new();
    world.cell("a");
    let silent = peer::raw(hold);
    let mut yaml = String::from("gateways:\n");
    for n in 0..1000 {
        yaml.push_str(&format!(
            "  - name: g{n}\n    probes:\n      - http: {{url: 'http://127.0.0.1:{silent}/'}}\n        timeout: 3s\n"
        ));
    }
    world.config(&yaml);
    // One after the other they would take more than an hour.
    let run = world
        .cmd(&["--json"])
        .through(&["sh", "-c", "ulimit -n 1024; exec \"$0\" \"$@\""])
        .run();
    run.code(2);
    assert_eq!(run.list("gateways").len(), 1000);
    for gateway in run.list("gateways") {
        assert_eq!(gateway["state"], "dead", "{gateway}");
    }
    assert_eq!(run.status("a"), "healthy");
}
