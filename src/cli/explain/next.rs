//! What happens next, in words.

use crate::model::cell::Code;
use crate::model::decision::{Decision, Verdict};
use crate::model::state::Memory;
use crate::model::time::{Timestamp, human};
use crate::plan::Plan;
use crate::report::human::moment;

/// The answer in one sentence: what the next run would do about a subject.
pub(super) fn answer(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "There is nothing to do: it is healthy.",
        Verdict::Unobserved => {
            "Nothing is done: it could not be looked at, and a failed look is not a death."
        }
        Verdict::Reviving => "It is being revived: what was done for it has still time to show.",
        Verdict::Frozen => "It is left alone: its cell is frozen.",
        Verdict::Paused => "It is left alone: it is paused.",
        Verdict::Unplanned => "Nobody brings it back: no plan governs it.",
        Verdict::Finished => "There is nothing to do: it is done, and counts as healthy.",
        Verdict::Permanent => "It is not revived: trying again would not help.",
        Verdict::Tolerated => "It is left alone: its plan does not take this for a death.",
        Verdict::Never => "It is not revived: its plan only tells.",
        Verdict::Waiting => "It is not revived yet: it has not been down for long enough.",
        Verdict::Maintenance => "It is not revived now: a maintenance window is open.",
        Verdict::Blocked => "It is not revived yet: something that it needs is not healthy.",
        Verdict::Exhausted => "It is given up for now: its attempts are used up.",
        Verdict::Backoff => "It is not revived yet: the next attempt is not due.",
        Verdict::Denied => "It is not revived: a human said no.",
        Verdict::Expired => "It is not revived: a human was asked, and nobody answered in time.",
        Verdict::Held => "It is not revived: something speaks against reviving anyone now.",
        Verdict::AwaitingApproval => "It waits for a human to agree.",
        Verdict::Deferred => "It is due, but the next run has enough to do with others.",
        Verdict::Revive => "The next run revives it.",
    }
}

/// True where the decision has this reason.
fn because(decision: &Decision, code: Code) -> bool {
    decision.because.iter().any(|reason| reason.code == code)
}

/// A point in time, and how far off it is.
fn when(at: Timestamp, now: Timestamp) -> String {
    match at > now {
        true => format!("at {} (in {})", moment(at), human(at.since(now))),
        false => format!("at {}", moment(at)),
    }
}

/// What happens next, and when.
pub(super) fn sentence(
    decision: &Decision,
    plan: Option<&Plan>,
    memory: Option<&Memory>,
    now: Timestamp,
) -> String {
    let name = &decision.subject;
    let at = decision.next_attempt_at.map(|at| when(at, now));
    let at_or = |other: &str| at.clone().unwrap_or_else(|| other.to_owned());
    match decision.verdict {
        Verdict::Healthy | Verdict::Finished => match &decision.incident {
            Some(id) => format!("The next run closes incident {id}."),
            None => "Nothing, as long as it stays so.".into(),
        },
        Verdict::Unobserved => "The next run looks again.".into(),
        Verdict::Reviving => format!(
            "If it is not healthy {}, the attempt has failed, and the next one comes after its backoff.",
            at_or("when the attempt's time is over")
        ),
        Verdict::Frozen => "Nothing, until its cell's manifest says something else than `status: frozen`.".into(),
        Verdict::Paused => match &at {
            Some(at) => format!("The pause ends {at}; `lazarus-pit resume {name}` ends it now."),
            None => format!("Nothing, until someone says `lazarus-pit resume {name}`."),
        },
        Verdict::Unplanned => "Nothing, until a plan matches it: a person has to bring it back.".into(),
        Verdict::Permanent if because(decision, Code::Template) => {
            "Nothing, until its plan or its cell's labels are changed.".into()
        }
        Verdict::Permanent => format!(
            "Nothing, until its plan is changed or someone says `lazarus-pit resume {name}`."
        ),
        Verdict::Tolerated => "Nothing, as long as it stays what it is.".into(),
        Verdict::Never => "Nothing: a person has to bring it back.".into(),
        Verdict::Waiting => format!("If it is still down {}, it is due.", at_or("then")),
        Verdict::Maintenance => format!("The window ends {}.", at_or("later")),
        Verdict::Blocked => "It is due as soon as what it needs is healthy.".into(),
        Verdict::Exhausted => format!(
            "The next attempt can be made {}; `lazarus-pit reset {name}` forgets those that were made.",
            at_or("when one of them leaves the window")
        ),
        Verdict::Backoff => format!("The next attempt can be made {}.", at_or("later")),
        Verdict::Denied | Verdict::Expired => {
            format!("It is asked again by the first run that is made {}.", at_or("later"))
        }
        Verdict::Held => "Each run looks again whether that still holds; `lazarus-pit check --force` goes against a hold that follows from time or numbers alone.".into(),
        Verdict::AwaitingApproval => asking(decision, plan, memory, now),
        Verdict::Deferred => "A later run revives it: those longest down come first.".into(),
        Verdict::Revive => {
            let steps = decision.action.as_ref().map_or(0, |action| action.steps.len());
            let steps = if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
            format!("The next run makes attempt {}: {steps}.", decision.attempt.unwrap_or(1))
        }
    }
}

fn asking(
    decision: &Decision,
    plan: Option<&Plan>,
    memory: Option<&Memory>,
    now: Timestamp,
) -> String {
    let name = &decision.subject;
    if decision.question.is_some() {
        let within = plan.map_or_else(String::new, |plan| {
            format!(" within {}", human(plan.approval.expires))
        });
        return format!(
            "The next run asks; who then says `lazarus-pit approve {name}`{within} has the run after that make the attempt."
        );
    }
    let until = memory.and_then(|m| m.approval.as_ref());
    let until = until.map_or_else(String::new, |asked| {
        format!(
            " An answer counts until {}.",
            when(asked.expires_at, now).trim_start_matches("at ")
        )
    });
    format!(
        "`lazarus-pit approve {name}` has the next run make the attempt, `lazarus-pit deny {name}` refuses it.{until}"
    )
}
