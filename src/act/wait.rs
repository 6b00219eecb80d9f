//! The step `wait`: looks at the subject again and again until it is healthy.

use std::sync::Arc;
use std::time::Duration;

use super::beside::{Bound, Failed, beside, cut_off};
use super::run::Scene;
use crate::model::action::{StepDone, StepResult};
use crate::model::step::{Step, Wait};
use crate::model::text::visible;
use crate::model::time::Timestamp;
use crate::observe::again::{self, Seen};
use crate::sys::job;

/// How long after the first look the next one is; from then on twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a look has at the least: one that is made when the time is up says how it was then.
const LAST_LOOK: Duration = Duration::from_millis(250);

/// Carries out the step.
pub(super) fn wait(step: &Step, wait: &Wait, scene: &Scene<'_>) -> StepDone {
    let mut done = StepDone::new(step, StepResult::Ok);
    if let Err((result, why)) = until_healthy(wait, scene) {
        done.result = result;
        done.error = Some(why);
    }
    done
}

fn until_healthy(wait: &Wait, scene: &Scene<'_>) -> Result<(), Failed> {
    // The steps before it are over: a beat from before says nothing about what they did.
    let since = (scene.around.now)();
    let bound = Bound::of(wait.within, scene);
    let mut pause = FIRST_PAUSE;
    loop {
        let seen = look(bound, scene)?;
        let Err(why) = is_well(seen, since) else {
            return Ok(());
        };
        let subject = visible(&scene.action.subject);
        let what = format!("{subject} was not healthy ({why})");
        if bound.left().is_zero() {
            return Err(bound.passed(&what));
        }
        let [stopped] = job::wait(&[Some(scene.stop)], pause.min(bound.left()));
        if stopped {
            return Err(cut_off(&what));
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One look, for which there is all the time that is left: a mount may answer yet.
fn look(bound: Bound, scene: &Scene<'_>) -> Result<Result<Seen, String>, Failed> {
    let (look, action) = (Arc::clone(&scene.around.look), scene.action);
    let (subject, place) = (action.subject.clone(), action.place.clone());
    let (now, questions) = (scene.around.now, Arc::clone(&scene.around.questions));
    // The last one is made when the time is up, and a moment is given to it.
    let what = format!("{} could not be looked at", visible(&subject));
    let bound = bound.at_least(LAST_LOOK);
    beside(scene, bound, &what, move || {
        let asking = questions.get(&subject);
        again::state(&look, &subject, asking, &place, (now(), bound.at))
    })
}

/// Whether it is healthy by evidence from after a time; else why not.
fn is_well(seen: Result<Seen, String>, since: Timestamp) -> Result<(), String> {
    let seen = seen?;
    match seen.last_beat {
        _ if !seen.healthy => Err(seen.why),
        // What was asked now says how it is now.
        None if seen.asked_alone => Ok(()),
        Some(last) if last > since => Ok(()),
        Some(last) => Err(format!("its last beat, {last}, is from before this step")),
        None => Err("it has no beat".to_owned()),
    }
}
