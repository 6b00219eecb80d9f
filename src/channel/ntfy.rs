//! ntfy: messages to a topic, with buttons that post a code to a second one, which is read back.
//!
//! ntfy knows no idempotency key. What is sent again carries the same sequence id, by which servers
//! and apps from 2.16 on put it in the place of the first; with older ones it appears twice.
//!
//! Nobody signs what is posted to a topic: a code that cannot be guessed is the one proof, and who can
//! read the topic knows it. So both topics are secrets.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fit;
use super::hidden::Hidden;
use super::http::{self, Clock, Request};
use super::{Channel, Means, Said, Trouble, words};
use crate::model::channel::{
    self as settings, Heard, Message, Occasion, Question, Sensitive, Value as Setting,
};
use crate::model::time::Timestamp;
use crate::net::{self, Answer, Authorities};
use crate::sys::host;

/// As long may a message be, in bytes: a longer one becomes a file.
const MOST_TEXT: usize = 4096;

/// As long may its title be, in bytes.
const MOST_TITLE: usize = 250;

/// As long may all of the JSON be, in bytes: the server takes twice a message.
const MOST_JSON: usize = 8192;

/// What a button posts, before the code.
const YES: &str = "approve";
const NO: &str = "deny";

/// How long before the oldest question answers are looked for when nothing was read yet: clocks
/// differ.
const BEFORE: Duration = Duration::from_secs(3600);

/// A topic of an ntfy server.
pub struct Ntfy {
    url: String,
    topic: String,
    reply_topic: Option<String>,
    token: Option<Sensitive>,
    authorities: Authorities,
    hidden: Hidden,
}

