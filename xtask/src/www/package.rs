//! The npm package of the plugin for JavaScript.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use watchpost_guests::{BROWSER_FEATURES, BROWSER_TARGET, cargo_dir};

use crate::process::{self, Lock};
use crate::wasm;

/// The version of wasm-pack.
const WASM_PACK: &str = "0.15.1";

/// That of wasm-bindgen, which the plugin is linked with in the same version.
const WASM_BINDGEN: &str = "0.2.130";

/// Builds the package into `target/pkg`.
pub(crate) fn build() -> Result<PathBuf> {
    let folder = process::target().join("pkg");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    watchpost_guests::package(&tools()?, &cargo_folder(), &folder)?;
    let license = watchpost_guests::root().join("LICENSE");
    fs::copy(&license, folder.join("LICENSE")).with_context(|| format!("copy {}", license.display()))?;
    name(&folder.join("package.json"))?;
    Ok(folder)
}

/// Runs the tests of the plugin in Node: those in Rust, and those of the package as it is built.
pub(crate) fn test() -> Result<()> {
    let package = build()?;
    let plugin = watchpost_guests::root().join(watchpost_guests::BROWSER_FOLDER);
    let tools = tools()?;
    process::run(
        watchpost_guests::wasm_pack(&tools, &cargo_folder())?
            .args(["test", "--node", "--mode", "no-install"])
            .arg(&plugin)
            .args(["--test", "node", "--locked"]),
    )?;
    process::run(
        std::process::Command::new("node")
            .args(["--test", "--test-reporter=spec"])
            .arg(plugin.join("tests").join("package.test.mjs"))
            .env("WATCHPOST_PACKAGE", package),
    )
}

/// The folder of wasm-pack and wasm-bindgen, installed where they are not there.
fn tools() -> Result<PathBuf> {
    let bindgen = process::installed_from("wasm-bindgen-cli", "wasm-bindgen", WASM_BINDGEN, Lock::Newest)?;
    process::installed("wasm-pack", WASM_PACK)?;
    Ok(bindgen.parent().map(Path::to_path_buf).unwrap_or_default())
}

/// Cargo's own files are with those of the other plugins.
fn cargo_folder() -> PathBuf {
    cargo_dir(&wasm::folder(), BROWSER_TARGET, BROWSER_FEATURES)
}

/// wasm-pack calls a package as it is called in Rust.
fn name(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let mut package: Map<String, Value> =
        serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))?;
    package.insert("name".to_owned(), json!("watchpost"));
    package.insert("license".to_owned(), json!(env!("CARGO_PKG_LICENSE")));
    // The module is a file beside the code, which is asked for by its name.
    package.insert(
        "exports".to_owned(),
        json!({
            ".": "./watchpost.js",
            "./watchpost_bg.wasm": "./watchpost_bg.wasm",
            "./package.json": "./package.json",
        }),
    );
    let text = serde_json::to_string_pretty(&package)? + "\n";
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
