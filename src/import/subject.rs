//! What is to be done about one gateway, or about some agents: a plan.

use std::time::Duration;

use super::channels::Channel;
use super::command::{Whom, steps};
use super::exact;
use super::limits::Limits;
use super::notes::{Notes, holds_secret};
use super::section::{Item, Section, texts};
use super::sound;
use super::tree::Tree;
use super::write::Yaml;

/// What the earlier file says for all of them.
#[derive(Default)]
pub(super) struct Defaults {
    policy: Option<Policy>,
    steps_of_gateways: Vec<Yaml>,
    steps_of_agents: Vec<Yaml>,
    limits: Limits,
    verify: Option<Duration>,
    down_for: Option<Duration>,
    expires: Option<Duration>,
    ask_again: Option<Duration>,
    maintenance: Vec<Yaml>,
}

/// Who must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Auto,
    Ask,
    Never,
}

/// What a plan is made beside.
pub(super) struct Beside<'a> {
    /// What holds where nothing else is said.
    pub(super) defaults: &'a Defaults,
    /// The channels that there are.
    pub(super) channels: &'a [Channel],
    /// The gateways' names, as they were and as they are.
    pub(super) gateways: &'a [(String, String)],
}

const POLICY: [&str; 10] = [
    "policy",
    "revive_policy",
    "revival_policy",
    "resurrection_policy",
    "restart_policy",
    "default_policy",
    "mode",
    "auto_revive",
    "auto_restart",
    "revive_mode",
];

impl Defaults {
    /// Takes them out of the top of the file.
    pub(super) fn take(from: &mut Section, notes: &mut Notes) -> Self {
        // Once more with what is filled in for agents; what there is to say is said once.
        let of_agents = steps(&mut from.clone(), Whom::Agents, &mut Notes::default());
        Self {
            policy: policy(from, notes),
            steps_of_agents: of_agents,
            steps_of_gateways: steps(from, Whom::Gateway, notes),
            limits: Limits::take(from, notes),
            verify: verify(from, notes),
            down_for: down_for(from, notes),
            expires: expires(from, notes),
            ask_again: from.take_span(&["ask_again", "ask_again_after"], notes),
            maintenance: maintenance(from, notes),
        }
    }

    /// True where something is said that holds for agents of cells too.
    pub(super) fn is_said(&self) -> bool {
        self.policy.is_some() || !self.steps_of_agents.is_empty() || self.limits.attempts.is_some()
    }
}

fn policy(from: &mut Section, notes: &mut Notes) -> Option<Policy> {
    let item = from.take(&POLICY)?;
    let word = match &item.value {
        Tree::Bool(true) => "auto".to_owned(),
        Tree::Bool(false) => "never".to_owned(),
        other => other.text().unwrap_or_default().to_lowercase(),
    };
    let policy = match word.trim() {
        "auto" | "automatic" | "always" | "yes" | "true" | "on" | "revive" => Policy::Auto,
        "ask" | "manual" | "approve" | "approval" | "confirm" | "prompt" | "human" => Policy::Ask,
        "never" | "no" | "off" | "none" | "false" | "disabled" | "notify" | "observe" => {
            Policy::Never
        }
        _ => {
            notes.left(&item, "no policy that is known; `ask` stands instead");
            Policy::Ask
        }
    };
    Some(policy)
}

impl Policy {
    fn word(self) -> &'static str {
        match self {
            Policy::Auto => "auto",
            Policy::Ask => "ask",
            Policy::Never => "never",
        }
    }
}

fn verify(from: &mut Section, notes: &mut Notes) -> Option<Duration> {
    let names = [
        "verify_timeout",
        "verify_within",
        "verify.within",
        "verify.timeout",
        "verify",
        "startup_grace",
        "grace_period",
        "revive_grace",
        "boot_time",
        "startup_timeout",
        "grace",
    ];
    from.take_span(&names, notes)
}

fn down_for(from: &mut Section, notes: &mut Notes) -> Option<Duration> {
    let names = [
        "down_for",
        "dead_for",
        "confirm_for",
        "confirm_after",
        "min_down",
        "revive_after",
        "when.for",
    ];
    from.take_span(&names, notes)
}

fn expires(from: &mut Section, notes: &mut Notes) -> Option<Duration> {
    let names = [
        "approval_timeout",
        "approval_expires",
        "approval_ttl",
        "approval_expiry",
        "revive_approval_timeout",
        "ask_timeout",
        "approval.timeout",
        "approval.expires",
    ];
    from.take_span(&names, notes)
}

