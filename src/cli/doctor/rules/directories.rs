//! Findings about the directories.

use crate::cli::doctor::facts::directories::{Place, Rights, Role, Seen, Way};
use crate::cli::doctor::facts::fleet::Fleet;
use crate::cli::doctor::facts::host::Host;
use crate::cli::doctor::facts::settings::Settings;
use crate::cli::doctor::facts::state::StateFacts;
use crate::cli::doctor::finding::Finding;

/// Less room than this is soon none.
const LITTLE_BYTES: u64 = 64 << 20;
const LITTLE_FILES: u64 = 1000;

/// Less than this is none: a state, a journal line and a heartbeat need it.
const NO_BYTES: u64 = 64 << 10;
const NO_FILES: u64 = 8;

/// Directories whose contents are cleared at a reboot, or after some days.
const CLEARED: [&str; 4] = ["/tmp", "/var/tmp", "/run", "/dev/shm"];

/// What a directory is called.
fn word(role: Role) -> &'static str {
    match role {
        Role::Missions => "the missions root",
        Role::State => "the state directory",
        Role::Heartbeats => "the heartbeat directory",
        Role::Logs => "the directory of logs",
        Role::Textfile => "the directory of `prometheus_textfile`",
    }
}

/// About all directories.
pub(super) fn judge(
    places: &[Place],
    fleet: Option<&Fleet>,
    state: Option<&StateFacts>,
    settings: &Settings,
    host: &Host,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for place in places {
        let before = found.len();
        found.extend(unmounted(place));
        // The others mostly lie beneath the state directory.
        let way = place.way.as_ref();
        let way = way.filter(|_| matches!(place.role, Role::Missions | Role::State));
        found.extend(way.map(|way| way_open(way, word(place.role)).at(&place.path)));
        match place.role {
            Role::Missions => found.extend(of_missions(place, fleet, state)),
            Role::State => found.extend(of_state(place, places, settings, host)),
            Role::Heartbeats | Role::Logs | Role::Textfile => found.extend(other(place)),
        }
        found.extend(in_the_way(place));
        if place.role != Role::Missions {
            found.extend(room(place));
        }
        if found.len() == before {
            let kind = place.mount.as_ref().map_or("unknown", |m| m.kind.as_str());
            let text = format!("{} is as it should be (on {kind})", word(place.role));
            found.push(Finding::ok("directory", text).at(&place.path));
        }
    }
    found
}

/// Who can write a directory on the way can put another thing in the place of what is meant.
pub(super) fn way_open(way: &Way, what: &str) -> Finding {
    let dir = way.dir.display();
    let text = format!(
        "{dir}, on the way to {what}, {}: whoever can write there can put another in its place",
        owned(&way.rights)
    );
    let next = format!("`chmod go-w {dir}`, and let it belong to root or to the running user");
    Finding::warning("way_open", text).next(next)
}

/// One that should be a mount and is not: what is there is not what is meant.
fn unmounted(place: &Place) -> Option<Finding> {
    let point = place.unmounted.as_ref()?.display();
    let text = format!(
        "{} lies on {point}, which /etc/fstab names, and nothing is mounted there",
        word(place.role)
    );
    Some(
        Finding::error("not_mounted", text)
            .at(&place.path)
            .next(format!("`mount {point}`, and see why it was not")),
    )
}

/// A directory where a run puts a file: no file takes the place of one.
fn in_the_way(place: &Place) -> Option<Finding> {
    let path = place.in_the_way.as_deref()?;
    let finding = match place.role {
        Role::Textfile => Finding::warning(
            "in_the_way",
            "`prometheus_textfile` names a directory: the metrics of no run are written",
        ),
        _ => Finding::error(
            "in_the_way",
            "it is a directory, where each run puts its heartbeat: every run ends with 74",
        ),
    };
    let next = "move it away, or name another";
    Some(finding.at(path).next(next))
}

