//! What must not be told of a channel.

use crate::model::text::{shortened, visible};

/// As many characters are told of what a service says.
pub(super) const MOST_SAID: usize = 200;

/// What is shorter than this is no secret, and would be found in every second word.
const LEAST_SECRET: usize = 4;

/// What must not be told of a channel, wherever it turns up: servers repeat what they were sent.
#[derive(Default)]
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    /// Hides a text.
    pub(super) fn hide(&mut self, secret: &str) {
        if secret.len() >= LEAST_SECRET && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
            // The whole before its parts.
            self.0.sort_by_key(|text| std::cmp::Reverse(text.len()));
        }
    }

    /// Hides a URL with all its parts that may hold a key; of those, whatever is too short to be one
    /// stays.
    pub(super) fn hide_url(&mut self, url: &str) {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        self.hide(url);
        self.hide(path);
        if let Some((user, _)) = authority.rsplit_once('@') {
            self.hide(user);
            user.split(':').for_each(|part| self.hide(part));
        }
        let parts = path.split(['/', '?', '#', '&', '=']);
        // `webhooks`, `services` and such are no keys, and said in many a sentence.
        parts
            .filter(|part| part.len() >= 8 && !part.chars().all(|c| c.is_ascii_lowercase()))
            .for_each(|part| self.hide(part));
    }

    /// What somebody else says, fit to be told: in one line, escaped, not long, nothing hidden in it.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut text = text.trim().to_owned();
        for secret in &self.0 {
            text = text.replace(secret, "…");
        }
        visible(&shortened(&text, MOST_SAID)).into_owned()
    }
}
