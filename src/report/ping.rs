//! Telling a dead-man service of each run, by the convention of healthchecks.io: `URL/start` when
//! it begins, `URL/<exit code>` with a summary when it ends.
//!
//! It is the service's to notice that a run did not come. So nothing here fails a run or holds it
//! up for long, and no message shows the URL: who knows it can feign that all is well.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::model::cell::Warning;
use crate::net::{self, Ask, Authorities, Came};

/// All pings of a run together take no longer than this.
const ALLOWANCE: Duration = Duration::from_secs(5);

/// The pings of one run.
#[derive(Debug)]
pub struct Ping {
    url: String,
    started: Receiver<Result<(), String>>,
}

impl Ping {
    /// Says that a run begins, without waiting for the answer.
    #[must_use]
    pub fn start(url: &str) -> Self {
        // Half of it, so that there is time for the other ping where this one hangs: it is the one
        // whose absence raises the alarm.
        let started = send(at(url, "start"), None, ALLOWANCE / 2);
        Self {
            url: url.to_owned(),
            started,
        }
    }

    /// Says how the run ended, and waits for that at most until the allowance is used up. Returns
    /// a warning where a ping was not delivered.
    #[must_use]
    pub fn finish(self, exit: u8, summary: String) -> Option<Warning> {
        let until = Instant::now() + ALLOWANCE;
        let left = || until.saturating_duration_since(Instant::now());
        // In their order, or the service would take the run for one that never ended.
        let started = self.started.recv_timeout(ALLOWANCE / 2);
        let finished = send(at(&self.url, &exit.to_string()), Some(summary), left());
        let finished = finished.recv_timeout(left());
        let problem = |answer: Result<Result<(), String>, _>| match answer {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some("no answer in time".into()),
        };
        let why = problem(finished).or_else(|| problem(started))?;
        Some(Warning::new(
            "ping_failed",
            format!("the ping to heartbeat_ping_url was not delivered: {why}"),
        ))
    }
}

/// The URL with one more path component, before a query if it has one.
fn at(url: &str, component: &str) -> String {
    match url.split_once('?') {
        Some((path, query)) => format!("{}/{component}?{query}", path.trim_end_matches('/')),
        None => format!("{}/{component}", url.trim_end_matches('/')),
    }
}

/// Sends one ping from a thread of its own: looking up a name can hang beyond any timeout.
fn send(url: String, body: Option<String>, timeout: Duration) -> Receiver<Result<(), String>> {
    let (answer, receive) = channel();
    let spawned = std::thread::Builder::new()
        .name("ping".into())
        .spawn(move || {
            let came = net::ask(&Ask {
                method: if body.is_some() { "POST" } else { "GET" }.to_owned(),
                url,
                headers: Vec::new(),
                body: body.map(String::into_bytes),
                time: timeout,
                most_body: 0,
                authorities: Authorities::Public,
            });
            let _ = answer.send(match came {
                Came::Answered(answer) if answer.is_redirect() => {
                    Err("the server sends on to another address, and none is followed".into())
                }
                Came::Answered(answer) if answer.status >= 400 => {
                    Err(format!("the server answered {}", answer.status))
                }
                Came::Answered(_) => Ok(()),
                Came::Late(_) => Err("no answer in time".into()),
                Came::Failed(e) => Err(e.why),
            });
        });
    if let Err(e) = spawned {
        log::warn!("starting a thread for the ping: {e}");
    }
    receive
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn the_component_goes_before_the_query() {
        assert_eq!(at("http://h/x", "start"), "http://h/x/start");
        assert_eq!(at("http://h/x/", "0"), "http://h/x/0");
        assert_eq!(
            at("http://h/k/slug?create=1", "2"),
            "http://h/k/slug/2?create=1"
        );
    }
}
