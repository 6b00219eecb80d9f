//! What each kind of channel is made of.

use crate::import::notes::{Notes, has_secret_name, is_secret};
use crate::import::section::{Entry, Item, Section, texts};
use crate::import::tree::Tree;
use crate::import::write::Yaml;

/// What a channel must have.
pub(super) fn needed(kind: &str) -> &'static str {
    match kind {
        "telegram" => "a chat_id",
        "gitea" => "a url or a repo",
        "nostr" => "relays or recipients",
        "ntfy" => "a topic",
        _ => "a url",
    }
}

const USERS: [&str; 12] = [
    "allowed_users",
    "allowed_user_ids",
    "allowed_usernames",
    "authorized_users",
    "approvers",
    "admins",
    "admin_ids",
    "admin_id",
    "user_ids",
    "user_id",
    "users",
    "owner_id",
];

/// What a webhook's JSON can be like.
const TEMPLATES: [&str; 4] = ["slack", "discord", "ntfy", "generic"];

type Entries = Vec<(String, Yaml)>;

/// One channel as it is configured here, and whether people can answer on it.
pub(super) fn channel(
    name: &str,
    kind: &'static str,
    from: &mut Section,
    notes: &mut Notes,
) -> Option<(Yaml, bool)> {
    let (of, mut entries, hears) = match kind {
        "telegram" => ("telegram", telegram(from, notes)?, true),
        "gitea" => ("gitea", gitea(from, notes)?, true),
        "nostr" => ("nostr", nostr(from, notes)?, true),
        "ntfy" => {
            let (entries, hears) = ntfy(from, notes)?;
            ("ntfy", entries, hears)
        }
        other => ("webhook", webhook(other, from, notes)?, false),
    };
    let answers = matches!(of, "telegram" | "gitea");
    if answers && !entries.iter().any(|(key, _)| key == "allowed_users") {
        notes.hint(format!(
            "nobody may answer on {name}: say who, in `allowed_users` of that channel"
        ));
    }
    let insecure = from.take_bool(&["insecure"], notes);
    let open = entries.iter().any(|(_, value)| is_open(value));
    if open && insecure != Some(true) {
        notes.hint(format!(
            "{name}: it is talked to without TLS, as before (`insecure: true`); anyone on the way reads along"
        ));
    }
    if open || insecure == Some(true) {
        put(&mut entries, "insecure", Some(Yaml::word(true)));
    }
    entries.insert(0, ("kind".to_owned(), Yaml::word(of)));
    Some((Yaml::Map(entries), hears))
}

/// True for addresses beyond this host that are talked to without TLS.
fn is_open(value: &Yaml) -> bool {
    let Yaml::Text(text) = value else {
        return matches!(value, Yaml::Flow(all) if all.iter().any(is_open));
    };
    let bare = ["http://", "ws://"];
    let rest = bare.iter().find_map(|scheme| text.strip_prefix(scheme));
    let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    let here = |host: &str| {
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        host == "localhost" || host == "[::1]" || host.starts_with("127.")
    };
    host.is_some_and(|host| !here(host))
}

fn put(entries: &mut Entries, key: &str, value: Option<Yaml>) {
    entries.extend(value.map(|value| (key.to_owned(), value)));
}

/// A reference to a secret: to the variable or file that the earlier file named itself, or to a
/// variable for what stood in it.
fn secret(
    from: &mut Section,
    names: &[&str],
    variable: &str,
    required: bool,
    notes: &mut Notes,
) -> Option<Yaml> {
    let with = |end: &str| {
        names
            .iter()
            .map(|name| format!("{name}{end}"))
            .collect::<Vec<_>>()
    };
    let look = |from: &mut Section, ends: &[&str]| {
        ends.iter().find_map(|end| {
            let names = with(end);
            from.take(&names.iter().map(String::as_str).collect::<Vec<_>>())
        })
    };
    if let Some(path) = look(from, &["_file", "_path"]).and_then(|item| item.value.text()) {
        return Some(Yaml::flow_one("file", Yaml::text(path)));
    }
    if let Some(name) = look(from, &["_env", "_var", "_env_var"]).and_then(|i| i.value.text()) {
        return Some(env(&name, notes));
    }
    let item = from.take(names);
    let text = item.as_ref().and_then(|item| item.value.text());
    match text.as_deref().map(str::trim) {
        Some(text) if !text.is_empty() => {
            if let Some(name) = variable_in(text) {
                return Some(env(&name, notes));
            }
            let variable = notes.variable(variable, item.as_ref());
            Some(reference(&variable))
        }
        _ if required => {
            let variable = notes.variable(variable, None);
            Some(reference(&variable))
        }
        _ => None,
    }
}

