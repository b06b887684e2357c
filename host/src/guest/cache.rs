//! Compiled guests on disk. Compiling the engine takes half a second, finding it here three milliseconds.

use std::env;
use std::path::PathBuf;

use etcetera::BaseStrategy;
use wasmtime::{Cache, CacheConfig};

/// Names another folder for compiled guests; empty for none.
const VARIABLE: &str = "WATCHPOST_CACHE_DIR";

/// The cache, or nothing where there is no folder for it: it only saves time, so its absence is no error.
///
/// What is in the folder is run as native code. It belongs to the user alone for that reason, as the
/// program itself does.
pub(super) fn open() -> Option<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(folder()?);
    Cache::new(config).ok()
}

fn folder() -> Option<PathBuf> {
    match env::var_os(VARIABLE) {
        Some(folder) if folder.is_empty() => None,
        Some(folder) => std::path::absolute(PathBuf::from(folder)).ok(),
        None => Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("watchpost")),
    }
}
