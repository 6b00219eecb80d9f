//! Private direct messages over Nostr (NIP-17): sent to relays, which keep them for whoever they are
//! for, and read from them.

mod cursor;
mod hear;
mod letter;
mod lists;
mod relay;
mod send;

use std::sync::Arc;
use std::time::Instant;

use nostr::key::{Keys, PublicKey};
use nostr::nips::nip19::ToBech32 as _;
use nostr::types::RelayUrl;
use nostr::types::url::RelayUrlScheme;

use super::hidden::Hidden;
use super::{Channel, Means, Said, Trouble};
use crate::model::channel::{self, Message, Question};
use crate::net::{self, socket::Peers};
use crate::sys::host;
use relay::{Place, Relay};

/// Private direct messages over Nostr.
pub struct Nostr {
    keys: Arc<Keys>,
    places: Vec<Place>,
    recipients: Vec<PublicKey>,
    insecure: bool,
}

impl Nostr {
    /// Gets it ready; nobody is talked to.
    ///
    /// # Errors
    /// The key cannot be had, or something in the settings is not what it has to be.
    pub fn new(settings: &channel::Nostr, means: &mut Means<'_>) -> Result<Self, Trouble> {
        let bad = |why: String| Trouble::hopeless(why);
        let key = means.secret("key", &settings.key, &mut Hidden::default())?;
        // The library's own words could repeat a part of it.
        let keys = Keys::parse(key.reveal()).map_err(|_| {
            bad("key: it is no secret key of Nostr: nsec1… or 64 hexadecimal digits".to_owned())
        })?;
        let mut recipients = Vec::new();
        for text in &settings.recipients {
            let one = recipient(text).map_err(bad)?;
            if !recipients.contains(&one) {
                recipients.push(one);
            }
        }
        let mut places: Vec<Place> = Vec::new();
        for text in &settings.relays {
            let url = relay_url(text, settings.insecure).map_err(bad)?;
            if !places.iter().any(|known| lists::same(&known.url, &url)) {
                places.push(Place {
                    url,
                    peers: Peers::Any,
                    authorities: means.authorities.clone(),
                });
            }
        }
        if recipients.is_empty() {
            return Err(bad(
                "it has no recipients, and nobody to tell anything".to_owned()
            ));
        }
        if places.is_empty() {
            return Err(bad("it names no relay".to_owned()));
        }
        Ok(Self {
            keys: Arc::new(keys),
            places,
            recipients,
            insecure: settings.insecure,
        })
    }

    fn npub(&self) -> String {
        let own = self.keys.public_key();
        own.to_bech32().unwrap_or_else(|_| own.to_hex())
    }
}

/// A public key. Somebody may have put a secret one in its place: nothing of it is repeated.
fn recipient(text: &str) -> Result<PublicKey, String> {
    let text = text.trim();
    let plain = text.starts_with("npub1") || text.len() == 64;
    let key = PublicKey::parse(text).ok().filter(|_| plain);
    key.filter(|key| key.xonly().is_ok()).ok_or_else(|| {
        "one of its recipients is no public key of Nostr: npub1… or 64 hexadecimal digits"
            .to_owned()
    })
}

fn relay_url(text: &str, insecure: bool) -> Result<RelayUrl, String> {
    let url = RelayUrl::parse(text.trim())
        .map_err(|_| "one of its relays is no URL of a relay (wss://HOST/…)".to_owned())?;
    if url.scheme() == RelayUrlScheme::Ws && !insecure && !url.is_localhost() {
        let named = net::host(url.as_str()).unwrap_or_else(|| "a relay".to_owned());
        return Err(format!(
            "{named} would be talked to without TLS; use wss, or allow it with `insecure: true`"
        ));
    }
    Ok(url)
}

fn now() -> u64 {
    let seconds = host::now().as_micros() / 1_000_000;
    u64::try_from(seconds).unwrap_or(0)
}

impl Channel for Nostr {
    fn send(&mut self, message: &Message, until: Instant) -> Result<String, Trouble> {
        let rumor = letter::written(message, self.keys.public_key(), &self.recipients);
        let mut wraps = Vec::new();
        for to in &self.recipients {
            // The library's errors name no key; what is written fits, as it was cut to that.
            let wrap = letter::wrapped(&rumor, &self.keys, *to)
                .map_err(|e| Trouble::hopeless(format!("sealing the message: {e}")))?;
            wraps.push((*to, wrap));
        }
        let post = send::Post {
            keys: Arc::clone(&self.keys),
            places: self.places.clone(),
            wraps,
            insecure: self.insecure,
        };
        send::deliver(post, until)?;
        Ok(rumor.compute_id().to_hex())
    }

    fn hear(
        &mut self,
        cursor: Option<&str>,
        open: &[Question],
        until: Instant,
    ) -> Result<Said, Trouble> {
        let (cursor, now) = (cursor::Cursor::parse(cursor), now());
        let wraps = hear::read(&self.keys, &self.places, cursor.since(now), until)?;
        let keys = &self.keys;
        Ok(hear::said(
            &wraps,
            keys,
            &self.recipients,
            open,
            cursor,
            now,
            until,
        ))
    }

    fn look(&mut self, until: Instant) -> Result<String, Trouble> {
        let keys = &self.keys;
        let (mut fine, mut failed, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        std::thread::scope(|scope| {
            let asked = &self.recipients;
            let all: Vec<_> = (self.places.iter())
                .map(|place| {
                    scope.spawn(move || (place.named(), look_at(place, keys, asked, until)))
                })
                .collect();
            for one in all {
                match one.join() {
                    Ok((name, Ok(found))) => {
                        fine.push(name);
                        lists.extend(found);
                    }
                    Ok((name, Err(fault))) => failed.push(format!("{name}: {}", fault.why())),
                    Err(_) => failed.push("a thread has ended".to_owned()),
                }
            }
        });
        let failed = failed.join("; ");
        if fine.is_empty() {
            return Err(Trouble::passing(format!("asking the relays: {failed}")));
        }
        let with = |one: &&PublicKey| lists::newest(&lists, one).is_some();
        let listed = self.recipients.iter().filter(with).count();
        let mut text = format!(
            "it writes as {}; {} answered; {listed} of {} recipients say there by which relays they \
             are to be reached",
            self.npub(),
            fine.join(", "),
            self.recipients.len()
        );
        if !failed.is_empty() {
            text.push_str(&format!("; not reached: {failed}"));
        }
        Ok(text)
    }
}

fn look_at(
    place: &Place,
    keys: &Arc<Keys>,
    asked: &[PublicKey],
    until: Instant,
) -> Result<Vec<nostr::event::Event>, relay::Fault> {
    let mut relay = Relay::open(place, keys, until)?;
    let lists = relay.fetch(&lists::filter(asked), lists::MOST_EVENTS)?;
    relay.close();
    Ok(lists)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