fn reference(variable: &str) -> Yaml {
    Yaml::flow_one("env", Yaml::text(variable))
}

fn env(name: &str, notes: &mut Notes) -> Yaml {
    notes.named(name);
    reference(name)
}

/// The variable that a text like `${NAME}`, `$NAME` or `env:NAME` stands for.
fn variable_in(text: &str) -> Option<String> {
    let inner = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .or_else(|| text.strip_prefix("env:"))
        .or_else(|| text.strip_prefix('$'))?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = !inner.is_empty() && inner.chars().all(good);
    (name && !inner.starts_with(|c: char| c.is_ascii_digit())).then(|| inner.to_owned())
}

fn telegram(from: &mut Section, notes: &mut Notes) -> Option<Entries> {
    let chat = [
        "chat_id",
        "chat",
        "chat_ids",
        "channel_id",
        "admin_chat_id",
        "group_id",
    ];
    from.look(&chat)?;
    let mut chats = from.take_texts(&chat, notes).into_iter();
    let first = chats.next()?;
    for other in chats {
        notes.hint(format!(
            "telegram: one channel is one chat; {} is another one",
            other
        ));
    }
    let mut to = Vec::new();
    let token = ["token", "bot_token", "api_token"];
    put(
        &mut to,
        "token",
        secret(from, &token, "TELEGRAM_BOT_TOKEN", true, notes),
    );
    let is_number = first.parse::<i64>().is_ok();
    let chat = if is_number {
        Yaml::word(&first)
    } else {
        Yaml::text(&first)
    };
    put(&mut to, "chat_id", Some(chat));
    let users = from.take(&USERS);
    let (mut numbers, mut names) = (Vec::new(), Vec::new());
    if let Some(item) = users {
        let path = item.path.clone();
        for user in texts(item, notes) {
            match user.parse::<i64>() {
                Ok(number) if number > 0 => numbers.push(Yaml::word(number)),
                _ => names.push((path.clone(), user)),
            }
        }
    }
    for (path, name) in names {
        let value = Tree::Text(name);
        notes.left(
            &Item { path, value },
            "Telegram's users are told by their numbers",
        );
    }
    put(
        &mut to,
        "allowed_users",
        (!numbers.is_empty()).then_some(Yaml::Flow(numbers)),
    );
    if from.take_bool(&["allow_channel_posts"], notes) == Some(true) {
        put(&mut to, "allow_channel_posts", Some(Yaml::word(true)));
    }
    let url = from.take_text(&["api_url", "api_base", "base_url", "api_base_url"], notes);
    put(&mut to, "api_url", url.map(Yaml::text));
    Some(to)
}

fn gitea(from: &mut Section, notes: &mut Notes) -> Option<Entries> {
    let urls = ["url", "base_url", "api_url", "server", "host", "instance"];
    let repos = ["repo", "repository", "full_name"];
    from.look(&urls)?;
    from.look(&repos)?;
    let url = from.take_text(&urls, notes)?;
    let mut repo = from.take_text(&repos, notes)?;
    if !repo.contains('/')
        && let Some(owner) = from.take_text(&["owner", "org", "organization", "user"], notes)
    {
        repo = format!("{owner}/{repo}");
    }
    let url = url.trim_end_matches('/').trim_end_matches("/api/v1");
    let url = match url.contains("://") {
        true => url.to_owned(),
        false => format!("https://{url}"),
    };
    let mut to = Vec::new();
    put(&mut to, "url", Some(Yaml::text(url)));
    put(&mut to, "repo", Some(Yaml::text(repo)));
    let token = ["token", "api_token", "access_token"];
    put(
        &mut to,
        "token",
        secret(from, &token, "GITEA_TOKEN", true, notes),
    );
    let labels = from.take_texts(&["labels", "label"], notes);
    put(
        &mut to,
        "labels",
        (!labels.is_empty()).then(|| Yaml::texts(labels)),
    );
    let users = from.take_texts(&USERS, notes);
    put(
        &mut to,
        "allowed_users",
        (!users.is_empty()).then(|| Yaml::texts(users)),
    );
    if from.take_bool(&["use_mission_issue"], notes) == Some(true) {
        put(&mut to, "use_mission_issue", Some(Yaml::word(true)));
    }
    Some(to)
}

