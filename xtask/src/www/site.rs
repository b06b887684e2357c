//! A folder of static files, with a list of those that a browser keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::release::sha256;

/// Files by their paths, which have slashes.
#[derive(Debug, Default)]
pub(crate) struct Site {
    files: BTreeMap<String, Vec<u8>>,
    first: BTreeSet<String>,
}

/// The list of the first load, for the service worker.
const LIST: &str = "files.js";

impl Site {
    /// Adds a file that is part of the first load.
    pub(crate) fn first(&mut self, path: impl Into<String>, bytes: Vec<u8>) {
        let path = path.into();
        self.first.insert(path.clone());
        self.files.insert(path, bytes);
    }

    /// Adds a file that is fetched when it is asked for.
    pub(crate) fn later(&mut self, path: impl Into<String>, bytes: Vec<u8>) {
        self.files.insert(path.into(), bytes);
    }

    /// Writes the folder anew.
    pub(crate) fn write(&mut self, folder: &Path) -> Result<()> {
        let list = self.list();
        self.files.insert(LIST.to_owned(), list.into_bytes());
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
            }
            fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    /// Everything in one file; the same files give the same bytes.
    pub(crate) fn zip(&self, to: &Path) -> Result<()> {
        let file = File::create(to).with_context(|| format!("create {}", to.display()))?;
        let mut zip = ZipWriter::new(file);
        let options = SimpleFileOptions::default().unix_permissions(0o644);
        for (path, bytes) in &self.files {
            let packed = path.ends_with(".gz");
            let method = if packed {
                CompressionMethod::Stored
            } else {
                CompressionMethod::Deflated
            };
            zip.start_file(path.as_str(), options.compression_method(method))?;
            zip.write_all(bytes)?;
        }
        zip.finish().with_context(|| format!("write {}", to.display()))?;
        Ok(())
    }

    /// Says what the first load weighs.
    pub(crate) fn print(&self) -> Result<()> {
        let mut total = 0;
        for path in &self.first {
            let bytes = self.files.get(path).map_or(&[][..], Vec::as_slice);
            let packed = gzip(bytes)?.len();
            let counts = [".wasm", ".js", ".css"].iter().any(|ending| path.ends_with(ending));
            if counts {
                total += packed;
                println!("{:>9} bytes, {packed:>7} gzip  {path}", bytes.len());
            }
        }
        println!("{total:>26} gzip  wasm, JavaScript and CSS of the first load");
        Ok(())
    }

    fn list(&self) -> String {
        let mut all = String::new();
        for (path, bytes) in &self.files {
            all += &format!("{}  {path}\n", sha256(bytes));
        }
        let hash = sha256(all.as_bytes());
        let files: Vec<&str> = std::iter::once("./")
            .chain(self.first.iter().map(String::as_str))
            .collect();
        let list = json!({ "version": hash.get(..16), "files": files });
        format!("self.FILES = {list};\n")
    }
}

/// As small as gzip makes it.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
