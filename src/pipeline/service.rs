//! What becomes of agents when the service that this run belongs to ends.

use super::Request;
use crate::model::cell::Warning;
use crate::model::decision::Policy;
use crate::model::step::{Backend, Step};
use crate::plan::Plan;
use crate::sys::systemd::{self, Manager, Within};

/// Warns of a run that belongs to a service of systemd and would start agents that are killed with
/// it. systemd is asked only where there is such a plan.
pub(super) fn warning(request: &Request) -> Option<Warning> {
    let supervised = std::env::var_os("INVOCATION_ID").is_some_and(|id| !id.is_empty());
    if request.no_act || !supervised {
        return None;
    }
    let plans = request.plans.plans();
    let plan = plans.iter().find(|plan| starts_beside_itself(plan))?;
    let (service, mode) = match systemd::ours() {
        Within::Scope => return None,
        Within::Service(unit, manager) => {
            let path = std::env::var_os("PATH");
            let mode = systemd::kill_mode(&unit, manager, path);
            let whose = match manager {
                Manager::Host => "the service",
                Manager::User => "the user's service",
            };
            (format!("{whose} {unit}"), mode)
        }
        Within::Unknown => {
            let why = "its control group does not say which";
            ("a service of systemd".to_owned(), Err(why.to_owned()))
        }
    };
    let mode = match mode.as_deref() {
        // What the service started outlives it.
        Ok("process" | "none") => return None,
        Ok(mode) => format!("whose KillMode is {mode}"),
        Err(why) => format!("whose KillMode could not be found out ({why})"),
    };
    let message = format!(
        "this run belongs to {service}, {mode}: agents that plan {} starts are killed by systemd \
         when the run ends, unless that is `process`. Say KillMode=process in the unit, as \
         contrib/systemd does, or `backend: systemd` in the step `spawn`",
        plan.name
    );
    Some(Warning::new("kill_mode", message))
}

/// True for a plan by which agents are started as processes of the run's own service.
#[must_use]
pub fn starts_beside_itself(plan: &Plan) -> bool {
    let plain = |step: &Step<_>| match step {
        Step::Spawn(spawn) => spawn.backend == Backend::Process,
        _ => false,
    };
    plan.policy != Policy::Never && plan.steps.iter().any(plain)
}
