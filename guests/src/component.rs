//! From a core module with an embedded world to a component.

use std::fs;
use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::{Error, io_error};

/// Makes a component of a core module and makes sure that it has no imports. The encoder is called as a
/// library, because the target `wasm32-wasip2` would add the interfaces of WASI whether used or not.
pub(crate) fn encode(module: &Path, component: &Path) -> Result<PathBuf, Error> {
    let refuse = |reason: String| Error::Component {
        module: module.to_path_buf(),
        reason,
    };
    let core = fs::read(module).map_err(|source| io_error("read", module, source))?;
    let bytes = ComponentEncoder::default()
        .validate(true)
        .module(&core)
        .and_then(ComponentEncoder::encode)
        .map_err(|error| refuse(format!("{error:#}")))?;
    write_without_imports(&bytes, component)
}

/// Leaves a core module as it is, once it is sure that it has no imports.
pub(crate) fn close(core: &Path, module: &Path) -> Result<PathBuf, Error> {
    let bytes = fs::read(core).map_err(|source| io_error("read", core, source))?;
    write_without_imports(&bytes, module)
}

fn write_without_imports(bytes: &[u8], to: &Path) -> Result<PathBuf, Error> {
    let imports = imports(bytes).map_err(|error| Error::Component {
        module: to.to_path_buf(),
        reason: error.to_string(),
    })?;
    if !imports.is_empty() {
        return Err(Error::Imports {
            module: to.to_path_buf(),
            imports,
        });
    }
    fs::write(to, bytes).map_err(|source| io_error("write", to, source))?;
    Ok(to.to_path_buf())
}

/// Everything that a component, or a module inside it, asks for.
fn imports(bytes: &[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    names.push(import?.name.name.to_owned());
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    names.push(format!("{}.{}", import.module, import.name));
                }
            }
            _ => {}
        }
    }
    Ok(names)
}
