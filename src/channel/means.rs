//! What a channel is made ready with beside its settings: its name, its secrets, and whom it believes.

use super::Trouble;
use super::hidden::Hidden;
use crate::model::channel::{SecretRef, Sensitive, Value};
use crate::net::Authorities;

/// What a channel is made ready with.
pub struct Means<'a> {
    /// The channel's name.
    pub name: &'a str,
    /// Reads a secret from where it is. The error is a sentence without any of it.
    pub secrets: &'a mut dyn FnMut(&SecretRef) -> Result<Sensitive, String>,
    /// Whose certificates are believed.
    pub authorities: Authorities,
}

impl Means<'_> {
    /// Reads a secret, `what` of the settings it is, without the line's end that a file may have, and
    /// sees to it that it is never told.
    pub(super) fn secret(
        &mut self,
        what: &str,
        place: &SecretRef,
        hidden: &mut Hidden,
    ) -> Result<Sensitive, Trouble> {
        let secret = (self.secrets)(place);
        let secret = secret.map_err(|why| Trouble::passing(format!("{what}: {why}")))?;
        let secret = Sensitive::new(secret.reveal().trim().to_owned());
        hidden.hide(secret.reveal());
        Ok(secret)
    }

    /// The same for what may be written out; then it is no secret.
    pub(super) fn value(
        &mut self,
        what: &str,
        value: &Value,
        hidden: &mut Hidden,
    ) -> Result<Sensitive, Trouble> {
        match value {
            Value::Plain(text) => Ok(Sensitive::new(text.trim().to_owned())),
            Value::Secret(place) => self.secret(what, place, hidden),
        }
    }
}
