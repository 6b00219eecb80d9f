//! Telegram: a bot writes to one chat, and reads there what people answer.
//!
//! The bot API knows no idempotency key: a message whose answer was lost may come a second time, with
//! the same incident and the same buttons. Its token stands in every URL, so no URL is ever told.
//!
//! Updates are read without waiting. Asking with an offset lets Telegram forget all that came before
//! it, so one page is read at a time: the next one is asked for only once this one is durable.

mod answers;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::answers::{Chat, Pressed, View};
use super::fit;
use super::hidden::Hidden;
use super::http::{self, Clock, Request};
use super::{Channel, Means, Said, Trouble};
use crate::model::channel::{self as settings, Message, Occasion, Question, Sensitive};
use crate::model::time::Timestamp;
use crate::net::{Answer, Authorities};
use crate::sys::host;

/// As many UTF-16 units may a message's text have.
const MOST_TEXT: usize = 4096;

/// So many updates are asked for; fewer where they are too long to be taken at once.
const PAGES: [u32; 3] = [100, 10, 1];

/// A cursor that is older than this says nothing any more. Telegram keeps updates for a day at the
/// most, and numbers them anew, from anywhere, after a week without any: an offset that is higher
/// than those would have it forget them unread.
const OLD_CURSOR: Duration = Duration::from_secs(3 * 86_400);

/// So many buttons are answered in a run, all within this: it stops a little wheel on a phone, and no
/// more.
const MOST_PRESSED: usize = 5;
const PRESSED_TIME: Duration = Duration::from_secs(2);

/// What an update may be. All that could be taken for an answer is asked for, so that it can be
/// refused in words.
const UPDATES: [&str; 5] = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
];

/// What is wrong with the chat and not with the message, where Telegram says 400.
const OF_THE_SETUP: [&str; 10] = [
    "chat not found",
    "user not found",
    "upgraded to a supergroup",
    "chat was deactivated",
    "rights",
    "chat_write_forbidden",
    "peer_id_invalid",
    "topic_closed",
    "topic_deleted",
    "channel_private",
];

/// A bot in one chat.
pub struct Telegram {
    token: Sensitive,
    /// The bot's own number: what stands before the colon of its token.
    bot: Option<i64>,
    chat: Chat,
    settings: settings::Telegram,
    authorities: Authorities,
    hidden: Hidden,
}

/// Why a method of the API did not do what it was to do.
struct Failed {
    trouble: Trouble,
    /// What Telegram says, in lower case; empty where it said nothing.
    said: String,
    /// The answer was too long to be taken.
    cut: bool,
    /// There is no such method, or no such bot.
    unknown: bool,
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        failed.trouble
    }
}

impl Telegram {
    /// Makes one ready; nothing is asked of anybody.
    ///
    /// # Errors
    /// The token cannot be had, or cannot be one.
    pub fn new(settings: &settings::Telegram, means: &mut Means<'_>) -> Result<Self, Trouble> {
        let mut hidden = Hidden::default();
        let token = means.secret("token", &settings.token, &mut hidden)?;
        if !is_token(token.reveal()) {
            return Err(Trouble::hopeless(
                "token: what is there is no bot's token (NUMBER:LETTERS, as @BotFather gives it)",
            ));
        }
        let mut bot = None;
        if let Some((number, key)) = token.reveal().split_once(':') {
            hidden.hide(key);
            bot = number.parse().ok();
        }
        Ok(Self {
            token,
            bot,
            chat: Chat::of(&settings.chat_id),
            settings: settings.clone(),
            authorities: means.authorities.clone(),
            hidden,
        })
    }

