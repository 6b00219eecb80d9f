//! A plan's templates, filled in for one subject.

use std::collections::BTreeMap;

use super::fleet::place;
use super::judge::Case;
use super::view::View;
use crate::model::action::Action;
use crate::model::step::Step;
use crate::plan::{Context, Plan, Template, Who, template};

/// The first attempt that would be made for a subject by a plan, if it were down: for those who
/// look ahead. It names no incident, and nothing is decided by it.
///
/// # Errors
/// A sentence: a template names what is not there for this subject.
pub fn first_attempt(view: &View<'_>, plan: &Plan, root: &str) -> Result<Action, String> {
    let about = About {
        view,
        root,
        attempt: 1,
        incident: "",
    };
    Ok(Action {
        subject: view.name.clone(),
        incident: String::new(),
        attempt: 1,
        r#ref: String::new(),
        plan: plan.name.clone(),
        plan_hash: plan.hash.clone(),
        canary: false,
        approved_by: None,
        steps: about.steps(plan)?,
        verify_within: plan.verify_within,
        window: plan.limits.within,
        stale_after: plan.stale_after,
        place: place(view, root),
        resumed: false,
    })
}

/// What templates can name.
struct About<'a> {
    view: &'a View<'a>,
    /// Where the missions are.
    root: &'a str,
    /// The number of the attempt.
    attempt: u32,
    incident: &'a str,
}

impl Case<'_> {
    /// The steps with their templates filled in.
    pub(super) fn steps(&self, plan: &Plan) -> Result<Vec<Step>, String> {
        self.about().steps(plan)
    }

    /// Hands what templates can name of it to `fill`.
    pub(super) fn in_context<T>(
        &self,
        plan: Option<&Plan>,
        fill: impl FnOnce(&Context<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        self.about().in_context(plan, fill)
    }

    fn about(&self) -> About<'_> {
        About {
            view: &self.view,
            root: self.root,
            attempt: self.next,
            incident: &self.incident,
        }
    }
}

impl About<'_> {
    fn steps(&self, plan: &Plan) -> Result<Vec<Step>, String> {
        if plan.steps.is_empty() {
            return Ok(Vec::new());
        }
        self.in_context(Some(plan), |context| {
            let mut fill = |t: &Template| t.render(context);
            let steps = plan.steps.iter();
            steps.map(|step| step.try_map(&mut fill)).collect()
        })
    }

    fn in_context<T>(
        &self,
        plan: Option<&Plan>,
        fill: impl FnOnce(&Context<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let labels = BTreeMap::new();
        let cell_root = match self.view.cell {
            Some(cell) => format!("{}/{}", self.root.trim_end_matches('/'), cell.id),
            None => String::new(),
        };
        let mut context = Context {
            cell: self.view.cell.map(|cell| template::CellContext {
                id: &cell.id,
                root: &cell_root,
                labels: cell.labels.as_deref().unwrap_or(&labels),
            }),
            agent: None,
            gateway: None,
            attempt: self.attempt,
            incident: self.incident,
        };
        match self.view.who {
            Who::Gateway(name) => {
                context.gateway = Some(template::GatewayContext { name });
            }
            Who::Agent { agent, .. } => {
                // `agent.home` is the plan's own, which may itself name the agent.
                let name = agent.unwrap_or_default();
                context.agent = agent.map(|name| template::AgentContext {
                    name,
                    home: &cell_root,
                });
                let written = plan.and_then(home);
                let home = written.map(|home| home.render(&context)).transpose()?;
                if let (Some(home), true) = (&home, context.agent.is_some()) {
                    let context = Context {
                        agent: Some(template::AgentContext { name, home }),
                        ..context
                    };
                    return fill(&context);
                }
            }
        }
        fill(&context)
    }
}

/// The `home` that a plan gives to the agent that it starts.
fn home(plan: &Plan) -> Option<&Template> {
    plan.steps.iter().find_map(|step| match step {
        Step::Spawn(spawn) => spawn.home.as_ref(),
        _ => None,
    })
}
