//! What can be known without running anything: format, lints, documentation, dependencies.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Result;
use watchpost_guests::{BROWSER, BROWSER_TARGET, CLI, ENVOY, KERNELS, PLUGINS, VECTOR};

use crate::process;

/// The version of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// Runs every check.
pub(crate) fn run() -> Result<()> {
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    let guests = guests();
    let mut native = vec!["--workspace"];
    for package in guests.values().flatten() {
        native.extend(["--exclude", package]);
    }
    lint(&native, &["--all-targets"])?;
    document(&native)?;
    for (target, packages) in &guests {
        let mut guests = vec!["--target", target];
        for package in packages {
            guests.extend(["--package", package]);
        }
        // Tests of plugins do not run in wasm without a host, but for those of the package for JavaScript.
        let tests: &[&str] = match *target {
            BROWSER_TARGET => &["--lib", "--test", "node"],
            _ => &[],
        };
        lint(&guests, tests)?;
    }
    document(&["--target", BROWSER_TARGET, "--package", BROWSER])?;
    dependencies()
}

/// What is built for wasm, by target: the detector and what else they share is looked at once for all of a target.
fn guests() -> BTreeMap<&'static str, Vec<String>> {
    let mut guests = BTreeMap::<_, Vec<_>>::new();
    for plugin in PLUGINS.iter().chain([&KERNELS]) {
        guests
            .entry(plugin.target)
            .or_default()
            .push(format!("watchpost-{}", plugin.name));
    }
    for (target, package) in [
        (BROWSER_TARGET, BROWSER),
        (ENVOY.target, "watchpost-empty-filter"),
        (ENVOY.target, "watchpost-hostcalls"),
        // What the commands for WASI have in common.
        (CLI.target, "watchpost-stream"),
        (VECTOR.target, "watchpost-stream"),
    ] {
        guests.entry(target).or_default().push(package.to_owned());
    }
    guests
}

/// What Clippy says of these packages; a warning is an error.
fn lint(packages: &[&str], targets: &[&str]) -> Result<()> {
    process::run(
        process::cargo()
            .arg("clippy")
            .args(packages)
            .args(targets)
            .args(["--", "-D", "warnings"]),
    )
}

/// What rustdoc says of these packages; a warning is an error. Those of the other plugins nobody can call from Rust.
fn document(packages: &[&str]) -> Result<()> {
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
    for plugin in ["plugins/engine/Cargo.toml", "plugins/fluent-bit/Cargo.toml"] {
        process::run(
            Command::new(&deny)
                .current_dir(&root)
                .args(["--manifest-path", plugin, "--exclude-dev"])
                .args(["--config", "detector/deny.toml", "check", "bans"]),
        )?;
    }
    Ok(())
}
