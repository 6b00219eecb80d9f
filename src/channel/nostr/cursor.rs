//! How far was read. Wraps are dated back by up to two days, so that nobody learns from them when
//! something was written: what is two days old may have come just now, and is read each time anew.
//! What was told already is remembered until it cannot come any more.

use nostr::event::EventId;

/// How far wraps are dated back at the most, in seconds, and some for clocks that differ.
pub(super) const BACK: u64 = 2 * 86_400 + 3600;

/// As many are remembered.
const MOST: usize = 256;

/// As much of an id is remembered, in hexadecimal digits.
const DIGITS: usize = 16;

/// How far was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// When it was read last, in seconds since the epoch.
    read: u64,
    /// What was told: when its wrap is dated, and the beginning of its id.
    told: Vec<(u64, String)>,
}

impl Cursor {
    /// From text. What is none is as if nothing had been read.
    pub(super) fn parse(text: Option<&str>) -> Self {
        let mut parts = text.unwrap_or_default().split(' ');
        let Some(read) = parts.next().and_then(|read| read.parse().ok()) else {
            return Self::default();
        };
        let told = parts.filter_map(|part| {
            let (at, id) = part.split_once(':')?;
            Some((at.parse().ok()?, id.to_owned()))
        });
        Self {
            read,
            told: told.take(MOST).collect(),
        }
    }

    /// As text: the time, then what was told.
    pub(super) fn text(&self) -> String {
        let told = self.told.iter().map(|(at, id)| format!(" {at}:{id}"));
        format!("{}{}", self.read, told.collect::<String>())
    }

    /// What is dated before this is not read any more.
    pub(super) fn since(&self, now: u64) -> u64 {
        // The first time nobody has been asked before; and a clock may have been set back.
        match self.read {
            0 => now.saturating_sub(BACK),
            read => read.min(now).saturating_sub(BACK),
        }
    }

    /// True for what was told.
    pub(super) fn knows(&self, id: &EventId) -> bool {
        let id = short(id);
        self.told.iter().any(|(_, known)| *known == id)
    }

    /// Remembers that it was told.
    pub(super) fn tell(&mut self, id: &EventId, dated: u64) {
        self.told.push((dated, short(id)));
    }

    /// Ends what was read just now.
    pub(super) fn end(&mut self, now: u64) {
        self.read = now;
        let since = self.since(now);
        self.told.retain(|(dated, _)| *dated >= since);
        let over = self.told.len().saturating_sub(MOST);
        self.told.drain(..over);
    }
}

fn short(id: &EventId) -> String {
    let mut text = id.to_hex();
    text.truncate(DIGITS);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u64) -> EventId {
        EventId::from_hex(&format!("{n:064x}").chars().rev().collect::<String>()).unwrap()
    }

    #[test]
    fn what_was_told_is_known_until_it_cannot_come_any_more() {
        let mut cursor = Cursor::parse(None);
        assert_eq!(cursor.since(1_000_000), 1_000_000 - BACK);
        cursor.tell(&id(1), 900_000);
        cursor.end(1_000_000);
        let mut cursor = Cursor::parse(Some(&cursor.text()));
        assert!(cursor.knows(&id(1)) && !cursor.knows(&id(2)));
        cursor.end(900_000 + BACK);
        assert!(cursor.knows(&id(1)));
        cursor.end(900_001 + BACK);
        assert!(!cursor.knows(&id(1)));
        // A clock that was set back reads more, and not less.
        assert_eq!(
            Cursor::parse(Some("5000000")).since(4_000_000),
            4_000_000 - BACK
        );
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut cursor = Cursor::default();
        for n in 0..1000 {
            cursor.tell(&id(n), 1_000_000);
        }
        cursor.end(1_000_000);
        assert!(cursor.knows(&id(999)) && !cursor.knows(&id(1)));
        assert!(cursor.text().len() < 8 << 10);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[0-9a-f: ]{0,200}|\\PC{0,60}") {
            let cursor = Cursor::parse(Some(&text));
            prop_assert_eq!(Cursor::parse(Some(&cursor.text())), cursor);
        }
    }
}
