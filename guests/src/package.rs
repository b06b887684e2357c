//! The plugin for JavaScript: a package that wasm-pack makes, with functions that wasm-bindgen's own JavaScript calls.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use wasm_encoder::{Module, RawSection};
use wasmparser::{Parser, Payload};

use crate::{Error, cleaned, io_error, root, rustflags};

/// What the package of Rust is called.
pub const BROWSER: &str = "watchpost-browser";

/// Where it is in the workspace.
pub const BROWSER_FOLDER: &str = "plugins/browser";

/// The target that it is compiled for.
pub const BROWSER_TARGET: &str = "wasm32-unknown-unknown";

/// Every browser that has modules in workers has SIMD.
pub const BROWSER_FEATURES: &str = "+simd128";

/// Makes the npm package, which is called `watchpost`, in this folder. `tools` is where wasm-pack and wasm-bindgen are.
///
/// # Errors
/// When the plugin does not compile, or a file cannot be written.
pub fn package(tools: &Path, target_dir: &Path, out_dir: &Path) -> Result<(), Error> {
    let root = root();
    let status = wasm_pack(tools, target_dir)?
        .args([
            "build",
            BROWSER_FOLDER,
            "--mode",
            "no-install",
            "--no-opt",
            "--no-gitignore",
        ])
        .args([
            "--target",
            "web",
            "--profile",
            "browser",
            "--out-name",
            "watchpost",
            "--out-dir",
        ])
        .arg(out_dir)
        .args(["--", "--quiet", "--locked"])
        .status()
        .map_err(|source| io_error("start wasm-pack in", &root, source))?;
    if !status.success() {
        return Err(Error::Compile {
            plugin: "browser",
            target: BROWSER_TARGET,
        });
    }
    let module = out_dir.join("watchpost_bg.wasm");
    let bytes = fs::read(&module).map_err(|source| io_error("read", &module, source))?;
    let stripped = stripped(&bytes).map_err(|error| Error::Component {
        module: module.clone(),
        reason: error.to_string(),
    })?;
    fs::write(&module, stripped).map_err(|source| io_error("write", &module, source))
}

/// wasm-pack, which finds wasm-bindgen beside itself. Its Cargo compiles as for every plugin.
///
/// # Errors
/// When there is no such folder.
pub fn wasm_pack(tools: &Path, target_dir: &Path) -> Result<Command, Error> {
    let root = root();
    let mut path = OsString::from(tools);
    if let Some(further) = env::var_os("PATH") {
        path.push(if cfg!(windows) { ";" } else { ":" });
        path.push(further);
    }
    let program = tools.join("wasm-pack");
    let mut command = cleaned(&program, &root);
    command.env("PATH", path).env("CARGO_TARGET_DIR", target_dir).env(
        "CARGO_ENCODED_RUSTFLAGS",
        rustflags(BROWSER_FEATURES, &root).join("\x1f"),
    );
    Ok(command)
}

/// Without what only tools read: the names of functions are a third of the bytes.
fn stripped(bytes: &[u8]) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let Payload::CustomSection(_) = &payload {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            let data = &bytes[range.start as usize..range.end as usize];
            module.section(&RawSection { id, data });
        }
    }
    Ok(module.finish())
}
