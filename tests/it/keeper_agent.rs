//! What an agent finds of itself when its keeper has started it, and what its keeper holds.

use std::fs;
use std::path::PathBuf;

use lazarus_pit::act::spawn::spec::{LimitsSpec, Spec};
use lazarus_pit::sys::host;

use crate::keeper::{Keeper, as_nobody, bytes, spec};
use crate::later::eventually;
use crate::world::{NOBODY, World, needs_root};

/// What the agent finds of itself: its session, its signals, its descriptors, its environment.
const LOOK: &str =
    "cut -d' ' -f1,5,6 /proc/$$/stat; umask; pwd; tr '\\0' ';' </proc/$$/environ; echo
    grep -E '^(NoNewPrivs|Uid|Gid|Groups|Sig(Ign|Blk)|CapEff)' /proc/$$/status | tr '\\t' ' '
    ls -l /proc/$$/fd; grep -r flags /proc/$$/fdinfo";

fn surroundings(w: &World, keeper: &mut Keeper, spec: &Spec, uid: u32, groups: &str) {
    let pid = keeper.started();
    assert_eq!(keeper.end().exit_code, Some(0));
    let log = keeper.log();
    let mut lines = log.lines();
    let mut is = |want: &str| assert_eq!(lines.next(), Some(want), "{log}");
    is(&format!("{pid} {pid} {pid}"));
    is("0022");
    is(&spec.entry.cwd);
    is("PATH=/usr/bin:/bin;LAZARUS_REF=r1;");
    let ids = format!("{uid} {uid} {uid} {uid}");
    is(&format!("Uid: {ids}"));
    is(&format!("Gid: {ids}"));
    let of_groups = lines.next().unwrap().trim_end();
    assert!(
        groups.is_empty() || of_groups == format!("Groups: {groups}"),
        "{log}"
    );
    let mut is = |want: &str| assert_eq!(lines.next(), Some(want), "{log}");
    is("SigBlk: 0000000000000000");
    is("SigIgn: 0000000000000000");
    is("CapEff: 0000000000000000");
    is("NoNewPrivs: 1");
    let rest: Vec<&str> = lines.skip(1).collect();
    let shown = |line: &str| {
        line.split_once(" -> ").map(|(fd, to)| {
            let fd = fd.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap();
            (fd, to.to_owned())
        })
    };
    let mut fds: Vec<(u32, String)> = rest.iter().filter_map(|line| shown(line)).collect();
    fds.sort();
    assert_eq!((fds.len(), fds[2].0), (4, 2), "{log}");
    assert_eq!(fds[0].1, "/dev/null");
    assert!(
        fds[1].1.starts_with("pipe:") && fds[2].1.starts_with("pipe:"),
        "{log}"
    );
    let alive = w.state().join("procs/a.alive").display().to_string();
    assert_eq!(fds[3].1, alive);
    let flags = format!("/fdinfo/{}:flags:", fds[3].0);
    let flags = rest.iter().find(|line| line.contains(&flags)).unwrap();
    assert!(flags.ends_with('0'), "not for reading only: {log}");
}

#[test]
fn an_agent_of_root_has_nothing_of_root() {
    if !needs_root() {
        return;
    }
    let w = World::new();
    let mut spec = spec(&w, "r1", LOOK);
    as_nobody(&w, &mut spec);
    // What a careless cron leaves behind: signals that are ignored, and files that are open.
    let script = "trap '' TERM HUP CHLD INT USR1; exec 7>\"$1/left\" 8</; shift; exec \"$@\"";
    let state = w.base().join("home");
    let args = ["__keeper", "r1", "a"];
    let command = w
        .bare(&args)
        .through(&["sh", "-c", script, "sh", state.to_str().unwrap()]);
    let mut keeper = Keeper::by(command.command().0, &spec, &bytes(&spec));
    surroundings(&w, &mut keeper, &spec, NOBODY, "65533 65534");
}

#[test]
fn an_agent_of_an_ordinary_user_is_as_clean() {
    let w = World::new();
    let spec = spec(&w, "r1", LOOK);
    let args = ["__keeper", "r1", "a"];
    let (command, uid) = match nix::unistd::geteuid().is_root() {
        true => (w.bare(&args).user(NOBODY).command().0, NOBODY),
        false => (w.bare(&args).command().0, host::uid()),
    };
    let mut keeper = Keeper::by(command, &spec, &bytes(&spec));
    surroundings(&w, &mut keeper, &spec, uid, "");
}

#[test]
fn an_agent_may_use_no_more_than_its_limits() {
    let w = World::new();
    let mut spec = spec(
        &w,
        "r1",
        "grep -E '^Max (processes|open files|address)' /proc/self/limits",
    );
    spec.limits = LimitsSpec {
        max_runtime_ms: None,
        memory: Some(1 << 30),
        open_files: Some(64),
        processes: Some(20_000),
    };
    let mut keeper = Keeper::start(&w, &spec);
    keeper.started();
    keeper.end();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut found: Vec<Vec<String>> = keeper.log().lines().map(words).collect();
    found
        .iter_mut()
        .for_each(|line| line.retain(|word| word.parse::<u64>().is_ok()));
    assert_eq!(found, [["20000"; 2], ["64"; 2], ["1073741824"; 2]]);
}

#[test]
fn nothing_of_the_checkers_is_held() {
    let w = World::new();
    let spec = spec(&w, "r1", "while :; do sleep 1; done");
    let lock = w.base().join("home/lock");
    let script = "exec 7>\"$0\" 9</; exec \"$@\"";
    let args = ["__keeper", "r1", "a"];
    let command = w
        .bare(&args)
        .through(&["sh", "-c", script, lock.to_str().unwrap()]);
    let mut keeper = Keeper::by(command.command().0, &spec, &bytes(&spec));
    keeper.started();
    let fds = || {
        let dir = fs::read_dir(format!("/proc/{}/fd", keeper.pid())).unwrap();
        let link = |entry: fs::DirEntry| fs::read_link(entry.path()).ok();
        let all: Vec<PathBuf> = dir.filter_map(|entry| link(entry.ok()?)).collect();
        all
    };
    let null = |fds: &Vec<PathBuf>| fds.iter().filter(|fd| fd.ends_with("dev/null")).count();
    let fds = eventually(|| Some(fds()).filter(|fds| null(fds) == 3));
    assert!(
        !fds.contains(&lock) && !fds.contains(&"/".into()),
        "{fds:?}"
    );
    let cwd = fs::read_link(format!("/proc/{}/cwd", keeper.pid())).unwrap();
    assert_eq!(cwd.to_str(), Some("/"));
    let name = fs::read_to_string(format!("/proc/{}/comm", keeper.pid())).unwrap();
    assert_eq!(name, "lazarus-pit\n");
}
