//! Builds the kernels as a wasm module, which the program carries inside.

use std::env;
use std::error::Error;
use std::path::PathBuf;

use watchpost_guests::{KERNELS, build, inputs};

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for a build script")?);
    for path in inputs(&KERNELS) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let kernels = build(&KERNELS, &out_dir)?.module;
    println!("cargo::rustc-env=WATCHPOST_KERNELS={}", kernels.display());
    Ok(())
}
