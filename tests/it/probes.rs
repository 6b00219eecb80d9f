//! Evidence beside the heartbeat: what is asked, how it adds up, and what is made of it.

use std::fs;
use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::later::plans;
use crate::peer::{self, Service, answers, gateway, nobody, sentences};
use crate::store::{journal, state, state_is_the_journal};
use crate::world::{SECRET, World, now, put};

/// A gateway of this name with these probes, as the configuration has it.
fn configured(name: &str, probes: &str) -> String {
    format!("gateways:\n  - name: {name}\n    probes:\n{probes}")
}

/// A gateway is what its probes say, and a plan acts by that; its report has the fields that it
/// always had.
#[test]
fn a_gateway_is_what_its_probes_say() {
    let world = World::new();
    let (tcp, service) = (peer::raw(|_| {}), Service::new());
    let port = service.port;
    world.config(&configured(
        "timmy",
        &format!(
            "      - tcp: 127.0.0.1:{tcp}\n      - http: {{url: 'http://127.0.0.1:{port}/health?key={SECRET}', \
             headers: {{X-Key: {SECRET}}}, json: {{status: ok, /ws_port: 8765}}, contains: uptime_seconds}}\n"
        ),
    ));
    plans(
        &world,
        "match: {gateways: ['*']}\nwhen: {status: [dead, degraded]}\npolicy: auto\nsteps: [{run: ['true']}]\n",
    );
    let run = world.run(&["--json"]);
    run.code(0).clean();
    let timmy = gateway(&run, "timmy");
    assert_eq!(answers(timmy), ["tcp good good", "http good good"], "{run}");
    assert_eq!(timmy["state"], "healthy");
    assert_eq!(
        (&timmy["gateway_alive"], &timmy["process_alive"]),
        (&json!(true), &json!(null))
    );
    assert_eq!(
        (&timmy["heartbeat_age"], &timmy["first_dead_at"]),
        (&json!(null), &json!(null))
    );
    assert!(
        state(&world).get("probes").is_none(),
        "nothing to remember of what is well"
    );

    service.set(false);
    let run = world.run(&["--json"]);
    run.code(1);
    let timmy = gateway(&run, "timmy");
    assert_eq!(timmy["state"], "degraded");
    assert_eq!(timmy["gateway_alive"], false);
    assert_eq!(answers(timmy)[1], "http bad bad");
    assert!(
        sentences(timmy).contains("it answered 500, not 200 to 299"),
        "{run}"
    );
    assert_eq!(run.verdict("gateway:timmy"), Some("revive"));
    assert!(timmy["first_dead_at"].as_f64().unwrap() > 0.0);
    let run = world.run(&["--json"]);
    assert_eq!(gateway(&run, "timmy")["state"], "reviving", "{run}");
    assert_eq!(gateway(&run, "timmy")["revive_attempts"], 1);

    // What is asked now is news of itself.
    service.set(true);
    let run = world.run(&["--json"]);
    run.code(0);
    assert_eq!(run.verdict("gateway:timmy"), Some("healthy"), "{run}");
    let everything = format!("{:?}{:?}{}", journal(&world), state(&world), run.stdout());
    assert!(!everything.contains(SECRET), "{everything}");
    state_is_the_journal(&world);
}

/// All good is healthy, none dead, some degraded; a heartbeat is one witness among them.
#[test]
fn an_agents_evidence_adds_up_beside_its_class() {
    let world = World::new();
    let tcp = peer::raw(|_| {});
    world.cell("a").cell("b").cell("c").cell("d");
    world.beat("b", 900).beat("c", 900);
    let nobody = nobody();
    plans(
        &world,
        &format!(
            "name: lost\nmatch: {{cells: [c, d]}}\nprobes: [{{tcp: 'localhost:{nobody}'}}]\npolicy: never\n---\n\
             name: found\nprobes: [{{tcp: 'localhost:{tcp}'}}]\npolicy: never\n"
        ),
    );
    let run = world.run(&["--json"]);
    run.code(2);
    for (cell, class, state) in [
        ("a", "healthy", "healthy"),
        ("b", "stale", "degraded"),
        ("c", "stale", "dead"),
        ("d", "healthy", "degraded"),
    ] {
        assert_eq!(run.status(cell), class, "{run}");
        assert_eq!(run.agent(cell, "main")["state"], state, "{cell}: {run}");
        assert_eq!(run.agent(cell, "main")["status"], class);
    }
    assert_eq!(
        answers(run.agent("c", "main")),
        ["heartbeat bad bad", "tcp bad bad"]
    );
    assert!(
        sentences(run.agent("c", "main")).contains("Connection refused"),
        "{run}"
    );
    assert_eq!(run.verdict("c/main"), Some("never"));
    // Half of its evidence is good: that is no death.
    assert_eq!(run.verdict("b/main"), Some("tolerated"));
    assert_eq!(run.verdict("d/main"), Some("tolerated"));
    assert_eq!(run.verdict("a/main"), None);
    let human = world.run(&["--dry-run"]);
    human.stdout_has("degraded  d/main");
    let explained = world.run(&["explain", "c/main"]);
    explained
        .code(0)
        .stdout_has("evidence  bad: tcp localhost:");
    let junit = world.run(&["--dry-run", "--format", "junit"]);
    junit.stdout_has("tests=\"4\" failures=\"3\"");
    let prometheus = world.run(&["--dry-run", "--format", "prometheus"]);
    prometheus.stdout_has("lazarus_pit_probes{answer=\"bad\"} 2\n");
    state_is_the_journal(&world);
}

