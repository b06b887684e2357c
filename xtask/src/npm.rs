//! Packages of npm, below the target directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Installs what the lock file in `sources` names into `folder`. It is done again when that has changed.
pub(crate) fn install(sources: &Path, folder: &Path) -> Result<()> {
    let stamp = folder.join("lock.installed");
    let lock = sources.join("package-lock.json");
    let lock = fs::read_to_string(&lock).with_context(|| format!("read {}", lock.display()))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    if !process::exists("npm") {
        bail!("there is no npm, which comes with Node");
    }
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(name), folder.join(name)).with_context(|| format!("copy {name}"))?;
    }
    process::run(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder),
    )?;
    fs::write(&stamp, lock).with_context(|| format!("write {}", stamp.display()))
}
