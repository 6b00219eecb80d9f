//! Webhooks: one POST of JSON a message, in the form that the service at the other end takes.
//!
//! The URL of such a hook is a key as a rule: nothing of it is told but the host.

use std::time::Instant;

use ring::hmac;
use serde_json::{Value, json};

use super::fit;
use super::hidden::Hidden;
use super::http::{self, Request};
use super::{Channel, Means, Trouble, event, ntfy, words};
use crate::model::channel::{self as settings, Message, Sensitive, Template, Value as Setting};
use crate::model::text::visible;
use crate::model::time::Timestamp;
use crate::net::{self, Answer, Authorities};
use crate::sys::host;

/// As long may a text for Slack be, in bytes.
const MOST_SLACK: usize = 4000;

/// As long may one for Discord be, in UTF-16 units.
const MOST_DISCORD: usize = 2000;

/// Discord shows no previews of what it takes for links.
const SUPPRESS_EMBEDS: u32 = 1 << 2;

/// The header with the message's id, which is the same each time it is tried.
const KEY_HEADER: &str = "Idempotency-Key";
/// The header that says when it was signed, in seconds since 1970.
const TIME_HEADER: &str = "Lazarus-Timestamp";
/// The header with the signature.
const SIGNATURE_HEADER: &str = "Lazarus-Signature";

/// Headers that are no one else's to set.
const RESERVED: [&str; 7] = [
    KEY_HEADER,
    TIME_HEADER,
    SIGNATURE_HEADER,
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
];

/// A webhook.
pub struct Webhook {
    name: String,
    url: Sensitive,
    headers: Vec<(String, Sensitive)>,
    template: Template,
    key: Option<hmac::Key>,
    authorities: Authorities,
    hidden: Hidden,
}

impl Webhook {
    /// Makes one ready; nothing is sent.
    ///
    /// # Errors
    /// A secret cannot be had; the URL or a header cannot be used.
    pub fn new(settings: &settings::Webhook, means: &mut Means<'_>) -> Result<Self, Trouble> {
        let mut hidden = Hidden::default();
        let url = means.value("url", &settings.url, &mut hidden)?;
        http::check_url(url.reveal(), settings.insecure)
            .map_err(|why| Trouble::passing(format!("url: {why}")))?;
        hidden.hide_url(url.reveal());
        let mut headers = Vec::new();
        for (name, setting) in &settings.headers {
            let what = format!("headers: {}", visible(name));
            let text = means.value(&what, setting, &mut hidden)?;
            check_header(name, text.reveal())
                .map_err(|why| Trouble::passing(format!("{what}: {why}")))?;
            if matches!(setting, Setting::Secret(_)) {
                text.reveal().split(' ').for_each(|word| hidden.hide(word));
            }
            headers.push((name.clone(), text));
        }
        let mut key = None;
        if let Some(secret) = &settings.secret {
            let text = means.secret("secret", secret, &mut hidden)?;
            if text.reveal().is_empty() {
                return Err(Trouble::passing("secret: it is empty, and signs nothing"));
            }
            key = Some(hmac::Key::new(hmac::HMAC_SHA256, text.reveal().as_bytes()));
        }
        if settings.template == Template::Ntfy && topic(url.reveal()).is_none() {
            return Err(Trouble::passing(
                "url: the template `ntfy` needs the topic in it (https://HOST/TOPIC)",
            ));
        }
        Ok(Self {
            name: means.name.to_owned(),
            url,
            headers,
            template: settings.template,
            key,
            authorities: means.authorities.clone(),
            hidden,
        })
    }

    /// Where to, and what.
    fn filled(&self, message: &Message) -> Result<(String, String), Trouble> {
        let url = self.url.reveal();
        let json = match self.template {
            Template::Generic => event::of(&self.name, message).map_err(Trouble::hopeless)?,
            Template::Slack => slack(message).to_string(),
            Template::Discord => discord(message).to_string(),
            Template::Ntfy => {
                let (root, topic) = topic(url).unwrap_or((url, ""));
                return Ok((
                    root.to_owned(),
                    ntfy::form(topic, message, &json!([])).to_string(),
                ));
            }
        };
        Ok((url.to_owned(), json))
    }

    /// What a service says of why it does not take a message.
    fn said(&self, answer: &Answer) -> String {
        let body = http::json(answer);
        let text = match &body {
            // Discord and ntfy; others have one of these as well.
            Some(Value::Object(all)) => ["message", "error", "detail", "title"]
                .iter()
                .find_map(|key| all.get(*key)?.as_str())
                .unwrap_or_default()
                .to_owned(),
            Some(Value::String(text)) => text.clone(),
            // Slack says it in a word; a page of HTML says nothing.
            _ => match String::from_utf8_lossy(&answer.body) {
                page if page.trim_start().starts_with('<') => String::new(),
                text => text.lines().next().unwrap_or_default().to_owned(),
            },
        };
        self.hidden.shown(&text)
    }