/// So many answers in a row: counted in the state, by runs and by nothing else.
#[test]
fn it_takes_so_many_answers_in_a_row() {
    let world = World::new();
    let service = Service::new();
    let url = format!("http://127.0.0.1:{}/", service.port);
    world.config(&configured(
        "timmy",
        &format!("      - http: {{url: '{url}'}}\n        failures: 3\n        successes: 2\n"),
    ));
    let state_of = |args: &[&str]| {
        let run = world.run(args);
        let timmy = gateway(&run, "timmy");
        let piece = &timmy["evidence"][0];
        (
            timmy["state"].as_str().unwrap().to_owned(),
            piece["in_a_row"].as_u64().unwrap(),
        )
    };
    let is = |state: &str, row: u64| (state.to_owned(), row);
    assert_eq!(state_of(&["--json"]), is("healthy", 0));
    service.set(false);
    assert_eq!(state_of(&["--json"]), is("healthy", 1));
    // A dry run sees the second, and leaves no trace of it.
    for _ in 0..3 {
        assert_eq!(state_of(&["--json", "--dry-run"]), is("healthy", 2));
    }
    assert_eq!(state_of(&["--json"]), is("healthy", 2));
    // One good answer, and the count begins anew.
    service.set(true);
    assert_eq!(state_of(&["--json"]), is("healthy", 0));
    assert!(state(&world).get("probes").is_none());
    service.set(false);
    for row in [1, 2] {
        assert_eq!(state_of(&["--json"]), is("healthy", row));
    }
    assert_eq!(state_of(&["--json"]), is("dead", 0));
    let before = journal(&world).len();
    assert_eq!(state_of(&["--json"]), is("dead", 0));
    let probed = journal(&world)[before..]
        .iter()
        .filter(|e| e["event"] == "probed")
        .count();
    assert_eq!(probed, 0, "nothing is new");
    service.set(true);
    assert_eq!(state_of(&["--json"]), is("dead", 1));
    assert_eq!(state_of(&["--json"]), is("healthy", 0));
    state_is_the_journal(&world);
    // What is not asked about any more is forgotten.
    service.set(false);
    state_of(&["--json"]);
    assert!(state(&world)["probes"]["gateway:timmy"].is_object());
    world.config("{}\n");
    world.run(&["--json"]);
    assert!(state(&world).get("probes").is_none());
    state_is_the_journal(&world);
}

/// What cannot be asked is no word about the subject: it kills nobody, and it is told.
#[test]
fn what_could_not_be_asked_kills_nobody() {
    let world = World::new();
    world.cell("a").cell("b").beat("a", 900).beat("b", 900);
    let missing = nobody();
    plans(
        &world,
        &format!(
            "match: {{cells: [a]}}\nprobes:\n  - exec: {{command: [/nonexistent/healthy]}}\n\
             policy: auto\nsteps: [{{run: ['true']}}]\n---\n\
             name: labels\nprobes:\n  - tcp: '127.0.0.1:{{{{ cell.labels.port }}}}'\n  \
             - tcp: '127.0.0.1:{missing}'\npolicy: auto\nsteps: [{{run: ['true']}}]\n"
        ),
    );
    let run = world.run(&["--json"]);
    run.code(2);
    for (cell, answers_are) in [
        ("a", &["heartbeat bad bad", "exec not_asked unknown"][..]),
        (
            "b",
            &["heartbeat bad bad", "tcp not_asked unknown", "tcp bad bad"],
        ),
    ] {
        let agent = run.agent(cell, "main");
        assert_eq!(answers(agent), answers_are, "{run}");
        assert_eq!(agent["state"], "unknown");
        assert_eq!(
            run.status(cell),
            "stale",
            "its class follows from its files"
        );
        let subject = format!("{cell}/main");
        assert_eq!(run.verdict(&subject), Some("unobserved"), "{run}");
        assert!(crate::later::codes(&run, &subject).contains(&"unreadable"));
    }
    assert!(run.stdout().contains("label `port` is not there"), "{run}");
    assert!(run.stdout().contains("No such file or directory"), "{run}");
    assert!(run.list("actions").is_empty());
    assert!(
        !journal(&world)
            .iter()
            .any(|e| e["event"] == "incident_opened")
    );
}

