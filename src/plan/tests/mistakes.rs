//! Every mistake that is told, with its place.

use super::*;

/// What is told of a plan that is never acted on and has this beside.
fn never(text: &str) -> Vec<String> {
    told(&format!("policy: never\n{text}"))
}

#[test]
fn a_mistake_is_shown_with_its_line_and_a_caret() {
    assert_eq!(
        told_of(&[file(
            "plans/a.yaml",
            "polcy: auto\nlimits:\n  within: soon\n"
        )]),
        [
            "plans/a.yaml:1:1: error: unknown key `polcy`\n    polcy: auto\n    ^\n  \
             help: did you mean `policy`?",
            "plans/a.yaml:1:1: error: a plan with policy `ask` needs steps\n    polcy: auto\n    ^\n  \
             help: give it `steps`, or `policy: never` to be only told",
            "plans/a.yaml:3:11: error: not a duration such as `90s` or `1h 30m`: expected number \
             at 0\n      within: soon\n              ^",
        ]
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = "\
match: {cells: ['a[', ''], agents: [], labels: {'': x}}
when: {status: [healthy, asleep], for: -1}
stale_after: 0
probes:
  - tcp: localhost
  - tcp: h:1
    timeout: 31s
  - http: {url: 'ftp://h/', status: 99, headers: {'a b': c}}
  - process: {pattern: '(', busy: true}
  - process: {}
  - exec: {command: []}
  - file: {path: out.json, newer_than: 0s}
  - {}
  - {tcp: h:1, file: {path: /x}}
  - tcp: h:1
    failures: 0
policy: auto
steps: []
limits: {attempts: 0, within: 0, backoff: {initial: 1h, factor: 0.5, jitter: 1.5}}
on_exit: {finished: [0, 256], permanent: [0, -1]}
on_report: {finished: [done], tolerated: [done]}
verify: {within: 0}
needs: ['a/b/c', 'gateway:']
";
    assert_eq!(
        told(text),
        [
            "1:17 this is not a glob: unclosed character class; missing ']'",
            "1:23 a glob must not be empty",
            "1:36 `agents` is empty, so that it matches nobody",
            "1:49 a label's name must not be empty",
            "2:17 `healthy` is no way to be down",
            "2:26 `asleep` is not known here (one of `healthy`, `stale`, `uninitialized`, `incomplete`, `exited`, `degraded`, `dead`, `unknown`)",
            "2:40 a duration cannot be negative",
            "3:14 this must be more than zero",
            "5:10 this is neither `HOST:PORT` nor the absolute path of a socket",
            "7:14 a probe may take at most 30s",
            "8:17 this is not a URL that begins with `http://` or `https://` and names a host",
            "8:37 99 is no HTTP status: they lie between 100 and 599",
            "8:51 `a b` cannot be the name of a header",
            "9:24 this is not a regular expression: unclosed group",
            "10:14 a process is exactly one of `pattern`, `pidfile` and `heartbeat_pid`",
            "11:21 the command is empty",
            "12:18 this must be an absolute path (begin it with `/`, or with `{{ cell.root }}/`)",
            "12:40 this must be more than zero",
            "13:5 a probe is exactly one of `tcp`, `http`, `process`, `exec` and `file`",
            "14:5 a probe is exactly one of `tcp`, `http`, `process`, `exec` and `file`",
            "16:15 this must be at least 1",
            "18:8 a plan with policy `auto` needs steps (give it `steps`, or `policy: never` to be only told)",
            "19:20 this must be at least 1",
            "19:31 this must be more than zero",
            "19:53 `max` (15m) is less than `initial` (1h)",
            "19:65 `factor` must be at least 1 and at most 1000",
            "19:78 `jitter` is a share: at least 0 and at most 1",
            "20:25 an exit code lies between 0 and 255, 256 does not",
            "20:43 exit code 0 cannot be both finished and permanent",
            "20:46 an exit code lies between 0 and 255, -1 does not",
            "21:43 `done` cannot be both finished and tolerated",
            "22:18 this must be more than zero",
            "23:9 `a/b/c` names no subject (write `gateway:NAME`, `CELL/AGENT`, or `CELL` for all its agents)",
            "23:18 `gateway:` names no subject (write `gateway:NAME`, `CELL/AGENT`, or `CELL` for all its agents)",
        ]
    );
}

#[test]
fn mistakes_in_steps() {
    let text = "\
steps:
  - run: systemctl restart x
  - run: []
  - run: {comand: [x]}
  - run: {command: [x], timeout: 1s, cwd: here, user: '', env: {'1A': x}}
    timeout: 2s
  - spawn: {command: [''], cwd: ../x, env_pass: [A-B], limits: {memory: 0}, replace: kill}
  - spawn: {command: [x], cwd: /abs, home: rel, beat: always}
  - signal: {to: proces, signal: TREM}
  - signal: {to: {pidfile: x, y: 1}}
  - signal: {to: [x]}
  - http: {method: get, url: '', status: 600}
  - wait: {for: dead, within: 0}
  - wait: {}
  - {run: [x], wait: {within: 1s}}
  - {timeout: 1s}
  - spawn: {command: [x]}
    timeout: 1s
  - run: [sleep, 5]
  - spawn: {command: [x], home: '{{ agent.home }}/x'}
";
    assert_eq!(
        told(text),
        [
            "2:10 expected a list of the program and its arguments, or a mapping with `command`, found the text `systemctl restart x`",
            "3:10 the command is empty",
            "4:10 the key `command` is missing",
            "4:11 unknown key `comand` (did you mean `command`?)",
            "5:43 this must be an absolute path (begin it with `/`, or with `{{ cell.root }}/`)",
            "5:55 this must not be empty",
            "5:65 `1A` cannot be the name of an environment variable (letters, digits and `_`, no digit first)",
            "6:14 line 5 says `timeout` already",
            "7:23 the program is empty",
            "7:33 `..` is not allowed in a path beneath a cell",
            "7:50 `A-B` cannot be the name of an environment variable (letters, digits and `_`, no digit first)",
            "7:73 this must be more than zero",
            "7:86 `kill` is not known here (one of `terminate`, `keep`, `fail`)",
            "8:5 a plan starts one agent, and line 7 does so already (a subject has one kept process; what is to run beside it, it starts itself, or a `run` does)",
            "8:32 this is taken from the cell's directory, so it must be a relative path",
            "8:44 this must be an absolute path (begin it with `/`, or with `{{ cell.root }}/`)",
            "8:55 `always` is not known here (one of `never`, `while_alive`, `on_output`)",
            "9:18 `proces` is nobody to send a signal to (did you mean `process`?)",
            "9:34 `TREM` is not a signal (did you mean `TERM`?)",
            "10:28 this must be an absolute path (begin it with `/`, or with `{{ cell.root }}/`)",
            "10:31 unknown key `y` (the keys here are `pidfile`)",
            "11:18 expected `process`, `heartbeat_pid` or `{pidfile: PATH}`, found a list",
            "12:20 `get` is not a method (did you mean `GET`?)",
            "12:30 this is not a URL that begins with `http://` or `https://` and names a host",
            "12:42 600 is no HTTP status: they lie between 100 and 599",
            "13:17 `dead` is not known here (one of `healthy`)",
            "13:31 this must be more than zero",
            "14:11 the key `within` is missing",
            "15:5 a step is exactly one of `run`, `spawn`, `signal`, `http` and `wait`",
            "16:15 `timeout` is for `run` and `http` only",
            "18:14 `timeout` is for `run` and `http` only",
            "19:18 expected text, found `5` (put it in quotes to make it text)",
            "20:33 `home` is what `agent.home` stands for",
        ]
    );
}

#[test]
fn mistakes_in_templates() {
    let text = "\
steps:
  - run: ['{{ cell.id }', '{{ cel.id }}', '{{ cell.name }}', '{{ cell.labels.team }}']
  - run: [x, '{{ gateway.name }}', '{{ agent.id | lower }}', '{{ cell.id | lwoer }}', '{{ zzz }}']
";
    assert_eq!(
        told(text),
        [
            "2:11 this template is wrong: unexpected `}`, expected end of variable block",
            "2:27 unknown variable `cel.id` (did you mean `cell.id`?)",
            "2:43 unknown variable `cell.name` (there are `cell.id`, `cell.root`, `cell.labels.NAME`, `agent.name`, `agent.home`, `attempt`, `incident`)",
            "3:14 `gateway.name` is of a gateway, and this plan is for cells",
            "3:36 unknown variable `agent.id` (there are `cell.id`, `cell.root`, `cell.labels.NAME`, `agent.name`, `agent.home`, `attempt`, `incident`)",
            "3:62 this template is wrong: unknown filter: filter lwoer is unknown",
            "3:87 unknown variable `zzz` (there are `cell.id`, `cell.root`, `cell.labels.NAME`, `agent.name`, `agent.home`, `attempt`, `incident`)",
        ]
    );
    let text = "\
match: {gateways: [timmy], agents: [x]}
probes:
  - process: {heartbeat_pid: true}
steps:
  - run: ['{{ gateway.nmae }}', '{{ cell.id }}', '{{ cell.labels.x }}']
  - signal: {to: heartbeat_pid}
  - spawn: {command: [x], cwd: rel}
when: {status: [stale, dead]}
";
    assert_eq!(
        told(text),
        [
            "1:19 `gateways` stands instead of `agents`, not beside it (make two plans of it)",
            "3:30 a gateway has no heartbeat",
            "5:11 unknown variable `gateway.nmae` (did you mean `gateway.name`?)",
            "5:33 `cell.id` is of a cell, and this plan is for gateways",
            "5:50 `cell.labels.x` is of a cell, and this plan is for gateways",
            "7:32 this must be an absolute path",
            "8:17 warning: a gateway is never `stale`: it is `degraded` or `dead`",
        ]
    );
}

#[test]
fn mistakes_in_windows_and_tests() {
    let text = "\
maintenance:
  - {from: '2026-12-24T18:00:00Z', until: '2026-12-24T18:00:00Z'}
  - {from: '2026-12-24', until: tomorrow}
  - {cron: '0 3 * *', for: 1h}
  - {cron: '0 3 * * SUN', for: 0}
  - {cron: '0 3 * * SUN'}
  - {cron: '0 3 * * SUN', for: 1h, timezone: Europe/Wien}
  - {cron: '0 0 30 2 *', for: 1h}
  - {cron: '0 0 3 * * SUN', for: 1h}
  - {from: '2026-12-24T18:00:00Z'}
tests:
  - name: ''
    given: {subject: x, status: stale, exit_code: 300, down: [y/], now: noon, anwser: approved}
    expect: {}
  - name: x
    given: {status: stale}
    expect: {verdict: revived}
  - given: {subject: a/b, status: stale, answer: yes}
    expect: {steps: -1}
when: {status: [dead]}
";
    assert_eq!(
        never(text),
        [
            "3:43 this window ends before it begins",
            "4:12 this is not a time in RFC 3339, such as `2026-12-24T18:00:00Z`",
            "4:33 this is not a time in RFC 3339, such as `2026-12-24T18:00:00Z`",
            "5:12 this is not a cron pattern: it has five fields (minute, hour, day of month, month, day of week), not 4",
            "6:32 this must be more than zero",
            "7:5 a window is either `from` and `until`, or `cron` and `for` (with `timezone` if it is not UTC)",
            "8:46 the time zone `Europe/Wien` is not known (a name of the IANA database, such as `Europe/Vienna`)",
            "9:12 this is not a cron pattern: it never comes",
            "10:12 this is not a cron pattern: it has five fields (minute, hour, day of month, month, day of week), not 6",
            "11:5 a window is either `from` and `until`, or `cron` and `for` (with `timezone` if it is not UTC)",
            "13:11 a test's name must not be empty",
            "14:22 `x` is no subject: they are `CELL/AGENT` or `gateway:NAME`",
            "14:51 an exit code lies between 0 and 255, 300 does not",
            "14:63 `y/` is no subject: they are `CELL/AGENT` or `gateway:NAME`",
            "14:73 this is not a time in RFC 3339, such as `2026-12-24T18:00:00Z`",
            "14:79 unknown key `anwser` (did you mean `answer`?)",
            "15:13 a test that expects nothing shows nothing",
            "17:12 the key `subject` is missing",
            "18:23 `revived` is not known here (did you mean `revive`?)",
            "19:5 the key `name` is missing",
            "19:50 `yes` is not known here (one of `approved`, `denied`, `expired`)",
            "20:21 expected a whole number, zero or more, found `-1`",
            "21:17 warning: without `probes` no subject is ever `dead`",
        ]
    );
}

#[test]
fn names_must_be_such_that_they_can_be_shown() {
    let long = format!("name: {}", "x".repeat(101));
    for (text, wanted) in [
        ("name: ''", "2:7 a name must not be empty"),
        (
            "name: \"a\\nb\"",
            "2:7 a name must not hold control characters",
        ),
        (&*long, "2:7 a name must not be longer than 100 characters"),
    ] {
        assert_eq!(never(text), [wanted]);
    }
    assert_eq!(
        never("name: 5"),
        ["2:7 expected text, found `5` (put it in quotes to make it text)"]
    );
}

/// What could not be read is told once, and nothing that would only follow from it.
#[test]
fn a_policy_that_cannot_be_read_is_one_mistake() {
    for text in [
        "policy: nevr\n",
        "policy: auto\nsteps: 5\n",
        "steps: [{run: 5}]\n",
    ] {
        let files = [crate::plan::File {
            name: "p.yaml".into(),
            text: text.into(),
        }];
        let (_, problems) = crate::plan::load(&files, &crate::plan::Known::default());
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    }
}
