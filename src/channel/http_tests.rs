//! Requests of channels, to a server that refuses in every way.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::channel::fake::http::{Reply, Server};
use crate::channel::fit::{CUT, fitted};
use crate::channel::hidden::{Hidden, MOST_SAID};

const KEY: &str = "k3y-in-the-url";

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// A server that always answers the same.
fn always(reply: Reply) -> Server<Reply> {
    Server::start(reply, |reply, _| reply.clone())
}

fn asked(reply: Reply) -> Result<Answer, Trouble> {
    let server = always(reply);
    Request::post(server.url(&format!("/{KEY}")), &json!({"a": 1})).ask("telling", soon())
}

#[test]
fn json_goes_out_and_comes_back() {
    let server = always(Reply::json(201, &json!({"ok": [1, "é"]})));
    let request = Request::post(server.url("/x?y=z"), &json!({"text": "ü\n"}));
    let answer = request.header("X-A", "b").ask("telling", soon()).unwrap();
    assert!(is_fine(&answer));
    assert_eq!(json(&answer), Some(json!({"ok": [1, "é"]})));
    let [got] = &server.requests()[..] else {
        panic!("one request, and no other")
    };
    assert_eq!((&*got.method, &*got.path), ("POST", "/x?y=z"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("x-a"), Some("b"));
    assert_eq!(got.json(), json!({"text": "ü\n"}));
}

#[test]
fn an_answer_that_is_lost_or_sends_on_is_a_passing_trouble_that_shows_no_url() {
    let sends_on = Reply::new(307, "").with("Location", "http://127.0.0.1:1/");
    for (reply, why) in [
        (Reply::new(200, "").lost(), "POST http://127.0.0.1:"),
        (sends_on, "the server answered 307: it sends on"),
    ] {
        let trouble = asked(reply).unwrap_err();
        assert!(trouble.why.starts_with("telling: "), "{trouble:?}");
        assert!(trouble.why.contains(why), "{trouble:?}");
        assert!(
            !trouble.why.contains(KEY) && !trouble.hopeless,
            "{trouble:?}"
        );
    }
    let request = Request::get("http://127.0.0.1:1/".to_owned());
    let trouble = request.ask("telling", Instant::now()).unwrap_err();
    assert!(trouble.why.contains("no time is left"), "{trouble:?}");
}

#[test]
fn a_refusal_says_when_to_come_back_and_whether_to() {
    let refused = |reply: Reply| {
        let answer = asked(reply).unwrap();
        refusal("telling", "POST h", &answer, "because")
    };
    let of = |status, name: &str, value: &str| refused(Reply::new(status, "").with(name, value));
    assert_eq!(of(429, "Retry-After", "17").retry_after, Some(17));
    assert_eq!(of(503, "retry-after", "0.4").retry_after, Some(1));
    assert_eq!(of(500, "Retry-After", "17").retry_after, None);
    for odd in ["-1", "soon", "nan", "", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        assert_eq!(of(429, "Retry-After", odd).retry_after, None, "{odd}");
    }
    assert_eq!(of(429, "Retry-After", "1e300").retry_after, Some(86_400));
    let date = Reply::new(429, "")
        .with("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .with("Retry-After", "Sun, 06 Nov 1994 08:51:07 GMT");
    assert_eq!(refused(date).retry_after, Some(90));
    for (status, hopeless) in [
        (400, true),
        (413, true),
        (422, true),
        (401, false),
        (500, false),
    ] {
        let trouble = refused(Reply::new(status, ""));
        assert_eq!(trouble.hopeless, hopeless, "{status}");
        let start = format!("telling: POST h: the server answered {status}: because");
        assert!(trouble.why.starts_with(&start), "{trouble:?}");
    }
}

#[test]
fn what_a_service_says_is_told_without_the_secrets_that_it_repeats() {
    let mut hidden = Hidden::default();
    hidden.hide("s3cret");
    hidden.hide("abc");
    hidden.hide_url("https://ann:passw0rd@h.example/hooks/T0PS3CRET-1?token=abcdef-123");
    assert_eq!(
        hidden.shown(" no \u{1b}[1m s3cret for ann:passw0rd at h.example abc\n"),
        "no \\x1b[1m … for … at h.example abc"
    );
    let path = "/hooks/T0PS3CRET-1?token=abcdef-123";
    assert_eq!(hidden.shown(path), "…");
    assert_eq!(hidden.shown("hooks T0PS3CRET-1 abcdef-123"), "hooks … …");
    // Hidden first, cut then: no part of it stays at the end.
    let long = format!("{}s3cret", "x".repeat(MOST_SAID - 3));
    assert!(!hidden.shown(&long).contains("s3"), "{long}");
}

#[test]
fn only_tls_or_this_host_unless_allowed() {
    for good in [
        "https://h.example/x",
        "http://127.0.0.1:8080",
        "http://127.9.9.9/",
        "http://localhost/x",
        "http://[::1]:1/",
    ] {
        assert_eq!(check_url(good, false), Ok(()), "{good}");
    }
    for bad in [
        "http://h.example/",
        "http://127.0.0.1.example/",
        "http://localhost.example/",
        "http://127.0.0.1@h.example/",
        "http://10.0.0.1/",
    ] {
        assert!(check_url(bad, false).is_err(), "{bad}");
        assert_eq!(check_url(bad, true), Ok(()), "{bad}");
    }
    for never in ["", "/x", "ftp://h/", "file:///etc/passwd", "h.example"] {
        let why = check_url(never, true).unwrap_err();
        assert!(!why.contains("passwd"), "{why}");
    }
}

proptest! {
    #[test]
    fn a_fitted_text_fits_and_is_whole_where_that_fits(text in "\\PC{0,300}", most in 60..200usize) {
        for size in [char::len_utf8 as fn(char) -> usize, char::len_utf16] {
            let of = |text: &str| text.chars().map(size).sum::<usize>();
            let cut = fitted(&text, most, size);
            prop_assert!(of(&cut) <= most, "{cut}");
            prop_assert_eq!(cut == text, of(&text) <= most);
            prop_assert!(cut == text || (cut.ends_with(CUT) && text.starts_with(&cut[..cut.len() - CUT.len()])));
        }
    }

    #[test]
    fn nothing_hidden_is_ever_shown(before in "\\PC{0,250}", secret in "[a-zA-Z0-9_:-]{4,60}", after in "\\PC{0,20}") {
        let mut hidden = Hidden::default();
        hidden.hide(&secret);
        let shown = hidden.shown(&format!("{before}{secret}{after}"));
        prop_assert!(!shown.contains(&secret), "{shown}");
    }
}
