//! A WASI command is what the compiler leaves, once it is sure that it wants nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload, TypeRef};

use crate::{Error, io_error};

const WASI: &str = "wasi_snapshot_preview1";

/// Copies the module, when nothing is imported but functions of WASI.
pub(crate) fn check(core: &Path, to: &Path) -> Result<PathBuf, Error> {
    copy(core, to, foreign)
}

/// Copies the component, when nothing is imported but interfaces of WASI. The linker made it of the core module.
pub(crate) fn check_component(component: &Path, to: &Path) -> Result<PathBuf, Error> {
    copy(component, to, foreign_to_component)
}

fn copy(
    core: &Path,
    to: &Path,
    foreign: fn(&[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError>,
) -> Result<PathBuf, Error> {
    let bytes = fs::read(core).map_err(|source| io_error("read", core, source))?;
    let imports = foreign(&bytes).map_err(|error| Error::Component {
        module: core.to_path_buf(),
        reason: error.to_string(),
    })?;
    if !imports.is_empty() {
        return Err(Error::Imports {
            module: core.to_path_buf(),
            imports,
        });
    }
    fs::write(to, bytes).map_err(|source| io_error("write", to, source))?;
    Ok(to.to_path_buf())
}

fn foreign(bytes: &[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    let mut foreign = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                if import.module != WASI || !matches!(import.ty, TypeRef::Func(_)) {
                    foreign.push(format!("{}.{}", import.module, import.name));
                }
            }
        }
    }
    Ok(foreign)
}

/// What the component itself imports; the modules inside import from each other.
fn foreign_to_component(bytes: &[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    let mut foreign = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let name = import?.name.name;
                    if !name.starts_with("wasi:") {
                        foreign.push(name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(foreign)
}