    /// Calls a method. Returns its result, and Telegram's clock.
    fn call(
        &self,
        method: &str,
        what: &str,
        parameters: &Value,
        until: Instant,
    ) -> Result<(Value, Clock), Failed> {
        let (api, token) = (&self.settings.api_url, self.token.reveal());
        let request = Request::post(format!("{api}/bot{token}/{method}"), parameters);
        let request = request.believing(&self.authorities);
        let named = request.named();
        let answer = request.ask(what, until).map_err(|trouble| Failed {
            trouble,
            said: String::new(),
            cut: false,
            unknown: false,
        })?;
        let clock = Clock::of(&answer, host::now());
        let mut body = http::json(&answer).unwrap_or_default();
        match body["ok"].as_bool() {
            Some(true) if http::is_fine(&answer) => Ok((body["result"].take(), clock)),
            _ => Err(self.failed(what, &named, &answer, &body)),
        }
    }

    fn failed(&self, what: &str, named: &str, answer: &Answer, body: &Value) -> Failed {
        let description = body["description"].as_str().unwrap_or_default();
        let said = description.to_lowercase();
        let shown = self.hidden.shown(description);
        let mut trouble = if http::is_fine(answer) {
            let why = match answer.cut {
                true => "its answer is longer than what is read of one",
                false => "what answers is no bot API; is `api_url` right?",
            };
            Trouble::passing(format!("{what}: {named}: {why}"))
        } else {
            http::refusal(what, named, answer, &shown)
        };
        let parameters = &body["parameters"];
        if let Some(seconds) = parameters["retry_after"].as_f64() {
            trouble.retry_after = http::rest(seconds);
        }
        let setup = OF_THE_SETUP.iter().any(|known| said.contains(known));
        trouble.hopeless &= !said.is_empty() && !setup;
        let next = match parameters["migrate_to_chat_id"].as_i64() {
            Some(new) => Some(format!(
                "the group has become a supergroup, and has another number now: write `chat_id: {new}`"
            )),
            None => advice(answer.status, &said).map(str::to_owned),
        };
        if let Some(next) = next {
            trouble.hopeless = false;
            trouble.why = format!(
                "{what}: {named}: the server answered {}: {shown}; {next}",
                answer.status
            );
        }
        Failed {
            trouble,
            said,
            cut: answer.cut,
            unknown: answer.status == 404,
        }
    }

    /// Sends a message as a new one.
    fn send_new(&self, message: &Message, until: Instant) -> Result<String, Trouble> {
        let mut parameters = json!({
            "chat_id": self.chat.as_json(),
            "text": self.text(message),
            "link_preview_options": {"is_disabled": true},
            "disable_notification": is_quiet(message.occasion),
        });
        if let Some(question) = message.question.as_ref().filter(|_| self.asks(message)) {
            parameters["reply_markup"] = answers::buttons(question);
        }
        let earlier = message.earlier.as_deref().and_then(answers::of_receipt);
        if let Some((_, id)) = earlier.filter(|(chat, _)| self.chat.may_be(*chat)) {
            parameters["reply_parameters"] =
                json!({"message_id": id, "allow_sending_without_reply": true});
        }
        let what = "sending the message";
        let (sent, _) = self.call("sendMessage", what, &parameters, until)?;
        let chat = sent["chat"]["id"].as_i64().or(self.chat.number());
        let id = sent["message_id"].as_i64();
        // Sent it is in any case.
        Ok(match (chat, id) {
            (Some(chat), Some(id)) => answers::receipt(chat, id),
            _ => String::new(),
        })
    }

    /// Puts the message in the place of the question that it settles, and takes the buttons away.
    fn settle(&self, message: &Message, receipt: &str, until: Instant) -> Result<String, Trouble> {
        let Some((chat, id)) = answers::of_receipt(receipt) else {
            return self.send_new(message, until);
        };
        let parameters = json!({
            "chat_id": chat,
            "message_id": id,
            "text": self.text(message),
            "link_preview_options": {"is_disabled": true},
            "reply_markup": {"inline_keyboard": []},
        });
        match self.call(
            "editMessageText",
            "editing the question",
            &parameters,
            until,
        ) {
            Ok(_) => Ok(receipt.to_owned()),
            Err(failed) if is_settled(&failed.said) => Ok(receipt.to_owned()),
            Err(failed) => Err(failed.into()),
        }
    }

