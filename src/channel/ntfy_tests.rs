//! ntfy, against a server with a cache, access tokens and limits.

use proptest::prelude::*;

use super::*;
use crate::channel::fake::http::Server;
use crate::channel::fake::ntfy::{self as fake, TOKEN};
use crate::channel::samples::{means, message, question, soon};
use crate::model::channel::SecretRef;

const TOPIC: &str = "secret-topic-1";
const REPLIES: &str = "reply-8Sx1";

fn settings(url: String) -> settings::Ntfy {
    settings::Ntfy {
        url,
        topic: Setting::Plain(TOPIC.into()),
        reply_topic: Some(Setting::Secret(SecretRef::Env("R".into()))),
        token: Some(SecretRef::Env("T".into())),
    }
}

fn made(settings: &settings::Ntfy) -> Result<Ntfy, Trouble> {
    let mut secrets = |secret: &SecretRef| {
        let SecretRef::Env(name) = secret else {
            return Err("no such file".into());
        };
        Ok(Sensitive::new(match &**name {
            "T" => format!("{TOKEN}\n"),
            _ => REPLIES.to_owned(),
        }))
    };
    Ntfy::new(settings, &mut means(&mut secrets))
}

fn with(service: &Server<fake::Ntfy>) -> Ntfy {
    made(&settings(service.url(""))).unwrap()
}

/// The trouble of something; whatever it is, no secret is in it.
#[track_caller]
fn trouble<T: std::fmt::Debug>(result: Result<T, Trouble>) -> Trouble {
    let trouble = result.unwrap_err();
    for secret in [TOKEN, TOPIC, REPLIES] {
        assert!(!trouble.why.contains(secret), "{trouble:?}");
    }
    trouble
}

#[test]
fn a_question_has_two_buttons_whose_posts_are_read_back_once() {
    let service = fake::start();
    service.with(|t| t.private = true);
    let mut channel = with(&service);
    let mut asked = question("c0de_1-x");
    let receipt = channel
        .send(&message(Occasion::Asked, Some(asked.clone())), soon())
        .unwrap();
    asked.receipt = Some(receipt.clone());
    let open = [asked.clone()];
    let shown = service.with(|t| t.shown(TOPIC));
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["title"], "portal/agent-1: down, *and* _asked_ <b>");
    assert_eq!(shown[0]["message"], "Since 10:00\nhost h");
    assert_eq!(shown[0]["priority"], 5);
    let button = &shown[0]["actions"][0];
    assert_eq!(button["url"], service.url(&format!("/{REPLIES}")));
    assert_eq!(
        (&button["body"], &button["clear"]),
        (&json!("approve c0de_1-x"), &json!(true))
    );

    service.with(|t| {
        t.press(&shown[0], 1);
        t.press(&shown[0], 0);
        t.post(REPLIES, "hello");
    });
    let said = channel.hear(None, &open, soon()).unwrap();
    let told = |h: &Heard| (h.yes, h.code.clone(), h.subject.clone(), h.refused.clone());
    let subject = Some("portal/agent-1".to_owned());
    let want = |yes| (yes, Some("c0de_1-x".to_owned()), subject.clone(), None);
    assert_eq!(
        said.all.iter().map(told).collect::<Vec<_>>(),
        [want(false), want(true)]
    );
    assert!(
        said.all
            .iter()
            .all(|h| h.at.since(asked.asked_at) < Duration::from_secs(60))
    );
    // The same again under the same ids, until the cursor says that it is durable.
    assert_eq!(channel.hear(None, &open, soon()).unwrap(), said);
    let none = channel.hear(said.cursor.as_deref(), &[], soon()).unwrap();
    assert_eq!((none.all.len(), &none.cursor), (0, &said.cursor));

    // What settles it takes its place, and the buttons away.
    let mut settled = message(Occasion::Settled, Some(asked));
    settled.id = "m2".into();
    settled.earlier = Some(receipt.clone());
    assert_eq!(channel.send(&settled, soon()), Ok(receipt));
    let shown = service.with(|t| t.shown(TOPIC));
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["actions"], json!([]));
}

