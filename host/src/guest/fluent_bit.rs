//! Fluent Bit's filter `wasm`, as the agent drives it: for every record the tag and the record are copied into memory
//! that the module gives, the function is called, the text that it returns is copied, and the memory is given back.
//!
//! The agent keeps one instance for as long as it runs, also after a trap, and so does this. Its interpreter knows no
//! SIMD, so a module that needs it is refused here as well.

mod given;

use wasmtime::{Config, Engine, Linker, Memory, Module, Store, TypedFunc};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use watchpost_detector::Timestamp;

use super::limits::Walls;
use super::{Limits, ModuleError, cache};

pub use given::{Given, GivenError};

/// A filter with one instance.
pub struct Filter {
    store: Store<Host>,
    memory: Memory,
    function: TypedFunc<(u32, u32, u32, u32, u32, u32), u32>,
    heap: Heap,
    limits: Limits,
    /// Instructions for one record, when it is not told from the record's length.
    fuel: Option<u64>,
}

struct Host {
    walls: Walls,
    wasi: WasiP1Ctx,
}

/// What a filter made of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The record that takes its place: a JSON object.
    Record(Vec<u8>),
    /// The filter wants it left out: an empty text.
    LeftOut,
    /// The agent writes an error to its log and leaves the record out.
    Dropped(String),
}

/// Where the tag and the record are put.
enum Heap {
    /// What the module exports, as the agent wants it.
    Module {
        malloc: TypedFunc<u32, u32>,
        free: TypedFunc<u32, ()>,
    },
    /// The agent's own 8 KiB, which is what a module has that does not export both.
    Own { at: u32, used: u32 },
}

impl Filter {
    /// What the agent has for records when the module does not say where they go, in bytes.
    pub const OWN_HEAP: u32 = 8 << 10;

    const PAGE: u64 = 64 << 10;

