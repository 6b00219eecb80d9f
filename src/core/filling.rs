//! A plan's templates, filled in for one subject.

use std::collections::BTreeMap;

use super::judge::Case;
use crate::model::step::Step;
use crate::plan::{Context, Plan, Template, Who, template};

impl Case<'_> {
    /// The steps with their templates filled in.
    pub(super) fn steps(&self, plan: &Plan) -> Result<Vec<Step>, String> {
        if plan.steps.is_empty() {
            return Ok(Vec::new());
        }
        self.in_context(Some(plan), |context| {
            let mut fill = |t: &Template| t.render(context);
            let steps = plan.steps.iter();
            steps.map(|step| step.try_map(&mut fill)).collect()
        })
    }

    /// Hands what templates can name of it to `fill`.
    pub(super) fn in_context<T>(
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
            attempt: self.next,
            incident: &self.incident,
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
