//! Maintenance windows.

use crate::model::time::Timestamp;

/// A time in which nothing is revived.
#[derive(Clone, Debug)]
pub enum Window {
    /// Once: from the first moment until the second, which is outside.
    Once(Timestamp, Timestamp),
}

impl Window {
    /// The end of the window that `now` lies in; `None` where it lies in none.
    #[must_use]
    pub fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Window::Once(from, until) => (*from <= now && now < *until).then_some(*until),
        }
    }
}
