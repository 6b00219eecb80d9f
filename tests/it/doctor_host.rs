//! `doctor` of a host: directories, what earlier runs left, clocks, units and crontabs.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use serde_json::json;

use crate::doctor::{Host, Look, PLAN, shipped};
use crate::hung::{Hung, apart, until_output_ends};
use crate::world::{NOBODY, can_mount, is_root, make_dir, mode, now, put};

#[test]
fn directories_that_are_missing_open_or_in_the_wrong_place() {
    let host = Host::new();
    let look = |args: &[&str]| Look::of(host.cmd(&["--json"]).arg(args[0]).arg(args[1]).run());
    let base = host.w.base();
    let at = |name: &str| base.join(name).to_str().unwrap().to_owned();
    put(&base.join("file"), b"");
    // `--root` is given once: the configuration's is another way to say it.
    let bare = |config: String| {
        host.w.config(&config);
        let cmd = host
            .w
            .bare(&["doctor", "--json", "--config"])
            .arg(host.w.config_path());
        let state = host.w.state();
        Look::of(cmd.arg("--state-dir").arg(state).run())
    };
    bare(format!("missions_root: {}\n", at("none"))).has("error", "missing", "66");
    bare(format!("missions_root: {}\n", at("file"))).has("error", "no_directory", "no directory");
    make_dir(&base.join("empty"), 0o755);
    bare(format!("missions_root: {}\n", at("empty"))).has(
        "warning",
        "no_cells",
        "the last run saw 1",
    );
    make_dir(&base.join("open"), 0o777);
    bare(format!("missions_root: {}\n", at("open"))).has("warning", "writable_by_all", "0777");
    bare(format!("missions_root: {}\n", base.display())).has("error", "state_in_root", "state_dir");
    bare(format!(
        "missions_root: {}\nprometheus_textfile: {}\n",
        at("root"),
        at("none/x.prom")
    ))
    .has("error", "missing", "prometheus_textfile");
    host.w.config("{}\n");
    look(&["--heartbeat-dir", &at("file")]).has("error", "no_directory", "heartbeat directory");
    look(&["--heartbeat-dir", &at("new")]).has("ok", "will_be_made", "the first run");
    mode(&host.w.state(), 0o755);
    host.look().has("warning", "state_open", "0755");
    mode(&host.w.state(), 0o777);
    let bad = if is_root() {
        "state_not_trusted"
    } else {
        "state_open"
    };
    assert!(host.look().bad().contains(&bad));
    mode(&host.w.state(), 0o700);
    // Who can write above it can swap it.
    mode(base, 0o777);
    host.look()
        .has("warning", "way_open", base.to_str().unwrap());
    mode(base, 0o755);
    // A mount that the host's table names, and that is not there.
    let table = format!(
        "# a comment\n/dev/sdz1 {} ext4 defaults 0 2\n",
        host.w.root().display()
    );
    put(&host.sys("etc/fstab"), table.as_bytes());
    host.look().has("error", "not_mounted", "fstab");
}

#[test]
fn disks_that_are_full_or_read_only() {
    let host = Host::new();
    if !can_mount() {
        return;
    }
    let mounted = |script: &str| Look::of(host.cmd(&["--json"]).mounted(script).run());
    let full = "mount -t tmpfs -o size=64k none \"$STATE\"; dd if=/dev/zero of=\"$STATE/x\" bs=4k count=15 status=none";
    mounted(full).has("error", "no_room", "0 MiB");
    mounted("mount -t tmpfs -o size=900k none \"$STATE\"")
        .has("warning", "little_room", "0 MiB")
        .has("warning", "does_not_last", "tmpfs");
    mounted("mount --bind \"$STATE\" \"$STATE\"; mount -o remount,bind,ro \"$STATE\"").has(
        "error",
        "read_only",
        "read-only",
    );
    mounted("mount -t tmpfs none \"$ROOT\"").has("warning", "no_cells", "mounted");
}

