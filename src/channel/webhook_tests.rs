//! Webhooks, against servers that do what Slack, Discord and others do.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::channel::fake::http::{Reply, Server};
use crate::channel::samples::{means, message, question, soon};
use crate::model::channel::Occasion;
use crate::model::channel::SecretRef;

const KEY: &str = "CANARY-hmac-77e1c05a";
const TOKEN: &str = "CANARY-header-0b9d44";
const HOOK: &str = "/services/T0CANARY12/B0CANARY34?wait=no";

fn settings(url: String, template: Template) -> settings::Webhook {
    settings::Webhook {
        url: Setting::Secret(SecretRef::Env(url)),
        headers: BTreeMap::new(),
        template,
        secret: None,
        insecure: false,
    }
}

/// A secret is what its variable is called, in these tests.
fn made(settings: &settings::Webhook) -> Result<Webhook, Trouble> {
    let mut secrets = |secret: &SecretRef| match secret {
        SecretRef::Env(text) => Ok(Sensitive::new(text.clone())),
        SecretRef::File(_) => Err("no such file".into()),
    };
    Webhook::new(settings, &mut means(&mut secrets))
}

fn always(reply: Reply) -> Server<Reply> {
    Server::start(reply, |reply, _| reply.clone())
}

fn sent(reply: Reply, template: Template) -> Result<String, Trouble> {
    let mut channel = made(&settings(always(reply).url(HOOK), template)).unwrap();
    channel.send(&message(Occasion::Down, None), soon())
}

#[track_caller]
fn trouble<T: std::fmt::Debug>(result: Result<T, Trouble>) -> Trouble {
    let trouble = result.unwrap_err();
    assert!(!trouble.why.contains("CANARY"), "{trouble:?}");
    trouble
}

