//! Who is in an earlier file: gateways, and agents in missions.

use super::channels::Channel;
use super::command::Whom;
use super::evidence;
use super::exact;
use super::notes::Notes;
use super::section::{Entry, Section, below, spelled};
use super::settings::STALE_AFTER;
use super::subject::{self, Beside, Defaults};
use super::tree::Tree;
use super::write::Yaml;
use crate::model::text::check_id;

/// Sections that only hold settings together.
const AROUND: [&str; 22] = [
    "lazarus",
    "lazarus_pit",
    "lazaruspit",
    "pit",
    "pool",
    "resurrection_pool",
    "resurrection",
    "daemon",
    "scanner",
    "general",
    "settings",
    "config",
    "global",
    "defaults",
    "paths",
    "revive",
    "revival",
    "restart",
    "polling",
    "monitor",
    "monitoring",
    "thresholds",
];
/// Sections whose name belongs to what their settings mean.
const NAMED: [&str; 7] = [
    "heartbeat",
    "missions",
    "cells",
    "state",
    "metrics",
    "prometheus",
    "approval",
];
/// Under what names gateways stand.
const GATEWAYS: [&str; 14] = [
    "gateways",
    "gateway",
    "members",
    "resurrection_pool",
    "pool",
    "targets",
    "services",
    "wizards",
    "bots",
    "nodes",
    "entries",
    "monitored",
    "watch",
    "agents",
];
/// Under what names missions stand.
const MISSIONS: [&str; 4] = ["missions", "cells", "mission_cells", "mission"];

/// Someone in the earlier file.
pub(super) struct Subject {
    name: String,
    whom: Whom,
    /// The mission, for agents.
    cell: Option<String>,
    section: Section,
}

impl Subject {
    /// True where no plan can be for them.
    fn is_nobody(&self) -> bool {
        let names = self
            .cell
            .iter()
            .chain((!self.name.is_empty()).then_some(&self.name));
        let mut names = names.filter(|_| self.whom == Whom::Agents);
        names.any(|name| subject::glob(name).is_none())
    }
}

/// Brings what stands in sections that only hold things together up to the top.
pub(super) fn gather(root: &mut Section) {
    // Twice: such a section may stand in another.
    for _ in 0..2 {
        for name in AROUND {
            if !is_collection(root.look(&[name])) {
                root.hoist(name, str::to_owned);
                lift(root, name);
            }
        }
    }
    for name in NAMED {
        let of_missions = MISSIONS.contains(&name);
        let place = |key: &str| matches!(key, "root" | "dir" | "path" | "root_dir");
        root.hoist(name, |key| match key {
            key if key.starts_with(name) => key.to_owned(),
            key if of_missions && !place(key) => key.to_owned(),
            _ if of_missions => "missions_root".to_owned(),
            key => format!("{name}_{key}"),
        });
    }
}

/// Brings mappings and lists of mappings up: `[pit.gateways.timmy]`.
fn lift(root: &mut Section, name: &str) {
    for entry in root.take_where(|key, value| key == name && matches!(value, Tree::Map(_))) {
        let mut inner = Section::new(entry.item.path, entry.item.value);
        for Entry { key, item } in inner.take_where(|_, _| true) {
            root.add(key, item);
        }
    }
}

/// True for a mapping of names to mappings, none of which is a section that is known.
fn is_collection(value: Option<&Tree>) -> bool {
    let Some(Tree::Map(entries)) = value else {
        return false;
    };
    let known = |key: &str| {
        let key = spelled(key);
        let all = [&AROUND[..], &NAMED, &GATEWAYS, &MISSIONS];
        all.iter().any(|names| names.contains(&key.as_str())) || key == "backoff" || key == "logs"
    };
    !entries.is_empty()
        && entries
            .iter()
            .all(|(key, value)| matches!(value, Tree::Map(_)) && !known(key))
}

