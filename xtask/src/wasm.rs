//! Builds the plugins.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use watchpost_guests::{Artefacts, PLUGINS};

use crate::process;

/// Where the artefacts go.
pub(crate) fn folder() -> PathBuf {
    process::target().join("wasm")
}

/// Builds every plugin and prints what there is now.
pub(crate) fn build() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let targets: BTreeSet<&str> = PLUGINS.iter().map(|plugin| plugin.target).collect();
    // The compiler works on the whole of a plugin at once, which is on one core.
    let built: Vec<Result<Vec<Artefacts>>> = thread::scope(|scope| {
        let folder = &folder;
        let builds: Vec<_> = targets
            .into_iter()
            .map(|target| {
                let plugins = PLUGINS.iter().filter(move |plugin| plugin.target == target);
                scope.spawn(move || {
                    Ok(plugins
                        .map(|plugin| watchpost_guests::build(plugin, folder))
                        .collect::<Result<_, _>>()?)
                })
            })
            .collect();
        let panicked = |_| Err(anyhow!("a thread that builds plugins has panicked"));
        builds
            .into_iter()
            .map(|build| build.join().unwrap_or_else(panicked))
            .collect()
    });
    for target in built {
        for built in target? {
            print_size(&built.core)?;
            print_size(&built.module)?;
        }
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
