//! Probes.

use std::time::Duration;

use super::{Check, Scope};
use crate::plan::raw::probes::{RawFile, RawHttpProbe, RawProbe, RawProcess};
use crate::plan::template::Template;
use crate::plan::types::{FileProbe, HttpProbe, Probe, ProbeKind, ProcessBy, ProcessProbe};
use crate::yaml::{Place, Spanned};

/// How long a probe may take unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take at most: a run has less than a minute.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

impl Check<'_, '_> {
    pub(super) fn probe(&mut self, raw: Spanned<RawProbe>) -> Option<Probe> {
        let Spanned { value: raw, place } = raw;
        let timeout = self.probe_timeout(raw.timeout);
        let failures = self.at_least_one(raw.failures).unwrap_or(1);
        let successes = self.at_least_one(raw.successes).unwrap_or(1);
        let mut kinds = Vec::new();
        if let Some(address) = raw.tcp {
            kinds.push(Some(ProbeKind::Tcp(self.address(address))));
        }
        if let Some(http) = raw.http {
            kinds.push(Some(ProbeKind::Http(self.http_probe(http.value))));
        }
        if let Some(process) = raw.process {
            kinds.push(self.process(process).map(ProbeKind::Process));
        }
        if let Some(exec) = raw.exec {
            let command = exec.value.command;
            let command = self.command(command.value, command.place);
            kinds.push(command.map(ProbeKind::Exec));
        }
        if let Some(file) = raw.file {
            kinds.push(Some(ProbeKind::File(self.file_probe(file.value))));
        }
        let which = "`tcp`, `http`, `process`, `exec` and `file`";
        self.one_of("probe", which, place, kinds.len());
        Some(Probe {
            kind: kinds.pop()??,
            timeout,
            failures,
            successes,
        })
    }

    fn probe_timeout(&mut self, written: Option<Spanned<crate::yaml::units::Span>>) -> Duration {
        let place = written.as_ref().map_or(Place::START, |s| s.place);
        let timeout = self.above_zero(written).unwrap_or(TIMEOUT);
        if timeout > LONGEST_TIMEOUT {
            self.problems.error(place, "a probe may take at most 30s");
        }
        timeout
    }

    /// `HOST:PORT`, or the path of a socket.
    fn address(&mut self, text: Spanned<String>) -> Template {
        let place = text.place;
        let template = self.template(text);
        let address = template.source();
        let good = match address.rsplit_once(':') {
            _ if address.starts_with('/') => true,
            Some((host, port)) => {
                let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
                let port = port.parse::<u16>().is_ok_and(|port| port > 0);
                bare && port && !host.is_empty() && !host.contains(char::is_whitespace)
            }
            None => false,
        };
        if !good && !template.is_dynamic() {
            let message = "this is neither `HOST:PORT` nor the absolute path of a socket";
            self.problems.error(place, message);
        }
        template
    }

    fn http_probe(&mut self, raw: RawHttpProbe) -> HttpProbe {
        HttpProbe {
            url: self.url(raw.url),
            status: self.status(raw.status),
            headers: self.headers(raw.headers),
            contains: raw.contains.map(|text| self.not_empty(text)),
            json: raw.json,
            ca: raw.ca.map(|path| self.path(path)),
        }
    }

    fn process(&mut self, raw: Spanned<RawProcess>) -> Option<ProcessProbe> {
        let Spanned { value: raw, place } = raw;
        let mut which = Vec::new();
        if let Some(pattern) = raw.pattern {
            which.push(ProcessBy::Pattern(self.pattern(pattern)));
        }
        if let Some(path) = raw.pidfile {
            which.push(ProcessBy::Pidfile(self.path(path)));
        }
        if let Some(written) = raw.heartbeat_pid {
            if self.scope == Scope::Gateways {
                let message = "a gateway has no heartbeat";
                self.problems.error(written.place, message);
            }
            if !written.value {
                let message = "`heartbeat_pid` is `true`, or not written";
                self.problems.error(written.place, message);
            }
            which.push(ProcessBy::HeartbeatPid);
        }
        let names = "`pattern`, `pidfile` and `heartbeat_pid`";
        self.one_of("process", names, place, which.len());
        Some(ProcessProbe {
            which: which.pop()?,
            busy: raw.busy.unwrap_or(false),
        })
    }

    /// A regular expression; one with something to fill in is tried with what could be.
    fn pattern(&mut self, text: Spanned<String>) -> Template {
        let place = text.place;
        let template = self.not_empty(text);
        let pattern = template.example();
        if let Err(e) = regex::Regex::new(&pattern) {
            let why = match e {
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                // The last line of a picture of the pattern says what is wrong.
                e => {
                    let text = e.to_string();
                    let last = text.lines().next_back().unwrap_or_default();
                    last.trim_start_matches("error: ").to_owned()
                }
            };
            let message = format!("this is not a regular expression: {why}");
            self.problems.error(place, message);
        }
        template
    }

    fn file_probe(&mut self, raw: RawFile) -> FileProbe {
        FileProbe {
            path: self.path(raw.path),
            newer_than: self.above_zero(raw.newer_than),
            grows: raw.grows.unwrap_or(false),
            min_size: raw.min_size.map(|size| size.0),
        }
    }
}