    /// Loads a module and makes an instance of it. `fuel` is what it may compute for one record, and follows from the
    /// record's length without.
    ///
    /// # Errors
    /// When the module cannot be loaded, or has no such function.
    pub fn load(bytes: &[u8], function: &str, limits: Limits, fuel: Option<u64>) -> Result<Self, ModuleError> {
        let mut config = Config::new();
        config.consume_fuel(limits.fuel);
        config.wasm_simd(false);
        config.wasm_relaxed_simd(false);
        config.cache(cache::open());
        let engine = Engine::new(&config).map_err(|error| ModuleError::load(&error))?;
        let module = Module::new(&engine, bytes).map_err(|error| ModuleError::load(&error))?;
        let mut store = Store::new(
            &engine,
            Host {
                walls: Walls::new(limits.memory_bytes),
                wasi: WasiCtxBuilder::new().inherit_stderr().build_p1(),
            },
        );
        store.limiter(|host| &mut host.walls);
        if limits.fuel {
            let budget = fuel.unwrap_or_else(|| limits.budget(bytes.len(), 0));
            store.set_fuel(budget).map_err(|error| ModuleError::load(&error))?;
        }
        // Modules from TinyGo and the WASI SDK want it, and the agent has it.
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_sync(&mut linker, |host: &mut Host| &mut host.wasi)
            .map_err(|error| ModuleError::load(&error))?;
        let instance = linker
            .instantiate(&mut store, &module)
            .map_err(|error| ModuleError::load(&error))?;
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            let ended = initialize.call(&mut store, ());
            ended.map_err(|error| ModuleError::stopped(&error, &store.data().walls))?;
        }
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| ModuleError::Load("it exports no memory".to_owned()))?;
        let function = instance
            .get_typed_func(&mut store, function)
            .map_err(|error| ModuleError::Load(format!("it has no filter function `{function}`: {error}")))?;
        let malloc = instance.get_typed_func(&mut store, "malloc");
        let free = instance.get_typed_func(&mut store, "free");
        let heap = match (malloc, free) {
            (Ok(malloc), Ok(free)) => Heap::Module { malloc, free },
            _ => {
                let pages = memory.grow(&mut store, 1).map_err(|error| ModuleError::load(&error))?;
                let at = u32::try_from(pages * Self::PAGE)
                    .map_err(|_| ModuleError::Load("its memory is full".to_owned()))?;
                Heap::Own { at, used: 0 }
            }
        };
        Ok(Filter {
            store,
            memory,
            function,
            heap,
            limits,
            fuel,
        })
    }

    /// Whether records have to fit into [`Filter::OWN_HEAP`], because the module does not export `malloc` and `free`.
    pub fn has_small_heap(&self) -> bool {
        matches!(self.heap, Heap::Own { .. })
    }

    /// The size of the module's memory now.
    pub fn memory_bytes(&self) -> u64 {
        self.store.data().walls.memory_bytes()
    }

    /// Hands over one record. A trap is an answer like any other: the next record meets the same instance.
    pub fn call(&mut self, tag: &str, time: Timestamp, record: &[u8]) -> Answer {
        self.store.data_mut().walls.forgive();
        match self.enter(tag, time, record) {
            Ok(Some(text)) if text.is_empty() => Answer::LeftOut,
            Ok(Some(text)) if is_object(&text) => Answer::Record(text),
            Ok(Some(text)) => Answer::Dropped(format!(
                "the filter returned what is no JSON object: {:?}",
                shown(&text)
            )),
            Ok(None) => Answer::Dropped("the filter returned no text within its memory".to_owned()),
            Err(error) => Answer::Dropped(ModuleError::stopped(&error, &self.store.data().walls).to_string()),
        }
    }

    fn enter(&mut self, tag: &str, time: Timestamp, record: &[u8]) -> wasmtime::Result<Option<Vec<u8>>> {
        self.refuel(record.len())?;
        let tag_at = self.lend(tag.as_bytes())?;
        let record_at = self.lend(record)?;
        let (sec, nsec) = (
            time.nanos().div_euclid(1_000_000_000),
            time.nanos().rem_euclid(1_000_000_000),
        );
        let arguments = (
            tag_at,
            tag.len() as u32,
            sec as u32,
            nsec as u32,
            record_at,
            record.len() as u32,
        );
        let called = self.function.call(&mut self.store, arguments);
        let text = called.map(|at| {
            let memory = self.memory.data(&self.store).get(at as usize..)?;
            let end = memory.iter().position(|byte| *byte == 0)?;
            memory.get(..end).map(<[u8]>::to_vec)
        });
        // What was stopped for its fuel has none left.
        self.refuel(record.len())?;
        for at in [tag_at, record_at] {
            self.take_back(at)?;
        }
        text
    }

    fn refuel(&mut self, bytes: usize) -> wasmtime::Result<()> {
        if !self.limits.fuel {
            return Ok(());
        }
        let budget = self
            .fuel
            .unwrap_or_else(|| self.limits.budget(bytes, self.memory_bytes()));
        self.store.set_fuel(budget)
    }

    /// Copies bytes and a nought behind them into the module's memory; 0 when there is no room.
    fn lend(&mut self, bytes: &[u8]) -> wasmtime::Result<u32> {
        let Ok(size) = u32::try_from(bytes.len() + 1) else {
            return Ok(0);
        };
        let at = match &mut self.heap {
            Heap::Module { malloc, .. } => malloc.call(&mut self.store, size)?,
            Heap::Own { at, used } => {
                // What its allocator keeps for itself is not much.
                if size > Self::OWN_HEAP - *used {
                    return Ok(0);
                }
                let here = *at + *used;
                *used += size;
                here
            }
        };
        if at != 0 {
            self.memory.write(&mut self.store, at as usize, bytes)?;
            self.memory.write(&mut self.store, at as usize + bytes.len(), &[0])?;
        }
        Ok(at)
    }

    fn take_back(&mut self, at: u32) -> wasmtime::Result<()> {
        match &mut self.heap {
            Heap::Module { free, .. } if at != 0 => free.call(&mut self.store, at),
            Heap::Module { .. } => Ok(()),
            Heap::Own { used, .. } => {
                *used = 0;
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter")
            .field("limits", &self.limits)
            .field("memory_bytes", &self.memory_bytes())
            .finish_non_exhaustive()
    }
}

/// What the agent takes for a record.
pub fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

/// The beginning of what was returned.
fn shown(text: &[u8]) -> String {
    const SHOWN: usize = 60;
    let cut = text.get(..SHOWN).unwrap_or(text);
    let mut shown = String::from_utf8_lossy(cut).into_owned();
    if cut.len() < text.len() {
        shown.push('…');
    }
    shown
}
