//! `file`: what a file is like.

use std::time::Duration;

use rustix::fs::FileType;

use super::{Common, Reply, pids, places};
use crate::model::probe::FileAsks;
use crate::model::time::{exact, human};
use crate::sys::beneath;

/// Looks at a file.
pub(super) fn ask(file: &FileAsks, common: &Common) -> Reply {
    let asker = &common.asker;
    let stat = match places::stat(&file.path, asker) {
        Ok(stat) => stat,
        Err(unseen) if unseen.is_answer() => return Reply::bad(unseen.why()),
        Err(unseen) => return Reply::not_asked(unseen.why()),
    };
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        let kind = beneath::describe(kind);
        return Reply::bad(format!("it is {kind}, not a regular file"));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let age = asker.now.since(pids::written(&stat));
    // Whole seconds: nobody means a part of one.
    let age = Duration::from_secs(age.as_secs());
    let is = format!("it has {size} bytes, written {} ago", human(age));
    if let Some(limit) = file.newer_than.filter(|limit| age > *limit) {
        return Reply::bad(format!("{is}, which is more than {}", exact(limit)));
    }
    if let Some(least) = file.min_size.filter(|least| size < *least) {
        return Reply::bad(format!("{is}, and is to have {least}"));
    }
    match file.grows {
        false => Reply::good(is),
        // One that is replaced, or begins anew, is at work too.
        true => Reply::good(is).measuring(stat.st_ino ^ stat.st_dev.rotate_left(32), size),
    }
}
