//! Telegram's bot API: one bot, its chats, and what people do there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::http::{Reply, Request, Server};

/// The token of the one bot.
pub(crate) const TOKEN: &str = "4711:CANARY-tg_5f0c1d9be2a7";

/// Its number, and its name.
pub(crate) const BOT: i64 = 4711;
pub(crate) const BOT_NAME: &str = "pit_bot";

/// A message of the bot's.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) chat: i64,
    pub(crate) id: i64,
    pub(crate) text: String,
    /// The data of its buttons.
    pub(crate) buttons: Vec<String>,
    /// How often it was edited.
    pub(crate) edits: u32,
    /// The message that it replies to.
    pub(crate) replies_to: Option<i64>,
    pub(crate) quiet: bool,
}

/// All that the service knows.
#[derive(Clone, Debug)]
pub(crate) struct Telegram {
    /// The chats that the bot is in, as getChat has them.
    pub(crate) chats: Vec<Value>,
    pub(crate) sent: Vec<Sent>,
    /// What was not confirmed yet.
    pub(crate) updates: Vec<Value>,
    next_update: i64,
    next_message: i64,
    /// A webhook's URL; empty for none.
    pub(crate) webhook: String,
    /// Another program polls with the same token.
    pub(crate) polled: bool,
    /// So many sendings are refused with 429, and this `retry_after`.
    pub(crate) limited: (u32, u64),
    /// The answers to so many requests are lost after they were carried out.
    pub(crate) lose: u32,
    /// The bot was thrown out of its chats.
    pub(crate) banned: bool,
    /// The group became this supergroup.
    pub(crate) migrated: Option<i64>,
    /// The token is not valid any more.
    pub(crate) revoked: bool,
    /// What answerCallbackQuery was told.
    pub(crate) acknowledged: Vec<String>,
    /// Callback queries are too old to be answered.
    pub(crate) too_old: bool,
    /// How far its clock is ahead.
    pub(crate) ahead: Duration,
    /// It puts this at the end of every refusal.
    pub(crate) chatter: String,
}

/// A user, as updates have one.
pub(crate) fn user(id: i64) -> Value {
    json!({"id": id, "is_bot": false, "first_name": format!("User {id}")})
}

/// Starts one, whose bot is in a private chat with the user 42 and in the group -100.
pub(crate) fn start() -> Server<Telegram> {
    let telegram = Telegram {
        chats: vec![
            json!({"id": 42, "type": "private", "first_name": "Ann"}),
            json!({"id": -100, "type": "supergroup", "title": "Ops", "username": "ops_group"}),
            json!({"id": -200, "type": "channel", "title": "News"}),
        ],
        sent: Vec::new(),
        updates: Vec::new(),
        next_update: 870_000_001,
        next_message: 11,
        webhook: String::new(),
        polled: false,
        limited: (0, 0),
        lose: 0,
        banned: false,
        migrated: None,
        revoked: false,
        acknowledged: Vec::new(),
        too_old: false,
        ahead: Duration::ZERO,
        chatter: String::new(),
    };
    Server::start(telegram, Telegram::answer)
}

impl Telegram {
    fn answer(&mut self, request: &Request) -> Reply {
        let begin = format!("/bot{TOKEN}/");
        let reply = match request.path.strip_prefix(&begin) {
            None => Err((404, "Not Found".to_owned(), Value::Null)),
            Some(_) if self.revoked => Err((401, "Unauthorized".to_owned(), Value::Null)),
            Some(method) => self.method(method, &request.json()),
        };
        let reply = match reply {
            Ok(result) => Reply::json(200, &json!({"ok": true, "result": result})),
            Err((status, what, parameters)) => {
                let description = format!("{what}{}", self.chatter);
                let mut body =
                    json!({"ok": false, "error_code": status, "description": description});
                if !parameters.is_null() {
                    body["parameters"] = parameters;
                }
                Reply::json(status, &body)
            }
        };
        let reply = reply.with("Date", &self.date());
        match self.lose {
            0 => reply,
            _ => {
                self.lose -= 1;
                reply.lost()
            }
        }
    }

