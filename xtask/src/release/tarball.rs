//! Files in a tar archive, of which the same files always give the same bytes.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

/// 1980-01-01, the time of every file. Nothing depends on it; of 1970 some tools think that the time is missing.
const TIME: u64 = 315_532_800;

/// Files by their paths, in whose order they are written.
#[derive(Debug, Default)]
pub(crate) struct Tarball {
    files: BTreeMap<String, File>,
}

#[derive(Debug)]
struct File {
    executable: bool,
    bytes: Vec<u8>,
}

impl Tarball {
    /// Adds a file, or replaces the one of this path.
    pub(crate) fn add(&mut self, path: impl Into<String>, bytes: Vec<u8>) {
        let executable = false;
        self.files.insert(path.into(), File { executable, bytes });
    }

    /// The same, of a program.
    pub(crate) fn add_program(&mut self, path: impl Into<String>, bytes: Vec<u8>) {
        let executable = true;
        self.files.insert(path.into(), File { executable, bytes });
    }

    /// Paths and contents.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, file)| (&**path, &*file.bytes))
    }

    /// The archive, with every path below a folder; an empty one stands for none. Whose the files are and what time it
    /// is leave no trace.
    pub(crate) fn tar(&self, folder: &str) -> Result<Vec<u8>> {
        let mut builder = Builder::new(Vec::new());
        for (path, file) in &self.files {
            let path = match folder {
                "" => path.clone(),
                folder => format!("{folder}/{path}"),
            };
            let mut header = Header::new_ustar();
            header.set_size(file.bytes.len() as u64);
            header.set_mode(if file.executable { 0o755 } else { 0o644 });
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(TIME);
            builder
                .append_data(&mut header, &path, &*file.bytes)
                .with_context(|| format!("put {path} into an archive"))?;
        }
        builder.into_inner().context("finish an archive")
    }
}

/// Packs bytes with gzip, without a name and a time in the header.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packed.write_all(bytes).context("pack an archive")?;
    packed.finish().context("pack an archive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_in_which_files_are_added_does_not_show() {
        let mut one = Tarball::default();
        one.add("b/c", b"second".to_vec());
        one.add("a", b"first".to_vec());
        one.add_program("b/a", b"program".to_vec());
        let mut other = Tarball::default();
        other.add_program("b/a", b"program".to_vec());
        other.add("a", b"first".to_vec());
        other.add("b/c", b"second".to_vec());
        let packed = gzip(&one.tar("release-1").unwrap()).unwrap();
        assert_eq!(packed, gzip(&other.tar("release-1").unwrap()).unwrap());

        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*packed));
        let read: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (
                    entry.path().unwrap().display().to_string(),
                    header.mode().unwrap(),
                    header.mtime().unwrap(),
                    header.uid().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            read,
            [
                ("release-1/a".to_owned(), 0o644, TIME, 0),
                ("release-1/b/a".to_owned(), 0o755, TIME, 0),
                ("release-1/b/c".to_owned(), 0o644, TIME, 0),
            ]
        );
    }
}
