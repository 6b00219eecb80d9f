//! A plan after defaults: as YAML that loads again to the same plan, and as its hash.

use serde::Serialize;

use super::glob::Glob;
use super::out::{Map, Out};
use super::template::Template;
use super::types::{
    Expect, FileProbe, Given, HttpProbe, Match, Plan, Probe, ProbeKind, ProcessBy, Test,
};
use super::window::Window;
use crate::model::step::{Http, Run, SignalStep, SignalTo, Spawn, Step};

/// Line ends of YAML 1.1, by which the writer goes, and not of 1.2, by which the reader does.
const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// The plan after defaults, as YAML that loads again to a plan with the same hash.
///
/// # Errors
/// A sentence, where it cannot be written.
pub fn show(plan: &Plan) -> Result<String, String> {
    let text = serde_yaml::to_string(&value(plan)).map_err(|e| e.to_string())?;
    if !text.contains(BREAKS) && !text.contains("<<:") {
        return Ok(text);
    }
    // JSON is YAML, and there all text stands between double quotes: breaks can be written out, and
    // a label of the name `<<` is no merge key.
    let mut text = serde_json::to_string_pretty(&value(plan)).map_err(|e| e.to_string())?;
    for c in BREAKS {
        text = text.replace(c, &format!("\\u{:04x}", c as u32));
    }
    Ok(text + "\n")
}

/// The plan after defaults, for any serializer.
#[must_use]
pub fn value(plan: &Plan) -> impl Serialize + use<> {
    let mut map = Map::default();
    map.put("name", &plan.name);
    map.maybe("description", plan.description.as_ref());
    map.append(effective(plan));
    let mut notify = Map::default();
    notify.list("channels", &plan.notify.channels);
    let on = plan.notify.on.iter();
    notify.filled("on", on.map(Out::word).collect());
    notify.maybe("message", plan.notify.message.as_ref());
    map.section("notify", notify);
    map.filled("tests", plan.tests.iter().map(test).collect());
    Out::Map(map)
}

/// A hash of everything in the plan that can change a decision or an effect: all but its name, its
/// description, whom it tells of what, its tests, and where it is written.
#[must_use]
pub(super) fn hash(plan: &Plan) -> String {
    Out::Map(effective(plan)).digest()
}