    fn method(&mut self, method: &str, p: &Value) -> Result<Value, (u16, String, Value)> {
        match method {
            "getMe" => Ok(json!({
                "id": BOT, "is_bot": true, "first_name": "Pit", "username": BOT_NAME,
                "can_read_all_group_messages": false,
            })),
            "getChat" => self.chat(p).cloned(),
            "getWebhookInfo" => Ok(json!({
                "url": self.webhook, "pending_update_count": self.updates.len(),
            })),
            "sendMessage" => self.send(p),
            "editMessageText" => self.edit(p),
            "answerCallbackQuery" if self.too_old => Err(bad(
                "query is too old and response timeout expired or query ID is invalid",
            )),
            "answerCallbackQuery" => {
                let text = p["text"].as_str().unwrap_or_default();
                assert!(text.chars().count() <= 200, "{text}");
                self.acknowledged.push(text.to_owned());
                Ok(json!(true))
            }
            "getUpdates" => self.get_updates(p),
            _ => Err((404, "Not Found".to_owned(), Value::Null)),
        }
    }

    fn chat(&self, p: &Value) -> Result<&Value, (u16, String, Value)> {
        let id = &p["chat_id"];
        let chat = self.chats.iter().find(|chat| {
            let name = chat["username"].as_str().map(|name| format!("@{name}"));
            chat["id"] == *id || name.is_some_and(|name| id.as_str() == Some(&name))
        });
        let chat = chat.ok_or_else(|| bad("chat not found"))?;
        if self.banned {
            let why = "Forbidden: bot was kicked from the supergroup chat".to_owned();
            return Err((403, why, Value::Null));
        }
        if let Some(new) = self.migrated {
            let (status, why, _) = bad("group chat was upgraded to a supergroup chat");
            return Err((status, why, json!({"migrate_to_chat_id": new})));
        }
        Ok(chat)
    }

    fn checked(&mut self, p: &Value) -> Result<(String, Vec<String>), (u16, String, Value)> {
        if self.limited.0 > 0 {
            self.limited.0 -= 1;
            let after = self.limited.1;
            let why = format!("Too Many Requests: retry after {after}");
            return Err((429, why, json!({"retry_after": after})));
        }
        if !p["parse_mode"].is_null() {
            return Err(bad("can't parse entities"));
        }
        let text = p["text"].as_str().unwrap_or_default();
        match text.encode_utf16().count() {
            0 => return Err(bad("message text is empty")),
            1..=4096 => {}
            _ => return Err(bad("message is too long")),
        }
        let mut buttons = Vec::new();
        for row in p["reply_markup"]["inline_keyboard"]
            .as_array()
            .into_iter()
            .flatten()
        {
            for button in row.as_array().into_iter().flatten() {
                let data = button["callback_data"].as_str().unwrap_or_default();
                if !(1..=64).contains(&data.len()) {
                    return Err(bad("BUTTON_DATA_INVALID"));
                }
                buttons.push(data.to_owned());
            }
        }
        Ok((text.to_owned(), buttons))
    }

    fn send(&mut self, p: &Value) -> Result<Value, (u16, String, Value)> {
        let chat = self.chat(p)?.clone();
        let (text, buttons) = self.checked(p)?;
        self.next_message += 1;
        self.sent.push(Sent {
            chat: chat["id"].as_i64().unwrap(),
            id: self.next_message,
            text,
            buttons,
            edits: 0,
            replies_to: p["reply_parameters"]["message_id"].as_i64(),
            quiet: p["disable_notification"] == json!(true),
        });
        Ok(self.as_message(self.sent.len() - 1))
    }

    fn edit(&mut self, p: &Value) -> Result<Value, (u16, String, Value)> {
        self.chat(p)?;
        let (text, buttons) = self.checked(p)?;
        let (chat, id) = (p["chat_id"].as_i64(), p["message_id"].as_i64());
        let found = self
            .sent
            .iter()
            .position(|m| (Some(m.chat), Some(m.id)) == (chat, id));
        let at = found.ok_or_else(|| bad("message to edit not found"))?;
        let sent = &mut self.sent[at];
        if (&sent.text, &sent.buttons) == (&text, &buttons) {
            return Err(bad(
                "message is not modified: specified new message content and reply markup are \
                 exactly the same as a current content and reply markup of the message",
            ));
        }
        (sent.text, sent.buttons) = (text, buttons);
        sent.edits += 1;
        Ok(self.as_message(at))
    }