#[test]
fn the_generic_form_says_all_but_what_would_let_the_reader_answer() {
    let server = always(Reply::new(202, ""));
    let mut settings = settings(server.url("/in"), Template::Generic);
    settings.headers = BTreeMap::from([
        (
            "Authorization".into(),
            Setting::Secret(SecretRef::Env(format!("Bearer {TOKEN}"))),
        ),
        ("X-Team".into(), Setting::Plain("a b".into())),
    ]);
    let mut channel = made(&settings).unwrap();
    let mut asked = message(Occasion::Asked, Some(question("c0de")));
    (asked.issue, asked.earlier) = (Some(7), Some("receipt".into()));
    assert_eq!(channel.send(&asked, soon()), Ok(String::new()));
    let [got] = &server.requests()[..] else {
        panic!("one request, and no other")
    };
    assert_eq!((&*got.method, &*got.path), ("POST", "/in"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("idempotency-key"), Some("m1"));
    assert_eq!(
        got.header("authorization"),
        Some(&*format!("Bearer {TOKEN}"))
    );
    assert_eq!(got.header("x-team"), Some("a b"));
    assert_eq!(got.header("lazarus-signature"), None);
    let question = asked.question.as_ref().unwrap();
    assert_eq!(
        got.json(),
        json!({
            "schema": "lazarus-pit/message/1", "id": "m1", "channel": "hook", "occasion": "asked",
            "at": asked.at, "host": "h", "subject": "portal/agent-1", "incident": "i1",
            "attempt": 1, "plan": "p", "title": asked.title, "text": asked.text,
            "question": {
                "subject": "portal/agent-1", "asked_at": question.asked_at,
                "expires_at": question.expires_at,
            },
            "issue": 7, "last": false,
        })
    );
    assert!(!String::from_utf8_lossy(&got.body).contains("c0de"));
}

#[test]
fn a_body_of_another_type_says_so_once() {
    let server = always(Reply::new(200, ""));
    let mut settings = settings(server.url("/"), Template::Generic);
    let own = Setting::Plain("application/vnd.x+json".into());
    settings.headers = BTreeMap::from([("content-type".into(), own)]);
    made(&settings)
        .unwrap()
        .send(&message(Occasion::Test, None), soon())
        .unwrap();
    let got = server.requests().remove(0);
    let types = got
        .headers
        .iter()
        .filter(|(name, _)| name == "content-type");
    assert_eq!(types.count(), 1);
}

/// A receiver that takes each key once, as one is to be written.
#[test]
fn what_was_taken_and_not_answered_is_not_taken_twice_by_its_key() {
    #[derive(Default)]
    struct Receiver {
        taken: Vec<String>,
        asked: u32,
    }
    let server = Server::start(Receiver::default(), |all, request| {
        let key = request.header("idempotency-key").unwrap().to_owned();
        all.asked += 1;
        if !all.taken.contains(&key) {
            all.taken.push(key);
        }
        let reply = Reply::new(200, "");
        if all.asked < 3 { reply.lost() } else { reply }
    });
    let mut channel = made(&settings(server.url("/"), Template::Generic)).unwrap();
    let message = message(Occasion::Down, None);
    for _ in 0..2 {
        assert!(!trouble(channel.send(&message, soon())).hopeless);
    }
    channel.send(&message, soon()).unwrap();
    server.with(|all| assert_eq!((all.asked, all.taken.len()), (3, 1)));
}

/// By what docs/channels/webhook.md gives to those who receive: in Python where that is there.
#[test]
fn signatures_are_what_the_guide_checks() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret-key");
    assert_eq!(
        signature(&key, "1700000000", "{\"a\":\"é\"}"),
        "v1=9a7c45e542c686997f3d462f94fc27d5652b311db9f546be92549ef91ef85e78"
    );
    let server = always(Reply::new(200, ""));
    let mut settings = settings(server.url("/"), Template::Generic);
    settings.secret = Some(SecretRef::Env(KEY.into()));
    let mut channel = made(&settings).unwrap();
    let mut message = message(Occasion::Down, None);
    message.title = "ü".into();
    channel.send(&message, soon()).unwrap();
    let got = server.requests().remove(0);
    let time = got.header("lazarus-timestamp").unwrap();
    let mut signed = format!("{time}.").into_bytes();
    signed.extend_from_slice(&got.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let tag: Vec<u8> = got.header("lazarus-signature").unwrap().as_bytes()[3..]
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    hmac::verify(&key, &signed, &tag).unwrap();

    let guide = include_str!("../../docs/channels/webhook.md");
    let code = guide
        .split("```python\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let test = format!(
        "{code}\nimport sys, json\nd = json.load(sys.stdin)\nb = d['body'].encode()\nh = d['headers']\n\
         now = int(h['Lazarus-Timestamp'])\n\
         assert is_from_lazarus_pit(d['key'].encode(), h, b, now)\n\
         assert not is_from_lazarus_pit(b'other', h, b, now)\n\
         assert not is_from_lazarus_pit(d['key'].encode(), h, b + b' ', now)\n\
         assert not is_from_lazarus_pit(d['key'].encode(), h, b, now + 301)\n\
         assert not is_from_lazarus_pit(d['key'].encode(), {{}}, b, now)\n"
    );
    let python = Command::new("python3")
        .args(["-c", &test])
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        return;
    };
    let body = std::str::from_utf8(&got.body).unwrap();
    let signature = got.header("lazarus-signature");
    let input = json!({
        "key": KEY, "body": body,
        "headers": {"Lazarus-Timestamp": time, "Lazarus-Signature": signature},
    });
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    assert!(python.wait().unwrap().success());
}

