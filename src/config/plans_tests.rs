//! Which files are read as plans, and from whom.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::read_plans;
use crate::model::cell::Warning;
use crate::sys::trust::Trust;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A directory with these files, empty.
fn directory(names: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    mode(dir.path(), 0o755);
    let plans = dir.path().join("plans");
    fs::create_dir(&plans).unwrap();
    mode(&plans, 0o755);
    for name in names {
        fs::write(plans.join(name), "").unwrap();
        mode(&plans.join(name), 0o644);
    }
    (dir, plans)
}

fn read(paths: &[&Path]) -> Result<(Vec<String>, Vec<Warning>), String> {
    let mut warnings = Vec::new();
    let paths: Vec<PathBuf> = paths.iter().map(|p| p.to_path_buf()).collect();
    let files = read_plans(&paths, &Trust::new(&[]), &mut warnings).map_err(|e| e.message)?;
    let base = |name: &str| name.rsplit('/').next().unwrap().to_owned();
    Ok((files.iter().map(|f| base(&f.name)).collect(), warnings))
}

#[test]
fn the_plan_files_of_a_directory() {
    let (_dir, plans) = directory(&["b.yaml", "a.yml", ".c.yaml", "d.yaml~", "README.md"]);
    fs::create_dir(plans.join("more")).unwrap();
    fs::write(plans.join("more/e.yaml"), "").unwrap();
    symlink("b.yaml", plans.join("z.yaml")).unwrap();
    let (names, warnings) = read(&[&plans]).unwrap();
    // The link leads to a file that is read already.
    assert_eq!(names, ["a.yml", "b.yaml"]);
    assert_eq!(warnings, []);
    let (names, _) = read(&[&plans.join("README.md"), &plans, &plans]).unwrap();
    assert_eq!(names, ["README.md", "a.yml", "b.yaml"]);
    assert_eq!(read(&[]).unwrap().0, [""; 0]);
}

#[test]
fn all_that_cannot_be_read_is_told_at_once() {
    let (dir, plans) = directory(&["good.yaml", "other.yaml"]);
    fs::create_dir(plans.join("x.yaml")).unwrap();
    symlink("nowhere", plans.join("link.yaml")).unwrap();
    nix::unistd::mkfifo(&plans.join("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(
        plans.join("large.yaml"),
        "#".repeat(crate::yaml::MAX_FILE + 1),
    )
    .unwrap();
    mode(&plans.join("large.yaml"), 0o644);
    mode(&plans.join("other.yaml"), 0o646);
    let message = read(&[&plans, &dir.path().join("gone")]).unwrap_err();
    let told: Vec<&str> = message.lines().collect();
    assert_eq!(told.len(), 6, "{message}");
    for (part, line) in [
        ("cannot read", "gone"),
        ("is a FIFO", "fifo.yaml"),
        ("larger than", "large.yaml"),
        ("cannot read", "link.yaml"),
        ("chmod o-w", "other.yaml"),
        ("is a directory", "x.yaml"),
    ] {
        assert!(
            told.iter().any(|t| t.contains(part) && t.contains(line)),
            "{part} {message}"
        );
    }
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let (_dir, plans) = directory(&[]);
    mode(&plans, 0o777);
    assert!(read(&[&plans]).unwrap_err().contains("chmod o-w"));
    let (_dir, plans) = directory(&["a.yaml", "b.yaml"]);
    mode(&plans, 0o775);
    match read(&[&plans]) {
        Err(message) => assert!(crate::sys::host::is_root() && message.contains("chmod g-w")),
        Ok((_, warnings)) => assert_eq!(warnings.len(), 1, "{warnings:?}"),
    }
}
