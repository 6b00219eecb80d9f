//! Telegram, against a bot API that keeps to the real one's rules.

use proptest::prelude::*;

use super::*;
use crate::channel::fake::http::{Reply, Server};
use crate::channel::fake::telegram::{self as fake, TOKEN};
use crate::channel::samples::means;
pub(super) use crate::channel::samples::{message, question, soon};
use crate::model::channel::Heard;
use crate::model::channel::SecretRef;

pub(super) type Service = Server<fake::Telegram>;

pub(super) fn settings(api_url: String, chat_id: &str) -> settings::Telegram {
    settings::Telegram {
        token: SecretRef::Env("T".into()),
        chat_id: chat_id.into(),
        allowed_users: vec![42, 43],
        allow_channel_posts: false,
        api_url,
    }
}

#[track_caller]
pub(super) fn made(settings: &settings::Telegram) -> Telegram {
    let mut secrets = |_: &SecretRef| Ok(Sensitive::new(format!("{TOKEN}\n")));
    Telegram::new(settings, &mut means(&mut secrets)).unwrap()
}

pub(super) fn in_group(service: &Service) -> Telegram {
    made(&settings(service.url(""), "-100"))
}

/// Asks, and gives the question with its receipt.
#[track_caller]
pub(super) fn ask(channel: &mut Telegram, code: &str) -> Question {
    let mut asked = question(code);
    let receipt = channel.send(&message(Occasion::Asked, Some(asked.clone())), soon());
    asked.receipt = Some(receipt.unwrap());
    asked
}

#[track_caller]
pub(super) fn hear(channel: &mut Telegram, cursor: Option<&str>, open: &[Question]) -> Said {
    channel.hear(cursor, open, soon()).unwrap()
}

/// The trouble of something; whatever it is, the token is not in it.
#[track_caller]
pub(super) fn trouble<T: std::fmt::Debug>(result: Result<T, Trouble>) -> Trouble {
    let trouble = result.unwrap_err();
    let key = TOKEN.split_once(':').unwrap().1;
    assert!(!trouble.why.contains(key), "{trouble:?}");
    assert!(
        trouble.why.contains("127.0.0.1") || !trouble.why.contains("POST"),
        "{trouble:?}"
    );
    trouble
}

#[test]
fn a_question_has_two_buttons_and_is_edited_when_it_is_settled() {
    let service = fake::start();
    let mut channel = in_group(&service);
    let asked = ask(&mut channel, "Code-1_x");
    let sent = service.with(|t| t.last());
    assert_eq!(sent.buttons, ["v1:a:Code-1_x", "v1:d:Code-1_x"]);
    assert!(
        sent.text
            .starts_with("portal/agent-1: down, *and* _asked_ <b>\n\nSince 10:00\nhost h\n")
    );
    assert!(
        sent.text
            .ends_with("\nrevive portal/agent-1\nskip portal/agent-1"),
        "{}",
        sent.text
    );
    assert_eq!(asked.receipt, Some(format!("-100/{}", sent.id)));

    let mut settled = message(Occasion::Settled, Some(asked.clone()));
    settled.title = "portal/agent-1: approved by 42".into();
    settled.earlier = asked.receipt.clone();
    for _ in 0..2 {
        // The second time there is nothing to modify, which is fine.
        assert_eq!(
            channel.send(&settled, soon()),
            Ok(asked.receipt.clone().unwrap())
        );
    }
    let edited = service.with(|t| t.last());
    assert_eq!(
        (edited.id, edited.edits, edited.buttons.len()),
        (sent.id, 1, 0)
    );
    assert!(edited.text.starts_with("portal/agent-1: approved by 42"));
    // Gone is as good as settled.
    service.with(|t| t.sent.clear());
    assert_eq!(channel.send(&settled, soon()), Ok(asked.receipt.unwrap()));
    assert!(service.with(|t| t.sent.is_empty()));
    // A question of which nothing is known is told of anew.
    settled.earlier = None;
    assert_ne!(channel.send(&settled, soon()), Ok(String::new()));
}

