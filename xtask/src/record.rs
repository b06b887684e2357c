//! Records a real Envoy in front of small services that are made to fail.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{envoy, process, wasm};

/// The strongest level that does not need more memory to unpack.
const LEVEL: i32 = 19;

/// What the schedule says, in real time; its result is packed into a folder that is made.
pub(crate) fn run(schedule: Option<PathBuf>, out: Option<PathBuf>) -> Result<()> {
    let scripts = watchpost_guests::root().join("tests").join("recording");
    let schedule = schedule.unwrap_or_else(|| scripts.join("schedule.json"));
    let out = out.unwrap_or_else(|| process::target().join("recording"));
    if out.exists() {
        bail!(
            "{} is there already: name another folder with --out, or remove it",
            out.display()
        );
    }
    let mut command = Command::new("python3");
    command
        .arg(scripts.join("record.py"))
        .arg("--envoy")
        .arg(envoy::binary()?)
        .arg("--schedule")
        .arg(&schedule)
        .arg("--out")
        .arg(&out);
    let module = wasm::folder().join("watchpost-envoy.wasm");
    if module.is_file() {
        command.arg("--wasm").arg(&module);
    } else {
        println!("without Watchpost in the proxy: `cargo xtask wasm` makes the module");
    }
    process::run(&mut command)?;
    pack(&out)?;
    let logs = out.join("logs");
    pack(&logs)?;
    println!(
        "to keep it, copy recording.ndjson.zst and truth.json of {} to {}",
        out.display(),
        scripts.display()
    );
    Ok(())
}

/// Compresses what a folder has of lines. What is not worth keeping (configuration, keys, databases) stays as it is.
fn pack(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths.iter().filter(|path| is_lines(path)) {
        let packed = PathBuf::from(format!("{}.zst", path.display()));
        let read = fs::File::open(path).with_context(|| format!("read {}", path.display()))?;
        let written = fs::File::create(&packed).with_context(|| format!("write {}", packed.display()))?;
        zstd::stream::copy_encode(read, written, LEVEL).with_context(|| format!("pack {}", path.display()))?;
        fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
        println!("{:>9} bytes  {}", fs::metadata(&packed)?.len(), packed.display());
    }
    Ok(())
}

/// Whether a file holds log lines or rows, also of a log that was rotated.
fn is_lines(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.is_file()
        && (name.contains(".ndjson") || name.contains(".log"))
        && !name.ends_with(".zst")
        && !name.starts_with("journal")
}
