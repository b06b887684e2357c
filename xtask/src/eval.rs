//! Measures detection quality on labelled data that is kept outside of this project.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, python};

/// Builds the program as users get it, and has the scripts beside the data drive it.
pub(crate) fn run(data: &Path, further: &[String]) -> Result<()> {
    let place = Place::find(data)?;
    let program = build()?;
    let example = ["--package", "watchpost-detector", "--example", "tabular"];
    process::run(process::cargo().args(["build", "--release"]).args(example))?;
    let target = process::target();
    process::run(
        Command::new(place.python()?)
            .arg(place.scripts.join("all.py"))
            .arg("--bin")
            .arg(program)
            .arg("--tabular-bin")
            .arg(target.join("release").join("examples").join("tabular"))
            .arg("--data")
            .arg(&place.data)
            .arg("--out")
            .arg(target.join("eval.json"))
            .args(further),
    )
}

/// Leaves out one group of series at a time.
pub(crate) fn groups(data: &Path, against: Option<&Path>) -> Result<()> {
    let place = Place::find(data)?;
    let program = build()?;
    process::run(
        Command::new(place.python()?)
            .arg(watchpost_guests::root().join("xtask/src/eval/groups.py"))
            .arg(&place.scripts)
            .arg(&place.data)
            .arg(program)
            .args(against),
    )
}

/// Where the data and the scripts are.
struct Place {
    data: PathBuf,
    scripts: PathBuf,
}

impl Place {
    fn find(data: &Path) -> Result<Place> {
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
        Ok(Place { data, scripts })
    }

    fn python(&self) -> Result<PathBuf> {
        python::environment("eval-venv", &self.scripts.join("requirements.txt"))
    }
}

fn build() -> Result<PathBuf> {
    process::run(process::cargo().args(["build", "--release", "--package", "watchpost"]))?;
    Ok(process::target().join("release").join("watchpost"))
}
