//! Files of the earlier tools, a `resurrection_pool.json` or a `lazarus-pit.toml`, to a configuration
//! and plans. Text to text: no file is read or written here.
//!
//! ```text
//! text ──▶ tree ──▶ section: emptied of what has a meaning here ──▶ settings, gateways, plans, channels
//!                      └──▶ notes: all that is left, what was moved out, what a person should know
//! ```
//!
//! Nothing is passed over: what is not taken out of a section is told at the end. Nothing is written
//! that the program's own readers would not take.

mod channels;
mod command;
mod evidence;
mod found;
mod limits;
mod notes;
mod section;
mod settings;
mod sound;
mod subject;
mod tree;
mod write;

use std::time::Duration;

use crate::model::text::visible;
use crate::plan::Known;

pub use notes::Moved;

use channels::Channel;
use notes::Notes;
use section::Section;
use subject::Defaults;
use write::Yaml;

/// What an earlier file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, as `resurrection_pool.json`.
    Json,
    /// TOML, as `lazarus-pit.toml`.
    Toml,
}

impl Format {
    /// By a file's name; where that does not tell, by what it begins with.
    #[must_use]
    pub fn of(name: &str, text: &str) -> Self {
        let lower = name.to_lowercase();
        if lower.ends_with(".toml") {
            return Format::Toml;
        }
        let begins = text.trim_start_matches('\u{feff}').trim_start();
        match lower.ends_with(".json") || begins.starts_with('{') {
            true => Format::Json,
            false => Format::Toml,
        }
    }
}

/// What cannot be imported, and where it is wrong. Quotes no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1; 0 where there is none.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// What an earlier file comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The configuration.
    pub config: String,
    /// True where something in it is for its reader only: a ping URL has a key in it.
    pub private: bool,
    /// Plan files: names and texts, in byte order of the names.
    pub plans: Vec<(String, String)>,
    /// How many plans there are in them.
    pub count: usize,
    /// The gateways' names.
    pub gateways: Vec<String>,
    /// The channels' names.
    pub channels: Vec<String>,
    /// Settings that are not kept, a line each, as the comments have them.
    pub left: Vec<String>,
    /// Secrets that were moved out.
    pub moved: Vec<Moved>,
    /// What a person should know or do.
    pub hints: Vec<String>,
}

/// Turns an earlier file into a configuration and plans.
///
/// # Errors
/// Its text is wrong, or is none of an earlier tool's.
pub fn import(text: &str, name: &str, format: Format) -> Result<Imported, Wrong> {
    let tree = tree::read(text, format)?;
    let mut root = Section::new("", tree);
    let mut notes = Notes::default();
    let channels = channels::channels(&mut root, &mut notes);
    found::gather(&mut root);
    let subjects = found::subjects(&mut root, &mut notes);
    let defaults = Defaults::take(&mut root, &mut notes);
    let mut config = settings::settings(&mut root, &mut notes);
    let (gateways, plans) = found::plans(subjects, &defaults, &channels, &mut notes);
    if config.is_empty() && gateways.is_empty() && plans.is_empty() && channels.is_empty() {
        return Err(Wrong {
            line: 1,
            column: 1,
            message: "there is nothing in it that is known here: neither gateways nor missions, \
                      channels or settings"
                .to_owned(),
        });
    }
    root.finish(&mut notes);
    let private = config.iter().any(|(key, _)| key == "heartbeat_ping_url");
    let names: Vec<String> = gateways.iter().map(|(name, _)| name.clone()).collect();
    if !gateways.is_empty() {
        let list = gateways.into_iter().map(|(_, yaml)| yaml).collect();
        config.push(("gateways".to_owned(), Yaml::List(list)));
    }
    config.extend(block_of_channels(&channels));
    let count = plans.iter().map(|(_, plans)| plans.len()).sum();
    let secrets = notes.secrets();
    let (left, moved, hints) = notes.into_parts();
    let plans = plans.into_iter();
    let imported = Imported {
        config: configuration(name, config, &moved, &left),
        private,
        plans: plans
            .map(|(file, plans)| (file, documents(name, &plans)))
            .collect(),
        count,
        gateways: names,
        channels: channels.into_iter().map(|channel| channel.name).collect(),
        left,
        moved,
        hints,
    };
    match secrets.iter().find(|(_, secret)| imported.has(secret)) {
        None => Ok(imported),
        Some((path, _)) => Err(Wrong {
            line: 1,
            column: 1,
            message: format!(
                "the secret at {path} stands elsewhere in the file too, where it cannot be moved \
                 out; take it out there"
            ),
        }),
    }
}

impl Imported {
    /// Whether a text stands in what is to be written or told.
    fn has(&self, text: &str) -> bool {
        let told = self.left.iter().chain(&self.hints);
        let plans = self.plans.iter().map(|(_, plan)| plan);
        self.config.contains(text) || plans.chain(told).any(|all| all.contains(text))
    }

    /// Whether the program itself takes it, as far as it knows all that is in it.
    ///
    /// # Errors
    /// What is wrong: a defect of ours.
    pub fn check(&self) -> Result<(), String> {
        if self.channels.is_empty() || sound::knows_channels() {
            sound::config(&self.config)?;
        }
        let known = Known {
            channels: Some(self.channels.iter().cloned().collect()),
            gateways: Some(self.gateways.iter().cloned().collect()),
            ..Known::default()
        };
        sound::plans(&self.plans, &known)
    }
}

/// The configuration's block of channels.
fn block_of_channels(channels: &[Channel]) -> Option<(String, Yaml)> {
    let all = channels.iter();
    let all: Vec<_> = all.map(|c| (c.name.clone(), c.yaml.clone())).collect();
    (!all.is_empty()).then(|| ("channels".to_owned(), Yaml::Map(all)))
}

/// The text of the configuration, with what is to be set before it and what was not kept after it.
fn configuration(
    name: &str,
    config: Vec<(String, Yaml)>,
    moved: &[Moved],
    left: &[String],
) -> String {
    let mut out = comment(&format!("Made by `lazarus-pit import` from {name}."));
    if !moved.is_empty() {
        out.push_str("#\n# Secrets stand in the environment of the runs, not here:\n");
        for Moved { variable, from } in moved {
            let from = from
                .as_ref()
                .map_or_else(String::new, |from| format!("  (was {from})"));
            out.push_str(&comment(&format!("  {variable}{from}")));
        }
    }
    out.push('\n');
    out.push_str(&Yaml::Map(config).document());
    if !left.is_empty() {
        out.push_str("\n# Settings of the earlier file that have no meaning here, or that could not be kept:\n");
        left.iter()
            .for_each(|line| out.push_str(&comment(&format!("  {line}"))));
    }
    out
}

/// The text of a file of plans.
fn documents(name: &str, plans: &[Yaml]) -> String {
    let mut out = comment(&format!("Made by `lazarus-pit import` from {name}."));
    for (at, plan) in plans.iter().enumerate() {
        if at > 0 {
            out.push_str("---\n");
        }
        out.push_str(&plan.document());
    }
    out
}

/// A line of a comment, in which nothing ends the line.
fn comment(text: &str) -> String {
    format!("# {}\n", visible(text))
}

/// A duration as an operator would write it.
fn exact(duration: Duration) -> String {
    crate::model::time::exact(duration)
}

#[cfg(test)]
mod tests;