fn of_missions(place: &Place, fleet: Option<&Fleet>, state: Option<&StateFacts>) -> Vec<Finding> {
    let mut found = Vec::new();
    let what = word(place.role);
    let at = |finding: Finding| finding.at(&place.path);
    let rights = match &place.seen {
        Seen::Absent(..) => {
            let text = format!("{what} is not there: every run ends with 66");
            let next = "is its disk mounted? Make it with `mkdir -p`, or name another with `missions_root`";
            return vec![at(Finding::error("missing", text)).next(next)];
        }
        Seen::Unseen(why) => return vec![unseen(place, why)],
        Seen::NoDirectory => return vec![no_directory(place)],
        Seen::Directory(rights) => rights,
    };
    if !rights.readable {
        let text = format!("{what} cannot be read ({})", owned(rights));
        found.push(
            at(Finding::error("not_readable", text))
                .next("run as a user who may, or give this one the right to read and enter it"),
        );
    } else if let Some(why) = fleet.and_then(|fleet| fleet.failed.as_ref()) {
        found.push(at(Finding::error("not_readable", why)));
    }
    if rights.mode & 0o1002 == 0o0002 {
        let text = format!(
            "{what} can be written by everyone (mode {:04o}): anybody can put a cell in the place of another",
            rights.mode
        );
        let next = format!(
            "`chmod o-w {}`, or `chmod +t` where all are to make cells",
            place.path.display()
        );
        found.push(at(Finding::warning("writable_by_all", text)).next(next));
    }
    if let Some(mount) = place.mount.as_ref().filter(|mount| mount.is_remote()) {
        let text = format!(
            "{what} lies on {}: while what is behind it does not answer, every run ends with 66 after five seconds",
            mount.kind
        );
        found.push(at(Finding::advice("remote", text)));
    }
    let last = state.and_then(|state| state.state.as_ref().ok()?.last_run.as_ref());
    let mark = fleet.and_then(|fleet| fleet.mark.as_ref());
    if let (Some(last), Some(mark)) = (last, mark) {
        let same = last.root.path == mark.path && last.root.dev != mark.dev;
        if same && (last.root.fsid == 0 || last.root.fsid != mark.fsid) {
            let text = format!("{what} lies on another file system than in the last run");
            found.push(at(Finding::warning("other_file_system", text)).next(
                "if that is meant, the next run says so once and revives nobody; if not, mount the right one",
            ));
        }
    }
    if fleet.is_some_and(|fleet| fleet.failed.is_none() && fleet.cells == 0) {
        let before = last.map_or(0, |last| last.cells);
        found.push(at(no_cells(before)));
    }
    found
}

fn no_cells(before: u64) -> Finding {
    match before {
        0 => Finding::advice("no_cells", "there are no cells")
            .next("`lazarus-pit init ID --owner USER` makes one"),
        n => Finding::warning(
            "no_cells",
            format!("there are no cells, and the last run saw {n}"),
        )
        .next("is its disk mounted?"),
    }
}

fn of_state(place: &Place, places: &[Place], settings: &Settings, host: &Host) -> Vec<Finding> {
    let mut found = Vec::new();
    let what = word(place.role);
    let at = |finding: Finding| finding.at(&place.path);
    match &place.seen {
        Seen::Directory(rights) => found.extend(of_present_state(place, rights, settings, host)),
        _ => found.extend(other(place)),
    }
    if let Some(mount) = &place.mount {
        let is_cleared = CLEARED.iter().any(|dir| place.real.starts_with(dir));
        if mount.is_in_memory() || is_cleared {
            let text = format!(
                "{what} lies where it does not last ({}, on {}): budgets, pauses, questions and what runs of agents are forgotten when that is cleared",
                place.real.display(),
                mount.kind
            );
            let next = "name a lasting one with `state_dir` (root's own is /var/lib/lazarus-pit)";
            found.push(at(Finding::warning("does_not_last", text)).next(next));
        }
        if mount.kind == "overlay" && mount.point.as_os_str() == "/" {
            let text = format!(
                "{what} lies in the upper layer of an overlay, as a container's own is: it is gone with it"
            );
            let next = "mount a volume there, or name one with `state_dir`";
            found.push(at(Finding::advice("does_not_last", text)).next(next));
        }
        if mount.is_remote() {
            let text = format!(
                "{what} lies on {}, where locks may be no locks: two runs at once could start an agent twice",
                mount.kind
            );
            found.push(
                at(Finding::warning("lock_in_doubt", text))
                    .next("name a directory on a disk of this host with `state_dir`"),
            );
        }
    }
    let root = places.iter().find(|other| other.role == Role::Missions);
    if root.is_some_and(|root| {
        place.real.starts_with(&root.real) || place.path.starts_with(&root.path)
    }) {
        let text = format!(
            "{what} lies within the missions root, where it is taken for a cell or lies in one that its agents can write"
        );
        found.push(at(Finding::error("state_in_root", text)).next("name another with `state_dir`"));
    }
    found
}

