//! The step `run`, with real processes.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::stage::{LONG, Stage, action, command, eventually, sh};
use super::{end_leftovers, leftovers};
use crate::model::action::StepResult;
use crate::sys::host;

/// No process with this ref lives any more.
fn all_gone(r#ref: &str) {
    let refs = [r#ref.to_owned()];
    eventually("a process is left", || leftovers(&refs).is_empty());
}

#[test]
fn exit_codes_and_signals() {
    let stage = Stage::new();
    let done = stage.run(command(&["true"]));
    assert_eq!((done.result, done.exit_code), (StepResult::Ok, Some(0)));
    assert!(done.pid.is_some_and(|pid| pid > 1) && done.error.is_none());
    assert!(done.duration_ms.is_some() && done.log.is_some());
    let done = stage.run(sh("exit 3"));
    assert_eq!((done.result, done.exit_code), (StepResult::Failed, Some(3)));
    assert_eq!(done.error.as_deref(), Some("/bin/sh: exit code 3"));
    let done = stage.run(sh("kill -SEGV $$"));
    assert_eq!((done.result, done.exit_code), (StepResult::Failed, None));
    assert_eq!(done.error.as_deref(), Some("/bin/sh: killed by SIGSEGV"));
}

#[test]
fn what_cannot_be_started_is_named() {
    let stage = Stage::new();
    let file = stage.text("not-executable");
    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    let script = stage.text("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    let text = stage.text("no-program");
    std::fs::write(&text, "echo no shell runs this\n").unwrap();
    for path in [&script, &text] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut nowhere = command(&["true"]);
    nowhere.cwd = Some("/no/such/place".into());
    let mut relative = command(&["true"]);
    relative.cwd = Some("work".into());
    let mut variable = command(&["true"]);
    variable.env.insert("LAZARUS_REF".into(), "x".into());
    let mut impossible = command(&["true"]);
    impossible.env.insert("a=b".into(), "x".into());
    let missing = "No such file or directory";
    for (run, parts) in [
        (
            command(&["/no/such/program"]),
            ["/no/such/program", missing],
        ),
        (command(&["no-such-program"]), ["no-such-program", missing]),
        (command(&[&file]), [file.as_str(), "Permission denied"]),
        (
            command(&[&script]),
            [script.as_str(), "interpreter is missing"],
        ),
        (command(&[&text]), [text.as_str(), "Exec format error"]),
        (nowhere, ["/no/such/place", missing]),
        (relative, ["cwd: work", "not absolute"]),
        (command(&["true", "a\0b"]), ["zero byte", "a\\0b"]),
        (variable, ["LAZARUS_REF", "set by lazarus-pit"]),
        (impossible, ["a=b", "name of a variable"]),
        (command(&[]), ["no command", ""]),
    ] {
        let done = stage.run(run);
        let error = done.error.unwrap();
        assert_eq!(done.result, StepResult::Failed, "{error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert_eq!((done.pid, done.exit_code), (None, None), "{error}");
    }
}

#[test]
fn a_program_is_told_what_the_list_allows_and_nothing_else() {
    let mut stage = Stage::new();
    stage.own.tz = Some("Europe/Berlin".into());
    let mut run = command(&["/usr/bin/env", "-0"]);
    run.env.insert("MODEL".into(), "timmy\nv0.1".into());
    run.env.insert("LANG".into(), "de_DE.UTF-8".into());
    let action = action("c/a", [run]);
    let r#ref = action.r#ref.clone();
    let (performed, _) = stage.perform(vec![action]);
    let log = performed.done[0].steps[0].log.clone().unwrap();
    let text = std::fs::read_to_string(log).unwrap().replace('\0', "\n");
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| Some(line.rsplit("] ").next()?.split_once('=')?.0))
        .collect();
    let want = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "TZ",
        "LAZARUS_CELL_ROOT",
        "LAZARUS_AGENT",
        "LAZARUS_REF",
        "LAZARUS_ATTEMPT",
        "MODEL",
    ];
    assert_eq!(names, want);
    for line in [
        &format!("PATH={}", std::env::var("PATH").unwrap()),
        "LANG=de_DE.UTF-8",
        "LAZARUS_CELL_ROOT=/missions/c",
        "LAZARUS_AGENT=a",
        "LAZARUS_ATTEMPT=2",
        &format!("LAZARUS_REF={ref}"),
    ] {
        assert!(text.lines().any(|l| l.ends_with(line)), "{line}: {text}");
    }
}

#[test]
fn a_program_has_a_session_of_its_own_and_nothing_of_ours() {
    let stage = Stage::new();
    let script = "set -- $(cat /proc/self/stat); echo $5 $6 $$; pwd; umask; readlink /proc/self/fd/0; \
                  ls /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status";
    let done = stage.run(sh(script));
    let pid = done.pid.unwrap();
    let none = "0000000000000000";
    let want = format!(
        "{pid} {pid} {pid}\n/\n0022\n/dev/null\n0\n1\n2\n3\nSigBlk:\t{none}\nSigIgn:\t{none}\n"
    );
    // 3 is ls's own, on the directory that it lists.
    assert_eq!(stage.printed(&done), want);
    let mut elsewhere = sh("pwd");
    elsewhere.cwd = Some("/proc".into());
    let done = stage.run(elsewhere);
    assert_eq!(stage.printed(&done), "/proc\n");
}

#[test]
fn what_is_printed_is_kept_byte_by_byte_and_in_order() {
    let stage = Stage::new();
    let done = stage.run(sh("echo out; echo err >&2; printf 'a\\377b'"));
    let text = std::fs::read(done.log.unwrap()).unwrap();
    let has = |what: &[u8]| text.windows(what.len()).any(|w| w == what);
    assert!(has(b" [a:stdout] out\n") && has(b" [a:stderr] err\n"));
    assert!(has(b" [a:stdout] a\xffb\n"));
}

#[test]
fn a_flood_is_cut_short_and_harms_nobody() {
    let mut stage = Stage::new();
    stage.max_bytes = 1 << 16;
    let began = Instant::now();
    let done = stage.run(sh("yes | head -c 100000000"));
    assert_eq!(done.result, StepResult::Ok);
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    let text = std::fs::read_to_string(done.log.unwrap()).unwrap();
    assert!(text.len() < (1 << 16) + 300);
    assert!(
        text.ends_with(" bytes were dropped\n"),
        "{}",
        &text[text.len() - 99..]
    );
}

#[test]
fn at_the_timeout_all_that_it_started_goes_with_it() {
    let stage = Stage::new();
    // Children that take no TERM either, one of them in a group of its own.
    let script = "trap '' TERM; (while :; do sleep 1; done) & (while :; do sleep 1; done) & \
                  set -m; (while :; do sleep 1; done) & echo ready; while :; do sleep 1; done";
    let mut run = sh(script);
    // Time enough to get ready, however busy the host is.
    (run.timeout, run.grace) = (Duration::from_secs(1), Duration::from_millis(100));
    let action = action("c/a", [run]);
    let r#ref = action.r#ref.clone();
    let (mut performed, _) = stage.perform(vec![action]);
    let done = performed.done.remove(0).steps.remove(0);
    assert_eq!((done.result, done.exit_code), (StepResult::TimedOut, None));
    let error = done.error.unwrap();
    assert!(
        error.contains("timeout of 1s") && error.contains("SIGKILL"),
        "{error}"
    );
    all_gone(&r#ref);
}

#[test]
fn what_takes_term_gets_no_kill_and_its_whole_grace() {
    let stage = Stage::new();
    let mut run = sh("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.02; done");
    // Time enough to have set the trap, however busy the host is.
    run.timeout = Duration::from_secs(2);
    let done = stage.run(run);
    assert_eq!(done.result, StepResult::TimedOut);
    assert!(done.error.as_ref().unwrap().ends_with("ended by SIGTERM"));
    let printed = stage.printed(&done);
    assert_eq!(printed.matches("bye\n").count(), 1, "{printed}");
    // One that is stopped is let go on, or it would never hear of it.
    let mut run = sh("kill -STOP $$");
    run.timeout = Duration::from_millis(200);
    let done = stage.run(run);
    assert!(done.error.unwrap().ends_with("ended by SIGTERM"));
}

#[test]
fn the_deadline_waits_for_no_grace() {
    let mut stage = Stage::new();
    stage.deadline = Duration::from_secs(1);
    let mut run = sh("trap '' TERM; while :; do sleep 1; done");
    let mut early = run.clone();
    early.timeout = Duration::from_millis(10);
    let steps = [run.clone(), sh("true")];
    run.timeout = Duration::MAX;
    run.grace = Duration::MAX;
    let actions = vec![
        action("c/a", steps),
        action("c/b", [run]),
        action("c/d", [early]),
    ];
    let refs: Vec<String> = actions.iter().map(|a| a.r#ref.clone()).collect();
    let began = Instant::now();
    let (performed, _) = stage.perform(actions);
    // A second after TERM it gets KILL; the rest is for a host that is busy.
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    for done in &performed.done[..2] {
        assert_eq!(done.steps[0].result, StepResult::CutOff);
        assert!(done.steps[0].error.as_ref().unwrap().contains("deadline"));
    }
    assert_eq!(performed.done[0].steps[1].result, StepResult::Skipped);
    assert_eq!(performed.done[2].steps[0].result, StepResult::TimedOut);
    refs.iter().for_each(|r#ref| all_gone(r#ref));
}

#[test]
fn what_a_command_leaves_behind_lives_on_and_is_found_by_its_ref() {
    let stage = Stage::new();
    let script = "(trap '' PIPE; while :; do sleep 0.05; echo x; done) & echo ready";
    let action = action("c/a", [sh(script)]);
    let refs = [action.r#ref.clone()];
    let began = Instant::now();
    let (performed, _) = stage.perform(vec![action]);
    assert!(began.elapsed() < LONG / 2);
    let done = &performed.done[0].steps[0];
    assert_eq!(done.result, StepResult::Ok);
    assert!(stage.printed(done).contains("ready\n"));
    let found = leftovers(&refs);
    assert!(!found.is_empty() && found.iter().all(|f| f.value == refs[0]));
    assert!(leftovers(&[]).is_empty() && leftovers(&["x".into()]).is_empty());
    let ended = end_leftovers(&refs, Duration::from_secs(10));
    assert!(
        !ended.ended.is_empty() && ended.left.is_empty(),
        "{ended:?}"
    );
    all_gone(&refs[0]);
}

#[test]
fn another_user_is_for_root_alone() {
    let stage = Stage::new();
    let script = "id -u; id -g; id -G; echo $USER $HOME; grep NoNewPrivs /proc/self/status; \
                  grep CapEff /proc/self/status; pwd";
    let as_user = |user: &str| {
        let mut run = sh(script);
        run.user = Some(user.to_owned());
        stage.run(run)
    };
    let own = host::user_name(host::uid());
    let done = as_user(own.trim_start_matches("uid "));
    assert_eq!(done.result, StepResult::Ok, "{:?}", done.error);
    assert!(
        stage
            .printed(&done)
            .starts_with(&format!("{}\n", host::uid()))
    );
    let done = as_user("no such user");
    assert_eq!(
        done.error.as_deref(),
        Some("there is no user `no such user`")
    );
    if host::uid() == 0 {
        let done = as_user("nobody");
        let (uid, gid) = host::find_user("nobody").unwrap();
        let printed = stage.printed(&done);
        let want = format!("{uid}\n{gid}\n{gid}\nnobody ");
        assert!(printed.starts_with(&want), "{printed}");
        let ends = "NoNewPrivs:\t1\nCapEff:\t0000000000000000\n/\n";
        assert!(printed.ends_with(ends), "{printed}");
        // With its rights, not with ours.
        let ours = stage.text("ours");
        std::fs::create_dir(&ours).unwrap();
        std::fs::set_permissions(&ours, PermissionsExt::from_mode(0o700)).unwrap();
        let mut run = command(&["true"]);
        (run.user, run.cwd) = (Some("nobody".into()), Some(ours));
        let error = stage.run(run).error.unwrap();
        assert!(
            error.contains("as nobody") && error.contains("Permission denied"),
            "{error}"
        );
    } else {
        let error = as_user("root").error.unwrap();
        assert!(error.starts_with("only root can run a command"), "{error}");
    }
}