impl Ntfy {
    /// Makes one ready; nothing is asked of anybody.
    ///
    /// # Errors
    /// A secret cannot be had, or what is there cannot be a topic or a token.
    pub fn new(settings: &settings::Ntfy, means: &mut Means<'_>) -> Result<Self, Trouble> {
        let mut hidden = Hidden::default();
        let mut topic = |what: &str, setting: &Setting| {
            let text = means.value(what, setting, &mut hidden)?;
            // Written out or not: who knows it can read it.
            hidden.hide(text.reveal());
            match is_topic(text.reveal()) {
                true => Ok(text.reveal().to_owned()),
                false => Err(Trouble::passing(format!(
                    "{what}: that cannot be a topic: 1 to 64 letters, digits, `-` and `_`"
                ))),
            }
        };
        let own = topic("topic", &settings.topic)?;
        let reply = settings.reply_topic.as_ref();
        let reply = reply
            .map(|setting| topic("reply_topic", setting))
            .transpose()?;
        let token = settings.token.as_ref();
        let token = token
            .map(|secret| means.secret("token", secret, &mut hidden))
            .transpose()?;
        let fine = |token: &Sensitive| {
            let text = token.reveal();
            !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())
        };
        if !token.as_ref().is_none_or(fine) {
            return Err(Trouble::passing("token: that cannot be a token (tk_…)"));
        }
        Ok(Self {
            url: settings.url.trim_end_matches('/').to_owned(),
            topic: own,
            reply_topic: reply,
            token,
            authorities: means.authorities.clone(),
            hidden,
        })
    }

    fn with_token(&self, request: Request) -> Request {
        match &self.token {
            Some(token) => request.header("Authorization", &format!("Bearer {}", token.reveal())),
            None => request,
        }
    }

    /// Makes a request; whatever is not fine is a trouble.
    fn ask(&self, request: Request, what: &str, until: Instant) -> Result<Answer, Trouble> {
        let request = self.with_token(request).believing(&self.authorities);
        let named = request.named();
        let answer = request.ask(what, until)?;
        if http::is_fine(&answer) {
            return Ok(answer);
        }
        let body = http::json(&answer).unwrap_or_default();
        let said = self
            .hidden
            .shown(body["error"].as_str().unwrap_or_default());
        Err(http::refusal(what, &named, &answer, &said))
    }

    /// The buttons below a question: what they post, the phone posts by itself.
    fn buttons(&self, message: &Message) -> Value {
        let (Some(question), Some(topic)) = (&message.question, &self.reply_topic) else {
            return json!([]);
        };
        if message.occasion != Occasion::Asked {
            return json!([]);
        }
        let button = |label: &str, word: &str| {
            json!({
                "action": "http",
                "label": label,
                "url": format!("{}/{topic}", self.url),
                "method": "POST",
                "body": format!("{word} {}", question.code),
                "clear": true,
            })
        };
        json!([button("Revive", YES), button("Skip", NO)])
    }

    /// The JSON of a message, which the server takes.
    fn filled(&self, message: &Message) -> Value {
        let buttons = self.buttons(message);
        let mut form = form(&self.topic, message, &buttons);
        let mut most = MOST_TEXT;
        // Quotes and such take two bytes or more in it.
        while form.to_string().len() > MOST_JSON && most > 512 {
            most -= 256;
            form["message"] = fit::fitted(text(message), most, char::len_utf8).into();
        }
        form
    }

    /// Since when answers are read: what came after the last one that was heard, or, where none was
    /// yet, not long before the oldest question. `None` where nothing was asked yet.
    fn since(&self, cursor: Option<&str>, open: &[Question]) -> Option<String> {
        if let Some(cursor) = cursor.filter(|cursor| is_topic(cursor)) {
            return Some(cursor.to_owned());
        }
        let oldest = open.iter().map(|question| question.asked_at).min()?;
        let seconds = oldest.minus(BEFORE).as_micros() / 1_000_000;
        Some(seconds.max(0).to_string())
    }

    /// One line of what lies in the reply topic: its id, and what it says, where that is an answer.
    fn heard(
        &self,
        line: &[u8],
        open: &[Question],
        clock: Clock,
    ) -> Option<(String, Option<Heard>)> {
        let event: Value = serde_json::from_slice(line).ok()?;
        if event["event"] != "message" {
            return None;
        }
        let id = event["id"].as_str().filter(|id| is_topic(id))?;
        let answer = event["message"].as_str().and_then(of_answer);
        let heard = answer.map(|(yes, code)| {
            let asked = code.and_then(|code| open.iter().find(|q| q.code == code));
            Heard {
                id: id.to_owned(),
                who: "someone who knows the topic".to_owned(),
                at: clock.here(Timestamp::from_secs(
                    event["time"].as_i64().unwrap_or_default(),
                )),
                yes,
                code: code.map(str::to_owned),
                subject: asked.map(|question| question.subject.clone()),
                refused: code.is_none().then(|| "it names no code".to_owned()),
            }
        });
        Some((id.to_owned(), heard))
    }

    /// What answers is something else.
    fn no_ntfy(&self, what: &str) -> Trouble {
        Trouble::passing(format!(
            "{what}: {} answers, but not as an ntfy server does; is `url` right?",
            net::host(&self.url).unwrap_or_default()
        ))
    }

    /// Whether the token (or anybody) may read a topic.
    fn may_read(&self, topic: &str, what: &str, until: Instant) -> Result<(), Trouble> {
        let request = Request::get(format!("{}/{topic}/auth", self.url));
        self.ask(request, what, until).map(drop)
    }
}

impl Channel for Ntfy {
    fn send(&mut self, message: &Message, until: Instant) -> Result<String, Trouble> {
        // What settles a question takes its place, with buttons and all.
        let earlier = message.earlier.as_deref().filter(|id| is_topic(id));
        let sequence = match earlier {
            Some(question) if message.occasion == Occasion::Settled => question.to_owned(),
            _ => sequence(&message.id),
        };
        let request = Request::post(format!("{}/", self.url), &self.filled(message))
            .header("X-Sequence-ID", &sequence);
        let answer = self.ask(request, "sending the message", until)?;
        match http::json(&answer).is_some_and(|json| json.is_object()) {
            true => Ok(sequence),
            // A proxy's login page is no ntfy.
            false => Err(self.no_ntfy("sending the message")),
        }
    }

