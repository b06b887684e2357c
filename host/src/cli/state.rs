//! The state of a detector in a file: there completely or not at all.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use watchpost::engine::EngineError;

use super::exit::Usage;

/// The state that an earlier run saved, or `None` when this is the first run.
///
/// Fails now when the file could not be saved at the end for want of its folder, rather than after hours.
pub(crate) fn load(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = folder(path);
            if folder.is_dir() {
                Ok(None)
            } else {
                Err(Usage(format!(
                    "--state {}: there is no folder {}",
                    path.display(),
                    folder.display()
                ))
                .into())
            }
        }
        Err(error) => Err(error).with_context(|| format!("cannot read the state {}", path.display())),
    }
}

/// An engine's error, with the file where it is the state that cannot be used.
pub(crate) fn refused(path: &Path, error: EngineError) -> anyhow::Error {
    let is_state = matches!(error, EngineError::Snapshot(_));
    let error = anyhow::Error::from(error);
    if is_state {
        error.context(format!("--state {}", path.display()))
    } else {
        error
    }
}

/// Saves the state so that a crash at any moment leaves either the old file or the new one: a new file in the
/// same folder is written through to the disk, and then takes the old one's name.
pub(crate) fn save(path: &Path, state: &[u8]) -> anyhow::Result<()> {
    // A link stays a link: what it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    write(&target, state).with_context(|| format!("cannot save the state {}", path.display()))
}

fn write(path: &Path, state: &[u8]) -> anyhow::Result<()> {
    let folder = folder(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".watchpost-state-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Readable for whom the user's umask allows, as any other file that a program creates.
        builder.permissions(Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(&folder)?;
    file.write_all(state)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The new name lasts only once the folder is on the disk, too; where folders cannot be opened it needs no help.
    if let Ok(folder) = File::open(&folder) {
        folder.sync_all()?;
    }
    Ok(())
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(load(&path).unwrap(), None);
        save(&path, b"one").unwrap();
        save(&path, b"two").unwrap();
        assert_eq!(load(&path).unwrap().unwrap(), b"two");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn a_missing_folder_is_noticed_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(&folder.path().join("missing/state")).unwrap_err();
        assert!(error.is::<Usage>(), "{error:#}");
    }
}