/// Windows in which nothing is revived.
fn maintenance(from: &mut Section, notes: &mut Notes) -> Vec<Yaml> {
    let names = [
        "maintenance",
        "maintenance_windows",
        "quiet_hours",
        "blackout",
    ];
    let Some(item) = from.take(&names) else {
        return Vec::new();
    };
    let list = match item.value {
        Tree::List(list) => list,
        Tree::Bool(false) => return Vec::new(),
        one => vec![one],
    };
    let mut windows = Vec::new();
    for (at, value) in list.into_iter().enumerate() {
        let one = Item {
            path: format!("{}[{at}]", item.path),
            value,
        };
        let mut section = Section::new(one.path.clone(), one.value.clone());
        let mut to = Vec::new();
        for (key, names) in [
            ("from", &["from", "start", "begin", "starts_at"][..]),
            ("until", &["until", "end", "to", "ends_at"]),
            ("cron", &["cron", "schedule"]),
            ("timezone", &["timezone", "tz"]),
        ] {
            let text = section.take_item(names, notes);
            let text = text.and_then(|item| item.value.text());
            to.extend(text.map(|text| (key.to_owned(), Yaml::text(text))));
        }
        let lasts = section.take_span(&["for", "duration", "length"], notes);
        to.extend(lasts.map(|d| ("for".to_owned(), Yaml::word(exact(d)))));
        let window = Yaml::FlowMap(to);
        match sound::part(
            "maintenance",
            &Yaml::List(vec![window.clone()]),
            Whom::Agents,
        ) {
            Ok(()) => {
                windows.push(window);
                section.finish(notes);
            }
            Err(why) => notes.left(
                &one,
                &format!("{why}; `lazarus-pit pause` is for now and then"),
            ),
        }
    }
    windows
}

/// One plan. `matches` says whom it is for, `probes` what is asked about them.
pub(super) fn plan(
    name: &str,
    matches: Option<Yaml>,
    from: &mut Section,
    (whom, probes): (Whom, Vec<Yaml>),
    beside: &Beside<'_>,
    notes: &mut Notes,
) -> Yaml {
    let defaults = beside.defaults;
    let mut to = vec![("name".to_owned(), Yaml::text(name))];
    let mut put = |key: &str, value: Option<Yaml>| to.extend(value.map(|v| (key.to_owned(), v)));
    let about = from.take_text(&["description", "desc", "comment", "note"], notes);
    if about.as_deref().is_some_and(holds_secret) {
        notes.hint(format!(
            "plan {name}: its description is left out, for it may hold a secret"
        ));
    }
    let about = about.filter(|text| !holds_secret(text));
    put("description", about.map(Yaml::text));
    put("match", matches);
    let down_for = down_for(from, notes).or(defaults.down_for);
    put(
        "when",
        down_for.map(|d| Yaml::flow_one("for", Yaml::word(exact(d)))),
    );
    if whom == Whom::Agents {
        let stale = from.take_span(&super::settings::STALE_AFTER, notes);
        put("stale_after", stale.map(|d| Yaml::word(exact(d))));
    }
    put("probes", (!probes.is_empty()).then_some(Yaml::List(probes)));

    let own = steps(from, whom, notes);
    let steps = match (own.is_empty(), whom) {
        (false, _) => own,
        (true, Whom::Gateway) => defaults.steps_of_gateways.clone(),
        (true, Whom::Agents) => defaults.steps_of_agents.clone(),
    };
    let limits = Limits::take(from, notes).or(&defaults.limits);
    let said = policy(from, notes)
        .or(defaults.policy)
        .unwrap_or(Policy::Ask);
    let mut policy = said;
    if limits.attempts == Some(0) {
        policy = Policy::Never;
        notes.hint(format!(
            "plan {name}: no attempts were allowed, so that its policy is `never`"
        ));
    } else if steps.is_empty() && said != Policy::Never {
        policy = Policy::Never;
        notes.hint(format!(
            "plan {name}: its policy was `{}`, and no command is named that could be used: it is \
             `never` now, which only tells",
            said.word()
        ));
    }
    put("policy", Some(Yaml::word(policy.word())));
    put("steps", (!steps.is_empty()).then_some(Yaml::List(steps)));
    put("limits", limits.yaml());
    let verify = verify(from, notes).or(defaults.verify);
    put(
        "verify",
        verify.map(|d| Yaml::flow_one("within", Yaml::word(exact(d)))),
    );

    people(from, policy, beside, notes)
        .into_iter()
        .for_each(|(key, value)| put(key, Some(value)));
    put("needs", needs(from, beside, whom, notes));
    let mut windows = maintenance(from, notes);
    windows.extend(defaults.maintenance.iter().cloned());
    put(
        "maintenance",
        (!windows.is_empty()).then_some(Yaml::List(windows)),
    );
    Yaml::Map(to)
}

