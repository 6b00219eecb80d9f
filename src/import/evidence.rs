//! How a gateway was looked at: ports, URLs, processes and heartbeats, to probes.

use super::command::{Whom, literal};
use super::notes::{Notes, holds_secret};
use super::section::{Item, Section};
use super::sound;
use super::tree::Tree;
use super::write::Yaml;

/// What is asked, and the settings that it was made of.
struct Made {
    probe: Yaml,
    of: Vec<Item>,
}

const HOST: [&str; 5] = ["host", "hostname", "ws_host", "gateway_host", "bind"];
const PORTS: [&str; 7] = [
    "ws_port",
    "gateway_port",
    "tcp_port",
    "port",
    "api_port",
    "ports",
    "tcp.port",
];
const ADDRESS: [&str; 6] = [
    "tcp",
    "address",
    "addr",
    "tcp_address",
    "socket",
    "unix_socket",
];
const WS_URL: [&str; 4] = ["ws_url", "websocket_url", "websocket", "ws"];
const HTTP: [&str; 9] = [
    "health_url",
    "health_endpoint",
    "healthcheck_url",
    "health_check_url",
    "http_url",
    "http",
    "status_url",
    "url",
    "endpoint",
];
const PATTERN: [&str; 6] = [
    "process_pattern",
    "proc_pattern",
    "process_regex",
    "pattern",
    "process",
    "pgrep",
];
const PROCESS_NAME: [&str; 2] = ["process_name", "proc_name"];
const PIDFILE: [&str; 3] = ["pidfile", "pid_file", "pid_path"];
const LISTS: [&str; 4] = ["probes", "checks", "health_checks", "evidence"];

/// The path of its heartbeat.
pub(super) fn heartbeat(from: &mut Section, notes: &mut Notes) -> Option<Yaml> {
    let names = [
        "heartbeat_path",
        "heartbeat_file",
        "heartbeat",
        "heartbeat.path",
        "heartbeat.file",
        "hb_path",
    ];
    if let Some(Tree::Map(_)) = from.look(&["heartbeat"]) {
        let item = from.take(&["heartbeat.path", "heartbeat.file"])?;
        return path(item, notes);
    }
    let item = from.take(&names)?;
    path(item, notes)
}

fn path(item: Item, notes: &mut Notes) -> Option<Yaml> {
    let yaml = Yaml::text(item.value.text().unwrap_or_default());
    match sound::setting("heartbeat_dir", &yaml) {
        Ok(()) => Some(yaml),
        Err(why) => {
            notes.left(&item, &why);
            None
        }
    }
}

/// The probes of a section, each with its bounds.
pub(super) fn probes(from: &mut Section, whom: Whom, notes: &mut Notes) -> Vec<Yaml> {
    let bounds = bounds(from, notes);
    let mut made = Vec::new();
    flat(from, &mut made, notes);
    let mut all = kept(made, &bounds, whom, notes);
    if let Some(item) = from.take(&LISTS) {
        all.extend(listed(item, &bounds, whom, notes));
    }
    all
}

type Bounds = Vec<(String, Yaml)>;

/// What holds for each probe of a section.
fn bounds(from: &mut Section, notes: &mut Notes) -> Bounds {
    let mut bounds = Vec::new();
    let timeout = [
        "probe_timeout",
        "check_timeout",
        "connect_timeout",
        "tcp_timeout",
        "health_timeout",
    ];
    if let Some(timeout) = from.take_span(&timeout, notes) {
        let most = std::time::Duration::from_secs(30);
        if timeout > most {
            notes.hint(format!("{}: a probe may take at most 30s", from.path));
        }
        let timeout = Yaml::word(super::exact(timeout.min(most)));
        bounds.push(("timeout".to_owned(), timeout));
    }
    let failures = [
        "failures",
        "consecutive_failures",
        "failure_threshold",
        "fail_threshold",
        "max_failures",
    ];
    let successes = ["successes", "success_threshold", "recovery_threshold"];
    for (key, names) in [("failures", &failures[..]), ("successes", &successes)] {
        let count = from.take_count(names, notes);
        if count == Some(0) {
            notes.hint(format!("{}: `{key}: 0` is as good as 1", from.path));
        }
        let count = count.filter(|n| *n > 0);
        bounds.extend(count.map(|n| (key.to_owned(), Yaml::word(n))));
    }
    bounds
}

