//! Whoever would like to answer in somebody else's name, in every way that Telegram has: each is
//! refused with its reason, or handed on with just what it says, for those who know the questions.

use super::tests::*;
use super::*;
use crate::channel::fake::telegram::{self as fake, BOT, Sent};
use crate::model::channel::Heard;

/// The subject of the question.
const NAME: &str = "portal/agent-1";

/// One way to try it: what is put into the queue, and a part of why it does not count.
type Spoof = (&'static str, fn(&mut fake::Telegram, &Sent), &'static str);

/// A press of this user's on yes, changed.
fn press(t: &mut fake::Telegram, on: &Sent, from: i64, change: impl FnOnce(&mut Value)) {
    let mut query = t.press_of(on, from, "v1:a:c0de");
    change(&mut query);
    t.update("callback_query", query);
}

/// Words in this chat by this user, changed.
fn words(t: &mut fake::Telegram, chat: i64, from: i64, change: impl FnOnce(&mut Value)) {
    let mut message = t.written(chat, from, &format!("revive {NAME}"));
    change(&mut message);
    t.update("message", message);
}

/// `+1` by the allowed user, as a reply to something.
fn plus(t: &mut fake::Telegram, to: Value) {
    words(t, -100, 42, |m| {
        m["text"] = "+1".into();
        m["reply_to_message"] = to;
    });
}

const BUTTONS: [Spoof; 14] = [
    (
        "a stranger",
        |t, on| press(t, on, 666, |_| ()),
        "666 is not among",
    ),
    (
        "another chat",
        |t, on| press(t, on, 42, |q| q["message"]["chat"]["id"] = json!(-300)),
        "another chat (-300)",
    ),
    (
        "a private chat",
        |t, on| {
            press(t, on, 42, |q| {
                q["message"]["chat"] = json!({"id": 42, "type": "private"})
            })
        },
        "another chat (42)",
    ),
    (
        "a chat of the same name",
        |t, on| press(t, on, 42, |q| q["message"]["chat"]["id"] = json!(-101)),
        "another chat (-101)",
    ),
    (
        "a chat as text",
        |t, on| press(t, on, 42, |q| q["message"]["chat"]["id"] = json!("-100")),
        "another chat (?)",
    ),
    (
        "another message",
        |t, on| press(t, on, 42, |q| q["message"]["message_id"] = json!(1)),
        "under another message",
    ),
    (
        "no message",
        |t, on| press(t, on, 42, |q| q["message"] = json!(null)),
        "names no message",
    ),
    (
        "an inline message",
        |t, on| {
            press(t, on, 42, |q| {
                q["message"] = json!(null);
                q["inline_message_id"] = json!("x");
            })
        },
        "names no message",
    ),
    (
        "a bot with an allowed number",
        |t, on| press(t, on, 42, |q| q["from"]["is_bot"] = json!(true)),
        "a bot",
    ),
    (
        "nobody knows whether a bot",
        |t, on| press(t, on, 42, |q| q["from"]["is_bot"] = json!(1)),
        "a bot",
    ),
    ("the bot itself", |t, on| press(t, on, BOT, |_| ()), "a bot"),
    (
        "no user",
        |t, on| press(t, on, 42, |q| q["from"] = json!(null)),
        "no sender",
    ),
    (
        "a user as text",
        |t, on| press(t, on, 42, |q| q["from"]["id"] = json!("42")),
        "no sender",
    ),
    (
        "a user as a fraction",
        |t, on| press(t, on, 42, |q| q["from"]["id"] = json!(42.5)),
        "no sender",
    ),
];

