//! Which plans come into question for a name, without trying them all.

use std::collections::{BTreeMap, HashMap};

use globset::GlobSet;

use super::glob::{Glob, Shape};
use super::types::Plan;

/// Numbers of plans, in rising order.
type Numbers = Vec<u32>;

/// Plans by what they ask of one name.
#[derive(Clone, Debug, Default)]
struct Names {
    literals: HashMap<Box<str>, Numbers>,
    /// By the text that the name must begin with; and the lengths of those texts.
    prefixes: HashMap<Box<str>, Numbers>,
    prefix_lengths: Vec<usize>,
    /// By the text that it must end with, likewise.
    suffixes: HashMap<Box<str>, Numbers>,
    suffix_lengths: Vec<usize>,
    /// Globs that can only be tried, all of them at once, and the plan of each.
    others: Option<(GlobSet, Numbers)>,
    /// Those, before they are all known.
    pending: Vec<(globset::Glob, u32)>,
}

/// Plans by whom they are for. Each stands where it is found fastest.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    cells: Names,
    agents: Names,
    /// By name and value of the first label.
    labels: HashMap<Box<str>, HashMap<Box<str>, Numbers>>,
    gateways: Names,
    /// Plans for cells that must be tried.
    rest: Numbers,
    /// Plans for gateways that must be tried.
    rest_of_gateways: Numbers,
}

impl Names {
    /// True if the plan could be put here; none of it is, if not.
    fn put(&mut self, globs: &[Glob], number: u32) -> bool {
        // What matches every name tells nothing.
        let every = |glob: &Glob| glob.text.bytes().all(|b| b == b'*');
        let mut hard = Vec::new();
        for glob in globs.iter().filter(|glob| glob.shape() == Shape::Other) {
            match globset::Glob::new(&glob.text) {
                Ok(compiled) => hard.push((compiled, number)),
                Err(_) => return false,
            }
        }
        if globs.is_empty() || globs.iter().any(every) {
            return false;
        }
        self.pending.append(&mut hard);
        for glob in globs {
            let (map, lengths, text) = match glob.shape() {
                Shape::Literal(text) => (&mut self.literals, None, text),
                Shape::Prefix(text) => (&mut self.prefixes, Some(&mut self.prefix_lengths), text),
                Shape::Suffix(text) => (&mut self.suffixes, Some(&mut self.suffix_lengths), text),
                // By its text it is found where it is asked what covers it.
                Shape::Other => (&mut self.literals, None, glob.text.as_str()),
            };
            let numbers = map.entry(text.into()).or_default();
            if numbers.last() != Some(&number) {
                numbers.push(number);
            }
            if let Some(lengths) = lengths
                && !lengths.contains(&text.len())
            {
                lengths.push(text.len());
            }
        }
        true
    }

    /// Makes one of all globs that can only be tried; returns the plans that must be tried one by
    /// one because that cannot be.
    fn finish(&mut self) -> Numbers {
        let (globs, numbers): (Vec<_>, Numbers) =
            std::mem::take(&mut self.pending).into_iter().unzip();
        if globs.is_empty() {
            return Vec::new();
        }
        let mut builder = GlobSet::builder();
        globs.into_iter().for_each(|glob| {
            builder.add(glob);
        });
        match builder.build() {
            Ok(set) => {
                self.others = Some((set, numbers));
                Vec::new()
            }
            Err(_) => numbers,
        }
    }

    /// Every list of plans that the name could be for.
    fn each(&self, name: &str, f: &mut impl FnMut(&[u32])) {
        let mut found = |numbers: Option<&Numbers>| {
            if let Some(numbers) = numbers {
                f(numbers);
            }
        };
        found(self.literals.get(name));
        for length in &self.prefix_lengths {
            found(name.get(..*length).and_then(|text| self.prefixes.get(text)));
        }
        for length in &self.suffix_lengths {
            let from = name.len().checked_sub(*length);
            let text = from.and_then(|from| name.get(from..));
            found(text.and_then(|text| self.suffixes.get(text)));
        }
        if let Some((set, numbers)) = &self.others {
            // In the order in which the globs were added, which is that of their plans.
            let hits = set.matches(name).into_iter();
            let hits: Numbers = hits.filter_map(|hit| numbers.get(hit).copied()).collect();
            f(&hits);
        }
    }
}

impl Index {
    pub(super) fn new(plans: &[Plan]) -> Self {
        let mut index = Self::default();
        for (number, plan) in plans.iter().enumerate() {
            // More than 2^32 plans fit into no memory.
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let m = &plan.matches;
            if !m.gateways.is_empty() {
                if !index.gateways.put(&m.gateways, number) {
                    index.rest_of_gateways.push(number);
                }
            } else if index.cells.put(&m.cells, number) || index.agents.put(&m.agents, number) {
            } else if let Some((name, value)) = m.labels.first_key_value() {
                let values = index.labels.entry(name.as_str().into()).or_default();
                values
                    .entry(value.as_str().into())
                    .or_default()
                    .push(number);
            } else {
                index.rest.push(number);
            }
        }
        let more = [index.cells.finish(), index.agents.finish()].concat();
        index.rest.extend(more);
        index.rest.sort_unstable();
        let more = index.gateways.finish();
        index.rest_of_gateways.extend(more);
        index.rest_of_gateways.sort_unstable();
        index
    }

    /// Every list of plans that an agent could be for. A cell or an agent that is not known is
    /// matched by no glob.
    pub(super) fn agent(
        &self,
        cell: Option<&str>,
        agent: Option<&str>,
        labels: Option<&BTreeMap<String, String>>,
        mut f: impl FnMut(&[u32]),
    ) {
        if let Some(cell) = cell {
            self.cells.each(cell, &mut f);
        }
        if let Some(agent) = agent {
            self.agents.each(agent, &mut f);
        }
        if !self.labels.is_empty() {
            for (name, value) in labels.into_iter().flatten() {
                let values = self.labels.get(name.as_str());
                if let Some(numbers) = values.and_then(|values| values.get(value.as_str())) {
                    f(numbers);
                }
            }
        }
        f(&self.rest);
    }

    /// Every list of plans that a gateway could be for.
    pub(super) fn gateway(&self, name: &str, mut f: impl FnMut(&[u32])) {
        self.gateways.each(name, &mut f);
        f(&self.rest_of_gateways);
    }

    /// Plans that are found by their labels or by agents' names, whatever the cell.
    pub(super) fn of_any_cell(&self, mut f: impl FnMut(&[u32])) {
        let agents = &self.agents;
        let maps = [&agents.literals, &agents.prefixes, &agents.suffixes];
        maps.into_iter()
            .flat_map(HashMap::values)
            .for_each(|n| f(n));
        agents.others.iter().for_each(|(_, numbers)| f(numbers));
        let labels = self.labels.values().flat_map(HashMap::values);
        labels.for_each(|n| f(n));
    }
}
