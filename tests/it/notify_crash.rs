//! A run that tells, killed at each of its calls in turn: the message is not lost, and sent twice at
//! most, with the same id.

use crate::fake::http::{Reply, Server};
use crate::kill;
use crate::later::plans;
use crate::store::{copy, journal, restore, state, state_is_the_journal};
use crate::world::{World, tool};

/// The calls between which something can be lost.
const CALLS: &str = "openat,write,pwrite64,fsync,fdatasync,renameat,renameat2,clone3,futex";

/// A service that notes the keys of what it is sent.
fn service() -> Server<Vec<String>> {
    Server::start(Vec::new(), |keys, request| {
        let key = request.header("idempotency-key").unwrap_or_default();
        keys.push(key.to_owned());
        Reply::new(200, "ok")
    })
}

#[test]
fn killed_at_any_call_a_message_arrives_and_is_repeated_once_at_most() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    world.cell("a").cell("b");
    let server = service();
    world.config(&format!(
        "channels: {{hook: {{kind: webhook, url: '{}'}}}}\n",
        server.url("/hook")
    ));
    plans(&world, "policy: never\nnotify: {channels: hook}\n");
    world.run(&["--json"]).code(0);
    world.beat("a", 900);
    let template = world.base().join("template");
    copy(&world.state(), &template);
    let (points, run) = kill::points(&world, &["--json"], CALLS, |_, _| true);
    run.code(2);
    // Before the state is read there is nothing to be lost.
    let points: Vec<_> = points.iter().skip(points.len() / 3).collect();
    assert!(points.len() > 15, "{points:?}");
    let (mut whole, mut repeated) = (0, 0);
    for point in points {
        restore(&world, &template);
        server.with(Vec::clear);
        let inject = point.inject("signal=SIGKILL");
        let run = world
            .cmd(&["--json"])
            .through(&["strace", "-o", "/dev/null", "-e", &inject])
            .run();
        let _ = run.signal();
        world.run(&["--json", "--wait-lock", "10s"]).code(2);
        world.run(&["--json"]).code(2);
        let keys = server.with(|keys| keys.clone());
        assert!((1..=2).contains(&keys.len()), "killed at {point}: {keys:?}");
        assert!(
            keys.iter().all(|key| *key == keys[0]),
            "killed at {point}: {keys:?}"
        );
        repeated += usize::from(keys.len() == 2);
        whole += 1;
        let arrived = journal(&world)
            .iter()
            .filter(|e| e["event"] == "notified")
            .count();
        assert_eq!(arrived, 1, "killed at {point}");
        assert!(
            state(&world)["post"]["hook"]["outbox"].is_null(),
            "killed at {point}"
        );
        state_is_the_journal(&world);
    }
    assert!(repeated < whole, "{repeated} of {whole}");
}
