//! Programs of Debian and what is made from it, below the target directory: nothing is installed, and nobody is root.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Written when everything is unpacked: the packages with their versions, a line each.
const STAMP: &str = "packages.unpacked";

/// Unpacks a package, in the version that this system's distribution has, with those that it depends on and the system
/// lacks. What was unpacked before stays. Returns the packages with their versions.
pub(crate) fn unpack(package: &str, folder: &Path) -> Result<Vec<String>> {
    let stamp = folder.join(STAMP);
    if let Ok(unpacked) = fs::read_to_string(&stamp) {
        return Ok(unpacked.lines().map(str::to_owned).collect());
    }
    if !process::exists("apt-get") || !process::exists("dpkg") {
        bail!("{package} comes from Debian's packages, and there is no apt-get");
    }
    let names = download(package, folder, &Lists::System).or_else(|_| {
        // The system's lists may be missing, or older than what the servers still have; only root can renew them.
        let own = Lists::Own(process::target().join("apt"));
        own.update()?;
        download(package, folder, &own)
    })?;
    for name in &names {
        let file = folder.join("packages").join(name);
        process::run(Command::new("dpkg").arg("-x").arg(file).arg(folder))?;
    }
    let packages: Vec<String> = names.iter().map(|name| shown(name)).collect();
    fs::write(&stamp, packages.join("\n")).with_context(|| format!("write {}", stamp.display()))?;
    Ok(packages)
}

/// What there is to be had, as apt knows it.
enum Lists {
    System,
    /// In this folder.
    Own(std::path::PathBuf),
}

impl Lists {
    fn apt(&self) -> Command {
        let mut command = Command::new("apt-get");
        // As root apt would become a user that may not write to our folders.
        command.args(["--option", "APT::Sandbox::User=root"]);
        if let Lists::Own(folder) = self {
            for (option, name) in [("Dir::State::Lists", "lists"), ("Dir::Cache", "cache")] {
                let folder = folder.join(name);
                command.arg("--option").arg(format!("{option}={}", folder.display()));
            }
        }
        command
    }

    fn update(&self) -> Result<()> {
        if let Lists::Own(folder) = self {
            for name in ["lists/partial", "cache/archives/partial"] {
                let folder = folder.join(name);
                fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
            }
        }
        process::run(self.apt().args(["--quiet", "update"]))
    }
}

/// Downloads the packages and returns the names of their files.
fn download(package: &str, folder: &Path, lists: &Lists) -> Result<Vec<String>> {
    let packages = folder.join("packages");
    if packages.exists() {
        fs::remove_dir_all(&packages).with_context(|| format!("remove {}", packages.display()))?;
    }
    fs::create_dir_all(&packages).with_context(|| format!("create {}", packages.display()))?;
    let output = lists
        .apt()
        .args(["--simulate", "--no-install-recommends", "install", package])
        .output()
        .context("start apt-get")?;
    if !output.status.success() {
        bail!(
            "apt-get does not know how to install {package}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    // A package that is installed already is not among them, and is unpacked all the same.
    let mut wanted = vec![package.to_owned()];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line
            .strip_prefix("Inst ")
            .and_then(|rest| rest.split_whitespace().next());
        wanted.extend(name.filter(|name| *name != package).map(str::to_owned));
    }
    process::run(
        lists
            .apt()
            .args(["--quiet", "download"])
            .args(&wanted)
            .current_dir(&packages),
    )?;
    let mut names = Vec::new();
    for file in packages.read_dir()? {
        names.push(file?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The package and its version, of the name of its file.
fn shown(name: &str) -> String {
    let mut parts = name.trim_end_matches(".deb").split('_');
    let package = parts.next().unwrap_or_default();
    let version = parts.next().unwrap_or_default().replace("%3a", ":");
    format!("{package} {version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_shown_with_its_version() {
        assert_eq!(shown("libpcre3_2%3a8.39-15_amd64.deb"), "libpcre3 2:8.39-15");
    }
}
