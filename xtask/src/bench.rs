//! Measures speed, memory and sizes.

pub(crate) mod envoy;

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
