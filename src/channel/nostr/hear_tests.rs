//! What is made of messages, and who is believed.

use nostr::event::{EventBuilder, FinalizeEvent as _, Tag, UnsignedEvent};
use nostr::nips::nip44;
use nostr::nips::nip59::{GiftWrapBuilder, GiftWrapSealBuilder};

use super::*;
use crate::model::time::Timestamp;

/// When everything here is written.
const AT: u64 = 1_800_000_000;

struct Scene {
    own: Keys,
    ann: Keys,
    open: Vec<Question>,
    asked: EventId,
}

impl Scene {
    fn new() -> Self {
        let (own, ann) = (Keys::generate(), Keys::generate());
        let asked = UnsignedEvent::new(
            own.public_key(),
            Moment::from_secs(AT - 60),
            Kind::PrivateDirectMessage,
            [],
            "a/main: down",
        )
        .compute_id();
        let question = |subject: &str, code: &str, receipt: Option<String>| Question {
            subject: subject.into(),
            code: code.into(),
            asked_at: Timestamp::from_secs(AT as i64 - 60),
            expires_at: Timestamp::from_secs(AT as i64 + 3600),
            receipt,
        };
        let open = vec![
            question("a/main", "c0de", Some(asked.to_hex())),
            question("b/main", "0the", None),
        ];
        Self {
            own,
            ann,
            open,
            asked,
        }
    }

    fn rumor(&self, from: &Keys, text: &str, reply: Option<EventId>) -> UnsignedEvent {
        let mut tags = vec![Tag::public_key(self.own.public_key())];
        tags.extend(reply.map(Tag::event));
        UnsignedEvent::new(
            from.public_key(),
            Moment::from_secs(AT),
            Kind::PrivateDirectMessage,
            tags,
            text,
        )
    }

    fn wrap(&self, by: &Keys, rumor: UnsignedEvent) -> Event {
        GiftWrapBuilder::new(self.own.public_key(), rumor)
            .finalize(by)
            .unwrap()
    }

    fn said(&self, wraps: &[Event], cursor: Cursor) -> Said {
        let recipients = [self.ann.public_key()];
        let until = Instant::now() + Duration::from_secs(60);
        let now = Moment::now().as_secs();
        said(
            wraps,
            &self.own,
            &recipients,
            &self.open,
            cursor,
            now,
            until,
        )
    }

    /// What one text of Ann's says.
    #[track_caller]
    fn one(&self, text: &str, reply: Option<EventId>) -> Heard {
        let wrap = self.wrap(&self.ann, self.rumor(&self.ann, text, reply));
        let mut all = self.said(&[wrap], Cursor::default()).all;
        assert_eq!(all.len(), 1, "{text}");
        all.remove(0)
    }

    fn none(&self, wraps: &[Event]) -> bool {
        self.said(wraps, Cursor::default()).all.is_empty()
    }
}

#[test]
fn words_replies_and_codes() {
    let scene = Scene::new();
    let parts = |heard: &Heard| (heard.yes, heard.subject.clone(), heard.code.clone());
    let a = || Some("a/main".to_owned());
    let heard = scene.one("revive a/main", None);
    assert_eq!(parts(&heard), (true, a(), None));
    assert_eq!(heard.refused, None);
    assert_eq!(heard.at, Timestamp::from_secs(AT as i64));
    assert_eq!(heard.who, scene.ann.public_key().to_bech32().unwrap());
    let code = || Some("c0de".to_owned());
    assert_eq!(parts(&scene.one("Skip c0de", None)), (false, a(), code()));
    for (text, yes) in [
        ("+1", true),
        ("-1", false),
        ("revive", true),
        ("/skip ", false),
    ] {
        let heard = scene.one(text, Some(scene.asked));
        assert_eq!(
            (parts(&heard), heard.refused),
            ((yes, a(), code()), None),
            "{text}"
        );
    }
    // By name, though it replies to something else.
    let other = EventId::from_hex(&"ab".repeat(32)).unwrap();
    assert_eq!(scene.one("revive a/main", Some(other)).refused, None);
    // What answers nothing is for others to judge, too.
    assert_eq!(parts(&scene.one("+1", None)), (true, None, None));
    // What is said of somebody about whom nobody is asked is for others to judge.
    assert_eq!(scene.one("revive z", None).refused, None);
    for (text, reply, why) in [
        ("+1", Some(other), "no question that is open"),
        ("revive b/main", Some(scene.asked), "about another"),
    ] {
        let refused = scene.one(text, reply).refused.unwrap();
        assert!(refused.contains(why), "{text}: {refused}");
    }
    for chatter in ["thank you", "", "I would revive a/main", "> revive a/main"] {
        let wrap = scene.wrap(
            &scene.ann,
            scene.rumor(&scene.ann, chatter, Some(scene.asked)),
        );
        assert!(scene.none(&[wrap]), "{chatter}");
    }
}

