//! Bytes that a machine thinks up: libFuzzer against everything that comes from outside.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// The version of cargo-fuzz that runs the targets.
const CARGO_FUZZ: &str = "0.13.2";

/// Runs these targets, or all of them, each for so many seconds. What is found is left in `tests/fuzz/artifacts`; inputs
/// that reach something new are gathered below the target directory, and the best of them belong into the corpus.
pub(crate) fn run(targets: &[String], seconds: u32) -> Result<()> {
    let folder = watchpost_guests::root().join("tests").join("fuzz");
    let known = names(&folder.join("targets"))?;
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        bail!("there is no fuzz target {unknown}; there are {}", known.join(", "));
    }
    let has_nightly = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_nightly {
        bail!(
            "nothing was fuzzed: libFuzzer needs a nightly compiler, and there is none; `rustup toolchain install \
             nightly --profile minimal` installs one. `cargo test --package watchpost-tests --test fuzz` replays the \
             corpus without it."
        );
    }
    let fuzz = process::installed("cargo-fuzz", CARGO_FUZZ)?;
    let build = process::target().join("fuzz");
    for target in if targets.is_empty() { &known } else { targets } {
        let gathered = build.join("corpus").join(target);
        fs::create_dir_all(&gathered).with_context(|| format!("make {}", gathered.display()))?;
        process::run(
            Command::new(&fuzz)
                .env("RUSTUP_TOOLCHAIN", "nightly")
                .current_dir(&folder)
                // The detector has no unsafe code for a sanitizer to look at.
                .args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir", ".", "--target-dir"])
                .arg(&build)
                .arg(target)
                .arg(&gathered)
                .arg(folder.join("corpus").join(target))
                .arg("--")
                .arg(format!("-max_total_time={seconds}"))
                .args(["-max_len=4096", "-timeout=10"]),
        )?;
    }
    Ok(())
}

/// The names of the targets, sorted.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
