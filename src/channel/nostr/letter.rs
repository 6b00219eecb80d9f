//! Private direct messages: what is written, how it is wrapped for each who gets it, and how one is
//! opened (NIP-17, NIP-44, NIP-59).

use nostr::event::{Event, EventId, FinalizeEvent as _, Kind, Tag, UnsignedEvent};
use nostr::key::{Keys, PublicKey};
use nostr::nips::nip59::{GiftWrapBuilder, UnwrappedGift};
use nostr::types::Timestamp as Moment;

use crate::channel::fit::{answerable, fitted, whole};
use crate::model::channel::{Message, Occasion};
use crate::model::text::visible;
use crate::model::time::Timestamp;

/// As long may a message be, in bytes: what NIP-44 can hold has room for it thrice wrapped, and what
/// relays take, too.
const MOST_TEXT: usize = 8 << 10;

/// What is written, to all at once. It is the same whenever it is made of the same message, so that
/// who gets it twice sees it once.
pub(super) fn written(message: &Message, from: PublicKey, to: &[PublicKey]) -> UnsignedEvent {
    let mut tags: Vec<Tag> = to.iter().map(|one| Tag::public_key(*one)).collect();
    if let Some(earlier) = message.earlier.as_deref().and_then(id) {
        tags.push(Tag::event(earlier));
    }
    let seconds = message.at.as_micros().div_euclid(1_000_000);
    let at = Moment::from_secs(u64::try_from(seconds).unwrap_or(0));
    let mut rumor = UnsignedEvent::new(from, at, Kind::PrivateDirectMessage, tags, text(message));
    rumor.ensure_id();
    rumor
}

/// The id of an event, where a text is one.
pub(super) fn id(text: &str) -> Option<EventId> {
    EventId::from_hex(text).ok()
}

/// What is to be read in it.
fn text(message: &Message) -> String {
    let (Occasion::Asked, Some(question)) = (message.occasion, &message.question) else {
        return fitted(&whole(message), MOST_TEXT, char::len_utf8);
    };
    let name = visible(&question.subject);
    let how = format!(
        "Answer with `revive {name}` or `skip {name}`, or with +1 or -1 as a reply to this message."
    );
    answerable(message, &how, MOST_TEXT, char::len_utf8)
}

/// The same, wrapped for one who gets it.
pub(super) fn wrapped(
    rumor: &UnsignedEvent,
    keys: &Keys,
    to: PublicKey,
) -> Result<Event, nostr::error::Error> {
    GiftWrapBuilder::new(to, rumor.clone()).finalize(keys)
}

/// What somebody wrote to us.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) id: EventId,
    pub(super) from: PublicKey,
    pub(super) at: Timestamp,
    pub(super) text: String,
    /// What it replies to.
    pub(super) replies: Vec<EventId>,
}

/// Opens a wrap; `None` where it is none of a message to us, or not by the one whose name is in it.
pub(super) fn opened(wrap: &Event, keys: &Keys) -> Option<Letter> {
    // Signatures of wrap and seal are verified by it, and that the writer sealed it.
    let gift = UnwrappedGift::from_gift_wrap(keys, wrap).ok()?;
    let rumor = gift.rumor;
    // Once more, as everything hangs on it; and that the id is not one of the writer's choice.
    let genuine = rumor.pubkey == gift.sender && rumor.verify_id().is_ok();
    if !genuine || rumor.kind != Kind::PrivateDirectMessage {
        return None;
    }
    let seconds = i64::try_from(rumor.created_at.as_secs()).ok()?;
    Some(Letter {
        id: rumor.compute_id(),
        from: gift.sender,
        at: Timestamp::from_secs(seconds),
        replies: rumor.tags.event_ids().collect(),
        text: rumor.content,
    })
}
