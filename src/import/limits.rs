//! How often at most, and how long between.

use std::time::Duration;

use super::command::Whom;
use super::exact;
use super::notes::Notes;
use super::section::Section;
use super::sound;
use super::tree::Tree;
use super::write::Yaml;

/// The limits of a plan, as far as they are said.
#[derive(Clone, Default)]
pub(super) struct Limits {
    pub(super) attempts: Option<u32>,
    within: Option<Duration>,
    backoff: Option<Yaml>,
}

impl Limits {
    /// Takes them out of a section.
    pub(super) fn take(from: &mut Section, notes: &mut Notes) -> Self {
        let attempts = [
            "max_attempts",
            "max_revive_attempts",
            "max_revives",
            "max_restarts",
            "max_retries",
            "revive_attempts_max",
            "max_revival_attempts",
            "attempts",
            "retries",
            "limits.attempts",
            "limits.max_attempts",
        ];
        let within = [
            "attempts_within",
            "attempt_window",
            "within",
            "window",
            "restart_window",
            "max_attempts_window",
            "limits.within",
            "limits.window",
            "reset_after",
        ];
        Self {
            attempts: from.take_count(&attempts, notes),
            within: from.take_span(&within, notes),
            backoff: backoff(from, notes),
        }
    }

    /// These, and where nothing is said the default ones.
    pub(super) fn or(&self, default: &Self) -> Self {
        let both = (self.clone(), default.clone());
        Self {
            attempts: both.0.attempts.or(both.1.attempts),
            within: both.0.within.or(both.1.within),
            backoff: both.0.backoff.or(both.1.backoff),
        }
    }

    /// As a plan has them.
    pub(super) fn yaml(&self) -> Option<Yaml> {
        let mut to = Vec::new();
        let mut put =
            |key: &str, value: Option<Yaml>| to.extend(value.map(|v| (key.to_owned(), v)));
        put("attempts", self.attempts.filter(|n| *n > 0).map(Yaml::word));
        put("within", self.within.map(|d| Yaml::word(exact(d))));
        put("backoff", self.backoff.clone());
        (!to.is_empty()).then_some(Yaml::Map(to))
    }
}

/// A pause between attempts: a fixed one, or one that grows.
fn backoff(from: &mut Section, notes: &mut Notes) -> Option<Yaml> {
    let grown = |from: &mut Section, notes: &mut Notes| {
        let initial = from.take_span(&["initial", "initial_delay", "base", "min"], notes);
        let max = from.take_span(&["max", "max_delay", "cap"], notes);
        let factor = from.take(&["factor", "multiplier"]);
        let mut to = Vec::new();
        to.extend(initial.map(|d| ("initial".to_owned(), Yaml::word(exact(d)))));
        to.extend(factor.map(|f| ("factor".to_owned(), Yaml::word(f.value.shown()))));
        to.extend(max.map(|d| ("max".to_owned(), Yaml::word(exact(d)))));
        Yaml::FlowMap(to)
    };
    for name in ["backoff", "limits.backoff"] {
        if !matches!(from.look(&[name]), Some(Tree::Map(_))) {
            continue;
        }
        let item = from.take(&[name])?;
        let mut inner = Section::new(item.path.clone(), item.value.clone());
        let made = grown(&mut inner, notes);
        let limits = Yaml::flow_one("backoff", made.clone());
        if let Err(why) = sound::part("limits", &limits, Whom::Gateway) {
            notes.left(&item, &why);
            return None;
        }
        inner.finish(notes);
        return Some(made);
    }
    let names = [
        "cooldown",
        "revive_cooldown",
        "restart_cooldown",
        "cooldown_period",
        "restart_delay",
        "retry_delay",
        "retry_interval",
        "backoff",
        "min_revive_interval",
        "limits.cooldown",
    ];
    let cooldown = from.take_span(&names, notes)?;
    let cooldown = || Yaml::word(exact(cooldown));
    Some(Yaml::FlowMap(vec![
        ("initial".to_owned(), cooldown()),
        ("factor".to_owned(), Yaml::word(1)),
        ("max".to_owned(), cooldown()),
    ]))
}