/// By number, by name, over IPv6 and at a socket of the file system.
#[test]
fn tcp_asks_wherever_somebody_can_listen() {
    let world = World::new();
    let socket = world.base().join("home/s");
    let _listener = UnixListener::bind(&socket).unwrap();
    let port = peer::raw(|_| {});
    let v6 = std::net::TcpListener::bind("[::1]:0").ok();
    let six = v6.as_ref().map(|l| l.local_addr().unwrap().port());
    let (base, none) = (world.base().display(), nobody());
    let file = world.base().join("home/plain");
    put(&file, b"");
    let mut probes = format!(
        "      - tcp: 127.0.0.1:{port}\n      - tcp: localhost:{port}\n      - tcp: {base}/home/s\n      \
         - tcp: 127.0.0.1:{none}\n      - tcp: {base}/home/none\n      - tcp: {base}/home/plain\n"
    );
    if let Some(six) = six {
        probes.push_str(&format!("      - tcp: '[::1]:{six}'\n"));
    }
    world.config(&configured("timmy", &probes));
    let run = world.run(&["--json"]);
    let mut wanted = vec!["tcp good good"; 3];
    wanted.extend(["tcp bad bad"; 3]);
    wanted.extend(six.map(|_| "tcp good good"));
    assert_eq!(answers(gateway(&run, "timmy")), wanted, "{run}");
    assert_eq!(gateway(&run, "timmy")["state"], "degraded");
}

/// An attempt's own look: with probes it is healthy once they say so as well.
#[test]
fn waiting_for_health_asks_the_probes() {
    let world = World::new();
    let flag = world.base().join("home/flag");
    let shown = flag.display();
    world.config(&configured(
        "timmy",
        &format!("      - file: {{path: {shown}}}\n"),
    ));
    plans(
        &world,
        &format!(
            "match: {{gateways: ['*']}}\npolicy: auto\nlimits: {{attempts: 9, backoff: {{initial: 0s}}}}\n\
             steps:\n  - run: [touch, {shown}]\n  - wait: {{for: healthy, within: 20s}}\n"
        ),
    );
    let run = world.run(&["--json"]);
    run.code(1);
    let steps = &run.list("actions")[0]["steps"];
    assert_eq!(steps[1]["result"], "ok", "{run}");
    assert_eq!(
        world.run(&["--json"]).verdict("gateway:timmy"),
        Some("healthy")
    );
    // And where they do not, it fails by what they said.
    let world = World::new();
    world.config(&configured(
        "timmy",
        "      - file: {path: /nonexistent/flag}\n",
    ));
    plans(
        &world,
        "match: {gateways: ['*']}\npolicy: auto\nlimits: {attempts: 9, backoff: {initial: 0s}}\n\
         steps:\n  - wait: {for: healthy, within: 300ms}\n",
    );
    let run = world.run(&["--json"]);
    run.code(2);
    let error = run.list("actions")[0]["steps"][0]["error"]
        .as_str()
        .unwrap();
    assert!(error.contains("No such file"), "{run}");
}

/// A run over some cells asks about those; an operator's order asks about what it starts.
#[test]
fn only_those_in_scope_are_asked_about() {
    let world = World::new();
    world.cell("a").cell("b");
    let (one, two) = (Service::new(), Service::new());
    plans(
        &world,
        &format!(
            "name: a\nmatch: {{cells: [a]}}\nprobes: [{{http: {{url: 'http://127.0.0.1:{}/'}}}}]\npolicy: auto\n\
             steps: [{{run: ['true']}}]\n---\nname: b\nprobes: [{{http: {{url: 'http://127.0.0.1:{}/'}}}}]\npolicy: never\n",
            one.port, two.port
        ),
    );
    world.run(&["--json", "--cell", "a"]).code(0);
    assert_eq!((one.asked(), two.asked()), (1, 0));
    world.run(&["explain", "a/main"]).code(0);
    assert_eq!(one.asked(), 2);
    let two_before = two.asked();
    world.run(&["start", "a/main"]).code(0);
    assert_eq!((one.asked(), two.asked()), (3, two_before));
    // Who only asks what there is asks nobody else.
    world.run(&["list"]).code(0);
    world.run(&["status"]).code(0);
    world.run(&["plan", "test"]);
    assert_eq!(one.asked(), 3);
}

/// A heartbeat is fresh, and still a gateway with a silent port is no healthy one.
#[test]
fn a_gateways_heartbeat_and_probes_count_together() {
    let world = World::new();
    let beat = world.base().join("home/beat.json");
    put(&beat, format!("{{\"timestamp\": {}}}", now()).as_bytes());
    let port = nobody();
    world.config(&format!(
        "gateways:\n  - name: timmy\n    heartbeat: {}\n    probes: [{{tcp: '127.0.0.1:{port}'}}]\n",
        beat.display()
    ));
    let run = world.run(&["--json"]);
    let timmy = gateway(&run, "timmy");
    assert_eq!(timmy["state"], "degraded");
    assert_eq!(answers(timmy), ["heartbeat good good", "tcp bad bad"]);
    assert!(timmy["heartbeat_age"].as_f64().unwrap() < 60.0);
    fs::remove_file(&beat).unwrap();
    let run = world.run(&["--json"]);
    assert_eq!(gateway(&run, "timmy")["state"], "dead", "{run}");
}
