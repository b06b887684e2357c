use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

/// A folder with these files, each with its own name as content.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    folder
}

fn names(folder: &TempDir, paths: &[PathBuf]) -> Vec<String> {
    let inside = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap_or(path).display().to_string();
    paths.iter().map(inside).collect()
}

fn found(folder: &TempDir, given: &[&str]) -> Found {
    let given: Vec<PathBuf> = given.iter().map(|name| folder.path().join(name)).collect();
    find(&given).unwrap()
}

fn error(folder: &TempDir, given: &str) -> String {
    let prefix = format!("{}/", folder.path().display());
    let error = find(&[folder.path().join(given)]).unwrap_err();
    error.to_string().replace(&prefix, "")
}

#[test]
fn a_folder_is_read_in_order_and_rotated_logs_oldest_first() {
    let folder = folder(&[
        "app.log",
        "app.log.1",
        "app.log.10.gz",
        "app.log.2.gz",
        "b/web.log-20261119.gz",
        "b/web.log",
        "b/web.log-20261118.gz",
        "a/x.log.2026-11-18",
        "a/x.log",
        "metrics.2024",
        "metrics.2023",
        ".git/config",
        ".hidden",
    ]);
    let found = found(&folder, &[""]);
    assert_eq!(
        names(&folder, &found.files),
        [
            "app.log.10.gz",
            "app.log.2.gz",
            "app.log.1",
            "app.log",
            "metrics.2023",
            "metrics.2024",
            "a/x.log.2026-11-18",
            "a/x.log",
            "b/web.log-20261118.gz",
            "b/web.log-20261119.gz",
            "b/web.log",
        ]
    );
    assert_eq!(found.skipped, []);
}

#[test]
fn what_is_certainly_no_log_is_skipped_and_told() {
    let folder = folder(&["app.log", "logo.PNG", "backup.tar.gz"]);
    fs::write(folder.path().join("core"), b"\x7fELF\0\0").unwrap();
    fs::write(folder.path().join("old.log.xz"), b"\xfd7zXZ\0\0").unwrap();
    fs::write(folder.path().join("new.log"), b"").unwrap();
    let found = found(&folder, &[""]);
    assert_eq!(names(&folder, &found.files), ["app.log"]);
    let reasons: Vec<&str> = found.skipped.iter().map(|skipped| &*skipped.reason).collect();
    assert_eq!(
        reasons,
        [
            "an archive",
            "not text",
            "a picture",
            "empty",
            "packed with xz: `xz -dc FILE` unpacks it, and `-` reads a pipe"
        ]
    );
    assert!(told(&found.skipped).starts_with("skipped 5 files: "));
    assert!(told(&found.skipped[..1]).ends_with("backup.tar.gz (an archive)"));
    let six = vec![found.skipped[0].clone(); 6];
    assert!(told(&six).ends_with(" and 1 more"));
}

#[test]
fn a_pattern_that_the_shell_left_alone_is_matched() {
    let folder = folder(&[
        "logs/a.log.gz",
        "logs/b.log",
        "logs/c/d.log.gz",
        "logs/.e.log.gz",
        "odd[1].log",
    ]);
    let of = |pattern: &str| names(&folder, &found(&folder, &[pattern]).files);
    assert_eq!(of("logs/*.log.gz"), ["logs/a.log.gz"]);
    assert_eq!(of("logs/**/*.gz"), ["logs/a.log.gz", "logs/c/d.log.gz"]);
    assert_eq!(of("log?"), ["logs/a.log.gz", "logs/b.log", "logs/c/d.log.gz"]);
    assert_eq!(of("odd[1].log"), ["odd[1].log"], "a file of that name comes first");
    assert_eq!(error(&folder, "logs/*.txt"), "logs/*.txt: no file matches this pattern");
    assert_eq!(
        error(&folder, "log/*.txt"),
        "log/*.txt: no file matches this pattern: there is no folder log"
    );
    assert!(error(&folder, "logs/***").starts_with("logs/***: this is no pattern: "));
}