/// Takes everybody out of the file.
pub(super) fn subjects(root: &mut Section, notes: &mut Notes) -> Vec<Subject> {
    let mut all = Vec::new();
    for name in MISSIONS {
        for (name, section) in members(root, name, notes) {
            missions(name, section, &mut all, notes);
        }
    }
    for collection in GATEWAYS {
        for (name, mut section) in members(root, collection, notes) {
            let names = ["mission", "cell", "mission_id", "cell_id"];
            let cell = section.take_text(&names, notes);
            let whom = match cell {
                Some(_) => Whom::Agents,
                None => Whom::Gateway,
            };
            all.push(Subject {
                name,
                whom,
                cell,
                section,
            });
        }
    }
    all.retain_mut(|subject| {
        let off = matches!(subject.section.look(&["enabled"]), Some(Tree::Bool(false)));
        let why = match (off, subject.is_nobody()) {
            (true, _) => "it is not enabled",
            (_, true) => "nobody can have that name",
            _ => {
                subject.section.take(&["enabled"]);
                return true;
            }
        };
        let section = std::mem::take(&mut subject.section);
        let name = match subject.name.is_empty() {
            true => subject.cell.as_deref().unwrap_or_default(),
            false => &subject.name,
        };
        notes.hint(format!("{}: {name:?} is left out, for {why}", section.path));
        section.finish(notes);
        false
    });
    all
}

/// The members of a collection with their names: a list of mappings or of names, or a mapping.
fn members(root: &mut Section, name: &str, notes: &mut Notes) -> Vec<(String, Section)> {
    let collection = |key: &str, value: &Tree| {
        let maps = |list: &[Tree]| {
            !list.is_empty()
                && list
                    .iter()
                    .all(|v| matches!(v, Tree::Map(_) | Tree::Text(_)))
        };
        let fits = match value {
            Tree::List(list) => maps(list),
            Tree::Map(entries) => {
                !entries.is_empty() && entries.iter().all(|(_, v)| matches!(v, Tree::Map(_)))
            }
            _ => false,
        };
        key == name && fits
    };
    let mut all = Vec::new();
    for Entry { item, .. } in root.take_where(collection) {
        match item.value {
            Tree::List(list) => {
                for (at, value) in list.into_iter().enumerate() {
                    all.push(member(format!("{}[{at}]", item.path), None, value, notes));
                }
            }
            Tree::Map(entries) => {
                for (key, value) in entries {
                    all.push(member(below(&item.path, &key), Some(key), value, notes));
                }
            }
            _ => {}
        }
    }
    all
}

fn member(path: String, key: Option<String>, value: Tree, notes: &mut Notes) -> (String, Section) {
    if let Tree::Text(name) = value {
        return (name, Section::new(path, Tree::Null));
    }
    let mut section = Section::new(path.clone(), value);
    let names = [
        "name",
        "id",
        "agent",
        "gateway",
        "mission_id",
        "mission",
        "cell",
    ];
    let said = section
        .look(&names)
        .and_then(Tree::text)
        .filter(|name| !name.trim().is_empty());
    let name = match (key, said) {
        (None, Some(said)) => {
            section.take(&names);
            said
        }
        (Some(key), Some(said)) if key == said => {
            section.take(&names);
            key
        }
        (Some(key), _) => key,
        (None, None) => {
            notes.hint(format!("{path}: it has no name, and is called `unnamed`"));
            "unnamed".to_owned()
        }
    };
    (name, section)
}

/// The agents of a mission that say something of their own, then the mission for all others.
fn missions(cell: String, mut section: Section, all: &mut Vec<Subject>, notes: &mut Notes) {
    for (name, agent) in members(&mut section, "agents", notes) {
        // A mere name says nothing that the mission does not say.
        if agent.is_empty() {
            continue;
        }
        all.push(Subject {
            name,
            whom: Whom::Agents,
            cell: Some(cell.clone()),
            section: agent,
        });
    }
    all.push(Subject {
        name: String::new(),
        whom: Whom::Agents,
        cell: Some(cell),
        section,
    });
}

type Gateways = Vec<(String, Yaml)>;
type Files = Vec<(String, Vec<Yaml>)>;

