//! The engine as a wasm guest under wasmtime: compiled once, walled in, and limited in time and memory.
//!
//! A guest has no imports, so all it can do is compute and return bytes. Whatever it does wrong is an
//! [`EngineError`], never a panic of the host. After a trap its state may be half changed, so the instance
//! is not entered again: every later call returns the same error.
//!
//! Beside the engine, the modules that are doors to the detector in other hosts are run here as those would run them:
//! a [`Command`] for WASI, and a [`Filter`] of Fluent Bit.

mod cache;
mod command;
mod fluent_bit;
mod limits;
mod shape;

use std::fmt;
use std::path::PathBuf;

use wasmtime::component::types::{ComponentExtern, ComponentItem};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Store, Trap};
use watchpost_detector::{Input, Status, Timestamp};

pub use command::Command;
pub use fluent_bit::{Answer, Filter, Given, GivenError, is_object};
pub use limits::Limits;
pub use shape::{Shape, ShapeError};

use crate::engine::{EngineError, Limit};
use limits::Walls;

mod abi {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from the WIT, where the documentation is"
    )]

    wasmtime::component::bindgen!({ path: "../plugins/engine/wit", world: "engine" });
}

/// An engine that is compiled and known to have the right shape; making instances of it is cheap.
#[derive(Clone)]
pub struct Module {
    instances: abi::EnginePre<Walls>,
    limits: Limits,
}

impl Module {
    /// Compiles a component, or finds it in the cache, and checks that it is an engine.
    ///
    /// # Errors
    /// [`EngineError::Load`] when the bytes are not a component, [`EngineError::Abi`] when it is not an engine.
    pub fn load(bytes: &[u8], limits: Limits) -> Result<Self, EngineError> {
        check_preamble(bytes)?;
        let mut config = Config::new();
        config.consume_fuel(limits.fuel);
        config.cache(cache::open());
        let engine = wasmtime::Engine::new(&config).map_err(|error| EngineError::Load(chain(&error)))?;
        let component = Component::new(&engine, bytes).map_err(|error| EngineError::Load(chain(&error)))?;
        check_shape(&component)?;
        let instances = Linker::new(&engine)
            .instantiate_pre(&component)
            .and_then(abi::EnginePre::new)
            .map_err(|error| EngineError::Abi(chain(&error)))?;
        Ok(Module { instances, limits })
    }
}

/// One instance of an engine, with one detector in it.
pub struct Guest {
    store: Store<Walls>,
    engine: abi::Engine,
    limits: Limits,
    /// Why the instance must not be entered again.
    broken: Option<EngineError>,
}

impl Guest {
    /// The most bytes that are handed to the guest at once; more are cut up, so that what one call may
    /// cost does not depend on the caller.
    const CHUNK: usize = 256 << 10;

    /// An instance with this configuration document, from a snapshot if there is one.
    ///
    /// # Errors
    /// When the configuration or the snapshot is refused, or the guest traps or reaches a limit.
    pub fn open(module: &Module, config: &str, snapshot: Option<&[u8]>) -> Result<Self, EngineError> {
        let limits = module.limits;
        let mut store = Store::new(module.instances.engine(), Walls::new(limits.memory_bytes));
        store.limiter(|walls| walls);
        let fuelled = if limits.fuel {
            store.set_fuel(limits.budget(0, 0))
        } else {
            Ok(())
        };
        let engine = fuelled
            .and_then(|()| module.instances.instantiate(&mut store))
            .map_err(|error| failure(&error, store.data(), "instantiate"))?;
        let mut guest = Guest {
            store,
            engine,
            limits,
            broken: None,
        };
        // A guest's `restore` has one error for both of its arguments; this order tells them apart.
        guest
            .call("configure", config.len(), |engine, store| {
                engine.call_configure(store, config)
            })?
            .map_err(EngineError::Config)?;
        if let Some(snapshot) = snapshot {
            guest
                .call("restore", config.len() + snapshot.len(), |engine, store| {
                    engine.call_restore(store, config, snapshot)
                })?
                .map_err(EngineError::Snapshot)?;
        }
        Ok(guest)
    }

