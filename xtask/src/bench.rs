//! Measures speed, memory and sizes.

pub(crate) mod doors;
pub(crate) mod envoy;

use std::path::Path;

use anyhow::Result;

use crate::process;

/// Runs the bench of the host, where everything comes together.
pub(crate) fn run(further: &[String]) -> Result<()> {
    process::run(
        process::cargo()
            .args(["bench", "--package", "watchpost", "--bench", "throughput", "--"])
            .args(further)
            .env("WATCHPOST_CACHE_DIR", process::target().join("cache")),
    )
}

/// Measures parts of the detector alone, in the form of the programs that do the same.
pub(crate) fn peers(mode: &str, file: &Path) -> Result<()> {
    process::run(
        process::cargo()
            .args([
                "run",
                "--quiet",
                "--release",
                "--package",
                "watchpost-peers",
                "--",
                mode,
            ])
            .arg(std::path::absolute(file)?),
    )
}
