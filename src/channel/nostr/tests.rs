//! Nostr, against real relays of a library's, and against some that no library would make.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ::nostr::event::{EventBuilder, FinalizeEvent as _, Kind};
use ::nostr::filter::Filter;
use ::nostr::message::{ClientMessage, RelayMessage};
use nostr_relay_builder::builder::{RelayBuilder, RelayBuilderNip42, RelayBuilderNip42Mode};
use proptest::prelude::*;
use tungstenite::{Message as Frame, WebSocket, accept};

use super::*;
use crate::channel::fake::nostr::{Phone, start, start_as};
use crate::channel::samples::means;
use crate::model::channel::{Heard, Occasion, SecretRef, Sensitive};

/// The sender's key: it must turn up nowhere.
const KEY: &str = "c0ffee5ec4e7ca4a51deadbeef00112233445566778899aabbccddeeff010203";

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn settings(relays: &[&str], recipients: &[String]) -> channel::Nostr {
    channel::Nostr {
        relays: relays.iter().map(|url| (*url).to_owned()).collect(),
        key: SecretRef::Env("K".into()),
        recipients: recipients.to_vec(),
        insecure: false,
    }
}

fn made(settings: &channel::Nostr) -> Result<Nostr, Trouble> {
    let mut secrets = |_: &SecretRef| Ok(Sensitive::new(KEY.to_owned()));
    Nostr::new(settings, &mut means(&mut secrets))
}

#[track_caller]
fn to(relays: &[&str], phones: &[&Phone]) -> Nostr {
    let recipients: Vec<String> = phones.iter().map(|phone| phone.npub()).collect();
    made(&settings(relays, &recipients)).unwrap()
}

fn question() -> Question {
    Question {
        subject: "portal/main".into(),
        code: "n0nce-n0nce".into(),
        asked_at: host::now(),
        expires_at: host::now().plus(Duration::from_secs(3600)),
        receipt: None,
    }
}

fn message(occasion: Occasion) -> Message {
    Message {
        id: "m1".into(),
        occasion,
        at: host::now(),
        host: "h".into(),
        subject: Some("portal/main".into()),
        incident: Some("i1".into()),
        attempt: Some(1),
        plan: Some("p".into()),
        title: "portal/main: down".into(),
        text: "since 10:00\nhost h".into(),
        question: (occasion == Occasion::Asked).then(question),
        issue: None,
        earlier: None,
        last: false,
    }
}

#[track_caller]
fn hear(channel: &mut Nostr, cursor: Option<&str>, open: &[Question]) -> (Vec<Heard>, String) {
    let said = channel.hear(cursor, open, soon()).unwrap();
    (said.all, said.cursor.unwrap())
}

/// The trouble of something; the key is not in it.
#[track_caller]
fn trouble<T>(outcome: Result<T, Trouble>) -> Trouble {
    let trouble = outcome.err().unwrap();
    assert!(!trouble.why.contains(&KEY[..8]), "{}", trouble.why);
    trouble
}

#[test]
fn a_question_arrives_and_its_answer_comes_back() {
    let relay = start();
    let phone = Phone::new(&relay);
    let mut channel = to(&[&relay], &[&phone]);
    let own = channel.keys.public_key();
    let mut asked = question();
    let sent = message(Occasion::Asked);
    let receipt = channel.send(&sent, soon()).unwrap();
    asked.receipt = Some(receipt.clone());
    let letters = phone.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].pubkey, own);
    assert_eq!(letters[0].compute_id().to_hex(), receipt);
    let text = &letters[0].content;
    assert!(
        text.starts_with("portal/main: down\n\nsince 10:00\nhost h\n\n"),
        "{text}"
    );
    assert!(text.contains("`revive portal/main`"), "{text}");
    // The relay learns neither what is said, nor by whom, nor when.
    let wrap = &phone.wraps()[0];
    assert!(wrap.pubkey != own && !wrap.content.contains("portal"));
    let now = now();
    assert!((now - cursor::BACK..=now).contains(&wrap.created_at.as_secs()));
    // Programs look up where an answer is to go.
    let lists = phone.query(Filter::new().kind(Kind::InboxRelays).author(own));
    assert_eq!(lists::named(&lists[0]).next().unwrap().to_string(), relay);
    // Sent again, whatever became of the first, it is the same message.
    assert_eq!(channel.send(&sent, soon()).unwrap(), receipt);
    assert_eq!((phone.wraps().len(), phone.letters().len()), (2, 1));

    let (nothing, cursor) = hear(&mut channel, None, std::slice::from_ref(&asked));
    assert_eq!(nothing, []);
    phone.write(own, "+1", Some(&receipt));
    let (heard, cursor) = hear(&mut channel, Some(&cursor), std::slice::from_ref(&asked));
    assert_eq!(heard.len(), 1);
    let answer = &heard[0];
    assert_eq!((&answer.who, answer.yes), (&phone.npub(), true));
    assert_eq!(answer.code.as_deref(), Some("n0nce-n0nce"));
    assert_eq!(answer.refused, None);
    assert_eq!(hear(&mut channel, Some(&cursor), &[asked]).0, []);
    // Who lost all memory hears it again, by the same id.
    assert_eq!(hear(&mut channel, None, &[]).0[0].id, answer.id);

    let mut settled = message(Occasion::Settled);
    settled.earlier = Some(receipt.clone());
    settled.id = "m2".into();
    settled.at = settled.at.plus(Duration::from_secs(2));
    channel.send(&settled, soon()).unwrap();
    let reply = phone.letters().pop().unwrap();
    let replied: Vec<String> = reply.tags.event_ids().map(|id| id.to_hex()).collect();
    assert_eq!(replied, [receipt]);
}