/// A list of probes, each of which says what it asks.
fn listed(item: Item, bounds: &Bounds, whom: Whom, notes: &mut Notes) -> Vec<Yaml> {
    let list = match item.value {
        Tree::List(list) => list,
        one => vec![one],
    };
    let mut all = Vec::new();
    for (at, value) in list.into_iter().enumerate() {
        let path = format!("{}[{at}]", item.path);
        if !matches!(value, Tree::Map(_)) {
            notes.left(&Item { path, value }, "this is no probe");
            continue;
        }
        let mut section = Section::new(path, value);
        let mut own = self::bounds(&mut section, notes);
        let timeout = section.take_span(&["timeout"], notes);
        let timeout = timeout.map(|t| t.min(std::time::Duration::from_secs(30)));
        own.extend(timeout.map(|t| ("timeout".to_owned(), Yaml::word(super::exact(t)))));
        let said = |key: &str| own.iter().any(|(known, _)| known == key);
        let more: Bounds = bounds
            .iter()
            .filter(|(key, _)| !said(key))
            .cloned()
            .collect();
        own.extend(more);
        let mut made = Vec::new();
        let kind = section.look(&["type", "kind"]).and_then(Tree::text);
        by_kind(kind.as_deref(), &mut section, &mut made, notes);
        flat(&mut section, &mut made, notes);
        if !made.is_empty() {
            section.take_item(&["type", "kind"], notes);
        }
        all.extend(kept(made, &own, whom, notes));
        section.finish(notes);
    }
    all
}

/// What only a `type` tells.
fn by_kind(kind: Option<&str>, from: &mut Section, made: &mut Vec<Made>, notes: &mut Notes) {
    match kind {
        Some("exec" | "command" | "script" | "shell") => {
            let Some(item) = from.take(&["command", "cmd", "script", "exec"]) else {
                return;
            };
            let words = match &item.value {
                Tree::Text(text) => Some(vec!["sh".to_owned(), "-c".to_owned(), literal(text)]),
                Tree::List(list) => list.iter().map(|w| w.text().map(|w| literal(&w))).collect(),
                _ => None,
            };
            let command = Yaml::texts(words.unwrap_or_default());
            let probe = Yaml::one("exec", Yaml::flow_one("command", command));
            made.push(Made {
                probe,
                of: vec![item],
            });
        }
        Some("file" | "heartbeat" | "mtime") => {
            let Some(item) = from.take(&["path", "file"]) else {
                return;
            };
            let path = Yaml::text(literal(&item.value.text().unwrap_or_default()));
            let mut file = vec![("path".to_owned(), path)];
            let age = [
                "newer_than",
                "max_age",
                "stale_after",
                "dead_threshold",
                "threshold",
            ];
            let age = from.take_span(&age, notes);
            file.extend(age.map(|age| ("newer_than".to_owned(), Yaml::word(super::exact(age)))));
            let probe = Yaml::one("file", Yaml::FlowMap(file));
            made.push(Made {
                probe,
                of: vec![item],
            });
        }
        Some("process" | "proc" | "ps") => {
            if let Some(item) = from.take(&["name", "match"]) {
                made.push(process(item, true));
            }
        }
        _ => {}
    }
}