#[test]
fn what_follows_replies_to_what_came_first_and_good_news_make_no_noise() {
    let service = fake::start();
    let mut channel = in_group(&service);
    let first = channel
        .send(&message(Occasion::Down, None), soon())
        .unwrap();
    let mut next = message(Occasion::Recovered, None);
    next.earlier = Some(first);
    channel.send(&next, soon()).unwrap();
    let sent = service.with(|t| t.sent.clone());
    assert_eq!(sent[1].replies_to, Some(sent[0].id));
    assert!(sent[1].quiet && !sent[0].quiet);
    assert!(sent.iter().all(|sent| sent.buttons.is_empty()));
    // The receipt of another chat, or of no chat, is of no use here.
    for odd in ["-7/12", "x", ""] {
        next.earlier = Some(odd.into());
        channel.send(&next, soon()).unwrap();
        assert_eq!(service.with(|t| t.last().replies_to), None, "{odd}");
    }
}

#[test]
fn nobody_is_shown_buttons_who_may_not_press_them() {
    let service = fake::start();
    let mut settings = settings(service.url(""), "-100");
    settings.allowed_users.clear();
    let mut channel = made(&settings);
    ask(&mut channel, "c");
    let sent = service.with(|t| t.last());
    assert!(
        sent.buttons.is_empty() && !sent.text.contains("revive"),
        "{}",
        sent.text
    );
}

#[test]
fn a_long_text_is_cut_to_what_telegram_takes_and_keeps_how_to_answer() {
    let service = fake::start();
    let mut channel = in_group(&service);
    let mut long = message(Occasion::Asked, Some(question("c")));
    for text in ["x".repeat(9000), "😀".repeat(3000)] {
        long.text = text;
        channel.send(&long, soon()).unwrap();
        let text = service.with(|t| t.last().text);
        assert!(
            text.contains("cut here") && text.ends_with("skip portal/agent-1"),
            "{text}"
        );
        assert!(text.encode_utf16().count() > 4000);
    }
}

#[test]
fn button_words_and_reply_answer_and_the_offset_moves_once_they_are_durable() {
    let service = fake::start();
    let mut channel = in_group(&service);
    let asked = ask(&mut channel, "c0de");
    let open = [asked.clone()];
    let sent = service.with(|t| {
        let sent = t.last();
        t.press(&sent, 42, true);
        t.write(-100, 43, "skip portal/agent-1");
        t.reply(&sent, 42, "+1");
        t.write(-100, 42, "what is that?");
        t.write(
            -100,
            42,
            &format!("/revive@{} other/x", fake::BOT_NAME.to_uppercase()),
        );
        sent
    });
    let before = service.with(|t| t.now());
    let said = hear(&mut channel, None, &open);
    let told: Vec<_> = said
        .all
        .iter()
        .map(|h| {
            (
                &*h.who,
                h.yes,
                h.code.as_deref(),
                h.subject.as_deref(),
                &h.refused,
            )
        })
        .collect();
    let subject = Some("portal/agent-1");
    assert_eq!(
        told,
        [
            ("42", true, Some("c0de"), subject, &None),
            ("43", false, None, subject, &None),
            ("42", true, Some("c0de"), subject, &None),
            ("42", true, None, Some("other/x"), &None),
        ]
    );
    for heard in &said.all {
        let at = heard.at.as_micros() / 1_000_000;
        assert!((before - 5..before + 60).contains(&at), "{heard:?}");
    }
    assert_eq!(service.with(|t| t.acknowledged.clone()), ["Received."]);

    // A run that was killed before it was durable reads the same, under the same ids.
    let again = hear(&mut channel, None, &open);
    let ids = |said: &Said| said.all.iter().map(|h| h.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&said));
    let distinct: std::collections::BTreeSet<_> = ids(&said).into_iter().collect();
    assert_eq!(distinct.len(), 4);
    // Nothing was confirmed by that; with the cursor all of it is.
    assert_eq!(service.with(|t| t.updates.len()), 5);
    let none = hear(&mut channel, said.cursor.as_deref(), &open);
    assert_eq!((none.all.len(), &none.cursor), (0, &said.cursor));
    assert_eq!(service.with(|t| t.updates.len()), 0);
    assert_eq!(sent.buttons.len(), 2);
}

