//! Doing something with the rights of a file's owner, and no others.
//!
//! Root can write anywhere, and so can be led anywhere. What is done for the owner of a directory is
//! done on a thread that the kernel takes for that owner wherever files are concerned: its
//! file-system ids are the owner's, it has no other groups, and no capability is left to it. All of
//! these belong to a thread and not to the process. None of it is ever taken back: the thread ends.
//!
//! Its real and effective ids stay root's, so that no process of the owner can signal it, trace it
//! or look into its memory meanwhile.

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use super::account::Account;
use super::{beneath, host, process};

/// The group that stands for nobody's.
const NOBODYS: u32 = 65534;

/// Such a thread opens and writes small files, and does nothing deep.
const STACK: usize = 256 << 10;

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// The owner of an open file.
    ///
    /// # Errors
    /// What fstat(2) answered.
    pub fn of(fd: impl AsFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(fd)?;
        Ok(Self {
            uid: stat.st_uid,
            // A user's directory often has root's group, just because root made it. That lends
            // nobody what root's group may do.
            gid: match (stat.st_uid, stat.st_gid) {
                (1.., 0) => NOBODYS,
                (_, gid) => gid,
            },
        })
    }

    /// True for root.
    #[must_use]
    pub fn is_root(self) -> bool {
        self.uid == 0
    }
}

/// Does something with the owner's rights where we are root, and with our own where we are not.
/// Waits until it is done, however long that takes: whoever must not wait calls this on a thread
/// that can be given up.
///
/// # Errors
/// A sentence: the rights could not be taken, and nothing was done; or it met a defect of ours.
pub fn with_rights<T: Send>(owner: Owner, work: impl FnOnce() -> T + Send) -> Result<T, String> {
    on_thread(owner, &[], work)
}

/// The same with all the groups of a user, as a program has them that runs as that user.
///
/// # Errors
/// As [`with_rights`]; the groups could not be looked up.
pub fn as_user<T: Send>(user: &Account, work: impl FnOnce() -> T + Send) -> Result<T, String> {
    let owner = Owner {
        uid: user.uid,
        gid: user.gid,
    };
    let groups: Vec<Gid> = user.groups()?.into_iter().map(Gid::from_raw).collect();
    on_thread(owner, &groups, work)
}

fn on_thread<T: Send>(
    owner: Owner,
    groups: &[Gid],
    work: impl FnOnce() -> T + Send,
) -> Result<T, String> {
    if !host::is_root() || owner.is_root() {
        return Ok(work());
    }
    let defect = || format!("it met a defect in lazarus-pit {}", process::defect());
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("owner".into());
        let started = thread.stack_size(STACK).spawn_scoped(scope, || {
            take(owner, groups)?;
            catch_unwind(AssertUnwindSafe(work)).map_err(|_| defect())
        });
        let thread = started.map_err(|e| {
            format!(
                "starting a thread for uid {}: {e}; is the process limit reached?",
                owner.uid
            )
        })?;
        thread.join().unwrap_or_else(|_| Err(defect()))
    })
}

/// Makes this thread the owner's, for good.
fn take(owner: Owner, groups: &[Gid]) -> Result<(), String> {
    let failed = |what: &str, errno: Errno| {
        let why = beneath::reason(errno);
        format!("taking the rights of uid {}: {what}: {why}", owner.uid)
    };
    // Of this thread alone: the C library's function of that name changes every thread of a process.
    let of_thread: Vec<_> = groups.iter().map(|gid| raw(*gid)).collect();
    rustix::thread::set_thread_groups(&of_thread).map_err(|e| failed("giving up our groups", e))?;
    setfsgid(Gid::from_raw(owner.gid));
    setfsuid(Uid::from_raw(owner.uid));
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(|e| failed("giving up our capabilities", e))?;
    // setfsuid(2) and setfsgid(2) never say that they failed. Asked for an id that cannot be, they
    // change nothing and answer what is.
    let is = (
        setfsuid(Uid::from_raw(u32::MAX)).as_raw(),
        setfsgid(Gid::from_raw(u32::MAX)).as_raw(),
    );
    let are = rustix::process::getgroups().map_err(|e| failed("asking for our groups", e))?;
    let left = capabilities(None).map_err(|e| failed("asking for our capabilities", e))?;
    let others = are.iter().any(|gid| !of_thread.contains(gid));
    match is == (owner.uid, owner.gid) && !others && left == none {
        true => Ok(()),
        false => Err(failed("the kernel kept other ones", Errno::PERM)),
    }
}

