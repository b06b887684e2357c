//! A program for WASI: it gets its arguments, the standard streams, the folders that it is given, and nothing else.

use std::path::PathBuf;

use wasmtime::component::{self, Component};
use wasmtime::{Config, Engine, Linker, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::bindings::sync::Command as Bindings;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder, WasiCtxView, WasiView, p2};

use super::limits::Walls;
use super::{ModuleError, Shape, cache};

/// What a command is given.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// Its arguments, the first of which is its own name.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Folders, and as what it sees them.
    pub folders: Vec<(PathBuf, String)>,
    /// Whether it may open sockets.
    pub network: bool,
    /// The most linear memory that it may have, in bytes.
    pub memory_bytes: u64,
    /// So many instructions it may take altogether; as many as it likes without.
    pub fuel: Option<u64>,
}

pub(super) struct Host {
    walls: Walls,
    wasi: WasiP1Ctx,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl Command {
    /// Runs a program, of which it is known that it is one, to its end, and returns its exit code.
    ///
    /// # Errors
    /// When it cannot be loaded, wants what it does not get, traps, or reaches a limit.
    pub fn run(&self, bytes: &[u8], shape: &Shape) -> Result<i32, ModuleError> {
        let mut config = Config::new();
        config.consume_fuel(self.fuel.is_some());
        config.cache(cache::open());
        let engine = Engine::new(&config).map_err(|error| ModuleError::load(&error))?;
        let mut store = Store::new(
            &engine,
            Host {
                walls: Walls::new(self.memory_bytes),
                wasi: self.wasi()?,
            },
        );
        store.limiter(|host| &mut host.walls);
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel).map_err(|error| ModuleError::load(&error))?;
        }
        let ended = match shape {
            Shape::Component => Self::run_component(&engine, &mut store, bytes)?,
            _ => Self::run_module(&engine, &mut store, bytes)?,
        };
        match ended {
            Ok(code) => Ok(code),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(code)) => Ok(*code),
                None => Err(ModuleError::stopped(&error, &store.data().walls)),
            },
        }
    }

    fn run_component(
        engine: &Engine,
        store: &mut Store<Host>,
        bytes: &[u8],
    ) -> Result<wasmtime::Result<i32>, ModuleError> {
        let component = Component::new(engine, bytes).map_err(|error| ModuleError::load(&error))?;
        let mut linker = component::Linker::new(engine);
        p2::add_to_linker_sync(&mut linker).map_err(|error| ModuleError::load(&error))?;
        let program =
            Bindings::instantiate(&mut *store, &component, &linker).map_err(|error| ModuleError::load(&error))?;
        let ended = program.wasi_cli_run().call_run(store);
        Ok(ended.map(|result| i32::from(result.is_err())))
    }

    fn run_module(
        engine: &Engine,
        store: &mut Store<Host>,
        bytes: &[u8],
    ) -> Result<wasmtime::Result<i32>, ModuleError> {
        let module = wasmtime::Module::new(engine, bytes).map_err(|error| ModuleError::load(&error))?;
        let mut linker = Linker::new(engine);
        p1::add_to_linker_sync(&mut linker, |host: &mut Host| &mut host.wasi)
            .map_err(|error| ModuleError::load(&error))?;
        let start = linker
            .instantiate(&mut *store, &module)
            .and_then(|instance| instance.get_typed_func::<(), ()>(&mut *store, "_start"))
            .map_err(|error| ModuleError::load(&error))?;
        Ok(start.call(store, ()).map(|()| 0))
    }

    fn wasi(&self) -> Result<WasiP1Ctx, ModuleError> {
        let mut wasi = WasiCtxBuilder::new();
        // Nothing else runs on this thread, so a read may wait on it.
        wasi.inherit_stdio()
            .allow_blocking_current_thread(true)
            .args(&self.arguments)
            .envs(&self.environment);
        for (folder, name) in &self.folders {
            wasi.preopened_dir(folder, name, FsPerms::ReadWrite)
                .map_err(|error| ModuleError::Folder {
                    folder: folder.clone(),
                    message: error.to_string(),
                })?;
        }
        if self.network {
            wasi.inherit_network()
                .allow_tcp(true)
                .allow_udp(true)
                .allow_ip_name_lookup(true);
        }
        Ok(wasi.build_p1())
    }
}
