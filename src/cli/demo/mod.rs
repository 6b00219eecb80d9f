//! `demo`: three agents that live, in a throw-away missions root. One is killed, one hangs, one
//! wants a human's word, and the runs that bring them back are those of this very program.
//!
//! Nothing is acted: the agents are processes with keepers, the commands are run as an operator
//! would, and what is shown is what they print. That each promise was kept is looked up in the
//! process table and among the host's processes, not in that output.

mod show;
mod stage;

use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use serde::Serialize;

use super::args::{Common, DemoArgs};
use super::list::wants_json;
use super::{Ending, out};
use crate::model::exit::{Exit, Failure};
use crate::model::process::Entry;
use crate::model::time::millis;
use crate::sys::daemon::Signals;
use crate::sys::process::{self, Handle};
use show::{Show, Step, Stop};
use stage::{RunAs, STALE_AFTER, Stage};

/// How long each thing that is waited for may take: far longer than it does, since hosts are busy.
const PATIENCE: Duration = Duration::from_secs(20);

const CLAUDE: &str = "portal-1/claude";
const ALLEGRO: &str = "portal-2/allegro";
const EZRA: &str = "vault/ezra";

/// What one would do next, with agents of one's own.
const NEXT: &str = "
What to try next, with agents of your own:
  lazarus-pit init portal-1 --agent main     make a cell under /var/missions, or --root DIR
  lazarus-pit beat portal-1                  what your agent does once a minute, in any language
  lazarus-pit plan lint plans/               check a plan; plans/README.md has some worth copying
  lazarus-pit check --dry-run                what a run would do, without a byte written
  * * * * * lazarus-pit -q                   a crontab's line; docs/operations.md has the rest
";

/// What was done, and what came of it.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    ok: bool,
    /// What was promised and did not happen.
    broken: Option<&'a str>,
    revived: &'a [Revived],
    steps: &'a [Step],
    duration_ms: u64,
    /// The directory, where it was kept.
    dir: Option<String>,
}

/// An agent that was brought back.
#[derive(Debug, Serialize)]
struct Revived {
    subject: &'static str,
    /// What had become of it.
    after: &'static str,
    old_pid: i32,
    new_pid: i32,
    /// From what had become of it until its successor ran, in milliseconds.
    down_ms: u64,
}

/// Shows it.
///
/// # Errors
/// The directory cannot be made or removed (74); it was interrupted (1).
pub(super) fn demo(common: &Common, args: &DemoArgs) -> Result<Ending, Failure> {
    let json = wants_json(common, "demo")?;
    has_its_own(common)?;
    let began = Instant::now();
    // Before anything is made that would have to be removed.
    let signals = Signals::take().map_err(|why| Failure::new(Exit::CannotWrite, why))?;
    let mut stage = Stage::set(args.keep)?;
    let aloud = !json && !common.quiet;
    let color = aloud && out::wants_color(common.color);
    let mut show = Show::new(&stage, signals, aloud, color)?;
    let mut revived = Vec::new();
    let played = play(&mut show, &stage, &mut revived);
    let struck = stage.strike();
    let dir = stage.dir().display().to_string();
    let broken = match played {
        Ok(()) => None,
        Err(Stop::Broken(what)) => Some(what),
        // Whoever read it has seen enough.
        Err(Stop::Unread) => return struck.map(|()| Exit::Healthy.into()).map_err(not_struck),
        Err(Stop::Failed(failure)) => return Err(failure),
        Err(Stop::Told(signal)) => {
            struck.map_err(not_struck)?;
            let what = match args.keep {
                true => format!("its agents are ended; {dir} is left"),
                false => format!("its agents are ended and {dir} is removed"),
            };
            let message = format!("the demo was interrupted by {signal}: {what}");
            return Err(Failure::new(Exit::InHand, message));
        }
    };
    struck.map_err(not_struck)?;
    if json {
        out::json(&Document {
            schema: "lazarus-pit/demo/1",
            ok: broken.is_none(),
            broken: broken.as_deref(),
            revived: &revived,
            steps: &show.steps,
            duration_ms: millis(began.elapsed()),
            dir: args.keep.then_some(dir.clone()),
        })?;
    }
    if let Some(what) = broken {
        out::complain(&format!("the demo has not shown what it promises: {what}"));
        return Ok(Exit::InHand.into());
    }
    if aloud {
        out::print(ending(&revived, &dir, args.keep, began.elapsed()).as_bytes())?;
    }
    Ok(Exit::Healthy.into())
}

