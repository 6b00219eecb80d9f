//! A tracer of our own: it follows a program through all its threads, counts their system calls
//! together, and does something in the place of one of them. strace counts by thread, so that most
//! calls of one thread cannot be told from another's.
//!
//! Either the checker is counted, and what it starts is let go at once; or the keeper is that it
//! starts, from its first call as a program to its last.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::cmd::{Cmd, collect};
use crate::output::Run;

/// Whose calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Checkers,
    Keepers,
}

/// Which call it is, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    /// From the start of the program. A run that looks for processes makes more calls the more of
    /// them there are, so that this number says less and less the later it is.
    Start(usize),
    /// From the moment when the checker has forked what becomes its keeper.
    Fork(usize),
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start(n) => write!(f, "call {n}"),
            Self::Fork(n) => write!(f, "call {n} after the fork"),
        }
    }
}

/// What is done in the place of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// Nothing: they are counted.
    Count,
    /// The signal is sent, before that call is carried out.
    Send(Signal),
    /// It is stopped for so long, and goes on.
    Pause(Duration),
}

/// What came of it.
pub(crate) struct Traced {
    pub(crate) run: Run,
    /// How many calls were counted.
    pub(crate) calls: usize,
    /// After how many of the checker's calls it forked what becomes its keeper.
    pub(crate) forked: Option<usize>,
    /// Which call it was, by its number in this kernel, if it came so far.
    pub(crate) reached: Option<String>,
    /// When it was stopped.
    pub(crate) stopped: Option<SystemTime>,
    /// When what was stopped was told to go on.
    pub(crate) resumed: Option<SystemTime>,
}

/// How long a keeper that sleeps is watched once its checker is gone. One that waits for a processor
/// or a disk does not sleep.
const IDLE: Duration = Duration::from_millis(60);

/// Nothing that is traced takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// True where programs may be traced. Where not, the test is skipped, but never in CI.
pub(crate) fn allowed() -> bool {
    let thread = std::thread::spawn(|| {
        let mut child = std::process::Command::new("sleep")
            .arg("9")
            .spawn()
            .unwrap();
        let seized = ptrace::seize(pid_of(&child), Options::empty());
        child.kill().unwrap();
        child.wait().unwrap();
        seized
    });
    let seized = thread.join().unwrap();
    if let Err(e) = seized {
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "nothing can be traced here, and CI must: {e}");
        eprintln!("skipped: nothing can be traced here: {e}");
    }
    seized.is_ok()
}

