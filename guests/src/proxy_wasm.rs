//! From what the SDK leaves to a module that a proxy enters only where it has something to do.

use std::fs;
use std::path::{Path, PathBuf};

use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{ExternalKind, Parser, Payload};

use crate::{Error, io_error};

/// What is exported. The SDK exports a function for everything that can happen to a stream, and Envoy enters the VM for
/// each of them that exists: a third of a microsecond and more a request, for functions that do nothing.
const EXPORTS: [&str; 13] = [
    "_initialize",
    "malloc",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_log",
    "proxy_on_queue_ready",
    "proxy_on_response_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

/// Leaves the exports that are needed, and makes sure that nothing is imported but the calls of the ABI.
pub(crate) fn trim(core: &Path, to: &Path) -> Result<PathBuf, Error> {
    let bytes = fs::read(core).map_err(|source| io_error("read", core, source))?;
    let (trimmed, imports) = trimmed(&bytes).map_err(|error| Error::Component {
        module: core.to_path_buf(),
        reason: error.to_string(),
    })?;
    if !imports.is_empty() {
        return Err(Error::Imports {
            module: core.to_path_buf(),
            imports,
        });
    }
    fs::write(to, trimmed).map_err(|source| io_error("write", to, source))?;
    Ok(to.to_path_buf())
}

/// The module, and what it imports that no proxy has.
fn trimmed(bytes: &[u8]) -> Result<(Vec<u8>, Vec<String>), wasmparser::BinaryReaderError> {
    let mut module = Module::new();
    let mut foreign = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::ExportSection(section) => {
                let mut kept = ExportSection::new();
                for export in section.clone() {
                    let export = export?;
                    let kind = match export.kind {
                        ExternalKind::Func => ExportKind::Func,
                        ExternalKind::Memory => ExportKind::Memory,
                        _ => continue,
                    };
                    if EXPORTS.contains(&export.name) {
                        kept.export(export.name, kind, export.index);
                    }
                }
                module.section(&kept);
                continue;
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    if import.module != "env" || !import.name.starts_with("proxy_") {
                        foreign.push(format!("{}.{}", import.module, import.name));
                    }
                }
            }
            // The names of functions are a tenth of the bytes, and nobody reads them in a proxy.
            Payload::CustomSection(_) => continue,
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection {
                id,
                data: &bytes[range.start as usize..range.end as usize],
            });
        }
    }
    Ok((module.finish(), foreign))
}