/// The probes that a section's own settings come to.
fn flat(from: &mut Section, made: &mut Vec<Made>, notes: &mut Notes) {
    for names in [&WS_URL[..], &ADDRESS] {
        if let Some(item) = from.take(names) {
            match item.value {
                Tree::Map(_) => tcp(&mut Section::new(item.path, item.value), made, notes, true),
                _ => made.push(address(item)),
            }
        }
    }
    let before = made.len();
    http(from, made, notes);
    let asked = made.len() > before;
    tcp(from, made, notes, false);
    // Said by the URL that was made with it.
    if asked
        && from.look(&HOST).and_then(Tree::text).is_some_and(|host| {
            let url = |made: &Made| made.probe.document().contains(&host);
            made[before..].iter().any(url)
        })
    {
        from.take(&HOST);
    }
    if let Some(item) = from.take(&PATTERN) {
        match item.value {
            Tree::Map(_) => {
                let mut inner = Section::new(item.path, item.value);
                let found = inner.take(&["pattern", "regex", "cmdline", "match"]);
                made.extend(found.map(|item| process(item, false)));
                made.extend(inner.take(&["name"]).map(|item| process(item, true)));
                made.extend(inner.take(&PIDFILE).map(pidfile));
                inner.finish(notes);
            }
            _ => made.push(process(item, false)),
        }
    }
    made.extend(from.take(&PROCESS_NAME).map(|item| process(item, true)));
    made.extend(from.take(&PIDFILE).map(pidfile));
}

fn process(item: Item, is_name: bool) -> Made {
    let text = item.value.text().unwrap_or_default();
    let pattern = if is_name { escaped(&text) } else { text };
    let pattern = Yaml::flow_one("pattern", Yaml::text(literal(&pattern)));
    Made {
        probe: Yaml::one("process", pattern),
        of: vec![item],
    }
}

fn pidfile(item: Item) -> Made {
    let path = Yaml::text(literal(&item.value.text().unwrap_or_default()));
    Made {
        probe: Yaml::one("process", Yaml::flow_one("pidfile", path)),
        of: vec![item],
    }
}

/// A text as a pattern that matches it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `HOST:PORT`, a socket's path, or the URL of a WebSocket.
fn address(item: Item) -> Made {
    let text = item.value.text().unwrap_or_default();
    let (rest, port) = match text.split_once("://") {
        Some((scheme, rest)) => {
            let default = if scheme.ends_with('s') { ":443" } else { ":80" };
            (
                rest.split(['/', '?']).next().unwrap_or_default().to_owned(),
                default,
            )
        }
        None => (text, ""),
    };
    let has_port = rest
        .rsplit(':')
        .next()
        .is_some_and(|port| port.parse::<u16>().is_ok());
    let rest = match has_port {
        true => rest,
        false => format!("{rest}{port}"),
    };
    Made {
        probe: Yaml::one("tcp", Yaml::text(literal(&rest))),
        of: vec![item],
    }
}

/// Host and ports; with `all` nothing else is in the section.
fn tcp(from: &mut Section, made: &mut Vec<Made>, notes: &mut Notes, all: bool) {
    if from.look(&PORTS).is_none() {
        if all {
            std::mem::take(from).finish(notes);
        }
        return;
    }
    let host = from.take_item(&HOST, notes);
    let name = host.as_ref().and_then(|item| item.value.text());
    let name = name.unwrap_or_else(|| "localhost".to_owned());
    let name = match name.contains(':') && !name.starts_with('[') {
        true => format!("[{name}]"),
        false => name,
    };
    while let Some(item) = from.take(&PORTS) {
        let ports = match &item.value {
            Tree::List(list) => list.clone(),
            one => vec![one.clone()],
        };
        for (at, port) in ports.into_iter().enumerate() {
            let address = format!("{name}:{}", port.text().unwrap_or_default());
            let one = Item {
                path: match &item.value {
                    Tree::List(_) => format!("{}[{at}]", item.path),
                    _ => item.path.clone(),
                },
                value: port,
            };
            let probe = Yaml::one("tcp", Yaml::text(literal(&address)));
            let of = host.iter().cloned().chain([one]).collect();
            made.push(Made { probe, of });
        }
    }
    if all {
        std::mem::take(from).finish(notes);
    }
}