#[test]
fn who_did_not_write_it_is_not_believed() {
    let scene = Scene::new();
    let (eve, ann) = (Keys::generate(), &scene.ann);
    // A stranger is told of, and refused.
    let wrap = scene.wrap(&eve, scene.rumor(&eve, "revive a/main", None));
    let all = scene.said(&[wrap], Cursor::default()).all;
    assert!(
        all[0]
            .refused
            .as_ref()
            .unwrap()
            .contains("none of the recipients")
    );
    // Eve seals what Ann is to have written.
    let forged = scene.rumor(ann, "revive a/main", None);
    assert!(scene.none(&[scene.wrap(&eve, forged.clone())]));
    // A seal with Ann's name and Eve's signature.
    let mut seal = GiftWrapSealBuilder::new(forged.clone(), scene.own.public_key())
        .finalize(&eve)
        .unwrap();
    seal.pubkey = ann.public_key();
    assert!(scene.none(&[by_hand(&scene, &eve, &seal)]));
    // A seal that Ann made for Eve, passed on to us.
    let for_eve = GiftWrapSealBuilder::new(forged.clone(), eve.public_key())
        .finalize(ann)
        .unwrap();
    assert!(scene.none(&[by_hand(&scene, &eve, &for_eve)]));
    // A real one of Ann's with one character changed; and a wrap whose signature is another's.
    let mut seal = GiftWrapSealBuilder::new(forged.clone(), scene.own.public_key())
        .finalize(ann)
        .unwrap();
    assert!(!scene.none(&[by_hand(&scene, &eve, &seal)]));
    seal.created_at = Moment::from_secs(seal.created_at.as_secs() + 1);
    assert!(scene.none(&[by_hand(&scene, &eve, &seal)]));
    let mut wrap = scene.wrap(ann, forged);
    wrap.pubkey = eve.public_key();
    assert!(scene.none(&[wrap]));
    // What is no message: a reaction, a note.
    for kind in [Kind::Reaction, Kind::TextNote, Kind::Seal] {
        let mut rumor = scene.rumor(ann, "+1", Some(scene.asked));
        rumor.kind = kind;
        assert!(scene.none(&[scene.wrap(ann, rumor)]), "{kind}");
    }
    // An id of the writer's choice.
    let mut rumor = scene.rumor(ann, "revive a/main", None);
    rumor.id = Some(scene.asked);
    assert!(scene.none(&[scene.wrap(ann, rumor)]));
}

/// A wrap around any seal.
fn by_hand(scene: &Scene, by: &Keys, seal: &Event) -> Event {
    let own = scene.own.public_key();
    let json = seal.as_json();
    let content = nip44::encrypt(by.secret_key(), &own, json, nip44::Version::default()).unwrap();
    EventBuilder::new(Kind::GiftWrap, content)
        .tag(Tag::public_key(own))
        .finalize(by)
        .unwrap()
}

/// The same words in ever new wraps are one answer, told once.
#[test]
fn a_replay_is_no_second_answer() {
    let scene = Scene::new();
    let rumor = scene.rumor(&scene.ann, "revive a/main", None);
    let wraps: Vec<Event> = (0..5)
        .map(|_| scene.wrap(&scene.ann, rumor.clone()))
        .collect();
    let first = scene.said(&wraps, Cursor::default());
    assert_eq!(first.all.len(), 1);
    let cursor = Cursor::parse(first.cursor.as_deref());
    let again = scene.said(&[scene.wrap(&scene.ann, rumor)], cursor);
    assert_eq!(again.all, []);
}

/// Anybody can write to us: no flood of strangers becomes one of ours, and none hides an answer.
#[test]
fn a_flood_of_strangers_is_bounded() {
    let scene = Scene::new();
    let mut wraps: Vec<Event> = (0..3 * MOST_STRANGERS)
        .map(|n| {
            let eve = Keys::generate();
            scene.wrap(&eve, scene.rumor(&eve, &format!("revive {n}"), None))
        })
        .collect();
    wraps.push(scene.wrap(&scene.ann, scene.rumor(&scene.ann, "skip a/main", None)));
    let all = scene.said(&wraps, Cursor::default()).all;
    assert_eq!(all.len(), MOST_STRANGERS + 1);
    assert_eq!(
        all.iter().filter(|heard| heard.refused.is_none()).count(),
        1
    );
}
