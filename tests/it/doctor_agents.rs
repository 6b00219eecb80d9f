//! `doctor` of what people and agents meet: channels, steps, users.

use std::fs;
use std::os::unix::fs::chown;

use crate::doctor::{Host, Look, PLAN};
use crate::world::{NOBODY, SECRET, make_dir, mode, needs_root, put};

#[test]
fn channels_whose_secrets_or_people_are_missing() {
    let host = Host::new();
    let w = &host.w;
    let telegram = |more: &str| {
        let text = format!("channels: {{ops: {{kind: telegram, chat_id: 1, {more}}}}}\n");
        w.config(&text);
    };
    let token = format!("123456:{SECRET}");
    let ask = "name: p\npolicy: ask\napproval: {channels: [ops]}\nsteps:\n  - run: ['true']\n";
    host.plan(ask);
    telegram("token: {env: TOKEN}, allowed_users: [42]");
    host.look().has("error", "secret", "TOKEN is not set");
    // Set in the shell is not set in a run; set in the unit is.
    let with = || Look::of(host.cmd(&["--json"]).env("TOKEN", &token).run());
    with().has(
        "warning",
        "secret_not_given",
        "nothing that starts the runs sets it",
    );
    let file = host.sys("etc/tokens");
    put(&file, format!("# x\nTOKEN={token}\n").as_bytes());
    host.service("LimitCORE=", "EnvironmentFile=-/etc/tokens\nLimitCORE=");
    with().only(&[]).has("ok", "channel", "channel test ops");
    host.look().only(&[]);
    let at = w.base().join("conf/token");
    telegram(&format!(
        "token: {{file: {}}}, allowed_users: [42]",
        at.display()
    ));
    host.look().has("error", "secret", "No such file");
    put(&at, token.as_bytes());
    host.look().has("error", "secret", "chmod 600");
    mode(&at, 0o600);
    host.look().has("ok", "channel", "people can answer");
    telegram(&format!("token: {{file: {}}}", at.display()));
    // The look at the plans tells of it, and the channel does not once more.
    host.look()
        .only(&["plan_problem"])
        .has("warning", "plan_problem", "nobody can answer on ops")
        .has("ok", "channel", "only tells");
    let program = w.base().join("conf/program");
    let exec = format!(
        "channels: {{ops: {{kind: exec, command: [{}]}}}}\n",
        program.display()
    );
    w.config(&exec);
    let unusable = |text: &str| {
        host.look().has("error", "channel_unusable", text).has(
            "error",
            "channel_unusable",
            "command: ",
        );
    };
    unusable("No such file");
    put(&program, b"#!/bin/sh\n");
    mode(&program, 0o644);
    unusable("Permission denied");
    mode(&program, 0o755);
    host.look().only(&["plan_problem"]);
    fs::remove_file(&program).unwrap();
    make_dir(&program, 0o755);
    unusable("Is a directory");
    w.config("channels: {ops: {kind: exec, command: ['true']}}\n");
    host.plan(PLAN)
        .look()
        .only(&[])
        .has("advice", "channel_unused", "no plan");
    host.plan(&ask.replace("approval: {channels: [ops]}\n", ""));
    host.look().has("advice", "asked_nowhere", "approve");
}

/// Where another channel of a plan can answer, one that cannot is worth a word and no more.
#[test]
fn channels_on_which_nobody_answers_beside_one_that_hears() {
    let host = Host::new();
    let token = host.w.base().join("conf/token");
    put(&token, format!("123456:{SECRET}").as_bytes());
    mode(&token, 0o600);
    let ops = format!(
        "kind: telegram, chat_id: 1, token: {{file: {}}}",
        token.display()
    );
    host.w.config(&format!(
        "channels:\n  heard: {{{ops}, allowed_users: [42]}}\n  ops: {{{ops}}}\n  hook: {{kind: exec, command: ['true']}}\n"
    ));
    let plan = "name: p\npolicy: ask\napproval: {channels: [heard, ops, hook]}\nsteps:\n  - run: ['true']\n";
    host.plan(plan);
    let names = "these plans ask through it: p";
    host.look()
        .only(&[])
        .has("advice", "nobody_may_answer", names)
        .has("advice", "cannot_answer", names);
    // A plan that asks nobody misses no answer.
    host.plan(&plan.replace("policy: ask", "policy: auto"));
    let look = host.look();
    let told = |code| look.findings().iter().any(|f| f["code"] == code);
    assert!(!told("nobody_may_answer") && !told("cannot_answer"));
}

#[test]
fn a_file_of_authorities_that_is_missing_broken_or_anybodys() {
    let host = Host::new();
    let ca = host.w.base().join("conf/ca.pem");
    host.plan("name: p\npolicy: never\nnotify: {channels: [ops], on: [down]}\n");
    let config = |secret: &str| {
        let at = ca.display();
        let url = "url: 'https://localhost:1/'";
        host.w.config(&format!(
            "channels: {{ops: {{kind: webhook, {url}, ca: {at}{secret}}}}}\n"
        ));
    };
    config("");
    let says = |text: &str| {
        host.look()
            .has("error", "channel_unusable", "ca: ")
            .has("error", "channel_unusable", text);
    };
    says("cannot read");
    put(&ca, b"no certificate\n");
    says(ca.to_str().unwrap());
    mode(&ca, 0o666);
    says("can be written by everyone");
    // A secret that is missing as well hides nothing of it, and a run that has it is no better off.
    config(", secret: {env: TOKEN}");
    host.look()
        .only(&["secret", "channel_unusable"])
        .has("error", "channel_unusable", "ca: ");
    put(&host.sys("etc/tokens"), b"TOKEN=x\n");
    host.service("LimitCORE=", "EnvironmentFile=/etc/tokens\nLimitCORE=");
    host.look().only(&["channel_unusable"]);
}