#[test]
fn rotated_logs_in_the_order_of_a_shell_are_put_in_order() {
    let folder = folder(&["app.log", "app.log.1", "app.log.2.gz", "web.log"]);
    let sorted = found(&folder, &["web.log", "app.log", "app.log.1", "app.log.2.gz"]);
    assert_eq!(
        names(&folder, &sorted.files),
        ["web.log", "app.log.2.gz", "app.log.1", "app.log"]
    );
    assert_eq!(sorted.reordered, ["app.log"]);
    let kept = found(&folder, &["web.log", "app.log.1", "app.log"]);
    assert_eq!(names(&folder, &kept.files), ["web.log", "app.log.1", "app.log"]);
    assert!(kept.reordered.is_empty());
    assert_eq!(find(&[PathBuf::from("-")]).unwrap().files, [Path::new("-")]);
}

#[test]
fn what_is_not_there_is_named_with_what_was_meant() {
    let folder = folder(&["access.log", "pictures/a.png", "other"]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert_eq!(
        error(&folder, "acess.log"),
        "acess.log: there is no such file; did you mean access.log?"
    );
    assert_eq!(error(&folder, "nothing"), "nothing: there is no such file");
    assert_eq!(
        error(&folder, "log/a.log"),
        format!(
            "log/a.log: there is no such file; there is no folder {} either",
            folder.path().join("log").display()
        )
        .replace(&format!("{}/", folder.path().display()), "")
    );
    assert_eq!(
        error(&folder, "empty"),
        "empty: there are no files to read in this folder"
    );
    assert_eq!(
        error(&folder, "pictures"),
        "pictures: there is nothing here to read; skipped pictures/a.png (a picture)"
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_loops_are_not() {
    let folder = folder(&["real/app.log"]);
    std::os::unix::fs::symlink("../real/app.log", folder.path().join("real/link.log")).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join("real/loop")).unwrap();
    std::os::unix::fs::symlink("gone", folder.path().join("real/broken")).unwrap();
    let found = found(&folder, &["real"]);
    assert_eq!(names(&folder, &found.files), ["real/app.log"]);
    let mut reasons: Vec<&str> = found.skipped.iter().map(|skipped| &*skipped.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert_eq!(
        reasons[..2],
        ["a link that leads nowhere", "it leads back to a folder above it"]
    );
    assert!(reasons[2].starts_with("the same file as "), "{}", reasons[2]);
}

/// A link to a folder above would make the same files match at any depth.
#[cfg(unix)]
#[test]
fn links_to_folders_are_not_followed_by_patterns_of_any_depth() {
    let folder = folder(&["logs/a/app.log", "logs/.hidden/app.log", "else/other.log"]);
    std::os::unix::fs::symlink("..", folder.path().join("logs/a/up")).unwrap();
    std::os::unix::fs::symlink("../else", folder.path().join("logs/else")).unwrap();
    std::os::unix::fs::symlink("../../else/other.log", folder.path().join("logs/a/link.log")).unwrap();
    for pattern in ["logs/**/*.log", "l*/**/*.log"] {
        let found = found(&folder, &[pattern]);
        assert_eq!(names(&folder, &found.files), ["logs/a/app.log", "logs/a/link.log"]);
        assert_eq!(found.skipped, []);
    }
    let whole = found(&folder, &["logs/**"]);
    assert_eq!(names(&folder, &whole.files), ["logs/a/app.log", "logs/a/link.log"]);
    assert_eq!(
        told(&whole.skipped),
        format!("skipped {}/logs/else (a link to a folder)", folder.path().display())
    );
    assert_eq!(above_any_depth("**/*.log"), Some("."));
    assert_eq!(above_any_depth("/**/*.log"), Some("/"));
    assert_eq!(above_any_depth("a/b*/**/*.log"), Some("a/b*"));
    assert_eq!(above_any_depth("a/*.log"), None);
}
