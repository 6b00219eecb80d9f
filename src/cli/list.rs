//! `list`: every cell there is, archived ones too. It only looks.

use std::io::{self, Write};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::args::{Common, Format};
use super::setup::Setup;
use super::{Ending, out};
use crate::model::cell::{Agent, Cell, Warning};
use crate::model::exit::{Exit, Failure};
use crate::model::snapshot::Snapshot;
use crate::model::text::shortened;
use crate::model::time::human;
use crate::observe;
use crate::report::json::CellDocument;
use crate::report::table::{self, Field};
use crate::report::{bounded, root_text};
use crate::sys::host;

/// The schema that the document names.
const SCHEMA: &str = "lazarus-pit/list/1";

/// At most this many characters of what is no name to copy: a lifecycle, a row of agents.
const WIDEST: usize = 32;

/// Lists the cells.
pub(super) fn list(common: &Common, setup: Setup) -> Result<Ending, Failure> {
    let setup = setup.with_plans()?;
    let json = wants_json(common, "list")?;
    let snapshot = observe::snapshot(setup.look(None), host::now())?;
    if json {
        out::json(&Document::of(&snapshot))?;
    } else if !common.quiet {
        out::with(|out| write(&snapshot, out))?;
    }
    if !common.quiet {
        setup.warnings.iter().for_each(out::warn_of);
        warn(&snapshot);
    }
    Ok(Exit::Healthy.into())
}

/// True for JSON, false for people.
///
/// # Errors
/// The format is one that only a run's report has.
pub(super) fn wants_json(common: &Common, command: &str) -> Result<bool, Failure> {
    match common.format() {
        Format::Human => Ok(false),
        Format::Json => Ok(true),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("`{command}` has two formats, human and json; the others are those of `check`"),
        )),
    }
}

/// Tells what was noticed on the way.
fn warn(snapshot: &Snapshot) {
    let of_cells = snapshot.cells.iter().flat_map(|cell| &cell.warnings);
    warn_all(snapshot.warnings.iter().chain(of_cells).cloned().collect());
}

/// Tells these warnings, not too many of a kind.
pub(super) fn warn_all(warnings: Vec<Warning>) {
    for warning in bounded(warnings) {
        out::warn_of(&warning);
    }
}

/// The list as one JSON document, written cell by cell.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    missions_root: String,
    cells: Cells<'a>,
}

struct Cells<'a>(&'a Snapshot);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let root = root_text(&self.0.missions_root);
        let cells = self.0.cells.iter();
        s.collect_seq(cells.map(|cell| CellDocument::of(cell, &root, None)))
    }
}

impl<'a> Document<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            schema: SCHEMA,
            missions_root: root_text(&snapshot.missions_root).into_owned(),
            cells: Cells(snapshot),
        }
    }
}

/// The list for people.
fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    if snapshot.cells.iter().next().is_none() {
        let root = root_text(&snapshot.missions_root);
        return writeln!(
            out,
            "There are no cells in {}.",
            crate::model::text::visible(&root)
        );
    }
    table::write(out, || {
        let head = ["ID", "STATUS", "LAYOUT", "LIFECYCLE", "AGENTS", "AGE"];
        std::iter::once(head.map(Field::plain)).chain(snapshot.cells.iter().map(line))
    })
}

fn line(cell: &Cell) -> [Field; 6] {
    // Its class is of no interest to anyone, and in no sum.
    let status = if cell.is_ignored() {
        "ignored"
    } else {
        cell.status.as_str()
    };
    let lifecycle = cell.lifecycle.as_ref().map_or("-", |l| l.as_str());
    let age = cell.oldest().map(|beat| beat.age_seconds);
    let age = age.map_or_else(|| "-".into(), |age| human(Duration::from_secs(age)));
    [
        Field::plain(&cell.id),
        Field::plain(status),
        Field::plain(cell.layout.map_or("-", |layout| layout.as_str())),
        Field::plain(&shortened(lifecycle, WIDEST)),
        Field::plain(&agents(&cell.agents)),
        Field::plain(&age),
    ]
}

/// The agents' names, as many as there is room for, then how many more there are.
fn agents(agents: &[Agent]) -> String {
    if agents.is_empty() {
        return "-".into();
    }
    let mut text = String::new();
    for (at, agent) in agents.iter().enumerate() {
        if at > 0 && text.chars().count() + agent.name.chars().count() + 1 > WIDEST {
            return format!("{text} +{}", agents.len() - at);
        }
        if at > 0 {
            text.push(',');
        }
        text.push_str(&shortened(&agent.name, WIDEST));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cell::{Beat, Layout, Lifecycle, Status};
    use crate::model::time::Timestamp;

    fn cell(id: &str, lifecycle: Lifecycle, names: &[&str]) -> Cell {
        let agent = |name: &&str| Agent {
            name: (*name).to_owned().into(),
            status: Status::Stale,
            observed: true,
            beat: Some(Beat {
                last: Timestamp::from_secs(0),
                age_seconds: 412,
                stale_at: Timestamp::from_secs(0),
                status: None,
                cycle: None,
                model: None,
                pid: None,
            }),
            reasons: Vec::new(),
        };
        Cell {
            id: id.into(),
            layout: Some(Layout::Canonical),
            lifecycle: Some(lifecycle),
            labels: None,
            issue: None,
            status: Status::Stale,
            observed: true,
            missing: Vec::new(),
            reasons: Vec::new(),
            agents: names.iter().map(agent).collect(),
            warnings: Vec::new(),
        }
    }

    fn snapshot(cells: Vec<Cell>) -> Snapshot {
        Snapshot::new(
            Timestamp::from_secs(412),
            "/m/",
            cells.into_iter().collect(),
        )
    }

    fn text(cells: Vec<Cell>) -> String {
        let mut out = Vec::new();
        write(&snapshot(cells), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_of_all_cells() {
        let many: Vec<String> = (0..40).map(|n| format!("agent-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = text(vec![
            cell("alpha", Lifecycle::Active, &["main"]),
            cell("old", Lifecycle::Archived, &[]),
            cell("wide", Lifecycle::Frozen, &many),
        ]);
        let expected = "\
ID     STATUS   LAYOUT     LIFECYCLE  AGENTS                               AGE
alpha  stale    canonical  active     main                                 6m 52s
old    ignored  canonical  archived   -                                    -
wide   stale    canonical  frozen     agent-0,agent-1,agent-2,agent-3 +36  6m 52s
";
        assert_eq!(text, expected);
        assert_eq!(
            super::tests::text(Vec::new()),
            "There are no cells in /m.\n"
        );
    }

    #[test]
    fn hostile_names_stay_in_their_line() {
        let name: String = (0..0x3000).filter_map(char::from_u32).collect();
        let cells = vec![cell(&name, Lifecycle::from_text(&name), &[&name])];
        let text = text(cells);
        assert_eq!(text.lines().count(), 2);
        let is_unsafe = crate::model::text::is_unsafe;
        assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)));
    }

    #[test]
    fn the_document_has_archived_cells_too() {
        let snapshot = snapshot(vec![cell("old", Lifecycle::Archived, &["main"])]);
        let value = serde_json::to_value(Document::of(&snapshot)).unwrap();
        assert_eq!(value["schema"], SCHEMA);
        assert_eq!(value["missions_root"], "/m");
        assert_eq!(value["cells"][0]["root"], "/m/old");
        assert_eq!(value["cells"][0]["lifecycle"], "archived");
    }
}
