//! Measures detection quality on labelled data that is kept outside of this project.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, python};

/// Builds the program as users get it, and has the scripts beside the data drive it.
pub(crate) fn run(data: &Path, further: &[String]) -> Result<()> {
    let data = data
        .canonicalize()
        .with_context(|| format!("there is no data in {}; give the folder that holds it", data.display()))?;
    let scripts = data.with_file_name("eval");
    let all = scripts.join("all.py");
    if !all.is_file() {
        bail!(
            "there are no scripts: {} is missing; they are expected beside the data",
            all.display()
        );
    }
    process::run(process::cargo().args(["build", "--release", "--package", "watchpost"]))?;
    let example = ["--package", "watchpost-detector", "--example", "tabular"];
    process::run(process::cargo().args(["build", "--release"]).args(example))?;
    let python = python::environment("eval-venv", &scripts.join("requirements.txt"))?;
    let target = process::target();
    process::run(
        Command::new(python)
            .arg(all)
            .arg("--bin")
            .arg(target.join("release").join("watchpost"))
            .arg("--tabular-bin")
            .arg(target.join("release").join("examples").join("tabular"))
            .arg("--data")
            .arg(&data)
            .arg("--out")
            .arg(target.join("eval.json"))
            .args(further),
    )
}