    fn hear(
        &mut self,
        cursor: Option<&str>,
        open: &[Question],
        until: Instant,
    ) -> Result<Said, Trouble> {
        let mut said = Said {
            all: Vec::new(),
            cursor: cursor.map(str::to_owned),
            more: false,
        };
        let Some(topic) = &self.reply_topic else {
            return Ok(said);
        };
        let Some(since) = self.since(cursor, open) else {
            return Ok(said);
        };
        let url = format!("{}/{topic}/json?poll=1&since={since}", self.url);
        let answer = self.ask(Request::get(url), "reading answers", until)?;
        let mut lines: Vec<&[u8]> = answer.body.split(|byte| *byte == b'\n').collect();
        if answer.cut {
            // The last one is not whole; it comes next time.
            lines.pop();
        }
        let clock = Clock::of(&answer, host::now());
        let heard = |line| self.heard(line, open, clock);
        for (id, heard) in lines.into_iter().filter_map(heard) {
            said.all.extend(heard);
            said.cursor = Some(id);
        }
        // What was cut off is asked for again, where anything came of this.
        said.more = answer.cut && said.cursor.as_deref() != cursor;
        Ok(said)
    }

    fn look(&mut self, until: Instant) -> Result<String, Trouble> {
        let host = net::host(&self.url).unwrap_or_default();
        let request = Request::get(format!("{}/v1/health", self.url));
        let answer = self.ask(request, "asking how the server is", until)?;
        let body = http::json(&answer).unwrap_or_default();
        match body["healthy"].as_bool() {
            Some(true) => {}
            Some(false) => {
                return Err(Trouble::passing(format!(
                    "{host} says that it is not healthy"
                )));
            }
            None => {
                return Err(self.no_ntfy("asking how the server is"));
            }
        }
        let Some(reply) = &self.reply_topic else {
            return Ok(format!(
                "{host} is healthy; nobody can answer, as there is no `reply_topic`"
            ));
        };
        self.may_read(reply, "asking whether `reply_topic` may be read", until)?;
        Ok(format!("{host} is healthy, and `reply_topic` may be read"))
    }
}

/// What a topic, and a message's id, may be.
fn is_topic(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(words::is_sign)
}

/// The id of what is sent again: the message's own, as far as the server takes such a one.
fn sequence(id: &str) -> String {
    let text: String = id
        .chars()
        .map(|c| if words::is_sign(c) { c } else { '-' })
        .take(64)
        .collect();
    match text.is_empty() {
        true => "message".to_owned(),
        false => text,
    }
}

/// What is posted by a button: yes or no, and the code; `None` for whatever else lies there. An answer
/// as it is given elsewhere is one without a code.
fn of_answer(text: &str) -> Option<(bool, Option<&str>)> {
    if let Some(words) = words::read(text) {
        return Some((words.yes, None));
    }
    let mut words = text.split_whitespace();
    let yes = match words.next()? {
        word if word.eq_ignore_ascii_case(YES) => true,
        word if word.eq_ignore_ascii_case(NO) => false,
        _ => return None,
    };
    let code = words.next().filter(|code| is_topic(code));
    match words.next() {
        // A sentence that begins with such a word.
        Some(_) => None,
        None => Some((yes, code)),
    }
}

/// What is below the title.
fn text(message: &Message) -> &str {
    match message.text.is_empty() {
        true => &message.title,
        false => &message.text,
    }
}

/// A message as the root of an ntfy server takes it.
pub(super) fn form(topic: &str, message: &Message, actions: &Value) -> Value {
    let (priority, tag) = weight(message.occasion);
    json!({
        "topic": topic,
        "title": fit::fitted(&message.title, MOST_TITLE, char::len_utf8),
        "message": fit::fitted(text(message), MOST_TEXT, char::len_utf8),
        "priority": priority,
        "tags": [tag],
        "actions": actions,
    })
}

/// How loud an occasion is (1 to 5), and the picture that stands before it.
fn weight(occasion: Occasion) -> (u8, &'static str) {
    match occasion {
        Occasion::Asked => (5, "question"),
        Occasion::Exhausted | Occasion::Held => (5, "rotating_light"),
        Occasion::Down | Occasion::Failed | Occasion::Flapping => (4, "warning"),
        Occasion::Expired => (4, "hourglass"),
        Occasion::Denied | Occasion::Digest => (3, "memo"),
        Occasion::Revived => (3, "zap"),
        Occasion::Recovered | Occasion::Released => (2, "white_check_mark"),
        Occasion::Settled => (2, "ballot_box_with_check"),
        Occasion::Test => (3, "bell"),
    }
}

#[cfg(test)]
#[path = "ntfy_tests.rs"]
mod tests;