const WORDS: [Spoof; 18] = [
    (
        "a stranger",
        |t, _| words(t, -100, 666, |_| ()),
        "666 is not among",
    ),
    (
        "a stranger to the bot",
        |t, _| words(t, 666, 666, |_| ()),
        "another chat (666)",
    ),
    (
        "an allowed user to the bot alone",
        |t, _| words(t, 42, 42, |_| ()),
        "another chat (42)",
    ),
    (
        "forwarded",
        |t, _| {
            words(t, -100, 42, |m| {
                m["forward_origin"] = json!({"type": "user"})
            })
        },
        "forwarded",
    ),
    (
        "forwarded, the old way",
        |t, _| words(t, -100, 42, |m| m["forward_from"] = json!({"id": 42})),
        "forwarded",
    ),
    (
        "forwarded, its date",
        |t, _| words(t, -100, 42, |m| m["forward_date"] = json!(1)),
        "forwarded",
    ),
    (
        "forwarded from someone hidden",
        |t, _| words(t, -100, 42, |m| m["forward_sender_name"] = json!("Ann")),
        "forwarded",
    ),
    (
        "forwarded from a channel",
        |t, _| {
            words(t, -100, 42, |m| {
                m["forward_from_chat"] = json!({"id": -100})
            })
        },
        "forwarded",
    ),
    (
        "forwarded by Telegram",
        |t, _| {
            words(t, -100, 777_000, |m| {
                m["is_automatic_forward"] = json!(true)
            })
        },
        "forwarded",
    ),
    (
        "by way of a bot",
        |t, _| {
            words(t, -100, 42, |m| {
                m["via_bot"] = json!({"id": 9, "is_bot": true})
            })
        },
        "another bot",
    ),
    (
        "an anonymous admin",
        |t, _| {
            words(t, -100, 1_087_968_824, |m| {
                m["sender_chat"] = json!({"id": -100})
            })
        },
        "in the name of a chat",
    ),
    (
        "as a channel, with an allowed number",
        |t, _| words(t, -100, 42, |m| m["sender_chat"] = json!({"id": -200})),
        "in the name of a chat",
    ),
    (
        "a bot with an allowed number",
        |t, _| words(t, -100, 42, |m| m["from"]["is_bot"] = json!(true)),
        "a bot",
    ),
    (
        "no user",
        |t, _| words(t, -100, 42, |m| m["from"] = json!(null)),
        "no sender",
    ),
    (
        "Telegram itself",
        |t, _| words(t, -100, 777_000, |_| ()),
        "777000 is not among",
    ),
    (
        "a command to another bot",
        |t, _| {
            words(t, -100, 42, |m| {
                m["text"] = json!(format!("/revive@other_bot {NAME}"))
            })
        },
        "another bot",
    ),
    (
        "edited",
        |t, _| {
            let mut m = t.written(-100, 42, &format!("revive {NAME}"));
            m["edit_date"] = json!(t.now());
            t.update("edited_message", m);
        },
        "before it was edited",
    ),
    (
        "edited by a stranger",
        |t, _| {
            let m = t.written(-100, 666, &format!("skip {NAME}"));
            t.update("edited_message", m);
        },
        "before it was edited",
    ),
];

const REPLIES: [Spoof; 12] = [
    (
        "to nothing",
        |t, _| t.write(-100, 42, "+1"),
        "replies to nothing",
    ),
    (
        "no to nothing",
        |t, _| t.write(-100, 42, "-1"),
        "replies to nothing",
    ),
    (
        "a bare command",
        |t, _| t.write(-100, 42, "/revive"),
        "replies to nothing",
    ),
    (
        "to what lies in another chat",
        |t, _| {
            words(t, -100, 42, |m| {
                m["text"] = json!("+1");
                m["external_reply"] = json!({"message_id": 12});
            })
        },
        "replies to nothing",
    ),
    (
        "to a user",
        |t, _| {
            let to = t.written(-100, 43, "well");
            plus(t, to)
        },
        "no open question",
    ),
    (
        "to the message of that number elsewhere",
        |t, on| plus(t, json!({"message_id": on.id, "chat": {"id": -300}})),
        "no open question",
    ),
    (
        "to another message of the bot",
        |t, on| plus(t, json!({"message_id": on.id - 1, "chat": {"id": -100}})),
        "no open question",
    ),
    (
        "to a message of a chat without a number",
        |t, on| plus(t, json!({"message_id": on.id, "chat": {"id": "-100"}})),
        "no open question",
    ),
    (
        "to a message without a number",
        |t, _| plus(t, json!({"chat": {"id": -100}})),
        "no open question",
    ),
    (
        "by a stranger",
        |t, on| t.reply(on, 666, "+1"),
        "666 is not among",
    ),
    (
        "no by a stranger",
        |t, on| t.reply(on, 666, "-1"),
        "666 is not among",
    ),
    (
        "edited into one",
        |t, on| {
            let mut m = t.written(-100, 42, "+1");
            m["reply_to_message"] = json!({"message_id": on.id, "chat": {"id": -100}});
            t.update("edited_message", m);
        },
        "before it was edited",
    ),
];

const POSTS: [Spoof; 4] = [
    (
        "a post",
        |t, _| {
            let mut m = t.written(-100, 42, &format!("revive {NAME}"));
            m["from"] = json!(null);
            t.update("channel_post", m);
        },
        "names no sender",
    ),
    (
        "a post with an allowed number",
        |t, _| {
            let m = t.written(-100, 42, &format!("revive {NAME}"));
            t.update("channel_post", m);
        },
        "names no sender",
    ),
    (
        "a post of another channel",
        |t, _| {
            let m = t.written(-200, 42, &format!("revive {NAME}"));
            t.update("channel_post", m);
        },
        "another chat (-200)",
    ),
    (
        "an edited post",
        |t, _| {
            let m = t.written(-100, 42, &format!("revive {NAME}"));
            t.update("edited_channel_post", m);
        },
        "before it was edited",
    ),
];

