//! Steps.

use std::time::Duration;

use super::{Check, Scope};
use crate::model::step::{
    BeatFor, Http, ProcessLimits, Run, SignalStep, SignalTo, Spawn, Step, Wait,
};
use crate::plan::raw::steps::{
    RawHttp, RawProcessLimits, RawRun, RawSignal, RawSignalTo, RawSpawn, RawStep,
};
use crate::plan::template::Template;
use crate::yaml::units::Span;
use crate::yaml::{Place, Spanned, did_you_mean};

/// How long a command or a request may take unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long after TERM comes KILL unless it says otherwise.
const GRACE: Duration = Duration::from_secs(15);

/// The methods that a request may have.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The signals that may be sent, without `SIG`.
const SIGNALS: [&str; 30] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR",
];

/// What every agent is told of its attempt; nothing else is ever in these variables.
const OWN: [&str; 5] = [
    "LAZARUS_CELL_UUID",
    "LAZARUS_CELL_ROOT",
    "LAZARUS_AGENT",
    "LAZARUS_REF",
    "LAZARUS_ATTEMPT",
];

impl Check<'_, '_> {
    pub(super) fn step(&mut self, raw: Spanned<RawStep>) -> Option<Step<Template>> {
        let Spanned { value: raw, place } = raw;
        let beside = raw.timeout;
        if let (Some(timeout), true) = (&beside, raw.run.is_none() && raw.http.is_none()) {
            let message = "`timeout` is for `run` and `http` only";
            self.problems.error(timeout.place, message);
        }
        let mut kinds = Vec::new();
        if let Some(run) = raw.run {
            kinds.push(self.run(run, beside).map(Step::Run));
        }
        if let Some(spawn) = raw.spawn {
            kinds.push(self.spawn(spawn.value).map(Step::Spawn));
        }
        if let Some(signal) = raw.signal {
            kinds.push(self.signal(signal.value).map(Step::Signal));
        }
        if let Some(http) = raw.http {
            kinds.push(Some(Step::Http(self.http(http.value, beside))));
        }
        if let Some(wait) = raw.wait {
            let within = self.above_zero(Some(wait.value.within));
            kinds.push(within.map(|within| Step::Wait(Wait { within })));
        }
        let which = "`run`, `spawn`, `signal`, `http` and `wait`";
        self.one_of("step", which, place, kinds.len());
        kinds.pop()?
    }

    /// A time limit that can be written in two places.
    fn step_timeout(
        &mut self,
        within: Option<Spanned<Span>>,
        beside: Option<Spanned<Span>>,
    ) -> Duration {
        if let (Some(one), Some(other)) = (&within, &beside) {
            let (first, second) = (one.place.min(other.place), one.place.max(other.place));
            let message = format!("line {} says `timeout` already", first.line);
            self.problems.error(second, message);
        }
        self.above_zero(within.or(beside)).unwrap_or(TIMEOUT)
    }

    fn run(
        &mut self,
        raw: Spanned<RawRun>,
        beside: Option<Spanned<Span>>,
    ) -> Option<Run<Template>> {
        match raw.value {
            RawRun::Command(words) => {
                let timeout = self.step_timeout(None, beside);
                Some(Run {
                    command: self.command(words, raw.place)?,
                    cwd: None,
                    env: Default::default(),
                    user: None,
                    timeout,
                    grace: GRACE,
                })
            }
            RawRun::Full(raw) => {
                let timeout = self.step_timeout(raw.timeout, beside);
                let cwd = raw.cwd.map(|path| self.path(path));
                let env = self.env(raw.env);
                let user = raw.user.map(|name| self.not_empty(name));
                Some(Run {
                    command: self.command(raw.command.value, raw.command.place)?,
                    cwd,
                    env,
                    user,
                    timeout,
                    grace: raw.grace.map_or(GRACE, |s| s.0),
                })
            }
        }
    }

    /// An attempt has one id, and a subject one place: a second agent would find both taken.
    pub(super) fn one_spawn(&mut self, steps: &[Spanned<RawStep>]) {
        let mut spawns = steps.iter().filter(|step| step.value.spawn.is_some());
        if let (Some(first), Some(second)) = (spawns.next(), spawns.next()) {
            let line = first.place.line;
            self.problems.error_with_help(
                second.place,
                format!("a plan starts one agent, and line {line} does so already"),
                Some("a subject has one kept process; what is to run beside it, it starts itself, or a `run` does".to_owned()),
            );
        }
    }

