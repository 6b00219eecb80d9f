//! Commands that read, do not read, print, hang and fail.

use super::*;
use crate::channel::samples::{message, question, soon};
use crate::model::channel::Occasion;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

fn with(command: &[&str], timeout: Duration) -> Exec {
    let command = command.iter().map(|text| (*text).to_owned()).collect();
    let settings = settings::Exec { command, timeout };
    Exec::new("hook", &settings).unwrap()
}

fn sh(script: &str) -> Exec {
    with(&["sh", "-c", script], LONG)
}

fn sent(mut channel: Exec) -> Result<String, Trouble> {
    channel.send(&message(Occasion::Down, None), soon())
}

#[track_caller]
fn why(result: Result<String, Trouble>) -> String {
    let trouble = result.unwrap_err();
    assert!(
        !trouble.hopeless && trouble.retry_after.is_none(),
        "{trouble:?}"
    );
    trouble.why
}

fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_command_reads_the_message_and_may_say_what_it_likes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("got");
    let mut channel = with(
        &[
            "sh",
            "-c",
            "cat > \"$1\"; pwd; env; echo whatever >&2",
            "sh",
            file.to_str().unwrap(),
        ],
        LONG,
    );
    let asked = message(Occasion::Asked, Some(question("c0de")));
    assert_eq!(channel.send(&asked, soon()), Ok(String::new()));
    let got = std::fs::read_to_string(&file).unwrap();
    assert!(got.ends_with("}\n") && got.lines().count() == 1, "{got}");
    let json: serde_json::Value = serde_json::from_str(&got).unwrap();
    assert_eq!(json["schema"], "lazarus-pit/message/1");
    assert_eq!(
        (&json["channel"], &json["occasion"]),
        (&"hook".into(), &"asked".into())
    );
    assert!(!got.contains("c0de"), "{got}");
}

#[test]
fn nothing_of_the_checkers_own_environment_is_passed_on_but_what_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    let command = ["sh", "-c", "env > \"$1\"", "sh", file.to_str().unwrap()];
    sent(with(&command, LONG)).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let named = ["PATH", "HOME", "SHELL", "LANG", "TZ", "USER", "LOGNAME"];
    // These a shell makes itself.
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    for line in text.lines() {
        let name = line.split('=').next().unwrap();
        assert!(named.contains(&name) || own.contains(&name), "{line}");
    }
    // Cargo's are there for us, and for nobody else.
    assert!(std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("CARGO")));
    let account = Account {
        name: "ann".into(),
        uid: 1000,
        gid: 1000,
        home: None,
        shell: None,
    };
    let all = environment(&account, |name| (name == "TZ").then(|| "UTC".into()));
    let all: Vec<_> = all
        .iter()
        .map(|(n, v)| format!("{n}={}", v.to_string_lossy()))
        .collect();
    assert_eq!(
        all,
        [
            "USER=ann",
            "LOGNAME=ann",
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "HOME=/",
            "SHELL=/bin/sh",
            "LANG=C.UTF-8",
            "TZ=UTC",
        ]
    );
}

#[test]
fn a_command_that_reads_nothing_or_a_part_has_been_told_all_the_same() {
    let mut long = message(Occasion::Down, None);
    // More than a pipe holds.
    long.text = "x".repeat(1 << 20);
    for script in ["true", "head -c 1 > /dev/null", "exec <&-; exit 0"] {
        assert_eq!(
            sh(script).send(&long, soon()),
            Ok(String::new()),
            "{script}"
        );
    }
    assert_eq!(
        sh("cat | wc -c | grep -q 1048").send(&long, soon()),
        Ok(String::new())
    );
    assert_eq!(
        sh("yes | head -c 300000; cat > /dev/null").send(&long, soon()),
        Ok(String::new())
    );
}

#[test]
fn a_failure_is_told_with_its_last_words() {
    let said = why(sent(sh(
        "echo no >&2; printf 'really \\033[31mno\\n\\n' >&2; exit 3",
    )));
    assert_eq!(said, "sh: exit code 3: really \\x1b[31mno");
    assert_eq!(why(sent(sh("exit 1"))), "sh: exit code 1");
    assert_eq!(why(sent(sh("kill -9 $$"))), "sh: killed by SIGKILL");
    let said = why(sent(sh(
        "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1",
    )));
    assert!(said.len() < 300, "{said}");
    let said = why(sent(with(&["no-such-program-here"], LONG)));
    assert!(
        said.starts_with("command: ") && said.contains("no-such-program-here"),
        "{said}"
    );
}

#[test]
fn one_that_takes_too_long_is_ended_with_all_that_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let script = "trap '' TERM; sleep 300 & echo $! $$ > \"$1.new\"; mv \"$1.new\" \"$1\"; wait";
    let command = ["sh", "-c", script, "sh", file.to_str().unwrap()];
    // A host under load may not get as far as that at first.
    for seconds in [1, 5, 25] {
        let said = why(sent(with(&command, Duration::from_secs(seconds))));
        assert_eq!(
            said,
            format!("sh: it took longer than its timeout of {seconds}s, and was ended")
        );
        if file.exists() {
            break;
        }
    }
    let pids = std::fs::read_to_string(&file).unwrap();
    assert_eq!(pids.split_whitespace().count(), 2);
    for pid in pids.split_whitespace() {
        let until = soon();
        while lives(pid) {
            assert!(Instant::now() < until, "{pid} lives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    // Whoever prints without end takes no memory, and ends with its time.
    for script in ["yes", "yes >&2"] {
        let said = why(sent(with(
            &["sh", "-c", script],
            Duration::from_millis(300),
        )));
        assert!(said.contains("took longer"), "{said}");
    }
}

#[test]
fn the_runs_own_time_counts_too() {
    let mut channel = sh("true");
    let told = channel.send(&message(Occasion::Down, None), Instant::now());
    assert_eq!(why(told), "sh: no time is left for it in this run");
    let mut channel = sh("sleep 300");
    let until = Instant::now() + Duration::from_millis(600);
    let said = why(channel.send(&message(Occasion::Down, None), until));
    assert_eq!(
        said,
        "sh: it took longer than the time that channels have in a run, and was ended"
    );
}

#[test]
fn a_look_finds_the_program_and_runs_nothing() {
    let said = sh("exit 1").look(soon()).unwrap();
    assert!(said.contains("/sh would be run"), "{said}");
    assert!(with(&["/no/such"], LONG).look(soon()).is_err());
    for command in [vec![], vec![String::new()]] {
        let settings = settings::Exec {
            command,
            timeout: LONG,
        };
        let made = Exec::new("x", &settings);
        assert!(made.err().unwrap().hopeless);
    }
}
