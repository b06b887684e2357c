//! What a wasm file is, told by what it exports. Nothing is compiled for that.

use wasmparser::{CompositeInnerType, Encoding, ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};

/// What a wasm file is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// A component with the world `watchpost:engine`.
    Engine,
    /// A component that exports `wasi:cli/run`: a command of WASI preview 2.
    Component,
    /// A core module that exports `_start`: a command of WASI preview 1.
    Command,
    /// A core module with functions in the ABI of Fluent Bit's filter `wasm`, by their names.
    Filter(Vec<String>),
    /// A core module in the ABI of Envoy and other proxies.
    ProxyWasm,
}

/// Why a file is nothing that can be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// It is something else.
    #[error("this is not a wasm file")]
    NotWasm,
    /// It is damaged.
    #[error("this is no wasm that can be read: {0}")]
    Malformed(String),
    /// It is wasm, and has nothing to be called by.
    #[error(
        "this {what} is no command (it has no {missing}) and no filter of Fluent Bit; it exports {}",
        listed(exports)
    )]
    Unknown {
        /// A module or a component.
        what: &'static str,
        /// What a command would export.
        missing: &'static str,
        /// What it exports.
        exports: Vec<String>,
    },
}

impl Shape {
    /// Tells what these bytes are.
    ///
    /// # Errors
    /// When they are not wasm, or of none of the known shapes.
    pub fn of(bytes: &[u8]) -> Result<Self, ShapeError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(ShapeError::NotWasm);
        }
        let exports = Exports::of(bytes).map_err(|error| ShapeError::Malformed(error.to_string()))?;
        let has = |name: &str| exports.names.iter().any(|export| export == name);
        let starts = |start: &str| exports.names.iter().any(|export| export.starts_with(start));
        if exports.is_component {
            return if starts("wasi:cli/run@") {
                Ok(Shape::Component)
            } else if has("configure") && has("push") && has("snapshot") {
                Ok(Shape::Engine)
            } else {
                Err(ShapeError::Unknown {
                    what: "component",
                    missing: "wasi:cli/run",
                    exports: exports.names,
                })
            };
        }
        if starts("proxy_abi_version_") {
            Ok(Shape::ProxyWasm)
        } else if has("_start") {
            Ok(Shape::Command)
        } else if has("memory") && !exports.filters.is_empty() {
            Ok(Shape::Filter(exports.filters))
        } else {
            Err(ShapeError::Unknown {
                what: "module",
                missing: "_start",
                exports: exports.names,
            })
        }
    }
}

#[derive(Debug, Default)]
struct Exports {
    is_component: bool,
    names: Vec<String>,
    /// The functions that take a tag, a time and a record.
    filters: Vec<String>,
}

impl Exports {
    /// Of the outermost module or component.
    fn of(bytes: &[u8]) -> wasmparser::Result<Self> {
        let mut exports = Exports::default();
        let mut types: Vec<bool> = Vec::new();
        let mut functions: Vec<bool> = Vec::new();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    exports.is_component |= depth == 1 && encoding == Encoding::Component;
                }
                Payload::End(_) => depth -= 1,
                _ if depth > 1 => {}
                Payload::TypeSection(section) => {
                    for group in section {
                        for ty in group?.types() {
                            let is_filter =
                                matches!(&ty.composite_type.inner, CompositeInnerType::Func(ty) if is_filter(ty));
                            types.push(is_filter);
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if let TypeRef::Func(_) = import?.ty {
                            functions.push(false);
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        functions.push(types.get(ty? as usize).copied().unwrap_or(false));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        exports.names.push(export.name.to_owned());
                        let is_function = export.kind == ExternalKind::Func;
                        if is_function && functions.get(export.index as usize) == Some(&true) {
                            exports.filters.push(export.name.to_owned());
                        }
                    }
                }
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        exports.names.push(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(exports)
    }
}

/// The tag and its length, seconds and nanoseconds, the record and its length; a pointer to the record that it becomes.
fn is_filter(ty: &FuncType) -> bool {
    ty.params() == [ValType::I32; 6] && ty.results() == [ValType::I32]
}

fn listed(exports: &[String]) -> String {
    const SHOWN: usize = 8;
    match exports {
        [] => "nothing".to_owned(),
        exports if exports.len() > SHOWN => {
            format!("{} and {} more", exports[..SHOWN].join(", "), exports.len() - SHOWN)
        }
        exports => exports.join(", "),
    }
}
