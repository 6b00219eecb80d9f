//! Whose word counts: ownership and permissions of what the operator writes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::host;

/// Who may own what the operator is to have written.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Root, the running user, and those named with `--trust-owner`.
    owners: Vec<u32>,
    /// True where we run as root: then a group that may write is refused, not warned of.
    strict: bool,
}

impl Trust {
    /// Root, the running user, and the owners named.
    #[must_use]
    pub fn new(more: &[u32]) -> Self {
        let mut owners = vec![0, host::uid()];
        owners.extend_from_slice(more);
        Self {
            owners,
            strict: host::is_root(),
        }
    }

    /// True if a file with this owner and mode is the word of a trusted owner alone.
    ///
    /// For a cell's manifest as root: the running user is root, so that an agent's file never is.
    #[must_use]
    pub fn holds(&self, uid: u32, mode: u32) -> bool {
        self.owners.contains(&uid) && mode & 0o022 == 0
    }

    /// Looks at an open file and the directories that its path and, where the path is a link, its
    /// real place lie in. Returns warnings.
    ///
    /// # Errors
    /// A sentence that names the file, the bit or owner, and how to mend it.
    pub fn check(&self, path: &Path, file: &std::fs::File) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        let meta = file
            .metadata()
            .map_err(|e| format!("{}: {e}", path.display()))?;
        self.check_one(path, "file", &meta, &mut warnings)?;
        for dir in directories(path) {
            let meta = std::fs::metadata(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
            self.check_one(&dir, "directory", &meta, &mut warnings)?;
        }
        Ok(warnings)
    }

    /// Looks at an open directory that is listed itself. What lies in it is looked at with
    /// [`Trust::check`]; where it lies makes no difference to that.
    ///
    /// # Errors
    /// As [`Trust::check`].
    pub fn check_directory(&self, path: &Path, dir: &std::fs::File) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        let meta = dir
            .metadata()
            .map_err(|e| format!("{}: {e}", path.display()))?;
        self.check_one(path, "directory", &meta, &mut warnings)?;
        Ok(warnings)
    }

    fn check_one(
        &self,
        path: &Path,
        what: &str,
        meta: &std::fs::Metadata,
        warnings: &mut Vec<String>,
    ) -> Result<(), String> {
        let shown = crate::model::text::visible(&path.to_string_lossy()).into_owned();
        if !self.owners.contains(&meta.uid()) {
            let owner = host::user_name(meta.uid());
            return Err(format!(
                "{what} {shown} belongs to {owner}, who could change what lazarus-pit does; \
                 mend it with `chown {} {shown}`, or accept that owner with `--trust-owner {}`",
                host::user_name(host::uid()),
                owner.trim_start_matches("uid "),
            ));
        }
        // The sticky bit keeps others from replacing a file, not from putting one beside it.
        if meta.mode() & 0o002 != 0 {
            return Err(format!(
                "{what} {shown} can be written by everyone (mode {:04o}); mend it with `chmod o-w {shown}`",
                meta.mode() & 0o7777
            ));
        }
        if meta.mode() & 0o020 != 0 {
            let message = format!(
                "{what} {shown} can be written by its group (mode {:04o}); mend it with `chmod g-w {shown}`",
                meta.mode() & 0o7777
            );
            if self.strict {
                return Err(message);
            }
            warnings.push(message);
        }
        Ok(())
    }
}

/// The directory of the path as written and, where they differ, of the file it leads to.
fn directories(path: &Path) -> Vec<PathBuf> {
    let parent = |p: &Path| match p.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut dirs = vec![parent(path)];
    if let Ok(real) = std::fs::canonicalize(path) {
        let dir = parent(&real);
        if std::fs::canonicalize(&dirs[0]).ok().as_ref() != Some(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}
