//! Channels to people: how each is set up, what it is told, and what it says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::time::Timestamp;

/// Text that nobody but its service may see: no message, no log and no debug output shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive(String);

impl Sensitive {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive(…)")
    }
}

/// Where a secret is to be found; a configuration never has it itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In this environment variable.
    Env(String),
    /// In this file, which nobody but its owner may read.
    File(PathBuf),
}

/// A value that may be written out, or be a secret that is found elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Written out.
    Plain(String),
    /// Found elsewhere.
    Secret(SecretRef),
}

/// One configured channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name, by which plans call it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// A PEM file with the authorities whose certificates are believed there, and no others; the
    /// public ones where absent.
    pub ca: Option<PathBuf>,
}

impl Channel {
    /// Whether somebody can answer on it.
    #[must_use]
    pub fn hears(&self) -> bool {
        match &self.kind {
            Kind::Telegram(t) => t.hears(),
            Kind::Gitea(g) => !g.allowed_users.is_empty(),
            Kind::Nostr(_) => true,
            Kind::Ntfy(n) => n.reply_topic.is_some(),
            Kind::Webhook(_) | Kind::Exec(_) => false,
        }
    }

    /// Where its secrets are.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        let values: Vec<&Value> = match &self.kind {
            Kind::Telegram(telegram) => return vec![&telegram.token],
            Kind::Gitea(gitea) => return vec![&gitea.token],
            Kind::Nostr(nostr) => return vec![&nostr.key],
            Kind::Exec(_) => return Vec::new(),
            Kind::Ntfy(ntfy) => ntfy.reply_topic.iter().chain([&ntfy.topic]).collect(),
            Kind::Webhook(webhook) => webhook.headers.values().chain([&webhook.url]).collect(),
        };
        let own = match &self.kind {
            Kind::Ntfy(ntfy) => ntfy.token.as_ref(),
            Kind::Webhook(webhook) => webhook.secret.as_ref(),
            _ => None,
        };
        let of_values = values.into_iter().filter_map(|value| match value {
            Value::Secret(secret) => Some(secret),
            Value::Plain(_) => None,
        });
        of_values.chain(own).collect()
    }
}

/// What a channel is, with all that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Telegram bot in one chat.
    Telegram(Telegram),
    /// Issues of a Gitea repository.
    Gitea(Gitea),
    /// Private direct messages over Nostr.
    Nostr(Nostr),
    /// A topic of an ntfy server.
    Ntfy(Ntfy),
    /// A POST of JSON.
    Webhook(Webhook),
    /// A command that gets JSON on its standard input.
    Exec(Exec),
}

impl Kind {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Telegram(_) => "telegram",
            Kind::Gitea(_) => "gitea",
            Kind::Nostr(_) => "nostr",
            Kind::Ntfy(_) => "ntfy",
            Kind::Webhook(_) => "webhook",
            Kind::Exec(_) => "exec",
        }
    }
}

/// A Telegram bot in one chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telegram {
    /// The bot's token.
    pub token: SecretRef,
    /// The chat: a number, or `@name` of a public one.
    pub chat_id: String,
    /// The numbers of the users whose answers count; nobody's where empty.
    pub allowed_users: Vec<i64>,
    /// Whether posts that name no sender count: those of a channel.
    pub allow_channel_posts: bool,
    /// Where the bot API is; without a slash at its end.
    pub api_url: String,
}

impl Telegram {
    /// Whether somebody can answer in it.
    #[must_use]
    pub fn hears(&self) -> bool {
        !self.allowed_users.is_empty() || self.allow_channel_posts
    }
}

/// Issues of a Gitea repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gitea {
    /// The server; without a slash at its end.
    pub url: String,
    /// `OWNER/NAME`.
    pub repo: String,
    /// An access token.
    pub token: SecretRef,
    /// Labels for its issues, by name; made where they do not exist.
    pub labels: Vec<String>,
    /// The names of the users whose answers count; nobody's where empty.
    pub allowed_users: Vec<String>,
    /// Whether a mission's own issue gets the comments, where its manifest names one.
    pub use_mission_issue: bool,
}

/// Private direct messages over Nostr (NIP-17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nostr {
    /// The relays, `wss://…`.
    pub relays: Vec<String>,
    /// The sender's secret key, `nsec1…` or 64 hexadecimal digits.
    pub key: SecretRef,
    /// Who is told, and whose answers count: public keys, `npub1…` or hexadecimal.
    pub recipients: Vec<String>,
    /// Whether relays may be talked to without TLS beyond loopback.
    pub insecure: bool,
}