    fn asks(&self, message: &Message) -> bool {
        message.occasion == Occasion::Asked && self.settings.hears()
    }

    fn text(&self, message: &Message) -> String {
        match message.question.as_ref().filter(|_| self.asks(message)) {
            Some(question) => {
                fit::answerable(message, &answers::how(question), MOST_TEXT, char::len_utf16)
            }
            None => fit::fitted(&fit::whole(message), MOST_TEXT, char::len_utf16),
        }
    }

    /// One page of updates, as long as it can be taken.
    fn updates(&self, offset: Option<i64>, until: Instant) -> Result<(Vec<Value>, Clock), Trouble> {
        let mut parameters = json!({"timeout": 0, "allowed_updates": UPDATES});
        if let Some(offset) = offset {
            parameters["offset"] = offset.into();
        }
        let mut last = None;
        for limit in PAGES {
            parameters["limit"] = limit.into();
            match self.call("getUpdates", "reading answers", &parameters, until) {
                Ok((Value::Array(all), clock)) => return Ok((all, clock)),
                Ok(_) => break,
                Err(failed) if failed.cut => last = Some(failed.trouble),
                Err(failed) => return Err(failed.into()),
            }
        }
        let odd = || Trouble::passing("reading answers: what answers is no bot API");
        Err(last.unwrap_or_else(odd))
    }

    /// The bot's name, for commands that name one.
    fn name(&self, until: Instant) -> Result<String, Trouble> {
        let (me, _) = self.call("getMe", "asking whose the token is", &json!({}), until)?;
        Ok(me["username"].as_str().unwrap_or_default().to_owned())
    }

    /// Tells the phone that its press came. Whether that works is of no weight: after a few seconds
    /// Telegram does not take it any more.
    fn acknowledge(&self, pressed: &[Pressed], until: Instant) {
        let until = until.min(Instant::now() + PRESSED_TIME);
        for one in pressed.iter().take(MOST_PRESSED) {
            let parameters = json!({"callback_query_id": one.id, "text": one.text});
            let answered = self.call("answerCallbackQuery", "answering", &parameters, until);
            if answered.is_err_and(|failed| failed.said.is_empty()) {
                return;
            }
        }
    }
}

impl Channel for Telegram {
    fn send(&mut self, message: &Message, until: Instant) -> Result<String, Trouble> {
        match message.earlier.as_deref() {
            Some(question) if message.occasion == Occasion::Settled => {
                self.settle(message, question, until)
            }
            _ => self.send_new(message, until),
        }
    }

    fn hear(
        &mut self,
        cursor: Option<&str>,
        open: &[Question],
        until: Instant,
    ) -> Result<Said, Trouble> {
        let (updates, clock) = self.updates(offset(cursor, host::now()), until)?;
        let now = host::now();
        let name = match updates.iter().any(answers::names_a_bot) {
            true => self.name(until).ok(),
            false => None,
        };
        let view = View {
            bot: self.bot,
            name: name.as_deref(),
            chat: &self.chat,
            allowed: &self.settings.allowed_users,
            posts: self.settings.allow_channel_posts,
            open,
            now,
            clock,
        };
        let (mut all, mut pressed, mut newest) = (Vec::new(), Vec::new(), None);
        for update in &updates {
            newest = newest.max(update["update_id"].as_i64());
            let (heard, press) = view.of(update);
            all.extend(heard);
            pressed.extend(press);
        }
        self.acknowledge(&pressed, until);
        let cursor = match newest {
            Some(id) => Some(format!("{id} {}", now.as_micros() / 1_000_000)),
            None => cursor.map(str::to_owned),
        };
        // Also of fewer there may be more, where they are long: who asks again finds out.
        let more = !updates.is_empty();
        Ok(Said { all, cursor, more })
    }