/// Who is asked, and who is told.
fn people(
    from: &mut Section,
    policy: Policy,
    beside: &Beside<'_>,
    notes: &mut Notes,
) -> Vec<(&'static str, Yaml)> {
    let defaults = beside.defaults;
    let mut to = Vec::new();
    let channels = channels(from, beside.channels, notes);
    let mut approval = Vec::new();
    let expires = expires(from, notes).or(defaults.expires);
    approval.extend(expires.map(|d| ("expires".to_owned(), Yaml::word(exact(d)))));
    let again = from.take_span(&["ask_again", "ask_again_after"], notes);
    let again = again.or(defaults.ask_again);
    approval.extend(again.map(|d| ("ask_again".to_owned(), Yaml::word(exact(d)))));
    let hear = channels.iter().filter(|channel| channel.hears);
    let hear: Vec<&str> = hear.map(|channel| &*channel.name).collect();
    if policy == Policy::Ask && !hear.is_empty() {
        approval.push(("channels".to_owned(), Yaml::texts(hear)));
    }
    if !approval.is_empty() {
        to.push(("approval", Yaml::FlowMap(approval)));
    }
    if !channels.is_empty() {
        let on = ["down", "revived", "recovered", "exhausted", "denied"];
        let names = channels.iter().map(|channel| &*channel.name);
        let notify = vec![
            ("channels".to_owned(), Yaml::texts(names)),
            (
                "on".to_owned(),
                Yaml::Flow(on.iter().map(Yaml::word).collect()),
            ),
        ];
        to.push(("notify", Yaml::FlowMap(notify)));
    }
    to
}

/// The channels that a section names; all of them where it names none.
fn channels<'c>(from: &mut Section, all: &'c [Channel], notes: &mut Notes) -> Vec<&'c Channel> {
    let names = [
        "notify_channels",
        "channels",
        "notify",
        "approval_channels",
        "notifiers",
    ];
    let Some(item) = from.take(&names) else {
        return all.iter().collect();
    };
    if matches!(item.value, Tree::Map(_) | Tree::Bool(_)) {
        notes.rest(&item);
        return all.iter().collect();
    }
    let path = item.path.clone();
    let mut found: Vec<&Channel> = Vec::new();
    for name in texts(item, notes) {
        let same =
            |c: &&Channel| c.name.eq_ignore_ascii_case(&name) || c.kind.eq_ignore_ascii_case(&name);
        match all.iter().find(same) {
            Some(channel) if found.iter().any(|c| c.name == channel.name) => {}
            Some(channel) => found.push(channel),
            None => {
                let (path, value) = (path.clone(), Tree::Text(name));
                notes.left(&Item { path, value }, "there is no such channel");
            }
        }
    }
    found
}

/// What must be healthy first: gateways by the names that they have now.
fn needs(from: &mut Section, beside: &Beside<'_>, whom: Whom, notes: &mut Notes) -> Option<Yaml> {
    let item = from.take(&["needs", "depends_on", "requires", "dependencies", "after"])?;
    let path = item.path.clone();
    let mut needs = Vec::new();
    for name in texts(item, notes) {
        let bare = name.strip_prefix("gateway:").unwrap_or(&name);
        let gateway = beside.gateways.iter().find(|(was, _)| was == bare);
        let need = match gateway {
            Some((_, is)) => format!("gateway:{is}"),
            None => name.clone(),
        };
        let one = Yaml::texts([need.as_str()]);
        let known = gateway.is_some() || (whom == Whom::Agents && name.contains('/'));
        match sound::part("needs", &one, whom) {
            Ok(()) if known => needs.push(need),
            Ok(()) => {
                let (path, value) = (path.clone(), Tree::Text(name));
                notes.left(&Item { path, value }, "there is no such gateway");
            }
            Err(why) => {
                let (path, value) = (path.clone(), Tree::Text(name));
                notes.left(&Item { path, value }, &why);
            }
        }
    }
    (!needs.is_empty()).then(|| Yaml::texts(needs))
}

/// A name as a glob: as it is, where it is one, else one that stands for just that name. None where
/// nothing can have it.
pub(super) fn glob(name: &str) -> Option<Yaml> {
    let escaped = name.chars().map(|c| match c {
        '\\' => "\\\\".to_owned(),
        c if "*?[]{}".contains(c) => format!("[{c}]"),
        c => c.to_string(),
    });
    [name.to_owned(), escaped.collect()]
        .into_iter()
        .map(|glob| Yaml::texts([glob]))
        .find(|globs| {
            let matches = Yaml::flow_one("cells", globs.clone());
            sound::part("match", &matches, Whom::Agents).is_ok()
        })
}
