//! Reading answers: pages, offsets, a week without any, and who is heard at all.

use super::tests::*;
use super::*;
use crate::channel::fake::telegram as fake;

#[test]
fn a_page_at_a_time_so_that_nothing_is_forgotten_unread() {
    let service = fake::start();
    let mut channel = in_group(&service);
    service.with(|t| (0..250).for_each(|n| t.write(-100, 42, &format!("revive a/{n}"))));
    let (mut cursor, mut heard) = (None, Vec::new());
    for _ in 0..4 {
        let said = hear(&mut channel, cursor.as_deref(), &[]);
        heard.extend(said.all.into_iter().filter_map(|h| h.subject));
        cursor = said.cursor;
    }
    let want: Vec<_> = (0..250).map(|n| format!("a/{n}")).collect();
    assert_eq!(heard, want);
    let asked = service.requests().len();
    assert_eq!(asked, 4, "one request a page");
}

#[test]
fn updates_that_are_too_long_together_are_read_in_smaller_pages() {
    let service = fake::start();
    let mut channel = in_group(&service);
    service.with(|t| {
        (0..30).for_each(|_| t.write(-100, 666, &"x".repeat(40_000)));
        t.write(-100, 42, "revive a");
    });
    let (mut cursor, mut heard) = (None, Vec::new());
    for _ in 0..5 {
        let said = hear(&mut channel, cursor.as_deref(), &[]);
        heard.extend(said.all);
        cursor = said.cursor;
    }
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].subject.as_deref(), Some("a"));
    // One that is too long by itself holds up what comes after it, and says so.
    service.with(|t| t.write(-100, 666, &"x".repeat(1 << 20)));
    let trouble = trouble(channel.hear(cursor.as_deref(), &[], soon()));
    assert!(
        trouble.why.contains("longer than what is read"),
        "{trouble:?}"
    );
}

#[test]
fn after_a_week_without_updates_their_numbers_begin_anywhere() {
    let service = fake::start();
    let mut channel = in_group(&service);
    service.with(|t| t.write(-100, 42, "revive a"));
    let said = hear(&mut channel, None, &[]);
    let cursor = said.cursor.unwrap();
    service.with(|t| {
        t.a_week_passes();
        t.write(-100, 42, "revive b");
    });
    // The same cursor, written a week ago.
    let (id, at) = cursor.split_once(' ').unwrap();
    let old = format!("{id} {}", at.parse::<i64>().unwrap() - 7 * 86_400);
    let said = hear(&mut channel, Some(&old), &[]);
    assert_eq!(said.all[0].subject.as_deref(), Some("b"));
    let cursor = said.cursor.unwrap();
    assert!(cursor.starts_with("17 "), "{cursor}");
    service.with(|t| t.write(-100, 42, "revive c"));
    let said = hear(&mut channel, Some(&cursor), &[]);
    assert_eq!(said.all.len(), 1);
    assert_eq!(said.all[0].subject.as_deref(), Some("c"));
}

#[test]
fn a_cursor_that_is_none_is_as_good_as_no_cursor() {
    let now = Timestamp::from_secs(1_000_000_000);
    let of = |cursor: &str| offset(Some(cursor), now);
    assert_eq!(of("5 999999999"), Some(6));
    assert_eq!(of("5 1000000500"), Some(6));
    assert_eq!(of("5 999000000"), None);
    for odd in ["", "5", "x 1", "5 x", "9223372036854775807 1000000000"] {
        assert_eq!(of(odd), None, "{odd}");
    }
    assert_eq!(offset(None, now), None);
}

#[test]
fn buttons_that_are_too_old_to_be_answered_are_heard_all_the_same() {
    let service = fake::start();
    let mut channel = in_group(&service);
    let open = [ask(&mut channel, "c")];
    service.with(|t| {
        t.too_old = true;
        let sent = t.last();
        (0..9).for_each(|_| t.press(&sent, 42, false));
    });
    service.requests();
    let said = hear(&mut channel, None, &open);
    assert_eq!(said.all.len(), 9);
    assert!(said.all.iter().all(|h| h.refused.is_none() && !h.yes));
    assert_eq!(service.requests().len(), 1 + MOST_PRESSED);
}

#[test]
fn an_empty_list_allows_nobody_and_posts_count_where_that_is_said() {
    let service = fake::start();
    let mut settings = settings(service.url(""), "-200");
    settings.allowed_users.clear();
    let mut nobody = made(&settings);
    settings.allow_channel_posts = true;
    let mut posts = made(&settings);
    assert!(posts.settings.hears() && !nobody.settings.hears());
    let asked = [ask(&mut posts, "c0de")];
    let sent = service.with(|t| t.last());
    service.with(|t| {
        let mut post = t.written(-200, 42, "revive portal/agent-1");
        (post["from"], post["sender_chat"]) = (json!(null), json!({"id": -200}));
        t.update("channel_post", post.clone());
        (post["text"], post["reply_to_message"]) = (
            "+1".into(),
            json!({"message_id": sent.id, "chat": {"id": -200}}),
        );
        t.update("channel_post", post.clone());
        post["forward_origin"] = json!({"type": "channel"});
        t.update("channel_post", post);
        t.press(&sent, 42, true);
        t.write(-200, 42, "revive portal/agent-1");
    });
    let refused = |channel: &mut Telegram| {
        let said = hear(channel, None, &asked);
        let all = said
            .all
            .iter()
            .map(|h| h.refused.clone().unwrap_or_default());
        all.collect::<Vec<_>>()
    };
    let said = refused(&mut posts);
    assert_eq!(said[..2], ["", ""], "{said:?}");
    assert!(said[2].contains("forwarded"), "{said:?}");
    for why in &said[3..] {
        assert!(why.contains("allows nobody"), "{why}");
    }
    assert!(refused(&mut nobody).iter().all(|why| !why.is_empty()));
}