/// What waits and what failed stands in the state.
#[test]
fn a_channel_that_has_not_worked() {
    let host = Host::new();
    host.w
        .config("channels: {ops: {kind: exec, command: ['false']}}\n");
    host.plan("name: p\npolicy: never\nnotify: {channels: [ops], on: [down]}\n");
    host.w.beat("a", 900);
    host.w.run(&["check", "-q"]).code(2);
    host.look()
        .has("warning", "channel_trouble", "channel test ops");
}

#[test]
fn what_an_agent_could_not_do_here() {
    let host = Host::new();
    let w = &host.w;
    let spawn = |rest: &str| format!("name: p\npolicy: auto\nsteps:\n  - spawn: {{{rest}}}\n");
    let program = w.base().join("agent");
    put(&program, format!("#!/nonexistent/{SECRET}\n").as_bytes());
    let run = format!("command: [{}]", program.display());
    for (plan, code, text) in [
        (
            spawn("command: [no-such-agent]"),
            "step_fails",
            "no-such-agent",
        ),
        (
            spawn("command: [sleep], cwd: nowhere"),
            "step_fails",
            "nowhere",
        ),
        (
            spawn("command: [sleep], user: no-such-user"),
            "step_fails",
            "no-such-user",
        ),
        (
            spawn("command: ['{{ cell.labels.x }}']"),
            "template",
            "label `x` is not there",
        ),
        (spawn(&run), "program", "cannot run"),
        (
            "name: p\npolicy: auto\nsteps:\n  - run: [no-such-tool]\n".to_owned(),
            "step_fails",
            "run: running no-such-tool",
        ),
    ] {
        host.plan(&plan)
            .look()
            .has("error", code, text)
            .has("error", code, "a/main");
    }
    mode(&program, 0o755);
    host.plan(&spawn(&run))
        .look()
        .has("error", "interpreter", "its first line");
    host.plan(&spawn("command: [sleep], env_pass: [API_KEY]"));
    host.look().has("warning", "env_not_given", "API_KEY");
    host.service("LimitCORE=", "Environment=\"API_KEY=x\"\nLimitCORE=");
    host.look().only(&[]);
    fs::remove_dir_all(host.sys("run/systemd")).unwrap();
    host.plan(&spawn("command: [sleep], backend: systemd"));
    host.look().has("error", "no_systemd", "backend: systemd");
}

#[test]
fn what_an_agents_own_user_could_not_do() {
    let host = Host::new();
    if !needs_root() {
        return;
    }
    host.look().only(&[]);
    // Root could go there; the owner of the cell cannot.
    let worktree = host.w.path("a/worktree");
    chown(&worktree, Some(0), Some(0)).unwrap();
    mode(&worktree, 0o700);
    host.look().has("error", "cwd", "cannot go to");
    mode(&worktree, 0o755);
    host.look().only(&[]);
    // It is put there by root, whatever the way is like.
    mode(host.w.base(), 0o700);
    host.look()
        .only(&["cwd"])
        .has("warning", "cwd", "begins in");
    mode(host.w.base(), 0o755);
    // A cell of root's, and a plan that does not say root.
    for entry in walkdir::WalkDir::new(host.w.path("a")) {
        chown(entry.unwrap().path(), Some(0), Some(0)).unwrap();
    }
    host.look().has("error", "step_fails", "belongs to root");
    // sudo in what may gain no rights.
    host.plan("name: p\npolicy: auto\nsteps:\n  - run: [sudo, x]\n");
    let run = host
        .cmd(&["--json"])
        .through(&["setpriv", "--no-new-privs"]);
    if crate::world::tool("setpriv") {
        Look::of(run.run()).has("error", "no_new_privs", "sudo");
    }
}

/// An ordinary user, to whom nothing was given: everything is said, nothing ends it.
#[test]
fn an_ordinary_user_is_told_what_cannot_be_read() {
    let host = Host::new();
    if !needs_root() {
        return;
    }
    let look = Look::of(host.cmd(&["--json"]).poor_user(NOBODY).run());
    assert_eq!(look.0.json()["user"], "nobody");
    look.has("error", "state_unreadable", "Permission denied");
    look.has("error", "not_writable", "the state directory");
    look.has("advice", "other_user", "sudo -u root");
    // With a state of their own, which a run of root's has left files in.
    let host = Host::new();
    let run = host.cmd(&["--json"]).user(NOBODY);
    chown(host.w.state().join("state.json"), Some(0), Some(0)).unwrap();
    Look::of(run.run()).has("error", "file_not_ours", "state.json");
    // A plan for another user, and limits that cannot be given.
    host.plan("name: p\npolicy: auto\nsteps:\n  - spawn: {command: [sleep], user: daemon}\n");
    Look::of(host.cmd(&["--json"]).user(NOBODY).run()).has("error", "step_fails", "only root");
    host.plan("name: p\npolicy: auto\nsteps:\n  - spawn: {command: [sleep], limits: {open_files: 4000000000}}\n");
    Look::of(host.cmd(&["--json"]).user(NOBODY).run()).has("error", "limit", "open_files");
}
