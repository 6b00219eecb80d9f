//! The report as one JSON document, and JSON that is safe to look at.
//!
//! The document is written cell by cell: a fleet of a hundred thousand is not built up a second
//! time in memory. The shapes below are also where docs/schema/report.schema.json comes from.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::gateways::GatewayDocument;
use super::{Report, Run, VERSION};
use crate::model::action::Done;
use crate::model::cell::{Agent, Cell, Layout, Lifecycle, Reason, Status, Warning};
use crate::model::condition::Condition;
use crate::model::decision::{Decision, Policy, Verdict};
use crate::model::exit::Exit;
use crate::model::probe::{Evidence, Piece};
use crate::model::snapshot::Summary;
use crate::model::time::{Timestamp, millis};

/// The schema that a report names.
pub const SCHEMA: &str = "lazarus-pit/report/1";

/// The report of one run.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "The report of one run of lazarus-pit")]
pub struct Document<'a> {
    /// `lazarus-pit/report/1`
    schema: &'static str,
    /// The missions root that was looked at.
    missions_root: String,
    /// The name of the meta-heartbeat.
    heartbeat_job: &'a str,
    /// How often a run is expected.
    heartbeat_interval_seconds: Number,
    /// How many cells have which status.
    summary: Summary,
    /// The cells in byte order of their names, ignored ones left out.
    #[schemars(with = "Vec<CellDocument<'a>>")]
    cells: CellList<'a>,
    /// Gateways: agents outside any cell.
    gateways: Vec<GatewayDocument<'a>>,
    /// What was decided for each subject that is not healthy or has just recovered.
    decisions: Vec<DecisionDocument<'a>>,
    /// What was done.
    actions: &'a [Done],
    /// What else an operator should know.
    warnings: &'a [Warning],
    /// The run itself.
    run: RunDocument<'a>,
    /// How it ends.
    exit: ExitDocument,
}

/// A number of seconds: whole where it is.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Number {
    /// Whole.
    Whole(u64),
    /// With a fraction.
    Fraction(f64),
}

impl Number {
    /// A duration's seconds.
    #[must_use]
    pub fn seconds(duration: std::time::Duration) -> Self {
        match duration.subsec_nanos() {
            0 => Self::Whole(duration.as_secs()),
            _ => Self::Fraction(duration.as_secs_f64()),
        }
    }
}

struct CellList<'a> {
    report: &'a Report,
    root: &'a str,
}

impl Serialize for CellList<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let cells = self.report.snapshot.cells.iter();
        let cells = cells.filter(|c| !c.is_ignored());
        s.collect_seq(cells.map(|cell| CellDocument::of(cell, self.root, Some(self.report))))
    }
}

/// One cell.
#[derive(Serialize, JsonSchema)]
pub struct CellDocument<'a> {
    /// The directory's name.
    mission_id: &'a str,
    /// The directory.
    #[schemars(with = "String")]
    root: Root<'a>,
    /// The worst of its agents' statuses, or its own.
    status: Status,
    /// The age of the oldest of its agents' last beats, in whole seconds.
    age_seconds: Option<u64>,
    /// When that was, in Unix seconds.
    last_timestamp: Option<f64>,
    /// Required subdirectories that it lacks, in configured order.
    missing_paths: &'a [Box<str>],
    /// Which layout it has; null where that could not be told.
    layout: Option<Layout>,
    /// The lifecycle that its manifest gives it.
    lifecycle: Option<&'a str>,
    /// Its manifest's labels, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a BTreeMap<String, String>>,
    /// Why it is not healthy.
    #[schemars(with = "Vec<Reason>")]
    reasons: Reasons<'a>,
    /// Its agents in byte order of their names.
    #[schemars(with = "Vec<AgentDocument<'a>>")]
    agents: AgentList<'a>,
}

/// The directory of a cell, put together only while it is written.
struct Root<'a>(&'a str, &'a str);

impl Serialize for Root<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{}/{}", self.0.trim_end_matches('/'), self.1))
    }
}

struct Reasons<'a>(&'a Cell);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.all_reasons())
    }
}

struct AgentList<'a>(&'a Cell, Option<&'a Report>);

