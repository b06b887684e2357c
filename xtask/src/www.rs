//! The playground: a folder of static files, which are the page, the detector as a package for JavaScript, a chart
//! library, cases to try it on, and the modules that it leads to.

mod cases;
mod package;
mod serve;
mod site;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::{npm, process, wasm};
use site::Site;

/// What is done with it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only builds.
    #[arg(long)]
    build: bool,
    /// The port on 127.0.0.1; any that is free without it.
    #[arg(long, default_value_t = 0, conflicts_with = "build")]
    port: u16,
}

/// The chart library.
const CHARTS: &str = "uplot";

/// Its code. It is small as a script only, and a module is what we want: a line more makes it one.
const CHARTS_CODE: &str = "dist/uPlot.iife.min.js";
const AS_MODULE: &[u8] = b"\nexport default uPlot;\n";

/// The parts of the package for JavaScript, of which the first two are what runs.
const PACKAGE: [&str; 6] = [
    "watchpost.js",
    "watchpost_bg.wasm",
    "watchpost.d.ts",
    "package.json",
    "README.md",
    "LICENSE",
];

/// The modules that exported configurations need.
const MODULES: [&str; 4] = ["envoy", "cli", "vector", "fluent-bit"];

/// Folders whose files are all of the page.
const FOLDERS: [&str; 2] = ["css", "js"];

/// Builds the playground and serves it, or only builds it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = build()?;
    if options.build {
        return Ok(());
    }
    serve::serve(&folder, options.port)
}

/// Builds the playground into `target/www`.
pub(crate) fn build() -> Result<PathBuf> {
    let package = package::build()?;
    let sources = watchpost_guests::root().join("www");
    let npm = process::target().join("www-npm");
    npm::install(&sources, &npm)?;
    let mut site = Site::default();
    for path in files(&sources)? {
        site.first(path.clone(), read(&sources.join(path))?);
    }
    let charts = npm.join("node_modules").join(CHARTS);
    let mut code = read(&charts.join(CHARTS_CODE))?;
    code.extend_from_slice(AS_MODULE);
    site.first("vendor/uplot.js", code);
    site.first("vendor/uplot.css", read(&charts.join("dist/uPlot.min.css"))?);
    site.later("vendor/uplot.LICENSE", read(&charts.join("LICENSE"))?);
    for (at, name) in PACKAGE.into_iter().enumerate() {
        let bytes = read(&package.join(name))?;
        let path = format!("pkg/{name}");
        if at < 2 {
            site.first(path, bytes);
        } else {
            site.later(path, bytes);
        }
    }
    cases::add(&mut site)?;
    for name in MODULES {
        let name = format!("watchpost-{name}.wasm");
        let module = wasm::folder().join(&name);
        if module.is_file() {
            site.later(format!("download/{name}"), read(&module)?);
        } else {
            println!("download/{name} is left out: `cargo xtask wasm` makes it");
        }
    }
    let folder = process::target().join("www");
    site.write(&folder)?;
    site.zip(&process::target().join("www.zip"))?;
    site.print()?;
    Ok(folder)
}

/// Runs the tests in Node: those of the package for JavaScript, and those of the parts of the page that need no page.
pub(crate) fn test() -> Result<()> {
    package::test()?;
    let folder = watchpost_guests::root().join("www").join("tests");
    let tests = names(&folder)?.into_iter().map(|name| folder.join(name));
    process::run(
        Command::new("node")
            .args(["--test", "--test-reporter=spec"])
            .args(tests),
    )
}

/// The files of the page, below its folder: those beside `index.html` but what is npm's, and the folders.
fn files(sources: &Path) -> Result<Vec<String>> {
    let mut files = names(sources)?;
    files.retain(|name| !matches!(&**name, "package.json" | "package-lock.json" | "README.md"));
    for folder in FOLDERS {
        let names = names(&sources.join(folder))?;
        files.extend(names.into_iter().map(|name| format!("{folder}/{name}")));
    }
    files.sort();
    Ok(files)
}

/// The files in a folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}
