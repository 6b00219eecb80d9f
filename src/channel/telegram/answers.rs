//! What people answer in Telegram: which update is an answer, by whom and where it was given, and why
//! it must not count.

use serde_json::{Value, json};

use crate::channel::http::Clock;
use crate::channel::words::{self, Words};
use crate::model::channel::{Heard, Question};
use crate::model::text::visible;
use crate::model::time::Timestamp;

/// What the data of a button begin with.
const YES: &str = "v1:a:";
const NO: &str = "v1:d:";

/// As many bytes may the data of a button have.
const MOST_DATA: usize = 64;

/// The chat that is talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chat {
    Number(i64),
    /// The name of a public one, without `@`.
    Name(String),
}

impl Chat {
    pub(super) fn of(id: &str) -> Self {
        match id.trim().parse() {
            Ok(number) => Self::Number(number),
            Err(_) => Self::Name(id.trim().trim_start_matches('@').to_owned()),
        }
    }

    /// Its number, where it is known by that.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(_) => None,
        }
    }

    pub(super) fn as_json(&self) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Name(name) => json!(format!("@{name}")),
        }
    }

    /// Whether a message of the chat with this number may lie in this one.
    pub(super) fn may_be(&self, number: i64) -> bool {
        match self {
            Self::Number(own) => *own == number,
            Self::Name(_) => true,
        }
    }

    /// Whether the chat of an update is this one.
    fn is(&self, chat: &Value) -> bool {
        match self {
            Self::Number(own) => chat["id"].as_i64() == Some(*own),
            Self::Name(own) => {
                let name = chat["username"].as_str();
                name.is_some_and(|name| name.eq_ignore_ascii_case(own))
            }
        }
    }
}

/// What a message of the bot's is called in the state.
pub(super) fn receipt(chat: i64, message: i64) -> String {
    format!("{chat}/{message}")
}

/// The chat and the message of a receipt.
pub(super) fn of_receipt(receipt: &str) -> Option<(i64, i64)> {
    let (chat, message) = receipt.split_once('/')?;
    Some((chat.parse().ok()?, message.parse().ok()?))
}

/// The two buttons below a question.
pub(super) fn buttons(question: &Question) -> Value {
    let button = |text: &str, kind: &str| {
        let data = format!("{kind}{}", question.code);
        json!({"text": text, "callback_data": data})
    };
    json!({"inline_keyboard": [[button("Revive", YES), button("Skip", NO)]]})
}

/// How to answer, below a question.
pub(super) fn how(question: &Question) -> String {
    // A name that is too long to be typed is none to be shown in the middle of a sentence.
    let subject = visible(&question.subject);
    let subject = match subject.chars().count() {
        0..=100 => &*subject,
        _ => "NAME",
    };
    format!(
        "Answer with a button, with +1 or -1 as a reply to this message, or with the words\n\
         revive {subject}\nskip {subject}"
    )
}

/// What the data of a button say: yes or no, and the code.
pub(super) fn of_data(data: &str) -> Option<(bool, &str)> {
    let (yes, code) = match (data.strip_prefix(YES), data.strip_prefix(NO)) {
        (Some(code), _) => (true, code),
        (_, Some(code)) => (false, code),
        _ => return None,
    };
    let whole = !code.is_empty() && data.len() <= MOST_DATA && code.chars().all(words::is_sign);
    whole.then_some((yes, code))
}

/// True for a command that names a bot (`/revive@BOT NAME`).
pub(super) fn names_a_bot(update: &Value) -> bool {
    let words = post(update).and_then(|(_, message)| words::read(message["text"].as_str()?));
    words.is_some_and(|words| words.to.is_some())
}

/// The message of an update, and what kind of one it is.
fn post(update: &Value) -> Option<(&'static str, &Value)> {
    let kinds = [
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
    ];
    let mut all = kinds.into_iter().map(|kind| (kind, &update[kind]));
    all.find(|(_, message)| message.is_object())
}

/// A button that was pressed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pressed {
    pub(super) id: String,
    /// What the phone is told.
    pub(super) text: String,
}

/// What updates are seen by.
pub(super) struct View<'a> {
    /// The bot's number, where it is known.
    pub(super) bot: Option<i64>,
    /// Its name, where it was asked for.
    pub(super) name: Option<&'a str>,
    pub(super) chat: &'a Chat,
    pub(super) allowed: &'a [i64],
    /// Whether posts that name no sender count.
    pub(super) posts: bool,
    pub(super) open: &'a [Question],
    /// When they were read.
    pub(super) now: Timestamp,
    /// Telegram's clock, by which messages are dated.
    pub(super) clock: Clock,
}