#[test]
fn what_is_sent_again_takes_the_place_of_the_first() {
    let service = fake::start();
    let mut channel = with(&service);
    service.with(|t| t.lose = 1);
    trouble(channel.send(&message(Occasion::Down, None), soon()));
    channel
        .send(&message(Occasion::Down, None), soon())
        .unwrap();
    service.with(|t| {
        assert_eq!((t.cache.len(), t.shown(TOPIC).len()), (2, 1));
    });
    assert_eq!(sequence("a b/ü"), "a-b--");
    assert!(is_topic(&sequence(&"x".repeat(100))) && is_topic(&sequence("")));
}

#[test]
fn nothing_is_read_before_anything_was_asked_and_all_of_it_where_the_last_is_forgotten() {
    let service = fake::start();
    let mut channel = with(&service);
    assert_eq!(channel.hear(None, &[], soon()), Ok(Said::default()));
    assert_eq!(service.requests(), []);
    service.with(|t| {
        t.post(REPLIES, "approve a");
        t.post(REPLIES, "deny b");
    });
    // An id that the cache does not have any more.
    let said = channel.hear(Some("aBgone"), &[], soon()).unwrap();
    assert_eq!(said.all.len(), 2);
    // A cursor that is none, and one without a question.
    assert_eq!(channel.hear(Some("x&y=z"), &[], soon()).unwrap().all, []);
    let mut old = question("a");
    old.asked_at = Timestamp::from_secs(100);
    assert_eq!(channel.since(None, &[question("b"), old]), Some("0".into()));
    assert_eq!(
        channel
            .hear(None, &[question("b")], soon())
            .unwrap()
            .all
            .len(),
        2
    );
    // Without a reply topic nobody answers.
    let mut settings = settings(service.url(""));
    settings.reply_topic = None;
    let mut mute = made(&settings).unwrap();
    mute.send(&message(Occasion::Asked, Some(question("c"))), soon())
        .unwrap();
    assert_eq!(
        service.with(|t| t.shown(TOPIC)[0]["actions"].clone()),
        json!([])
    );
    assert_eq!(mute.hear(Some("aB1"), &[], soon()).unwrap().all, []);
}

#[test]
fn what_lies_in_the_topic_may_be_anything() {
    let service = fake::start();
    let mut channel = with(&service);
    service.with(|t| {
        for text in [
            "approve",
            "deny me!",
            "approve a b",
            "",
            "approved a",
            "APPROVE c0de",
            "approve \u{1b}[2J",
            &format!("deny {}", "x".repeat(65)),
        ] {
            t.post(REPLIES, text);
        }
        t.cache
            .push(json!({"topic": REPLIES, "id": "keep", "time": 5, "event": "keepalive"}));
        t.cache.push(
            json!({"topic": REPLIES, "id": "../x", "event": "message", "message": "approve a"}),
        );
        t.cache.push(json!({"topic": REPLIES, "event": "message"}));
    });
    let said = channel
        .hear(Some("aBgone"), &[question("c0de")], soon())
        .unwrap();
    let codes: Vec<_> = said
        .all
        .iter()
        .map(|h| (h.code.as_deref(), h.refused.is_some()))
        .collect();
    let none = (None, true);
    assert_eq!(codes, [none, none, (Some("c0de"), false), none, none]);
}

#[test]
fn more_than_is_read_at_once_is_read_in_parts() {
    let service = fake::start();
    let mut channel = with(&service);
    service.with(|t| {
        (0..300).for_each(|n| {
            t.post(REPLIES, &format!("chat {}", "x".repeat(4000)));
            t.post(REPLIES, &format!("approve code-{n}"));
        })
    });
    let (mut cursor, mut codes) = (Some("aBgone".to_owned()), Vec::new());
    for _ in 0..3 {
        let said = channel.hear(cursor.as_deref(), &[], soon()).unwrap();
        codes.extend(said.all.into_iter().filter_map(|h| h.code));
        cursor = said.cursor;
    }
    let want: Vec<_> = (0..300).map(|n| format!("code-{n}")).collect();
    assert_eq!(codes, want);
}