#[test]
fn what_earlier_runs_left() {
    let host = Host::new();
    let state = host.w.state();
    let beat = |ago: f64, exit: i64| {
        let _ = fs::remove_file(state.join("state.json"));
        let _ = fs::remove_file(state.join("journal.jsonl"));
        let text = json!({"timestamp": now() - ago, "exit_code": exit, "job": "lazarus_pit"});
        put(
            &state.join("heartbeats/lazarus_pit.last"),
            text.to_string().as_bytes(),
        );
        host.look()
    };
    put(&state.join("state.json"), b"{\"schema\": ");
    let look = host.look();
    look.has("warning", "state_damaged", "state.json is broken");
    // That file was written with everybody's rights to read it.
    look.has("warning", "file_open", "0644");
    put(&state.join("state.json.corrupt-20261121"), b"");
    host.look()
        .has("advice", "set_aside", "1 broken state file");
    put(
        &state.join("state.json"),
        br#"{"schema":"lazarus-pit/state/9","crc32":0,"journal_offset":0,"state":{}}"#,
    );
    host.look()
        .has("error", "state_unreadable", "newer lazarus-pit");
    beat(30.0, 0).has("ok", "last_run", "with 0");
    beat(3600.0, 0).has("warning", "run_late", "3 intervals of 1m");
    beat(30.0, 78).has("error", "run_failed", "with 78");
    beat(-3600.0, 0).has("warning", "clock_back", "ahead of now");
    put(&state.join("heartbeats/lazarus_pit.last"), b"no heartbeat");
    host.look()
        .has("warning", "heartbeat_unreadable", "no heartbeat")
        .has("advice", "never_run", "no run");
    // Nothing at all yet.
    host.w.forget();
    host.look()
        .only(&[])
        .has("advice", "never_run", "--dry-run");
}

#[test]
fn heartbeats_of_the_future_tell_of_a_wrong_clock() {
    let host = Host::new();
    host.w.beat("a", -7200);
    host.look().has("warning", "beats_ahead", "a/main");
}

#[test]
fn units_that_would_kill_agents_or_keep_runs_from_starting() {
    let host = Host::new();
    for (from, to, level, code, text) in [
        ("KillMode=process", "", "error", "kill_mode", "no KillMode="),
        (
            "KillMode=process",
            "KillMode=mixed",
            "error",
            "kill_mode",
            "KillMode=mixed",
        ),
        (
            "KillMode=process",
            "KillMode=process\nPrivateTmp=yes",
            "warning",
            "sandbox",
            "PrivateTmp=yes",
        ),
        (
            "KillMode=process",
            "KillMode=process\nProtectSystem=strict\nReadWritePaths=/x",
            "error",
            "state_read_only",
            "ReadWritePaths",
        ),
        (
            "StateDirectory=lazarus-pit",
            "ProtectHome=read-only",
            "warning",
            "sandbox",
            "homes",
        ),
        (
            "TimeoutStartSec=75s",
            "",
            "warning",
            "no_timeout",
            "TimeoutStartSec",
        ),
        (
            "/usr/local/bin/lazarus-pit",
            "/opt/lazarus-pit",
            "error",
            "program_missing",
            "/opt/lazarus-pit",
        ),
        (
            "check -q",
            "check -q --config /other.yaml",
            "advice",
            "other_options",
            "--config /other.yaml",
        ),
        (
            "Type=oneshot",
            "Type=oneshot\nUser=daemon",
            "advice",
            "other_user",
            "daemon",
        ),
        (
            "check -q",
            "check -q --no-act",
            "advice",
            "no_act",
            "--no-act",
        ),
    ] {
        host.service(from, to).look().has(level, code, text);
    }
}

#[test]
fn units_whose_drop_ins_or_plans_make_the_difference() {
    let host = Host::new();
    // What observes only kills nobody.
    host.service("KillMode=process", "");
    let drop_in = shipped("systemd/lazarus-pit.service.d/observe-only.conf");
    host.unit("lazarus-pit.service.d/observe-only.conf", &drop_in);
    let look = host.look();
    assert!(
        !look.bad().contains(&"kill_mode") && !look.bad().contains(&"sandbox"),
        "{}",
        look.0
    );
    // A drop-in comes over the unit, and one of the same name in /run counts for nothing.
    fs::remove_dir_all(host.sys("etc/systemd/system/lazarus-pit.service.d")).unwrap();
    host.service("KillMode=process", "KillMode=control-group");
    host.unit(
        "lazarus-pit.service.d/kill.conf",
        "[Service]\nKillMode=process\n",
    );
    put(
        &host.sys("run/systemd/system/lazarus-pit.service.d/kill.conf"),
        b"[Service]\nKillMode=mixed\n",
    );
    assert!(!host.look().bad().contains(&"kill_mode"));
    // A plan whose agents are units of their own does not need it.
    fs::remove_dir_all(host.sys("etc/systemd/system/lazarus-pit.service.d")).unwrap();
    host.plan(&PLAN.replace("'1000']", "'1000'], backend: systemd"));
    assert!(!host.look().bad().contains(&"kill_mode"));
    mode(&host.sys("usr/local/bin/lazarus-pit"), 0o777);
    host.service("Type=", "Type=")
        .look()
        .has("error", "program_not_trusted", "0777");
    mode(&host.sys("usr/local/bin/lazarus-pit"), 0o644);
    host.look()
        .has("error", "program_missing", "may not be executed");
}