/// Refuses options that would have it play elsewhere: whoever gives them expects that.
fn has_its_own(common: &Common) -> Result<(), Failure> {
    let given = [
        ("config", common.config.is_some()),
        ("root", common.root.is_some()),
        ("state-dir", common.state_dir.is_some()),
        ("plans", !common.plans.is_empty()),
        ("heartbeat-dir", common.heartbeat_dir.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((name, _)) => Err(Failure::new(
            Exit::Usage,
            format!(
                "--{name}: `demo` has a throw-away directory of its own, with all of that in it"
            ),
        )),
    }
}

fn not_struck(why: String) -> Failure {
    Failure::new(Exit::CannotWrite, why)
}

/// The whole of it.
fn play(show: &mut Show, stage: &Stage, revived: &mut Vec<Revived>) -> Result<(), Stop> {
    open(show, stage)?;
    let killed = kill(show, stage)?;
    let mut others = hang_and_ask(show, stage)?;
    revived.push(killed);
    revived.append(&mut others);
    close(show, stage, revived)
}

/// Three cells with an agent in each, and all is well.
fn open(show: &mut Show, stage: &Stage) -> Result<(), Stop> {
    let dir = stage.dir().display();
    show.print(&format!(
        "Three agents work in {dir}, which is gone when this is over.\n"
    ))?;
    show.say("A mission cell for each of them:")?;
    show.act(&format!("export LAZARUS_PIT_CONFIG={dir}/config.yaml"))?;
    let owner = match stage.run_as() {
        RunAs::User(uid) => Some(uid.to_string()),
        RunAs::Ourselves | RunAs::Root => None,
    };
    for subject in [CLAUDE, ALLEGRO, EZRA] {
        let (cell, agent) = subject.split_once('/').unwrap_or((subject, subject));
        let mut args = vec![
            "-q",
            "init",
            cell,
            "--layout",
            "canonical",
            "--agent",
            agent,
        ];
        args.extend(owner.iter().flat_map(|owner| ["--owner", owner]));
        show.run(&args, Exit::Healthy)?;
    }
    show.say("The operator's plans: two are revived at once, for the third a human is asked.")?;
    show.act("cat plans/agents.yaml")?;
    let plans = std::fs::read_to_string(stage.path("plans/agents.yaml"));
    show.print(&plans.unwrap_or_default())?;
    show.run(&["plan", "lint"], Exit::Healthy)?;
    show.say("Start them. Each gets a keeper, a small process that stays beside it.")?;
    for subject in [CLAUDE, ALLEGRO, EZRA] {
        show.run(&["start", subject], Exit::Healthy)?;
    }
    // A beat from before the end of a start says nothing about what was started.
    let since = SystemTime::now();
    beats(show, stage, &[CLAUDE, ALLEGRO, EZRA], since)?;
    show.say("A run, as cron starts one every minute: all is well.")?;
    show.run(&["check"], Exit::Healthy)
}

/// One is killed: its keeper starts a run, and it is back.
fn kill(show: &mut Show, stage: &Stage) -> Result<Revived, Stop> {
    let old = living(show, stage, CLAUDE)?;
    show.say("claude is killed. Its keeper sees that, and starts a run at once.")?;
    let since = Instant::now();
    signal(show, &old, Signal::KILL, "KILL")?;
    let revived = back(show, stage, &old, CLAUDE, "killed", since)?;
    show.print(&format!(
        "(pid {} runs {} ms after pid {} was killed)\n",
        revived.new_pid, revived.down_ms, revived.old_pid
    ))?;
    show.until("the end of the run that a keeper starts", PATIENCE, || {
        (!stage.has_keeper(&old)).then_some(())
    })?;
    show.say("The process table has both. Its log has what they said, and the run in between.")?;
    show.run(&["ps", CLAUDE], Exit::Healthy)?;
    show.run(&["logs", CLAUDE, "-n", "6"], Exit::Healthy)?;
    Ok(revived)
}

/// One hangs and one is killed whom nobody revives without a human's word.
fn hang_and_ask(show: &mut Show, stage: &Stage) -> Result<Vec<Revived>, Stop> {
    let (allegro, ezra) = (living(show, stage, ALLEGRO)?, living(show, stage, EZRA)?);
    show.say("allegro hangs: it lives, and beats no more. ezra is killed.")?;
    let since = Instant::now();
    signal(show, &allegro, Signal::STOP, "STOP")?;
    signal(show, &ezra, Signal::KILL, "KILL")?;
    show.until("the end of the run that a keeper starts", PATIENCE, || {
        (!stage.has_keeper(&ezra)).then_some(())
    })?;
    show.until("that allegro is stopped", PATIENCE, || {
        allegro.pid.filter(|pid| process::is_stopped(*pid))
    })?;
    show.run(&["ps"], Exit::Healthy)?;
    // An age is truncated to whole seconds, and must be more than the limit.
    let stale = Duration::from_secs(STALE_AFTER + 1);
    show.until("a beat that grows old", PATIENCE, || {
        let age = stage.beat(ALLEGRO)?.elapsed().ok()?;
        (age > stale).then_some(())
    })?;
    show.say(&format!(
        "{} s later its beat is too old. The next run ends the one that hangs and starts another; \
         for ezra a human is asked:",
        STALE_AFTER + 1
    ))?;
    show.run(&["check"], Exit::InHand)?;
    let acted = SystemTime::now();
    let hung = back(show, stage, &allegro, ALLEGRO, "hung", since)?;
    if let Some(other) = stage.living(EZRA) {
        let pid = other.pid.unwrap_or_default();
        let what = format!("{EZRA} runs (pid {pid}), and nobody has agreed to that");
        return Err(Stop::Broken(what));
    }
    show.say("You agree, and the next run acts on it:")?;
    show.run(&["approve", EZRA], Exit::Healthy)?;
    beats(show, stage, &[CLAUDE, ALLEGRO], acted)?;
    show.run(&["check"], Exit::InHand)?;
    let asked = back(show, stage, &ezra, EZRA, "killed, and a human asked", since)?;
    Ok(vec![hung, asked])
}

/// All is well again.
fn close(show: &mut Show, stage: &Stage, revived: &[Revived]) -> Result<(), Stop> {
    let since = SystemTime::now();
    beats(show, stage, &[CLAUDE, ALLEGRO, EZRA], since)?;
    show.say("All beat again:")?;
    show.run(&["check"], Exit::Healthy)?;
    show.say("What happened is remembered:")?;
    show.run(&["history"], Exit::Healthy)?;
    for one in revived {
        let pid = stage.living(one.subject).and_then(|entry| entry.pid);
        if pid != Some(one.new_pid) {
            let (subject, pid) = (one.subject, one.new_pid);
            let what = format!("{subject} was brought back as pid {pid}, which is gone");
            return Err(Stop::Broken(what));
        }
    }
    Ok(())
}

/// The living process of a subject.
fn living(show: &Show, stage: &Stage, subject: &str) -> Result<Entry, Stop> {
    let what = format!("a living process of {subject}");
    show.until(&what, PATIENCE, || stage.living(subject))
}

/// Waits until all these have beaten since then.
fn beats(show: &Show, stage: &Stage, all: &[&str], since: SystemTime) -> Result<(), Stop> {
    for subject in all {
        let what = format!("a beat of {subject}");
        show.until(&what, PATIENCE, || {
            stage.beat(subject).filter(|at| *at > since)
        })?;
    }
    Ok(())
}

/// Does to an agent what may happen to it.
fn signal(show: &mut Show, entry: &Entry, signal: Signal, name: &str) -> Result<(), Stop> {
    let known = entry.pid.zip(entry.start_time);
    let held = known.and_then(|(pid, started)| Handle::of(pid, started));
    let (Some((pid, _)), Some(handle)) = (known, held) else {
        let what = format!("{} has ended before it was its turn", entry.subject);
        return Err(Stop::Broken(what));
    };
    show.act(&format!("kill -{name} {pid}"))?;
    handle.send(signal);
    Ok(())
}

/// Waits until a subject has another process, and its old one is gone.
fn back(
    show: &Show,
    stage: &Stage,
    old: &Entry,
    subject: &'static str,
    after: &'static str,
    since: Instant,
) -> Result<Revived, Stop> {
    let what = format!("that {subject} is brought back");
    let new = show.until(&what, PATIENCE, || {
        stage.living(subject).filter(|new| new.r#ref > old.r#ref)
    })?;
    let down_ms = millis(since.elapsed());
    let (old_pid, new_pid) = (old.pid.unwrap_or_default(), new.pid.unwrap_or_default());
    let gone = old.pid.zip(old.start_time);
    let gone = gone.is_some_and(|(pid, started)| Handle::of(pid, started).is_none());
    if !gone {
        let what = format!("two processes of {subject} live: {old_pid} and {new_pid}");
        return Err(Stop::Broken(what));
    }
    Ok(Revived {
        subject,
        after,
        old_pid,
        new_pid,
        down_ms,
    })
}

/// What it came to, and what to try next.
fn ending(revived: &[Revived], dir: &str, keep: bool, took: Duration) -> String {
    let mut text = "\nWhat was shown:\n".to_owned();
    for one in revived {
        text.push_str(&format!(
            "  {:<16}  {}: pid {} is gone, pid {} came {} ms later\n",
            one.subject, one.after, one.old_pid, one.new_pid, one.down_ms
        ));
    }
    let left = match keep {
        true => format!("{dir} is left"),
        false => format!("{dir} is removed"),
    };
    text.push_str(&format!(
        "That took {:.1} s. The agents are ended, and {left}.\n",
        took.as_secs_f64()
    ));
    if keep {
        text.push_str(&format!(
            "Go on with it: export LAZARUS_PIT_CONFIG={dir}/config.yaml\n"
        ));
    }
    text + NEXT
}
