//! What is answered: from the last run and the state to bytes. No effect.

use std::time::Duration;

use serde::Serialize;

use crate::cli::status;
use crate::config::Config;
use crate::model::exit::{Exit, Failure};
use crate::model::snapshot::Summary;
use crate::model::state::State;
use crate::model::time::{Timestamp, human};
use crate::report::past::Past;
use crate::report::{VERSION, prometheus};

/// The paths that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// `/health`.
    Health,
    /// `/metrics`.
    Metrics,
    /// `/status.json`.
    Status,
}

impl Page {
    /// The page of a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/health" => Some(Page::Health),
            "/metrics" => Some(Page::Metrics),
            "/status.json" => Some(Page::Status),
            _ => None,
        }
    }
}

/// An answer before it is written out.
#[derive(Debug)]
pub(super) struct Answer {
    status: (u16, &'static str),
    kind: &'static str,
    body: Vec<u8>,
}

const OK: (u16, &str) = (200, "OK");
const UNAVAILABLE: (u16, &str) = (503, "Service Unavailable");
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// Of the text exposition format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Answer {
    /// 400: what was sent is no request that is answered.
    pub(super) fn bad(why: &str) -> Self {
        Self::text((400, "Bad Request"), why)
    }

    /// 404: there is no such page.
    pub(super) fn unknown() -> Self {
        let why = "there are /health, /metrics and /status.json";
        Self::text((404, "Not Found"), why)
    }

    /// 503: nothing is known. `why` is shown to whoever asks.
    pub(super) fn unavailable(page: Page, why: &str, now: Timestamp) -> Self {
        match page {
            Page::Metrics => Self::text(UNAVAILABLE, why),
            Page::Status | Page::Health => Self::health(None, Some(why), now),
        }
    }

    fn text(status: (u16, &'static str), text: &str) -> Self {
        Self {
            status,
            kind: TEXT,
            body: format!("{text}\n").into_bytes(),
        }
    }

    fn health(judged: Option<(&Past, &Config)>, why: Option<&str>, now: Timestamp) -> Self {
        let health = Health::of(judged, why, now);
        let mut body = Vec::new();
        // Writing to memory does not fail.
        let _ = crate::report::json::to_writer(&health, &mut body);
        Self {
            status: if health.good { OK } else { UNAVAILABLE },
            kind: JSON,
            body,
        }
    }

    /// The bytes of it; without the body for HEAD.
    pub(super) fn bytes(&self, head: bool, now: Timestamp) -> Vec<u8> {
        let (code, reason) = self.status;
        let mut bytes = format!(
            "HTTP/1.1 {code} {reason}\r\n\
             Date: {}\r\n\
             Server: lazarus-pit/{VERSION}\r\n\
             Content-Type: {}\r\n\
             Content-Length: {}\r\n\
             Cache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n\r\n",
            now.http(),
            self.kind,
            self.body.len()
        )
        .into_bytes();
        if !head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// What is known: the settings, the state, and the last run.
#[derive(Debug)]
pub(super) struct Known {
    /// The settings.
    pub(super) config: Config,
    /// What the runs have left.
    pub(super) state: State,
    /// The last run; none where there was none yet.
    pub(super) last: Option<Past>,
}

impl Known {
    /// The answer for a page.
    ///
    /// # Errors
    /// The document cannot be written.
    pub(super) fn answer(&self, page: Page, now: Timestamp) -> Result<Answer, Failure> {
        let mut body = Vec::new();
        let kind = match page {
            Page::Health => {
                let last = self.last.as_ref().map(|last| (last, &self.config));
                return Ok(Answer::health(last, None, now));
            }
            Page::Metrics => {
                let each = self.config.prometheus_subjects;
                prometheus::write_past(&self.state, self.last.as_ref(), each, &mut body)
                    .map_err(|e| Failure::new(Exit::Defect, e.to_string()))?;
                METRICS
            }
            Page::Status => {
                status::write_all(&self.state, &self.config.state_dir(), now, &mut body)?;
                JSON
            }
        };
        Ok(Answer {
            status: OK,
            kind,
            body,
        })
    }
}

/// The document of `/health`.
#[derive(Serialize)]
struct Health {
    schema: &'static str,
    /// `ok`, `warn` or `error` by the last run's exit; `late` where that is too long ago; `none`
    /// where there was no run; `unknown` where that could not be told.
    status: &'static str,
    service: &'static str,
    /// When the last run ended.
    last_run: Option<Timestamp>,
    age_seconds: Option<u64>,
    /// Its exit code.
    exit: Option<u8>,
    message: String,
    summary: Option<Summary>,
    version: &'static str,
    #[serde(skip)]
    good: bool,
}

impl Health {
    fn of(judged: Option<(&Past, &Config)>, why: Option<&str>, now: Timestamp) -> Self {
        let last = judged.map(|(last, _)| last);
        let (status, message) = match (judged, why) {
            (_, Some(why)) => ("unknown", why.to_owned()),
            (None, None) => ("none", "no run is recorded".to_owned()),
            (Some((last, config)), None) => judge(last, config, now),
        };
        Self {
            schema: "lazarus-pit/health/1",
            status,
            service: "lazarus-pit",
            last_run: last.map(|last| last.ended),
            age_seconds: last.map(|last| now.since(last.ended).as_secs()),
            exit: last.map(|last| last.exit),
            message,
            summary: last.and_then(|last| last.summary),
            version: VERSION,
            good: matches!(status, "ok" | "warn"),
        }
    }
}

/// What a run says of how things are, a word and a sentence. One that is too old says nothing, and
/// neither does one in the future: a clock that was wrong must not look well for ever.
fn judge(last: &Past, config: &Config, now: Timestamp) -> (&'static str, String) {
    let age = now.since(last.ended);
    let ahead = last.ended.since(now);
    let most = config.heartbeat_interval.saturating_mul(2);
    if ahead > config.clock_skew {
        let text = format!("the last run ended {} in the future", human(ahead));
        return ("late", text);
    }
    if age > most {
        let text = format!(
            "the last run ended {} ago, more than {}",
            human(whole(age)),
            human(most)
        );
        return ("late", text);
    }
    let meaning = Exit::ALL.iter().find(|exit| exit.code() == last.exit);
    let meaning = meaning.map_or("it ended with a code that is not known", |e| e.meaning());
    let word = match last.exit {
        0 => "ok",
        1 => "warn",
        _ => "error",
    };
    (word, meaning.to_owned())
}

fn whole(age: Duration) -> Duration {
    Duration::from_secs(age.as_secs())
}