    fn get_updates(&mut self, p: &Value) -> Result<Value, (u16, String, Value)> {
        if !self.webhook.is_empty() {
            let why = "Conflict: can't use getUpdates method while webhook is active; use \
                       deleteWebhook to delete the webhook first";
            return Err((409, why.to_owned(), Value::Null));
        }
        if self.polled {
            let why = "Conflict: terminated by other getUpdates request; make sure that only one \
                       bot instance is running";
            return Err((409, why.to_owned(), Value::Null));
        }
        assert_eq!(p["timeout"], 0, "nobody waits");
        if let Some(offset) = p["offset"].as_i64() {
            // All before it is confirmed, and forgotten.
            self.updates
                .retain(|update| update["update_id"].as_i64() >= Some(offset));
        }
        let limit = usize::try_from(p["limit"].as_u64().unwrap_or(100)).unwrap();
        assert!((1..=100).contains(&limit));
        let wanted = p["allowed_updates"].as_array().unwrap();
        let wanted = |update: &&Value| {
            wanted
                .iter()
                .any(|w| !update[w.as_str().unwrap()].is_null())
        };
        Ok(self
            .updates
            .iter()
            .filter(wanted)
            .take(limit)
            .cloned()
            .collect())
    }

    /// A message of the bot's, as updates have it.
    fn as_message(&self, at: usize) -> Value {
        let sent = &self.sent[at];
        let chat = self.chats.iter().find(|chat| chat["id"] == sent.chat);
        json!({
            "message_id": sent.id,
            "date": self.now(),
            "chat": chat,
            "from": {"id": BOT, "is_bot": true, "first_name": "Pit", "username": BOT_NAME},
            "text": sent.text,
        })
    }

    /// The time by its clock, in seconds.
    pub(crate) fn now(&self) -> i64 {
        let now = SystemTime::now() + self.ahead;
        i64::try_from(now.duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
    }

    fn date(&self) -> String {
        let now = jiff::Timestamp::from_second(self.now()).unwrap();
        jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&now)
            .unwrap()
    }

    // What people do.

    /// Puts an update into the queue, under the next number.
    pub(crate) fn update(&mut self, kind: &str, what: Value) -> i64 {
        let id = self.next_update;
        self.next_update += 1;
        self.updates.push(json!({"update_id": id, kind: what}));
        id
    }

    /// A message as somebody writes it in a chat.
    pub(crate) fn written(&mut self, chat: i64, from: i64, text: &str) -> Value {
        self.next_message += 1;
        let known = self.chats.iter().find(|known| known["id"] == chat);
        json!({
            "message_id": self.next_message,
            "date": self.now(),
            "chat": known.cloned().unwrap_or_else(|| json!({"id": chat, "type": "private"})),
            "from": user(from),
            "text": text,
        })
    }

    /// Somebody writes something.
    pub(crate) fn write(&mut self, chat: i64, from: i64, text: &str) {
        let message = self.written(chat, from, text);
        self.update("message", message);
    }

    /// Somebody replies to a message of the bot's.
    pub(crate) fn reply(&mut self, to: &Sent, from: i64, text: &str) {
        let mut message = self.written(to.chat, from, text);
        let at = self.sent.iter().position(|sent| sent.id == to.id);
        message["reply_to_message"] = self.as_message(at.unwrap());
        self.update("message", message);
    }

    /// A press on a button below a message of the bot's.
    pub(crate) fn press_of(&mut self, on: &Sent, from: i64, data: &str) -> Value {
        let at = self.sent.iter().position(|sent| sent.id == on.id);
        self.next_message += 1;
        json!({
            "id": format!("{}", 90_000_000_000 + self.next_message),
            "from": user(from),
            "message": self.as_message(at.unwrap()),
            "chat_instance": "1",
            "data": data,
        })
    }

    /// Somebody presses a button: the first one (yes), or the second one (no).
    #[track_caller]
    pub(crate) fn press(&mut self, on: &Sent, from: i64, yes: bool) {
        let data = on.buttons[usize::from(!yes)].clone();
        let query = self.press_of(on, from, &data);
        self.update("callback_query", query);
    }

    /// The last message that was sent.
    #[track_caller]
    pub(crate) fn last(&self) -> Sent {
        self.sent.last().expect("nothing was sent").clone()
    }

    /// The last message with buttons.
    #[track_caller]
    pub(crate) fn question(&self) -> Sent {
        let mut sent = self.sent.iter().rev();
        let asked = sent.find(|sent| !sent.buttons.is_empty());
        asked
            .unwrap_or_else(|| panic!("no question is open: {:?}", self.sent))
            .clone()
    }

    /// A week without updates: the next one has any number.
    pub(crate) fn a_week_passes(&mut self) {
        self.updates.clear();
        self.next_update = 17;
    }
}

fn bad(what: &str) -> (u16, String, Value) {
    (400, format!("Bad Request: {what}"), Value::Null)
}
