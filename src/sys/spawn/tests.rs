use std::io::Read as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use std::ffi::c_int;

use super::child::{close_all_by_hand, number};
use super::*;
use crate::sys::{job::Job, procs};

fn exec(command: &[&str], cwd: &str) -> Exec {
    let texts = |all: &[&str]| -> Vec<Vec<u8>> {
        all.iter().map(|text| text.as_bytes().to_vec()).collect()
    };
    let path = Path::new(command[0]);
    Exec::new(path, texts(command), texts(&["A=b"]), Path::new(cwd), None).unwrap()
}

fn output(mut child: Child) -> String {
    let mut text = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    text
}

#[test]
fn nothing_of_ours_is_inherited() {
    // One that is not closed by exec, as a careless starter of ours may have left it to us.
    let null = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: a new descriptor, which gets its owner at once.
    let stray = unsafe { OwnedFd::from_raw_fd(libc::dup(null.as_raw_fd())) };
    // As a run does; and std ignores SIGPIPE for us.
    crate::sys::process::block_file_size_signal();
    let script = "ls /proc/self/fd; umask; pwd; env; grep -E 'Sig(Blk|Ign)' /proc/self/status";
    let text = output(exec(&["/bin/sh", "-c", script], "/tmp").start().unwrap());
    drop(stray);
    // 3 is ls's own, on the directory.
    let want = "0\n1\n2\n3\n0022\n/tmp\n";
    assert!(text.starts_with(want), "{text}");
    assert!(
        text.contains("\nA=b\n") && !text.contains("PATH="),
        "{text}"
    );
    for set in ["SigBlk", "SigIgn"] {
        assert!(
            text.contains(&format!("{set}:\t0000000000000000\n")),
            "{text}"
        );
    }
}

#[test]
fn what_could_not_be_done_is_named() {
    let failed = |command: &str, cwd: &str| {
        let e = exec(&[command], cwd).start().unwrap_err();
        (e.stage, e.cause())
    };
    let missing = "No such file or directory";
    assert_eq!(failed("/no/such/program", "/"), (Stage::Exec, missing));
    assert_eq!(failed("/bin/true", "/no/such/place"), (Stage::Cwd, missing));
    assert_eq!(
        failed("/etc/passwd", "/"),
        (Stage::Exec, "Permission denied")
    );
    for (n, stage) in STAGES.into_iter().enumerate() {
        assert_eq!(n, stage as usize);
    }
    let zero = [b"a\0b".to_vec()];
    let e = Exec::new(Path::new("/x"), zero, [], Path::new("/"), None).unwrap_err();
    assert!(e.contains("zero byte"), "{e}");
}

#[test]
fn without_the_kernels_help_the_descriptors_are_marked_too() {
    let null = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: a new descriptor, which gets its owner at once; then its flags are read.
    let (stray, flags) = unsafe {
        let stray = OwnedFd::from_raw_fd(libc::dup(null.as_raw_fd()));
        close_all_by_hand().unwrap();
        let flags = libc::fcntl(stray.as_raw_fd(), libc::F_GETFD);
        (stray, flags)
    };
    assert_eq!(flags, libc::FD_CLOEXEC);
    drop(stray);
    assert_eq!(
        (number(c"12"), number(c".."), number(c"99999999999")),
        (Some(12), None, None)
    );
}

/// Opening a file that somebody holds a lease on takes as long as a mount that does not answer.
#[test]
fn a_start_that_comes_to_no_end_is_not_waited_for() {
    // The number of F_SETSIG, which libc has not for every Linux.
    const F_SETSIG: c_int = 10;
    let tmp = tempfile::tempdir().unwrap();
    let program = tmp.path().join("sleep");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let file = std::fs::File::open(&program).unwrap();
    // SAFETY: a lease on a file of our own; its signal is one that does nothing.
    unsafe {
        let fd = file.as_raw_fd();
        assert_eq!(libc::fcntl(fd, F_SETSIG, libc::SIGURG), 0);
        assert_eq!(libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK), 0);
    }
    let mark = tmp.path().to_str().unwrap();
    let (args, env) = (["sleep", "100"], format!("MARK={mark}"));
    let args = args.map(|arg| arg.as_bytes().to_vec());
    let exec = Exec::new(&program, args, [env.into_bytes()], Path::new("/"), None).unwrap();
    let began = Instant::now();
    let came = Job::start(exec, Duration::from_millis(100));
    assert!(matches!(came, Err(None)), "{came:?}");
    assert!(began.elapsed() < Duration::from_secs(30));
    // The lease is given up, the program begins, and is ended as nobody waits for it. By word: the
    // child that waits has the file open as well, so that closing ours would not be enough.
    // SAFETY: gives up a lease of our own.
    assert_eq!(
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) },
        0
    );
    let marks = std::collections::HashSet::from([mark]);
    let until = Instant::now() + Duration::from_secs(60);
    let mut quiet = 0;
    while quiet < 20 {
        assert!(Instant::now() < until);
        let lives = !procs::with_variable("MARK", &marks).is_empty();
        quiet = if lives { 0 } else { quiet + 1 };
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A run that was stopped, and goes on after its deadline, must not begin what it had in hand.
#[test]
fn what_there_is_no_time_for_is_never_started() {
    let dir = tempfile::tempdir().unwrap();
    let cwd = dir.path().to_str().unwrap();
    for _ in 0..50 {
        let start = Job::start(exec(&["/bin/sh", "-c", "> mark"], cwd), Duration::ZERO);
        assert!(matches!(start, Err(None)));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!(!dir.path().join("mark").exists(), "it was started");
}
