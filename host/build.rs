//! Builds the engine as a wasm component, which the host carries inside.

use std::env;
use std::error::Error;
use std::path::PathBuf;

use watchpost_guests::{ENGINE, build, inputs};

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for a build script")?);
    for path in inputs(&ENGINE) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let engine = build(&ENGINE, &out_dir)?.module;
    println!("cargo::rustc-env=WATCHPOST_ENGINE={}", engine.display());
    Ok(())
}