#[test]
fn slack_gets_text_without_markup_and_says_in_a_word_what_is_wrong() {
    let server = always(Reply::new(200, "ok"));
    let mut channel = made(&settings(server.url(HOOK), Template::Slack)).unwrap();
    let mut down = message(Occasion::Down, None);
    down.title = "a & <!channel> <https://x|y>".into();
    channel.send(&down, soon()).unwrap();
    let got = server.requests().remove(0);
    assert_eq!(got.path, HOOK);
    let body = got.json();
    let text = "a &amp; &lt;!channel&gt; &lt;https://x|y&gt;\n\nSince 10:00\nhost h";
    assert_eq!(
        (&body["text"], &body["mrkdwn"]),
        (&json!(text), &json!(false))
    );
    down.text = "<&>".repeat(3000);
    channel.send(&down, soon()).unwrap();
    let body = server.requests().remove(0).json();
    let text = body["text"].as_str().unwrap();
    assert!(
        text.len() <= MOST_SLACK && text.contains("cut here"),
        "{}",
        text.len()
    );

    let slack = |reply| trouble(sent(reply, Template::Slack));
    let told = slack(Reply::new(404, "no_service"));
    assert!(
        told.why.contains("answered 404: no_service; is the URL"),
        "{told:?}"
    );
    assert!(!told.hopeless);
    assert!(slack(Reply::new(400, "invalid_payload")).hopeless);
    let told = slack(Reply::new(429, "rate_limited").with("Retry-After", "30"));
    assert_eq!((told.retry_after, told.hopeless), (Some(30), false));
}

#[test]
fn discord_mentions_nobody_and_says_how_long_to_wait() {
    let server = always(Reply::new(204, ""));
    let mut channel = made(&settings(
        server.url("/api/webhooks/1/k"),
        Template::Discord,
    ))
    .unwrap();
    let mut down = message(Occasion::Down, None);
    down.title = "@everyone **x** [a](https://b) <@1> `c`".into();
    channel.send(&down, soon()).unwrap();
    let body = server.requests().remove(0).json();
    assert_eq!(body["allowed_mentions"], json!({"parse": []}));
    let want = "@everyone \\*\\*x\\*\\* \\[a\\](https://b) \\<@1\\> \\`c\\`\n\nSince";
    assert!(
        body["content"].as_str().unwrap().starts_with(want),
        "{body}"
    );

    let discord = |reply| trouble(sent(reply, Template::Discord));
    let limit =
        json!({"message": "You are being rate limited.", "retry_after": 0.65, "global": false});
    let told = discord(Reply::json(429, &limit).with("Retry-After", "5"));
    assert_eq!(told.retry_after, Some(1));
    let unknown = json!({"message": "Unknown Webhook", "code": 10015});
    let told = discord(Reply::json(404, &unknown));
    assert!(told.why.contains("404: Unknown Webhook"), "{told:?}");
}

#[test]
fn the_root_of_an_ntfy_server_gets_its_topic() {
    let server = always(Reply::json(200, &json!({"id": "x"})));
    let mut channel = made(&settings(server.url("/my_topic-1?x=y"), Template::Ntfy)).unwrap();
    channel
        .send(&message(Occasion::Recovered, None), soon())
        .unwrap();
    let got = server.requests().remove(0);
    assert_eq!(got.path, "/");
    let body = got.json();
    assert_eq!(
        (&body["topic"], &body["priority"]),
        (&json!("my_topic-1"), &json!(2))
    );
    for bad in ["", "/", "/a/b", "/a%20b"] {
        let made = made(&settings(
            format!("http://127.0.0.1:1{bad}"),
            Template::Ntfy,
        ));
        assert!(made.err().unwrap().why.contains("needs the topic"), "{bad}");
    }
}

#[test]
fn any_2xx_is_fine_and_nothing_else() {
    for status in [200, 201, 202, 204] {
        assert_eq!(
            sent(Reply::new(status, "ok"), Template::Generic),
            Ok(String::new())
        );
    }
    for status in [302, 307, 400, 401, 403, 404, 409, 418, 500, 503] {
        let reply = Reply::new(status, "").with("Location", "http://127.0.0.1:1/");
        trouble(sent(reply, Template::Generic));
    }
}