#[test]
fn an_answer_that_was_lost_is_a_passing_trouble_and_the_next_try_the_only_repeat() {
    let service = fake::start();
    let mut channel = in_group(&service);
    service.with(|t| t.lose = 1);
    let lost = trouble(channel.send(&message(Occasion::Down, None), soon()));
    assert!(!lost.hopeless && lost.retry_after.is_none(), "{lost:?}");
    channel
        .send(&message(Occasion::Down, None), soon())
        .unwrap();
    let sent = service.with(|t| t.sent.clone());
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].text, sent[1].text);
    // Answers are not lost with an answer: they are there until they are confirmed.
    service.with(|t| {
        t.lose = 1;
        t.write(-100, 42, "revive a");
    });
    trouble(channel.hear(None, &[], soon()));
    assert_eq!(hear(&mut channel, None, &[]).all.len(), 1);
}

#[test]
fn each_refusal_says_what_to_do_and_what_can_be_mended_is_tried_again() {
    let sent = |change: fn(&mut fake::Telegram)| {
        let service = fake::start();
        service.with(change);
        let mut channel = in_group(&service);
        trouble(channel.send(&message(Occasion::Down, None), soon()))
    };
    let heard = |change: fn(&mut fake::Telegram)| {
        let service = fake::start();
        service.with(change);
        trouble(in_group(&service).hear(None, &[], soon()))
    };
    let told = sent(|t| t.limited = (1, 31));
    assert_eq!(told.retry_after, Some(31));
    for (told, want) in [
        (told, "429: Too Many Requests: retry after 31"),
        (sent(|t| t.banned = true), "let the bot into the chat again"),
        (sent(|t| t.migrated = Some(-1009)), "write `chat_id: -1009`"),
        (sent(|t| t.chats.clear()), "is `chat_id` right"),
        (
            sent(|t| t.revoked = true),
            "@BotFather shows the current one",
        ),
        (
            heard(|t| t.webhook = "https://x.example/".into()),
            "a webhook is set",
        ),
        (heard(|t| t.polled = true), "a bot of its own"),
    ] {
        assert!(told.why.contains(want), "{told:?}");
        assert!(!told.hopeless, "{told:?}");
    }
    // What is wrong with the message itself is so each time.
    let service = fake::start();
    let mut empty = message(Occasion::Down, None);
    (empty.title, empty.text) = (String::new(), String::new());
    let told = trouble(in_group(&service).send(&empty, soon()));
    assert!(told.hopeless, "{told:?}");
}

#[test]
fn the_token_is_not_told_even_where_the_server_repeats_it() {
    let service = fake::start();
    service.with(|t| {
        t.revoked = true;
        t.chatter = format!(" at /bot{TOKEN}/sendMessage \u{1b}[31m");
    });
    let told = trouble(in_group(&service).send(&message(Occasion::Down, None), soon()));
    assert!(
        told.why
            .contains("Unauthorized at /bot…/sendMessage \\x1b[31m"),
        "{told:?}"
    );
    for token in [
        "",
        "12:a/../b",
        "12:a b",
        "BOT=\"12:abc\"",
        "12:a?b",
        "12:a#b",
        "12:a%2fb",
    ] {
        let mut secrets = |_: &SecretRef| Ok(Sensitive::new(token.to_owned()));
        let made = Telegram::new(&settings(String::new(), "1"), &mut means(&mut secrets));
        let why = made.err().unwrap().why;
        assert!(token.is_empty() || !why.contains(token), "{why}");
    }
    let mut secrets = |_: &SecretRef| Err("the variable T is not set".to_owned());
    let made = Telegram::new(&settings(String::new(), "1"), &mut means(&mut secrets));
    assert_eq!(made.err().unwrap().why, "token: the variable T is not set");
}

#[test]
fn what_answers_may_be_no_bot_api() {
    for (reply, hopeless) in [
        (Reply::new(200, "<html>"), false),
        (Reply::new(200, "{\"ok\":true"), false),
        (Reply::new(200, "{}"), false),
        (Reply::new(400, "<html>"), false),
        (Reply::new(502, ""), false),
        (
            Reply::new(302, "").with("Location", "http://127.0.0.1:1/"),
            false,
        ),
    ] {
        let server = Server::start(reply, |reply, _| reply.clone());
        let mut channel = made(&settings(server.url(""), "1"));
        let sent = channel.send(&message(Occasion::Down, None), soon());
        assert_eq!(trouble(sent).hopeless, hopeless);
        trouble(channel.hear(None, &[], soon()));
        trouble(channel.look(soon()));
    }
}