/// Relays that show private messages to nobody but the one they are for, and take nothing from
/// those whom they do not know.
#[test]
fn a_relay_that_wants_to_know_who_asks_is_told() {
    let shy = RelayBuilder::default()
        .auth_dm(true)
        .nip42(RelayBuilderNip42 {
            mode: RelayBuilderNip42Mode::Write,
        });
    let open = start();
    let relay = start_as(shy);
    let phone = Phone::new(&open);
    let mut channel = to(&[&relay, &open], &[&phone]);
    // Both take it, though only one is needed.
    let receipt = channel.send(&message(Occasion::Asked), soon()).unwrap();
    let mut only = to(&[&relay], &[&phone]);
    assert_eq!(
        only.send(&message(Occasion::Down), soon())
            .map(|id| id.len()),
        Ok(64)
    );
    // It reads there, too.
    let only_reads = only.hear(None, &[], soon()).unwrap();
    assert_eq!(only_reads.all, []);
    assert_eq!(phone.letters()[0].compute_id().to_hex(), receipt);
    assert!(only.look(soon()).unwrap().contains("npub1"));
}

#[test]
fn it_goes_where_each_wants_to_be_written_to() {
    let (ours, anns, bens) = (start(), start(), start());
    let [ann, ben] = [&anns, &bens].map(|relay| {
        let mut phone = Phone::new(relay);
        phone.url.clone_from(&ours);
        phone.list(&[
            relay,
            "wss://127.0.0.1:1",
            "ws://192.168.0.1:1",
            "wss://10.0.0.1",
        ]);
        phone.url.clone_from(relay);
        phone
    });
    let mut channel = to(&[&ours], &[&ann, &ben]);
    let receipt = channel.send(&message(Occasion::Down), soon()).unwrap();
    for phone in [&ann, &ben] {
        assert_eq!(phone.letters()[0].compute_id().to_hex(), receipt);
        // Each gets what is for it, and nothing that is for others.
        let there = phone.query(Filter::new().kind(Kind::GiftWrap));
        assert_eq!(there.len(), 1);
    }
    let said = channel.look(soon()).unwrap();
    assert!(said.contains("2 of 2 recipients"), "{said}");
}

/// A relay of the test's own: what it does with a conversation.
fn odd(talk: impl Fn(WebSocket<TcpStream>) + Send + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = talk.clone();
            thread::spawn(move || accept(stream).ok().map(talk));
        }
    });
    url
}

/// What is answered to each event that it is given, in place of `OK … true`; lists it has none.
fn answering(answer: fn(&::nostr::event::Event) -> Vec<String>) -> String {
    odd(move |mut socket| {
        while let Ok(frame) = socket.read() {
            let Frame::Text(text) = frame else { continue };
            let answers = match ClientMessage::from_json(text.as_str()).unwrap() {
                ClientMessage::Event(event) => answer(&event),
                ClientMessage::Req {
                    subscription_id, ..
                } => {
                    vec![RelayMessage::eose(subscription_id.into_owned()).as_json()]
                }
                _ => Vec::new(),
            };
            for text in answers {
                let _ = socket.send(Frame::text(text));
            }
        }
    })
}

