//! Builds the kernels as a wasm module, which the program carries inside.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use watchpost_guests::{KERNELS, build, inputs};

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for a build script")?);
    for path in inputs(&KERNELS) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    // Clippy looks at the program and never runs it, and optimising the module takes a minute.
    let is_lint =
        env::var_os("RUSTC_WORKSPACE_WRAPPER").is_some_and(|wrapper| wrapper.to_string_lossy().contains("clippy"));
    println!("cargo::rerun-if-env-changed=RUSTC_WORKSPACE_WRAPPER");
    let kernels = if is_lint {
        let none = out_dir.join("none.wasm");
        fs::write(&none, [])?;
        none
    } else {
        build(&KERNELS, &out_dir)?.module
    };
    println!("cargo::rustc-env=WATCHPOST_KERNELS={}", kernels.display());
    Ok(())
}
