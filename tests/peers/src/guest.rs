//! The kernels in wasm.

use wasmtime::error::Context;
use wasmtime::{Config, Engine, Instance, Memory, Module, OptLevel, Result, Store, TypedFunc};

/// The module that the build script made.
pub(crate) static MODULE: &[u8] = include_bytes!(env!("WATCHPOST_KERNELS"));

/// One instance, without limits of time, as the peers have none.
pub(crate) struct Guest {
    store: Store<()>,
    module: Module,
    memory: Memory,
    input: TypedFunc<u32, u32>,
    mine_anew: TypedFunc<(), ()>,
    mine_lines: TypedFunc<(), u32>,
}

impl Guest {
    pub(crate) fn load() -> Result<Self> {
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::Speed);
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, MODULE)?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        Ok(Guest {
            memory: instance
                .get_memory(&mut store, "memory")
                .context("the module has no memory")?,
            input: instance.get_typed_func(&mut store, "input")?,
            mine_anew: instance.get_typed_func(&mut store, "mine_anew")?,
            mine_lines: instance.get_typed_func(&mut store, "mine_lines")?,
            store,
            module,
        })
    }

    /// How many bytes the compiled module has.
    pub(crate) fn precompiled(&self) -> Result<usize> {
        Ok(self.module.serialize()?.len())
    }

    /// Forgets all templates.
    pub(crate) fn mine_anew(&mut self) -> Result<()> {
        self.mine_anew.call(&mut self.store, ())
    }

    /// As [`watchpost_kernels::Mine::lines`].
    pub(crate) fn mine_lines(&mut self, lines: &[u8]) -> Result<usize> {
        self.give(lines)?;
        Ok(self.mine_lines.call(&mut self.store, ())? as usize)
    }

    fn give(&mut self, input: &[u8]) -> Result<()> {
        let at = self.input.call(&mut self.store, input.len().try_into()?)?;
        Ok(self.memory.write(&mut self.store, at as usize, input)?)
    }
}