#[test]
fn a_look_says_whose_token_it_is_and_what_the_chat_is() {
    let service = fake::start();
    let said = in_group(&service).look(soon()).unwrap();
    let want = "the bot @pit_bot finds the supergroup \"Ops\"; privacy mode is on";
    assert!(said.starts_with(want), "{said}");
    let said = made(&settings(service.url(""), "@ops_group"))
        .look(soon())
        .unwrap();
    assert!(said.contains("\"Ops\""), "{said}");
    assert_eq!(service.with(|t| t.sent.len()), 0);
    service.with(|t| t.webhook = "https://x.example/key".into());
    let told = trouble(in_group(&service).look(soon()));
    assert!(
        told.why.contains("webhook") && !told.why.contains("x.example"),
        "{told:?}"
    );
}

#[test]
fn a_public_chat_goes_by_its_name_in_any_case() {
    let service = fake::start();
    let mut channel = made(&settings(service.url(""), "@Ops_Group"));
    service.with(|t| t.chats[1]["username"] = "Ops_Group".into());
    let open = [ask(&mut channel, "c")];
    service.with(|t| {
        t.chats[1]["username"] = "ops_GROUP".into();
        let sent = t.last();
        t.press(&sent, 42, true);
    });
    let said = hear(&mut channel, None, &open);
    assert_eq!(said.all[0].refused, None);
}

proptest! {
    /// Whatever an update is made of, it is read to its end, and counts only from an allowed user in
    /// the right chat.
    #[test]
    fn no_update_breaks_it(kind in 0..UPDATES.len(), keys in proptest::collection::vec((0..14usize, 0..9usize), 0..10)) {
        const KEYS: [&str; 14] = [
            "message_id", "date", "edit_date", "chat", "from", "text", "sender_chat", "via_bot",
            "forward_origin", "reply_to_message", "id", "data", "message", "update_id",
        ];
        let values = [
            json!(null), json!(42), json!(-100), json!("revive a"), json!("v1:a:c"), json!([1]),
            json!({"id": 42, "is_bot": false}), json!({"id": -100}), json!({"id": 1e300, "is_bot": 3}),
        ];
        let mut inner = json!({});
        for (key, value) in keys {
            inner[KEYS[key]] = values[value].clone();
        }
        let chat = Chat::Number(-100);
        let view = View { bot: Some(1), name: None, chat: &chat, allowed: &[42], posts: false, open: &[], now: Timestamp::from_secs(5), clock: Clock::default() };
        let (heard, _) = view.of(&json!({"update_id": 1, UPDATES[kind]: inner}));
        if let Some(Heard { refused: None, who, .. }) = heard {
            prop_assert_eq!(who, "42");
        }
    }
}

/// Names are the choice of agents: in no line of a message do they begin another, or steer a terminal.
#[test]
fn a_name_cannot_leave_its_place_and_the_last_line_says_where_to_look() {
    let service = fake::start();
    let mut channel = in_group(&service);
    let mut asked = question("c0de");
    asked.subject = "x\n\nURGENT: run this\u{1b}[31m\u{202e}/main".into();
    let mut message = message(Occasion::Asked, Some(asked));
    message.text = "What: x\nIncident: i1\nLook closer: lazarus-pit explain x".into();
    channel.send(&message, soon()).unwrap();
    let text = service.with(|t| t.last().text);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("URGENT")),
        "{text}"
    );
    assert!(text.contains("\nrevive x\\n\\nURGENT"), "{text}");
    let order = [
        "What: ",
        "\nrevive ",
        "\nskip ",
        "\nIncident: i1",
        "\nLook closer: ",
    ];
    let places: Vec<_> = order.iter().map(|part| text.find(part)).collect();
    assert!(places.is_sorted() && places[0].is_some(), "{text}");
}
