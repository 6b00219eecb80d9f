//! Channels as they are written. One shape for all kinds, so that a key is told where it stands even
//! where the kind comes after it, or is misspelt.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::yaml::units::Span;
use crate::yaml::{Many, Pairs, Sealed, SecretPlace, Spanned};

/// One channel to people. Which keys it has depends on its kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Channel")]
pub struct RawChannel {
    /// What it is.
    pub kind: Spanned<RawKind>,
    /// telegram: the bot's token. gitea: an access token. ntfy: an access token, where the server
    /// wants one.
    #[serde(default)]
    pub token: Option<Spanned<SecretPlace>>,
    /// telegram: the chat, a number or `@name` of a public one.
    #[serde(default)]
    pub chat_id: Option<Spanned<Word>>,
    /// telegram: numbers of the users whose answers count. gitea: their names. None: nobody's.
    #[serde(default)]
    pub allowed_users: Option<Many<Spanned<Word>>>,
    /// telegram: whether posts of a channel, which name no sender, count. Default false.
    #[serde(default)]
    pub allow_channel_posts: Option<Spanned<bool>>,
    /// telegram: where the bot API is. Default `https://api.telegram.org`.
    #[serde(default)]
    pub api_url: Option<Spanned<String>>,
    /// gitea: the server. ntfy: the server, default `https://ntfy.sh`. webhook: where to post; one
    /// that holds a key is a secret.
    #[serde(default)]
    pub url: Option<Spanned<Sealed>>,
    /// gitea: `OWNER/NAME`.
    #[serde(default)]
    pub repo: Option<Spanned<String>>,
    /// gitea: labels of its issues, by name; made where they do not exist.
    #[serde(default)]
    pub labels: Option<Spanned<Many<Spanned<String>>>>,
    /// gitea: whether a mission's own issue gets the comments, where its manifest names one. Default
    /// false.
    #[serde(default)]
    pub use_mission_issue: Option<Spanned<bool>>,
    /// nostr: the relays, `wss://…`.
    #[serde(default)]
    pub relays: Option<Spanned<Many<Spanned<String>>>>,
    /// nostr: the sender's secret key, `nsec1…` or 64 hexadecimal digits.
    #[serde(default)]
    pub key: Option<Spanned<SecretPlace>>,
    /// nostr: public keys of those who are told and may answer, `npub1…` or hexadecimal.
    #[serde(default)]
    pub recipients: Option<Spanned<Many<Spanned<String>>>>,
    /// ntfy: the topic; who knows it can read it.
    #[serde(default)]
    pub topic: Option<Spanned<Sealed>>,
    /// ntfy: the topic to which the buttons post; without it there are no answers.
    #[serde(default)]
    pub reply_topic: Option<Spanned<Sealed>>,
    /// webhook: headers beside those that any request has.
    #[serde(default)]
    pub headers: Option<Spanned<Pairs<Spanned<Sealed>>>>,
    /// webhook: what the JSON is like. Default `generic`.
    #[serde(default)]
    pub template: Option<Spanned<RawTemplate>>,
    /// webhook: the key of the signature (HMAC-SHA256), where there is to be one.
    #[serde(default)]
    pub secret: Option<Spanned<SecretPlace>>,
    /// exec: program and arguments; there is no shell.
    #[serde(default)]
    pub command: Option<Spanned<Vec<Spanned<String>>>>,
    /// exec: how long it may take. Default 10s.
    #[serde(default)]
    pub timeout: Option<Spanned<Span>>,
    /// A PEM file with the authorities whose certificates are believed, in place of the public ones:
    /// for servers of your own.
    #[serde(default)]
    pub ca: Option<Spanned<String>>,
    /// Whether servers beyond loopback may be talked to without TLS. Default false.
    #[serde(default)]
    pub insecure: Option<Spanned<bool>>,
}

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawKind {
    /// A Telegram bot in one chat.
    Telegram,
    /// Issues of a Gitea repository.
    Gitea,
    /// Private direct messages over Nostr.
    Nostr,
    /// A topic of an ntfy server.
    Ntfy,
    /// A POST of JSON.
    Webhook,
    /// A command that gets JSON on its standard input.
    Exec,
}

impl RawKind {
    /// The word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RawKind::Telegram => "telegram",
            RawKind::Gitea => "gitea",
            RawKind::Nostr => "nostr",
            RawKind::Ntfy => "ntfy",
            RawKind::Webhook => "webhook",
            RawKind::Exec => "exec",
        }
    }
}

/// What a webhook's JSON is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawTemplate {
    /// Slack's incoming webhooks.
    Slack,
    /// Discord's.
    Discord,
    /// A message to the root of an ntfy server.
    Ntfy,
    /// Everything that is known, field by field.
    Generic,
}

/// Text, or a number that is as good as its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(pub String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Word;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a number")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.to_owned()))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Word {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Word".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"]})
    }
}