/// A topic of an ntfy server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ntfy {
    /// The server; without a slash at its end.
    pub url: String,
    /// The topic; who knows it can read it.
    pub topic: Value,
    /// The topic to which the buttons post their codes; no answers where absent.
    pub reply_topic: Option<Value>,
    /// An access token, where the server wants one.
    pub token: Option<SecretRef>,
}

/// A POST of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where to; such URLs often hold a key.
    pub url: Value,
    /// Headers beside those that any request has.
    pub headers: BTreeMap<String, Value>,
    /// What the JSON is like.
    pub template: Template,
    /// The key of the signature (HMAC-SHA256), where there is to be one.
    pub secret: Option<SecretRef>,
    /// Whether http is allowed beyond loopback.
    pub insecure: bool,
}

/// What a webhook's JSON is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Template {
    /// Slack's incoming webhooks.
    Slack,
    /// Discord's.
    Discord,
    /// A message to the root of an ntfy server.
    Ntfy,
    /// Everything that is known, field by field.
    #[default]
    Generic,
}

/// A command that gets JSON on its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// True for a host that is this one, by name or address: `localhost`, `127.0.0.0/8`, `::1`.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// What a message is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A subject went down, or is still down.
    Down,
    /// A human is asked.
    Asked,
    /// A question is settled: its message is edited, where the service can do that.
    Settled,
    /// A restart was carried out.
    Revived,
    /// An attempt failed.
    Failed,
    /// A subject is healthy again.
    Recovered,
    /// A subject's attempts are used up.
    Exhausted,
    /// A human said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// A subject goes down again and again.
    Flapping,
    /// Mass-failure protection holds.
    Held,
    /// The hold is over.
    Released,
    /// Several things in one message.
    Digest,
    /// A harmless message, to see whether it arrives.
    Test,
}

impl Occasion {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Occasion::Down => "down",
            Occasion::Asked => "asked",
            Occasion::Settled => "settled",
            Occasion::Revived => "revived",
            Occasion::Failed => "failed",
            Occasion::Recovered => "recovered",
            Occasion::Exhausted => "exhausted",
            Occasion::Denied => "denied",
            Occasion::Expired => "expired",
            Occasion::Flapping => "flapping",
            Occasion::Held => "held",
            Occasion::Released => "released",
            Occasion::Digest => "digest",
            Occasion::Test => "test",
        }
    }
}

/// One message to one channel, as it waits in the outbox. All texts are safe to show: names that
/// agents chose are escaped; they are plain text, never markup.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Message {
    /// Its own id: the idempotency key of services that have one. The same each time it is tried.
    pub id: String,
    /// What it is about.
    pub occasion: Occasion,
    /// When what it tells happened.
    pub at: Timestamp,
    /// The host that tells it.
    pub host: String,
    /// Whom it is about; absent for the whole fleet, and for digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The attempt's number in the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The governing plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// One line: `SUBJECT: what happened`.
    pub title: String,
    /// The whole text, title excluded, in lines.
    pub text: String,
    /// The question that it puts, with [`Occasion::Asked`]; that it settles, with
    /// [`Occasion::Settled`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// The number of the mission's own Gitea issue, where its manifest names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<u64>,
    /// What the channel gave as receipt for the first message of this incident, or, with
    /// [`Occasion::Settled`], for the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<String>,
    /// True for the last message of an incident: an issue about it is closed with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

/// How the last lines of a message's text begin: those that say where to look further.
pub const CLOSING: &str = "Incident: ";

impl Message {
    /// Its text, and the lines at its end that say where to look further. How to answer stands
    /// between the two.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        let at = self.text.rfind(&format!("\n{CLOSING}"));
        at.map_or((&self.text, ""), |at| {
            (&self.text[..at], &self.text[at + 1..])
        })
    }
}

/// A question as a channel puts it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Question {
    /// Whom it is about.
    pub subject: String,
    /// What an answer has to name, where the service lets it: random, unguessable, 22 characters of
    /// base64url or hexadecimal at most.
    pub code: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Until when an answer counts.
    pub expires_at: Timestamp,
    /// What the channel gave as receipt for the message that put it; absent before it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// What someone said on a channel, to a question or to none. What counts is for the one who asked to
/// say: a channel tells only what it can know itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What the service calls it; the same words come with the same id.
    pub id: String,
    /// Who: safe to show, as `42`, `alice` or `npub1…`.
    pub who: String,
    /// When, by the host's clock as far as the service's can be put into it.
    pub at: Timestamp,
    /// Yes or no.
    pub yes: bool,
    /// The code that it names; absent where the service gave another proof, `subject`.
    pub code: Option<String>,
    /// The subject of the question that it answers: by name, or by what it replies to.
    pub subject: Option<String>,
    /// Why it must not count, by what the channel knows: the wrong chat, not an allowed user, a reply to
    /// nothing. It is recorded, and changes nothing.
    pub refused: Option<String>,
}