fn nostr(from: &mut Section, notes: &mut Notes) -> Option<Entries> {
    let relays = ["relays", "relay", "relay_urls", "relay_url"];
    let whom = [
        "recipients",
        "recipient",
        "npubs",
        "npub",
        "to",
        "pubkeys",
        "pubkey",
        "recipient_npub",
        "recipient_pubkey",
        "admin_npub",
        "allowed_npubs",
        "allowed_pubkeys",
        "admins",
    ];
    from.look(&relays)?;
    from.look(&whom)?;
    let mut to = Vec::new();
    put(
        &mut to,
        "relays",
        Some(Yaml::texts(from.take_texts(&relays, notes))),
    );
    let key = [
        "key",
        "nsec",
        "private_key",
        "secret_key",
        "privkey",
        "sk",
        "nsec_key",
    ];
    put(
        &mut to,
        "key",
        secret(from, &key, "NOSTR_NSEC", true, notes),
    );
    put(
        &mut to,
        "recipients",
        Some(Yaml::texts(from.take_texts(&whom, notes))),
    );
    Some(to)
}

fn ntfy(from: &mut Section, notes: &mut Notes) -> Option<(Entries, bool)> {
    from.look(&["topic", "topic_env", "topic_file"])?;
    let url = from.take_text(&["url", "server", "base_url"], notes);
    let mut to = Vec::new();
    let url = url.unwrap_or_else(|| "https://ntfy.sh".to_owned());
    put(&mut to, "url", Some(Yaml::text(url.trim_end_matches('/'))));
    // Who knows a topic can read it, and post to it.
    put(
        &mut to,
        "topic",
        secret(from, &["topic"], "NTFY_TOPIC", true, notes),
    );
    let reply = ["reply_topic", "approval_topic"];
    let reply = secret(from, &reply, "NTFY_REPLY_TOPIC", false, notes);
    let hears = reply.is_some();
    put(&mut to, "reply_topic", reply);
    let token = ["token", "access_token"];
    put(
        &mut to,
        "token",
        secret(from, &token, "NTFY_TOKEN", false, notes),
    );
    Some((to, hears))
}

fn webhook(kind: &str, from: &mut Section, notes: &mut Notes) -> Option<Entries> {
    let urls = ["url", "webhook_url", "webhook", "hook_url", "endpoint"];
    from.look(&[
        "url",
        "webhook_url",
        "webhook",
        "hook_url",
        "endpoint",
        "url_env",
        "webhook_url_env",
    ])?;
    let mut to = Vec::new();
    let variable = match kind {
        "webhook" => "WEBHOOK_URL".to_owned(),
        kind => format!("{}_WEBHOOK_URL", kind.to_uppercase()),
    };
    put(&mut to, "url", secret(from, &urls, &variable, true, notes));
    let said = from.take_text(&["template", "format"], notes);
    if let Some(other) = said
        .as_ref()
        .filter(|said| !TEMPLATES.contains(&said.as_str()))
    {
        notes.hint(format!(
            "{}: there is no template {other:?} here",
            from.path
        ));
    }
    let template = said.filter(|said| TEMPLATES.contains(&said.as_str()));
    let template = template.unwrap_or_else(|| match kind {
        "webhook" => "generic".to_owned(),
        kind => kind.to_owned(),
    });
    put(&mut to, "template", Some(Yaml::text(template)));
    if let Some(Item { path, value }) = from.take(&["headers"]) {
        put(
            &mut to,
            "headers",
            headers(Section::new(path, value), notes),
        );
    }
    let key = ["secret", "hmac_secret", "signing_secret"];
    put(
        &mut to,
        "secret",
        secret(from, &key, "WEBHOOK_SECRET", false, notes),
    );
    Some(to)
}

/// Headers, of which those that look like secrets are moved out.
fn headers(mut from: Section, notes: &mut Notes) -> Option<Yaml> {
    let mut to = Vec::new();
    for Entry { key: name, item } in from.take_where(|_, value| value.text().is_some()) {
        let text = item.value.text().unwrap_or_default();
        let hidden = has_secret_name(&name) || is_secret(&item.path, &item.value);
        let value = match hidden {
            true => reference(&notes.variable("WEBHOOK_HEADER", Some(&item))),
            false => Yaml::text(text),
        };
        to.push((name, value));
    }
    from.finish(notes);
    (!to.is_empty()).then_some(Yaml::Map(to))
}