#[test]
fn timers_that_do_not_start_what_they_should() {
    let host = Host::new();
    let timer = shipped("systemd/lazarus-pit.timer");
    host.unit("lazarus-pit.timer", &timer.replace("*:0/1", "*:0/5"));
    host.look()
        .has("warning", "interval_differs", "every 300 s");
    host.unit("lazarus-pit.timer", &timer.replace("AccuracySec=1s", ""));
    host.look()
        .only(&[])
        .has("advice", "accuracy", "AccuracySec");
    host.unit("lazarus-pit.timer", &timer);
    fs::remove_dir_all(host.sys("etc/systemd/system/timers.target.wants")).unwrap();
    host.look().has(
        "warning",
        "timer_disabled",
        "systemctl enable --now lazarus-pit.timer",
    );
    fs::remove_file(host.sys("etc/systemd/system/lazarus-pit.timer")).unwrap();
    host.look()
        .has("advice", "no_timer", "lazarus-pit.service")
        .has("ok", "starter_unseen", "there are runs");
    fs::remove_dir_all(host.sys("run/systemd")).unwrap();
    host.look()
        .has("warning", "systemd_not_running", "systemd does not run");
    fs::remove_file(host.sys("etc/systemd/system/lazarus-pit.service")).unwrap();
    host.look()
        .has("ok", "starter_unseen", "not seen from here");
    host.w.forget();
    host.look().has("warning", "no_starter", "contrib/systemd");
}

#[test]
fn timers_whose_service_can_start_nothing() {
    let host = Host::new();
    let service = host.sys("etc/systemd/system/lazarus-pit.service");
    let idle = |text: &str| {
        host.look()
            .only(&["timer_idle"])
            .has("error", "timer_idle", "lazarus-pit.timer")
            .has("error", "timer_idle", text);
    };
    fs::remove_file(&service).unwrap();
    idle("is not there");
    for (to, text) in [
        ("/dev/null", "masked"),
        ("lazarus-pit.service", "cannot be read"),
        ("nowhere.service", "cannot be read"),
    ] {
        symlink(to, &service).unwrap();
        idle(text);
        fs::remove_file(&service).unwrap();
    }
    make_dir(&service, 0o755);
    idle("is no file");
    fs::remove_dir(&service).unwrap();
    host.unit("lazarus-pit.service", "[Service]\nType=oneshot\n");
    idle("no ExecStart=");
    // A drop-in can say it, and one that starts something else is none of ours.
    host.unit(
        "lazarus-pit.service.d/start.conf",
        "[Service]\nExecStart=/bin/true\n",
    );
    host.look()
        .only(&[])
        .has("ok", "starter_unseen", "not seen from here");
}

