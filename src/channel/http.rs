//! What all kinds that speak HTTP share: a request of JSON within its bounds, what a refusal means, and
//! sentences about both in which no secret stands.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Trouble;
use crate::model::channel::is_loopback;
use crate::model::time::Timestamp;
use crate::net::{self, Answer, Authorities, Came};

/// As much of an answer's body is read, in bytes.
pub(super) const MOST_BODY: usize = 1 << 20;

/// How long a service is left alone at the most, whatever it says, in seconds: a day.
const LONGEST_REST: u64 = 86_400;

/// How much longer than the library is waited for it, which keeps to its limit nearly always.
const SLACK: Duration = Duration::from_millis(250);

/// Two clocks that differ by less than this, in microseconds, tell the same time.
const SAME_TIME: u64 = 2_000_000;

/// A request.
pub(super) struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    authorities: Authorities,
}

impl Request {
    /// One that sends nothing.
    pub(super) fn get(url: String) -> Self {
        Self::new("GET", url)
    }

    /// One that sends nothing, by any method.
    pub(super) fn new(method: &'static str, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            authorities: Authorities::Public,
        }
    }

    /// One that sends JSON by POST.
    pub(super) fn post(url: String, json: &Value) -> Self {
        Self::new("POST", url).json(json)
    }

    /// The same, with this JSON as its body.
    pub(super) fn json(self, json: &Value) -> Self {
        self.header("Content-Type", "application/json")
            .body(json.to_string().into_bytes())
    }

    /// The same, with these bytes as its body.
    pub(super) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// The same, with another header.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, to a server that shows a certificate of one of these.
    pub(super) fn believing(mut self, authorities: &Authorities) -> Self {
        self.authorities = authorities.clone();
        self
    }

    /// Makes the request, `what` for. An answer is one whatever its status says, but for one that
    /// sends on to another address: nobody follows it, and the credentials stay here.
    ///
    /// # Errors
    /// There was no answer, or none in time; whether the request was carried out is not known then.
    pub(super) fn ask(self, what: &str, until: Instant) -> Result<Answer, Trouble> {
        let named = net::named(self.method, &self.url);
        let passing = |why: &str| Err(Trouble::passing(format!("{what}: {named}: {why}")));
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return passing("no time is left for it in this run");
        }
        let request = net::Ask {
            method: self.method.to_owned(),
            url: self.url,
            headers: self.headers,
            body: self.body,
            time: left,
            most_body: MOST_BODY,
            authorities: self.authorities,
        };
        let late = "there was no answer in the time that channels have in a run";
        match beside(left + SLACK, move || net::ask(&request)) {
            Ok(Came::Answered(answer)) if answer.is_redirect() => passing(&format!(
                "the server answered {}: it sends on to another address, and none is followed; is \
                 the URL in the configuration the final one?",
                answer.status
            )),
            Ok(Came::Answered(answer)) => Ok(answer),
            Ok(Came::Late(None)) => passing(late),
            Ok(Came::Late(Some(status))) => {
                passing(&format!("the answer {status} did not come to its end"))
            }
            Ok(Came::Failed(e)) => passing(&e.why),
            Err(Beside::Late) => passing(late),
            Err(Beside::Failed(why)) => passing(&why),
        }
    }

    /// How messages call it.
    pub(super) fn named(&self) -> String {
        net::named(self.method, &self.url)
    }
}

/// Why something beside was not done.
enum Beside {
    Late,
    Failed(String),
}

/// Does it on a thread that can be given up: looking up a name can hang beyond every limit.
fn beside<T: Send + 'static>(
    most: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Beside> {
    let (send, answer) = sync_channel(1);
    let started = std::thread::Builder::new()
        .name("channel".to_owned())
        .spawn(move || {
            // Nobody listens any more where it came too late.
            let _ = send.send(work());
        });
    if let Err(e) = started {
        let why = format!("starting a thread: {e}; is the process limit reached?");
        return Err(Beside::Failed(why));
    }
    answer.recv_timeout(most).map_err(|e| match e {
        RecvTimeoutError::Timeout => Beside::Late,
        RecvTimeoutError::Disconnected => Beside::Failed("its thread has ended".to_owned()),
    })
}