impl View<'_> {
    /// What is answered by an update, if anything is.
    pub(super) fn of(&self, update: &Value) -> (Option<Heard>, Option<Pressed>) {
        let query = &update["callback_query"];
        if !query.is_object() {
            let heard = post(update).and_then(|(kind, message)| self.said(kind, message));
            return (heard, None);
        }
        let heard = self.pressed(query);
        let press = query["id"].as_str().map(|id| Pressed {
            id: id.to_owned(),
            text: match &heard {
                Some(Heard {
                    refused: None,
                    subject: Some(_),
                    ..
                }) => "Received.".to_owned(),
                // Not why: strangers need no help.
                _ => "This answer does not count.".to_owned(),
            },
        });
        (heard, press)
    }

    /// A button that was pressed.
    fn pressed(&self, query: &Value) -> Option<Heard> {
        let data = of_data(query["data"].as_str().unwrap_or_default());
        let (yes, code) = data.map_or((false, None), |(yes, code)| (yes, Some(code)));
        let (message, from) = (&query["message"], &query["from"]);
        let asked = code.and_then(|code| self.open.iter().find(|q| q.code == code));
        let own = receipt_of(message);
        let elsewhere =
            asked.is_some_and(|question| question.receipt.is_some() && question.receipt != own);
        let refused = if code.is_none() {
            Some("the button is none of ours".to_owned())
        } else if !message.is_object() {
            Some("the button names no message".to_owned())
        } else if !self.chat.is(&message["chat"]) {
            Some(other_chat(&message["chat"]))
        } else if let Some(why) = self.user(from) {
            Some(why)
        } else if elsewhere {
            Some("the button with this code stands under another message".to_owned())
        } else {
            None
        };
        Some(Heard {
            id: format!("button/{}", query["id"].as_str()?),
            who: number(&from["id"]),
            at: self.now,
            yes,
            code: code.map(str::to_owned),
            subject: asked.map(|question| question.subject.clone()),
            refused,
        })
    }

    /// Something that was written.
    fn said(&self, kind: &str, message: &Value) -> Option<Heard> {
        let words = words::read(message["text"].as_str()?)?;
        let edited = kind.starts_with("edited");
        let date = &message[if edited { "edit_date" } else { "date" }];
        // What Telegram does not date is as old as this reading of it.
        let dated = |seconds| self.clock.here(Timestamp::from_secs(seconds));
        let at = date.as_i64().map_or(self.now, dated);
        let (chat, id) = (&message["chat"], &message["message_id"]);
        let mut name = format!("message/{}/{}", number(&chat["id"]), number(id));
        if edited {
            name.push_str(&format!("/{}", number(date)));
        }
        let answered = self.answered(&words, message);
        let refused = self.refused(kind, message).or_else(|| self.misled(&words));
        let refused = refused.or_else(|| answered.as_ref().err().cloned());
        let asked = answered.ok().flatten();
        Some(Heard {
            id: name,
            who: match (&message["from"]["id"], &message["sender_chat"]["id"]) {
                (_, Value::Number(id)) => format!("chat {id}"),
                (from @ Value::Number(_), _) => number(from),
                _ => format!("chat {}", number(&chat["id"])),
            },
            at,
            yes: words.yes,
            code: asked.map(|question| question.code.clone()),
            subject: words
                .name
                .or(asked.map(|question| question.subject.clone())),
            refused,
        })
    }

    /// The question that is replied to; `None` where that is none, and one may be named.
    fn answered(&self, words: &Words, message: &Value) -> Result<Option<&Question>, String> {
        let to = &message["reply_to_message"];
        if !to.is_object() {
            return Ok(None);
        }
        // A reply lies in the chat of what it replies to, unless it says otherwise.
        let chat = match &to["chat"]["id"] {
            Value::Null => &message["chat"]["id"],
            id => id,
        };
        let to = chat.as_i64().zip(to["message_id"].as_i64());
        let to = to.map(|(chat, id)| receipt(chat, id));
        let mut open = self.open.iter();
        let asked = open.find(|question| question.receipt.is_some() && question.receipt == to);
        match (asked, &words.name) {
            (Some(asked), Some(name)) if !words::is_named(&asked.subject, name) => Err(format!(
                "it names {name}, and replies to the question about {}",
                visible(&asked.subject)
            )),
            (None, None) => Err("what it replies to is no open question".to_owned()),
            (asked, _) => Ok(asked),
        }
    }

    /// Why a message must not count, by where it is from and whose it is.
    fn refused(&self, kind: &str, message: &Value) -> Option<String> {
        let has = |key: &str| !message[key].is_null();
        if !self.chat.is(&message["chat"]) {
            return Some(other_chat(&message["chat"]));
        }
        if kind.starts_with("edited") || has("edit_date") {
            return Some("it was something else before it was edited".to_owned());
        }
        let forwarded = message.as_object()?.keys();
        let mut forwarded =
            forwarded.filter(|key| key.starts_with("forward_") || *key == "is_automatic_forward");
        if forwarded.any(|key| has(key)) {
            return Some("it is forwarded: who said it, and to what, is not known".to_owned());
        }
        if has("via_bot") {
            return Some("it was written by way of another bot".to_owned());
        }
        if kind == "channel_post" {
            let why = "it is a channel's post, which names no sender; such count with \
                       `allow_channel_posts: true` only";
            return (!self.posts).then(|| why.to_owned());
        }
        if has("sender_chat") {
            return Some("it was said in the name of a chat: by whom is not known".to_owned());
        }
        self.user(&message["from"])
    }

    /// Why a user's answer must not count.
    fn user(&self, from: &Value) -> Option<String> {
        let Some(id) = from["id"].as_i64() else {
            return Some("it names no sender".to_owned());
        };
        if Some(id) == self.bot || !matches!(from["is_bot"], Value::Null | Value::Bool(false)) {
            return Some("a bot said it".to_owned());
        }
        if self.allowed.is_empty() {
            return Some("`allowed_users` is empty, and allows nobody".to_owned());
        }
        let allowed = self.allowed.contains(&id);
        (!allowed).then(|| format!("the user {id} is not among `allowed_users`"))
    }

    /// Why a command must not count, by whom it is for.
    fn misled(&self, words: &Words) -> Option<String> {
        let to = words.to.as_deref()?;
        match self.name {
            Some(name) if name.eq_ignore_ascii_case(to) => None,
            Some(_) => Some("it is a command to another bot".to_owned()),
            None => Some("to which bot the command is could not be found out".to_owned()),
        }
    }
}