/// The gateways of the configuration, and the files of plans in byte order of their names.
pub(super) fn plans(
    subjects: Vec<Subject>,
    defaults: &Defaults,
    channels: &[Channel],
    notes: &mut Notes,
) -> (Gateways, Files) {
    let mut names: Vec<(String, String)> = Vec::new();
    for subject in subjects.iter().filter(|s| s.whom == Whom::Gateway) {
        let name = free(
            &subject.name,
            |name| names.iter().any(|(_, is)| is == name),
            notes,
        );
        names.push((subject.name.clone(), name));
    }
    let beside = Beside {
        defaults,
        channels,
        gateways: &names,
    };
    let (mut gateways, mut files): (Gateways, Files) = (Vec::new(), Vec::new());
    let mut now = names.iter().map(|(_, name)| name.clone());
    for mut subject in subjects {
        let (file, plan) = match subject.whom {
            Whom::Gateway => {
                let name = now.next().unwrap_or_default();
                let (gateway, plan) = gateway(&name, &mut subject.section, &beside, notes);
                gateways.push((name.clone(), gateway));
                (format!("gateway-{name}.yaml"), plan)
            }
            Whom::Agents => agents(&mut subject, &files, &beside, notes),
        };
        subject.section.finish(notes);
        match files.iter_mut().find(|(known, _)| *known == file) {
            Some((_, plans)) => plans.push(plan),
            None => files.push((file, vec![plan])),
        }
    }
    if defaults.is_said() {
        let mut none = Section::default();
        let plan = subject::plan(
            "default",
            None,
            &mut none,
            (Whom::Agents, Vec::new()),
            &beside,
            notes,
        );
        files.push(("default.yaml".to_owned(), vec![plan]));
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    (gateways, files)
}

/// One gateway, and the plan for it.
fn gateway(
    name: &str,
    section: &mut Section,
    beside: &Beside<'_>,
    notes: &mut Notes,
) -> (Yaml, Yaml) {
    let mut to = vec![("name".to_owned(), Yaml::text(name))];
    let mut put = |key: &str, value: Option<Yaml>| to.extend(value.map(|v| (key.to_owned(), v)));
    let stale = section.take_span(&STALE_AFTER, notes);
    put("heartbeat", evidence::heartbeat(section, notes));
    put("stale_after", stale.map(|span| Yaml::word(exact(span))));
    let probes = evidence::probes(section, Whom::Gateway, notes);
    put("probes", (!probes.is_empty()).then_some(Yaml::List(probes)));
    if to.len() == 1 {
        notes.hint(format!(
            "gateway {name}: nothing says how it is to be looked at, so that it is `unknown`"
        ));
    }
    let matches = Yaml::flow_one("gateways", Yaml::texts([name]));
    let plan = subject::plan(
        &format!("gateway-{name}"),
        Some(matches),
        section,
        (Whom::Gateway, Vec::new()),
        beside,
        notes,
    );
    (Yaml::Map(to), plan)
}

/// The plan for a mission's agents, or for one of them, and its file.
fn agents(
    subject: &mut Subject,
    files: &Files,
    beside: &Beside<'_>,
    notes: &mut Notes,
) -> (String, Yaml) {
    let cell = subject.cell.clone().unwrap_or_default();
    let id = identifier(&cell);
    let glob = |name: &str| subject::glob(name).unwrap_or_else(|| Yaml::texts([name]));
    let mut matches = vec![("cells".to_owned(), glob(&cell))];
    let mut name = format!("cell-{id}");
    let file = format!("{name}.yaml");
    if !subject.name.is_empty() {
        name = format!("{name}-{}", identifier(&subject.name));
        matches.push(("agents".to_owned(), glob(&subject.name)));
    }
    let taken = |name: &str| {
        let of = |plan: &Yaml| matches!(plan, Yaml::Map(e) if e[0].1 == Yaml::text(name));
        files.iter().any(|(_, plans)| plans.iter().any(of))
    };
    let name = free(&name, taken, notes);
    let section = &mut subject.section;
    let probes = evidence::probes(section, Whom::Agents, notes);
    let matches = Some(Yaml::FlowMap(matches));
    let plan = subject::plan(
        &name,
        matches,
        section,
        (Whom::Agents, probes),
        beside,
        notes,
    );
    (file, plan)
}

/// A name of letters, digits, `.`, `_`, `-`.
fn identifier(text: &str) -> String {
    let good = |c: char| match c.is_ascii_alphanumeric() || "._-".contains(c) {
        true => c,
        false => '-',
    };
    let name: String = text
        .trim()
        .trim_start_matches('.')
        .chars()
        .map(good)
        .take(60)
        .collect();
    match name.is_empty() {
        true => "unnamed".to_owned(),
        false => name,
    }
}

/// A name that nobody else has.
fn free(wanted: &str, taken: impl Fn(&str) -> bool, notes: &mut Notes) -> String {
    let base = match check_id(wanted, 60) {
        Ok(()) => wanted.to_owned(),
        Err(_) => identifier(wanted),
    };
    let mut name = base.clone();
    let mut number = 2;
    while taken(&name) {
        name = format!("{base}-{number}");
        number += 1;
    }
    if name != wanted {
        notes.hint(format!("{wanted:?} is called {name} here"));
    }
    name
}