/// A port that takes connections, and says nothing on any.
fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn only_a_relays_word_is_a_delivery() {
    let phone = Phone::new("");
    let no =
        answering(|e| vec![RelayMessage::ok(e.id, false, "blocked: go away\u{1b}[2J").as_json()]);
    let twice = answering(|e| vec![RelayMessage::ok(e.id, false, "duplicate: have it").as_json()]);
    let another = answering(|e| {
        let other = EventBuilder::new(Kind::TextNote, "")
            .finalize(&Keys::generate())
            .unwrap();
        vec![
            "[1, 2".to_owned(),
            "[\"NEW\", {}]".to_owned(),
            RelayMessage::notice("hello").as_json(),
            RelayMessage::ok(other.id, true, "").as_json(),
            RelayMessage::ok(e.id, false, "").as_json(),
        ]
    });
    let closed = odd(drop);
    let long = odd(|mut socket| {
        let _ = socket.send(Frame::text("x".repeat(1 << 20)));
        let _ = socket.read();
    });
    for (url, why) in [
        (&no, "blocked: go away\\x1b[2J"),
        (&another, "it gave no reason"),
        (&closed, "ws://127.0.0.1"),
        (&long, "too long"),
    ] {
        let failed = trouble(to(&[url], &[&phone]).send(&message(Occasion::Down), soon()));
        assert!(failed.why.contains(why), "{why}: {}", failed.why);
        assert!(!failed.hopeless);
    }
    to(&[&twice], &[&phone])
        .send(&message(Occasion::Down), soon())
        .unwrap();
    // One that takes it is enough, whatever the others do.
    let (_listener, mute) = mute();
    let began = Instant::now();
    to(&[&mute, &no, &closed, &twice], &[&phone])
        .send(&message(Occasion::Down), soon())
        .unwrap();
    assert!(began + Duration::from_secs(25) > Instant::now());
}

#[test]
fn a_relay_that_hangs_or_floods_is_left_in_time() {
    let phone = Phone::new("");
    let (_listener, mute) = mute();
    let flood = odd(|mut socket| {
        let text = RelayMessage::notice("x".repeat(10_000)).as_json();
        while socket.send(Frame::text(text.clone())).is_ok() {}
    });
    let within = || Instant::now() + Duration::from_millis(700);
    for url in [&mute, &flood] {
        let mut channel = to(&[url], &[&phone]);
        trouble(channel.send(&message(Occasion::Down), within()));
        trouble(channel.hear(None, &[], within()));
        trouble(channel.look(within()));
    }
    // Nobody there at all.
    let (listener, gone) = self::mute();
    drop(listener);
    let failed = trouble(to(&[&gone], &[&phone]).send(&message(Occasion::Down), soon()));
    assert!(failed.why.contains(&gone), "{}", failed.why);
    // What the one that works has is heard all the same.
    let relay = start();
    let writer = Phone::new(&relay);
    let mut channel = to(&[&gone, &relay, &mute], &[&writer]);
    writer.write(channel.keys.public_key(), "skip portal/main", None);
    assert_eq!(hear(&mut channel, None, &[]).0.len(), 1);
}

#[test]
fn settings_that_cannot_work_are_refused_and_show_no_secret() {
    let (relay, npub) = ("wss://relay.example", Phone::new("").npub());
    let fine = [npub.clone()];
    made(&settings(&[relay], &fine)).unwrap();
    made(&settings(&["ws://localhost:1", "ws://[::1]:1"], &fine)).unwrap();
    for (relays, recipients, why) in [
        (&["ws://relay.example"][..], &fine[..], "TLS"),
        (&["https://relay.example"], &fine, "no URL of a relay"),
        (&["x"], &fine, "no URL of a relay"),
        (&[], &fine, "no relay"),
        (&[relay], &[], "no recipients"),
        (&[relay], &["nobody".to_owned()], "no public key"),
        (&[relay], &[format!("nsec1{KEY}")], "no public key"),
    ] {
        let failed = trouble(made(&settings(relays, recipients)));
        assert!(
            failed.hopeless && failed.why.contains(why),
            "{}",
            failed.why
        );
    }
    let insecure = channel::Nostr {
        insecure: true,
        ..settings(&["ws://relay.example"], &fine)
    };
    made(&insecure).unwrap();
    let mut bad = |_: &SecretRef| Ok(Sensitive::new(format!("{KEY}0")));
    let failed = trouble(Nostr::new(&settings(&[relay], &fine), &mut means(&mut bad)));
    assert!(
        failed.hopeless && failed.why.contains("nsec1"),
        "{}",
        failed.why
    );
    let mut bad = |_: &SecretRef| Err("the environment has no K".to_owned());
    let failed = trouble(Nostr::new(&settings(&[relay], &fine), &mut means(&mut bad)));
    assert!(failed.why.contains("no K"), "{}", failed.why);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever a message says, it can be sealed, it is opened as it was, and its id stays.
    #[test]
    fn every_message_can_be_sealed_and_opened(title in "\\PC{1,80}", text in "(\\PC{0,300}\n?){0,60}") {
        let (own, ann) = (Keys::parse(KEY).unwrap(), Keys::generate());
        let message = Message { title, text, ..message(Occasion::Asked) };
        let to = [ann.public_key()];
        let rumor = letter::written(&message, own.public_key(), &to);
        prop_assert_eq!(rumor.compute_id(), letter::written(&message, own.public_key(), &to).compute_id());
        let wrap = letter::wrapped(&rumor, &own, to[0]).unwrap();
        prop_assert!(wrap.as_json().len() < 60 << 10);
        let opened = letter::opened(&wrap, &ann).unwrap();
        prop_assert_eq!((opened.id, opened.from), (rumor.compute_id(), own.public_key()));
        prop_assert_eq!(opened.text, rumor.content);
    }
}