    /// The request with all its headers.
    fn request(&self, url: String, message: &Message, body: String, now: Timestamp) -> Request {
        let request = Request::new("POST", url).believing(&self.authorities);
        let mut request = request.header(KEY_HEADER, &message.id);
        let own = |(name, _): &(String, Sensitive)| name.eq_ignore_ascii_case("Content-Type");
        if !self.headers.iter().any(own) {
            request = request.header("Content-Type", "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value.reveal());
        }
        if let Some(key) = &self.key {
            let now = (now.as_micros() / 1_000_000).to_string();
            let signature = signature(key, &now, &body);
            request = request.header(TIME_HEADER, &now);
            request = request.header(SIGNATURE_HEADER, &signature);
        }
        request.body(body.into_bytes())
    }
}

impl Channel for Webhook {
    fn send(&mut self, message: &Message, until: Instant) -> Result<String, Trouble> {
        let (url, body) = self.filled(message)?;
        let what = "sending the message";
        let request = self.request(url, message, body, host::now());
        let named = request.named();
        let answer = request.ask(what, until)?;
        if http::is_fine(&answer) {
            return Ok(String::new());
        }
        let mut trouble = http::refusal(what, &named, &answer, &self.said(&answer));
        // Discord says it to the millisecond in the body.
        let rest = http::json(&answer).and_then(|body| body["retry_after"].as_f64());
        if let Some(seconds) = rest.filter(|_| answer.status == 429) {
            trouble.retry_after = http::rest(seconds);
        }
        Err(trouble)
    }

    fn look(&mut self, until: Instant) -> Result<String, Trouble> {
        let url = self.url.reveal();
        let host = net::host(url).unwrap_or_default();
        let (what, request) = match (self.template, topic(url)) {
            (Template::Discord, _) => {
                let url = url.split(['?', '#']).next().unwrap_or(url);
                ("looking for the webhook", Request::get(url.to_owned()))
            }
            (Template::Ntfy, Some((root, _))) => {
                let url = format!("{}/v1/health", root.trim_end_matches('/'));
                ("asking how the server is", Request::get(url))
            }
            _ => {
                return Ok(format!(
                    "messages go to {host} by POST; such a hook says nothing of itself before one \
                     is sent"
                ));
            }
        };
        let request = request.believing(&self.authorities);
        let named = request.named();
        let answer = request.ask(what, until)?;
        if !http::is_fine(&answer) {
            return Err(http::refusal(what, &named, &answer, &self.said(&answer)));
        }
        let body = http::json(&answer).unwrap_or_default();
        Ok(match (self.template, body["name"].as_str()) {
            (Template::Discord, Some(name)) => {
                format!("{host} has the webhook {:?}", self.hidden.shown(name))
            }
            (Template::Discord, None) => format!("{host} has the webhook"),
            _ => format!("{host} answers; the topic is there as soon as it is written to"),
        })
    }
}

/// Whether a header can be sent.
fn check_header(name: &str, value: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(good) {
        return Err("that cannot be the name of a header".to_owned());
    }
    if RESERVED.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err("lazarus-pit sets it itself".to_owned());
    }
    match value.chars().all(|c| c == '\t' || (' '..='~').contains(&c)) {
        true => Ok(()),
        false => Err("its value has characters in it that no header may have".to_owned()),
    }
}

/// The signature of a body at a time: `v1=` and the HMAC-SHA256 of `TIME.BODY` in hexadecimal.
fn signature(key: &hmac::Key, time: &str, body: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    for part in [time, ".", body] {
        context.update(part.as_bytes());
    }
    let tag = context.sign();
    let digits = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("v1={}", digits.collect::<String>())
}

/// The server and the topic of `https://HOST/TOPIC`.
fn topic(url: &str) -> Option<(&str, &str)> {
    let path = url.find("://")? + 3;
    let slash = path + url[path..].find('/')?;
    let topic = url[slash + 1..].split(['?', '#']).next()?;
    let topic = topic.trim_end_matches('/');
    (!topic.is_empty() && topic.chars().all(words::is_sign)).then_some((&url[..=slash], topic))
}

/// Slack's form. Its markup is off, and what would be a mention or a link is written out.
fn slack(message: &Message) -> Value {
    let escaped = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c => c.to_string(),
    };
    let text = fit::fitted(&fit::whole(message), MOST_SLACK, |c| escaped(c).len());
    let text: String = text.chars().map(escaped).collect();
    json!({"text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false})
}

/// Discord's form. It knows no plain text: what could be markup gets a backslash, and nobody is
/// mentioned.
fn discord(message: &Message) -> Value {
    let marks = |c: char| "\\*_~`|>#[]<".contains(c);
    let size = |c: char| c.len_utf16() + usize::from(marks(c));
    let text = fit::fitted(&fit::whole(message), MOST_DISCORD, size);
    let mut content = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        content.extend(marks(c).then_some('\\'));
        content.push(c);
    }
    json!({
        "content": content,
        "allowed_mentions": {"parse": []},
        "flags": SUPPRESS_EMBEDS,
    })
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