/// What can change a decision or an effect.
fn effective(plan: &Plan) -> Map {
    let mut map = Map::default();
    map.section("match", matches(&plan.matches));
    let mut when = Map::default();
    let status = plan.when.status.iter();
    when.filled("status", status.map(|s| Out::text(s.as_str())).collect());
    when.put("for", plan.when.r#for);
    map.section("when", when);
    map.maybe("stale_after", plan.stale_after);
    map.maybe("max_quiet", plan.max_quiet);
    map.filled("probes", plan.probes.iter().map(probe).collect());
    map.put("policy", plan.policy.as_str());
    map.filled("steps", plan.steps.iter().map(step).collect());
    let limits = &plan.limits;
    let mut backoff = Map::default();
    backoff.put("initial", limits.backoff.initial);
    backoff.put("factor", limits.backoff.factor);
    backoff.put("max", limits.backoff.max);
    backoff.put("jitter", limits.backoff.jitter);
    let mut section = Map::default();
    section.put("attempts", u64::from(limits.attempts));
    section.put("within", limits.within);
    section.section("backoff", backoff);
    map.section("limits", section);
    let mut on_exit = Map::default();
    on_exit.list("finished", &plan.on_exit.finished);
    on_exit.list("permanent", &plan.on_exit.permanent);
    map.section("on_exit", on_exit);
    let mut on_report = Map::default();
    on_report.list("finished", &plan.on_report.finished);
    on_report.list("tolerated", &plan.on_report.tolerated);
    map.section("on_report", on_report);
    let mut verify = Map::default();
    verify.put("within", plan.verify_within);
    map.section("verify", verify);
    let mut approval = Map::default();
    approval.put("expires", plan.approval.expires);
    approval.put("ask_again", plan.approval.ask_again);
    approval.list("channels", &plan.approval.channels);
    map.section("approval", approval);
    let needs = plan.needs.iter();
    map.filled("needs", needs.map(|n| Out::text(&n.text)).collect());
    map.filled("maintenance", plan.maintenance.iter().map(window).collect());
    map
}

fn matches(m: &Match) -> Map {
    let globs = |globs: &[Glob]| globs.iter().map(|g| Out::text(&g.text)).collect();
    let mut map = Map::default();
    map.filled("cells", globs(&m.cells));
    map.filled("agents", globs(&m.agents));
    map.pairs("labels", &m.labels);
    map.filled("gateways", globs(&m.gateways));
    map
}

fn probe(probe: &Probe) -> Out {
    let mut map = Map::default();
    match &probe.kind {
        ProbeKind::Tcp(address) => map.put("tcp", address),
        ProbeKind::Http(http) => map.section("http", http_probe(http)),
        ProbeKind::Process(process) => {
            let mut inner = Map::default();
            match &process.which {
                ProcessBy::Pattern(pattern) => inner.put("pattern", pattern),
                ProcessBy::Pidfile(path) => inner.put("pidfile", path),
                ProcessBy::HeartbeatPid => inner.put("heartbeat_pid", true),
            }
            inner.put("busy", process.busy);
            map.section("process", inner);
        }
        ProbeKind::Exec(command) => {
            let mut inner = Map::default();
            inner.list("command", command);
            map.section("exec", inner);
        }
        ProbeKind::File(FileProbe {
            path,
            newer_than,
            grows,
            min_size,
        }) => {
            let mut inner = Map::default();
            inner.put("path", path);
            inner.maybe("newer_than", *newer_than);
            inner.put("grows", *grows);
            inner.maybe("min_size", *min_size);
            map.section("file", inner);
        }
    }
    map.put("timeout", probe.timeout);
    map.put("failures", u64::from(probe.failures));
    map.put("successes", u64::from(probe.successes));
    Out::Map(map)
}

fn http_probe(http: &HttpProbe) -> Map {
    let mut map = Map::default();
    map.put("url", &http.url);
    map.maybe("status", http.status.map(u64::from));
    map.pairs("headers", &http.headers);
    map.maybe("contains", http.contains.as_ref());
    map.maybe("json", http.json.as_ref());
    map.maybe("ca", http.ca.as_ref());
    map
}

fn step(step: &Step<Template>) -> Out {
    let mut map = Map::default();
    match step {
        Step::Run(Run {
            command,
            cwd,
            env,
            user,
            timeout,
            grace,
        }) => {
            let mut inner = Map::default();
            inner.list("command", command);
            inner.maybe("cwd", cwd.as_ref());
            inner.pairs("env", env);
            inner.maybe("user", user.as_ref());
            inner.put("timeout", *timeout);
            inner.put("grace", *grace);
            map.section("run", inner);
        }
        Step::Spawn(step) => map.section("spawn", spawn(step)),
        Step::Signal(SignalStep { to, signal }) => {
            let mut inner = Map::default();
            match to {
                SignalTo::Process => inner.put("to", "process"),
                SignalTo::HeartbeatPid => inner.put("to", "heartbeat_pid"),
                SignalTo::Pidfile(path) => {
                    let mut to = Map::default();
                    to.put("pidfile", path);
                    inner.section("to", to);
                }
            }
            inner.put("signal", signal);
            map.section("signal", inner);
        }
        Step::Http(Http {
            method,
            url,
            headers,
            body,
            status,
            timeout,
        }) => {
            let mut inner = Map::default();
            inner.put("method", method);
            inner.put("url", url);
            inner.pairs("headers", headers);
            inner.maybe("body", body.as_ref());
            inner.maybe("status", status.map(u64::from));
            inner.put("timeout", *timeout);
            map.section("http", inner);
        }
        Step::Wait(wait) => {
            let mut inner = Map::default();
            inner.put("for", "healthy");
            inner.put("within", wait.within);
            map.section("wait", inner);
        }
    }
    Out::Map(map)
}

fn spawn(spawn: &Spawn<Template>) -> Map {
    let mut map = Map::default();
    map.list("command", &spawn.command);
    map.maybe("cwd", spawn.cwd.as_ref());
    map.pairs("env", &spawn.env);
    map.list("env_pass", &spawn.env_pass);
    map.maybe("user", spawn.user.as_ref());
    map.maybe("home", spawn.home.as_ref());
    map.put("grace", spawn.grace);
    let mut limits = Map::default();
    limits.maybe("max_runtime", spawn.limits.max_runtime);
    limits.maybe("memory", spawn.limits.memory);
    limits.maybe("open_files", spawn.limits.open_files);
    limits.maybe("processes", spawn.limits.processes);
    map.section("limits", limits);
    map.word("replace", &spawn.replace);
    map.put("wake", spawn.wake);
    map.word("beat", &spawn.beat);
    map.word("backend", &spawn.backend);
    map
}

fn window(window: &Window) -> Out {
    let mut map = Map::default();
    match window {
        Window::Once(from, until) => {
            map.put("from", *from);
            map.put("until", *until);
        }
        Window::Recurring(window) => {
            map.put("cron", window.pattern());
            map.put("for", window.lasts());
            map.put("timezone", window.zone());
        }
    }
    Out::Map(map)
}

fn test(test: &Test) -> Out {
    let mut map = Map::default();
    map.put("name", &test.name);
    map.section("given", given(&test.given));
    let Expect {
        verdict,
        steps,
        command,
        plan,
        next_in,
        because,
    } = &test.expect;
    let mut expect = Map::default();
    expect.maybe("verdict", verdict.map(|v| v.as_str()));
    expect.maybe("steps", steps.map(|n| n as u64));
    if let Some(command) = command {
        // An empty one is an expectation, too.
        expect.0.push(("command".into(), Out::list(command)));
    }
    expect.maybe("plan", plan.as_ref());
    expect.maybe("next_in", *next_in);
    expect.maybe("because", because.as_ref());
    map.section("expect", expect);
    Out::Map(map)
}

fn given(given: &Given) -> Map {
    let mut map = Map::default();
    map.put("subject", &given.subject);
    map.put("status", given.status.as_str());
    map.put("down_for", given.down_for);
    map.put("attempts", u64::from(given.attempts));
    map.maybe("last_attempt", given.last_attempt);
    map.pairs("labels", &given.labels);
    map.put("frozen", given.frozen);
    map.maybe("report", given.report.as_ref());
    map.maybe("exit_code", given.exit_code);
    map.put("paused", given.paused);
    if let Some(answer) = &given.answer {
        map.word("answer", answer);
    }
    map.list("down", &given.down);
    map.maybe("now", given.now);
    map
}