#[test]
fn crontabs_that_cron_passes_over() {
    let host = Host::new();
    let good = shipped("cron/lazarus-pit");
    host.crontab("lazarus-pit", &good);
    if is_root() {
        host.look()
            .only(&[])
            .has("ok", "crontab", "cron.d/lazarus-pit");
    }
    let call = "/usr/local/bin/lazarus-pit check -q";
    for (from, to, level, code, text) in [
        (
            "* * * * * root",
            "* * * * * nobody-at-all",
            "error",
            "cron_user",
            "nobody-at-all",
        ),
        (
            "* * * * * root",
            "* * * * *",
            "error",
            "cron_user",
            "forgotten",
        ),
        (
            "* * * * * root",
            "*/2 * * * * root",
            "warning",
            "interval_differs",
            "every 120 s",
        ),
        ("PATH=/usr", "NO_PATH=/usr", "advice", "cron_path", "PATH"),
        (
            call,
            "/usr/bin/flock -n /l /usr/local/bin/lazarus-pit check",
            "warning",
            "flock_around",
            "inherits",
        ),
        (
            call,
            "/usr/local/bin/lazarus-pit check > /x-$(date +%F)",
            "error",
            "cron_percent",
            "%",
        ),
        (call, "/opt/lazarus-pit", "error", "program_missing", "/opt"),
    ] {
        assert!(good.contains(from), "{from}");
        host.crontab(
            "lazarus-pit",
            &good
                .replace(&format!("\n{from}"), &format!("\n{to}"))
                .replace(&format!(" {from}\n"), &format!(" {to}\n")),
        );
        host.look().has(level, code, text);
    }
    for command in [
        "/usr/local/bin/lazarus-pit",
        "lazarus-pit",
        "lazarus-pit -q",
    ] {
        host.crontab("lazarus-pit", &format!("* * * * * {command}\n"));
        host.look().has("error", "cron_user", "forgotten").has(
            "error",
            "cron_user",
            "cron.d/lazarus-pit:1",
        );
    }
    host.crontab("lazarus-pit", good.trim_end());
    host.look().has("error", "cron_end", "last line");
    host.crontab("lazarus-pit", &good);
    mode(&host.sys("etc/cron.d/lazarus-pit"), 0o664);
    host.look().has("error", "cron_mode", "0664");
    if is_root() {
        chown(host.sys("etc/cron.d/lazarus-pit"), Some(NOBODY), None).unwrap();
        host.look().has("error", "cron_owner", "root");
    }
    fs::remove_file(host.sys("etc/cron.d/lazarus-pit")).unwrap();
    host.crontab("lazarus.pit", &good);
    host.look().has("error", "cron_name", "dot");
    fs::remove_file(host.sys("usr/sbin/cron")).unwrap();
    host.look().has("warning", "no_cron", "no cron");
}

/// A program that is named without its directory is sought below the host's root, too.
#[test]
fn programs_are_sought_where_the_host_has_them() {
    let host = Host::new();
    let shipped = shipped("cron/lazarus-pit");
    let bare = shipped.replace("/usr/local/bin/lazarus-pit check", "lazarus-pit check");
    assert_ne!(bare, shipped);
    let missing = || host.look().bad().contains(&"program_missing");
    host.crontab("lazarus-pit", &bare);
    assert!(!missing());
    mode(&host.sys("usr/local/bin/lazarus-pit"), 0o777);
    let found = host.sys("usr/local/bin/lazarus-pit");
    host.look()
        .has("error", "program_not_trusted", found.to_str().unwrap());
    host.crontab("lazarus-pit", &bare.replace("PATH=", "NO_PATH="));
    let at = host.sys("usr/bin");
    host.look()
        .has("error", "program_missing", at.to_str().unwrap());
    // This host's own is not taken for it.
    host.crontab("lazarus-pit", &bare);
    fs::remove_file(&found).unwrap();
    assert!(missing());
}

/// What runs another command than `check` starts no run.
#[test]
fn a_crontab_that_makes_no_run_is_none() {
    let host = Host::new();
    let shipped = shipped("cron/lazarus-pit");
    let other = shipped.replace("lazarus-pit check", "lazarus-pit simulate");
    assert_ne!(other, shipped);
    host.crontab("lazarus-pit", &other);
    host.look()
        .only(&[])
        .has("ok", "starter_unseen", "not seen from here");
}

#[test]
fn two_that_start_runs_are_one_too_many() {
    let host = Host::new();
    put(
        &host.sys("etc/cron.d/lazarus-pit"),
        shipped("cron/lazarus-pit").as_bytes(),
    );
    let look = host.look();
    if is_root() {
        look.has("warning", "several_starters", "75");
    } else {
        // Those of root's are another installation's.
        assert!(!look.bad().contains(&"several_starters"));
    }
}

#[test]
fn doctor_tells_of_a_root_that_does_not_answer_and_of_all_the_rest() {
    apart(|world| {
        let hung = Hung::taking(&world.root());
        let left = until_output_ends(world.cmd(&["doctor", "--json"]));
        let found = left.json();
        let has = |code: &str, about: &Path| {
            let all = found["findings"].as_array().unwrap();
            let about = about.to_str().unwrap();
            all.iter().any(|f| f["code"] == code && f["about"] == about)
        };
        assert!(has("not_seen", &world.root()), "{found}");
        assert!(has("does_not_last", &world.state()), "{found}");
        hung.wait_for_a_victim();
        drop(hung);
        left.end().code(1);
    });
}