#[test]
fn nobody_answers_for_another_and_the_one_who_may_is_heard_once() {
    let all: Vec<Spoof> = [&BUTTONS[..], &WORDS, &REPLIES, &POSTS].concat();
    assert!(all.len() >= 40, "{}", all.len());
    let service = fake::start();
    let mut channel = in_group(&service);
    channel
        .send(&message(Occasion::Down, None), soon())
        .unwrap();
    let open = [ask(&mut channel, "c0de")];
    let sent = service.with(|t| t.last());
    let mut cursor = None;
    for (name, spoof, why) in all {
        service.with(|t| spoof(t, &sent));
        let said = hear(&mut channel, cursor.as_deref(), &open);
        let [heard] = &said.all[..] else {
            panic!("{name}: {said:?}")
        };
        let unbound = heard.code.is_none() && heard.subject.is_none();
        let refused = match heard.refused.as_deref() {
            // What answers no question counts for none: who asked says so.
            None if unbound => "it replies to nothing",
            refused => refused.unwrap_or("it counts"),
        };
        assert!(refused.contains(why), "{name}: {refused}");
        assert!(!refused.contains("c0de"), "{name}: {refused}");
        cursor = said.cursor;
    }
    service.with(|t| t.press(&sent, 42, true));
    let said = hear(&mut channel, cursor.as_deref(), &open);
    assert_eq!(said.all.len(), 1);
    assert_eq!(said.all[0].refused, None);
    assert_eq!(said.all[0].code.as_deref(), Some("c0de"));
    // Strangers are not told why.
    let told = service.with(|t| t.acknowledged.clone());
    assert!(
        told.iter()
            .all(|text| text == "This answer does not count." || text == "Received.")
    );
}

#[test]
fn what_looks_like_an_answer_and_is_none_is_not_heard() {
    let service = fake::start();
    let mut channel = in_group(&service);
    let open = [ask(&mut channel, "c0de")];
    service.with(|t| {
        for text in [
            "r\u{435}vive portal/agent-1",
            "+1\nrevive portal/agent-1",
            "> revive portal/agent-1",
            "+1!",
        ] {
            t.write(-100, 42, text);
        }
        t.update(
            "message",
            json!({"message_id": 1, "chat": {"id": -100}, "from": fake::user(42)}),
        );
        t.update("my_chat_member", json!({"chat": {"id": -100}}));
    });
    let said = hear(&mut channel, None, &open);
    assert_eq!(said.all, []);
    // Buttons are pressed on purpose: those that are none of ours are refused in words.
    service.with(|t| {
        let sent = t.last();
        for data in ["v1:a:", "v1:a:c0de;", "v1:x:c0de", "c0de", "v1:a:c0de\n"] {
            press(t, &sent, 42, |q| q["data"] = json!(data));
        }
        press(t, &sent, 42, |q| q["data"] = json!(null));
    });
    let said = hear(&mut channel, said.cursor.as_deref(), &open);
    assert_eq!(said.all.len(), 6);
    for heard in said.all {
        assert!(heard.refused.is_some() && heard.code.is_none(), "{heard:?}");
    }
}

#[test]
fn what_only_the_asker_can_judge_comes_with_exactly_what_it_says() {
    let service = fake::start();
    let mut channel = in_group(&service);
    let asked = ask(&mut channel, "c0de");
    let sent = service.with(|t| t.last());
    let one = |channel: &mut Telegram, change: &dyn Fn(&mut fake::Telegram)| -> Heard {
        service.with(|t| {
            t.updates.clear();
            change(t);
        });
        let mut said = hear(channel, None, std::slice::from_ref(&asked));
        assert_eq!(said.all.len(), 1, "{said:?}");
        assert_eq!(said.all[0].refused, None);
        said.all.remove(0)
    };
    // The code of another incident, another attempt, another plan: other codes.
    for code in ["0ther", "C0de", "c0de-2"] {
        let heard = one(&mut channel, &|t| {
            press(t, &sent, 42, |q| q["data"] = json!(format!("v1:a:{code}")))
        });
        assert_eq!((heard.code.as_deref(), heard.subject), (Some(code), None));
    }
    // Older than the question, and long after it; another subject; a name with an escape sequence.
    for (date, name) in [
        (1, NAME),
        (4_000_000_000, NAME),
        (1, "portal/agent-2"),
        (1, "portal"),
    ] {
        let heard = one(&mut channel, &|t| {
            words(t, -100, 42, |m| {
                m["date"] = json!(date);
                m["text"] = json!(format!("skip {name}"));
            })
        });
        assert_eq!(heard.at, Timestamp::from_secs(date));
        assert_eq!(
            (heard.code, heard.subject.as_deref(), heard.yes),
            (None, Some(name), false)
        );
    }
    let heard = one(&mut channel, &|t| {
        words(t, -100, 42, |m| m["text"] = json!("revive a\u{1b}[0m"))
    });
    assert_eq!(heard.subject.as_deref(), Some("a\\x1b[0m"));
    // The same press a hundred times is one thing that was said; another press is another one.
    let query = service.with(|t| t.press_of(&sent, 42, "v1:a:c0de"));
    service.with(|t| {
        t.updates.clear();
        (0..99).for_each(|_| {
            t.update("callback_query", query.clone());
        });
        t.press(&sent, 42, true);
    });
    let said = hear(&mut channel, None, std::slice::from_ref(&asked));
    assert_eq!(said.all.len(), 100);
    let ids: std::collections::BTreeSet<_> = said.all.iter().map(|h| &h.id).collect();
    assert_eq!(ids.len(), 2);
}
