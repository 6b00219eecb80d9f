//! The step `http`: one request.
//!
//! Nothing that is told of it holds more of its URL than the host: paths, queries and names of users
//! hold keys, and who reads a report or a journal is not to learn them.

use std::io::Read as _;
use std::time::Duration;

use ureq::http::{Method, Request, Uri};

use super::beside::{Bound, Failed, beside, failed};
use super::run::Scene;
use crate::model::action::{StepDone, StepResult};
use crate::model::step::{Http, Step};
use crate::model::text::{shortened, visible};
use crate::sys::beneath;

/// As much of an answer's body is read, in bytes; none of it is looked at.
const MOST_BODY: usize = 64 << 10;

/// As long may an answer's status and headers be together, in bytes.
const MOST_HEADERS: usize = 64 << 10;

/// How much longer than the library is waited for it, which keeps to its limit nearly always: its
/// own answer says more.
const SLACK: Duration = Duration::from_millis(250);

/// What came of a request.
enum Came {
    /// The status, once the answer was whole or long enough.
    Answered(u16),
    /// The time was up: before an answer, or in the middle of the body of one with this status.
    Late(Option<u16>),
    /// Why there was no answer.
    Failed(String),
}

/// Carries out the step.
pub(super) fn http(step: &Step, http: &Http, scene: &Scene<'_>) -> StepDone {
    let mut done = StepDone::new(step, StepResult::Ok);
    if let Err((result, why)) = ask(http, scene) {
        done.result = result;
        done.error = Some(format!("{}: {why}", named(http)));
    }
    done
}

fn ask(http: &Http, scene: &Scene<'_>) -> Result<(), Failed> {
    let bound = Bound::of(http.timeout, scene);
    let (request, time) = (http.clone(), bound.left());
    let what = "there was no answer";
    // On a thread of its own: looking up a name can hang beyond any limit of the library.
    let came = beside(scene, bound.later(SLACK), what, move || one(&request, time))?;
    let status = match came {
        Came::Answered(status) => status,
        Came::Late(None) => return Err(bound.passed(what)),
        Came::Late(Some(status)) => {
            return Err(bound.passed(&format!("the answer {status} did not come to its end")));
        }
        Came::Failed(why) => return Err(failed(why)),
    };
    match http.status {
        Some(wanted) if wanted == status => Ok(()),
        None if (200..300).contains(&status) => Ok(()),
        Some(wanted) => Err(failed(format!(
            "the server answered {status}, not {wanted}{}",
            redirected(status)
        ))),
        None => Err(failed(format!(
            "the server answered {status}{}",
            redirected(status)
        ))),
    }
}

fn redirected(status: u16) -> &'static str {
    match status {
        301..=303 | 307 | 308 => ": it sends on to another address, and none is followed",
        _ => "",
    }
}

/// Makes the request.
fn one(http: &Http, time: Duration) -> Came {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(time.max(Duration::from_millis(1))))
        .max_redirects(0)
        .http_status_as_error(false)
        .max_response_header_size(MOST_HEADERS)
        .user_agent(concat!("lazarus-pit/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let Ok(method) = Method::from_bytes(http.method.as_bytes()) else {
        return Came::Failed(format!("{} is not a method", visible(&http.method)));
    };
    let carries = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let mut request = Request::builder().method(method).uri(&http.url);
    for (name, value) in &http.headers {
        if ureq::http::HeaderValue::from_str(value).is_err() {
            let name = visible(name);
            return Came::Failed(format!("the value of its header {name} is none"));
        }
        request = request.header(name, value);
    }
    let sent = match &http.body {
        Some(body) => request.body(body.clone()).map(|request| agent.run(request)),
        // These say how much they carry, even where that is nothing.
        None if carries => request.body(String::new()).map(|r| agent.run(r)),
        None => request.body(()).map(|request| agent.run(request)),
    };
    let answer = match sent {
        Ok(answer) => answer,
        Err(_) => return Came::Failed("its URL or a header cannot be used".to_owned()),
    };
    match answer {
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            match drain(answer.body_mut()) {
                true => Came::Answered(status),
                false => Came::Late(Some(status)),
            }
        }
        Err(ureq::Error::Timeout(_)) => Came::Late(None),
        Err(e) => Came::Failed(describe(&e)),
    }
}

/// Reads a body to its end, as far as it is read: whoever answers while it works could stop at a
/// line that is cut. False where the time was up before.
fn drain(body: &mut ureq::Body) -> bool {
    let (mut reader, mut buffer, mut have) = (body.as_reader(), vec![0; 8 << 10], 0);
    while have < MOST_BODY {
        match reader.read(&mut buffer) {
            Ok(0) => return true,
            Ok(n) => have += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return !is_timeout(&e),
        }
    }
    true
}

fn is_timeout(e: &std::io::Error) -> bool {
    let inner = e.get_ref().and_then(|e| e.downcast_ref::<ureq::Error>());
    e.kind() == std::io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// The request as messages call it: nothing of its URL but the host.
fn named(http: &Http) -> String {
    let method = visible(&http.method);
    let uri = http.url.parse::<Uri>().ok();
    let named = uri.as_ref().and_then(|uri| {
        let (scheme, host) = (uri.scheme_str()?, uri.host()?);
        let port = uri.port_u16().map(|port| format!(":{port}"));
        let host = visible(host);
        Some(format!("{scheme}://{host}{}", port.unwrap_or_default()))
    });
    match named {
        Some(named) => format!("{method} {named}"),
        None => format!("{method} to a URL that cannot be used"),
    }
}

/// Why there was no answer, without the URL, which some of ureq's own texts repeat.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "the host's name could not be found".into(),
        ureq::Error::ConnectionFailed => "the connection failed".into(),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its URL cannot be used".into(),
        ureq::Error::InvalidProxyUrl => {
            "the proxy that the environment names cannot be used".into()
        }
        ureq::Error::LargeResponseHeader(..) => {
            format!("the headers of the answer have more than {MOST_HEADERS} bytes")
        }
        ureq::Error::Protocol(_) => "the answer is no HTTP".into(),
        ureq::Error::Io(e) => match rustix::io::Errno::from_io_error(e) {
            Some(errno) => beneath::reason(errno),
            // TLS speaks here too, with names from the other side's certificate.
            None => visible(&shortened(&e.to_string(), 200)).into_owned(),
        },
        ureq::Error::Rustls(e) => visible(&shortened(&e.to_string(), 200)).into_owned(),
        _ => "the request failed".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn nothing_of_a_url_is_told_but_the_host() {
        let called = |url: &str| {
            named(&Http {
                method: "POST".into(),
                url: url.into(),
                headers: BTreeMap::new(),
                body: None,
                status: None,
                timeout: Duration::from_secs(1),
            })
        };
        assert_eq!(
            called("https://ann:pw@h.example:8443/key/x?token=t#f"),
            "POST https://h.example:8443"
        );
        assert_eq!(called("http://[::1]:80/"), "POST http://[::1]:80");
        let none = "POST to a URL that cannot be used";
        for url in ["", "key", "/key", "http://", "http://a b/key"] {
            assert_eq!(called(url), none, "{url}");
        }
    }
}