#[test]
fn no_secret_is_told_whatever_the_server_repeats() {
    let said = format!("no {HOOK} {KEY} Bearer {TOKEN} T0CANARY12 \u{1b}[31m");
    let server = always(Reply::new(500, said));
    let mut settings = settings(server.url(HOOK), Template::Generic);
    settings.secret = Some(SecretRef::Env(KEY.into()));
    let token = Setting::Secret(SecretRef::Env(format!("Bearer {TOKEN}")));
    settings.headers = BTreeMap::from([("Authorization".into(), token)]);
    let mut channel = made(&settings).unwrap();
    let told = trouble(channel.send(&message(Occasion::Down, None), soon()));
    assert!(told.why.ends_with("500: no … … … … \\x1b[31m"), "{told:?}");
    // A page is no reason.
    let told = trouble(sent(Reply::new(502, "<html>CANARY"), Template::Slack));
    assert!(told.why.ends_with("answered 502"), "{told:?}");
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_sent() {
    let refused = |change: &dyn Fn(&mut settings::Webhook)| {
        let mut settings = settings("https://h.example/CANARY".into(), Template::Generic);
        change(&mut settings);
        trouble(made(&settings).map(drop)).why
    };
    let header = |name: &str, value: &str| {
        let value = Setting::Plain(value.to_owned());
        refused(&|s| s.headers = BTreeMap::from([(name.to_owned(), value.clone())]))
    };
    for name in [
        "idempotency-key",
        "Lazarus-Signature",
        "host",
        "Content-Length",
    ] {
        assert!(header(name, "x").contains("sets it itself"), "{name}");
    }
    assert!(header("a b", "x").contains("name of a header"));
    for value in ["CANARY\r\nX-Evil: 1", "ü CANARY"] {
        assert!(header("X-A", value).contains("characters"), "{value}");
    }
    let url = |url: &str| {
        let url = url.to_owned();
        refused(&|s| s.url = Setting::Secret(SecretRef::Env(url.clone())))
    };
    assert!(url("http://h.example/CANARY").contains("insecure: true"));
    assert!(url("CANARY").contains("not the URL of a server"));
    assert!(url("ftp://h.example/CANARY").contains("neither https nor http"));
    assert!(refused(&|s| s.secret = Some(SecretRef::Env(String::new()))).contains("empty"));
    let why = refused(&|s| s.secret = Some(SecretRef::File("/x".into())));
    assert_eq!(why, "secret: no such file");
    let mut open = settings("http://h.example/CANARY".into(), Template::Generic);
    open.insecure = true;
    assert!(made(&open).is_ok());
}

#[test]
fn a_look_sends_nothing() {
    let server = always(Reply::json(
        200,
        &json!({"name": "Captain", "healthy": true}),
    ));
    let look = |template| {
        made(&settings(server.url("/x?wait=1"), template))
            .unwrap()
            .look(soon())
    };
    assert!(
        look(Template::Discord)
            .unwrap()
            .ends_with("has the webhook \"Captain\"")
    );
    assert!(look(Template::Ntfy).unwrap().contains("answers"));
    assert!(look(Template::Slack).unwrap().contains("by POST"));
    assert!(look(Template::Generic).unwrap().contains("by POST"));
    let asked: Vec<_> = server
        .requests()
        .into_iter()
        .map(|r| (r.method, r.path))
        .collect();
    let get = |path: &str| ("GET".to_owned(), path.to_owned());
    assert_eq!(asked, [get("/x"), get("/v1/health")]);
}

proptest! {
    /// No text, whatever it is made of, becomes longer than what Discord takes, and none loses or gains
    /// a character but its backslashes.
    #[test]
    fn discord_gets_every_text_whole_or_cut(
        title in "[\\PC*_`<\\\\]{0,40}",
        text in "(\\PC|[*_`>|~\n]){0,80}",
        times in 0..40usize,
    ) {
        let mut message = message(Occasion::Down, None);
        (message.title, message.text) = (title, text.repeat(times));
        let form = discord(&message);
        let content = form["content"].as_str().unwrap();
        prop_assert!(content.encode_utf16().count() <= MOST_DISCORD);
        let (mut plain, mut chars) = (String::new(), content.chars());
        while let Some(c) = chars.next() {
            prop_assert!(!"*_~`|>#[]<".contains(c), "{content}");
            plain.extend(match c {
                '\\' => chars.next(),
                c => Some(c),
            });
        }
        let whole = fit::whole(&message);
        let cut = plain.strip_suffix(fit::CUT).unwrap_or(&plain);
        prop_assert!(plain == whole || whole.starts_with(cut));
    }
}