impl Serialize for AgentList<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Self(cell, report) = self;
        s.collect_seq(cell.agents.iter().map(|agent| {
            let decision = report.and_then(|report| report.decision_about(cell, agent));
            let evidence = report.and_then(|report| report.evidence_about(cell, agent));
            let state = match report {
                Some(report) => report.state_of(cell, agent),
                None => agent_state(agent, false, None, None),
            };
            AgentDocument::of(agent, state, evidence, decision)
        }))
    }
}

impl<'a> CellDocument<'a> {
    /// A cell of this missions root, with what was decided for its agents, if anything was.
    #[must_use]
    pub fn of(cell: &'a Cell, root: &'a str, report: Option<&'a Report>) -> Self {
        let oldest = cell.oldest();
        Self {
            mission_id: &cell.id,
            root: Root(root, &cell.id),
            status: cell.status,
            age_seconds: oldest.map(|beat| beat.age_seconds),
            last_timestamp: oldest.map(|beat| beat.last.as_f64()),
            missing_paths: &cell.missing,
            layout: cell.layout,
            lifecycle: cell.lifecycle.as_ref().map(Lifecycle::as_str),
            labels: cell.labels.as_deref(),
            reasons: Reasons(cell),
            agents: AgentList(cell, report),
        }
    }
}

/// One agent.
#[derive(Serialize, JsonSchema)]
pub struct AgentDocument<'a> {
    /// Its name.
    name: &'a str,
    /// Its own status.
    status: Status,
    /// The age of its last beat in whole seconds.
    age_seconds: Option<u64>,
    /// When that was, in Unix seconds.
    last_timestamp: Option<f64>,
    /// The `status` in its heartbeat: its own word.
    last_status: Option<&'a str>,
    /// The `cycle` in its heartbeat.
    cycle: Option<i64>,
    /// The `model` in its heartbeat.
    model: Option<&'a str>,
    /// `healthy`, `dead`, `exited` where its kept process has ended and it has not beaten since,
    /// `reviving` while an attempt has time to show, or `unknown` where it could not be looked at.
    /// With probes in its plan what all evidence adds up to, `degraded` where some of it is good.
    state: &'static str,
    /// How often it was revived in its open incident.
    revive_count: u32,
    /// With probes in its plan: each piece of evidence about it, its heartbeat first.
    evidence: &'a [Piece],
}

/// What a report has as an agent's `state`; `exited` is true where its kept process has ended and
/// it has not beaten since.
#[must_use]
pub fn agent_state(
    agent: &Agent,
    exited: bool,
    evidence: Option<&Evidence>,
    decision: Option<&Decision>,
) -> &'static str {
    let reviving = decision.is_some_and(|d| d.verdict == Verdict::Reviving);
    match (agent.observed, agent.status) {
        (false, _) => "unknown",
        _ if reviving => "reviving",
        _ if exited => "exited",
        _ if evidence.is_some() => evidence
            .and_then(|evidence| evidence.sum)
            .map_or("unknown", Condition::as_str),
        (true, Status::Healthy) => "healthy",
        (true, _) => "dead",
    }
}

/// How often it was revived in its open incident: none is open where it has just recovered.
#[must_use]
pub fn revive_count(decision: Option<&Decision>) -> u32 {
    decision
        .filter(|d| d.verdict != Verdict::Healthy)
        .map_or(0, |d| d.attempts)
}

impl<'a> AgentDocument<'a> {
    fn of(
        agent: &'a Agent,
        state: &'static str,
        evidence: Option<&'a Evidence>,
        decision: Option<&Decision>,
    ) -> Self {
        let beat = agent.beat.as_ref();
        Self {
            name: &agent.name,
            status: agent.status,
            age_seconds: beat.map(|b| b.age_seconds),
            last_timestamp: beat.map(|b| b.last.as_f64()),
            last_status: beat.and_then(|b| b.status.as_deref()),
            cycle: beat.and_then(|b| b.cycle),
            model: beat.and_then(|b| b.model.as_deref()),
            state,
            revive_count: revive_count(decision),
            evidence: evidence.map_or(&[], |evidence| &evidence.pieces),
        }
    }
}

