//! Channels, checked: every key belongs to its kind, secrets are named and never written, and
//! nothing but loopback is talked to without TLS unless the operator says so.

use std::path::PathBuf;
use std::time::Duration;

use ureq::http::Uri;

use super::check::Check;
use super::names::{holds_a_key, is_name, is_secret_header};
use super::raw_channels::{RawChannel, RawKind, RawTemplate, Word};
use crate::model::channel::{
    Channel, Exec, Gitea, Kind, Nostr, Ntfy, SecretRef, Telegram, Template, Value, Webhook,
    is_loopback,
};
use crate::model::text::check_id;
use crate::yaml::units::Span;
use crate::yaml::{Many, Pairs, Place, Sealed, SecretPlace, Spanned};

/// How long a command may take unless its channel says so.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is said to a secret that was written out.
const WRITTEN_OUT: &str = "a secret is never written here: put it into an environment variable or a \
                           file of its own (mode 0600), and write `{env: NAME}` or `{file: PATH}`";

impl Check<'_, '_> {
    /// The channels, in byte order of their names.
    pub(super) fn channels(&mut self, raw: Pairs<Spanned<RawChannel>>) -> Vec<Channel> {
        let mut channels = Vec::new();
        for (name, raw) in raw.0 {
            if let Err(why) = check_id(&name.value, 50) {
                let message = format!("a channel's name stands in plans and in the journal: {why}");
                self.problems.error(name.place, message);
            }
            let name = name.value;
            let channel = self.channel(raw);
            channels.extend(channel.map(|(kind, ca)| Channel { name, kind, ca }));
        }
        channels.sort_by(|a, b| a.name.cmp(&b.name));
        channels
    }

    /// `None` where something is wrong, which has been told.
    fn channel(&mut self, raw: Spanned<RawChannel>) -> Option<(Kind, Option<PathBuf>)> {
        let mut keys = Keys {
            place: raw.value.kind.place,
            kind: raw.value.kind.value,
            raw: raw.value,
            insecure: false,
        };
        keys.insecure = keys.raw.insecure.as_ref().is_some_and(|flag| flag.value);
        let kind = match keys.kind {
            RawKind::Telegram => self.telegram(&mut keys),
            RawKind::Gitea => self.gitea(&mut keys),
            RawKind::Nostr => self.nostr(&mut keys),
            RawKind::Ntfy => self.ntfy(&mut keys),
            RawKind::Webhook => self.webhook(&mut keys),
            RawKind::Exec => self.exec(&mut keys),
        };
        let ca = match keys.kind {
            RawKind::Exec => None,
            _ => keys.raw.ca.take(),
        };
        self.left_over(&mut keys);
        let ca = ca.and_then(|Spanned { value, place }| match self.resolve(&value) {
            Ok(path) => Some(path),
            Err(message) => {
                self.problems.error(place, message);
                None
            }
        });
        Some((kind?, ca))
    }

    fn telegram(&mut self, keys: &mut Keys) -> Option<Kind> {
        let token = keys.raw.token.take();
        let token = self.secret("token", token, keys);
        let chat = keys.raw.chat_id.take();
        let chat_id = self.required("chat_id", chat, keys).and_then(|chat| {
            let Spanned { value, place } = chat;
            let number = value.0.parse::<i64>().is_ok_and(|number| number != 0);
            let name = value.0.strip_prefix('@').is_some_and(is_name);
            if !(number || name) {
                let message = "`chat_id` is a number, such as -1001234567890, or `@name`";
                self.problems.error(place, message);
            }
            (number || name).then_some(value.0)
        });
        let mut allowed = Vec::new();
        for Spanned { value, place } in keys.raw.allowed_users.take().unwrap_or_default().0 {
            match value.0.parse::<i64>() {
                Ok(id) if id > 0 => allowed.push(id),
                _ => {
                    let message = "Telegram's users are known by their numbers here, since names can be given up and taken";
                    self.problems.error(place, message);
                }
            }
        }
        let api_url = keys.raw.api_url.take();
        let api_url = match api_url {
            None => Some("https://api.telegram.org".to_owned()),
            Some(Spanned { value, place }) => self.server(&value, place, keys.insecure),
        };
        Some(Kind::Telegram(Telegram {
            token: token?,
            chat_id: chat_id?,
            allowed_users: allowed,
            allow_channel_posts: take_flag(&mut keys.raw.allow_channel_posts),
            api_url: api_url?,
        }))
    }