/// A state directory that is there.
fn of_present_state(
    place: &Place,
    rights: &Rights,
    settings: &Settings,
    host: &Host,
) -> Vec<Finding> {
    let path = place.path.display();
    let at = |finding: Finding| finding.at(&place.path);
    let open = rights.mode & 0o022 != 0;
    if host.is_root && !settings.trust.holds(rights.uid, rights.mode) {
        let text = format!(
            "the state directory {}: whoever can write there decides what root does, and every run ends with 74",
            owned(rights)
        );
        let next = format!(
            "`chown root {path} && chmod 700 {path}`, or accept its owner with --trust-owner"
        );
        return vec![at(Finding::error("state_not_trusted", text)).next(next)];
    }
    let mut found = Vec::new();
    if !rights.writable || !rights.readable {
        found.push(not_writable(place, Some(rights)));
    }
    if rights.mode & 0o077 != 0 {
        let text = format!(
            "the state directory can be {} by others (mode {:04o})",
            if open { "written" } else { "entered" },
            rights.mode
        );
        found.push(at(Finding::warning("state_open", text)).next(format!("`chmod 700 {path}`")));
    }
    found.extend(read_only(place));
    found
}

/// A directory that runs write in, and make where it is missing.
fn other(place: &Place) -> Vec<Finding> {
    let what = word(place.role);
    match &place.seen {
        Seen::Absent(above, true) if place.role != Role::Textfile => {
            let text = format!(
                "{what} is not there yet: the first run that needs it makes it in {}",
                above.display()
            );
            let mut found = vec![Finding::ok("will_be_made", text).at(&place.path)];
            found.extend(read_only(place));
            found
        }
        Seen::Absent(above, _) if place.role == Role::Textfile => {
            let text = format!("{what} is not there, and no run makes it");
            let next = format!("make it beneath {}", above.display());
            vec![Finding::error("missing", text).at(&place.path).next(next)]
        }
        Seen::Absent(..) => vec![not_writable(place, None)],
        Seen::Unseen(why) => vec![unseen(place, why)],
        Seen::NoDirectory => vec![no_directory(place)],
        Seen::Directory(rights) if !rights.writable => vec![not_writable(place, Some(rights))],
        Seen::Directory(_) => read_only(place).into_iter().collect(),
    }
}

fn room(place: &Place) -> Option<Finding> {
    let room = place.room?;
    let files = room.files.unwrap_or(u64::MAX);
    let text = format!(
        "{} has room for {} MiB{}",
        word(place.role),
        room.bytes >> 20,
        room.files
            .map_or_else(String::new, |files| format!(" and {files} files"))
    );
    let next = "a full disk ends each run with 74, before anybody is revived: make room";
    if room.bytes < NO_BYTES || files < NO_FILES {
        return Some(Finding::error("no_room", text).at(&place.path).next(next));
    }
    let little = room.bytes < LITTLE_BYTES || files < LITTLE_FILES;
    little.then(|| {
        Finding::warning("little_room", text)
            .at(&place.path)
            .next(next)
    })
}

fn read_only(place: &Place) -> Option<Finding> {
    let mount = place.mount.as_ref().filter(|mount| mount.is_read_only())?;
    let text = format!(
        "{} lies on {} ({}), which is mounted read-only",
        word(place.role),
        mount.point.display(),
        mount.kind
    );
    Some(
        Finding::error("read_only", text)
            .at(&place.path)
            .next("after an error of the disk the kernel does that: see `dmesg`; else remount it or name another"),
    )
}

fn not_writable(place: &Place, rights: Option<&Rights>) -> Finding {
    let what = word(place.role);
    let text = match (rights, &place.seen) {
        (Some(rights), _) => format!("{what} cannot be written ({})", owned(rights)),
        (None, Seen::Absent(above, _)) => {
            format!(
                "{what} is not there, and cannot be made in {}",
                above.display()
            )
        }
        (None, _) => format!("{what} cannot be written"),
    };
    let next = match place.role {
        Role::State => {
            "run as its owner, or name another with `state_dir`, --state-dir or $LAZARUS_PIT_STATE_DIR"
        }
        Role::Heartbeats => {
            "give the running user the right to write there, or name another with `heartbeat_dir`"
        }
        Role::Logs => {
            "give the running user the right to write there, or name another with `logs.dir`"
        }
        _ => "give the running user the right to write there",
    };
    Finding::error("not_writable", text)
        .at(&place.path)
        .next(next)
}

fn unseen(place: &Place, why: &str) -> Finding {
    let text = format!("{} cannot be looked at: {why}", word(place.role));
    let next = "see which directory on the way to it may not be entered: `namei -l PATH`";
    Finding::error("not_seen", text).at(&place.path).next(next)
}

fn no_directory(place: &Place) -> Finding {
    let text = format!("{} is no directory", word(place.role));
    let next = "name another, or move what is there out of the way";
    Finding::error("no_directory", text)
        .at(&place.path)
        .next(next)
}

/// Whose it is, in a few words.
fn owned(rights: &Rights) -> String {
    format!("belongs to {}, mode {:04o}", rights.owner, rights.mode)
}