/// Runs a command, and does something in the place of one of its calls.
pub(crate) fn trace(cmd: Cmd<'_>, whose: Whose, at: At, what: What) -> Traced {
    let stop = ["sh", "-c", "kill -STOP $$; exec \"$0\" \"$@\""];
    let (mut command, words) = cmd.through(&stop).command();
    // All requests must come from one thread, which waits for nobody's children but its own. What it
    // still follows when it ends is let go by that.
    let thread = std::thread::spawn(move || {
        #[expect(clippy::zombie_processes, reason = "the tracer waits for it")]
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().map(collect).unwrap();
        let err = child.stderr.take().map(collect).unwrap();
        let mut tracer = Tracer::of(&child, whose, at, what);
        let status = tracer.until_the_end();
        (tracer, status, out, err)
    });
    let (tracer, status, out, err) = thread.join().unwrap();
    let text = |from: std::sync::mpsc::Receiver<Vec<u8>>| from.recv_timeout(LIMIT).unwrap();
    Traced {
        run: Run::new(words, status, text(out), text(err)),
        calls: tracer.calls,
        forked: tracer.forked,
        reached: tracer.reached,
        stopped: tracer.stopped,
        resumed: tracer.resumed,
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

struct Tracer {
    checker: Pid,
    whose: Whose,
    at: At,
    what: What,
    /// The checker is the program, and no shell any more.
    is_program: bool,
    /// What was forked, and may become the keeper.
    candidate: Option<Pid>,
    keeper: Option<Pid>,
    /// All that is followed, with the process that each is of.
    threads: BTreeMap<Pid, Pid>,
    calls: usize,
    forked: Option<usize>,
    reached: Option<String>,
    /// It is done: whoever stops is let go.
    lets_go: bool,
    /// When it goes on.
    resumes: Option<Instant>,
    stopped: Option<SystemTime>,
    resumed: Option<SystemTime>,
    status: Option<ExitStatus>,
}

impl Tracer {
    /// Follows a child of this thread, which stops itself.
    fn of(child: &Child, whose: Whose, at: At, what: What) -> Self {
        let checker = pid_of(child);
        let stopped = waitpid(checker, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert_eq!(stopped, WaitStatus::Stopped(checker, Signal::SIGSTOP));
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC;
        ptrace::seize(checker, options).unwrap();
        kill(checker, Signal::SIGCONT).unwrap();
        Self {
            checker,
            whose,
            at,
            what,
            is_program: false,
            candidate: None,
            keeper: None,
            threads: BTreeMap::from([(checker, checker)]),
            calls: 0,
            forked: None,
            reached: None,
            lets_go: false,
            resumes: None,
            stopped: None,
            resumed: None,
            status: None,
        }
    }

    fn until_the_end(&mut self) -> ExitStatus {
        let limit = Instant::now() + LIMIT;
        let mut idle = None;
        loop {
            let polls = self.status.is_some() || self.resumes.is_some();
            let mut flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            flags.set(WaitPidFlag::WNOHANG, polls);
            match waitpid(None, Some(flags)) {
                Ok(WaitStatus::StillAlive) => {
                    let now = Instant::now();
                    if !self.keeper.is_some_and(sleeps) {
                        idle = None;
                    }
                    if let Some(status) = self.status
                        && (self.keeper.is_none() || now > *idle.get_or_insert(now + IDLE))
                    {
                        return status;
                    }
                    self.go_on();
                    std::thread::sleep(Duration::from_micros(500));
                }
                Ok(status) => {
                    idle = None;
                    self.take(status);
                }
                Err(Errno::ECHILD) => return self.status.expect("it was waited for"),
                Err(Errno::EINTR) => {}
                Err(e) => panic!("waiting: {e}"),
            }
            assert!(Instant::now() < limit, "what is traced hangs");
        }
    }

    /// Has what was stopped go on, when it is time.
    fn go_on(&mut self) {
        if self.resumes.is_some_and(|at| Instant::now() >= at) {
            self.resumes = None;
            self.resumed = Some(SystemTime::now());
            let _ = kill(self.checker, Signal::SIGCONT);
        }
    }

    fn take(&mut self, status: WaitStatus) {
        match status {
            WaitStatus::Exited(pid, code) => self.gone(pid, code << 8),
            WaitStatus::Signaled(pid, signal, _) => self.gone(pid, signal as i32),
            WaitStatus::PtraceSyscall(pid) => self.call(pid),
            WaitStatus::PtraceEvent(pid, _, event) => self.event(pid, event),
            WaitStatus::Stopped(pid, signal) => self.resume(pid, Some(signal)),
            _ => {}
        }
    }

    fn gone(&mut self, pid: Pid, status: i32) {
        self.threads.remove(&pid);
        if self.keeper == Some(pid) {
            self.keeper = None;
        }
        if self.checker == pid {
            self.status = Some(ExitStatus::from_raw(status));
        }
    }

    /// Whose calls are being counted, once there is one.
    fn counted(&self) -> Option<Pid> {
        match self.whose {
            Whose::Checkers => Some(self.checker).filter(|_| self.is_program),
            Whose::Keepers => self.keeper,
        }
    }

    fn call(&mut self, pid: Pid) {
        let counted = self.counted();
        let is_entry =
            ptrace::syscall_info(pid).is_ok_and(|info| info.op == libc::PTRACE_SYSCALL_INFO_ENTRY);
        if let Some(process) = counted
            && is_entry
            && !self.lets_go
            && self.threads.get(&pid) == Some(&process)
        {
            self.calls += 1;
            let is_it = match self.at {
                At::Start(n) => self.calls == n,
                At::Fork(n) => self.forked.is_some_and(|forked| self.calls - forked == n),
            };
            if is_it {
                self.act(pid, process);
            }
        }
        self.resume(pid, None);
    }

    fn act(&mut self, thread: Pid, process: Pid) {
        let call = fs::read_to_string(format!("/proc/{process}/task/{thread}/syscall"));
        let name = fs::read_to_string(format!("/proc/{process}/task/{thread}/comm"));
        let call = call.unwrap_or_default();
        let call = call.split(' ').next().unwrap_or_default();
        self.reached = Some(format!("{call} of {}", name.unwrap_or_default().trim()));
        match self.what {
            What::Count => {}
            What::Send(signal) => {
                kill(process, signal).unwrap();
                self.lets_go = signal != Signal::SIGKILL;
            }
            What::Pause(time) => {
                self.stopped = Some(SystemTime::now());
                kill(process, Signal::SIGSTOP).unwrap();
                self.lets_go = true;
                self.resumes = Some(Instant::now() + time);
            }
        }
    }

    fn event(&mut self, pid: Pid, event: i32) {
        if event == Event::PTRACE_EVENT_EXEC as i32 {
            if pid == self.checker {
                self.is_program = true;
            } else if self.candidate == Some(pid) && is_keeper(pid) {
                self.candidate = None;
                self.keeper = Some(pid);
            }
        }
        let forks = [Event::PTRACE_EVENT_FORK, Event::PTRACE_EVENT_VFORK];
        if forks.map(|e| e as i32).contains(&event) && self.threads.get(&pid) == Some(&self.checker)
        {
            self.forked = Some(self.calls);
        }
        self.resume(pid, None);
    }

    /// Lets it go on, followed or not.
    fn resume(&mut self, pid: Pid, signal: Option<Signal>) {
        if !self.threads.contains_key(&pid) {
            self.meet(pid);
        }
        let process = self.threads.get(&pid).copied();
        let is_counted = process.is_some() && process == self.counted() && !self.lets_go;
        let is_followed = process == Some(self.checker)
            || process.is_some() && (process == self.keeper || process == self.candidate);
        // One that was killed meanwhile is not there any more.
        let _ = if self.lets_go || !is_followed {
            self.threads.remove(&pid);
            ptrace::detach(pid, signal)
        } else if is_counted {
            ptrace::syscall(pid, signal)
        } else {
            ptrace::cont(pid, signal)
        };
    }

    /// Somebody who was not there before: a thread, or a process that was forked.
    fn meet(&mut self, pid: Pid) {
        let Some(process) = said(pid, "Tgid:") else {
            return;
        };
        self.threads.insert(pid, process);
        let is_first = self.whose == Whose::Keepers && self.keeper.is_none();
        let is_forked = process == pid && said(pid, "PPid:") == Some(self.checker);
        if is_first && is_forked {
            self.candidate = Some(pid);
        }
    }
}

/// A line of what the kernel says of a thread.
fn said(pid: Pid, key: &str) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().parse().ok().map(Pid::from_raw)
}

/// True for what waits for something to happen.
fn sleeps(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('S'))
}

fn is_keeper(pid: Pid) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = words.split(|b| *b == 0);
    words.any(|word| word == b"__keeper")
}
