//! An ntfy server: topics with a cache, and what phones post to them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::http::{Reply, Request, Server};

/// The access token of the one user.
pub(crate) const TOKEN: &str = "tk_CANARY9f3b77aa0c1d2e";

/// All that the server knows.
#[derive(Debug, Default)]
pub(crate) struct Ntfy {
    /// What lies in its cache, oldest first.
    pub(crate) cache: Vec<Value>,
    next: u64,
    /// Reading and publishing need the token.
    pub(crate) private: bool,
    /// So many publications are refused with 429, and this `Retry-After`, where there is one.
    pub(crate) limited: (u32, Option<u64>),
    /// The answers to so many requests are lost after they were carried out.
    pub(crate) lose: u32,
    pub(crate) sick: bool,
    /// It puts this at the end of every refusal.
    pub(crate) chatter: String,
}

pub(crate) fn start() -> Server<Ntfy> {
    Server::start(Ntfy::default(), Ntfy::answer)
}

impl Ntfy {
    fn answer(&mut self, request: &Request) -> Reply {
        let reply = self.done(request);
        if self.lose > 0 {
            self.lose -= 1;
            return reply.lost();
        }
        reply
    }

    fn done(&mut self, request: &Request) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let authorized = request.header("authorization") == Some(&format!("Bearer {TOKEN}"));
        match (&*request.method, &parts[..]) {
            ("GET", ["v1", "health"]) => Reply::json(200, &json!({"healthy": !self.sick})),
            _ if self.private && request.header("authorization").is_some() && !authorized => {
                self.refuse(401, 40101, "unauthorized")
            }
            // Anybody may write to the topic for replies, which is what its name is for.
            ("POST", [topic]) if topic.starts_with("reply") => {
                let body = String::from_utf8(request.body.clone()).unwrap();
                Reply::json(200, &self.post(topic, &body))
            }
            _ if self.private && !authorized => self.refuse(403, 40301, "forbidden"),
            ("GET", [_, "auth"]) => Reply::json(200, &json!({"success": true})),
            ("GET", [topic, "json"]) => self.poll(topic, query),
            ("POST", [""]) => self.publish(request),
            _ => self.refuse(404, 40401, "page not found"),
        }
    }

    fn refuse(&self, status: u16, code: u32, error: &str) -> Reply {
        let error = format!("{error}{}", self.chatter);
        Reply::json(
            status,
            &json!({"code": code, "http": status, "error": error}),
        )
    }

    fn publish(&mut self, request: &Request) -> Reply {
        if self.limited.0 > 0 {
            self.limited.0 -= 1;
            let reply = self.refuse(429, 42901, "limit reached: too many requests");
            return match self.limited.1 {
                Some(seconds) => reply.with("Retry-After", &seconds.to_string()),
                None => reply,
            };
        }
        if request.body.len() > 8192 {
            return self.refuse(413, 41303, "JSON body too large");
        }
        let Ok(json) = serde_json::from_slice::<Value>(&request.body) else {
            return self.refuse(
                400,
                40024,
                "invalid request: request body must be valid JSON",
            );
        };
        let text = json["message"].as_str().unwrap_or_default();
        if text.len() > 4096 {
            return self.refuse(400, 40014, "invalid request: attachments not allowed");
        }
        if json["actions"].as_array().is_some_and(|all| all.len() > 3) {
            return self.refuse(400, 40018, "invalid request: actions invalid");
        }
        let topic = json["topic"].as_str().unwrap_or_default().to_owned();
        let mut message = self.message(&topic, text);
        for key in ["title", "priority", "tags", "actions"] {
            message[key] = json[key].clone();
        }
        if let Some(sequence) = request.header("x-sequence-id") {
            message["sequence_id"] = sequence.into();
        }
        self.cache.push(message.clone());
        Reply::json(200, &message)
    }

    fn message(&mut self, topic: &str, text: &str) -> Value {
        self.next += 1;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        json!({
            "id": format!("aB{:010}", self.next), "time": now, "expires": now + 43_200,
            "event": "message", "topic": topic, "message": text,
        })
    }

    /// What comes after an id, or since a time; all of it where the id is not known any more.
    fn poll(&self, topic: &str, query: &str) -> Reply {
        assert!(query.contains("poll=1"), "nobody waits: {query}");
        let since = query
            .split('&')
            .find_map(|part| part.strip_prefix("since="));
        let since = since.unwrap_or("all");
        let after = self
            .cache
            .iter()
            .position(|m| m["id"] == since)
            .map_or(0, |at| at + 1);
        let from: Option<u64> = since.parse().ok();
        let found = self.cache[after..].iter().filter(|m| {
            m["topic"] == topic && from.is_none_or(|from| m["time"].as_u64() >= Some(from))
        });
        let lines: String = found.map(|m| format!("{m}\n")).collect();
        Reply::new(200, lines).with("Content-Type", "application/x-ndjson")
    }

    /// What is shown on a phone that follows a topic: of each sequence the last.
    pub(crate) fn shown(&self, topic: &str) -> Vec<Value> {
        let mut shown: Vec<Value> = Vec::new();
        for message in self.cache.iter().filter(|m| m["topic"] == topic) {
            shown.retain(|m| {
                m["sequence_id"].is_null() || m["sequence_id"] != message["sequence_id"]
            });
            shown.push(message.clone());
        }
        shown
    }

    /// Somebody posts something.
    pub(crate) fn post(&mut self, topic: &str, body: &str) -> Value {
        let message = self.message(topic, body);
        self.cache.push(message.clone());
        message
    }

    /// Somebody presses a button below a message: the phone does what it says.
    pub(crate) fn press(&mut self, message: &Value, button: usize) {
        let action = &message["actions"][button];
        assert_eq!(
            (&action["action"], &action["method"]),
            (&json!("http"), &json!("POST"))
        );
        assert!(action["headers"].is_null(), "no token goes to a phone");
        let topic = action["url"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        self.post(&topic, action["body"].as_str().unwrap());
    }
}