    pub(crate) fn begin(&mut self, input: &Input) -> Result<(), EngineError> {
        let input = serde_json::to_string(input).map_err(|error| EngineError::Input(error.to_string()))?;
        self.call("begin", input.len(), |engine, store| engine.call_begin(store, &input))?
            .map_err(EngineError::Input)
    }

    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), EngineError> {
        for part in chunk.chunks(Self::CHUNK) {
            let lines = self.call("push", part.len(), |engine, store| engine.call_push(store, part))?;
            out.extend_from_slice(&lines);
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), EngineError> {
        let lines = self.call("flush", 0, |engine, store| engine.call_flush(store))?;
        out.extend_from_slice(&lines);
        Ok(())
    }

    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), EngineError> {
        let lines = self.call("finish", 0, |engine, store| engine.call_finish(store))?;
        out.extend_from_slice(&lines);
        Ok(())
    }

    pub(crate) fn close(&mut self, out: &mut Vec<u8>) -> Result<(), EngineError> {
        let lines = self.call("close", 0, |engine, store| engine.call_close(store))?;
        out.extend_from_slice(&lines);
        Ok(())
    }

    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Result<(), EngineError> {
        let lines = self.call("tick", 0, |engine, store| engine.call_tick(store, now.nanos()))?;
        out.extend_from_slice(&lines);
        Ok(())
    }

    pub(crate) fn snapshot(&mut self) -> Result<Vec<u8>, EngineError> {
        self.call("snapshot", 0, |engine, store| engine.call_snapshot(store))
    }

    pub(crate) fn status(&mut self) -> Result<Status, EngineError> {
        let json = self.call("status", 0, |engine, store| engine.call_status(store))?;
        serde_json::from_str(&json).map_err(|error| {
            EngineError::Abi(format!(
                "its `status` is not one that this version knows: {error}; use an engine of the same version"
            ))
        })
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.store.data().memory_bytes()
    }

    /// Enters the guest with a fresh budget, unless it is broken, and breaks it when it traps.
    fn call<T>(
        &mut self,
        name: &'static str,
        input_bytes: usize,
        enter: impl FnOnce(&abi::Engine, &mut Store<Walls>) -> wasmtime::Result<T>,
    ) -> Result<T, EngineError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.store.data_mut().forgive();
        let fuelled = if self.limits.fuel {
            let budget = self.limits.budget(input_bytes, self.memory_bytes());
            self.store.set_fuel(budget)
        } else {
            Ok(())
        };
        fuelled
            .and_then(|()| enter(&self.engine, &mut self.store))
            .map_err(|error| {
                let error = failure(&error, self.store.data(), name);
                self.broken = Some(error.clone());
                error
            })
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("limits", &self.limits)
            .field("memory_bytes", &self.memory_bytes())
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What can go wrong with a module that is no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// It cannot be compiled, or it imports what it does not get.
    #[error("cannot be loaded: {0}")]
    Load(String),
    /// It cannot have this folder.
    #[error("cannot be given the folder {}: {message}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        message: String,
    },
    /// It computed for too long.
    #[error("it was stopped: it took more instructions than it may; `--fuel` sets how many that are")]
    Fuel,
    /// It wanted too much memory.
    #[error("it was stopped: it wanted more memory than {} MiB; `--memory` sets how much that is", bytes >> 20)]
    Memory {
        /// The limit.
        bytes: u64,
    },
    /// It failed.
    #[error("it trapped: {0}")]
    Trap(String),
}

impl ModuleError {
    fn load(error: &wasmtime::Error) -> Self {
        ModuleError::Load(chain(error))
    }

    /// Why a call did not return.
    fn stopped(error: &wasmtime::Error, walls: &Walls) -> Self {
        if matches!(error.downcast_ref(), Some(Trap::OutOfFuel)) {
            ModuleError::Fuel
        } else if let Some(bytes) = walls.refused() {
            ModuleError::Memory { bytes }
        } else if let Some(trap) = error.downcast_ref::<Trap>() {
            // The frames that led there say nothing to who did not build the module.
            ModuleError::Trap(trap.to_string())
        } else {
            ModuleError::Trap(chain(error))
        }
    }
}

/// What wasmtime calls an error, as ours. A refused growth is told before the trap that follows it:
/// the allocator of a guest that gets no memory has nothing else to do than to trap.
fn failure(error: &wasmtime::Error, walls: &Walls, call: &'static str) -> EngineError {
    let limit = if matches!(error.downcast_ref(), Some(Trap::OutOfFuel)) {
        Limit::Fuel
    } else if let Some(bytes) = walls.refused() {
        Limit::Memory { bytes }
    } else {
        return EngineError::Trap {
            call,
            message: chain(error),
        };
    };
    EngineError::Limit { limit, call }
}

/// Tells what a file is before the compiler complains about a byte in the middle of it.
fn check_preamble(bytes: &[u8]) -> Result<(), EngineError> {
    match bytes {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(EngineError::Abi(
            "this is a core wasm module; give the component, which `cargo xtask wasm` writes beside it".to_owned(),
        )),
        [0, b'a', b's', b'm', ..] => Err(EngineError::Load(
            "this is wasm of a version that is not known here, or it is cut off".to_owned(),
        )),
        _ => Err(EngineError::Load("this is not a wasm file".to_owned())),
    }
}

/// Compares what a component wants and has with the world of an engine.
fn check_shape(component: &Component) -> Result<(), EngineError> {
    const FUNCTIONS: [&str; 9] = [
        "configure",
        "restore",
        "begin",
        "push",
        "finish",
        "close",
        "tick",
        "snapshot",
        "status",
    ];
    let shape = component.component_type();
    let engine = component.engine();
    let imports: Vec<&str> = shape.imports(engine).map(|(name, _)| name).collect();
    if !imports.is_empty() {
        return Err(EngineError::Abi(format!(
            "it imports {}, and an engine has no imports",
            imports.join(", ")
        )));
    }
    let is_function = |name: &&str| {
        matches!(
            shape.get_export(engine, name),
            Some(ComponentExtern {
                ty: ComponentItem::ComponentFunc(_),
                ..
            })
        )
    };
    let missing: Vec<&str> = FUNCTIONS.into_iter().filter(|name| !is_function(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(EngineError::Abi(format!(
        "it is a component without the function{} {}; an engine exports the world watchpost:engine/engine@0.1.0",
        if missing.len() == 1 { "" } else { "s" },
        missing.join(", ")
    )))
}

/// An error with its causes in one line.
fn chain(error: &wasmtime::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
