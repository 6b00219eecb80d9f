//! Whom a plan is for, when they count as down, and what must be healthy first.

use std::collections::BTreeMap;

use super::{Check, Scope};
use crate::model::condition::Condition;
use crate::plan::glob::Glob;
use crate::plan::raw::{RawMatch, RawWhen};
use crate::plan::types::{Match, NeedKind, When};
use crate::yaml::{Many, Place, Spanned};

/// What begins the name of a gateway as a subject.
const GATEWAY: &str = "gateway:";

impl Check<'_, '_> {
    pub(super) fn matches(&mut self, raw: RawMatch) -> Match {
        if let Some(gateways) = &raw.gateways {
            let others = [
                (raw.cells.is_some(), "cells"),
                (raw.agents.is_some(), "agents"),
                (raw.labels.is_some(), "labels"),
            ];
            for (_, other) in others.iter().filter(|(written, _)| *written) {
                self.problems.error_with_help(
                    gateways.place,
                    format!("`gateways` stands instead of `{other}`, not beside it"),
                    Some("make two plans of it".to_owned()),
                );
            }
        }
        Match {
            cells: self.globs("cells", raw.cells),
            agents: self.globs("agents", raw.agents),
            gateways: self.globs("gateways", raw.gateways),
            labels: self.labels(raw.labels.unwrap_or_default()),
        }
    }

    pub(super) fn labels(
        &mut self,
        written: crate::yaml::Pairs<Spanned<String>>,
    ) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        for (key, value) in written.0 {
            if key.value.is_empty() {
                self.problems
                    .error(key.place, "a label's name must not be empty");
            }
            labels.insert(key.value, value.value);
        }
        labels
    }

    fn globs(&mut self, key: &str, written: Option<Spanned<Many<Spanned<String>>>>) -> Vec<Glob> {
        let Some(Spanned {
            value: Many(texts),
            place,
        }) = written
        else {
            return Vec::new();
        };
        if texts.is_empty() {
            self.problems.error(
                place,
                format!("`{key}` is empty, so that it matches nobody"),
            );
        }
        texts
            .into_iter()
            .filter_map(|text| self.glob(&text))
            .collect()
    }

    fn glob(&mut self, text: &Spanned<String>) -> Option<Glob> {
        if text.value.is_empty() {
            self.problems.error(text.place, "a glob must not be empty");
            return None;
        }
        match Glob::new(&text.value) {
            Ok(glob) => Some(glob),
            Err(why) => {
                let message = format!("this is not a glob: {why}");
                self.problems.error(text.place, message);
                None
            }
        }
    }

    pub(super) fn when(&mut self, raw: RawWhen, probes: bool) -> When {
        let gateways = self.scope == Scope::Gateways;
        let by_evidence = probes || gateways;
        let default = match by_evidence {
            true => vec![Condition::Dead, Condition::Exited],
            false => vec![Condition::Stale, Condition::Exited],
        };
        let r#for = raw.r#for.map(|s| s.0).unwrap_or_default();
        let Some(Spanned { value, place }) = raw.status else {
            return When {
                status: default,
                r#for,
            };
        };
        let mut status = Vec::new();
        for Spanned { value, place } in value.0 {
            let word = value.as_str();
            match value {
                Condition::Healthy => {
                    let message = "`healthy` is no way to be down";
                    self.problems.error(place, message);
                }
                // What no subject of the plan can ever be does no harm beside what it can be; it
                // is an error, though, where nothing else is left.
                Condition::Dead | Condition::Degraded if !by_evidence => self.problems.warning(
                    place,
                    format!("without `probes` no subject is ever `{word}`"),
                ),
                Condition::Stale | Condition::Uninitialized | Condition::Incomplete
                    if by_evidence =>
                {
                    let whose = if gateways {
                        "a gateway"
                    } else {
                        "a subject with `probes`"
                    };
                    self.problems.warning(
                        place,
                        format!("{whose} is never `{word}`: it is `degraded` or `dead`"),
                    );
                }
                _ if !status.contains(&value) => {
                    status.push(value);
                    continue;
                }
                _ => {}
            }
        }
        // Where another mistake has emptied the list, that is enough.
        if status.is_empty() && !self.problems.has_errors() {
            let message = "no subject can ever be so: the plan would never act";
            self.problems.error(place, message);
        }
        When { status, r#for }
    }

    pub(super) fn need(&mut self, text: &str, place: Place) -> Option<NeedKind> {
        let is_glob = text.contains(['*', '?', '[', '{', '\\']);
        let bare = text.strip_prefix(GATEWAY).unwrap_or(text);
        let parts = bare.split('/').collect::<Vec<_>>();
        let most = if bare.len() < text.len() { 1 } else { 2 };
        if parts.len() > most || parts.contains(&"") {
            self.problems.error_with_help(
                place,
                format!("`{text}` names no subject"),
                Some("write `gateway:NAME`, `CELL/AGENT`, or `CELL` for all its agents".to_owned()),
            );
            return None;
        }
        if is_glob {
            let written = Spanned {
                value: text.to_owned(),
                place,
            };
            return self.glob(&written).map(NeedKind::Glob);
        }
        Some(match most {
            1 => NeedKind::Gateway(bare.to_owned()),
            _ => NeedKind::Named(text.to_owned()),
        })
    }
}
