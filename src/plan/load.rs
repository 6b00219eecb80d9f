//! The texts of plan files to the set of plans, with all that is wrong in any of them.

use std::collections::BTreeSet;
use std::path::Path;

use super::check::{Checked, check};
use super::cross;
use super::raw::RawPlan;
use super::set::PlanSet;
use crate::model::decision::Policy;
use crate::yaml::{self, MAX_FILE, Place, Problem, Problems, Spanned};

/// A file of plans.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path, as the operator named it.
    pub name: String,
    /// What it holds.
    pub text: Vec<u8>,
}

/// What the configuration has that plans can name; `None` where that is not known, so that
/// nothing is said of it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The channels' names.
    pub channels: Option<BTreeSet<String>>,
    /// The names of those on which nobody can answer.
    pub deaf: BTreeSet<String>,
    /// The gateways' names.
    pub gateways: Option<BTreeSet<String>>,
}

/// A document that was read, and its file's number.
pub(super) struct Document {
    pub(super) file: usize,
    pub(super) checked: Checked,
    /// False where something in it must be mended.
    pub(super) sound: bool,
}

/// Reads plans: the files in byte order of their names, each one's documents in order.
///
/// The set holds those plans in which, taken by themselves, nothing must be mended. Who means to act by it must look
/// first whether any of the problems is an error: a plan that is not there may be the one that
/// would have kept another from governing.
#[must_use]
pub fn load(files: &[File], known: &Known) -> (PlanSet, Vec<Problem>) {
    let mut order: Vec<&File> = files.iter().collect();
    order.sort_by(|a, b| {
        let key = |file: &File| (base(&file.name).as_bytes().to_vec(), file.name.clone());
        key(a).cmp(&key(b))
    });
    let mut problems = Vec::with_capacity(order.len());
    let mut documents = Vec::new();
    for (number, file) in order.into_iter().enumerate() {
        problems.push(read(file, number, &mut documents));
    }
    // What comes after a plan that is missing may be governed by that one.
    let first_bad = problems.iter().position(Problems::has_errors);
    let certain = documents
        .iter()
        .take_while(|d| d.sound && first_bad.is_none_or(|bad| d.file <= bad))
        .count();
    cross::names(&documents, &mut problems);
    cross::known(&documents, known, &mut problems);
    let (mut plans, mut places) = (Vec::new(), Vec::new());
    for Document {
        file,
        checked,
        sound,
    } in documents
    {
        if sound {
            plans.push(checked.plan);
            places.push((file, checked.name_place, checked.needs));
        }
    }
    let set = PlanSet::new(plans);
    cross::unreachable(&set, &places, &mut problems);
    cross::cycles(&set, &places, certain, &mut problems);
    (
        set,
        problems.into_iter().flat_map(Problems::into_vec).collect(),
    )
}

/// The last component of a path.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Reads one file's documents.
fn read<'t>(file: &'t File, number: usize, documents: &mut Vec<Document>) -> Problems<'t> {
    if file.text.len() > MAX_FILE {
        let mut problems = Problems::new(&*file.name, "");
        let message = format!("larger than {MAX_FILE} bytes");
        problems.error_outside(Place::START, message);
        return problems;
    }
    let (text, mut problems) = match yaml::text(&file.name, &file.text) {
        Ok(found) => found,
        Err(problems) => return problems,
    };
    let stem = Path::new(base(&file.name)).file_stem();
    let stem = stem.map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let nodes = yaml::load(text, &mut problems);
    // What ends the reading of a file, or is wrong with its keys, can be in any of its plans.
    let readable = !problems.has_errors();
    for node in nodes.iter().filter(|node| !node.is_null()) {
        let before = problems.errors();
        let Some(mut raw) = yaml::read::<RawPlan>(node, &mut problems) else {
            // Its absence must be seen, for it may be the one that would govern.
            let raw = RawPlan::default();
            let checked = check(
                raw,
                &file.name,
                &stem,
                node.place,
                &mut Problems::new("", ""),
            );
            documents.push(Document {
                file: number,
                checked,
                sound: false,
            });
            continue;
        };
        // A policy or steps that could not be read have been told of: that no steps are there to go
        // with the default policy would only be an echo.
        let unread = |key: &str, read: bool| !read && node.has(key);
        if unread("policy", raw.policy.is_some()) || unread("steps", raw.steps.is_some()) {
            raw.policy = Some(Spanned {
                value: Policy::Never,
                place: node.place,
            });
        }
        let checked = check(raw, &file.name, &stem, node.place, &mut problems);
        documents.push(Document {
            file: number,
            checked,
            sound: readable && problems.errors() == before && !problems.is_full(),
        });
    }
    problems
}