    fn gitea(&mut self, keys: &mut Keys) -> Option<Kind> {
        let token = keys.raw.token.take();
        let token = self.secret("token", token, keys);
        let url = keys.raw.url.take();
        let url = self
            .required("url", url, keys)
            .and_then(|url| self.plain_server(url, keys.insecure));
        let repo = keys.raw.repo.take();
        let repo = self.required("repo", repo, keys).and_then(|repo| {
            let parts = repo.value.split_once('/');
            let good = parts.is_some_and(|(owner, name)| is_name(owner) && is_name(name));
            if !good {
                let message = "`repo` is the owner's name and the repository's, `OWNER/NAME`";
                self.problems.error(repo.place, message);
            }
            good.then_some(repo.value)
        });
        let mut allowed_users = Vec::new();
        for Spanned { value, place } in keys.raw.allowed_users.take().unwrap_or_default().0 {
            if !is_name(&value.0) {
                self.problems.error(place, "this is no user's name");
            }
            allowed_users.push(value.0);
        }
        Some(Kind::Gitea(Gitea {
            token: token?,
            url: url?,
            repo: repo?,
            labels: texts(keys.raw.labels.take()),
            allowed_users,
            use_mission_issue: take_flag(&mut keys.raw.use_mission_issue),
        }))
    }

