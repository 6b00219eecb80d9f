//! `import`: a file of an earlier tool to a configuration and plans.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::args::{Common, ImportArgs};
use super::list::wants_json;
use super::setup::overrides;
use super::{Ending, out};
use crate::act::install::{CONFIG, Install, PLANS};
use crate::config;
use crate::import::{self, Format, Imported};
use crate::model::exit::{Exit, Failure};
use crate::model::text::{from_bytes, visible};
use crate::sys::trust::Trust;

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/import/1";

/// Reads the file, and writes what it comes to.
pub(super) fn import(common: &Common, args: &ImportArgs) -> Result<Ending, Failure> {
    let json = wants_json(common, "import")?;
    let trust = Trust::new(&overrides(common, None)?.trust_owners);
    let name = from_bytes(args.file.as_os_str().as_encoded_bytes());
    let refuse = |why: String| Failure::new(Exit::Config, why);
    // What it says becomes commands that runs carry out: it is believed as plans are.
    let mut warnings = Vec::new();
    let bytes = config::read_trusted(&args.file, &trust, &mut warnings)
        .map_err(|refused| refuse(refused.message))?;
    let text = std::str::from_utf8(&bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        refuse(format!("{name}:{line}: error: this is not UTF-8"))
    })?;
    let file = args
        .file
        .file_name()
        .map_or_else(Default::default, |f| f.to_string_lossy());
    let imported = import::import(text, &file, Format::of(&name, text)).map_err(|wrong| {
        let (line, column, message) = (wrong.line, wrong.column.max(1), wrong.message);
        refuse(format!("{name}:{line}:{column}: error: {message}"))
    })?;
    imported.check().map_err(|why| {
        let message = "what was made of it would not be taken, and nothing was written";
        Failure::new(Exit::Defect, format!("{message}: {why}; please report it"))
    })?;
    let install = Install {
        config: &imported.config,
        private: imported.private,
        plans: &imported.plans,
    };
    install.write(&args.out)?;
    if !common.quiet {
        warnings.iter().for_each(out::warn_of);
    }
    if json {
        out::json(&document(&imported, &args.out))?;
    } else if !common.quiet {
        out::print(told(&imported, &args.out).as_bytes())?;
    }
    Ok(Exit::Healthy.into())
}

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(serialize_with = "crate::model::text::serialize_path")]
    out: &'a Path,
    /// What was written, beneath `out`.
    files: Vec<String>,
    plans: usize,
    gateways: &'a [String],
    channels: &'a [String],
    /// The variables to be set.
    environment: Vec<Variable<'a>>,
    /// The settings that were not kept.
    left: &'a [String],
    hints: &'a [String],
}

#[derive(Serialize)]
struct Variable<'a> {
    name: &'a str,
    from: Option<&'a str>,
}

fn files(imported: &Imported) -> Vec<String> {
    let plans = imported
        .plans
        .iter()
        .map(|(name, _)| format!("{PLANS}/{name}"));
    std::iter::once(CONFIG.to_owned()).chain(plans).collect()
}

fn document<'a>(imported: &'a Imported, out: &'a Path) -> Document<'a> {
    let variables = imported.moved.iter().map(|moved| Variable {
        name: &moved.variable,
        from: moved.from.as_deref(),
    });
    Document {
        schema: SCHEMA,
        out,
        files: files(imported),
        plans: imported.count,
        gateways: &imported.gateways,
        channels: &imported.channels,
        environment: variables.collect(),
        left: &imported.left,
        hints: &imported.hints,
    }
}

/// For people: what was written, what is to be set, what is to be looked at.
fn told(imported: &Imported, out: &Path) -> String {
    let mut text = String::new();
    let path = |name: &str| visible(&out.join(name).to_string_lossy()).into_owned();
    for file in files(imported) {
        let _ = writeln!(text, "wrote {}", path(&file));
    }
    if !imported.moved.is_empty() {
        text.push_str("\nTo be set in the environment of the runs (systemd: EnvironmentFile=; a file of mode 0600):\n");
        for moved in &imported.moved {
            let from = match &moved.from {
                Some(from) => format!("the value of {from} in the earlier file"),
                None => "not in the earlier file".to_owned(),
            };
            let _ = writeln!(text, "  {}  {}", visible(&moved.variable), visible(&from));
        }
    }
    if !imported.hints.is_empty() {
        text.push_str("\nTo be looked at:\n");
        for hint in &imported.hints {
            let _ = writeln!(text, "  {}", visible(hint));
        }
    }
    match imported.left.len() {
        0 => {}
        1 => text.push_str("\n1 setting was not kept: the last lines of config.yaml name it.\n"),
        n => {
            let _ = writeln!(
                text,
                "\n{n} settings were not kept: the last lines of config.yaml name them."
            );
        }
    }
    let _ = writeln!(
        text,
        "\nNext: lazarus-pit plan lint --config {0}; lazarus-pit check --dry-run --config {0}",
        path(CONFIG)
    );
    text
}
