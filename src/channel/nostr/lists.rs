//! Where people want to be written to: their lists of relays (kind 10050). Anybody can publish one of
//! their own, so what stands in it is data of a stranger's.

use nostr::event::{Event, Kind};
use nostr::filter::Filter;
use nostr::key::PublicKey;
use nostr::types::RelayUrl;
use nostr::types::url::RelayUrlScheme;

use super::relay::Place;
use crate::net::Authorities;
use crate::net::socket::Peers;

/// As many relays of one list are written to.
const MOST: usize = 4;

/// As long may the URL of a relay be, in bytes.
const MOST_URL: usize = 200;

/// As many events come in answer to one who asks for lists.
pub(super) const MOST_EVENTS: usize = 64;

/// Asks for the lists of these.
pub(super) fn filter(of: &[PublicKey]) -> Filter {
    Filter::new()
        .kind(Kind::InboxRelays)
        .authors(of.iter().copied())
        .limit(MOST_EVENTS)
}

/// The newest list of one among events that a relay sent.
pub(super) fn newest<'a>(events: &'a [Event], of: &PublicKey) -> Option<&'a Event> {
    let fits = |e: &&Event| e.kind == Kind::InboxRelays && e.pubkey == *of && e.verify().is_ok();
    let all = events.iter().filter(fits);
    all.max_by_key(|e| (e.created_at, std::cmp::Reverse(e.id)))
}

/// The relays that a list names.
pub(super) fn named(list: &Event) -> impl Iterator<Item = RelayUrl> + '_ {
    let tags = list.tags.iter().filter(|tag| tag.kind() == "relay");
    let urls = tags.filter_map(|tag| tag.content());
    let urls = urls.filter(|url| url.len() <= MOST_URL);
    urls.filter_map(|url| RelayUrl::parse(url).ok())
}

/// Those of them that are written to beside the ones that the operator names. Without TLS, to this
/// host and into its own network only as the operator does it.
pub(super) fn usable(list: &Event, own: &[Place], insecure: bool) -> Vec<Place> {
    let at_home = own.iter().any(|place| place.url.is_localhost());
    let peers = match at_home {
        true => Peers::PublicAndLoopback,
        false => Peers::Public,
    };
    let mut found: Vec<Place> = Vec::new();
    for url in named(list) {
        let open = url.scheme() == RelayUrlScheme::Ws;
        let fits = !open || insecure || (at_home && url.is_localhost());
        let known = |place: &Place| same(&place.url, &url);
        if found.len() < MOST && fits && !own.iter().any(known) && !found.iter().any(known) {
            found.push(Place {
                url,
                peers,
                authorities: Authorities::Public,
            });
        }
    }
    found
}

/// True for the same relay, however its URL ends.
pub(super) fn same(one: &RelayUrl, other: &RelayUrl) -> bool {
    one.as_str_without_trailing_slash() == other.as_str_without_trailing_slash()
}

#[cfg(test)]
mod tests {
    use nostr::event::{EventBuilder, FinalizeEvent as _, Tag};
    use nostr::key::Keys;
    use nostr::types::Timestamp;

    use super::*;

    fn list(keys: &Keys, urls: &[&str], at: u64) -> Event {
        let tags = urls.iter().map(|url| Tag::parse(["relay", url]).unwrap());
        EventBuilder::new(Kind::InboxRelays, "")
            .tags(tags)
            .custom_created_at(Timestamp::from_secs(at))
            .finalize(keys)
            .unwrap()
    }

    fn own(url: &str) -> Vec<Place> {
        let url = RelayUrl::parse(url).unwrap();
        vec![Place {
            url,
            peers: Peers::Any,
            authorities: Authorities::Public,
        }]
    }

    fn taken(urls: &[&str], own: &[Place], insecure: bool) -> Vec<(String, Peers)> {
        let list = list(&Keys::generate(), urls, 1);
        let found = usable(&list, own, insecure).into_iter();
        found.map(|p| (p.url.to_string(), p.peers)).collect()
    }

    #[test]
    fn what_a_stranger_lists_is_bounded_and_goes_where_the_operator_goes() {
        let long = format!("wss://r.example/{}", "x".repeat(MOST_URL));
        let hostile = [
            "wss://a.example/",
            "wss://a.example",
            "wss://own.example/",
            "ws://b.example",
            "ws://127.0.0.1:1",
            "http://c.example",
            "file:///etc/passwd",
            "",
            &long,
            "wss://1.example",
            "wss://2.example",
            "wss://3.example",
            "wss://4.example",
        ];
        let urls =
            |all: Vec<(String, Peers)>| all.into_iter().map(|(url, _)| url).collect::<Vec<_>>();
        let abroad = taken(&hostile, &own("wss://own.example"), false);
        assert!(abroad.iter().all(|(_, peers)| *peers == Peers::Public));
        assert_eq!(
            urls(abroad),
            [
                "wss://a.example/",
                "wss://1.example",
                "wss://2.example",
                "wss://3.example"
            ]
        );
        let home = taken(&hostile, &own("ws://localhost:7777"), false);
        assert!(
            home.iter()
                .all(|(_, peers)| *peers == Peers::PublicAndLoopback)
        );
        assert!(urls(home).contains(&"ws://127.0.0.1:1".to_owned()));
        let open = urls(taken(&hostile, &own("wss://own.example"), true));
        assert!(open.contains(&"ws://b.example".to_owned()));
    }

    #[test]
    fn the_newest_list_of_the_one_who_signed_it_counts() {
        let (ann, ben) = (Keys::generate(), Keys::generate());
        let mut forged = list(&ben, &["wss://evil.example"], 9);
        forged.pubkey = ann.public_key();
        let all = [
            list(&ann, &["wss://old.example"], 1),
            list(&ann, &["wss://new.example"], 2),
            list(&ben, &["wss://ben.example"], 3),
            forged,
        ];
        assert_eq!(newest(&all, &ann.public_key()), Some(&all[1]));
        assert_eq!(newest(&all[2..3], &ann.public_key()), None);
    }
}