fn receipt_of(message: &Value) -> Option<String> {
    let chat = message["chat"]["id"].as_i64()?;
    Some(receipt(chat, message["message_id"].as_i64()?))
}

fn other_chat(chat: &Value) -> String {
    format!("it was said in another chat ({})", number(&chat["id"]))
}

/// A number as text; nothing else gets through.
fn number(value: &Value) -> String {
    value.as_i64().map_or("?".to_owned(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_stands_on_a_button_is_read_back(code in "[A-Za-z0-9_-]{1,22}") {
            let question = Question {
                subject: "a/b".into(),
                code: code.clone(),
                asked_at: Timestamp::from_secs(1),
                expires_at: Timestamp::from_secs(2),
                receipt: None,
            };
            let rows = buttons(&question);
            for (n, yes) in [(0, true), (1, false)] {
                let data = rows["inline_keyboard"][0][n]["callback_data"].as_str().unwrap();
                prop_assert!((1..=64).contains(&data.len()));
                prop_assert_eq!(of_data(data), Some((yes, &*code)));
            }
        }

        #[test]
        fn other_data_are_no_answer(data in "\\PC{0,80}") {
            if let Some((yes, code)) = of_data(&data) {
                prop_assert_eq!(format!("{}{code}", if yes { YES } else { NO }), data);
            }
        }

        #[test]
        fn a_receipt_is_read_back(chat: i64, message: i64) {
            prop_assert_eq!(of_receipt(&receipt(chat, message)), Some((chat, message)));
        }
    }

    #[test]
    fn data_that_are_not_ours() {
        for data in [
            "",
            "v1:a:",
            "v1:d:",
            "v2:a:x",
            "a:x",
            "v1:a:x y",
            "v1:a:x\n",
            "V1:a:x",
            "v1:a:ü",
            "v1:a:../x",
        ] {
            assert_eq!(of_data(data), None, "{data:?}");
        }
        assert_eq!(of_data(&format!("v1:a:{}", "x".repeat(60))), None);
    }
}