    fn spawn(&mut self, raw: RawSpawn) -> Option<Spawn<Template>> {
        let cwd = raw.cwd.map(|path| self.workplace(path));
        let own = |name: &&Spanned<String>| OWN.contains(&&*name.value);
        let names = raw.env.iter().flat_map(|env| env.0.iter());
        for name in names.map(|(name, _)| name).filter(own) {
            let message = format!(
                "`{}` says which attempt it is, and cannot be set",
                name.value
            );
            self.problems.warning(name.place, message);
        }
        let env = self.env(raw.env);
        if let Some(beat) = &raw.beat
            && self.scope == Scope::Gateways
            && beat.value != BeatFor::Never
        {
            let message = "a gateway has no cell that its keeper could write heartbeats in";
            self.problems.error(beat.place, message);
        }
        let mut env_pass = Vec::new();
        for name in raw.env_pass.unwrap_or_default().0 {
            self.env_name(&name);
            if !env_pass.contains(&name.value) {
                env_pass.push(name.value);
            }
        }
        let user = raw.user.map(|name| self.not_empty(name));
        let home = raw.home.map(|path| {
            let place = path.place;
            let home = self.path(path);
            if home.variables().iter().any(|name| name == "agent.home") {
                let message = "`home` is what `agent.home` stands for";
                self.problems.error(place, message);
            }
            home
        });
        let limits = self.process_limits(raw.limits.unwrap_or_default());
        Some(Spawn {
            command: self.command(raw.command.value, raw.command.place)?,
            cwd,
            env,
            env_pass,
            user,
            home,
            grace: raw.grace.map_or(GRACE, |s| s.0),
            limits,
            replace: raw.replace.unwrap_or_default(),
            wake: raw.wake.unwrap_or(true),
            beat: raw.beat.map_or(BeatFor::default(), |beat| beat.value),
            backend: raw.backend.unwrap_or_default(),
        })
    }

    /// Where an agent works: beneath its cell, and it may not lead out of it.
    fn workplace(&mut self, text: Spanned<String>) -> Template {
        if self.scope == Scope::Gateways {
            return self.path(text);
        }
        let place = text.place;
        let template = self.not_empty(text);
        let path = template.source();
        let wrong = if path.starts_with('/') {
            Some("this is taken from the cell's directory, so it must be a relative path")
        } else if path.split('/').any(|part| part == "..") {
            Some("`..` is not allowed in a path beneath a cell")
        } else {
            None
        };
        if let Some(message) = wrong {
            self.problems.error(place, message);
        }
        template
    }

    fn process_limits(&mut self, raw: RawProcessLimits) -> ProcessLimits {
        let mut above_zero = |written: Option<(u64, Place)>| {
            let (value, place) = written?;
            if value == 0 {
                self.problems.error(place, "this must be more than zero");
            }
            Some(value)
        };
        let memory = above_zero(raw.memory.map(|s| (s.value.0, s.place)));
        let open_files = above_zero(raw.open_files.map(|s| (s.value, s.place)));
        let processes = above_zero(raw.processes.map(|s| (s.value, s.place)));
        ProcessLimits {
            max_runtime: self.above_zero(raw.max_runtime),
            memory,
            open_files,
            processes,
        }
    }

    fn signal(&mut self, raw: RawSignal) -> Option<SignalStep<Template>> {
        let signal = match raw.signal {
            None => "TERM".to_owned(),
            Some(Spanned { value, place }) => {
                let upper = value.to_ascii_uppercase();
                let name = upper.strip_prefix("SIG").unwrap_or(&upper);
                if !SIGNALS.contains(&name) {
                    let help = did_you_mean(name, &SIGNALS);
                    let message = format!("`{value}` is not a signal");
                    self.problems.error_with_help(place, message, help);
                }
                name.to_owned()
            }
        };
        let Spanned { value: to, place } = raw.to;
        let to = match to {
            RawSignalTo::Pidfile(file) => SignalTo::Pidfile(self.path(file.pidfile)),
            RawSignalTo::Word(word) => match word.split_once(' ') {
                None if word == "process" => SignalTo::Process,
                // A gateway may have a heartbeat too; whether it does, the configuration says.
                None if word == "heartbeat_pid" => SignalTo::HeartbeatPid,
                Some(("pidfile", path)) => SignalTo::Pidfile(self.path(Spanned {
                    value: path.trim().to_owned(),
                    place,
                })),
                _ => {
                    let help = did_you_mean(&word, &["process", "heartbeat_pid"]).or_else(|| {
                        Some("`process`, `heartbeat_pid` or `{pidfile: PATH}`".to_owned())
                    });
                    let message = format!("`{word}` is nobody to send a signal to");
                    self.problems.error_with_help(place, message, help);
                    return None;
                }
            },
        };
        Some(SignalStep { to, signal })
    }

    fn http(&mut self, raw: RawHttp, beside: Option<Spanned<Span>>) -> Http<Template> {
        let timeout = self.step_timeout(raw.timeout, beside);
        let method = match raw.method {
            None if raw.body.is_some() => "POST".to_owned(),
            None => "GET".to_owned(),
            Some(Spanned { value, place }) => {
                if !METHODS.contains(&&*value) {
                    let help = did_you_mean(&value.to_ascii_uppercase(), &METHODS);
                    let message = format!("`{value}` is not a method");
                    self.problems.error_with_help(place, message, help);
                }
                value
            }
        };
        Http {
            method,
            url: self.url(raw.url),
            headers: self.headers(raw.headers),
            body: raw.body.map(|text| self.template(text)),
            status: self.status(raw.status),
            timeout,
        }
    }
}
