//! The step `http`: one request.
//!
//! Nothing that is told of it holds more of its URL than the host: paths, queries and names of users
//! hold keys, and who reads a report or a journal is not to learn them.

use std::time::Duration;

use super::beside::{Bound, Failed, beside, failed};
use super::run::Scene;
use crate::model::action::{StepDone, StepResult};
use crate::model::step::{Http, Step};
use crate::net::{self, Ask, Came};

/// As much of an answer's body is read, in bytes; none of it is looked at.
const MOST_BODY: usize = 64 << 10;

/// How much longer than the library is waited for it, which keeps to its limit nearly always: its
/// own answer says more.
const SLACK: Duration = Duration::from_millis(250);

/// Carries out the step.
pub(super) fn http(step: &Step, http: &Http, scene: &Scene<'_>) -> StepDone {
    let mut done = StepDone::new(step, StepResult::Ok);
    if let Err((result, why)) = ask(http, scene) {
        done.result = result;
        done.error = Some(format!("{}: {why}", net::named(&http.method, &http.url)));
    }
    done
}

fn ask(http: &Http, scene: &Scene<'_>) -> Result<(), Failed> {
    let bound = Bound::of(http.timeout, scene);
    let request = Ask {
        method: http.method.clone(),
        url: http.url.clone(),
        headers: http.headers.clone().into_iter().collect(),
        body: http.body.clone().map(String::into_bytes),
        time: bound.left(),
        most_body: MOST_BODY,
        authorities: net::Authorities::Public,
    };
    let what = "there was no answer";
    // On a thread of its own: looking up a name can hang beyond any limit of the library.
    let came = beside(scene, bound.later(SLACK), what, move || net::ask(&request))?;
    let status = match came {
        Came::Answered(answer) => answer.status,
        Came::Late(None) => return Err(bound.passed(what)),
        Came::Late(Some(status)) => {
            return Err(bound.passed(&format!("the answer {status} did not come to its end")));
        }
        Came::Failed(e) => return Err(failed(e.why)),
    };
    let on = match net::is_redirect(status) {
        true => ": it sends on to another address, and none is followed",
        false => "",
    };
    match http.status {
        Some(wanted) if wanted == status => Ok(()),
        None if (200..300).contains(&status) => Ok(()),
        Some(wanted) => Err(failed(format!(
            "the server answered {status}, not {wanted}{on}"
        ))),
        None => Err(failed(format!("the server answered {status}{on}"))),
    }
}
