//! What can be known without running anything: format, lints, documentation, dependencies.

use std::process::Command;

use anyhow::Result;
use watchpost_guests::{KERNELS, PLUGINS};

use crate::process;
use crate::test::NATIVE;

/// The version of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// What builds things, and is looked at apart from what it builds, for the reason that [`NATIVE`] tells.
const BUILDERS: [&str; 6] = [
    "--package",
    "watchpost-guests",
    "--package",
    "watchpost-peers",
    "--package",
    "xtask",
];

/// Runs every check.
pub(crate) fn run() -> Result<()> {
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    lint(&NATIVE, &["--all-targets"])?;
    lint(&BUILDERS, &["--all-targets"])?;
    for plugin in &PLUGINS {
        let package = format!("watchpost-{}", plugin.name);
        // Tests of a plugin, if there are any, do not run in wasm without a host.
        lint(&["--target", plugin.target, "--package", &package], &[])?;
    }
    for package in ["watchpost-empty-filter", "watchpost-hostcalls"] {
        lint(&["--target", watchpost_guests::ENVOY.target, "--package", package], &[])?;
    }
    let kernels = ["--target", KERNELS.target, "--package", "watchpost-kernels"];
    lint(&kernels, &[])?;
    dependencies()
}

/// What Clippy and rustdoc say of these packages; a warning is an error.
fn lint(packages: &[&str], targets: &[&str]) -> Result<()> {
    process::run(
        process::cargo()
            .arg("clippy")
            .args(packages)
            .args(targets)
            .args(["--", "-D", "warnings"]),
    )?;
    process::run(
        process::cargo()
            .arg("doc")
            .args(packages)
            .arg("--no-deps")
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Which package may depend on which, under which licences, from where; and what the detector, which has no
/// clock and no randomness, may not contain at any depth.
fn dependencies() -> Result<()> {
    let root = watchpost_guests::root();
    let deny = process::installed("cargo-deny", CARGO_DENY)?;
    process::run(Command::new(&deny).current_dir(&root).args([
        "--workspace",
        "--all-features",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))?;
    process::run(
        Command::new(&deny)
            .current_dir(&root)
            .args(["--manifest-path", "plugins/engine/Cargo.toml", "--exclude-dev"])
            .args(["--config", "detector/deny.toml", "check", "bans"]),
    )
}
