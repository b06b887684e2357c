//! Builds the plugins.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use watchpost_guests::PLUGINS;

use crate::process;

/// Where the artefacts go.
pub(crate) fn folder() -> PathBuf {
    process::target().join("wasm")
}

/// Builds every plugin and prints what there is now.
pub(crate) fn build() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    for plugin in &PLUGINS {
        let built = watchpost_guests::build(plugin, &folder)?;
        print_size(&built.core)?;
        print_size(&built.module)?;
    }
    Ok(())
}

fn print_size(artefact: &Path) -> Result<()> {
    let bytes = fs::metadata(artefact)
        .with_context(|| format!("read {}", artefact.display()))?
        .len();
    let shown = artefact.strip_prefix(watchpost_guests::root()).unwrap_or(artefact);
    println!("{:>9} bytes  {}", bytes, shown.display());
    Ok(())
}
