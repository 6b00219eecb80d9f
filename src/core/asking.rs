//! What there is to ask about whom: the probes of a configuration and of its plans, filled in for
//! each subject, and what follows from the answers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::decide::{case, subjects};
use super::evidence::{self, Streaks};
use super::fleet;
use super::judge::Case;
use super::rules::Rules;
use super::view::View;
use crate::model::action::Place;
use crate::model::cell::{Code, Status};
use crate::model::condition::Condition;
use crate::model::probe::{
    Answer, Asks, FileAsks, HttpAsks, Piece, ProcessWhich, Question, Standing,
};
use crate::model::snapshot::Snapshot;
use crate::model::state::{Memory, State};
use crate::model::time::Timestamp;
use crate::plan::types::{HttpProbe, Probe, ProbeKind, ProcessBy};
use crate::plan::{Context, Plan, Template};

/// What is to be asked about one subject.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The subject.
    pub subject: String,
    /// Where it is.
    pub place: Place,
    /// Its heartbeat, where it is to have one.
    pub heartbeat: Option<Piece>,
    /// The questions, in the order in which they are written.
    pub questions: Vec<Question>,
}

/// All that is to be asked, in order of the subjects' names within the cells and within the
/// gateways. `of_gateways` are the probes that the configuration has for gateways, by their names.
///
/// About an agent whose class is `incomplete` nothing is asked: it counts as that, whatever else
/// may be said of it.
#[must_use]
pub fn asking(
    snapshot: &Snapshot,
    rules: &Rules<'_>,
    of_gateways: &BTreeMap<&str, &[Probe]>,
    state: &State,
    now: Timestamp,
) -> Vec<Asking> {
    let (nothing, root) = (Memory::default(), snapshot.told_root());
    let mut all = Vec::new();
    let mut ask = |view: View<'_>, own: &[Probe]| {
        let plan = rules.plans.governing(&view.who);
        let of_plan = plan.map_or(&[][..], |plan| &plan.probes);
        if own.is_empty() && of_plan.is_empty() {
            return;
        }
        let place = fleet::place(&view, &root);
        let heartbeat = heartbeat(&view);
        let before = state.probes.get(&view.name);
        let case = case(view, rules, state, &nothing, &root, now);
        let probes = own.iter().chain(of_plan);
        all.push(Asking {
            questions: questions(&case, plan, probes, before),
            subject: case.view.name,
            place,
            heartbeat,
        });
    };
    if rules
        .plans
        .plans()
        .iter()
        .any(|plan| !plan.probes.is_empty())
    {
        for subject in snapshot.cells.iter().flat_map(subjects) {
            if subject.agent.is_some() && subject.status() != Status::Incomplete {
                ask(View::of(&subject, snapshot), &[]);
            }
        }
    }
    for gateway in &snapshot.gateways {
        let own = of_gateways.get(&*gateway.name).copied().unwrap_or_default();
        ask(View::of_gateway(gateway, snapshot), own);
    }
    all
}

/// What a subject's heartbeat says; `None` for a gateway that has none configured.
fn heartbeat(view: &View<'_>) -> Option<Piece> {
    let standing = match view.base {
        _ if !view.observed => Standing::Unknown,
        Condition::Unknown => return None,
        Condition::Healthy => Standing::Good,
        _ => Standing::Bad,
    };
    Some(evidence::heartbeat(view.beat, standing, &view.reasons))
}

fn questions<'p>(
    case: &Case<'_>,
    plan: Option<&Plan>,
    probes: impl Iterator<Item = &'p Probe>,
    before: Option<&Streaks>,
) -> Vec<Question> {
    let mut all: Vec<Question> = Vec::new();
    for probe in probes {
        let mut key = probe.key();
        let same = all.iter().filter(|q| q.key.starts_with(&key)).count();
        if same > 0 {
            key.push_str(&format!("-{}", same + 1));
        }
        let asks = case.in_context(plan, |context| fill(&probe.kind, context));
        all.push(Question {
            kind: probe.word(),
            asks,
            timeout: probe.timeout,
            failures: probe.failures,
            successes: probe.successes,
            before: before.and_then(|all| all.get(&key)?.mark),
            key,
        });
    }
    all
}

fn fill(kind: &ProbeKind, context: &Context<'_>) -> Result<Asks, String> {
    let fill = |text: &Template| text.render(context);
    Ok(match kind {
        ProbeKind::Tcp(address) => Asks::Tcp(fill(address)?),
        ProbeKind::Http(http) => Asks::Http(fill_http(http, context)?),
        ProbeKind::Process(process) => Asks::Process {
            which: match &process.which {
                ProcessBy::Pattern(pattern) => ProcessWhich::Pattern(fill(pattern)?),
                ProcessBy::Pidfile(path) => ProcessWhich::Pidfile(fill(path)?),
                ProcessBy::HeartbeatPid => ProcessWhich::HeartbeatPid,
            },
            busy: process.busy,
        },
        ProbeKind::Exec(command) => Asks::Exec(command.iter().map(fill).collect::<Result<_, _>>()?),
        ProbeKind::File(file) => Asks::File(FileAsks {
            path: fill(&file.path)?,
            newer_than: file.newer_than,
            grows: file.grows,
            min_size: file.min_size,
        }),
    })
}

fn fill_http(http: &HttpProbe, context: &Context<'_>) -> Result<HttpAsks, String> {
    let headers = http.headers.iter();
    let headers = headers.map(|(name, value)| Ok((name.clone(), value.render(context)?)));
    Ok(HttpAsks {
        url: http.url.render(context)?,
        status: http.status,
        headers: headers.collect::<Result<_, String>>()?,
        contains: http
            .contains
            .as_ref()
            .map(|t| t.render(context))
            .transpose()?,
        json: http.json.clone(),
        ca: http
            .ca
            .as_ref()
            .map(|path| path.render(context))
            .transpose()?,
    })
}

/// Takes into a snapshot what was answered: one answer for each question, in their order. `least`
/// is how long something must have stood still at the least before it is bad that it does.
pub fn take_in(
    snapshot: &mut Snapshot,
    asked: &[Asking],
    answers: Vec<Answer>,
    state: &State,
    least: Duration,
) {
    let now = snapshot.taken_at;
    let mut answers = answers.into_iter();
    for Asking {
        subject,
        heartbeat,
        questions,
        ..
    } in asked
    {
        let answered = questions.iter().zip(answers.by_ref()).collect();
        let before = state.probes.get(subject);
        let evidence = evidence::weigh(heartbeat.clone(), answered, before, now, least);
        if let Some(sum) = evidence.sum.filter(|sum| *sum != Condition::Healthy) {
            snapshot.evidence.insert(subject.clone(), sum);
        }
        snapshot.asked.insert(subject.clone(), evidence);
    }
    for gateway in &mut snapshot.gateways {
        let name = format!("{}{}", super::view::GATEWAY, gateway.name);
        if let Some(evidence) = snapshot.asked.get(&name) {
            gateway.condition = evidence.sum.unwrap_or(Condition::Unknown);
            gateway.observed = evidence.sum.is_some();
            // Something else tells how it is.
            if evidence
                .pieces
                .first()
                .is_some_and(|p| p.kind != "heartbeat")
            {
                gateway.reasons.retain(|r| r.code != Code::NoHeartbeat);
            }
        }
    }
}