#[test]
fn long_texts_are_cut_to_what_the_server_takes() {
    let service = fake::start();
    let mut channel = with(&service);
    for text in [
        "x".repeat(9000),
        "\"\\".repeat(3000),
        "ü".repeat(5000),
        "\u{1}".repeat(5000),
    ] {
        let mut long = message(Occasion::Asked, Some(question("c")));
        (long.title, long.text) = ("t".repeat(1000), text);
        channel.send(&long, soon()).unwrap();
    }
    service.with(|t| {
        for message in &t.cache {
            assert!(message["message"].as_str().unwrap().contains("cut here"));
            assert_eq!(message["actions"].as_array().unwrap().len(), 2);
        }
    });
}

#[test]
fn refusals_are_told_without_secrets_and_limits_with_their_end() {
    let sent = |change: fn(&mut fake::Ntfy)| {
        let service = fake::start();
        service.with(change);
        let mut settings = settings(service.url(""));
        settings.token = None;
        trouble(
            made(&settings)
                .unwrap()
                .send(&message(Occasion::Down, None), soon()),
        )
    };
    let told = sent(|t| {
        t.private = true;
        t.chatter = format!(" {TOPIC}");
    });
    assert!(
        told.why.contains("403: forbidden …; may its user"),
        "{told:?}"
    );
    assert!(!told.hopeless);
    let told = sent(|t| t.limited = (1, Some(60)));
    assert_eq!((told.retry_after, told.hopeless), (Some(60), false));
    assert_eq!(sent(|t| t.limited = (1, None)).retry_after, None);
    let service = fake::start();
    service.with(|t| t.private = true);
    let mut settings = settings(service.url(""));
    settings.token = Some(SecretRef::Env("R".into()));
    let told = trouble(made(&settings).unwrap().hear(Some("aB1"), &[], soon()));
    assert!(
        told.why.contains("401: unauthorized; is the token"),
        "{told:?}"
    );
}

#[test]
fn a_look_says_whether_answers_could_be_read() {
    let service = fake::start();
    let said = with(&service).look(soon()).unwrap();
    assert!(
        said.ends_with("is healthy, and `reply_topic` may be read"),
        "{said}"
    );
    service.with(|t| t.sick = true);
    assert!(
        trouble(with(&service).look(soon()))
            .why
            .contains("not healthy")
    );
    assert_eq!(service.with(|t| t.cache.len()), 0);
}

#[test]
fn what_cannot_be_a_topic_or_a_token_is_refused_and_not_repeated() {
    for bad in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
        let mut settings = settings("http://127.0.0.1:1".into());
        settings.topic = Setting::Plain(bad.into());
        let why = made(&settings).err().unwrap().why;
        assert!(why.starts_with("topic: that cannot be"), "{why}");
    }
    let mut settings = settings("http://127.0.0.1:1".into());
    settings.token = Some(SecretRef::File("/x".into()));
    assert_eq!(made(&settings).err().unwrap().why, "token: no such file");
}

proptest! {
    #[test]
    fn no_text_in_a_topic_breaks_it(text in "(approve|deny|Approve)?[\\s\\S]{0,80}") {
        if let Some((_, Some(code))) = of_answer(&text) {
            prop_assert!(is_topic(code) && text.contains(code));
        }
    }

    #[test]
    fn what_a_button_posts_is_read_back(code in "[A-Za-z0-9_-]{1,22}", yes: bool) {
        let word = if yes { YES } else { NO };
        let text = format!("{word} {code}");
        prop_assert_eq!(of_answer(&text), Some((yes, Some(&*code))));
    }
}

#[test]
fn a_page_that_asks_for_a_password_has_delivered_nothing() {
    for page in ["<html>Log in</html>", "", "null", "[]"] {
        let portal = Server::start(page, |page, _| {
            crate::channel::fake::http::Reply::new(200, page.as_bytes())
        });
        let mut channel = made(&settings(portal.url(""))).unwrap();
        let told = trouble(channel.send(&message(Occasion::Down, None), soon()));
        assert!(told.why.contains("not as an ntfy server does"), "{page}");
        assert!(!told.hopeless);
    }
}
