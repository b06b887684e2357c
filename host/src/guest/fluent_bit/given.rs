//! What a module for Fluent Bit is given before it is started. The agent has no channel for that, so it is appended to
//! the module itself: more memory to begin with, with the bytes in it, and in the place that the module exports as
//! `watchpost_given` where they are.

use std::ops::Range;

use wasm_encoder::{ConstExpr, DataCountSection, DataSection, MemorySection, MemoryType, Module, RawSection};
use wasmparser::{DataKind, ExternalKind, Operator, Parser, Payload};

/// A configuration and a state for a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// A configuration document in JSON; the defaults when it is empty.
    pub config: String,
    /// A snapshot to go on from.
    pub state: Option<Vec<u8>>,
}

/// Why a module cannot be given anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GivenError {
    /// It is a module of another program, or of another version.
    #[error("it has no place for a configuration: only `watchpost-fluent-bit.wasm` does")]
    NoPlace,
    /// It is not a module.
    #[error("it cannot be read: {0}")]
    Malformed(String),
    /// All of it together is more than a module can hold.
    #[error("the state is too large")]
    TooLarge,
}

const PAGE: u64 = 64 << 10;

impl Given {
    /// The module with this in it, instead of what it may have been given before.
    ///
    /// # Errors
    /// When the module has no place for it.
    pub fn write(&self, module: &[u8]) -> Result<Vec<u8>, GivenError> {
        let place = Place::of(module).map_err(|error| GivenError::Malformed(error.to_string()))?;
        let (Some(table), Some(memory)) = (place.table, place.memory) else {
            return Err(GivenError::NoPlace);
        };
        let start = memory.initial * PAGE;
        let config = start..start + self.config.len() as u64;
        let state = config.end..config.end + self.state.as_ref().map_or(0, Vec::len) as u64;
        let pages = state.end.div_ceil(PAGE);
        let mut addresses = Vec::new();
        for part in [&config, &state] {
            addresses.extend(word(if part.is_empty() { 0 } else { part.start })?);
            addresses.extend(word(part.end - part.start)?);
        }
        let mut added = vec![(table, &*addresses), (config.start, self.config.as_bytes())];
        added.extend(self.state.as_deref().map(|bytes| (state.start, bytes)));
        rebuilt(
            module,
            MemoryType {
                minimum: pages,
                ..memory.ty()
            },
            &added,
        )
        .map_err(|error| match error {
            Rebuild::Read(error) => GivenError::Malformed(error.to_string()),
            Rebuild::TooLarge => GivenError::TooLarge,
            Rebuild::Foreign => GivenError::NoPlace,
        })
    }
}

fn word(value: u64) -> Result<[u8; 4], GivenError> {
    u32::try_from(value)
        .map(u32::to_le_bytes)
        .map_err(|_| GivenError::TooLarge)
}

/// Where a module can be given something.
#[derive(Debug, Default)]
struct Place {
    table: Option<u64>,
    memory: Option<MemoryOf>,
}

#[derive(Debug, Clone, Copy)]
struct MemoryOf {
    initial: u64,
    maximum: Option<u64>,
}

impl MemoryOf {
    fn ty(self) -> MemoryType {
        MemoryType {
            minimum: self.initial,
            maximum: self.maximum,
            memory64: false,
            shared: false,
            page_size_log2: None,
        }
    }
}

impl Place {
    fn of(module: &[u8]) -> wasmparser::Result<Self> {
        let mut place = Place::default();
        let mut globals = Vec::new();
        let mut named = None;
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::MemorySection(section) => {
                    for memory in section {
                        let memory = memory?;
                        place.memory = Some(MemoryOf {
                            initial: memory.initial,
                            maximum: memory.maximum,
                        });
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        globals.push(match global?.init_expr.get_operators_reader().read()? {
                            Operator::I32Const { value } => Some(u64::from(value.cast_unsigned())),
                            _ => None,
                        });
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.name == "watchpost_given" && export.kind == ExternalKind::Global {
                            named = Some(export.index as usize);
                        }
                    }
                }
                _ => {}
            }
        }
        place.table = named.and_then(|index| globals.get(index).copied().flatten());
        Ok(place)
    }
}

enum Rebuild {
    Read(wasmparser::BinaryReaderError),
    TooLarge,
    /// Its data has no fixed place, as that of no module of ours.
    Foreign,
}

impl From<wasmparser::BinaryReaderError> for Rebuild {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Rebuild::Read(error)
    }
}

/// The same module with another memory and with more data, written after what it has.
fn rebuilt(bytes: &[u8], memory: MemoryType, added: &[(u64, &[u8])]) -> Result<Vec<u8>, Rebuild> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::MemorySection(_) => {
                let mut section = MemorySection::new();
                section.memory(memory);
                module.section(&section);
                continue;
            }
            Payload::DataCountSection { count, .. } => {
                let count = count + added.len() as u32;
                module.section(&DataCountSection { count });
                continue;
            }
            Payload::DataSection(section) => {
                let mut data = DataSection::new();
                for segment in section.clone() {
                    let segment = segment?;
                    match segment.kind {
                        DataKind::Passive => data.passive(segment.data.iter().copied()),
                        DataKind::Active { offset_expr, .. } => {
                            let Operator::I32Const { value: at } = offset_expr.get_operators_reader().read()? else {
                                return Err(Rebuild::Foreign);
                            };
                            data.active(0, &ConstExpr::i32_const(at), segment.data.iter().copied())
                        }
                    };
                }
                for (at, bytes) in added {
                    let at = u32::try_from(*at).map_err(|_| Rebuild::TooLarge)?;
                    let at = ConstExpr::i32_const(at.cast_signed());
                    data.active(0, &at, bytes.iter().copied());
                }
                module.section(&data);
                continue;
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            let Range { start, end } = range;
            let data = &bytes[start as usize..end as usize];
            module.section(&RawSection { id, data });
        }
    }
    Ok(module.finish())
}
