//! Programs, found by their names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

/// Where root's programs are looked for if nobody says so.
pub const PATH_OF_ROOT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program's file, found as a shell finds it, but never in a directory that is relative.
///
/// # Errors
/// A sentence: there is none in `path`, or one that may not be executed.
pub fn find(program: &str, path: &OsStr) -> Result<PathBuf, String> {
    if program.contains('/') {
        return Ok(PathBuf::from(program));
    }
    let dirs = path.as_bytes().split(|b| *b == b':');
    let dirs = dirs.map(|dir| Path::new(OsStr::from_bytes(dir)));
    let mut refused = None;
    for dir in dirs.filter(|dir| dir.is_absolute()) {
        let file = dir.join(program);
        if !file.is_file() {
            continue;
        }
        match rustix::fs::accessat(CWD, &file, Access::EXEC_OK, AtFlags::EACCESS) {
            Ok(()) => return Ok(file),
            Err(_) => refused = refused.or(Some(file)),
        }
    }
    let path = path.display();
    match refused {
        Some(file) => Err(format!(
            "running {}: Permission denied: it is not executable",
            file.display()
        )),
        None => Err(format!(
            "running {program}: No such file or directory in {path}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_where_they_may_be_looked_for() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::create_dir(tmp.path().join("sh")).unwrap();
        std::fs::write(tmp.path().join("x"), "").unwrap();
        let path = format!("relative::{}:/bin", tmp.path().display());
        let find = |program: &str| find(program, OsStr::new(&path));
        assert_eq!(find("sh").unwrap(), Path::new("/bin/sh"));
        assert_eq!(find("./x").unwrap(), Path::new("./x"));
        assert!(find("x").unwrap_err().contains("/x: Permission denied"));
        assert!(find("no-such-program").unwrap_err().ends_with(&path));
    }
}