/// One decision.
#[derive(Serialize, JsonSchema)]
pub struct DecisionDocument<'a> {
    /// `CELL/AGENT`, or `CELL` where its agents cannot be known.
    subject: &'a str,
    /// The governing plan.
    plan: Option<&'a str>,
    /// Its policy.
    policy: Option<Policy>,
    /// What was decided.
    verdict: Verdict,
    /// The incident's id.
    incident: Option<&'a str>,
    /// The attempt's number.
    attempt: Option<u32>,
    /// Since when it has been down.
    down_since: Option<Timestamp>,
    /// When the next attempt can be made.
    next_attempt_at: Option<Timestamp>,
    /// Why.
    because: &'a [Reason],
}

impl<'a> From<&'a Decision> for DecisionDocument<'a> {
    fn from(d: &'a Decision) -> Self {
        Self {
            subject: &d.subject,
            plan: d.plan.as_deref(),
            policy: d.policy,
            verdict: d.verdict,
            incident: d.incident.as_deref(),
            attempt: d.attempt,
            down_since: d.down_since,
            next_attempt_at: d.next_attempt_at,
            because: &d.because,
        }
    }
}

/// The run.
#[derive(Serialize, JsonSchema)]
pub struct RunDocument<'a> {
    id: &'a str,
    version: &'static str,
    host: &'a str,
    dry_run: bool,
    started_at: Timestamp,
    duration_ms: u64,
}

impl<'a> From<&'a Run> for RunDocument<'a> {
    fn from(run: &'a Run) -> Self {
        Self {
            id: &run.id,
            version: VERSION,
            host: &run.host,
            dry_run: run.dry_run,
            started_at: run.started_at,
            duration_ms: millis(run.duration),
        }
    }
}

/// The exit.
#[derive(Serialize, JsonSchema)]
pub struct ExitDocument {
    code: u8,
    meaning: &'static str,
}

impl From<Exit> for ExitDocument {
    fn from(exit: Exit) -> Self {
        Self {
            code: exit.code(),
            meaning: exit.meaning(),
        }
    }
}

impl<'a> Document<'a> {
    /// The document of a report. `root` is the missions root as text.
    #[must_use]
    pub fn of(report: &'a Report, root: &'a str) -> Self {
        let run = &report.run;
        Self {
            schema: SCHEMA,
            missions_root: root.to_owned(),
            heartbeat_job: &run.heartbeat_job,
            heartbeat_interval_seconds: Number::seconds(run.heartbeat_interval),
            summary: report.summary,
            cells: CellList { report, root },
            gateways: GatewayDocument::all(report),
            decisions: report
                .decisions
                .iter()
                .map(DecisionDocument::from)
                .collect(),
            actions: &report.actions,
            warnings: &report.warnings,
            run: run.into(),
            exit: report.exit.into(),
        }
    }
}

/// Writes the report as one document and a line end.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    to_writer(&Document::of(report, &report.root_text()), out)
}

/// The report's JSON Schema.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Document<'_>>()
}

/// Writes any value as one line of JSON that no terminal takes for a command: beside what JSON
/// itself demands, DEL, C1 and the characters that turn text around are written as `\uXXXX`.
/// The value that a reader gets is the same.
///
/// # Errors
/// Those of the writer.
pub fn to_writer(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    // Written in small pieces: a buffer of our own, since `out` may be anything.
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    let mut json = serde_json::Serializer::with_formatter(&mut out, Careful);
    let done = value
        .serialize(&mut json)
        .map_err(io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    // What could not be written is not tried again when the buffer is dropped.
    let _ = out.into_parts();
    done
}

struct Careful;

impl serde_json::ser::Formatter for Careful {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        // What is plain ASCII, nearly all of it, goes straight through.
        if text.bytes().all(|b| b.is_ascii() && b != 0x7f) {
            return out.write_all(text.as_bytes());
        }
        let mut plain = 0;
        for (at, c) in text
            .char_indices()
            .filter(|(_, c)| crate::model::text::is_unsafe(*c))
        {
            out.write_all(&text.as_bytes()[plain..at])?;
            // None of these characters lies beyond U+FFFF.
            write!(out, "\\u{:04x}", c as u32)?;
            plain = at + c.len_utf8();
        }
        out.write_all(&text.as_bytes()[plain..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_nothing_is_lost() {
        for c in (0..0x3000).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let mut out = Vec::new();
            to_writer(&text, &mut out).unwrap();
            let line = String::from_utf8(out).unwrap();
            assert!(
                !line
                    .trim_end_matches('\n')
                    .chars()
                    .any(crate::model::text::is_unsafe),
                "{c:?}"
            );
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