fn raw(gid: Gid) -> rustix::process::Gid {
    rustix::process::Gid::from_raw(gid.as_raw())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    use super::*;

    /// What the kernel says of the thread that asks.
    fn status() -> String {
        std::fs::read_to_string("/proc/thread-self/status").unwrap()
    }

    #[test]
    fn what_is_done_for_an_owner_is_done_with_the_owners_rights_alone() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::set_permissions(tmp.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let (theirs, ours) = (tmp.path().join("theirs"), tmp.path().join("ours"));
        std::fs::create_dir(&theirs).unwrap();
        std::fs::write(&ours, "secret").unwrap();
        std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o600)).unwrap();
        let open = || Owner::of(std::fs::File::open(&theirs).unwrap()).unwrap();
        if !host::is_root() {
            // Nothing can be taken, and nothing needs to be.
            assert_eq!(with_rights(open(), host::uid), Ok(host::uid()));
            return;
        }
        assert!(open().is_root());
        assert!(with_rights(open(), || std::fs::read(&ours).is_ok()).unwrap());
        chown(&theirs, Some(4242), Some(4343)).unwrap();
        let before = status();
        let seen = with_rights(open(), || {
            std::fs::write(theirs.join("f"), "x").unwrap();
            let read = std::fs::read(&ours).map_err(|e| e.kind());
            assert_eq!(read, Err(std::io::ErrorKind::PermissionDenied));
            assert!(std::fs::write(tmp.path().join("g"), "x").is_err());
            assert!(chown(theirs.join("f"), Some(0), Some(0)).is_err());
            status()
        });
        let seen = seen.unwrap();
        for line in [
            "Uid:\t0\t0\t0\t4242",
            "Gid:\t0\t0\t0\t4343",
            "CapEff:\t0000000000000000",
        ] {
            assert!(seen.contains(line), "{line}: {seen}");
        }
        let meta = std::fs::metadata(theirs.join("f")).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (4242, 4343));
        // This thread is as it was.
        let ids = |text: &str| -> Vec<String> {
            let of = |l: &&str| {
                ["Uid", "Gid", "Cap", "Gro"]
                    .iter()
                    .any(|k| l.starts_with(k))
            };
            text.lines().filter(of).map(str::to_owned).collect()
        };
        assert_eq!(ids(&before), ids(&status()));
        chown(&theirs, Some(4242), Some(0)).unwrap();
        let made = with_rights(open(), || std::fs::write(theirs.join("h"), "x").is_ok());
        assert_eq!(made, Ok(true));
        let meta = std::fs::metadata(theirs.join("h")).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (4242, NOBODYS));
    }

    #[test]
    fn a_user_has_the_groups_that_the_database_says() {
        let daemon = Account::find("daemon").unwrap();
        let seen = as_user(&daemon, status).unwrap();
        if !host::is_root() {
            // As before: nothing can be taken.
            assert!(seen.contains(&format!("Uid:\t{}", host::uid())), "{seen}");
            return;
        }
        let mut expected = daemon.groups().unwrap();
        let line = seen.lines().find_map(|line| line.strip_prefix("Groups:"));
        let mut groups: Vec<u32> = line
            .unwrap()
            .split_whitespace()
            .map(|group| group.parse().unwrap())
            .collect();
        expected.sort_unstable();
        groups.sort_unstable();
        assert_eq!(groups, expected);
        assert!(seen.contains("CapEff:\t0000000000000000"), "{seen}");
    }

    #[test]
    fn a_defect_is_an_error_and_no_abort() {
        if !host::is_root() {
            return;
        }
        let owner = Owner {
            uid: 4242,
            gid: 4242,
        };
        let came = with_rights(owner, || -> u32 { std::panic::panic_any("on purpose") });
        assert!(came.is_err_and(|why| why.contains("defect")));
        // An id that no user has is not taken for one.
        let nobody = Owner {
            uid: u32::MAX,
            gid: 4242,
        };
        assert!(with_rights(nobody, || ()).is_err());
    }
}