/// A URL, or the port and path of a health endpoint beside the host.
fn http(from: &mut Section, made: &mut Vec<Made>, notes: &mut Notes) {
    let (mut of, mut fields) = (Vec::new(), Vec::new());
    let url = match from.take(&HTTP) {
        Some(Item {
            path,
            value: value @ Tree::Map(_),
        }) => {
            let mut inner = Section::new(path, value);
            http(&mut inner, made, notes);
            inner.finish(notes);
            return;
        }
        Some(item) => {
            let url = item.value.text().unwrap_or_default();
            of.push(item);
            match url.contains("://") {
                true => url,
                false => format!("http://{url}"),
            }
        }
        None => {
            let ports = ["health_port", "http_port", "healthcheck_port"];
            let Some(port) = from.take(&ports) else {
                return;
            };
            let host = from.look(&HOST).and_then(Tree::text);
            let host = host.unwrap_or_else(|| "localhost".to_owned());
            let path = ["health_path", "healthcheck_path", "http_path"];
            let path = from.take_item(&path, notes);
            let said = path.as_ref().and_then(|item| item.value.text());
            let said = said.unwrap_or_else(|| "/health".to_owned());
            let slash = if said.starts_with('/') { "" } else { "/" };
            let url = format!(
                "http://{host}:{}{slash}{said}",
                port.value.text().unwrap_or_default()
            );
            of.push(port);
            of.extend(path);
            url
        }
    };
    fields.push(("url".to_owned(), Yaml::text(literal(&url))));
    let status = ["expected_status", "expect_status", "status_code"];
    // `status` alone may be what was seen the last time.
    let number = matches!(from.look(&["status"]), Some(Tree::Whole(_)));
    let item = from.take(&status);
    let item = match item {
        None if number => from.take(&["status"]),
        item => item,
    };
    if let Some(item) = item {
        let status = item.value.text().unwrap_or_default();
        fields.push(("status".to_owned(), Yaml::word(status)));
        of.push(item);
    }
    if let Some(item) = from.take(&["contains", "expect_body", "body_contains", "expect"]) {
        let text = literal(&item.value.text().unwrap_or_default());
        fields.push(("contains".to_owned(), Yaml::text(text)));
        of.push(item);
    }
    if let Some(item) = from.take(&["expected_json", "expect_json", "json"]) {
        fields.push(("json".to_owned(), yaml(&item.value)));
        of.push(item);
    }
    let probe = Yaml::one("http", Yaml::FlowMap(fields));
    made.push(Made { probe, of });
}

/// A value as it is.
fn yaml(tree: &Tree) -> Yaml {
    match tree {
        Tree::Text(text) => Yaml::text(text.as_str()),
        Tree::List(list) => Yaml::Flow(list.iter().map(yaml).collect()),
        Tree::Map(entries) => {
            let entries = entries.iter();
            Yaml::FlowMap(
                entries
                    .map(|(key, value)| (key.clone(), yaml(value)))
                    .collect(),
            )
        }
        word => Yaml::word(word.shown()),
    }
}

/// Those that the program would take, with their bounds.
fn kept(made: Vec<Made>, bounds: &Bounds, whom: Whom, notes: &mut Notes) -> Vec<Yaml> {
    let mut kept: Vec<Yaml> = Vec::new();
    for Made { probe, of } in made {
        let holds = |item: &Item| item.value.text().is_some_and(|text| holds_secret(&text));
        let hidden = of.iter().any(holds);
        let sound = sound::part("probes", &Yaml::List(vec![probe.clone()]), whom);
        let sound = match hidden {
            true => Err("it may hold a secret, which a probe cannot be given".to_owned()),
            false => sound,
        };
        match (sound, probe) {
            (Ok(()), Yaml::Map(mut entries)) => {
                entries.extend(bounds.iter().cloned());
                let probe = Yaml::Map(entries);
                if !kept.contains(&probe) {
                    kept.push(probe);
                }
            }
            (Err(why), _) => of.iter().for_each(|item| notes.left(item, &why)),
            (Ok(()), _) => {}
        }
    }
    kept
}
