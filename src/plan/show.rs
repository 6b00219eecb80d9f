//! A plan after defaults: as YAML that loads again to the same plan, and as its hash.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::glob::Glob;
use super::template::Template;
use super::types::{
    Expect, FileProbe, Given, HttpProbe, Match, Plan, Probe, ProbeKind, ProcessBy, Test,
};
use super::window::Window;
use crate::model::step::{Http, Run, SignalStep, SignalTo, Spawn, Step};
use crate::model::time::{Timestamp, exact};

/// The plan after defaults, as YAML that loads again to a plan with the same hash.
///
/// # Errors
/// A sentence, where it cannot be written.
pub fn show(plan: &Plan) -> Result<String, String> {
    serde_yaml::to_string(&value(plan)).map_err(|e| e.to_string())
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
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    Out::Map(effective(plan)).hash(&mut hash);
    format!("{:016x}", hash.0)
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

/// A value that is to be shown or hashed.
#[derive(Clone, Debug)]
enum Out {
    Text(String),
    Bool(bool),
    Whole(i128),
    Number(f64),
    Span(Duration),
    Null,
    List(Vec<Out>),
    Map(Map),
}

/// Keys and values, in the order in which they are shown.
#[derive(Clone, Debug, Default)]
struct Map(Vec<(String, Out)>);

impl Map {
    fn put(&mut self, key: &str, value: impl Into<Out>) {
        self.0.push((key.to_owned(), value.into()));
    }

    fn maybe(&mut self, key: &str, value: Option<impl Into<Out>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// One word of an enum.
    fn word(&mut self, key: &str, value: &impl Serialize) {
        self.put(key, Out::word(value));
    }

    /// A list, unless it is empty.
    fn filled(&mut self, key: &str, list: Vec<Out>) {
        if !list.is_empty() {
            self.put(key, Out::List(list));
        }
    }

    fn list<'a, T: 'a>(&mut self, key: &str, list: &'a [T])
    where
        &'a T: Into<Out>,
    {
        self.filled(key, list.iter().map(Into::into).collect());
    }

    fn pairs<'a, T: 'a>(&mut self, key: &str, pairs: &'a BTreeMap<String, T>)
    where
        &'a T: Into<Out>,
    {
        let pairs = pairs.iter().map(|(key, value)| (key.clone(), value.into()));
        self.section(key, Map(pairs.collect()));
    }

    /// A mapping, unless it is empty.
    fn section(&mut self, key: &str, map: Map) {
        if !map.0.is_empty() {
            self.put(key, Out::Map(map));
        }
    }

    fn append(&mut self, mut other: Map) {
        self.0.append(&mut other.0);
    }
}

impl Out {
    fn text(text: &str) -> Self {
        Out::Text(text.to_owned())
    }

    fn word(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => Out::from(&value),
            Err(_) => Out::Null,
        }
    }

    fn list<'a, T: 'a>(list: &'a [T]) -> Self
    where
        &'a T: Into<Out>,
    {
        Out::List(list.iter().map(Into::into).collect())
    }

    /// What tells it from every other value: its kind, its length, itself.
    fn hash(&self, hash: &mut Fnv) {
        match self {
            Out::Null => hash.add(b"0"),
            Out::Bool(value) => hash.add(if *value { b"t" } else { b"f" }),
            Out::Whole(n) => {
                hash.add(b"i");
                hash.add(&n.to_le_bytes());
            }
            Out::Number(n) => {
                hash.add(b"n");
                hash.add(&n.to_bits().to_le_bytes());
            }
            Out::Span(span) => {
                hash.add(b"d");
                hash.add(&span.as_nanos().to_le_bytes());
            }
            Out::Text(text) => hash.text(text),
            Out::List(items) => {
                hash.add(b"l");
                hash.add(&(items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| item.hash(hash));
            }
            Out::Map(Map(entries)) => {
                hash.add(b"m");
                hash.add(&(entries.len() as u64).to_le_bytes());
                for (key, value) in entries {
                    hash.text(key);
                    value.hash(hash);
                }
            }
        }
    }
}

macro_rules! from {
    ($($from:ty, $value:ident => $out:expr;)*) => {
        $(impl From<$from> for Out {
            fn from($value: $from) -> Self {
                $out
            }
        })*
    };
}

from! {
    &str, text => Out::text(text);
    &String, text => Out::text(text);
    &Template, template => Out::text(template.source());
    bool, value => Out::Bool(value);
    u64, n => Out::Whole(n.into());
    i32, n => Out::Whole(n.into());
    &i32, n => Out::Whole((*n).into());
    f64, n => Out::Number(n);
    Duration, span => Out::Span(span);
    Timestamp, time => Out::Text(time.to_string());
}

impl From<&serde_json::Value> for Out {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Out::Null,
            Value::Bool(value) => Out::Bool(*value),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => Out::Whole(n.into()),
                (_, Some(n)) => Out::Whole(n.into()),
                _ => Out::Number(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Out::text(text),
            Value::Array(items) => Out::list(items),
            Value::Object(map) => {
                // By their names, whatever order the map keeps.
                let mut entries: Vec<(String, Out)> =
                    map.iter().map(|(k, v)| (k.clone(), v.into())).collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Out::Map(Map(entries))
            }
        }
    }
}

impl Serialize for Out {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Out::Text(text) => s.serialize_str(text),
            Out::Bool(value) => s.serialize_bool(*value),
            Out::Whole(n) => match (u64::try_from(*n), i64::try_from(*n)) {
                (Ok(n), _) => s.serialize_u64(n),
                (_, Ok(n)) => s.serialize_i64(n),
                _ => s.serialize_i128(*n),
            },
            Out::Number(n) => s.serialize_f64(*n),
            Out::Span(span) => s.collect_str(&exact(*span)),
            Out::Null => s.serialize_unit(),
            Out::List(items) => s.collect_seq(items),
            Out::Map(Map(entries)) => {
                let mut map = s.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// FNV-1a with 64 bits: the same everywhere and for ever. Nobody is kept out by it.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn text(&mut self, text: &str) {
        self.add(b"s");
        self.add(&(text.len() as u64).to_le_bytes());
        self.add(text.as_bytes());
    }
}
