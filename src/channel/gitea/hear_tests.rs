//! What comments say, and how far was read.

use proptest::prelude::*;

use super::*;

fn read(body: &str) -> Vec<(bool, Option<String>)> {
    orders(body).collect()
}

#[test]
fn answers_are_lines_of_their_own() {
    let bare = |yes| vec![(yes, None)];
    assert_eq!(read("/revive"), bare(true));
    assert_eq!(
        read("I had a look.\r\n\r\n  /Revive  \r\nThanks"),
        bare(true)
    );
    assert_eq!(read("/SKIP"), bare(false));
    assert_eq!(read("/revive a/main"), [(true, Some("a/main".into()))]);
    assert_eq!(read("/revive\n/skip").len(), 2);
    for none in [
        "",
        "revive",
        "+1",
        "please /revive",
        "> /revive",
        "/reviver",
        "/revive@bot",
        "`/revive`",
        "```\n/revive\n```",
        "~~~ text\n/revive\n```\n/skip",
    ] {
        assert_eq!(read(none), [], "{none:?}");
    }
    assert_eq!(read("```\n/skip\n```\n/revive"), bare(true));
}

proptest! {
    #[test]
    fn no_comment_breaks_it(body in "(/revive|/skip|[`~>]{1,4}|\\s|\\PC){0,40}") {
        let _ = read(&body);
    }

    #[test]
    fn no_cursor_breaks_it(text in "[0-9TZ:= -]{0,80}|\\PC{0,60}") {
        let cursor = Cursor::parse(Some(&text));
        let again = Cursor::parse(cursor.text().as_deref());
        prop_assert_eq!(again.told.len(), cursor.told.len());
    }
}

#[test]
fn what_may_come_again_is_remembered_and_nothing_else() {
    let at = Timestamp::from_secs;
    let mut cursor = Cursor::parse(None);
    assert_eq!(cursor.since(at(10_000)), at(10_000).minus(CLOCKS));
    cursor.told = vec![(at(10_000), 1), (at(10_100), 2), (at(10_200), 3)];
    cursor.end(Some(at(10_200)));
    let cursor = Cursor::parse(cursor.text().as_deref());
    assert_eq!(cursor.told, [(at(10_100), 2), (at(10_200), 3)]);
    assert_eq!(cursor.since(at(10_000)), at(10_200).minus(BACK));
    // A question that is newer is read from before it was put, and not from its beginning of time.
    assert_eq!(cursor.since(at(90_000)), at(90_000).minus(CLOCKS));
}
