//! What is written, and that nothing in it is more than text.

use proptest::prelude::*;

use super::*;
use crate::model::channel::Question;
use crate::model::time::Timestamp;

fn message(title: &str, text: &str) -> Message {
    let subject = "portal/main".to_owned();
    Message {
        id: "m1".into(),
        occasion: Occasion::Asked,
        at: Timestamp::from_secs(1_800_000_000),
        host: "h".into(),
        subject: Some(subject.clone()),
        incident: Some("i1".into()),
        attempt: None,
        plan: None,
        title: title.into(),
        text: text.into(),
        question: Some(Question {
            subject,
            code: "c".into(),
            asked_at: Timestamp::from_secs(0),
            expires_at: Timestamp::from_secs(0),
            receipt: None,
        }),
        issue: None,
        earlier: None,
        last: false,
    }
}

#[test]
fn a_body_has_its_markers_first_and_says_all() {
    let message = message("portal/main: down", "since 10:00\nhost h");
    let head = [incident_marker(&message).unwrap(), message_marker("m1")];
    assert_eq!(
        body(&message, &head),
        "<!-- lazarus-pit:incident i1 host h subject portal/main -->\n\
         <!-- lazarus-pit:message m1 -->\n\n\
         **portal&#47;main&#58; down**\n\n\
         ```text\nsince 10:00\nhost h\n```\n\n\
         Answer with a comment here: `/revive` or `/skip`. Where several agents are asked about here, \
         name the one: `/revive` ` portal/main `\n"
    );
}

#[test]
fn titles_call_nobody_and_refer_to_nothing() {
    let of = |text: &str| title(&message(text, ""));
    assert_eq!(of("a/b: down"), "[pool] a/b: down");
    assert_eq!(
        of("@root #1 o/r!2 https://g.example/o/r/issues/3\u{202e}"),
        "[pool] @ root # 1 o/r! 2 https: //g.example/o/r/issues/3"
    );
    assert!(of(&"x".repeat(500)).chars().count() < 255);
}

#[test]
fn receipts_come_back_and_only_of_their_repository() {
    for (text, number, comment) in [("o/r#7", 7, None), ("O/R#7-12", 7, Some(12))] {
        assert_eq!(
            Receipt::parse(text, "o/r"),
            Some(Receipt { number, comment })
        );
    }
    for text in [
        "", "o/r", "o/r#", "o/x#7", "o/r#7-", "o/r#-7", "o/r#7-x", "#7",
    ] {
        assert_eq!(Receipt::parse(text, "o/r"), None, "{text}");
    }
    let receipt = Receipt {
        number: 7,
        comment: Some(12),
    };
    assert_eq!(Receipt::parse(&receipt.text("o/r"), "o/r"), Some(receipt));
}

#[test]
fn a_marker_counts_only_at_the_beginning() {
    let marker = message_marker("m1");
    assert!(has_marker(&format!("{marker}\r\n\r\ntext"), &marker));
    assert!(has_marker(
        &format!("{}\n{marker}", message_marker("x")),
        &marker
    ));
    for other in [
        format!("text\n{marker}"),
        format!("{}\n\n{marker}", message_marker("x")),
        message_marker("m11"),
        String::new(),
    ] {
        assert!(!has_marker(&other, &marker), "{other}");
    }
}

/// The text of Markdown that is nothing but escapes: what is left once they are undone.
fn read(markdown: &str) -> String {
    let (mut out, mut rest) = (String::new(), markdown);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let escaped = rest.chars().next().unwrap();
                assert!(escaped.is_ascii_punctuation());
                rest = &rest[1..];
                out.push(escaped);
            }
            '&' => {
                let (code, after) = rest.strip_prefix('#').unwrap().split_once(';').unwrap();
                out.push(char::from(code.parse::<u8>().unwrap()));
                rest = after;
            }
            c => {
                assert!(!c.is_ascii_punctuation(), "{c} is bare");
                out.push(c);
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn escaped_text_is_just_text(text in "(\\PC|[\\s@#`<>*_\\[\\]()!&;:/.\\\\-]){0,80}") {
        let shown = escaped(&text);
        prop_assert!(!shown.contains(['\n', '@', '<', '`', '*']) || shown.contains('\\'));
        let plain: String = text.trim().chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect();
        prop_assert_eq!(read(&shown), plain);
    }

    #[test]
    fn nothing_leaves_its_block(text in "([`~]{1,5}|\n|[a-z/@#<>! -]{1,8}){0,40}") {
        let block = fenced(&text);
        let fence: String = block.chars().take_while(|c| *c == '`').collect();
        let end = format!("\n{fence}");
        prop_assert!(fence.len() >= 3 && block.ends_with(&end));
        let inner = &block[fence.len()..block.len() - fence.len()];
        prop_assert!(!inner.contains(&fence), "{}", block);
    }

    #[test]
    fn nothing_leaves_its_code(text in "([`]{1,5}|[a-z/@#<>!\n -]{1,8}){0,20}") {
        let code = inline(&text);
        let fence: String = code.chars().take_while(|c| *c == '`').collect();
        let inner = &code[fence.len()..code.len() - fence.len()];
        prop_assert!(!inner.contains(&fence) && !code.contains('\n'), "{}", code);
    }

    #[test]
    fn nothing_leaves_its_marker_and_no_two_are_the_same(a in "(\\PC|[ >%\n-]){0,30}", b in "(\\PC|[ >%\n-]){0,30}") {
        let marker = message_marker(&a);
        prop_assert_eq!(marker.matches("--").count(), 2);
        prop_assert_eq!(marker.matches('>').count(), 1);
        prop_assert_eq!(marker == message_marker(&b), a == b);
    }

    #[test]
    fn a_title_is_one_line(text in "(\\PC|[\\s@#!]){0,300}") {
        let title = title(&message(&text, ""));
        prop_assert!(title.chars().count() <= 255 && !title.chars().any(is_unsafe));
        let chars: Vec<char> = title.chars().collect();
        prop_assert!(!chars.windows(2).any(|w| matches!(w[0], '@' | '#') && w[1].is_alphanumeric()));
    }
}