/// True where the status says that what was wanted is done.
pub(super) fn is_fine(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

/// The JSON in an answer; `None` where it is none, or was cut off.
pub(super) fn json(answer: &Answer) -> Option<Value> {
    match answer.cut {
        true => None,
        false => serde_json::from_slice(&answer.body).ok(),
    }
}

/// What a server's refusal means. `named` is the request, `said` what the service gives as its
/// reason, fit to be told, or empty.
///
/// What is wrong with the message itself (400, 413, 415, 422) is so each time: that is given up, or it
/// would hold up all that come after it. What is wrong with the setup can be mended meanwhile.
pub(super) fn refusal(what: &str, named: &str, answer: &Answer, said: &str) -> Trouble {
    let status = answer.status;
    let colon = if said.is_empty() { "" } else { ": " };
    let next = match status {
        401 => "; is the token (or the key in the URL) the right one?",
        403 => "; may its user or token do that?",
        404 | 410 => "; is the URL in the configuration right, and is that still there?",
        429 => "; it is tried again when the service allows it",
        _ => "",
    };
    Trouble {
        why: format!("{what}: {named}: the server answered {status}{colon}{said}{next}"),
        retry_after: matches!(status, 429 | 503)
            .then(|| retry_after(answer))
            .flatten(),
        hopeless: matches!(status, 400 | 413 | 415 | 422),
    }
}

/// A service's clock beside the host's, by the `Date` of one of its answers. Questions are dated by the
/// host's clock: what a service says of times means nothing here before it is put into that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// How far it is ahead, in microseconds.
    ahead: i64,
}

impl Clock {
    /// The clock of whoever answered this, just now. An answer without a date tells no difference, and
    /// one that the whole seconds of a date can make is none.
    pub(super) fn of(answer: &Answer, now: Timestamp) -> Self {
        let date = answer.header("date").and_then(Timestamp::parse_http);
        let ahead = date.map_or(0, |date| date.as_micros().saturating_sub(now.as_micros()));
        match ahead.unsigned_abs() < SAME_TIME {
            true => Self::default(),
            false => Self { ahead },
        }
    }

    /// A moment by the service's clock, by the host's.
    pub(super) fn here(self, at: Timestamp) -> Timestamp {
        Timestamp::from_micros(at.as_micros().saturating_sub(self.ahead))
    }
}

/// The header `Retry-After` in seconds: a number, or a date, which is taken by the server's own
/// clock.
pub(super) fn retry_after(answer: &Answer) -> Option<u64> {
    let text = answer.header("retry-after")?.trim();
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let until = Timestamp::parse_http(text)?;
            let now = Timestamp::parse_http(answer.header("date")?)?;
            until.since(now).as_secs_f64()
        }
    };
    rest(seconds)
}

/// A time in seconds, as a service says it, rounded up and within reason.
pub(super) fn rest(seconds: f64) -> Option<u64> {
    // `as` saturates.
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds.ceil() as u64).min(LONGEST_REST))
}

/// Whether a URL may be used: over TLS, to this host, or where that is allowed expressly.
///
/// # Errors
/// A sentence that shows nothing of it but the host.
pub(super) fn check_url(url: &str, insecure: bool) -> Result<(), String> {
    let Some(host) = net::host(url) else {
        return Err("it is not the URL of a server (https://HOST/…)".to_owned());
    };
    match host.split_once("://") {
        Some(("https", _)) => Ok(()),
        Some(("http", _)) if insecure || is_here(&host) => Ok(()),
        Some(("http", _)) => Err(format!(
            "{host} would be talked to without TLS, and who listens on the way could read it; use \
             https, or allow it with `insecure: true`"
        )),
        _ => Err(format!("{host} is neither https nor http")),
    }
}

/// True for the `SCHEME://HOST[:PORT]` of this very host.
fn is_here(host: &str) -> bool {
    let rest = host.split_once("://").map_or(host, |(_, rest)| rest);
    let name = match rest.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => rest.split(':').next().unwrap_or(rest),
    };
    is_loopback(name)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