    fn look(&mut self, until: Instant) -> Result<String, Trouble> {
        let (me, _) = self.call("getMe", "asking whose the token is", &json!({}), until)?;
        // A server of the same API that knows no more than it needs is not asked for it.
        let asked =
            |method, what, parameters: &Value| match self.call(method, what, parameters, until) {
                Ok((answer, _)) => Ok(answer),
                Err(failed) if failed.unknown => Ok(Value::Null),
                Err(failed) => Err(failed),
            };
        let parameters = json!({"chat_id": self.chat.as_json()});
        let chat = asked("getChat", "looking for the chat", &parameters)?;
        let what = "asking whether a webhook is set";
        let hook = asked("getWebhookInfo", what, &json!({}))?;
        if self.settings.hears() && !hook["url"].as_str().unwrap_or_default().is_empty() {
            return Err(Trouble::passing(
                "a webhook is set for this bot, and as long as it is, answers cannot be read; give \
                 lazarus-pit a bot of its own, or call deleteWebhook",
            ));
        }
        let text = |value: &Value| self.hidden.shown(value.as_str().unwrap_or("?"));
        let named = ["title", "username", "first_name"].map(|key| &chat[key]);
        let named = named.into_iter().find(|name| name.is_string());
        let (bot, kind) = (text(&me["username"]), text(&chat["type"]));
        let chat = named.map_or(String::new(), |name| format!(" {:?}", text(name)));
        let deaf = match self.settings.hears() {
            false => "; nobody may answer: `allowed_users` is empty",
            true if kind.contains("group") && me["can_read_all_group_messages"] != json!(true) => {
                "; privacy mode is on, so that in this group it sees buttons, replies to it and \
                 commands (/revive NAME) only"
            }
            true => "",
        };
        Ok(format!("the bot @{bot} finds the {kind}{chat}{deaf}"))
    }
}

/// True for what can stand in a URL as a token. Telegram's are `NUMBER:LETTERS`; what stands before
/// another server of the same API may give out others.
fn is_token(token: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.');
    !token.is_empty() && token.chars().all(good)
}

/// The first update that is wanted; `None` for the first that there is.
fn offset(cursor: Option<&str>, now: Timestamp) -> Option<i64> {
    let (id, at) = cursor?.split_once(' ')?;
    let at = Timestamp::from_secs(at.parse().ok()?);
    (now.since(at) < OLD_CURSOR).then(|| id.parse::<i64>().ok()?.checked_add(1))?
}

/// True where an edit has nothing to do any more: it is done already, or the message is gone.
fn is_settled(said: &str) -> bool {
    let gone = [
        "message is not modified",
        "message to edit not found",
        "message can't be edited",
        "message_id_invalid",
    ];
    gone.iter().any(|known| said.contains(known))
}

/// What comes in without a sound: good news.
fn is_quiet(occasion: Occasion) -> bool {
    use Occasion::{Recovered, Released, Revived, Settled};
    matches!(occasion, Revived | Recovered | Released | Settled)
}

/// What to do next, where that is known.
fn advice(status: u16, said: &str) -> Option<&'static str> {
    Some(match status {
        400 if said.contains("chat not found") => {
            "is `chat_id` right, and was the bot let into the chat (in a private one: was it sent \
             /start)?"
        }
        401 => "the token is not valid, or not any more: @BotFather shows the current one",
        403 => "let the bot into the chat again, and let it write there",
        404 => "Telegram knows no such bot: is the token whole, and `api_url` right?",
        409 if said.contains("webhook") => {
            "a webhook is set for this bot: give lazarus-pit a bot of its own, or call deleteWebhook"
        }
        409 => {
            "something else reads with the same token: give lazarus-pit (on each host) a bot of its \
             own"
        }
        _ => return None,
    })
}

#[cfg(test)]
#[path = "telegram_hears.rs"]
mod hears;
#[cfg(test)]
#[path = "telegram_spoofs.rs"]
mod spoofs;
#[cfg(test)]
#[path = "telegram_tests.rs"]
mod tests;