    fn nostr(&mut self, keys: &mut Keys) -> Option<Kind> {
        let key = keys.raw.key.take();
        let key = self.secret("key", key, keys);
        let relays = keys.raw.relays.take();
        let relays = self.required("relays", relays, keys)?;
        if relays.value.0.is_empty() {
            let message = "a message needs one relay at least";
            self.problems.error(relays.place, message);
        }
        for relay in &relays.value.0 {
            self.url_allowed(&relay.value, relay.place, ("ws", "wss"), keys.insecure);
        }
        let recipients = keys.raw.recipients.take();
        let recipients = self.required("recipients", recipients, keys)?;
        if recipients.value.0.is_empty() {
            let message = "there is nobody to tell";
            self.problems.error(recipients.place, message);
        }
        for Spanned { value, place } in &recipients.value.0 {
            let hex = value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit());
            if value.starts_with("nsec1") {
                let message = "this is a secret key, and a recipient is a public one, `npub1…`";
                self.problems.hide_lines(place.line, place.line);
                self.problems.secret_error(*place, message);
            } else if !(hex || value.starts_with("npub1")) {
                let message = "a recipient is a public key: `npub1…`, or 64 hexadecimal digits";
                self.problems.error(*place, message);
            }
        }
        Some(Kind::Nostr(Nostr {
            relays: texts(Some(relays)),
            key: key?,
            recipients: texts(Some(recipients)),
            insecure: keys.insecure,
        }))
    }

    fn ntfy(&mut self, keys: &mut Keys) -> Option<Kind> {
        let url = match keys.raw.url.take() {
            None => Some("https://ntfy.sh".to_owned()),
            Some(url) => self.plain_server(url, keys.insecure),
        };
        let topic = keys.raw.topic.take();
        let topic = self
            .required("topic", topic, keys)
            .and_then(|topic| self.topic(topic));
        let replies = keys.raw.reply_topic.take();
        let reply_topic = replies.and_then(|topic| self.topic(topic));
        let token = match keys.raw.token.take() {
            None => None,
            written => Some(self.secret("token", written, keys)?),
        };
        Some(Kind::Ntfy(Ntfy {
            url: url?,
            topic: topic?,
            reply_topic,
            token,
        }))
    }

    fn topic(&mut self, written: Spanned<Sealed>) -> Option<Value> {
        let place = written.place;
        let value = self.value(written)?;
        if let Value::Plain(topic) = &value
            && !(is_name(topic) && topic.len() <= 64)
        {
            let message =
                "a topic is 1 to 64 letters, digits, `_` or `-`; it is as good as a password";
            self.problems.secret_error(place, message);
            return None;
        }
        Some(value)
    }

    fn webhook(&mut self, keys: &mut Keys) -> Option<Kind> {
        let url = keys.raw.url.take();
        let url = self.required("url", url, keys).and_then(|url| {
            let place = url.place;
            let url = self.value(url)?;
            if let Value::Plain(text) = &url {
                let good = self.url_allowed(text, place, ("http", "https"), keys.insecure);
                if good && holds_a_key(text) {
                    self.problems.secret_error(place, WRITTEN_OUT);
                    return None;
                }
                good.then_some(())?;
            }
            Some(url)
        });
        let mut headers = std::collections::BTreeMap::new();
        let written = keys.raw.headers.take();
        for (name, value) in written.map(|h| h.value.0).unwrap_or_default() {
            if ureq::http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
                let message = "this is no header's name";
                self.problems.error(name.place, message);
                continue;
            }
            let place = value.place;
            let Some(value) = self.value(value) else {
                continue;
            };
            if matches!(&value, Value::Plain(_)) && is_secret_header(&name.value) {
                self.problems.secret_error(place, WRITTEN_OUT);
            }
            headers.insert(name.value, value);
        }
        let template = match keys.raw.template.take().map(|t| t.value) {
            None | Some(RawTemplate::Generic) => Template::Generic,
            Some(RawTemplate::Slack) => Template::Slack,
            Some(RawTemplate::Discord) => Template::Discord,
            Some(RawTemplate::Ntfy) => Template::Ntfy,
        };
        let secret = match keys.raw.secret.take() {
            None => None,
            written => Some(self.secret("secret", written, keys)?),
        };
        Some(Kind::Webhook(Webhook {
            url: url?,
            headers,
            template,
            secret,
            insecure: keys.insecure,
        }))
    }

    fn exec(&mut self, keys: &mut Keys) -> Option<Kind> {
        let command = keys.raw.command.take();
        let command = self.required("command", command, keys)?;
        let program = command.value.first();
        if program.is_none_or(|program| program.value.is_empty()) {
            let message = "a command has a program at least";
            self.problems.error(command.place, message);
            return None;
        }
        for argument in &command.value {
            if argument.value.contains('\0') {
                let message = "a NUL character cannot be handed to a program";
                self.problems.error(argument.place, message);
            }
        }
        let timeout = keys.raw.timeout.take();
        let timeout = timeout.map(
            |Spanned {
                 value: Span(t),
                 place,
             }| (place, t),
        );
        Some(Kind::Exec(Exec {
            command: command.value.into_iter().map(|a| a.value).collect(),
            timeout: self.above_zero(timeout).unwrap_or(TIMEOUT),
        }))
    }

    /// Keys that are known, and have no use with this kind.
    fn left_over(&mut self, keys: &mut Keys) {
        let raw = &mut keys.raw;
        if !matches!(keys.kind, RawKind::Exec) {
            raw.insecure = None;
        }
        let left = [
            ("token", place(&raw.token)),
            ("chat_id", place(&raw.chat_id)),
            ("allowed_users", first(raw.allowed_users.as_ref())),
            ("allow_channel_posts", place(&raw.allow_channel_posts)),
            ("api_url", place(&raw.api_url)),
            ("url", place(&raw.url)),
            ("repo", place(&raw.repo)),
            ("labels", place(&raw.labels)),
            ("use_mission_issue", place(&raw.use_mission_issue)),
            ("relays", place(&raw.relays)),
            ("key", place(&raw.key)),
            ("recipients", place(&raw.recipients)),
            ("topic", place(&raw.topic)),
            ("reply_topic", place(&raw.reply_topic)),
            ("headers", place(&raw.headers)),
            ("template", place(&raw.template)),
            ("secret", place(&raw.secret)),
            ("command", place(&raw.command)),
            ("timeout", place(&raw.timeout)),
            ("ca", place(&raw.ca)),
            ("insecure", place(&raw.insecure)),
        ];
        for (key, place) in left {
            if let Some(place) = place {
                let message = format!("`{key}` has no use with kind {}", keys.kind.as_str());
                self.problems.secret_error(place, message);
            }
        }
    }

    fn required<T>(
        &mut self,
        key: &str,
        written: Option<Spanned<T>>,
        keys: &Keys,
    ) -> Option<Spanned<T>> {
        if written.is_none() {
            let message = format!("kind {} needs `{key}`", keys.kind.as_str());
            self.problems.error(keys.place, message);
        }
        written
    }

    fn secret(
        &mut self,
        key: &str,
        written: Option<Spanned<SecretPlace>>,
        keys: &Keys,
    ) -> Option<SecretRef> {
        let Spanned { value, place } = self.required(key, written, keys)?;
        match self.sealed(value.0, place)? {
            Value::Secret(secret) => Some(secret),
            Value::Plain(_) => {
                self.problems.secret_error(place, WRITTEN_OUT);
                None
            }
        }
    }

    fn value(&mut self, written: Spanned<Sealed>) -> Option<Value> {
        self.sealed(written.value, written.place)
    }

    fn sealed(&mut self, written: Sealed, place: Place) -> Option<Value> {
        match written {
            Sealed::Text(text) => Some(Value::Plain(text)),
            Sealed::Env(name) => {
                let mut letters = name.bytes();
                let good = letters
                    .next()
                    .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                    && letters.all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if !good {
                    let message = "`env` names an environment variable: letters, digits and `_`";
                    self.problems.secret_error(place, message);
                }
                good.then_some(Value::Secret(SecretRef::Env(name)))
            }
            Sealed::File(path) => match self.resolve(&path) {
                Ok(path) => Some(Value::Secret(SecretRef::File(path))),
                Err(message) => {
                    self.problems.secret_error(place, message);
                    None
                }
            },
            Sealed::Other => {
                let message = "a secret is written as `{env: NAME}` or `{file: PATH}`";
                self.problems.secret_error(place, message);
                None
            }
        }
    }

    /// A server whose address is no secret.
    fn plain_server(&mut self, written: Spanned<Sealed>, insecure: bool) -> Option<String> {
        let place = written.place;
        match self.value(written)? {
            Value::Plain(url) => self.server(&url, place, insecure),
            Value::Secret(_) => {
                let message = "a server's address is no secret: write it out";
                self.problems.error(place, message);
                None
            }
        }
    }

    fn server(&mut self, url: &str, place: Place, insecure: bool) -> Option<String> {
        let good = self.url_allowed(url, place, ("http", "https"), insecure);
        if good && url.contains(['?', '#']) {
            let message = "a server's address ends before any `?` or `#`";
            self.problems.secret_error(place, message);
            return None;
        }
        good.then(|| url.trim_end_matches('/').to_owned())
    }

    /// Whether a URL is one, names no user, and is safe to talk to.
    fn url_allowed(
        &mut self,
        url: &str,
        place: Place,
        (bare, safe): (&str, &str),
        insecure: bool,
    ) -> bool {
        let uri = url.parse::<Uri>().ok();
        let uri = uri.filter(|uri| {
            let scheme = uri.scheme_str();
            (scheme == Some(bare) || scheme == Some(safe))
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        let wrong = match &uri {
            None => Some(format!(
                "this is not a URL that begins with `{safe}://` or `{bare}://`"
            )),
            Some(uri) if uri.authority().is_some_and(|a| a.as_str().contains('@')) => {
                Some("a user's name and password have no place in a URL here".to_owned())
            }
            Some(uri) => {
                let bare = uri.scheme_str() == Some(bare);
                let open = bare && !insecure && !uri.host().is_some_and(is_loopback);
                open.then(|| {
                    format!(
                        "beyond loopback only `{safe}://` is allowed, as anyone on the way could read along and answer; `insecure: true` allows it all the same"
                    )
                })
            }
        };
        if let Some(message) = &wrong {
            self.problems.secret_error(place, message.clone());
        }
        wrong.is_none()
    }
}

/// One channel as it is written; what is used of it is taken out.
struct Keys {
    kind: RawKind,
    place: Place,
    raw: RawChannel,
    insecure: bool,
}

fn place<T>(written: &Option<Spanned<T>>) -> Option<Place> {
    written.as_ref().map(|written| written.place)
}

fn first(written: Option<&Many<Spanned<Word>>>) -> Option<Place> {
    written.and_then(|many| many.0.first()).map(|one| one.place)
}

fn take_flag(written: &mut Option<Spanned<bool>>) -> bool {
    written.take().is_some_and(|flag| flag.value)
}

fn texts(written: Option<Spanned<Many<Spanned<String>>>>) -> Vec<String> {
    let all = written.map(|written| written.value.0).unwrap_or_default();
    all.into_iter().map(|one| one.value).collect()
}
